// What time it is: on the wall, and by what a process has used of the host's processors. On a host that others use too, the second is
// the one to compare programs of one thread by.

import { readFileSync, readdirSync } from "node:fs";

export interface Instant {
  /** Seconds since some moment. */
  readonly wall: number;
  /** Seconds that all threads of the process have run so far; undefined where the system doesn't tell. */
  readonly processor: number | undefined;
}

/** What passed between two instants, per unit of what was done, in seconds. */
export interface Span {
  readonly wall: number;
  readonly processor: number | undefined;
}

/** Linux tells it in nanoseconds, for each thread (Documentation/scheduler/sched-stats.rst). */
function processorSeconds(pid: number): number | undefined {
  const folder = `/proc/${pid}/task`;
  try {
    const threads = readdirSync(folder);
    const times = threads.map((thread) =>
      Number(readFileSync(`${folder}/${thread}/schedstat`, "utf8").split(" ", 1)[0]),
    );
    return times.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e9;
  } catch {
    // Another system, or a thread that has just ended.
    return undefined;
  }
}

export function now(pid: number = process.pid): Instant {
  return { wall: performance.now() / 1e3, processor: processorSeconds(pid) };
}

export function spanBetween(start: Instant, end: Instant, units: number): Span {
  const processor =
    start.processor === undefined || end.processor === undefined ? undefined : end.processor - start.processor;
  return {
    wall: (end.wall - start.wall) / units,
    processor: processor === undefined ? undefined : processor / units,
  };
}
