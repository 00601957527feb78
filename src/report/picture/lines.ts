// What charts with lines have in common: an axis of values, and names beside the ends of lines.

import { apart, FONT_SIZE, type Frame } from "./parts.ts";
import type { Scale } from "./scale.ts";
import { element, textElement } from "./svg.ts";
import { seriesStyle } from "./theme.ts";

export const LINE_HEIGHT = 16;
/** Between a frame and the names at its right: room for their markers. */
export const MARKER_ROOM = 18;
/** Room for the labels of the axis of values, and for its title. */
export const VALUE_AXIS_WIDTH = 84;
const MOST_NAME = 40;

/** On the left of a frame: marks with their lines across, and what they are. A logarithmic axis says so. */
export function valueAxis({ ticks, logarithmic }: Scale, { left, right, top, bottom }: Frame, title: string): string[] {
  const middle = (top + bottom) / 2;
  const name = logarithmic ? `${title} (logarithmic)` : title;
  return [
    ...ticks.flatMap(({ at, label }) => [
      element("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }),
      textElement(label, { class: "faint", x: left - 8, y: at + 4, "font-size": FONT_SIZE, "text-anchor": "end" }),
    ]),
    textElement(name, {
      class: "ink",
      "font-size": FONT_SIZE,
      "text-anchor": "middle",
      transform: `translate(20 ${Math.round(middle)}) rotate(-90)`,
    }),
  ];
}

/** Where a line ends, and how many lines there are before it. */
export interface LineEnd {
  readonly name: string;
  readonly index: number;
  readonly x: number;
  readonly y: number;
}

/** Names beside the ends of their lines, moved apart, with a thread to where they belong. */
export function endLabels(lines: readonly LineEnd[], { right, top, bottom }: Frame): string[] {
  const ends = [...lines].sort((a, b) => a.y - b.y || a.index - b.index);
  const rows = apart(
    ends.map(({ y }) => y),
    [top, bottom],
    LINE_HEIGHT,
  );
  return ends.flatMap(({ name, index, x, y }, order) => {
    const at = rows[order] as number;
    const style = seriesStyle(index);
    return [
      element("path", {
        class: "axis line",
        d: `M${(x + 7).toFixed(1)} ${y.toFixed(1)}L${right.toFixed(1)} ${at.toFixed(1)}`,
        "stroke-width": 0.6,
        "stroke-dasharray": "1 2",
      }),
      markerElement(style.name, style.marker, right + 8, at),
      textElement(shortName(name), { class: "ink label", x: right + MARKER_ROOM, y: at + 4, "font-size": FONT_SIZE }),
    ];
  });
}

export function markerElement(name: string, marker: string, at: number, y: number): string {
  return element("path", { class: name, d: marker, transform: `translate(${at.toFixed(1)} ${y.toFixed(1)})` });
}

export function shortName(name: string): string {
  return name.length <= MOST_NAME ? name : `${name.slice(0, MOST_NAME - 1)}…`;
}
