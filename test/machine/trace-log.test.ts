// The trace log: order, and taking records while a run goes on.

import { describe, expect, it } from "vitest";
import { TRACE_CPU, TRACE_CYCLE, TRACE_RECORD_BYTES, TRACE_SUBJECT } from "../../src/abi.ts";
import { TraceLog, type TraceRecord } from "../../src/machine/trace-log.ts";

/** Records by [cycle, cpu, subject], as the core writes them. */
function bytesOf(records: readonly (readonly [number, number, number])[]): Uint8Array {
  const bytes = new Uint8Array(records.length * TRACE_RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, [cycle, cpu, subject]] of records.entries()) {
    const at = index * TRACE_RECORD_BYTES;
    view.setBigUint64(at + TRACE_CYCLE, BigInt(cycle), true);
    view.setUint32(at + TRACE_CPU, cpu, true);
    view.setUint32(at + TRACE_SUBJECT, subject, true);
  }
  return bytes;
}

const subjects = (records: Iterable<TraceRecord>): number[] => [...records].map(({ subject }) => subject);

describe("takeBefore()", () => {
  it("gives what was before a cycle in order, and leaves the rest", () => {
    const log = new TraceLog();
    log.append(bytesOf([[30, 1, 4], [10, 2, 1], [20, 1, 3], [20, 0, 2]])); // prettier-ignore
    expect(subjects(log.takeBefore(20))).toEqual([1]);
    expect(log.length).toBe(3);
    expect(subjects(log.takeBefore(30))).toEqual([2, 3]);
    expect(subjects(log)).toEqual([4]);
    expect(subjects(log.takeBefore(30))).toEqual([]);
    expect(subjects(log.takeBefore(31))).toEqual([4]);
    expect(log.length).toBe(0);
  });

  it("keeps the order of one CPU's records of one cycle, whenever they are taken", () => {
    const whole = new TraceLog();
    const parts = new TraceLog();
    const taken: number[] = [];
    const batches = [
      [[5, 0, 1], [9, 0, 2], [7, 1, 3], [9, 1, 4]],
      [[9, 0, 5], [8, 1, 6], [9, 0, 7]],
      [[9, 1, 8], [12, 0, 9]],
    ] as const; // prettier-ignore
    for (const [index, batch] of batches.entries()) {
      whole.append(bytesOf(batch));
      parts.append(bytesOf(batch));
      taken.push(...subjects(parts.takeBefore([7, 9, 13][index] ?? 0)));
    }
    expect(taken).toEqual(subjects(whole));
  });
});
