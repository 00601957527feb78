// Faults of a scenario document: what a run makes of messages that come late or not at all, and what is refused.

import { describe, expect, it } from "vitest";
import { simulate } from "../../src/simulate.ts";
import { SCENARIO_FORMAT, type ScenarioInput } from "../../src/scenario/document.ts";
import type { Report } from "../../src/report/report.ts";
import { checkedCore } from "../support/bare-machine.ts";

type Faults = NonNullable<NonNullable<ScenarioInput["faults"]>["delivery"]>;

async function run(
  architecture: "x86-64" | "arm64",
  delivery: Faults,
  rest: Partial<ScenarioInput> = {},
): Promise<Report> {
  const document = {
    format: SCENARIO_FORMAT,
    machine: { architecture, cpus: 8 },
    load: { common: "busy" },
    faults: { delivery },
    limitUs: 2000,
    ...rest,
  } as const;
  return (await simulate(document, { core: checkedCore })).report;
}

describe.each(["x86-64", "arm64"] as const)("faults of delivery on %s", (architecture) => {
  it("make a CPU late by as much", async () => {
    const [plain, late] = await Promise.all([
      run(architecture, []),
      run(architecture, [{ cpus: "5", kind: "interrupt", delayNs: 30_000 }]),
    ]);
    expect(late.outcome.verdict).toBe("completed");
    const straggler = late.stragglers[0];
    expect(straggler?.cpu).toBe(5);
    const without = plain.stragglers.find(({ cpu }) => cpu === 5);
    const added = (straggler?.interruptedNs ?? NaN) - (without?.interruptedNs ?? NaN);
    expect(Math.abs(added - 30_000)).toBeLessThan(200);
  });

  it("mean the same in cycles and in nanoseconds", async () => {
    const machine = { architecture, cpus: 8 };
    const [ns, cycles] = await Promise.all([
      run(architecture, [{ cpus: "3-4", kind: "interrupt", delayNs: 2000 }], { machine }),
      run(architecture, [{ cpus: "3-4", kind: "interrupt", delayCycles: 5000 }], { machine }),
    ]);
    expect(ns.digest).toBe(cycles.digest);
  });

  it("lose an interrupt for good: the call hangs, and the report names the CPU", async () => {
    const { outcome } = await run(architecture, [{ cpus: "5", kind: "interrupt", lost: "all" }]);
    expect(outcome.verdict).toBe("hang");
    expect(outcome.missing.map(({ cpu }) => cpu)).toEqual([5]);
  });

  it("lose none for whom nobody interrupts", async () => {
    const kind = architecture === "x86-64" ? "smi" : "el3";
    const { outcome } = await run(architecture, [{ cpus: "0-7", kind, lost: "all" }]);
    expect(outcome.verdict).toBe("completed");
  });

  it("are part of the document that the report gives back", async () => {
    const delivery: Faults = [{ cpus: "2", kind: "interrupt", delayNs: 1000, lost: 3 }];
    const { scenario } = await run(architecture, delivery);
    expect(scenario.faults).toEqual({ delivery });
  });
});

describe("a document with faults", () => {
  it.each([
    [{ cpus: "9", kind: "interrupt", lost: 1 }, /faults\.delivery\.0\.cpus/],
    [{ cpus: "1", kind: "mail", lost: 1 }, /faults\.delivery\.0\.kind.*"mail"; allowed: interrupt, nmi/],
    [{ cpus: "1", kind: "el3", lost: 1 }, /faults\.delivery\.0\.kind.*x86-64 doesn't have.*"el3"/],
    [
      { cpus: "1", kind: "nmi" },
      /faults\.delivery\.0: a fault that changes nothing; allowed: delayNs, delayCycles or lost/,
    ],
    [{ cpus: "1", kind: "nmi", delayNs: 1, delayCycles: 1 }, /faults\.delivery\.0: a delay in two units/],
    [{ cpus: "1", kind: "nmi", delayNs: -1 }, /faults\.delivery\.0\.delayNs.*-1/],
    [{ cpus: "1", kind: "nmi", delayCycles: 0.5 }, /faults\.delivery\.0\.delayCycles.*0\.5/],
    [{ cpus: "1", kind: "nmi", lost: 0 }, /faults\.delivery\.0\.lost.*allowed: a whole number from 1.*or "all"/],
    [{ cpus: "1", kind: "nmi", lost: "some" }, /faults\.delivery\.0\.lost.*"some"/],
    [
      { cpus: "1", kind: "nmi", often: 1 },
      /faults\.delivery\.0\.often.*no such field; allowed: cpus, at, kind, delayNs/,
    ],
  ])("is refused for %j", async (fault, message) => {
    await expect(run("x86-64", [fault as Faults[number]])).rejects.toThrow(message);
  });
});
