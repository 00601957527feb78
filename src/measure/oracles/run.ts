// What oracles judge: a run that has ended, told in events, whichever the path.

import type { Machine, RunEnd } from "../../machine/machine.ts";
import type { Promises } from "../../policies/policy.ts";
import type { TimingModel } from "../../timing/index.ts";
import type { History, Observation } from "../observations.ts";

/** A source of NMIs that a fault has raised. */
export interface RaisedSource {
  readonly cycle: number;
  readonly cpu: number;
  readonly source: string;
}

export interface ObservedRequest {
  readonly requester: number;
  /** Address of the request block, which its events name. */
  readonly block: number;
  /** CPUs that have to run the function; undefined where the path runs none. */
  readonly active: ReadonlySet<number> | undefined;
  /** CPUs that the path has to stop, without the requester. */
  readonly stopped: readonly number[];
}

export interface ObservedRun {
  readonly machine: Machine;
  readonly timing: TimingModel;
  readonly end: RunEnd;
  readonly completed: boolean;
  readonly promises: Promises;
  readonly requests: readonly ObservedRequest[];
  readonly history: History;
  /** What faults have raised. */
  readonly raised: readonly RaisedSource[];
  /** All CPUs of the machine that can execute. */
  readonly cpus: readonly number[];
  readonly online: readonly number[];
  /** Of a run that did not complete: CPUs that keep the others waiting. */
  readonly missing: readonly number[];
}

/** What an oracle says of a run. */
export interface OracleResult {
  readonly name: string;
  readonly held: boolean;
  /** What was judged, or the first violations. */
  readonly detail: string;
}

/** Finds violations; what it has judged when there are none. */
export interface Oracle {
  readonly name: string;
  /** What it says has to hold. */
  readonly rule: string;
  /** Looks at a run that has ended. */
  readonly judge: (run: ObservedRun) => Finding;
}

export interface Finding {
  readonly violations: readonly string[];
  /** What was looked at, such as "4 functions". */
  readonly judged: string;
}

const MOST_TOLD = 3;

export function resultOf({ name }: Oracle, { violations, judged }: Finding): OracleResult {
  if (violations.length === 0) return { name, held: true, detail: judged };
  const more = violations.length - MOST_TOLD;
  const told = violations.slice(0, MOST_TOLD).join("; ");
  return { name, held: false, detail: more > 0 ? `${told}; and ${more} more` : told };
}

/** Events of one kind. */
export function ofEvent({ history }: ObservedRun, ...events: readonly Observation["event"][]): Observation[] {
  return history.observations.filter(({ event }) => events.includes(event));
}

export function byCpu<T extends { readonly cpu: number }>(items: readonly T[]): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(item.cpu);
    if (group === undefined) groups.set(item.cpu, [item]);
    else group.push(item);
  }
  return groups;
}

/** An i32 as the guest holds it in a register. */
export function asInt32(value: bigint | undefined): number {
  return Number(BigInt.asIntN(32, value ?? 0n));
}
