// allstop litmus from outside: files, folders, both outputs, exit codes, and ways to use it wrongly.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allstop } from "../cli/command.ts";
import { litmusText } from "./tests.ts";

const rows = ["MOV [x],$1|MOV [x],$2"];
const files = {
  "seen.litmus": litmusText("X86", "", rows, "exists (x=1)"),
  "unseen.litmus": litmusText("X86", "", rows, "exists (x=3)"),
  "refuted.litmus": litmusText("X86", "", rows, "~exists (x=1)"),
  "broken.litmus": litmusText("X86", "", ["MOV [x],$1|FLY EAX"], "exists (x=1)"),
  "tests/b.litmus": litmusText("AArch64", "", ["NOP"], "forall true").replace(" T", " B"),
  "tests/deep/a.litmus": litmusText("X86_64", "", ["nop"], "forall true").replace(" T", " A"),
  "tests/notes.txt": "no test",
} as const;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "allstop-litmus-"));
  await mkdir(join(folder, "tests", "deep"), { recursive: true });
  await mkdir(join(folder, "empty"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
});
afterAll(() => rm(folder, { recursive: true }));

function run(names: readonly string[], ...options: string[]): ReturnType<typeof allstop> {
  return allstop(["litmus", ...names.map((name) => join(folder, name)), "--runs", "600", ...options]);
}

describe.concurrent("exit codes", () => {
  it.each([
    [["seen.litmus"], 0],
    [["unseen.litmus"], 0],
    [["seen.litmus", "refuted.litmus"], 1],
    [["broken.litmus", "refuted.litmus"], 2],
  ])("%j: %i", async (names, expected) => {
    expect((await run(names)).code).toBe(expected);
  });
});

describe.concurrent("output", () => {
  it("is litmus7's log, for each test", async () => {
    const { code, stdout, stderr } = await run(["seen.litmus", "unseen.litmus"]);
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout.split("\n");
    expect(lines.slice(0, 2)).toEqual(["Test T Allowed", "Histogram (2 states)"]);
    expect(lines[2]).toMatch(/^\d{3} {3}\*>\[x\]=1;$/);
    expect(lines[3]).toMatch(/^\d{3} {3}:>\[x\]=2;$/);
    expect(lines.slice(4, 7)).toEqual(["Ok", "", "Witnesses"]);
    expect(stdout).toMatch(
      /Condition exists \(\[x\]=1\) is validated\nObservation T Sometimes (\d+) (\d+)\nTime T \d+\.\d\d\n/,
    );
    expect(stdout).toContain(
      "No\n\nWitnesses\nPositive: 0, Negative: 600\nCondition exists ([x]=3) is NOT validated\n",
    );
  });

  it("of folders is that of the tests in them, by name", async () => {
    const { code, stdout } = await run(["tests"]);
    expect(code).toBe(0);
    expect(stdout.match(/^Test .*/gm)).toEqual(["Test B Required", "Test A Required"]);
  });

  it("names what can't be run with its place, and runs the others", async () => {
    const { stdout, stderr } = await run(["broken.litmus", "seen.litmus"]);
    expect(stderr).toBe(
      `allstop: ${join(folder, "broken.litmus")}: 4:12: no such instruction, in "FLY EAX"; found "FLY"; allowed: x86-64 mnemonics in AT&T syntax [LITMUS_INVALID]\n`,
    );
    expect(stdout).toMatch(/^Test T Allowed\n/);
  });

  it("as JSON is one document, the same for the same seed", async () => {
    const options = ["--json", "--seed", "7", "--topology", "2x4x2", "--cpus", "0,8"];
    const [once, again, other] = await Promise.all([
      run(["refuted.litmus", "broken.litmus"], ...options),
      run(["refuted.litmus", "broken.litmus"], ...options),
      run(["refuted.litmus"], "--json", "--seed", "8", "--placement", "spread", "--no-perturbation"),
    ]);
    const plain = (json: string): object => {
      const document = JSON.parse(json) as { tests: object[] };
      return { ...document, tests: document.tests.map((test) => ({ ...test, host: undefined })) };
    };
    const document = JSON.parse(once.stdout) as { tests: { states: object[] }[] };
    expect(document).toMatchObject({
      format: "allstop.litmus/1",
      exitCode: 2,
      tests: [
        { name: "T", dialect: "X86", quantifier: "~exists", isValidated: false, isRefuted: true, runs: 600, seed: 7 },
      ],
      failures: [{ code: "LITMUS_INVALID" }],
    });
    expect(document.tests[0]?.states).toMatchObject([
      { isWitness: true, values: { "[x]": "1" } },
      { isWitness: false, values: { "[x]": "2" } },
    ]);
    expect(plain(again.stdout)).toEqual(plain(once.stdout));
    expect((JSON.parse(other.stdout) as typeof document).tests[0]?.states).not.toEqual(document.tests[0]?.states);
  });

  it("of --help says what there is", async () => {
    const { code, stdout } = await allstop(["litmus", "--help"]);
    expect(code).toBe(0);
    for (const word of ["AArch64", "--runs", "--placement", "--cpus", "--json", "Exit codes"])
      expect(stdout).toContain(word);
  });
});

describe.concurrent("wrong usage", () => {
  it.each([
    [["nowhere.litmus"], [], /a file that can't be read \(ENOENT\)/],
    [["empty"], [], /a folder without tests/],
    [["seen.litmus"], ["--runs", "0"], /number of runs; found 0/],
    [["seen.litmus"], ["--cpus", "0,1", "--placement", "near"], /one of them/],
    [["seen.litmus"], ["--cpus", "0"], /2 different CPUs/],
    [["seen.litmus"], ["--cpus", "x"], /--cpus/],
    [["seen.litmus"], ["--topology", "graviton2"], /--topology: .* x86-64/],
    [["seen.litmus"], ["--timing", "generic-arm64"], /--timing: .* x86-64/],
    [["seen.litmus"], ["--timing", "abacus"], /--timing/],
    [["seen.litmus"], ["--placement", "nowhere"], /random, spread, near, smt/],
  ] as const)("%j %j", async (names, options, message) => {
    const { code, stdout, stderr } = await run(names, ...options);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(message);
  });
});
