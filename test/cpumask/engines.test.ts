// The law of the two engines: the vector code of the core and plain TypeScript leave the same bits and give the same
// results, whatever the order of operations, whatever stands behind the width.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Core } from "../../src/core/core.ts";
import type { MaskOperations } from "../../src/core/mask-operations.ts";
import { PlainEngine } from "../../src/cpumask/plain-engine.ts";
import type { MaskEngine } from "../../src/cpumask/memory.ts";
import { checkedCore } from "../support/bare-machine.ts";
import { runsFor, widths } from "./support.ts";

const MASKS = 3;
const AREA_BYTES = 65_536 / 8 + 64;

/** What each argument of an operation is: a mask, the width, a position below or up to the width, a count. */
type Argument = "mask" | "bits" | "below" | "upTo" | "rest";

const operations: Record<Exclude<keyof MaskOperations, "maskCollect" | "maskSetRegion">, readonly Argument[]> = {
  maskZero: ["mask", "bits"],
  maskFill: ["mask", "bits"],
  maskCopy: ["mask", "mask", "bits"],
  maskSetRange: ["mask", "below", "rest"],
  maskClearRange: ["mask", "below", "rest"],
  maskAnd: ["mask", "mask", "mask", "bits"],
  maskAndNot: ["mask", "mask", "mask", "bits"],
  maskOr: ["mask", "mask", "mask", "bits"],
  maskXor: ["mask", "mask", "mask", "bits"],
  maskComplement: ["mask", "mask", "bits"],
  maskShiftLeft: ["mask", "mask", "upTo", "bits"],
  maskShiftRight: ["mask", "mask", "upTo", "bits"],
  maskEqual: ["mask", "mask", "bits"],
  maskOrEqual: ["mask", "mask", "mask", "bits"],
  maskIntersects: ["mask", "mask", "bits"],
  maskSubset: ["mask", "mask", "bits"],
  maskFull: ["mask", "bits"],
  maskWeight: ["mask", "bits"],
  maskWeightFrom: ["mask", "bits", "upTo"],
  maskWeightAnd: ["mask", "mask", "bits"],
  maskWeightAndNot: ["mask", "mask", "bits"],
  maskNext: ["mask", "bits", "upTo"],
  maskNextZero: ["mask", "bits", "upTo"],
  maskNextAnd: ["mask", "mask", "bits", "upTo"],
  maskNextAndNot: ["mask", "mask", "bits", "upTo"],
  maskNextOr: ["mask", "mask", "bits", "upTo"],
  maskNextAndAnd: ["mask", "mask", "mask", "bits", "upTo"],
  maskLast: ["mask", "bits"],
  maskNth: ["mask", "bits", "upTo"],
  maskNthAnd: ["mask", "mask", "bits", "upTo"],
  maskNthAndNot: ["mask", "mask", "bits", "upTo"],
  maskNthAndAndNot: ["mask", "mask", "mask", "bits", "upTo"],
};
const names = Object.keys(operations) as (keyof typeof operations)[];

interface Side {
  readonly engine: MaskEngine;
  readonly masks: readonly number[];
}

function sideOf(engine: MaskEngine): Side {
  return { engine, masks: Array.from({ length: MASKS }, () => engine.allocate(AREA_BYTES)) };
}

function bytesOf({ engine, masks }: Side, mask: number, bits: number): Uint8Array {
  return new Uint8Array(engine.buffer, masks[mask], Math.ceil(bits / 64) * 8 + 16);
}

/** The members of a mask below a width, as bytes in hexadecimal. */
function maskText(side: Side, mask: number, bits: number): string {
  const bytes = bytesOf(side, mask, bits).slice(0, Math.ceil(bits / 8));
  if ((bits & 7) !== 0) bytes[bytes.length - 1]! &= (1 << (bits & 7)) - 1;
  return Buffer.from(bytes).toString("hex");
}

interface Step {
  readonly name: keyof typeof operations;
  readonly masks: readonly number[];
  readonly position: number;
  readonly length: number;
}

function call({ engine, masks }: Side, bits: number, { name, masks: chosen, position, length }: Step): number {
  let used = 0;
  const below = position % bits;
  const values = operations[name].map((argument) => {
    if (argument === "mask") return masks[chosen[used++] ?? 0] ?? 0;
    if (argument === "bits") return bits;
    if (argument === "below") return below;
    return argument === "upTo" ? position : length % (bits - below + 1);
  });
  const operation: (...values: number[]) => number | void = engine.masks[name];
  return operation(...values) ?? 0;
}

const sides = [sideOf(new Core(checkedCore)), sideOf(new PlainEngine())] as const;

/** A few bytes over and over, at times sparse; the same for both sides, dirty behind the width when asked. */
function fill(bits: number, pattern: readonly number[], dirty: boolean): void {
  for (const side of sides) {
    for (let mask = 0; mask < MASKS; mask++) {
      const bytes = bytesOf(side, mask, bits);
      bytes.forEach((_, index) => (bytes[index] = pattern[(index * (mask + 1)) % pattern.length] ?? 0));
      if (!dirty) side.engine.masks.maskAnd(side.masks[mask]!, side.masks[mask]!, side.masks[mask]!, bits);
    }
  }
}

function expectSameBits(bits: number): void {
  for (let mask = 0; mask < MASKS; mask++) {
    const [simd, plain] = sides.map((side) => Buffer.from(bytesOf(side, mask, bits)).toString("hex"));
    expect(simd).toBe(plain);
  }
}

describe("both engines", () => {
  it.each(widths)("agree on masks of %d bits", (bits) => {
    const step: fc.Arbitrary<Step> = fc.record({
      name: fc.constantFrom(...names),
      masks: fc.array(fc.nat(MASKS - 1), { minLength: 3, maxLength: 3 }),
      position: fc.nat(bits + 70),
      length: fc.nat(bits),
    });
    const pattern = fc.oneof(
      fc.array(fc.nat(255), { minLength: 1, maxLength: 40 }),
      fc
        .tuple(fc.nat(255), fc.nat(Math.ceil(bits / 8)))
        .map(([byte, zeros]) => [...new Array<number>(zeros).fill(0), byte]),
    );
    const few = Math.ceil(runsFor(bits) / 2);
    fc.assert(
      fc.property(pattern, fc.array(step, { minLength: 1, maxLength: 30 }), (bytes, steps) => {
        fill(bits, bytes, false);
        for (const one of steps) {
          const [simd, plain] = sides.map((side) => call(side, bits, one));
          expect([one.name, simd]).toEqual([one.name, plain]);
          expectSameBits(bits);
        }
      }),
      { numRuns: few },
    );
  });

  it.each(widths)("ignore what stands behind %d bits", (bits) => {
    const untouched = new Set(["maskCopy", "maskSetRange", "maskClearRange"]);
    const positions = [1, 63, bits >>> 1];
    for (const name of names.filter((candidate) => !untouched.has(candidate))) {
      for (const position of positions) {
        const results = [true, false].map((dirty) => {
          fill(bits, [0xff, 0x5a, 0xff, 0x00, 0xa7], dirty);
          return sides.map((side) => {
            const result = call(side, bits, { name, masks: [0, 1, 2], position, length: 0 });
            return [result, maskText(side, 0, bits)];
          });
        });
        expect([name, position, ...(results[0] ?? [])]).toEqual([name, position, ...(results[1] ?? [])]);
      }
    }
  });

  it.each(widths)("collect the members of %d bits in pieces, whatever stands behind", (bits) => {
    fill(bits, [0xff, 0x5a, 0xff, 0x00, 0xa7], true);
    for (const side of sides) {
      const { engine, masks } = side;
      const bytes = bytesOf(side, 0, bits);
      const members = Array.from({ length: bits }, (_, bit) => bit).filter(
        (bit) => ((bytes[bit >>> 3] ?? 0) >>> (bit & 7)) & 1,
      );
      const numbers = engine.allocate(4 * (bits + 64));
      for (const most of [1, 7, bits + 64]) {
        const collected: number[] = [];
        for (let from = 0, count = most; count === most; from = (collected.at(-1) ?? 0) + 1) {
          count = engine.masks.maskCollect(masks[0]!, bits, from, numbers, most);
          collected.push(...new Uint32Array(engine.buffer, numbers, count));
        }
        expect(collected).toEqual(members);
      }
    }
  });

  it.each([
    [0, 100, 3, 7],
    [5, 5, 0, 1],
    [3, 5, 1, 0xffff_ffff],
    [3, 5, 0xffff_ffff, 0xffff_ffff],
    [70, 127, 64, 64],
  ])("set the region %d-%d:%d/%d alike", (start, end, used, group) => {
    fill(128, [0], false);
    for (const { engine, masks } of sides) engine.masks.maskSetRegion(masks[0]!, start, end, used, group);
    expectSameBits(128);
  });
});
