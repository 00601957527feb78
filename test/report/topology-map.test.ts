// The map of the machine, read back from its SVG: boxes in boxes, each CPU in the colour of its time by the legend, marks for outliers.

import { describe, expect, it } from "vitest";
import { layBoxes, type Box } from "../../src/report/picture/boxes.ts";
import { tickText } from "../../src/report/picture/parts.ts";
import { StepScale } from "../../src/report/picture/steps.ts";
import { renderTopology } from "../../src/report/picture/topology-map.ts";
import {
  buildPreset,
  buildTopology,
  parseTopologySpec,
  topologyForCpus,
  type Topology,
} from "../../src/topology/index.ts";
import { execute, mixed } from "./runs.ts";
import { nsOfText, readSvg, textsOf, type SvgElement } from "./svg.ts";

/** Which colour the legend gives to which times: the boxes at the top, with the texts below their edges. */
function legendOf(elements: readonly SvgElement[]): { className: string; from: number; to: number }[] {
  const boxes = elements.filter(
    ({ name, attributes }) => name === "rect" && /^step\d$/.test(attributes["class"] ?? ""),
  );
  const timeAt = (x: number): number => {
    const label = textsOf(elements).find(
      ({ text, attributes }) => Number(attributes["x"]) === x && nsOfText(text) !== undefined,
    );
    return nsOfText(label?.text ?? "") ?? NaN;
  };
  return boxes
    .filter(({ attributes }) => Number(attributes["height"]) === 12)
    .map(({ attributes }) => {
      const left = Number(attributes["x"]);
      return {
        className: attributes["class"] ?? "",
        from: timeAt(left),
        to: timeAt(left + Number(attributes["width"])),
      };
    });
}

/** What each CPU's box says when it is pointed at, and its colour. */
function cellsOf(elements: readonly SvgElement[]): { cpu: number; what: string; className: string }[] {
  return elements.flatMap(({ name, text }, index) => {
    const [, cpu, what = ""] = /^CPU (\d+): (.*)$/.exec(text) ?? [];
    if (name !== "title" || cpu === undefined) return [];
    return [{ cpu: Number(cpu), what, className: elements[index + 1]?.attributes["class"] ?? "" }];
  });
}

it.each([16, 384])("colours each of %i CPUs by when it arrived, as the legend says", async (cpus) => {
  const { rendezvous } = await execute(mixed(cpus));
  const elements = readSvg(renderTopology(rendezvous));
  const legend = legendOf(elements);
  const cells = cellsOf(elements);
  expect(cells.map(({ cpu }) => cpu).sort((a, b) => a - b)).toEqual(rendezvous.cpus.map(({ cpu }) => cpu));
  expect(legend.length).toBeGreaterThan(3);
  expect(new Set(legend.map(({ className }) => className)).size).toBe(legend.length);
  let beyond = 0;
  for (const { cpu, className } of cells) {
    const ns = rendezvous.cpus.find((one) => one.cpu === cpu)?.enteredNs ?? NaN;
    if (className.startsWith("beyond")) {
      beyond++;
      expect(
        isFarOut(
          ns,
          rendezvous.cpus.map(({ enteredNs }) => enteredNs ?? NaN),
        ),
      ).toBe(true);
    } else {
      const step = legend.find((one) => className.startsWith(`${one.className} `));
      expect(ns).toBeGreaterThanOrEqual(step?.from ?? NaN);
      expect(ns).toBeLessThanOrEqual(step?.to ?? NaN);
    }
  }
  // One in the legend.
  const dots = elements.filter(({ name }) => name === "circle").length;
  expect(dots).toBe(beyond === 0 ? 0 : beyond + 1);
});

/** Tukey's outer fence, by sorting. */
function isFarOut(value: number, all: readonly number[]): boolean {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? NaN;
  return value > at(0.75) + 3 * (at(0.75) - at(0.25));
}

it("colours by the stop, if that is asked for", async () => {
  const { rendezvous, report } = await execute(mixed(16));
  const cells = cellsOf(readSvg(renderTopology(rendezvous, { moment: "stopped" })));
  const [last] = report.phases.filter(({ name }) => name === "DISABLE_IRQ");
  const what = cells.find(({ cpu }) => cpu === last?.lastCpu)?.what;
  expect(what).toBe(`stopped ${((last?.lastNs ?? 0) / 1000).toPrecision(3)} us from the call`);
});

it("crosses out who never came, and names them", async () => {
  const { rendezvous } = await execute({
    machine: { cpus: 64 },
    load: { particular: [{ cpus: "9,21", kind: "wedged" }] },
    limitUs: 500,
  });
  const elements = readSvg(renderTopology(rendezvous));
  expect(textsOf(elements).map(({ text }) => text)).toContain("2 never came: CPUs 9,21");
  const crosses = elements.filter(({ name, attributes }) => name === "path" && attributes["class"] === "rule line");
  expect(crosses).toHaveLength(3);
  expect(
    cellsOf(elements)
      .filter(({ what }) => what === "never arrived")
      .map(({ cpu }) => cpu),
  ).toEqual([9, 21]);
});

function inside(inner: Box, outer: Box): boolean {
  return (
    inner.x >= outer.x - 1e-9 &&
    inner.y >= outer.y - 1e-9 &&
    inner.x + inner.width <= outer.x + outer.width + 1e-9 &&
    inner.y + inner.height <= outer.y + outer.height + 1e-9
  );
}

function apart(a: Box, b: Box): boolean {
  const epsilon = 1e-9;
  return (
    a.x + a.width <= b.x + epsilon ||
    b.x + b.width <= a.x + epsilon ||
    a.y + a.height <= b.y + epsilon ||
    b.y + b.height <= a.y + epsilon
  );
}

describe("boxes", () => {
  const machines: [string, Topology][] = [
    ["1 CPU", topologyForCpus(1, "x86-64")],
    ["16 CPUs", topologyForCpus(16, "x86-64")],
    ["384 CPUs", topologyForCpus(384, "x86-64")],
    ["4,096 CPUs", topologyForCpus(4096, "arm64")],
    ["kunpeng-920, which has two nodes in a package", buildPreset("kunpeng-920")],
    ["a package of 1,024 cores of 4 threads", buildTopology(parseTopologySpec("1x1024x4"))],
    ["300 packages", buildTopology(parseTopologySpec("300x2x1"))],
    ["65,536 CPUs", topologyForCpus(65_536, "x86-64")],
  ];

  it.each(machines)(
    "of %s are in the boxes that they belong to, apart from each other, and on the picture",
    (_, topology) => {
      const room = { width: 912, height: 760 };
      const { boxes, width, height } = layBoxes(topology, room, (text) => text.length * 6);
      expect(width).toBeLessThanOrEqual(room.width);
      expect(height).toBeLessThanOrEqual(room.height);
      const threads = boxes.filter(({ level }) => level === "thread");
      expect(threads.map(({ index }) => index).sort((a, b) => a - b)).toEqual(
        topology.cpus.map(({ number }) => number),
      );
      for (const level of ["package", "node", "llc", "core"] as const) {
        const groups = boxes.filter((box) => box.level === level);
        const members = new Map<number, Box[]>();
        for (const thread of threads) {
          const cpu = topology.cpus[thread.index];
          const index = (level === "node" ? topology.nodes[cpu?.node ?? -1]?.number : cpu?.[level]) ?? NaN;
          const own = members.get(index);
          if (own === undefined) members.set(index, [thread]);
          else own.push(thread);
        }
        for (const [index, group] of groups.entries()) {
          expect(groups.slice(index + 1, index + 20).every((other) => apart(group, other))).toBe(true);
          const own = members.get(group.index) ?? [];
          expect([own.length > 0, own.every((thread) => inside(thread, group))]).toEqual([true, true]);
        }
      }
      const meeting = threads.filter((thread, index) =>
        threads.slice(index + 1, index + 12).some((other) => !apart(thread, other)),
      );
      expect(meeting).toEqual([]);
    },
  );
});

describe("steps", () => {
  it.each([
    ["small numbers", [0, 9]],
    ["numbers with many digits", [1234.5, 98765.4]],
    ["numbers close together", [1e6, 1e6 + 1]],
    ["one number", [5]],
    ["one number of three digits", [1701.5]],
    ["hours", [3.6e12, 3.601e12]],
    ["numbers that grow", Array.from({ length: 100 }, (_, index) => 1e5 + index ** 3)],
  ])("hold %s between round edges", (_, values) => {
    const scale = new StepScale(values);
    const { edges } = scale;
    expect(edges.length).toBeGreaterThan(1);
    expect(edges.length).toBeLessThanOrEqual(10);
    expect(edges[0]).toBeLessThanOrEqual(Math.min(...values));
    expect(edges.at(-1)).toBeGreaterThanOrEqual(scale.most);
    expect(new Set(edges.map(tickText)).size).toBe(edges.length);
    const step = (edges[1] ?? NaN) - (edges[0] ?? NaN);
    expect([1, 2, 2.5, 5, 10]).toContain(Number((step / 10 ** Math.floor(Math.log10(step * 1.001))).toPrecision(6)));
    for (const [index, edge] of edges.slice(0, -1).entries()) {
      expect([scale.colourOf(edge), scale.colourOf(edge + step / 1000)]).toEqual(
        Array.from({ length: 2 }, () => scale.colourOfStep(index)),
      );
    }
    const colours = [...values]
      .sort((a, b) => a - b)
      .filter((value) => !scale.isBeyond(value))
      .map((value) => scale.colourOf(value));
    expect(colours).toEqual([...colours].sort((a, b) => a - b));
  });
});
