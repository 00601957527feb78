// What allstop sweep and allstop compare share: running a plan with a progress bar, until it is done or Ctrl-C comes.

import { topologyFromFile } from "./machine-options.ts";
import { AllstopError, renamed } from "../errors.ts";
import type { FieldValue } from "../scenario/fields.ts";
import type { SweepPlan } from "../sweep/plan.ts";
import { SweepSummarizer, type SweepSummary } from "../sweep/summary.ts";
import { sweep } from "../sweep/sweep.ts";
import type { Topology } from "../topology/index.ts";
import { Pace, ProgressBar } from "./terminal.ts";

/** As shells have it for a program that SIGINT has ended. */
export const EXIT_INTERRUPTED = 130;

export interface PlanOptions {
  readonly workers?: number;
  readonly journal?: string;
}

export interface Outcome {
  readonly summary: SweepSummary;
  readonly interrupted: boolean;
}

export async function runPlan(title: string, plan: SweepPlan, { workers, journal }: PlanOptions): Promise<Outcome> {
  const summarizer = new SweepSummarizer(plan);
  const bar = new ProgressBar(title);
  const pace = new Pace();
  const abortion = new AbortController();
  const interrupt = (): void => {
    abortion.abort();
  };
  // A second Ctrl-C ends the process at once.
  process.once("SIGINT", interrupt);
  try {
    const rows = sweep(plan, {
      ...(workers === undefined ? {} : { workers }),
      ...(journal === undefined ? {} : { journal }),
      signal: abortion.signal,
      onProgress: ({ done, total }) => {
        bar.update(done / total, pace.text(done, total, "runs"));
      },
    });
    for await (const row of rows) summarizer.add(row);
  } catch (error) {
    if (!abortion.signal.aborted) throw error;
  } finally {
    process.off("SIGINT", interrupt);
    bar.end();
  }
  return { summary: summarizer.summary(), interrupted: abortion.signal.aborted };
}

/** Topologies of the hwloc files among these names of machines. */
export async function topologiesOf(names: readonly (FieldValue | undefined)[]): Promise<Record<string, Topology>> {
  const found: Record<string, Topology> = {};
  for (const name of names) {
    const topology = typeof name === "string" ? await topologyFromFile(name) : undefined;
    if (topology !== undefined) found[name as string] = topology;
  }
  return found;
}

/** Mistakes by the options that they are in. @param options by the places that the library names */
export async function asOptions<T>(options: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AllstopError) || error.at === undefined) throw error;
    const { at } = error;
    const place = Object.keys(options).find(
      (one) => at === one || at.startsWith(`${one} `) || at.startsWith(`${one}:`),
    );
    throw place === undefined ? error : renamed(error, { at: `${options[place]}${at.slice(place.length)}` });
  }
}
