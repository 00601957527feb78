// The published figures of src/calibrate are the medians of the published files. Needs the files; passes over them elsewhere.

import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { handoffClasses, publications, type HandoffClass, type MeasuredShape } from "../../src/calibrate/published.ts";

const data = process.env["ALLSTOP_DATA"] ?? new URL("../../../shared/data/", import.meta.url).pathname;

const implementations = {
  "fetch-add": "atomic add",
  "compare-and-swap": "cas add",
  "ticket-lock": "ticket spin",
} as const;

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle) - 1] as number)) / 2;
}

function classOf(a: number, b: number, shape: MeasuredShape): HandoffClass {
  const [first, second] = [a % shape.cores, b % shape.cores];
  if (first === second) return "sibling";
  const group = (core: number, size: number): number => Math.floor(core / size);
  if (group(first, shape.coresPerLlc) === group(second, shape.coresPerLlc)) return "llc";
  const packageOf = group(first, shape.coresPerPackage);
  if (packageOf !== group(second, shape.coresPerPackage)) return "machine";
  return shape.homePackage === undefined || shape.homePackage === packageOf ? "package" : "package-far-home";
}

/** Medians of a matrix of which only the cells left of the diagonal are filled. */
function medians(text: string, shape: MeasuredShape): Partial<Record<HandoffClass, number>> {
  const cells = new Map<HandoffClass, number[]>();
  text
    .trimEnd()
    .split("\n")
    .forEach((line, row) => {
      line
        .split(",")
        .slice(0, row)
        .forEach((cell, column) => {
          const handoff = classOf(row, column, shape);
          const list = cells.get(handoff) ?? [];
          if (cell.trim() !== "") list.push(Number(cell));
          cells.set(handoff, list);
        });
    });
  return Object.fromEntries([...cells].map(([handoff, values]) => [handoff, Math.round(medianOf(values) * 10) / 10]));
}

describe.skipIf(!existsSync(data))("published files", () => {
  for (const [timing, { handoffs, contention }] of Object.entries(publications)) {
    if (handoffs?.matrix !== undefined) {
      const { file, shape } = handoffs.matrix;
      it(`${timing}: medians by class of ${file}`, () => {
        expect(medians(readFileSync(`${data}core-to-core/${file}`, "utf8"), shape)).toEqual(handoffs.ns);
      });
    }
    for (const { file, cpus: counts, ns } of contention ?? []) {
      it(`${timing}: medians of the trials of ${file}`, () => {
        const rows = readFileSync(`${data}atomics-contention/${file}`, "utf8")
          .trim()
          .split("\n")
          .map((line) => line.split(","));
        for (const [kind, published] of Object.entries(ns)) {
          const implementation = implementations[kind as keyof typeof implementations];
          const derived = counts.map((cpus) => {
            const trials = rows.filter((row) => row[2] === implementation && Number(row[1]) === cpus);
            return Math.round(medianOf(trials.map((row) => Number(row[3]))) * 10) / 10;
          });
          expect({ kind, derived }).toEqual({ kind, derived: published });
        }
      });
    }
  }
});

it("publications name their machine and source, and only classes that exist", () => {
  for (const { handoffs, contention } of Object.values(publications)) {
    expect(handoffs?.machine).toBeTruthy();
    expect(handoffs?.source).toBeTruthy();
    for (const handoff of Object.keys(handoffs?.ns ?? {})) expect(handoffClasses).toHaveProperty(handoff);
    for (const { cpus, ns } of contention ?? []) {
      for (const figures of Object.values(ns)) expect(figures).toHaveLength(cpus.length);
    }
  }
});
