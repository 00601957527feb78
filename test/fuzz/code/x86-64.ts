// Fuzz target: x86-64 machine code.

import { XAPIC_BASE } from "../../../src/abi.ts";
import { drawPrograms } from "../../instructions/x86-64/programs.ts";
import { R8, RAX, RBX, RCX, RDI, RDX, RSP, le } from "../../instructions/x86-64/code.ts";
import { randomMachine } from "../../support/random-machine.ts";
import { Random } from "../../support/random.ts";
import {
  MSR_APIC_BASE,
  MSR_EOI,
  MSR_ICR,
  MSR_SELF_IPI,
  MSR_SVR,
  MSR_TSC,
  MSR_TSC_DEADLINE,
  X64,
  aluOperations,
} from "../../support/x64.ts";
import { Bytes, drawPieces, somePiece, type Piece } from "./corpus.ts";
import { writeValue, type Content, type Dialect } from "./input.ts";
import {
  BLOCKS_PAGE,
  BLOCK_BYTES,
  CODE_PAGE,
  DATA_PAGE,
  MOST_STARTS,
  ROUTINES_PAGE,
  TABLES,
  TABLES_PAGE,
  offsetOf,
} from "./layout.ts";
import { codeTarget } from "./target.ts";

const ROUTINES = offsetOf(ROUTINES_PAGE);
const CODE = offsetOf(CODE_PAGE);
const IDTS = offsetOf(TABLES_PAGE);
const IDT_BYTES = 4096;
/** Behind the last block. */
const GDT = offsetOf(BLOCKS_PAGE, MOST_STARTS * BLOCK_BYTES);
const GDT_BYTES = 0x40;
const GDT_POINTER = GDT + GDT_BYTES;
const CODE_SELECTOR = 0x08;
const DATA_SELECTOR = 0x10;

// A block: RAX to R15, then what IRETQ takes (RIP, CS, RFLAGS, RSP, SS), and what LIDT does.
const BLOCK_FRAME = 128;
const BLOCK_IDT = 176;

export const x86CodeTarget = codeTarget("x86-64-code", 2_850_000, x86Dialect);

export function x86Dialect(): Dialect {
  const corpus = makeCorpus();
  const drawn = drawPieces(templates.map((template) => (random) => Uint8Array.from(template(random))));
  const routines = emitRoutines();
  return {
    architecture: "x86-64",
    ramBase: 0,
    fixtures: [
      { address: ROUTINES, bytes: routines.finish() },
      { address: GDT, bytes: descriptors() },
      ...idts(routines),
    ],
    code: (random) => someCode(random, corpus, drawn),
    block: (random, entry) => ({
      bytes: block(random, entry),
      routine: routines.addressOf(random.chance(60) ? "open" : "quiet"),
    }),
    frame: BLOCK_FRAME,
    places,
  };
}

/** Where the APIC would be, MSRs, commands to it, edges, addresses that aren't canonical. */
const places: Dialect["places"] = [
  [0, 0xfee0_0000],
  [0, 0xfee0_0300],
  [0, 0x800],
  [0, 0x830],
  [0, 0x83f],
  [0, 0xc000_0080],
  [0, 0x4_4000],
  [0, 0xffff_fff8],
  [0, 0xffff_ffff],
  [1, 0],
  [0x7fff, 0xffff_fffc],
  [0x8000, 0],
  [0xffff_7fff, 0xffff_ffff],
  [0xffff_8000, 0],
  [0x8000_0000, 0],
  [0xffff_ffff, 0xffff_ffff],
  [0xffff_ffff, 0xffff_fffc],
];

// --- what stands in memory ---------------------------------------------------------------------------------------------------

const skips = [1, 2, 3, 4, 7] as const;

/** Sets registers from the block that RDI points to and leaves by IRETQ; handlers that go on behind, or elsewhere. */
function emitRoutines(): X64 {
  const code = new X64(ROUTINES);
  code.label("open").writeMsr(MSR_SVR, 0x1ffn).label("quiet");
  code.put({ opcode: [0x0f, 0x01], reg: 3, rm: { base: RDI, displacement: BLOCK_IDT } });
  code.put({ opcode: [0x0f, 0x01], reg: 2, rm: { displacement: GDT_POINTER } });
  for (let register = 0; register < 16; register++) {
    if (register !== RSP && register !== RDI) code.load(8, register, { base: RDI, displacement: 8 * register });
  }
  code.load(8, RDI, { base: RDI, displacement: 8 * RDI }).iret();
  for (const skip of skips) {
    code.label(`skipWithCode${skip}`).lea(8, RSP, { base: RSP, displacement: 8 });
    code.label(`skip${skip}`).opImmediate("add", 8, { base: RSP }, skip).iret();
    code.label(`awayWithCode${skip}`).lea(8, RSP, { base: RSP, displacement: 8 });
    code
      .label(`away${skip}`)
      .storeImmediate(8, { base: RSP }, CODE + 64 * skip)
      .iret();
  }
  code.label("interrupt").push(RAX).push(RCX).push(RDX).writeMsr(MSR_EOI, 0n).pop(RDX).pop(RCX).pop(RAX).iret();
  code.label("open interrupt").sti().pause().raw(0x90).jump("interrupt");
  return code.label("return").iret();
}

/** Flat 64-bit code and data (SDM 3A 3.4.5), segments that are no such thing, and the pointer for LGDT. */
function descriptors(): Uint8Array {
  const bytes = new Uint8Array(GDT_BYTES + 16);
  bytes.set([0xff, 0xff, 0, 0, 0, 0x9b, 0xaf, 0], CODE_SELECTOR);
  bytes.set([0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0], DATA_SELECTOR);
  bytes.set([0xff, 0xff, 0, 0, 0, 0x13, 0xcf, 0], 0x18);
  bytes.set([0xff, 0xff, 0, 0, 0, 0xfb, 0xaf, 0], 0x20);
  bytes.set([0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0], 0x28);
  bytes.set([...le(GDT_BYTES - 1, 2), ...le(GDT, 8)], GDT_BYTES);
  return bytes;
}

const withCode = new Set([8, 10, 11, 12, 13, 14, 17]);

/** IDTs with handlers of all kinds; the last have gates that are damaged, and none. */
function idts(routines: X64): Content[] {
  return Array.from({ length: TABLES }, (_, table): Content => {
    const random = new Random(table);
    const bytes = new Uint8Array(IDT_BYTES);
    for (let vector = 0; vector < 256 && table < TABLES - 1; vector++) {
      const target = routines.addressOf(handlerOf(random, vector));
      const type = vector >= 32 || random.chance(80) ? 0x8e : 0x8f;
      const gate = [...le(target & 0xffff, 2), ...le(CODE_SELECTOR, 2), 0, type, ...le(target >>> 16, 2)];
      bytes.set(gate, 16 * vector);
      if (table === TABLES - 2 && random.chance(30))
        bytes[16 * vector + random.between(0, 15)]! ^= 1 << random.between(0, 7);
    }
    return { address: IDTS + table * IDT_BYTES, bytes };
  });
}

function handlerOf(random: Random, vector: number): string {
  if (vector === 2) return "return";
  if (vector >= 32) return random.chance(70) ? "interrupt" : "open interrupt";
  const where = random.chance(vector === 14 ? 20 : 70) ? "skip" : "away";
  return `${where}${withCode.has(vector) ? "WithCode" : ""}${random.pick(skips)}`;
}

const RFLAGS_BITS = 0x4_0fd5;

function block(random: Random, entry: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(BLOCK_BYTES));
  const dialect = { ramBase: 0, places } as const;
  for (let at = 0; at < BLOCK_FRAME; at += 8) writeValue(random, dialect, view, at);
  const put = (at: number, value: number): void => view.setUint32(at, value, true);
  if (random.chance(95)) put(BLOCK_FRAME, entry);
  else writeValue(random, dialect, view, BLOCK_FRAME);
  put(BLOCK_FRAME + 8, random.chance(97) ? CODE_SELECTOR : random.next() & 0xff);
  // Single steps only now and then: they make everything an exception.
  const flags = random.chance(95) ? random.next() & RFLAGS_BITS & ~0x100 : random.next();
  put(BLOCK_FRAME + 16, flags);
  if (random.chance(90)) put(BLOCK_FRAME + 24, offsetOf(DATA_PAGE + 1) + random.between(0, 0x3000));
  else writeValue(random, dialect, view, BLOCK_FRAME + 24);
  put(BLOCK_FRAME + 32, random.chance(97) ? DATA_SELECTOR : random.next() & 0xff);
  view.setUint16(BLOCK_IDT, random.chance(97) ? IDT_BYTES - 1 : random.next(), true);
  put(BLOCK_IDT + 2, IDTS + random.between(0, random.chance(90) ? TABLES - 3 : TABLES - 1) * IDT_BYTES);
  return new Uint8Array(view.buffer);
}

// --- code --------------------------------------------------------------------------------------------------------------------

function makeCorpus(): Piece[] {
  const { programs } = drawPrograms(1, 64);
  const corpus = programs.map(({ address, bytes, notes }): Piece => {
    return { bytes, starts: notes.map((note) => note.address - address) };
  });
  for (let seed = 0; seed < 16; seed++) {
    const { contents, marks } = randomMachine("x86-64", seed, "tight").guest;
    for (const { address, bytes } of contents) {
      const starts = marks.map((mark) => mark - address).filter((start) => start >= 0 && start < bytes.length);
      if (starts.length > 0) corpus.push({ bytes, starts: starts.sort((a, b) => a - b) });
    }
  }
  return corpus;
}

const MOST_BYTES = 256;

function someCode(random: Random, corpus: readonly Piece[], drawn: readonly Uint8Array[]): Uint8Array {
  const code = new Bytes(MOST_BYTES);
  const length = random.between(8, 160);
  while (code.length < length) {
    const kind = random.between(0, 9);
    if (kind < 1) putRandom(random, code, random.between(1, 15));
    else if (kind < 4) putEncoding(random, code);
    else if (kind < 7) code.piece(somePiece(random, corpus));
    else code.piece(random.pick(drawn));
  }
  if (random.chance(70)) {
    // Often back to where it began, or thereabouts.
    code.byte(0xe9);
    code.word(-random.between(5, code.length + 4));
  }
  if (random.chance(40)) damage(random, code.all);
  return code.all;
}

function putRandom(random: Random, code: Bytes, count: number): void {
  for (let left = count; left > 0; left--) code.byte(random.next());
}

const prefixes = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65] as const;
const maps: readonly (readonly number[])[] = [[], [], [], [0x0f], [0x0f], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];

/** Prefixes, an opcode of one of the maps, and whatever may follow. */
function putEncoding(random: Random, code: Bytes): void {
  for (let left = random.pick([0, 0, 0, 1, 1, 2, 4]); left > 0; left--) code.byte(random.pick(prefixes));
  const kind = random.between(0, 9);
  if (kind === 0) code.byte(0xc5);
  else if (kind === 1) {
    code.byte(0xc4);
    code.byte((random.next() & 0xe0) | random.between(1, 3));
  } else {
    if (random.chance(40)) code.byte(0x40 | (random.next() & 15));
    for (const byte of random.pick(maps)) code.byte(byte);
  }
  // VEX has a byte more before the opcode.
  putRandom(random, code, (kind < 2 ? 3 : 2) + random.pick([0, 1, 1, 2, 4, 5, 8]));
}

function damage(random: Random, bytes: Uint8Array): void {
  for (let left = random.between(1, 4); left > 0; left--) {
    const at = random.between(0, bytes.length - 1);
    if (random.chance(50)) bytes[at]! ^= 1 << random.between(0, 7);
    else bytes[at] = random.next();
  }
}

const registers = [
  ...[MSR_TSC, MSR_EOI, MSR_SVR, MSR_ICR, MSR_SELF_IPI, 0x1b, 0x3b, 0x6e0, 0xc000_0080, 0xc000_0081, 0xc000_0101],
  ...Array.from({ length: 0x40 }, (_, register) => 0x800 + register),
] as const;

const piece = (): X64 => new X64(0);

/** What stop paths do and random bytes seldom are: MSRs, interrupts, waits, loops, stores to code. */
const templates: readonly ((random: Random) => readonly number[])[] = [
  (random) => piece().writeMsr(random.pick(registers), BigInt(random.next() & 0xff)).bytes,
  (random) => piece().set(RCX, random.pick(registers)).wrmsr().bytes,
  (random) => piece().set(RCX, random.pick(registers)).raw(0x0f, 0x32).bytes,
  (random) => piece().writeMsr(MSR_ICR, interruptCommand(random)).bytes,
  (random) => piece().writeMsr(MSR_APIC_BASE, BigInt(XAPIC_BASE | random.pick([0, 0x800, 0x800, 0xc00, 0x900]))).bytes,
  (random) =>
    piece().writeMsr(random.pick(timerRegisters), BigInt(random.next() & random.pick([0x7_00ff, 0xfff]))).bytes,
  (random) =>
    piece().rdtsc().opImmediate("add", 4, RAX, random.between(-99, 999)).set(RCX, MSR_TSC_DEADLINE).wrmsr().bytes,
  (random) => pageAccess(random).bytes,
  (random) => piece().writeMsr(MSR_SELF_IPI, BigInt(random.next() & 0xff)).bytes,
  (random) => piece().raw(...random.pick([[0xfa], [0xfb], [0xfb, 0xf4], [0xf4], [0xfc], [0xfd], [0xcc]])).bytes,
  (random) => piece().raw(0x44, 0x0f, random.pick([0x20, 0x22]), 0xc0 | (random.next() & 7)).bytes,
  (random) => piece().raw(0x0f, random.pick([0x20, 0x22]), 0xc0 | (random.next() & 0x3f)).bytes,
  (random) =>
    piece()
      .lea(8, RAX, { base: random.between(0, 15) })
      .monitor()
      .mwait().bytes,
  (random) => piece().raw(0xcd, random.next() & 0xff).bytes,
  (random) =>
    piece()
      .set(RCX, random.between(0, 40))
      .string(
        random.pick([0xa4, 0xa6, 0xaa, 0xac, 0xae]),
        random.pick([1, 2, 4, 8]),
        random.pick(["repe", "repne"] as const),
      ).bytes,
  (random) => piece().string(random.pick([0xa4, 0xa6, 0xaa, 0xac, 0xae]), random.pick([1, 8]), "repe").bytes,
  (random) =>
    piece().storeImmediate(random.pick([1, 4, 8]), { displacement: CODE + random.between(0, 4096) }, random.next())
      .bytes,
  (random) =>
    piece().opTo(
      random.pick(aluOperations),
      random.pick([1, 4, 8]),
      { base: RBX, displacement: random.between(0, 130) },
      random.between(0, 15),
      random.chance(50),
    ).bytes,
  (random) => piece().raw(0xeb, random.next() & 0xff).bytes,
  (random) => piece().raw(0x70 | (random.next() & 15), -random.between(0, 40) & 0xff).bytes,
  () => piece().pushf().opImmediate("or", 8, { base: RSP }, 0x100).popf().bytes,
  (random) => spin(random),
];

/** LVT timer, TMICT, TDCR. */
const timerRegisters = [0x832, 0x838, 0x83e] as const;

/** Loads and stores in the page of the local APIC, most of them of its registers. */
function pageAccess(random: Random): X64 {
  const at = { base: RDX, displacement: random.between(0, 0x40) * 16 + random.pick([0, 0, 0, 0, 0, 4, 14]) };
  const width = random.pick([1, 2, 4, 4, 4, 8] as const);
  const code = piece().set(RDX, XAPIC_BASE);
  if (random.chance(30)) return code.load(width, RAX, at);
  if (random.chance(10)) return code.increment(width, at, random.chance(30));
  return code.storeImmediate(width, at, random.next() & random.pick([0xff, 0x7_0fff, 0xffff_ffff]));
}

function interruptCommand(random: Random): bigint {
  const target = BigInt(random.chance(80) ? random.between(0, 12) : random.next());
  return (target << 32n) | BigInt(random.next() & (random.chance(80) ? 0xc_0cff : 0xffff_ffff));
}

/** A short loop around a load, a store, a count, a pause or a read of the time. */
function spin(random: Random): readonly number[] {
  const code = piece().set(R8, random.between(1, 60)).label("head");
  const at = { base: random.between(0, 15), displacement: random.between(0, 70) };
  const body = random.between(0, 6);
  if (body === 0) code.op("cmp", 8, RAX, at);
  else if (body === 1) code.pause();
  else if (body === 2) code.rdtsc();
  else if (body === 3) code.store(random.pick([1, 4, 8]), at, R8);
  else if (body === 4) code.xadd(random.pick([4, 8]), at, RDX, random.chance(50));
  else if (body === 5) code.push(RAX).pop(RDX);
  else code.raw(random.next() & 0xff, random.next() & 0xff);
  if (random.chance(50)) code.pause();
  code.decrement(random.pick([4, 8]), R8).jumpIf(random.between(0, 15), "head");
  return [...code.finish()];
}
