// What a row of a heat map shows over time: the states of one CPU as they are, or, of several CPUs, one state per column of pixels.

import { cpuStates, type StretchState, type StateStretch } from "../rendezvous.ts";

/** A state from one place to another, pixels. */
export interface Run {
  readonly state: StretchState;
  readonly from: number;
  readonly until: number;
}

const states = Object.keys(cpuStates) as StretchState[];

/** What is shown of several CPUs even if only one of them is in it: what keeps the others waiting. */
const prominent: ReadonlySet<StretchState> = new Set<StretchState>([
  "lost",
  "irqs-off",
  "nmi-blocked",
  "smm",
  "descheduled",
  "function",
]);

/** Of one CPU: every stretch where it is, up to a place. */
export function exactRuns(stretches: readonly StateStretch[], place: (ns: number) => number, end: number): Run[] {
  return stretches.flatMap(({ state, fromNs, untilNs }) => {
    const [from, until] = [place(fromNs), Math.min(place(untilNs), end)];
    return until > from ? [{ state, from, until }] : [];
  });
}

export interface Columns {
  readonly left: number;
  readonly right: number;
  /** Pixels. */
  readonly width: number;
}

/**
 * Of several CPUs, per column: what keeps the others waiting, if one of them is in it for most of the column; else what they are in
 * most of the time. Those that the call doesn't concern don't count.
 */
export class ColumnRuns {
  readonly #columns: Columns;
  readonly #place: (ns: number) => number;
  readonly #count: number;
  /** By column and state: pixels, summed over CPUs. */
  readonly #sums: Float64Array;
  /** By column: one more than the prominent state that a CPU is in for most of it; 0: none. */
  readonly #held: Uint8Array;

  constructor(columns: Columns, place: (ns: number) => number) {
    this.#columns = columns;
    this.#place = place;
    this.#count = Math.ceil((columns.right - columns.left) / columns.width);
    this.#sums = new Float64Array(this.#count * states.length);
    this.#held = new Uint8Array(this.#count);
  }

  /** @param stretches of all CPUs of the row, in any order */
  of(stretches: readonly StateStretch[]): Run[] {
    this.#sums.fill(0);
    this.#held.fill(0);
    for (const stretch of stretches) this.#add(stretch);
    return this.#runs();
  }

  #add({ state, fromNs, untilNs }: StateStretch): void {
    const { left, right, width } = this.#columns;
    const number = states.indexOf(state);
    const from = (this.#place(fromNs) - left) / width;
    const until = (Math.min(this.#place(untilNs), right) - left) / width;
    for (let column = Math.floor(from); column < until && column < this.#count; column++) {
      const share = Math.min(until, column + 1) - Math.max(from, column);
      const place = column * states.length + number;
      this.#sums[place] = (this.#sums[place] ?? 0) + share;
      if (share > 0.5 && prominent.has(state)) this.#held[column] = number + 1;
    }
  }

  #runs(): Run[] {
    const { left, right, width } = this.#columns;
    const runs: Run[] = [];
    for (let column = 0; column < this.#count; column++) {
      const state = this.#stateOf(column);
      if (state === undefined) continue;
      const from = left + column * width;
      const until = Math.min(from + width, right);
      const last = runs.at(-1);
      if (last?.state === state && last.until === from) runs[runs.length - 1] = { state, from: last.from, until };
      else runs.push({ state, from, until });
    }
    return runs;
  }

  #stateOf(column: number): StretchState | undefined {
    const held = this.#held[column] ?? 0;
    if (held > 0) return states[held - 1];
    let most = 0;
    let found: StretchState | undefined;
    for (const [number, state] of states.entries()) {
      const sum = this.#sums[column * states.length + number] ?? 0;
      if (sum <= most) continue;
      most = sum;
      found = state;
    }
    return found;
  }
}
