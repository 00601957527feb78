// Where a test's data lies in guest memory. What the threads meet at stands in front; then a block for each iteration: a record per
// thread, and the test's locations, each in a cache line of its own. A thread's stack pointer is its record of the iteration, so
// that everything in the block is at a constant displacement from it.

import type { LitmusPlan } from "./plan.ts";

export const LINE_BYTES = 64;

/** Words of a record that the host writes before a batch; what the thread saves follows. */
export const Record = {
  /** Arrivals at the barrier that let the iteration begin; 0 where the batch ends. */
  TARGET: 0,
  /** Turns of the delay loop behind the barrier: of a thread that waited, and of the one that came last. Where the batch ends: its number. */
  DELAY: 8,
  LAST_DELAY: 16,
  /** Two bits per location: read it, and write its value back, before the barrier. */
  TOUCH: 24,
  SAVED: 32,
} as const;

/** What threads meet at, from the start of the data; each in a line of its own. */
export const Meeting = { ARRIVED: 0, RELEASE: 64, FINISHED: 128, BATCH: 192, END: 256 } as const;

export interface LitmusLayout {
  readonly codeBase: number;
  readonly dataBase: number;
  /** Iterations in a batch. */
  readonly iterations: number;
  readonly recordBytes: number;
  readonly blockBytes: number;
  readonly dataBytes: number;
}

/** Enough to make the host's part of a batch small; few enough that lines stay in caches from batch to batch. */
const ITERATIONS = 256;

export function layoutOf({ test, memory, saved, dialect }: LitmusPlan): LitmusLayout {
  const most = Math.max(...saved.map(({ length }) => length));
  const recordBytes = Math.ceil((Record.SAVED + 8 * most) / LINE_BYTES) * LINE_BYTES;
  const blockBytes = test.threads.length * recordBytes + memory.length * LINE_BYTES;
  const base = dialect.architecture === "arm64" ? 0x4000_0000 : 0;
  return {
    codeBase: base + 0x10_0000,
    dataBase: base + 0x40_0000,
    iterations: ITERATIONS,
    recordBytes,
    blockBytes,
    // A record behind the last block says that the batch is over.
    dataBytes: Meeting.END + ITERATIONS * blockBytes + test.threads.length * recordBytes,
  };
}

/** Address of a thread's record in an iteration's block. */
export function recordAddress(layout: LitmusLayout, iteration: number, thread: number): number {
  return layout.dataBase + Meeting.END + iteration * layout.blockBytes + thread * layout.recordBytes;
}

/** Of a location in its block. */
export function memoryOffset({ recordBytes }: LitmusLayout, threads: number, index: number): number {
  return threads * recordBytes + index * LINE_BYTES;
}
