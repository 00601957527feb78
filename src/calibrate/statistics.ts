// The two figures of a comparison: how far off, and how steep. Both are rounded: no publication has more digits.

/** How much more the model has than the publication, percent; null without a publication. */
export function errorPercent(model: number, published: number | null): number | null {
  return published === null ? null : toHundredths((model / published - 1) * 100);
}

/** Slope of the least-squares line through points (x, y); NaN for fewer than two. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(points.map(([x]) => x));
  const meanY = mean(points.map(([, y]) => y));
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

export function toHundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
