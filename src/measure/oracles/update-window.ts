// Microcode updates: the threads of a core are held while it is updated.

import { TraceKind } from "../../abi.ts";
import type { Observation } from "../observations.ts";
import { byCpu, ofEvent, type ObservedRun, type Oracle } from "./run.ts";

/** First start and last end of the updates on the CPUs of one core. */
function windowOf(events: readonly Observation[]): readonly [number, number] | undefined {
  const first = events.find(({ event }) => event === "update_start");
  if (first === undefined) return undefined;
  const last = events.findLast(({ event }) => event === "update_end");
  const started = events.filter(({ event }) => event === "update_start").length;
  const isOpen = started > events.length - started;
  return [first.cycle, isOpen || last === undefined ? Infinity : last.cycle];
}

/** Stretches of time in which a CPU executes nothing but the rendezvous: it waits there, updates itself, or sleeps. */
function heldStretches(run: ObservedRun, cpu: number): { from: number; to: number }[] {
  const { observations, records } = run.history;
  const changes = [
    ...observations
      .filter((one) => one.cpu === cpu)
      .flatMap(({ event, cycle }) => {
        if (event === "hold_start" || event === "update_start") return [{ cycle, by: 1 }];
        if (event === "hold_end" || event === "update_end") return [{ cycle, by: -1 }];
        return [];
      }),
    ...records
      .filter((one) => one.cpu === cpu)
      .flatMap(({ kind, cycle }) => {
        if (kind === TraceKind.WAIT) return [{ cycle, by: 1 }];
        if (kind === TraceKind.WAKE) return [{ cycle, by: -1 }];
        return [];
      }),
  ].sort((one, other) => one.cycle - other.cycle);
  const stretches: { from: number; to: number }[] = [];
  let depth = 0;
  let from = 0;
  for (const { cycle, by } of changes) {
    if (depth === 0 && by > 0) from = cycle;
    depth = Math.max(0, depth + by);
    if (depth === 0 && by < 0) stretches.push({ from, to: cycle });
  }
  if (depth > 0) stretches.push({ from, to: Infinity });
  return stretches;
}

/** While a core is being updated, its threads do nothing but wait in the rendezvous, update themselves, or sleep. */
export const updateWindow: Oracle = {
  name: "update-window",
  rule: "while a core was being updated, no thread of it executed anything outside the rendezvous",
  judge: (run) => {
    const violations: string[] = [];
    const { topology } = run.machine;
    const coreOf = (cpu: number): number => topology.cpus[cpu]?.core ?? -1;
    const updates = ofEvent(run, "update_start", "update_end").map((one) => ({
      ...one,
      by: one.cpu,
      cpu: coreOf(one.cpu),
    }));
    let judged = 0;
    for (const [core, events] of byCpu(updates)) {
      const window = windowOf(events);
      if (window === undefined) continue;
      judged++;
      const [from, to] = window;
      const end = Math.min(to, run.machine.cycle);
      for (const cpu of run.cpus.filter((one) => coreOf(one) === core)) {
        const outside = firstOutside(heldStretches(run, cpu), from, end);
        if (outside === undefined) continue;
        violations.push(
          `CPU ${cpu} executed outside of the rendezvous from cycle ${outside}, its core updating from ${from}`,
        );
      }
    }
    return { violations, judged: `${judged} cores updated` };
  },
};

/** The first cycle of a window that no stretch covers. */
function firstOutside(
  stretches: readonly { from: number; to: number }[],
  from: number,
  to: number,
): number | undefined {
  let covered = from;
  for (const stretch of stretches) {
    if (stretch.from > covered) break;
    covered = Math.max(covered, stretch.to);
  }
  return covered >= to ? undefined : covered;
}
