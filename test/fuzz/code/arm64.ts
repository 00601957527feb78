// Fuzz target: arm64 machine code.

import { GICD_BASE, GICR_BASE, GICR_STRIDE, PL011_BASE } from "../../../src/abi.ts";
import { encodingClasses } from "../../instructions/arm64/encoding-classes.ts";
import { encode } from "../../instructions/arm64/encodings.ts";
import { generate } from "../../instructions/arm64/programs/index.ts";
import { A64, systemRegisters, type SystemRegister } from "../../support/a64.ts";
import { randomMachine } from "../../support/random-machine.ts";
import type { Random } from "../../support/random.ts";
import { Bytes, drawPieces, somePiece, type Piece } from "./corpus.ts";
import { writeValue, type Content, type Dialect } from "./input.ts";
import { BLOCK_BYTES, CODE_PAGE, ROUTINES_PAGE, TABLES, TABLES_PAGE, offsetOf } from "./layout.ts";
import { codeTarget } from "./target.ts";

const RAM_BASE = 0x4000_0000;
const ROUTINES = RAM_BASE + offsetOf(ROUTINES_PAGE);
const VECTORS = RAM_BASE + offsetOf(TABLES_PAGE);
const CODE = RAM_BASE + offsetOf(CODE_PAGE);
const VECTOR_BYTES = 128;
const TABLE_BYTES = 16 * VECTOR_BYTES;

// A block: X0 to X30, then:
const BLOCK_SP = 248;
const BLOCK_ELR = 256;
const BLOCK_SPSR = 264;
const BLOCK_VBAR = 272;
const BLOCK_GICR = 280;

export const arm64CodeTarget = codeTarget("arm64-code", 2_850_000, arm64Dialect);

export function arm64Dialect(): Dialect {
  const corpus = makeCorpus();
  const drawn = drawPieces(templates.map((template) => (random) => bytesOf(template(random))));
  const routines = emitRoutines();
  return {
    architecture: "arm64",
    ramBase: RAM_BASE,
    fixtures: [{ address: ROUTINES, bytes: routines.bytes }, ...vectorTables()],
    code: (random) => someCode(random, corpus, drawn),
    block: (random, entry, cpu) => ({
      bytes: block(random, entry, cpu),
      routine: ROUTINES + (random.chance(60) ? 0 : routines.quiet),
    }),
    frame: 0,
    places,
  };
}

/** Devices, ids of PSCI's calls, affinities of SGI1R, addresses that aren't. */
const places: Dialect["places"] = [
  [0, GICD_BASE],
  [0, GICD_BASE + 0x100],
  [0, GICD_BASE + 0xfffc],
  [0, GICR_BASE + 0x14],
  [0, GICR_BASE + 0x1_0080],
  [0, GICR_BASE + 0x1_0200],
  [0, GICR_BASE + GICR_STRIDE - 4],
  [0, PL011_BASE],
  [0, PL011_BASE + 0xfff],
  [0, 0x8400_0000],
  [0, 0xc400_0003],
  [0, 0x8400_0002],
  [0, 0x8400_0008],
  [0x100, 0x300_0000],
  [0, 0x500_ffff],
  [0, 0xffff_fff8],
  [0x40, 0],
  [0x7fff_ffff, 0xffff_ffff],
  [0x8000_0000, 0],
  [0xffff_0000, 0x4000_0000],
  [0xffff_ffff, 0xffff_fffc],
];

// --- what stands in memory ---------------------------------------------------------------------------------------------------

/** Sets registers from the block that X0 points to, and returns to its ELR; the first entry opens interrupts before. */
function emitRoutines(): { readonly bytes: Uint8Array; readonly quiet: number } {
  const a = new A64();
  a.load(2, 0, BLOCK_GICR).store(31, 2, 0x14, 4);
  a.mov(4, 0x1_0000).add(2, 2, 4).mov(3, 0xffff_ffff).store(3, 2, 0x80, 4).mov(3, 0xffff).store(3, 2, 0x100, 4);
  a.mov(2, GICD_BASE).mov(3, 2).store(3, 2, 0, 4);
  a.mov(3, 0xff).msr("icc_pmr_el1", 3).mov(3, 1).msr("icc_igrpen1_el1", 3);
  const quiet = a.words.length * 4;
  a.load(1, 0, BLOCK_VBAR).msr("vbar_el1", 1);
  a.load(1, 0, BLOCK_ELR).msr("elr_el1", 1).load(1, 0, BLOCK_SPSR).msr("spsr_el1", 1);
  a.load(1, 0, BLOCK_SP).addImmediate(31, 1, 0);
  for (let register = 2; register < 30; register += 2) a.loadPair(register, register + 1, 0, 8 * register);
  a.load(30, 0, 240).loadPair(0, 1, 0, 0).eret();
  return { bytes: a.finish(), quiet };
}

/** Tables of vectors that go on behind the instruction, elsewhere, or nowhere. */
function vectorTables(): Content[] {
  return Array.from({ length: TABLES }, (_, table): Content => {
    const bytes = new Uint8Array(TABLE_BYTES);
    for (let vector = 0; vector < 16; vector++) {
      const handler = vector % 4 === 1 || vector % 4 === 2 ? interruptHandler(table) : exceptionHandler(table);
      bytes.set(handler, vector * VECTOR_BYTES);
    }
    return { address: VECTORS + table * TABLE_BYTES, bytes };
  });
}

function exceptionHandler(table: number): Uint8Array {
  const a = new A64();
  if (table < 4)
    a.mrs(28, "elr_el1")
      .addImmediate(28, 28, table === 3 ? 8 : 4)
      .msr("elr_el1", 28);
  else if (table < 6) a.mov(28, CODE + 64 * table).msr("elr_el1", 28);
  else if (table === 6) a.store(28, 28).svc();
  else return a.word(0).finish();
  if (table === 2) a.mov(28, 0x3c5).msr("spsr_el1", 28);
  return a.eret().finish();
}

function interruptHandler(table: number): Uint8Array {
  const a = new A64();
  a.mrs(27, "icc_iar1_el1");
  if (table === 1) a.daifclr(2).relax();
  if (table !== 5) a.msr("icc_eoir1_el1", 27);
  return a.eret().finish();
}

function block(random: Random, entry: number, cpu: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(BLOCK_BYTES));
  const dialect = { ramBase: RAM_BASE, places } as const;
  for (let at = 0; at <= BLOCK_SP; at += 8) writeValue(random, dialect, view, at);
  const put = (at: number, value: number): void => view.setUint32(at, value, true);
  if (random.chance(95)) put(BLOCK_ELR, entry);
  else writeValue(random, dialect, view, BLOCK_ELR);
  // EL1 with either stack, any mask; or any bits.
  const mode = random.next() & 0xf000_03c1;
  put(BLOCK_SPSR, random.chance(90) ? mode | 4 : random.next());
  if (random.chance(90))
    put(BLOCK_VBAR, VECTORS + random.between(0, random.chance(90) ? TABLES - 3 : TABLES - 1) * TABLE_BYTES);
  else writeValue(random, dialect, view, BLOCK_VBAR);
  put(BLOCK_GICR, GICR_BASE + cpu * GICR_STRIDE);
  return new Uint8Array(view.buffer);
}

// --- code --------------------------------------------------------------------------------------------------------------------

function makeCorpus(): Piece[] {
  const corpus: Uint8Array[] = [];
  for (let seed = 0; seed < 64; seed++) {
    corpus.push(bytesOf(generate(seed, CODE).words));
    if (seed % 4 !== 0) continue;
    const { guest } = randomMachine("arm64", seed, "tight");
    corpus.push(...guest.contents.map(({ bytes }) => bytes));
  }
  return corpus.map((bytes) => ({ bytes, starts: Array.from({ length: bytes.length / 4 }, (_, word) => 4 * word) }));
}

function bytesOf(words: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer);
}

const classes = Object.values(encodingClasses).map((diagram) => ({
  fixed: encode(diagram.replaceAll("x", "0"), {}),
  open: ~encode(diagram.replaceAll("0", "1").replaceAll("x", "0"), {}) >>> 0,
}));

const MOST_BYTES = 256;

function someCode(random: Random, corpus: readonly Piece[], drawn: readonly Uint8Array[]): Uint8Array {
  const code = new Bytes(MOST_BYTES);
  const length = 4 * random.between(4, 40);
  while (code.length < length) {
    const kind = random.between(0, 9);
    if (kind < 1) code.word(random.next());
    else if (kind < 4) {
      const { fixed, open } = random.pick(classes);
      code.word((random.next() & open) | fixed);
    } else if (kind < 7) code.piece(somePiece(random, corpus));
    else code.piece(random.pick(drawn));
  }
  // Often back to where it began, or thereabouts.
  if (random.chance(70)) code.word(0x1400_0000 | (-random.between(0, code.length / 4) & 0x3ff_ffff));
  if (random.chance(40)) damage(random, code.all);
  return code.all;
}

function damage(random: Random, bytes: Uint8Array): void {
  for (let left = random.between(1, 4); left > 0; left--) {
    bytes[random.between(0, bytes.length - 1)]! ^= 1 << random.between(0, 7);
  }
}

const systemNames = Object.keys(systemRegisters) as SystemRegister[];

/** What stop paths do and random words seldom are: system registers, waits, loops, exclusive accesses, stores to code. */
const templates: readonly ((random: Random) => number[])[] = [
  (random) => new A64().msr(random.pick(systemNames), random.between(0, 31)).words,
  (random) => new A64().mrs(random.between(0, 31), random.pick(systemNames)).words,
  (random) => [0xd500_0000 | (random.next() & 0x3f_ffff)],
  (random) => new A64().hint(random.between(0, 7)).words,
  (random) => new A64().daifclr(random.between(0, 15)).words,
  (random) => new A64().daifset(random.between(0, 15)).words,
  (random) => new A64().mov(0, 0x8400_0000 + random.between(0, 20)).hvc().words,
  (random) =>
    new A64()
      .isb()
      .dmb()
      .svc(random.next() & 0xff).words,
  (random) => new A64().mov(random.between(0, 30), random.next()).words,
  (random) => spin(random),
  (random) => {
    const [address, old, value] = [random.between(0, 30), random.between(0, 30), random.between(0, 31)];
    return new A64().loadExclusive(old, address).storeExclusive(random.between(0, 31), value, address).words;
  },
  (random) => {
    const a = new A64().mov(1, (1 << random.between(0, 12)) | (random.between(0, 15) << 24));
    return a.msr("icc_sgi1r_el1", 1).words;
  },
  (random) => {
    const a = new A64().mov(2, CODE + 4 * random.between(0, 1024));
    return a.store(random.between(0, 31), 2, 0, random.pick([4, 8])).words;
  },
];

/** A short loop around a load, a count, a wait or a read of the time. */
function spin(random: Random): number[] {
  const a = new A64().mov(9, random.between(1, 60)).label("head");
  const body = random.between(0, 5);
  if (body === 0) a.load(5, random.between(0, 30)).cmp(5, 6);
  else if (body === 1) a.relax();
  else if (body === 2) a.mrs(5, "cntvct_el0");
  else if (body === 3) a.store(9, random.between(0, 30));
  else if (body === 4) a.loadAdd(9, 5, random.between(0, 30));
  else a.word(random.next());
  if (random.chance(50)) a.relax();
  a.subsImmediate(9, 9, random.between(0, 2)).bCondition(random.pick(["ne", "cs", "pl", "al"] as const), "head");
  a.finish();
  return a.words;
}
