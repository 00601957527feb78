// The report holds the document with every choice written out: run again, it is the same run, to the last bit.

import { describe, expect, it } from "vitest";
import { scenariosOf } from "../../src/scenario/case.ts";
import { findCases } from "../../src/scenario/catalogue.ts";
import { SCENARIO_FORMAT, parseScenario, type ScenarioInput } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { simulate } from "../../src/simulate.ts";
import { acceptedBySchema } from "./json-schema.ts";

/** As a reader of the report has it. */
function written<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

const fourCpus = (fields: Partial<ScenarioInput>): ScenarioInput => ({
  format: SCENARIO_FORMAT,
  machine: { cpus: 4 },
  limitUs: 5000,
  ...fields,
});

describe("a document with every choice written out", () => {
  it("has what was left open: machine, requester, targets, rounds, delays, options", () => {
    const { scenario } = expandScenario(
      parseScenario({ format: SCENARIO_FORMAT, policy: { name: "stop_two_cpus", also: [{ requester: 5 }] } }),
    );
    expect(scenario).toEqual({
      format: "allstop.scenario/1",
      machine: { architecture: "x86-64", cpus: 64, timing: "generic-x86" },
      policy: {
        name: "stop_two_cpus",
        active: "first",
        functionUs: 0,
        requester: 0,
        targets: "62,63",
        rounds: 1,
        delayUs: 0,
        jitterUs: 0,
        also: [{ name: "stop_machine", active: "first", requester: 5, rounds: 1, delayUs: 0 }],
      },
      load: { common: "idle", particular: [] },
      perturbation: 0,
      afterUs: 0,
      limitUs: 1_000_000,
      seed: 1,
    });
  });

  it("has firmware, FEAT_NMI and the figures of loads and faults", () => {
    const { scenario } = expandScenario(
      parseScenario({
        format: SCENARIO_FORMAT,
        machine: { architecture: "arm64", cpus: 8, firmware: { maskedSignal: "lost" } },
        load: {
          particular: [
            { cpus: "1", kind: "irqs-off", onUs: 9 },
            { cpus: "2", kind: "idle-deep" },
            { cpus: "3", kind: "descheduled" },
          ],
        },
        faults: {
          inject: [
            { kind: "suspend", us: 5, at: { mark: "multi_cpu_stop:enter" } },
            { kind: "suspend", us: 5, at: { mark: "multi_cpu_stop:enter", delayNs: 5 } },
            { kind: "suspend", us: 5, at: { us: 3 }, cpus: "1" },
          ],
          delivery: [{ cpus: "1", kind: "interrupt", lost: 1, at: { mark: "multi_cpu_stop:enter", cpu: 2 } }],
        },
      }),
    );
    expect(scenario.machine).toMatchObject({
      featNmi: false,
      firmware: { personality: "compliant", maskedSignal: "lost" },
    });
    // As loads.test.ts and docs have them.
    expect(scenario.load.particular).toEqual([
      { cpus: "1", kind: "irqs-off", offUs: 20, onUs: 9 },
      { cpus: "2", kind: "idle-deep", us: 100 },
      { cpus: "3", kind: "descheduled", us: 1000 },
    ]);
    expect(scenario.faults?.inject?.map(({ at }) => at)).toEqual([
      { mark: "multi_cpu_stop:enter", hit: 1, instructions: 0 },
      { mark: "multi_cpu_stop:enter", hit: 1, delayNs: 5 },
      { us: 3 },
    ]);
    expect(scenario.faults?.delivery?.[0]?.at).toEqual({
      mark: "multi_cpu_stop:enter",
      cpu: 2,
      hit: 1,
      instructions: 0,
    });
  });

  it("has the options of all its policies, and says nothing of where editors find the schema", () => {
    const document = { format: SCENARIO_FORMAT, $schema: "../schema/scenario.schema.json" } as const;
    const { scenario } = expandScenario(
      parseScenario({ ...document, policy: { name: "microcode_v2", options: { microcodeNmiSafe: 1 } } }),
    );
    expect(scenario.policy.options).toMatchObject({ microcodeNmiSafe: 1, microcodeRendezvousSteps: 1_000_000 });
    expect(scenario).not.toHaveProperty("$schema");
  });

  it("expands to the same again, of every variant of every case, and the schema takes it", async () => {
    for (const one of await findCases([])) {
      for (const variant of one.variants) {
        const [scenario] = scenariosOf(one, variant, variant.cpus?.[0] ?? one.cpus[0] ?? 4);
        const first = expandScenario(scenario as NonNullable<typeof scenario>);
        const again = expandScenario(parseScenario(written(first.scenario)));
        const name = `${one.id} ${variant.name}`;
        expect([name, again.scenario]).toEqual([name, first.scenario]);
        expect([name, { ...again, scenario: {} }]).toEqual([name, { ...first, scenario: {} }]);
        expect([name, acceptedBySchema("scenario", written(first.scenario))]).toEqual([name, true]);
      }
    }
  });

  it.each<[string, ScenarioInput]>([
    ["defaults", fourCpus({})],
    ["what is drawn by seed", fourCpus({ load: { common: "mixed" }, policy: { jitterUs: 50 }, seed: 7 })],
    ["own timing", fourCpus({ machine: { cpus: 4, timing: "zen3", parameters: { wakeMwait: 5000, atomic: 40 } } })],
    ["two requesters", fourCpus({ policy: { also: [{ name: "stop_one_cpu", requester: 2 }] } })],
    ["perturbed memory", fourCpus({ machine: { cpus: 4, architecture: "arm64" }, perturbation: 3 })],
    ["firmware", fourCpus({ machine: { cpus: 4, architecture: "arm64", firmware: "tf-a-2.13" } })],
    [
      "figures of loads",
      fourCpus({
        load: {
          particular: [
            { cpus: "1", kind: "lock-holder" },
            { cpus: "2", kind: "smm" },
            { cpus: "3", kind: "idle-deep" },
          ],
        },
      }),
    ],
    [
      "faults",
      fourCpus({
        faults: {
          inject: [{ kind: "smi", us: 30, at: { mark: "multi_cpu_stop:enter", cpu: 2 } }],
          delivery: [{ cpus: "3", kind: "interrupt", delayNs: 700 }],
        },
      }),
    ],
    ["a path with options", fourCpus({ policy: { name: "microcode_v2" } })],
  ])("is the same run: %s", async (_, document) => {
    const { report: first } = await simulate(document);
    const { report: again } = await simulate(written(first.scenario));
    expect(again.digest).toBe(first.digest);
    expect({ ...again, host: {} }).toEqual({ ...first, host: {} });
  });
});
