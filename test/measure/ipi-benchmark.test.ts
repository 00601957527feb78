// The benchmark of interrupts: what its guest program does, to the cycle where the timing model says it all, and its report.

import { describe, expect, it } from "vitest";
import { BENCHMARK_WARM_UP } from "../../src/guest/smp/ipi-benchmark.ts";
import { publishedInterrupts } from "../../src/measure/published-interrupts.ts";
import { reportLines } from "../../src/report/text.ts";
import { simulate } from "../../src/simulate.ts";
import { SCENARIO_FORMAT, parseScenario, type ScenarioInput } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { prepareMachine } from "../../src/scenario/run.ts";
import { findTimingModel, nsOf } from "../../src/timing/index.ts";
import type { Report } from "../../src/report/report.ts";
import { checkedCore } from "../support/bare-machine.ts";

const architectures = ["x86-64", "arm64"] as const;
type Architecture = (typeof architectures)[number];

function scenario(architecture: Architecture, rest: Partial<ScenarioInput> = {}): ScenarioInput {
  return {
    format: SCENARIO_FORMAT,
    machine: { architecture, cpus: 16 },
    policy: { name: "ipi-benchmark", rounds: 6 },
    load: { common: "busy" },
    ...rest,
  };
}

const run = async (document: ScenarioInput): Promise<Report> =>
  (await simulate(document, { core: checkedCore })).report;

function caseOf(report: Report, name: string) {
  const found = report.interrupts?.cases.find((one) => one.case === name);
  if (found === undefined) throw new Error(`no case ${name}`);
  return found;
}

describe.each(architectures)("the benchmark of interrupts on %s", async (architecture) => {
  const report = await run(scenario(architecture));
  const timing = findTimingModel(architecture === "x86-64" ? "generic-x86" : "generic-arm64");

  it("runs every case of the kernel's module, and the ways of sending that it doesn't take", () => {
    expect(report.outcome.verdict).toBe("completed");
    const names = report.interrupts?.cases.map((one) => one.case);
    const nmi = architecture === "x86-64" ? ["nmi"] : [];
    expect(names).toEqual(["dry", "self", "one", "all", "lock", "broadcast", "lists", "each", ...nmi]);
    expect(report.interrupts?.cases.map(({ rounds }) => rounds)).toEqual(names?.map(() => 6));
  });

  it("interrupts the other CPU: the way there, entry and return are in it", () => {
    const { runNs, returnNs } = caseOf(report, "one");
    const { interrupt, exceptionEntry } = timing.parameters;
    const least = interrupt.value + nsOf(timing, exceptionEntry.value);
    expect(runNs).toBeGreaterThan(least);
    expect(runNs).toBeLessThan(2 * least);
    expect(returnNs).toBeGreaterThan(runNs ?? NaN);
  });

  it("calls its own function without an interrupt, and does nothing in a dry run", () => {
    const [dry, self] = [caseOf(report, "dry"), caseOf(report, "self")];
    expect(dry.returnNs).toBeLessThan(self.returnNs);
    expect(self.runNs).toBeLessThan(timing.parameters.selfInterrupt.value);
  });

  it("sends to all in the kernel's way: the same figures as by that way alone", () => {
    const all = caseOf(report, "all");
    const way = caseOf(report, report.interrupts?.kernelsWay ?? "");
    expect(report.interrupts?.kernelsWay).toBe(architecture === "x86-64" ? "broadcast" : "lists");
    expect(Math.abs(all.returnNs / way.returnNs - 1)).toBeLessThan(0.05);
    expect(caseOf(report, "lock").returnNs).toBeGreaterThanOrEqual(all.returnNs * 0.98);
  });

  it("costs the sender least by broadcast, most by one write per CPU", () => {
    const [broadcast, lists, each] = ["broadcast", "lists", "each"].map((name) => caseOf(report, name).fanOut);
    expect(broadcast?.sendNs).toBeLessThan(lists?.sendNs ?? NaN);
    expect(lists?.sendNs).toBeLessThan(each?.sendNs ?? NaN);
    for (const fanOut of [broadcast, lists, each]) {
      expect(fanOut?.firstNs).toBeLessThanOrEqual(fanOut?.medianNs ?? NaN);
      expect(fanOut?.medianNs).toBeLessThanOrEqual(fanOut?.lastNs ?? NaN);
    }
    expect((each?.lastNs ?? NaN) - (each?.firstNs ?? NaN)).toBeGreaterThan(
      (broadcast?.lastNs ?? NaN) - (broadcast?.firstNs ?? NaN),
    );
  });

  it("runs the function as often as it says, on every CPU that it is for", async () => {
    const expanded = expandScenario(parseScenario(scenario(architecture)));
    const machine = await prepareMachine(expanded, { core: checkedCore });
    const handler = machine.probe("handle_ipi:start").number;
    machine.probe(expanded.policy.marks.done, { break: true });
    expect(machine.run(100_000_000)).toMatchObject({ kind: "probe", probe: expanded.policy.marks.done });
    const calls = Array.from({ length: 16 }, () => 0);
    for (const { cpu, subject } of machine.trace) if (subject === handler) calls[cpu] = (calls[cpu] ?? 0) + 1;
    // Four cases come to every other CPU, `one` to CPU 1 as well, `self` to CPU 0.
    const rounds = 6 + BENCHMARK_WARM_UP;
    expect(calls).toEqual(calls.map((_, cpu) => (cpu === 0 ? rounds : cpu === 1 ? 5 * rounds : 4 * rounds)));
  });

  it("prints in the module's form, beside what was published, saying which of it are guests", () => {
    const lines = reportLines(report);
    const number = String.raw`\s+\d+`;
    for (const title of ["Dry-run", "Self-IPI", "Normal IPI", "Broadcast IPI", "Broadcast lock"]) {
      const line = lines.find((one) => one.startsWith(`  ${title}:`));
      expect(line).toMatch(new RegExp(`^ {2}${title}:${number},${number} ns$`));
    }
    // 100,000 rounds, as the module makes.
    const normal = lines.find((line) => line.includes("Normal IPI:"));
    expect(normal).toContain(` ${Math.round((caseOf(report, "one").runNs ?? NaN) * 100_000)},`);
    const published = publishedInterrupts.filter((one) => [architecture, "ppc64"].includes(one.architecture));
    for (const { machine, where } of published) {
      const line = lines.find((one) => one.startsWith(`  ${machine}  `));
      expect(line?.includes("guest: not comparable")).toBe(where === "guest");
    }
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(240);
  });

  it("gives the same with every acceleration off", async () => {
    const document = scenario(architecture, {
      machine: { architecture, cpus: 6 },
      policy: { name: "ipi-benchmark", rounds: 2 },
    });
    const accelerations = { runAhead: false, spinElision: false, spinTrains: false };
    const [fast, slow] = await Promise.all([run(document), simulate(document, { core: checkedCore, accelerations })]);
    expect({ ...fast, host: undefined }).toEqual({ ...slow.report, host: undefined });
  });

  it("names the CPU that doesn't answer, and the case", async () => {
    const { outcome } = await run(
      scenario(architecture, { load: { particular: [{ cpus: "5", kind: "wedged" }] }, limitUs: 3000 }),
    );
    expect(outcome.verdict).toBe("hang");
    expect(outcome.missing.map(({ cpu, missing }) => [cpu, missing])).toEqual([[5, "all"]]);
    expect(outcome.story).toContain("CPU 5 (wedged");
  });

  it("shows the interrupt that a fault loses", async () => {
    const { outcome } = await run(
      scenario(architecture, { faults: { delivery: [{ cpus: "9", kind: "interrupt", lost: "all" }] }, limitUs: 3000 }),
    );
    expect(outcome.missing.map(({ cpu, missing }) => [cpu, missing])).toEqual([[9, "all"]]);
  });

  it("measures the delay that a fault adds", async () => {
    const faults = { delivery: [{ cpus: "1", kind: "interrupt" as const, delayNs: 5000 }] };
    const late = await run(scenario(architecture, { faults }));
    const added = (caseOf(late, "one").runNs ?? NaN) - (caseOf(report, "one").runNs ?? NaN);
    expect(Math.abs(added - 5000)).toBeLessThan(20);
  });
});

describe("a scenario of the benchmark", () => {
  it("names what it can't do", async () => {
    const refused = (policy: ScenarioInput["policy"], cpus = 4) =>
      expect(run({ format: SCENARIO_FORMAT, machine: { cpus }, policy: { name: "ipi-benchmark", ...policy } })).rejects;
    await refused({}, 1).toThrow(/policy.targets: CPUs that ipi-benchmark is about; found "none"; allowed: 1 CPUs/);
    await refused({ targets: "0" }).toThrow(/the CPU to interrupt; found "0"; allowed: an online CPU/);
    await refused({ also: [{ name: "ipi-benchmark", requester: 2 }] }).toThrow(/policy.also.0.name/);
  });

  it("may have a stop path meanwhile, which its interrupts wait for", async () => {
    const document = scenario("x86-64");
    const also = [{ name: "stop_machine", requester: 3, rounds: 3 }];
    const report = await run({ ...document, policy: { ...document.policy, also } });
    expect(report.outcome.verdict).toBe("completed");
    expect(report.outcome.also).toMatchObject([{ policy: "stop_machine", rounds: 3, returned: 0 }]);
  });
});
