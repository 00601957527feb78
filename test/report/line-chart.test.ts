// The chart's geometry, read back from its SVG: nothing outside, no labels over one another, values where the axis has them.

import { describe, expect, it } from "vitest";
import { renderLineChart, type LineChart } from "../../src/report/picture/line-chart.ts";
import { seriesStyle } from "../../src/report/picture/theme.ts";
import { formatNs } from "../../src/report/text.ts";
import { boxesOf, outsideOf, overlapsOf, readSvg, textsOf } from "./svg.ts";

function markersOf(svg: string): { x: number; y: number; style: string }[] {
  return readSvg(svg).flatMap(({ attributes: { transform = "", class: style = "" } }) => {
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
  const svg = renderLineChart(what);
  const elements = readSvg(svg);
  const width = Number(elements[0]?.attributes["width"]);

  it("keeps texts apart and inside", () => {
    expect(overlapsOf(boxesOf(elements))).toEqual([]);
    expect(outsideOf(elements)).toEqual([]);
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
    const svg = renderLineChart({
      ...chart([], () => 0),
      series: [{ name: "one", points: [1000, 10_000, 100_000, 1e6].map((y, index) => ({ x: sizes[index] ?? 0, y })) }],
    });
    const texts = textsOf(readSvg(svg));
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
    const svg = renderLineChart(chart(["one"], () => 5000));
    expect(textsOf(readSvg(svg)).map(({ text }) => text)).toContain("0 ns");
  });
});

it("tells 24 series apart without colour", () => {
  const styles = Array.from({ length: 24 }, (_, index) => seriesStyle(index));
  expect(new Set(styles.map(({ marker, dashes }) => `${marker} ${dashes}`)).size).toBe(24);
});
