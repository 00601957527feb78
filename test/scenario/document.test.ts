// Scenario documents: what is taken, with which defaults, and what they come to. Mistakes are in broken-documents.ts.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AllstopError } from "../../src/errors.ts";
import { loadKinds } from "../../src/faults/load.ts";
import { SCENARIO_FORMAT, parseScenario, parseScenarioText, type ScenarioInput } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { thrownBy } from "../topology/errors.ts";

describe("a document", () => {
  it("needs a format and nothing else", () => {
    expect(parseScenarioText('{"format":"allstop.scenario/1"}')).toEqual({
      format: "allstop.scenario/1",
      machine: {},
      policy: { name: "stop_machine", active: "first", functionUs: 0 },
      load: { common: "idle", particular: [] },
      perturbation: 0,
      afterUs: 0,
      limitUs: 1_000_000,
      seed: 1,
    });
  });

  it("is the same after being written out and read again, also with everything expanded", () => {
    const document: ScenarioInput = {
      format: SCENARIO_FORMAT,
      title: "a title",
      machine: { architecture: "arm64", cpus: 12 },
      policy: { active: "2-3,7", functionUs: 1.5, rounds: 3, requester: 5 },
      load: { common: "mixed", particular: [{ cpus: "0-1", kind: "busy" }] },
      limitUs: 5000,
      seed: 2 ** 32 - 1,
    };
    const parsed = parseScenario(document);
    expect(parseScenario(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
    const expanded = expandScenario(parsed);
    expect(expanded.scenario).toMatchObject({ machine: { architecture: "arm64", cpus: 12, timing: "generic-arm64" } });
    const again = expandScenario(parseScenario(expanded.scenario));
    expect(again).toEqual(expanded);
  });

  it("says what the firmware of an arm64 machine is like, by name or with switches", () => {
    const firmwareOf = (machine: ScenarioInput["machine"]) =>
      expandScenario(parseScenario({ format: SCENARIO_FORMAT, machine }));
    const own = { personality: "tf-a-2.13", maskedSignal: "lost" } as const;
    expect(firmwareOf({ architecture: "arm64" }).scenario.machine.firmware).toBe("compliant");
    expect(firmwareOf({ architecture: "arm64", firmware: own }).firmware?.name).toBe(
      "tf-a-2.13 with maskedSignal lost",
    );
    expect(firmwareOf({ architecture: "x86-64" }).scenario.machine).not.toHaveProperty("firmware");
  });

  it("says whether an arm64 machine has FEAT_NMI", () => {
    const machineOf = (machine: ScenarioInput["machine"]) =>
      expandScenario(parseScenario({ format: SCENARIO_FORMAT, machine })).scenario.machine;
    expect(machineOf({ architecture: "arm64" }).featNmi).toBe(false);
    expect(machineOf({ architecture: "arm64", featNmi: true }).featNmi).toBe(true);
    expect(machineOf({ architecture: "x86-64" })).not.toHaveProperty("featNmi");
  });

  it("targets are the last CPUs but the requester, or those that are named, each once and in that order", () => {
    const first = (policy: object) =>
      expandScenario(parseScenario({ format: SCENARIO_FORMAT, machine: { cpus: 8 }, policy })).requests[0];
    expect(first({ name: "stop_one_cpu" }).targets).toEqual([7]);
    expect(first({ name: "stop_two_cpus" }).targets).toEqual([6, 7]);
    expect(first({ name: "stop_two_cpus", requester: 7 }).targets).toEqual([5, 6]);
    expect(first({ name: "cpu_offline", requester: 7 }).targets).toEqual([6]);
    expect(first({ name: "cpu_offline", targets: "5,2-3,5,2" })).toMatchObject({ targets: [5, 2, 3], rounds: 3 });
  });

  it("lists may say all CPUs, and the last one, without their numbers", () => {
    const expand = (fields: object) =>
      expandScenario(parseScenario({ format: SCENARIO_FORMAT, machine: { cpus: 6 }, ...fields }));
    expect(expand({ policy: { name: "stop_one_cpu", targets: "N" } }).requests[0].targets).toEqual([5]);
    expect(expand({ policy: { active: "1-N" } }).active).toEqual([1, 2, 3, 4, 5]);
    const { loads } = expand({ load: { particular: [{ cpus: "all", kind: "busy" }] } });
    expect(loads.map(({ kind }) => kind)).toEqual(Array<string>(6).fill("busy"));
  });

  it("offline CPUs can neither call nor run the function", () => {
    const topology = buildTopology({ packages: 1, coresPerLlc: 4, threadsPerCore: 1, offline: "0,2" });
    const expand = (policy: object) => expandScenario(parseScenario({ format: SCENARIO_FORMAT, policy }), topology);
    expect(expand({}).requester).toBe(1);
    expect(expand({ active: "all" }).active).toEqual([1, 3]);
    expect(thrownBy(() => expand({ requester: 2 })).message).toMatch(/found 2; allowed: 1,3/);
    expect(thrownBy(() => expand({ active: "1-3" })).message).toMatch(/found 2; allowed: .*1,3/);
  });
});

describe("any document", () => {
  it("is either taken or refused with a typed error that fits a screen", () => {
    const name = fc.constantFrom(
      "format",
      "machine",
      "policy",
      "load",
      "cpus",
      "kind",
      "particular",
      "common",
      "seed",
      "x",
    );
    const value = fc.letrec<{ any: unknown }>((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom("allstop.scenario/1", "first", "busy", "1-3", "", 0, 1, -1, 1.5, 1e300, null, true),
        fc.string(),
        fc.array(tie("any"), { maxLength: 3 }),
        fc.dictionary(name, tie("any"), { maxKeys: 4 }),
      ),
    })).any;
    const document = fc.oneof(
      value,
      fc.dictionary(name, value).map((fields) => ({ ...fields, format: SCENARIO_FORMAT })),
    );
    fc.assert(
      fc.property(document, (one) => {
        try {
          parseScenario(one);
        } catch (error) {
          expect(error).toBeInstanceOf(AllstopError);
          expect((error as AllstopError).code).toBe("SCENARIO_INVALID");
          expect((error as AllstopError).message.length).toBeLessThan(1000);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("every load has a name and what it means", () => {
    for (const [name, meaning] of Object.entries(loadKinds)) {
      expect(name).toMatch(/^[a-z-]+$/);
      expect(meaning.length).toBeGreaterThan(10);
    }
  });
});
