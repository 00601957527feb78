// Fuzz target: system registers, the GIC's and the UART's registers, SGIs and waits of arm64.

import { GICD_BASE, GICR_BASE, GICR_STRIDE, PL011_BASE } from "../../../src/abi.ts";
import type { A64 } from "../../support/a64.ts";
import type { Random } from "../../support/random.ts";
import type { Arm64Program } from "./arm64-program.ts";
import {
  DATA,
  ICC_DIR_EL1,
  ICC_EOIR0_EL1,
  ICC_EOIR1_EL1,
  ICC_IAR0_EL1,
  ICC_IAR1_EL1,
  ICC_IGRPEN0_EL1,
  ICC_IGRPEN1_EL1,
  ICC_PMR_EL1,
  ICC_SGI1R_EL1,
  RESUME,
  arm64RegisterDialect,
  mrs,
  msr,
  systemRegister,
} from "./arm64-program.ts";
import { plausible, someWord, type Kind, type Repertoire } from "./operations.ts";
import { registerTarget, type RegisterDialect } from "./target.ts";

export const arm64RegisterTarget = registerTarget(
  "arm64-registers",
  "system registers, GIC and UART, SGIs, waits",
  arm64InterruptDialect,
);

export function arm64InterruptDialect(): RegisterDialect {
  return arm64RegisterDialect(repertoire, { fixtures: [], startedLater: 8 });
}

// --- system registers --------------------------------------------------------------------------------------------------------

type Register = readonly [encoding: number, values: readonly (number | bigint)[]];

const intids = [0, 1, 7, 15, 16, 27, 30, 31, 32, 33, 1019, 1020, 1023, 8192] as const;

/** The GIC's CPU interface. */
const interfaceRegisters: readonly Register[] = [
  [ICC_PMR_EL1, [0xff, 0xf0, 0xc0, 0xa0, 0x80, 0]],
  [ICC_IAR0_EL1, []],
  [ICC_IAR1_EL1, []],
  [ICC_EOIR0_EL1, intids],
  [ICC_EOIR1_EL1, intids],
  [ICC_DIR_EL1, intids],
  [ICC_IGRPEN0_EL1, [0, 1, 1]],
  [ICC_IGRPEN1_EL1, [0, 1, 1]],
  [systemRegister(3, 0, 12, 8, 2), []], // ICC_HPPIR0_EL1
  [systemRegister(3, 0, 12, 12, 2), []], // ICC_HPPIR1_EL1
  [systemRegister(3, 0, 12, 8, 3), [0, 2, 5, 7]], // ICC_BPR0_EL1
  [systemRegister(3, 0, 12, 12, 3), [0, 3, 5, 7]], // ICC_BPR1_EL1
  [systemRegister(3, 0, 12, 8, 4), [0, 1, 0x8000_0000]], // ICC_AP0R0_EL1
  [systemRegister(3, 0, 12, 9, 0), [0, 1, 0x8000_0000]], // ICC_AP1R0_EL1
  [systemRegister(3, 0, 12, 11, 3), []], // ICC_RPR_EL1
  [systemRegister(3, 0, 12, 12, 4), [0, 1, 2, 3]], // ICC_CTLR_EL1
  [systemRegister(3, 0, 12, 12, 5), [7]], // ICC_SRE_EL1
  [systemRegister(3, 0, 12, 9, 5), []], // ICC_NMIAR1_EL1
];

/** PSTATE, exceptions, threads, identification, translation. */
const ordinaryRegisters: readonly Register[] = [
  [systemRegister(3, 3, 4, 2, 1), [0, 0x80, 0xc0, 0x3c0]], // DAIF
  [systemRegister(3, 3, 4, 2, 0), [0xf000_0000]], // NZCV
  [systemRegister(3, 0, 4, 3, 0), [0, 0x2000]], // ALLINT
  [systemRegister(3, 0, 4, 2, 0), [0, 1]], // SPSel
  [systemRegister(3, 0, 4, 1, 0), [DATA]], // SP_EL0
  [systemRegister(3, 0, 4, 2, 2), []], // CurrentEL
  [systemRegister(3, 0, 4, 2, 3), [0, 1]], // PAN
  [systemRegister(3, 0, 4, 0, 0), [5, 0x3c5, 4]], // SPSR_EL1
  [systemRegister(3, 0, 4, 0, 1), [DATA]], // ELR_EL1
  [systemRegister(3, 0, 5, 2, 0), [0]], // ESR_EL1
  [systemRegister(3, 0, 6, 0, 0), [0]], // FAR_EL1
  [systemRegister(3, 0, 12, 1, 0), []], // ISR_EL1
  [systemRegister(3, 0, 0, 0, 0), []], // MIDR_EL1
  [systemRegister(3, 0, 0, 0, 5), []], // MPIDR_EL1
  [systemRegister(3, 0, 0, 4, 0), []], // ID_AA64PFR0_EL1
  [systemRegister(3, 0, 0, 4, 1), []], // ID_AA64PFR1_EL1
  [systemRegister(3, 0, 13, 0, 4), [1]], // TPIDR_EL1
  [systemRegister(3, 3, 13, 0, 2), [1]], // TPIDR_EL0
  [systemRegister(3, 0, 1, 0, 2), [0x30_0000]], // CPACR_EL1
  [systemRegister(3, 0, 10, 2, 0), [0xff]], // MAIR_EL1
  [systemRegister(3, 3, 14, 0, 0), []], // CNTFRQ_EL0
  [systemRegister(3, 3, 14, 0, 1), []], // CNTPCT_EL0
  [systemRegister(3, 3, 14, 0, 2), []], // CNTVCT_EL0
  [systemRegister(3, 0, 14, 1, 0), [0, 3]], // CNTKCTL_EL1
];

/** CNTP and CNTV: TVAL, CTL, CVAL. */
const timerRegisters: readonly Register[] = [2, 3].flatMap((crm): Register[] => [
  [systemRegister(3, 3, 14, crm, 0), [0, 1, 50, 500, 0xffff_ffff]],
  [systemRegister(3, 3, 14, crm, 1), [0, 1, 1, 3]],
  [systemRegister(3, 3, 14, crm, 2), [0, 100, 1000]],
]);

/** SGIs of the other groups, the OS lock, MDSCR, and that which makes of all the rest something else. */
const otherRegisters: readonly Register[] = [
  [systemRegister(3, 0, 12, 11, 6), [0, 1]], // ICC_ASGI1R_EL1
  [systemRegister(3, 0, 12, 11, 7), [0, 1]], // ICC_SGI0R_EL1
  [systemRegister(2, 0, 1, 0, 4), [0, 1]], // OSLAR_EL1
  [systemRegister(2, 0, 0, 2, 2), [0]], // MDSCR_EL1
  [systemRegister(3, 0, 1, 0, 0), [0x30d0_0800, 0x30d0_0801]], // SCTLR_EL1
  [systemRegister(3, 0, 12, 0, 0), [DATA]], // VBAR_EL1
];

const VALUE = 1;

function write({ code }: Arm64Program, register: number, value: bigint): void {
  code.mov(VALUE, value);
  msr(code, register, VALUE);
}

function read({ code }: Arm64Program, register: number, random: Random): void {
  mrs(code, register, random.between(0, 25));
}

/** Reads it or writes it. */
function access(program: Arm64Program, random: Random, registers: readonly Register[]): void {
  const [register, values] = random.pick(registers);
  if (random.chance(35) || (values.length === 0 && random.chance(70))) read(program, register, random);
  else write(program, register, plausible(random, values));
}

const listed = new Set([...timerRegisters, ...otherRegisters].map(([encoding]) => encoding));

/** Any encoding of op0 2 or 3 that isn't among what is reckless. */
function someEncoding(random: Random): number {
  // Near one that there is, half of the time.
  const near = random.pick(random.chance(50) ? interfaceRegisters : ordinaryRegisters)[0];
  const encoding = random.chance(50) ? near ^ (1 << random.between(0, 13)) : 0x8000 | (random.next() & 0x7fff);
  return listed.has(encoding) ? ICC_PMR_EL1 : encoding;
}

/** With a target list, a range, all but itself; of the machine's affinities mostly. */
export function someSgi(random: Random, { place }: Arm64Program): bigint {
  const mpidr = BigInt(random.pick(place.topology.cpus).mpidr);
  const affinity =
    (((mpidr >> 32n) & 0xffn) << 48n) | (((mpidr >> 16n) & 0xffn) << 32n) | (((mpidr >> 8n) & 0xffn) << 16n);
  const range = (mpidr >> 4n) & 0xfn;
  const list = random.chance(50) ? 1 << Number(mpidr & 15n) : random.next() & 0xffff;
  const id = BigInt(random.between(0, 15));
  const all = random.chance(20) ? 1n << 40n : 0n;
  const stray = random.chance(8) ? 1n << BigInt(random.between(0, 63)) : 0n;
  return (affinity | (range << 44n) | (id << 24n) | BigInt(list) | all) ^ stray;
}

// --- devices -----------------------------------------------------------------------------------------------------------------

type DeviceRegister = readonly [offset: number, values: readonly number[]];

const everyBit = [0, 1, 0xffff, 0xffff_0000, 0xffff_ffff] as const;

/** Of a redistributor's two frames. */
const redistributorRegisters: readonly DeviceRegister[] = [
  [0x0, [0]],
  [0x4, [0]],
  [0x8, [0]],
  [0x14, [0, 0, 2]],
  [0xffe8, [0]],
  [0x1_0080, everyBit],
  [0x1_0100, everyBit],
  [0x1_0180, [1, 0xffff]],
  [0x1_0200, everyBit],
  [0x1_0280, everyBit],
  [0x1_0300, [1, 0x8000]],
  [0x1_0380, everyBit],
  [0x1_0400, [0xa0a0_a0a0, 0, 0x8040_20f8]],
  [0x1_0404, [0xa0a0_a0a0, 0, 0x8040_20f8]],
  [0x1_041c, [0xa0a0_a0a0, 0, 0x8040_20f8]],
  [0x1_0c00, [0]],
  [0x1_0c04, [0, 0xaaaa_aaaa]],
  [0x1_0d00, everyBit],
];

const distributorRegisters: readonly DeviceRegister[] = [
  [0x0, [0, 1, 2, 3, 0x53]],
  [0x4, [0]],
  [0x8, [0]],
  [0xc, [0]],
  [0xffe8, [0]],
];

/** Of shared peripheral interrupts and their routes, identification, and what nobody has. */
const spiRegisters: readonly DeviceRegister[] = [
  [0x10, [0]],
  [0x40, [32, 40]],
  [0x48, [32, 40]],
  ...[0x80, 0x84, 0x100, 0x104, 0x184, 0x204, 0x284, 0x304, 0x384, 0xd04].map((at): DeviceRegister => [at, everyBit]),
  [0x420, [0xa0a0_a0a0, 0]],
  [0x424, [0xa0a0_a0a0, 0]],
  [0xc08, [0, 0xaaaa_aaaa]],
  [0xe00, [0]],
  [0xf00, [0x1]],
  [0xf84, everyBit],
  [0x6100, [0, 1, 0x8000_0000]],
  [0x6104, [0]],
  [0x6108, [0, 1]],
  [0xffe0, [0]],
];

const uartRegisters: readonly DeviceRegister[] = [
  ...[0x0, 0x4, 0x18, 0x24, 0x28, 0x2c, 0x30, 0x34, 0x38, 0x3c, 0x40, 0x44, 0x48].map((at): DeviceRegister => [
    at,
    [0x41, 0x301, 0],
  ]),
  [0xfe0, [0]],
  [0xffc, [0]],
];

const ADDRESS = 2;
const sizes = [1, 2, 4, 8] as const;

/** An aligned word. */
function accessDevice(
  { code }: Arm64Program,
  random: Random,
  base: number,
  registers: readonly DeviceRegister[],
): void {
  const [offset, values] = random.pick(registers);
  code.mov(ADDRESS, base + offset);
  accessAt(code, random, 4, values);
}

/** Of any size, at the register or near it. */
function accessDeviceOddly(
  { code }: Arm64Program,
  random: Random,
  base: number,
  registers: readonly DeviceRegister[],
): void {
  const [offset, values] = random.pick(registers);
  code.mov(ADDRESS, base + offset + random.pick([0, 0, 1, 2, 4, random.between(0, 7)]));
  accessAt(code, random, random.pick(sizes), values);
}

function accessAt(code: A64, random: Random, size: number, values: readonly number[]): void {
  const kind = random.between(0, size === 4 ? 16 : 19);
  if (kind < 8) code.load(random.between(3, 25), ADDRESS, 0, size);
  else if (kind < 17) code.mov(VALUE, plausible(random, values)).store(VALUE, ADDRESS, 0, size);
  else if (kind < 18) code.loadPair(3, 4, ADDRESS, random.pick([0, 8]));
  else if (kind < 19) code.storePair(VALUE, 31, ADDRESS, 0);
  else if (random.chance(50)) code.loadExclusive(3, ADDRESS).storeExclusive(4, VALUE, ADDRESS);
  else code.loadAdd(VALUE, 3, ADDRESS, random.chance(50));
}

function accessRedistributor(program: Arm64Program, random: Random): void {
  accessDevice(program, random, someFrame(random, program), redistributorRegisters);
}

/** Its own redistributor's frames, another's, or beyond the last. */
function someFrame(random: Random, { place }: Arm64Program): number {
  const count = place.topology.cpus.length;
  const cpu = random.chance(60) ? place.cpu : random.between(0, count - (random.chance(90) ? 1 : 0));
  return GICR_BASE + cpu * GICR_STRIDE;
}

/** Anywhere in one of the windows, across their ends, or a little beyond. */
function accessAnywhere({ code, place }: Arm64Program, random: Random): void {
  const end = GICR_BASE + place.topology.cpus.length * GICR_STRIDE;
  const [from, to] = random.pick([
    [GICD_BASE, GICD_BASE + 0x1_0000],
    [GICD_BASE + 0xfff0, GICD_BASE + 0x1_0010],
    [GICR_BASE, end],
    [end - 16, end + 16],
    [PL011_BASE - 16, PL011_BASE + 0x1010],
  ] as const);
  const size = random.pick(sizes);
  code.mov(ADDRESS, (random.between(from, to) & (random.chance(80) ? -size : -1)) >>> 0);
  accessAt(code, random, size, everyBit);
}

// --- waits, returns ----------------------------------------------------------------------------------------------------------

/** WFI, WFE, with a timeout or without; mostly with something that ends it. */
function wait(program: Arm64Program, random: Random): void {
  const { code } = program;
  if (random.chance(60)) write(program, ICC_SGI1R_EL1, someSgi(random, program));
  if (random.chance(30)) code.sev();
  else if (random.chance(30)) code.sevl();
  const kind = random.between(0, 9);
  if (kind < 3) code.wfi();
  else if (kind < 8) code.wfe();
  else {
    mrs(code, systemRegister(3, 3, 14, 0, 2), 3);
    code.addImmediate(3, 3, random.between(0, 200)).word(random.pick([0xd503_1003, 0xd503_1023]));
  }
}

/** ERET to behind itself, with any mask and flags; now and then with any PSTATE. */
function returnBehind({ code }: Arm64Program, random: Random): void {
  const state = (random.next() & 0xf000_03c0) | random.pick([5, 5, 5, 4]);
  code.mov(VALUE, random.chance(95) ? state >>> 0 : random.next()).msr("spsr_el1", VALUE);
  code.msr("elr_el1", RESUME).eret();
}

export const interruptKinds: readonly Kind<Arm64Program>[] = [
  { weight: 16, emit: (program, random) => write(program, ICC_SGI1R_EL1, someSgi(random, program)) },
  { weight: 12, emit: ({ code }, random) => void code.daifclr(random.pick([2, 3, 3, 15, random.between(0, 15)])) },
  { weight: 4, emit: ({ code }, random) => void code.daifset(random.between(0, 15)) },
  { weight: 5, emit: returnBehind },
  { weight: 4, emit: wait },
  {
    // Acknowledges and ends outside of any handler.
    weight: 6,
    emit: ({ code }, random) => {
      mrs(code, random.chance(70) ? ICC_IAR1_EL1 : ICC_IAR0_EL1, 3);
      if (random.chance(80)) msr(code, random.chance(70) ? ICC_EOIR1_EL1 : ICC_EOIR0_EL1, 3);
      if (random.chance(30)) msr(code, ICC_DIR_EL1, 3);
    },
  },
  { weight: 2, emit: ({ code }) => void code.relax().relax() },
];

const repertoire: Repertoire<Arm64Program> = {
  usual: [
    ...interruptKinds,
    { weight: 24, emit: (program, random) => access(program, random, interfaceRegisters) },
    { weight: 14, emit: (program, random) => access(program, random, ordinaryRegisters) },
    { weight: 12, emit: (program, random) => read(program, someEncoding(random), random) },
    { weight: 12, emit: (program, random) => write(program, someEncoding(random), someWord(random)) },
    // MSR (immediate): PSTATE fields, ALLINT among them.
    { weight: 4, emit: ({ code }, random) => void code.word(0xd500_401f | (random.next() & 0x7_0fe0)) },
    { weight: 3, emit: ({ code }) => void code.isb() },
    { weight: 18, emit: accessRedistributor },
    { weight: 6, emit: (program, random) => accessDevice(program, random, GICD_BASE, distributorRegisters) },
    { weight: 8, emit: (program, random) => access(program, random, timerRegisters) },
    { weight: 6, emit: (program, random) => accessDevice(program, random, GICD_BASE, spiRegisters) },
    {
      weight: 6,
      emit: (program, random) => {
        if (random.chance(30)) accessDeviceOddly(program, random, GICD_BASE, distributorRegisters);
        else accessDeviceOddly(program, random, someFrame(random, program), redistributorRegisters);
      },
    },
  ],
  reckless: [
    // What a UART doesn't have ends the run.
    { weight: 2, emit: (program, random) => accessDevice(program, random, PL011_BASE, uartRegisters) },
    { weight: 2, emit: (program, random) => accessDeviceOddly(program, random, PL011_BASE, uartRegisters) },
    { weight: 3, emit: (program, random) => access(program, random, otherRegisters) },
    { weight: 6, emit: accessAnywhere },
    // Hints, barriers, SYS, MSR and MRS of any kind.
    { weight: 4, emit: ({ code }, random) => void code.word(0xd500_0000 | (random.next() & 0x3f_ffff)) },
    { weight: 1, emit: ({ code }, random) => void code.svc(random.next() & 0xff) },
  ],
};
