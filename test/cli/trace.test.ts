// allstop trace from outside: files that are whole or not there, and what is wrong with options.

import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeTrace } from "../trace/decode.ts";
import { allstop } from "./command.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "allstop-trace-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe.concurrent("allstop trace", () => {
  it("writes Perfetto's protobuf or ftrace's text, as the file's name says", async () => {
    const [pftrace, text] = [join(folder, "one.pftrace"), join(folder, "one.txt")];
    const machine = ["--arch", "arm64", "--machine-cpus", "8"];
    const written = await allstop(["trace", ...machine, "--out", pftrace]);
    expect(written).toMatchObject({ code: 0, stderr: "" });
    const bytes = await readFile(pftrace);
    const { slices } = decodeTrace(bytes);
    expect(new Set(slices.map(({ track }) => track)).size).toBe(8 + 8 + 1);
    expect(written.stdout).toContain(`of CPU 0-7, `);
    expect(written.stdout).toContain(`${bytes.length.toLocaleString("en-US")} bytes`);
    expect((await allstop(["trace", ...machine, "--out", text])).code).toBe(0);
    expect(await readFile(text, "utf8")).toMatch(/^# tracer: nop\n/);
  });

  it("takes built-in scenarios with their variants, CPUs and a window", async () => {
    const out = join(folder, "two.trace");
    const bounds = ["--cpus", "0,2-3", "--from-us", "20", "--to-us", "200", "--format", "perfetto"];
    const { code, stderr } = await allstop(["trace", "S1", ...bounds, "--out", out]);
    expect([code, stderr]).toEqual([0, ""]);
    const { slices } = decodeTrace(await readFile(out));
    expect(slices.length).toBeGreaterThan(10);
    expect(slices.every(({ track }) => /^CPU [023]( |$)/.test(track))).toBe(true);
    expect(Math.min(...slices.map(({ startNs }) => startNs))).toBeGreaterThanOrEqual(20_000);
    expect(Math.max(...slices.map(({ endNs }) => endNs))).toBeLessThanOrEqual(200_000);
  });

  it("writes a trace of a call that never ends, too", async () => {
    const out = join(folder, "hang.pftrace");
    const { code } = await allstop(["trace", "--machine-cpus", "4", "--wedge", "2", "--limit-ms", "1", "--out", out]);
    expect(code).toBe(0);
    expect(decodeTrace(await readFile(out)).slices.length).toBeGreaterThan(10);
  });

  it.each<[string[], RegExp]>([
    [[], /--out/],
    [["--out", "x.json"], /--out: .*x\.json.*\.pftrace.*\.txt/],
    [["--out", "/nowhere/x.txt"], /--out: .*ENOENT/],
    [["--out", "bad.txt", "--cpus", "64"], /--cpus: .*64.*0 to 63/],
    [["--out", "bad.txt", "--cpus", "1-"], /--cpus/],
    [["--out", "bad.txt", "--stragglers", "0"], /--stragglers: .*0/],
    [["--out", "bad.txt", "--from-us", "9", "--to-us", "8"], /--to-us: .*more than 9/],
    [["--out", "bad.txt", "--machine-cpus", "0"], /--machine-cpus/],
    [["--out", "bad.txt", "--policy", "stop"], /--policy: .*stop_machine/],
    [["--out", "bad.txt", "--format", "json"], /perfetto, ftrace/],
    [["nothing.json", "--out", "bad.txt"], /nothing\.json/],
  ])("%j is wrong usage, and leaves no file", async (args, message) => {
    const placed = args.map((arg) => (arg === "bad.txt" ? join(folder, "bad.txt") : arg));
    const { code, stdout, stderr } = await allstop(["trace", ...placed]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
    expect((await readdir(folder)).filter((name) => name.includes("bad"))).toEqual([]);
  });
});
