// Distributions of what CPUs went through, over all of them and over all calls of a run, or of many runs: HdrHistograms of cycles, so
// that thousands of CPUs and millions of calls cost the same memory, and tails stay as exact as medians.

// Not the package's index: that loads encoders and WebAssembly, which take longer than many a run.
import float64 from "hdr-histogram-js/dist/Float64Histogram.js";
import { AllstopError } from "../errors.ts";
import type { Policy } from "../policies/index.ts";
import { nsOf, type TimingModel } from "../timing/index.ts";
import type { Timeline } from "./timeline.ts";

/** Decimal digits to which values are told apart. */
export const SIGNIFICANT_DIGITS = 3;

/** Nanoseconds; all but `count`. Percentiles are of the nearest rank, to SIGNIFICANT_DIGITS; least, mean and greatest are exact. */
export interface Percentiles {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p99_9: number;
  readonly max: number;
}

/** A value of a distribution, and how many do not exceed it. */
export interface PercentilePoint {
  /** Of all, 0 to 1. */
  readonly share: number;
  /** The value, nanoseconds. */
  readonly ns: number;
}

/** Made by Node, or by a bundler that unwraps what CommonJS exports as its default. */
const Float64Histogram = "default" in float64 ? float64.default : float64;
type Histogram = InstanceType<typeof Float64Histogram>;

/** It grows by itself. */
const HIGHEST_AT_FIRST = 2 ** 32;

/** Steps of a percentile's row in the text form, per halving of what is left: HdrHistogram's own choice. */
const TICKS_PER_HALF = 5;

/** Durations of one kind, counted in cycles of a timing model. */
export class Distribution {
  readonly #timing: TimingModel;
  readonly #histogram: Histogram;
  // Exact, and at hand: the histogram would go through all of its buckets.
  #least = Infinity;
  #sum = 0;

  constructor(timing: TimingModel) {
    this.#timing = timing;
    this.#histogram = new Float64Histogram(1, HIGHEST_AT_FIRST, SIGNIFICANT_DIGITS);
    this.#histogram.autoResize = true;
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  /** @param cycles whole, not negative @throws OPTION_INVALID */
  record(cycles: number): void {
    if (!Number.isSafeInteger(cycles) || cycles < 0) {
      throw new AllstopError("OPTION_INVALID", "not a duration in cycles", {
        value: cycles,
        allowed: "whole numbers from 0 on",
      });
    }
    this.#histogram.recordValue(cycles);
    this.#least = Math.min(this.#least, cycles);
    this.#sum += cycles;
  }

  /** Adds what another one has counted, such as that of another seed. @throws OPTION_INVALID where a cycle is not as long */
  add(other: Distribution): void {
    const clock = ({ clockMhz }: TimingModel): number => clockMhz.value;
    if (clock(this.#timing) !== clock(other.#timing)) {
      throw new AllstopError("OPTION_INVALID", "distributions of machines whose clocks differ", {
        value: clock(other.#timing),
        allowed: `${clock(this.#timing)} MHz`,
      });
    }
    this.#histogram.add(other.#histogram);
    this.#least = Math.min(this.#least, other.#least);
    this.#sum += other.#sum;
  }

  /** The value, in nanoseconds, that this share of all doesn't exceed. @param percentile 0 to 100 */
  percentile(percentile: number): number {
    const { maxValue } = this.#histogram;
    return nsOf(this.#timing, Math.min(this.#histogram.getValueAtPercentile(percentile), maxValue));
  }

  /** Undefined when nothing has been recorded. */
  get percentiles(): Percentiles | undefined {
    const histogram = this.#histogram;
    if (histogram.totalCount === 0) return undefined;
    return {
      count: histogram.totalCount,
      min: nsOf(this.#timing, this.#least),
      mean: nsOf(this.#timing, this.#sum / histogram.totalCount),
      p50: this.percentile(50),
      p90: this.percentile(90),
      p99: this.percentile(99),
      p99_9: this.percentile(99.9),
      max: nsOf(this.#timing, histogram.maxValue),
    };
  }

  /**
   * Every value that was recorded, ascending, in nanoseconds and to SIGNIFICANT_DIGITS but for the greatest, with the share of all that
   * don't exceed it: the last one's is 1.
   */
  get curve(): PercentilePoint[] {
    const { recordedValuesIterator: values, totalCount, maxValue } = this.#histogram;
    const points: PercentilePoint[] = [];
    values.reset();
    while (totalCount > 0 && values.hasNext()) {
      const { valueIteratedTo, totalCountToThisValue } = values.next();
      const cycles = Math.min(valueIteratedTo, maxValue);
      points.push({ share: totalCountToThisValue / totalCount, ns: nsOf(this.#timing, cycles) });
    }
    return points;
  }

  /** As text that HdrHistogram's plotters read (.hgrm), in nanoseconds. */
  hgrm(): string {
    const cyclesPerNs = 1 / nsOf(this.#timing, 1);
    return this.#histogram.outputPercentileDistribution(TICKS_PER_HALF, cyclesPerNs);
  }
}

/** What is measured of each CPU in each call. */
export interface CallDistributions {
  /** From the call until the CPU had stopped. */
  readonly stop: Distribution;
  /** From entering the rendezvous to leaving it. */
  readonly frozen: Distribution;
  /** From the first CPU's release to this one's. */
  readonly releaseSkew: Distribution;
}

/** A member of `CallDistributions`. */
export type CallDistributionName = keyof CallDistributions;

/** The members of `CallDistributions`, in their order. */
export const callDistributionNames: readonly CallDistributionName[] = ["stop", "frozen", "releaseSkew"];

/** Over all CPUs and all calls; what has not happened doesn't count. O(calls x CPUs). */
export function measureDistributions(
  timelines: readonly Timeline[],
  { stoppedState }: Policy,
  timing: TimingModel,
): CallDistributions {
  const stop = new Distribution(timing);
  const frozen = new Distribution(timing);
  const releaseSkew = new Distribution(timing);
  for (const { call, enter, acknowledge, leave } of timelines) {
    const stopped = acknowledge[stoppedState - 1];
    const released = leave.reduce((least, cycle) => (cycle < least ? cycle : least), Infinity);
    for (let cpu = 0; cpu < enter.length; cpu++) {
      record(stop, stopped?.[cpu], call);
      record(frozen, leave[cpu], enter[cpu]);
      record(releaseSkew, leave[cpu], released);
    }
  }
  return { stop, frozen, releaseSkew };
}

/** From the call until each CPU had entered the rendezvous, likewise. */
export function measureArrivals(timelines: readonly Timeline[], timing: TimingModel): Distribution {
  const arrival = new Distribution(timing);
  for (const { call, enter } of timelines) for (const cycle of enter) record(arrival, cycle, call);
  return arrival;
}

function record(distribution: Distribution, until: number | undefined, from: number | undefined): void {
  const cycles = (until ?? NaN) - (from ?? NaN);
  if (!Number.isNaN(cycles)) distribution.record(cycles);
}
