// Random machines for the laws of time: random topology and latencies, and programs made of the snippets that stop paths
// are made of (random-arm64.ts, random-x86/), so that events meet in every way.

import { DeliveryMode, LineChange, SYSTEM_CONTROL_SERR, Warmth, type TraceKind } from "../../src/abi.ts";
import type { Accelerations } from "../../src/machine/accelerations.ts";
import type { FirmwareChoice } from "../../src/firmware/index.ts";
import type { LocalApicMode } from "../../src/machine/local-apic.ts";
import { genericArm64, genericX86 } from "../../src/timing/generic.ts";
import { timingParameters, type Sourced, type TimingModel, type TimingParameter } from "../../src/timing/index.ts";
import { buildTopology, type Topology, type TopologyParameters } from "../../src/topology/index.ts";
import { BareMachine } from "./bare-machine.ts";
import { arm64Guest } from "./random-arm64.ts";
import { x86Guest } from "./random-x86/guest.ts";
import { randomFirmware } from "./random-firmware.ts";
import { Random } from "./random.ts";

export const architectures = ["x86-64", "arm64"] as const;
export type Architecture = (typeof architectures)[number];

/** Latencies of 1 to 4 cycles make events meet in the same cycle; those of 1 to 60 look like a machine. */
export const latencyFamilies = ["tight", "loose"] as const;
export type Latencies = (typeof latencyFamilies)[number];

/** What a guest's programs may know of their machine. */
export interface Layout {
  /** Shared lines, and words in use of each. */
  readonly lines: number;
  readonly words: number;
  readonly cpus: number;
  /** APIC id or MPIDR of each CPU. */
  readonly hardwareIds: readonly number[];
  /** Some CPUs end the machine, by every means that there is. */
  readonly fatal: boolean;
  /** arm64: most of what CPUs do is to load what others write. */
  readonly loads: boolean;
  /** arm64: the machine has FEAT_NMI. */
  readonly featNmi: boolean;
}

export interface Mapping {
  readonly address: number;
  readonly bytes: number;
  /** PAGE_* bits. */
  readonly attributes: number;
  /** Every core holds it from the start. */
  readonly warm?: boolean;
}

/** What to put into memory, and where CPUs start. */
export interface Guest {
  readonly maps: readonly Mapping[];
  readonly contents: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  readonly starts: readonly { readonly pc: number; readonly stack: number }[];
  /** Addresses of instructions: places for probes. */
  readonly marks: readonly number[];
  /** x86-64: the mode of its local APICs. */
  readonly localApic?: LocalApicMode;
}

export interface RandomMachine {
  readonly seed: number;
  /** Some of its CPUs end it. */
  readonly fatal: boolean;
  readonly architecture: Architecture;
  readonly topology: Topology;
  /** The same machine with one CPU more, which is never started. */
  readonly extended: () => Topology;
  readonly timing: TimingModel;
  readonly featNmi: boolean;
  readonly coreLatencies: (core: number) => number;
  readonly guest: Guest;
  /** arm64 */
  readonly firmware: FirmwareChoice;
  /** x86-64: what the platform sends, and TSCs. */
  readonly events: readonly SystemEvent[];
  readonly tscOffsets: readonly bigint[];
  /** What a hypervisor takes from CPUs. */
  readonly suspensions: readonly { readonly cpu: number; readonly cycle: number; readonly duration: number }[];
  /** Messages for instructions of a CPU; without a mode: suspensions. */
  readonly heldMessages: readonly {
    readonly cpu: number;
    readonly address: number;
    readonly instructions: number;
    readonly mode: DeliveryMode | undefined;
    readonly cycle: number;
  }[];
  /** Cycles that deep idle states take to leave, by CPU; none where they are as the shallow ones. */
  readonly idleExits: readonly number[];
  /** arm64: of virtual counters. Small ones let them wrap soon. */
  readonly virtualCounterOffsets: readonly bigint[];
  /** Seed of delays of stores and loads; 0 for none. */
  readonly perturbation: number;
  /** arm64: what the host does to wires of shared interrupts. */
  readonly lines: readonly { readonly intid: number; readonly change: LineChange; readonly cycle: number }[];
}

/** A message that no CPU has sent. */
export interface SystemEvent {
  readonly cpu: number;
  readonly mode: DeliveryMode;
  readonly cycle: number;
}

export interface MachineKind {
  /** Some of its CPUs end it. */
  readonly fatal?: boolean;
  /** arm64: its CPUs do hardly anything but load what others write, and interrupt each other. */
  readonly loads?: boolean;
}

export function randomMachine(
  architecture: Architecture,
  seed: number,
  latencies: Latencies,
  { fatal = false, loads = false }: MachineKind = {},
): RandomMachine {
  const random = new Random(seed);
  const most = latencies === "tight" ? 4 : 60;
  const shape: TopologyParameters = {
    architecture,
    packages: random.between(1, 3),
    diesPerPackage: 1,
    llcsPerDie: random.between(1, 3),
    coresPerLlc: random.between(1, 6),
    // Threads that share a core load in order.
    threadsPerCore: !loads && random.chance(35) ? random.between(2, 4) : 1,
    mpidrs: "linear",
    numbering: "core-major",
  };
  const topology = buildTopology(shape);
  const coreLatency = Array.from({ length: topology.counts.cores + 1 }, () => random.between(1, most));
  const layout: Layout = {
    lines: random.between(1, 4),
    words: random.between(1, 3),
    cpus: topology.cpus.length,
    hardwareIds: topology.cpus.map((cpu) => (architecture === "x86-64" ? cpu.apicId : cpu.mpidr)),
    fatal,
    loads,
    featNmi: architecture === "arm64" && random.chance(40),
  };
  const guest = architecture === "x86-64" ? x86Guest(random, layout) : arm64Guest(random, layout);
  return {
    seed,
    fatal,
    architecture,
    topology,
    extended: () => buildTopology(withOneMore(shape, topology.cpus.length)),
    timing: randomTiming(architecture, random, most),
    featNmi: layout.featNmi,
    coreLatencies: (core) => coreLatency[core] ?? 1,
    guest,
    heldMessages: randomHeldMessages(random, guest, architecture),
    ...(architecture === "x86-64" ? randomPlatform(random, topology, most) : { events: [], tscOffsets: [] }),
    lines: architecture === "x86-64" ? [] : randomLines(random, latencies),
    virtualCounterOffsets: architecture === "x86-64" ? [] : randomVirtualOffsets(random, topology),
    firmware: architecture === "x86-64" ? "compliant" : randomFirmware(random),
    perturbation: random.chance(25) ? random.next() : 0,
    suspensions: randomSuspensions(random, topology, most),
    idleExits: random.chance(50) ? [] : topology.cpus.map(() => random.between(0, 5 * most)),
  };
}

const PLATFORM_MESSAGES = [
  DeliveryMode.SMI,
  DeliveryMode.NMI,
  DeliveryMode.NMI,
  DeliveryMode.INIT,
  DeliveryMode.INIT,
  DeliveryMode.STARTUP,
] as const;

/** SMIs, NMIs, INITs with a start-up IPI or two behind them, and start-up IPIs that nobody waits for. */
function randomPlatform(
  random: Random,
  { cpus }: Topology,
  most: number,
): Pick<RandomMachine, "events" | "tscOffsets"> {
  const events: SystemEvent[] = [];
  const count = random.chance(40) ? 0 : random.between(1, 24);
  for (let i = 0; i < count; i++) {
    const cpu = random.between(0, cpus.length - 1);
    const mode = random.pick(PLATFORM_MESSAGES);
    const cycle = random.between(500, 12_000);
    events.push({ cpu, mode, cycle });
    if (mode !== DeliveryMode.INIT) continue;
    for (let sipi = random.between(1, 2); sipi > 0; sipi--) {
      events.push({ cpu, mode: DeliveryMode.STARTUP, cycle: cycle + random.between(1, 30 * most) });
    }
  }
  const tscOffsets = random.chance(50) ? [] : cpus.map(() => BigInt(random.next()) << BigInt(random.between(0, 32)));
  return { events, tscOffsets };
}

/** Short ones that meet what arrives, and long ones. */
function randomSuspensions(random: Random, { cpus }: Topology, most: number): RandomMachine["suspensions"] {
  return Array.from({ length: random.chance(50) ? 0 : random.between(1, 16) }, () => ({
    cpu: random.between(0, cpus.length - 1),
    cycle: random.between(2, 12_000),
    duration: random.between(0, random.chance(70) ? 10 * most : 3_000),
  }));
}

function randomHeldMessages(random: Random, guest: Guest, architecture: Architecture): RandomMachine["heldMessages"] {
  return Array.from({ length: random.chance(50) ? 0 : random.between(1, 12) }, () => ({
    cpu: random.between(0, guest.starts.length - 1),
    address: random.chance(50) ? 0 : random.pick(guest.marks),
    instructions: random.between(0, 40),
    mode: random.chance(30)
      ? undefined
      : architecture === "arm64"
        ? DeliveryMode.FIXED
        : random.pick([DeliveryMode.FIXED, DeliveryMode.NMI, DeliveryMode.SMI, DeliveryMode.INIT]),
    cycle: random.between(2, 12_000),
  }));
}

function randomVirtualOffsets(random: Random, { cpus }: Topology): bigint[] {
  if (random.chance(50)) return [];
  return cpus.map(() => BigInt(random.chance(60) ? random.between(0, 20_000) : -random.next()));
}

function randomLines(random: Random, latencies: Latencies): RandomMachine["lines"] {
  return Array.from({ length: random.between(0, 20) }, () => ({
    intid: random.between(32, 47),
    change: random.pick([LineChange.LOW, LineChange.HIGH, LineChange.PULSE]),
    cycle: random.between(1, latencies === "tight" ? 5_000 : 15_000),
  }));
}

/** A last package that holds one CPU: it is offline, and shares a core or a cache with nobody. */
function withOneMore(shape: TopologyParameters, cpus: number): TopologyParameters {
  return { ...shape, packages: shape.packages + 1, cpus: cpus + 1, offline: String(cpus) };
}

function randomTiming(architecture: Architecture, random: Random, most: number): TimingModel {
  const sourced = (value: number): Sourced => ({ value, source: "random", confidence: "estimate" });
  const ns = (least: number, upTo = most) => sourced(random.between(least, upTo)); // at 1000 MHz a ns is a cycle
  const parameters = Object.fromEntries(
    Object.entries(timingParameters).map(([name, { unit }]) => [
      name,
      unit === "ns"
        ? ns(1)
        : unit === "kHz"
          ? sourced(random.pick([1_000_000, 400_000, 333_333, 24_000]))
          : sourced(random.between(1, unit === "stores" ? 12 : 4)),
    ]),
  ) as Record<TimingParameter, Sourced>;
  parameters.relax = sourced(random.between(1, 40));
  parameters.interruptMember = ns(0);
  parameters.interruptCopy = ns(0);
  return {
    ...(architecture === "x86-64" ? genericX86 : genericArm64),
    clockMhz: sourced(1000),
    issueWidth: sourced(random.pick([1, 2, 4])),
    counterHz: sourced(random.pick([1_000_000_000, 250_000_000, 24_000_000])),
    lines: { cache: ns(1), node: ns(1), package: ns(1), machine: ns(1, 2 * most) },
    parameters,
  };
}

export interface BuildOptions {
  readonly accelerations?: Partial<Accelerations>;
  readonly topology?: Topology;
  readonly traceRecords?: number;
  readonly traceKinds?: readonly TraceKind[];
}

/** Builds the machine; every CPU that has a program starts at cycle 1 to 8. */
export function build(machine: RandomMachine, options: BuildOptions = {}): BareMachine {
  const { architecture, guest, timing, coreLatencies, firmware } = machine;
  const { accelerations = {}, topology = machine.topology, traceRecords = 1 << 16, traceKinds = [] } = options;
  const { events, tscOffsets, virtualCounterOffsets, featNmi } = machine;
  // Who ends its machine by a triple fault is not to stay in it.
  const shutdown = machine.fatal ? "stop" : "wait";
  const settings = { accelerations, coreLatencies, firmware, traceRecords, shutdown, featNmi } as const;
  const offsets = architecture === "x86-64" ? { tscOffsets } : { virtualCounterOffsets };
  const localApic = guest.localApic && { localApic: guest.localApic };
  const bare = new BareMachine({ architecture, topology, timing, ...settings, ...offsets, ...localApic });
  for (const { address, bytes, attributes, warm } of guest.maps) {
    bare.map(address, bytes, attributes);
    if (warm === true) bare.core.warm(BigInt(address), BigInt(bytes), Warmth.SHARED);
  }
  for (const { address, bytes } of guest.contents) bare.write(address, bytes);
  guest.starts.forEach(({ pc, stack }, cpu) => {
    bare.start(cpu, pc, { stack, cycle: BigInt(1 + (cpu % 8)) });
    if (architecture === "x86-64") {
      bare.core.setStartupEntry(cpu, { pc: BigInt(pc), stack: BigInt(stack), argument: 0n });
    }
  });
  for (const { cpu, mode, cycle } of events) bare.core.sendInterrupt(cpu, 0x10, mode, BigInt(cycle));
  if (events.length > 6) bare.core.raiseSystemNmi(SYSTEM_CONTROL_SERR, BigInt(events[0]!.cycle));
  for (const { intid, change, cycle } of machine.lines) bare.core.changeLine(intid, change, BigInt(cycle));
  for (const { cpu, address, instructions, mode, cycle } of machine.heldMessages) {
    if (!bare.core.holdNext(cpu, BigInt(address), instructions)) continue;
    if (mode === undefined) bare.core.suspend(cpu, 50n, BigInt(cycle));
    else bare.core.sendInterrupt(cpu, 0x50, mode, BigInt(cycle));
  }
  for (const { cpu, cycle, duration } of machine.suspensions) bare.core.suspend(cpu, BigInt(duration), BigInt(cycle));
  machine.idleExits.forEach((cycles, cpu) => bare.core.setIdleExit(cpu, cycles));
  bare.core.setPerturbation(machine.perturbation);
  bare.core.setTraceMask(traceKinds.reduce((mask, kind) => mask | (1 << kind), 0));
  return bare;
}
