// One interrupt for all other CPUs of a machine of 4,096: by broadcast, cluster by cluster, and by one write per target. When
// it reaches each, and what it costs the sender, is worked out here from the topology and the timing model alone.

import { describe, expect, it } from "vitest";
import { Counter, TraceKind } from "../../src/abi.ts";
import { buildTopology, nodeDistance, type Cpu, type Topology } from "../../src/topology/index.ts";
import { findTimingModel, type TimingModel } from "../../src/timing/index.ts";
import { RAX } from "../instructions/x86-64/code.ts";
import { A64 } from "../support/a64.ts";
import { BareMachine, PAGE_RX, type TraceRecord } from "../support/bare-machine.ts";
import { plainTiming } from "../support/plain-timing.ts";
import { MSR_ICR, X64 } from "../support/x64.ts";

type Architecture = "x86-64" | "arm64";
const architectures = ["x86-64", "arm64"] as const;

/** No two are equal, and no sum of some is a sum of others in the range at hand. The gap is longer than preparing a write. */
const figures = {
  cache: 2,
  node: 23,
  package: 211,
  machine: 1009,
  interrupt: 503,
  siblingInterrupt: 401,
  interruptGap: 67,
  interruptMember: 5,
  interruptCopy: 13,
  sendInterrupt: 7,
};

/** 8 packages of 2 nodes of 4 caches of 32 cores of 2 threads; clusters of 16 CPUs lie within a cache. */
function topologyOf(architecture: Architecture): Topology {
  return buildTopology({
    architecture,
    packages: 8,
    nodesPerPackage: 2,
    llcsPerDie: 8,
    coresPerLlc: 32,
    threadsPerCore: 2,
    numbering: "core-major",
    mpidrs: "linear",
  });
}

const SENDER = 1000;
const VECTOR = 0x41;
const SGI = 5n;
const sendings = ["broadcast", "cluster by cluster", "one by one"] as const;
type Sending = (typeof sendings)[number];

/** Targets of each write, in order. */
function writesOf(sending: Sending, topology: Topology): number[][] {
  const others = topology.cpus.map(({ number }) => number).filter((cpu) => cpu !== SENDER);
  if (sending === "broadcast") return [others];
  if (sending === "one by one") return others.map((cpu) => [cpu]);
  const clusters = new Map<number, number[]>();
  for (const cpu of others) clusters.set(cpu >> 4, [...(clusters.get(cpu >> 4) ?? []), cpu]);
  return [...clusters.values()];
}

/** The value of ICR or of ICC_SGI1R_EL1 for some CPUs: a list as soon as there are two. */
function command(architecture: Architecture, sending: Sending, targets: readonly Cpu[]): bigint {
  const [first] = targets;
  if (first === undefined) throw new Error("nobody to interrupt");
  if (architecture === "x86-64") {
    if (sending === "broadcast") return (3n << 18n) | BigInt(VECTOR);
    if (sending === "one by one") return (BigInt(first.apicId) << 32n) | BigInt(VECTOR);
    const bits = targets.reduce((list, { apicId }) => list | (1 << (apicId & 15)), 0);
    return (BigInt(((first.apicId >> 4) << 16) | bits) << 32n) | 0x800n | BigInt(VECTOR);
  }
  if (sending === "broadcast") return (1n << 40n) | (SGI << 24n);
  const bits = targets.reduce((list, { mpidr }) => list | (1 << (mpidr & 15)), 0);
  const mpidr = BigInt(first.mpidr);
  const affinity = (((mpidr >> 16n) & 0xffn) << 32n) | (((mpidr >> 8n) & 0xffn) << 16n);
  return affinity | (SGI << 24n) | BigInt(bits);
}

const CODE = { "x86-64": 0x10_0000, arm64: 0x4010_0000 };

/** All writes one after another, then the counter. */
function program(architecture: Architecture, commands: readonly bigint[]): Uint8Array {
  if (architecture === "x86-64") {
    const code = new X64(CODE["x86-64"]);
    for (const value of commands) code.writeMsr(MSR_ICR, value);
    return code.rdtsc().label("park").pause().jump("park").finish();
  }
  const code = new A64();
  for (const value of commands) code.mov(9, value).msr("icc_sgi1r_el1", 9);
  return code.mrs(0, "cntvct_el0").label("park").relax().b("park").finish();
}

interface Observed {
  readonly sent: readonly TraceRecord[];
  /** By CPU number; undefined for the sender. */
  readonly arrivals: readonly (number | undefined)[];
  /** First departure, and when the sender goes on. */
  readonly departed: number;
  readonly goesOn: number;
}

function observe(architecture: Architecture, sending: Sending, topology: Topology, timing: TimingModel): Observed {
  const commands = writesOf(sending, topology).map((targets) =>
    command(
      architecture,
      sending,
      targets.map((cpu) => topology.cpus[cpu] as Cpu),
    ),
  );
  const machine = new BareMachine({ architecture, topology, timing, traceRecords: 1 << 14 });
  const bytes = program(architecture, commands);
  machine.map(CODE[architecture], bytes.length, PAGE_RX);
  machine.write(CODE[architecture], bytes);
  machine.core.setTraceMask((1 << TraceKind.INTERRUPT_SENT) | (1 << TraceKind.INTERRUPT_ARRIVED));
  machine.start(SENDER, CODE[architecture]);
  machine.run(2_000_000);
  const records = machine.drain();
  const sent = records.filter(({ kind }) => kind === TraceKind.INTERRUPT_SENT);
  const arrivals: (number | undefined)[] = topology.cpus.map(() => undefined);
  for (const { kind, cpu, cycle } of records) {
    if (kind === TraceKind.INTERRUPT_ARRIVED) arrivals[cpu] = Number(cycle);
  }
  expect(machine.counter(Counter.STOP_REASON)).toBe(0n);
  expect(sent).toHaveLength(topology.cpus.length - 1);
  const goesOn = machine.register(SENDER, architecture === "x86-64" ? RAX : 0);
  return { sent, arrivals, departed: Number(sent[0]?.cycle), goesOn: Number(goesOn) };
}

/** Cycles that a message of its own takes to a CPU. */
function pairLatency(topology: Topology, to: Cpu): number {
  const from = topology.cpus[SENDER] as Cpu;
  const { siblingInterrupt, interrupt, node, machine } = figures;
  if (from.core === to.core) return siblingInterrupt;
  if (from.llc === to.llc) return interrupt;
  if (from.node === to.node) return interrupt + node;
  if (from.package === to.package) return interrupt + figures.package;
  return interrupt + Math.round(machine * Math.max(1, (nodeDistance(topology, from.node, to.node) - 10) / 11));
}

/** By CPU: how far behind the first copy its copy leaves, and how many of its cache are served before it. */
function placesInBroadcast({ cpus, nodes }: Topology): { copies: number; members: number }[] {
  const own = (cpus[SENDER] as Cpu).node;
  const order = [own, ...nodes.map((_, node) => node).filter((node) => node !== own)];
  const cachesOf = nodes.map((_, index) => new Set(cpus.filter(({ node }) => node === index).map(({ llc }) => llc)));
  const caches = cachesOf.map((set) => [...set].sort((a, b) => a - b));
  const served = new Map<number, number>();
  return cpus.map(({ node, llc }) => {
    const members = served.get(llc) ?? 0;
    served.set(llc, members + 1);
    return { copies: order.indexOf(node) + (caches[node]?.indexOf(llc) ?? NaN), members };
  });
}

/** Cycles from the first departure to each arrival. */
function expectedArrivals(sending: Sending, topology: Topology): (number | undefined)[] {
  const { interruptGap, interruptMember, interruptCopy } = figures;
  const arrivals: (number | undefined)[] = topology.cpus.map(() => undefined);
  const places = placesInBroadcast(topology);
  writesOf(sending, topology).forEach((targets, write) => {
    targets.forEach((target, position) => {
      const to = topology.cpus[target] as Cpu;
      const { copies, members } = (sending === "broadcast" && places[target]) || { copies: 0, members: position };
      const skew = copies * interruptCopy + members * interruptMember;
      arrivals[target] = write * interruptGap + pairLatency(topology, to) + skew;
    });
  });
  return arrivals;
}

/** First, median and last arrival. */
function spread(arrivals: readonly (number | undefined)[]): { first: number; median: number; last: number } {
  const sorted = arrivals.filter((cycle) => cycle !== undefined).sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] as number;
  return { first: at(0), median: at(sorted.length >> 1), last: at(sorted.length - 1) };
}

describe.each(architectures)("an interrupt for 4,095 CPUs of %s", (architecture) => {
  const topology = topologyOf(architecture);
  const timing = plainTiming(architecture, figures);
  const observed = new Map(sendings.map((sending) => [sending, observe(architecture, sending, topology, timing)]));
  const of = (sending: Sending): Observed => observed.get(sending) as Observed;

  it.each(sendings)("sent %s reaches each when the timing model says, to the cycle", (sending) => {
    const { arrivals, departed } = of(sending);
    const since = arrivals.map((cycle) => (cycle === undefined ? undefined : cycle - departed));
    expect(since).toEqual(expectedArrivals(sending, topology));
  });

  it.each(sendings)("sent %s costs the sender a gap for each write but the last", (sending) => {
    const { departed, goesOn } = of(sending);
    const writes = writesOf(sending, topology).length;
    expect(writes).toBe({ broadcast: 1, "cluster by cluster": 256, "one by one": 4095 }[sending]);
    expect(goesOn - departed).toBe((writes - 1) * figures.interruptGap + figures.sendInterrupt);
  });

  it("costs the sender least by broadcast, most one by one; and reaches the last and the median in that order", () => {
    const [broadcast, clusters, each] = sendings.map(of) as [Observed, Observed, Observed];
    const cost = ({ departed, goesOn }: Observed): number => goesOn - departed;
    expect(cost(broadcast)).toBeLessThan(cost(clusters) / 100);
    expect(cost(clusters)).toBeLessThan(cost(each) / 10);
    const [one, two, three] = [broadcast, clusters, each].map(({ arrivals }) => spread(arrivals));
    expect(one!.last).toBeLessThan(two!.last);
    expect(two!.last).toBeLessThan(three!.last);
    expect(one!.median).toBeLessThan(two!.median);
    expect(two!.median).toBeLessThan(three!.median);
  });

  it("has left the sender when the first CPU has it, and is under way to the last when the sender goes on", () => {
    for (const { departed, goesOn, arrivals } of observed.values()) {
      const { first, last } = spread(arrivals);
      expect(first).toBeGreaterThan(departed);
      expect(last).toBeGreaterThan(goesOn);
    }
  });

  it("never arrives with the instruction that sends it: P is the least of all latencies", () => {
    const machine = new BareMachine({ architecture, topology, timing });
    const least = Number(machine.counter(Counter.LEAST_INTERRUPT_LATENCY));
    expect(least).toBe(figures.siblingInterrupt);
    for (const { sent } of observed.values()) {
      expect(Math.min(...sent.map(({ cycle, value }) => Number(value - cycle)))).toBeGreaterThanOrEqual(least);
    }
  });
});

describe("without skew", () => {
  it.each(architectures)("a broadcast of %s reaches each as a message of its own would", (architecture) => {
    const topology = buildTopology({ architecture, packages: 40, coresPerLlc: 26, numbering: "core-major" });
    const timing = plainTiming(architecture, { ...figures, interruptMember: 0, interruptCopy: 0 });
    const { arrivals, departed } = observe(architecture, "broadcast", topology, timing);
    arrivals.forEach((cycle, cpu) => {
      if (cpu === SENDER) expect(cycle).toBeUndefined();
      else expect(Number(cycle) - departed).toBe(pairLatency(topology, topology.cpus[cpu] as Cpu));
    });
  });
});

describe.each(architectures)("the neutral model of %s", (architecture) => {
  it("spreads a broadcast over less than the two other ways, and lets the sender go on first", () => {
    const topology = topologyOf(architecture);
    const timing = findTimingModel(architecture === "x86-64" ? "generic-x86" : "generic-arm64");
    const [broadcast, clusters, each] = sendings.map((sending) => {
      const { arrivals, sent, departed } = observe(architecture, sending, topology, timing);
      const { first, last } = spread(arrivals);
      return { skew: last - first, sending: Number(sent.at(-1)?.cycle) - departed };
    });
    expect(broadcast!.sending).toBe(0);
    expect(clusters!.sending).toBeLessThan(each!.sending / 10);
    expect(broadcast!.skew).toBeLessThan(clusters!.skew);
    expect(clusters!.skew).toBeLessThan(each!.skew);
  });
});
