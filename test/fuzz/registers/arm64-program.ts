// What the programs of the arm64 targets have in common: vectors, handlers, how a program begins, how an operation does.

import { GICD_BASE, GICR_BASE, GICR_STRIDE } from "../../../src/abi.ts";
import type { TopologyParameters } from "../../../src/topology/index.ts";
import { A64 } from "../../support/a64.ts";
import type { Random } from "../../support/random.ts";
import type { Content } from "../code/input.ts";
import { BLOCKS_PAGE, DATA_PAGE, ROUTINES_PAGE, TABLES, TABLES_PAGE, offsetOf } from "../code/layout.ts";
import { emitOne, type Repertoire } from "./operations.ts";
import type { Place, RegisterDialect, Writer } from "./target.ts";

export const RAM_BASE = 0x4000_0000;
const VECTORS = RAM_BASE + offsetOf(TABLES_PAGE);
const VECTOR_BYTES = 128;
const TABLE_BYTES = 16 * VECTOR_BYTES;
/** Code that both targets may be sent to; the firmware target has handlers there. */
export const ROUTINES = RAM_BASE + offsetOf(ROUTINES_PAGE);
/** Readable and writable, not executable. */
export const DATA = RAM_BASE + offsetOf(DATA_PAGE);
export const BLOCKS = RAM_BASE + offsetOf(BLOCKS_PAGE);

/** Scratch of handlers; where to go on behind a fault; operations so far. Firmware preserves X18 to X30. */
const SCRATCH = 26;
export const RESUME = 27;
const COUNT = 28;

/** op0:op1:CRn:CRm:op2, 16 bits, as MRS and MSR have it in bits 20:5. */
export function systemRegister(op0: number, op1: number, crn: number, crm: number, op2: number): number {
  return (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;
}

export function mrs(code: A64, register: number, to: number): void {
  code.word(0xd520_0000 | (register << 5) | to);
}

export function msr(code: A64, register: number, from: number): void {
  code.word(0xd500_0000 | (register << 5) | from);
}

export const ICC_PMR_EL1 = systemRegister(3, 0, 4, 6, 0);
export const ICC_IAR0_EL1 = systemRegister(3, 0, 12, 8, 0);
export const ICC_EOIR0_EL1 = systemRegister(3, 0, 12, 8, 1);
export const ICC_IAR1_EL1 = systemRegister(3, 0, 12, 12, 0);
export const ICC_EOIR1_EL1 = systemRegister(3, 0, 12, 12, 1);
export const ICC_DIR_EL1 = systemRegister(3, 0, 12, 11, 1);
export const ICC_IGRPEN0_EL1 = systemRegister(3, 0, 12, 12, 6);
export const ICC_IGRPEN1_EL1 = systemRegister(3, 0, 12, 12, 7);
export const ICC_SGI1R_EL1 = systemRegister(3, 0, 12, 11, 5);

/** From one CPU to six: threads, clusters, affinities of all four levels with gaps, one that is offline. */
const one: TopologyParameters = { packages: 1, coresPerLlc: 1 };
const shapes: readonly TopologyParameters[] = [
  one,
  { ...one, coresPerLlc: 2, threadsPerCore: 2, mpidrs: "multithreaded" },
  { packages: 2, coresPerLlc: 3, mpidrs: "cluster" },
  { packages: 1, llcsPerDie: 2, coresPerLlc: 3 },
  { packages: 1, coresPerLlc: 4, mpidrs: [0, 0x11, 0x1_00ff, 0x12_0034_5607] },
  { packages: 1, coresPerLlc: 5, mpidrs: [1, 3, 0x100, 0x20_0000, 0x1_0000_0000], offline: "4" },
];

/** Both arm64 targets, but for what their operations are and what else stands in memory. */
export function arm64RegisterDialect(
  repertoire: Repertoire<Arm64Program>,
  { fixtures, startedLater }: Pick<RegisterDialect, "fixtures" | "startedLater">,
): RegisterDialect {
  return {
    architecture: "arm64",
    ramBase: RAM_BASE,
    fixtures: [...vectorTables(), ...fixtures],
    shapes,
    startedLater,
    begin: (random, place) => new Arm64Program(random, place, repertoire),
    countRegister: COUNT,
  };
}

// --- handlers ----------------------------------------------------------------------------------------------------------------

function vectorTables(): Content[] {
  return Array.from({ length: TABLES }, (_, table): Content => {
    const bytes = new Uint8Array(TABLE_BYTES);
    for (let vector = 0; vector < 16; vector++) {
      const a = new A64();
      const kind = vector % 4;
      if (kind === 0) faultHandler(a, table);
      else if (kind === 3) a.eret();
      else interruptHandler(a, table === TABLES - 1 ? vector % 7 : table, kind === 1);
      bytes.set(a.finish(), vector * VECTOR_BYTES);
    }
    return { address: VECTORS + table * TABLE_BYTES, bytes };
  });
}

/** Goes on where the operation says, with what table 5 makes of PSTATE. */
function faultHandler(a: A64, table: number): void {
  if (table === 5) a.mov(SCRATCH, 0x5).msr("spsr_el1", SCRATCH);
  a.msr("elr_el1", RESUME).eret();
}

/** Acknowledges and ends, one of both, or none. */
function interruptHandler(a: A64, kind: number, irq: boolean): void {
  const [acknowledge, end] = irq ? [ICC_IAR1_EL1, ICC_EOIR1_EL1] : [ICC_IAR0_EL1, ICC_EOIR0_EL1];
  if (kind === 6) {
    // Leaves it pending, and masks it.
    a.mov(SCRATCH, 0x3c5).msr("spsr_el1", SCRATCH).eret();
    return;
  }
  mrs(a, acknowledge, SCRATCH);
  if (kind === 1) a.daifclr(3).relax().relax().daifset(3);
  if (kind === 2) {
    // Whatever there is to be ended.
    mrs(a, irq ? ICC_IAR0_EL1 : ICC_IAR1_EL1, SCRATCH);
    msr(a, irq ? ICC_EOIR0_EL1 : ICC_EOIR1_EL1, SCRATCH);
  }
  if (kind !== 3) msr(a, end, SCRATCH);
  if (kind === 4) msr(a, ICC_DIR_EL1, SCRATCH);
  a.eret();
}

// --- programs ----------------------------------------------------------------------------------------------------------------

export class Arm64Program implements Writer {
  readonly code = new A64();
  readonly place: Place;
  readonly #repertoire: Repertoire<Arm64Program>;

  constructor(random: Random, place: Place, repertoire: Repertoire<Arm64Program>) {
    this.place = place;
    this.#repertoire = repertoire;
    const { code } = this;
    code.mov(1, VECTORS + random.between(0, TABLES - 1) * TABLE_BYTES).msr("vbar_el1", 1);
    code.mov(1, DATA + 4096 * (place.cpu + 1)).addImmediate(31, 1, 0);
    // Where a fault before the first operation goes on.
    this.#resume(4 * 80);
    if (random.chance(90)) this.#openInterrupts(random);
    if (random.chance(70)) code.daifclr(random.pick([2, 3, 15]));
    while (code.words.length < 80) code.nop();
    code.label("turn");
  }

  get length(): number {
    return 4 * this.code.words.length;
  }

  /** ADR of an offset in the program. */
  #resume(offset: number): void {
    this.code.word(adr(RESUME, offset - this.length));
  }

  /** The distributor's groups, its own redistributor, its CPU interface. */
  #openInterrupts(random: Random): void {
    const { code, place } = this;
    const frame = GICR_BASE + place.cpu * GICR_STRIDE;
    code.mov(1, GICD_BASE).mov(2, 0x53).store(2, 1, 0, 4);
    code.mov(1, frame).store(31, 1, 0x14, 4);
    code.mov(1, frame + 0x1_0000);
    code.mov(2, random.chance(70) ? 0xffff_ffff : random.next()).store(2, 1, 0x80, 4);
    code.mov(2, random.chance(70) ? 0xffff_ffff : random.next()).store(2, 1, 0x100, 4);
    code.mov(2, random.pick([0xff, 0xff, 0xf0, 0xa0]));
    msr(code, ICC_PMR_EL1, 2);
    code.mov(2, 1);
    msr(code, ICC_IGRPEN0_EL1, 2);
    msr(code, ICC_IGRPEN1_EL1, 2);
  }

  operation(random: Random): void {
    const { code } = this;
    const at = code.words.length;
    code.word(0).addImmediate(COUNT, COUNT, 1);
    emitOne(this.#repertoire, this, random, this.place.reckless);
    code.words[at] = adr(RESUME, 4 * (code.words.length - at));
  }

  end(random: Random): Uint8Array {
    const { code } = this;
    if (random.chance(60)) return code.b("turn").finish();
    return code
      .label("sleep")
      .daifclr(2)
      .wfi()
      .b(random.chance(50) ? "sleep" : "turn")
      .finish();
  }
}

function adr(register: number, offset: number): number {
  return (0x1000_0000 | ((offset & 3) << 29) | (((offset >> 2) & 0x7_ffff) << 5) | register) >>> 0;
}
