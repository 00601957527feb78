// A scenario document: one JSON object that describes a run completely. Validated here, defaults put in, problems named by
// their place.

import * as v from "valibot";
import { AllstopError } from "../errors.ts";
import { firmwareSwitches } from "../firmware/index.ts";
import { GIC_INTID_END } from "../abi.ts";
import { actKinds, fieldAllowed, type ActKind } from "../faults/act.ts";
import { loadKinds, type LoadKind } from "../faults/load.ts";
import { deliveryKinds, type DeliveryKindName } from "../machine/delivery.ts";

export const SCENARIO_FORMAT = "allstop.scenario/1";

/** Limits of what a document may ask for. */
export const scenarioLimits = {
  cpus: 65_536,
  rounds: 1000,
  limitUs: 60_000_000,
  functionUs: 10_000_000,
  also: 15,
  lost: 1_000_000,
  inject: 1000,
  hits: 1_000_000,
  instructions: 1_000_000,
} as const;

function whole(least: number, most: number, allowed = `a whole number from ${least} to ${most}`) {
  return v.pipe(v.number(allowed), v.integer(allowed), v.minValue(least, allowed), v.maxValue(most, allowed));
}

function within(least: number, most: number) {
  const allowed = `a number from ${least} to ${most}`;
  return v.pipe(v.number(allowed), v.minValue(least, allowed), v.maxValue(most, allowed));
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function text(what: string) {
  const allowed = `${what}: a text of 1 to 4096 characters`;
  return v.pipe(v.string(allowed), v.minLength(1, allowed), v.maxLength(4096, allowed));
}

const actNames = Object.keys(actKinds) as ActKind[];
const injectMost = `a list of at most ${scenarioLimits.inject} entries`;
const deliveryNames = Object.keys(deliveryKinds) as DeliveryKindName[];
const lostAllowed = `a whole number from 1 to ${scenarioLimits.lost}, or "all"`;

const kinds = Object.keys(loadKinds) as LoadKind[];
const loadKind = v.picklist(kinds, kinds.join(", "));

const loadUs = v.optional(within(0.001, scenarioLimits.limitUs));

const policyName = v.optional(text("a policy"), "stop_machine");
/** Who runs the function: the first online CPU (NULL in the kernel), all, or a list of CPUs. */
const active = v.optional(text("first, all, or CPUs such as 0,4-7"), "first");
/** CPUs that the call is about, such as the one to take offline; by default the last ones. */
const targets = v.optional(text("CPUs such as 0,4-7"));
const cpuNumber = whole(0, scenarioLimits.cpus - 1);
/** By default what the policy says, mostly 1. */
const callCount = v.optional(whole(1, scenarioLimits.rounds));
const delayUs = v.optional(within(0, scenarioLimits.functionUs));
const alsoMost = `a list of at most ${scenarioLimits.also} calls`;

/** One of the words that a firmware switch can have. */
function word<K extends string>(values: Readonly<Record<K, number>>) {
  const words = Object.keys(values) as K[];
  return v.optional(v.picklist(words, words.join(", ")));
}

const eventCount = whole(0, 8);
const eventCounts = v.optional(v.strictObject({ private: eventCount, shared: eventCount }));

const firmware = v.strictObject({
  personality: v.optional(text("a firmware personality")),
  conduit: word(firmwareSwitches.conduit),
  sdei: word(firmwareSwitches.sdei),
  signalCheck: word(firmwareSwitches.signalCheck),
  maskedSignal: word(firmwareSwitches.maskedSignal),
  unreadySignal: word(firmwareSwitches.unreadySignal),
  signaledInfo: word(firmwareSwitches.signaledInfo),
  openCpuOff: word(firmwareSwitches.openCpuOff),
  completion: word(firmwareSwitches.completion),
  boundEvents: eventCounts,
  criticalEvents: eventCounts,
});
const firmwareName = text("a firmware personality, or an object");

const cpusText = text("CPUs such as 0,4-7");
const placeAllowed = "an object with us, cycle, or mark";
const placed = v.strictObject({
  us: v.optional(within(0, scenarioLimits.limitUs)),
  cycle: v.optional(whole(0, Number.MAX_SAFE_INTEGER)),
  /** A mark of the guest "routine:mark", or a symbol. */
  mark: v.optional(text("a mark such as multi_cpu_stop:enter, or a routine")),
  /** Who has to come by; any CPU if not given. */
  cpu: v.optional(cpuNumber),
  hit: v.optional(whole(1, scenarioLimits.hits)),
  instructions: v.optional(whole(0, scenarioLimits.instructions)),
  delayNs: v.optional(within(0, scenarioLimits.limitUs * 1000)),
});
/** Where something goes wrong. What of it goes together is looked at when it is expanded (faults/expand.ts). */
const placement = v.lazy((input): typeof placed | typeof noPlacement => (isObject(input) ? placed : noPlacement));
const noPlacement = v.object({}, placeAllowed);

const schema = v.strictObject({
  format: v.literal(SCENARIO_FORMAT, `"${SCENARIO_FORMAT}"`),
  title: v.optional(text("a title")),
  machine: v.optional(
    v.strictObject({
      /** Instruction set; by default that of the topology, else of the timing model. */
      architecture: v.optional(v.picklist(["x86-64", "arm64"], '"x86-64" or "arm64"')),
      /** A preset, a spec such as 2x32x2, or a number of CPUs as text. */
      topology: v.optional(text("a machine")),
      cpus: v.optional(whole(1, scenarioLimits.cpus)),
      /** Name of a timing model. */
      timing: v.optional(text("a timing model")),
      /** Values of timing parameters that take the place of the model's: see allstop list timings --verbose. */
      parameters: v.optional(v.record(v.string(), v.number("a number"), "an object in braces")),
      /** arm64: whether the machine has FEAT_NMI; false by default. */
      featNmi: v.optional(v.boolean("true or false")),
      /** arm64: name of a firmware personality, or one with switches of its own. */
      firmware: v.optional(
        v.lazy((input): typeof firmwareName | typeof firmware => (isObject(input) ? firmware : firmwareName)),
      ),
    }),
    {},
  ),
  policy: v.optional(
    v.strictObject({
      name: policyName,
      active,
      targets,
      functionUs: v.optional(within(0, scenarioLimits.functionUs), 0),
      rounds: callCount,
      /** CPU whose task calls; by default the first online one. */
      requester: v.optional(cpuNumber),
      /** By how much the first call comes later, microseconds. */
      delayUs,
      /** Up to so much is drawn by seed and added to the delay of every requester, microseconds. */
      jitterUs: v.optional(within(0, scenarioLimits.functionUs)),
      /** Other calls, by other CPUs at the same time. */
      also: v.optional(
        v.pipe(
          v.array(
            v.strictObject({ name: policyName, active, targets, rounds: callCount, requester: cpuNumber, delayUs }),
            alsoMost,
          ),
          v.maxLength(scenarioLimits.also, alsoMost),
        ),
      ),
      /** Inputs of the path that are no CPUs, by name: see allstop list policies. */
      options: v.optional(v.record(v.string(), v.number("a number"), "an object in braces")),
      /** What the function returns where it isn't 0. */
      results: v.optional(
        v.array(
          v.strictObject({
            cpus: text("CPUs such as 0,4-7"),
            value: whole(-(2 ** 31), 2 ** 31 - 1),
            /** In which calls, from 0 to 63, such as 1,3; by default in all. */
            rounds: v.optional(text("calls such as 1,3")),
          }),
          "a list",
        ),
      ),
    }),
    {},
  ),
  load: v.optional(
    v.strictObject({
      common: v.optional(loadKind, "idle"),
      particular: v.optional(
        v.array(
          v.strictObject({
            cpus: cpusText,
            kind: loadKind,
            /** Figures of kinds that take some: see loadParameters. */
            us: loadUs,
            offUs: loadUs,
            onUs: loadUs,
            fromUs: v.optional(within(0, scenarioLimits.limitUs)),
          }),
          "a list",
        ),
        [],
      ),
    }),
    {},
  ),
  /** What goes wrong. */
  faults: v.optional(
    v.strictObject({
      /** x86-64: updates of microcode that take longer or shorter than the timing model says, or fail (faults/microcode.ts). */
      microcode: v.optional(
        v.array(
          v.strictObject({
            cpus: cpusText,
            us: v.optional(
              v.union([within(0.001, scenarioLimits.limitUs), v.literal("forever")], 'microseconds, or "forever"'),
            ),
            refused: v.optional(v.boolean("true or false")),
          }),
          "a list",
        ),
      ),
      /** Messages to these CPUs that come later than the timing model says, or not at all. */
      delivery: v.optional(
        v.array(
          v.strictObject({
            cpus: cpusText,
            /** From when on; from the start if not given. */
            at: v.optional(placement),
            kind: v.picklist(deliveryNames, deliveryNames.join(", ")),
            delayNs: v.optional(within(0, scenarioLimits.limitUs * 1000)),
            delayCycles: v.optional(whole(0, Number.MAX_SAFE_INTEGER)),
            /** How many of them are lost, the first ones. */
            lost: v.optional(v.union([whole(1, scenarioLimits.lost, lostAllowed), v.literal("all")], lostAllowed)),
          }),
          "a list",
        ),
      ),
      /** What happens to CPUs, and when. */
      inject: v.optional(
        v.pipe(
          v.array(
            v.strictObject({
              kind: v.picklist(actNames, actNames.join(", ")),
              at: placement,
              /** Behind a mark: by default who has come by. */
              cpus: v.optional(cpusText),
              vector: v.optional(whole(16, 255, fieldAllowed.vector)),
              intid: v.optional(whole(0, GIC_INTID_END - 1, fieldAllowed.intid)),
              /** How long, microseconds. */
              us: v.optional(within(0.001, scenarioLimits.limitUs)),
              event: v.optional(whole(1, 2 ** 31 - 1, fieldAllowed.event)),
            }),
            injectMost,
          ),
          v.maxLength(scenarioLimits.inject, injectMost),
        ),
      ),
    }),
  ),
  /** Seed of what delays stores and loads, to see more of the orders that the architecture allows; 0: nothing does. */
  perturbation: v.optional(whole(0, 2 ** 32 - 1), 0),
  /** Simulated time by which the machine goes on when the call is through, so that what comes too late is seen. */
  afterUs: v.optional(within(0, scenarioLimits.limitUs), 0),
  /** Simulated time after which the run is given up. */
  limitUs: v.optional(within(1, scenarioLimits.limitUs), 1_000_000),
  seed: v.optional(whole(0, 2 ** 32 - 1), 1),
});

/** What a caller may write: everything but the format has a default. */
export type ScenarioInput = v.InferInput<typeof schema>;
/** A document with its defaults put in. */
export type Scenario = v.InferOutput<typeof schema>;

/** @throws SCENARIO_INVALID with the path of the first problem, what was found and what is allowed */
export function parseScenario(document: unknown): Scenario {
  refuseLists(schema, document, []);
  const result = v.safeParse(schema, document);
  if (result.success) return result.output;
  throw problem(result.issues[0]);
}

/** To the schema library a list is an object like any other, and an empty one would pass for a choice of defaults. */
function refuseLists(one: AnySchema, value: unknown, path: readonly (string | number)[]): void {
  const { entries, item } = open(one);
  if (item !== undefined && Array.isArray(value)) {
    value.forEach((member, index) => refuseLists(item, member, [...path, index]));
  }
  if (entries === undefined || typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    const at = path.length === 0 ? "document" : path.join(".");
    throw new AllstopError("SCENARIO_INVALID", "not an object", { at, value, allowed: "an object in braces" });
  }
  for (const [key, field] of Object.entries(entries)) {
    refuseLists(field, (value as Readonly<Record<string, unknown>>)[key], [...path, key]);
  }
}

type Issue = v.InferIssue<typeof schema>;

function problem(issue: Issue): AllstopError {
  const at = v.getDotPath(issue) ?? "document";
  const invalid = (what: string, allowed: string, value?: unknown): AllstopError =>
    new AllstopError("SCENARIO_INVALID", what, { at, allowed, ...(value === undefined ? {} : { value }) });
  if (issue.type !== "strict_object") return invalid("not what belongs here", issue.message, issue.input);
  const keys = issue.path?.map(({ key }) => key) ?? [];
  if (issue.expected === "never") {
    const entries = entriesAt(keys.slice(0, -1));
    return invalid("no such field", Object.keys(entries ?? {}).join(", "));
  }
  if (issue.expected === "Object") return invalid("not an object", "an object in braces", issue.input);
  const entries = entriesAt(keys.slice(0, -1));
  const field = entries?.[String(keys.at(-1))];
  const wanted = field === undefined ? undefined : v.safeParse(field, undefined).issues?.[0].message;
  return invalid("the field is missing", wanted ?? issue.message);
}

type AnySchema = v.BaseSchema<unknown, unknown, v.BaseIssue<unknown>>;
/** What of a schema leads to the schemas inside. */
interface Inside {
  readonly getter?: (input: unknown) => AnySchema;
  readonly entries?: Readonly<Record<string, AnySchema>>;
  readonly wrapped?: AnySchema;
  readonly item?: AnySchema;
}

function open(one: AnySchema | undefined): Inside {
  const inside = (one ?? {}) as Inside;
  const within = inside.getter?.({}) ?? inside.wrapped;
  return within === undefined ? inside : open(within);
}

/** The fields of the object at a path of the schema, if it is one. */
function entriesAt(path: readonly unknown[]): Inside["entries"] {
  let at = open(schema);
  for (const key of path) at = open(at.item ?? at.entries?.[String(key)]);
  return at.entries;
}

/** A document from its JSON text. @throws SCENARIO_INVALID */
export function parseScenarioText(source: string): Scenario {
  let document: unknown;
  try {
    document = JSON.parse(source);
  } catch (cause) {
    const { message } = cause as Error;
    const [, position] = /at position (\d+)/.exec(message) ?? [];
    const at = position === undefined ? {} : { at: placeOf(source, Number(position)) };
    throw new AllstopError("SCENARIO_INVALID", `not JSON: ${message.replaceAll(/\s+/g, " ")}`, { ...at, cause });
  }
  return parseScenario(document);
}

/** line:column, both from 1. */
function placeOf(source: string, position: number): string {
  const before = source.slice(0, position).split("\n");
  return `${before.length}:${(before.at(-1) ?? "").length + 1}`;
}
