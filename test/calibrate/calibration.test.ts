// The calibration document and its text; which CPUs are measured; interrupts.

import { beforeAll, describe, expect, it } from "vitest";
import { calibrate, type Calibration } from "../../src/calibrate/calibration.ts";
import { measureInterrupts } from "../../src/calibrate/interrupts.ts";
import { contenders, pairsOf } from "../../src/calibrate/pairs.ts";
import { errorPercent, slopeOf } from "../../src/calibrate/statistics.ts";
import { calibrationLines } from "../../src/calibrate/text.ts";
import { loadCore } from "../../src/core/load.ts";
import { findTimingModel, nsOf } from "../../src/timing/index.ts";
import { buildPreset, buildTopology, nodeDistance, type Topology } from "../../src/topology/index.ts";

describe("a whole calibration", () => {
  let calibration: Calibration;
  const shares: number[] = [];

  beforeAll(async () => {
    calibration = await calibrate("kunpeng920", { mostContenders: 4, onProgress: (share) => shares.push(share) });
  });

  it("is plain JSON with a format", () => {
    expect(calibration.format).toBe("allstop.calibration/1");
    expect(JSON.parse(JSON.stringify(calibration))).toEqual(calibration);
  });

  it("reports progress up to the end, and not past it", () => {
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  });

  it("compares only with what was published of the machine", () => {
    const compared = calibration.handoffs.filter((one) => one.publishedNs !== null).map((one) => one.class);
    expect(compared).toEqual(["llc", "package"]);
    expect(calibration.isWithinLimits).toBe(true);
    expect(calibration.contention.every(({ slope }) => slope.errorPercent === null)).toBe(true);
  });

  it("measures both kinds of atomics on arm64", () => {
    expect(calibration.contention.map(({ kind, atomics }) => `${kind} ${atomics}`)).toEqual([
      "fetch-add instruction",
      "compare-and-swap instruction",
      "ticket-lock instruction",
      "fetch-add llsc",
      "compare-and-swap llsc",
    ]);
    for (const { points } of calibration.contention) expect(points.map(({ cpus }) => cpus)).toEqual([1, 2, 4]);
  });

  it("has interrupts that cost more the farther they go and the deeper the target waits", () => {
    const costs = Object.fromEntries(calibration.interrupts.map(({ what, modelNs }) => [what, modelNs]));
    expect(costs["self"]).toBeLessThan(costs["one"] ?? 0);
    expect(costs["one"]).toBeLessThan(costs["one-far"] ?? 0);
    expect(costs["one"]).toBeLessThan(costs["all"] ?? 0);
    expect(costs["wake-wfi"]).toBeGreaterThan(100);
  });

  it("reads as a verdict, a table, pictures and sources", () => {
    const lines = calibrationLines(calibration);
    expect(lines[0]).toMatch(/^OK {2}kunpeng920: 2 of 2 published figures within their limits/);
    const text = lines.join("\n");
    expect(text).toMatch(/same last-level cache +35\.7 +35\.\d +[+-]?0\.\d %/);
    expect(text).toMatch(/ {3}4 +\d+\.\d █/);
    expect(text).toContain("hisilicon-kunpeng-920-6426-2-6ghz.csv");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(240);
  });
});

/** The CPU of the node that is farthest from the first CPU's. */
function farthestFrom(topology: Topology): number {
  const home = topology.cpus[0]!.node;
  return topology.cpus.reduce((far, cpu) =>
    nodeDistance(topology, home, cpu.node) > nodeDistance(topology, home, far.node) ? cpu : far,
  ).number;
}

describe.for([
  ["kunpeng920", "kunpeng-920"],
  ["zen2", "epyc-7742"],
] as const)("interrupts of %s", ([model, preset]) => {
  it("reach all when they reach the farthest, but for the time that copying takes: they leave together", async () => {
    const timing = findTimingModel(model);
    const topology = buildPreset(preset);
    const bench = { module: await loadCore(), topology, timing };
    const { run, sent } = measureInterrupts(bench, farthestFrom(topology), "busy");
    const { value: instruction } = timing.parameters.sendInterrupt;
    // A message leaves when the sending instruction starts, so the way there takes no more than what the sending costs the
    // sender without that instruction.
    const way = { one: sent.one - nsOf(timing, instruction), all: sent.all - nsOf(timing, instruction) };
    // It is taken behind the instruction that it finds under way; those of the busy loop are of these kinds.
    const { simple, load, store, branch } = timing.parameters;
    const ticks = Math.max(simple.value, load.value, store.value, branch.value);
    const boundary = nsOf(timing, Math.ceil(ticks / timing.issueWidth.value) + 1);
    expect(way.one).toBeGreaterThan(0);
    expect(run.all).toBeGreaterThanOrEqual(run.one - way.one - boundary);
    const { interruptCopy, interruptMember } = timing.parameters;
    const { nodes, llcs, online } = topology.counts;
    const skew = (nodes + llcs / nodes) * interruptCopy.value + (online / llcs) * interruptMember.value;
    expect(run.all).toBeLessThanOrEqual(run.one + way.all + boundary + skew);
    // Had the messages to keep their gap among themselves, the last would be later by far.
    const gaps = (topology.counts.online - 2) * timing.parameters.interruptGap.value;
    expect(way.all + boundary).toBeLessThan(gaps / 4);
  });
});

it("measures MWAIT and HLT on x86-64, and says when nothing is published", async () => {
  const calibration = await calibrate("generic-x86", { parts: ["interrupts"] });
  expect(calibration.isWithinLimits).toBeNull();
  expect(calibration.interrupts.map(({ what }) => what)).toContain("wake-mwait");
  expect(calibrationLines(calibration)[0]).toContain("nothing is published");
});

it("refuses an unknown model and says which there are", async () => {
  await expect(calibrate("zen9")).rejects.toMatchObject({ code: "NAME_UNKNOWN", value: "zen9" });
  await expect(calibrate("zen9")).rejects.toThrow(/allowed: .*zen3/);
});

describe("pairs", () => {
  const topology = buildPreset("epyc-7742");
  const cpu = (number: number) => topology.cpus[number]!;

  it("share what their class says", () => {
    for (const { cpus } of pairsOf(topology, "sibling")) expect(cpu(cpus[0]).core).toBe(cpu(cpus[1]).core);
    for (const { cpus } of pairsOf(topology, "package")) {
      expect(cpu(cpus[0]).package).toBe(cpu(cpus[1]).package);
      expect(cpu(cpus[0]).llc).not.toBe(cpu(cpus[1]).llc);
    }
    for (const { cpus, home } of pairsOf(topology, "package-far-home")) {
      expect(cpu(cpus[0]).package).toBe(cpu(cpus[1]).package);
      expect(cpu(home).package).not.toBe(cpu(cpus[0]).package);
    }
    expect(pairsOf(topology, "machine")).toHaveLength(3);
  });

  it("are none where a topology has no such", () => {
    const one = buildTopology({ architecture: "arm64", packages: 1, coresPerLlc: 4 });
    expect(pairsOf(one, "sibling")).toEqual([]);
    expect(pairsOf(one, "package-far-home")).toEqual([]);
    expect(contenders(one)).toEqual([0, 1, 2, 3]);
  });

  it("contend one thread per core, domain by domain", () => {
    const order = contenders(topology);
    expect(order).toHaveLength(128);
    expect(new Set(order.slice(0, 4).map((number) => cpu(number).llc)).size).toBe(1);
  });
});

it("states errors in percent and slopes by least squares", () => {
  expect(errorPercent(11, 10)).toBe(10);
  expect(errorPercent(11, null)).toBeNull();
  expect(
    slopeOf([
      [1, 5],
      [2, 7],
      [3, 9],
    ]),
  ).toBe(2);
  expect(slopeOf([[1, 5]])).toBeNaN();
});
