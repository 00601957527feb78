// Oracles: what has to hold of every run of every stop path. They know the events of guest/observe.ts, and no particular bug.

import { crashNotes } from "./crash-notes.ts";
import { completion, endState } from "./end-state.ts";
import { acknowledgedOnce, exactlyOnce } from "./exactly-once.ts";
import { lifetime } from "./lifetime.ts";
import { quiescence, uninterrupted } from "./quiescence.ts";
import { bound, returnedError } from "./returned.ts";
import { resultOf, type ObservedRun, type Oracle, type OracleResult } from "./run.ts";
import { sourcesServed } from "./sources.ts";
import { updateWindow } from "./update-window.ts";
import { whoIsLeft } from "./who-is-left.ts";

export { NO_SOURCE } from "./sources.ts";
export type { ObservedRequest, ObservedRun, Oracle, OracleResult, RaisedSource } from "./run.ts";

/** All rules that runs are judged by, in the order in which a report has them. */
export const oracles: readonly Oracle[] = [
  completion,
  exactlyOnce,
  returnedError,
  acknowledgedOnce,
  quiescence,
  uninterrupted,
  lifetime,
  sourcesServed,
  updateWindow,
  crashNotes,
  whoIsLeft,
  endState,
  bound,
];

export function judge(run: ObservedRun): OracleResult[] {
  return oracles.map((oracle) => resultOf(oracle, oracle.judge(run)));
}
