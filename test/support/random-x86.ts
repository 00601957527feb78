// Random x86-64 programs: the snippets that stop paths are made of (spins of all kinds, counters, locks, interrupts, waits),
// and whatever else a kernel does around them: calls, string instructions, code in writable pages, flags in all ways.

import {
  R8,
  R9,
  R10,
  R11,
  R12,
  R13,
  R15,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
  RSP,
  le,
  type Memory,
} from "../instructions/x86-64/code.ts";
import { PAGE_RW, PAGE_RWX, PAGE_RX } from "./bare-machine.ts";
import type { Guest, Layout } from "./random-machine.ts";
import type { Random } from "./random.ts";
import {
  MSR_EOI,
  MSR_ICR,
  MSR_SELF_IPI,
  MSR_SVR,
  MSR_TSC,
  X64,
  aluOperations,
  type AluOperation,
  type Width,
} from "./x64.ts";

const CODE = 0x1_0000;
const HANDLERS = 0xf_0000;
const CODE_END = 0x10_0000;
const TABLES = 0x10_0000;
const GDT = TABLES;
const GDT_POINTER = TABLES + 0x100;
const IDT_POINTER = TABLES + 0x110;
/** Of limit 0: the next exception shuts the machine down. */
const NO_IDT_POINTER = TABLES + 0x120;
const IDT = TABLES + 0x1000;
const SHARED = 0x11_0000;
const PRIVATE = 0x12_0000;
const PRIVATE_BYTES = 512;
const STACKS = 0x18_0000;
const STACK_BYTES = 2048;
const WRITABLE_CODE = 0x20_0000;

const CODE_SELECTOR = 0x08;
const DATA_SELECTOR = 0x10;

// Fixed roles: RBX points to the shared lines, RBP to the CPU's private ones, R15 bounds loops. Within the private lines:
const INTERRUPTS = 64;
const NMIS = 72;
const EXCEPTIONS = 80;
const COUNTERS = 128; // to 191
const STRINGS = 256; // to 383

const privately = (displacement: number): Memory => ({ base: RBP, displacement });

// Condition codes.
const [BELOW, EQUAL, NOT_EQUAL, SIGN] = [2, 4, 5, 8];

export function x86Guest(random: Random, layout: Layout): Guest {
  const handlers = emitHandlers(random);
  const writable = writableRoutines(random);
  const contents = [
    { address: HANDLERS, bytes: handlers.finish() },
    { address: TABLES, bytes: tables(handlers) },
    { address: WRITABLE_CODE, bytes: writable.bytes },
  ];
  const starts: { pc: number; stack: number }[] = [];
  const marks = [...handlers.marks];
  let at = CODE;
  for (let cpu = 0; cpu < layout.cpus; cpu++) {
    const code = new X64(at);
    program(code, random, { ...layout, cpu, routines: writable.routines });
    const bytes = code.finish();
    contents.push({ address: at, bytes });
    starts.push({ pc: at, stack: STACKS + (cpu + 1) * STACK_BYTES });
    marks.push(...code.marks);
    at += Math.ceil(bytes.length / 64) * 64;
  }
  if (at > HANDLERS) throw new Error("programs too long");
  marks.push(...writable.routines);
  return {
    maps: [
      { address: CODE, bytes: CODE_END - CODE, attributes: PAGE_RX },
      { address: TABLES, bytes: SHARED - TABLES, attributes: PAGE_RW, warm: true },
      { address: SHARED, bytes: WRITABLE_CODE - SHARED, attributes: PAGE_RW },
      { address: WRITABLE_CODE, bytes: 0x1000, attributes: PAGE_RWX },
    ],
    contents,
    starts,
    marks,
  };
}

// --- handlers and tables ---------------------------------------------------------------------------------------------

const HANDLER_KINDS = 6;

/** Interrupts count in private memory; some linger, some open interrupts again before their EOI. */
function emitHandlers(random: Random): X64 {
  const code = new X64(HANDLERS);
  for (let kind = 0; kind < HANDLER_KINDS; kind++) {
    code.label(`interrupt${kind}`).mark().push(RAX).push(RCX).push(RDX);
    code.increment(8, privately(INTERRUPTS), random.chance(30));
    linger(code, random);
    if (random.chance(30)) {
      code.sti();
      linger(code, random);
      code.cli();
    }
    code.mark().writeMsr(MSR_EOI, 0n);
    linger(code, random);
    code.pop(RDX).pop(RCX).pop(RAX).mark().iret();
  }
  code.label("nmi").mark().increment(8, privately(NMIS)).push(RCX);
  linger(code, random);
  code.pop(RCX).iret();
  // UD2 is two bytes long.
  code.label("undefined").mark().increment(4, privately(EXCEPTIONS));
  code.opImmediate("add", 8, { base: RSP }, 2).iret();
  code.label("trap").mark().increment(4, privately(EXCEPTIONS), true).iret();
  // Nothing else may come.
  code
    .label("unexpected")
    .put({ opcode: [0x0f, 0x01], reg: 3, rm: { displacement: NO_IDT_POINTER } })
    .ud2();
  return code;
}

function linger(code: X64, random: Random): void {
  if (random.chance(60)) return;
  const head = code.fresh();
  code.set(RCX, random.between(1, 9)).label(head).mark().pause().decrement(4, RCX).jumpIf(NOT_EQUAL, head);
}

function tables(handlers: X64): Uint8Array {
  const bytes = new Uint8Array(0x2000);
  const put = (address: number, values: readonly number[]): void => bytes.set(values, address - TABLES);
  // Flat 64-bit code and flat data (SDM 3A 3.4.5).
  put(GDT + CODE_SELECTOR, [0xff, 0xff, 0, 0, 0, 0x9b, 0xaf, 0]);
  put(GDT + DATA_SELECTOR, [0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0]);
  put(GDT_POINTER, [...le(0x17, 2), ...le(GDT, 8)]);
  put(IDT_POINTER, [...le(0xfff, 2), ...le(IDT, 8)]);
  put(NO_IDT_POINTER, [...le(0, 2), ...le(IDT, 8)]);
  for (let vector = 0; vector < 256; vector++) {
    const target = handlers.addressOf(handlerOf(vector));
    // INT3 by a trap gate: interrupts stay open.
    const type = vector === 3 ? 0x8f : 0x8e;
    const low = [...le(target & 0xffff, 2), ...le(CODE_SELECTOR, 2), 0, type, ...le(target >>> 16, 2)];
    put(IDT + 16 * vector, [...low, ...le(0, 8)]);
  }
  return bytes;
}

function handlerOf(vector: number): string {
  if (vector >= 32) return `interrupt${vector % HANDLER_KINDS}`;
  if (vector === 2) return "nmi";
  if (vector === 6) return "undefined";
  return vector === 1 || vector === 3 ? "trap" : "unexpected";
}

/** Vectors of all priorities; the handlers differ. */
function someVector(random: Random): number {
  return random.between(2, 15) * 16 + random.between(0, 5);
}

// --- code in writable pages ------------------------------------------------------------------------------------------

/** Routines that end in RET; each begins with MOV EAX, imm32, which some CPUs overwrite. One may cross a line. */
function writableRoutines(random: Random): { bytes: Uint8Array; routines: number[] } {
  const code = new X64(WRITABLE_CODE);
  const routines: number[] = [];
  for (let i = 0; i < 4; i++) {
    code.align(64, 0x90);
    const skip = random.pick([0, 0, 20, 57, 60, 62]);
    for (let nop = 0; nop < skip; nop++) code.raw(0x90);
    routines.push(code.here);
    code.set(RAX, i);
    const kind = random.between(0, 2);
    if (kind === 1) {
      const head = code.fresh();
      code.set(R12, random.between(2, 20)).label(head).pause().decrement(4, R12).jumpIf(NOT_EQUAL, head);
    } else if (kind === 2) {
      // spins on a shared word
      const head = code.fresh();
      const out = code.fresh();
      code.load(8, R10, { base: RBX }).set(R12, random.between(2, 40)).label(head).pause();
      code.op("cmp", 8, R10, { base: RBX }).jumpIf(NOT_EQUAL, out);
      code.decrement(4, R12).jumpIf(NOT_EQUAL, head).label(out);
    }
    code.opTo("add", 8, privately(COUNTERS + 8), RAX).ret();
  }
  return { bytes: code.finish(), routines };
}

// --- programs --------------------------------------------------------------------------------------------------------

interface Place extends Layout {
  readonly cpu: number;
  readonly routines: readonly number[];
}

function program(code: X64, random: Random, place: Place): void {
  const absolute = (displacement: number): Memory => ({ displacement });
  // The tables are warm, and first of all: by the time anybody sends an NMI, all can take it.
  code.put({ opcode: [0x0f, 0x01], reg: 3, rm: absolute(IDT_POINTER) });
  code.put({ opcode: [0x0f, 0x01], reg: 2, rm: absolute(GDT_POINTER) });
  code.set(RBX, SHARED).set(RBP, PRIVATE + place.cpu * PRIVATE_BYTES);
  code.set(RCX, 30).label("others").decrement(4, RCX).jumpIf(NOT_EQUAL, "others");
  code.writeMsr(MSR_SVR, 0x1ffn);
  // Counters that soon wrap, in 32 or 64 bits.
  if (random.chance(30)) {
    const wrap = random.pick([1n << 32n, 1n << 64n, 1n << 31n, 1n << 63n]);
    code.writeMsr(MSR_TSC, wrap - BigInt(random.between(50, 5000)));
  }
  code.sti().label("again");
  const count = random.between(3, 10);
  for (let i = 0; i < count; i++) {
    code.mark();
    random.pick(snippets)(code, random, place);
  }
  if (place.fatal && random.chance(20)) endMachine(code, random);
  code.jump("again");
}

/** Shutdown by an exception that can't be delivered, or by a stack that doesn't exist; something that isn't modelled. */
function endMachine(code: X64, random: Random): void {
  code.mark();
  const kind = random.between(0, 2);
  if (kind === 0) code.put({ opcode: [0x0f, 0x01], reg: 3, rm: { displacement: NO_IDT_POINTER } }).ud2();
  else if (kind === 1) code.set(RSP, 0xf00_0000).ud2();
  else code.writeMsr(MSR_ICR, 0x500n);
}

type Snippet = (code: X64, random: Random, place: Place) => void;

const both = [4, 8] as const;

function someWord(random: Random, { lines, words }: Layout): Memory {
  return { base: RBX, displacement: random.between(0, lines - 1) * 64 + random.between(0, words - 1) * 8 };
}

/** A word that lies across the end of a shared line. */
function splitWord(random: Random, { lines }: Layout, width: 4 | 8): Memory {
  return { base: RBX, displacement: random.between(0, lines - 1) * 64 + 64 - random.between(1, width - 1) };
}

/** Goes round a loop at most so often, so that nobody waits for ever; R15 or ECX counts, down by DEC or by SUB, or up. */
function bounded(code: X64, random: Random, body: (out: string) => void, most = 60): void {
  const head = code.fresh();
  const out = code.fresh();
  const turns = random.between(3, most);
  const counter = R15;
  const kind = random.between(0, 3);
  const width = random.pick(both);
  if (kind === 2) code.op("xor", 4, counter, counter);
  else code.set(counter, turns);
  code.label(head);
  if (random.chance(20)) code.mark();
  body(out);
  if (kind === 0) code.decrement(width, counter);
  else if (kind === 1) code.opImmediate("sub", width, counter, 1);
  else if (kind === 2) code.increment(width, counter).opImmediate("cmp", width, counter, turns);
  else code.lea(8, counter, { base: counter, displacement: -1 }).test(width, counter, counter);
  code.jumpIf(NOT_EQUAL, head).label(out);
}

function relax(code: X64, random: Random): void {
  if (random.chance(80)) code.pause();
}

/** Leaves the spin when a shared word is no longer what R8 says, by one of the ways to compare. */
function leaveWhenMoved(code: X64, random: Random, word: Memory, width: Width, out: string): void {
  const kind = random.between(0, 3);
  if (kind === 0) code.op("cmp", width, R8, word);
  else if (kind === 1) code.load(width, R9, word).op("cmp", width, R9, R8);
  else if (kind === 2) code.put({ opcode: [0x39], reg: R8, rm: word, wide: width === 8 });
  else code.load(width, R9, word).op("xor", width, R9, R8).test(width, R9, R9);
  code.jumpIf(NOT_EQUAL, out);
}

function selfInterrupt(code: X64, random: Random, { cpu, hardwareIds }: Place): void {
  const vector = BigInt(someVector(random));
  const id = BigInt(hardwareIds[cpu] ?? 0);
  const kind = random.between(0, 4);
  if (kind === 0) code.writeMsr(MSR_SELF_IPI, vector);
  else if (kind === 1) code.writeMsr(MSR_ICR, (1n << 18n) | vector);
  else if (kind === 2) code.writeMsr(MSR_ICR, (id << 32n) | vector);
  else if (kind === 3) code.writeMsr(MSR_ICR, (logicalId(id) << 32n) | 0x800n | vector);
  else code.writeMsr(MSR_ICR, (id << 32n) | 0x400n);
}

function logicalId(id: bigint): bigint {
  return ((id >> 4n) << 16n) | (1n << (id & 15n));
}

/** Locked accesses across two lines. */
const lockedSplit: Snippet = (code, random, place) => {
  const width = random.pick(both);
  const word = splitWord(random, place, width);
  code.set(R10, random.between(1, 300));
  const kind = random.between(0, 4);
  if (kind === 0) code.opTo("add", width, word, R10, true);
  else if (kind === 1) code.increment(width, word, true);
  else if (kind === 2) code.xadd(width, word, R10);
  else if (kind === 3) code.xchg(width, word, R10);
  else code.load(width, RAX, word).cmpxchg(width, word, R10);
};

const snippets: readonly Snippet[] = [
  // counters, locked or not
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick(both);
    const lock = random.chance(70);
    code.set(R10, random.between(1, 3));
    const kind = random.between(0, 6);
    if (kind === 0) code.opTo("add", width, word, R10, lock);
    else if (kind === 1) code.increment(width, word, lock);
    else if (kind === 2) code.xadd(width, word, R10, lock);
    else if (kind === 3) code.xchg(width, word, R10);
    else if (kind === 4) code.opImmediate(random.pick(["add", "sub", "xor"] as const), width, word, 5, lock);
    else if (kind === 5) code.bitTest(random.pick([5, 6, 7] as const), width, word, random.between(0, 31), lock);
    else code.load(width, R11, word).op("add", width, R11, R10).store(width, word, R11);
  },
  // compare and exchange until it succeeds
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick(both);
    const retry = code.fresh();
    code.load(width, RAX, word);
    if (random.chance(50)) code.label(retry).lea(8, R10, { base: RAX, displacement: 1 });
    else code.label(retry).copy(8, R10, RAX).opImmediate("add", width, R10, 3);
    code.cmpxchg(width, word, R10, random.chance(80)).jumpIf(NOT_EQUAL, retry);
  },
  // plain accesses across two lines
  (code, random, place) => {
    const width = random.pick(both);
    const word = splitWord(random, place, width);
    code.load(width, R10, word).opImmediate("add", width, R10, random.between(1, 99));
    if (random.chance(50)) code.store(width, word, R10);
    else code.opTo("add", width, word, R10);
  },
  // spins that end when a shared word moves, or by a counter of turns
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick(both);
    code.load(width, R8, word);
    bounded(code, random, (out) => {
      relax(code, random);
      leaveWhenMoved(code, random, word, width, out);
    });
  },
  // two words
  (code, random, place) => {
    const word = someWord(random, place);
    const other = someWord(random, place);
    code.load(8, R8, word).load(4, R11, other);
    bounded(code, random, (out) => {
      leaveWhenMoved(code, random, word, 8, out);
      relax(code, random);
      code.load(4, R12, other).op("cmp", 4, R12, R11).jumpIf(NOT_EQUAL, out);
    });
  },
  // stores constants to private memory in each turn
  (code, random, place) => {
    const word = someWord(random, place);
    code.load(8, R8, word).set(R10, 7);
    bounded(code, random, (out) => {
      code.store(random.pick([1, 2, 4, 8] as const), privately(16), R10);
      if (random.chance(50)) code.storeImmediate(random.pick([1, 4, 8] as const), privately(24), 9);
      relax(code, random);
      code.load(8, R11, privately(8));
      leaveWhenMoved(code, random, word, 8, out);
    });
  },
  // counts turns in private memory, in every way
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick([1, 2, 4, 8, 4, 8] as const);
    const cell = privately(COUNTERS + 8 * random.between(2, 6));
    const lock = random.chance(40);
    const kind = random.between(0, 6);
    code.load(8, R8, word).set(R10, random.between(1, 5));
    bounded(code, random, (out) => {
      if (kind === 0) code.load(8, R11, cell).opImmediate("add", 8, R11, 1).store(8, cell, R11);
      else if (kind === 1) code.increment(width, cell, lock);
      else if (kind === 2) code.opTo(random.pick(["add", "sub"] as const), width, cell, R10, lock);
      else if (kind === 3) code.opImmediate("add", width, cell, 3, lock);
      else if (kind === 4) code.set(R11, 2).xadd(width, cell, R11, lock);
      else if (kind === 5) code.load(width, R11, cell).increment(4, R11).xchg(width, cell, R11);
      else code.decrement(width, cell).op("add", 8, R11, cell);
      relax(code, random);
      leaveWhenMoved(code, random, word, 8, out);
    });
  },
  // stores to a contended word in each turn
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick(both);
    code.set(R10, random.between(0, 5));
    bounded(code, random, () => code.store(width, word, R10).pause());
  },
  // a word is tested for bits, or compared with a constant
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick([1, 4, 8] as const);
    const value = random.between(0, 7);
    const condition = random.between(0, 15);
    const isTest = random.chance(50);
    bounded(code, random, (out) => {
      relax(code, random);
      if (isTest) code.testImmediate(width, word, value).jumpIf(condition, out);
      else code.opImmediate("cmp", width, word, value).jumpIf(condition, out);
    });
  },
  // deadline by the whole counter
  (code, random) => {
    const head = code.fresh();
    const now = (): void => void code.rdtsc().shift(4, 8, RDX, 32).op("or", 8, RAX, RDX);
    now();
    code
      .lea(8, RDI, { base: RAX, displacement: random.between(10, 900) })
      .label(head)
      .mark();
    relax(code, random);
    if (random.chance(20)) code.rdtscp().shift(4, 8, RDX, 32).op("or", 8, RAX, RDX);
    else now();
    if (random.chance(50)) code.op("sub", 8, RAX, RDI).jumpIf(SIGN, head);
    else code.op("cmp", 8, RAX, RDI).jumpIf(BELOW, head);
  },
  // deadline by the lower half of the counter, by difference or, with a bound, by order
  (code, random) => {
    const head = code.fresh();
    code.rdtsc().lea(4, RDI, { base: RAX, displacement: random.between(10, 900) });
    if (random.chance(50)) {
      code.label(head).pause().rdtsc().op("sub", 4, RAX, RDI).jumpIf(SIGN, head);
    } else {
      const condition = random.pick([BELOW, 6, 12, 14]);
      bounded(code, random, (out) => {
        code
          .pause()
          .rdtsc()
          .op("cmp", 4, RAX, RDI)
          .jumpIf(condition ^ 1, out);
      });
    }
  },
  // counted loops up and down, close to the wraps, with every condition
  (code, random) => {
    const head = code.fresh();
    const out = code.fresh();
    const width = random.pick([1, 2, 4, 8, 4, 8] as const);
    const start = random.pick([
      0n,
      1n,
      100n,
      0x7cn,
      0xf0n,
      0x7fc0n,
      0xffc0n,
      0x3fffffe0n,
      0x7fffffc0n,
      0xffffff80n,
      0x3fffffffffffffe0n,
      0x7fffffffffffffb0n,
      0xffffffffffffffa0n,
    ]);
    const cell = random.chance(25) ? privately(COUNTERS + 56) : undefined;
    const step = random.between(1, 3);
    // R9 is close to R8, or to its negative: then their difference overflows somewhere.
    const close = random.chance(75) ? start : -start;
    code.movImmediate(R8, start).movImmediate(R9, close + BigInt(random.between(-90, 90)));
    if (cell !== undefined) code.store(8, cell, R8);
    const counted = cell ?? R8;
    code.set(R15, 70).label(head).decrement(4, R15).jumpIf(EQUAL, out);
    const kind = random.between(0, 5);
    if (kind === 0) code.increment(width, counted);
    else if (kind === 1) code.decrement(width, counted);
    else if (kind === 2) code.opImmediate("add", width, counted, step);
    else if (kind === 3) code.opImmediate("sub", width, counted, step);
    else if (kind === 4 && cell === undefined) code.lea(width === 8 ? 8 : 4, R8, { base: R8, displacement: step });
    else code.opImmediate("add", width, counted, -step);
    const compare = random.between(0, 5);
    if (compare === 0) code.opImmediate("cmp", width, counted, Number(BigInt.asIntN(32, start)) + step);
    else if (compare === 1 && cell === undefined) code.test(width, R8, R8);
    else if (compare === 2) code.op("cmp", width, R9, counted);
    else if (compare === 3 && cell === undefined) code.op("cmp", width, R8, R9);
    else if (compare === 4 && cell === undefined) code.test(width, R8, R9);
    const condition = random.between(0, 15);
    // Flags may be used in more than one way.
    if (random.chance(25)) code.setIf(random.between(0, 15), random.chance(50) ? R10 : privately(40));
    if (random.chance(25)) code.moveIf(random.between(0, 15), random.pick(both), R11, random.chance(70) ? R8 : R9);
    if (random.chance(10)) code.pushf().pop(R12);
    code.jumpIf(condition, head).label(out);
  },
  // INC and DEC keep the carry that something before has left
  (code, random) => {
    const width = random.pick(both);
    const kind = random.between(0, 3);
    code.movImmediate(R8, random.pick([0n, 0xfffffff0n, 0x7ffffff0n, 0xfffffffffffffff0n]));
    code.movImmediate(R9, random.pick([0n, 0xffffff00n, 0xffffffffffffff00n]));
    const condition = random.pick([2, 3, 6, 7]);
    bounded(code, random, (out) => {
      if (kind === 0) code.stc();
      else if (kind === 1) code.clc();
      else code.opImmediate(kind === 2 ? "add" : "cmp", width, R9, random.between(1, 9));
      if (random.chance(50)) code.increment(width, R8);
      else code.decrement(width, R8);
      code.jumpIf(condition, out);
      if (random.chance(30)) code.op(random.pick(["adc", "sbb"] as const), width, R10, R9);
    });
  },
  // growth that is not affine
  (code, random) => {
    const width = random.pick(both);
    code.set(R8, random.between(1, 9)).set(R9, 1).set(R10, 3);
    const kind = random.between(0, 9);
    bounded(code, random, () => {
      relax(code, random);
      if (kind === 0) code.op("add", width, R8, R8);
      else if (kind === 1) code.copy(8, R11, R8).op("add", width, R8, R9).copy(8, R9, R11);
      else if (kind === 2) code.increment(width, R9).op("add", width, R8, R9);
      else if (kind === 3) code.imul(width, R8, R10);
      else if (kind === 4) code.shift(random.pick([0, 1, 4, 5, 7] as const), width, R8, random.between(1, 5));
      else if (kind === 5) code.lea(8, R8, { base: R8, index: R8, scale: random.pick([1, 2, 4, 8]) });
      else if (kind === 6) code.increment(width, R9).op("xor", width, R8, R9);
      else if (kind === 7) code.negate(width, R8).opImmediate("add", width, R8, 3);
      else if (kind === 8) code.increment(8, R9).movzx(random.pick([1, 2] as const), R8, R9);
      else code.lea(8, R8, { base: R8, index: R9, scale: 4, displacement: 5 }).increment(4, R10);
    });
  },
  // arithmetic of all kinds in a loop, registers, memory and immediates
  (code, random) => {
    const width = random.pick([1, 2, 4, 8, 4, 8] as const);
    const turn = Array.from({ length: random.between(1, 4) }, () => ({
      operation: random.pick<AluOperation>(aluOperations),
      from: random.pick([R8, R9, R10]),
      to: random.pick([R10, R11, R12]),
      kind: random.between(0, 3),
      value: random.between(-4, 4),
    }));
    code
      .set(R8, random.pick([0, 3, 0xf0, 0x7fff_fff0, 0xffff_ffe0]))
      .set(R9, 1)
      .set(R10, 0)
      .set(R11, 0)
      .set(R12, 0);
    const moves = random.between(0, 3);
    bounded(code, random, () => {
      relax(code, random);
      // Operands that move by a constant from turn to turn.
      if (moves === 1) code.increment(width, R8);
      else if (moves === 2) code.lea(8, R8, { base: R8, displacement: 16 }).opImmediate("add", width, R9, 3);
      else if (moves === 3) code.opImmediate("add", width, privately(COUNTERS), 1);
      for (const { operation, from, to, kind, value } of turn) {
        if (kind === 0) code.op(operation, width, to, from);
        else if (kind === 1) code.opImmediate(operation, width, to, value);
        else if (kind === 2) code.op(operation, width, to, privately(COUNTERS));
        else code.opTo(operation, width, privately(COUNTERS + 32), from);
      }
    });
  },
  // a call in the turn
  (code, random, place) => {
    const word = someWord(random, place);
    const routine = code.fresh();
    const over = code.fresh();
    const frame = random.between(0, 2);
    code.jump(over).label(routine).mark();
    if (frame > 0) code.push(R10).push(R15);
    relax(code, random);
    code.load(8, R9, word);
    if (frame === 2) code.increment(8, { base: RSP });
    if (frame > 0) code.pop(frame === 2 ? R12 : R15).pop(R10);
    code.ret().label(over).load(8, R8, word);
    const indirect = random.chance(40);
    if (indirect) code.lea(8, R13, { rip: true, displacement: code.addressOf(routine) });
    bounded(code, random, (out) => {
      if (indirect) code.callRegister(R13);
      else code.call(routine);
      code.op("cmp", 8, R9, R8).jumpIf(NOT_EQUAL, out);
    });
  },
  // pushes and pops
  (code, random) => {
    bounded(code, random, () => {
      code.push(R8).pushf().mark().push(R15).pop(R9).pop(R10).pop(R8);
      if (random.chance(50)) code.pushf().popf();
      relax(code, random);
    });
  },
  // an interrupt or NMI to one, to a cluster, to all or to all others
  (code, random, place) => {
    const target = BigInt(place.hardwareIds[random.between(0, place.cpus - 1)] ?? 0);
    const mode = random.chance(30) ? 0x400n : BigInt(someVector(random));
    const kind = random.between(0, 19);
    if (kind === 0) code.writeMsr(MSR_ICR, (3n << 18n) | mode);
    else if (kind === 1) code.writeMsr(MSR_ICR, (2n << 18n) | BigInt(someVector(random)));
    else if (kind === 2) code.writeMsr(MSR_ICR, (0xffff_ffffn << 32n) | mode);
    else if (kind === 3)
      code.writeMsr(MSR_ICR, ((logicalId(target) | BigInt(random.next() & 0xffff)) << 32n) | 0x800n | mode);
    else if (kind < 8) code.writeMsr(MSR_ICR, (logicalId(target) << 32n) | 0x800n | mode);
    else code.writeMsr(MSR_ICR, (target << 32n) | mode);
  },
  (code, random, place) => selfInterrupt(code, random, place),
  // HLT; an interrupt to oneself makes sure that it ends
  (code, random, place) => {
    const safe = random.chance(80);
    if (safe) code.cli();
    selfInterrupt(code, random, place);
    if (safe) code.sti();
    code.mark().hlt();
  },
  // MONITOR and MWAIT, with interrupts open or breaking on masked ones
  (code, random, place) => {
    const word = someWord(random, place);
    const masked = random.chance(50);
    const out = code.fresh();
    code.cli();
    if (random.chance(50)) selfInterrupt(code, random, place);
    code.lea(8, RAX, word).op("xor", 4, RCX, RCX).op("xor", 4, RDX, RDX).monitor();
    code.load(8, R8, word);
    if (random.chance(30)) code.testImmediate(4, word, 1).jumpIf(EQUAL, out);
    code.push(RAX).push(RCX);
    selfInterrupt(code, random, place);
    code.pop(RCX).pop(RAX);
    if (masked) code.set(RCX, 1);
    else code.sti();
    code.op("xor", 4, RAX, RAX).mark().mwait().label(out).sti();
  },
  // masked for a while, spinning
  (code, random, place) => {
    const word = someWord(random, place);
    code.cli().load(8, R8, word);
    bounded(code, random, (out) => {
      relax(code, random);
      leaveWhenMoved(code, random, word, 8, out);
    });
    code.mark().sti();
    if (random.chance(50)) code.pause().raw(0x90);
  },
  // masked within saved flags
  (code, random, place) => {
    const word = someWord(random, place);
    code.pushf().cli().increment(8, word, true);
    if (random.chance(50)) code.pause();
    code.popf();
  },
  // short windows, and shadows of STI and MOV SS
  (code, random) => {
    const kind = random.between(0, 2);
    if (kind === 0) code.set(RAX, DATA_SELECTOR).put({ opcode: [0x8e], reg: 2, rm: RAX });
    else if (kind === 1) code.cli().pause().sti();
    bounded(
      code,
      random,
      () => {
        if (kind === 2) code.cli().increment(4, R8).sti().raw(0x90);
        else code.increment(4, R9);
      },
      9,
    );
  },
  // priorities: the task's holds off what is not above it
  (code, random, place) => {
    const priority = random.between(1, 15);
    code.set(RAX, priority).raw(0x44, 0x0f, 0x22, 0xc0); // mov cr8, rax
    selfInterrupt(code, random, place);
    const word = someWord(random, place);
    code.load(8, R8, word);
    bounded(code, random, (out) => {
      relax(code, random);
      leaveWhenMoved(code, random, word, 8, out);
    });
    code.op("xor", 4, RAX, RAX).raw(0x44, 0x0f, 0x22, 0xc0);
  },
  // string instructions, private and shared, up and down
  (code, random, place) => {
    const shared: Memory = { base: RBX, displacement: random.between(0, place.lines - 1) * 64 + 24 };
    const somewhere = (): Memory => (random.chance(50) ? privately(STRINGS + 64) : shared);
    const width = random.pick([1, 2, 4, 8] as const);
    const repeat = random.pick(["", "repe", "repne", "repe"] as const);
    code.lea(8, RSI, somewhere()).lea(8, RDI, random.chance(75) ? privately(STRINGS + 60) : shared);
    code.set(RCX, random.between(0, 9)).set(RAX, random.between(0, 2));
    if (random.chance(30)) code.std();
    code.string(random.pick([0xa4, 0xa6, 0xaa, 0xac, 0xae]), width, repeat).cld();
  },
  // code in writable pages is run, and now and then written
  (code, random, { routines }) => {
    const routine = random.pick(routines);
    if (random.chance(20)) code.storeImmediate(4, { displacement: routine + 1 }, random.between(0, 9));
    code.set(R13, routine).callRegister(R13);
    if (random.chance(50)) bounded(code, random, () => code.callRegister(R13).pause(), 9);
  },
  // exceptions, software interrupts, single steps
  (code, random) => {
    const kind = random.between(0, 5);
    if (kind < 2) code.ud2();
    else if (kind === 2) code.raw(0xcc);
    else if (kind === 3) code.interrupt(someVector(random));
    else {
      code.pushf().opImmediate("or", 8, { base: RSP }, 0x100).popf();
      code.increment(4, R8).increment(8, privately(COUNTERS), true).pause();
      code.pushf().opImmediate("and", 8, { base: RSP }, ~0x100).popf();
    }
  },
  // fences and what empties the pipeline or the caches; a device
  (code, random, place) => {
    const kind = random.between(0, 6);
    if (kind === 0) code.mfence();
    else if (kind === 1) code.lfence().sfence();
    else if (kind === 2) code.push(RBX).op("xor", 4, RAX, RAX).cpuid().pop(RBX);
    else if (kind === 3) code.clflush(someWord(random, place));
    else if (kind === 4) code.set(RAX, 0x41).outByte(0xe9);
    else bounded(code, random, () => code.mfence().pause().opTo("add", 4, privately(COUNTERS), R15), 20);
  },
  // private work
  (code, random) => {
    for (let i = random.between(2, 12); i > 0; i--) {
      code.load(8, R8, privately(8 * random.between(0, 3))).op("xor", 8, R9, R8);
      code.shift(0, 8, R9, 5).store(8, privately(32), R9);
    }
  },
  lockedSplit,
];
