// A thread of the pool: a job in, a row out.

// First, since the order in which guest modules load is the order of routines in an image.
import "../guest/kernel.ts";
import { workerData } from "node:worker_threads";
import { JobRunner, type SweepShared } from "./job.ts";
import type { SweepJob } from "./plan.ts";
import type { SweepRow } from "./row.ts";

const runner = new JobRunner(workerData as SweepShared);

export default function run(job: SweepJob): Promise<SweepRow> {
  return runner.run(job);
}
