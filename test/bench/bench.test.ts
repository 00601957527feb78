// npm run bench from outside: its cases run and check their results, and a run can be stored and compared with. Nothing here depends on
// how long anything takes.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StoredRun } from "../../bench/stored-run.ts";

const root = new URL("../..", import.meta.url).pathname;
const quick = ["--seconds", "0.01"];
const oneMask = ["--only", "cpumask/and/64/", ...quick];
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "allstop-bench-test-"));
  execFileSync(process.execPath, ["node_modules/tsc7/bin/tsc", "-p", "bench/tsconfig.json"], { cwd: root });
});
afterAll(() => rmSync(folder, { recursive: true }));

function bench(options: readonly string[], environment: NodeJS.ProcessEnv = process.env) {
  const command = ["--expose-gc", join(root, "build/bench/index.js"), ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8", env: environment });
  return { status, stdout, stderr };
}

function jsonOf(options: readonly string[], environment?: NodeJS.ProcessEnv): StoredRun {
  const { status, stdout, stderr } = bench([...options, "--json", "-"], environment);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return JSON.parse(stdout) as StoredRun;
}

const positive: unknown = expect.toSatisfy((value: unknown) => typeof value === "number" && value > 0);

describe("the cases", () => {
  it("have different names", () => {
    const names = bench(["--list"]).stdout.trim().split("\n");
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(["rendezvous/busy/x86-64/65536", "memory/arm64/65536"]));
  });

  it.each([
    "instructions/contended/arm64/2",
    "instructions/private/x86-64/1",
    "rendezvous/busy/x86-64/64",
    "construction/arm64/64",
    "snapshot/fork/x86-64/64",
    "memory/arm64/512",
  ])("%s gives a figure", (name) => {
    const { results } = jsonOf(["--only", name, ...quick]);
    expect(results[0]).toMatchObject({ name, value: positive });
  });

  it.each(["qemu/idle/arm64/64", "qemu/idle/x86-64/64", "qemu/spinning/arm64/64", "qemu/spinning/x86-64/64"])(
    "%s does its work where QEMU isn't installed, and says that it isn't",
    (work) => {
      const { results, peers } = jsonOf(["--only", work, ...quick], { PATH: folder });
      expect(results).toEqual([
        { name: `${work}/qemu`, skipped: expect.stringMatching(/^qemu-system-\w+ is not installed$/) as unknown },
        expect.objectContaining({ name: `${work}/allstop`, value: positive }),
      ]);
      expect(peers).toEqual([{ work, peer: "qemu", ours: positive }]);
    },
  );
});

describe("a run", () => {
  it("is stored with all that it takes to compare it", () => {
    const run = jsonOf(oneMask);
    expect(run).toMatchObject({ format: "allstop.bench/2", node: process.version, seconds: 0.01 });
    expect(run.core).toMatch(/^[0-9a-f]{64}$/);
    expect(run.results.map(({ name }) => name)).toEqual([
      "cpumask/and/64/allstop",
      "cpumask/and/64/plain",
      "cpumask/and/64/bigint",
    ]);
    expect(run.peers.map(({ peer, ratio }) => [peer, ratio])).toEqual([
      ["plain", positive],
      ["bigint", positive],
    ]);
    expect(new Set(run.budgets.map(({ verdict }) => verdict))).toEqual(new Set(["not run"]));
  });

  /** A stored run whose figures are the given multiple of those measured. */
  function storedTimes(factor: number): string {
    const file = join(folder, `times-${factor}.json`);
    expect(bench([...oneMask, "--json", file]).status).toBe(0);
    const run = JSON.parse(readFileSync(file, "utf8")) as { results: { value: number }[] };
    for (const result of run.results) result.value *= factor;
    writeFileSync(file, JSON.stringify(run));
    return file;
  }

  it("that is slower than the stored one is marked, and fails on request", () => {
    const file = storedTimes(1e6);
    const marked = bench([...oneMask, "--compare", file]);
    expect(marked.stdout.match(/0\.00x {2}SLOWER/g)).toHaveLength(3);
    expect(marked.status).toBe(0);
    const failed = bench([...oneMask, "--compare", file, "--tolerance", "50"]);
    expect(failed.stderr).toContain("slower than before: cpumask/and/64/allstop");
    expect(failed.status).toBe(1);
  });

  it("that is faster than the stored one passes", () => {
    const { status, stdout } = bench([...oneMask, "--compare", storedTimes(1e-6), "--tolerance", "1"]);
    expect(stdout).not.toContain("SLOWER");
    expect(status).toBe(0);
  });
});

describe("wrong usage ends with status 1 and says what is wrong", () => {
  it.each([
    [["--seconds", "0"], "--seconds 0: a number above 0"],
    [["--tolerance", "x"], "--tolerance x: a number above 0"],
    [["--only", "no such case"], "no case has such a name"],
    [["--compare", join(root, "package.json")], "is not a stored run"],
    [["--fast"], "--fast"],
  ])("%j", (options, message) => {
    const { status, stderr } = bench(options);
    expect(stderr).toContain(message);
    expect(status).toBe(1);
  });
});
