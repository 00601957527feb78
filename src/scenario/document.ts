// A scenario document: one JSON object that describes a run completely. Validated here, defaults put in, problems named by
// their place. What each field is stands beside it: schema/scenario.schema.json and the table in docs/scenario-documents.md are made of it.

import * as v from "valibot";
import { GIC_INTID_END } from "../abi.ts";
import { actKinds, fieldAllowed, type ActKind } from "../faults/act.ts";
import { loadKinds, type LoadKind } from "../faults/load.ts";
import { firmwareSwitches, personalities } from "../firmware/index.ts";
import { deliveryKinds, type DeliveryKindName } from "../machine/delivery.ts";
import { policies } from "../policies/index.ts";
import { timingModels, timingParameters } from "../timing/index.ts";
import { presets } from "../topology/index.ts";
import { about, cpus, known, list, text, truth, whole, within, word } from "./field-types.ts";
import { checkFormat } from "./format.ts";
import { parseJson } from "./json-text.ts";
import { fieldsOfActs, fieldsOfDeliveries, fieldsOfMachines, fieldsOfPlaces, figuresOfLoads } from "./together.ts";
import { validate } from "./validate.ts";

/** The `format` of a scenario document, with its version. */
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

const { limitUs: mostUs, functionUs: mostFunctionUs } = scenarioLimits;

const names = (all: readonly { readonly name: string }[]): string[] => all.map(({ name }) => name);
const titles = (all: readonly { readonly title: string }[]): string[] => all.map(({ title }) => title);
const keys = <K extends string>(table: Readonly<Record<K, unknown>>): K[] => Object.keys(table) as K[];

/** One of the words that a firmware switch can have. */
function firmwareWord<K extends string>(values: Readonly<Record<K, number>>, description: string) {
  return v.optional(word(keys(values), { description, byDefault: "that of the personality" }));
}

function eventCounts(description: string) {
  const count = (which: string) => whole(0, 8, `${which} events.`);
  return v.optional(
    v.pipe(
      v.strictObject({ private: count("Private"), shared: count("Shared") }),
      about({ description, byDefault: "that of the personality" }),
    ),
  );
}

const firmware = v.pipe(
  v.strictObject({
    personality: v.optional(
      text("a firmware personality", {
        description: "What the switches change.",
        byDefault: "compliant",
        enum: names(personalities),
        enumDescriptions: titles(personalities),
      }),
    ),
    conduit: firmwareWord(firmwareSwitches.conduit, "Instructions that reach EL3; another one is UNDEFINED."),
    sdei: firmwareWord(firmwareSwitches.sdei, "The version that SDEI_VERSION returns; none: SDEI is not supported."),
    signalCheck: firmwareWord(
      firmwareSwitches.signalCheck,
      "What EVENT_SIGNAL looks at: nothing, or whether its target is unmasked and has event 0 registered and enabled.",
    ),
    maskedSignal: firmwareWord(
      firmwareSwitches.maskedSignal,
      "What becomes of event 0 at a masked PE; wedge leaves it without non-secure interrupts from then on.",
    ),
    unreadySignal: firmwareWord(
      firmwareSwitches.unreadySignal,
      "What becomes of event 0 at an unmasked PE that has not registered it.",
    ),
    signaledInfo: firmwareWord(
      firmwareSwitches.signaledInfo,
      "What EVENT_GET_INFO says of whether an event can be signalled: as specified, or the opposite.",
    ),
    openCpuOff: firmwareWord(
      firmwareSwitches.openCpuOff,
      "What CPU_OFF does with an event open: ends it, leaves it so that later resets of SDEI hang, or hangs itself.",
    ),
    completion: firmwareWord(
      firmwareSwitches.completion,
      "What a completion leaves: nothing, resets of SDEI that hang, or a PE whose CPU_OFF hangs.",
    ),
    boundEvents: eventCounts("Events that INTERRUPT_BIND can give out."),
    criticalEvents: eventCounts("Critical events that the platform has bound to interrupts."),
  }),
  about("A personality of the firmware with switches of one's own."),
);
const firmwareName = text("a firmware personality, or an object", {
  description: "A personality of the firmware.",
  enum: names(personalities),
  enumDescriptions: titles(personalities),
});

const parameters = v.pipe(
  v.record(v.string(), v.number("a number"), "an object in braces"),
  about({
    description:
      "Values of timing parameters that take the place of the model's: allstop list timings --verbose has them all, with sources.",
    properties: Object.fromEntries(
      Object.entries(timingParameters).map(([name, one]) => [
        name,
        {
          type: "number",
          minimum: one.least,
          ...("most" in one ? { maximum: one.most } : {}),
          description: `${one.what}, ${one.unit}.`,
        },
      ]),
    ),
    additionalProperties: false,
  }),
);

const machine = v.pipe(
  v.strictObject({
    architecture: v.optional(
      v.pipe(
        v.picklist(["x86-64", "arm64"], '"x86-64" or "arm64"'),
        about({
          description: "Instruction set.",
          byDefault: "that of the topology, else of the timing model, else x86-64",
        }),
      ),
    ),
    topology: v.optional(
      text("a machine", {
        description:
          "A preset; a spec: packages x cores x threads such as 2x32x2, packages x dies x LLC domains x cores x threads, or key=value pairs such as packages=2,llcs=4,cores=8,offline=3; a number of CPUs; on the command line also an hwloc file (.xml).",
        byDefault: "a plausible machine of machine.cpus CPUs",
        ...known(names(presets), titles(presets)),
      }),
    ),
    cpus: v.optional(
      whole(1, scenarioLimits.cpus, {
        description: "Number of CPUs; with a topology it must be the topology's.",
        byDefault: "that of the topology, else 64",
      }),
    ),
    timing: v.optional(
      text("a timing model", {
        description: "Timing model.",
        byDefault: "the topology's own, else the architecture's generic one",
        enum: names(timingModels),
        enumDescriptions: titles(timingModels),
      }),
    ),
    parameters: v.optional(parameters),
    featNmi: v.optional(
      truth({
        description: "arm64: whether the machine has FEAT_NMI, non-maskable interrupts of GICv3.3.",
        byDefault: "true where the stop path is one of its own, else false",
      }),
    ),
    firmware: v.optional(
      v.pipe(
        v.lazy((input): typeof firmwareName | typeof firmware => (isObject(input) ? firmware : firmwareName)),
        about({
          description: "arm64: what the firmware in EL3 is like: a personality, or one with switches of one's own.",
          byDefault: "compliant",
        }),
      ),
    ),
  }),
  about({ description: "The machine.", ...fieldsOfMachines }),
);

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

const policyName = v.optional(
  text("a policy", {
    description: "The stop path: allstop list policies.",
    enum: names(policies),
    enumDescriptions: titles(policies),
  }),
  "stop_machine",
);
const active = v.optional(
  text("first, all, or CPUs such as 0,4-7", {
    description:
      "Who runs the function, of a stop path that leaves that open: the first online CPU, as NULL says in the kernel, all online CPUs, or a list such as 0,4-7.",
    ...known(["first", "all"]),
  }),
  "first",
);
const targets = v.optional(
  cpus(
    "CPUs that the call is about, such as the one to take offline, in that order.",
    "of a path that has some, the last online ones but the requester",
  ),
);
const cpuNumber = (told: Parameters<typeof whole>[2]) => whole(0, scenarioLimits.cpus - 1, told);
const rounds = v.optional(
  whole(1, scenarioLimits.rounds, {
    description: "Calls in a row; of ipi-benchmark rounds of each case.",
    byDefault: "1; one per target where the path takes one; 32 of ipi-benchmark",
  }),
);
const delayUs = v.optional(
  within(0, mostFunctionUs, {
    description: "By how much the first call comes later, microseconds.",
    byDefault: "0",
  }),
);

const options = v.pipe(
  v.record(v.string(), v.number("a number"), "an object in braces"),
  about({
    description: "Inputs of the stop path that are no CPUs, by name; those of every path that takes part.",
    properties: Object.fromEntries(
      policies.flatMap((policy) =>
        Object.entries(policy.options ?? {}).map(([name, { what, least, most, default: byDefault }]) => [
          name,
          { type: "integer", minimum: least, maximum: most, default: byDefault, description: `${what}.` },
        ]),
      ),
    ),
    additionalProperties: false,
  }),
);

const policy = v.pipe(
  v.strictObject({
    name: policyName,
    active,
    targets,
    functionUs: v.optional(within(0, mostFunctionUs, "How long the function takes, microseconds."), 0),
    rounds,
    requester: v.optional(cpuNumber({ description: "CPU whose task calls.", byDefault: "the first online CPU" })),
    delayUs,
    jitterUs: v.optional(
      within(0, mostFunctionUs, {
        description: "Up to so much is drawn by seed and added to the delay of every requester, microseconds.",
        byDefault: "0",
      }),
    ),
    also: v.optional(
      list(
        v.pipe(
          v.strictObject({
            name: policyName,
            active,
            targets,
            rounds,
            requester: cpuNumber("CPU whose task calls; another one for each call."),
            delayUs,
          }),
          about("A call."),
        ),
        {
          description: "Other calls, by other CPUs at the same time. They take the function of policy.functionUs, too.",
          byDefault: "none",
        },
        scenarioLimits.also,
        "calls",
      ),
    ),
    options: v.optional(options),
    results: v.optional(
      list(
        v.pipe(
          v.strictObject({
            cpus: cpus("On which CPUs."),
            value: whole(-(2 ** 31), 2 ** 31 - 1, "What the function returns there, such as -16 for -EBUSY."),
            rounds: v.optional(
              text("calls such as 1,3", {
                description: "In which calls, from 0 to 63, such as 1,3.",
                byDefault: "in all",
              }),
            ),
          }),
          about("What the function returns on some CPUs."),
        ),
        {
          description: "What the function returns where it isn't 0. Of a CPU in several entries the last one holds.",
          byDefault: "0 everywhere",
        },
      ),
    ),
  }),
  about("The stop path, who asks for it, and for what."),
);

const loadNames = keys<LoadKind>(loadKinds);
const loadKind = (told: Parameters<typeof word>[1]) => word(loadNames, told, Object.values(loadKinds));
const figure = (least: number, description: string) => v.optional(within(least, mostUs, description));

const load = v.pipe(
  v.strictObject({
    common: v.optional(
      loadKind({ description: "What all CPUs are doing that particular doesn't name: allstop list loads." }),
      "idle",
    ),
    particular: v.optional(
      list(
        v.pipe(
          v.strictObject({
            cpus: cpus("Which CPUs."),
            kind: loadKind({ description: "What they are doing: allstop list loads." }),
            us: figure(
              0.001,
              "Microseconds: of idle-deep until it has left its state (default 133, of arm64 100); of nmi-blocked and lock-holder at a time (20); of smm (100) and descheduled (1000) in all.",
            ),
            offUs: figure(0.001, "Of irqs-off: interrupts are off for so long at a time, microseconds (default 20)."),
            onUs: figure(
              0.001,
              "Of irqs-off, nmi-blocked and lock-holder: pause behind each time, microseconds (default 5).",
            ),
            fromUs: figure(
              0,
              "Of smm and descheduled: when it begins, microseconds from the machine's start (default: at the requester's call).",
            ),
          }),
          about({ description: "What some CPUs are doing.", ...figuresOfLoads() }),
        ),
        "What some CPUs are doing instead. Of a CPU in several entries the last one holds.",
      ),
      [],
    ),
  }),
  about("What each CPU is doing when the stop comes. CPUs of the requests' tasks do that instead."),
);

const placement = v.pipe(
  v.strictObject({
    us: v.optional(within(0, mostUs, "A time, microseconds from the machine's start.")),
    cycle: v.optional(whole(0, Number.MAX_SAFE_INTEGER, "A cycle of the machine's clock.")),
    mark: v.optional(
      text(
        "a mark such as multi_cpu_stop:enter, or a routine",
        "A mark of the guest kernel such as multi_cpu_stop:enter, or a routine: when somebody comes by.",
      ),
    ),
    cpu: v.optional(cpuNumber({ description: "Whose coming by the mark counts.", byDefault: "anyone's" })),
    hit: v.optional(
      whole(1, scenarioLimits.hits, { description: "Which time that a CPU comes by the mark.", byDefault: "1" }),
    ),
    instructions: v.optional(
      whole(0, scenarioLimits.instructions, {
        description: "So many instructions of that CPU behind the mark; 0 is right before the marked one.",
        byDefault: "0",
      }),
    ),
    delayNs: v.optional(within(0, mostUs * 1000, "So much time behind the mark, nanoseconds, instead.")),
  }),
  about({ description: "A place on the way: exactly one of us, cycle and mark.", ...fieldsOfPlaces }),
);

const microcodeUs = v.pipe(
  v.union([within(0.001, mostUs, "Microseconds."), v.literal("forever")], 'microseconds, or "forever"'),
  about({
    description: "How long the update takes, microseconds; forever: the CPU hangs in it.",
    byDefault: "as the timing model says",
  }),
);
const lostAllowed = `a whole number from 1 to ${scenarioLimits.lost}, or "all"`;
const lost = v.pipe(
  v.union([whole(1, scenarioLimits.lost, "So many.", lostAllowed), v.literal("all")], lostAllowed),
  about({
    description: "How many of them are lost, the first ones; those that would arrive in one cycle count as one.",
    byDefault: "none",
  }),
);
const actNames = keys<ActKind>(actKinds);
const deliveryNames = keys<DeliveryKindName>(deliveryKinds);
const whatOf = (table: Readonly<Record<string, { readonly what: string }>>) =>
  Object.values(table).map(({ what }) => what);

const faults = v.pipe(
  v.strictObject({
    microcode: v.optional(
      list(
        v.pipe(
          v.strictObject({
            cpus: cpus("Which CPUs."),
            us: v.optional(microcodeUs),
            refused: v.optional(
              truth({
                description: "The CPU takes its time, and has the old revision afterwards.",
                byDefault: "false",
              }),
            ),
          }),
          about("The update of some CPUs."),
        ),
        {
          description:
            "x86-64: updates of microcode that take longer or shorter than the timing model says, or fail. Of a CPU in several entries the last one holds.",
          byDefault: "none",
        },
      ),
    ),
    delivery: v.optional(
      list(
        v.pipe(
          v.strictObject({
            cpus: cpus("Messages to which CPUs."),
            at: v.optional(placement),
            kind: word(
              deliveryNames,
              { description: "Which messages: nmi, smi and init on x86-64 only, el3 and event on arm64 only." },
              whatOf(deliveryKinds),
            ),
            delayNs: v.optional(within(0, mostUs * 1000, "By how much they come later, nanoseconds.")),
            delayCycles: v.optional(whole(0, Number.MAX_SAFE_INTEGER, "The same in cycles, instead.")),
            lost: v.optional(lost),
          }),
          about({ description: "Some messages.", ...fieldsOfDeliveries }),
        ),
        {
          description:
            "Messages that come later than the timing model says, or not at all, from the start on or from a place on. A later entry replaces an earlier one for the same CPU and kind.",
          byDefault: "none",
        },
      ),
    ),
    inject: v.optional(
      list(
        v.pipe(
          v.strictObject({
            kind: word(actNames, { description: "What happens." }, whatOf(actKinds)),
            at: placement,
            cpus: v.optional(cpus("To which CPUs.", "behind a mark, whoever has come by")),
            vector: v.optional(whole(16, 255, "Of interrupt: the vector, 16 to 255.", fieldAllowed.vector)),
            intid: v.optional(
              whole(0, GIC_INTID_END - 1, `Of sgi and spi: the INTID, ${fieldAllowed.intid}.`, fieldAllowed.intid),
            ),
            us: v.optional(within(0.001, mostUs, "Of smi and suspend: how long, microseconds.")),
            event: v.optional(whole(1, 2 ** 31 - 1, `Of event: ${fieldAllowed.event}.`, fieldAllowed.event)),
          }),
          about({ description: "One thing that happens.", ...fieldsOfActs() }),
        ),
        { description: "What happens to CPUs, and where on the way.", byDefault: "nothing" },
        scenarioLimits.inject,
      ),
    ),
  }),
  about("What goes wrong."),
);

const entries = {
  title: v.optional(text("a title", "Any text.")),
  machine: v.optional(machine, {}),
  policy: v.optional(policy, {}),
  load: v.optional(load, {}),
  faults: v.optional(faults),
  perturbation: v.optional(
    whole(
      0,
      2 ** 32 - 1,
      "Seed of what delays stores and loads, to see more of the orders that the architecture allows; 0: nothing does.",
    ),
    0,
  ),
  afterUs: v.optional(
    within(
      0,
      mostUs,
      "Simulated time by which the machine goes on when the call is through, so that what comes too late is seen, microseconds.",
    ),
    0,
  ),
  limitUs: v.optional(within(1, mostUs, "Simulated time after which the run is given up, microseconds."), 1_000_000),
  seed: v.optional(whole(0, 2 ** 32 - 1, "Seed of everything that is drawn."), 1),
};

/** Where editors find the JSON Schema. */
export const schemaReference = v.optional(
  text("a path or URL", "Path or URL of this schema, for editors; nothing else reads it."),
);

/** The schema of a document. */
export const scenarioSchema = v.pipe(
  v.strictObject({
    format: v.pipe(
      v.literal(SCENARIO_FORMAT, `"${SCENARIO_FORMAT}"`),
      about("What kind of document this is, and its version."),
    ),
    $schema: schemaReference,
    ...entries,
  }),
  about({ title: "allstop scenario", description: "One run: machine, stop path, load, faults." }),
);

/** Of a scenario inside of a case, which has neither format nor place for its schema. */
export const scenarioPartSchema = v.strictObject(entries);

/** What a caller may write: everything but the format has a default. */
export type ScenarioInput = v.InferInput<typeof scenarioSchema>;
/** A document with its defaults put in. */
export type Scenario = v.InferOutput<typeof scenarioSchema>;

/** @throws SCENARIO_INVALID with the path of the first problem, what was found and what is allowed */
export function parseScenario(document: unknown): Scenario {
  checkFormat(document, SCENARIO_FORMAT);
  return validate(scenarioSchema, document);
}

/** A document from its JSON text. @throws SCENARIO_INVALID */
export function parseScenarioText(source: string): Scenario {
  return parseScenario(parseJson(source));
}
