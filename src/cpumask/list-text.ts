// The list format of masks, "0-3,8,16-31:2/8": bitmap_parselist() and %*pbl (Linux lib/bitmap-str.c, lib/vsprintf.c).

import { isEnd, isSeparator } from "./characters.ts";
import { CpuMaskError } from "./error.ts";

/** From `start` to `end` in steps of `group`, `used` bits each time. Numbers are of 32 bits. */
export interface Region {
  readonly start: number;
  readonly end: number;
  readonly used: number;
  readonly group: number;
}

const LARGEST = 0xffff_ffff;
const UPPER_N = 0x4e;
const DASH = 0x2d;
const COLON = 0x3a;
const SLASH = 0x2f;

/**
 * Reads a list and hands over each region as soon as it is known to be good, so that an error leaves the regions before
 * it accepted.
 * @param bits the width: N is `bits - 1`
 * @throws CpuMaskError EINVAL, EOVERFLOW or ERANGE, in the kernel's order
 */
export function parseListText(text: string, bits: number, accept: (region: Region) => void): void {
  const reader = new ListReader(text, bits);
  for (let region = reader.next(); region !== undefined; region = reader.next()) accept(region);
}

class ListReader {
  readonly #text: string;
  readonly #bits: number;
  #at = 0;
  #ended = false;

  constructor(text: string, bits: number) {
    this.#text = text;
    this.#bits = bits;
  }

  /** The next region, or undefined at the end. */
  next(): Region | undefined {
    if (this.#ended) return undefined;
    // A newline counts as a separator here, and ends the text only directly behind a region without a group.
    while (isSeparator(this.#code())) this.#at++;
    if (isEnd(this.#code())) return undefined;
    const first = this.#at;
    const region = this.#region();
    this.#check(region, first);
    return region;
  }

  #code(): number {
    return this.#text.charCodeAt(this.#at);
  }

  #region(): Region {
    if (this.#text.slice(this.#at, this.#at + 3).toLowerCase() === "all") {
      this.#at += 3;
      return this.#grouped(0, this.#bits - 1);
    }
    const start = this.#number();
    if (this.#atRegionEnd()) return this.#plain(start, start);
    this.#expect(DASH, "a range of CPUs is first-last");
    return this.#grouped(start, this.#number());
  }

  /** What may follow a range: nothing, or ":used/group". */
  #grouped(start: number, end: number): Region {
    if (this.#atRegionEnd()) return this.#plain(start, end);
    this.#expect(COLON, "a group is written :used/group");
    const used = this.#number();
    this.#expect(SLASH, "a group is written :used/group");
    return { start, end, used, group: this.#number() };
  }

  #plain(start: number, end: number): Region {
    this.#ended = isEnd(this.#code());
    const length = (end + 1) >>> 0;
    return { start, end, used: length, group: length };
  }

  #atRegionEnd(): boolean {
    return isSeparator(this.#code()) || isEnd(this.#code());
  }

  #expect(code: number, allowed: string): void {
    if (this.#code() !== code) throw this.#error("EINVAL", "an unexpected character", this.#at, allowed);
    this.#at++;
  }

  #number(): number {
    const first = this.#at;
    if (this.#code() === UPPER_N) {
      this.#at++;
      return this.#bits - 1;
    }
    let value = 0;
    for (let digit = this.#code() - 0x30; digit >= 0 && digit <= 9; digit = this.#code() - 0x30) {
      value = 10 * value + digit;
      this.#at++;
    }
    if (this.#at === first) throw this.#error("EINVAL", "not a number", first, "decimal digits, N, or all");
    if (value > LARGEST) throw this.#error("EOVERFLOW", "a number of more than 32 bits", first, `0-${this.#bits - 1}`);
    return value;
  }

  #check({ start, end, used, group }: Region, at: number): void {
    if (start > end) throw this.#error("EINVAL", "a range that runs backwards", at, "first-last");
    if (group === 0) throw this.#error("EINVAL", "a group of no CPUs", at, "a group of 1 or more");
    if (used > group) throw this.#error("EINVAL", "more CPUs used than a group has", at, "used ≤ group");
    if (end >= this.#bits) throw this.#beyond(Math.max(start, this.#bits), at);
  }

  #beyond(cpu: number, at: number): CpuMaskError {
    return new CpuMaskError("ERANGE", "a CPU beyond the mask", this.#text, at, `0-${this.#bits - 1}`, cpu);
  }

  #error(errno: CpuMaskError["errno"], what: string, at: number, allowed: string): CpuMaskError {
    return new CpuMaskError(errno, what, this.#text, at, allowed);
  }
}

/** The list of ascending runs, each its first and its last bit. */
export function formatListText(runs: Iterable<readonly [first: number, last: number]>): string {
  const parts: string[] = [];
  for (const [first, last] of runs) parts.push(first === last ? `${first}` : `${first}-${last}`);
  return parts.join(",");
}
