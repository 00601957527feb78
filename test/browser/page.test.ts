// The example page, built as its first line says, in Chromium: the same run has the same digest there as in Node.

import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { build } from "vite";
import { simulate } from "../../src/simulate.ts";
import { presets } from "../../src/topology/index.ts";

const chromium = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
);
if (chromium === undefined) console.warn("Chromium is not installed: the example page is built, not opened");

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

let folder = "";
let server: Server;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "allstop-page-"));
  await build({
    configFile: false,
    root: fileURLToPath(new URL("../../examples/browser", import.meta.url)),
    logLevel: "error",
    build: { outDir: folder, emptyOutDir: true, chunkSizeWarningLimit: 2000 },
  });
  server = createServer(({ url = "/" }, response) => {
    const path = url === "/" ? "/index.html" : url;
    readFile(join(folder, path)).then(
      (content) => response.setHeader("content-type", types[extname(path)] ?? "text/plain").end(content),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

it("is built with the core beside it", async () => {
  const page = await readFile(join(folder, "index.html"), "utf8");
  const [, script = ""] = /src="\/(assets\/[^"]+\.js)"/.exec(page) ?? [];
  const code = await readFile(join(folder, script), "utf8");
  const [core = ""] = /core-[\w-]+\.wasm/.exec(code) ?? [];
  const shipped = await readFile(new URL("../../dist/core.wasm", import.meta.url));
  expect(await readFile(join(folder, "assets", core))).toEqual(shipped);
  expect(code).not.toContain("__vite-browser-external");
});

describe.skipIf(chromium === undefined)("in Chromium", () => {
  it("shows the report of a run, with the digest that Node has, and a picture", async () => {
    const { port } = server.address() as AddressInfo;
    const profile = join(folder, "profile");
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
    const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
    const { stdout } = await promisify(execFile)(
      chromium as string,
      // Time passes as the page wants it: the budget is no limit on the host's clock.
      [
        ...flags,
        ...quiet,
        `--user-data-dir=${profile}`,
        "--virtual-time-budget=600000",
        "--dump-dom",
        `http://127.0.0.1:${port}/`,
      ],
      { maxBuffer: 2 ** 26 },
    );
    const topology = presets[0]?.name as string;
    const { digest, report } = await simulate({ machine: { topology }, load: { common: "idle" } });
    expect(stdout).toContain(`data-digest="${digest}" data-done="yes"`);
    expect(stdout).toContain(report.outcome.story);
    expect(stdout).toMatch(/<div id="picture"><svg /);
  });
});
