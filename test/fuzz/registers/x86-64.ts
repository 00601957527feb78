// Fuzz target: MSRs, the local APIC's page, ports, CR8, interrupts and waits of x86-64.

import type { Topology, TopologyParameters } from "../../../src/topology/index.ts";
import { R13, R14, R15, RAX, RBX, RCX, RDX, RSP, le } from "../../instructions/x86-64/code.ts";
import type { Random } from "../../support/random.ts";
import { MSR_EOI, MSR_ICR, MSR_SELF_IPI, MSR_SVR, MSR_TSC, X64 } from "../../support/x64.ts";
import type { Content } from "../code/input.ts";
import { BLOCKS_PAGE, DATA_PAGE, ROUTINES_PAGE, TABLES, TABLES_PAGE, offsetOf } from "../code/layout.ts";
import { emitOne, plausible, someWord, type Kind, type Repertoire } from "./operations.ts";
import { registerTarget, type Place, type RegisterDialect, type Writer } from "./target.ts";

const ROUTINES = offsetOf(ROUTINES_PAGE);
const IDTS = offsetOf(TABLES_PAGE);
const IDT_BYTES = 4096;
/** The pointers for LGDT, and for LIDT by number of the table. */
const GDT = offsetOf(BLOCKS_PAGE);
const GDT_BYTES = 0x20;
const POINTER_BYTES = 16;
const GDT_POINTER = GDT + GDT_BYTES;
const IDT_POINTERS = GDT_POINTER + POINTER_BYTES;
const CODE_SELECTOR = 0x08;
const DATA_SELECTOR = 0x10;
/** A page for each CPU: what it watches below, its stack above. */
const DATA = offsetOf(DATA_PAGE);
const PAGE = 4096;

/** Top of the stack; where to go on behind a fault; operations so far. */
const STACK_TOP = R13;
const RESUME = R14;
const COUNT = R15;

const APIC_PAGE = 0xfee0_0000;
const IA32_APIC_BASE = 0x1b;
const IA32_TSC_ADJUST = 0x3b;
const IA32_TSC_DEADLINE = 0x6e0;
const MSR_TPR = 0x808;
const MSR_ESR = 0x828;
const MSR_LVT_TIMER = 0x832;
const MSR_INITIAL_COUNT = 0x838;
const MSR_DIVIDE = 0x83e;

export const x86RegisterTarget = registerTarget("x86-registers", "MSRs, APIC page, ports, waits", x86RegisterDialect);

const one: TopologyParameters = { packages: 1, coresPerLlc: 1 };

/** From one CPU to six: siblings, ids with holes, ids of several clusters and beyond eight bits, one that is offline. */
const shapes: readonly TopologyParameters[] = [
  one,
  { ...one, threadsPerCore: 2 },
  { packages: 2, coresPerLlc: 3 },
  { packages: 1, coresPerLlc: 2, threadsPerCore: 3 },
  { packages: 1, llcsPerDie: 2, coresPerLlc: 2, apicIds: [0, 9, 0x11, 0xfe] },
  { packages: 1, coresPerLlc: 5, apicIds: [3, 0x12, 0xff, 0x10f, 0xf_fff1], offline: "4" },
];

export function x86RegisterDialect(): RegisterDialect {
  const routines = emitHandlers();
  return {
    architecture: "x86-64",
    ramBase: 0,
    fixtures: [
      { address: ROUTINES, bytes: routines.finish() },
      { address: GDT, bytes: descriptors() },
      ...idts(routines),
    ],
    shapes,
    startedLater: 8,
    begin: (random, place) => new Program(random, place),
    countRegister: COUNT,
  };
}

// --- handlers ----------------------------------------------------------------------------------------------------------------

const interruptHandlers = ["end", "end", "end by page", "none", "open", "end twice", "send", "raise"] as const;

/** Faults go on where the operation says; interrupts are ended, or aren't, and do more or less besides. */
function emitHandlers(): X64 {
  const code = new X64(ROUTINES);
  code.label("faultWithCode").lea(8, RSP, { base: RSP, displacement: 8 });
  code.label("fault").store(8, { base: RSP }, RESUME).label("return").iret();
  // A breakpoint's IRET unblocks NMIs within the handler.
  code.label("nested").raw(0xcc, 0x90).iret();
  code.label("none").push(RAX).pop(RAX).iret();
  const handler = (name: string, body: (code: X64) => void): void => {
    code.label(name).push(RAX).push(RCX).push(RDX);
    body(code);
    code.pop(RDX).pop(RCX).pop(RAX).iret();
  };
  const end = (): X64 => code.writeMsr(MSR_EOI, 0n);
  handler("end", end);
  handler("end by page", () => code.set(RCX, APIC_PAGE).storeImmediate(4, { base: RCX, displacement: 0xb0 }, 0));
  handler("open", () => {
    code.sti().pause().cli();
    end();
  });
  handler("end twice", () => {
    end();
    end();
  });
  handler("send", () => {
    code.writeMsr(MSR_ICR, 0xc_0041n);
    end();
  });
  handler("raise", () => {
    code.writeMsr(MSR_TPR, 0x60n);
    end();
  });
  return code;
}

const withCode = new Set([8, 10, 11, 12, 13, 14, 17]);

/** A table for each sort of handler; with the last, every vector has another. */
function idts(routines: X64): Content[] {
  const handlerOf = (table: number, vector: number): string => {
    if (vector === 2) return table % 2 === 0 ? "return" : "nested";
    if (vector === 1 || vector === 3) return "return";
    if (vector < 32) return withCode.has(vector) ? "faultWithCode" : "fault";
    return interruptHandlers[table === TABLES - 1 ? vector % interruptHandlers.length : table] ?? "end";
  };
  return Array.from({ length: TABLES }, (_, table): Content => {
    const bytes = new Uint8Array(IDT_BYTES);
    for (let vector = 0; vector < 256; vector++) {
      const target = routines.addressOf(handlerOf(table, vector));
      // The last table has trap gates, which leave IF alone, for some interrupts.
      const type = table === TABLES - 1 && vector % 5 === 0 ? 0x8f : 0x8e;
      const gate = [...le(target & 0xffff, 2), ...le(CODE_SELECTOR, 2), 0, type, ...le(target >>> 16, 2)];
      bytes.set(gate, 16 * vector);
    }
    return { address: IDTS + table * IDT_BYTES, bytes };
  });
}

/** Flat 64-bit code and data (SDM 3A 3.4.5), and the pointers. */
function descriptors(): Uint8Array {
  const bytes = new Uint8Array(GDT_BYTES + (1 + TABLES) * POINTER_BYTES);
  bytes.set([0xff, 0xff, 0, 0, 0, 0x9b, 0xaf, 0], CODE_SELECTOR);
  bytes.set([0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0], DATA_SELECTOR);
  bytes.set([...le(GDT_BYTES - 1, 2), ...le(GDT, 8)], GDT_BYTES);
  for (let table = 0; table < TABLES; table++) {
    const pointer = [...le(IDT_BYTES - 1, 2), ...le(IDTS + table * IDT_BYTES, 8)];
    bytes.set(pointer, GDT_BYTES + (1 + table) * POINTER_BYTES);
  }
  return bytes;
}

// --- programs ----------------------------------------------------------------------------------------------------------------

class Program implements Writer {
  readonly code: X64;
  readonly place: Place;
  #operations = 0;

  constructor(random: Random, place: Place) {
    this.place = place;
    this.code = new X64(place.entry);
    const { code } = this;
    code.set(STACK_TOP, this.data + PAGE).copy(8, RSP, STACK_TOP);
    code.put({ opcode: [0x0f, 0x01], reg: 2, rm: { displacement: GDT_POINTER } });
    const table = random.between(0, TABLES - 1);
    code.put({ opcode: [0x0f, 0x01], reg: 3, rm: { displacement: IDT_POINTERS + table * POINTER_BYTES } });
    code.lea(8, RESUME, { rip: true, displacement: code.here + 7 });
    if (random.chance(90)) code.writeMsr(MSR_SVR, 0x1ffn);
    if (random.chance(70)) code.sti();
    code.label("turn");
  }

  get length(): number {
    return this.code.bytes.length;
  }

  /** The page of data of its CPU. */
  get data(): number {
    return DATA + this.place.cpu * PAGE;
  }

  operation(random: Random): void {
    const { code } = this;
    const behind = `behind ${this.#operations++}`;
    code.put({ opcode: [0x8d], reg: RESUME, rm: { rip: true, displacement: 0 }, wide: true });
    code.bytes.length -= 4;
    code.relative(behind, 4).copy(8, RSP, STACK_TOP).increment(8, COUNT);
    emitOne(repertoire, this, random, this.place.reckless);
    code.label(behind);
  }

  end(random: Random): Uint8Array {
    const { code } = this;
    code.copy(8, RSP, STACK_TOP);
    if (random.chance(60)) return code.jump("turn").finish();
    return code
      .label("sleep")
      .sti()
      .hlt()
      .jump(random.chance(50) ? "sleep" : "turn")
      .finish();
  }
}

/** MSRs other than the APIC's, with values that they take. */
const registers: readonly (readonly [msr: number, values: readonly (number | bigint)[]])[] = [
  [MSR_TSC, [0, 1000, 0xffff_ffff_ffff_0000n]],
  [IA32_TSC_ADJUST, [0, 5, 0xffff_ffff_ffff_fff0n]],
  [IA32_TSC_DEADLINE, [0, 1, 500, 2000]],
  [0xc000_0080, [0x500, 0x501, 0xd01, 0x100, 0]],
  [0xc000_0081, [0x10_0008n << 32n, 0]],
  [0xc000_0082, [0x1000, 0xffff_8000_0000_0000n]],
  [0xc000_0083, [0x1000]],
  [0xc000_0084, [0x4_7700, 0x200]],
  [0xc000_0100, [0, DATA]],
  [0xc000_0101, [0, DATA]],
  [0xc000_0102, [0, DATA]],
  [0xc000_0103, [0, 7]],
  [0x17, []],
  [0x8b, [0]],
  [0xc1, [0, 0xffff_fff0]],
  [0x174, [8]],
  [0x175, [DATA]],
  [0x176, [0x1000]],
  [0x186, [0x41_003c]],
  [0x1a0, [1]],
  [0x277, [0x7_0406_0007_0406n]],
  [0x2ff, [0xc00]],
  [0x38f, [0, 1]],
  [0x6e1, []],
];

/** The APIC's registers by their offset in its page, with values that they take. */
const apicRegisters: readonly (readonly [offset: number, values: readonly (number | bigint)[]])[] = [
  [0x20, [0x0100_0000]],
  [0x30, [0]],
  [0x80, [0, 0x10, 0x2f, 0x60, 0xf0]],
  [0xa0, [0]],
  [0xb0, [0, 0, 0]],
  [0xd0, [0x0100_0000, 0x1100_0000, 0xff00_0000]],
  [0xe0, [0xffff_ffff, 0x0fff_ffff]],
  [0xf0, [0x1ff, 0x1ff, 0x1fe, 0x11ff, 0x3ff, 0xff]],
  [0x100, [0]],
  [0x180, [0]],
  [0x200, [0]],
  [0x280, [0, 0, 0xff]],
  [0x2f0, [0x1_00f0, 0xf0]],
  [0x320, [0x1_00ec, 0xec, 0xed, 0x2_00ec, 0x4_00ec, 0x0c]],
  [0x330, [0x1_0000, 0xfa, 0x400]],
  [0x340, [0x1_0000, 0x400, 0xf4]],
  [0x350, [0x1_0000, 0x700, 0x8700]],
  [0x360, [0x1_0000, 0x400]],
  [0x370, [0x1_00fe, 0xfe, 0x0e]],
  [0x380, [0, 1, 10, 100, 1000, 0xffff_ffff]],
  [0x390, [0]],
  [0x3e0, [0, 1, 2, 3, 8, 9, 0xa, 0xb]],
  [0x3f0, [0xf0]],
];

function wrmsr({ code }: Program, msr: number, value: bigint): void {
  code.writeMsr(msr, value);
}

function rdmsr({ code }: Program, msr: number): void {
  code.set(RCX, msr).raw(0x0f, 0x32);
}

function someMsr(random: Random): number {
  const kind = random.between(0, 9);
  if (kind < 5) return 0x800 + random.between(0, 0xff);
  if (kind < 8) return (random.pick(registers)[0] + random.between(0, 4) - 2) >>> 0;
  if (kind < 9) return random.between(0, 0x1fff) + random.pick([0, 0x4000_0000, 0xc000_0000, 0xc001_0000]);
  return random.next();
}

/** Of a CPU of the machine mostly. */
function someApicId(random: Random, { cpus }: Topology): number {
  if (random.chance(80)) return random.pick(cpus).apicId;
  return random.pick([0xff, 0xffff_ffff, random.between(0, 32), random.next()]);
}

/** Physical or logical, in x2APIC mode. */
function someDestination(random: Random, topology: Topology): { readonly logical: boolean; readonly id: bigint } {
  const id = someApicId(random, topology);
  if (random.chance(60)) return { logical: false, id: BigInt(id) };
  const members = random.chance(50) ? 1 << (id & 15) : random.next() & 0xffff;
  return { logical: true, id: (BigInt((id >>> 4) & 0xffff) << 16n) | BigInt(members) };
}

/** Fixed interrupts and NMIs; of the other modes each. */
const usualModes = [0, 0, 0, 4] as const;
const allModes = [0, 1, 1, 2, 3, 4, 5, 6, 6, 7] as const;
const shorthands = [0, 0, 0, 0, 1, 2, 3, 3] as const;

function someCommand(random: Random, modes: readonly number[]): number {
  const mode = random.pick(modes);
  const vector = random.chance(85) ? random.between(0x20, 0xff) : random.between(0, 0xff);
  // A page number for a start-up; nothing for the others.
  const low = mode === 0 || mode === 1 ? vector : random.chance(70) ? random.pick([0, 0, 11, 12]) : vector;
  const level = random.chance(30) ? random.next() & 0xc000 : 0x4000;
  const stray = random.chance(4) ? 1 << random.between(0, 31) : 0;
  return (((mode << 8) | low | level | (random.pick(shorthands) << 18)) ^ stray) >>> 0;
}

function sendByMsr(program: Program, random: Random, modes: readonly number[]): void {
  const { logical, id } = someDestination(random, program.place.topology);
  wrmsr(program, MSR_ICR, (id << 32n) | BigInt(someCommand(random, modes) | (logical ? 0x800 : 0)));
}

/** Destination first, as software must. */
function sendByPage({ code, place }: Program, random: Random, modes: readonly number[]): void {
  const destination = random.chance(70) ? someApicId(random, place.topology) : random.between(0, 255);
  code.set(RBX, APIC_PAGE);
  if (random.chance(90)) code.storeImmediate(4, { base: RBX, displacement: 0x310 }, (destination << 24) >>> 0);
  const command = someCommand(random, modes) | (random.chance(30) ? 0x800 : 0);
  code.storeImmediate(4, { base: RBX, displacement: 0x300 }, command);
}

const widths = [1, 2, 4, 8] as const;

/** Mostly an aligned word of a register that there is. */
function somePageAccess({ code }: Program, random: Random): void {
  const [offset, values] = random.pick(apicRegisters);
  const regular = random.chance(75);
  const width = regular ? 4 : random.pick(widths);
  const address =
    APIC_PAGE + (regular ? offset : random.chance(50) ? offset + random.between(0, 15) : random.between(0, 4095));
  // Above 2 GiB a displacement would be sign-extended.
  code.set(RBX, address);
  if (random.chance(45)) code.load(width, RAX, { base: RBX });
  else if (random.chance(90)) {
    code.movImmediate(RDX, plausible(random, values)).store(width, { base: RBX }, RDX);
  } else code.set(RAX, random.next()).opTo("or", width, { base: RBX }, RAX, random.chance(50));
}

/** The debug console, the reason port, the serial port, the keyboard's, that of delays, any. */
const ports = [0xe9, 0x61, 0x61, 0x3f8, 0x3fd, 0x60, 0x64, 0x70, 0x71, 0x80, 0xcf8, 0x20, 0x21] as const;
const EXIT_PORT = 0xf4;

function somePort({ code }: Program, random: Random): void {
  const any = random.next() & 0xffff;
  code.set(RDX, random.chance(80) || any === EXIT_PORT ? random.pick(ports) : any).set(RAX, random.next());
  // IN and OUT by DX, of one byte, of a word, of four bytes.
  const opcode = random.pick([0xec, 0xee]) | random.between(0, 1);
  if (random.chance(20)) code.raw(0x66);
  code.raw(opcode);
}

/** Interrupt, or a line that somebody writes, or nothing, to end the wait. */
function waitFor({ code, place, data }: Program, random: Random): void {
  if (random.chance(60)) code.writeMsr(MSR_SELF_IPI, BigInt(random.between(0x20, 0xff)));
  if (random.chance(30)) code.set(RCX, MSR_INITIAL_COUNT).set(RDX, 0).set(RAX, random.between(1, 300)).wrmsr();
  if (random.chance(40)) {
    code.raw(random.chance(80) ? 0xfb : 0xfa, 0xf4);
    return;
  }
  const watched = random.chance(60) ? data : DATA + random.between(0, place.topology.cpus.length - 1) * PAGE;
  code.set(RAX, watched).set(RCX, 0).set(RDX, 0).monitor();
  code.set(RCX, random.pick([0, 0, 1, 1, 2]));
  if (random.chance(50)) code.raw(random.chance(70) ? 0xfb : 0xfa);
  code.mwait();
}

/** IRETQ to behind itself, with or without IF: it unblocks NMIs. */
function iretq({ code }: Program, random: Random): void {
  code.set(RAX, DATA_SELECTOR).push(RAX).push(STACK_TOP);
  code.set(RAX, random.chance(90) ? random.pick([0x2, 0x202]) : random.next() & 0x4_0ed7).push(RAX);
  code.set(RAX, random.chance(97) ? CODE_SELECTOR : random.next() & 0xff).push(RAX);
  code.push(RESUME).iret();
}

function deadline({ code }: Program, random: Random): void {
  if (random.chance(50)) code.writeMsr(MSR_LVT_TIMER, random.pick([0x4_00ecn, 0x4_00e0n, 0x5_00ecn]));
  code.rdtsc().opImmediate("add", 4, RAX, random.between(0, 400)).opImmediate("adc", 4, RDX, 0);
  code.set(RCX, IA32_TSC_DEADLINE).wrmsr();
}

/** One-shot or periodic. */
function timer(program: Program, random: Random): void {
  wrmsr(program, MSR_DIVIDE, BigInt(random.pick([0, 1, 3, 0xb, 0xb])));
  wrmsr(program, MSR_LVT_TIMER, BigInt(random.pick([0xec, 0xed, 0x2_00ec, 0x2_0031, 0x1_00ec])));
  wrmsr(program, MSR_INITIAL_COUNT, BigInt(random.pick([1, 7, 20, 100, 400, 0])));
}

// --- the rest of the operations ----------------------------------------------------------------------------------------------

function writeOrdinary(program: Program, random: Random): void {
  const [msr, values] = random.pick(registers);
  wrmsr(program, msr, plausible(random, values));
}

function writeApic(program: Program, random: Random): void {
  const [offset, values] = random.pick(apicRegisters);
  wrmsr(program, 0x800 + (offset >>> 4), plausible(random, values));
}

function readSome(program: Program, random: Random): void {
  const kind = random.between(0, 2);
  if (kind === 0) rdmsr(program, random.pick(registers)[0]);
  else if (kind === 1) rdmsr(program, 0x800 + (random.pick(apicRegisters)[0] >>> 4));
  else rdmsr(program, someMsr(random));
}

/** MOV to CR8, and from it. */
function taskPriority({ code }: Program, random: Random): void {
  if (random.chance(40)) code.raw(0x44, 0x0f, 0x20, 0xc0);
  else code.set(RAX, random.chance(80) ? random.between(0, 15) : random.next()).raw(0x44, 0x0f, 0x22, 0xc0);
}

function interruptFlag({ code }: Program, random: Random): void {
  const kind = random.between(0, 4);
  if (kind === 0) code.cli();
  else if (kind === 1)
    code
      .set(RAX, random.pick([2, 0x202]))
      .push(RAX)
      .popf();
  else code.sti();
  if (random.chance(30)) code.raw(0x90);
}

/** MOV SS holds interrupts off for an instruction. */
function loadStackSegment({ code }: Program): void {
  code.set(RAX, DATA_SELECTOR).raw(0x8e, 0xd0, 0x90);
}

function readTime({ code }: Program, random: Random): void {
  if (random.chance(50)) code.rdtsc();
  else code.rdtscp();
}

function identify({ code }: Program, random: Random): void {
  code.set(RAX, random.pick([0, 1, 6, 0xb, 0x15, 0x1f, 0x8000_0001]));
  code.set(RCX, random.between(0, 3)).cpuid();
}

/** IA32_APIC_BASE is among what is reckless. */
function writeAny(program: Program, random: Random): void {
  const msr = someMsr(random);
  wrmsr(program, msr === IA32_APIC_BASE ? MSR_TPR : msr, someWord(random));
}

function sendUsualByMsr(program: Program, random: Random): void {
  sendByMsr(program, random, usualModes);
}

function sendUsualByPage(program: Program, random: Random): void {
  sendByPage(program, random, usualModes);
}

function sendToSelf(program: Program, random: Random): void {
  wrmsr(program, MSR_SELF_IPI, BigInt(random.between(0, 0x101)));
}

function endOfInterrupt(program: Program): void {
  wrmsr(program, MSR_EOI, 0n);
}

function latchErrors(program: Program, random: Random): void {
  wrmsr(program, MSR_ESR, random.chance(80) ? 0n : someWord(random));
}

function softwareInterrupt({ code }: Program, random: Random): void {
  code.interrupt(random.between(2, 0xff));
}

function pause({ code }: Program): void {
  code.pause();
}

/** To a line that somebody may watch. */
function storeWatched({ code, place }: Program, random: Random): void {
  const cpu = random.between(0, place.topology.cpus.length - 1);
  code.storeImmediate(4, { displacement: DATA + cpu * PAGE }, random.next());
}

const usual: readonly Kind<Program>[] = [
  { weight: 12, emit: writeOrdinary },
  { weight: 20, emit: writeApic },
  { weight: 8, emit: writeAny },
  { weight: 24, emit: readSome },
  { weight: 18, emit: sendUsualByMsr },
  { weight: 5, emit: sendUsualByPage },
  { weight: 8, emit: sendToSelf },
  { weight: 14, emit: somePageAccess },
  { weight: 6, emit: endOfInterrupt },
  { weight: 3, emit: latchErrors },
  { weight: 4, emit: timer },
  { weight: 4, emit: deadline },
  { weight: 6, emit: somePort },
  { weight: 6, emit: taskPriority },
  { weight: 15, emit: interruptFlag },
  { weight: 4, emit: waitFor },
  { weight: 5, emit: iretq },
  { weight: 3, emit: loadStackSegment },
  { weight: 3, emit: softwareInterrupt },
  { weight: 3, emit: readTime },
  { weight: 3, emit: identify },
  { weight: 5, emit: storeWatched },
  { weight: 2, emit: pause },
  { weight: 4, emit: sendAnyByMsr },
  { weight: 2, emit: sendAnyByPage },
  { weight: 2, emit: changeMode },
];

/** Disabled, xAPIC and x2APIC mode, the illegal one, elsewhere. */
const apicBases = [0xfee0_0000, 0xfee0_0800, 0xfee0_0900, 0xfee0_0c00, 0xfee0_0d00, 0xfee0_0400, 0xfed0_0800] as const;

function sendAnyByMsr(program: Program, random: Random): void {
  sendByMsr(program, random, allModes);
}

function sendAnyByPage(program: Program, random: Random): void {
  sendByPage(program, random, allModes);
}

function writeApicBase(program: Program, random: Random): void {
  wrmsr(program, IA32_APIC_BASE, plausible(random, apicBases));
}

/** To xAPIC mode, or through it and back. */
function changeMode(program: Program, random: Random): void {
  wrmsr(program, IA32_APIC_BASE, 0xfee0_0000n);
  wrmsr(program, IA32_APIC_BASE, 0xfee0_0800n);
  if (random.chance(40)) wrmsr(program, IA32_APIC_BASE, 0xfee0_0c00n);
}

/** SYSCALL, to wherever. */
function systemCall({ code }: Program): void {
  code.raw(0x0f, 0x05);
}

function exit({ code }: Program): void {
  code.set(RDX, EXIT_PORT).raw(0xee);
}

const reckless: readonly Kind<Program>[] = [
  { weight: 4, emit: writeApicBase },
  { weight: 1, emit: systemCall },
  { weight: 1, emit: exit },
];

const repertoire: Repertoire<Program> = { usual, reckless };
