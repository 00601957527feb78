// Which CPUs a run's call has to stop, and why each of them was as late as it was.

import { kernelSymbols } from "../guest/kernel.ts";
import { measureLateness, type Lateness } from "../measure/lateness.ts";
import type { Timeline } from "../measure/timeline.ts";
import { callerOf, startsTarget } from "./requests.ts";
import type { RunResult } from "./run.ts";

/** The call that a report is about: the last one that returned, else the one under way; undefined before any. */
export function reportedCall({ timelines }: RunResult): Timeline | undefined {
  return timelines.findLast((timeline) => !Number.isNaN(timeline.return)) ?? timelines.at(-1);
}

/** CPUs that a call has to capture: those that it did, once it has returned; until then, those that are still online. */
export function capturedBy({ expanded, machine }: RunResult, timeline: Timeline | undefined): readonly number[] {
  const { online, requests, topology } = expanded;
  const [{ policy, targets, requester }] = requests;
  if (policy.promises?.end === "stopped") return online.filter((cpu) => cpu !== requester);
  if (timeline !== undefined && !Number.isNaN(timeline.return)) {
    return online.filter((cpu) => !Number.isNaN(timeline.enter[cpu]));
  }
  const left = new Set(machine.readMask(kernelSymbols.onlineMask));
  const starting = new Set(requests.filter(startsTarget).flatMap((request) => request.targets));
  const present = online.filter((cpu) => left.size === 0 || left.has(cpu) || starting.has(cpu));
  return policy.request.captured(present, targets, topology);
}

/**
 * Where the time went from a call until each CPU that it is to stop had stopped, or to the end of the run: one entry per CPU, whose
 * parts sum to the whole in cycles exactly. Which lines were waited for is known of a run that measured lines; else that
 * is part of the CPU's way through the kernel.
 * @param timeline one of `result.timelines`; that of the report if not given
 */
export function latenessOf(result: RunResult, timeline: Timeline | undefined = reportedCall(result)): Lateness[] {
  if (timeline === undefined) return [];
  const { machine, history, expanded, lines } = result;
  const { policy, requests } = expanded;
  const caller = callerOf(requests[0]);
  const captured = capturedBy(result, timeline);
  return measureLateness({
    machine,
    history,
    policy,
    timeline,
    caller,
    captured,
    ...(lines && { waits: lines.waits }),
  });
}
