// allstop sweep and allstop compare from outside: killed and resumed, interrupted, Parquet read by another reader, wrong usage.

import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allstop, start } from "../cli/command.ts";
import type { Comparison } from "../../src/sweep/compare.ts";
import type { SweepRow } from "../../src/sweep/row.ts";
import type { SweepSummary } from "../../src/sweep/summary.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "allstop-sweep-cli-"));
});
afterAll(() => rm(folder, { recursive: true }));

const varied = ["sweep", "--vary", "machine.cpus=2,32", "--vary", "load.common=mixed", "--seeds", "1-12"];

async function linesOf(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").slice(0, -1);
}

/** Sends a signal once a file has some lines, and waits for the end. */
async function endedAt(
  args: readonly string[],
  file: string,
  lines: number,
  signal: NodeJS.Signals,
): Promise<number | null> {
  const child = start(args);
  child.stdout?.resume();
  child.stderr?.resume();
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
  while ((await linesOf(file)).length < lines && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill(signal);
  return closed;
}

describe("a sweep of the command line", () => {
  let undisturbed: string[] = [];
  beforeAll(async () => {
    const file = join(folder, "undisturbed.jsonl");
    const { code, stdout } = await allstop([...varied, "--workers", "1", "--out", file]);
    expect(code).toBe(0);
    expect(stdout).toContain("24 runs of 2 points");
    undisturbed = (await linesOf(file)).sort();
    expect(new Set(undisturbed).size).toBe(24);
  });

  it("that is killed in the middle ends with the same rows when it is resumed", async () => {
    const file = join(folder, "killed.jsonl");
    const args = [...varied, "--workers", "2", "--out", file];
    for (const lines of [3, 9]) {
      expect(await endedAt(args, file, lines, "SIGKILL")).toBeNull();
      const there = await linesOf(file);
      expect(there.length).toBeGreaterThanOrEqual(lines);
      expect(there.length).toBeLessThan(24);
      // As a write that was cut short.
      await writeFile(file, `${there.join("\n")}\n{"key":"`);
    }
    const { code, stdout } = await allstop([...args, "--json"]);
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as SweepSummary).runs).toBe(24);
    expect((await linesOf(file)).sort()).toEqual(undisturbed);
  });

  it("that is interrupted sums up what it has, says how to go on, and exits with 130", async () => {
    const file = join(folder, "interrupted.jsonl");
    const args = [...varied, "--workers", "2", "--out", file];
    expect(await endedAt(args, file, 3, "SIGINT")).toBe(130);
    expect((await linesOf(file)).length).toBeLessThan(24);
    expect((await allstop(args)).code).toBe(0);
    expect((await linesOf(file)).sort()).toEqual(undisturbed);
  });

  it("writes Parquet that another reader reads, a column per varied field", async () => {
    const file = join(folder, "rows.parquet");
    const { code, stderr } = await allstop([...varied, "--workers", "1", "--out", file]);
    expect([code, stderr]).toEqual([0, ""]);
    expect((await linesOf(`${file}.jsonl`)).sort()).toEqual(undisturbed);
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(file) });
    const expected = undisturbed
      .map((line) => JSON.parse(line) as SweepRow)
      .sort((a, b) => a.cpus - b.cpus || a.seed - b.seed)
      .map(({ point, error, ...row }) => ({
        ...row,
        seed: BigInt(row.seed),
        broken: row.broken.join(","),
        "machine.cpus": BigInt(point["machine.cpus"] as number),
        "load.common": point["load.common"],
        errorCode: error?.code ?? null,
        errorMessage: error?.message ?? null,
      }));
    expect(rows).toEqual(expected);
  });

  it("draws medians, and tells of rules and runs that went wrong by its exit code", async () => {
    const chart = join(folder, "hang.svg");
    const scenario = join(folder, "hang.json");
    const document = { format: "allstop.scenario/1", machine: { cpus: 4 }, limitUs: 300 };
    await writeFile(scenario, JSON.stringify({ ...document, load: { particular: [{ cpus: "3", kind: "wedged" }] } }));
    const vary = ["--vary", 'load.particular.0.kind=["wedged","idle"]'];
    const { code, stdout } = await allstop(["sweep", scenario, ...vary, "--workers", "0", "--chart", chart]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^NOT ALL WELL {2}2 runs/);
    expect(stdout).toMatch(/wedged .*hang/);
    expect(stdout).toMatch(/idle .*completed/);
    expect(await readFile(chart, "utf8")).toMatch(/^<svg /);
  });
});

describe.concurrent("wrong usage is one line on stderr, exit code 2, and no file", () => {
  it.each([
    [
      ["sweep", "--vary", "machine.cpu=4"],
      ["--vary machine.cpu", "topology, cpus, timing"],
    ],
    [
      ["sweep", "--vary", "machine.cpus"],
      ["--vary", "FIELD=VALUES"],
    ],
    [
      ["sweep", "--vary", "machine.cpus=4:2"],
      ["--vary machine.cpus", "4:2"],
    ],
    [
      ["sweep", "--vary", "load.common=nothing"],
      ["--vary load.common", "idle, hlt"],
    ],
    [
      ["sweep", "--vary", "seed=1"],
      ["--vary seed", "seeds"],
    ],
    [
      ["sweep", "--seeds", "5-1"],
      ["--seeds", "1-20"],
    ],
    [
      ["sweep", "--workers", "5000"],
      ["--workers", "1024"],
    ],
    [
      ["sweep", "--out", "rows.csv"],
      ["--out", ".jsonl or .parquet"],
    ],
    [["sweep", "--out", "no/such/folder/rows.jsonl"], ["ENOENT"]],
    [
      ["sweep", "--chart", "no/such/folder/chart.svg"],
      ["--chart", "folder"],
    ],
    [
      ["compare", "--policies", "nope", "--cpus", "4"],
      ["--policies", "allstop list policies"],
    ],
    [
      ["compare", "--cpus", "4,0"],
      ["--cpus", "found 0"],
    ],
    [
      ["compare", "--cpus", "4", "--topologies", "2x2x1"],
      ["--cpus", "once"],
    ],
    [
      ["compare", "--topologies", "nope"],
      ["--topologies", "epyc-7742"],
    ],
    [
      ["compare", "--cpus", "4", "--load", "nothing"],
      ["--load", "idle, hlt"],
    ],
    [
      ["compare", "--out", "picture.png"],
      ["--out", ".svg"],
    ],
    [
      ["compare", "S2", "--variants", "nope", "--cpus", "4"],
      ["--variants", "S2"],
    ],
  ])("%j", async (args, words) => {
    const { code, stdout, stderr } = await allstop(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^allstop: [^\n]*\n$/);
    for (const word of words) expect(stderr).toContain(word);
    await expect(stat("rows.csv")).rejects.toThrow();
  });
});

describe("a comparison", () => {
  it("lays stop paths side by side, on the same machines and seeds", async () => {
    const picture = join(folder, "compare.svg");
    const args = [
      "compare",
      "--policies",
      "stop_machine,cpu_offline",
      "--cpus",
      "2,4",
      "--seeds",
      "1-2",
      "--workers",
      "1",
    ];
    const { code, stdout } = await allstop([...args, "--load", "mixed", "--out", picture, "--json"]);
    expect(code).toBe(0);
    const { summary, axis, contender } = JSON.parse(stdout) as Comparison;
    expect([axis, contender]).toEqual(["machine.cpus", "policy.name"]);
    expect(summary.points.map(({ values, runs }) => [values["policy.name"], values["machine.cpus"], runs])).toEqual([
      ["stop_machine", 2, 2],
      ["stop_machine", 4, 2],
      ["cpu_offline", 2, 2],
      ["cpu_offline", 4, 2],
    ]);
    const text = await readFile(picture, "utf8");
    for (const name of ["stop_machine", "cpu_offline"]) expect(text).toContain(`>${name}<`);
  });

  it("takes the variants of a built-in scenario", async () => {
    const { stdout } = await allstop(["compare", "S2", "--cpus", "4", "--workers", "0"]);
    const { stdout: listed } = await allstop(["scenarios", "S2", "--list"]);
    const variants = (listed.split("\n")[1] ?? "").trim().split(" · ");
    expect(variants.length).toBeGreaterThan(1);
    for (const variant of variants) expect(stdout).toContain(variant);
  });

  it("takes machines by name", async () => {
    const { code, stdout } = await allstop(["compare", "--topologies", "2x2x1,1x2x2", "--workers", "0"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^2x2x1 /m);
    expect(stdout).toMatch(/^1x2x2 /m);
  });
});
