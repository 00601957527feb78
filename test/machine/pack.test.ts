// Packing of words: what is packed comes back, and nothing else passes for packed.

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PackedDamage, packWords, unpackWords } from "../../src/machine/snapshot/pack.ts";

/** Words with repetitions near and far. */
const words = fc
  .array(fc.tuple(fc.nat(3), fc.nat(40), fc.nat(0xffffffff)), { maxLength: 40 })
  .map((pieces) => pieces.flatMap(([kind, length, word]) => piece(kind, length, word)))
  .map((all) => Uint32Array.from(all));

function piece(kind: number, length: number, word: number): number[] {
  if (kind === 0) return Array.from({ length }, () => 0);
  if (kind === 1) return Array.from({ length }, (_, index) => index % 5);
  if (kind === 2) return Array.from({ length: length % 7 }, (_, index) => Math.imul(word, index + 1) >>> 0);
  return [word];
}

describe("packed words", () => {
  it("come back", () => {
    fc.assert(
      fc.property(words, (given) => {
        expect(unpackWords(packWords(given), given.length)).toEqual(given);
      }),
    );
  });

  it("are few where words repeat", () => {
    expect(packWords(new Uint32Array(1 << 20)).length).toBeLessThan(20);
    const records = Uint32Array.from({ length: 64 * 1000 }, (_, index) => (index % 64 === 0 ? index : index % 64));
    expect(packWords(records).length).toBeLessThan(1000 * 12 + 400);
  });

  it("are never read beyond their end, or into more words than there are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(100), (bytes, count) => {
        try {
          expect(unpackWords(bytes, count).length).toBe(count);
        } catch (error) {
          expect(error).toBeInstanceOf(PackedDamage);
        }
      }),
      { numRuns: 5000 },
    );
  });
});
