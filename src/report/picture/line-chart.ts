// Lines over sizes or machines: one per series, its name at its end, whiskers for the spread.

import { givenScale, valueScale, type Scale } from "./scale.ts";
import {
  endLabels,
  LINE_HEIGHT,
  MARKER_ROOM,
  markerElement,
  shortName,
  VALUE_AXIS_WIDTH,
  valueAxis,
  type LineEnd,
} from "./lines.ts";
import { FONT_SIZE, MARGIN, picture, TITLE_SIZE, type Frame } from "./parts.ts";
import { element, fitted, textElement, textWidth } from "./svg.ts";
import { seriesStyle } from "./theme.ts";

/** A point of a line; its ends, where the values spread. */
export interface ChartPoint {
  /** A number of the axis, or the index of one of its names. */
  readonly x: number;
  readonly y: number;
  /** From the least to the greatest value; left out for a single one. */
  readonly spread?: readonly [least: number, most: number];
}

/** A line, by its name in the legend. */
export interface ChartSeries {
  readonly name: string;
  readonly points: readonly ChartPoint[];
}

/** What a line chart shows. */
export interface LineChart {
  readonly title: string;
  readonly subtitle?: string;
  /** `names`: the axis has these, from 0 on, in the place of numbers. */
  readonly x: {
    readonly title: string;
    readonly format?: (value: number) => string;
    readonly names?: readonly string[];
  };
  readonly y: { readonly title: string; readonly format: (value: number) => string };
  readonly series: readonly ChartSeries[];
}

const WIDTH = 860;
const PLOT_HEIGHT = 340;
/** Distance of the first and last size from the frame. */
const INSET = 24;

/** Lines that lie on one another are drawn side by side: pixels between neighbours, and between the first and the last at the most. */
const SHIFT = 5;
const MOST_SHIFT = 20;

/**
 * Lines over sizes, or over names, as an SVG document; a logarithmic axis says so. Of values that are 0 or less the axis is linear.
 */
export function renderLineChart(chart: LineChart): string {
  const series = chart.series.filter(({ points }) => points.length > 0);
  const frame = frameOf(chart, series);
  const values = series.flatMap(({ points }) => points.flatMap(({ y, spread }) => [y, ...(spread ?? [])]));
  const y = valueScale(values, { range: [frame.bottom, frame.top], format: chart.y.format });
  const x = xScale(chart, series, frame);
  const height = frame.bottom + bottomRoom(chart, frame);
  return picture(chart.title, { width: WIDTH, height }, [
    ...titles(chart),
    ...valueAxis(y, frame, chart.y.title),
    ...xAxis(chart, x, frame, height),
    ...series.flatMap((one, index) =>
      seriesElements(one, index, shifted(x, index, series.length), y, chart.x.names !== undefined),
    ),
    ...endLabels(endsOf(series, x, y), frame),
  ]);
}

function shifted(x: Scale, index: number, count: number): Scale {
  const step = Math.min(SHIFT, MOST_SHIFT / Math.max(1, count - 1));
  return { ...x, place: (value) => x.place(value) + (index - (count - 1) / 2) * step };
}

function frameOf({ subtitle, series: all }: LineChart, series: readonly ChartSeries[]): Frame {
  const widest = Math.max(0, ...series.map(({ name }) => textWidth(shortName(name), FONT_SIZE)));
  const top = subtitle === undefined ? 56 : 76;
  const height = Math.max(PLOT_HEIGHT, all.length * LINE_HEIGHT);
  return { left: VALUE_AXIS_WIDTH, right: WIDTH - MARGIN - MARKER_ROOM - widest, top, bottom: top + height };
}

function xScale({ x }: LineChart, series: readonly ChartSeries[], { left, right }: Frame): Scale {
  const format = x.format ?? String;
  if (x.names === undefined) {
    const values = series.flatMap(({ points }) => points.map((point) => point.x));
    const room = (label: string): number => textWidth(label, FONT_SIZE) + 8;
    return givenScale(values, { range: [left + INSET, right - INSET], format, room });
  }
  const band = (right - left) / x.names.length;
  const place = (index: number): number => left + (index + 0.5) * band;
  return {
    place,
    ticks: x.names.map((name, index) => ({ at: place(index), label: shortName(name) })),
    logarithmic: false,
  };
}

/** Names of machines are slanted where they don't fit side by side. */
function isSlanted({ x }: LineChart, { left, right }: Frame): boolean {
  const names = x.names ?? [];
  return names.some((name) => textWidth(shortName(name), FONT_SIZE) + 12 > (right - left) / names.length);
}

const SLANT_DEGREES = 35;

function bottomRoom(chart: LineChart, frame: Frame): number {
  if (!isSlanted(chart, frame)) return 60;
  const widest = Math.max(...(chart.x.names ?? []).map((name) => textWidth(shortName(name), FONT_SIZE)));
  return 60 + widest * Math.sin((SLANT_DEGREES / 180) * Math.PI);
}

function titles({ title, subtitle }: LineChart): string[] {
  const head = textElement(fitted(title, WIDTH - 2 * MARGIN, TITLE_SIZE), {
    class: "ink",
    x: MARGIN,
    y: 32,
    "font-size": TITLE_SIZE,
    "font-weight": 600,
  });
  if (subtitle === undefined) return [head];
  return [
    head,
    textElement(fitted(subtitle, WIDTH - 2 * MARGIN, FONT_SIZE), {
      class: "faint",
      x: MARGIN,
      y: 52,
      "font-size": FONT_SIZE,
    }),
  ];
}

function xAxis(chart: LineChart, { ticks, logarithmic }: Scale, frame: Frame, height: number): string[] {
  const { left, right, bottom } = frame;
  const slanted = isSlanted(chart, frame);
  const name = logarithmic ? `${chart.x.title} (logarithmic)` : chart.x.title;
  const label = (text: string, at: number): string =>
    slanted
      ? textElement(text, {
          class: "faint",
          "font-size": FONT_SIZE,
          "text-anchor": "end",
          transform: `translate(${Math.round(at)} ${bottom + 18}) rotate(-${SLANT_DEGREES})`,
        })
      : textElement(text, { class: "faint", x: at, y: bottom + 20, "font-size": FONT_SIZE, "text-anchor": "middle" });
  return [
    element("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
    ...ticks.flatMap(({ at, label: text }) => [
      element("line", { class: "axis", x1: at, x2: at, y1: bottom, y2: bottom + 5 }),
      label(text, at),
    ]),
    textElement(name, {
      class: "ink",
      x: (left + right) / 2,
      y: height - 16,
      "font-size": FONT_SIZE,
      "text-anchor": "middle",
    }),
  ];
}

function seriesElements({ points }: ChartSeries, index: number, x: Scale, y: Scale, faintly: boolean): string[] {
  const { name, marker, dashes } = seriesStyle(index);
  const places = [...points]
    .sort((a, b) => a.x - b.x)
    .map((point) => ({ ...point, px: x.place(point.x), py: y.place(point.y) }));
  const path = places.map(({ px, py }, step) => `${step === 0 ? "M" : "L"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
  return [
    ...places.flatMap(({ spread, px }) =>
      spread === undefined ? [] : [whisker(name, px, y.place(spread[0]), y.place(spread[1]))],
    ),
    element("path", {
      class: `${name} line`,
      d: path,
      "stroke-width": faintly ? 1 : 2,
      // Between machines there is nothing: the line only leads the eye.
      ...(faintly ? { opacity: 0.4 } : {}),
      ...(dashes === "" ? {} : { "stroke-dasharray": dashes }),
    }),
    ...places.map(({ px, py }) => markerElement(name, marker, px, py)),
  ];
}

function whisker(name: string, at: number, from: number, to: number): string {
  const [x, top, bottom] = [at, Math.min(from, to), Math.max(from, to)].map((value) => value.toFixed(1)) as [
    string,
    string,
    string,
  ];
  return element("path", {
    class: `${name} line`,
    d: `M${x} ${top}V${bottom}m-4 0h8M${x} ${top}m-4 0h8`,
    "stroke-width": 1,
  });
}

function endsOf(series: readonly ChartSeries[], x: Scale, y: Scale): LineEnd[] {
  return series.map(({ name, points }, index) => {
    const last = points.reduce((one, other) => (other.x >= one.x ? other : one));
    return { name, index, x: shifted(x, index, series.length).place(last.x), y: y.place(last.y) };
  });
}
