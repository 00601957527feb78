// A sweep's summary as a person wants to read it: a line per point, what went wrong, how times grow.

import { pointText, valueText, type SweepPoint } from "../sweep/plan.ts";
import { sweepMetrics, type PointSummary, type Scaling, type SweepSummary } from "../sweep/summary.ts";
import { tableLines, type Column } from "./table.ts";
import { formatCount, formatNs, plain, type Palette } from "./text.ts";

const MOST_ERRORS = 5;

/** A summary as a table for a terminal, a line each, with the growth that was fitted. */
export function sweepLines(summary: SweepSummary, palette: Palette = plain): string[] {
  const blocks = [
    [headline(summary, palette)],
    pointLines(summary, palette),
    errorLines(summary, palette),
    scalingLines(summary, palette),
  ];
  return blocks.filter((block) => block.length > 0).flatMap((block, index) => (index === 0 ? block : ["", ...block]));
}

/** Whether every run that there is to be completed, and broke no rule. */
export function isFlawless({ points }: SweepSummary): boolean {
  return points.every(
    ({ wanted, verdicts, broken }) => verdicts.completed === wanted && Object.keys(broken).length === 0,
  );
}

function headline(summary: SweepSummary, { good, bad, strong }: Palette): string {
  const { runs, wanted, points } = summary;
  const mark = isFlawless(summary) ? good("OK") : runs < wanted ? bad("INCOMPLETE") : bad("NOT ALL WELL");
  const count = runs === wanted ? formatCount(runs) : `${formatCount(runs)} of ${formatCount(wanted)}`;
  return `${mark}  ${strong(`${count} runs of ${points.length === 1 ? "1 point" : `${formatCount(points.length)} points`}`)}`;
}

function pointLines({ points }: SweepSummary, palette: Palette): string[] {
  const fields = Object.keys(points[0]?.values ?? {});
  const isText = (field: string): boolean => points.some(({ values }) => typeof values[field] !== "number");
  const columns: Column[] = [
    ...fields.map((field) => ({ title: field, ...(isText(field) ? { text: true as const } : {}) })),
    { title: "runs" },
    ...["rendezvous: median", "99 %", "most", "whole call: median", "99 %", "most"].map((title) => ({ title })),
    { title: "how they ended", text: true },
  ];
  const rows = points.map((point) => [
    ...fields.map((field) => {
      const value = point.values[field];
      return value === undefined ? "" : valueText(value);
    }),
    formatCount(point.runs),
    ...durations(point, "rendezvousNs"),
    ...durations(point, "totalNs"),
    endsText(point, palette),
  ]);
  return tableLines(columns, rows, palette);
}

function durations({ metrics }: PointSummary, metric: "rendezvousNs" | "totalNs"): string[] {
  const found = metrics[metric];
  return [found?.median, found?.p99, found?.most].map((ns) => formatNs(ns ?? null));
}

/** Verdicts, most frequent first, and rules that some runs break. */
export function endsText({ verdicts, broken }: Pick<PointSummary, "verdicts" | "broken">, { bad }: Palette): string {
  const entries = Object.entries(verdicts).sort(([, a], [, b]) => b - a);
  const ends =
    entries.length === 1
      ? [entries[0]?.[0] ?? ""]
      : entries.map(([verdict, count]) => `${formatCount(count)} ${verdict}`);
  const isBad = entries.some(([verdict]) => verdict !== "completed");
  const rules = Object.entries(broken).map(([name, count]) => `${name} broken in ${formatCount(count)}`);
  const text = ends.join(", ");
  return [...(text === "" ? [] : [isBad ? bad(text) : text]), ...rules.map(bad)].join("; ");
}

function errorLines({ points }: SweepSummary, { bad, faint }: Palette): string[] {
  const failed = points.filter(({ error }) => error !== null);
  const lines = failed
    .slice(0, MOST_ERRORS)
    .map(({ values, error }) => `${bad("failed")}  ${pointText(values)}: ${error?.message} [${error?.code}]`);
  const more = failed.length - lines.length;
  return more > 0 ? [...lines, faint(`        and ${formatCount(more)} more points`)] : lines;
}

function scalingLines({ points, scalings }: SweepSummary, { faint, strong }: Palette): string[] {
  const constant = (field: string): boolean =>
    new Set(points.map(({ values }) => JSON.stringify(values[field]))).size < 2;
  return scalings.filter(isGrowth).map((scaling) => {
    const others = Object.entries(scaling.where).filter(([field]) => !constant(field));
    const where = others.length === 0 ? "" : `, ${pointText(Object.fromEntries(others))}`;
    const text = `  ${sweepMetrics[scaling.metric].padEnd(10)} grows as ${strong(lawText(scaling))}`;
    return `${text}   ${faint(`r² ${scaling.r2.toFixed(4)}, medians of ${scaling.points} points${where}`)}`;
  });
}

/** Two points make any line, and along a field such as the requester's number nothing grows. */
function isGrowth({ points, exponent, r2 }: Scaling): boolean {
  return points >= 3 && Math.abs(exponent) >= 0.05 && r2 >= 0.5;
}

/** Such as "machine.cpus ^ 1.07". */
export function lawText({ field, exponent }: Pick<Scaling, "field" | "exponent">): string {
  return `${field} ^ ${exponent.toFixed(2)}`;
}

/** The line of a point's place in a picture. */
export function seriesName(where: SweepPoint["values"]): string {
  return Object.values(where).map(valueText).join(", ");
}
