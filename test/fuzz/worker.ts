// A worker thread of the campaign: tries the ranges that it is given, one after the other, and says which input it is at.

import { readFile } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { loadCore } from "../../src/core/load.ts";
import { runInputs, type Range, type Results } from "./run.ts";
import { targetNamed } from "./targets.ts";

export interface WorkerData {
  /** File of the core to fuzz. */
  readonly core: string;
  /** One word: the number of the input that is being tried. */
  readonly at: Int32Array;
}

export interface Job extends Range {
  readonly target: string;
}

export interface Done extends Results {
  readonly seconds: number;
}

/** Half of all inputs are refused, and a long stack takes longer than finding out why. */
Error.stackTraceLimit = 6;

const { core, at } = workerData as WorkerData;
const module = await loadCore(await readFile(core));

async function work({ target, ...range }: Job): Promise<void> {
  const started = performance.now();
  const results = await runInputs(targetNamed(target), module, range, (number) => Atomics.store(at, 0, number));
  const done: Done = { ...results, seconds: (performance.now() - started) / 1000 };
  parentPort?.postMessage(done);
}

parentPort?.on("message", (job: Job) => void work(job));
