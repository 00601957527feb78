// Distributions agree with sorting what they were made of, within the digits that they promise.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Distribution, SIGNIFICANT_DIGITS, measureDistributions } from "../../src/measure/distributions.ts";
import { executeScenario } from "../../src/scenario/run.ts";
import { SCENARIO_FORMAT } from "../../src/scenario/document.ts";
import { findTimingModel, nsOf } from "../../src/timing/index.ts";
import { checkedCore } from "../support/bare-machine.ts";

const timing = findTimingModel("generic-x86");
const PRECISION = 10 ** -SIGNIFICANT_DIGITS;

const durations = fc.array(fc.oneof(fc.nat(10), fc.nat(100_000), fc.integer({ min: 0, max: 2 ** 45 })), {
  minLength: 1,
  maxLength: 200,
});

function distributionOf(values: readonly number[]): Distribution {
  const distribution = new Distribution(timing);
  for (const value of values) distribution.record(value);
  return distribution;
}

/** Of the nearest rank. */
function exactly(values: readonly number[], percentile: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil((percentile / 100) * sorted.length) - 1)] as number;
}

function expectNear(ns: number, cycles: number): void {
  const exact = nsOf(timing, cycles);
  expect(ns).toBeGreaterThanOrEqual(exact * (1 - 1e-12));
  expect(ns).toBeLessThanOrEqual(exact * (1 + PRECISION) + nsOf(timing, 1));
}

describe("a distribution", () => {
  it("has the percentiles that sorting finds", () => {
    fc.assert(
      fc.property(durations, (values) => {
        const distribution = distributionOf(values);
        for (const percentile of [50, 90, 99, 100]) {
          expectNear(distribution.percentile(percentile), exactly(values, percentile));
        }
        const { count, min, max, p50, p99_9 } = distribution.percentiles ?? {};
        expect(count).toBe(values.length);
        expect(min).toBe(nsOf(timing, Math.min(...values)));
        expect(max).toBe(nsOf(timing, Math.max(...values)));
        expectNear(p50 as number, exactly(values, 50));
        expectNear(p99_9 as number, exactly(values, 99.9));
      }),
    );
  });

  it("is the same put together from two", () => {
    fc.assert(
      fc.property(durations, durations, (some, others) => {
        const sum = distributionOf(some);
        sum.add(distributionOf(others));
        const whole = distributionOf([...some, ...others]);
        expect(sum.percentiles).toEqual({ ...whole.percentiles, mean: sum.percentiles?.mean });
        expect(sum.hgrm()).toBe(whole.hgrm());
      }),
    );
  });

  it("is written as HdrHistogram's plotters read it", () => {
    const text = distributionOf([100, 200, 300, 400]).hgrm();
    const rows = text.split("\n").filter((line) => /^\s*\d/.test(line));
    expect(text).toMatch(/^\s*Value\s+Percentile TotalCount 1\/\(1-Percentile\)\n\n/);
    for (const row of rows) expect(row).toMatch(/^ *\d+\.\d{3} +[01]\.\d{12} +\d+( +\d+\.\d{2})?$/);
    // The last row is that of the greatest value, in nanoseconds, and counts them all.
    const [value, percentile, total] = (rows.at(-1) ?? "").trim().split(/ +/).map(Number);
    expect([value, percentile, total]).toEqual([nsOf(timing, 400), 1, 4]);
    expect(text).toMatch(/#\[Max {5}= +160\.000, Total count {4}= +4\]/);
  });

  it("refuses what is no duration, and other clocks", () => {
    const distribution = new Distribution(timing);
    expect(distribution.percentiles).toBeUndefined();
    for (const value of [-1, 0.5, NaN, Infinity]) {
      expect(() => {
        distribution.record(value);
      }).toThrowError(/not a duration in cycles/);
    }
    const other = new Distribution({ ...timing, clockMhz: { ...timing.clockMhz, value: 1000 } });
    expect(() => {
      distribution.add(other);
    }).toThrowError(/clocks differ/);
  });
});

it("those of a run count every CPU in every call", async () => {
  const result = await executeScenario(
    {
      format: SCENARIO_FORMAT,
      machine: { cpus: 12, architecture: "arm64" },
      load: { common: "mixed" },
      policy: { rounds: 5 },
    },
    { core: checkedCore },
  );
  const { timelines, expanded } = result;
  const { stop, frozen, releaseSkew } = measureDistributions(timelines, expanded.policy, expanded.timing);
  const raw = timelines.flatMap(({ call, acknowledge }) => [...(acknowledge[1] ?? [])].map((cycle) => cycle - call));
  expect([stop.count, frozen.count, releaseSkew.count, raw.length]).toEqual([60, 60, 60, 60]);
  for (const percentile of [10, 50, 90, 99]) {
    const exact = nsOf(expanded.timing, exactly(raw, percentile));
    expect(Math.abs(stop.percentile(percentile) - exact)).toBeLessThanOrEqual(exact * PRECISION + 1);
  }
  // In each call somebody is the first to be released.
  expect(releaseSkew.percentile(8)).toBe(0);
});
