// A scenario document: one JSON object that describes a run completely. Validated here, defaults put in, problems named by
// their place.

import * as v from "valibot";
import { AllstopError } from "../errors.ts";
import { loadKinds, type LoadKind } from "../faults/load.ts";

export const SCENARIO_FORMAT = "allstop.scenario/1";

/** Limits of what a document may ask for. */
export const scenarioLimits = { cpus: 65_536, rounds: 1000, limitUs: 60_000_000, functionUs: 10_000_000 } as const;

function whole(least: number, most: number, what: string) {
  const allowed = `${what}: a whole number from ${least} to ${most}`;
  return v.pipe(v.number(allowed), v.integer(allowed), v.minValue(least, allowed), v.maxValue(most, allowed));
}

function within(least: number, most: number, what: string) {
  const allowed = `${what}: a number from ${least} to ${most}`;
  return v.pipe(v.number(allowed), v.minValue(least, allowed), v.maxValue(most, allowed));
}

const text = (what: string) =>
  v.pipe(
    v.string(`${what}: a text`),
    v.minLength(1, `${what}: a text that is not empty`),
    v.maxLength(4096, `${what}: at most 4096 characters`),
  );

const kinds = Object.keys(loadKinds) as LoadKind[];
const loadKind = v.picklist(kinds, `load: one of ${kinds.join(", ")}`);

const schema = v.strictObject({
  format: v.literal(SCENARIO_FORMAT, `format: "${SCENARIO_FORMAT}"`),
  title: v.optional(text("title")),
  machine: v.optional(
    v.strictObject({
      /** Instruction set; by default that of the topology, else of the timing model. */
      architecture: v.optional(v.picklist(["x86-64", "arm64"], 'architecture: "x86-64" or "arm64"')),
      /** A preset, a spec such as 2x32x2, or a number of CPUs as text. */
      topology: v.optional(text("topology")),
      cpus: v.optional(whole(1, scenarioLimits.cpus, "cpus")),
      /** Name of a timing model. */
      timing: v.optional(text("timing")),
    }),
    {},
  ),
  policy: v.optional(
    v.strictObject({
      name: v.optional(text("policy name"), "stop_machine"),
      /** Who runs the function: the first online CPU (NULL in the kernel), all, or a list of CPUs. */
      active: v.optional(text("active"), "first"),
      functionUs: v.optional(within(0, scenarioLimits.functionUs, "functionUs"), 0),
      rounds: v.optional(whole(1, scenarioLimits.rounds, "rounds"), 1),
      /** CPU whose task calls; by default the first online one. */
      requester: v.optional(whole(0, scenarioLimits.cpus - 1, "requester")),
    }),
    {},
  ),
  load: v.optional(
    v.strictObject({
      common: v.optional(loadKind, "idle"),
      particular: v.optional(v.array(v.strictObject({ cpus: text("cpus"), kind: loadKind })), []),
    }),
    {},
  ),
  /** Simulated time after which the run is given up. */
  limitUs: v.optional(within(1, scenarioLimits.limitUs, "limitUs"), 1_000_000),
  seed: v.optional(whole(0, 2 ** 32 - 1, "seed"), 1),
});

/** What a caller may write: everything but the format has a default. */
export type ScenarioInput = v.InferInput<typeof schema>;
/** A document with its defaults put in. */
export type Scenario = v.InferOutput<typeof schema>;

/** @throws SCENARIO_INVALID with the path of the first problem, what was found and what is allowed */
export function parseScenario(document: unknown): Scenario {
  const result = v.safeParse(schema, document);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const at = v.getDotPath(issue) ?? "document";
  const allowed = issue.type === "strict_object" ? `no such field here; ${issue.expected ?? ""}` : issue.message;
  throw new AllstopError("SCENARIO_INVALID", "not what a scenario has here", { at, value: issue.input, allowed });
}

/** A document from its JSON text. @throws SCENARIO_INVALID */
export function parseScenarioText(source: string): Scenario {
  let document: unknown;
  try {
    document = JSON.parse(source);
  } catch (cause) {
    throw new AllstopError("SCENARIO_INVALID", `not JSON: ${(cause as Error).message}`, { cause });
  }
  return parseScenario(document);
}
