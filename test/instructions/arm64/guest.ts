// A bare arm64 machine with one small program for all of its CPUs, written in assembly: for tests that state a rule.

import type { StopReason } from "../../../src/abi.ts";
import {
  Counter,
  Device,
  GICD_BASE,
  GICD_BYTES,
  GICR_BASE,
  GICR_STRIDE,
  PAGE_DEVICE,
  PAGE_OWNER_SHIFT,
  PAGE_READ,
  PAGE_WRITE,
  PL011_BASE,
  PL011_BYTES,
  type RunStatus,
} from "../../../src/abi.ts";
import { BareMachine, PAGE_RW, PAGE_RX, type BareMachineOptions } from "../../support/bare-machine.ts";
import { assemble, type Assembled } from "./assembler/index.ts";

/** Where the program stands: to be read and executed. */
export const CODE = 0x4000_0000;
const CODE_BYTES = 0x1_0000;
/** Readable and writable, zero at first. */
export const DATA = 0x4010_0000;
export const DATA_BYTES = 0x1_0000;
/** Readable only. */
export const CONSTANTS = 0x4020_0000;

export const ESR_OFFSETS = { ec: 26n, il: 1n << 25n } as const;

/** Registers by name, beyond X0 to X30. */
const slots: Readonly<Record<string, number>> = { sp: 32 };

export interface Stop {
  readonly reason: StopReason;
  readonly cpu: number;
  readonly pc: number;
  readonly cycle: bigint;
  readonly detail: bigint;
}

export class Guest {
  readonly machine: BareMachine;
  readonly program: Assembled;

  constructor(text: string, options: Partial<BareMachineOptions> = {}) {
    this.machine = new BareMachine({ architecture: "arm64", ...options });
    this.program = assemble(text, CODE);
    if (this.program.bytes.length > CODE_BYTES) throw new Error("the program outgrew its pages");
    this.machine.map(CODE, CODE_BYTES, PAGE_RX);
    this.machine.map(DATA, DATA_BYTES, PAGE_RW);
    this.machine.map(CONSTANTS, 0x1000, PAGE_READ | (PAGE_RX & PAGE_RW));
    const device = PAGE_READ | PAGE_WRITE | PAGE_DEVICE;
    this.machine.map(PL011_BASE, PL011_BYTES, device | (Device.PL011 << PAGE_OWNER_SHIFT));
    this.machine.map(GICD_BASE, GICD_BYTES, device | (Device.GIC_DISTRIBUTOR << PAGE_OWNER_SHIFT));
    this.machine.map(GICR_BASE, 64 * GICR_STRIDE, device | (Device.GIC_REDISTRIBUTOR << PAGE_OWNER_SHIFT));
    this.machine.write(CODE, this.program.bytes);
  }

  /** Lets CPUs begin, each at the label of that position; `undefined` leaves a CPU off. X0 is the CPU's number. */
  start(...labels: (string | undefined)[]): this {
    for (const [cpu, label] of labels.entries()) {
      if (label !== undefined) this.machine.start(cpu, this.program.label(label), { argument: BigInt(cpu) });
    }
    return this;
  }

  /** Runs for a while, by default long enough for everything in these tests to come to rest. */
  run(cycles = 400_000): RunStatus {
    return this.machine.run(this.machine.counter(Counter.NOW) + BigInt(cycles));
  }

  /** X0 to X30 by number, or "sp". */
  x(cpu: number, register: number | string): bigint {
    return this.machine.register(cpu, typeof register === "number" ? register : (slots[register] ?? -1));
  }

  /** Several registers of a CPU. */
  registers(cpu: number, ...numbers: number[]): bigint[] {
    return numbers.map((number) => this.x(cpu, number));
  }

  label(name: string): bigint {
    return BigInt(this.program.label(name));
  }

  get stop(): Stop {
    const { machine } = this;
    return {
      reason: Number(machine.counter(Counter.STOP_REASON)),
      cpu: Number(machine.counter(Counter.STOP_CPU)),
      pc: Number(machine.counter(Counter.STOP_PC)),
      cycle: machine.counter(Counter.STOP_CYCLE),
      detail: machine.counter(Counter.STOP_DETAIL),
    };
  }
}

const vectorOffsets = {
  "sync from SP_EL0": 0x000,
  "irq from SP_EL0": 0x080,
  "fiq from SP_EL0": 0x100,
  sync: 0x200,
  irq: 0x280,
  fiq: 0x300,
  "sync from EL0": 0x400,
  "irq from EL0": 0x480,
  "fiq from EL0": 0x500,
} as const;

/** A vector table, with the label `vectors`, that branches to the given labels; other exceptions park their CPU. */
export function vectors(handlers: Partial<Record<keyof typeof vectorOffsets, string>>): string {
  const byOffset = new Map<number, string>(
    Object.entries(handlers).map(([name, label]) => [vectorOffsets[name as keyof typeof vectorOffsets], label]),
  );
  const entries = Array.from(
    { length: 16 },
    (_, index) => `.align 128\n b ${byOffset.get(index * 128) ?? "unexpected"}`,
  );
  return `.align 2048\nvectors:\n${entries.join("\n")}\n.align 128\nunexpected: b unexpected\n`;
}

/** Sets VBAR_EL1 to `vectors`; changes X9. */
export const setVectors = `
  adr x9, vectors
  msr vbar_el1, x9
`;

/** Waits for ever; with interrupts masked, for good. */
export const park = `
park:
  wfi
  b park
`;

/** Wakes the redistributor of a CPU, puts its SGIs into group 1 and enables them, opens the CPU interface; changes X9, X10. */
export function openInterrupts(cpu: number): string {
  const redistributor = GICR_BASE + cpu * GICR_STRIDE;
  return `
  li x9, #${redistributor}
  str wzr, [x9, #0x14]                        // GICR_WAKER
  li x9, #${redistributor + 0x10000}
  li x10, #0xffffffff
  str w10, [x9, #0x80]                        // GICR_IGROUPR0
  li x10, #0xffff
  str w10, [x9, #0x100]                       // GICR_ISENABLER0
  li x9, #${GICD_BASE}
  mov w10, #3
  str w10, [x9]                               // GICD_CTLR: both groups
  mov x10, #0xf8
  msr icc_pmr_el1, x10
  mov x10, #1
  msr icc_igrpen0_el1, x10
  msr icc_igrpen1_el1, x10
  isb
  `;
}

/** Waits until the word at X20 plus an offset is not zero; changes X9. */
export function awaitFlag(offset: number, unique: string): string {
  return `
await_${unique}:
  ldr x9, [x20, #${offset}]
  cbz x9, await_${unique}
  `;
}
