// Building a machine: from a scenario's JSON to the first instruction, and what it takes of the host's memory.

import {
  SCENARIO_FORMAT,
  buildMachine,
  expandScenario,
  loadCore,
  parseScenarioText,
  type Architecture,
  type Machine,
} from "allstop";
import { expectEqual, type Case, type Prepared } from "../case.ts";

const sizes = [64, 512, 4096];

function documentOf(architecture: Architecture, cpus: number): string {
  return JSON.stringify({ format: SCENARIO_FORMAT, machine: { architecture, cpus }, load: { common: "idle" } });
}

function build(module: WebAssembly.Module, document: string): Machine {
  const machine = buildMachine(module, expandScenario(parseScenarioText(document)));
  // CPUs start in cycle 1.
  machine.run(2);
  return machine;
}

async function prepare(architecture: Architecture, cpus: number): Promise<Prepared> {
  const module = await loadCore();
  const document = documentOf(architecture, cpus);
  let last = build(module, document);
  const digest = last.digest();
  const run = (): number => {
    last = build(module, document);
    return 1;
  };
  return { run, verify: () => expectEqual(last.digest(), digest, "the digest of a machine that has just been built") };
}

function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error("needs node --expose-gc");
  globalThis.gc();
}

/** What the core's records and the host's objects take, guest memory aside, once every CPU has met the others. */
async function prepareSize(architecture: Architecture, cpus: number): Promise<Prepared> {
  const module = await loadCore();
  build(module, documentOf(architecture, 2)); // what is loaded and compiled once
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const expanded = expandScenario(parseScenarioText(documentOf(architecture, cpus)));
  const machine = buildMachine(module, expanded);
  machine.probe(expanded.policy.marks.return, { break: true, record: false });
  const run = (): number => {
    expectEqual(machine.run(4e9).kind, "probe", "the end of a call");
    collectGarbage();
    return (process.memoryUsage().heapUsed - before + machine.memoryUse.core) / cpus;
  };
  return { run, verify: () => expectEqual(machine.fork().digest(), machine.digest(), "the digest of a fork") };
}

const architectures = ["x86-64", "arm64"] as const;

export const constructionCases: readonly Case[] = architectures.flatMap((architecture) => [
  ...sizes.map((cpus) => ({
    name: `construction/${architecture}/${cpus}`,
    figure: "time" as const,
    unit: "machine",
    prepare: () => prepare(architecture, cpus),
  })),
  // Small machines drown in what there is of every machine once.
  ...sizes.slice(1).map((cpus) => ({
    name: `construction/bytes-per-cpu/${architecture}/${cpus}`,
    figure: "size" as const,
    unit: "bytes per CPU",
    prepare: () => prepareSize(architecture, cpus),
  })),
]);
