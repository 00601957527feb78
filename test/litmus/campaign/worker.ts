// A thread of the campaign: runs the tests that it is given, one after the other.

import { readFile } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { loadCore } from "../../../src/core/load.ts";
import type { CorpusArchitecture } from "../corpus.ts";
import { runCorpusTest } from "./run.ts";

export interface LitmusJob {
  readonly architecture: CorpusArchitecture;
  readonly name: string;
  readonly runs: number;
  readonly seed: number;
}

const core = await loadCore(await readFile((workerData as { readonly core: string }).core));

async function work({ architecture, name, runs, seed }: LitmusJob): Promise<void> {
  parentPort?.postMessage(await runCorpusTest(architecture, name, { runs, seed, core }));
}

parentPort?.on("message", (job: LitmusJob) => void work(job));
