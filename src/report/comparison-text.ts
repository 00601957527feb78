// A comparison as a person wants to read it: machines down, contenders across, each beside how it does against the first.

import { pointText, valueText } from "../sweep/plan.ts";
import type { Comparison } from "../sweep/compare.ts";
import { sweepMetrics, type PointSummary, type Quantiles, type SweepMetric } from "../sweep/summary.ts";
import { endsText, isFlawless, lawText } from "./sweep-text.ts";
import { tableLines } from "./table.ts";
import { formatCount, formatNs, plain, type Palette } from "./text.ts";

/** A comparison as tables for a terminal, a line each: medians beside each other, factors against the first contender. */
export function comparisonLines(comparison: Comparison, palette: Palette = plain): string[] {
  const blocks = [
    ...(["rendezvousNs", "totalNs", "frozenMaxNs"] as const).map((metric) =>
      pivot(comparison, metric, "median", palette),
    ),
    comparison.summary.points.some(({ runs }) => runs > 1) ? pivot(comparison, "rendezvousNs", "p99", palette) : [],
    growthLines(comparison, palette),
    troubleLines(comparison, palette),
  ];
  return blocks.filter((block) => block.length > 0).flatMap((block, index) => (index === 0 ? block : ["", ...block]));
}

const statistics = { median: "median", p99: "99 %" } as const satisfies Partial<Record<keyof Quantiles, string>>;

function pivot(
  { contender, axis, summary }: Comparison,
  metric: SweepMetric,
  statistic: keyof typeof statistics,
  palette: Palette,
): string[] {
  const { points } = summary;
  if (points.every(({ metrics }) => metrics[metric] === null)) return [];
  const contenders = distinct(points, contender);
  const machines = distinct(points, axis);
  const find = (machine: string, name: string): number | undefined =>
    points.find(({ values }) => valueText(values[axis] ?? "") === machine && values[contender] === name)?.metrics[
      metric
    ]?.[statistic];
  const rows = machines.map((machine) => {
    const first = find(machine, contenders[0] ?? "");
    return [
      axis === "machine.cpus" ? formatCount(Number(machine)) : machine,
      ...contenders.map((name, index) => cellOf(find(machine, name), index === 0 ? undefined : first)),
    ];
  });
  const runs = Math.max(...points.map((point) => point.runs));
  const of = runs > 1 ? `${statistics[statistic]} of ${formatCount(runs)} runs` : "one run";
  const columns = [
    {
      title: axis === "machine.cpus" ? "CPUs" : "machine",
      ...(axis === "machine.cpus" ? {} : { text: true as const }),
    },
    ...contenders.map((title) => ({ title })),
  ];
  return [`${palette.strong(sweepMetrics[metric])} ${palette.faint(`(${of})`)}`, ...tableLines(columns, rows, palette)];
}

function cellOf(ns: number | undefined, first: number | undefined): string {
  if (ns === undefined) return "-";
  const factor = first === undefined ? "" : ` ${(ns / first).toPrecision(3)}x`;
  return `${formatNs(ns)}${factor}`;
}

function distinct(points: readonly PointSummary[], field: string): string[] {
  return [...new Set(points.map(({ values }) => valueText(values[field] ?? "")))];
}

/** How the rendezvous of each grows with CPUs, from three sizes on. */
function growthLines({ axis, contender, summary }: Comparison, { faint }: Palette): string[] {
  return summary.scalings
    .filter(({ field, metric, points }) => field === axis && metric === "rendezvousNs" && points >= 3)
    .map((scaling) => {
      const name = valueText(scaling.where[contender] ?? "");
      return `${name}: ${sweepMetrics[scaling.metric]} grows as ${lawText({ ...scaling, field: "CPUs" })} ${faint(`(r² ${scaling.r2.toFixed(4)})`)}`;
    });
}

/** Points where not all went well. */
function troubleLines({ summary }: Comparison, palette: Palette): string[] {
  const troubled = summary.points.filter((point) => !isFlawless({ ...summary, points: [point] }));
  return troubled.map((point) => {
    const error = point.error === null ? "" : `: ${point.error.message} [${point.error.code}]`;
    return `${palette.bad("!")} ${pointText(point.values)}: ${endsText(point, palette)}${error}`;
  });
}
