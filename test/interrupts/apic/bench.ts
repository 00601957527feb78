// What the rules about the local APIC are stated with: small programs, one per CPU, that note what they read, which
// interrupts they take, and which accesses raise #GP, in that order.

import { Counter } from "../../../src/abi.ts";
import type { LocalInterrupt, StopReason } from "../../../src/abi.ts";
import { buildTopology } from "../../../src/topology/index.ts";
import { R14, RAX, RCX, RDX, RSP } from "../../instructions/x86-64/code.ts";
import { BareMachine, PAGE_RW, PAGE_RX } from "../../support/bare-machine.ts";
import { plainTiming, type Figures } from "../../support/plain-timing.ts";
import { X64 } from "../../support/x64.ts";
import { loadTables, writeTables } from "./tables.ts";

const CODE = 0x1_0000;
const CODE_BYTES = 0x2_0000;
const STACKS = 0x9_0000;
const STACK_BYTES = 0x1000;
const LOGS = 0xb_0000;
const LOG_BYTES = 0x1000;
/** Kinds of entries. */
const [READ, TAKEN, PROTECTED] = [1, 2, 3];
const PROTECTION = 13;
const NMI = 2;

/** Registers, by the MSR that they are in x2APIC mode. */
export const APIC = {
  ID: 0x802,
  VERSION: 0x803,
  TPR: 0x808,
  APR: 0x809,
  PPR: 0x80a,
  EOI: 0x80b,
  RRD: 0x80c,
  LDR: 0x80d,
  DFR: 0x80e,
  SVR: 0x80f,
  ISR: 0x810,
  TMR: 0x818,
  IRR: 0x820,
  ESR: 0x828,
  CMCI: 0x82f,
  ICR: 0x830,
  ICR_HIGH: 0x831,
  TIMER: 0x832,
  THERMAL: 0x833,
  PERFORMANCE: 0x834,
  LINT0: 0x835,
  LINT1: 0x836,
  ERROR: 0x837,
  TMICT: 0x838,
  TMCCT: 0x839,
  TDCR: 0x83e,
  SELF_IPI: 0x83f,
} as const;
export const MSR = { TSC: 0x10, APIC_BASE: 0x1b, TSC_ADJUST: 0x3b, TSC_DEADLINE: 0x6e0 } as const;
export const PAGE = 0xfee0_0000;
export const MASKED = 1 << 16;
/** Divide register: by 1. */
export const BY_ONE = 0xb;
/** One CPU's software-enabled SVR, with the spurious vector that Linux has. */
export const ENABLED = 0x1ff;

/** IA32_APIC_BASE of CPU 0, by mode. */
export const base = {
  disabled: 0xfee0_0100n,
  xapic: 0xfee0_0900n,
  x2apic: 0xfee0_0d00n,
  extdOnly: 0xfee0_0500n,
} as const;

export class ApicProgram extends X64 {
  /** What RAX holds is noted. */
  note(): this {
    return this.#log(READ);
  }

  #log(kind: number): this {
    this.storeImmediate(8, { base: R14 }, kind).store(8, { base: R14, displacement: 8 }, RAX);
    return this.lea(8, R14, { base: R14, displacement: 16 });
  }

  write(register: number, value: number): this {
    return this.writeApic(register, value);
  }

  read(register: number): this {
    return this.readApic(register).note();
  }

  /** RDMSR that notes nothing but its #GP. */
  probeMsr(msr: number): this {
    return this.set(RCX, msr).rdmsr();
  }

  /** All 64 bits of an MSR. */
  readMsr(msr: number): this {
    this.set(RCX, msr).rdmsr();
    return this.shift(4, 8, RDX, 32).op("or", 8, RAX, RDX).note();
  }

  /** A load of the page of xAPIC mode, whatever the mode. */
  loadPage(offset: number, width: 1 | 2 | 4 | 8 = 4): this {
    return this.op("xor", 4, RAX, RAX)
      .set(RDX, PAGE + offset)
      .load(width, RAX, { base: RDX })
      .note();
  }

  storePage(offset: number, value: number): this {
    return this.set(RDX, PAGE + offset).storeImmediate(4, { base: RDX }, value);
  }

  readCr8(): this {
    return this.raw(0x44, 0x0f, 0x20, 0xc0).note();
  }

  writeCr8(value: number): this {
    return this.set(RAX, value).raw(0x44, 0x0f, 0x22, 0xc0);
  }

  /** Lets at least so many cycles pass. */
  wait(cycles = 1000): this {
    const head = this.fresh();
    return this.set(RCX, Math.ceil(cycles / 2))
      .label(head)
      .decrement(4, RCX)
      .jumpIf(5, head);
  }

  /** Interrupts are open for a while. */
  open(cycles = 1000): this {
    return this.sti().wait(cycles).cli();
  }

  cpuidNote(leaf: number, register: number): this {
    return this.set(RAX, leaf).set(RCX, 0).cpuid().copy(8, RAX, register).note();
  }

  emitHandler(vector: number, ends: boolean): this {
    this.label(`vector${vector}`).push(RAX).push(RCX).push(RDX).set(RAX, vector).#log(TAKEN);
    if (ends) this.writeApic(APIC.EOI, 0);
    return this.pop(RDX).pop(RCX).pop(RAX).iret();
  }

  /** Notes a #GP, and goes on behind RDMSR or WRMSR, or another instruction of two bytes. */
  emitProtection(): this {
    this.label(`vector${PROTECTION}`).opImmediate("add", 8, RSP, 8).opImmediate("add", 8, { base: RSP }, 2);
    return this.#log(PROTECTED).iret();
  }
}

export interface BenchOptions {
  readonly mode?: "xapic" | "x2apic";
  readonly apicIds?: readonly number[];
  readonly figures?: Figures;
  /** Whether handlers of maskable interrupts end in an EOI; they do if not given. */
  readonly ends?: boolean;
  /** Local interrupts that the host makes signal. */
  readonly signals?: readonly { readonly cpu?: number; readonly source: LocalInterrupt; readonly cycle: number }[];
  /** Whether APICs are software-enabled before the programs; they are if not given. */
  readonly enabled?: boolean;
  readonly cpus?: number;
}

/** Entries of a CPU's log: numbers that it has read, "int 0x40", "nmi", "#GP". */
export type Log = readonly (number | bigint | string)[];

export interface Bench {
  readonly logs: readonly Log[];
  readonly machine: BareMachine;
  readonly stop: { readonly reason: StopReason; readonly cpu: number; readonly detail: bigint };
}

/** Runs programs on as many CPUs as there are; each halts for good behind its end. */
export function bench(options: BenchOptions, ...programs: ((a: ApicProgram) => unknown)[]): Bench {
  const { mode = "x2apic", ends = true, enabled = true, signals = [], figures = {} } = options;
  const apicIds = options.apicIds ?? Array.from({ length: options.cpus ?? programs.length }, (_, cpu) => cpu);
  const topology = buildTopology({ packages: 1, coresPerLlc: apicIds.length, apicIds });
  const timing = plainTiming("x86-64", { interrupt: 100, selfInterrupt: 20, ...figures });
  const machine = new BareMachine({ architecture: "x86-64", topology, timing, localApic: mode });
  const code = new ApicProgram(CODE);
  code.apicMode = mode;
  for (let vector = 0; vector < 256; vector++) {
    if (vector === PROTECTION) code.emitProtection();
    else code.emitHandler(vector, ends && vector !== NMI);
  }
  programs.forEach((program, cpu) => {
    code.label(`cpu${cpu}`).set(R14, LOGS + cpu * LOG_BYTES);
    loadTables(code);
    if (enabled) code.write(APIC.SVR, ENABLED);
    program(code);
    // The mode may have been changed on the way.
    code.apicMode = mode;
    code.label(`end${cpu}`).cli().hlt().jump(`end${cpu}`);
  });
  const bytes = code.finish();
  if (bytes.length > CODE_BYTES) throw new Error("the programs outgrew their pages");
  machine.map(CODE, CODE_BYTES, PAGE_RX);
  machine.map(STACKS, STACK_BYTES * apicIds.length, PAGE_RW);
  machine.map(LOGS, LOG_BYTES * apicIds.length, PAGE_RW);
  machine.write(CODE, bytes);
  writeTables(machine, code, (vector) => `vector${vector}`);
  programs.forEach((_, cpu) =>
    machine.start(cpu, code.addressOf(`cpu${cpu}`), { stack: STACKS + (cpu + 1) * STACK_BYTES }),
  );
  for (const { cpu = 0, source, cycle } of signals) machine.core.signalLocalInterrupt(cpu, source, BigInt(cycle));
  machine.run(10_000_000);
  return {
    machine,
    logs: programs.map((_, cpu) => logOf(machine, cpu)),
    stop: {
      reason: Number(machine.counter(Counter.STOP_REASON)),
      cpu: Number(machine.counter(Counter.STOP_CPU)),
      detail: machine.counter(Counter.STOP_DETAIL),
    },
  };
}

function logOf(machine: BareMachine, cpu: number): Log {
  const log: (number | bigint | string)[] = [];
  for (let at = LOGS + cpu * LOG_BYTES; machine.read64(at) !== 0n; at += 16) {
    const kind = Number(machine.read64(at));
    const value = machine.read64(at + 8);
    if (kind === READ) log.push(value > BigInt(Number.MAX_SAFE_INTEGER) ? value : Number(value));
    else if (kind === PROTECTED) log.push("#GP");
    else log.push(Number(value) === NMI ? "nmi" : `int 0x${value.toString(16)}`);
  }
  return log;
}

/** One CPU's log. */
export function alone(mode: "xapic" | "x2apic", program: (a: ApicProgram) => unknown, options: BenchOptions = {}): Log {
  return bench({ ...options, mode }, program).logs[0] ?? [];
}
