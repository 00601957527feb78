// Every program in examples/, run as its first lines say. Its vitest tests are among npm test's own files (.config/vitest.config.ts); the page is
// in test/browser.

import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { simulate, type Policy } from "allstop";

const root = fileURLToPath(new URL("../../", import.meta.url));
const LONGEST_MS = 120_000;

async function node(...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: root, timeout: LONGEST_MS });
  expect(stderr).toBe("");
  return stdout;
}

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "allstop-examples-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** What each program prints that would be missing if it went wrong half-way. */
const programs: Readonly<Record<string, readonly RegExp[]>> = {
  "compare-policies.mjs": [/^rendezvous \(median of 3 runs\)$/m, /^epyc-9654 +\d/m],
  "exec-image.mjs": [/^graviton2: .+ us$/m, /^kunpeng-920: .+ us$/m, /sum 13440/],
  "fork-many.mjs": [/^warmed up/m, /^CPU 300 {2}wedged {2}no answer within 5 ms$/m, /^22 runs/m],
  "machine-and-probes.mjs": [/^online: 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15$/m, /^digest [0-9a-f]{16}$/m],
  "own-policy/run.mjs": [/^stop_machine_in_groups: rendezvous grows/m],
  "slowest-cpu.mjs": [/^rendezvous [\d.]+ us to [\d.]+ us$/m, /^last \d+ times: CPU \d+ \([\w-]+\)$/m],
};

describe("examples/", () => {
  it("has these programs", async () => {
    const files = (await readdir(join(root, "examples"), { recursive: true })).map((file) =>
      file.replaceAll("\\", "/"),
    );
    // What only others import, what runs in vitest, what runs in a page.
    const others = /(two-level-ack|\.test|\.bench|page)\.mjs$/;
    expect(files.filter((file) => file.endsWith(".mjs") && !others.test(file)).sort()).toEqual(Object.keys(programs));
  });

  it.each(Object.entries(programs))(
    "%s",
    async (file, patterns) => {
      const text = await readFile(join(root, "examples", file), "utf8");
      expect(text).toContain(`//   node examples/${file}`);
      const printed = await node(join("examples", file), folder);
      for (const pattern of patterns) expect(printed).toMatch(pattern);
    },
    LONGEST_MS,
  );

  it("compare-policies.mjs has written its picture", async () => {
    expect(await readFile(join(folder, "policies.svg"), "utf8")).toMatch(
      /^<svg [\s\S]*stop_machine_nmi_d[\s\S]*<\/svg>\s*$/,
    );
  });

  it(
    "vitest-benchmark/stop.bench.mjs",
    async () => {
      const vitest = join(root, "node_modules/vitest/vitest.mjs");
      const output = join(folder, "bench.json");
      await promisify(execFile)(
        process.execPath,
        [vitest, "bench", "examples/vitest-benchmark", "--run", "--outputJson", output],
        {
          cwd: root,
          timeout: LONGEST_MS,
        },
      );
      const { files } = JSON.parse(await readFile(output, "utf8")) as {
        files: { groups: { benchmarks: { name: string; sampleCount: number }[] }[] }[];
      };
      const benchmarks = files.flatMap(({ groups }) => groups.flatMap((group) => group.benchmarks));
      expect(benchmarks.map(({ name }) => name).sort()).toEqual(["2x16x2", "graviton2"]);
      for (const { sampleCount } of benchmarks) expect(sampleCount).toBeGreaterThan(0);
    },
    LONGEST_MS,
  );
});

describe("the policy of one's own", async () => {
  const module = new URL("../../examples/own-policy/two-level-ack.mjs", import.meta.url).href;
  const { stopMachineInGroups } = (await import(module)) as { stopMachineInGroups: Policy };
  const policies = [stopMachineInGroups];
  const policy = { name: stopMachineInGroups.name, active: "all", rounds: 3 };

  describe.each(["x86-64", "arm64"] as const)("on %s", (architecture) => {
    // One CPU, one group, a group that is not full, several of them.
    it.each([1, 2, 16, 17, 100])("holds up %d CPUs under all oracles", async (cpus) => {
      for (const common of ["idle", "busy", "mixed"] as const) {
        const { report, passed } = await simulate(
          { machine: { architecture, cpus }, policy, load: { common } },
          { policies },
        );
        expect(report.oracles.filter(({ held }) => !held)).toEqual([]);
        expect(passed).toBe(true);
        expect(report.outcome.calls).toMatchObject({ cpus, total: 3 * cpus });
      }
    });

    it("has one digest with every shortcut on or off", async () => {
      const scenario = { machine: { architecture, cpus: 20 }, policy, load: { common: "mixed" } } as const;
      const off = { runAhead: false, spinElision: false, decodeCache: false, invalidationBatching: false };
      const fast = await simulate(scenario, { policies });
      const slow = await simulate(scenario, { policies, accelerations: off });
      expect(slow.digest).toBe(fast.digest);
    });

    it("names the CPU that never answers", async () => {
      const load = { particular: [{ cpus: "5", kind: "wedged" }] } as const;
      const { verdict, report } = await simulate(
        { machine: { architecture, cpus: 20 }, policy, load, limitUs: 5000 },
        { policies },
      );
      expect(verdict).toBe("hang");
      expect(report.outcome.missing.filter(({ isCulprit }) => isCulprit).map(({ cpu }) => cpu)).toEqual([5]);
    });
  });
});
