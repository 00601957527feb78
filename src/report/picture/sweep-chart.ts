// Pictures of sweeps and comparisons: a latency against a field, or against CPUs or machines.

import { valueText, without, type SweepPoint } from "../../sweep/plan.ts";
import { sweepMetrics, type PointSummary, type SweepMetric, type SweepSummary } from "../../sweep/summary.ts";
import type { FieldValue } from "../../scenario/fields.ts";
import { formatCount, plural } from "../text.ts";
import { renderLineChart, type ChartPoint } from "./line-chart.ts";
import { tickText } from "./parts.ts";

/** Which figure is drawn against which field. */
export interface SweepChartOptions {
  /** Field of the horizontal axis; by default machine.cpus if varied, else the first varied one with numbers, else the first. */
  readonly field?: string;
  readonly metric?: SweepMetric;
  readonly title?: string;
}

/** Fields that have more than one value; what is the same everywhere needs no place in the picture. */
function variedFields(points: readonly PointSummary[]): string[] {
  const fields = Object.keys(points[0]?.values ?? {});
  const varied = fields.filter((field) => new Set(points.map(({ values }) => JSON.stringify(values[field]))).size > 1);
  return varied.length === 0 ? fields : varied;
}

/** From this r² on a line is named with its exponent. */
const POWER_LAW = 0.95;

const fieldTitles: Readonly<Record<string, string>> = {
  "machine.cpus": "CPUs",
  "machine.topology": "machine",
  "policy.name": "stop path",
  "load.common": "load",
};

/** Medians as a line per combination of the other fields; whiskers from the least to the most. An SVG document. */
export function renderSweepChart(summary: SweepSummary, options: SweepChartOptions = {}): string {
  const { points } = summary;
  const fields = variedFields(points);
  const metric = options.metric ?? "rendezvousNs";
  const field = options.field ?? axisOf(fields, points);
  const values = points.map((point) => point.values[field] ?? "");
  const isNumeric = values.every((value) => typeof value === "number");
  const names = [...new Set(values.map(valueText))];
  const x = (value: FieldValue): number => (isNumeric ? (value as number) : names.indexOf(valueText(value)));
  const others = fields.filter((name) => name !== field);
  const series = [...linesOf(points, field, others)].map(([name, members]) => {
    const scaling = summary.scalings.find((one) => isSame(one, field, metric, members.where));
    const grown =
      scaling === undefined || scaling.points < 3 || scaling.r2 < POWER_LAW
        ? ""
        : `(${titleOf(field)}^${scaling.exponent.toFixed(2)})`;
    return {
      name: [name, grown].filter((part) => part !== "").join(" "),
      points: members.points.flatMap((point) => chartPoint(point, metric, x(point.values[field] ?? ""))),
    };
  });
  const absent = series.filter(({ points: some }) => some.length === 0).map(({ name }) => name);
  const runs = Math.max(0, ...points.map((point) => point.runs));
  return renderLineChart({
    title: options.title ?? `${capital(sweepMetrics[metric])} by ${[field, ...others].map(titleOf).join(" and ")}`,
    subtitle: [
      "simulated time",
      ...(runs > 1 ? [`median of ${plural(runs, "run")} each, whiskers from least to most`] : []),
      ...(absent.length === 0 ? [] : [`no figure of ${absent.join(", ")}`]),
    ].join("; "),
    x: { title: titleOf(field), format: formatCount, ...(isNumeric ? {} : { names }) },
    y: { title: sweepMetrics[metric], format: tickText },
    series,
  });
}

function isSame(
  scaling: SweepSummary["scalings"][number],
  field: string,
  metric: SweepMetric,
  where: SweepPoint["values"],
): boolean {
  return (
    scaling.field === field && scaling.metric === metric && JSON.stringify(scaling.where) === JSON.stringify(where)
  );
}

interface Line {
  readonly where: SweepPoint["values"];
  readonly points: PointSummary[];
}

function linesOf(points: readonly PointSummary[], field: string, others: readonly string[]): Map<string, Line> {
  const lines = new Map<string, Line>();
  for (const point of points) {
    const where = without(point.values, field) as SweepPoint["values"];
    const name = others.map((other) => valueText(where[other] ?? "")).join(", ");
    const line = lines.get(name) ?? { where, points: [] };
    line.points.push(point);
    lines.set(name, line);
  }
  return lines;
}

function chartPoint({ metrics }: PointSummary, metric: SweepMetric, x: number): ChartPoint[] {
  const found = metrics[metric];
  if (found === null) return [];
  const { median, least, most } = found;
  return [{ x, y: median, ...(least < most ? { spread: [least, most] as const } : {}) }];
}

function axisOf(fields: readonly string[], points: readonly PointSummary[]): string {
  const numeric = fields.filter((field) => points.every(({ values }) => typeof values[field] === "number"));
  return (
    fields.find((field) => field === "machine.cpus" || field === "machine.topology") ?? numeric[0] ?? fields[0] ?? ""
  );
}

function titleOf(field: string): string {
  return fieldTitles[field] ?? field;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
