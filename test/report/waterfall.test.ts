// The waterfall, read back from its SVG: who is in it, in which order, and its bars and signs at the times of the data.

import { describe, expect, it } from "vitest";
import { renderWaterfall } from "../../src/report/picture/waterfall.ts";
import { execute, hang, mixed } from "./runs.ts";
import { areasOf, readSvg, textsOf, timeOfPixels, type SvgElement } from "./svg.ts";

interface Row {
  readonly cpu: number;
  readonly y: number;
}

function rowsOf(elements: readonly SvgElement[]): Row[] {
  return textsOf(elements).flatMap(({ text, attributes }) => {
    const cpu = /^CPU (\d+)(, calls)?$/.exec(text)?.[1];
    return cpu === undefined ? [] : [{ cpu: Number(cpu), y: Number(attributes["y"]) }];
  });
}

it("has all of 16 CPUs in the order of arrival, bars as long as their states, signs at their boundaries", async () => {
  const { rendezvous } = await execute(mixed(16));
  const elements = readSvg(renderWaterfall(rendezvous));
  const nsOf = timeOfPixels(elements);
  const pixelNs = nsOf(1) - nsOf(0);
  const rows = rowsOf(elements);
  const order = [...rendezvous.cpus].sort((a, b) => (a.enteredNs ?? NaN) - (b.enteredNs ?? NaN));
  expect(rows.map(({ cpu }) => cpu)).toEqual(order.map(({ cpu }) => cpu));
  const areas = areasOf(elements, "state-");
  const signs = elements.flatMap(({ attributes }) => {
    const [, x, y] = /^translate\(([\d.]+) ([\d.]+)\)$/.exec(attributes["transform"] ?? "") ?? [];
    return x === undefined ? [] : [{ ns: nsOf(Number(x)), y: Number(y) }];
  });
  for (const { cpu, y } of rows) {
    const one = rendezvous.cpus.find((other) => other.cpu === cpu);
    const own = areas
      .filter(({ left, right, top, bottom }) => top <= y - 4 && bottom >= y - 4 && right - left > 0.06)
      .sort((a, b) => a.left - b.left);
    const wide = (one?.stretches ?? []).filter(({ fromNs, untilNs }) => untilNs - fromNs > 0.06 * pixelNs);
    expect(own.map(({ className }) => className)).toEqual(wide.map(({ state }) => `state-${state}`));
    for (const [index, { left, right }] of own.entries()) {
      expect(Math.abs(nsOf(left) - (wide[index]?.fromNs ?? NaN))).toBeLessThan(pixelNs / 10);
      expect(Math.abs(nsOf(right) - (wide[index]?.untilNs ?? NaN))).toBeLessThan(pixelNs / 10);
    }
    const passed = [
      one?.signalledNs,
      one?.deliveredNs,
      one?.takenNs,
      one?.enteredNs,
      one?.stoppedNs,
      one?.releasedNs,
      one?.resumedNs,
    ];
    const wanted = passed.filter((ns): ns is number => typeof ns === "number");
    const found = signs.filter((sign) => Math.abs(sign.y - y - 5) < 2).map(({ ns }) => ns);
    expect(found).toHaveLength(wanted.length);
    for (const [index, ns] of found.entries()) expect(Math.abs(ns - (wanted[index] ?? NaN))).toBeLessThan(pixelNs / 10);
  }
});

describe("of many CPUs", () => {
  it("has at most 40: the last to arrive as the report has them, the caller, and a sample of the others", async () => {
    const { rendezvous, report } = await execute(mixed(384));
    const rows = rowsOf(readSvg(renderWaterfall(rendezvous))).map(({ cpu }) => cpu);
    expect(rows.length).toBeLessThanOrEqual(40);
    expect(rows.length).toBeGreaterThan(30);
    expect(new Set(rows).size).toBe(rows.length);
    expect(rows.toReversed().slice(0, 8)).toEqual(report.stragglers.map(({ cpu }) => cpu));
    expect(rows).toContain(rendezvous.requester);
    const times = rows.map((cpu) => rendezvous.cpus.find((one) => one.cpu === cpu)?.enteredNs ?? NaN);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it.each([1, 2, 3, 17, 200])("has no more than %i where so many are asked for", async (cpus) => {
    const { rendezvous, report } = await execute(mixed(256));
    const rows = rowsOf(readSvg(renderWaterfall(rendezvous, { cpus }))).map(({ cpu }) => cpu);
    expect(rows.length).toBeLessThanOrEqual(cpus);
    expect(rows.at(-1)).toBe(report.stragglers[0]?.cpu);
  });
});

it("ends with who never came, says why, and cuts off what nobody does", async () => {
  const { rendezvous, report } = await execute(hang);
  const elements = readSvg(renderWaterfall(rendezvous));
  const rows = rowsOf(elements);
  expect(rows.at(-1)?.cpu).toBe(17);
  const own = textsOf(elements).filter(({ attributes }) => Number(attributes["y"]) === rows.at(-1)?.y);
  expect(own.map(({ text }) => text)).toEqual([
    "CPU 17",
    "wedged",
    "never",
    expect.stringMatching(/^IRQs off 1\.92 ms/) as string,
  ]);
  expect(report.outcome.missing.map(({ cpu }) => cpu)).toEqual([17]);
  const nsOf = timeOfPixels(elements);
  const end = Math.max(...areasOf(elements, "state-").map(({ right }) => nsOf(right)));
  const last = Math.max(...rendezvous.cpus.map(({ stretches }) => stretches.at(-1)?.fromNs ?? 0));
  expect(end).toBeGreaterThan(last);
  expect(end).toBeLessThan(last * 1.3);
});
