// Pages and pictures from the command line: what is written, and what is said of files that can't be.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pictureKinds } from "../../src/report/picture/kinds.ts";
import { allstop } from "./command.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "allstop-output-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("run --out", () => {
  it("writes a page with the command that made it, and prints the report all the same", async () => {
    const out = join(folder, "a report.html");
    const { code, stdout } = await allstop(["run", "--cpus", "4", "--out", out]);
    expect(code).toBe(0);
    expect(stdout).toContain("4 CPUs stopped and released");
    const page = await readFile(out, "utf8");
    expect(page).toMatch(/^<!DOCTYPE html>/);
    expect(page).toContain(`<pre>allstop run --cpus 4 --out '${out}'</pre>`);
    expect(page).toMatch(/<\/html>\n$/);
  });

  it.each(pictureKinds)("writes the picture %s", async (kind) => {
    const out = join(folder, `${kind}.svg`);
    expect((await allstop(["run", "--cpus", "4", "--out", out, "--picture", kind])).code).toBe(0);
    expect(await readFile(out, "utf8")).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  });

  it("writes the page of a hang, and fails as without it", async () => {
    const out = join(folder, "hang.html");
    expect((await allstop(["run", "--cpus", "4", "--wedge", "3", "--limit-ms", "1", "--out", out])).code).toBe(1);
    expect(await readFile(out, "utf8")).toContain("HANG");
  });

  it.each([
    [["--out", "report.pdf"], "--out", ".html or .svg"],
    [["--out", "report.html", "--picture", "topology"], "--out", ".svg"],
    [["--picture", "topology"], "--picture", "--out FILE.svg"],
    [["--out", "/no such folder/report.html"], "--out", "folder"],
  ])("refuses %j before anything runs", async (args, at, what) => {
    const { code, stdout, stderr } = await allstop(["run", "--cpus", "4", ...args]);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(`${at}: `);
    expect(stderr).toContain(what);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  it("says that there are no pictures of what makes no calls", async () => {
    const args = ["run", "--cpus", "4", "--policy", "ipi-benchmark", "--rounds", "1", "--out", join(folder, "no.svg")];
    const { code, stderr } = await allstop(args);
    expect(code).toBe(2);
    expect(stderr).toContain("no pictures");
  });
});

describe("compare --out", () => {
  it("writes a page", async () => {
    const out = join(folder, "compare.html");
    const args = ["compare", "--policies", "stop_machine,stop_core", "--cpus", "4,8", "--workers", "0", "--out", out];
    expect((await allstop(args)).code).toBe(0);
    const page = await readFile(out, "utf8");
    expect(page).toContain("stop_machine, stop_core by CPUs");
    expect(page).toContain("stop_core: what every CPU does");
  });

  it("refuses other files", async () => {
    const { code, stderr } = await allstop(["compare", "--cpus", "4", "--out", "compare.png"]);
    expect(code).toBe(2);
    expect(stderr).toContain(".svg or .html");
  });
});
