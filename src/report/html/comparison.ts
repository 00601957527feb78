// A comparison as a page: figures side by side, how they grow, and each contender's call on the largest machine.

import type { Comparison } from "../../sweep/compare.ts";
import { pointText, valueText } from "../../sweep/plan.ts";
import { sweepMetrics, type PointSummary, type SweepMetric } from "../../sweep/summary.ts";
import type { Contender } from "../contenders.ts";
import { renderHeatMap } from "../picture/heat-map.ts";
import { renderPercentiles } from "../picture/percentiles.ts";
import { renderSweepChart } from "../picture/sweep-chart.ts";
import { endsText, isFlawless, lawText } from "../sweep-text.ts";
import { formatCount, formatNs, plain, plural } from "../text.ts";
import { figure, paragraph, preformatted, section, table, tag, text, type Html } from "./elements.ts";
import { page } from "./page.ts";

/** What a page shows, all of it of one comparison. */
export interface HtmlComparisonInput {
  /** What compare() returns. */
  readonly comparison: Comparison;
  /** lookClosely() of the same plan: without it there are no pictures of calls. */
  readonly contenders?: readonly Contender[] | undefined;
  /** The command that makes this page. */
  readonly command?: string | undefined;
}

const metrics = Object.keys(sweepMetrics) as readonly SweepMetric[];

/** A comparison as one HTML file without references to others. A function of its input. */
export function renderHtmlComparison({ comparison, contenders = [], command }: HtmlComparisonInput): string {
  const { summary, contender, axis } = comparison;
  const names = distinct(summary.points, contender);
  const title = `${names.join(", ")} by ${axis === "machine.cpus" ? "CPUs" : "machine"}`;
  const isGood = isFlawless(summary);
  return page(
    title,
    tag(
      "header",
      {},
      tag("h1", {}, text(title)),
      tag(
        "p",
        {},
        tag("span", { class: isGood ? "good" : "bad" }, text(isGood ? "OK" : "NOT ALL WELL")),
        text(` ${plural(summary.runs, "run")} of ${plural(summary.points.length, "point")}. Times are simulated.`),
      ),
    ),
    ...metrics.map((metric) => metricSection(comparison, metric)),
    section("Growth", growth(comparison)),
    section("What did not go well", trouble(summary.points)),
    ...closely(contenders),
    command === undefined ? "" : section("To run it again", preformatted(command)),
  );
}

function distinct(points: readonly PointSummary[], field: string): string[] {
  return [...new Set(points.map(({ values }) => valueText(values[field] ?? "")))];
}

function metricSection({ summary, contender, axis }: Comparison, metric: SweepMetric): Html {
  const { points } = summary;
  if (points.every((point) => point.metrics[metric] === null)) return "";
  const names = distinct(points, contender);
  const medianOf = (machine: string, name: string): number | undefined =>
    points.find(
      ({ values }) => valueText(values[axis] ?? "") === machine && valueText(values[contender] ?? "") === name,
    )?.metrics[metric]?.median;
  const rows = distinct(points, axis).map((machine) => {
    const first = medianOf(machine, names[0] ?? "");
    const cells = names.map((name, index) => cellText(medianOf(machine, name), index === 0 ? undefined : first));
    return [axis === "machine.cpus" ? formatCount(Number(machine)) : machine, ...cells];
  });
  const columns = [
    { title: axis === "machine.cpus" ? "CPUs" : "machine" },
    ...names.map((title) => ({ title, isFigure: true }) as const),
  ];
  const most = Math.max(...points.map(({ runs }) => runs));
  const title = sweepMetrics[metric];
  return section(
    `${title.slice(0, 1).toUpperCase()}${title.slice(1)}`,
    paragraph(
      most > 1
        ? `Median of ${plural(most, "run")}; factors are against the first.`
        : "One run each; factors are against the first.",
      "faint",
    ),
    table(columns, rows),
    figure(renderSweepChart(summary, { metric, field: axis }), "Medians; whiskers from the least to the most."),
  );
}

function cellText(ns: number | undefined, first: number | undefined): string {
  if (ns === undefined) return "-";
  return `${formatNs(ns)}${first === undefined ? "" : ` (${(ns / first).toPrecision(3)}x)`}`;
}

function growth({ summary, contender, axis }: Comparison): Html {
  const rows = summary.scalings
    .filter(({ field, points }) => field === axis && points >= 3)
    .map((scaling) => [
      valueText(scaling.where[contender] ?? ""),
      sweepMetrics[scaling.metric],
      lawText({ ...scaling, field: "CPUs" }),
      scaling.r2.toFixed(4),
    ]);
  return table([{ title: "" }, { title: "" }, { title: "grows as" }, { title: "r²", isFigure: true }], rows);
}

function trouble(points: readonly PointSummary[]): Html {
  const rows = points
    .filter(({ wanted, verdicts, broken }) => verdicts.completed !== wanted || Object.keys(broken).length > 0)
    .map((point) => [pointText(point.values), endsText(point, plain), point.error?.message ?? ""]);
  return table([{ title: "point" }, { title: "how runs ended" }, { title: "" }], rows);
}

/** Each contender's call, on the machine that all of them have run on. */
function closely(contenders: readonly Contender[]): Html[] {
  const [first] = contenders;
  if (first === undefined) return [];
  const where = /^\d+$/.test(first.machine) ? plural(Number(first.machine), "CPU") : first.machine;
  const plots = [
    [
      "When CPUs arrived",
      "from the call until a CPU had entered the rendezvous",
      contenders.map(({ arrival }) => arrival),
    ],
    ["How long CPUs were frozen", "from entering the rendezvous to leaving it", contenders.map(({ frozen }) => frozen)],
  ] as const;
  const isThere = (curves: readonly { readonly count: number }[]): boolean => curves.some(({ count }) => count > 0);
  return [
    section(
      `On ${where}`,
      ...plots.flatMap(([title, subtitle, curves]) =>
        isThere(curves)
          ? [
              figure(
                renderPercentiles({ title: `${title}, on ${where}`, subtitle, curves }),
                `${title}: the share of CPUs that took no longer.`,
              ),
            ]
          : [],
      ),
      ...contenders.flatMap(({ name, rendezvous }) =>
        rendezvous === undefined
          ? []
          : [
              figure(
                renderHeatMap(rendezvous, { title: `${name}: what every CPU does` }),
                `${name}: what all CPUs are in over time.`,
              ),
            ],
      ),
    ),
  ];
}
