// Waits with a time limit: how many iterations each took, and how long that was (guest/lib/delay.ts).

import { nsOf, type TimingModel } from "../timing/index.ts";
import type { Observation } from "./observations.ts";

export interface WaitReport {
  readonly name: string;
  readonly cpu: number;
  /** Most iterations that it may take, and those that it took. */
  readonly limit: number;
  readonly iterations: number;
  /** Whether it was given up. */
  readonly expired: boolean;
  /** Simulated time; null while it goes on. */
  readonly ns: number | null;
}

/** In the order of their starts. */
export function readWaits(observations: readonly Observation[], timing: TimingModel): WaitReport[] {
  const waits: WaitReport[] = [];
  const open = new Map<string, { readonly index: number; readonly cycle: number }[]>();
  for (const { event, which = "", cpu, cycle, values } of observations) {
    if (event !== "wait" && event !== "waited") continue;
    const key = `${cpu} ${which}`;
    const left = Number(BigInt.asUintN(32, values[0] ?? 0n));
    if (event === "wait") {
      open.set(key, [...(open.get(key) ?? []), { index: waits.length, cycle }]);
      waits.push({ name: which, cpu, limit: left, iterations: 0, expired: false, ns: null });
      continue;
    }
    const started = open.get(key)?.pop();
    const wait = started === undefined ? undefined : waits[started.index];
    if (started === undefined || wait === undefined) continue;
    const iterations = wait.limit - left;
    waits[started.index] = { ...wait, iterations, expired: left === 0, ns: nsOf(timing, cycle - started.cycle) };
  }
  return waits;
}
