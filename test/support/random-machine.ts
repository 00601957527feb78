// Random machines for the laws of time: random topology and latencies, and programs made of the snippets that stop paths
// are made of (random-arm64.ts, random-x86/), so that events meet in every way.

import { Warmth, type TraceKind } from "../../src/abi.ts";
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
  readonly architecture: Architecture;
  readonly topology: Topology;
  /** The same machine with one CPU more, which is never started. */
  readonly extended: () => Topology;
  readonly timing: TimingModel;
  readonly coreLatencies: (core: number) => number;
  readonly guest: Guest;
  /** arm64 */
  readonly firmware: FirmwareChoice;
}

export interface MachineKind {
  /** Some of its CPUs end it. */
  readonly fatal?: boolean;
}

export function randomMachine(
  architecture: Architecture,
  seed: number,
  latencies: Latencies,
  { fatal = false }: MachineKind = {},
): RandomMachine {
  const random = new Random(seed);
  const most = latencies === "tight" ? 4 : 60;
  const shape: TopologyParameters = {
    architecture,
    packages: random.between(1, 3),
    diesPerPackage: 1,
    llcsPerDie: random.between(1, 3),
    coresPerLlc: random.between(1, 6),
    threadsPerCore: random.chance(35) ? random.between(2, 4) : 1,
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
  };
  return {
    seed,
    architecture,
    topology,
    extended: () => buildTopology(withOneMore(shape, topology.cpus.length)),
    timing: randomTiming(architecture, random, most),
    coreLatencies: (core) => coreLatency[core] ?? 1,
    guest: architecture === "x86-64" ? x86Guest(random, layout) : arm64Guest(random, layout),
    firmware: architecture === "x86-64" ? "compliant" : randomFirmware(random),
  };
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
          : sourced(random.between(1, 4)),
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
  const bare = new BareMachine({
    architecture,
    topology,
    timing,
    accelerations,
    coreLatencies,
    firmware,
    traceRecords,
    ...(guest.localApic && { localApic: guest.localApic }),
  });
  for (const { address, bytes, attributes, warm } of guest.maps) {
    bare.map(address, bytes, attributes);
    if (warm === true) bare.core.warm(BigInt(address), BigInt(bytes), Warmth.SHARED);
  }
  for (const { address, bytes } of guest.contents) bare.write(address, bytes);
  guest.starts.forEach(({ pc, stack }, cpu) => {
    bare.start(cpu, pc, { stack, cycle: BigInt(1 + (cpu % 8)) });
  });
  bare.core.setTraceMask(traceKinds.reduce((mask, kind) => mask | (1 << kind), 0));
  return bare;
}
