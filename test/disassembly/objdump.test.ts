// The text of instructions, against GNU objdump: every routine of every kernel, and the compiled examples.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseElf } from "../../src/asm/index.ts";
import {
  disassemble,
  imageOfElfFile,
  loadDecoder,
  routinesOf,
  type DecodedInstruction,
} from "../../src/entries/code.ts";
import { expandScenario, kernelFor } from "../../src/entries/machine.ts";
import { parseScenario, policies } from "../../src/index.ts";

const PROGRAMS = { "x86-64": "objdump", arm64: "aarch64-linux-gnu-objdump" } as const;
const OPTIONS = {
  "x86-64": ["-m", "i386:x86-64", "-M", "intel", "--insn-width=16"],
  arm64: ["-m", "aarch64"],
} as const;
type Architecture = keyof typeof PROGRAMS;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "allstop-objdump-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function has(program: string): boolean {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

interface Line {
  readonly address: number;
  readonly size: number;
  readonly mnemonic: string;
  readonly operands: string;
}

/** What objdump says of bytes at an address. */
function objdump(architecture: Architecture, bytes: Uint8Array, address: number): Line[] {
  const file = join(folder, "code.bin");
  writeFileSync(file, bytes);
  const options = ["-D", "-z", "-b", "binary", ...OPTIONS[architecture], `--adjust-vma=${address}`, file];
  const text = execFileSync(PROGRAMS[architecture], options, { encoding: "utf8", maxBuffer: 2 ** 28 });
  return text.split("\n").flatMap((line) => {
    const [, at = "", digits = "", rest = ""] =
      /^\s*([0-9a-f]+):\s+((?:[0-9a-f]{2} )+|[0-9a-f]{8})\s*(.*)$/.exec(line) ?? [];
    if (at === "") return [];
    const [, mnemonic = "", operands = ""] = /^(\S+)\s*(.*)$/.exec(withoutComment(rest)) ?? [];
    return [{ address: parseInt(at, 16), size: digits.replaceAll(" ", "").length / 2, mnemonic, operands }];
  });
}

function withoutComment(text: string): string {
  return text.replace(/\s+(\/\/|# ).*$/, "").trim();
}

/** What both print differently, and means the same. */
const SYNONYMS: readonly (readonly [RegExp, string])[] = [
  [/\bgs:\[(\d+)\]/, "gs:$1"],
  [/\brip\+-/, "rip-"],
  [/^(push|pop)f\b/, "$1fq"],
  [/\*1\b/, ""],
  [/\+0\]/, "]"],
  [/^b\.cc\b|\bcc$/, "lo"],
  [/^b\.cs\b|\bcs$/, "hs"],
  [/^b\.(?=lo|hs)/, ""],
];

/** Without what is a matter of taste: spaces, case, hexadecimal digits, # before immediates, symbols. */
function plain({ mnemonic, operands }: Pick<Line, "mnemonic" | "operands">): string {
  const text = `${mnemonic} ${operands}`
    .toLowerCase()
    .replaceAll(/ <[^>]*>/g, "")
    .replaceAll(/\s+/g, " ")
    .replaceAll(/\s*([+*\-,[\]])\s*/g, "$1")
    .replaceAll(/0x([0-9a-f]+)/g, (digits) => BigInt.asIntN(64, BigInt(digits)).toString())
    .replaceAll("#", "")
    // Of 32 bits.
    .replaceAll(/(?<!-)\b[2-4]\d{9}\b/g, (digits) => String(Number(digits) | 0))
    .trim();
  return SYNONYMS.reduce((before, [pattern, instead]) => before.replace(pattern, instead), text);
}

/** Routines that differ, of all kernels of an architecture. */
function routines(architecture: Architecture): { name: string; address: number; bytes: Uint8Array }[] {
  const found = new Map<string, { name: string; address: number; bytes: Uint8Array }>();
  for (const { name: policy, architectures } of policies) {
    if (!architectures.includes(architecture)) continue;
    const image = kernelFor(
      expandScenario(
        parseScenario({ format: "allstop.scenario/1", machine: { cpus: 4, architecture }, policy: { name: policy } }),
      ),
    );
    for (const { name, address, size } of routinesOf(image)) {
      const home = image.segments.find((one) => address >= one.address && address < one.address + one.bytes.length);
      const bytes = home!.bytes.subarray(address - home!.address, address - home!.address + size);
      found.set(`${name} ${Buffer.from(bytes).toString("hex")}`, { name, address, bytes });
    }
  }
  return [...found.values()];
}

/** Same boundaries, same text. */
function expectAgreement(ours: readonly DecodedInstruction[], theirs: readonly Line[]): void {
  expect(ours.map(({ address, bytes }) => [address, bytes.length].join(" "))).toEqual(
    theirs.map(({ address, size }) => [address, size].join(" ")),
  );
  const differences = ours.flatMap((one, index) => {
    const [mine, other] = [plain(one), plain(theirs[index] ?? one)];
    return mine === other ? [] : [`${mine} | ${other}`];
  });
  expect([...new Set(differences)]).toEqual([]);
}

describe.each<Architecture>(["x86-64", "arm64"])("%s", (architecture) => {
  it.skipIf(!has(PROGRAMS[architecture]))("code of every kernel reads as objdump reads it", async () => {
    const all = routines(architecture);
    expect(all.length).toBeGreaterThan(200);
    // Side by side, so that objdump is run once; the same wrong addresses for both.
    const bytes = Buffer.concat(all.map((one) => one.bytes));
    const ours = (await loadDecoder(architecture)).decode(bytes, 0x4000_0000);
    expectAgreement(ours, objdump(architecture, bytes, 0x4000_0000));
  });
});

describe.skipIf(!has(PROGRAMS.arm64))("compiled examples", () => {
  const examples = new URL("../../examples/bare-metal/", import.meta.url);
  it.each(readdirSync(examples).filter((name) => name.endsWith(".elf")))("%s", async (name) => {
    const image = imageOfElfFile(parseElf(readFileSync(new URL(name, examples))));
    const { routines: listed } = await disassemble(image);
    expect(listed.map((one) => one.name)).toContain("main");
    for (const { address, instructions } of listed) {
      const bytes = Buffer.concat(instructions.map((one) => one.bytes));
      if (bytes.length > 0 && listed.length < 200) expectAgreement(instructions, objdump("arm64", bytes, address));
    }
  });
});
