// Order statistics of a stream of durations in bounded memory: exact while the values are few, then counted by size.

/** Values that are kept as they are. */
const EXACT = 4096;
/** Bits of a value that count beyond that: the error of a percentile is at most 1 in 4,096. */
const MANTISSA_BITS = 11;

export class Distribution {
  #values: number[] = [];
  /** By leading bits. */
  #counts: Map<number, number> | undefined;
  #least = Infinity;
  #most = -Infinity;
  count = 0;

  /** @param value at least 0 */
  add(value: number): void {
    this.count++;
    this.#least = Math.min(this.#least, value);
    this.#most = Math.max(this.#most, value);
    if (this.#counts !== undefined) addTo(this.#counts, value);
    else if (this.#values.push(value) > EXACT) {
      const counts = new Map<number, number>();
      for (const one of this.#values) addTo(counts, one);
      this.#counts = counts;
      this.#values = [];
    }
  }

  /** The value at a rank (nearest rank: the least value that `share` of all don't exceed); NaN for nothing. */
  quantile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.count));
    if (this.count === 0) return NaN;
    if (this.#counts === undefined) return Float64Array.from(this.#values).sort()[rank - 1] as number;
    if (rank === this.count) return this.#most;
    let passed = 0;
    for (const [size, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      passed += count;
      if (passed >= rank) return Math.min(Math.max(size, this.#least), this.#most);
    }
    return this.#most;
  }
}

function addTo(counts: Map<number, number>, value: number): void {
  const size = shortened(value);
  counts.set(size, (counts.get(size) ?? 0) + 1);
}

/** The middle of the values that have the same leading bits. */
function shortened(value: number): number {
  if (value === 0) return 0;
  const unit = 2 ** (Math.floor(Math.log2(value)) - MANTISSA_BITS);
  return (Math.floor(value / unit) + 0.5) * unit;
}
