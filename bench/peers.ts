// Cases that do the same work as another one by other means: "…/allstop" beside "…/qemu", "…/plain", "…/bigint".

import type { Measurement, Result } from "./measure.ts";

export interface PeerRatio {
  /** What both do. */
  readonly work: string;
  readonly peer: string;
  /** Seconds per unit of that work. */
  readonly ours: number;
  /** Undefined: the peer isn't there. */
  readonly theirs: number | undefined;
  /** Ours divided by theirs: below 1, allstop is faster. */
  readonly ratio: number | undefined;
  /** The same of the processor time that both have used, where that is known. */
  readonly processorRatio: number | undefined;
}

const OURS = "allstop";

function secondsOf({ figure, value }: Measurement): number {
  return figure === "rate" ? 1 / value : value;
}

export function peerRatios(results: readonly Result[]): PeerRatio[] {
  const byName = new Map(results.map((result) => [result.name, result]));
  return results.flatMap((other) => {
    const split = other.name.lastIndexOf("/");
    const work = other.name.slice(0, split);
    const same = byName.get(`${work}/${OURS}`);
    if (same === undefined || same === other || "skipped" in same) return [];
    const ours = secondsOf(same);
    const theirs = "skipped" in other ? undefined : secondsOf(other);
    const ratio = theirs === undefined ? undefined : ours / theirs;
    const processorRatio = "skipped" in other ? undefined : quotient(same.processor, other.processor);
    return [{ work, peer: other.name.slice(split + 1), ours, theirs, ratio, processorRatio }];
  });
}

function quotient(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a / b;
}
