// The table of budgets: computed from the cases that ran, and from nothing else.

import { describe, expect, it } from "vitest";
import { budgetLines } from "../../bench/budgets.ts";
import type { Result } from "../../bench/measure.ts";

function seconds(name: string, value: number): Result {
  return { name, figure: "time", unit: "rendezvous", value, marginPercent: 0, samples: 1 };
}

function linesOf(results: readonly Result[]) {
  return budgetLines(results)
    .filter(({ verdict }) => verdict !== "not run")
    .map(({ on, measured, verdict }) => [on, measured, verdict]);
}

describe("a budget", () => {
  it("is missed, kept, or kept with the aim met", () => {
    expect([0.031, 0.03, 0.008].map((value) => linesOf([seconds("rendezvous/idle/arm64/4096", value)]))).toEqual([
      [["arm64", "31.00 ms", "MISSED"]],
      [["arm64", "30.00 ms", "kept"]],
      [["arm64", "8.00 ms", "aim met"]],
    ]);
  });

  it("of a rate is a least one, and takes the slowest case", () => {
    const rate = (cpus: number, value: number): Result => ({
      ...seconds(`instructions/private/x86-64/${cpus}`, value),
      figure: "rate",
    });
    expect(linesOf([rate(1, 1), rate(64, 200e6), rate(4096, 70e6)])).toEqual([["x86-64", "70.0 M/s", "kept"]]);
  });

  it("against another emulator needs both", () => {
    const ours = seconds("qemu/idle/arm64/512/allstop", 2e-3);
    expect(linesOf([ours, seconds("qemu/idle/arm64/512/qemu", 4e-3)])).toEqual([["arm64, 512", "0.50x", "kept"]]);
    expect(linesOf([ours, { name: "qemu/idle/arm64/512/qemu", skipped: "not installed" }])).toEqual([]);
  });

  it("of scale compares the time per CPU", () => {
    const results = [seconds("rendezvous/busy/x86-64/512", 1), seconds("rendezvous/busy/x86-64/65536", 256)];
    expect(linesOf(results)).toEqual([["x86-64, busy", "2.00x", "kept"]]);
  });
});
