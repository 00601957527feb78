// Records drained from the core's trace ring, in columns: a machine of thousands of CPUs makes many.

import {
  TRACE_CPU,
  TRACE_CYCLE,
  TRACE_KIND,
  TRACE_PEER,
  TRACE_RECORD_BYTES,
  TRACE_SUBJECT,
  TRACE_VALUE,
  TRACE_VALUE2,
  type TraceKind,
} from "../abi.ts";

/** One thing that happened on one CPU. */
export interface TraceRecord {
  readonly cycle: number;
  readonly cpu: number;
  readonly kind: TraceKind;
  /** Probe number, vector, interrupt id or exception class, by kind. */
  readonly subject: number;
  /** The other CPU of a message, else the CPU itself. */
  readonly peer: number;
  readonly value: bigint;
  readonly value2: bigint;
}

function recordAt(view: DataView, index: number): TraceRecord {
  const at = index * TRACE_RECORD_BYTES;
  return {
    cycle: Number(view.getBigUint64(at + TRACE_CYCLE, true)),
    cpu: view.getUint32(at + TRACE_CPU, true),
    kind: view.getUint32(at + TRACE_KIND, true),
    subject: view.getUint32(at + TRACE_SUBJECT, true),
    peer: view.getUint32(at + TRACE_PEER, true),
    value: view.getBigUint64(at + TRACE_VALUE, true),
    value2: view.getBigUint64(at + TRACE_VALUE2, true),
  };
}

/** Appends raw records and gives them back in the order of (cycle, CPU); records of one CPU keep theirs. */
export class TraceLog {
  #bytes = new Uint8Array(0);
  #count = 0;
  #order: Uint32Array | undefined;

  /** @param beginning a log whose records this one begins with */
  constructor(beginning?: TraceLog) {
    if (beginning !== undefined) this.append(beginning.bytes);
  }

  /** The records as the core wrote them, in the order in which they were appended; a view, valid until the next append. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#count * TRACE_RECORD_BYTES);
  }

  get length(): number {
    return this.#count;
  }

  append(records: Uint8Array): void {
    const used = this.#count * TRACE_RECORD_BYTES;
    if (used + records.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(used + records.length, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, used));
      this.#bytes = grown;
    }
    this.#bytes.set(records, used);
    this.#count += records.length / TRACE_RECORD_BYTES;
    this.#order = undefined;
  }

  clear(): void {
    this.#count = 0;
    this.#order = undefined;
  }

  /** All records in order; O(n log n) the first time after something was appended. */
  *[Symbol.iterator](): Generator<TraceRecord> {
    const view = new DataView(this.#bytes.buffer);
    for (const index of this.#sorted(view)) yield recordAt(view, index);
  }

  /**
   * Removes the records of before a cycle, and gives them in order. A run in slices that takes what was before Machine.cycle after each
   * gets the same records in the same order as one that reads them all at its end, and never holds more than those of a slice.
   */
  takeBefore(cycle: number): TraceRecord[] {
    const view = new DataView(this.#bytes.buffer);
    const taken: TraceRecord[] = [];
    const left: number[] = [];
    for (const index of this.#sorted(view)) {
      const record = recordAt(view, index);
      if (record.cycle < cycle) taken.push(record);
      else left.push(index);
    }
    // Those of one CPU and cycle keep their order: by where they stand.
    left.sort((a, b) => a - b);
    for (const [place, index] of left.entries()) {
      const at = index * TRACE_RECORD_BYTES;
      this.#bytes.copyWithin(place * TRACE_RECORD_BYTES, at, at + TRACE_RECORD_BYTES);
    }
    this.#count = left.length;
    this.#order = undefined;
    return taken;
  }

  #sorted(view: DataView): Uint32Array {
    if (this.#order !== undefined) return this.#order;
    const cycles = new Float64Array(this.#count);
    const cpus = new Uint32Array(this.#count);
    for (let index = 0; index < this.#count; index++) {
      const at = index * TRACE_RECORD_BYTES;
      cycles[index] = Number(view.getBigUint64(at + TRACE_CYCLE, true));
      cpus[index] = view.getUint32(at + TRACE_CPU, true);
    }
    const order = Uint32Array.from({ length: this.#count }, (_, index) => index);
    order.sort((a, b) => cycles[a]! - cycles[b]! || cpus[a]! - cpus[b]! || a - b);
    this.#order = order;
    return order;
  }
}
