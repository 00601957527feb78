// Runs a plan: what a journal holds is taken from there, the rest is run, several at a time.

import { AllstopError } from "../errors.ts";
import { availableThreads } from "../platform/node.ts";
import { SweepJournal } from "./journal.ts";
import { jobOf, planSweep, runsOf, type SweepInput, type SweepPlan } from "./plan.ts";
import { localRunner, threadPool, type SweepRunner } from "./runner.ts";
import type { SweepRow } from "./row.ts";

/** How far a sweep has come, in runs. */
export interface SweepProgress {
  readonly total: number;
  /** Runs that have a row, those from the journal included. */
  readonly done: number;
  readonly restored: number;
}

/** How a sweep is run. None of it changes its rows, but their order. */
export interface SweepOptions {
  /** Threads; 0: the calling one. By default one per CPU of the host; 0 in a browser. */
  readonly workers?: number;
  /** Who runs the jobs, instead of threads of this process; it stays open. */
  readonly runner?: SweepRunner;
  /** A file of JSON Lines: rows that it holds are not run again, new ones are added as they come. Needs Node. */
  readonly journal?: string;
  /** Ends the sweep: what is under way is given up, what the journal has stays. */
  readonly signal?: AbortSignal;
  /** Called when the journal has been read, and after each run. */
  readonly onProgress?: (progress: SweepProgress) => void;
}

const MOST_WORKERS = 1024;

/**
 * Rows of all runs: first those that the journal has, then the others as they end. Rows are the same for every number of workers, in
 * another order. Nothing is kept of a run but its row, and one bit.
 * @throws what planSweep() throws; OPTION_INVALID for a journal that is none; the signal's reason
 */
export async function* sweep(input: SweepInput | SweepPlan, options: SweepOptions = {}): AsyncGenerator<SweepRow> {
  const plan = "points" in input ? input : await planSweep(input);
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const total = runsOf(plan);
  const known = new DoneRuns(plan);
  const journal = options.journal === undefined ? undefined : await SweepJournal.open(options.journal);
  let runner: SweepRunner | undefined;
  try {
    for await (const row of journal?.rows() ?? []) if (known.add(row)) yield row;
    const restored = known.count;
    onProgress?.({ total, done: restored, restored });
    if (restored === total) return;
    runner = options.runner ?? (await runnerOf(plan, options.workers, total - restored));
    let done = restored;
    for await (const row of runAll(plan, known, runner, journal, signal)) {
      onProgress?.({ total, done: ++done, restored });
      yield row;
    }
  } finally {
    if (runner !== undefined && runner !== options.runner) await runner.close();
    await journal?.close();
  }
}

async function runnerOf(plan: SweepPlan, workers: number | undefined, runs: number): Promise<SweepRunner> {
  if (workers !== undefined && !(Number.isInteger(workers) && workers >= 0 && workers <= MOST_WORKERS)) {
    const allowed = `a whole number from 0 to ${MOST_WORKERS}`;
    throw new AllstopError("OPTION_INVALID", "not a number of workers", { at: "workers", value: workers, allowed });
  }
  const isOwn = plan.policies.length > 0;
  if (isOwn && workers !== undefined && workers > 0) {
    const allowed = "0, the calling thread, which is the default with such policies";
    throw new AllstopError("OPTION_INVALID", "policies of one's own don't go to other threads", {
      at: "workers",
      value: workers,
      allowed,
    });
  }
  const wanted = isOwn ? 0 : Math.min(workers ?? (await availableThreads()), runs);
  return wanted === 0 ? localRunner(plan) : threadPool(plan, wanted);
}

/** The runs that are not known, as they end. Somewhat more than the workers take is under way, so that none of them waits for a reader. */
async function* runAll(
  plan: SweepPlan,
  known: DoneRuns,
  runner: SweepRunner,
  journal: SweepJournal | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<SweepRow> {
  const most = runner.parallel === 1 ? 1 : 2 * runner.parallel;
  const pending = known.missing();
  const ended: SweepRow[] = [];
  let underWay = 0;
  let failure: { readonly error: unknown } | undefined;
  let wake = (): void => undefined;
  const end = (row: SweepRow): void => {
    underWay--;
    ended.push(row);
    wake();
  };
  const fail = (error: unknown): void => {
    failure ??= { error };
    wake();
  };
  const onAbort = (): void => {
    fail(signal?.reason);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    while (true) {
      while (failure === undefined && underWay < most) {
        const { value: index, done } = pending.next();
        if (done === true) break;
        underWay++;
        runOne(plan, index, runner, journal).then(end, fail);
      }
      const row = ended.shift();
      if (row !== undefined) yield row;
      else if (failure !== undefined) throw failure.error;
      else if (underWay === 0) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

async function runOne(
  plan: SweepPlan,
  index: number,
  runner: SweepRunner,
  journal: SweepJournal | undefined,
): Promise<SweepRow> {
  const row = await runner.run(jobOf(plan, index));
  await journal?.append(row);
  return row;
}

/** Which runs of a plan have a row: a bit each. */
class DoneRuns {
  readonly #points: ReadonlyMap<string, number>;
  readonly #seeds: ReadonlyMap<number, number>;
  readonly #bits: Uint8Array;
  count = 0;

  constructor(plan: SweepPlan) {
    this.#points = new Map(plan.points.map(({ hash }, index) => [hash, index]));
    this.#seeds = new Map(plan.seeds.map((seed, index) => [seed, index]));
    this.#bits = new Uint8Array(Math.ceil(runsOf(plan) / 8));
  }

  /** Numbers of the runs without a row, in order; looked up as they are asked for. */
  *missing(): Generator<number, undefined> {
    const total = this.#points.size * this.#seeds.size;
    for (let index = 0; index < total; index++) if (!this.#has(index)) yield index;
  }

  #has(index: number): boolean {
    return ((this.#bits[index >> 3] as number) & (1 << (index & 7))) !== 0;
  }

  /** @returns whether the row is one of the plan's, and the first of its run */
  add({ key }: SweepRow): boolean {
    const [hash = "", seed = ""] = key.split("-");
    const point = this.#points.get(hash);
    const repetition = this.#seeds.get(Number(seed));
    if (point === undefined || repetition === undefined) return false;
    const index = point * this.#seeds.size + repetition;
    if (this.#has(index)) return false;
    (this.#bits[index >> 3] as number) |= 1 << (index & 7);
    this.count++;
    return true;
  }
}
