// What turns events into the bytes of a format.

import type { Topology } from "../topology/index.ts";
import type { TraceEvent } from "./event.ts";

/** What a trace is of. */
export interface TraceSubject {
  readonly title: string;
  readonly topology: Topology;
  /** CPUs whose events it has, ascending. */
  readonly cpus: readonly number[];
  /** Nanoseconds of a cycle, rounded. */
  readonly nsOf: (cycle: number) => number;
}

export interface TraceEncoder {
  /** Events come in the order of their cycles. */
  readonly write: (event: TraceEvent) => void;
  /** What has been written since the last time; undefined: too little to be worth it, unless it is all there is. */
  readonly take: (isAll?: boolean) => Uint8Array | undefined;
}

/** Bytes from which on a chunk is given away. */
export const CHUNK_BYTES = 65_536;
