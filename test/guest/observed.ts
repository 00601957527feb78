// What happened in a run, by the guest's own events (guest/observe.ts): for tests that need to know no routine.

import { nsOf } from "../../src/timing/index.ts";
import { readWaits, type WaitReport } from "../../src/measure/waits.ts";
import type { StopRun } from "./stop-run.ts";

export interface Happening {
  /** Event and which: "say.panic", "ack". */
  readonly what: string;
  readonly cycle: number;
  readonly cpu: number;
  /** Of the first local that the event names. */
  readonly value: bigint | undefined;
}

/** All events of a run that was started with `events`, in the order of time. */
export function happenings(run: StopRun): readonly Happening[] {
  return run.history.observations.map(({ event, which, cycle, cpu, values }) => ({
    what: which === undefined ? event : `${event}.${which}`,
    cycle,
    cpu,
    value: values[0],
  }));
}

/** "what cpu" of the events that are asked for, in the order of time. */
export function story(run: StopRun, ...whats: readonly string[]): string[] {
  return happenings(run)
    .filter(({ what }) => whats.includes(what))
    .map(({ what, cpu }) => `${what} ${cpu}`);
}

/** CPUs that an event names, in ascending order, each as often as it happened. */
export function cpusOf(run: StopRun, what: string): number[] {
  return happenings(run)
    .filter((happening) => happening.what === what)
    .map(({ cpu }) => cpu)
    .toSorted((a, b) => a - b);
}

/** When it first happened, microseconds. */
export function firstUs(run: StopRun, what: string, cpu?: number): number {
  const found = happenings(run).find(
    (happening) => happening.what === what && (cpu ?? happening.cpu) === happening.cpu,
  );
  return found === undefined ? NaN : nsOf(run.expanded.timing, found.cycle) / 1000;
}

export function waitsOf(run: StopRun): readonly WaitReport[] {
  return readWaits(run.history.observations, run.expanded.timing);
}
