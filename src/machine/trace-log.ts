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

  /** Adds records as the core has written them. */
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

  /** Forgets all records. */
  clear(): void {
    this.#count = 0;
    this.#order = undefined;
  }

  /** All records in order; the first time after something was appended they are sorted, in O(n). */
  [Symbol.iterator](): Generator<TraceRecord> {
    return this.ofKinds(-1);
  }

  /** Records of some kinds, in order. @param mask a bit per kind */
  *ofKinds(mask: number): Generator<TraceRecord> {
    const view = new DataView(this.#bytes.buffer);
    for (const index of this.#sorted(view)) {
      const kind = view.getUint32(index * TRACE_RECORD_BYTES + TRACE_KIND, true);
      if (((mask >>> kind) & 1) !== 0) yield recordAt(view, index);
    }
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

  /** Visits records of one kind, in order, whose values are addresses or cycles: of millions, objects would cost too much. */
  visit(wanted: TraceKind, visitor: TraceVisitor): void {
    const view = new DataView(this.#bytes.buffer);
    for (const index of this.#sorted(view)) {
      const at = index * TRACE_RECORD_BYTES;
      if (view.getUint32(at + TRACE_KIND, true) !== (wanted as number)) continue;
      visitor(
        wordAt(view, at + TRACE_CYCLE),
        view.getUint32(at + TRACE_CPU, true),
        view.getUint32(at + TRACE_SUBJECT, true),
        view.getUint32(at + TRACE_PEER, true),
        wordAt(view, at + TRACE_VALUE),
        wordAt(view, at + TRACE_VALUE2),
      );
    }
  }

  #sorted(view: DataView): Uint32Array {
    if (this.#order !== undefined) return this.#order;
    const count = this.#count;
    const key = (offset: number): Uint32Array =>
      Uint32Array.from({ length: count }, (_, index) => view.getUint32(index * TRACE_RECORD_BYTES + offset, true));
    let order: Uint32Array = Uint32Array.from({ length: count }, (_, index) => index);
    // The least significant first.
    for (const offset of [TRACE_CPU, TRACE_CYCLE, TRACE_CYCLE + 4]) order = sortBy(order, key(offset));
    this.#order = order;
    return order;
  }
}

/** Called with cycle, CPU, subject, peer and both values. */
export type TraceVisitor = (
  cycle: number,
  cpu: number,
  subject: number,
  peer: number,
  value: number,
  value2: number,
) => void;

/** 8 bytes as a number: exact up to 2^53. */
function wordAt(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

const DIGIT_BITS = 16;
const DIGIT_MASK = 2 ** DIGIT_BITS - 1;

/** Indices in the order of their keys; those of equal keys keep theirs. Digit by digit: most keys are small, or almost in order. */
function sortBy(order: Uint32Array, keys: Uint32Array): Uint32Array {
  const greatest = keys.reduce((most, key) => Math.max(most, key), 0);
  let sorted = order;
  for (let shift = 0; shift === 0 || greatest >>> shift !== 0; shift += DIGIT_BITS) {
    sorted = sortByDigit(sorted, keys, shift);
    if (shift + DIGIT_BITS >= 32) break;
  }
  return sorted;
}

function sortByDigit(order: Uint32Array, keys: Uint32Array, shift: number): Uint32Array {
  const places = new Uint32Array(2 ** DIGIT_BITS + 1);
  for (const key of keys) places[((key >>> shift) & DIGIT_MASK) + 1]!++;
  for (let digit = 0; digit < DIGIT_MASK; digit++) places[digit + 1]! += places[digit]!;
  const sorted = new Uint32Array(order.length);
  for (const index of order) sorted[places[(keys[index]! >>> shift) & DIGIT_MASK]!++] = index;
  return sorted;
}
