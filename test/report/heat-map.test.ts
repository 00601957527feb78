// What the heat map shows, read back from its SVG: rows, groups, and states where and when the data have them.

import { describe, expect, it } from "vitest";
import { renderHeatMap } from "../../src/report/picture/heat-map.ts";
import { layRows } from "../../src/report/picture/rows.ts";
import { cpuStates, type StretchState, type Rendezvous, type StateStretch } from "../../src/report/rendezvous.ts";
import { SeededRandom } from "../../src/random.ts";
import { parseTopologySpec, topologyForCpus, buildTopology, type Topology } from "../../src/topology/index.ts";
import { execute, mixed } from "./runs.ts";
import { areasOf, boxOf, readSvg, textsOf, timeOfPixels, type Area, type SvgElement } from "./svg.ts";

const stateNames = Object.keys(cpuStates) as StretchState[];

/** CPUs' rows by what the names on the left say. */
function rowsByName(elements: readonly SvgElement[]): Map<number, { top: number; bottom: number }> {
  return new Map(
    textsOf(elements).flatMap(({ text, attributes }) => {
      const cpu = /^CPU (\d+)$/.exec(text)?.[1];
      const middle = Number(attributes["y"]) - 4;
      return cpu === undefined ? [] : [[Number(cpu), { top: middle - 0.5, bottom: middle + 0.5 }] as const];
    }),
  );
}

function within(areas: readonly Area[], { top, bottom }: { top: number; bottom: number }): Area[] {
  return areas.filter((area) => area.top <= top && area.bottom >= bottom).sort((a, b) => a.left - b.left);
}

describe("on 16 CPUs", () => {
  it("has a row per CPU, whose areas are its states at their times", async () => {
    const { rendezvous } = await execute(mixed(16));
    const elements = readSvg(renderHeatMap(rendezvous));
    const nsOf = timeOfPixels(elements);
    const pixelNs = nsOf(1) - nsOf(0);
    const rows = rowsByName(elements);
    expect([...rows.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, cpu) => cpu));
    for (const { cpu, stretches } of rendezvous.cpus) {
      const areas = within(areasOf(elements, "state-"), rows.get(cpu) ?? { top: NaN, bottom: NaN });
      const wide = stretches.filter(({ fromNs, untilNs }) => untilNs - fromNs > pixelNs / 50);
      expect(areas.map(({ className }) => className)).toEqual(wide.map(({ state }) => `state-${state}`));
      for (const [index, { left, right }] of areas.entries()) {
        const { fromNs = NaN, untilNs = NaN } = wide[index] ?? {};
        expect(Math.abs(nsOf(left) - fromNs)).toBeLessThan(pixelNs / 10);
        expect(Math.abs(nsOf(right) - untilNs)).toBeLessThan(pixelNs / 10);
      }
    }
  });

  it("marks the call, the stop and the return where the report has them, and names the states that occur", async () => {
    const { rendezvous, report } = await execute(mixed(16));
    const elements = readSvg(renderHeatMap(rendezvous));
    const nsOf = timeOfPixels(elements);
    const marks = elements
      .filter(({ name, attributes }) => name === "line" && attributes["class"] === "rule")
      .map(({ attributes }) => nsOf(Number(attributes["x1"])));
    const wanted = [0, report.latency.rendezvousNs, report.latency.totalNs];
    expect(marks).toHaveLength(3);
    for (const [index, ns] of marks.entries())
      expect(Math.abs(ns - (wanted[index] ?? NaN))).toBeLessThan(nsOf(1) - nsOf(0));
    const shown = new Set(rendezvous.cpus.flatMap(({ stretches }) => stretches.map(({ state }) => state)));
    const swatches = elements
      .filter(({ name, attributes }) => name === "rect" && attributes["class"]?.startsWith("state-") === true)
      .map(({ attributes }) => attributes["class"]?.split(" ")[0]);
    expect(swatches).toEqual(stateNames.filter((state) => shown.has(state)).map((state) => `state-${state}`));
  });
});

describe("on 384 CPUs", () => {
  it("names packages and LLC domains beside their rows", async () => {
    const { rendezvous } = await execute(mixed(384));
    const elements = readSvg(renderHeatMap(rendezvous));
    const { topology } = rendezvous;
    const { rows } = layRows(topology);
    const areas = areasOf(elements, "state-");
    const offset = Math.min(...areas.map(({ top }) => top)) - Math.min(...rows.map(({ top }) => top));
    for (const [pattern, key] of [
      [/^package (\d+)$/, "package"],
      [/^LLC (\d+)$/, "llc"],
    ] as const) {
      const names = textsOf(elements).flatMap((element) => {
        const index = pattern.exec(element.text)?.[1];
        return index === undefined ? [] : [{ index: Number(index), box: boxOf(element) }];
      });
      expect(names.map(({ index }) => index)).toEqual([...new Set(topology.cpus.map((cpu) => cpu[key]))]);
      for (const { index, box } of names) {
        const middle = ((box?.top ?? NaN) + (box?.bottom ?? NaN)) / 2 - offset;
        const own = rows.filter(({ cpus }) => cpus.every((cpu) => topology.cpus[cpu]?.[key] === index));
        expect(middle).toBeGreaterThan(Math.min(...own.map(({ top }) => top)));
        expect(middle).toBeLessThan(Math.max(...own.map(({ top, height }) => top + height)));
      }
    }
    expect(new Set(areas.map(({ top }) => top)).size).toBe(384);
  });
});

/** States of several CPUs at a moment as they are to be shown: by counting them. */
function shownAt(rendezvous: Rendezvous, cpus: readonly number[], fromNs: number, untilNs: number): Set<string> {
  const sums = new Map<StretchState, number>();
  const held = new Set<string>();
  for (const { state, ...stretch } of rendezvous.cpus
    .filter(({ cpu }) => cpus.includes(cpu))
    .flatMap(({ stretches }) => stretches)) {
    const ns = Math.min(stretch.untilNs, untilNs) - Math.max(stretch.fromNs, fromNs);
    if (ns <= 0) continue;
    sums.set(state, (sums.get(state) ?? 0) + ns);
    const isProminent = ["lost", "irqs-off", "nmi-blocked", "smm", "descheduled", "function"].includes(state);
    if (isProminent && ns > (untilNs - fromNs) / 2) held.add(state);
  }
  if (held.size > 0) return held;
  const most = Math.max(...sums.values());
  return new Set([...sums].filter(([, sum]) => sum > most * 0.98).map(([state]) => state));
}

describe("on 4,096 CPUs", () => {
  it("has rows of several CPUs of one domain, each column with what keeps others waiting or what most are in", async () => {
    const { rendezvous } = await execute(mixed(4096));
    const elements = readSvg(renderHeatMap(rendezvous));
    const nsOf = timeOfPixels(elements);
    const { rows, most } = layRows(rendezvous.topology);
    expect(most).toBe(8);
    expect(rows).toHaveLength(512);
    const areas = areasOf(elements, "state-");
    const offset = Math.min(...areas.map(({ top }) => top));
    const left = Math.min(...areas.map((area) => area.left));
    const random = new SeededRandom(7, "columns");
    const anywhere = Array.from({ length: 300 }, () => ({
      row: rows[Math.floor(random.fraction() * rows.length)],
      column: Math.floor(random.fraction() * 1200),
    }));
    // Where interrupts go on and off is where it matters.
    const pixelNs = nsOf(1) - nsOf(0);
    const edges = rendezvous.cpus.slice(0, 1500).flatMap(({ cpu, stretches }) =>
      stretches
        .filter(({ state }) => state === "irqs-off")
        .flatMap(({ fromNs, untilNs }) => [fromNs, untilNs])
        .map((ns) => ({
          row: rows.find(({ cpus }) => cpus.includes(cpu)),
          column: Math.floor((ns - nsOf(left)) / pixelNs / 0.5),
        })),
    );
    expect(edges.length).toBeGreaterThan(50);
    for (const { row, column } of [...anywhere, ...edges]) {
      if (row === undefined) throw new Error("no row");
      const from = left + 0.5 * column;
      const own = within(areas, { top: offset + row.top, bottom: offset + row.top + row.height });
      const shown = own.find((area) => area.left <= from && area.right >= from + 0.5);
      const wanted = shownAt(rendezvous, row.cpus, nsOf(from), nsOf(from + 0.5));
      expect([...wanted].map((state) => `state-${state}`)).toContain(shown?.className);
    }
  });
});

function synthetic(topology: Topology, stretchesOf: (cpu: number) => StateStretch[], endNs: number): Rendezvous {
  const none = null;
  return {
    ...{ policy: "stop_machine", stoppedMeans: "every CPU has stopped", topology, requester: 0, call: 1, calls: 1 },
    ...{ stoppedNs: endNs, returnedNs: endNs, endNs },
    cpus: topology.cpus.map(({ number: cpu }) => ({
      ...{ cpu, load: "idle", signalledNs: none, deliveredNs: none, takenNs: none, enteredNs: 1, stoppedNs: 1 },
      ...{
        functionStartNs: none,
        functionEndNs: none,
        releasedNs: none,
        resumedNs: none,
        isCulprit: false,
        causes: [],
      },
      stretches: stretchesOf(cpu),
    })),
  };
}

describe("made-up states", () => {
  it("show one CPU of thousands that has interrupts off", () => {
    const stretches = (cpu: number): StateStretch[] => [
      { state: cpu === 2222 ? "irqs-off" : "others", fromNs: 0, untilNs: 1000 },
    ];
    const elements = readSvg(renderHeatMap(synthetic(topologyForCpus(4096, "x86-64"), stretches, 1000)));
    expect(areasOf(elements, "state-irqs-off")).toHaveLength(1);
  });

  it("stay below a megabyte when all CPUs change all the time", () => {
    const random = new SeededRandom(3, "states");
    const stretches = (): StateStretch[] =>
      Array.from({ length: 250 }, (_, index) => ({
        state: stateNames[Math.floor(random.fraction() * stateNames.length)] as StretchState,
        fromNs: index * 4,
        untilNs: index * 4 + 4,
      }));
    expect(renderHeatMap(synthetic(topologyForCpus(512, "arm64"), stretches, 1000)).length).toBeLessThan(1e6);
  });
});

describe("rows", () => {
  const machines: [string, Topology][] = [
    ["a CPU", topologyForCpus(1, "x86-64")],
    ["64 CPUs", topologyForCpus(64, "x86-64")],
    ["4,096 CPUs", topologyForCpus(4096, "arm64")],
    ["65,536 CPUs", topologyForCpus(65_536, "x86-64")],
    ["3,000 packages", buildTopology(parseTopologySpec("3000x2x1"))],
    ["100 packages of several dies", buildTopology(parseTopologySpec("100x8x2"))],
  ];

  it.each(machines)("of %s hold every CPU once, one below the other, and no two packages", (_, topology) => {
    const { rows, height, packages, domains } = layRows(topology);
    expect(rows.flatMap(({ cpus }) => [...cpus]).sort((a, b) => a - b)).toEqual(
      topology.cpus.map(({ number }) => number),
    );
    expect(height).toBeLessThanOrEqual(820);
    for (const [index, { top }] of rows.entries()) {
      const before = rows[index - 1];
      expect(top).toBeGreaterThanOrEqual(before === undefined ? 0 : before.top + before.height);
    }
    const groupsOf = (key: "package" | "llc"): number[] =>
      rows.map(({ cpus }) => new Set(cpus.map((cpu) => topology.cpus[cpu]?.[key])).size);
    if (domains.length > 0) expect(Math.max(...groupsOf("llc"))).toBe(1);
    if (packages.length > 0) expect(Math.max(...groupsOf("package"))).toBe(1);
  });
});
