// Sweeps from the library: rows against single runs, whoever runs them; errors as rows; the journal; the summary against its rows.

import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { spreadOf } from "../../src/measure/statistics.ts";
import { simulate } from "../../src/simulate.ts";
import type { ScenarioInput } from "../../src/scenario/document.ts";
import { jobOf, planSweep, runsOf, type SweepInput, type SweepPlan } from "../../src/sweep/plan.ts";
import { threadPool, type SweepRunner } from "../../src/sweep/runner.ts";
import type { SweepRow } from "../../src/sweep/row.ts";
import { SweepSummarizer } from "../../src/sweep/summary.ts";
import { sweep, type SweepOptions, type SweepProgress } from "../../src/sweep/sweep.ts";
import { parseTopologySpec, buildTopology } from "../../src/topology/index.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "allstop-sweep-"));
});
afterAll(() => rm(folder, { recursive: true }));

const base: ScenarioInput = { format: "allstop.scenario/1", machine: { cpus: 6 }, load: { common: "mixed" } };
const input: SweepInput = {
  scenario: base,
  vary: [
    { field: "policy.functionUs", values: [0, 1.5] },
    { field: "policy.active", values: ["first", "all"] },
  ],
  seeds: [3, 1, 7],
};

async function rowsOf(what: SweepInput | SweepPlan, options: SweepOptions = {}): Promise<SweepRow[]> {
  const rows: SweepRow[] = [];
  for await (const row of sweep(what, options)) rows.push(row);
  return rows;
}

function sorted(rows: readonly SweepRow[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

async function lines(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8");
  expect(text.endsWith("\n")).toBe(true);
  return text.slice(0, -1).split("\n").sort();
}

let undisturbed: SweepRow[] = [];
beforeAll(async () => {
  undisturbed = await rowsOf(input, { workers: 0 });
});

/** Whoever has run everything before, and only tells. */
const replay: SweepRunner = {
  parallel: 1,
  run: async ({ head }) => {
    const row = undisturbed.find(({ key }) => key === head.key);
    return row ?? Promise.reject(new Error(`nothing is known of ${head.key}`));
  },
  close: () => Promise.resolve(),
};

describe("rows", () => {
  it("say what single runs of the same documents say", async () => {
    expect(undisturbed.map(({ point, seed }) => [point, seed])).toEqual(
      [0, 1.5].flatMap((us) =>
        ["first", "all"].flatMap((active) =>
          [3, 1, 7].map((seed) => [{ "policy.functionUs": us, "policy.active": active }, seed]),
        ),
      ),
    );
    for (const { point, seed, ...row } of undisturbed) {
      const policy = { functionUs: point["policy.functionUs"] as number, active: point["policy.active"] as string };
      const { report } = await simulate({ ...base, policy, seed });
      const { rendezvousNs, totalNs, frozenNs } = report.latency;
      const frozen = { frozenP50Ns: frozenNs?.p50, frozenP99Ns: frozenNs?.p99, frozenMaxNs: frozenNs?.max };
      expect(row).toMatchObject({
        cpus: 6,
        verdict: "completed",
        rendezvousNs,
        totalNs,
        ...frozen,
        digest: report.digest,
      });
    }
  });

  it("are the same for every number of workers", async () => {
    expect(new Set(undisturbed.map(({ digest }) => digest)).size).toBe(undisturbed.length);
    const progress: SweepProgress[] = [];
    const pooled = await rowsOf(input, { workers: 2, onProgress: (one) => progress.push(one) });
    expect(sorted(pooled)).toEqual(sorted(undisturbed));
    expect(progress.at(-1)).toEqual({ total: 12, done: 12, restored: 0 });
  });

  it("have keys that tell scenarios apart, not titles, spellings and orders", async () => {
    const keyOf = async (scenario: ScenarioInput): Promise<string> => jobOf(await planSweep({ scenario }), 0).head.key;
    const key = await keyOf(base);
    expect(key).toMatch(/^[0-9a-f]{16}-1$/);
    expect(await keyOf({ load: { common: "mixed" }, machine: { cpus: 6 }, title: "x", format: base.format })).toBe(key);
    expect(await keyOf({ ...base, machine: { cpus: 6, architecture: "x86-64" } })).toBe(key);
    expect(await keyOf({ ...base, limitUs: 5000 })).not.toBe(key);
    expect(await keyOf({ ...base, seed: 2 })).toBe(key.replace(/1$/, "2"));
  });

  it("take a number for a text where the document wants one", async () => {
    const plan = await planSweep({ vary: [{ field: "machine.topology", values: [4, "2x2x1"] }] });
    expect(plan.points.map(({ values, cpus }) => [values["machine.topology"], cpus])).toEqual([
      ["4", 4],
      ["2x2x1", 4],
    ]);
  });

  it("run on topologies that come from elsewhere, also on other threads", async () => {
    const topologies = { "mine.xml": buildTopology({ ...parseTopologySpec("2x2x1"), name: "mine" }) };
    const scenario: ScenarioInput = { ...base, machine: { topology: "mine.xml" } };
    const [row] = await rowsOf({ scenario, topologies }, { workers: 1 });
    const { report } = await simulate({ ...scenario, seed: 1 }, { topology: topologies["mine.xml"] });
    expect(row).toMatchObject({ cpus: 4, digest: report.digest });
  });
});

describe("a run that goes wrong", () => {
  const inject = [{ kind: "nmi" as const, at: { mark: "multi_cpu_stop:enter" }, cpus: "1" }];
  const scenario: ScenarioInput = { ...base, faults: { inject } };
  const vary = [{ field: "faults.inject.0.at.mark", values: ["no_such_mark", "multi_cpu_stop:enter"] }];

  it.each([0, 1])("is a row, and the others go on (%d workers)", async (workers) => {
    const rows = await rowsOf({ scenario, vary }, { workers });
    expect(rows.map(({ verdict }) => verdict)).toEqual(["failed", "completed"]);
    const [failed] = rows;
    expect(failed).toMatchObject({ digest: null, rendezvousNs: null, error: { code: "NAME_UNKNOWN" } });
    expect(failed?.error?.message).toContain("no_such_mark");
  });

  it("is a row also if its thread ends", async () => {
    const plan = await planSweep({ scenario: base, seeds: [1, 2, 3, 4] });
    const runner = await threadPool(plan, 1, { module: new URL("dying-worker.mjs", import.meta.url) });
    try {
      const rows = await rowsOf(plan, { runner });
      expect(rows.map(({ seed, verdict }) => [seed, verdict])).toEqual([
        [1, "completed"],
        [2, "failed"],
        [3, "completed"],
        [4, "completed"],
      ]);
      expect(rows[1]?.error?.code).toBe("WORKER_LOST");
    } finally {
      await runner.close();
    }
  });
});

describe("a journal", () => {
  it("holds every row when the sweep sees it, and is not run again", async () => {
    const journal = join(folder, "whole.jsonl");
    const first: string[] = [];
    for await (const row of sweep(input, { runner: replay, journal })) {
      first.push(JSON.stringify(row));
      expect(await lines(journal)).toEqual(expect.arrayContaining(first));
    }
    expect(first.sort()).toEqual(sorted(undisturbed));
    const runner: SweepRunner = {
      parallel: 1,
      run: () => Promise.reject(new Error("run again")),
      close: () => Promise.resolve(),
    };
    expect(sorted(await rowsOf(input, { runner, journal }))).toEqual(sorted(undisturbed));
  });

  it("goes on where it was cut off, at whichever byte", async () => {
    const whole = undisturbed.map((row) => `${JSON.stringify(row)}\n`).join("");
    const third = JSON.stringify(undisturbed[2]).length;
    const start = undisturbed.slice(0, 2).reduce((sum, row) => sum + JSON.stringify(row).length + 1, 0);
    for (const bytes of [0, 1, 7, start, start + 1, start + third - 1, start + third, start + third + 1]) {
      const journal = join(folder, `cut-${bytes}.jsonl`);
      await writeFile(journal, whole);
      await truncate(journal, bytes);
      const kept = whole.slice(0, bytes).split("\n").length - 1;
      const progress: SweepProgress[] = [];
      const rows = await rowsOf(input, { runner: replay, journal, onProgress: (one) => progress.push(one) });
      expect(progress[0]).toEqual({ total: 12, done: kept, restored: kept });
      expect(sorted(rows)).toEqual(sorted(undisturbed));
      expect(await lines(journal)).toEqual(sorted(undisturbed));
    }
  });

  it("keeps rows of other sweeps, and does not take them for its own", async () => {
    const journal = join(folder, "shared.jsonl");
    const some = { ...input, seeds: [1] };
    const more = { ...input, seeds: [7, 1] };
    await rowsOf(some, { runner: replay, journal });
    const rows = await rowsOf(more, { runner: replay, journal });
    expect(sorted(rows)).toEqual(sorted(undisturbed.filter(({ seed }) => seed !== 3)));
    expect(await rowsOf({ ...input, seeds: [7] }, { runner: replay, journal })).toHaveLength(4);
    expect(await lines(journal)).toHaveLength(8);
  });

  it.each(["hello\n", "hello", '{"a":1}\n', '{"key":"x"}\n', "[1]\n", "\n", '{"format": "allstop.scenario/1"}'])(
    "is never made of another file (%j)",
    async (text) => {
      const journal = join(folder, "foreign.jsonl");
      await writeFile(journal, text);
      await expect(rowsOf(input, { runner: replay, journal })).rejects.toMatchObject({ code: "OPTION_INVALID" });
      expect(await readFile(journal, "utf8")).toBe(text);
    },
  );

  it("names the line that is none", async () => {
    const journal = join(folder, "line.jsonl");
    await writeFile(journal, `${JSON.stringify(undisturbed[0])}\n`);
    await appendFile(journal, "broken\n");
    await expect(rowsOf(input, { runner: replay, journal })).rejects.toMatchObject({ at: `${journal}:2` });
  });
});

describe("an interrupted sweep", () => {
  it("rejects with the signal's reason, keeps what is done, and goes on", async () => {
    const journal = join(folder, "interrupted.jsonl");
    const abortion = new AbortController();
    const reason = new Error("enough");
    const seen: SweepRow[] = [];
    const interrupted = async (): Promise<void> => {
      for await (const row of sweep(input, { workers: 2, journal, signal: abortion.signal })) {
        seen.push(row);
        if (seen.length === 3) abortion.abort(reason);
      }
    };
    await expect(interrupted()).rejects.toBe(reason);
    expect(seen.length).toBeLessThan(12);
    expect((await lines(journal)).length).toBeGreaterThanOrEqual(3);
    expect(sorted(await rowsOf(input, { workers: 2, journal }))).toEqual(sorted(undisturbed));
    expect(await lines(journal)).toEqual(sorted(undisturbed));
  });

  it("never begins with a signal that has come before", async () => {
    await expect(rowsOf(input, { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
  });
});

describe("a summary", () => {
  it("has the order statistics of its rows, in whatever order these come", async () => {
    const plan = await planSweep(input);
    const summarizer = new SweepSummarizer(plan);
    for (const row of [...undisturbed].reverse()) summarizer.add(row);
    const { points, runs, wanted } = summarizer.summary();
    expect([runs, wanted, runsOf(plan)]).toEqual([12, 12, 12]);
    expect(points).toHaveLength(4);
    for (const { values, metrics, verdicts, broken } of points) {
      const rows = undisturbed.filter(({ point }) => JSON.stringify(point) === JSON.stringify(values));
      expect(rows).toHaveLength(3);
      expect([verdicts, broken]).toEqual([{ completed: 3 }, {}]);
      for (const metric of ["rendezvousNs", "totalNs", "frozenMaxNs"] as const) {
        const { min, p50, p99, max } = spreadOf(rows.map((row) => row[metric] ?? NaN)) ?? {};
        expect(metrics[metric]).toEqual({ count: 3, least: min, median: p50, p99, most: max });
      }
    }
  });

  it("counts verdicts and broken rules, and leaves out what has no figure", async () => {
    const plan = await planSweep({ scenario: base, seeds: [1, 2, 3, 4] });
    const heads = [0, 1, 2, 3].map((index) => jobOf(plan, index).head);
    const row = (index: number, change: Partial<SweepRow>): SweepRow =>
      ({ ...undisturbed[0], ...heads[index], ...change }) as SweepRow;
    const error = (message: string): SweepRow["error"] => ({ code: "CORE_TRAPPED", message });
    const summarizer = new SweepSummarizer(plan);
    summarizer.add(row(3, { verdict: "failed", error: error("later"), rendezvousNs: null }));
    summarizer.add(row(0, { broken: ["quiescence"], rendezvousNs: 10 }));
    summarizer.add(row(1, { verdict: "hang", broken: ["quiescence", "released"], rendezvousNs: null }));
    summarizer.add(row(2, { verdict: "failed", error: error("first"), rendezvousNs: null }));
    expect(summarizer.summary().points).toMatchObject([
      {
        verdicts: { completed: 1, hang: 1, failed: 2 },
        broken: { quiescence: 2, released: 1 },
        error: { message: "first" },
        metrics: { rendezvousNs: { count: 1, median: 10 } },
      },
    ]);
  });

  it("fits how medians grow along each field of numbers, for every combination of the others", async () => {
    const plan = await planSweep({
      vary: [
        { field: "load.common", values: ["idle", "busy"] },
        { field: "machine.cpus", values: [2, 4, 8] },
      ],
    });
    const summarizer = new SweepSummarizer(plan);
    for (let index = 0; index < runsOf(plan); index++) {
      const { head } = jobOf(plan, index);
      const cpus = head.point["machine.cpus"] as number;
      const exponent = head.point["load.common"] === "idle" ? 1 : 2;
      summarizer.add({ ...(undisturbed[0] as SweepRow), ...head, rendezvousNs: 5 * cpus ** exponent, totalNs: null });
    }
    const scalings = summarizer.summary().scalings.map(({ exponent, factor, ...rest }) => ({
      ...rest,
      exponent: Math.round(exponent * 1e9) / 1e9,
      factor: Math.round(factor * 1e9) / 1e9,
    }));
    const common = { field: "machine.cpus", metric: "rendezvousNs", points: 3, factor: 5 };
    expect(scalings).toMatchObject([
      { ...common, where: { "load.common": "idle" }, exponent: 1 },
      { ...common, where: { "load.common": "busy" }, exponent: 2 },
    ]);
  });
});

describe("a plan", () => {
  it.each([
    [[{ field: "machine.cpu", values: [4] }], "vary machine.cpu", "no such field"],
    [[{ field: "machine.cpus", values: [4, 0] }], "vary machine.cpus", "found 0"],
    [[{ field: "machine.cpus", values: [4, 4] }], "vary", "same run"],
    [[{ field: "machine.cpus", values: [] }], "vary machine.cpus", "without values"],
    [[{ field: "seed", values: [1] }], "vary seed", "seeds"],
    [[{ field: "policy.name", values: ["nope"] }], "vary policy.name", "nope"],
    [[{ field: "load.particular.0.us", values: [1] }], "vary load.particular.0.us", "no member 0"],
  ])("refuses %j before anything runs", async (vary, at, message) => {
    await expect(planSweep({ vary })).rejects.toMatchObject({
      at,
      message: expect.stringContaining(message) as string,
    });
  });

  it("refuses more points than there may be", async () => {
    const values = Array.from({ length: 10_001 }, (_, index) => index + 1);
    await expect(planSweep({ vary: [{ field: "machine.cpus", values }] })).rejects.toMatchObject({ at: "sweep" });
  });

  it("names the point that can't be", async () => {
    const vary = [
      { field: "machine.cpus", values: [8, 2] },
      { field: "policy.requester", values: [0, 5] },
    ];
    const planned = planSweep({ vary });
    await expect(planned).rejects.toMatchObject({
      at: "vary policy.requester",
      message: expect.stringContaining("machine.cpus=2, policy.requester=5") as string,
    });
  });

  it.each([[[]], [[1, 1]], [[-1]], [[0.5]], [[2 ** 32]]])("refuses seeds %j", async (seeds) => {
    await expect(planSweep({ seeds })).rejects.toMatchObject({ at: "seeds", code: "OPTION_INVALID" });
  });

  it("refuses a number of workers that is none", async () => {
    await expect(rowsOf(input, { workers: 1.5 })).rejects.toMatchObject({ at: "workers" });
  });
});
