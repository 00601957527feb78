// What a sweep's picture shows of its summary: lines, axes, names, and what it leaves out.

import { describe, expect, it } from "vitest";
import { renderSweepChart } from "../../src/report/picture/sweep-chart.ts";
import type { FieldValue } from "../../src/scenario/fields.ts";
import type { PointSummary, SweepSummary } from "../../src/sweep/summary.ts";

function point(values: Record<string, FieldValue>, median: number | null): PointSummary {
  const figure = median === null ? null : { count: 3, least: median, median, p99: median, most: median * 2 };
  const metrics = { rendezvousNs: figure, totalNs: null, frozenMaxNs: figure };
  return { values, cpus: 4, runs: 3, wanted: 3, verdicts: { completed: 3 }, broken: {}, error: null, metrics };
}

function summaryOf(points: PointSummary[], scalings: SweepSummary["scalings"] = []): SweepSummary {
  return { format: "allstop.sweep/1", runs: 3 * points.length, wanted: 3 * points.length, points, scalings };
}

function texts(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text = ""]) => text);
}

describe("a picture of a sweep", () => {
  const sizes = [4, 16, 64];
  const points = ["stop_machine", "stop_core"].flatMap((name) =>
    sizes.map((cpus) =>
      point({ "policy.name": name, "load.common": "idle", "machine.cpus": cpus }, name === "stop_core" ? null : cpus),
    ),
  );

  it("has CPUs across, a line per stop path, and says of which there is nothing", () => {
    const shown = texts(renderSweepChart(summaryOf(points)));
    expect(shown).toEqual(expect.arrayContaining(["4", "16", "64", "CPUs (logarithmic)", "stop_machine"]));
    expect(shown).not.toContain("stop_core");
    expect(shown.find((text) => text.includes("median of 3 runs each"))).toContain("no figure of stop_core");
  });

  it("names the exponent of what is a power law, and of nothing else", () => {
    const where = { "policy.name": "stop_machine", "load.common": "idle" };
    const law = { field: "machine.cpus", metric: "rendezvousNs", where, exponent: 1, factor: 1, points: 3 } as const;
    expect(texts(renderSweepChart(summaryOf(points, [{ ...law, r2: 0.99 }])))).toContain("stop_machine (CPUs^1.00)");
    expect(texts(renderSweepChart(summaryOf(points, [{ ...law, r2: 0.6 }])))).toContain("stop_machine");
    expect(texts(renderSweepChart(summaryOf(points, [{ ...law, r2: 1, points: 2 }])))).toContain("stop_machine");
  });

  it("takes names for an axis where the field has no numbers", () => {
    const machines = ["epyc-7742", "2x4x2"].map((name, index) => point({ "machine.topology": name }, index + 5));
    const shown = texts(renderSweepChart(summaryOf(machines)));
    expect(shown).toEqual(expect.arrayContaining(["epyc-7742", "2x4x2", "machine"]));
  });

  it("draws of a figure that no run has an empty frame", () => {
    expect(renderSweepChart(summaryOf(points), { metric: "totalNs" })).toContain("</svg>");
  });
});
