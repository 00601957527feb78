// Timing models: every figure has a source, ranges hold their values, names are complete, derivation solves what it claims.

import { describe, expect, it } from "vitest";
import { Timing } from "../../src/abi.ts";
import { derive } from "../../src/timing/derive.ts";
import { genericX86 } from "../../src/timing/generic.ts";
import {
  cyclesOf,
  findTimingModel,
  hopCycles,
  timingModels,
  timingParameters,
  timingTable,
  type Sourced,
  type TimingModel,
} from "../../src/timing/index.ts";
import { presets } from "../../src/topology/index.ts";

function figuresOf({ clockMhz, issueWidth, counterHz, lines, parameters }: TimingModel): [string, Sourced][] {
  return [...Object.entries({ clockMhz, issueWidth, counterHz, ...lines }), ...Object.entries(parameters)];
}

it("the models that were promised are there", () => {
  expect(timingModels.map(({ name }) => name)).toEqual([
    "generic-x86",
    "generic-arm64",
    "skylake-sp",
    "cascadelake-sp",
    "icelake-sp",
    "sapphirerapids",
    "zen2",
    "zen3",
    "zen4",
    "neoverse-n1",
    "neoverse-v1",
    "kunpeng920",
  ]);
});

it("every preset machine has its timing model", () => {
  for (const { timingModel } of presets) expect(findTimingModel(timingModel).name).toBe(timingModel);
});

describe.each(timingModels)("$name", (model) => {
  it("has every parameter, with source and confidence; estimates with a range around the value", () => {
    expect(Object.keys(model.parameters).toSorted()).toEqual(Object.keys(timingParameters).toSorted());
    for (const [name, { value, source, confidence, range }] of figuresOf(model)) {
      expect(source.length, name).toBeGreaterThan(8);
      if (confidence === "estimate") expect(range, name).toBeDefined();
      if (range === undefined) continue;
      expect(value, name).toBeGreaterThanOrEqual(range[0]);
      expect(value, name).toBeLessThanOrEqual(range[1]);
    }
  });

  it("makes a table for the core", () => {
    const table = timingTable(model);
    expect(table).toHaveLength(Timing.COUNT);
    expect(table[Timing.LLC_OCCUPANCY]).toBeGreaterThan(0);
  });

  it("takes longer the farther a hop goes", () => {
    const near = hopCycles(model, true, true, 10);
    expect(hopCycles(model, true, false, 16)).toBeGreaterThanOrEqual(near);
    expect(hopCycles(model, false, false, 21)).toBeGreaterThan(near);
    // Up to the distance that the figure is for it is the same; beyond, in proportion.
    expect(hopCycles(model, false, false, 12)).toBe(hopCycles(model, false, false, 21));
    expect(hopCycles(model, false, false, 43)).toBe(cyclesOf(model, 3 * model.lines.machine.value));
    expect(hopCycles(model, false, false, 32)).toBeGreaterThan(hopCycles(model, false, false, 21));
  });
});

describe("derivation from handoffs", () => {
  const clockMhz: Sourced = { value: 2000, source: "this test", confidence: "A" };
  const base = { name: "test", title: "a test", clockMhz };
  const fitted = { source: "this test", confidence: "fit" } as const;

  it("solves latencies and occupancies within a domain and between packages", () => {
    const { lines, parameters } = derive(genericX86, { ...base, handoffs: { domain: 40, machine: 130, ...fitted } });
    const [a, n, m] = [lines.cache.value, lines.node.value, lines.machine.value];
    expect(4 * a).toBeCloseTo(40, 0);
    expect(2 * a + parameters.llcOccupancy.value).toBeCloseTo(40, 0);
    expect(2 * a + n + 2 * m + parameters.homeOccupancy.value).toBeCloseTo(130, 0);
  });

  it("counts the distance of the machine that was measured", () => {
    const handoffs = { domain: 40, machine: 130, ...fitted };
    const near = derive(genericX86, { ...base, handoffs });
    const far = derive(genericX86, { ...base, handoffs: { ...handoffs, distance: 32 } });
    expect(hopCycles(far, false, false, 32)).toBe(hopCycles(near, false, false, 21));
  });

  it("without a figure between packages takes the neutral model's hop for the machine's own distance", () => {
    const solved = (distance: number) => derive(genericX86, { ...base, handoffs: { domain: 40, distance, ...fitted } });
    const { value } = genericX86.lines.machine;
    expect(hopCycles(solved(21), false, false, 21)).toBe(cyclesOf(solved(21), value));
    expect(hopCycles(solved(32), false, false, 32)).toBe(cyclesOf(solved(32), value));
    expect(solved(32).lines.machine.value).toBeCloseTo(value / 2);
  });

  it("meets three handoffs: within a node, to another package, and with the home there", () => {
    const handoffs = { domain: 24, node: 120, farHome: 240, machine: 240, ...fitted };
    const { lines, parameters } = derive(genericX86, { ...base, handoffs });
    const [a, n, m] = [lines.cache.value, lines.node.value, lines.machine.value];
    const occupancy = parameters.homeOccupancy.value;
    expect(2 * a + 3 * n + occupancy).toBeCloseTo(120, 0);
    expect(2 * a + n + 2 * m + occupancy).toBeCloseTo(240, 0);
  });

  it("marks what is solved from an estimate as one", () => {
    const handoffs = { domain: 40, machine: 130, source: "a guess of this test", confidence: "estimate" } as const;
    const { lines } = derive(genericX86, { ...base, handoffs });
    expect(lines.cache).toMatchObject({ confidence: "estimate", range: [7, 15] });
  });
});
