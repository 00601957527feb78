// A random A64 program while it is being written: words with notes, and what is known about its registers.

import { encode, type Fields } from "../encodings.ts";
import type { RandomValues } from "../random-values.ts";

export const SP = 31;
export const MODE_EL1T = 4;
export const MODE_EL1H = 5;
/** A program while it is being written. */
export class Writer {
  readonly random: RandomValues;
  readonly address: number;
  readonly words: number[] = [];
  readonly notes: string[] = [];
  /** Registers (31: SP) that certainly hold an address of the data pages. */
  readonly known = new Map<number, number>();
  /** Registers that templates must leave alone. */
  readonly reserved = new Set<number>();
  note = "";
  /** Loops and subroutines don't nest. */
  nested = false;

  constructor(random: RandomValues, address: number) {
    this.random = random;
    this.address = address;
  }

  get here(): number {
    return this.address + 4 * this.words.length;
  }

  emit(diagram: string, fields: Fields): void {
    this.push(encode(diagram, fields));
  }

  push(word: number): void {
    this.words.push(word >>> 0);
    this.notes.push(this.note);
  }

  /** Room for an instruction to be filled in by `patch` when its target is known. */
  hole(): number {
    this.push(0);
    return this.words.length - 1;
  }

  patch(index: number, diagram: string, fields: Fields): void {
    this.words[index] = encode(diagram, fields);
  }

  /** A register to write to; `zero` allows XZR. What was known about it is forgotten. */
  destination(zero = true): number {
    for (;;) {
      const register = this.random.below(zero ? 32 : 31);
      if (this.reserved.has(register)) continue;
      if (register !== 31) this.known.delete(register);
      return register;
    }
  }

  source(): number {
    return this.random.below(32);
  }

  /** Destinations that differ from each other and from `others`. */
  distinct(count: number, others: readonly number[] = []): number[] {
    const taken = [...others];
    while (taken.length < count + others.length) {
      const register = this.destination(false);
      if (!taken.includes(register)) taken.push(register);
    }
    return taken.slice(others.length);
  }

  constant(register: number, value: bigint): void {
    const parts = [0, 1, 2, 3].filter((part) => ((value >> BigInt(16 * part)) & 0xffffn) !== 0n);
    for (const [position, part] of (parts.length === 0 ? [0] : parts).entries()) {
      const i = Number((value >> BigInt(16 * part)) & 0xffffn);
      this.emit("1 oo 100101 hh iiiiiiiiiiiiiiii ddddd", { o: position === 0 ? 2 : 3, h: part, i, d: register });
    }
    this.known.delete(register);
  }

  /** A register (or SP) that holds `address`, other than `others`. */
  pointer(address: number, others: readonly number[] = [], stack = true): number {
    const { random } = this;
    const near = [...this.known].find(
      ([register, at]) => Math.abs(address - at) < 4096 && register !== SP && !others.includes(register),
    );
    const [register = 0] = this.distinct(1, others);
    const kind = random.below(4);
    if (kind === 0 && near !== undefined && near[0] !== register) {
      const difference = address - near[1];
      const o = difference < 0 ? 1 : 0;
      this.emit("1 o 0 100010 0 iiiiiiiiiiii nnnnn ddddd", { o, i: Math.abs(difference), n: near[0], d: register });
    } else if (kind === 1) {
      const pages = (address >> 12) - (this.here >> 12);
      this.emit("1 ll 10000 hhhhhhhhhhhhhhhhhhh ddddd", { l: pages & 3, h: pages >> 2, d: register });
      this.emit("1 0 0 100010 0 iiiiiiiiiiii nnnnn ddddd", { i: address & 0xfff, n: register, d: register });
    } else {
      this.constant(register, BigInt(address));
    }
    this.known.set(register, address);
    if (!stack || !random.chance(15)) return register;
    this.emit("1 0 0 100010 0 000000000000 nnnnn 11111", { n: register });
    this.known.set(SP, address);
    return SP;
  }

  /** A base register and a displacement within the range that add up to `address`. */
  baseFor(
    address: number,
    least: number,
    most: number,
    step: number,
    others: readonly number[] = [],
  ): [number, number] {
    const usable = [...this.known].filter(([register, at]) => {
      const distance = address - at;
      return !others.includes(register) && distance >= least && distance <= most && distance % step === 0;
    });
    if (usable.length !== 0 && this.random.chance(60)) {
      const [register, at] = this.random.pick(usable);
      return [register, address - at];
    }
    const displacement = this.random.chance(25)
      ? 0
      : this.random.between(Math.ceil(least / step), Math.floor(most / step)) * step;
    return [this.pointer(address - displacement, others), displacement];
  }

  /** The base register has been moved by writeback. */
  moved(register: number, by: number): void {
    const at = this.known.get(register);
    if (at !== undefined) this.known.set(register, at + by);
  }

  forgetAll(): void {
    this.known.clear();
  }
}

/** Writes one instruction, or a few that belong together. */
export type Template = (w: Writer) => void;

export function bit(w: Writer): number {
  return w.random.below(2);
}

export function condition(w: Writer): number {
  return w.random.below(16);
}

/** A destination of an instruction whose register 31 is SP. */
export function stackDestination(w: Writer): number {
  const d = w.destination();
  if (d === SP) w.known.delete(SP);
  return d;
}

/** Writes one of the templates. */
export function one(w: Writer, templates: Readonly<Record<string, Template>>): void {
  const name = w.random.pick(Object.keys(templates));
  w.note = name;
  templates[name]?.(w);
}

/** Writes some of the templates. */
export function some(w: Writer, templates: Readonly<Record<string, Template>>, count: number): void {
  const outer = w.note;
  for (; count > 0; count--) one(w, templates);
  w.note = outer;
}
