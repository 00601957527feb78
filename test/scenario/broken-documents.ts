// Documents that are broken in one way each, with what their message has to name: the place, what was found there, what is allowed. It is
// either the text of a document, or the fields beside the format.

import type { ErrorCode } from "../../src/errors.ts";

export interface BrokenDocument {
  readonly name: string;
  readonly text: string;
  /** The place, exactly. */
  readonly at: string;
  /** What the message says was found, as it is quoted; undefined: nothing was. */
  readonly found?: string;
  /** What it says is allowed; of it a part. */
  readonly allowed: string;
  /** A part of what it says is wrong. */
  readonly what?: string;
  /** SCENARIO_INVALID if not given. */
  readonly code?: ErrorCode;
  /** Whether JSON Schema can say that this is wrong; not of what is no JSON. */
  readonly schema?: boolean;
}

type Rest = Omit<BrokenDocument, "name" | "text">;

const text = (name: string, source: string, rest: Rest): BrokenDocument => ({ name, text: source, ...rest });
const fields = (name: string, beside: object, rest: Rest): BrokenDocument =>
  text(name, JSON.stringify({ format: "allstop.scenario/1", ...beside }), rest);
const machine = (name: string, beside: object, rest: Rest): BrokenDocument => fields(name, { machine: beside }, rest);
const arm64 = (name: string, beside: object, rest: Rest): BrokenDocument =>
  machine(name, { architecture: "arm64", ...beside }, rest);
const policy = (name: string, beside: object, rest: Rest): BrokenDocument => fields(name, { policy: beside }, rest);
const particular = (name: string, beside: object, rest: Rest): BrokenDocument =>
  fields(name, { load: { particular: [{ cpus: "1", kind: "busy" }, beside] } }, rest);
const inject = (name: string, beside: object, rest: Rest): BrokenDocument =>
  fields(name, { faults: { inject: [beside] } }, rest);
const delivery = (name: string, beside: object, rest: Rest): BrokenDocument =>
  fields(name, { faults: { delivery: [beside] } }, rest);

const expressible = { schema: true } as const;
const atMark = { at: { mark: "multi_cpu_stop:enter" } } as const;

const notJson: readonly BrokenDocument[] = [
  text("nothing", "", { at: "1:1", found: '""', allowed: "a value: an object", what: "ends too early" }),
  text("a word without quotes", '{\n  "format": allstop\n}', {
    at: "2:13",
    found: '"\\"format\\": allstop"',
    allowed: "a value: an object, a list, a text in double quotes",
  }),
  text("cut off", '{"format":', { at: "1:11", found: '"{\\"format\\":"', allowed: "a value", what: "ends too early" }),
  text("a comma that is missing", '{\n "seed": [1,\n 2 3]}', { at: "3:4", found: '"2 3]}"', allowed: '","' }),
  text("a comma behind the last field", '{\n  "seed": 1,\n}', { at: "3:1", found: '"}"', allowed: "no comma" }),
  text("a comma behind the last value", '{"seed": [1,]}', { at: "1:13", found: "[1,]}", allowed: "no comma" }),
  text("a comment", '{\n  // mine\n  "seed": 1\n}', {
    at: "2:3",
    found: '"// mine"',
    allowed: "a field's name",
    what: "no comments",
  }),
  text("single quotes", "{'seed': 1}", { at: "1:2", found: "'seed'", allowed: "double quotes" }),
  text("a text that does not end", '{"title": "one\n}', { at: "1:15", found: "title", allowed: "the end of the text" }),
  text("an escape that there is none", '{"title": "a\\x"}', { at: "1:13", found: "title", allowed: "\\u0000" }),
  text("two documents", '{"seed": 1} {"seed": 2}', { at: "1:13", found: '{\\"seed\\": 2}', allowed: "nothing more" }),
  text("a field that is given twice", '{\n  "seed": 1,\n  "seed": 2\n}', {
    at: "3:3",
    found: '"\\"seed\\": 2"',
    allowed: "each field once",
    what: "given twice",
  }),
  text("lists in lists in lists", "[".repeat(100_000), { at: "1:66", found: "[[[", allowed: "at most 64 levels" }),
  text("a byte order mark", "\uFEFF{}", { at: "1:1", found: "{}", allowed: "a value", what: "U+FEFF" }),
  text("a number with a zero in front", '{"seed": 01}', { at: "1:11", found: "01", allowed: '"," and another field' }),
  text("a tab in a text", '{"title": "a\tb"}', { at: "1:13", found: "title", allowed: "\\t" }),
];

const noScenario: readonly BrokenDocument[] = [
  text("a list", "[]", { at: "document", found: "[]", allowed: "an object in braces, with format, ", ...expressible }),
  text("null", "null", { at: "document", found: "null", allowed: "an object in braces", ...expressible }),
  text("a number", "12", { at: "document", found: "12", allowed: "an object in braces", ...expressible }),
  text("no format", "{}", {
    at: "format",
    allowed: '"allstop.scenario/1"',
    what: "the field is missing",
    ...expressible,
  }),
  text("a later version", '{"format":"allstop.scenario/2","new":1}', {
    at: "format",
    found: '"allstop.scenario/2"',
    allowed: '"allstop.scenario/1"',
    what: "a version that this build does not read",
    ...expressible,
  }),
  text("a case", '{"format":"allstop.case/1","id":"S1"}', {
    at: "format",
    found: '"allstop.case/1"',
    allowed: '"allstop.scenario/1"',
    what: "a case: not a scenario",
    ...expressible,
  }),
  text("a report", '{"format":"allstop.report/1","scenario":{}}', {
    at: "format",
    found: '"allstop.report/1"',
    allowed: '"allstop.scenario/1"',
    what: "a report: not a scenario",
    ...expressible,
  }),
  text("a format that is no text", '{"format":1}', {
    at: "format",
    found: "1",
    allowed: '"allstop.scenario/1"',
    ...expressible,
  }),
  text("a prototype", '{"format":"allstop.scenario/1","__proto__":{"seed":2}}', {
    at: "__proto__",
    allowed: "format, ",
    what: "no such field",
    ...expressible,
  }),
];

const wrongFields: readonly BrokenDocument[] = [
  fields(
    "a field in other units",
    { limitMs: 5 },
    {
      at: "limitMs",
      allowed: "format, $schema, title, ",
      what: "no such field (did you mean limitUs?)",
      ...expressible,
    },
  ),
  machine(
    "an unknown field",
    { cpu: 5 },
    {
      at: "machine.cpu",
      allowed: "architecture, topology, cpus, timing, parameters, featNmi, firmware",
      what: "no such field (did you mean cpus?)",
      ...expressible,
    },
  ),
  machine(
    "a field with escapes for terminals",
    { "\u001b[31m": 5 },
    {
      at: 'machine."\\u001b[31m"',
      allowed: "architecture, ",
      what: "no such field",
      ...expressible,
    },
  ),
  particular(
    "an unknown field in a list",
    { cpu: 1, cpus: "1", kind: "busy" },
    {
      at: "load.particular.1.cpu",
      allowed: "cpus, kind, us, offUs, onUs, fromUs",
      what: "(did you mean cpus?)",
      ...expressible,
    },
  ),
  particular(
    "a missing field in a list",
    { cpus: "1" },
    {
      at: "load.particular.1.kind",
      allowed: "idle, hlt, ",
      what: "the field is missing",
      ...expressible,
    },
  ),
  policy(
    "a call without a requester",
    { also: [{}] },
    {
      at: "policy.also.0.requester",
      allowed: "a whole number from 0 to 65535",
      what: "the field is missing",
      ...expressible,
    },
  ),
  inject(
    "an injection without a place",
    { kind: "nmi" },
    {
      at: "faults.inject.0.at",
      allowed: "an object in braces",
      what: "the field is missing",
      ...expressible,
    },
  ),
  machine(
    "text for a number",
    { cpus: "8" },
    {
      at: "machine.cpus",
      found: '"8"',
      allowed: "a whole number from 1 to 65536",
      ...expressible,
    },
  ),
  fields(
    "a fraction",
    { seed: 0.5 },
    {
      at: "seed",
      found: "0.5",
      allowed: "a whole number from 0 to 4294967295",
      ...expressible,
    },
  ),
  policy(
    "too many",
    { rounds: 1001 },
    {
      at: "policy.rounds",
      found: "1001",
      allowed: "a whole number from 1 to 1000",
      what: "out of range",
      ...expressible,
    },
  ),
  machine(
    "too few",
    { cpus: 0 },
    {
      at: "machine.cpus",
      found: "0",
      allowed: "a whole number from 1 to 65536",
      ...expressible,
    },
  ),
  policy(
    "negative time",
    { functionUs: -1 },
    {
      at: "policy.functionUs",
      found: "-1",
      allowed: "a number from 0 to 10000000",
      ...expressible,
    },
  ),
  fields("no time", { limitUs: 0 }, { at: "limitUs", found: "0", allowed: "a number from 1 to", ...expressible }),
  policy(
    "a number too large for a CPU",
    { requester: 65_536 },
    {
      at: "policy.requester",
      found: "65536",
      allowed: "a whole number from 0 to 65535",
      ...expressible,
    },
  ),
  machine("a list for an object", [], {
    at: "machine",
    found: "[]",
    allowed: "an object in braces, with architecture, ",
    ...expressible,
  }),
  fields(
    "a list in a list",
    { load: { particular: [[]] } },
    {
      at: "load.particular.0",
      found: "[]",
      allowed: "an object in braces, with cpus, kind",
      ...expressible,
    },
  ),
  fields(
    "an object for a list",
    { load: { particular: {} } },
    {
      at: "load.particular",
      found: "{}",
      allowed: "a list",
      ...expressible,
    },
  ),
  fields(
    "null for an object",
    { policy: null },
    {
      at: "policy",
      found: "null",
      allowed: "an object in braces, with name, active",
      ...expressible,
    },
  ),
  inject(
    "a text for a place",
    { kind: "nmi", at: "multi_cpu_stop:enter" },
    {
      at: "faults.inject.0.at",
      found: '"multi_cpu_stop:enter"',
      allowed: "an object in braces, with us, cycle, mark",
      ...expressible,
    },
  ),
  machine(
    "empty text",
    { topology: "" },
    {
      at: "machine.topology",
      found: '""',
      allowed: "a machine: a text of 1 to 4096 characters",
      ...expressible,
    },
  ),
  fields(
    "a text without end",
    { title: "x".repeat(5000) },
    {
      at: "title",
      found: `"${"x".repeat(76)}...`,
      allowed: "a text of 1 to 4096 characters",
      ...expressible,
    },
  ),
  fields(
    "an unknown load",
    { load: { common: "bussy" } },
    {
      at: "load.common",
      found: '"bussy"',
      allowed: "idle, hlt, ",
      what: "no such word (did you mean busy?)",
      ...expressible,
    },
  ),
  fields(
    "a load far from all",
    { load: { common: "quicksand" } },
    {
      at: "load.common",
      found: '"quicksand"',
      allowed: "mixed",
      what: "no such word;",
      ...expressible,
    },
  ),
  machine(
    "an unknown architecture",
    { architecture: "vax" },
    {
      at: "machine.architecture",
      found: '"vax"',
      allowed: '"x86-64" or "arm64"',
      ...expressible,
    },
  ),
  machine(
    "no answer to FEAT_NMI",
    { featNmi: 1 },
    {
      at: "machine.featNmi",
      found: "1",
      allowed: "true or false",
      ...expressible,
    },
  ),
  policy(
    "an option that is no number",
    { options: { noNmiIpi: true } },
    {
      at: "policy.options.noNmiIpi",
      found: "true",
      allowed: "a number",
      ...expressible,
    },
  ),
  policy(
    "more calls than there is room for",
    { also: Array.from({ length: 16 }, (_, requester) => ({ requester })) },
    {
      at: "policy.also",
      found: "[{",
      allowed: "a list of at most 15 calls",
      ...expressible,
    },
  ),
  delivery(
    "neither a number nor all",
    { cpus: "1", kind: "nmi", lost: "some" },
    {
      at: "faults.delivery.0.lost",
      found: '"some"',
      allowed: 'a whole number from 1 to 1000000, or "all"',
      ...expressible,
    },
  ),
  inject(
    "a vector that is an exception's",
    { kind: "interrupt", ...atMark, vector: 14 },
    {
      at: "faults.inject.0.vector",
      found: "14",
      allowed: "a vector from 16 to 255",
      ...expressible,
    },
  ),
  arm64(
    "no firmware's name",
    { firmware: 5 },
    {
      at: "machine.firmware",
      found: "5",
      allowed: "a firmware personality, or an object",
      ...expressible,
    },
  ),
  arm64(
    "an unknown switch of the firmware",
    { firmware: { masked: "lost" } },
    {
      at: "machine.firmware.masked",
      allowed: "personality, conduit, ",
      what: "no such field",
      ...expressible,
    },
  ),
  arm64(
    "a switch with an unknown value",
    { firmware: { maskedSignal: "gone" } },
    {
      at: "machine.firmware.maskedSignal",
      found: '"gone"',
      allowed: "pending, lost, wedge",
      ...expressible,
    },
  ),
];

const unknownNames: readonly BrokenDocument[] = [
  policy(
    "no such policy",
    { name: "stop_machin" },
    {
      at: "policy.name",
      found: '"stop_machin"',
      allowed: "stop_machine, ",
      what: "no such policy",
      code: "NAME_UNKNOWN",
      ...expressible,
    },
  ),
  machine(
    "no such timing model",
    { timing: "abacus" },
    {
      at: "machine.timing",
      found: '"abacus"',
      allowed: "generic-x86, ",
      code: "NAME_UNKNOWN",
      ...expressible,
    },
  ),
  arm64(
    "no such firmware",
    { firmware: "tf-a-1.0" },
    {
      at: "machine.firmware",
      found: '"tf-a-1.0"',
      allowed: "compliant, tf-a-2.12",
      code: "NAME_UNKNOWN",
      ...expressible,
    },
  ),
  machine(
    "no such machine",
    { topology: "cray" },
    {
      at: "machine.topology",
      found: '"cray"',
      allowed: "a preset: skylake-8160",
      code: "NAME_UNKNOWN",
    },
  ),
  machine(
    "no such timing parameter",
    { parameters: { wakeHalt: 5 } },
    {
      at: "machine.parameters.wakeHalt",
      found: "5",
      allowed: "simple, load, ",
      what: "no such timing parameter (did you mean wakeHlt?)",
      ...expressible,
    },
  ),
  machine(
    "a timing parameter below its least",
    { parameters: { atomic: 0 } },
    {
      at: "machine.parameters.atomic",
      found: "0",
      allowed: "1 cycles or more",
      code: "OPTION_INVALID",
      ...expressible,
    },
  ),
  machine(
    "a timing parameter beyond the core's table",
    { parameters: { memory: 1e12 } },
    {
      at: "machine.parameters.memory",
      found: "1000000000000",
      allowed: "below 2^32 cycles",
      code: "OPTION_INVALID",
    },
  ),
  policy(
    "an option of another policy",
    { name: "stop_machine", options: { noNmiIpi: 1 } },
    {
      at: "policy.options.noNmiIpi",
      found: "1",
      allowed: "none",
      what: "stop_machine has no such option",
    },
  ),
  policy(
    "an option of no policy",
    { name: "microcode_v2", options: { microcodeSteps: 1 } },
    {
      at: "policy.options.microcodeSteps",
      found: "1",
      allowed: "microcodeLoopsPerUsec, ",
      ...expressible,
    },
  ),
  policy(
    "an option out of its range",
    { name: "microcode_v2", options: { microcodeNmiSafe: 2 } },
    {
      at: "policy.options.microcodeNmiSafe",
      found: "2",
      allowed: "a whole number from 0 to 1",
      ...expressible,
    },
  ),
];

const conflicts: readonly BrokenDocument[] = [
  fields(
    "a policy of the other architecture",
    { machine: { architecture: "arm64" }, policy: { name: "microcode_v2" } },
    {
      at: "policy.name",
      found: '"microcode_v2"',
      allowed: "one of arm64, or a machine of x86-64",
      what: "arm64 machines don't have this stop path",
    },
  ),
  machine(
    "a timing model of the other architecture",
    { timing: "zen4", architecture: "arm64" },
    {
      at: "machine.timing",
      found: '"zen4"',
      allowed: "arm64",
      what: "zen4 is of x86-64",
    },
  ),
  machine(
    "FEAT_NMI of x86-64",
    { architecture: "x86-64", featNmi: true },
    {
      at: "machine.featNmi",
      found: "true",
      allowed: "false, or an arm64 machine",
      ...expressible,
    },
  ),
  machine(
    "firmware of x86-64",
    { architecture: "x86-64", firmware: "compliant" },
    {
      at: "machine.firmware",
      found: '"compliant"',
      allowed: "no firmware, or an arm64 machine",
      ...expressible,
    },
  ),
  arm64(
    "more events than there is room for",
    { firmware: { boundEvents: { private: 8, shared: 0 } } },
    {
      at: "machine.firmware",
      found: "[8,",
      allowed: "whole numbers, up to 7 together",
      code: "OPTION_INVALID",
    },
  ),
  machine(
    "a mistake inside a spec",
    { topology: "cores=4,offline=9" },
    {
      at: "machine.topology: offline",
      found: "9",
      allowed: "up to 3",
      code: "TOPOLOGY_INVALID",
    },
  ),
  machine(
    "CPUs and topology that differ",
    { topology: "2x4x1", cpus: 4 },
    {
      at: "machine.cpus",
      found: "4",
      allowed: "8, as 2x4x1 has",
    },
  ),
  fields(
    "a load of the other architecture",
    { load: { common: "wfi" } },
    {
      at: "load.common",
      found: '"wfi"',
      allowed: "idle, hlt, mwait, idle-deep",
      what: "exists on arm64 only",
      code: "OPTION_INVALID",
    },
  ),
  particular(
    "a load of no such CPU",
    { cpus: "64", kind: "busy" },
    {
      at: "load.particular.1.cpus",
      found: "64",
      allowed: "0-63",
      what: "no such CPU",
      code: "OPTION_INVALID",
    },
  ),
  particular(
    "a list of CPUs that is none",
    { cpus: "1-", kind: "busy" },
    {
      at: "load.particular.1.cpus",
      found: '"1-"',
      allowed: 'such as "0-3,8"',
      code: "OPTION_INVALID",
    },
  ),
  particular(
    "a figure that a load does not take",
    { cpus: "2", kind: "busy", us: 5 },
    {
      at: "load.particular.1.us",
      found: "5",
      allowed: "none",
      what: "load busy takes no such figure",
      ...expressible,
    },
  ),
  particular(
    "a figure of another load",
    { cpus: "2", kind: "irqs-off", us: 5 },
    {
      at: "load.particular.1.us",
      found: "5",
      allowed: "offUs, onUs",
      ...expressible,
    },
  ),
  particular(
    "a wedged requester",
    { cpus: "0-3", kind: "wedged" },
    {
      at: "load.particular.1",
      found: "0",
      allowed: "",
      what: "the requester can't be wedged",
    },
  ),
  fields(
    "all wedged",
    { load: { common: "wedged" } },
    {
      at: "load.common",
      found: "0",
      allowed: "",
      what: "the requester can't be wedged",
    },
  ),
  fields(
    "nobody online",
    { load: { common: "never-started" } },
    {
      at: "load.common",
      found: '"never-started"',
      allowed: "",
      what: "no CPU is left online",
    },
  ),
  policy(
    "a result of no such CPU",
    { results: [{ cpus: "1,62-66", value: 1 }] },
    {
      at: "policy.results.0.cpus",
      found: "64",
      allowed: "0-63",
      code: "OPTION_INVALID",
    },
  ),
  policy(
    "a target that is not there",
    { name: "stop_one_cpu", targets: "64" },
    {
      at: "policy.targets",
      found: "64",
      allowed: "0-63",
      code: "OPTION_INVALID",
    },
  ),
  policy(
    "targets of a path that has none",
    { targets: "3" },
    {
      at: "policy.targets",
      found: '"3"',
      allowed: "0 CPUs",
      what: "CPUs that stop_machine is about",
    },
  ),
  policy(
    "one target of two",
    { name: "stop_two_cpus", targets: "3" },
    {
      at: "policy.targets",
      found: '"3"',
      allowed: "2 CPUs",
    },
  ),
  policy(
    "a requester that is not there",
    { requester: 64 },
    {
      at: "policy.requester",
      found: "64",
      allowed: "0-63",
      what: "not online",
    },
  ),
  policy(
    "a function on CPUs that are not there",
    { active: "60-70" },
    {
      at: "policy.active",
      found: "64",
      allowed: "0-63",
      code: "OPTION_INVALID",
    },
  ),
  policy(
    "who runs a function that says so itself",
    { name: "cpu_offline", active: "all" },
    {
      at: "policy.active",
      found: '"all"',
      allowed: "first, which is the default",
    },
  ),
  policy(
    "more rounds than a call has",
    { name: "cpu_offline", targets: "3", rounds: 7 },
    {
      at: "policy.rounds",
      found: "7",
      allowed: "1",
      what: "cpu_offline is called once per target",
    },
  ),
  policy(
    "two calls of one task",
    { also: [{ requester: 0 }] },
    {
      at: "policy.also.0.requester",
      found: "0",
      allowed: "",
      what: "it makes another",
    },
  ),
  inject(
    "two places",
    { kind: "nmi", at: { us: 1, cycle: 2 }, cpus: "1" },
    {
      at: "faults.inject.0.at",
      found: '"us, cycle"',
      allowed: "one of us, cycle, mark",
      ...expressible,
    },
  ),
  inject(
    "no place",
    { kind: "nmi", at: {}, cpus: "1" },
    {
      at: "faults.inject.0.at",
      found: '"none"',
      allowed: "one of us, cycle, mark",
      ...expressible,
    },
  ),
  inject(
    "a count of what is no mark",
    { kind: "nmi", at: { us: 1, hit: 2 }, cpus: "1" },
    {
      at: "faults.inject.0.at.hit",
      found: "2",
      allowed: "no such field",
      ...expressible,
    },
  ),
  inject(
    "behind a mark in two units",
    { kind: "nmi", at: { ...atMark.at, instructions: 1, delayNs: 2 } },
    {
      at: "faults.inject.0.at.delayNs",
      found: "2",
      allowed: "instructions or delayNs",
      ...expressible,
    },
  ),
  inject(
    "nobody whom it happens to",
    { kind: "nmi", at: { us: 1 } },
    {
      at: "faults.inject.0.cpus",
      allowed: "CPUs such as 0,4-7, or a place at a mark",
      what: "nobody comes by",
      ...expressible,
    },
  ),
  inject(
    "an interrupt without its vector",
    { kind: "interrupt", ...atMark },
    {
      at: "faults.inject.0.vector",
      allowed: "a vector from 16 to 255",
      what: "the field is missing",
      ...expressible,
    },
  ),
  inject(
    "an NMI with a vector",
    { kind: "nmi", ...atMark, vector: 32 },
    {
      at: "faults.inject.0.vector",
      found: "32",
      allowed: "kind, at, cpus",
      what: "nmi takes no such field",
      ...expressible,
    },
  ),
  inject(
    "CPUs of what has none",
    { kind: "serr", at: { us: 1 }, cpus: "1" },
    {
      at: "faults.inject.0.cpus",
      allowed: "no such field",
      what: "serr has no CPUs to choose",
      ...expressible,
    },
  ),
  inject(
    "an injection of the other architecture",
    { kind: "sgi", ...atMark, intid: 3 },
    {
      at: "faults.inject.0.kind",
      found: '"sgi"',
      allowed: "interrupt, nmi, ",
      what: "x86-64 machines don't have this",
    },
  ),
  fields(
    "an INTID of another kind",
    { machine: { architecture: "arm64" }, faults: { inject: [{ kind: "sgi", ...atMark, intid: 40 }] } },
    { at: "faults.inject.0.intid", found: "40", allowed: "0 to 31", ...expressible },
  ),
  delivery(
    "messages of the other architecture",
    { cpus: "1", kind: "el3", lost: 1 },
    {
      at: "faults.delivery.0.kind",
      found: '"el3"',
      allowed: "interrupt, nmi, ",
      code: "OPTION_INVALID",
    },
  ),
  delivery(
    "a fault that changes nothing",
    { cpus: "1", kind: "nmi" },
    {
      at: "faults.delivery.0",
      allowed: "delayNs, delayCycles or lost",
      what: "changes nothing",
      ...expressible,
    },
  ),
  delivery(
    "a delay in two units",
    { cpus: "1", kind: "nmi", delayNs: 1, delayCycles: 1 },
    {
      at: "faults.delivery.0",
      allowed: "delayNs or delayCycles",
      ...expressible,
    },
  ),
  fields(
    "microcode of arm64",
    { machine: { architecture: "arm64" }, faults: { microcode: [{ cpus: "1" }] } },
    { at: "faults.microcode.0", allowed: "", what: "no microcode to update" },
  ),
];

export const brokenDocuments: readonly BrokenDocument[] = [
  ...notJson,
  ...noScenario,
  ...wrongFields,
  ...unknownNames,
  ...conflicts,
];
