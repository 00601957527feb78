// Instruction texts of raw bytes by objdump, for golden listings and instruction counts.

import { writeFileSync } from "node:fs";
import type { Architecture } from "../../../src/asm/index.ts";
import type { Tool } from "./tools.ts";
import { run, withFolder } from "./tools.ts";

export interface DisassembledInstruction {
  readonly bytes: Uint8Array;
  readonly text: string;
}

export const OBJDUMP: Readonly<Record<Architecture, Tool>> = {
  "x86-64": "objdump",
  arm64: "aarch64-linux-gnu-objdump",
};

export function disassemble(architecture: Architecture, bytes: Uint8Array, address: number): DisassembledInstruction[] {
  const flags = architecture === "x86-64" ? ["-M", "intel"] : [];
  return disassembleAs(architecture, flags, bytes, address).map(({ bytes: own, text }) => ({
    bytes: own,
    text: text.replace(/ (\/\/|#).*$/, ""),
  }));
}

/** x86-64 in AT&T's syntax, with the comments. */
export function disassembleAtt(
  architecture: Architecture,
  bytes: Uint8Array,
  address: number,
): DisassembledInstruction[] {
  return disassembleAs(architecture, [], bytes, address);
}

function disassembleAs(
  architecture: Architecture,
  flags: readonly string[],
  bytes: Uint8Array,
  address: number,
): DisassembledInstruction[] {
  return withFolder((path) => {
    const file = path("code.bin");
    writeFileSync(file, bytes);
    const machine = architecture === "x86-64" ? ["-m", "i386:x86-64", ...flags] : ["-m", "aarch64"];
    const { stdout, stderr, status } = run(
      OBJDUMP[architecture],
      "-D",
      "-z",
      "-w",
      "-b",
      "binary",
      ...machine,
      `--adjust-vma=${address}`,
      file,
    );
    if (status !== 0) throw new Error(stderr);
    return stdout
      .toString()
      .split("\n")
      .flatMap((line) => {
        const match = /^\s*[0-9a-f]+:\t([0-9a-f ]+?)\s*\t(.*)$/.exec(line);
        if (match?.[1] === undefined || match[2] === undefined) return [];
        const own = Buffer.from(match[1].replaceAll(" ", ""), "hex");
        // AArch64 prints whole words, most significant byte first.
        return [
          {
            bytes: architecture === "arm64" ? own.reverse() : own,
            text: match[2].replace(/\s+/g, " ").trim(),
          },
        ];
      });
  });
}
