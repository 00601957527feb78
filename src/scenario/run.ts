// Runs a scenario: builds the kernel and the machine, lets the requester call, and observes.

import { AllstopError } from "../errors.ts";
import { buildKernel, kernelSymbols, perCpuOffsets } from "../guest/kernel.ts";
import { ActiveCpus } from "../guest/load/parameters.ts";
import { Machine, type RunEnd } from "../machine/machine.ts";
import type { Accelerations } from "../machine/configuration.ts";
import { probeRendezvous, readTimelines, type Timeline } from "../measure/timeline.ts";
import { cyclesOf } from "../timing/index.ts";
import type { Topology } from "../topology/index.ts";
import type { CoreSource } from "../core/load.ts";
import { parseScenario, type ScenarioInput } from "./document.ts";
import { expandScenario, type ExpandedScenario } from "./expand.ts";

export interface RunOptions {
  /** A topology that the document doesn't name, such as one read from a file. */
  readonly topology?: Topology;
  readonly accelerations?: Partial<Accelerations>;
  /** Called now and then with the share of the work that is done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
  readonly core?: CoreSource;
}

/** Turns of the settling loop before a call: long enough for every CPU to be back at what it does. */
const SETTLE_NS = 50_000;
/** Simulated time between two looks at the progress. */
const SLICE_NS = 20_000;

/** A run that has ended, and what was observed. */
export interface RunResult {
  readonly expanded: ExpandedScenario;
  readonly machine: Machine;
  readonly end: RunEnd;
  /** One per call of the stop path. */
  readonly timelines: readonly Timeline[];
  /** Time that building and running took on the host. */
  readonly wallMs: number;
}

/** Runs a scenario document to its end. @throws SCENARIO_INVALID, NAME_UNKNOWN and what building throws */
export async function executeScenario(document: ScenarioInput, options: RunOptions = {}): Promise<RunResult> {
  const expanded = expandScenario(parseScenario(document), options.topology);
  const started = performance.now();
  const machine = await prepareMachine(expanded, options);
  const probes = probeRendezvous(machine, expanded.policy);
  machine.probe(expanded.policy.marks.done, { break: true });
  machine.probe(expanded.policy.marks.fatal, { break: true });
  const end = runToEnd(machine, expanded, options.onProgress);
  const timelines = readTimelines(machine, probes, expanded.policy);
  return { expanded, machine, end, timelines, wallMs: performance.now() - started };
}

/** A machine with the scenario's kernel, its CPUs about to start. */
export async function prepareMachine(expanded: ExpandedScenario, options: RunOptions = {}): Promise<Machine> {
  const { topology, timing, policy, scenario, online, active } = expanded;
  const image = buildKernel({
    architecture: timing.architecture,
    cpus: topology.cpus.length,
    bindings: policy.bindings,
    parameters: {
      onlineWanted: online.length,
      rounds: scenario.policy.rounds,
      settleTurns: Math.round(cyclesOf(timing, SETTLE_NS) / (timing.parameters.relax.value + 1)),
      functionTurns: expanded.functionTurns,
      activeCpus: active === undefined ? ActiveCpus.Null : ActiveCpus.Mask,
    },
  });
  const machine = await Machine.create({
    topology,
    timing,
    image,
    ...(options.accelerations === undefined ? {} : { accelerations: options.accelerations }),
    ...(options.core === undefined ? {} : { core: options.core }),
  });
  writeLoads(machine, expanded);
  if (active !== undefined) writeMask(machine, kernelSymbols.requestedMask, active);
  for (const cpu of online) machine.start(cpu, kernelSymbols.entry, { argument: BigInt(cpu) });
  return machine;
}

/** Tells each CPU, in its per-CPU block, what it does; the requester's task calls. */
function writeLoads(machine: Machine, { loads, online, requester }: ExpandedScenario): void {
  const { image } = machine;
  for (const cpu of online) {
    const block = image.perCpuStart + cpu * image.perCpuStride;
    const load = loads[cpu];
    if (load === undefined) throw new AllstopError("SCENARIO_INVALID", "a CPU without a load", { value: cpu });
    const work = cpu === requester ? kernelSymbols.requester : load.work;
    if (work !== undefined) machine.writeUint64(block + perCpuOffsets.work, BigInt(machine.address(work)));
    machine.writeUint32(block + perCpuOffsets.idle, load.idle);
    machine.writeUint64(block + perCpuOffsets.irqsOffTurns, BigInt(load.irqsOffTurns));
    machine.writeUint64(block + perCpuOffsets.irqsOnTurns, BigInt(load.irqsOnTurns));
  }
}

function writeMask(machine: Machine, symbol: string, members: readonly number[]): void {
  const words = new Map<number, bigint>();
  for (const cpu of members) words.set(cpu >> 6, (words.get(cpu >> 6) ?? 0n) | (1n << BigInt(cpu & 63)));
  for (const [word, value] of words) machine.writeUint64(machine.address(symbol) + 8 * word, value);
}

/** Runs until the requester is through, something fatal happens, or the limit. */
function runToEnd(machine: Machine, expanded: ExpandedScenario, onProgress: RunOptions["onProgress"]): RunEnd {
  const { scenario, timing, online, policy } = expanded;
  const limit = cyclesOf(timing, scenario.limitUs * 1000);
  if (onProgress === undefined) return machine.run(limit);
  // Each round, every CPU passes: signalled, interrupted, entered, each phase, left. About what the trace will hold.
  const expectedRecords = online.length * scenario.policy.rounds * (policy.phases.length + 4);
  const slice = cyclesOf(timing, SLICE_NS);
  while (true) {
    const end = machine.run(Math.min(limit, machine.cycle + slice));
    if (end.kind === "quiescent") return machine.run(limit);
    if (end.kind !== "reached" || machine.cycle >= limit) return end;
    onProgress(Math.min(1, machine.trace.length / expectedRecords));
  }
}
