// A stop as a test of vitest: on two topologies it has to complete, with every oracle holding, within what the machine's owner can bear.
// The times are simulated, so they don't depend on the computer that runs the test, nor on what else it does.
//
//   npx vitest run examples/vitest-benchmark

import { simulate } from "allstop";
import { describe, expect, it } from "vitest";

const budgets = [
  { topology: "graviton2", rendezvousUs: 60 },
  { topology: "epyc-9654", rendezvousUs: 600 },
];

describe.each(budgets)("stop_machine() on $topology", ({ topology, rendezvousUs }) => {
  it.each(["idle", "mixed"])(`stops all CPUs within ${rendezvousUs} us of simulated time: %s`, async (common) => {
    const { verdict, passed, report } = await simulate({ machine: { topology }, load: { common } });
    expect(verdict).toBe("completed");
    expect(passed, report.outcome.story).toBe(true);
    expect(report.latency.rendezvousNs).toBeLessThan(rendezvousUs * 1000);
  });

  it("names the CPU that never answers", async () => {
    const load = { particular: [{ cpus: "17", kind: "wedged" }] };
    const { verdict, report } = await simulate({ machine: { topology }, load, limitUs: 20_000 });
    expect(verdict).toBe("hang");
    expect(report.outcome.missing.filter(({ isCulprit }) => isCulprit).map(({ cpu }) => cpu)).toEqual([17]);
  });
});
