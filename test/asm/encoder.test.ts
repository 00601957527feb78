// The encoders against GNU as: bytes recorded once, compared always; and fresh random cases where as is installed.

import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Arm64Assembler, X64Assembler } from "../../src/asm/index.ts";
import { bitmaskImmediate, constantSteps } from "../../src/asm/arm64/immediates.ts";
import { arm64Forms } from "./forms/arm64.ts";
import { x64Forms } from "./forms/x64.ts";
import type { Form, NamedCase } from "./support/form.ts";
import { makeCases } from "./support/form.ts";
import type { AsArchitecture } from "./support/gnu-as.ts";
import { assembleAll } from "./support/gnu-as.ts";
import { Random } from "./support/random.ts";
import { formatRecorded, readRecorded, RECORDED_CASES, RECORDED_SEED, recordedFile } from "./support/recorded.ts";
import { hasAll, needing } from "./support/tools.ts";

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** RECORD=1 takes the bytes of the installed GNU as for the committed reference. */
function record<A>(architecture: AsArchitecture, forms: readonly Form<A>[], tool: "as" | "aarch64-linux-gnu-as"): void {
  if (!hasAll(tool)) {
    console.warn(`${tool} is not installed: the recorded bytes for ${architecture} stay as they are`);
    return;
  }
  const texts = makeCases(forms, new Random(RECORDED_SEED), RECORDED_CASES).map(({ text }) => text);
  writeFileSync(recordedFile(architecture), formatRecorded(texts, assembleAll(architecture, texts).map(hex)));
}

if (process.env.RECORD !== undefined) {
  record("x86-64", x64Forms, "as");
  record("arm64", arm64Forms, "aarch64-linux-gnu-as");
}

interface Finishing {
  finish(): { bytes: Uint8Array };
}

/** Lines "form | text | bytes" of the cases that differ. */
function differences<A extends Finishing>(
  cases: readonly NamedCase<A>[],
  expected: readonly string[],
  make: () => A,
): string[] {
  return cases.flatMap(({ form, text, emit }, i) => {
    const assembler = make();
    emit(assembler);
    const own = hex(assembler.finish().bytes);
    return own === expected[i] ? [] : [`${form} | ${text} | own ${own}, as ${expected[i]}`];
  });
}

function encoderTests<A extends Finishing>(
  title: string,
  architecture: AsArchitecture,
  forms: readonly Form<A>[],
  make: () => A,
  tools: readonly ("as" | "aarch64-linux-gnu-as")[],
): void {
  describe(title, () => {
    it(`gives the recorded bytes of GNU as for ${RECORDED_CASES} cases`, () => {
      const cases = makeCases(forms, new Random(RECORDED_SEED), RECORDED_CASES);
      const recorded = readRecorded(architecture, readFileSync);
      expect(recorded.texts, "the forms changed: record anew").toBe(recorded.digestOf(cases.map(({ text }) => text)));
      expect(differences(cases, recorded.bytes, make)).toEqual([]);
    });

    it.skipIf(!hasAll(...tools))(needing("agrees with the installed GNU as on fresh cases", ...tools), () => {
      const seed = Number(process.env["ALLSTOP_ASM_SEED"] ?? 7);
      const cases = makeCases(forms, new Random(seed), Number(process.env["ALLSTOP_ASM_CASES"] ?? 5000));
      const expected = assembleAll(
        architecture,
        cases.map(({ text }) => text),
      ).map(hex);
      expect(differences(cases, expected, make)).toEqual([]);
    });
  });
}

encoderTests("x86-64 encoder", "x86-64", x64Forms, () => new X64Assembler(), ["as"]);
encoderTests("AArch64 encoder", "arm64", arm64Forms, () => new Arm64Assembler(), ["aarch64-linux-gnu-as"]);

describe("A64 immediates", () => {
  /** DecodeBitMasks of the Arm ARM, the other way round. */
  function decode({ n, immr, imms }: { n: number; immr: number; imms: number }): bigint {
    const length = 31 - Math.clz32((n << 6) | (~imms & 0x3f));
    const size = 1 << length;
    const ones = (imms & (size - 1)) + 1;
    const rotation = immr & (size - 1);
    const run = (1n << BigInt(ones)) - 1n;
    const element = BigInt.asUintN(size, (run >> BigInt(rotation)) | (run << BigInt(size - rotation)));
    let value = 0n;
    for (let at = 0; at < 64; at += size) value |= element << BigInt(at);
    return value;
  }

  it("finds all 5,334 bitmask values of 64 bits", () => {
    const values = new Set<bigint>();
    for (let size = 2; size <= 64; size *= 2) {
      for (let ones = 1; ones < size; ones++) {
        for (let rotation = 0; rotation < size; rotation++) {
          const imms = ((~(size - 1) << 1) & 0x3f) | (ones - 1);
          values.add(decode({ n: size === 64 ? 1 : 0, immr: rotation, imms }));
        }
      }
    }
    expect(values.size).toBe(5334);
    for (const value of values) {
      const fields = bitmaskImmediate(value, 64);
      expect(fields === undefined ? undefined : decode(fields)).toBe(value);
    }
  });

  it("claims no value that decodes to another", () => {
    const random = new Random(3);
    for (let i = 0; i < 20_000; i++) {
      // Few set bits, so that real bitmasks occur among them.
      const value = random.bits64() & random.bits64() & random.bits64();
      for (const width of [32, 64] as const) {
        const fields = bitmaskImmediate(value, width);
        if (fields === undefined) continue;
        expect(BigInt.asUintN(width, decode(fields))).toBe(BigInt.asUintN(width, value));
      }
    }
  });

  it("excludes zero and all ones", () => {
    for (const width of [32, 64] as const) {
      expect(bitmaskImmediate(0n, width)).toBeUndefined();
      expect(bitmaskImmediate((1n << BigInt(width)) - 1n, width)).toBeUndefined();
    }
  });

  it("builds every constant from its steps", () => {
    const random = new Random(4);
    const edges = [
      0n,
      1n,
      0xffffn,
      0x10000n,
      0xffff_0000n,
      0xffff_ffffn,
      0xffff_ffff_ffff_ffffn,
      0x8000_0000_0000_0000n,
      0x5555_5555_5555_5555n,
    ];
    for (let i = 0; i < 2000; i++) {
      const value = edges[i] ?? random.bits64() >> BigInt(random.below(64));
      for (const width of [32, 64] as const) {
        let built = 0n;
        const steps = constantSteps(value, width);
        for (const step of steps) {
          if (step.kind === "orr") {
            built = step.value;
            continue;
          }
          const field = BigInt(step.halfword) << BigInt(step.shift);
          if (step.kind === "movz") built = field;
          else if (step.kind === "movn") built = BigInt.asUintN(width, ~field);
          else built = (built & ~(0xffffn << BigInt(step.shift))) | field;
        }
        expect(built).toBe(BigInt.asUintN(width, value));
        expect(steps.length).toBeLessThanOrEqual(width / 16);
      }
    }
  });
});
