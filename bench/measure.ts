// Times a case and checks its results: with benchmark.js where it can be called again and again.

import Benchmark from "benchmark";
import { NotAvailable, type Case, type Prepared, type RepeatedCase } from "./case.ts";

export interface Measurement {
  readonly name: string;
  readonly figure: Case["figure"];
  readonly unit: string;
  /** Units per second, seconds per unit, or bytes. */
  readonly value: number;
  /** Relative margin of error, percent (95 %); 0 for a single sample, which tells nothing about it. */
  readonly marginPercent: number;
  readonly samples: number;
  /** As value, by the processor time that was used: of cases that take their own times, where the system tells. */
  readonly processor?: number;
}

/** A case that this host can't run, and why. */
export interface Skipped {
  readonly name: string;
  readonly skipped: string;
}

export type Result = Measurement | Skipped;

/** Prepares, times and verifies. @throws what the case throws when a result is wrong */
export async function measure(one: Case, maxSeconds: number): Promise<Result> {
  collectGarbage();
  if ("sample" in one) {
    try {
      const spans = await one.sample(maxSeconds);
      const result = fromSamples(
        one,
        spans.map(({ wall }) => wall),
      );
      const used = spans.map(({ processor }) => processor).filter((time) => time !== undefined);
      return used.length < spans.length ? result : { ...result, processor: fromSamples(one, used).value };
    } catch (error) {
      if (error instanceof NotAvailable) return { name: one.name, skipped: error.message };
      throw error;
    }
  }
  const prepared = await one.prepare();
  if (one.figure === "size") return sizeOf(one, prepared);
  const result = one.once === true ? timedOnce(one, prepared) : timed(one, prepared, maxSeconds);
  prepared.verify();
  return result;
}

/** What an earlier case left must not be swept while the next one is timed. */
function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error("needs node --expose-gc");
  globalThis.gc();
}

function sizeOf({ name, figure, unit }: RepeatedCase, prepared: Prepared): Measurement {
  const value = prepared.run();
  prepared.verify();
  return { name, figure, unit, value, marginPercent: 0, samples: 1 };
}

/** By hand: benchmark.js calls a function at least twice before it counts. */
function timedOnce(one: RepeatedCase, prepared: Prepared): Measurement {
  const started = performance.now();
  const units = prepared.run();
  return fromSamples(one, [(performance.now() - started) / 1e3 / units]);
}

/** No setup or teardown: with them benchmark.js would compile the function anew, without its scope. */
function timed({ name, figure, unit }: RepeatedCase, prepared: Prepared, maxSeconds: number): Measurement {
  let units = 0;
  let calls = 0;
  const benchmark = new Benchmark(
    name,
    () => {
      units += prepared.run();
      calls++;
    },
    { maxTime: maxSeconds, minSamples: 3 },
  );
  benchmark.run({ async: false });
  // What the function throws is caught there.
  if (benchmark.error !== undefined) throw benchmark.error;
  const secondsPerUnit = benchmark.stats.mean / (units / calls);
  return {
    name,
    figure,
    unit,
    value: figure === "rate" ? 1 / secondsPerUnit : secondsPerUnit,
    marginPercent: benchmark.stats.rme,
    samples: benchmark.stats.sample.length,
  };
}

/** The median of samples in seconds per unit, which one disturbed sample doesn't move. */
function fromSamples({ name, figure, unit }: Case, samples: readonly number[]): Measurement {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, sorted.length - 1);
  return {
    name,
    figure,
    unit,
    value: figure === "rate" ? 1 / median : median,
    marginPercent: (100 * 1.96 * Math.sqrt(variance / sorted.length)) / mean,
    samples: sorted.length,
  };
}
