// Partitions of a span: nothing is lost, nothing is counted twice, whatever is laid over what.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { causes, clip, layOver, Span, sumParts, type Cause, type Stretch } from "../../src/measure/partition.ts";

const LINE = 64;
const anyCause = fc.constantFrom(...(Object.keys(causes) as Cause[]));

const anySpan = fc
  .record({
    from: fc.nat(1000),
    length: fc.nat(1000),
    steps: fc.array(fc.tuple(anyCause, fc.oneof(fc.nat(2500), fc.constant(NaN), fc.constant(Infinity))), {
      maxLength: 8,
    }),
  })
  .map(({ from, length, steps }) => {
    const span = new Span(from, from + length);
    for (const [cause, until] of steps) span.goOn(cause, until);
    span.goOn("kernel", Infinity);
    return { from, until: from + length, stretches: span.stretches };
  });

const anyAbove = fc
  .array(fc.tuple(fc.nat(2500), fc.nat(300), fc.nat(500)), { maxLength: 12 })
  .map((all): Stretch[] =>
    all
      .sort(([one], [other]) => one - other)
      .map(([from, length, address]) => ({ cause: "line", from, until: from + length, address })),
  );

/** Cause of every single cycle. */
function cycles(stretches: readonly Stretch[]): Map<number, Cause> {
  const each = new Map<number, Cause>();
  for (const { cause, from, until } of stretches) {
    for (let cycle = from; cycle < until; cycle++) {
      expect(each.has(cycle)).toBe(false);
      each.set(cycle, cause);
    }
  }
  return each;
}

describe("a partition", () => {
  it("covers its span, and each cycle once", () => {
    fc.assert(
      fc.property(anySpan, ({ from, until, stretches }) => {
        const each = cycles(stretches);
        expect(each.size).toBe(until - from);
        for (const cycle of each.keys()) expect(cycle >= from && cycle < until).toBe(true);
      }),
    );
  });

  it("has what is laid over it wherever both meet, and else what it had", () => {
    fc.assert(
      fc.property(anySpan, anyAbove, fc.uniqueArray(anyCause), ({ stretches }, above, over) => {
        const below = cycles(stretches);
        const together = cycles(layOver(stretches, above, new Set(over)));
        expect(together.size).toBe(below.size);
        for (const [cycle, cause] of below) {
          const isCovered = above.some(({ from, until }) => cycle >= from && cycle < until);
          expect(together.get(cycle)).toBe(isCovered && over.includes(cause) ? "line" : cause);
        }
      }),
    );
  });

  it("sums to its length by cause and line, the greatest first", () => {
    fc.assert(
      fc.property(anySpan, anyAbove, ({ from, until, stretches }, above) => {
        const laid = layOver(stretches, above, new Set(["kernel", "others"]));
        const parts = sumParts(laid, LINE);
        expect(parts.reduce((sum, part) => sum + part.cycles, 0)).toBe(until - from);
        const sizes = parts.map((part) => part.cycles);
        expect(sizes).toEqual(sizes.toSorted((one, other) => other - one));
        const lines = parts.flatMap(({ address }) => (address === undefined ? [] : Math.floor(address / LINE)));
        expect(new Set(lines).size).toBe(lines.length);
      }),
    );
  });

  it("clipped has what lies between two cycles", () => {
    fc.assert(
      fc.property(anySpan, fc.nat(2000), fc.nat(500), ({ stretches }, from, length) => {
        const all = cycles(stretches);
        const clipped = cycles(clip(stretches, from, from + length));
        const within = [...all].filter(([cycle]) => cycle >= from && cycle < from + length);
        expect([...clipped]).toEqual(within);
      }),
    );
  });
});
