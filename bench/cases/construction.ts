// Building a machine: from a scenario's JSON to the first instruction.

import { SCENARIO_FORMAT, parseScenarioText } from "allstop";
import {
  accelerationNames,
  buildMachine,
  expandScenario,
  loadCore,
  type Accelerations,
  type Machine,
} from "allstop/machine";
import type { Architecture } from "allstop/topology";
import { expectEqual, type Prepared, type RepeatedCase } from "../case.ts";

/** CPUs start in cycle 1. */
const FIRST_CYCLES = 2;
const PLAIN: Partial<Accelerations> = Object.fromEntries(accelerationNames.map((name) => [name, false]));

export function idleDocument(architecture: Architecture, cpus: number): string {
  return JSON.stringify({ format: SCENARIO_FORMAT, machine: { architecture, cpus }, load: { common: "idle" } });
}

function build(module: WebAssembly.Module, document: string, accelerations: Partial<Accelerations> = {}): Machine {
  const machine = buildMachine(module, expandScenario(parseScenarioText(document)), accelerations);
  machine.run(FIRST_CYCLES);
  return machine;
}

/** Every CPU runs, and has begun. */
function checkStarted(machine: Machine, cpus: number): void {
  for (let cpu = 0; cpu < cpus; cpu++) {
    const { state, retired } = machine.cpu(cpu);
    if (state !== "RUNNING" || retired < 1) expectEqual(`${state}, ${retired} instructions`, "RUNNING", `CPU ${cpu}`);
  }
}

async function prepare(architecture: Architecture, cpus: number): Promise<Prepared> {
  const module = await loadCore();
  const document = idleDocument(architecture, cpus);
  let last = build(module, document);
  const run = (): number => {
    last = build(module, document);
    return 1;
  };
  const verify = (): void => {
    checkStarted(last, cpus);
    expectEqual(last.digest(), build(module, document, PLAIN).digest(), "the digest of a machine just built");
  };
  return { run, verify };
}

export const constructionCases: readonly RepeatedCase[] = (["x86-64", "arm64"] as const).flatMap((architecture) =>
  [64, 512, 4096, 65_536].map((cpus) => ({
    name: `construction/${architecture}/${cpus}`,
    figure: "time" as const,
    unit: "machine",
    prepare: () => prepare(architecture, cpus),
  })),
);
