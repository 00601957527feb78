// docs/stepping.md: every command is run as it is printed, and prints what is printed there, whatever addresses and cycles are.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(new URL("../../docs/stepping.md", import.meta.url), "utf8");
const examples = [...page.matchAll(/```sh\n([^]*?)```\n\n```text\n([^]*?)```/g)].map(
  ([, command = "", output = ""]) => [command, output] as const,
);

/** Numbers change with the kernel's code and the timing model; what they are of doesn't. */
function shape(text: string): string[] {
  return text
    .replaceAll(/\b(0x)?[0-9a-f]*\d[0-9a-f,.]*\b/g, "#")
    .split("\n")
    .map((line) => line.replaceAll(/\s+/g, " ").trim());
}

describe.concurrent("docs/stepping.md", () => {
  it("has examples", () => expect(examples.length).toBe(5));

  it.each(examples)("%s", async (command, output) => {
    const script = `allstop() { "${process.execPath}" dist/cli/main.js "$@"; }\n${command}`;
    const { stdout, stderr } = await promisify(execFile)("bash", ["-c", script], {
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: "1" },
    });
    expect(stderr).toBe("");
    expect(shape(stdout)).toEqual(shape(output));
  });
});
