// A campaign: many inputs of several targets, on worker threads. One that doesn't come back from an input is ended, which is a
// finding like any other.

import { Worker } from "node:worker_threads";
import type { Finding } from "./run.ts";
import type { Done, Job, WorkerData } from "./worker.ts";

export interface CampaignOptions {
  readonly core: string;
  readonly workers: number;
  /** After so long at one input, it will never end. Only there to tell of it: inputs are bounded in cycles, not in time. */
  readonly patienceSeconds: number;
  /** The worker's code; tests have one of their own. */
  readonly worker?: URL;
  readonly onProgress: (inputs: number) => void;
  readonly onFinding: (finding: Finding) => void;
}

export interface Total {
  inputs: number;
  operations: number;
  seconds: number;
  findings: number;
  readonly outcomes: Map<string, number>;
}

const LOOK_MS = 1000;
/** No input is being tried: the target is being opened. */
const NONE = -1;

/** @returns what became of each target's inputs, in the order of the jobs */
export async function runCampaign(jobs: readonly Job[], options: CampaignOptions): Promise<Map<string, Total>> {
  const totals = new Map<string, Total>();
  for (const { target } of jobs) {
    if (!totals.has(target))
      totals.set(target, { inputs: 0, operations: 0, seconds: 0, findings: 0, outcomes: new Map() });
  }
  const queue = [...jobs];
  let inputs = 0;
  const finished = (job: Job, { outcomes, findings, ...done }: Done): void => {
    const total = totals.get(job.target) as Total;
    total.inputs += done.inputs;
    total.operations += done.operations;
    total.seconds += done.seconds;
    total.findings += findings.length;
    for (const [outcome, count] of outcomes) total.outcomes.set(outcome, (total.outcomes.get(outcome) ?? 0) + count);
    findings.forEach(options.onFinding);
    options.onProgress((inputs += done.inputs));
  };
  await Promise.all(Array.from({ length: options.workers }, () => drain(queue, options, finished)));
  return totals;
}

async function drain(queue: Job[], options: CampaignOptions, finished: (job: Job, done: Done) => void): Promise<void> {
  let thread = new Thread(options);
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    const done = await thread.run(job);
    finished(job, done);
    if (!thread.ended) continue;
    // The inputs behind the one that never ended.
    const behind = job.first + done.inputs;
    const left = job.first + job.count - behind;
    if (left > 0) queue.unshift({ ...job, first: behind, count: left });
    thread = new Thread(options);
  }
  await thread.end();
}

class Thread {
  readonly #worker: Worker;
  readonly #at = new Int32Array(new SharedArrayBuffer(4));
  readonly #patienceMs: number;
  ended = false;

  constructor({ core, patienceSeconds, worker = new URL("./worker.ts", import.meta.url) }: CampaignOptions) {
    const workerData: WorkerData = { core, at: this.#at };
    this.#worker = new Worker(worker, { workerData });
    this.#patienceMs = patienceSeconds * 1000;
  }

  /** Results of a range; if the thread doesn't survive an input, those before it are lost, but for their number. */
  async run(job: Job): Promise<Done> {
    Atomics.store(this.#at, 0, NONE);
    const patience = this.#watch();
    try {
      const reply = new Promise<Done | Error>((resolve) => {
        this.#worker.once("message", resolve).once("error", resolve);
      });
      this.#worker.postMessage(job);
      const done = await Promise.race([reply, patience.over]);
      return done instanceof Error ? await this.#giveUp(job, done.stack ?? done.message) : done;
    } finally {
      patience.stop();
      this.#worker.removeAllListeners("message").removeAllListeners("error");
    }
  }

  /** Is over once the worker has been at one input for too long. */
  #watch(): { readonly over: Promise<Error>; readonly stop: () => void } {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<Error>((resolve) => {
      let last = NONE;
      let since = 0;
      timer = setInterval(() => {
        const now = Atomics.load(this.#at, 0);
        if (now !== last || now === NONE) [last, since] = [now, performance.now()];
        else if (performance.now() - since > this.#patienceMs) {
          resolve(new Error(`no end within ${this.#patienceMs / 1000} s: the input hangs`));
        }
      }, LOOK_MS);
    });
    return { over, stop: () => clearInterval(timer) };
  }

  async #giveUp({ target, seed, first }: Job, problem: string): Promise<Done> {
    await this.end();
    const number = Math.max(first, Atomics.load(this.#at, 0));
    const finding = { target, seed, number, problem, input: "the command draws it again" };
    return {
      inputs: number - first + 1,
      operations: 0,
      outcomes: new Map(),
      findings: [finding],
      seconds: this.#patienceMs / 1000,
    };
  }

  async end(): Promise<void> {
    this.ended = true;
    await this.#worker.terminate();
  }
}
