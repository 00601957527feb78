// The built-in cases: every variant shows what its document expects; and what mends a defect, or leaves it, makes the difference.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { oracles } from "../../src/measure/oracles/index.ts";
import { parseCase, scenariosOf } from "../../src/scenario/case.ts";
import { caseIds, findCase, findCases } from "../../src/scenario/catalogue.ts";
import { rowsOf, type CaseRow } from "../../src/scenario/run-case.ts";

const cases = await findCases([]);
const LONGEST_MS = 280_000;

describe("allstop scenarios", () => {
  it(
    "has every row as expected, on the smallest machines",
    async () => {
      const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
      const { stdout } = await promisify(execFile)(process.execPath, [main, "scenarios", "--smallest", "--json"], {
        maxBuffer: 2 ** 26,
      }).catch((error: unknown) => error as { stdout: string });
      const { format, rows } = JSON.parse(stdout) as { format: string; rows: CaseRow[] };
      expect(format).toBe("allstop.scenarios/1");
      expect(rows.filter(({ expected, got }) => expected !== got)).toEqual([]);
      expect(rows).toHaveLength(cases.reduce((sum, one) => sum + rowsOf(one, { smallest: true }).length, 0));
    },
    LONGEST_MS,
  );
});

describe("the catalogue", () => {
  it("has all scenarios, S before H, in the order of their numbers", async () => {
    const ids = await caseIds();
    const numbers = (letter: string): number[] => {
      const own = ids.filter((id) => id.startsWith(letter));
      return [...new Set(own.map((id) => Number(/\d+/.exec(id)?.[0])))];
    };
    expect(numbers("S")).toEqual(Array.from({ length: 34 }, (_, index) => index + 1));
    expect(numbers("H").slice(0, 6)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(ids.findIndex((id) => id.startsWith("H"))).toBe(ids.findLastIndex((id) => id.startsWith("S")) + 1);
  });

  it("has for each oracle a case that breaks it on one variant, and not on another", () => {
    const broken = new Set<string>();
    for (const { variants } of cases) {
      for (const { expect: expected } of variants) {
        for (const name of expected.violated) {
          if (variants.some((other) => !other.expect.violated.includes(name))) broken.add(name);
        }
      }
    }
    // No version that is known reports twice (test/measure/oracles.test.ts has what would be said).
    const named = oracles.map(({ name }) => name).filter((name) => name !== "acknowledged-once");
    expect([...broken].sort()).toEqual(named.sort());
  });

  it("refuses what it doesn't have, and says what there is", async () => {
    await expect(findCase("S99")).rejects.toThrow(/no such scenario; found "S99"; allowed: S1, /);
  });
});

describe("a case document", () => {
  const document = {
    format: "allstop.case/1",
    id: "S1",
    title: "t",
    story: "s",
    source: "o",
    scenario: { policy: { name: "stop_machine", options: {} }, load: { particular: [{ cpus: "1", kind: "hlt" }] } },
    variants: [{ name: "a", expect: {} }],
  };

  it("merges a variant's change into its scenario: objects by field, lists as a whole", () => {
    const change = { policy: { rounds: 2 }, load: { particular: [{ cpus: "2", kind: "poll" }] } };
    const one = parseCase({ ...document, variants: [{ name: "a", change, expect: {} }] });
    const [scenario] = scenariosOf(one, one.variants[0] as (typeof one.variants)[number], 8);
    expect(scenario).toMatchObject({
      machine: { cpus: 8 },
      policy: { name: "stop_machine", rounds: 2 },
      load: { particular: [{ cpus: "2", kind: "poll" }] },
    });
  });

  it("varies one number", () => {
    const vary = { at: "seed", from: 3, to: 9, step: 3 };
    const one = parseCase({ ...document, variants: [{ name: "a", vary, expect: {} }] });
    const seeds = scenariosOf(one, one.variants[0] as (typeof one.variants)[number], 4).map(({ seed }) => seed);
    expect(seeds).toEqual([3, 6, 9]);
  });

  it.each([
    [{ ...document, id: "one" }, /^id: .*such as S1/],
    [{ ...document, variants: [] }, /^variants: .*at least one/],
    [{ ...document, cpus: [0] }, /^cpus\.0: .*at least 1/],
    [
      { ...document, variants: [{ name: "a", expect: { violated: ["all"] } }] },
      /^variants\.0\.expect\.violated\.0: .*completion/,
    ],
  ])("that is broken says where and what is allowed (%#)", (broken, message) => {
    expect(() => parseCase(broken)).toThrow(message);
  });
});
