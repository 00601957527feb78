// Runs a machine as a host would, in pieces, and notes all that it can see.

import { Counter, RunStatus, StopReason } from "../../src/abi.ts";
import type { BareMachine, TraceRecord } from "./bare-machine.ts";

export interface BreakHit {
  readonly probe: bigint;
  readonly cpu: bigint;
  readonly cycle: bigint;
  /** Digest where the run ended. */
  readonly digest: string;
}

export interface Stop {
  readonly reason: string;
  readonly cpu: bigint;
  readonly pc: bigint;
  readonly cycle: bigint;
  readonly detail: bigint;
  /** Where the run ended. */
  readonly now: bigint;
}

export interface Observation {
  /** State at each cycle that was asked for. */
  readonly states: string[];
  readonly breaks: BreakHit[];
  stop: Stop | undefined;
  readonly trace: TraceRecord[];
}

/** The digest, and what counts all that has happened. */
export function stateOf(machine: Pick<BareMachine, "core" | "counter">): string {
  // Brings parked CPUs up to date, so that what they retire is counted to the instruction.
  const digest = machine.core.digest().toString(16);
  const counts = [Counter.NOW, Counter.RETIRED, Counter.MISSES, Counter.INTERRUPTS].map((one) => machine.counter(one));
  return `${digest} at ${counts.join(" ")}`;
}

/** What a host does to a machine when it has run to a cycle. */
export interface Act {
  readonly cycle: number;
  readonly act: (machine: BareMachine) => void;
}

/**
 * Runs to each cycle of `looks`, and notes the state there; on the way, stops at each of `cuts`, and does what is to be done.
 * What the trace holds is drained whenever the core asks for it, and at the end.
 */
export function observe(
  machine: BareMachine,
  looks: readonly number[],
  cuts: readonly number[] = [],
  acts: readonly Act[] = [],
): Observation {
  const all: Observation = { states: [], breaks: [], stop: undefined, trace: [] };
  const isLook = new Set(looks);
  const places = [...new Set([...looks, ...cuts, ...acts.map(({ cycle }) => cycle)])].sort((a, b) => a - b);
  for (const place of places) {
    runTo(machine, place, all);
    for (const { cycle, act } of acts) if (cycle === place) act(machine);
    // Behind a stop, time does not go on: one more look shows that.
    if (isLook.has(place)) all.states.push(stateOf(machine));
  }
  all.trace.push(...machine.drain());
  return all;
}

function runTo(machine: BareMachine, place: number, all: Observation): void {
  while (true) {
    const status: RunStatus = machine.run(place);
    switch (status) {
      case RunStatus.TRACE_FULL:
        all.trace.push(...machine.drain());
        break;
      case RunStatus.BREAK:
        all.breaks.push({
          probe: machine.counter(Counter.BREAK_PROBE),
          cpu: machine.counter(Counter.BREAK_CPU),
          cycle: machine.counter(Counter.BREAK_CYCLE),
          digest: stateOf(machine),
        });
        break;
      case RunStatus.STOPPED:
        all.stop = stopOf(machine);
        return;
      case RunStatus.REACHED:
      case RunStatus.QUIESCENT:
        return;
    }
  }
}

function stopOf(machine: BareMachine): Stop {
  return {
    reason: StopReason[Number(machine.counter(Counter.STOP_REASON))] ?? "?",
    cpu: machine.counter(Counter.STOP_CPU),
    pc: machine.counter(Counter.STOP_PC),
    cycle: machine.counter(Counter.STOP_CYCLE),
    detail: machine.counter(Counter.STOP_DETAIL),
    now: machine.counter(Counter.NOW),
  };
}

/** Records before a cycle, in one order whatever the order in which they were made. */
export function sortedTrace(records: readonly TraceRecord[], until: number): string[] {
  return records
    .filter(({ cycle }) => cycle < BigInt(until))
    .map(({ cycle, cpu, kind, subject, peer, value, value2 }) => {
      const place = `${String(cycle).padStart(8)} ${String(cpu).padStart(4)}`;
      return `${place} ${kind} ${subject} ${peer} ${value.toString(16)} ${value2.toString(16)}`;
    })
    .sort();
}
