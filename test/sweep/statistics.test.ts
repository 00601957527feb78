// Percentiles against sorting, exponents against series whose exponents others have published.

import { describe, expect, it } from "vitest";
import { spreadOf } from "../../src/measure/statistics.ts";
import { SeededRandom } from "../../src/random.ts";
import { Distribution } from "../../src/sweep/distribution.ts";
import { fitPowerLaw } from "../../src/sweep/power-law.ts";

const shares = [0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1];

/** Nearest rank, as spreadOf() has it. */
function sortedQuantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

function drawn(count: number, seed: number): number[] {
  const random = new SeededRandom(seed, "durations");
  return Array.from({ length: count }, () => 10 ** (random.fraction() * 8));
}

describe("a distribution", () => {
  it.each([1, 2, 3, 99, 100, 101, 4096])("of %d values has exactly the percentiles of the sorted values", (count) => {
    const values = drawn(count, count);
    const distribution = new Distribution();
    for (const value of values) distribution.add(value);
    for (const share of shares) expect(distribution.quantile(share)).toBe(sortedQuantile(values, share));
    const { min, p50, p99, max } = spreadOf(values) ?? {};
    expect([0, 0.5, 0.99, 1].map((share) => distribution.quantile(share))).toEqual([min, p50, p99, max]);
  });

  it.each([4097, 50_000])("of %d values is off by 1 in 4,096 at the most, and by nothing at its ends", (count) => {
    const values = [0, ...drawn(count - 1, count)];
    const distribution = new Distribution();
    for (const value of values) distribution.add(value);
    expect(distribution.count).toBe(count);
    for (const share of shares) {
      const exact = sortedQuantile(values, share);
      expect(Math.abs(distribution.quantile(share) - exact)).toBeLessThanOrEqual(exact / 4096);
    }
    expect(distribution.quantile(0)).toBe(0);
    expect(distribution.quantile(1)).toBe(Math.max(...values));
  });

  it("of nothing has none", () => {
    expect(new Distribution().quantile(0.5)).toBeNaN();
  });
});

describe("a power law", () => {
  it("finds Kepler's third law in the planets: period over semi-major axis (NASA Planetary Fact Sheet, ratio to Earth)", () => {
    const planets = [
      [0.387, 0.241],
      [0.723, 0.615],
      [1, 1],
      [1.52, 1.88],
      [5.2, 11.9],
      [9.57, 29.4],
      [19.17, 83.7],
      [30.18, 163.7],
    ] as const;
    const law = fitPowerLaw(planets);
    expect(law?.exponent).toBeCloseTo(1.5, 2);
    expect(law?.factor).toBeCloseTo(1, 2);
    expect(law?.r2).toBeGreaterThan(0.99999);
    expect(law?.points).toBe(8);
  });

  it("has the line and r² that Anscombe gives for his first quartet (The American Statistician 27, 1973), in logarithms", () => {
    const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5];
    const y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
    const law = fitPowerLaw(x.map((value, index) => [Math.exp(value), Math.exp(y[index] as number)] as const));
    expect(law?.exponent).toBeCloseTo(0.5, 3);
    expect(Math.log(law?.factor ?? NaN)).toBeCloseTo(3, 2);
    expect(law?.r2).toBeCloseTo(0.667, 3);
  });

  it("needs two different sizes, and leaves out what has no logarithm", () => {
    expect(fitPowerLaw([])).toBeUndefined();
    expect(
      fitPowerLaw([
        [2, 3],
        [2, 4],
      ]),
    ).toBeUndefined();
    expect(
      fitPowerLaw([
        [0, 3],
        [2, 0],
        [4, 1],
      ]),
    ).toBeUndefined();
    expect(
      fitPowerLaw([
        [0, 3],
        [2, 4],
        [4, 16],
      ]),
    ).toMatchObject({ exponent: 2, points: 2 });
    expect(
      fitPowerLaw([
        [1, 5],
        [2, 5],
        [4, 5],
      ]),
    ).toMatchObject({ exponent: 0, factor: 5, r2: 1 });
  });
});
