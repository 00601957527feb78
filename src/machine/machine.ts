// A simulated machine: topology, timing model and image on one core instance. Builds it, starts CPUs, runs it until a cycle,
// a probe or an end, and looks at it. Several live side by side in one process.

import {
  CPU_BYTES,
  CPU_CLOCK,
  CPU_PC,
  CPU_REGISTERS,
  CPU_RETIRED,
  CPU_STATE,
  CPU_WAIT_KIND,
  Counter,
  CpuState,
  InitializeStatus,
  PAGE_BYTES,
  PAGE_EXECUTE,
  PAGE_OWNER_SHIFT,
  PAGE_RAM,
  PAGE_READ,
  PAGE_WRITE,
  Probe,
  Region,
  RunStatus,
  StopReason,
  TRACE_KIND,
  TRACE_RECORD_BYTES,
  TRACE_SUBJECT,
  Timing,
  TraceKind,
  WaitKind,
  Warmth,
} from "../abi.ts";
import type { Image, ImageMark } from "../asm/index.ts";
import { Core } from "../core/core.ts";
import { loadCore, type CoreSource } from "../core/load.ts";
import { AllstopError } from "../errors.ts";
import { timingTable, type TimingModel } from "../timing/index.ts";
import type { Topology } from "../topology/index.ts";
import { configurationBlock, type Accelerations } from "./configuration.ts";
import { deviceWindows } from "./platform.ts";
import { registerSlot } from "./registers.ts";
import { TraceLog } from "./trace-log.ts";

export interface MachineOptions {
  readonly topology: Topology;
  readonly timing: TimingModel;
  readonly image: Image;
  readonly accelerations?: Partial<Accelerations>;
  /** Records that the core's ring holds between drains; a power of two keeps it simple. */
  readonly traceRecords?: number;
  /** The core to run on, instead of the one that ships with the package. */
  readonly core?: CoreSource;
}

/** What ended a run. */
export type RunEnd =
  | { readonly kind: "reached" }
  /** Nothing can ever happen again; time stands at the requested cycle. */
  | { readonly kind: "quiescent" }
  /** A break probe was hit: `probe` says which. */
  | { readonly kind: "probe"; readonly probe: string; readonly cpu: number; readonly cycle: number }
  | { readonly kind: "stopped"; readonly stop: MachineStop };

/** A fatal event, with the CPU that met it. */
export interface MachineStop {
  readonly reason: keyof typeof StopReason;
  readonly cpu: number;
  readonly pc: number;
  /** Symbol and offset of the pc, where the image has one. */
  readonly at: string | undefined;
  readonly cycle: number;
  readonly detail: bigint;
}

export interface CpuView {
  readonly state: keyof typeof CpuState;
  readonly waitsIn: keyof typeof WaitKind;
  readonly pc: number;
  readonly at: string | undefined;
  /** Start cycle of the next instruction. */
  readonly cycle: number;
  readonly retired: number;
}

/** A probe that was set. */
export interface ProbeHandle {
  readonly name: string;
  readonly number: number;
  readonly address: number;
}

export interface ProbeOptions {
  /** Append a trace record at each hit; default true. */
  readonly record?: boolean;
  /** End the run at the first hit; default false. */
  readonly break?: boolean;
  /** Up to two locals of the mark, or registers, whose values the records carry. */
  readonly values?: readonly string[];
}

const NO_REGISTER = 0xff;

export class Machine {
  readonly topology: Topology;
  readonly timing: TimingModel;
  readonly image: Image;
  readonly #core: Core;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #cpus: number;
  readonly #ram: number;
  readonly #ramBase: number;
  readonly #ramBytes: number;
  readonly #probes: ProbeHandle[] = [];
  readonly #issueWidth: number;
  readonly #marks: ReadonlyMap<string, ImageMark>;
  /** Everything recorded so far. */
  readonly trace = new TraceLog();
  /** What the guest wrote to its console. */
  console = "";

  private constructor(core: Core, options: MachineOptions, ram: { base: number; bytes: number }) {
    this.topology = options.topology;
    this.timing = options.timing;
    this.image = options.image;
    this.#core = core;
    this.#view = new DataView(core.buffer);
    this.#bytes = new Uint8Array(core.buffer);
    this.#cpus = core.region(Region.CPUS);
    this.#ram = core.region(Region.RAM);
    this.#ramBase = ram.base;
    this.#ramBytes = ram.bytes;
    this.#issueWidth = 2 ** (timingTable(options.timing)[Timing.ISSUE_SHIFT] ?? 0);
    this.#marks = new Map(options.image.marks.map((mark) => [mark.name, mark]));
  }

  /** Compiles the core if need be, then builds. */
  static async create(options: MachineOptions): Promise<Machine> {
    return Machine.build(await loadCore(options.core), options);
  }

  /**
   * Builds a machine on a compiled core: loads the image, maps the platform's devices, warms the caches.
   * @throws IMAGE_INVALID, OPTION_INVALID, TOPOLOGY_INVALID, CAPACITY_EXCEEDED
   */
  static build(module: WebAssembly.Module, options: MachineOptions): Machine {
    const { image, timing, topology } = options;
    if (image.architecture !== timing.architecture) {
      throw new AllstopError("IMAGE_INVALID", "image and timing model are of different architectures", {
        value: image.architecture,
        allowed: timing.architecture,
      });
    }
    const core = new Core(module);
    const ram = ramOf(image);
    const sizes = { ramBase: ram.base, ramBytes: ram.bytes, traceRecords: options.traceRecords ?? 65_536 };
    const block = configurationBlock(topology, timing, sizes, options.accelerations ?? {});
    const address = core.allocate(block.byteLength);
    new Uint32Array(core.buffer, address, block.length).set(block);
    const status = core.initialize(address) as InitializeStatus;
    if (status === InitializeStatus.OUT_OF_MEMORY) {
      throw new AllstopError("CAPACITY_EXCEEDED", "the machine does not fit the core's 4 GiB", {
        value: topology.cpus.length,
      });
    }
    if (status !== InitializeStatus.OK) {
      throw new AllstopError("TOPOLOGY_INVALID", `the core refuses the machine (${InitializeStatus[status]})`);
    }
    const machine = new Machine(core, options, ram);
    machine.#load();
    machine.#core.setTraceMask(1 << TraceKind.CONSOLE);
    return machine;
  }

  #load(): void {
    const { image, topology } = this;
    for (const { address, bytes, memoryBytes, readable, writable, executable } of image.segments) {
      const start = address - (address % PAGE_BYTES);
      const size = roundUp(address + memoryBytes - start, PAGE_BYTES);
      const rights = (readable ? PAGE_READ : 0) | (writable ? PAGE_WRITE : 0) | (executable ? PAGE_EXECUTE : 0);
      if (!this.#core.mapPages(BigInt(start), BigInt(size), rights | PAGE_RAM)) {
        throw new AllstopError("IMAGE_INVALID", "a segment lies outside memory", { value: address });
      }
      this.#bytes.set(bytes, this.#ram + address - this.#ramBase);
      if (!writable) this.#core.warm(BigInt(start), BigInt(size), Warmth.SHARED);
    }
    for (const { address, bytes, attributes } of deviceWindows(image.architecture, topology.cpus.length)) {
      this.#core.mapPages(BigInt(address), BigInt(bytes), attributes);
    }
    this.#placePerCpuBlocks();
  }

  /** Each CPU's block lies in the memory of its node, and in the caches of its core. */
  #placePerCpuBlocks(): void {
    const { image, topology } = this;
    if (image.perCpuStart === 0) return;
    const stride = image.perCpuStride;
    for (const cpu of topology.cpus) {
      if (cpu.state === "absent" || cpu.number >= image.cpus) continue;
      const address = BigInt(image.perCpuStart + cpu.number * stride);
      if (stride % PAGE_BYTES === 0) {
        const attributes = PAGE_READ | PAGE_WRITE | PAGE_RAM | (Math.max(0, cpu.node) << PAGE_OWNER_SHIFT);
        this.#core.mapPages(address, BigInt(stride), attributes);
      }
      if (cpu.state === "online") this.#core.warm(address, BigInt(stride), Warmth.OWNED, cpu.core);
    }
  }

  // --- addresses and names ----------------------------------------------------------------------------------------------------

  /** Address of a symbol, of a mark "routine:mark", or of a number as it is. @throws NAME_UNKNOWN */
  address(place: string | number): number {
    if (typeof place === "number") return place;
    const address = this.#marks.get(place)?.address ?? this.image.symbol(place)?.address;
    if (address !== undefined) return address;
    throw new AllstopError("NAME_UNKNOWN", "symbol or mark of the image", { value: place });
  }

  /** "routine+0x1c" for an address in code, or undefined. */
  describe(address: number): string | undefined {
    const symbol = this.image.symbols.findLast(
      (one) => one.address <= address && address < one.address + Math.max(1, one.size),
    );
    if (symbol === undefined) return undefined;
    return address === symbol.address ? symbol.name : `${symbol.name}+0x${(address - symbol.address).toString(16)}`;
  }

  // --- starting and running ---------------------------------------------------------------------------------------------------

  /** Powers a CPU on at an entry point, in the next cycle or a later one. */
  start(
    cpu: number,
    entry: string | number,
    options: { argument?: bigint; stack?: number; cycle?: number } = {},
  ): void {
    const one = this.topology.cpus[cpu];
    if (one === undefined || one.state === "absent") {
      throw new AllstopError("OPTION_INVALID", "no such CPU to start", { value: cpu, allowed: "present CPUs" });
    }
    const cycle = Math.max(options.cycle ?? 0, this.cycle + 1);
    this.#core.startCpu(cpu, {
      pc: BigInt(this.address(entry)),
      stack: BigInt(options.stack ?? 0),
      argument: options.argument ?? 0n,
      cycle: BigInt(cycle),
    });
  }

  /** Everything before this cycle has happened. */
  get cycle(): number {
    return Number(this.#core.counter(Counter.NOW));
  }

  /**
   * Runs until `until` (a cycle), a break probe, or a fatal event. The state at the end depends on nothing but the machine
   * and the cycle. A break takes effect one interrupt latency behind the hit, since others may have run ahead that far.
   */
  run(until: number): RunEnd {
    if (!Number.isSafeInteger(until) || until < this.cycle) {
      throw new AllstopError("OPTION_INVALID", "cycle to run to", {
        value: until,
        allowed: `whole, ${this.cycle} or later`,
      });
    }
    while (true) {
      const status = this.#core.run(BigInt(until));
      this.#drain();
      if (status === RunStatus.TRACE_FULL) continue;
      if (status === RunStatus.STOPPED) return { kind: "stopped", stop: this.stop as MachineStop };
      if (status === RunStatus.BREAK) return this.#breakHit();
      return { kind: status === RunStatus.QUIESCENT ? "quiescent" : "reached" };
    }
  }

  #breakHit(): RunEnd {
    const number = Number(this.#core.counter(Counter.BREAK_PROBE));
    const probe = this.#probes.find((one) => one.number === number);
    if (probe === undefined)
      throw new AllstopError("CORE_TRAPPED", "a break at a probe that nobody set", { value: number });
    return {
      kind: "probe",
      probe: probe.name,
      cpu: Number(this.#core.counter(Counter.BREAK_CPU)),
      cycle: Number(this.#core.counter(Counter.BREAK_CYCLE)),
    };
  }

  #drain(): void {
    const count = Number(this.#core.counter(Counter.TRACE_RECORDS));
    if (count === 0) return;
    const start = this.#core.region(Region.TRACE);
    const end = start + count * TRACE_RECORD_BYTES;
    this.trace.append(this.#bytes.subarray(start, end));
    // Devices are served in the order of time, so console output needs no sorting.
    for (let at = start; at < end; at += TRACE_RECORD_BYTES) {
      const kind: TraceKind = this.#view.getUint32(at + TRACE_KIND, true);
      if (kind === TraceKind.CONSOLE) {
        this.console += String.fromCharCode(this.#view.getUint32(at + TRACE_SUBJECT, true));
      }
    }
    this.#core.clearTrace();
  }

  /** The fatal event that stopped the machine, if any. */
  get stop(): MachineStop | undefined {
    const reason = Number(this.#core.counter(Counter.STOP_REASON)) as StopReason;
    if (reason === StopReason.NONE) return undefined;
    const pc = Number(this.#core.counter(Counter.STOP_PC));
    return {
      reason: StopReason[reason] as keyof typeof StopReason,
      cpu: Number(this.#core.counter(Counter.STOP_CPU)),
      pc,
      at: this.describe(pc),
      cycle: Number(this.#core.counter(Counter.STOP_CYCLE)),
      detail: this.#core.counter(Counter.STOP_DETAIL),
    };
  }

  // --- observing --------------------------------------------------------------------------------------------------------------

  /** Which kinds of events are traced, besides probes and the console. */
  traceKinds(kinds: readonly TraceKind[]): void {
    this.#core.setTraceMask(
      [TraceKind.PROBE, TraceKind.CONSOLE, ...kinds].reduce((mask, kind) => mask | (1 << kind), 0),
    );
  }

  /** Sets a probe at a symbol, mark or address. It costs the guest nothing. @throws NAME_UNKNOWN, CAPACITY_EXCEEDED */
  probe(place: string | number, options: ProbeOptions = {}): ProbeHandle {
    const address = this.address(place);
    const { record = true, break: breaks = false, values = [] } = options;
    const registers = [0, 1].map((index) => this.#slotOf(place, values[index]));
    const flags = (record ? Probe.RECORD : 0) | (breaks ? Probe.BREAK : 0);
    const number = this.#core.setProbe(BigInt(address), flags, (registers[0] ?? 0) | ((registers[1] ?? 0) << 8));
    if (number < 0) throw new AllstopError("CAPACITY_EXCEEDED", "too many probes", { value: place });
    const handle = { name: String(place), number, address };
    this.#probes.push(handle);
    return handle;
  }

  /** Register slot of a local of a mark, or of a register by name. */
  #slotOf(place: string | number, name: string | undefined): number {
    if (name === undefined) return NO_REGISTER;
    const local =
      typeof place === "string" ? this.#marks.get(place)?.locals.find((one) => one.name === name) : undefined;
    if (local !== undefined && local.register === undefined) {
      throw new AllstopError("NAME_UNKNOWN", "local that a probe can record", {
        value: name,
        allowed: "locals kept in a register",
      });
    }
    return registerSlot(this.image.architecture, local?.register ?? name);
  }

  /** Records lost because the ring was full: never silently. */
  get recordsLost(): number {
    return Number(this.#core.counter(Counter.TRACE_LOST));
  }

  cpu(number: number): CpuView {
    const at = this.#record(number);
    const pc = Number(this.#view.getBigUint64(at + CPU_PC, true));
    return {
      state: CpuState[this.#view.getUint32(at + CPU_STATE, true)] as keyof typeof CpuState,
      waitsIn: WaitKind[this.#view.getUint32(at + CPU_WAIT_KIND, true)] as keyof typeof WaitKind,
      pc,
      at: this.describe(pc),
      cycle: Math.floor(Number(this.#view.getBigUint64(at + CPU_CLOCK, true)) / this.#issueWidth),
      retired: Number(this.#view.getBigUint64(at + CPU_RETIRED, true)),
    };
  }

  #record(cpu: number): number {
    if (this.topology.cpus[cpu] === undefined) {
      throw new AllstopError("OPTION_INVALID", "no such CPU", {
        value: cpu,
        allowed: `0 to ${this.topology.cpus.length - 1}`,
      });
    }
    return this.#cpus + cpu * CPU_BYTES;
  }

  /** A general-purpose register, the stack pointer, or "pc". */
  readRegister(cpu: number, name: string): bigint {
    const record = this.#record(cpu);
    if (name === "pc") return this.#view.getBigUint64(record + CPU_PC, true);
    return this.#view.getBigUint64(record + CPU_REGISTERS + 8 * registerSlot(this.image.architecture, name), true);
  }

  #ramOffset(address: number, bytes: number): number {
    const offset = address - this.#ramBase;
    if (!Number.isSafeInteger(address) || offset < 0 || offset + bytes > this.#ramBytes) {
      throw new AllstopError("OPTION_INVALID", "address outside memory", {
        value: address,
        allowed: `${this.#ramBase} to ${this.#ramBase + this.#ramBytes - bytes}`,
      });
    }
    return this.#ram + offset;
  }

  /** A copy of guest memory. */
  readMemory(place: string | number, bytes: number): Uint8Array {
    const offset = this.#ramOffset(this.address(place), bytes);
    return this.#bytes.slice(offset, offset + bytes);
  }

  readUint32(place: string | number): number {
    return this.#view.getUint32(this.#ramOffset(this.address(place), 4), true);
  }

  readUint64(place: string | number): bigint {
    return this.#view.getBigUint64(this.#ramOffset(this.address(place), 8), true);
  }

  /** Sets memory while building: before the first cycle is run. @throws OPTION_INVALID later */
  writeUint64(place: string | number, value: bigint): void {
    this.#beforeStart();
    this.#view.setBigUint64(this.#ramOffset(this.address(place), 8), value, true);
  }

  writeUint32(place: string | number, value: number): void {
    this.#beforeStart();
    this.#view.setUint32(this.#ramOffset(this.address(place), 4), value, true);
  }

  /** What caches hold of a range of whole lines before the first cycle: in memory only, owned by a core, shared by all. */
  warm(place: string | number, bytes: number, warmth: "cold" | "owned" | "shared", core = 0): void {
    this.#beforeStart();
    const kinds = { cold: Warmth.COLD, owned: Warmth.OWNED, shared: Warmth.SHARED };
    const address = this.address(place);
    this.#ramOffset(address, bytes);
    this.#core.warm(BigInt(address - (address % 64)), BigInt(roundUp(bytes + (address % 64), 64)), kinds[warmth], core);
  }

  #beforeStart(): void {
    if (this.cycle === 0) return;
    throw new AllstopError("OPTION_INVALID", "memory is built before the first cycle; afterwards only CPUs write it");
  }

  /** CPU numbers set in a mask of the guest. */
  readMask(place: string | number, bits: number = this.topology.cpus.length): number[] {
    const bytes = this.readMemory(place, Math.ceil(bits / 64) * 8);
    const members: number[] = [];
    for (let bit = 0; bit < bits; bit++) if (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1) members.push(bit);
    return members;
  }

  /** Hash of the whole state at this cycle: equal exactly when the machines are. */
  digest(): string {
    return this.#core.digest().toString(16).padStart(16, "0");
  }

  /** Hash of one CPU's state. */
  cpuDigest(cpu: number): string {
    this.#record(cpu);
    return this.#core.cpuDigest(cpu).toString(16).padStart(16, "0");
  }

  /** Counters of host work; they differ with the accelerations, unlike everything else here. */
  get work(): { events: number; guestInstructions: number; misses: number; interrupts: number; parkings: number } {
    const count = (which: Counter): number => Number(this.#core.counter(which));
    return {
      events: count(Counter.EVENTS),
      guestInstructions: count(Counter.RETIRED),
      misses: count(Counter.MISSES),
      interrupts: count(Counter.INTERRUPTS),
      parkings: count(Counter.PARKINGS),
    };
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** RAM from the platform's start to behind the image. Unmapped pages in it are not accessible. */
function ramOf(image: Image): { base: number; bytes: number } {
  const base = image.architecture === "x86-64" ? 0 : 0x4000_0000;
  const end = Math.max(...image.segments.map((segment) => segment.address + segment.memoryBytes));
  if (image.segments.length === 0 || image.segments.some((segment) => segment.address < base)) {
    throw new AllstopError("IMAGE_INVALID", "the image has no segment in memory", {
      allowed: `addresses from ${base}`,
    });
  }
  return { base, bytes: roundUp(end, PAGE_BYTES) - base };
}
