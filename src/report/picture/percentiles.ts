// Distributions side by side: the time that a share of all doesn't exceed, with the tail drawn out.

import {
  measureArrivals,
  measureDistributions,
  type Distribution,
  type PercentilePoint,
} from "../../measure/distributions.ts";
import type { RunResult } from "../../scenario/run.ts";
import { formatCount, formatNs, plural } from "../text.ts";
import { machineName } from "./call.ts";
import { endLabels, LINE_HEIGHT, MARKER_ROOM, shortName, VALUE_AXIS_WIDTH, valueAxis, type LineEnd } from "./lines.ts";
import { FONT_SIZE, heading, MARGIN, picture, tickText, type Frame } from "./parts.ts";
import { valueScale, type Scale } from "./scale.ts";
import { element, rounded, textElement, textWidth } from "./svg.ts";
import { seriesStyle } from "./theme.ts";

/** A distribution as a line. */
export interface PercentileCurve {
  /** What stands beside the line. */
  readonly name: string;
  /** How many durations. */
  readonly count: number;
  /** Ascending, as `Distribution.curve` has them: the last one's share is 1. */
  readonly points: readonly PercentilePoint[];
}

/** What renderPercentiles() draws. */
export interface PercentilePlot {
  readonly title: string;
  readonly subtitle?: string;
  readonly curves: readonly PercentileCurve[];
}

const WIDTH = 960;
const PLOT_HEIGHT = 360;
const AXIS_HEIGHT = 60;

/**
 * A line per distribution, as steps: across the share of all, in distances of 1 / (1 - share), so that each further nine has as much
 * room; up the time that this share doesn't exceed. An SVG document.
 */
export function renderPercentiles({ title, subtitle, curves: all }: PercentilePlot): string {
  const curves = all.filter(({ points }) => points.length > 0);
  const counts = [...new Set(curves.map(({ count }) => count))];
  const of = counts.length === 1 ? `${plural(counts[0] ?? 0, "duration")} each; ` : "";
  const nothing = curves.length === 0 ? "no CPU came so far that there is anything to show; " : "";
  const head = heading(
    title,
    [[...(subtitle === undefined ? [] : [subtitle]), `${nothing}${of}simulated time`].join("; ")],
    WIDTH,
  );
  const names = curves.map(({ name, points }) => `${name}: most ${formatNs(points.at(-1)?.ns ?? null)}`);
  const widest = Math.max(0, ...names.map((name) => textWidth(shortName(name), FONT_SIZE)));
  const top = head.height + 16;
  const frame = {
    left: VALUE_AXIS_WIDTH,
    right: WIDTH - MARGIN - MARKER_ROOM - widest,
    top,
    bottom: top + Math.max(PLOT_HEIGHT, curves.length * LINE_HEIGHT),
  };
  const x = shareScale(curves, frame);
  const y = durationScale(curves, frame);
  return picture(title, { width: WIDTH, height: frame.bottom + AXIS_HEIGHT }, [
    ...head.elements,
    ...valueAxis(y, frame, "time"),
    ...shareAxis(x, frame),
    ...curves.map(({ points }, index) => steps(points, { index, count: curves.length }, x, y, frame)),
    ...endLabels(
      curves.map(({ points }, index): LineEnd => {
        const most = points.at(-1)?.ns ?? 0;
        return { name: names[index] ?? "", index, x: frame.right - 7, y: y.place(most) };
      }),
      frame,
    ),
  ]);
}

/** Of a share, how many times rarer than one half … as the axis counts. */
function rarity(share: number): number {
  return Math.log10(1 / (1 - share));
}

/** Up to the first number of nines that all values are within. */
function shareScale(curves: readonly PercentileCurve[], { left, right }: Frame): Scale {
  const most = Math.max(1, ...curves.map(({ count }) => count));
  const nines = Math.max(1, Math.ceil(Math.log10(most) - 1e-9));
  const end = nines + 0.1;
  const place = (share: number): number => left + (Math.min(rarity(share), end) / end) * (right - left);
  const shares = [0, 0.5, ...Array.from({ length: nines }, (_, index) => 1 - 10 ** -(index + 1))];
  return {
    place,
    ticks: shares.map((share, index) => ({ at: place(share), label: percentText(share, index - 1) })),
    logarithmic: true,
  };
}

/** "99.9 %" for three nines. */
function percentText(share: number, nines: number): string {
  return `${nines < 2 ? Math.round(share * 100) : (share * 100).toFixed(nines - 2)} %`;
}

/** The quickest tenth may be so much quicker that a logarithmic scale would have room for little else. */
const LEAST_SHARE = 0.1;

/** Of a logarithmic scale, lines that begin below it come in from there; nothing is 0 on it. */
function durationScale(curves: readonly PercentileCurve[], { top, bottom }: Frame): Scale {
  const values = curves.flatMap(({ points }) =>
    points.flatMap(({ share, ns }) => (ns > 0 && share > LEAST_SHARE ? [ns] : [])),
  );
  const scale = valueScale(values, { range: [bottom, top], format: tickText });
  return { ...scale, place: (ns) => (ns > 0 || !scale.logarithmic ? Math.min(bottom, scale.place(ns)) : bottom) };
}

function shareAxis({ ticks }: Scale, { left, right, top, bottom }: Frame): string[] {
  return [
    element("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
    ...ticks.flatMap(({ at, label }) => [
      element("line", { class: "grid", x1: at, x2: at, y1: top, y2: bottom }),
      element("line", { class: "axis", x1: at, x2: at, y1: bottom, y2: bottom + 5 }),
      textElement(label, { class: "faint", x: at, y: bottom + 20, "font-size": FONT_SIZE, "text-anchor": "middle" }),
    ]),
    textElement("share of all that take no longer (each nine as wide)", {
      class: "ink",
      x: (left + right) / 2,
      y: bottom + 42,
      "font-size": FONT_SIZE,
      "text-anchor": "middle",
    }),
  ];
}

/** Less than this many pixels in both directions make no difference. */
const FINE = 0.4;

/** The first lines are the widest, so that they are seen around those that lie on them. */
const WIDTHS = { last: 2, step: 0.8, mostSteps: 3 } as const;

function steps(
  points: readonly PercentilePoint[],
  { index, count }: { readonly index: number; readonly count: number },
  x: Scale,
  y: Scale,
  { right, bottom }: Frame,
): string {
  const { name, dashes } = seriesStyle(index);
  let path = "";
  let [atX, atY] = [x.place(0), NaN];
  for (const [number, { share, ns }] of points.entries()) {
    const isLast = number === points.length - 1;
    const until = isLast ? right : x.place(share);
    const up = y.place(ns);
    // What is below a logarithmic scale is not drawn along its edge.
    if (y.logarithmic && Number.isNaN(atY) && up >= bottom && !isLast) {
      atX = until;
      path = `M${rounded(until)} ${rounded(bottom)}`;
      continue;
    }
    if (path === "") path = `M${rounded(atX)} ${rounded(up)}`;
    else if (!isLast && Math.abs(up - atY) < FINE && until - atX < FINE) continue;
    else path += `V${rounded(up)}`;
    path += `H${rounded(until)}`;
    [atX, atY] = [until, up];
  }
  return element("path", {
    class: `${name} line`,
    "stroke-width": WIDTHS.last + WIDTHS.step * Math.min(WIDTHS.mostSteps, count - 1 - index),
    "stroke-linejoin": "round",
    d: path === "" ? "M0 0" : path,
    ...(dashes === "" ? {} : { "stroke-dasharray": dashes }),
  });
}

/** What is measured of each CPU in each call of a run, for renderPercentiles(). */
export function percentilesOf(result: RunResult, title?: string): PercentilePlot {
  const { timelines, expanded } = result;
  const { policy, topology, timing, scenario } = expanded;
  const { stop, frozen, releaseSkew } = measureDistributions(timelines, policy, timing);
  const calls = timelines.length;
  return {
    title: title ?? `How long it took the CPUs: ${scenario.policy.name} on ${machineName(topology)}`,
    subtitle: `over ${plural(topology.counts.online, "CPU")}${calls > 1 ? ` and ${formatCount(calls)} calls` : ""}`,
    curves: [
      curveOf("call to arrival", measureArrivals(timelines, timing)),
      curveOf("call to stop", stop),
      curveOf("frozen", frozen),
      curveOf("release skew", releaseSkew),
    ],
  };
}

/** A distribution by a name, such as that of a run among others. */
export function curveOf(name: string, { count, curve }: Distribution): PercentileCurve {
  return { name, count, points: curve };
}
