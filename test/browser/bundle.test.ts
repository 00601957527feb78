// The library as a browser has it: bundled for one, without a module of Node's, in a context that has what the web platform has and nothing else.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { rolldown } from "rolldown";
import { beforeAll, describe, expect, it } from "vitest";
import { simulate } from "../../src/simulate.ts";

const dist = new URL("../../dist/", import.meta.url);

const entries = [
  "index",
  "entries/topology",
  "asm/index",
  "entries/guest",
  "entries/machine",
  "entries/code",
  "entries/litmus",
  "entries/cpumask",
];

interface Bundle {
  readonly code: string;
  /** What it imports from elsewhere, at once or later. */
  readonly imports: readonly string[];
  readonly warnings: readonly string[];
}

async function bundle(entry: string, platform: "browser" | "node" = "browser"): Promise<Bundle> {
  const warnings: string[] = [];
  const build = await rolldown({
    input: fileURLToPath(new URL(`${entry}.js`, dist)),
    platform,
    onLog: (_, { message }) => warnings.push(message),
  });
  const { output } = await build.generate({ format: "iife", name: "allstop", codeSplitting: false });
  await build.close();
  const [{ code, imports, dynamicImports }] = output;
  return {
    code,
    imports: [...imports, ...dynamicImports],
    warnings: warnings.filter((text) => !text.includes("import.meta")),
  };
}

describe.each(entries)("%s", (entry) => {
  it("is bundled for browsers without anything of Node's", async () => {
    const { code, imports, warnings } = await bundle(entry);
    expect(imports).toEqual([]);
    expect(warnings).toEqual([]);
    expect(code).not.toMatch(/\b(require|import)\(\s*["'`]/);
  });
});

it("would say so: Node's bundle has some", async () => {
  const { code, imports } = await bundle("index", "node");
  expect(imports.length + (code.match(/\b(require|import)\(\s*["'`]node:/g)?.length ?? 0)).toBeGreaterThan(0);
});

/** What a page has that the language hasn't, as far as it is used. */
const platform = {
  ...{ AbortController, AbortSignal, Response, TextDecoder, TextEncoder, URL },
  ...{ clearTimeout, performance, setTimeout, structuredClone, console },
};

describe("in a context like a page's", () => {
  let context: object;
  const evaluate = (expression: string): Promise<unknown> =>
    Promise.resolve(runInContext(`(async () => (${expression}))()`, context));

  beforeAll(async () => {
    const fetch = (): Promise<never> => Promise.reject(new TypeError("no network"));
    context = createContext({ ...platform, fetch, core: await readFile(new URL("core.wasm", dist)) });
    runInContext((await bundle("index")).code, context);
  });

  it("has nothing of Node's", async () => {
    expect(await evaluate("[typeof process, typeof Buffer, typeof require, typeof global]")).toEqual(
      Array<string>(4).fill("undefined"),
    );
  });

  it("says that the core is missing, and runs once it is told where that is", async () => {
    const scenario = { machine: { topology: "graviton2" }, load: { common: "mixed" } } as const;
    const text = JSON.stringify(scenario);
    expect(await evaluate(`allstop.simulate(${text}).catch((error) => error.code)`)).toBe("CORE_MISMATCH");
    await evaluate("allstop.useCore(core)");
    const found = await evaluate(
      `allstop.simulate(${text}).then(({ report }) => JSON.stringify({ ...report, host: 0 }))`,
    );
    expect(JSON.parse(found as string)).toEqual(
      JSON.parse(JSON.stringify({ ...(await simulate(scenario)).report, host: 0 })),
    );
  });

  it("sweeps on the page's own thread, sums up and draws", async () => {
    const picture = await evaluate(`(async () => {
      const plan = await allstop.planSweep({ vary: [{ field: "machine.cpus", values: [4, 8] }], seeds: [1, 2] });
      const summarizer = new allstop.SweepSummarizer(plan);
      for await (const row of allstop.sweep(plan)) summarizer.add(row);
      return allstop.renderSweepChart(summarizer.summary(), { metric: "rendezvousNs" });
    })()`);
    expect(picture).toMatch(/^<svg [\s\S]*<\/svg>\s*$/);
  });

  it("writes traces and distributions", async () => {
    const bytes = await evaluate(`(async () => {
      let bytes = 0;
      for await (const chunk of allstop.traceScenario({ machine: { cpus: 4 } })) bytes += chunk.length;
      return bytes;
    })()`);
    expect(bytes).toBeGreaterThan(1000);
    const hgrm = await evaluate(
      "allstop.simulate({ machine: { cpus: 4 } }).then((one) => one.distributions.stop.hgrm())",
    );
    expect(hgrm).toContain("#[Max     =");
  });

  it.each([
    ["a journal", `allstop.sweep({}, { journal: "rows.jsonl" }).next()`],
    ["threads", `allstop.sweep({}, { workers: 2 }).next()`],
    ["a built-in case that is not there", `allstop.findCase("S1")`],
  ])("says what it lacks for %s", async (_, expression) => {
    expect(await evaluate(`${expression}.catch((error) => error.name + " " + error.code)`)).toBe(
      "AllstopError PLATFORM_LACKS",
    );
  });
});
