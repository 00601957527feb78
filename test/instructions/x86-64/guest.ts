// A bare x86-64 machine with one small program for all of its CPUs, descriptor tables and handlers that note what they
// were called for: for tests that state a rule.

import { Counter, type RunStatus, type StopReason } from "../../../src/abi.ts";
import { BareMachine, type BareMachineOptions, PAGE_RW, PAGE_RX } from "../../support/bare-machine.ts";
import { Code, R12, R13, R14, R15, RAX, RSP, le } from "./code.ts";
import { descriptor } from "./harness.ts";

/** Tables, to be read and written: GDT, IDT, one TSS per CPU. Page 0 and the page behind each region are not mapped. */
const GDT = 0x2000;
const GDT_LIMIT = 0x3ff;
export const IDT = 0x3000;
const TSS = 0x4000;
const TSS_BYTES = 0x80;
/** What LGDT loads, and 16 bytes behind it what LIDT does. */
export const PSEUDO_DESCRIPTORS = 0x4f00;
export const CODE = 0x1_0000;
const CODE_BYTES = 0x4000;
/** Readable and writable, zero at first. */
export const DATA = 0x2_0000;
export const DATA_BYTES = 0x1000;
/** Readable only. */
export const CONSTANTS = 0x3_0000;
/** A stack for each CPU, downwards. */
export const STACKS = 0x4_0000;
const STACK_BYTES = 0x1000;
/** Tops of the stacks of the interrupt stack table. */
export const ist = (cpu: number, index: number): number => 0x8_0000 + cpu * 0x8000 + index * 0x1000;
const MOST_CPUS = 64;

export const selectors = {
  code: 0x08,
  data: 0x10,
  readOnly: 0x18,
  notPresent: 0x20,
  conforming: 0x28,
  userCode: 0x33,
  userData: 0x3b,
  compatibility: 0x40,
  /** Code that is not present. */
  absentCode: 0x48,
  outside: 0x3f8,
} as const;

const FIRST_TSS = 0x80;

export interface Gate {
  /** Where it leads to; by default to a stub that notes the vector and halts. */
  readonly label?: string;
  readonly ist?: number;
  readonly type?: number;
  readonly selector?: number;
  readonly present?: boolean;
  /** Instead of a label: any 64-bit offset. */
  readonly offset?: bigint;
}

export interface GuestOptions extends Partial<BareMachineOptions> {
  readonly gates?: Readonly<Record<number, Gate>>;
  /** Vectors beyond have no gate. */
  readonly idtLimit?: number;
  readonly tssLimit?: number;
  /** Bytes that there are for code: 4000H if not given, at the most F000H. */
  readonly codeBytes?: number;
  /** Label that vectors without a gate of their own lead to, with the vector in R15, instead of noting it and halting. */
  readonly others?: string;
}

export interface Stop {
  readonly reason: StopReason;
  readonly cpu: number;
  readonly pc: bigint;
  readonly cycle: bigint;
  readonly detail: bigint;
}

/** An interrupt frame as it stands on the handler's stack. */
export interface Frame {
  readonly vector: number;
  readonly error?: bigint;
  readonly rip: bigint;
  readonly cs: bigint;
  readonly rflags: bigint;
  readonly rsp: bigint;
  readonly ss: bigint;
}

const withErrorCode = [8, 10, 11, 12, 13, 14, 17];

function bytes64(value: bigint | number): number[] {
  return le(value, 8);
}

function gateBytes(
  { ist: stack = 0, type = 0xe, selector = selectors.code, present = true }: Gate,
  to: bigint,
): number[] {
  const low = [...le(to & 0xffffn, 2), ...le(selector, 2), stack, type | (present ? 0x80 : 0)];
  return [...low, ...le((to >> 16n) & 0xffffn, 2), ...le(to >> 32n, 4), ...le(0, 4)];
}

export class Guest {
  readonly machine: BareMachine;
  readonly code: Code;

  constructor(emit: (code: Code) => void, options: GuestOptions = {}) {
    this.machine = new BareMachine({ architecture: "x86-64", ...options });
    this.code = new Code(CODE);
    emit(this.code);
    this.#emitStubs(options.others ?? "caught");
    const bytes = this.code.finish();
    const { codeBytes = CODE_BYTES } = options;
    if (bytes.length > codeBytes) throw new Error("the program outgrew its pages");
    this.machine.map(GDT, 0x3000, PAGE_RW);
    this.machine.map(CODE, codeBytes, PAGE_RX);
    this.machine.map(DATA, DATA_BYTES, PAGE_RW);
    this.machine.map(CONSTANTS, 0x1000, PAGE_RX & PAGE_RW);
    this.machine.map(STACKS, 0x4_0000, PAGE_RW);
    this.machine.map(ist(0, 0), 0x8_0000, PAGE_RW);
    this.machine.write(CODE, bytes);
    this.#writeTables(options);
  }

  /** Vectors without a handler of their own: the vector goes to R15, CR2 to R13, RFLAGS to R14, RSP to R12, then HLT. */
  #emitStubs(others: string): void {
    const { code } = this;
    for (let vector = 0; vector < 256; vector++) code.label(`vector${vector}`).movShort(R15, vector).jump(others);
    code
      .label("caught")
      .put({ opcode: [0x0f, 0x20], reg: 2, rm: R13 })
      .mov(R12, RSP)
      .raw(0x9c)
      .pop(R14);
    code.raw(0xfa, 0xf4, 0xeb, 0xfd); // CLI, HLT for good
  }

  #writeTables({ gates = {}, idtLimit = 0xfff, tssLimit = 103 }: GuestOptions): void {
    const { machine, code } = this;
    const put = (selector: number, bytes: readonly number[]): void => machine.write(GDT + (selector & ~3), bytes);
    put(selectors.code, descriptor(0, 0xf_ffff, 0x9b, 0xa));
    put(selectors.data, descriptor(0, 0xf_ffff, 0x93, 0xc));
    put(selectors.readOnly, descriptor(0, 0xf_ffff, 0x91, 0xc));
    put(selectors.notPresent, descriptor(0, 0xf_ffff, 0x13, 0xc));
    put(selectors.conforming, descriptor(0, 0xf_ffff, 0x9f, 0xa));
    put(selectors.userCode, descriptor(0, 0xf_ffff, 0xfb, 0xa));
    put(selectors.userData, descriptor(0, 0xf_ffff, 0xf3, 0xc));
    put(selectors.compatibility, descriptor(0, 0xf_ffff, 0x9b, 0xc));
    put(selectors.absentCode, descriptor(0, 0xf_ffff, 0x1b, 0xa));
    for (let cpu = 0; cpu < 8; cpu++) {
      const at = TSS + cpu * TSS_BYTES;
      put(FIRST_TSS + 16 * cpu, [...descriptor(at, tssLimit, 0x89, 0), ...bytes64(0)]);
      for (let index = 1; index <= 7; index++) machine.write64(at + 36 + 8 * (index - 1), BigInt(ist(cpu, index)));
    }
    for (let vector = 0; vector < 256; vector++) {
      const gate = gates[vector] ?? {};
      const to = gate.offset ?? BigInt(code.addressOf(gate.label ?? `vector${vector}`));
      machine.write(IDT + 16 * vector, gateBytes(gate, to));
    }
    machine.write(PSEUDO_DESCRIPTORS, [...le(GDT_LIMIT, 2), ...bytes64(GDT)]);
    machine.write(PSEUDO_DESCRIPTORS + 16, [...le(idtLimit, 2), ...bytes64(IDT)]);
  }

  /** Lets CPUs begin, each at the label of that position; `undefined` leaves a CPU off. RDI is the CPU's number. */
  start(...labels: (string | undefined)[]): this {
    if (labels.length > MOST_CPUS) throw new Error("there are not that many stacks");
    for (const [cpu, label] of labels.entries()) {
      if (label === undefined) continue;
      const stack = STACKS + (cpu + 1) * STACK_BYTES;
      this.machine.start(cpu, this.code.addressOf(label), { stack, argument: BigInt(cpu) });
    }
    return this;
  }

  /** Runs for a while, by default long enough for everything in these tests to come to rest. */
  run(cycles = 10_000_000): RunStatus {
    return this.machine.run(this.machine.counter(Counter.NOW) + BigInt(cycles));
  }

  /** RAX to R15 by number. */
  register(cpu: number, number: number): bigint {
    return this.machine.register(cpu, number);
  }

  label(name: string): bigint {
    return BigInt(this.code.addressOf(name));
  }

  /** Word of DATA. */
  data(index: number): bigint {
    return this.machine.read64(DATA + 8 * index);
  }

  /** What the handler that a CPU stands in was called with. */
  frame(cpu = 0): Frame {
    const vector = Number(this.register(cpu, R15));
    const bottom = Number(this.register(cpu, R12));
    const hasError = withErrorCode.includes(vector);
    const word = (index: number): bigint => this.machine.read64(bottom + 8 * (index + (hasError ? 1 : 0)));
    const state = { vector, rip: word(0), cs: word(1), rflags: word(2), rsp: word(3), ss: word(4) };
    return hasError ? { ...state, error: this.machine.read64(bottom) } : state;
  }

  get stop(): Stop {
    const { machine } = this;
    return {
      reason: Number(machine.counter(Counter.STOP_REASON)),
      cpu: Number(machine.counter(Counter.STOP_CPU)),
      pc: machine.counter(Counter.STOP_PC),
      cycle: machine.counter(Counter.STOP_CYCLE),
      detail: machine.counter(Counter.STOP_DETAIL),
    };
  }
}

// --- pieces of programs ----------------------------------------------------------------------------------------------

/** Loads GDTR, IDTR and TR of CPU `cpu`, and the data segments; changes RAX. */
export function loadTables(code: Code, cpu = 0): void {
  code.put({ opcode: [0x0f, 0x01], reg: 2, rm: { displacement: PSEUDO_DESCRIPTORS } });
  code.put({ opcode: [0x0f, 0x01], reg: 3, rm: { displacement: PSEUDO_DESCRIPTORS + 16 } });
  code.movShort(RAX, selectors.data);
  for (const segment of [0, 2, 3]) code.put({ opcode: [0x8e], reg: segment, rm: RAX });
  code.movShort(RAX, FIRST_TSS + 16 * cpu).put({ opcode: [0x0f, 0x00], reg: 3, rm: RAX });
}
