// hwloc's text for a set of CPUs: 32-bit hexadecimal words, highest first, "0x0000000f,,0x00000001"; an empty word is 0.
// Format: hwloc_bitmap_snprintf in hwloc/bitmap.c.

import { AllstopError } from "../../errors.ts";
import { excerpt, hwlocLimits, limitError } from "./limits.ts";

export class CpuSet {
  /** Lowest first; all beyond are 0. */
  readonly #words: Int32Array;

  private constructor(words: Int32Array) {
    this.#words = words;
  }

  static readonly empty = new CpuSet(new Int32Array(0));

  /** Throws XML_INVALID or XML_LIMIT. `at` is the position in the document. */
  static parse(text: string, at: string): CpuSet {
    if (text.length > hwlocLimits.cpusetCharacters) throw limitError("cpusetCharacters", text.length, at);
    const words = Int32Array.from(text.split(",").reverse(), (word) => parseWord(word, at));
    const highest = words.findLastIndex((word) => word !== 0);
    const limit = hwlocLimits.highestCpuNumber;
    if (highest * 32 > limit)
      throw limitError("highestCpuNumber", highest * 32 + 31 - Math.clz32(words[highest] ?? 0), at);
    return new CpuSet(words.subarray(0, highest + 1));
  }

  has(cpu: number): boolean {
    return (((this.#words[cpu >> 5] ?? 0) >> (cpu & 31)) & 1) === 1;
  }

  /** The CPUs that are in this set and not in the other. */
  without(other: CpuSet): CpuSet {
    return new CpuSet(this.#words.map((word, index) => word & ~(other.#words[index] ?? 0)));
  }

  /** Ascending. */
  forEach(visit: (cpu: number) => void): void {
    for (let index = 0; index < this.#words.length; index++) {
      let word = this.#words[index] ?? 0;
      while (word !== 0) {
        visit(index * 32 + 31 - Math.clz32(word & -word));
        word &= word - 1;
      }
    }
  }
}

function parseWord(text: string, at: string): number {
  if (text === "") return 0;
  if (/^0x[0-9a-f]{1,8}$/i.test(text)) return Number(text) | 0;
  // "0xf...f" is hwloc's notation for a set without end.
  const what = text === "0xf...f" ? "an infinite set of CPUs" : "not a set of CPUs";
  throw new AllstopError("XML_INVALID", what, {
    at,
    value: excerpt(text),
    allowed: "32-bit hexadecimal words and commas",
  });
}
