// The process that cases/memory.ts measures: builds a machine, makes one call of stop_machine(), and says what that took.

import { buildMachine, expandScenario, loadCore, type Machine } from "allstop/machine";
import { parseScenarioText } from "allstop";
import type { Architecture } from "allstop/topology";
import { expectEqual } from "./case.ts";
import { idleDocument } from "./cases/construction.ts";

/** Bytes, each the growth since before the machine was built. */
export interface MemoryFound {
  /** Guest memory that the guest has touched. */
  readonly guest: number;
  /** All that the core keeps about it. */
  readonly core: number;
  /** Objects of the host. */
  readonly heap: number;
  /** Of the process, as the operating system counts. */
  readonly resident: number;
}

const LIMIT_CYCLES = 4e9;

function afterOneCall(module: WebAssembly.Module, architecture: Architecture, cpus: number): Machine {
  const expanded = expandScenario(parseScenarioText(idleDocument(architecture, cpus)));
  const machine = buildMachine(module, expanded);
  machine.probe(expanded.policy.marks.return, { break: true, record: false });
  expectEqual(machine.run(LIMIT_CYCLES).kind, "probe", "the end of a call");
  return machine;
}

function memoryOfProcess(): { readonly heap: number; readonly resident: number } {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, resident: rss };
}

async function main(architecture: Architecture, cpus: number): Promise<void> {
  const module = await loadCore();
  afterOneCall(module, architecture, 8); // what is loaded and compiled once
  const before = memoryOfProcess();
  const machine = afterOneCall(module, architecture, cpus);
  const after = memoryOfProcess();
  const { guest, core } = machine.memoryUse;
  const found: MemoryFound = {
    guest,
    core,
    heap: after.heap - before.heap,
    resident: after.resident - before.resident,
  };
  console.log(JSON.stringify(found));
}

const [architecture, cpus] = process.argv.slice(2);
await main(architecture === "arm64" ? "arm64" : "x86-64", Number(cpus));
