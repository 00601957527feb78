// Percentile plots against sorting: what the line shows at each mark, and where the marks are.

import { describe, expect, it } from "vitest";
import { Distribution } from "../../src/measure/distributions.ts";
import { SeededRandom } from "../../src/random.ts";
import { curveOf, percentilesOf, renderPercentiles } from "../../src/report/picture/percentiles.ts";
import { findTimingModel } from "../../src/timing/index.ts";
import { execute, mixed } from "./runs.ts";
import { nsOfText, readSvg, textsOf, type SvgElement } from "./svg.ts";

const timing = findTimingModel("generic-x86");
const cycleNs = 1000 / timing.clockMhz.value;

function distributionOf(values: readonly number[]): Distribution {
  const distribution = new Distribution(timing);
  for (const value of values) distribution.record(value);
  return distribution;
}

/** Nearest rank. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(share * sorted.length - 1e-9)) - 1] ?? NaN;
}

/** Values that histograms of three digits hold exactly. */
function draw(count: number, seed: number): number[] {
  const random = new SeededRandom(seed, "durations");
  return Array.from({ length: count }, () => 1 + Math.floor(1900 * random.fraction() ** 4));
}

describe("the curve of a distribution", () => {
  it.each([1, 2, 7, 100, 5000])("of %i values agrees with sorting", (count) => {
    const values = draw(count, count);
    const { curve } = distributionOf(values);
    expect(curve.at(-1)?.share).toBe(1);
    for (const share of [0.01, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
      const shown = curve.find((point) => point.share >= share - 1e-12)?.ns ?? NaN;
      expect(shown).toBeCloseTo(quantile(values, share) * cycleNs, 6);
    }
  });

  it("of nothing is empty", () => {
    expect(distributionOf([]).curve).toEqual([]);
  });
});

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Corners of a line of steps. */
function cornersOf(elements: readonly SvgElement[], series: number): Point[] {
  const line = elements.find(({ attributes }) => attributes["class"] === `s${series} line`)?.attributes["d"] ?? "";
  let [x, y] = [0, 0];
  return [...line.matchAll(/([MVH])([\d.]+)(?: ([\d.]+))?/g)].map(([, step, first, second]) => {
    if (step === "M") [x, y] = [Number(first), Number(second)];
    else if (step === "V") y = Number(first);
    else x = Number(first);
    return { x, y };
  });
}

/** Where the line is right after a place. */
function heightAt(corners: readonly Point[], x: number): number {
  const index = corners.findIndex((corner) => corner.x > x + 0.5);
  return corners[index < 0 ? corners.length - 1 : index]?.y ?? NaN;
}

describe("the plot", () => {
  it("has at 0 %, 50 %, 90 %, 99 % … what sorting gives, by its own axes", () => {
    const sets = [draw(3000, 1), draw(3000, 2).map((value) => Math.min(1900, value + 40))];
    const curves = sets.map((values, index) => curveOf(`set ${index}`, distributionOf(values)));
    const elements = readSvg(renderPercentiles({ title: "two sets", curves }));
    const texts = textsOf(elements);
    const shares = texts.filter(({ text }) => / %$/.test(text));
    expect(shares.map(({ text }) => text)).toEqual(["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
    const marks = texts.flatMap(({ text, attributes }) => {
      const ns = nsOfText(text);
      return ns === undefined || attributes["text-anchor"] !== "end" ? [] : [{ ns, y: Number(attributes["y"]) - 4 }];
    });
    const [low, high] = [marks[0], marks.at(-1)];
    if (low === undefined || high === undefined) throw new Error("no marks");
    const isLogarithmic = texts.some(({ text }) => text === "time (logarithmic)");
    const scaled = isLogarithmic ? Math.log : (ns: number) => ns;
    const yOf = (ns: number): number =>
      low.y + ((scaled(ns) - scaled(low.ns)) / (scaled(high.ns) - scaled(low.ns))) * (high.y - low.y);
    let compared = 0;
    for (const [series, values] of sets.entries()) {
      const corners = cornersOf(elements, series);
      for (const { text, attributes } of shares) {
        const share = Number.parseFloat(text) / 100;
        const x = Number(attributes["x"]);
        if (x < (corners[0]?.x ?? NaN) - 0.5) continue;
        compared++;
        const shown = heightAt(corners, x);
        // Right of the mark: a little more than this share.
        const wanted = yOf(quantile(values, Math.min(1, share + 1e-6)) * cycleNs);
        expect(Math.abs(shown - wanted)).toBeLessThan(2.5);
      }
    }
    // A line may begin below the frame, in its first tenth.
    expect(compared).toBeGreaterThanOrEqual(10);
    // From 90 % on, each nine has as much room.
    const places = shares.map(({ attributes }) => Number(attributes["x"])).slice(2);
    const gaps = places.slice(1).map((place, index) => place - (places[index] ?? NaN));
    for (const gap of gaps) expect(gap).toBeCloseTo(gaps[0] ?? NaN, 0);
  });

  it("names each line with its most", async () => {
    const { result, report } = await execute(mixed(16));
    const plot = percentilesOf(result);
    const names = textsOf(readSvg(renderPercentiles(plot))).filter(
      ({ attributes }) => attributes["class"] === "ink label",
    );
    expect(names.map(({ text }) => text.split(":")[0])).toEqual(
      expect.arrayContaining(["call to arrival", "call to stop", "frozen", "release skew"]),
    );
    const stop = plot.curves.find(({ name }) => name === "call to stop");
    expect(stop?.count).toBe(report.distributions.stopNs?.count);
    expect(stop?.points.at(-1)?.ns).toBe(report.distributions.stopNs?.max);
    expect(plot.curves[0]?.points.at(-1)?.ns).toBe(report.stragglers[0]?.enteredNs);
  });
});
