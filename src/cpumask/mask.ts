// A set of CPUs with the kernel's operations and their results (Linux include/linux/cpumask.h, lib/bitmap.c,
// lib/find_bit.c). Names are the kernel's without their prefix: cpumask_and(dst, a, b) is
// dst.and(a, b), and where a function takes only sources, the first of them is the mask itself.

import { AllstopError } from "../errors.ts";
import { textOf } from "./characters.ts";
import { chunksOf, formatHexText, parseHexText } from "./hex-text.ts";
import { formatListText, parseListText } from "./list-text.ts";
import type { MaskMemory, Slot } from "./memory.ts";

/** Words of 32 bits that the host searches before it asks the core. */
const NEAR_WORDS = 2;

/** Where a round robin stands; the kernel has one for each CPU, which starts at 0. */
export interface DistributeCursor {
  previous: number;
}

/** A mask as sysfs shows it: as a list of CPUs, or as hex digits. */
export type CpuMaskFormat = "list" | "mask";

/**
 * A set of CPUs below a fixed width. Masks of one pool and one width work together. Where the kernel returns "nr_cpu_ids
 * or more" for none, the result is the width. Any of the sources may be the mask that takes the result.
 *
 * Every operation throws OPTION_INVALID for a CPU that is not below the width, for masks of another pool or width, and
 * for disposed masks; the kernel reads or writes what happens to be there.
 */
export class CpuMask implements Iterable<number> {
  /** The width: CPUs are numbered from 0 to bits - 1. */
  readonly bits: number;
  readonly #memory: MaskMemory;
  readonly #slot: Slot;
  /** 0 once disposed. */
  #address: number;

  /** Masks are made by a `CpuMaskPool`. @internal */
  constructor(memory: MaskMemory, bits: number) {
    this.bits = bits;
    this.#memory = memory;
    this.#slot = memory.take(this, bits);
    this.#address = this.#slot.address;
  }

  /** Gives the memory back at once rather than when the garbage collector comes by. Harmless when done twice. */
  dispose(): void {
    if (this.#address === 0) return;
    this.#address = 0;
    this.#memory.release(this, this.#slot);
  }

  /** A mask of its own with the same CPUs. @throws CAPACITY_EXCEEDED */
  clone(): CpuMask {
    const copy = new CpuMask(this.#memory, this.bits);
    copy.copy(this);
    return copy;
  }

  // --- single CPUs ---------------------------------------------------------------------------------------------------

  /** cpumask_set_cpu(). @throws OPTION_INVALID for a CPU outside the mask, as all that name one */
  setCpu(cpu: number): void {
    const { words } = this.#memory;
    words[this.#wordOf(cpu)]! |= 1 << (cpu & 31);
  }

  /** cpumask_clear_cpu() */
  clearCpu(cpu: number): void {
    const { words } = this.#memory;
    words[this.#wordOf(cpu)]! &= ~(1 << (cpu & 31));
  }

  /** cpumask_assign_cpu(): sets or clears. */
  assignCpu(cpu: number, value: boolean): void {
    if (value) this.setCpu(cpu);
    else this.clearCpu(cpu);
  }

  /** cpumask_test_cpu(): whether the CPU is in the mask. */
  testCpu(cpu: number): boolean {
    return ((this.#memory.words[this.#wordOf(cpu)]! >>> (cpu & 31)) & 1) !== 0;
  }

  /** @returns whether the CPU was set before */
  testAndSetCpu(cpu: number): boolean {
    const was = this.testCpu(cpu);
    this.setCpu(cpu);
    return was;
  }

  /** @returns whether the CPU was set before */
  testAndClearCpu(cpu: number): boolean {
    const was = this.testCpu(cpu);
    this.clearCpu(cpu);
    return was;
  }

  // --- the whole mask ------------------------------------------------------------------------------------------------

  /** cpumask_setall() */
  setAll(): void {
    this.#memory.operations.maskFill(this.#own(), this.bits);
  }

  /** cpumask_clear() */
  clear(): void {
    this.#memory.operations.maskZero(this.#own(), this.bits);
  }

  /** cpumask_copy(): takes the CPUs of the source. */
  copy(source: CpuMask): void {
    this.#memory.operations.maskCopy(this.#own(), this.#of(source), this.bits);
  }

  /** All CPUs that are not in the source, as bitmap_complement(). */
  complement(source: CpuMask): void {
    this.#memory.operations.maskComplement(this.#own(), this.#of(source), this.bits);
  }

  /** Sets CPUs from `start` on, as bitmap_set(). */
  setRange(start: number, count: number): void {
    const address = this.#own();
    this.#checkRange(start, count);
    this.#memory.operations.maskSetRange(address, start, count);
  }

  /** Clears CPUs from `start` on, as bitmap_clear(). */
  clearRange(start: number, count: number): void {
    const address = this.#own();
    this.#checkRange(start, count);
    this.#memory.operations.maskClearRange(address, start, count);
  }

  // --- combinations --------------------------------------------------------------------------------------------------

  /** @returns whether the result is non-empty */
  and(a: CpuMask, b: CpuMask): boolean {
    return this.#memory.operations.maskAnd(this.#own(), this.#of(a), this.#of(b), this.bits) !== 0;
  }

  /** CPUs of `a` that are not in `b`. @returns whether the result is non-empty */
  andNot(a: CpuMask, b: CpuMask): boolean {
    return this.#memory.operations.maskAndNot(this.#own(), this.#of(a), this.#of(b), this.bits) !== 0;
  }

  /** The CPUs of both. @param a either may be this mask */
  or(a: CpuMask, b: CpuMask): void {
    this.#memory.operations.maskOr(this.#own(), this.#of(a), this.#of(b), this.bits);
  }

  /** CPUs that are in one of both only. */
  xor(a: CpuMask, b: CpuMask): void {
    this.#memory.operations.maskXor(this.#own(), this.#of(a), this.#of(b), this.bits);
  }

  /** CPU n of the source becomes n + distance; what goes beyond the width is lost, and never left behind the width. */
  shiftLeft(source: CpuMask, distance: number): void {
    const address = this.#own();
    this.#memory.operations.maskShiftLeft(address, this.#of(source), this.#count(distance), this.bits);
  }

  /** CPU n of the source becomes n - distance. */
  shiftRight(source: CpuMask, distance: number): void {
    const address = this.#own();
    this.#memory.operations.maskShiftRight(address, this.#of(source), this.#count(distance), this.bits);
  }

  // --- comparisons ---------------------------------------------------------------------------------------------------

  /** cpumask_equal() */
  equal(b: CpuMask): boolean {
    return this.#memory.operations.maskEqual(this.#own(), this.#of(b), this.bits) !== 0;
  }

  /** Whether this mask and `b` together are `c`. */
  orEqual(b: CpuMask, c: CpuMask): boolean {
    return this.#memory.operations.maskOrEqual(this.#own(), this.#of(b), this.#of(c), this.bits) !== 0;
  }

  /** cpumask_intersects(): whether some CPU is in both. */
  intersects(b: CpuMask): boolean {
    return this.#memory.operations.maskIntersects(this.#own(), this.#of(b), this.bits) !== 0;
  }

  /** Whether every CPU of this mask is in `b`. */
  subset(b: CpuMask): boolean {
    return this.#memory.operations.maskSubset(this.#own(), this.#of(b), this.bits) !== 0;
  }

  /** cpumask_empty() */
  empty(): boolean {
    return this.first() >= this.bits;
  }

  /** cpumask_full() */
  full(): boolean {
    return this.#memory.operations.maskFull(this.#own(), this.bits) !== 0;
  }

  // --- counts --------------------------------------------------------------------------------------------------------

  /** cpumask_weight(): the number of CPUs. */
  weight(): number {
    return this.#memory.operations.maskWeight(this.#own(), this.bits);
  }

  /** The number of CPUs that are in both. */
  weightAnd(b: CpuMask): number {
    return this.#memory.operations.maskWeightAnd(this.#own(), this.#of(b), this.bits);
  }

  /** The number of CPUs that are here and not in `b`. */
  weightAndNot(b: CpuMask): number {
    return this.#memory.operations.maskWeightAndNot(this.#own(), this.#of(b), this.bits);
  }

  /** CPUs at or above `start`. */
  weightFrom(start: number): number {
    return this.#memory.operations.maskWeightFrom(this.#own(), this.bits, this.#count(start));
  }

  // --- searches ------------------------------------------------------------------------------------------------------

  /** The lowest CPU; the width when there is none, as of all searches. */
  first(): number {
    return this.#from(0);
  }

  /** The lowest CPU that is not in the mask. */
  firstZero(): number {
    return this.#memory.operations.maskNextZero(this.#own(), this.bits, 0);
  }

  /** The lowest CPU that is in both. */
  firstAnd(b: CpuMask): number {
    return this.nextAnd(-1, b);
  }

  /** The lowest CPU that is here and not in `b`. */
  firstAndNot(b: CpuMask): number {
    return this.nextAndNot(-1, b);
  }

  /** First CPU that is in all three. */
  firstAndAnd(b: CpuMask, c: CpuMask): number {
    return this.#memory.operations.maskNextAndAnd(this.#own(), this.#of(b), this.#of(c), this.bits, 0);
  }

  /** The highest CPU. */
  last(): number {
    return this.#memory.operations.maskLast(this.#own(), this.bits);
  }

  /** First CPU above `cpu`, which may be -1. */
  next(cpu: number): number {
    return this.#from(this.#after(cpu));
  }

  /** The first CPU above `cpu`, which may be -1, that is not in the mask. */
  nextZero(cpu: number): number {
    return this.#memory.operations.maskNextZero(this.#own(), this.bits, this.#after(cpu));
  }

  /** The first CPU above `cpu` that is in both. */
  nextAnd(cpu: number, b: CpuMask): number {
    return this.#memory.operations.maskNextAnd(this.#own(), this.#of(b), this.bits, this.#after(cpu));
  }

  /** The first CPU above `cpu` that is here and not in `b`. */
  nextAndNot(cpu: number, b: CpuMask): number {
    return this.#memory.operations.maskNextAndNot(this.#own(), this.#of(b), this.bits, this.#after(cpu));
  }

  /** The first CPU above `cpu` that is in either. */
  nextOr(cpu: number, b: CpuMask): number {
    return this.#memory.operations.maskNextOr(this.#own(), this.#of(b), this.bits, this.#after(cpu));
  }

  /** First CPU above `cpu`, or else the first of all, which may be `cpu` itself. */
  nextWrap(cpu: number): number {
    const above = this.next(cpu);
    return above < this.bits ? above : this.first();
  }

  /** The next CPU that is in both, going on from the start behind the last. */
  nextAndWrap(cpu: number, b: CpuMask): number {
    const above = this.nextAnd(cpu, b);
    return above < this.bits ? above : this.firstAnd(b);
  }

  /** CPU number `n` of the mask, counted from 0. */
  nth(n: number): number {
    return this.#memory.operations.maskNth(this.#own(), this.bits, this.#count(n));
  }

  /** The n-th CPU, from 0, of those that are in both. */
  nthAnd(n: number, b: CpuMask): number {
    return this.#memory.operations.maskNthAnd(this.#own(), this.#of(b), this.bits, this.#count(n));
  }

  /** The n-th CPU, from 0, of those that are here and not in `b`. */
  nthAndNot(n: number, b: CpuMask): number {
    return this.#memory.operations.maskNthAndNot(this.#own(), this.#of(b), this.bits, this.#count(n));
  }

  /** CPU number `n` of those that are here and in `b`, but not in `c`. */
  nthAndAndNot(n: number, b: CpuMask, c: CpuMask): number {
    const address = this.#own();
    return this.#memory.operations.maskNthAndAndNot(address, this.#of(b), this.#of(c), this.bits, this.#count(n));
  }

  /** Some CPU: the lowest. */
  any(): number {
    return this.first();
  }

  /** Any CPU but one. */
  anyBut(cpu: number): number {
    const first = this.first();
    return first === this.#known(cpu) ? this.next(cpu) : first;
  }

  /** Some CPU that is in both: the lowest. */
  anyAnd(b: CpuMask): number {
    return this.firstAnd(b);
  }

  /** Some CPU but `cpu` that is in both. */
  anyAndBut(b: CpuMask, cpu: number): number {
    const first = this.firstAnd(b);
    return first === this.#known(cpu) ? this.nextAnd(cpu, b) : first;
  }

  /** Some CPU but `cpu` that is here and not in `b`. */
  anyAndNotBut(b: CpuMask, cpu: number): number {
    const first = this.firstAndNot(b);
    return first === this.#known(cpu) ? this.nextAndNot(cpu, b) : first;
  }

  /** The CPU behind the one that the cursor gave last, round and round. */
  anyDistribute(cursor: DistributeCursor): number {
    const cpu = this.nextWrap(cursor.previous);
    if (cpu < this.bits) cursor.previous = cpu;
    return cpu;
  }

  /** A CPU that is in both, another one each time. */
  anyAndDistribute(b: CpuMask, cursor: DistributeCursor): number {
    const cpu = this.nextAndWrap(cursor.previous, b);
    if (cpu < this.bits) cursor.previous = cpu;
    return cpu;
  }

  // --- iterations: each step looks at the masks as they are then, as for_each_cpu() and its kin -----------------------

  /** for_each_cpu() */
  *[Symbol.iterator](): Generator<number, void> {
    for (let cpu = this.first(); cpu < this.bits; cpu = this.next(cpu)) yield cpu;
  }

  /** for_each_cpu_from() */
  *eachFrom(start: number): Generator<number, void> {
    for (let cpu = this.next(start - 1); cpu < this.bits; cpu = this.next(cpu)) yield cpu;
  }

  /** for_each_cpu_and() */
  *eachAnd(b: CpuMask): Generator<number, void> {
    for (let cpu = this.firstAnd(b); cpu < this.bits; cpu = this.nextAnd(cpu, b)) yield cpu;
  }

  /** for_each_cpu_andnot() */
  *eachAndNot(b: CpuMask): Generator<number, void> {
    for (let cpu = this.firstAndNot(b); cpu < this.bits; cpu = this.nextAndNot(cpu, b)) yield cpu;
  }

  /** for_each_cpu_or() */
  *eachOr(b: CpuMask): Generator<number, void> {
    for (let cpu = this.nextOr(-1, b); cpu < this.bits; cpu = this.nextOr(cpu, b)) yield cpu;
  }

  /** for_each_cpu_wrap(): from `start` up, then from 0 to below `start`. */
  *eachWrap(start: number): Generator<number, void> {
    yield* this.eachFrom(start);
    for (let cpu = this.first(); cpu < Math.min(start, this.bits); cpu = this.next(cpu)) yield cpu;
  }

  /** All CPUs at once, ascending. */
  toArray(): number[] {
    return this.#memory.collect(this.#own(), this.bits);
  }

  // --- text ----------------------------------------------------------------------------------------------------------

  /**
   * Reads hex digits in chunks of 32 bits, as cpumask_parse(); bytes as cpumask_parse_user(). After an error the chunks
   * read so far, the lowest ones, are in the mask.
   * @throws CpuMaskError EINVAL or EOVERFLOW
   */
  parse(text: string | Uint8Array): void {
    const base = this.#own() >>> 2;
    const { words, operations } = this.#memory;
    const chunks = parseHexText(textOf(text), this.bits, (chunk, value) => (words[base + chunk] = value));
    const start = Math.min(32 * chunks, this.bits);
    operations.maskClearRange(this.#own(), start, this.bits - start);
  }

  /**
   * Reads a list such as "0-3,8,16-31:2/8", as cpulist_parse(); bytes as cpumask_parselist_user(). After an error the
   * regions before the bad one are in the mask, and nothing else.
   * @throws CpuMaskError EINVAL, EOVERFLOW or ERANGE
   */
  parseList(text: string | Uint8Array): void {
    this.clear();
    const { operations } = this.#memory;
    parseListText(textOf(text), this.bits, ({ start, end, used, group }) =>
      operations.maskSetRegion(this.#own(), start, end, used, group),
    );
  }

  /** Hex digits as the format %*pb of the kernel prints them. */
  toString(): string {
    const base = this.#own() >>> 2;
    return formatHexText(this.#memory.words.subarray(base, base + chunksOf(this.bits)), this.bits);
  }

  /** Ranges as the format %*pbl of the kernel prints them; "" when empty. */
  toListString(): string {
    return formatListText(this.#runs());
  }

  /** What a sysfs file of one page shows, as cpumap_print_to_pagebuf(): the text and a newline, cut to fit. */
  printToPage(format: CpuMaskFormat, pageBytes = 4096): string {
    return this.#line(format).slice(0, Math.max(0, this.#count(pageBytes) - 1));
  }

  /**
   * Writes a part of the text and a newline, as cpumap_print_list_to_buf() and cpumap_print_bitmask_to_buf().
   * @param offset where in the text the buffer begins
   * @returns how many bytes were written
   */
  printToBuffer(format: CpuMaskFormat, buffer: Uint8Array, offset = 0): number {
    const start = this.#count(offset);
    return new TextEncoder().encodeInto(this.#line(format).slice(start, start + buffer.length), buffer).written;
  }

  #line(format: CpuMaskFormat): string {
    return `${format === "list" ? this.toListString() : this.toString()}\n`;
  }

  *#runs(): Generator<readonly [number, number]> {
    for (let first = this.first(); first < this.bits;) {
      const end = this.nextZero(first);
      yield [first, end - 1];
      first = this.next(end);
    }
  }

  // --- checks --------------------------------------------------------------------------------------------------------

  #own(): number {
    if (this.#address === 0) throw new AllstopError("OPTION_INVALID", "the mask was disposed of");
    return this.#address;
  }

  /** Address of a source. */
  #of(other: CpuMask): number {
    if (other.#memory === this.#memory && other.bits === this.bits) return other.#own();
    throw new AllstopError("OPTION_INVALID", "masks that do not go together", {
      value: other.bits,
      allowed: `masks of ${this.bits} bits of the same pool`,
    });
  }

  #known(cpu: number): number {
    if ((cpu | 0) === cpu && cpu >= 0 && cpu < this.bits) return cpu;
    throw this.#notACpu(cpu);
  }

  #notACpu(cpu: number): AllstopError {
    return new AllstopError("OPTION_INVALID", "not a CPU of the mask", { value: cpu, allowed: `0-${this.bits - 1}` });
  }

  #wordOf(cpu: number): number {
    return (this.#own() >>> 2) + (this.#known(cpu) >>> 5);
  }

  /**
   * First CPU at or above a position. The nearest words are looked at here, which costs less than a call into the core;
   * most steps of an iteration end there.
   */
  #from(position: number): number {
    const address = this.#own();
    if (position >= this.bits) return this.bits;
    const { words } = this.#memory;
    const base = address >>> 2;
    let index = position >>> 5;
    let word = words[base + index]! & (-1 << (position & 31));
    for (let left = NEAR_WORDS; word === 0 && left > 0; left--) {
      if (++index << 5 >= this.bits) return this.bits;
      word = words[base + index]!;
    }
    if (word !== 0) return (index << 5) + 31 - Math.clz32(word & -word);
    return this.#memory.operations.maskNext(address, this.bits, (index + 1) << 5);
  }

  /** Where a search above a CPU starts. */
  #after(cpu: number): number {
    if ((cpu | 0) === cpu && cpu >= -1 && cpu < this.bits) return cpu + 1;
    if (Number.isInteger(cpu) && cpu >= this.bits) return this.bits;
    throw this.#notACpu(cpu);
  }

  /** A whole number; those above the width mean as much as the width. */
  #count(value: number): number {
    if (Number.isInteger(value) && value >= 0) return Math.min(value, 0xffff_ffff);
    throw new AllstopError("OPTION_INVALID", "not a count", { value, allowed: "a whole number, 0 or more" });
  }

  #checkRange(start: number, count: number): void {
    if (this.#count(start) + this.#count(count) <= this.bits) return;
    const allowed = `CPUs of 0-${this.bits - 1}`;
    throw new AllstopError("OPTION_INVALID", "a range beyond the mask", { value: [start, count], allowed });
  }
}
