// The short form of the campaigns: some thousand inputs of every target. And the harness itself: what must be found, is.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Core } from "../../src/core/core.ts";
import { CpuMask } from "../../src/cpumask/index.ts";
import { AllstopError } from "../../src/errors.ts";
import { checkedCore } from "../support/bare-machine.ts";
import type { Random } from "../support/random.ts";
import { runCampaign, type Total } from "./campaign.ts";
import { arm64CodeTarget, arm64Dialect } from "./code/arm64.ts";
import type { CodeInput, Dialect } from "./code/input.ts";
import { buildMachine, openCode } from "./code/target.ts";
import { load } from "./code/trial.ts";
import { x86CodeTarget, x86Dialect } from "./code/x86-64.ts";
import { cpulistTarget } from "./cpulists.ts";
import { arm64RegisterTarget } from "./registers/arm64.ts";
import { firmwareTarget } from "./registers/firmware.ts";
import { x86RegisterTarget } from "./registers/x86-64.ts";
import { commandFor, describeFinding, randomOf, runInputs, type Finding } from "./run.ts";
import { resultTable } from "./table.ts";
import { ACCEPTED, BrokenProperty, type Target } from "./target.ts";
import { targetNamed, targets } from "./targets.ts";

const INPUTS = 400;
/** Each is a program of hundreds of operations. */
const PROGRAMS = 40;
const programs = new Set([x86RegisterTarget.name, arm64RegisterTarget.name, firmwareTarget.name]);

afterEach(() => void vi.restoreAllMocks());

describe("every target", () => {
  it.each(targets.map(({ name }) => name))("%s takes or refuses what it is given", async (name) => {
    const count = programs.has(name) ? PROGRAMS : INPUTS;
    const results = await runInputs(targetNamed(name), checkedCore, { seed: 20_261_121, first: 0, count });
    expect(results.findings.map(describeFinding)).toEqual([]);
    expect(results.inputs).toBe(count);
    // Most programs get far, and further with each turn.
    if (programs.has(name)) expect(results.operations).toBeGreaterThan(20 * count);
    // Inputs that all end in the same way would try one thing only.
    expect(results.outcomes.size).toBeGreaterThan(1);
  });

  it.each(targets.map(({ name }) => name))("%s draws the same input alone", async (name) => {
    const target = targetNamed(name);
    const [one, other] = [await target.open(checkedCore), await target.open(checkedCore)];
    const texts = Array.from({ length: 50 }, (_, number) => one.show(one.draw(randomOf(name, 5, number), number)));
    expect(other.show(other.draw(randomOf(name, 5, 37), 37))).toBe(texts[37]);
    expect(new Set(texts).size).toBeGreaterThan(40);
  });

  it("has its share of ten million", () => {
    expect(targets.reduce((sum, { share }) => sum + share, 0)).toBe(10_000_000);
    expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length);
    expect(() => targetNamed("nothing")).toThrow(/no such fuzz target; found "nothing"; allowed: x86-64-code, /);
  });
});

describe("a machine that is used again", () => {
  it.each<[string, () => Dialect]>([
    [x86CodeTarget.name, x86Dialect],
    [arm64CodeTarget.name, arm64Dialect],
  ])("is a new one to the last byte: %s", (name, makeDialect) => {
    const dialect = makeDialect();
    const subject = openCode(dialect, checkedCore);
    for (const seed of [8, 17]) {
      const [used, fresh] = [buildMachine(dialect, seed, checkedCore), buildMachine(dialect, seed, checkedCore)];
      for (let number = 0; number < 300; number++) {
        const input = subject.draw(randomOf(name, 3, number), number);
        load(used.reusable, { ...input, starts: input.starts.filter(({ cpu }) => cpu < used.cpus) });
        used.reusable.bare.run(300);
      }
      used.reusable.restore();
      expect(firstDifference(used.reusable, fresh.reusable)).toBe(-1);
    }
  });
});

/** Address of the first byte that differs, apart from what is written before it is read; -1 for none. */
function firstDifference(
  { bare, scratch }: ReturnType<typeof buildMachine>["reusable"],
  other: ReturnType<typeof buildMachine>["reusable"],
): number {
  const [a, b] = [Buffer.from(bare.core.buffer), Buffer.from(other.bare.core.buffer)];
  for (const [start, end] of [[0, scratch.start] as const, [scratch.end, bare.core.memoryBytes] as const]) {
    if (a.compare(b, start, end, start, end) === 0) continue;
    for (let at = start; at < end; at++) if (a[at] !== b[at]) return at;
  }
  return -1;
}

// --- the harness itself ------------------------------------------------------------------------------------------------------

/** Takes small numbers; throws at 7. */
function brokenTarget(problem: (number: number) => never): Target<number> {
  return {
    name: "broken",
    what: "numbers",
    share: 0,
    refusals: ["OPTION_INVALID"],
    open: () =>
      Promise.resolve({
        draw: (random: Random, number: number) => (number === 7 ? number : random.between(10, 20)),
        attempt: (input: number) => (input === 7 ? problem(input) : ACCEPTED),
        show: (input: number) => `the number ${input}`,
      }),
  };
}

async function findingsOf(target: Target<never>, count = 20): Promise<Finding[]> {
  return (await runInputs(target, checkedCore, { seed: 9, first: 0, count })).findings;
}

describe("the harness", () => {
  it.each<[string, () => never, RegExp]>([
    ["an error of no type", () => raise(new TypeError("x is undefined")), /TypeError: x is undefined/],
    ["a property that doesn't hold", () => raise(new BrokenProperty("a is b")), /BrokenProperty: a is b/],
    ["a trap", () => raise(new AllstopError("CORE_TRAPPED", "the core failed")), /the core failed.*\(CORE_TRAPPED\)/s],
    ["another code than the target's", () => raise(new AllstopError("NAME_UNKNOWN", "who")), /who.*\(NAME_UNKNOWN\)/s],
    ["what is no error", () => raise("oops"), /something else than an error was thrown: oops/],
  ])("finds %s, and says with which input", async (_, problem, text) => {
    const findings = await findingsOf(brokenTarget(problem) as Target<never>);
    expect(findings).toMatchObject([{ target: "broken", seed: 9, number: 7, input: "the number 7" }]);
    const [finding] = findings as [Finding];
    expect(finding.problem).toMatch(text);
    expect(describeFinding(finding)).toMatch(/^broken, seed 9, input 7: /);
    expect(commandFor(finding)).toBe("npm run fuzz -- --target broken --seed 9 --first 7 --count 1");
  });

  it("counts refusals, and goes on behind a finding", async () => {
    const refusing = brokenTarget(() => raise(new AllstopError("OPTION_INVALID", "no")));
    const { inputs, outcomes, findings } = await runInputs(refusing, checkedCore, { seed: 1, first: 5, count: 10 });
    expect([inputs, findings.length, Object.fromEntries(outcomes)]).toEqual([
      10,
      0,
      { accepted: 9, OPTION_INVALID: 1 },
    ]);
    expect(await findingsOf(brokenTarget(() => raise(new Error("no"))) as Target<never>, 8)).toHaveLength(1);
  });

  it("finds a mask that is written wrongly", async () => {
    vi.spyOn(CpuMask.prototype, "toListString").mockReturnValue("3");
    const [finding] = await findingsOf(cpulistTarget as Target<never>, 300);
    expect(finding?.problem).toMatch(/BrokenProperty: .*written and read again/);
    expect(finding?.input).toMatch(/^\{"format":"/);
  });

  it.each<[string, Target<CodeInput>, number, RegExp]>([
    ["code", x86CodeTarget, 0, /BrokenProperty: state with .* off, cut in three/],
    ["registers", arm64RegisterTarget, 0, /BrokenProperty: state with .* off, cut in three/],
    ["registers, copied", firmwareTarget, 1, /BrokenProperty: state of a copy made at cycle/],
  ])("finds a machine whose state depends on how it was run: %s", async (_, target, first, problem) => {
    let calls = 0n;
    vi.spyOn(Core.prototype, "digest").mockImplementation(() => calls++);
    const { findings } = await runInputs(target, checkedCore, { seed: 9, first, count: 1 });
    expect(findings[0]?.problem).toMatch(problem);
    expect(findings[0]?.input).toMatch(/"contents":\[\["0x/);
  });

  it.each([
    ["endless", /no end within 1 s/],
    ["deadly", /the worker dies/],
  ])("finds an input that is %s", async (target, problem) => {
    const findings: Finding[] = [];
    const totals = await runCampaign([{ target, seed: 4, first: 100, count: 3 }], {
      core: "",
      workers: 1,
      patienceSeconds: 1,
      worker: new URL("./stuck-worker.mjs", import.meta.url),
      onProgress: () => undefined,
      onFinding: (finding) => findings.push(finding),
    });
    expect(findings).toMatchObject([{ target, seed: 4, number: 102 }]);
    expect(findings[0]?.problem).toMatch(problem);
    expect(totals.get(target)).toMatchObject({ inputs: 3, findings: 1 });
  });

  it("prints a table", () => {
    const total: Total = {
      inputs: 3000,
      operations: 90_000,
      seconds: 2,
      findings: 1,
      outcomes: new Map([[ACCEPTED, 2998]]),
    };
    expect(resultTable(new Map([["some", { ...total, outcomes: total.outcomes.set("XML_LIMIT", 1) }]]), 4)).toBe(
      [
        "target  inputs  accepted  seconds  inputs/s  operations  findings",
        "some     3,000     2,998      2.0     1,500      90,000         1",
        "    accepted 2,998, XML_LIMIT 1",
        "all      3,000                4.0       750      90,000         1",
      ].join("\n"),
    );
  });
});

function raise(error: unknown): never {
  throw error;
}

describe("npm run fuzz", () => {
  const run = promisify(execFile);
  const folder = fileURLToPath(new URL("../..", import.meta.url));
  const fuzz = (...options: string[]) =>
    run(process.execPath, ["--import", "./test/fuzz/typescript.mjs", "test/fuzz/main.ts", ...options], { cwd: folder });

  it("tries inputs on worker threads and says what became of them", async () => {
    const { stdout } = await fuzz("--target", "cpulists", "--count", "300", "--workers", "1");
    expect(stdout).toMatch(/^cpulists +300 /m);
  }, 180_000);
});
