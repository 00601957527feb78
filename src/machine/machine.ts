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
  type DeliveryKind,
  GIC_FIRST_SPI,
  GIC_INTID_END,
  InitializeStatus,
  LineChange,
  MAX_PROBES,
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
import type { ImageMark } from "../asm/index.ts";
import { Core } from "../core/core.ts";
import { loadCore, type CoreSource } from "../core/load.ts";
import { AllstopError } from "../errors.ts";
import { personalityOf, type FirmwareChoice } from "../firmware/index.ts";
import { timingTable, type TimingModel } from "../timing/index.ts";
import type { Topology } from "../topology/index.ts";
import { checkArchitecture, checkCapacities, checkWhole, checkWord, checkWritable } from "./checks.ts";
import { accelerationBits, type Accelerations } from "./accelerations.ts";
import { configurationBlock } from "./configuration.ts";
import type { CounterOffsets } from "./counter-offsets.ts";
import { deliveryKind, deliveryOf, deliveryWords, type Delivery, type DeliveryKindName } from "./delivery.ts";
import { checkedApicMode, localInterruptOf, type LocalApicMode, type LocalInterruptSource } from "./local-apic.ts";
import type { MachineImage } from "./guest-image.ts";
import { loadImage } from "./load-image.ts";
import { nearestNames } from "../names.ts";
import { memoryUse, ramOf, roundUp, type MemoryUse, type Ram } from "./ram.ts";
import { isRegisterName, registerSlot } from "./registers.ts";
import {
  checkShutdown,
  messageOf,
  microcodeCycles,
  smmCycles,
  systemNmiSource,
  type Arrival,
  type InterruptMessage,
  type MicrocodeUpdate,
  type ShutdownMode,
  type StartupEntry,
  type SystemNmiReason,
} from "./system-events.ts";
import type { CpuView, MachineStop, ProbeHandle, ProbeOptions, RunEnd } from "./views.ts";
import { loadMachine, saveMachine, type HostState, type MachineParts } from "./snapshot/snapshot.ts";
import { TraceLog } from "./trace-log.ts";

export type { CounterOffsets } from "./counter-offsets.ts";
export type { MemoryUse } from "./ram.ts";
export type { LocalApicMode, LocalInterruptSource } from "./local-apic.ts";
export type {
  Arrival,
  InstructionPlace,
  InterruptMessage,
  MicrocodeUpdate,
  ShutdownMode,
  StartupEntry,
  SystemNmiReason,
} from "./system-events.ts";
export type { CpuView, MachineStop, ProbeHandle, ProbeOptions, RunEnd } from "./views.ts";

/** What a machine consists of. */
export interface MachineOptions extends MachineParts {
  readonly accelerations?: Partial<Accelerations>;
  /** arm64: what EL3 is like; "compliant" if not given. See personalities. */
  readonly firmware?: FirmwareChoice;
  /** arm64: the machine has FEAT_NMI, and the non-maskable interrupts of GICv3.3. False if not given. */
  readonly featNmi?: boolean;
  /** Records that the core's ring holds between drains, 1 to 16,777,216; 65,536 if not given. */
  readonly traceRecords?: number;
  /** x86-64: how firmware hands over the local APICs; "x2apic", that is by MSRs, if not given. */
  readonly localApic?: LocalApicMode;
  /**
   * arm64: the image runs on the board without a kernel's page tables, as QEMU's virt board would run it. An access to where
   * nothing is ends in an external abort; an instruction, a register or a device that exists and isn't modelled ends the run,
   * instead of being UNDEFINED or absent. False if not given.
   */
  readonly bareMetal?: boolean;
  /** The core to run on, instead of the one that ships with the package. */
  readonly core?: CoreSource;
  /** x86-64: what a triple fault does; `stop` if not given. */
  readonly shutdown?: ShutdownMode;
  /** x86-64: TSC of each CPU at cycle 0; 0 if not given. */
  readonly tscOffsets?: CounterOffsets;
  /**
   * arm64: CNTVOFF_EL2 of each CPU, as a hypervisor would set it: CNTVCT_EL0 is CNTPCT_EL0 less that, modulo 2^64, and the virtual
   * timer, the event stream, WFET and WFIT go by it. A CPU keeps it when it is off. 0 if not given.
   */
  readonly virtualCounterOffsets?: CounterOffsets;
}

/** What a snapshot's machine was built from; it is checked. */
export type RestoreOptions = Omit<
  MachineOptions,
  | "traceRecords"
  | "bareMetal"
  | "featNmi"
  | "firmware"
  | "localApic"
  | "shutdown"
  | "tscOffsets"
  | "virtualCounterOffsets"
>;

const NO_REGISTER = 0xff;
const MOST_TRACE_RECORDS = 2 ** 24;
const MOST_PROBE_VALUES = 2;
const MOST_SUSPENDED_CYCLES = 2 ** 48;
const MOST_INSTRUCTIONS = 1_000_000;
const ALWAYS_TRACED = (1 << TraceKind.PROBE) | (1 << TraceKind.CONSOLE);

/** A machine: CPUs on a topology, with a timing model and an image in memory. It runs to a cycle, a probe or an end, and shows everything; the same calls give the same state, bit by bit. */
export class Machine {
  readonly topology: Topology;
  readonly timing: TimingModel;
  readonly image: MachineImage;
  readonly #core: Core;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #cpus: number;
  readonly #ram: number;
  readonly #ramBase: number;
  readonly #ramBytes: number;
  readonly #probes: ProbeHandle[];
  readonly #issueWidth: number;
  readonly #marks: ReadonlyMap<string, ImageMark>;
  /** Cycles at which CPUs start by the host's wish. */
  readonly #starts: Map<number, number>;
  #settled: boolean;
  /** Everything recorded so far. */
  readonly trace: TraceLog;
  /** What the guest wrote to its console. */
  console: string;

  private constructor(core: Core, options: MachineParts, ram: Ram, host?: HostState) {
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
    this.#probes = [...(host?.probes ?? [])];
    this.trace = new TraceLog(host?.trace);
    this.console = host?.console ?? "";
    this.#starts = new Map(host?.starts);
    this.#settled = host === undefined;
  }

  /** Compiles the core if need be, then builds. */
  static async create(options: MachineOptions): Promise<Machine> {
    return Machine.build(await loadCore(options.core), options);
  }

  /**
   * Builds a machine on a compiled core: loads the image, maps the platform's devices, warms the caches.
   * @throws IMAGE_INVALID, NAME_UNKNOWN, OPTION_INVALID, TOPOLOGY_INVALID, CAPACITY_EXCEEDED
   */
  static build(module: WebAssembly.Module, options: MachineOptions): Machine {
    const { image, timing, topology } = options;
    if (image.architecture !== timing.architecture) {
      throw new AllstopError("IMAGE_INVALID", "image and timing model are of different architectures", {
        value: image.architecture,
        allowed: timing.architecture,
      });
    }
    checkCapacities(topology);
    const core = new Core(module);
    const ram = ramOf(image);
    const traceRecords = options.traceRecords ?? 65_536;
    checkWhole("records of the trace ring", traceRecords, 1, MOST_TRACE_RECORDS);
    if (options.shutdown !== undefined) checkArchitecture(image.architecture, "x86-64", "shutdowns");
    if (options.featNmi === true) checkArchitecture(image.architecture, "arm64", "interrupts of FEAT_NMI");
    const sizes = {
      ramBase: ram.base,
      ramBytes: ram.bytes,
      traceRecords,
      bareMetal: options.bareMetal ?? false,
      featNmi: options.featNmi ?? false,
      localApic: checkedApicMode(options),
      shutdown: checkShutdown(options.shutdown ?? "stop"),
      ...(options.tscOffsets !== undefined && { tscOffsets: options.tscOffsets }),
      ...(options.virtualCounterOffsets !== undefined && { virtualCounterOffsets: options.virtualCounterOffsets }),
    };
    const block = configurationBlock(
      topology,
      timing,
      sizes,
      options.accelerations ?? {},
      personalityOf(options.firmware),
    );
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
    loadImage(core, options, ram);
    const machine = new Machine(core, options, ram);
    machine.#core.setTraceMask(ALWAYS_TRACED);
    return machine;
  }

  /**
   * A machine of a snapshot, which goes on exactly as the one that it was taken of.
   * @throws SNAPSHOT_INVALID with the reason for bytes that are damaged, or of another machine, core or version
   */
  static async restore(snapshot: Uint8Array, options: RestoreOptions): Promise<Machine> {
    return Machine.restoreOn(await loadCore(options.core), snapshot, options);
  }

  /** restore() on a compiled core. @throws SNAPSHOT_INVALID, CORE_MISMATCH, CAPACITY_EXCEEDED */
  static restoreOn(module: WebAssembly.Module, snapshot: Uint8Array, options: RestoreOptions): Machine {
    const { core, host } = loadMachine(module, snapshot, options);
    if (options.accelerations !== undefined) core.setAccelerations(accelerationBits(options.accelerations));
    return new Machine(core, options, ramOf(options.image), host);
  }

  /**
   * Everything that this machine is, as bytes: memory, CPUs, what is under way, probes, trace and console. Topology, timing
   * model and image are no part of it. @throws CORE_MISMATCH on a module that loadCore() hasn't compiled
   */
  snapshot(): Uint8Array {
    return saveMachine(this.#core, this, { ...this.#host(), cycle: this.cycle });
  }

  /** A second machine in the same state, which goes on by itself. Costs the memory in use. @throws CAPACITY_EXCEEDED */
  fork(): Machine {
    return new Machine(this.#core.fork(), this, { base: this.#ramBase, bytes: this.#ramBytes }, this.#host());
  }

  #host(): HostState {
    return { console: this.console, probes: this.#probes, starts: this.#starts, trace: this.trace };
  }

  // --- addresses and names ----------------------------------------------------------------------------------------------------

  /** Address of a symbol, of a mark "routine:mark", or of a number as it is. @throws NAME_UNKNOWN, OPTION_INVALID */
  address(place: string | number): number {
    if (typeof place === "number") {
      checkWhole("address", place, 0, Number.MAX_SAFE_INTEGER);
      return place;
    }
    const { image } = this;
    const address =
      this.#marks.get(place)?.address ?? (image.hasSymbol(place) ? image.symbol(place).address : undefined);
    if (address !== undefined) return address;
    const names = [...this.#marks.keys(), ...image.symbols.map(({ name }) => name)];
    throw new AllstopError("NAME_UNKNOWN", "no such symbol or mark in the image", {
      value: place,
      allowed: `${nearestNames(place, names).join(", ")} and others: see image.symbols and image.marks`,
    });
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

  /** Powers a CPU on at an entry point, in the next cycle or a later one. @throws OPTION_INVALID if it runs already */
  start(
    cpu: number,
    entry: string | number,
    options: { argument?: bigint; stack?: number; cycle?: number } = {},
  ): void {
    const one = this.topology.cpus[cpu];
    if (one === undefined || one.state === "absent") {
      throw new AllstopError("OPTION_INVALID", "no such CPU to start", { value: cpu, allowed: "present CPUs" });
    }
    const { argument = 0n, stack = 0 } = options;
    const pc = this.address(entry);
    checkWhole("stack pointer", stack, 0, Number.MAX_SAFE_INTEGER);
    checkWord("argument", argument);
    checkWhole("cycle to start at", options.cycle ?? 0, 0, Number.MAX_SAFE_INTEGER);
    if (this.cpu(cpu).state !== "OFFLINE" || (this.#starts.get(cpu) ?? -1) >= this.cycle) {
      throw new AllstopError("OPTION_INVALID", "the CPU has been started already", {
        value: cpu,
        allowed: "CPUs that are offline",
      });
    }
    const cycle = Math.max(options.cycle ?? 0, this.cycle + 1);
    this.#starts.set(cpu, cycle);
    this.#core.startCpu(cpu, { pc: BigInt(pc), stack: BigInt(stack), argument, cycle: BigInt(cycle) });
  }

  /**
   * Changes the wire of a shared peripheral interrupt (SPI) of an arm64 machine at a cycle, by default the present one, as a
   * device would. A pulse is seen by what is edge-triggered only. @throws OPTION_INVALID
   */
  changeLine(intid: number, change: "low" | "high" | "pulse", cycle: number = this.cycle): void {
    const changes = { low: LineChange.LOW, high: LineChange.HIGH, pulse: LineChange.PULSE };
    checkWhole("INTID of an SPI", intid, GIC_FIRST_SPI, GIC_INTID_END - 1);
    checkWhole("cycle of a wire's change", cycle, this.cycle, Number.MAX_SAFE_INTEGER);
    if (!this.#core.changeLine(intid, changes[change], BigInt(cycle))) {
      throw new AllstopError("OPTION_INVALID", "no such interrupt", {
        value: intid,
        allowed: "SPIs of arm64 machines",
      });
    }
  }

  /**
   * Perturbs what the memory order leaves open: from now on stores wait longer in their buffers, and requests for lines set out
   * later, by delays drawn from a seed; the same seed gives the same run. 0, as at first, perturbs nothing. Spinning CPUs are
   * stepped meanwhile, not elided.
   * @param seed 0 to 2^32 - 1
   * @throws OPTION_INVALID
   */
  setPerturbation(seed: number): void {
    checkWhole("seed of the perturbation", seed, 0, 2 ** 32 - 1);
    this.#core.setPerturbation(seed);
  }

  /**
   * Faults the way to a CPU: from this cycle on, messages of a kind that would arrive there arrive later, or not at all. Those
   * that are under way already are concerned; none overtakes an earlier one of its kind. What was set before is replaced;
   * `{}` puts the way in order.
   * @throws NAME_UNKNOWN, OPTION_INVALID
   */
  setDelivery(cpu: number, kind: DeliveryKindName, delivery: Delivery): void {
    const index = this.#deliveryTo(cpu, kind);
    this.#core.setDelivery(cpu, index, deliveryWords(delivery));
  }

  /** What has been set, with the losses that are left. @throws NAME_UNKNOWN, OPTION_INVALID */
  delivery(cpu: number, kind: DeliveryKindName): Required<Delivery> {
    const index = this.#deliveryTo(cpu, kind);
    return deliveryOf(this.#core.delivery(cpu, index));
  }

  #deliveryTo(cpu: number, kind: DeliveryKindName): DeliveryKind {
    this.#record(cpu);
    return deliveryKind(kind, this.timing.architecture);
  }

  /**
   * x86-64: a source of a CPU's own signals, and the local vector table of its APIC says what becomes of that: a pulse on
   * "lint0" or "lint1" (the wire of an NMI button), a "performance-counter" that overflows, "thermal", "cmci"; or "spurious",
   * an interrupt that is gone when the CPU asks for its vector. A CPU that is offline takes no notice.
   * @param options.cycle when; the next cycle if not given
   * @throws OPTION_INVALID
   */
  signalLocalInterrupt(cpu: number, source: LocalInterruptSource, options: Arrival = {}): void {
    this.#record(cpu);
    const which = localInterruptOf(this.image.architecture, source);
    const cycle = options.cycle ?? this.cycle + 1;
    checkWhole("cycle of the interrupt", cycle, this.cycle + 1, Number.MAX_SAFE_INTEGER);
    this.#hold(cpu, options);
    this.#core.signalLocalInterrupt(cpu, which, BigInt(cycle));
  }

  /**
   * Takes time from a CPU, as a hypervisor that runs something else in its place: from `cycle` on, the next one if not given, it
   * executes nothing and takes nothing for `durationCycles`, 1 to 2^48. What arrives meanwhile waits; a wait goes on, and what would
   * end it is seen later. Caches answer for the CPU, and timers count. What overlaps counts once. A CPU that is off comes up no sooner.
   * @throws OPTION_INVALID
   */
  suspend(cpu: number, options: Arrival & { readonly durationCycles: number }): void {
    this.#present(cpu);
    checkWhole("cycles without the CPU", options.durationCycles, 1, MOST_SUSPENDED_CYCLES);
    const cycle = this.#nextCycle(options.cycle);
    this.#hold(cpu, options);
    this.#core.suspend(cpu, BigInt(options.durationCycles), cycle);
  }

  /**
   * How long a CPU takes to leave a deep idle state: MWAIT with a hint beyond C1 (EAX 7:4 not 0); WFI, also that of PSCI CPU_SUSPEND, which has no hint. 0,
   * as at first: as long as the timing model says of MWAIT, or of WFI. @throws OPTION_INVALID
   */
  setIdleExit(cpu: number, cycles: number): void {
    this.#present(cpu);
    checkWhole("cycles of an exit from idle", cycles, 0, 2 ** 32 - 1);
    this.#core.setIdleExit(cpu, cycles);
  }

  // --- what comes from outside (x86-64) -----------------------------------------------------------------------------------------

  /**
   * A message that no CPU has sent reaches a CPU's local APIC, or its redistributor, at a cycle that has not been run yet. The CPU takes it at an instruction boundary, or not, as it does one of another CPU.
   * @throws OPTION_INVALID
   */
  sendInterrupt(cpu: number, message: InterruptMessage, options: Arrival = {}): void {
    const { vector, mode } = messageOf(message);
    if (message.kind === "private") checkArchitecture(this.image.architecture, "arm64", "SGIs and PPIs");
    else this.#target(cpu, "local APICs");
    const cycle = this.#nextCycle(options.cycle);
    this.#hold(this.#present(cpu), options);
    this.#core.sendInterrupt(cpu, vector, mode, cycle);
  }

  /**
   * An SMI of the platform reaches a CPU, which spends `durationCycles`, 1 to 2^32 - 1, in system-management mode; those of the
   * timing model if not given. SMM is stolen time: what comes meanwhile waits. @throws OPTION_INVALID
   */
  sendSmi(cpu: number, options: Arrival & { durationCycles?: number } = {}): void {
    const duration = smmCycles(options.durationCycles);
    const cycle = this.#nextCycle(options.cycle);
    this.#hold(this.#target(cpu, "SMIs"), options);
    this.#core.sendSmi(cpu, duration, cycle);
  }

  /**
   * What a microcode update by this CPU does (WRMSR to IA32_BIOS_UPDT_TRIG): `durationCycles`, 1 to 2^48, in which it executes nothing
   * and takes no interrupt, those of the timing model if not given; `refused`: the revision stays as it was. To hang in the
   * update is to take longer than the run. @throws OPTION_INVALID
   */
  setMicrocodeUpdate(cpu: number, update: MicrocodeUpdate): void {
    const { durationCycles, refused = false } = update;
    const cycles = microcodeCycles(durationCycles);
    this.#core.setMicrocodeUpdate(this.#target(cpu, "microcode updates"), cycles, refused);
  }

  /**
   * The platform signals a system error: port 0x61 shows its reason, and CPU 0 gets an NMI, unless the guest has disabled that
   * source there, or has not cleared an earlier one. @throws OPTION_INVALID
   */
  raiseSystemNmi(reason: SystemNmiReason, options: Arrival = {}): void {
    const source = systemNmiSource(reason);
    const cycle = this.#nextCycle(options.cycle);
    this.#hold(this.#target(0, "system NMIs"), options);
    this.#core.raiseSystemNmi(source, cycle);
  }

  /**
   * Where start-up IPIs let CPUs begin, in 64-bit mode: real mode is not modelled. All but CPU 0, which waits for none. The entry
   * finds its argument in RDI and the vector of the IPI, the page at which real mode would begin, in RSI. Without one, a start-up
   * IPI that a CPU waits for stops the machine (NO_STARTUP_ENTRY). @throws NAME_UNKNOWN, OPTION_INVALID
   */
  setStartupEntry(entry: StartupEntry): void {
    checkArchitecture(this.image.architecture, "x86-64", "start-up IPIs");
    for (const { number, state } of this.topology.cpus) {
      if (number !== 0 && state !== "absent") this.#setEntry(number, entry);
    }
  }

  /** Where INIT lets CPU 0 begin, which never waits for a start-up IPI. @throws NAME_UNKNOWN, OPTION_INVALID */
  setResetEntry(entry: StartupEntry): void {
    this.#setEntry(this.#target(0, "INITs"), entry);
  }

  #setEntry(cpu: number, { pc, stackOf = () => 0, argumentOf = BigInt }: StartupEntry): void {
    const stack = stackOf(cpu);
    const argument = argumentOf(cpu);
    checkWhole("stack pointer", stack, 0, Number.MAX_SAFE_INTEGER);
    checkWord("argument", argument);
    this.#core.setStartupEntry(cpu, { pc: BigInt(this.address(pc)), stack: BigInt(stack), argument });
  }

  #target(cpu: number, what: string): number {
    checkArchitecture(this.image.architecture, "x86-64", what);
    return this.#present(cpu);
  }

  #present(cpu: number): number {
    if (this.topology.cpus[cpu] !== undefined && this.topology.cpus[cpu].state !== "absent") return cpu;
    throw new AllstopError("OPTION_INVALID", "no such CPU", { value: cpu, allowed: "present CPUs" });
  }

  /** What the host sends next to a CPU waits for an instruction, if it is to. */
  #hold(cpu: number, { at }: Arrival): void {
    if (at === undefined) return;
    const { place, instructions = 0 } = at;
    const address = this.address(place);
    checkWhole("instructions behind a place", instructions, 0, MOST_INSTRUCTIONS);
    if (this.#core.holdNext(cpu, BigInt(address), instructions)) return;
    throw new AllstopError("CAPACITY_EXCEEDED", "too many messages that wait for an instruction of one CPU", {
      value: cpu,
      allowed: "4",
    });
  }

  /** A cycle at which the host can still let something happen. */
  #nextCycle(cycle = this.cycle + 1): bigint {
    checkWhole("cycle", cycle, this.cycle + 1, Number.MAX_SAFE_INTEGER);
    return BigInt(cycle);
  }

  /**
   * arm64: lets the interrupt of an SDEI event other than 0 come, in the next cycle or a later one, to a CPU; that of a shared
   * event goes to another one if that CPU can't take it. @throws OPTION_INVALID
   */
  triggerEvent(cpu: number, event: number, options: { readonly cycle?: number } = {}): void {
    const one = this.topology.cpus[cpu];
    if (one === undefined || one.state === "absent") {
      throw new AllstopError("OPTION_INVALID", "no such CPU to interrupt", { value: cpu, allowed: "present CPUs" });
    }
    checkWhole("cycle of the interrupt", options.cycle ?? 0, 0, Number.MAX_SAFE_INTEGER);
    const cycle = Math.max(options.cycle ?? 0, this.cycle + 1);
    if (this.image.architecture === "arm64" && this.#core.triggerEvent(cpu, event, BigInt(cycle))) return;
    throw new AllstopError("OPTION_INVALID", "no SDEI event with an interrupt", {
      value: event,
      allowed: "events of the machine's firmware: from 1000, 2000, 3000 and 4000 on; see personalities",
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
    checkWhole("cycle to run to", until, this.cycle, Number.MAX_SAFE_INTEGER);
    this.#settled = false;
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
    const probe = this.#probes.findLast((one) => one.number === number);
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
    this.#core.setTraceMask(kinds.reduce((mask, kind) => mask | (1 << kind), ALWAYS_TRACED));
  }

  /**
   * Sets a probe at a symbol, mark or address, instead of one that is there already unless it joins that. It costs the guest nothing.
   * @throws NAME_UNKNOWN, OPTION_INVALID, CAPACITY_EXCEEDED
   */
  probe(place: string | number, options: ProbeOptions = {}): ProbeHandle {
    const address = this.address(place);
    const there = options.join ? this.#probes.findLast((one) => one.address === address) : undefined;
    const { record = true, break: breaks = there?.breaks ?? false } = options;
    const values = [...new Set([...(there?.values ?? []), ...(options.values ?? [])])];
    if (values.length > MOST_PROBE_VALUES) {
      throw new AllstopError("OPTION_INVALID", "values that a probe records", {
        value: values,
        allowed: `up to ${MOST_PROBE_VALUES}`,
      });
    }
    const registers = [0, 1].map((index) => this.#slotOf(place, values[index]));
    // A CPU in the middle of an elided spin would not come by.
    this.#settle();
    const flags = (record ? Probe.RECORD : 0) | (breaks ? Probe.BREAK : 0);
    const number = this.#core.setProbe(BigInt(address), flags, (registers[0] ?? 0) | ((registers[1] ?? 0) << 8));
    if (number < 0) {
      throw new AllstopError("CAPACITY_EXCEEDED", "too many probes", { value: place, allowed: `${MAX_PROBES} places` });
    }
    const handle = { name: String(place), number, address, values, breaks };
    this.#probes.push(handle);
    return handle;
  }

  /** Register slot of a local of a mark, or of a register by name. */
  #slotOf(place: string | number, name: string | undefined): number {
    if (name === undefined) return NO_REGISTER;
    const locals = typeof place === "string" ? (this.#marks.get(place)?.locals ?? []) : [];
    const local = locals.find((one) => one.name === name);
    const { architecture } = this.image;
    if (local?.register !== undefined) return registerSlot(architecture, local.register);
    if (local === undefined && isRegisterName(architecture, name)) return registerSlot(architecture, name);
    const kept = locals.filter(({ register }) => register !== undefined).map((one) => one.name);
    throw new AllstopError("NAME_UNKNOWN", `nothing that a probe at ${place} can record`, {
      value: name,
      allowed: `${kept.length === 0 ? "" : `locals kept in a register (${kept.join(", ")}), or `}a general register`,
    });
  }

  /** Records lost because the ring was full: never silently. */
  get recordsLost(): number {
    return Number(this.#core.counter(Counter.TRACE_LOST));
  }

  /** What a CPU is doing, at this cycle. */
  cpu(number: number): CpuView {
    const at = this.#record(number);
    this.#settle();
    const pc = Number(this.#view.getBigUint64(at + CPU_PC, true));
    return {
      state: CpuState[this.#view.getUint32(at + CPU_STATE, true)] as keyof typeof CpuState,
      waitsIn: WaitKind[this.#view.getUint32(at + CPU_WAIT_KIND, true)] as keyof typeof WaitKind,
      privilege: this.#core.privilegeOf(number),
      pc,
      at: this.describe(pc),
      cycle: Math.floor(Number(this.#view.getBigUint64(at + CPU_CLOCK, true)) / this.#issueWidth),
      retired: Number(this.#view.getBigUint64(at + CPU_RETIRED, true)),
    };
  }

  /** Before anything is looked at: the core has only noted which CPUs spin. Once is enough between runs. */
  #settle(): void {
    if (!this.#settled) this.#core.catchUp();
    this.#settled = true;
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
    this.#settle();
    if (name === "pc") return this.#view.getBigUint64(record + CPU_PC, true);
    return this.#view.getBigUint64(record + CPU_REGISTERS + 8 * registerSlot(this.image.architecture, name), true);
  }

  #ramOffset(address: number, bytes: number): number {
    checkWhole("bytes", bytes, 0, this.#ramBytes);
    const offset = address - this.#ramBase;
    if (offset < 0 || offset + bytes > this.#ramBytes) {
      throw new AllstopError("OPTION_INVALID", "address outside memory", {
        value: address,
        allowed: `${this.#ramBase} to ${this.#ramBase + this.#ramBytes - bytes}`,
      });
    }
    return this.#ram + offset;
  }

  /**
   * The core's linear memory at this cycle, and where the records of the machine and of its CPUs lie: for views of what has no method here (src/inspect/).
   * To be read only, and only until the next run.
   */
  coreMemory(): { readonly view: DataView; readonly machine: number; readonly cpus: number } {
    this.#settle();
    return { view: this.#view, machine: this.#core.region(Region.MACHINE), cpus: this.#cpus };
  }

  /** A copy of guest memory. @throws OPTION_INVALID outside it */
  readMemory(place: string | number, bytes: number): Uint8Array {
    const offset = this.#ramOffset(this.address(place), bytes);
    this.#settle();
    return this.#bytes.slice(offset, offset + bytes);
  }

  /** 32 bits, little-endian, at a symbol or an address. @throws NAME_UNKNOWN, OPTION_INVALID */
  readUint32(place: string | number): number {
    const offset = this.#ramOffset(this.address(place), 4);
    this.#settle();
    return this.#view.getUint32(offset, true);
  }

  /** 64 bits, likewise. */
  readUint64(place: string | number): bigint {
    const offset = this.#ramOffset(this.address(place), 8);
    this.#settle();
    return this.#view.getBigUint64(offset, true);
  }

  /**
   * Sets guest memory between two instructions, as a debugger would: no cache is asked, and no watch of MWAIT or of an
   * exclusive access ends. Once a cycle has been run, only writable memory can be set.
   * @throws OPTION_INVALID
   */
  writeUint64(place: string | number, value: bigint): void {
    checkWord("value of 64 bits", value);
    const offset = this.#writableOffset(place, 8);
    this.#view.setBigUint64(offset, value, true);
  }

  /** As writeUint64(). @throws OPTION_INVALID */
  writeUint32(place: string | number, value: number): void {
    checkWhole("value of 32 bits", value, 0, 2 ** 32 - 1);
    const offset = this.#writableOffset(place, 4);
    this.#view.setUint32(offset, value, true);
  }

  /** As writeUint64(), for any number of bytes. @throws OPTION_INVALID */
  writeMemory(place: string | number, bytes: Uint8Array): void {
    const offset = this.#writableOffset(place, bytes.length);
    this.#bytes.set(bytes, offset);
  }

  #writableOffset(place: string | number, bytes: number): number {
    const address = this.address(place);
    const offset = this.#ramOffset(address, bytes);
    if (this.cycle === 0) return offset;
    checkWritable(this.image, address, bytes);
    this.#settle();
    return offset;
  }

  /** What caches hold of a range of whole lines before the first cycle: in memory only, owned by a core, shared by all. */
  warm(place: string | number, bytes: number, warmth: "cold" | "owned" | "shared", core = 0): void {
    checkWhole("cycle in which caches are warmed", this.cycle, 0, 0);
    const kinds = { cold: Warmth.COLD, owned: Warmth.OWNED, shared: Warmth.SHARED };
    const address = this.address(place);
    this.#ramOffset(address, bytes);
    this.#core.warm(BigInt(address - (address % 64)), BigInt(roundUp(bytes + (address % 64), 64)), kinds[warmth], core);
  }

  /** CPU numbers set in a mask of the guest. */
  readMask(place: string | number, bits: number = this.topology.cpus.length): number[] {
    checkWhole("bits of a mask", bits, 0, 8 * this.#ramBytes);
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

  /** Host memory that this machine takes, in bytes. O(memory in use). */
  get memoryUse(): MemoryUse {
    return memoryUse(this.#core, { base: this.#ramBase, bytes: this.#ramBytes });
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
