// Fuzz target: scenario documents, as JSON text.

import { isDeepStrictEqual } from "node:util";
import { loadKinds } from "../../src/faults/load.ts";
import { policies } from "../../src/policies/index.ts";
import { SCENARIO_FORMAT, parseScenario, parseScenarioText } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { timingModels } from "../../src/timing/index.ts";
import type { Random } from "../support/random.ts";
import { ACCEPTED, expectSame, expectThat, type Subject, type Target } from "./target.ts";
import { muchChangedText } from "./text.ts";

export const scenarioTarget: Target<string> = {
  name: "scenarios",
  what: "scenario documents as JSON",
  share: 100_000,
  refusals: ["SCENARIO_INVALID", "NAME_UNKNOWN", "OPTION_INVALID", "TOPOLOGY_INVALID"],
  open: () => Promise.resolve(openScenarios()),
};

function openScenarios(): Subject<string> {
  return {
    draw(random) {
      const text = JSON.stringify(someDocument(random));
      return random.chance(70) ? text : muchChangedText(random, text, 4);
    },
    attempt(text) {
      const parsed = parseScenarioText(text);
      const written = JSON.stringify(parsed);
      expectSame("a document that is written and read again", JSON.stringify(parseScenarioText(written)), written);
      const expanded = expandScenario(parsed).scenario;
      const again = expandScenario(parseScenario(JSON.parse(JSON.stringify(expanded)))).scenario;
      expectThat("a document that is expanded again stays as it is", isDeepStrictEqual(again, expanded));
      return ACCEPTED;
    },
    show: (text) => JSON.stringify(text),
  };
}

type Draw = (random: Random) => unknown;

const wrong: readonly unknown[] = [
  null,
  "",
  "x",
  0,
  -1,
  1.5,
  1e300,
  true,
  [],
  {},
  [null],
  "0-99999",
  "__proto__",
  2 ** 53,
];

const text =
  (...choices: readonly string[]): Draw =>
  (random) =>
    random.pick(choices);
const number =
  (least: number, most: number): Draw =>
  (random) =>
    random.between(least, most);
/** Fields that may be left out. */
const some =
  (fields: Readonly<Record<string, Draw>>): Draw =>
  (random) => {
    const chosen = Object.entries(fields).filter(() => random.chance(35));
    return Object.fromEntries(chosen.map(([name, draw]) => [name, maybeWrong(random, draw)]));
  };
const listOf =
  (draw: Draw): Draw =>
  (random) =>
    Array.from({ length: random.between(0, 3) }, () => draw(random));

function maybeWrong(random: Random, draw: Draw): unknown {
  return random.chance(3) ? random.pick(wrong) : draw(random);
}

const someCpus = text("0", "1", "0-1", "2-3,5", "1,1", "7", "0-3", "1-5:1/2");
/** All CPUs that there may be are many. */
const cpuList: Draw = (random) => (random.chance(2) ? random.pick(["all", "0-N:1/2", "N"]) : someCpus(random));
const policyName = text(...policies.map(({ name }) => name), "stop_machine", "stop_machine");
const call = {
  name: policyName,
  active: text("first", "first", "all", "0", "1-2"),
  targets: cpuList,
  rounds: number(1, 5),
  requester: number(0, 8),
  delayUs: number(0, 50),
};

const fields: Readonly<Record<string, Draw>> = {
  title: text("a title", "\u0000", "x".repeat(5000)),
  machine: some({
    architecture: text("x86-64", "arm64"),
    topology: text("8", "1x4x2", "packages=2,cores=2", "2x2x2", "1", "packages=1,cores=4,offline=3", "16"),
    cpus: number(1, 16),
    timing: (random) => random.pick(timingModels).name,
  }),
  policy: some({
    ...call,
    functionUs: number(0, 9),
    jitterUs: number(0, 9),
    also: listOf((random) => ({ requester: random.between(0, 8), ...(some(call)(random) as object) })),
    results: listOf((random) => ({ cpus: cpuList(random), value: random.between(-5, 5) })),
  }),
  load: some({
    common: text(...Object.keys(loadKinds)),
    particular: listOf((random) => ({ cpus: cpuList(random), kind: random.pick(Object.keys(loadKinds)) })),
  }),
  limitUs: number(1, 10_000),
  seed: number(0, 2 ** 31),
  more: number(0, 1),
};

function someDocument(random: Random): unknown {
  const document = { format: random.chance(98) ? SCENARIO_FORMAT : "allstop.scenario/2" };
  const chosen = Object.entries(fields).filter(([name]) => random.chance(name === "more" ? 1 : 50));
  // 64 CPUs, the default, take longer than they tell.
  const small = random.chance(98) ? { machine: { cpus: random.between(1, 12) } } : {};
  const drawn = Object.fromEntries(chosen.map(([name, draw]) => [name, maybeWrong(random, draw)]));
  return random.chance(99) ? { ...document, ...small, ...drawn } : random.pick(wrong);
}
