// One stop_machine() of the guest kernel, from a settled machine to its return.

import { SCENARIO_FORMAT, parseScenario, type LoadKind } from "allstop";
import {
  accelerationNames,
  expandScenario,
  prepareMachine,
  type Accelerations,
  type ExpandedScenario,
  type Machine,
} from "allstop/machine";
import { perCpuOffsets } from "allstop/guest";
import type { Architecture } from "allstop/topology";
import { expectEqual, type Prepared, type RepeatedCase } from "../case.ts";

const MOST_ROUNDS = 2 ** 31;
const LIMIT_CYCLES = 4e9;
/** PREPARE, DISABLE_IRQ, RUN, EXIT: each is acknowledged by every CPU. */
const STATES = [1n, 2n, 3n, 4n];
/** From here on a rendezvous takes seconds: it is timed once. */
const ONCE_FROM_CPUS = 16_384;
/** Up to here a run without any acceleration, and one without those between CPUs, is fast enough to compare with. */
const PLAIN_CPUS = 64;
const COMPARED_CPUS = 4096;

interface Size {
  readonly architecture: Architecture;
  readonly cpus: number;
  readonly load: LoadKind;
}

function expandedFor({ architecture, cpus, load }: Size): ExpandedScenario {
  const document = { format: SCENARIO_FORMAT, machine: { architecture, cpus }, load: { common: load } } as const;
  const expanded = expandScenario(parseScenario(document));
  const [first, ...others] = expanded.requests;
  return { ...expanded, requests: [{ ...first, rounds: MOST_ROUNDS }, ...others] };
}

/** A machine whose runs end with each call's return. */
async function machineFor(expanded: ExpandedScenario, accelerations: Partial<Accelerations> = {}): Promise<Machine> {
  const machine = await prepareMachine(expanded, { accelerations });
  machine.probe(expanded.policy.marks.return, { break: true, record: false });
  return machine;
}

function callOnce(machine: Machine): void {
  expectEqual(machine.run(machine.cycle + LIMIT_CYCLES).kind, "probe", "the end of a call");
}

/** A call in which every CPU must be seen to acknowledge every state, once. */
function callAndCount(machine: Machine, { policy }: ExpandedScenario): void {
  const { mark, state } = policy.marks.acknowledge;
  if (typeof state !== "string") throw new Error("a policy that doesn't say which state is acknowledged");
  const probe = machine.probe(mark, { values: [state] });
  machine.trace.clear();
  callOnce(machine);
  const seen = new Map(STATES.map((value) => [value, new Set<number>()]));
  let records = 0;
  for (const { subject, cpu, value } of machine.trace) {
    if (subject !== probe.number) continue;
    seen.get(value)?.add(cpu);
    records++;
  }
  const { complete } = machine.topology.counts;
  for (const [value, cpus] of seen) expectEqual(cpus.size, complete, `CPUs that acknowledged state ${value}`);
  expectEqual(records, complete * STATES.length, "acknowledgements in one call");
  machine.probe(mark, { record: false });
  machine.trace.clear();
}

/** Times that the function ran, by the CPUs' own counters. */
function callsOn(machine: Machine, cpus: number): number {
  const { perCpuStart, perCpuStride } = machine.image;
  let calls = 0;
  for (let cpu = 0; cpu < cpus; cpu++) {
    calls += Number(machine.readUint64(perCpuStart + cpu * perCpuStride + perCpuOffsets.calls));
  }
  return calls;
}

/** What must not change a state: all accelerations, or those that only large machines can't do without. */
function accelerationsToCompare(cpus: number): Partial<Accelerations> {
  if (cpus > PLAIN_CPUS) return { invalidationBatching: false, spinTrains: false };
  return Object.fromEntries(accelerationNames.map((name) => [name, false]));
}

/** The first call must leave the state that it leaves on a machine that takes no such shortcuts. */
async function digestOfOther(expanded: ExpandedScenario, cpus: number): Promise<string> {
  const other = await machineFor(expanded, accelerationsToCompare(cpus));
  callOnce(other);
  return other.digest();
}

async function prepare(size: Size): Promise<Prepared> {
  const { cpus } = size;
  const expanded = expandedFor(size);
  const machine = await machineFor(expanded);
  callAndCount(machine, expanded); // the first one brings the CPUs up, and fills the caches
  if (cpus <= COMPARED_CPUS) {
    expectEqual(machine.digest(), await digestOfOther(expanded, cpus), "the digest after the first call");
  }
  let calls = 1;
  const run = (): number => {
    callOnce(machine);
    calls++;
    return 1;
  };
  const verify = (): void => {
    // Without a mask the function runs on one CPU, once for each call.
    expectEqual(callsOn(machine, cpus), calls, "calls of the function");
    if (cpus < ONCE_FROM_CPUS) callAndCount(machine, expanded);
  };
  return { run, verify };
}

export const rendezvousCases: readonly RepeatedCase[] = (["x86-64", "arm64"] as const).flatMap((architecture) =>
  (["idle", "busy"] as const).flatMap((load) =>
    [64, 512, 4096, 16_384, 65_536].map((cpus) => ({
      name: `rendezvous/${load}/${architecture}/${cpus}`,
      figure: "time" as const,
      unit: "rendezvous",
      once: cpus >= ONCE_FROM_CPUS,
      prepare: () => prepare({ architecture, cpus, load }),
    })),
  ),
);
