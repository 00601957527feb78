// Trains and foresight on machines with deep queues: digests with and without them are equal at every look, whatever the
// CPUs are doing.

import { describe, expect, it } from "vitest";
import { SCENARIO_FORMAT, parseScenario, type LoadKind } from "../../src/index.ts";
import { expandScenario, prepareMachine, type Accelerations, type Machine } from "../../src/entries/machine.ts";
import type { Architecture } from "../../src/entries/topology.ts";
import { perCpuOffsets } from "../../src/guest/kernel.ts";

interface Stop {
  /** The x86-64 machines have two threads per core. */
  readonly architecture: Architecture;
  readonly cpus: number;
  readonly load: LoadKind;
  readonly seed: number;
  /** A CPU that keeps interrupts off for so many turns of its loop. */
  readonly late?: { readonly cpu: number; readonly turns: bigint };
}

async function machineOf(
  { architecture, cpus, load, seed, late }: Stop,
  accelerations: Partial<Accelerations>,
): Promise<Machine> {
  const document = {
    format: SCENARIO_FORMAT,
    machine: { architecture, cpus },
    load: { common: load },
    seed,
  } as const;
  const expanded = expandScenario(parseScenario({ ...document, policy: { rounds: 2, active: "all" } }));
  const machine = await prepareMachine(expanded, { accelerations });
  if (late !== undefined) {
    const block = machine.image.perCpuStart + late.cpu * machine.image.perCpuStride;
    machine.writeUint64(block + perCpuOffsets.irqsOffTurns, late.turns);
  }
  return machine;
}

/** ALLSTOP_SEEDS asks for more. */
const seeds = Number(process.env["ALLSTOP_SEEDS"] ?? 2);
const stops: readonly Stop[] = [
  // A late CPU lets everybody else wait, and its interrupt-rich neighbours meet the train in every state.
  { architecture: "arm64", cpus: 512, load: "irqs-off", seed: 1, late: { cpu: 296, turns: 160_000n } },
  // Of two siblings that have lost the line, one gets it back before the other, and both are to lose it again.
  { architecture: "x86-64", cpus: 434, load: "mixed", seed: 10 },
  ...Array.from({ length: seeds }, (_, index) => index + 1).flatMap((seed): Stop[] => [
    ...(["arm64", "x86-64"] as const).flatMap((architecture): Stop[] => [
      { architecture, cpus: 64 + 37 * seed, load: "mixed", seed },
      {
        architecture,
        cpus: 48 + 13 * seed,
        load: "irqs-off",
        seed,
        late: { cpu: 7 + seed, turns: BigInt(20_000 * seed) },
      },
      { architecture, cpus: 96 + seed, load: "idle", seed },
    ]),
  ]),
];

/** Runs a stop with and without an acceleration. @returns both machines, whose digests were equal at every look */
async function compare(stop: Stop, name: keyof Accelerations): Promise<[Machine, Machine]> {
  const machines: [Machine, Machine] = [await machineOf(stop, {}), await machineOf(stop, { [name]: false })];
  const [machine, reference] = machines;
  for (let cycle = 100_000 + 977 * stop.seed; cycle < 4_600_000; cycle += 500_009) {
    machine.run(cycle);
    reference.run(cycle);
    expect({ cycle, digest: machine.digest() }).toEqual({ cycle, digest: reference.digest() });
  }
  return machines;
}

describe("stop_machine() with and without trains", () => {
  it.each(stops)("$architecture, $cpus CPUs, load $load, seed $seed", async (stop) => {
    const [machine, reference] = await compare(stop, "spinTrains");
    // Whoever finds a line unchanged has stayed parked.
    expect(machine.work.parkings).toBeLessThan(reference.work.parkings);
  });
});

describe("stop_machine() with and without foresight", () => {
  it.each(stops)("$architecture, $cpus CPUs, load $load, seed $seed", async (stop) => {
    const [machine, reference] = await compare(stop, "foresight");
    expect(machine.work.events).toBeLessThan(reference.work.events);
  });
});
