// A case: a scenario as people argue about it. One document has its story, the scenario, the variants of it (such as the designs of a
// facility), and what each is expected to show.

import * as v from "valibot";
import { AllstopError, renamed } from "../errors.ts";
import { oracles } from "../measure/oracles/index.ts";
import { parseScenario, scenarioPartSchema, schemaReference, SCENARIO_FORMAT, type Scenario } from "./document.ts";
import { about, list, text, whole, word } from "./field-types.ts";
import { MOST_STEPS, checkField, rangeOf, withField } from "./fields.ts";
import { checkFormat } from "./format.ts";
import { parseJson } from "./json-text.ts";
import { validate } from "./validate.ts";

/** The `format` of a case document, with its version. */
export const CASE_FORMAT = "allstop.case/1";

const oracleNames = oracles.map(({ name }) => name);
const verdicts = ["completed", "hang", "stopped", "unhandled"] as const;
const mostCpus = 65_536;

const count = (description: string) => whole(0, Number.MAX_SAFE_INTEGER, description, "a whole number, 0 or more");
const counts = (description: string) =>
  v.optional(
    v.pipe(
      v.record(v.string(), v.pipe(v.number("a number"), v.integer("a whole number")), "an object in braces"),
      about(description),
    ),
  );
/** A scenario without its format; of a change, what it names replaces what is there, lists as a whole. Looked at by scenarioPartSchema. */
export const part = v.record(v.string(), v.unknown(), "an object in braces");
/** CPUs, or nobody. */
const someCpus = (description: string) =>
  v.optional(v.pipe(v.string("CPUs such as 0,4-7"), about(`${description} A list such as 0,4-7; empty: none.`)));
const number = (description: string) => v.pipe(v.number("a number"), about(description));

const expectation = v.pipe(
  v.strictObject({
    verdict: v.optional(
      word(verdicts, {
        description:
          "How every run ends: the call returns, the time limit comes first, the machine stops (triple fault and the like), or an exception comes that the guest doesn't handle.",
      }),
      "completed",
    ),
    violated: v.optional(
      list(word(oracleNames, { description: "A rule that runs are judged by." }), {
        description: "Oracles that don't hold in some run; all others hold in all runs.",
      }),
      [],
    ),
    violatingRuns: v.optional(count("Runs in which some oracle does not hold, where there are several.")),
    returned: v.optional(list(number("0, or a negative errno."), "What the calls returned, in order.")),
    ran: someCpus("CPUs on which the function ran, in any call."),
    online: someCpus("CPUs that are online at the end."),
    messages: counts("How often messages are printed, by name."),
    waits: counts("Iterations of waits, by name, of all CPUs that wait so."),
    missing: someCpus("CPUs that the verdict names as missing."),
  }),
  about("What the variant is expected to show, in all runs together."),
);

const vary = v.pipe(
  v.strictObject({
    at: text("the path of a number", "Which number of the scenario, such as faults.inject.0.at.instructions."),
    from: number("Its first value."),
    to: number("Its last value."),
    step: v.optional(
      v.pipe(v.number("a number above 0"), v.gtValue(0, "a number above 0"), about("From one to the next.")),
      1,
    ),
  }),
  about("Several runs instead of one: a number of the scenario takes each value of a range."),
);

const sizes = (told: Parameters<typeof list>[1]) => list(whole(1, mostCpus, "A number of CPUs."), told);

export const caseSchema = v.pipe(
  v.strictObject({
    format: v.pipe(
      v.literal(CASE_FORMAT, `"${CASE_FORMAT}"`),
      about("What kind of document this is, and its version."),
    ),
    $schema: schemaReference,
    id: v.pipe(
      v.string("such as S1"),
      v.regex(/^[A-Z]\d{1,3}[a-z]?$/, "such as S1 or H3"),
      about("A letter and a number, such as S1; also the file's name."),
    ),
    title: text("a title", "What it is, in a line."),
    story: text("a story", "What happens, in a few sentences."),
    source: text("a source", "Who said so, where."),
    cpus: v.optional(sizes("Numbers of CPUs of the machines on which it runs, where it names none itself."), [4, 256]),
    scenario: v.pipe(part, about("A scenario without its format.")),
    variants: v.pipe(
      list(
        v.pipe(
          v.strictObject({
            name: text("a name", "Its name, for --variant."),
            change: v.optional(
              v.pipe(part, about("Merged into the scenario: objects by field, lists as a whole.")),
              {},
            ),
            cpus: v.optional(
              sizes({ description: "Numbers of CPUs of its machines.", byDefault: "those of the case" }),
            ),
            vary: v.optional(vary),
            expect: expectation,
          }),
          about("A variant."),
        ),
        "Versions, designs, proposals: what runs.",
      ),
      v.minLength(1, "at least one variant"),
    ),
  }),
  about({ title: "allstop case", description: "A scenario as people argue about it, and its variants." }),
);

/** A case with its defaults put in. */
export type Case = v.InferOutput<typeof caseSchema>;
/** A variant of a case: what it changes of the scenario, and what it is expected to show. */
export type CaseVariant = Case["variants"][number];
/** What a variant is expected to show. */
export type Expectation = CaseVariant["expect"];

/** @throws SCENARIO_INVALID with the path of the first problem */
export function parseCase(document: unknown): Case {
  checkFormat(document, CASE_FORMAT);
  const one = validate(caseSchema, document);
  // Where editors find it says nothing of the case.
  delete one.$schema;
  // Their defaults come when they are merged.
  validate(scenarioPartSchema, one.scenario, "scenario");
  one.variants.forEach(({ change }, index) => {
    validate(scenarioPartSchema, change, `variants.${index}.change`);
  });
  return one;
}

/** A case from its JSON text. @throws SCENARIO_INVALID */
export function parseCaseText(source: string): Case {
  return parseCase(parseJson(source));
}

/** The scenarios that a variant runs, in order. @throws SCENARIO_INVALID or OPTION_INVALID, naming the variant */
export function scenariosOf(one: Case, variant: CaseVariant, cpus: number): Scenario[] {
  const whole = merged(one.scenario, variant.change);
  const machine = merged({ cpus }, (whole["machine"] ?? {}) as Part);
  const base = { format: SCENARIO_FORMAT, title: `${one.id}: ${one.title} (${variant.name})`, ...whole, machine };
  const { vary } = variant;
  if (vary === undefined) return [ofVariant(one, variant, () => parseScenario(base))];
  const at = `variants.${one.variants.indexOf(variant)}.vary`;
  return ofVariant(one, variant, () => variedBy(vary, at).map((value) => parseVaried(base, vary.at, value, at)));
}

/** Mistakes of a variant tell which one it is. */
function ofVariant<T>({ id }: Case, { name }: CaseVariant, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AllstopError)) throw error;
    const { value, allowed, code, what, at } = error;
    throw new AllstopError(code, `${what} (${id}, variant ${name})`, {
      value,
      ...(allowed === undefined ? {} : { allowed }),
      ...(at === undefined ? {} : { at }),
      cause: error,
    });
  }
}

/** The values that a number takes. @throws OPTION_INVALID for none, or too many */
function variedBy({ from, to, step }: NonNullable<CaseVariant["vary"]>, at: string): number[] {
  const values = rangeOf(from, to, step);
  if (values.length > 0 && values.length <= MOST_STEPS) return values;
  const allowed = values.length === 0 ? `${from} or more` : `at most ${MOST_STEPS} values`;
  throw new AllstopError("OPTION_INVALID", "a range without an end", { at: `${at}.to`, value: to, allowed });
}

/** @throws OPTION_INVALID or SCENARIO_INVALID at the field's name, if it is the field that is wrong */
function parseVaried(base: Part, field: string, value: number, at: string): Scenario {
  const document = withField(base, checkField(field, `${at}.at`), value, `${at}.at`);
  try {
    return parseScenario(document);
  } catch (error) {
    if (!(error instanceof AllstopError) || error.at === undefined) throw error;
    const isOfField = error.at === field || field.startsWith(`${error.at}.`);
    throw isOfField ? renamed(error, { at: `${at}.at: ${error.at}` }) : error;
  }
}

type Part = Readonly<Record<string, unknown>>;

function isPart(value: unknown): value is Part {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function merged(base: Part, change: Part): Part {
  const fields = Object.entries(change).map(([key, value]) => {
    const there = base[key];
    return [key, isPart(there) && isPart(value) ? merged(there, value) : value] as const;
  });
  return { ...base, ...Object.fromEntries(fields) };
}
