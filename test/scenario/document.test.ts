// Scenario documents: what is taken, with which defaults, and that every mistake is named by its place and with what is allowed.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AllstopError } from "../../src/errors.ts";
import { loadKinds } from "../../src/faults/load.ts";
import { SCENARIO_FORMAT, parseScenario, parseScenarioText, type ScenarioInput } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { thrownBy } from "../topology/errors.ts";

const scenario = (fields: object): string => JSON.stringify({ format: "allstop.scenario/1", ...fields });

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

  it.each<[string, string, string, RegExp]>([
    ["no JSON", '{\n  "format": allstop\n}', "", /not JSON: .*allstop/],
    ["JSON cut off", '{"format":', "", /not JSON/],
    ["a comma too much", '{\n "seed": [1,\n 2 3]}', "3:4", /not JSON/],
    ["nothing", "", "", /not JSON/],
    ["a list", "[]", "document", /not an object; .*allowed: an object/],
    ["null", "null", "document", /not an object; found null/],
    ["a number", "12", "document", /not an object; found 12/],
    ["no format", "{}", "format", /the field is missing; allowed: "allstop\.scenario\/1"$/],
    [
      "another format",
      '{"format":"allstop.scenario/9"}',
      "format",
      /found "allstop\.scenario\/9"; allowed: "allstop\.s/,
    ],
    ["a report", '{"format":"allstop.report/1"}', "format", /found "allstop\.report\/1"/],
    ["an unknown field", scenario({ limitMs: 5 }), "limitMs", /no such field; allowed: format, title, .*limitUs/],
    [
      "one inside",
      scenario({ machine: { cpu: 5 } }),
      "machine.cpu",
      /no such field; allowed: architecture, topology, cpus, timing, parameters, featNmi, firmware$/,
    ],
    [
      "one in a list",
      scenario({
        load: {
          particular: [
            { cpus: "1", kind: "busy" },
            { cpu: 1, cpus: "1", kind: "busy" },
          ],
        },
      }),
      "load.particular.1.cpu",
      /no such field; allowed: cpus, kind, us, offUs, onUs, fromUs$/,
    ],
    [
      "a missing one in a list",
      scenario({ load: { particular: [{ cpus: "1" }] } }),
      "load.particular.0.kind",
      /the field is missing; allowed: idle, /,
    ],
    [
      "text for a number",
      scenario({ machine: { cpus: "8" } }),
      "machine.cpus",
      /found "8"; allowed: a whole number from 1 to 65536$/,
    ],
    ["a fraction", scenario({ seed: 0.5 }), "seed", /found 0\.5; allowed: a whole number from 0 to 4294967295$/],
    ["too many", scenario({ policy: { rounds: 1001 } }), "policy.rounds", /found 1001; allowed: .* to 1000$/],
    ["too few", scenario({ machine: { cpus: 0 } }), "machine.cpus", /found 0/],
    [
      "negative time",
      scenario({ policy: { functionUs: -1 } }),
      "policy.functionUs",
      /found -1; allowed: a number from 0 to/,
    ],
    ["no time", scenario({ limitUs: 0 }), "limitUs", /found 0; allowed: a number from 1 to/],
    ["a list for an object", scenario({ machine: [] }), "machine", /not an object/],
    ["a list in a list", scenario({ load: { particular: [[]] } }), "load.particular.0", /not an object/],
    ["an object for a list", scenario({ load: { particular: {} } }), "load.particular", /allowed: a list/],
    ["null for an object", scenario({ policy: null }), "policy", /found null/],
    ["empty text", scenario({ machine: { topology: "" } }), "machine.topology", /found ""/],
    [
      "an unknown load",
      scenario({ load: { common: "lazy" } }),
      "load.common",
      /found "lazy"; allowed: idle, hlt, .*mixed$/,
    ],
    [
      "an unknown architecture",
      scenario({ machine: { architecture: "vax" } }),
      "machine.architecture",
      /found "vax"; allowed: "x86-64" or "arm64"$/,
    ],
    [
      "no answer to FEAT_NMI",
      scenario({ machine: { featNmi: 1 } }),
      "machine.featNmi",
      /found 1; allowed: true or false/,
    ],
    [
      "no firmware's name",
      scenario({ machine: { firmware: 5 } }),
      "machine.firmware",
      /found 5; allowed: a firmware personality, or an object/,
    ],
    [
      "an unknown switch of the firmware",
      scenario({ machine: { firmware: { masked: "lost" } } }),
      "machine.firmware.masked",
      /no such field; allowed: personality, conduit, .*criticalEvents$/,
    ],
    [
      "a switch with an unknown value",
      scenario({ machine: { firmware: { maskedSignal: "gone" } } }),
      "machine.firmware.maskedSignal",
      /found "gone"; allowed: pending, lost, wedge$/,
    ],
    ["a list for firmware", scenario({ machine: { firmware: [] } }), "machine.firmware", /not an object/],
    ["a prototype", '{"format":"allstop.scenario/1","__proto__":{"seed":2}}', "__proto__", /no such field/],
  ])("that is broken: %s", (_, text, at, message) => {
    const thrown = thrownBy(() => parseScenarioText(text));
    expect(thrown.code).toBe("SCENARIO_INVALID");
    if (at !== "") expect(thrown.at).toBe(at);
    expect(thrown.message).toMatch(message);
    expect(thrown.message.length).toBeLessThan(500);
  });

  it.each<[string, Partial<ScenarioInput>, string, RegExp]>([
    [
      "no such firmware",
      { machine: { architecture: "arm64", firmware: "tf-a-1.0" } },
      "NAME_UNKNOWN",
      /^machine\.firmware: no such firmware personality; found "tf-a-1\.0"; allowed: compliant, tf-a-2\.12/,
    ],
    [
      "more events than there is room for",
      { machine: { architecture: "arm64", firmware: { boundEvents: { private: 8, shared: 0 } } } },
      "OPTION_INVALID",
      /^machine\.firmware: private SDEI events.*up to 7 together$/,
    ],
    [
      "FEAT_NMI of x86",
      { machine: { architecture: "x86-64", featNmi: true } },
      "SCENARIO_INVALID",
      /^machine\.featNmi: only arm64 machines have FEAT_NMI/,
    ],
    [
      "firmware of x86",
      { machine: { architecture: "x86-64", firmware: "compliant" } },
      "SCENARIO_INVALID",
      /^machine\.firmware: only arm64 machines have firmware in EL3/,
    ],
    [
      "no such timing model",
      { machine: { timing: "abacus" } },
      "NAME_UNKNOWN",
      /^machine\.timing: no such timing model; found "abacus"; allowed: generic-x86.*kunpeng920/,
    ],
    [
      "a timing model of the other architecture",
      { machine: { timing: "zen4", architecture: "arm64" } },
      "SCENARIO_INVALID",
      /zen4 is of x86-64/,
    ],
    ["no such machine", { machine: { topology: "cray" } }, "NAME_UNKNOWN", /^machine\.topology: .*found "cray"/],
    [
      "a machine with a mistake inside its text",
      { machine: { topology: "cores=4,offline=9" } },
      "TOPOLOGY_INVALID",
      /^machine\.topology: offline: no such CPU; found 9/,
    ],
    [
      "CPUs and topology that differ",
      { machine: { topology: "2x4x1", cpus: 4 } },
      "SCENARIO_INVALID",
      /machine\.cpus: .*found 4; allowed: 8, as 2x4x1 has/,
    ],
    [
      "no such policy",
      { policy: { name: "ask" } },
      "NAME_UNKNOWN",
      /^policy\.name: no such policy; found "ask"; allowed: .* others: see allstop list policies/,
    ],
    [
      "a load of the other architecture",
      { load: { common: "wfi" } },
      "OPTION_INVALID",
      /^load\.common: load wfi exists on arm64 only/,
    ],
    [
      "a load of no such CPU",
      { load: { particular: [{ cpus: "64", kind: "busy" }] } },
      "OPTION_INVALID",
      /load\.particular\.0\.cpus: no such CPU; found 64; allowed: 0-63$/,
    ],
    [
      "a list of CPUs that is none",
      { load: { particular: [{ cpus: "1-", kind: "busy" }] } },
      "OPTION_INVALID",
      /load\.particular\.0\.cpus: .*found "1-"/,
    ],
    [
      "a wedged requester",
      {
        policy: { requester: 3 },
        load: {
          particular: [
            { cpus: "3", kind: "busy" },
            { cpus: "0-3", kind: "wedged" },
            { cpus: "2", kind: "busy" },
          ],
        },
      },
      "SCENARIO_INVALID",
      /^load\.particular\.1: the requester can't be wedged; found 3/,
    ],
    [
      "all wedged",
      { load: { common: "wedged" } },
      "SCENARIO_INVALID",
      /^load\.common: the requester can't be wedged; found 0/,
    ],
    [
      "a result of no such CPU",
      { policy: { results: [{ cpus: "1,62-66", value: 1 }] } },
      "OPTION_INVALID",
      /^policy\.results\.0\.cpus: no such CPU; found 64; allowed: 0-63$/,
    ],
    [
      "a target that is not there",
      { policy: { name: "stop_one_cpu", targets: "64" } },
      "OPTION_INVALID",
      /^policy\.targets: no such CPU; found 64; allowed: 0-63$/,
    ],
    [
      "a requester that is not there",
      { policy: { requester: 64 } },
      "SCENARIO_INVALID",
      /policy\.requester: .*found 64; allowed: 0-63/,
    ],
    [
      "a function on CPUs that are not there",
      { policy: { active: "60-70" } },
      "OPTION_INVALID",
      /policy\.active: no such CPU; found 64; allowed: 0-63$/,
    ],
  ])("that no machine can run: %s", (_, fields, code, message) => {
    const thrown = thrownBy(() => expandScenario(parseScenario({ format: SCENARIO_FORMAT, ...fields })));
    expect(thrown.code).toBe(code);
    expect(thrown.message).toMatch(message);
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
