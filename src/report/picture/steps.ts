// A scale of colours in round steps: from the least value to the greatest that is not far beyond the others.

import { stepCount } from "./theme.ts";

/** Beyond so many interquartile ranges above the upper quartile, a value is far out (Tukey, Exploratory Data Analysis, 1977). */
const FAR_OUT = 3;

export class StepScale {
  /** The greatest value on the scale; what is above is beyond it. */
  readonly most: number;
  /** Where the steps begin, and where the last one ends: one more than there are steps. */
  readonly edges: readonly number[];

  constructor(values: readonly number[]) {
    const sorted = Float64Array.from(values).sort();
    const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
    const fence = at(0.75) + FAR_OUT * (at(0.75) - at(0.25));
    this.most = sorted.findLast((value) => value <= fence) ?? 0;
    this.edges = roundEdges(at(0), this.most);
  }

  isBeyond(value: number): boolean {
    return value > this.most;
  }

  /** Number of the colour for a value, or for a step: 0 to stepCount - 1. */
  colourOf(value: number): number {
    return this.colourOfStep(this.edges.findLastIndex((edge) => edge <= value));
  }

  colourOfStep(step: number): number {
    const last = this.edges.length - 2;
    if (last <= 0) return 0;
    return Math.round((Math.min(last, Math.max(0, step)) / last) * (stepCount - 1));
  }
}

/** Of the greatest value: where all are about the same, edges still differ in three digits. */
const LEAST_SPAN = 0.05;

/** At most stepCount steps of 1, 2, 2.5 or 5 times a power of ten. */
function roundEdges(least: number, most: number): number[] {
  const span = Math.max(most - least, most * LEAST_SPAN, 1);
  for (let decade = 10 ** Math.floor(Math.log10(span / stepCount)); ; decade *= 10) {
    for (const digit of [1, 2, 2.5, 5]) {
      const step = digit * decade;
      const first = Math.floor(least / step);
      const count = Math.max(1, Math.ceil(most / step) - first);
      if (count > stepCount || step * stepCount < span) continue;
      return Array.from({ length: count + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
    }
  }
}
