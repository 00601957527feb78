// Assembly text against GNU as: recorded bytes always, the installed one where there is one; and what objdump reads, read back.

import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Arm64Assembler, assembleText, X64Assembler } from "../../../src/asm/index.ts";
import type { Architecture } from "../../../src/asm/index.ts";
import {
  OTHER_SYSTEM_INSTRUCTIONS,
  OTHER_SYSTEM_REGISTERS,
  takesRegister,
} from "../../../src/asm/arm64/system-register-names.ts";
import { ARM64_TABLE } from "../../../src/asm/text/arm64/dialect.ts";
import { X64_TABLE } from "../../../src/asm/text/x64/dialect.ts";
import { encodingClasses, sampleClass } from "../../instructions/arm64/encoding-classes.ts";
import { arm64Forms } from "../forms/arm64.ts";
import { x64Forms } from "../forms/x64.ts";
import { disassembleAtt } from "../support/disassemble.ts";
import type { DisassembledInstruction } from "../support/disassemble.ts";
import { makeCases } from "../support/form.ts";
import { canLink, LINKED_ALIGNMENT, LINKED_BASE, linkAll } from "../support/gnu-as.ts";
import { Random } from "../support/random.ts";
import { digestOf, formatRecorded } from "../support/recorded.ts";
import { hasAll, needing } from "../support/tools.ts";
import { ARM64_CASES } from "./arm64-cases.ts";
import { X64_CASES } from "./x64-cases.ts";

const CASES: Readonly<Record<Architecture, readonly string[]>> = { "x86-64": X64_CASES, arm64: ARM64_CASES };
const TABLES = { "x86-64": X64_TABLE, arm64: ARM64_TABLE };
/** Newer than the GNU as that Debian 12 has; their bytes are in another test. */
const NEW = new Set(["erets", "eretu"]);
const ROUND_TRIPS = Number(process.env["ALLSTOP_ASM_CASES"] ?? 3000);

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The bytes of a text, or why it is refused. */
function assembled(architecture: Architecture, text: string, base: number): string {
  try {
    return hex(assembleText(text, { architecture, base }).bytes);
  } catch (error) {
    return String(error);
  }
}

/** Lines "text | own | as" of the cases that differ; each starts behind the one before. */
function differences(architecture: Architecture, texts: readonly string[], expected: readonly string[]): string[] {
  let base = LINKED_BASE;
  return texts.flatMap((text, i) => {
    const wanted = expected[i] ?? "";
    const own = assembled(architecture, text, base);
    base += Math.ceil(wanted.length / 2 / LINKED_ALIGNMENT) * LINKED_ALIGNMENT;
    return own === wanted ? [] : [`${text} | own ${own} | as ${wanted}`];
  });
}

function recordedFile(architecture: Architecture): URL {
  return new URL(`../recorded/text-${architecture}.txt`, import.meta.url);
}

describe.for(["x86-64", "arm64"] as const)("%s text", (architecture) => {
  const cases = CASES[architecture];

  it("gives the recorded bytes of GNU as", () => {
    if (process.env.RECORD !== undefined && canLink(architecture))
      writeFileSync(recordedFile(architecture), formatRecorded(cases, linkAll(architecture, cases).map(hex)));
    const [digest, ...lines] = readFileSync(recordedFile(architecture), "utf8").trim().split("\n");
    expect(digest, "the cases changed: record anew with RECORD=1").toBe(digestOf(cases));
    expect(
      differences(
        architecture,
        cases,
        lines.flatMap((line) => line.split(" ")),
      ),
    ).toEqual([]);
  });

  it("has every mnemonic among these cases", () => {
    const words = new Set(cases.flatMap((text) => text.toLowerCase().split(/[^\w.]+/)));
    const isThere = (name: string): boolean => ["", "b"].some((suffix) => words.has(`${name}${suffix}`));
    expect([...TABLES[architecture].keys()].filter((name) => !isThere(name) && !NEW.has(name))).toEqual([]);
  });
});

describe("what objdump reads of the encoders' bytes, read back", () => {
  it.skipIf(!hasAll("objdump"))(needing("x86-64", "objdump"), () => {
    const code = makeCases(x64Forms, new Random(5), ROUND_TRIPS).map(({ emit }) => {
      const a = new X64Assembler();
      emit(a);
      return a.finish().bytes;
    });
    expect(notReadBack("x86-64", Buffer.concat(code))).toEqual([]);
  });

  const objdump = "aarch64-linux-gnu-objdump";

  it.skipIf(!hasAll(objdump))(needing("arm64", objdump), () => {
    const code = makeCases(arm64Forms, new Random(5), ROUND_TRIPS).map(({ emit }) => {
      const a = new Arm64Assembler();
      emit(a);
      return a.finish().bytes;
    });
    expect(notReadBack("arm64", Buffer.concat(code))).toEqual([]);
  });

  it.skipIf(!hasAll(objdump))(needing("arm64, random words of every encoding class", objdump), () => {
    const words = Object.keys(encodingClasses).flatMap((name) => [...sampleClass(name, 60)]);
    const wanted = known(disassembleAtt("arm64", new Uint8Array(Uint32Array.from(words).buffer), FAR));
    const own = wanted.map(({ text, at }) => assembled("arm64", text, at));
    expect(
      wanted.filter((_, i) => !/^[0-9a-f]{8}$/.test(own[i] ?? "")).map(({ text }, i) => `${text} | ${own[i]}`),
    ).toEqual([]);
    // Bits that mean nothing may differ, so what they mean is compared, each word where it was.
    const code = new Uint8Array(4 * words.length);
    wanted.forEach(({ at }, i) => {
      code.set(Buffer.from(own[i] ?? "", "hex"), at - FAR);
    });
    const read = disassembleAtt("arm64", code, FAR);
    expect(wanted.map(({ at }) => read[(at - FAR) / 4]?.text)).toEqual(wanted.map(({ text }) => text));
  });
});

/** Registers of trace and branch-record units, activity monitors and protection units, which have no name here. */
const NAMELESS = /\b(trc|brb|amev|prbar|prlar|prenr|prselr|csr[cpi]|tee[ch])\w*/;
/** Vector and floating-point registers. */
const VECTORS = /\b[vqdshbzp]\d+\b/;

/** Store-exclusives whose status register is among the others (Arm ARM, STXR). */
function isUnpredictable(text: string): boolean {
  const numbers = text.startsWith("st") && /^stl?x/.test(text) ? (text.match(/(?<=[wx])(\d+|zr)/g) ?? []) : [];
  return numbers.slice(1).includes(numbers[0] ?? "");
}
/** System registers of op0 0 and 1, which MSR and MRS have no bits for. */
const NO_REGISTER = /\bs[01]_/;
/** So far from zero that no address wraps. */
const FAR = 2 ** 40;

interface Placed extends DisassembledInstruction {
  readonly at: number;
}

/** A64 instructions that the text front end has, with their addresses. */
function known(instructions: readonly DisassembledInstruction[]): Placed[] {
  return instructions
    .map((instruction, i) => ({ ...instruction, at: FAR + 4 * i }))
    .filter(({ text }) => ARM64_TABLE.has(text.split(" ")[0] ?? ""))
    .filter(({ text }) => !NAMELESS.test(text) && !VECTORS.test(text) && !NO_REGISTER.test(text))
    .filter(({ text }) => !isUnpredictable(text));
}

/** Lines "text | bytes | own bytes" of what differs. */
function notReadBack(architecture: Architecture, code: Uint8Array): string[] {
  let at = FAR;
  return disassembleAtt(architecture, code, FAR).flatMap(({ bytes, text }) => {
    const place = at;
    at += bytes.length;
    if (NAMELESS.test(text)) return [];
    const own = assembled(architecture, text, place);
    return own === hex(bytes) ? [] : [`${text} | ${hex(bytes)} | own ${own}`];
  });
}

it("encodes the returns of FRED as its specification says (section 6)", () => {
  expect(assembled("x86-64", "erets; eretu", 0)).toBe("f20f01caf30f01ca");
});

it("encodes far branches through m16:64 with REX.W, which this GNU as can't write (SDM volume 2A, CALL and JMP)", () => {
  expect(assembled("x86-64", "ljmpq *(%rdi); lcallq *(%rax)", 0)).toBe("48ff2f48ff18");
});

describe("names of system registers and instructions", () => {
  it.skipIf(!canLink("arm64"))(needing("are those of GNU as", "aarch64-linux-gnu-as", "aarch64-linux-gnu-ld"), () => {
    // Newer than the GNU as that Debian 12 has.
    const tooNew = new Set(["id_aa64isar3_el1", "id_aa64mmfr3_el1", "id_aa64mmfr4_el1", "id_aa64pfr2_el1"]);
    const texts = [
      ...OTHER_SYSTEM_REGISTERS.filter((name) => !tooNew.has(name)).map((name) => `mrs x1, ${name}`),
      ...OTHER_SYSTEM_INSTRUCTIONS.map((name) => (takesRegister(name) ? `${name}, x1` : name)),
    ];
    expect(differences("arm64", texts, linkAll("arm64", texts).map(hex))).toEqual([]);
  });
});
