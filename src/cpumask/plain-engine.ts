// The cpumask operations in plain TypeScript: what the WebAssembly core is checked against, and what works without it.
// Each operation goes bit by bit or 32 bits at a time, and no further for speed.

import type { MaskOperations } from "../core/mask-operations.ts";
import { AllstopError } from "../errors.ts";
import { validBits } from "./hex-text.ts";
import type { MaskEngine } from "./memory.ts";

/** 32 bits of up to three masks to 32 bits. */
type Combination = (a: number, b: number, c: number) => number;

const same: Combination = (a) => a;
const not: Combination = (a) => ~a;
const and: Combination = (a, b) => a & b;
const andNot: Combination = (a, b) => a & ~b;
const or: Combination = (a, b) => a | b;
const xor: Combination = (a, b) => a ^ b;
const andAnd: Combination = (a, b, c) => a & b & c;
const andAndNot: Combination = (a, b, c) => a & b & ~c;
const orXor: Combination = (a, b, c) => (a | b) ^ c;

function popcount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

const FIRST_ADDRESS = 64;
const MOST_BYTES = 2 ** 31;

/** Memory of its own, with the operations on it. */
export class PlainEngine implements MaskEngine {
  #words = new Uint32Array(16_384);
  #top = FIRST_ADDRESS;
  readonly masks: MaskOperations = this.#operations();

  get buffer(): ArrayBuffer {
    return this.#words.buffer;
  }

  allocate(bytes: number): number {
    const address = this.#top;
    if (address + bytes > MOST_BYTES) {
      throw new AllstopError("CAPACITY_EXCEEDED", "the memory of masks is exhausted", { value: bytes });
    }
    this.#top = address + Math.ceil(bytes / 64) * 64;
    while (this.#top > this.#words.byteLength) {
      const larger = new Uint32Array(2 * this.#words.length);
      larger.set(this.#words);
      this.#words = larger;
    }
    return address;
  }

  #word(mask: number, index: number): number {
    return this.#words[(mask >>> 2) + index] ?? 0;
  }

  /** The bits of a combination that a mask has, in one word. */
  #combined(how: Combination, a: number, b: number, c: number, index: number, bits: number): number {
    return how(this.#word(a, index), this.#word(b, index), this.#word(c, index)) & validBits(index, bits);
  }

  /** Writes every word, up to a multiple of 64 bits. @returns whether any bit is set */
  #write(target: number, bits: number, value: (index: number) => number): number {
    let any = 0;
    for (let index = 0; index < 2 * Math.ceil(bits / 64); index++) {
      const word = value(index) & validBits(index, bits);
      this.#words[(target >>> 2) + index] = word;
      any |= word;
    }
    return any === 0 ? 0 : 1;
  }

  #combine(how: Combination, target: number, a: number, b: number, bits: number): number {
    return this.#write(target, bits, (index) => how(this.#word(a, index), this.#word(b, index), 0));
  }

  #next(how: Combination, a: number, b: number, c: number, bits: number, from: number): number {
    for (let index = from >>> 5; 32 * index < bits; index++) {
      const skipped = index === from >>> 5 ? -1 << (from & 31) : -1;
      const word = this.#combined(how, a, b, c, index, bits) & skipped;
      if (word !== 0) return 32 * index + lowestBit(word);
    }
    return bits;
  }

  #weight(how: Combination, a: number, b: number, bits: number, from = 0): number {
    let sum = 0;
    for (let index = from >>> 5; 32 * index < bits; index++) {
      const skipped = index === from >>> 5 ? -1 << (from & 31) : -1;
      sum += popcount(this.#combined(how, a, b, 0, index, bits) & skipped);
    }
    return sum;
  }

  #nth(how: Combination, a: number, b: number, c: number, bits: number, n: number): number {
    let bit = this.#next(how, a, b, c, bits, 0);
    for (let left = n; left > 0 && bit < bits; left--) bit = this.#next(how, a, b, c, bits, bit + 1);
    return bit;
  }

  #last(mask: number, bits: number): number {
    for (let index = (bits - 1) >>> 5; index >= 0; index--) {
      const word = this.#combined(same, mask, 0, 0, index, bits);
      if (word !== 0) return 32 * index + 31 - Math.clz32(word);
    }
    return bits;
  }

  #changeRange(mask: number, start: number, count: number, set: boolean): void {
    for (let bit = start; bit < start + count; bit++) {
      const index = (mask >>> 2) + (bit >>> 5);
      const one = 1 << (bit & 31);
      const word = this.#words[index] ?? 0;
      this.#words[index] = set ? word | one : word & ~one;
    }
  }

  #setRegion(mask: number, start: number, end: number, used: number, group: number): void {
    for (let at = start; at <= end; at = (at + group) >>> 0) {
      this.#changeRange(mask, at, Math.min(end - at + 1, used), true);
    }
  }

  /** Every bit goes to its place plus `distance`. */
  #shift(target: number, source: number, distance: number, bits: number): void {
    const from = this.#words.slice(source >>> 2, (source >>> 2) + Math.ceil(bits / 32));
    const bitAt = (bit: number) => (bit < 0 || bit >= bits ? 0 : ((from[bit >>> 5] ?? 0) >>> (bit & 31)) & 1);
    this.#write(target, bits, (index) => {
      let word = 0;
      for (let bit = 0; bit < 32; bit++) word |= bitAt(32 * index + bit - distance) << bit;
      return word;
    });
  }

  #collect(mask: number, bits: number, from: number, numbers: number, most: number): number {
    let count = 0;
    for (let bit = this.#next(same, mask, 0, 0, bits, from); bit < bits && count < most;) {
      this.#words[(numbers >>> 2) + count++] = bit;
      bit = this.#next(same, mask, 0, 0, bits, bit + 1);
    }
    return count;
  }

  #operations(): MaskOperations {
    const next = this.#next.bind(this);
    const none = (how: Combination, a: number, b: number, c: number, bits: number): number =>
      next(how, a, b, c, bits, 0) >= bits ? 1 : 0;
    return {
      maskZero: (mask, bits) => void this.#write(mask, bits, () => 0),
      maskFill: (mask, bits) => void this.#write(mask, bits, () => -1),
      maskCopy: (target, source, bits) => void this.#write(target, bits, (index) => this.#word(source, index)),
      maskSetRange: (mask, start, count) => this.#changeRange(mask, start, count, true),
      maskClearRange: (mask, start, count) => this.#changeRange(mask, start, count, false),
      maskSetRegion: (mask, start, end, used, group) => this.#setRegion(mask, start, end, used, group),
      maskAnd: (target, a, b, bits) => this.#combine(and, target, a, b, bits),
      maskAndNot: (target, a, b, bits) => this.#combine(andNot, target, a, b, bits),
      maskOr: (target, a, b, bits) => this.#combine(or, target, a, b, bits),
      maskXor: (target, a, b, bits) => this.#combine(xor, target, a, b, bits),
      maskComplement: (target, source, bits) => this.#combine(not, target, source, source, bits),
      maskShiftLeft: (target, source, distance, bits) => this.#shift(target, source, distance, bits),
      maskShiftRight: (target, source, distance, bits) => this.#shift(target, source, -distance, bits),
      maskEqual: (a, b, bits) => none(xor, a, b, 0, bits),
      maskOrEqual: (a, b, c, bits) => none(orXor, a, b, c, bits),
      maskIntersects: (a, b, bits) => 1 - none(and, a, b, 0, bits),
      maskSubset: (a, b, bits) => none(andNot, a, b, 0, bits),
      maskFull: (mask, bits) => none(not, mask, 0, 0, bits),
      maskWeight: (mask, bits) => this.#weight(same, mask, 0, bits),
      maskWeightFrom: (mask, bits, from) => this.#weight(same, mask, 0, bits, from),
      maskWeightAnd: (a, b, bits) => this.#weight(and, a, b, bits),
      maskWeightAndNot: (a, b, bits) => this.#weight(andNot, a, b, bits),
      maskNext: (mask, bits, from) => next(same, mask, 0, 0, bits, from),
      maskNextZero: (mask, bits, from) => next(not, mask, 0, 0, bits, from),
      maskNextAnd: (a, b, bits, from) => next(and, a, b, 0, bits, from),
      maskNextAndNot: (a, b, bits, from) => next(andNot, a, b, 0, bits, from),
      maskNextOr: (a, b, bits, from) => next(or, a, b, 0, bits, from),
      maskNextAndAnd: (a, b, c, bits, from) => next(andAnd, a, b, c, bits, from),
      maskLast: (mask, bits) => this.#last(mask, bits),
      maskNth: (mask, bits, n) => this.#nth(same, mask, 0, 0, bits, n),
      maskNthAnd: (a, b, bits, n) => this.#nth(and, a, b, 0, bits, n),
      maskNthAndNot: (a, b, bits, n) => this.#nth(andNot, a, b, 0, bits, n),
      maskNthAndAndNot: (a, b, c, bits, n) => this.#nth(andAndNot, a, b, c, bits, n),
      maskCollect: (mask, bits, from, numbers, most) => this.#collect(mask, bits, from, numbers, most),
    };
  }
}
