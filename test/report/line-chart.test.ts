// The chart's geometry, read back from its SVG: nothing outside, no labels over one another, values where the axis has them; its colours.

import { SaxesParser } from "saxes";
import { describe, expect, it } from "vitest";
import { lineChart, type LineChart } from "../../src/report/picture/line-chart.ts";
import { darkTheme, lightTheme, seriesStyle } from "../../src/report/picture/theme.ts";
import { formatNs } from "../../src/report/text.ts";

interface Text {
  readonly text: string;
  readonly attributes: Readonly<Record<string, string>>;
}

interface Box {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Everything that the picture has, as an XML parser sees it. */
function read(svg: string): { texts: Text[]; elements: { name: string; attributes: Record<string, string> }[] } {
  const parser = new SaxesParser();
  const texts: Text[] = [];
  const elements: { name: string; attributes: Record<string, string> }[] = [];
  parser.on("opentag", ({ name, attributes }) => {
    elements.push({ name, attributes });
    if (name === "text") texts.push({ text: "", attributes });
  });
  parser.on("text", (text) => {
    const last = texts.at(-1);
    if (last !== undefined && last.text === "") texts[texts.length - 1] = { ...last, text };
  });
  parser.on("error", (error) => {
    throw error;
  });
  parser.write(svg).close();
  return { texts, elements };
}

/** DejaVu Sans is the widest of the usual sans-serif fonts: 0.6 of its size for a character on average, in the texts that are used here. */
function boxOf({ text, attributes }: Text): Box | undefined {
  if (attributes["transform"] !== undefined) return undefined;
  const size = Number(attributes["font-size"]);
  const width = text.length * size * 0.6;
  const [x, y] = [Number(attributes["x"]), Number(attributes["y"])];
  const left =
    attributes["text-anchor"] === "end" ? x - width : attributes["text-anchor"] === "middle" ? x - width / 2 : x;
  return { text, left, right: left + width, top: y - size * 0.8, bottom: y + size * 0.2 };
}

function overlaps(boxes: readonly Box[]): string[] {
  return boxes.flatMap((a, index) =>
    boxes
      .slice(index + 1)
      .filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
      .map((b) => `${a.text} over ${b.text}`),
  );
}

function markersOf(svg: string): { x: number; y: number; style: string }[] {
  return read(svg).elements.flatMap(({ attributes: { transform = "", class: style = "" } }) => {
    const [, x, y] = /^translate\(([-\d.]+) ([-\d.]+)\)$/.exec(transform) ?? [];
    return x === undefined ? [] : [{ x: Number(x), y: Number(y), style }];
  });
}

const sizes = [64, 256, 1024, 4096];

function chart(names: readonly string[], value: (series: number, size: number) => number): LineChart {
  return {
    title: "Rendezvous by CPUs and stop path",
    subtitle: "median of 5 runs each; whiskers from the least to the most; simulated time",
    x: { title: "CPUs", format: (size) => size.toLocaleString("en-US") },
    y: { title: "rendezvous", format: formatNs },
    series: names.map((name, index) => ({
      name,
      points: sizes.map((size) => {
        const y = value(index, size);
        return { x: size, y, spread: [y * 0.8, y * 1.4] as const };
      }),
    })),
  };
}

const three = ["stop_machine", "cpu_offline", "stop_machine_nmi_d (CPUs^1.27)"];
const cases: [string, LineChart][] = [
  ["3 paths that differ little, 4 sizes", chart(three, (index, size) => size ** 1.2 * 100 * (1 + index / 1000))],
  ["3 paths that differ much, 4 sizes", chart(three, (index, size) => size ** (0.5 + index / 2) * 50)],
  [
    "20 paths, all alike",
    chart(
      Array.from({ length: 20 }, (_, index) => `path ${index}`),
      () => 5000,
    ),
  ],
  [
    "sizes that are close together",
    {
      ...chart(["one"], (_, size) => size),
      series: [
        { name: "one", points: Array.from({ length: 64 }, (_, index) => ({ x: 60_000 + index, y: 1e6 + index })) },
      ],
    },
  ],
  ["a single point", { ...chart(["one"], (_, size) => size), series: [{ name: "one", points: [{ x: 4, y: 1 }] }] }],
  ["a subtitle that is too long", { ...chart(["one"], (_, size) => size), subtitle: "word ".repeat(80) }],
  ["nothing", chart([], () => 1)],
  ["long names with markup", chart(["<&\"'>".repeat(20)], (_, size) => size)],
];

describe.each(cases)("%s", (_, what) => {
  const svg = lineChart(what);
  const { texts, elements } = read(svg);
  const root = elements[0]?.attributes ?? {};
  const [width, height] = [Number(root["width"]), Number(root["height"])];

  it("keeps texts apart and inside", () => {
    const boxes = texts.flatMap((text) => boxOf(text) ?? []);
    expect(overlaps(boxes)).toEqual([]);
    for (const { text, left, right, top, bottom } of boxes) {
      expect([text, left >= 0, right <= width, top >= 0, bottom <= height]).toEqual([text, true, true, true, true]);
    }
  });

  it("has every point, in the frame", () => {
    const points = what.series.reduce((sum, { points: some }) => sum + some.length, 0);
    const markers = markersOf(svg);
    // And one beside each name.
    expect(markers).toHaveLength(points + what.series.filter(({ points: some }) => some.length > 0).length);
    const grid = elements
      .filter(({ attributes }) => attributes["class"] === "grid")
      .map(({ attributes }) => attributes);
    const [top, bottom] = [Math.min, Math.max].map((most) => most(...grid.map(({ y1 }) => Number(y1)))) as [
      number,
      number,
    ];
    for (const { x, y } of markers) {
      expect([x >= 84, x <= width, y >= top, y <= bottom]).toEqual([true, true, true, true]);
    }
  });
});

describe("places", () => {
  it("are those of the scale's marks: a point on a mark's value lies on its line", () => {
    const svg = lineChart({
      ...chart([], () => 0),
      series: [{ name: "one", points: [1000, 10_000, 100_000, 1e6].map((y, index) => ({ x: sizes[index] ?? 0, y })) }],
    });
    const { texts } = read(svg);
    const lineOf = (label: string): number => Number(texts.find(({ text }) => text === label)?.attributes["y"]) - 4;
    const columnOf = (label: string): number => Number(texts.find(({ text }) => text === label)?.attributes["x"]);
    const labels = ["1.00 us", "10.0 us", "100 us", "1.00 ms"];
    const markers = markersOf(svg);
    const columns = ["64", "256", "1,024", "4,096"];
    for (const [index, { x, y }] of markers.slice(0, 4).entries()) {
      expect(Math.abs(y - lineOf(labels[index] ?? ""))).toBeLessThan(0.1);
      expect(Math.abs(x - columnOf(columns[index] ?? ""))).toBeLessThan(0.1);
    }
    // Equal factors are equal distances.
    const steps = markers.slice(1, 4).map(({ y }, index) => (markers[index]?.y ?? 0) - y);
    for (const step of steps) expect(step).toBeCloseTo(steps[0] ?? 0, 0);
  });

  it("start from 0 where values are alike", () => {
    const svg = lineChart(chart(["one"], () => 5000));
    expect(read(svg).texts.map(({ text }) => text)).toContain("0 ns");
  });
});

/** Channels of an sRGB colour, linear, 0 to 1. */
function linearRgb(colour: string): number[] {
  const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  return channels.map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function luminance(colour: string): number {
  const [red, green, blue] = linearRgb(colour);
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
}

function contrast(a: string, b: string): number {
  const [one, other] = [luminance(a), luminance(b)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

/** What dichromats see of linear RGB: Machado, Oliveira and Fernandes, IEEE TVCG 15 (2009), severity 1. */
const deficiencies = {
  none: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
} as const;

/** CIELAB of a colour as it is seen (CIE 15, D65). */
function labOf(colour: string, matrix: readonly number[]): number[] {
  const linear = linearRgb(colour);
  const seen = [0, 3, 6].map((row) => {
    const value = linear.reduce((sum, channel, index) => sum + channel * (matrix[row + index] ?? 0), 0);
    return Math.min(1, Math.max(0, value));
  });
  const [r = 0, g = 0, b = 0] = seen;
  const scaled = (t: number): number => (t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116);
  const x = scaled((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const y = scaled(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = scaled((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

describe.each([
  ["light", lightTheme],
  ["dark", darkTheme],
])("the %s colours", (_, { paper, ink, faint, series }) => {
  it("stand out from the paper: 4.5 to 1 for text, 3 to 1 for lines (WCAG 2.2, 1.4.3 and 1.4.11)", () => {
    for (const colour of [ink, faint]) expect(contrast(colour, paper)).toBeGreaterThanOrEqual(4.5);
    for (const colour of series) expect(contrast(colour, paper)).toBeGreaterThanOrEqual(3);
  });

  it.each(Object.entries(deficiencies))("differ by 10 in CIELAB at least, to eyes with %s", (_name, matrix) => {
    const seen = series.map((colour) => labOf(colour, matrix));
    for (const [index, one] of seen.entries()) {
      for (const other of seen.slice(index + 1)) {
        expect(Math.hypot(...one.map((value, axis) => value - (other[axis] ?? 0)))).toBeGreaterThanOrEqual(10);
      }
    }
  });
});

it("tells 24 series apart without colour", () => {
  const styles = Array.from({ length: 24 }, (_, index) => seriesStyle(index));
  expect(new Set(styles.map(({ marker, dashes }) => `${marker} ${dashes}`)).size).toBe(24);
});
