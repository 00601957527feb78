// What all pictures consist of: the document, its headings, a legend, an axis of time.

import { formatNs } from "../text.ts";
import { timeScale, type Scale } from "./scale.ts";
import { element, fitted, rounded, textElement, textWidth, wrapped, type Attributes } from "./svg.ts";
import { styleElement } from "./theme.ts";

export const TITLE_SIZE = 16;
export const FONT_SIZE = 12;
export const SMALL_SIZE = 10;
export const MARGIN = 24;
const LINE_HEIGHT = 16;

export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** A complete SVG document. @param size pixels */
export function picture(title: string, size: { width: number; height: number }, children: readonly string[]): string {
  const width = Math.ceil(size.width);
  const height = Math.ceil(size.height);
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": title,
    },
    styleElement(),
    element("rect", { class: "paper", width, height }),
    ...children,
  );
}

/** Elements, and the pixels that they take from top to bottom. */
export interface Block {
  readonly elements: readonly string[];
  readonly height: number;
}

/** A title, and below it a text of some lines: at the top of a picture. */
export function heading(title: string, text: readonly string[], width: number): Block {
  const room = width - 2 * MARGIN;
  const lines = text.flatMap((one) => wrapped(one, room, FONT_SIZE));
  return {
    elements: [
      textElement(fitted(title, room, TITLE_SIZE), {
        class: "ink",
        x: MARGIN,
        y: 32,
        "font-size": TITLE_SIZE,
        "font-weight": 600,
      }),
      ...lines.map((line, index) => small(line, { x: MARGIN, y: 52 + index * LINE_HEIGHT })),
    ],
    height: 40 + lines.length * LINE_HEIGHT,
  };
}

function small(text: string, place: Attributes): string {
  return textElement(text, { class: "faint", ...place, "font-size": FONT_SIZE });
}

export interface LegendEntry {
  readonly text: string;
  /** What stands before the text, around the middle of a box of SWATCH pixels. */
  readonly sign: (x: number, y: number) => string;
}

export const SWATCH = 11;
const LEGEND_GAP = 18;

/** A square of a class, with an outline: pale ones are hardly seen on the paper. */
export function swatch(className: string): LegendEntry["sign"] {
  return (x, y) =>
    element("rect", {
      class: `${className} axis`,
      "stroke-width": 0.5,
      x: x - SWATCH / 2,
      y: y - SWATCH / 2,
      width: SWATCH,
      height: SWATCH,
    });
}

/** Entries one behind the other, in as many lines as they need. */
export function legend(entries: readonly LegendEntry[], { left, right, top }: Omit<Frame, "bottom">): Block {
  let x = left;
  let line = 0;
  const elements = entries.flatMap(({ text, sign }) => {
    const width = SWATCH + 6 + textWidth(text, FONT_SIZE);
    if (x > left && x + width > right) {
      x = left;
      line++;
    }
    const y = top + line * LINE_HEIGHT + LINE_HEIGHT / 2;
    const at = x;
    x += width + LEGEND_GAP;
    return [sign(at + SWATCH / 2, y), small(text, { x: at + SWATCH + 6, y: y + 4 })];
  });
  return { elements, height: entries.length === 0 ? 0 : (line + 1) * LINE_HEIGHT };
}

/** Ticks are round: without the zeros that a table has. */
export function tickText(ns: number): string {
  if (ns === 0) return "0";
  if (ns < 10) return `${Number(ns.toPrecision(3))} ns`;
  return formatNs(ns)
    .replace(/\.0+ /, " ")
    .replace(/(\.\d*[1-9])0+ /, "$1 ");
}

/** From 0 to a time, across. */
export function acrossTime(endNs: number, { left, right }: Pick<Frame, "left" | "right">): Scale {
  const room = (label: string): number => textWidth(label, FONT_SIZE) + 16;
  return timeScale(endNs, { range: [left, right], format: tickText, room });
}

export const TIME_AXIS_HEIGHT = 56;

/** Below a frame: an axis with its ticks, whose lines go up through the frame, and what it shows. */
export function timeAxis({ ticks }: Scale, { left, right, top, bottom }: Frame, title: string): string[] {
  return [
    element("path", {
      class: "grid line",
      d: ticks.map(({ at }) => `M${rounded(at)} ${rounded(top)}V${rounded(bottom)}`).join(""),
    }),
    element("path", {
      class: "axis line",
      d: `M${rounded(left)} ${rounded(bottom)}H${rounded(right)}${ticks.map(({ at }) => `M${rounded(at)} ${rounded(bottom)}v5`).join("")}`,
    }),
    ...ticks.map(({ at, label }) => small(label, { x: at, y: bottom + 20, "text-anchor": "middle" })),
    textElement(title, {
      class: "ink",
      x: (left + right) / 2,
      y: bottom + 42,
      "font-size": FONT_SIZE,
      "text-anchor": "middle",
    }),
  ];
}

/** Places in order, at least `distance` from one another, as near as may be to where they are wanted, ascending. */
export function apart(wanted: readonly number[], [least, most]: readonly [number, number], distance: number): number[] {
  const places: number[] = [];
  for (const at of wanted) places.push(Math.max(at, (places.at(-1) ?? least - distance) + distance));
  let limit = most;
  for (let index = places.length - 1; index >= 0; index--) {
    places[index] = Math.min(places[index] as number, limit);
    limit = (places[index] as number) - distance;
  }
  return places;
}
