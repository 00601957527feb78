// Times a case with benchmark.js and checks its results.

import Benchmark from "benchmark";
import type { Case } from "./case.ts";

export interface Measurement {
  readonly name: string;
  readonly figure: Case["figure"];
  readonly unit: string;
  /** Units per second, seconds per unit, or bytes. */
  readonly value: number;
  /** Relative margin of error, percent (95 %). */
  readonly marginPercent: number;
  readonly samples: number;
}

/** Prepares, times and verifies. @throws what the case throws */
export async function measure(one: Case, maxSeconds: number): Promise<Measurement> {
  const prepared = await one.prepare();
  const { name, figure, unit } = one;
  if (figure === "size") {
    const value = prepared.run();
    prepared.verify();
    return { name, figure, unit, value, marginPercent: 0, samples: 1 };
  }
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
  if (benchmark.error !== undefined) throw benchmark.error;
  prepared.verify();
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
