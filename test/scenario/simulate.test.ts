// simulate(): what it takes, what it gives, and what it says of mistakes; policies of one's own among them.

import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { bind, i32, nothing, ptr, routine, slot } from "../../src/asm/index.ts";
import { AllstopError } from "../../src/errors.ts";
import { Request } from "../../src/guest/percpu.ts";
import { MultiStopData } from "../../src/guest/stop/data.ts";
import { runDirectly, runFunction } from "../../src/guest/stop/multi-stop.ts";
import { findPolicy, type Policy } from "../../src/policies/index.ts";
import { builtInScenario, type ScenarioFields } from "../../src/scenario/input.ts";
import { caseIds, findCase } from "../../src/scenario/catalogue.ts";
import { scenariosOf } from "../../src/scenario/case.ts";
import { simulate, type SimulateOptions } from "../../src/simulate.ts";
import { compare } from "../../src/sweep/compare.ts";
import { planSweep } from "../../src/sweep/plan.ts";
import { sweep } from "../../src/sweep/sweep.ts";

const small = { machine: { architecture: "arm64", cpus: 4 }, load: { common: "busy" } } as const;

describe("simulate() takes", () => {
  it("fields, a document, and its text alike", async () => {
    const document = { format: "allstop.scenario/1", ...small } as const;
    const digests = await Promise.all(
      [small, document, JSON.stringify(document)].map(async (one) => (await simulate(one)).digest),
    );
    expect(new Set(digests).size).toBe(1);
  });

  it("what a report says of itself: the same run again", async () => {
    const { report, digest } = await simulate({
      ...small,
      load: { common: "mixed" },
      policy: { active: "all", functionUs: 3 },
    });
    expect((await simulate(report.scenario)).digest).toBe(digest);
  });

  it("a built-in case, of which variant and size choose the run", async () => {
    const one = await findCase("S2");
    const [, second] = one.variants;
    const name = second?.name as string;
    const [document] = scenariosOf(one, second as NonNullable<typeof second>, 16);
    const { report, digest } = await simulate("S2", { variant: name, cpus: 16 });
    expect(report.machine.cpus).toBe(16);
    expect(digest).toBe((await simulate(document as ScenarioFields)).digest);
    expect((await builtInScenario("S2")).title).toContain(one.variants[0]?.name as string);
  });

  it("every file of scenarios/ that is a case, by name", async () => {
    const { readdir } = await import("node:fs/promises");
    const files = await readdir(new URL("../../scenarios/", import.meta.url));
    const named: string[] = [];
    for (const file of files) {
      const { format, id } = JSON.parse(
        await readFile(new URL(`../../scenarios/${file}`, import.meta.url), "utf8"),
      ) as { format: string; id?: string };
      if (format.startsWith("allstop.case/")) named.push(id as string);
    }
    expect(named.sort()).toEqual([...caseIds].sort());
  });
});

describe("a simulation", () => {
  it("agrees with its report", async () => {
    const { report, verdict, passed, digest, distributions, lateness } = await simulate({
      ...small,
      policy: { rounds: 3 },
    });
    expect([verdict, digest, passed]).toEqual([report.outcome.verdict, report.digest, true]);
    expect(distributions.stop.percentiles).toEqual(report.distributions.stopNs);
    expect(distributions.frozen.count).toBe(3 * 4);
    expect(lateness.map(({ cpu }) => cpu)).toEqual([0, 1, 2, 3]);
    for (const { from, until, parts } of lateness) {
      expect(parts.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(until - from);
    }
    const cycles = new Map(lateness.map(({ cpu, from, until }) => [cpu, until - from]));
    for (const { cpu, latenessCycles } of report.stragglers) expect(latenessCycles).toBe(cycles.get(cpu));
  });

  it("has not passed when a rule is broken, nor when the call hangs", async () => {
    const broken = await simulate("S10", { variant: "design C", cpus: 4 });
    expect([broken.verdict, broken.passed]).toEqual(["completed", false]);
    const load = { particular: [{ cpus: "2", kind: "wedged" }] } as const;
    const hung = await simulate({ ...small, load, limitUs: 2000 });
    expect([hung.verdict, hung.passed]).toEqual(["hang", false]);
  });
});

async function mistakeOf(work: () => Promise<unknown>): Promise<Pick<AllstopError, "code" | "at" | "message">> {
  const error: unknown = await work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof AllstopError)) throw new Error("no AllstopError", { cause: error });
  return error;
}

describe("a mistake is told with its place and what is allowed:", () => {
  it.each<[string, unknown, SimulateOptions, string, string | undefined, string]>([
    ["a word that is nothing", "stop", {}, "NAME_UNKNOWN", undefined, "a built-in one such as S24"],
    ["a case that is not there", "S99", {}, "NAME_UNKNOWN", undefined, "S1, S2, "],
    ["a variant that is not there", "S1", { variant: "E" }, "NAME_UNKNOWN", "variant", "design A, design B"],
    ["a variant of a document", {}, { variant: "E" }, "OPTION_INVALID", "variant", "only built-in scenarios"],
    ["a size for a document", {}, { cpus: 4 }, "OPTION_INVALID", "cpus", "only built-in scenarios"],
    ["a size that can't be", "S1", { cpus: 0 }, "SCENARIO_INVALID", "machine.cpus", "from 1 to 65536"],
    ["nothing", undefined, {}, "SCENARIO_INVALID", "document", "an object in braces"],
    ["null", null, {}, "SCENARIO_INVALID", "document", "an object in braces"],
    ["a list", [], {}, "SCENARIO_INVALID", "document", "an object in braces"],
    ["half a text", '{"format":', {}, "SCENARIO_INVALID", "1:11", "not JSON"],
    [
      "a path of the other architecture",
      { ...small, policy: { name: "reboot_2023" } },
      {},
      "SCENARIO_INVALID",
      "policy.name",
      "x86-64",
    ],
  ])("%s", async (_, scenario, options, code, at, text) => {
    const mistake = await mistakeOf(() => simulate(scenario as ScenarioFields, options));
    expect([mistake.code, mistake.at]).toEqual([code, at]);
    expect(mistake.message).toContain(text);
  });
});

const mainline = findPolicy("stop_machine");
const mine: Policy = { ...mainline, name: "mine" };
const ask = { ...small, policy: { name: "mine" } } as const;

const notThere = slot("nowhere_bound", {}, nothing);
const callsNothing = routine("request_nothing", { request: ptr(Request) }, i32, (k) => {
  k.call(notThere);
  k.return(0);
});
const runTwice = routine("stop_run_fn_twice", { msdata: ptr(MultiStopData) }, i32, (k, { msdata }) => {
  k.call(runDirectly, msdata);
  k.return(k.call(runDirectly, msdata));
});

describe("a policy of one's own", () => {
  it("is run, and judged by the same oracles", async () => {
    expect((await simulate(ask, { policies: [mine] })).passed).toBe(true);
    const twice = { ...mine, bindings: [bind(runFunction, runTwice)] };
    const { report, passed } = await simulate(ask, { policies: [twice] });
    expect(passed).toBe(false);
    expect(report.oracles.filter(({ held }) => !held).map(({ name }) => name)).toEqual(["exactly-once"]);
  });

  it("is known to nobody else", async () => {
    expect((await mistakeOf(() => simulate(ask))).code).toBe("NAME_UNKNOWN");
  });

  it("may be a built-in one, which changes nothing", async () => {
    const plain = await simulate(small);
    expect((await simulate(small, { policies: [mainline] })).digest).toBe(plain.digest);
  });

  it.each<[string, unknown, string, string | undefined, string]>([
    ["no list", mine, "OPTION_INVALID", "policies", "a list"],
    ["a name", ["stop_machine"], "OPTION_INVALID", "policies.0", "bindings, request, marks"],
    ["nothing, as of a wrong import", [mine, undefined], "OPTION_INVALID", "policies.1", "bindings, request, marks"],
    ["a name twice", [mine, { ...mine }], "OPTION_INVALID", "policies.1.name", "a name that no other policy has"],
    [
      "a built-in one's name",
      [{ ...mine, name: "stop_machine" }],
      "OPTION_INVALID",
      "policies.0.name",
      "no other policy",
    ],
    [
      "a state that it doesn't have",
      [{ ...mine, stoppedState: 5 }],
      "OPTION_INVALID",
      "policies.0.stoppedState",
      "1 to 4",
    ],
    [
      "a mark that is not there",
      [{ ...mine, marks: { ...mine.marks, enter: "multi_cpu_stop:entry" } }],
      "NAME_UNKNOWN",
      undefined,
      "multi_cpu_stop:enter",
    ],
    [
      "a local that the mark hasn't",
      [{ ...mine, marks: { ...mine.marks, caller: "msdate" } }],
      "NAME_UNKNOWN",
      undefined,
      "msdata",
    ],
    [
      "an open slot",
      [{ ...mine, request: { ...mine.request, call: callsNothing } }],
      "ASSEMBLY_INVALID",
      undefined,
      "bind(nowhere_bound",
    ],
    [
      "an option that no code has",
      [{ ...mine, options: { myDepth: { what: "", default: 1, least: 0, most: 2 } } }],
      "ASSEMBLY_INVALID",
      undefined,
      "myDepth",
    ],
  ])("is refused: %s", async (_, policies, code, at, text) => {
    const mistake = await mistakeOf(() => simulate(ask, { policies: policies as Policy[] }));
    expect(mistake.code).toBe(code);
    if (at !== undefined) expect(mistake.at).toBe(at);
    expect(mistake.message).toContain(text);
  });

  it("takes part in comparisons and sweeps, on this thread", async () => {
    const { summary } = await compare({
      policies: ["stop_machine", mine],
      cpus: [4],
      scenario: { machine: { architecture: "arm64" } },
    });
    const [one, other] = summary.points;
    expect(other?.metrics).toEqual(one?.metrics);
    const away = sweep({ scenario: ask, policies: [mine] }, { workers: 2 });
    expect(await mistakeOf(() => away.next())).toMatchObject({ code: "OPTION_INVALID", at: "workers" });
  });

  it("is another run to a journal when its code is another", async () => {
    const hashOf = async (policy: Policy): Promise<string | undefined> =>
      (await planSweep({ scenario: ask, policies: [policy] })).points[0]?.hash;
    const hash = await hashOf(mine);
    expect(await hashOf({ ...mine, title: "another title" })).toBe(hash);
    expect(await hashOf({ ...mine, bindings: [bind(runFunction, runTwice)] })).not.toBe(hash);
  });
});
