// A machine without a kernel: code bytes at an address, CPUs started there, registers and memory to look at. For tests of
// instructions, interrupts and time, below the library's Machine.

import { readFile } from "node:fs/promises";
import {
  CPU_BYTES,
  CPU_CLOCK,
  CPU_PC,
  CPU_REGISTERS,
  CPU_RETIRED,
  CPU_STATE,
  CPU_WAIT_KIND,
  Config,
  Counter,
  type CpuState,
  PAGE_BYTES,
  PAGE_EXECUTE,
  PAGE_RAM,
  PAGE_READ,
  PAGE_WRITE,
  Region,
  TRACE_RECORD_BYTES,
  TRACE_CPU,
  TRACE_CYCLE,
  TRACE_KIND,
  TRACE_PEER,
  TRACE_SUBJECT,
  TRACE_VALUE,
  TRACE_VALUE2,
  type RunStatus,
  type TraceKind,
  type WaitKind,
} from "../../src/abi.ts";
import { Core } from "../../src/core/core.ts";
import { loadCore } from "../../src/core/load.ts";
import { personalityOf, type FirmwareChoice } from "../../src/firmware/index.ts";
import type { Accelerations } from "../../src/machine/accelerations.ts";
import type { LocalApicMode } from "../../src/machine/local-apic.ts";
import { deviceWindows } from "../../src/machine/platform.ts";
import { configurationBlock } from "../../src/machine/configuration.ts";
import type { CounterOffsets } from "../../src/machine/counter-offsets.ts";
import type { ShutdownMode } from "../../src/machine/system-events.ts";
import { genericArm64, genericX86 } from "../../src/timing/generic.ts";
import type { TimingModel } from "../../src/timing/index.ts";
import { buildTopology, topologyForCpus, type Topology } from "../../src/topology/index.ts";

/** The core with its assertions compiled in: what tests run on. */
export const checkedCore = await loadCore(await readFile(new URL("../../build/core.checked.wasm", import.meta.url)));

export const PAGE_RWX = PAGE_READ | PAGE_WRITE | PAGE_EXECUTE | PAGE_RAM;
export const PAGE_RX = PAGE_READ | PAGE_EXECUTE | PAGE_RAM;
export const PAGE_RW = PAGE_READ | PAGE_WRITE | PAGE_RAM;

export interface BareMachineOptions {
  readonly architecture: "x86-64" | "arm64";
  readonly cpus?: number;
  readonly topology?: Topology;
  readonly timing?: TimingModel;
  readonly accelerations?: Partial<Accelerations>;
  /** arm64 */
  readonly firmware?: FirmwareChoice;
  readonly featNmi?: boolean;
  readonly ramBytes?: number;
  readonly traceRecords?: number;
  readonly localApic?: LocalApicMode;
  readonly shutdown?: ShutdownMode;
  readonly tscOffsets?: CounterOffsets;
  readonly virtualCounterOffsets?: CounterOffsets;
  /** The compiled core; by default the one with assertions. */
  readonly core?: WebAssembly.Module;
  /** One-way latency of each core to its last-level cache, cycles, instead of the timing model's. */
  readonly coreLatencies?: (core: number) => number;
  /** Words of the configuration block other than the host gives: sizes of pools. */
  readonly words?: readonly (readonly [field: Config, value: number])[];
}

export interface TraceRecord {
  readonly cycle: bigint;
  readonly cpu: number;
  readonly kind: TraceKind;
  readonly subject: number;
  readonly peer: number;
  readonly value: bigint;
  readonly value2: bigint;
}

export class BareMachine {
  readonly architecture: "x86-64" | "arm64";
  readonly core: Core;
  readonly ramBase: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(options: BareMachineOptions) {
    const { architecture, cpus = 1, accelerations = {}, ramBytes = 4 * 2 ** 20, traceRecords = 4096 } = options;
    const { shutdown = "stop", featNmi = false } = options;
    this.architecture = architecture;
    this.ramBase = architecture === "x86-64" ? 0 : 0x4000_0000;
    this.core = new Core(options.core ?? checkedCore);
    const topology =
      options.topology ??
      (cpus === 1
        ? buildTopology({ packages: 1, diesPerPackage: 1, llcsPerDie: 1, coresPerLlc: 1, threadsPerCore: 1 })
        : topologyForCpus(cpus, architecture));
    const timing = options.timing ?? (architecture === "x86-64" ? genericX86 : genericArm64);
    const block = configurationBlock(
      topology,
      timing,
      {
        ramBase: this.ramBase,
        ramBytes,
        traceRecords,
        shutdown,
        ...(options.tscOffsets && { tscOffsets: options.tscOffsets }),
        ...(options.virtualCounterOffsets && { virtualCounterOffsets: options.virtualCounterOffsets }),
        featNmi,
        ...(options.localApic && { localApic: options.localApic }),
      },
      accelerations,
      personalityOf(options.firmware),
    );
    if (options.coreLatencies !== undefined) {
      const table = (block[Config.CORE_LATENCY_TABLE] ?? 0) / 4;
      for (let core = 0; core < topology.counts.cores; core++) block[table + core] = options.coreLatencies(core);
    }
    for (const [field, value] of options.words ?? []) block[field] = value;
    const address = this.core.allocate(block.byteLength);
    new Uint32Array(this.core.buffer, address, block.length).set(block);
    const status = this.core.initialize(address);
    if (status !== 0) throw new Error(`initialize: ${status}`);
    for (const window of architecture === "x86-64" ? deviceWindows(architecture, 1) : [])
      this.map(window.address, window.bytes, window.attributes);
    this.#bytes = new Uint8Array(this.core.buffer, this.core.region(Region.RAM), ramBytes);
    this.#view = new DataView(this.core.buffer);
  }

  /** Maps pages of RAM; `attributes` as PAGE_* bits. */
  map(address: number, bytes: number, attributes: number): void {
    const rounded = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    if (!this.core.mapPages(BigInt(address), BigInt(rounded), attributes)) throw new Error("mapPages");
  }

  write(address: number, bytes: ArrayLike<number>): void {
    this.#bytes.set(bytes, address - this.ramBase);
  }

  read(address: number, bytes: number): Uint8Array {
    return this.#bytes.slice(address - this.ramBase, address - this.ramBase + bytes);
  }

  read64(address: number): bigint {
    return this.#view.getBigUint64(this.#bytes.byteOffset + address - this.ramBase, true);
  }

  read32(address: number): number {
    return this.#view.getUint32(this.#bytes.byteOffset + address - this.ramBase, true);
  }

  write64(address: number, value: bigint): void {
    this.#view.setBigUint64(this.#bytes.byteOffset + address - this.ramBase, value, true);
  }

  start(
    cpu: number,
    pc: number,
    { stack = 0, argument = 0n, cycle = 1n }: { stack?: number; argument?: bigint; cycle?: bigint } = {},
  ): void {
    this.core.startCpu(cpu, { pc: BigInt(pc), stack: BigInt(stack), argument, cycle });
  }

  run(until: number | bigint): RunStatus {
    return this.core.run(BigInt(until));
  }

  #record(cpu: number): number {
    return this.core.region(Region.CPUS) + cpu * CPU_BYTES;
  }

  /** A word of the CPU's register file: general-purpose registers come first. */
  register(cpu: number, slot: number): bigint {
    return this.#view.getBigUint64(this.#record(cpu) + CPU_REGISTERS + 8 * slot, true);
  }

  setRegister(cpu: number, slot: number, value: bigint): void {
    this.#view.setBigUint64(this.#record(cpu) + CPU_REGISTERS + 8 * slot, BigInt.asUintN(64, value), true);
  }

  pc(cpu: number): bigint {
    return this.#view.getBigUint64(this.#record(cpu) + CPU_PC, true);
  }

  clock(cpu: number): bigint {
    return this.#view.getBigUint64(this.#record(cpu) + CPU_CLOCK, true);
  }

  retired(cpu: number): bigint {
    return this.#view.getBigUint64(this.#record(cpu) + CPU_RETIRED, true);
  }

  /** CPL, or exception level. */
  privilege(cpu: number): number {
    return this.core.privilegeOf(cpu);
  }

  state(cpu: number): CpuState {
    return this.#view.getUint32(this.#record(cpu) + CPU_STATE, true);
  }

  waitsIn(cpu: number): WaitKind {
    return this.#view.getUint32(this.#record(cpu) + CPU_WAIT_KIND, true);
  }

  counter(which: Counter): bigint {
    return this.core.counter(which);
  }

  /** Records in the ring, in the order of (cycle, CPU); empties it. */
  drain(): TraceRecord[] {
    const count = Number(this.counter(Counter.TRACE_RECORDS));
    const ring = this.core.region(Region.TRACE);
    const records = Array.from({ length: count }, (_, index): TraceRecord => {
      const at = ring + index * TRACE_RECORD_BYTES;
      return {
        cycle: this.#view.getBigUint64(at + TRACE_CYCLE, true),
        cpu: this.#view.getUint32(at + TRACE_CPU, true),
        kind: this.#view.getUint32(at + TRACE_KIND, true),
        subject: this.#view.getUint32(at + TRACE_SUBJECT, true),
        peer: this.#view.getUint32(at + TRACE_PEER, true),
        value: this.#view.getBigUint64(at + TRACE_VALUE, true),
        value2: this.#view.getBigUint64(at + TRACE_VALUE2, true),
      };
    });
    this.core.clearTrace();
    return records.sort((a, b) => Number(a.cycle - b.cycle) || a.cpu - b.cpu);
  }
}
