// What the rows of a sweep come to: per point, and how times grow along the axes that are numbers.

import { Distribution } from "./distribution.ts";
import type { FieldValue } from "../scenario/fields.ts";
import { without, type SweepPlan, type SweepPoint } from "./plan.ts";
import { fitPowerLaw, type PowerLaw } from "./power-law.ts";
import type { SweepRow } from "./row.ts";

/** Durations that are summed up, by the names of their fields in a row. */
export const sweepMetrics = {
  rendezvousNs: "rendezvous",
  totalNs: "whole call",
  frozenMaxNs: "longest frozen",
} as const;
/** A figure of a run that is summed up: one of `sweepMetrics`. */
export type SweepMetric = keyof typeof sweepMetrics;
const metricNames = Object.keys(sweepMetrics) as SweepMetric[];

/** Over the runs of a point that have the figure. */
export interface Quantiles {
  readonly count: number;
  readonly least: number;
  readonly median: number;
  readonly p99: number;
  readonly most: number;
}

/** The runs of one point: how many ended how, and the quantiles of their figures. */
export interface PointSummary {
  readonly values: SweepPoint["values"];
  readonly cpus: number;
  /** Runs that have a row, and that there are to be. */
  readonly runs: number;
  readonly wanted: number;
  /** How many runs ended so. */
  readonly verdicts: Readonly<Partial<Record<SweepRow["verdict"], number>>>;
  /** By oracle: in how many runs it does not hold. */
  readonly broken: Readonly<Record<string, number>>;
  /** That of the run with the least seed, of those that failed. */
  readonly error: SweepRow["error"];
  /** Simulated nanoseconds. */
  readonly metrics: Readonly<Record<SweepMetric, Quantiles | null>>;
}

/** How the median of a figure grows with a field, where all others have these values. */
export interface Scaling extends PowerLaw {
  readonly field: string;
  readonly metric: SweepMetric;
  readonly where: SweepPoint["values"];
}

/** All runs of a sweep, by point: JSON, as `allstop sweep --json` prints it. */
export interface SweepSummary {
  readonly format: "allstop.sweep/1";
  readonly runs: number;
  readonly wanted: number;
  readonly points: readonly PointSummary[];
  readonly scalings: readonly Scaling[];
}

/** Takes rows one by one, in any order, and keeps sums only. */
export class SweepSummarizer {
  readonly #plan: SweepPlan;
  readonly #points: ReadonlyMap<string, PointSums>;
  #runs = 0;

  constructor(plan: SweepPlan) {
    this.#plan = plan;
    this.#points = new Map(plan.points.map((point) => [point.hash, new PointSums(point, plan.seeds.length)]));
  }

  /** Rows of other plans don't count. */
  add(row: SweepRow): void {
    const point = this.#points.get(row.key.slice(0, row.key.indexOf("-")));
    if (point === undefined) return;
    this.#runs++;
    point.add(row);
  }

  /** Of the rows so far. */
  summary(): SweepSummary {
    const points = [...this.#points.values()].map((sums) => sums.summary());
    return {
      format: "allstop.sweep/1",
      runs: this.#runs,
      wanted: this.#plan.points.length * this.#plan.seeds.length,
      points,
      scalings: scalingsOf(this.#plan.fields, points),
    };
  }
}

class PointSums {
  readonly #point: SweepPoint;
  readonly #wanted: number;
  readonly #verdicts: Partial<Record<SweepRow["verdict"], number>> = {};
  readonly #broken: Record<string, number> = {};
  readonly #metrics = new Map(metricNames.map((name) => [name, new Distribution()]));
  #runs = 0;
  #failed: SweepRow | undefined;

  constructor(point: SweepPoint, wanted: number) {
    this.#point = point;
    this.#wanted = wanted;
  }

  add(row: SweepRow): void {
    this.#runs++;
    this.#verdicts[row.verdict] = (this.#verdicts[row.verdict] ?? 0) + 1;
    for (const name of row.broken) this.#broken[name] = (this.#broken[name] ?? 0) + 1;
    // Of the least seed, since rows come in any order.
    if (row.error !== null && !(this.#failed !== undefined && this.#failed.seed <= row.seed)) this.#failed = row;
    for (const [name, distribution] of this.#metrics) {
      const value = row[name];
      if (value !== null) distribution.add(value);
    }
  }

  summary(): PointSummary {
    const { values, cpus } = this.#point;
    const metrics = Object.fromEntries([...this.#metrics].map(([name, one]) => [name, quantilesOf(one)]));
    return {
      ...{ values, cpus, runs: this.#runs, wanted: this.#wanted },
      ...{ verdicts: { ...this.#verdicts }, broken: { ...this.#broken }, error: this.#failed?.error ?? null },
      metrics: metrics as PointSummary["metrics"],
    };
  }
}

function quantilesOf(distribution: Distribution): Quantiles | null {
  const { count } = distribution;
  if (count === 0) return null;
  const [least, median, p99, most] = [0, 0.5, 0.99, 1].map((share) => distribution.quantile(share)) as [
    number,
    number,
    number,
    number,
  ];
  return { count, least, median, p99, most };
}

/** Along each field that has two or more numbers above 0, for each combination of the others, rendezvous and whole call. */
function scalingsOf(fields: readonly string[], points: readonly PointSummary[]): Scaling[] {
  return fields.flatMap((field) => {
    const lines = new Map<string, { readonly where: SweepPoint["values"]; readonly points: PointSummary[] }>();
    for (const point of points) {
      if (!isPositive(point.values[field])) continue;
      const where = without(point.values, field) as SweepPoint["values"];
      const name = JSON.stringify(where);
      const line = lines.get(name) ?? { where, points: [] };
      line.points.push(point);
      lines.set(name, line);
    }
    return [...lines.values()].flatMap((line) =>
      (["rendezvousNs", "totalNs"] as const).flatMap((metric) => {
        const law = fitPowerLaw(
          line.points.flatMap(({ values, metrics }) => {
            const median = metrics[metric]?.median;
            return median === undefined ? [] : [[values[field] as number, median] as const];
          }),
        );
        return law === undefined ? [] : [{ field, metric, where: line.where, ...law }];
      }),
    );
  });
}

function isPositive(value: FieldValue | undefined): boolean {
  return typeof value === "number" && value > 0;
}
