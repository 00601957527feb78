// What objdump calls A64 words.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const COMMAND = "aarch64-linux-gnu-objdump";

export function objdumpVersion(): string | undefined {
  const { stdout, error } = spawnSync(COMMAND, ["--version"], { encoding: "utf8" });
  return error === undefined ? stdout.split("\n")[0] : undefined;
}

/** Disassembled lines, each with its mnemonic and operands, or undefined when objdump is not there. */
export function disassembleLines(words: Uint32Array, options: readonly string[] = []): string[] | undefined {
  const folder = mkdtempSync(join(tmpdir(), "a64-"));
  try {
    const file = join(folder, "words");
    writeFileSync(file, words);
    const { stdout, error } = spawnSync(COMMAND, ["-D", "-z", "-b", "binary", "-m", "aarch64", ...options, file], {
      encoding: "utf8",
      maxBuffer: 2 ** 30,
    });
    if (error !== undefined) return undefined;
    return stdout
      .split("\n")
      .filter((line) => /^\s*[\da-f]+:\t/.test(line))
      .map((line) => line.split("\t").slice(2).join(" "));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The mnemonic of each word, aliases aside; "undefined" where there is none. */
export function disassemble(words: Uint32Array): string[] {
  const lines = disassembleLines(words, ["-M", "no-aliases"]);
  if (lines?.length !== words.length) throw new Error(`${lines?.length} lines for ${words.length} words`);
  return lines.map((line) => {
    const mnemonic = line.split(" ")[0] ?? "";
    // Register names with op0 = 0 stand for unallocated instructions.
    return /undefined|^udf|^\.inst|^m(rs|sr) .*\bs0_/.test(line) ? "undefined" : mnemonic;
  });
}
