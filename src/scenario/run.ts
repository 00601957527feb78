// Runs a scenario: builds the kernel and the machine, lets the requester call, and observes.

// First, since the order in which guest modules load is the order of routines in an image.
import "../guest/kernel.ts";
import type { Callable, Image } from "../asm/index.ts";
import { AllstopError, placed } from "../errors.ts";
import {
  runWithFaults,
  stepWithFaults,
  type Advance,
  type AdvanceBySteps,
  type FaultyRun,
  type Injected,
} from "../faults/inject.ts";
import { xapicBindings } from "../guest/irqchip/xapic.ts";
import { buildKernel, kernelSymbols, perCpuOffsets, requestOffsets, type KernelOptions } from "../guest/kernel.ts";
import { StartKind } from "../guest/percpu.ts";
import { ActiveCpus } from "../guest/load/parameters.ts";
import { CpuMask } from "../guest/lib/mask.ts";
import { relaxTurns } from "../faults/load.ts";
import { Machine, type LocalApicMode, type RunEnd } from "../machine/machine.ts";
import type { Accelerations } from "../machine/accelerations.ts";
import { fanOutCases, probeBenchmark, readBenchmark, type InterruptMeasurement } from "../measure/ipi-benchmark.ts";
import { lineMeasuring, readLines, type LineTraffic } from "../measure/lines.ts";
import { ObjectNames, watchFrames } from "../measure/object-names.ts";
import { observeEvents, type History } from "../measure/observations.ts";
import { probeRendezvous, readTimelines, type Timeline } from "../measure/timeline.ts";
import { counterMhz, cyclesOf } from "../timing/index.ts";
import type { Policy } from "../policies/index.ts";
import type { Topology } from "../topology/index.ts";
import { loadCore, type CoreSource } from "../core/load.ts";
import { expandScenario, type ExpandedScenario } from "./expand.ts";
import { parseFields, type ScenarioFields } from "./input.ts";
import { callerOf, startsTarget, type ExpandedRequest } from "./requests.ts";

/** How a scenario is run. Nothing of it changes what happens, but `topology`, `policies`, `parameters` and `localApic`. */
export interface RunOptions {
  /** A topology that the document doesn't name, such as one read from a file. */
  readonly topology?: Topology;
  /** Policies that the document may name beside the built-in ones: stop paths of one's own. */
  readonly policies?: readonly Policy[];
  /** What makes runs fast and changes nothing else, switched off one by one. All are on by default. */
  readonly accelerations?: Partial<Accelerations>;
  /** Called now and then with the share of the work that is done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
  /** Where the WebAssembly core is taken from; by default from the package. */
  readonly core?: CoreSource;
  /** The kernel, if kernelFor() has built it for a scenario that differs in nothing that the image holds. */
  readonly image?: Image;
  /** Options of the guest's image, by name, beyond what the scenario says. */
  readonly parameters?: Readonly<Record<string, number | bigint>>;
  /**
   * Measure what cache lines cost: the report has the most contended ones, and how much of each CPU's lateness was waiting for which.
   * Takes three to four times as long on thousands of CPUs and more memory, since nothing may be elided that concerns lines: trains and foresight are off,
   * whatever `accelerations` says. The run itself is the same. Default false.
   */
  readonly lines?: boolean;
  /** x86-64: the mode of the local APICs, and so the driver of the guest; "x2apic" if not given. */
  readonly localApic?: LocalApicMode;
}

/** Turns of the settling loop before a call: long enough for every CPU to be back at what it does. */
const SETTLE_NS = 50_000;
const MASK_BYTES = CpuMask.bytes;
/** Simulated time between two looks at the progress. */
const SLICE_NS = 20_000;

/** What lines of memory did from the first call on, and names for addresses in them. */
export interface LineMeasurement extends LineTraffic {
  readonly names: ObjectNames;
}

/** A run that has ended, and what was observed. */
export interface RunResult {
  readonly expanded: ExpandedScenario;
  readonly machine: Machine;
  readonly end: RunEnd;
  /** When each of `expanded.injections` took place, if it did. */
  readonly injected: readonly Injected[];
  /** One per call of the stop path. */
  readonly timelines: readonly Timeline[];
  /** What happened, in events; of a policy that measures interrupts, nothing. */
  readonly history: History;
  /** Of a policy that measures interrupts. */
  readonly interrupts?: InterruptMeasurement;
  /** Of a run that measured lines. */
  readonly lines?: LineMeasurement;
  /** Time that building and running took on the host. */
  readonly wallMs: number;
}

/** Runs a scenario document to its end; simulate() makes a report of that. @throws as simulate() */
export async function executeScenario(document: ScenarioFields, options: RunOptions = {}): Promise<RunResult> {
  const expanded = expandScenario(parseFields(document), options.topology, options.policies);
  const started = performance.now();
  const machine = await prepareMachine(expanded, options);
  if (options.lines && expanded.policy.measures !== undefined) {
    throw new AllstopError("OPTION_INVALID", `lines are measured of calls: ${expanded.policy.name} makes none`, {
      at: "lines",
      value: true,
    });
  }
  const observation = expanded.policy.measures === undefined ? watchCalls : watchInterrupts;
  const read = observation(machine, expanded, options.lines ?? false);
  breakAtEnd(machine, expanded);
  const { end, injected } = runToEnd(machine, expanded, options.onProgress);
  if (end.kind === "probe") machine.run(machine.cycle + afterCycles(expanded));
  return { expanded, machine, end, injected, ...read(), wallMs: performance.now() - started };
}

/** Sets the probes, and returns what reads them when the run is over. */
type Watch = (
  machine: Machine,
  expanded: ExpandedScenario,
  lines: boolean,
) => () => Pick<RunResult, "timelines" | "history" | "interrupts" | "lines">;

const watchCalls: Watch = (machine, { policy, requests: [request] }, lines) => {
  const probes = probeRendezvous(machine, policy);
  const readHistory = observeEvents(machine, { lines });
  const readFrames = lines ? watchFrames(machine) : undefined;
  return () => {
    const timelines = readTimelines(machine, probes, policy, request);
    const history = readHistory();
    if (readFrames === undefined) return { timelines, history };
    const until = timelines.at(-1)?.return ?? NaN;
    const traffic = readLines(machine, timelines[0]?.call ?? Infinity, Number.isNaN(until) ? machine.cycle : until);
    const { lines: byAddress, waits } = traffic;
    const names = new ObjectNames(machine.image, readFrames());
    return { timelines, history, lines: { lines: byAddress, waits, names } };
  };
};

const watchInterrupts: Watch = (machine, { online, requests: [{ requester, targets }] }) => {
  const probes = probeBenchmark(machine);
  const who = { sender: requester, target: targets[0] ?? requester, online };
  const history = { observations: [], records: [] };
  return () => ({ timelines: [], history, interrupts: readBenchmark(machine, probes, who) });
};

/** The kernel that a scenario needs: its policies' routines, with the run's numbers as constants. */
export function kernelFor(
  expanded: ExpandedScenario,
  parameters: RunOptions["parameters"] = {},
  localApic: LocalApicMode = "x2apic",
): Image {
  const { topology, timing, policy, requests, online } = expanded;
  const [, ...also] = requests;
  const driver = localApic === "xapic" ? xapicBindings : [];
  const bindings = [...driver, ...also.flatMap((request) => request.policy.bindings), ...policy.bindings];
  return recentKernel({
    architecture: timing.architecture,
    ...(policy.flavour === undefined ? {} : { flavour: policy.flavour }),
    cpus: topology.cpus.length,
    bindings: [...new Map(bindings.map((binding) => [binding.slot.name, binding])).values()],
    works: [...new Set(expanded.loads.flatMap(({ work }) => work ?? []))],
    calls: [...new Set(requests.map((request) => request.policy.request.call))],
    parameters: {
      onlineWanted: online.length - requests.filter(startsTarget).length,
      requesters: requests.length,
      // What a requester asks for whose block nobody fills: the same as the first.
      rounds: requests[0].rounds,
      activeCpus: expanded.active === undefined ? ActiveCpus.Null : ActiveCpus.Mask,
      settleTurns: Math.round(cyclesOf(timing, SETTLE_NS) / (timing.parameters.relax.value + 1)),
      functionTurns: expanded.functionTurns,
      relaxesPerMicrosecond: relaxTurns(timing, 1000),
      ticksPerMicrosecond: Math.round(counterMhz(timing)),
      ...expanded.options,
      ...parameters,
    },
  });
}

const numbers = new WeakMap<Callable, number>();
let numbered = 0;

function numberOf(routine: Callable): number {
  const number = numbers.get(routine) ?? ++numbered;
  numbers.set(routine, number);
  return number;
}

/** Images that were built last, by what they were built from: runs that differ in loads and faults share theirs. */
const kernels = new Map<string, Image>();
const MOST_KERNELS = 8;

function recentKernel(options: KernelOptions): Image {
  const { bindings = [], calls = [] } = options;
  const key = JSON.stringify(
    {
      ...options,
      // Routines of one name need not be one.
      bindings: bindings.map(({ slot, routine }) => [numberOf(slot), numberOf(routine)]),
      calls: calls.map(numberOf),
    },
    (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value),
  );
  const image = kernels.get(key) ?? buildKernel(options);
  kernels.delete(key);
  kernels.set(key, image);
  const [oldest] = kernels.keys();
  if (kernels.size > MOST_KERNELS && oldest !== undefined) kernels.delete(oldest);
  return image;
}

/** A machine with the scenario's kernel, its CPUs about to start. */
export async function prepareMachine(expanded: ExpandedScenario, options: RunOptions = {}): Promise<Machine> {
  const image = options.image ?? kernelFor(expanded, options.parameters, options.localApic);
  const accelerations = { ...options.accelerations, ...(options.lines && lineMeasuring) };
  return buildMachine(await loadCore(options.core), expanded, accelerations, image, options.localApic);
}

/** prepareMachine() on a compiled core. */
export function buildMachine(
  core: WebAssembly.Module,
  expanded: ExpandedScenario,
  accelerations: Partial<Accelerations> = {},
  image: Image = kernelFor(expanded),
  localApic?: LocalApicMode,
): Machine {
  const { topology, timing, requests, online } = expanded;
  const { featNmi, firmware } = expanded.scenario.machine;
  const machine = Machine.build(core, {
    ...{ topology, timing, image, accelerations },
    ...(localApic === undefined ? {} : { localApic }),
    ...(featNmi === undefined ? {} : { featNmi }),
    ...(firmware === undefined ? {} : { firmware }),
  });
  writeLoads(machine, expanded);
  requests.forEach((request, index) => {
    writeRequest(machine, request, index);
  });
  const present = topology.cpus.filter(({ state }) => state !== "absent").map(({ number }) => number);
  writeMask(machine, machine.address(kernelSymbols.presentMask), present);
  for (const policy of new Set(requests.map((request) => request.policy))) policy.prepare?.(machine);
  for (const cpu of online) machine.start(cpu, kernelSymbols.entry, { argument: BigInt(cpu) });
  placeOffline(machine, expanded);
  expanded.loads.forEach(({ idleExitCycles }, cpu) => {
    if (idleExitCycles !== undefined) machine.setIdleExit(cpu, idleExitCycles);
  });
  for (const [cpu, update] of expanded.updates) machine.setMicrocodeUpdate(cpu, update);
  machine.setPerturbation(expanded.scenario.perturbation);
  for (const { cpu, kind, delivery } of expanded.deliveries) machine.setDelivery(cpu, kind, delivery);
  return machine;
}

/** Tells each CPU, in its per-CPU block, what it does; the requesters' tasks call. */
function writeLoads(machine: Machine, { loads, online, requests, results }: ExpandedScenario): void {
  const { image } = machine;
  const requesters = new Set(requests.map(({ requester }) => requester));
  for (const cpu of online) {
    const block = image.perCpuStart + cpu * image.perCpuStride;
    const load = loads[cpu];
    if (load === undefined) throw new AllstopError("SCENARIO_INVALID", "a CPU without a load", { value: cpu });
    const work = requesters.has(cpu) ? kernelSymbols.requester : load.work;
    if (work !== undefined) machine.writeUint64(block + perCpuOffsets.work, BigInt(machine.address(work)));
    machine.writeUint32(block + perCpuOffsets.idle, load.idle);
    machine.writeUint64(block + perCpuOffsets.irqsOffTurns, BigInt(load.irqsOffTurns));
    machine.writeUint64(block + perCpuOffsets.irqsOnTurns, BigInt(load.irqsOnTurns));
    const result = results.get(cpu);
    machine.writeUint32(block + perCpuOffsets.functionResult, (result?.value ?? 0) >>> 0);
    machine.writeUint64(block + perCpuOffsets.resultRounds, result?.rounds ?? 0n);
  }
}

/** Brings CPUs into the states in which they are offline by their loads; those that were never started are. */
function placeOffline(machine: Machine, { loads, topology }: ExpandedScenario): void {
  const { image } = machine;
  for (const [cpu, { kind, idle }] of loads.entries()) {
    if (topology.cpus[cpu]?.state === "absent") continue;
    if (kind === "offline-hlt" || kind === "offline-mwait") {
      const block = image.perCpuStart + cpu * image.perCpuStride;
      machine.writeUint32(block + perCpuOffsets.start, StartKind.Dead);
      machine.writeUint32(block + perCpuOffsets.idle, idle);
      machine.start(cpu, kernelSymbols.entry, { argument: BigInt(cpu) });
    } else if (kind === "wait-for-sipi") {
      machine.start(cpu, kernelSymbols.entry, { argument: BigInt(cpu) });
      machine.sendInterrupt(cpu, { kind: "init" }, { cycle: machine.cycle + 2 });
    }
  }
}

/** Fills the block of the CPU that calls. Where the target calls on its way up, its own block says with which mask. */
function writeRequest(machine: Machine, request: ExpandedRequest, index: number): void {
  const { policy, requester, targets, mask, rounds, startTurns } = request;
  const { image } = machine;
  const blockOf = (cpu: number): number => image.perCpuStart + cpu * image.perCpuStride;
  const own = blockOf(requester);
  machine.writeUint64(own + requestOffsets.call, BigInt(machine.address(policy.request.call.name)));
  machine.writeUint64(own + requestOffsets.startTurns, BigInt(startTurns));
  const endsRun = index === 0 && policy.promises?.end === "stopped";
  machine.writeUint32(own + requestOffsets.endsRun, endsRun ? 1 : 0);
  const isInside = policy.request.rounds === "inside";
  machine.writeUint32(own + requestOffsets.rounds, isInside ? 1 : rounds);
  if (isInside) {
    machine.writeUint32(own + requestOffsets.first, targets[0] ?? 0);
    machine.writeUint32(own + requestOffsets.second, rounds);
  } else if (policy.request.rounds !== "per target") {
    machine.writeUint32(own + requestOffsets.first, targets[0] ?? 0);
    machine.writeUint32(own + requestOffsets.second, targets[1] ?? 0);
  }
  const starting = startsTarget(request) ? blockOf(targets[0] as number) : undefined;
  const caller = blockOf(callerOf(request));
  if (starting !== undefined) machine.writeUint32(starting + perCpuOffsets.start, StartKind.Held);
  if (mask === undefined) return;
  const address = machine.address(kernelSymbols.requestedMask) + index * MASK_BYTES;
  writeMask(machine, address, mask);
  machine.writeUint64(caller + requestOffsets.mask, BigInt(address));
}

function writeMask(machine: Machine, address: number, members: readonly number[]): void {
  const words = new Map<number, bigint>();
  for (const cpu of members) words.set(cpu >> 6, (words.get(cpu >> 6) ?? 0n) | (1n << BigInt(cpu & 63)));
  for (const [word, value] of words) machine.writeUint64(address + 8 * word, value);
}

/** A run ends when the requester is through, or something fatal happens. */
function breakAtEnd(machine: Machine, { policy: { marks } }: ExpandedScenario): void {
  machine.probe(marks.done, { break: true, join: true });
  machine.probe(marks.fatal, { break: true, join: true });
}

/** How long a run goes on behind its end. */
function afterCycles({ scenario, timing }: ExpandedScenario): number {
  return cyclesOf(timing, scenario.afterUs * 1000, 0);
}

/** Runs until the requester is through, something fatal happens, or the limit. What is to go wrong on the way does. */
function runToEnd(machine: Machine, expanded: ExpandedScenario, onProgress: RunOptions["onProgress"]): FaultyRun {
  const { injections } = expanded;
  const limit = limitOf(machine, expanded);
  const advance = onProgress === undefined ? undefined : tellingProgress(machine, expanded, onProgress);
  if (injections.length === 0) return { end: advance?.(limit) ?? machine.run(limit), injected: [] };
  return runWithFaults(machine, injections, limit, advance);
}

function limitOf(machine: Machine, { scenario, timing, injections }: ExpandedScenario): number {
  for (const { at, from } of injections) if ("mark" in at) placed(`${from}.at.mark`, () => machine.address(at.mark));
  return cyclesOf(timing, scenario.limitUs * 1000);
}

/**
 * Runs a prepared machine to its end as executeScenario() does, in the steps of `advance`: who looks at the machine between them need not
 * keep all of its trace.
 */
export function* stepScenario(
  machine: Machine,
  expanded: ExpandedScenario,
  advance: AdvanceBySteps,
): Generator<void, RunEnd> {
  breakAtEnd(machine, expanded);
  const { end } = yield* stepWithFaults(machine, expanded.injections, limitOf(machine, expanded), advance);
  if (end.kind === "probe") yield* advance(machine.cycle + afterCycles(expanded));
  return end;
}

/** Runs on to a cycle, and tells of the progress. */
function tellingProgress(
  machine: Machine,
  { timing, online, policy, requests }: ExpandedScenario,
  onProgress: NonNullable<RunOptions["onProgress"]>,
): Advance {
  // Each round, every CPU passes: signalled, interrupted, entered, each phase, left. About what the trace will hold. A benchmark of
  // interrupts reaches every CPU by each of its ways.
  const marksPassed = policy.measures === undefined ? policy.phases.length + 4 : fanOutCases.length;
  const expectedRecords = online.length * requests[0].rounds * marksPassed;
  const slice = cyclesOf(timing, SLICE_NS);
  return (until) => {
    while (true) {
      const end = machine.run(Math.min(until, machine.cycle + slice));
      if (end.kind === "quiescent") return machine.run(until);
      if (end.kind !== "reached" || machine.cycle >= until) return end;
      onProgress(Math.min(1, machine.trace.length / expectedRecords));
    }
  };
}
