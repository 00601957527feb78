// Thousands of CPUs: every kind of load completes, and one CPU that never answers is named.

import { describe, expect, it } from "vitest";
import { SCENARIO_FORMAT, simulate } from "../../src/index.ts";

const machines = [
  { architecture: "x86-64", cpus: 8192, wedged: 4711 },
  { architecture: "arm64", cpus: 4096, wedged: 77 },
] as const;

describe.each(machines)("$cpus CPUs of $architecture", ({ architecture, cpus, wedged }) => {
  it.each(["idle", "busy", "mixed"] as const)("stop and go on when %s", async (common) => {
    const { report } = await simulate({ format: SCENARIO_FORMAT, machine: { architecture, cpus }, load: { common } });
    expect(report.outcome).toMatchObject({ verdict: "completed", returned: 0, calls: { cpus: 1, total: 1 } });
    expect(report.phases.map(({ passed }) => passed)).toEqual([cpus, cpus, cpus, cpus]);
    expect(report.recordsLost).toBe(0);
  });

  it("hang at the limit when one never answers, and the report names it", async () => {
    const { report } = await simulate({
      format: SCENARIO_FORMAT,
      machine: { architecture, cpus },
      load: { common: "mixed", particular: [{ cpus: String(wedged), kind: "wedged" }] },
      limitUs: 30_000,
    });
    expect(report.outcome).toMatchObject({ verdict: "hang", returned: null, missingCount: 1 });
    expect(report.outcome.missing.map(({ cpu }) => cpu)).toEqual([wedged]);
    expect(report.outcome.story).toContain(`CPU ${wedged}`);
    expect(report.phases[0]).toMatchObject({ name: "PREPARE", passed: cpus - 1 });
  });
});
