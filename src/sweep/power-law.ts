// How something grows with something else: the least-squares line through the logarithms.

/** y = coefficient * x ^ exponent, by least squares on the logarithms. */
export interface PowerLaw {
  /** y = factor · x ^ exponent */
  readonly exponent: number;
  readonly factor: number;
  /** Share of the variance of log y that the line explains: 1 for a power law. */
  readonly r2: number;
  readonly points: number;
}

/** @returns undefined for fewer than two different x; points that are not above 0 don't count */
export function fitPowerLaw(points: readonly (readonly [x: number, y: number])[]): PowerLaw | undefined {
  const logs = points.filter(([x, y]) => x > 0 && y > 0).map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  if (new Set(logs.map(([x]) => x)).size < 2) return undefined;
  const mean = (axis: 0 | 1): number => logs.reduce((sum, point) => sum + point[axis], 0) / logs.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (const [x, y] of logs) {
    xx += (x - meanX) ** 2;
    xy += (x - meanX) * (y - meanY);
    yy += (y - meanY) ** 2;
  }
  const exponent = xy / xx;
  // What does not change is explained by an exponent of 0.
  const r2 = yy === 0 ? 1 : xy ** 2 / (xx * yy);
  return { exponent, factor: Math.exp(meanY - exponent * meanX), r2, points: logs.length };
}
