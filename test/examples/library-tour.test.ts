// docs/library.md: each program is run, in an empty folder, and prints what is shown behind it; a line "…" stands for any.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const LONGEST_MS = 120_000;

/** Programs in the README that only need the package, too. */
const documents = ["docs/library.md", "docs/sweep.md", "README.md"];

interface Program {
  readonly title: string;
  readonly source: string;
  readonly output: string | undefined;
}

async function programsOf(document: string): Promise<Program[]> {
  const text = await readFile(join(root, document), "utf8");
  const fences = /```js\n([\s\S]*?)```\n(?:\n```\n([\s\S]*?)```\n)?/g;
  return [...text.matchAll(fences)].map(([, source = "", output], index) => ({
    title: `${document}, program ${index + 1}`,
    source,
    output,
  }));
}

const programs = (await Promise.all(documents.map(programsOf))).flat();

// Inside the package, so that its own name is found; run elsewhere, since programs write files.
const sources = join(root, "build", "tour");
let folder = "";
beforeAll(async () => {
  await mkdir(sources, { recursive: true });
  folder = await mkdtemp(join(tmpdir(), "allstop-tour-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await rm(sources, { recursive: true });
});

function asPattern(output: string): RegExp {
  const lines = output
    .split("\n")
    .map((line) => (line === "…" ? "[^]*?" : line.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  return new RegExp(`^${lines.join("\n")}$`);
}

describe("the tour", () => {
  it("has programs, most of which print something", () => {
    expect(programs.length).toBeGreaterThan(10);
    expect(programs.filter(({ output }) => output !== undefined).length).toBeGreaterThan(8);
  });

  it.each(programs.map((program, index) => ({ ...program, index })))(
    "$title",
    async ({ source, output, index }) => {
      const file = join(sources, `program-${index}.mjs`);
      await writeFile(file, source);
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], {
        cwd: folder,
        timeout: LONGEST_MS,
      });
      expect(stderr).toBe("");
      if (output !== undefined && !output.includes("…")) expect(stdout).toBe(output);
      else if (output !== undefined) expect(stdout).toMatch(asPattern(output));
    },
    LONGEST_MS,
  );
});
