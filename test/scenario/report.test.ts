// From a scenario to its report: the verdicts and what they say, the figures against each other, and that a report is a
// function of its document.

import { describe, expect, it } from "vitest";
import { bind, cast, constant, i32, ptr, routine, u32, u64 } from "../../src/asm/index.ts";
import { MultiStopData } from "../../src/guest/stop/data.ts";
import { runFunction } from "../../src/guest/stop/multi-stop.ts";
import { local } from "../../src/guest/percpu.ts";
import { probeRendezvous, readTimelines, type Timeline } from "../../src/measure/timeline.ts";
import { makeReport } from "../../src/report/make.ts";
import type { Report } from "../../src/report/report.ts";
import { formatNs, reportLines } from "../../src/report/text.ts";
import { simulate } from "../../src/simulate.ts";
import { SCENARIO_FORMAT, parseScenario, type ScenarioInput } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { executeScenario, prepareMachine } from "../../src/scenario/run.ts";
import { nsOf } from "../../src/timing/index.ts";
import { buildTopology } from "../../src/topology/index.ts";

const architectures = ["x86-64", "arm64"] as const;
const run = async (fields: Partial<ScenarioInput>): Promise<Report> => (await simulate(fields)).report;
const withoutHost = ({ host: _host, ...rest }: Report): object => rest;

describe.each(architectures)("reports on %s", (architecture) => {
  const machine = { architecture, cpus: 12 };

  it("are a function of the document: again the same, another seed another", async () => {
    const document = { machine, load: { common: "mixed" as const }, seed: 11 };
    const [one, again, other] = await Promise.all([run(document), run(document), run({ ...document, seed: 12 })]);
    expect(withoutHost(again)).toEqual(withoutHost(one));
    expect(other.digest).not.toBe(one.digest);
  });

  it("do not depend on being watched", async () => {
    const shares: number[] = [];
    const document: ScenarioInput = { format: SCENARIO_FORMAT, machine, policy: { rounds: 3 } };
    const watched = (await simulate(document, { onProgress: (share) => shares.push(share) })).report;
    expect(withoutHost(watched)).toEqual(withoutHost((await simulate(document)).report));
    expect(shares.length).toBeGreaterThan(3);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
  });

  it("hold figures that agree with each other", async () => {
    const report = await run({
      machine,
      policy: { rounds: 3, functionUs: 2, active: "all" },
      load: { common: "mixed" },
    });
    const { latency, phases, rounds, stragglers, outcome } = report;
    expect(outcome).toMatchObject({ verdict: "completed", calls: { cpus: 12, total: 36 } });
    expect(rounds).toHaveLength(3);
    expect(rounds.at(-1)).toEqual({ returned: 0, rendezvousNs: latency.rendezvousNs, totalNs: latency.totalNs });
    // The rendezvous is when the last CPU has its interrupts off.
    expect(phases[1]?.lastNs).toBe(latency.rendezvousNs);
    const ends = phases.map(({ lastNs }) => lastNs);
    expect(ends).toEqual([...ends].sort((a, b) => a - b));
    expect(latency.totalNs).toBeGreaterThan(ends.at(-1) ?? Infinity);
    phases.slice(1).forEach(({ firstNs }, index) => expect(firstNs).toBeGreaterThan(ends[index] ?? Infinity));
    // RUN takes at least as long as the function.
    expect((phases[2]?.lastNs ?? 0) - (phases[1]?.lastNs ?? 0)).toBeGreaterThan(2000);
    const arrivals = stragglers.map(({ enteredNs }) => enteredNs);
    expect(arrivals).toEqual([...arrivals].sort((a, b) => b - a));
    for (const { signalledNs, interruptedNs, wokenNs, enteredNs } of stragglers) {
      const steps = [signalledNs, wokenNs, interruptedNs, enteredNs].filter((step) => step !== null);
      expect(steps).toEqual([...steps].sort((a, b) => a - b));
    }
  });

  it("count each figure from the marks of the last call", async () => {
    const document = { machine, policy: { rounds: 2, active: "all" }, load: { common: "mixed" as const } };
    const result = await executeScenario({ format: SCENARIO_FORMAT, ...document });
    const { latency, phases, stragglers } = makeReport(result);
    const { timing } = result.expanded;
    const { call, enter, leave, acknowledge } = result.timelines[1] as Timeline;
    const ns = (from: number, to: number): number => nsOf(timing, to - from);
    const frozen = Array.from(leave, (cycle, cpu) => ns(enter[cpu] ?? NaN, cycle)).sort((a, b) => a - b);
    expect(latency.frozenNs).toMatchObject({ min: frozen[0], max: frozen[11] });
    // Not even the first to enter was frozen from the call on.
    expect(latency.frozenNs?.max).toBeLessThan(latency.totalNs ?? 0);
    expect(phases.map(({ firstNs, lastNs }) => [firstNs, lastNs])).toEqual(
      acknowledge.map((column) => [ns(call, Math.min(...column)), ns(call, Math.max(...column))]),
    );
    for (const { firstNs, lastNs } of phases) expect(firstNs).toBeLessThan(lastNs);
    for (const { cpu, enteredNs, stoppedNs } of stragglers) {
      // The rendezvous is the second state.
      expect([enteredNs, stoppedNs]).toEqual([enter, acknowledge[1]].map((column) => ns(call, column?.[cpu] ?? NaN)));
    }
  });

  it("name every wedged CPU, and count those that there is no room for", async () => {
    const report = await run({
      machine: { architecture, cpus: 60 },
      load: { particular: [{ cpus: "4-53", kind: "wedged" }] },
      limitUs: 300,
    });
    expect(report.outcome).toMatchObject({ verdict: "hang", returned: null, missingCount: 50 });
    expect(report.outcome.missing.map(({ cpu }) => cpu)).toEqual(Array.from({ length: 32 }, (_, index) => 4 + index));
    for (const { at, missing } of report.outcome.missing)
      expect([at.split("+")[0], missing]).toEqual(["wedged_work", "entering"]);
    expect(report.outcome.story).toMatch(/^not through after 300 us: CPU 4 \(.*\), .* and 46 more never arrived$/);
    expect(report.phases).toMatchObject([{ name: "PREPARE", passed: 10 }]);
    const text = reportLines(report).join("\n");
    expect(text).toContain("50 did not arrive:");
    expect(text).toContain("and 18 more");
  });

  it("tell a limit between rounds from a CPU that hangs", async () => {
    const whole = await run({ machine, policy: { rounds: 2 } });
    // In the pause before the second call.
    const until = whole.simulatedNs - (whole.latency.totalNs ?? NaN) - 10_000;
    const beforeReturn = await run({ machine, policy: { rounds: 2 }, limitUs: until / 1000 });
    expect(beforeReturn.outcome).toMatchObject({ verdict: "hang", missing: [] });
    expect(beforeReturn.outcome.story).toMatch(/every CPU is released, the requester has not finished$/);
    expect(beforeReturn.rounds).toHaveLength(1);
  });

  it("have the figures of the last call that returned, when the limit cuts the next one", async () => {
    const whole = await run({ machine, policy: { rounds: 3 } });
    const last = whole.latency.totalNs ?? NaN;
    const cut = await run({ machine, policy: { rounds: 3 }, limitUs: (whole.simulatedNs - last / 2) / 1000 });
    expect(cut.outcome.verdict).toBe("hang");
    expect(cut.rounds).toEqual(whole.rounds.slice(0, 2));
    const { rendezvousNs, totalNs } = whole.rounds[1] ?? {};
    expect(cut.latency).toMatchObject({ rendezvousNs, totalNs });
    expect(cut.latency.frozenNs).not.toBeNull();
    for (const { passed, expected } of cut.phases) expect([passed, expected]).toEqual([12, 12]);
    expect(cut.phases).toHaveLength(4);
  });

  it("CPU 0 offline: the next one calls and runs the function", async () => {
    const topology = buildTopology({ packages: 1, coresPerLlc: 5, threadsPerCore: 1, architecture, offline: "0,3" });
    const { report } = await simulate({ format: SCENARIO_FORMAT }, { topology });
    expect(report.machine).toMatchObject({ cpus: 5, online: 3 });
    expect(report.outcome.story).toBe("3 CPUs stopped and released, the function run on CPU 1");
  });
});

/** Goes wrong on CPU 2: through NULL, or into the undefined. */
const readNull = routine("test_read_null", { msdata: ptr(MultiStopData) }, i32, (k) => {
  k.if(local.here.cpu.eq(2), () => k.set(cast(constant(u64, 0x18), u32).at(0), 1));
  k.mark("start");
  k.mark("end");
  k.return(0);
});

describe("an exception that the guest does not handle", () => {
  it.each([
    [
      "x86-64",
      /^CPU 2 met exception 14, page fault \(CR2 0x18\) at test_read_null\+0x\w+, cycle \d+; the guest doesn't handle it$/,
    ],
    [
      "arm64",
      /^CPU 2 met a data abort \(FAR_EL1 0x18\) at test_read_null\+0x\w+, cycle \d+; the guest doesn't handle it$/,
    ],
  ] as const)("is named with CPU, values and place on %s", async (architecture, story) => {
    const scenario = parseScenario({
      format: SCENARIO_FORMAT,
      machine: { architecture, cpus: 4 },
      policy: { active: "all" },
    });
    const plain = expandScenario(scenario);
    const marks = { ...plain.policy.marks, functionStart: "test_read_null:start", functionEnd: "test_read_null:end" };
    const expanded = { ...plain, policy: { ...plain.policy, marks, bindings: [bind(runFunction, readNull)] } };
    const machine = await prepareMachine(expanded);
    const probes = probeRendezvous(machine, expanded.policy);
    machine.probe(marks.done, { break: true });
    machine.probe(marks.fatal, { break: true });
    const end = machine.run(5_000_000);
    const timelines = readTimelines(machine, probes, expanded.policy);
    const history = { observations: [], records: [] };
    const report = makeReport({ expanded, machine, end, injected: [], timelines, history, wallMs: 0 });
    expect(report.outcome.verdict).toBe("unhandled");
    expect(report.outcome.story).toMatch(story);
  });
});

describe("times as people read them", () => {
  it.each([
    [null, "-"],
    [NaN, "-"],
    [0, "0 ns"],
    [12.4, "12 ns"],
    [999.4, "999 ns"],
    [999.6, "1.00 us"],
    [1000, "1.00 us"],
    [12_345, "12.3 us"],
    [123_456, "123 us"],
    [999_600, "1.00 ms"],
    [999_999_999, "1.00 s"],
    [1e9, "1.00 s"],
    [6e10, "60.0 s"],
    [1.234e12, "1234 s"],
  ])("%s is %s", (ns, text) => expect(formatNs(ns)).toBe(text));
});

describe("text of a report", () => {
  it("has no doubled empty lines, whatever is missing", async () => {
    const reports = [
      await run({ machine: { cpus: 2 } }),
      await run({ machine: { cpus: 2 }, limitUs: 1 }),
      await run({ machine: { cpus: 2 }, load: { particular: [{ cpus: "1", kind: "wedged" }] }, limitUs: 200 }),
    ];
    for (const report of reports) {
      const lines = reportLines(report);
      expect(lines[0]).not.toBe("");
      expect(lines.at(-1)).not.toBe("");
      lines.forEach((line, index) => expect(line === "" && lines[index + 1] === "").toBe(false));
      expect(lines.filter((line) => /\s$/.test(line) || /undefined|NaN|null/.test(line))).toEqual([]);
    }
  });
});
