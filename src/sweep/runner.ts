// Who runs the jobs of a sweep: this thread, or a pool of others. Another engine, such as a cluster's or a page's, has the same face.

import { loadCore } from "../core/load.ts";
import { platform } from "../platform/node.ts";
import { JobRunner } from "./job.ts";
import type { SweepJob, SweepPlan } from "./plan.ts";
import { lostRow, type SweepRow } from "./row.ts";

/** Whoever can run the jobs of a sweep: this thread, others, a cluster. */
export interface SweepRunner {
  /** Jobs that it runs at a time. */
  readonly parallel: number;
  /** A run that fails is a row. @throws only when the runner is closed */
  run(job: SweepJob): Promise<SweepRow>;
  /** Ends it, with what is under way. */
  close(): Promise<void>;
}

/** Runs on the calling thread, one job at a time; also where there are no other threads. */
export async function localRunner({
  topologies,
  policies = [],
}: Pick<SweepPlan, "topologies"> & Partial<Pick<SweepPlan, "policies">>): Promise<SweepRunner> {
  const runner = new JobRunner({ core: await loadCore(), topologies, policies });
  return {
    parallel: 1,
    run: async (job) => {
      // Between runs the thread is everyone's: signals, the page.
      await new Promise((resolve) => setTimeout(resolve, 0));
      return runner.run(job);
    },
    close: () => Promise.resolve(),
  };
}

/** What the threads of a pool run. */
export interface PoolOptions {
  /** The module that runs a job; by default the one that ships with the package. */
  readonly module?: URL;
}

/** Threads of this process. Needs Node. @throws PLATFORM_LACKS */
export async function threadPool(
  { topologies }: Pick<SweepPlan, "topologies">,
  workers: number,
  options: PoolOptions = {},
): Promise<SweepRunner> {
  const Piscina = await platform.pool();
  const pool = new Piscina<SweepJob, SweepRow>({
    filename: (options.module ?? (await platform.worker())).href,
    minThreads: workers,
    maxThreads: workers,
    // A compiled module is shared between threads, so that only this one compiles.
    workerData: { core: await loadCore(), topologies },
  });
  let closed = false;
  return {
    parallel: workers,
    run: async (job) => {
      try {
        return await pool.run(job);
      } catch (error) {
        if (closed) throw error;
        return lostRow(job.head, "WORKER_LOST", error instanceof Error ? error.message : String(error));
      }
    },
    close: async () => {
      closed = true;
      await pool.destroy();
    },
  };
}
