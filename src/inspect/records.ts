// Where the core keeps what views show: offsets in its records, by the names that they have there, and the way to them. Nothing
// here changes a machine. test/inspect/records.test.ts compares the offsets with the classes of assembly/.

import { CPU_BYTES, CPU_REGISTERS } from "../abi.ts";
import type { Machine } from "../machine/machine.ts";

/** Offsets in bytes, by the class and field of assembly/. */
export const offsets = {
  Machine: {
    now: 0,
    cpus: 92,
    coreRecords: 132,
    lineTable: 156,
    ramBase: 168,
    maskWords: 184,
    storeBuffers: 308,
    apics: 332,
    gics: 340,
  },
  Cpu: {
    core: 32,
    thread: 44,
    interruptArrivals: 52,
    interruptArrivalMin: 56,
    pending: 84,
    masked: 88,
    delivery: 92,
    request0: 112,
    awaitsStores: 150,
    deviceAddress: 168,
    deviceArrival: 184,
    watchedLine: 192,
  },
  Core: { domain: 0, bit: 4, threadCount: 12, index: 56 },
  Domain: { index: 0, coreCount: 12, cores: 20, onlineMask: 24 },
  X86State: { rflags: 0, nmiBlocked: 8, cr2: 120, apicBase: 256 },
  Arm64State: {
    daif: 0,
    spsel: 4,
    elr: 16,
    spsr: 24,
    esr: 32,
    far: 40,
    tpidrEl1: 72,
    event: 200,
    exclusiveSize: 204,
    exclusiveAddress: 208,
    allint: 220,
  },
  Apic: { id: 0, taskPriority: 4, spurious: 8, errorStatus: 20, command: 32, requests0: 104, inService0: 136 },
  Gic: {
    pending: 0,
    enabled: 4,
    active: 8,
    nonMaskable: 16,
    edge: 20,
    level: 24,
    priorityMask: 40,
    groupEnable1: 60,
    activePriorities0: 64,
    activePriorities1: 68,
    activeNmi: 72,
    spi: 80,
  },
  Entry: { domain: 4, nextOfHome: 8, writer: 14 },
  Home: { node: 4, asking: 6, firstEntry: 8, recalls: 38, foreseen: 44 },
  StoreBuffer: { count: 32 },
  Request: { line: 4, write: 8, arrival: 24 },
} as const;

/** Sizes of records, and places in them that are no fields. */
export const places = {
  X86_STATE_OFFSET: CPU_REGISTERS + 24 * 8,
  STATE_OFFSET: CPU_REGISTERS + 40 * 8,
  CORE_BYTES: 64,
  APIC_BYTES: 256,
  GIC_BYTES: 128,
  ENTRY_FIELDS: 48,
  STORES: 48,
  STORE_BYTES: 16,
  MOST_STORES: 48,
} as const;

/** What follows a store buffer's fields, whole lines. */
export const BUFFER_BYTES = (places.STORES + places.MOST_STORES * places.STORE_BYTES + 63) & ~63;

/** The records of one machine, at this cycle. To be made anew after each run. */
export class CoreRecords {
  readonly view: DataView;
  /** Address of the machine's record. */
  readonly machine: number;
  readonly #cpus: number;

  constructor(machine: Machine) {
    const { view, machine: record, cpus } = machine.coreMemory();
    this.view = view;
    this.machine = record;
    this.#cpus = cpus;
  }

  u32(address: number): number {
    return this.view.getUint32(address, true);
  }

  u16(address: number): number {
    return this.view.getUint16(address, true);
  }

  u64(address: number): bigint {
    return this.view.getBigUint64(address, true);
  }

  /** A word of the machine's record. */
  ofMachine(field: keyof (typeof offsets)["Machine"]): number {
    return this.u32(this.machine + offsets.Machine[field]);
  }

  /** Address of a CPU's record. */
  cpu(number: number): number {
    return this.#cpus + number * CPU_BYTES;
  }

  /** A word of the CPU's registers, and of what stands behind them. */
  register(cpu: number, slot: number): bigint {
    return this.u64(this.cpu(cpu) + CPU_REGISTERS + 8 * slot);
  }
}
