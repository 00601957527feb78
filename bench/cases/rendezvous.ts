// One stop_machine() of the guest kernel, from a settled machine to its return.

import {
  SCENARIO_FORMAT,
  expandScenario,
  parseScenario,
  perCpuOffsets,
  prepareMachine,
  type Architecture,
  type LoadKind,
  type Machine,
} from "allstop";
import { expectEqual, type Case, type Prepared } from "../case.ts";

const MOST_ROUNDS = 2 ** 31;
const LIMIT_CYCLES = 4e9;

/** Times that the function ran, by the CPUs' own counters. */
function callsOn(machine: Machine, cpus: number): number {
  const { perCpuStart, perCpuStride } = machine.image;
  let calls = 0;
  for (let cpu = 0; cpu < cpus; cpu++) {
    calls += Number(machine.readUint64(perCpuStart + cpu * perCpuStride + perCpuOffsets.calls));
  }
  return calls;
}

async function prepare(architecture: Architecture, cpus: number, load: LoadKind): Promise<Prepared> {
  const document = { format: SCENARIO_FORMAT, machine: { architecture, cpus }, load: { common: load } } as const;
  const expanded = expandScenario(parseScenario(document));
  const { policy, requests } = expanded;
  const [first, ...others] = requests;
  const machine = await prepareMachine({ ...expanded, requests: [{ ...first, rounds: MOST_ROUNDS }, ...others] });
  machine.probe(policy.marks.return, { break: true, record: false });
  let calls = 0;
  const run = (): number => {
    const end = machine.run(machine.cycle + LIMIT_CYCLES);
    expectEqual(end.kind, "probe", "the end of a call");
    calls++;
    return 1;
  };
  run(); // the first one brings the CPUs up, and fills the caches
  // Without a mask the function runs on one CPU, once for each call.
  return { run, verify: () => expectEqual(callsOn(machine, cpus), calls, "calls of the function") };
}

export const rendezvousCases: readonly Case[] = (["x86-64", "arm64"] as const).flatMap((architecture) =>
  (["idle", "busy"] as const).flatMap((load) =>
    [64, 512, 4096].map((cpus) => ({
      name: `rendezvous/${load}/${architecture}/${cpus}`,
      figure: "time" as const,
      unit: "rendezvous",
      prepare: () => prepare(architecture, cpus, load),
    })),
  ),
);
