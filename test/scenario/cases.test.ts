// The built-in cases: every variant shows what its document expects; and what mends a defect, or leaves it, makes the difference.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { oracles } from "../../src/measure/oracles/index.ts";
import { parseCase, scenariosOf } from "../../src/scenario/case.ts";
import { caseIds, findCase, findCases } from "../../src/scenario/catalogue.ts";
import { rowsOf, type CaseRow } from "../../src/scenario/run-case.ts";
import { thrownBy } from "../topology/errors.ts";
import { acceptedBySchema } from "./json-schema.ts";

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
  it("has all scenarios, S before H, in the order of their numbers", () => {
    const ids = caseIds;
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
    expect([...broken].sort()).toEqual(oracles.map(({ name }) => name).sort());
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

  const varying = (vary: object) => {
    const one = parseCase({ ...document, variants: [{ name: "a", vary, expect: {} }] });
    return scenariosOf(one, one.variants[0] as (typeof one.variants)[number], 4);
  };

  it("varies one number, by steps that binary fractions don't spoil", () => {
    expect(varying({ at: "seed", from: 3, to: 9, step: 3 }).map(({ seed }) => seed)).toEqual([3, 6, 9]);
    const times = varying({ at: "policy.functionUs", from: 0, to: 0.5, step: 0.1 });
    expect(times.map(({ policy }) => policy.functionUs)).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5]);
  });

  it.each([
    [{ at: "sed" }, "variants.0.vary.at: sed", /no such field \(did you mean seed\?\)/],
    [{ at: "policy.functionU" }, "variants.0.vary.at: policy.functionU", /did you mean functionUs/],
    [
      { at: "load.particular.1.us" },
      "variants.0.vary.at",
      /load\.particular has no member 1 .*; found "1"; allowed: load\.particular\.0 to /,
    ],
    [{ at: "load.common.us" }, "variants.0.vary.at: load.common", /not what belongs here/],
    [{ at: "title.us" }, "variants.0.vary.at", /title has no fields/],
    [{ at: "load.particular" }, "variants.0.vary.at: load.particular", /found 1; allowed: a list/],
    [{ at: "machine..cpus" }, "variants.0.vary.at", /not the path of a field/],
    [{ at: "__proto__.x" }, "variants.0.vary.at", /not the path of a field/],
    [{ at: "seed", from: 9 }, "variants.0.vary.to", /a range without an end .*found 2; allowed: 9 or more/],
    [{ at: "seed", to: 1e9 }, "variants.0.vary.to", /allowed: at most 10000 values/],
    [{ at: "seed", from: -1 }, "variants.0.vary.at: seed", /found -1; allowed: a whole number from 0/],
  ])("tells what is wrong with what varies: %j", (vary, at, message) => {
    const thrown = thrownBy(() => varying({ from: 1, to: 2, ...vary }));
    expect(thrown.at).toBe(at);
    expect(thrown.message).toMatch(message);
    expect(thrown.message).toContain("(S1, variant a)");
  });

  it.each<[object, string, RegExp]>([
    [{ id: "one" }, "id", /such as S1/],
    [{ variants: [] }, "variants", /at least one/],
    [{ variants: undefined }, "variants", /the field is missing/],
    [{ cpus: [0] }, "cpus.0", /a whole number from 1 to 65536/],
    [{ varaints: [] }, "varaints", /no such field \(did you mean variants\?\)/],
    [{ format: "allstop.case/2" }, "format", /a version that this build does not read; found "allstop\.case\/2"/],
    [{ format: "allstop.scenario/1" }, "format", /a scenario: not a case; found .*; allowed: "allstop\.case\/1"/],
    [{ variants: [{ name: "a", expect: { violated: ["all"] } }] }, "variants.0.expect.violated.0", /completion/],
    [{ variants: [{ name: "a" }] }, "variants.0.expect", /the field is missing; allowed: an object/],
    [{ scenario: { policy: { nmae: "stop_machine" } } }, "scenario.policy.nmae", /did you mean name/],
    [{ scenario: { load: { particular: {} } } }, "scenario.load.particular", /found {}; allowed: a list/],
    [{ scenario: { format: "allstop.scenario/1" } }, "scenario.format", /no such field/],
    [
      { variants: [{ name: "a", change: { machine: { cpus: "4" } }, expect: {} }] },
      "variants.0.change.machine.cpus",
      /found "4"/,
    ],
    [{ scenario: [] }, "scenario", /an object in braces/],
  ])("that is broken says where and what is allowed: %j", (fields, at, message) => {
    const broken = JSON.parse(JSON.stringify({ ...document, ...fields })) as unknown;
    const thrown = thrownBy(() => parseCase(broken));
    expect(thrown.at).toBe(at);
    expect(thrown.message).toMatch(message);
    expect(acceptedBySchema("case", broken)).toBe(false);
  });
});
