// The core's cpumask operations against sets of numbers, at widths around words, vectors and the largest machine
// (reference/linux-stop-paths.md, section 13.1; Linux lib/bitmap.c, include/linux/cpumask.h).

import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Core } from "../../src/core/core.ts";

const module = await WebAssembly.compile(await readFile(new URL("../../build/core.checked.wasm", import.meta.url)));
const core = new Core(module);
const { masks } = core;

const MOST_BITS = 65_536;
const SLOT_BYTES = MOST_BITS / 8 + 64;
/** Three masks with room around them, to see what is written beside. */
const area = core.allocate(3 * SLOT_BYTES + 64);
const bytes = new Uint8Array(core.buffer, area, 3 * SLOT_BYTES + 64);
const words = new BigUint64Array(core.buffer, area, bytes.length / 8);

/** Address of a slot: the words before and behind it are not part of it. */
const slotAt = (slot: number): number => area + 32 + slot * SLOT_BYTES;
const firstWord = (slot: number): number => (slotAt(slot) - area) / 8;
const wordsOf = (bits: number): number => Math.ceil(bits / 64);

type Bits = ReadonlySet<number>;
const GUARD = 0xa5a5_a5a5_5a5a_5a5an;

function write(slot: number, members: Bits, junk: readonly number[] = []): void {
  words.fill(0n, firstWord(slot), firstWord(slot) + MOST_BITS / 64);
  for (const bit of [...members, ...junk]) {
    const at = firstWord(slot) + (bit >> 6);
    words[at] = (words[at] ?? 0n) | (1n << BigInt(bit & 63));
  }
}

/** Members of a slot below the width. What lies behind it, in the last word, operations.test.ts looks at. */
function read(slot: number, bits: number): number[] {
  const members: number[] = [];
  for (let word = 0; word < wordsOf(bits); word++) {
    const value = words[firstWord(slot) + word] ?? 0n;
    if (value === 0n) continue;
    for (let bit = 0; bit < 64; bit++) if ((value >> BigInt(bit)) & 1n) members.push(64 * word + bit);
  }
  return members.filter((bit) => bit < bits);
}

const sorted = (set: Iterable<number>): number[] => [...set].sort((a, b) => a - b);

const widths = [
  1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 192, 193, 511, 512, 513, 4095, 4096, 4097, 65_535, 65_536,
];

/** A set of some shape: sparse, dense, everything, runs over the borders of words. */
function setBelow(bits: number): fc.Arbitrary<Bits> {
  const bit = fc.integer({ min: 0, max: bits - 1 });
  const run = fc
    .tuple(bit, fc.integer({ min: 1, max: 200 }))
    .map(([start, length]) => Array.from({ length: Math.min(length, bits - start) }, (_, index) => start + index));
  return fc.oneof(
    fc.constant(new Set<number>()),
    fc.constant(new Set([bits - 1])),
    fc.constant(new Set(Array.from({ length: bits }, (_, index) => index))),
    fc.array(bit, { maxLength: 12 }).map((list) => new Set(list)),
    fc.array(run, { maxLength: 4 }).map((runs) => new Set(runs.flat())),
  );
}

const cases = fc
  .constantFrom(...widths)
  .chain((bits) => fc.record({ bits: fc.constant(bits), a: setBelow(bits), b: setBelow(bits) }));

const combinations = {
  maskAnd: (a: Bits, b: Bits) => [...a].filter((bit) => b.has(bit)),
  maskAndNot: (a: Bits, b: Bits) => [...a].filter((bit) => !b.has(bit)),
  maskOr: (a: Bits, b: Bits) => [...new Set([...a, ...b])],
  maskXor: (a: Bits, b: Bits) => [...[...a].filter((bit) => !b.has(bit)), ...[...b].filter((bit) => !a.has(bit))],
} as const;

/** Which slots target, a and b are: apart, in place, all the same. */
const aliasings = [
  [0, 1, 2],
  [1, 1, 2],
  [2, 1, 2],
  [1, 1, 1],
  [0, 1, 1],
] as const;

describe.each(Object.keys(combinations) as (keyof typeof combinations)[])("%s", (name) => {
  it.each(aliasings)("target, a, b = %i, %i, %i: the members of a set, and nothing else", (target, a, b) => {
    fc.assert(
      fc.property(cases, ({ bits, a: first, b: other }) => {
        const second = a === b ? first : other;
        const expected = sorted(combinations[name](first, second));
        words.fill(GUARD);
        for (const slot of [0, 1, 2]) write(slot, slot === a ? first : slot === b ? second : new Set());
        // Whatever was in the target is gone.
        if (target !== a && target !== b) words.fill(~0n, firstWord(target), firstWord(target) + wordsOf(bits));
        const behind = firstWord(target) + wordsOf(bits);
        const guards = [firstWord(target) - 1, behind];
        for (const at of guards) words[at] = GUARD;
        const result = masks[name](slotAt(target), slotAt(a), slotAt(b), bits) as number | undefined;
        expect(read(target, bits)).toEqual(expected);
        expect(guards.map((at) => words[at])).toEqual([GUARD, GUARD]);
        // cpumask_and() and cpumask_andnot() tell whether anything is left.
        if (name === "maskAnd" || name === "maskAndNot") expect(result).toBe(expected.length > 0 ? 1 : 0);
        // Sources stay as they are.
        if (target !== a) expect(read(a, bits)).toEqual(sorted(first));
        if (target !== b) expect(read(b, bits)).toEqual(sorted(second));
      }),
      { numRuns: 25 },
    );
  });
});

describe("comparing", () => {
  it("equal, intersects and subset are those of sets", () => {
    fc.assert(
      fc.property(cases, fc.boolean(), ({ bits, a, b: other }, alike) => {
        const b = alike ? new Set([...a].slice(1)) : other;
        write(1, a);
        write(2, b);
        const [one, two] = [slotAt(1), slotAt(2)];
        const isSubset = [...a].every((bit) => b.has(bit));
        expect(masks.maskEqual(one, two, bits)).toBe(isSubset && a.size === b.size ? 1 : 0);
        expect(masks.maskEqual(one, one, bits)).toBe(1);
        expect(masks.maskIntersects(one, two, bits)).toBe([...a].some((bit) => b.has(bit)) ? 1 : 0);
        expect(masks.maskSubset(one, two, bits)).toBe(isSubset ? 1 : 0);
        expect(masks.maskSubset(two, one, bits)).toBe([...b].every((bit) => a.has(bit)) ? 1 : 0);
      }),
      { numRuns: 200 },
    );
  });

  it.each(widths)("one bit makes a difference, wherever it is: %i bits", (bits) => {
    for (const bit of [0, bits >> 1, bits - 1]) {
      write(1, new Set([bit]));
      write(2, new Set());
      expect(masks.maskEqual(slotAt(1), slotAt(2), bits)).toBe(0);
      expect(masks.maskSubset(slotAt(1), slotAt(2), bits)).toBe(0);
      expect(masks.maskSubset(slotAt(2), slotAt(1), bits)).toBe(1);
      expect(masks.maskIntersects(slotAt(1), slotAt(1), bits)).toBe(1);
    }
  });
});

describe("filling, counting, finding", () => {
  it.each(widths)("maskFill sets exactly %i bits", (bits) => {
    words.fill(GUARD);
    masks.maskFill(slotAt(0), bits);
    expect(read(0, bits)).toEqual(Array.from({ length: bits }, (_, bit) => bit));
    expect(words[firstWord(0) - 1]).toBe(GUARD);
    expect(words[firstWord(0) + wordsOf(bits)]).toBe(GUARD);
    expect(masks.maskWeight(slotAt(0), bits)).toBe(bits);
  });

  it("no bits: nothing is touched, nothing found", () => {
    words.fill(GUARD);
    masks.maskFill(slotAt(0), 0);
    expect(words[firstWord(0)]).toBe(GUARD);
    expect(masks.maskWeight(slotAt(0), 0)).toBe(0);
    expect(masks.maskNext(slotAt(0), 0, 0)).toBeGreaterThanOrEqual(0);
    expect(masks.maskEqual(slotAt(0), slotAt(1), 0)).toBe(1);
    expect(masks.maskIntersects(slotAt(0), slotAt(0), 0)).toBe(0);
  });

  /** Bits behind the width in its last word, and in words behind. */
  const withJunk = fc.constantFrom(...widths.filter((bits) => bits < 60_000)).chain((bits) =>
    fc.record({
      bits: fc.constant(bits),
      members: setBelow(bits),
      junk: fc.array(fc.integer({ min: bits, max: bits + 200 }), { maxLength: 5 }),
    }),
  );

  it("maskWeight counts the members, whatever lies behind the width", () => {
    fc.assert(
      fc.property(withJunk, ({ bits, members, junk }) => {
        write(0, members, junk);
        expect(masks.maskWeight(slotAt(0), bits)).toBe(members.size);
      }),
      { numRuns: 200 },
    );
  });

  it("maskNext goes through the members in order; none is at or behind the width", () => {
    fc.assert(
      fc.property(withJunk, ({ bits, members, junk }) => {
        write(0, members, junk);
        const found: number[] = [];
        for (let bit = masks.maskNext(slotAt(0), bits, 0); bit < bits; bit = masks.maskNext(slotAt(0), bits, bit + 1)) {
          found.push(bit);
        }
        expect(found).toEqual(sorted(members));
      }),
      { numRuns: 25 },
    );
  });

  it("maskNext from anywhere: the first member there or behind", () => {
    fc.assert(
      fc.property(withJunk, fc.nat({ max: 5000 }), ({ bits, members, junk }, from) => {
        write(0, members, junk);
        const expected = sorted(members).find((bit) => bit >= from);
        const found = masks.maskNext(slotAt(0), bits, from);
        if (expected === undefined) expect(found).toBeGreaterThanOrEqual(bits);
        else expect(found).toBe(expected);
      }),
      { numRuns: 300 },
    );
    write(0, new Set([0, 64]));
    for (const from of [128, 129, 2 ** 31, 2 ** 32 - 1]) {
      expect(masks.maskNext(slotAt(0), 128, from) >>> 0).toBeGreaterThanOrEqual(128);
    }
  });
});
