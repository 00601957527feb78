// The example documents run, and show what their titles say.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseScenarioText, type Scenario } from "../../src/scenario/document.ts";
import { simulate } from "../../src/simulate.ts";

function example(name: string): Scenario {
  const file = new URL(`../../examples/${name}.json`, import.meta.url);
  const source = readFileSync(file, "utf8");
  expect(source.split("\n")[1]).toBe('  "$schema": "../schema/scenario.schema.json",');
  return parseScenarioText(source);
}

describe("examples/", () => {
  it("busy-epyc.json: of two CPUs with interrupts off, the one that is signalled last keeps all waiting", async () => {
    const scenario = example("busy-epyc");
    const { report } = await simulate(scenario);
    const { outcome, stragglers } = report;
    expect(outcome).toMatchObject({ verdict: "completed", returned: 0, calls: { cpus: 384, total: 3 * 384 } });
    const blamed = stragglers.filter(({ causes }) => causes.some(({ cause }) => cause === "irqs-off"));
    expect(blamed.map(({ cpu }) => cpu)).toEqual([383]);
    const alone = (particular: Scenario["load"]["particular"]) =>
      simulate({ ...scenario, load: { common: "busy", particular } });
    const rendezvous = async (cpus: string): Promise<number> => {
      const {
        report: { latency },
      } = await alone([{ cpus, kind: "irqs-off", offUs: 300, onUs: 10 }]);
      return latency.rendezvousNs ?? NaN;
    };
    const busy = (await alone([])).report.latency.rendezvousNs ?? NaN;
    expect(Math.abs((await rendezvous("100")) - busy)).toBeLessThan(0.02 * busy);
    expect((await rendezvous("383")) - busy).toBeGreaterThan(0.1 * busy);
  });

  it("lost-interrupt.json: one CPU is to blame for the hang, another was late", async () => {
    const { report } = await simulate(example("lost-interrupt"));
    const { outcome, stragglers } = report;
    expect(outcome.verdict).toBe("hang");
    expect(outcome.missing.map(({ cpu, isCulprit }) => [cpu, isCulprit])).toEqual([[17, true]]);
    expect(outcome.missing[0]?.causes[0]?.cause).toBe("lost");
    const [last] = stragglers;
    expect(last?.cpu).toBe(5);
    expect(last?.causes.find(({ cause }) => cause === "descheduled")?.ns).toBeCloseTo(300_000, -2);
  });

  it("own-timing.json: CPUs take 20 us to leave idle, and the parameters are said to be the document's", async () => {
    const { report } = await simulate(example("own-timing"));
    const { outcome, stragglers, machine, scenario } = report;
    expect(outcome.verdict).toBe("completed");
    expect(machine.timing).toBe("zen3, changed");
    expect(scenario.machine.parameters).toEqual({ wakeMwait: 20_000, interrupt: 1000 });
    expect(stragglers[0]?.causes.find(({ cause }) => cause === "idle-exit")?.ns).toBeCloseTo(20_000, -1);
  });

  it("two-requesters.json: both get what they asked for", async () => {
    const { report } = await simulate(example("two-requesters"));
    const { outcome, rounds } = report;
    expect(outcome).toMatchObject({ verdict: "completed", returned: 0 });
    expect(rounds).toHaveLength(3);
    expect(outcome.online).toEqual(Array.from({ length: 30 }, (_, cpu) => cpu));
    expect(outcome.also).toMatchObject([{ policy: "cpu_offline", requester: 8, rounds: 2, returned: 0 }]);
  });
});
