// Random A64 programs over everything that the core implements. Encodings come from the manual's diagrams, not from the
// core; what a program does is defined by the architecture in every step, so that any two implementations agree.

import { bitmask, encode, type Fields } from "./encodings.ts";
import { RandomValues } from "./random-values.ts";
import { DATA, DATA_END, DATA_RO, DATA_RW, DATA_RW_BYTES, END_CALL } from "./runner.ts";

export interface Program {
  readonly seed: number;
  readonly address: number;
  readonly words: readonly number[];
  /** Entry values: SPSR, SP_EL0, SP_EL1, X0 to X30. */
  readonly spsr: number;
  readonly stacks: readonly [bigint, bigint];
  readonly registers: readonly bigint[];
  /** Which template each word comes from. */
  readonly notes: readonly string[];
}

const SP = 31;
const MODE_EL1T = 4;
const MODE_EL1H = 5;

/** A program while it is being written. */
class Writer {
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

type Template = (w: Writer) => void;

// --- data processing -------------------------------------------------------------------------------------------------

function bit(w: Writer): number {
  return w.random.below(2);
}

function condition(w: Writer): number {
  return w.random.below(16);
}

/** A destination of an instruction whose register 31 is SP. */
function stackDestination(w: Writer): number {
  const d = w.destination();
  if (d === SP) w.known.delete(SP);
  return d;
}

const dataProcessing: Record<string, Template> = {
  constant: (w) => {
    const d = w.destination(false);
    w.constant(d, w.random.value());
  },
  "add/sub immediate": (w) => {
    const S = bit(w);
    const d = S === 1 ? w.destination() : stackDestination(w);
    w.emit("f o S 100010 h iiiiiiiiiiii nnnnn ddddd", {
      f: bit(w),
      o: bit(w),
      S,
      h: bit(w),
      i: w.random.next(),
      n: w.source(),
      d,
    });
  },
  "logical immediate": (w) => {
    const o = w.random.below(4);
    const f = bit(w);
    let mask: [number, number, number];
    do mask = [f & bit(w), w.random.below(64), w.random.below(64)];
    while (bitmask(...mask, f === 1 ? 64 : 32) === undefined);
    const [N, r, s] = mask;
    const d = o === 3 ? w.destination() : stackDestination(w);
    w.emit("f oo 100100 N rrrrrr ssssss nnnnn ddddd", { f, o, N, r, s, n: w.source(), d });
  },
  "move wide": (w) => {
    const f = bit(w);
    const fields = { f, o: w.random.pick([0, 2, 3]), h: w.random.below(f === 1 ? 4 : 2), i: w.random.next() };
    w.emit("f oo 100101 hh iiiiiiiiiiiiiiii ddddd", { ...fields, d: w.destination() });
  },
  "pc-relative": (w) => {
    w.emit("p ll 10000 hhhhhhhhhhhhhhhhhhh ddddd", {
      p: bit(w),
      l: w.random.next(),
      h: w.random.next(),
      d: w.destination(),
    });
  },
  bitfield: (w) => {
    const f = bit(w);
    const width = f === 1 ? 64 : 32;
    const fields = { f: f === 1, o: w.random.below(3), r: w.random.below(width), s: w.random.below(width) };
    w.emit("f oo 100110 f rrrrrr ssssss nnnnn ddddd", { ...fields, n: w.source(), d: w.destination() });
  },
  extract: (w) => {
    const f = bit(w);
    const s = w.random.below(f === 1 ? 64 : 32);
    w.emit("f 00 100111 f 0 mmmmm ssssss nnnnn ddddd", {
      f: f === 1,
      m: w.source(),
      s,
      n: w.source(),
      d: w.destination(),
    });
  },
  "logical shifted": (w) => {
    const f = bit(w);
    const a = w.random.chance(30) ? 0 : w.random.below(f === 1 ? 64 : 32);
    const fields = { f, o: w.random.below(4), t: w.random.below(4), N: bit(w), a };
    w.emit("f oo 01010 tt N mmmmm aaaaaa nnnnn ddddd", { ...fields, m: w.source(), n: w.source(), d: w.destination() });
  },
  "add/sub shifted": (w) => {
    const f = bit(w);
    const a = w.random.chance(40) ? 0 : w.random.below(f === 1 ? 64 : 32);
    const fields = { f, o: bit(w), S: bit(w), t: w.random.below(3), a };
    w.emit("f o S 01011 tt 0 mmmmm aaaaaa nnnnn ddddd", {
      ...fields,
      m: w.source(),
      n: w.source(),
      d: w.destination(),
    });
  },
  "add/sub extended": (w) => {
    const S = bit(w);
    const d = S === 1 ? w.destination() : stackDestination(w);
    const fields = { f: bit(w), o: bit(w), S, x: w.random.below(8), a: w.random.below(5) };
    w.emit("f o S 01011 00 1 mmmmm xxx aaa nnnnn ddddd", { ...fields, m: w.source(), n: w.source(), d });
  },
  "add/sub with carry": (w) => {
    w.emit("f o S 11010000 mmmmm 000000 nnnnn ddddd", {
      f: bit(w),
      o: bit(w),
      S: bit(w),
      m: w.source(),
      n: w.source(),
      d: w.destination(),
    });
  },
  "conditional compare": (w) => {
    const fields = { f: bit(w), o: bit(w), i: bit(w), c: condition(w), v: w.random.below(16) };
    w.emit("f o 1 11010010 mmmmm cccc i 0 nnnnn 0 vvvv", { ...fields, m: w.source(), n: w.source() });
  },
  "conditional select": (w) => {
    const fields = { f: bit(w), o: bit(w), l: bit(w), c: condition(w) };
    w.emit("f o 0 11010100 mmmmm cccc 0 l nnnnn ddddd", {
      ...fields,
      m: w.source(),
      n: w.source(),
      d: w.destination(),
    });
  },
  "one source": (w) => {
    const f = bit(w);
    const o = f === 1 ? w.random.below(6) : w.random.pick([0, 1, 2, 4, 5]);
    w.emit("f 1 0 11010110 00000 oooooo nnnnn ddddd", { f, o, n: w.source(), d: w.destination() });
  },
  "two source": (w) => {
    const o = w.random.pick([2, 2, 3, 3, 8, 9, 10, 11]);
    w.emit("f 0 0 11010110 mmmmm oooooo nnnnn ddddd", {
      f: bit(w),
      o,
      m: w.source(),
      n: w.source(),
      d: w.destination(),
    });
  },
  multiply: (w) => {
    const fields = { m: w.source(), n: w.source(), a: w.source(), d: w.destination(), o: bit(w) };
    switch (w.random.below(3)) {
      case 0:
        w.emit("f 00 11011000 mmmmm o aaaaa nnnnn ddddd", { ...fields, f: bit(w) });
        break;
      case 1:
        w.emit("1 00 11011 u01 mmmmm o aaaaa nnnnn ddddd", { ...fields, u: bit(w) });
        break;
      default:
        w.emit("1 00 11011 u10 mmmmm 0 11111 nnnnn ddddd", { ...fields, u: bit(w) });
    }
  },
};

// --- addresses -------------------------------------------------------------------------------------------------------

/** An address of `bytes` to access: usually in a small area around the boundary of the two writable pages. */
function dataAddress(w: Writer, bytes: number, aligned: boolean): number {
  const { random } = w;
  const middle = DATA_RW + DATA_RW_BYTES / 2;
  const spread = random.pick([32, 128, 1024, DATA_RW_BYTES / 2]);
  const address = middle + random.between(-spread, spread - bytes);
  return aligned ? address - (address % bytes) : address;
}

/** An address at which an access of `bytes` is not allowed. */
function faultAddress(w: Writer, bytes: number, write: boolean, aligned: boolean): number {
  const { random } = w;
  const across = aligned ? 0 : random.below(bytes);
  const choices = [
    () => random.below(0x1000 - 64) & (aligned ? -bytes : -1),
    () => DATA + random.below(0xfc0 / 16) * 16,
    () => DATA_RW - bytes + across,
    () => DATA_END + random.below(0xfc0 / 16) * 16,
    ...(write
      ? [
          () => DATA_RO + random.below(0xfc0 / 16) * 16,
          () => DATA_RO - across,
          () => DATA_RO + 0x800 + random.below(4) * 64,
        ]
      : [() => DATA_END - across]),
  ];
  return random.pick(choices)();
}

/** Rarely an address that faults. */
function address(w: Writer, bytes: number, write: boolean, aligned = false): number {
  if (w.random.chance(6)) return faultAddress(w, bytes, write, aligned);
  return dataAddress(w, bytes, aligned);
}

// --- loads and stores ------------------------------------------------------------------------------------------------

/** Size and opc of a load or store of one register, prefetches aside. */
function plainKind(w: Writer): { z: number; o: number; bytes: number; write: boolean } {
  const z = w.random.below(4);
  const o = w.random.below(z === 3 ? 2 : z === 2 ? 3 : 4);
  return { z, o, bytes: 1 << z, write: o === 0 };
}

/** A writeback that lands on the register loaded would be unpredictable. */
function dataRegister(w: Writer, write: boolean, others: readonly number[]): number {
  for (;;) {
    const t = write ? w.source() : w.random.below(32);
    if (others.includes(t) || (!write && w.reserved.has(t))) continue;
    if (!write && t !== 31) w.known.delete(t);
    return t;
  }
}

/** XZR as data never collides with SP as base, though both are 31. */
function baseOnly(n: number): number[] {
  return n === SP ? [] : [n];
}

const memory: Record<string, Template> = {
  "unsigned offset": (w) => {
    const { z, o, bytes, write } = plainKind(w);
    const [n, at] = w.baseFor(address(w, bytes, write), 0, 4095 * bytes, bytes);
    const t = dataRegister(w, write, []);
    w.emit("zz 111001 oo iiiiiiiiiiii nnnnn ttttt", { z, o, i: at / bytes, n, t });
  },
  "unscaled or unprivileged": (w) => {
    const { z, o, bytes, write } = plainKind(w);
    const [n, i] = w.baseFor(address(w, bytes, write), -256, 255, 1);
    const t = dataRegister(w, write, []);
    w.emit("zz 111000 oo 0 iiiiiiiii m0 nnnnn ttttt", { z, o, i, m: bit(w), n, t });
  },
  "pre-index": (w) => indexed(w, true),
  "post-index": (w) => indexed(w, false),
  "register offset": (w) => {
    const { z, o, bytes, write } = plainKind(w);
    const x = w.random.pick([2, 3, 6, 7]);
    const s = bit(w);
    let offset = w.random.between(-64, 64);
    if (x === 2) offset = Math.abs(offset);
    const [m = 0] = w.distinct(1);
    const upper = (x & 1) === 0 ? BigInt(w.random.next()) << 32n : BigInt.asUintN(32, BigInt(offset) >> 32n) << 32n;
    w.constant(m, BigInt.asUintN(32, BigInt(offset)) | upper);
    const n = w.pointer(address(w, bytes, write) - offset * (s === 1 ? bytes : 1), [m]);
    const t = dataRegister(w, write, []);
    w.emit("zz 111000 oo 1 mmmmm xxx s 10 nnnnn ttttt", { z, o, m, x, s, n, t });
  },
  literal: (w) => {
    const i = w.random.between(-16, 24);
    w.emit("oo 011 0 00 iiiiiiiiiiiiiiiiiii ttttt", { o: w.random.below(3), i, t: w.destination() });
  },
  pair: (w) => {
    const mode = w.random.below(4);
    const o = w.random.pick(mode === 0 ? [0, 2] : [0, 1, 2]);
    const l = o === 1 ? 1 : bit(w);
    const scale = o === 2 ? 8 : 4;
    const indexing = mode === 1 || mode === 3;
    let at = address(w, 2 * scale, l === 0);
    // A store that faults in its second half may have done the first: leave that out.
    if (l === 0 && at + scale > DATA_RO - scale && at < DATA_RO) at = DATA_RO;
    if (l === 0 && at < DATA_RW && at + 2 * scale > DATA_RW) at = DATA_RW - 2 * scale;
    const displacement = w.random.between(-64, 63) * scale;
    const [n, offset] = mode === 1 ? [w.pointer(at), displacement] : w.baseFor(at, -64 * scale, 63 * scale, scale);
    const others = indexing ? baseOnly(n) : [];
    const t = dataRegister(w, l === 0, others);
    const u = dataRegister(w, l === 0, l === 1 ? [...others, t] : others);
    w.emit("oo 101 0 0mm l iiiiiii uuuuu nnnnn ttttt", { o, m: mode, l, i: offset / scale, u, n, t });
    // Whether the access faulted, and so whether the base has moved, is not worth tracking.
    if (indexing) w.known.delete(n);
  },
  prefetch: (w) => {
    const t = w.random.below(24);
    const n = w.source();
    const choices: Template[] = [
      () => w.emit("11 111001 10 iiiiiiiiiiii nnnnn ttttt", { i: w.random.next(), n, t }),
      () => w.emit("11 111000 10 0 iiiiiiiii 00 nnnnn ttttt", { i: w.random.next(), n, t }),
      () => w.emit("11 111000 10 1 mmmmm x1x s 10 nnnnn ttttt", { m: w.source(), x: w.random.next(), s: bit(w), n, t }),
      () => w.emit("11 011 0 00 iiiiiiiiiiiiiiiiiii ttttt", { i: w.random.next(), t }),
    ];
    w.random.pick(choices)(w);
  },
};

function indexed(w: Writer, before: boolean): void {
  const { z, o, bytes, write } = plainKind(w);
  const at = address(w, bytes, write);
  const i = w.random.between(-256, 255);
  const [n, displacement] = before ? w.baseFor(at, -256, 255, 1) : [w.pointer(at), i];
  const t = dataRegister(w, write, baseOnly(n));
  w.emit("zz 111000 oo 0 iiiiiiiii m1 nnnnn ttttt", { z, o, i: displacement, m: before ? 1 : 0, n, t });
  const certain = at >= DATA_RW && at + bytes <= DATA_RW + DATA_RW_BYTES;
  if (certain) w.moved(n, displacement);
  else w.known.delete(n);
}

// --- ordered, exclusive, atomic --------------------------------------------------------------------------------------

/** An aligned address, rarely a misaligned one: these accesses then fault. */
function alignedAddress(w: Writer, bytes: number, write: boolean): number {
  if (bytes > 1 && w.random.chance(6)) return dataAddress(w, bytes, true) + w.random.between(1, bytes - 1);
  return address(w, bytes, write, true);
}

const atomics: Record<string, Template> = {
  "load-acquire": (w) => {
    const z = w.random.below(4);
    const n = w.pointer(alignedAddress(w, 1 << z, false));
    w.emit("zz 001000 1 1 0 11111 1 11111 nnnnn ttttt", { z, n, t: dataRegister(w, false, []) });
  },
  // QEMU 7.2 doesn't check its alignment.
  "load-acquire, RCpc": (w) => {
    const z = w.random.below(4);
    const n = w.pointer(address(w, 1 << z, false, true));
    w.emit("zz 111000 101 11111 110000 nnnnn ttttt", { z, n, t: dataRegister(w, false, []) });
  },
  "store-release": (w) => {
    const z = w.random.below(4);
    const n = w.pointer(alignedAddress(w, 1 << z, true));
    w.emit("zz 001000 1 0 0 11111 1 11111 nnnnn ttttt", { z, n, t: w.source() });
  },
  "atomic operation": (w) => {
    const z = w.random.below(4);
    const n = w.pointer(alignedAddress(w, 1 << z, true));
    const fields = { z, A: bit(w), R: bit(w), s: w.source(), n, t: w.destination() };
    w.emit("zz 111000 A R 1 sssss oooo 00 nnnnn ttttt", { ...fields, o: w.random.below(9) });
  },
  "compare and swap": (w) => {
    const z = w.random.below(4);
    const n = w.pointer(alignedAddress(w, 1 << z, true), [], true);
    const s = w.destination();
    // Often with the value that is there.
    if (w.random.chance(50)) w.emit("zz 111001 01 000000000000 nnnnn ttttt", { z, n, t: s === n ? 31 : s });
    w.emit("zz 0010001 A 1 sssss R 11111 nnnnn ttttt", { z, A: bit(w), R: bit(w), s, n, t: w.source() });
  },
  "compare and swap pair": (w) => {
    const z = bit(w);
    const bytes = z === 1 ? 16 : 8;
    const n = w.pointer(alignedAddress(w, bytes, true));
    let s: number;
    do s = 2 * w.random.below(16);
    while (s === n || s + 1 === n || w.reserved.has(s) || w.reserved.has(s + 1));
    w.known.delete(s);
    if (s !== 30) w.known.delete(s + 1);
    if (w.random.chance(50)) {
      const u = s === 30 ? 31 : s + 1;
      w.emit("o0 101 0 010 1 0000000 uuuuu nnnnn ttttt", { o: z, u, n, t: s });
    }
    w.emit("0z 0010000 A 1 sssss R 11111 nnnnn ttttt", { z, A: bit(w), s, R: bit(w), n, t: 2 * w.random.below(16) });
  },
  exclusive: exclusiveSequence,
};

/** LDXR, something in between, STXR: with the same address, or another, or with the monitor cleared. */
function exclusiveSequence(w: Writer): void {
  const { random } = w;
  const p = bit(w);
  const z = p === 1 ? random.between(2, 3) : random.below(4);
  const bytes = (1 << z) << p;
  const at = alignedAddress(w, bytes, false);
  const n = w.pointer(at);
  const others = n === SP ? [] : [n];
  const [t = 0, u = 0, s = 0] = w.distinct(3, others);
  w.emit("zz 001000 0 1 p 11111 a uuuuu nnnnn ttttt", { z, p, a: bit(w), u: p === 1 ? u : 31, n, t });
  // Whether a store-exclusive to a misaligned address faults before it fails is up to the implementation.
  if (at % bytes !== 0) return;
  for (let count = random.below(3); count > 0; count--) {
    w.emit("f 0 0 100010 0 iiiiiiiiiiii nnnnn ddddd", { f: bit(w), i: random.next(), n: t, d: t });
  }
  const store = (base: number): void => {
    const [v, x] = [dataRegister(w, true, [s]), dataRegister(w, true, [s])];
    w.emit("zz 001000 0 0 p sssss a uuuuu nnnnn ttttt", { z, p, s, a: bit(w), u: p === 1 ? x : 31, n: base, t: v });
  };
  switch (random.below(8)) {
    case 0:
      w.emit("11010101000000110011 mmmm 010 11111", { m: random.next() }); // CLREX
      store(n);
      break;
    case 1:
      w.emit("11010100000 iiiiiiiiiiiiiiii 00001", { i: random.below(END_CALL) }); // SVC: its ERET clears the monitor
      store(n);
      break;
    case 2:
      store(w.pointer(dataAddress(w, bytes, true), [n, t, u, s], false));
      break;
    case 3:
      store(n);
      store(n);
      break;
    default:
      store(n);
  }
}

// --- branches --------------------------------------------------------------------------------------------------------

const branches: Record<string, Template> = {
  "conditional branch": (w) => {
    const { random } = w;
    const kind = random.below(4);
    const c = condition(w);
    const t = w.source();
    const b = random.below(64);
    const f = bit(w);
    const o = bit(w);
    const hole = w.hole();
    skipped(w, () => some(w, straight, random.between(0, 3)));
    const i = w.words.length - hole;
    if (kind === 0) w.patch(hole, "f 011010 o iiiiiiiiiiiiiiiiiii ttttt", { f, o, i, t });
    else if (kind === 1) w.patch(hole, "h 011011 o bbbbb iiiiiiiiiiiiii ttttt", { h: b >> 5, o, b, i, t });
    else w.patch(hole, "0101010 0 iiiiiiiiiiiiiiiiiii 0 cccc", { i, c });
  },
  "forward branch": (w) => {
    const indirect = w.random.chance(50);
    const [n = 0] = w.distinct(1);
    const adr = indirect ? w.hole() : -1;
    const jump = w.hole();
    // Never executed: what stands here must not matter.
    for (let count = w.random.below(4); count > 0; count--) w.push(w.random.next());
    const target = w.words.length;
    if (indirect) {
      const distance = 4 * (target - adr);
      w.patch(adr, "0 ll 10000 hhhhhhhhhhhhhhhhhhh ddddd", { l: distance, h: distance >> 2, d: n });
      w.patch(jump, "1101011 00p0 11111 000000 nnnnn 00000", { p: bit(w), n }); // BR, RET
    } else {
      w.patch(jump, "0 00101 iiiiiiiiiiiiiiiiiiiiiiiiii", { i: target - jump });
    }
  },
  call: (w) => {
    if (w.nested || w.reserved.has(30)) return;
    const [n = 0] = w.distinct(1, [30]);
    const indirect = w.random.chance(40);
    const adr = indirect ? w.hole() : -1;
    const call = w.hole();
    const over = w.hole();
    const body = w.words.length;
    w.known.delete(30);
    nest(w, [30], () => some(w, straight, w.random.between(0, 3)));
    w.emit("1101011 0010 11111 000000 nnnnn 00000", { n: 30 });
    if (indirect) {
      const distance = 4 * (body - adr);
      w.patch(adr, "0 ll 10000 hhhhhhhhhhhhhhhhhhh ddddd", { l: distance, h: distance >> 2, d: n });
      w.patch(call, "1101011 0001 11111 000000 nnnnn 00000", { n });
    } else {
      w.patch(call, "1 00101 iiiiiiiiiiiiiiiiiiiiiiiiii", { i: body - call });
    }
    w.patch(over, "0 00101 iiiiiiiiiiiiiiiiiiiiiiiiii", { i: w.words.length - over });
  },
  loop: (w) => {
    if (w.nested) return;
    const [c = 0] = w.distinct(1, [30]);
    w.constant(c, BigInt(w.random.between(1, 5)));
    w.forgetAll();
    const head = w.words.length;
    nest(w, [c], () => some(w, inLoop, w.random.between(1, 4)));
    const S = bit(w);
    w.emit("1 1 S 100010 0 000000000001 nnnnn ddddd", { S, n: c, d: c });
    const i = head - w.words.length;
    if (S === 1) w.emit("0101010 0 iiiiiiiiiiiiiiiiiii 0 0001", { i });
    else w.emit("1 011010 1 iiiiiiiiiiiiiiiiiii ttttt", { i, t: c });
    w.forgetAll();
  },
};

/** Runs a body that may or may not be executed: nothing is known behind it. */
function skipped(w: Writer, body: () => void): void {
  body();
  w.forgetAll();
}

function nest(w: Writer, reserved: readonly number[], body: () => void): void {
  w.nested = true;
  for (const register of reserved) w.reserved.add(register);
  body();
  for (const register of reserved) w.reserved.delete(register);
  w.nested = false;
}

// --- exceptions and system -------------------------------------------------------------------------------------------

/** Encodings that are UNDEFINED on any PE without the extensions that the core doesn't have. */
const undefinedWords: readonly string[] = [
  "0000000000000000 iiiiiiiiiiiiiiii", // UDF
  "11010100010 iiiiiiiiiiiiiiii 00000", // HLT
  "11010100101 iiiiiiiiiiiiiiii 00001", // DCPS1
  "11010100101 iiiiiiiiiiiiiiii 00010", // DCPS2
  "f o S 01011 11 0 mmmmm 0aaaaa nnnnn ddddd", // ADD with shift type 3
  "0 o S 01011 00 0 mmmmm 1aaaaa nnnnn ddddd",
  "f o S 01011 01 1 mmmmm xxx 000 nnnnn ddddd",
  "f o S 01011 00 1 mmmmm xxx 101 nnnnn ddddd",
  "0 oo 01010 tt N mmmmm 1aaaaa nnnnn ddddd",
  "f 01 100101 hh iiiiiiiiiiiiiiii ddddd",
  "0 00 100101 10 iiiiiiiiiiiiiiii ddddd",
  "0 oo 100110 1 rrrrrr ssssss nnnnn ddddd",
  "1 oo 100110 0 rrrrrr ssssss nnnnn ddddd",
  "f 11 100110 f rrrrrr ssssss nnnnn ddddd",
  "0 oo 100100 1 rrrrrr ssssss nnnnn ddddd",
  "f 01 100111 f 0 mmmmm 0sssss nnnnn ddddd",
  "f o 1 11010010 mmmmm cccc 01 nnnnn 0 vvvv",
  "f o 1 11010010 mmmmm cccc 00 nnnnn 1 vvvv",
  "f o 0 11010100 mmmmm cccc 1 l nnnnn ddddd",
  "f o 1 11010100 mmmmm cccc 0 l nnnnn ddddd",
  "0 1 0 11010110 00000 000011 nnnnn ddddd", // REV of 64 bits in 32
  "f 1 0 11010110 00001 0ooooo nnnnn ddddd", // pointer authentication
  "f 0 0 11010110 mmmmm 000000 nnnnn ddddd",
  "0 00 11011 u01 mmmmm o aaaaa nnnnn ddddd",
  "f 00 11011 011 mmmmm o aaaaa nnnnn ddddd",
  "f 00 1000110 iiiiiiiiiiii nnnnn ddddd", // ADDG, SUBG
  "10 111000 11 0 iiiiiiiii 00 nnnnn ttttt",
  "11 101 0 010 1 iiiiiii uuuuu nnnnn ttttt",
  "01 101 0 000 1 iiiiiii uuuuu nnnnn ttttt",
  "zz 111000 oo 1 mmmmm x0x s 10 nnnnn ttttt",
  "zz 011001 oo 0 iiiiiiiii 00 nnnnn ttttt", // LDAPUR, STLUR
  "11 111000 00 1 sssss 1001 00 nnnnn ttttt", // ST64BV
  "11 111000 M0 1 iiiiiiiii 11 nnnnn ttttt", // LDRAA
  "00 001000 0 A 1 ssss1 R 11111 nnnnn tttt0", // CASP with odd registers
  "00 001000 0 A 1 ssss0 R 11111 nnnnn tttt1",
  "00 001000 1 A 1 sssss R 01111 nnnnn ttttt", // CAS
  "0101010 0 iiiiiiiiiiiiiiiiiii 1 cccc", // BC.cond
  "0101010 1 iiiiiiiiiiiiiiiiiii 0 cccc",
  "1101011 00o0 11111 00001M nnnnn 11111", // BRAAZ, RETAA
  "11010100000 iiiiiiiiiiiiiiii 00000",
  "11010100000 iiiiiiiiiiiiiiii 00101",
  "11010101000000000100 mmmm 000 11111", // CFINV
  "11010101000000110100 mmmm 010 11111", // DIT
  "11010101000000110011 0000 111 11111", // SB
  "11010101000000110001 0000 000 ttttt", // WFET
  "1101010100 1 11 100 0100 0000 00o ttttt", // SPSR_EL2, ELR_EL2
  "1101010100 0 11 100 0001 0001 000 ttttt", // HCR_EL2
  "1101010100 1 11 110 0001 0000 000 ttttt", // SCTLR_EL3
  "1101010100 1 11 100 0100 0001 000 ttttt", // SP_EL1
  "1101010100 0 11 000 0000 0000 101 ttttt", // MPIDR_EL1 is read-only
  "1101010100 0 11 011 0000 0000 001 ttttt", // and CTR_EL0
  "1101010100 0 11 000 0100 0010 010 ttttt", // and CurrentEL
  "1101010100 1 11 111 0100 0010 010 ttttt", // nothing
  "1101010100 0 01 000 0111 0011 000 ttttt",
  "1101010100 0 01 000 1000 0001 000 ttttt", // TLBI VMALLE1OS
  "1101010100 0 01 100 1000 0111 000 ttttt", // TLBI ALLE2
  "1101010100 1 01 011 0111 0011 000 ttttt", // SYSL
];

const exceptions: Record<string, Template> = {
  SVC: (w) => {
    w.emit("11010100000 iiiiiiiiiiiiiiii 00001", { i: w.random.below(END_CALL) });
  },
  BRK: (w) => {
    w.emit("11010100001 iiiiiiiiiiiiiiii 00000", { i: w.random.next() });
  },
  undefined: (w) => {
    const diagram = w.random.pick(undefinedWords);
    const fields: Record<string, number> = {};
    for (const letter of new Set(diagram.replaceAll(/[01 ]/g, ""))) fields[letter] = w.random.next();
    if ("f" in fields) fields.f = w.random.chance(50) ? -1 : 0;
    w.note += ` ${diagram}`;
    w.emit(diagram, fields);
  },
  "fetch fault": (w) => {
    if (w.reserved.has(30)) return;
    const { random } = w;
    const targets = [DATA, DATA_RW, DATA_RO, DATA_END, 0, w.here + 2, w.here + 1, w.here + 3].map((at, index) =>
      index < 5 ? at + 4 * random.below(1000) : at,
    );
    const [n = 0] = w.distinct(1, [30]);
    w.constant(n, BigInt(random.pick(targets)));
    w.known.delete(30);
    if (bit(w) === 0) {
      w.emit("1101011 0001 11111 000000 nnnnn 00000", { n });
    } else {
      w.emit("0 00 10000 0000000000000000010 11110", {}); // ADR X30, behind the branch
      w.emit("1101011 00p0 11111 000000 nnnnn 00000", { p: bit(w), n });
    }
  },
  "exception return": (w) => {
    const { random } = w;
    const [n = 0, m = 0] = w.distinct(2);
    const legal = random.chance(60);
    const mode = legal
      ? random.pick([MODE_EL1T, MODE_EL1H])
      : random.pick([1, 2, 3, 6, 7, 8, 9, 0xa, 0xc, 0xd, 0xf, 0x12, 0x13, 0x1f]);
    const il = legal && random.chance(20) ? 1 << 20 : 0;
    const spsr = (random.below(16) << 28) | (random.below(16) << 6) | il | mode;
    w.constant(m, BigInt(spsr >>> 0));
    w.emit("1101010100 0 11 000 0100 0000 000 ttttt", { t: m });
    w.emit("0 00 10000 0000000000000000011 ddddd", { d: n }); // ADR: behind the ERET
    w.emit("1101010100 0 11 000 0100 0000 001 ttttt", { t: n });
    w.emit("1101011 0100 11111 000000 11111 00000", {});
    w.known.delete(SP);
  },
};

const systems: Record<string, Template> = {
  "zero a block": (w) => {
    const n = w.pointer(address(w, 1, true));
    w.emit("1101010100 0 01 011 0111 0100 001 ttttt", {
      t: n === SP ? w.pointer(DATA_RW + 64 * w.random.below(128), [], false) : n,
    });
  },
  "flags register": (w) => {
    if (bit(w) === 0) w.emit("1101010100 1 11 011 0100 0010 00d ttttt", { d: bit(w), t: w.destination() });
    else w.emit("1101010100 0 11 011 0100 0010 00d ttttt", { d: bit(w), t: w.source() });
  },
  "interrupt masks": (w) => {
    w.emit("1101010100000 011 0100 mmmm 11c 11111", { m: w.random.next(), c: bit(w) });
  },
  "stack selection": (w) => {
    w.known.delete(SP);
    if (bit(w) === 0) w.emit("1101010100000 000 0100 mmmm 101 11111", { m: w.random.next() });
    else w.emit("1101010100 0 11 000 0100 0010 000 ttttt", { t: w.source() });
  },
  "stack pointer of EL0": (w) => {
    // UNDEFINED while it is selected.
    if (bit(w) === 0) w.emit("1101010100 1 11 000 0100 0001 000 ttttt", { t: w.destination() });
    else w.emit("1101010100 0 11 000 0100 0001 000 ttttt", { t: w.source() });
  },
  "state that reads as written": (w) => {
    const { random } = w;
    // TPIDR_EL0, TPIDR_EL1, ELR_EL1, FAR_EL1, ESR_EL1
    const r = random.pick([0xde82, 0xc684, 0xc201, 0xc300, 0xc290]);
    w.emit("1101010100 0 rrrrrrrrrrrrrrrr ttttt", { r, t: w.source() });
    w.emit("1101010100 1 rrrrrrrrrrrrrrrr ttttt", { r, t: w.destination() });
  },
  "state that is 32 bits wide": (w) => {
    const [n = 0] = w.distinct(1);
    w.constant(n, w.random.value() & 0xffff_ffffn);
    const r = w.random.pick([0xc681]); // CONTEXTIDR_EL1
    w.emit("1101010100 0 rrrrrrrrrrrrrrrr ttttt", { r, t: n });
    w.emit("1101010100 1 rrrrrrrrrrrrrrrr ttttt", { r, t: w.destination() });
  },
  "state that can only be read": (w) => {
    // TPIDR_EL0, TPIDR_EL1, SPSel, CurrentEL, MPIDR_EL1, VBAR_EL1
    const r = w.random.pick([0xde82, 0xc684, 0xc210, 0xc212, 0xc005, 0xc600]);
    w.emit("1101010100 1 rrrrrrrrrrrrrrrr ttttt", { r, t: w.destination() });
  },
  barrier: (w) => {
    w.emit("11010101000000110011 mmmm ooo 11111", { m: w.random.next() | 1, o: w.random.pick([2, 4, 5, 6]) });
  },
  hint: (w) => {
    if (bit(w) === 0) {
      w.push(0xd503_20bf); // SEVL
      w.push(0xd503_205f); // WFE
    } else {
      w.emit("11010101000000110010 hhhhhhh 11111", {
        h: w.random.pick([0, 1, 4, 5, 7, 8, 10, 12, 14, 20, 24, 25, 27, 29, 32, 34, 40, 63, 90, 127]),
      });
    }
  },
  maintenance: (w) => {
    // IC IALLU, IC IALLUIS, TLBI VMALLE1, VMALLE1IS, VAE1IS; DC CIVAC, CVAC, CVAU, IC IVAU of a mapped address
    const n = w.pointer(dataAddress(w, 8, false), [], false);
    const r = w.random.pick([0x43a8, 0x4388, 0x4438, 0x4418, 0x4419, 0x5bf1, 0x5bd1, 0x5bd9, 0x5ba9]);
    w.emit("1101010100 0 rrrrrrrrrrrrrrrr ttttt", { r, t: r === 0x4419 || r >= 0x5000 ? n : 31 });
  },
};

// --- programs --------------------------------------------------------------------------------------------------------

const straight = { ...dataProcessing, ...memory, ...atomics };
const inLoop = {
  ...straight,
  "conditional branch": branches["conditional branch"] as Template,
  SVC: exceptions.SVC as Template,
};
const everything = { ...straight, ...branches, ...exceptions, ...systems };

/** What programs are made of; each kind has its turn. */
const mixtures: readonly (readonly Record<string, Template>[])[] = [
  [dataProcessing],
  [dataProcessing, memory],
  [memory, memory, dataProcessing],
  [atomics, dataProcessing],
  [branches, straight],
  [exceptions, systems, straight],
  [everything],
  [everything],
];

export const templateNames: readonly string[] = Object.keys(everything);

function one(w: Writer, templates: Readonly<Record<string, Template>>): void {
  const name = w.random.pick(Object.keys(templates));
  w.note = name;
  templates[name]?.(w);
}

function some(w: Writer, templates: Readonly<Record<string, Template>>, count: number): void {
  const outer = w.note;
  for (; count > 0; count--) one(w, templates);
  w.note = outer;
}

/** The program of a seed, to stand at `address`. */
export function generate(seed: number, address: number): Program {
  const random = new RandomValues(seed);
  const w = new Writer(random, address);
  const mixture = mixtures[seed % mixtures.length] ?? [];
  const length = random.between(20, 44);
  while (w.words.length < length) one(w, random.pick(mixture));
  w.note = "end";
  w.emit("11010100000 iiiiiiiiiiiiiiii 00001", { i: END_CALL });
  return {
    seed,
    address,
    words: w.words,
    notes: w.notes,
    spsr: ((random.below(16) << 28) | (random.below(16) << 6) | random.pick([MODE_EL1T, MODE_EL1H])) >>> 0,
    stacks: [BigInt(dataAddress(w, 16, true)), BigInt(dataAddress(w, 16, true))],
    registers: Array.from({ length: 31 }, () => random.value()),
  };
}
