// GNU objdump: what it makes of x86-64 code.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FILLER } from "./decoder.ts";
import type { Encodings } from "./encodings.ts";

const MOST_BYTES = 2 ** 28;

/** First line of `objdump --version`, or undefined when it is not there or knows nothing of x86. */
export function objdumpVersion(): string | undefined {
  const { stdout, error } = spawnSync("objdump", ["--version"], { encoding: "utf8" });
  if (error !== undefined) return undefined;
  const { stdout: info } = spawnSync("objdump", ["--info"], { encoding: "utf8" });
  return info.includes("elf64-x86-64") ? stdout.split("\n")[0] : undefined;
}

export interface Line {
  readonly address: number;
  readonly length: number;
  readonly text: string;
}

/** The instructions that objdump finds in some bytes. */
export function disassemble(bytes: Uint8Array, address = 0): Line[] {
  const folder = mkdtempSync(join(tmpdir(), "x64-"));
  try {
    const file = join(folder, "code");
    writeFileSync(file, bytes);
    const text = execFileSync(
      "objdump",
      ["-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel,intel64", "-w", `--adjust-vma=${address}`, file],
      { encoding: "utf8", maxBuffer: MOST_BYTES },
    );
    return text.split("\n").flatMap((line) => {
      const [, at = "", hex = "", instruction = ""] = /^\s*([\da-f]+):\t([\da-f ]+?)\s*(?:\t(.*))?$/.exec(line) ?? [];
      return at === "" ? [] : [{ address: parseInt(at, 16), length: hex.split(" ").length, text: instruction.trim() }];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Room for an encoding and whatever objdump makes of its bytes when it is none; NOPs lead to the next. */
const SLOT_BYTES = 32;

export interface Reference {
  /** Without prefixes; "(bad)" for what is none. */
  readonly mnemonic: string;
  readonly length: number;
}

/** What objdump makes of each encoding by itself. */
export function disassembleEach(encodings: Encodings): Reference[] {
  const image = new Uint8Array(encodings.length * SLOT_BYTES).fill(FILLER);
  for (const [index, encoding] of encodings.entries()) image.set(encoding, index * SLOT_BYTES);
  const lines = new Map(disassemble(image).map((line) => [line.address, line]));
  return encodings.map((_, index) => {
    const line = lines.get(index * SLOT_BYTES);
    if (line === undefined) throw new Error(`objdump has lost its way before encoding ${index}`);
    // A REX prefix that counts for nothing gets a line of its own.
    const isVain = /^rex(\.[WRXB]+)?$/.test(line.text);
    const next = isVain ? lines.get(line.address + 1) : undefined;
    return { mnemonic: mnemonicOf((next ?? line).text), length: (next?.length ?? 0) + line.length };
  });
}

const prefixNames =
  /^(rep|repz|repnz|lock|data16|addr32|notrack|bnd|xacquire|xrelease|rex(\.[WRXB]+)?|[cdefgs]s|\{vex3?\}) +/;

function mnemonicOf(text: string): string {
  if (text.includes("(bad)")) return "(bad)";
  let rest = text;
  while (prefixNames.test(rest)) rest = rest.replace(prefixNames, "");
  return rest.split(/[ ,]/)[0] ?? "";
}
