// Order statistics of what was measured.

/** Least, median, 99th percentile and greatest of some values, in their unit. */
export interface Spread {
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Least, median, 99th percentile (nearest rank) and greatest; undefined for nothing. NaN entries don't count. */
export function spreadOf(values: Iterable<number>): Spread | undefined {
  const sorted = Float64Array.from([...values].filter((value) => !Number.isNaN(value))).sort();
  if (sorted.length === 0) return undefined;
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
  return { min: rank(0), p50: rank(0.5), p99: rank(0.99), max: rank(1) };
}

/** Greatest entry and its index; NaN entries don't count. */
export function latest(values: Float64Array): { readonly index: number; readonly value: number } | undefined {
  let index = -1;
  values.forEach((value, at) => {
    if (!Number.isNaN(value) && (index < 0 || value > (values[index] as number))) index = at;
  });
  return index < 0 ? undefined : { index, value: values[index] as number };
}
