// A case: a scenario as people argue about it. One document has its story, the scenario, the variants of it (such as the designs of a
// facility), and what each is expected to show.

import * as v from "valibot";
import { AllstopError } from "../errors.ts";
import { oracles } from "../measure/oracles/index.ts";
import { parseScenario, SCENARIO_FORMAT, type Scenario } from "./document.ts";

export const CASE_FORMAT = "allstop.case/1";

const oracleNames = oracles.map(({ name }) => name);
const verdicts = ["completed", "hang", "stopped", "unhandled"] as const;
const text = v.pipe(v.string("a text"), v.minLength(1, "a text"));
const counts = v.record(v.string(), v.pipe(v.number("a number"), v.integer("a whole number")), "an object in braces");
/** Merged into the scenario: what it names replaces what is there; lists as a whole. */
const part = v.record(v.string(), v.unknown(), "an object in braces");
const whole = v.pipe(v.number("a whole number"), v.integer("a whole number"), v.minValue(0, "a whole number"));

const expectation = v.strictObject({
  /** Of all runs of the variant. */
  verdict: v.optional(v.picklist(verdicts, verdicts.join(", ")), "completed"),
  /** Oracles that don't hold in some run; all others hold in all runs. */
  violated: v.optional(v.array(v.picklist(oracleNames, oracleNames.join(", ")), "a list of oracles"), []),
  /** Runs in which some oracle does not hold, where there are several. */
  violatingRuns: v.optional(whole),
  /** What the calls returned, in order. */
  returned: v.optional(v.array(v.number("a number"), "a list of numbers")),
  /** CPUs on which the function ran, in any call. */
  ran: v.optional(v.string("CPUs such as 0,4-7")),
  /** CPUs that are online at the end. */
  online: v.optional(v.string("CPUs such as 0,4-7")),
  /** How often messages are printed. */
  messages: v.optional(counts),
  /** Iterations of waits, by name, of all CPUs that wait so. */
  waits: v.optional(counts),
  /** CPUs that the verdict names as missing. */
  missing: v.optional(v.string("CPUs such as 0,4-7")),
});

const vary = v.strictObject({
  /** Which number of the scenario, such as faults.inject.0.at.instructions. */
  at: text,
  from: v.number("a number"),
  to: v.number("a number"),
  step: v.optional(v.pipe(v.number("a number above 0"), v.gtValue(0, "a number above 0")), 1),
});

const sizes = v.array(
  v.pipe(whole, v.minValue(1, "at least 1"), v.maxValue(65_536, "at most 65536")),
  "a list of numbers of CPUs",
);

const schema = v.strictObject({
  format: v.literal(CASE_FORMAT, `"${CASE_FORMAT}"`),
  id: v.pipe(v.string("such as S1"), v.regex(/^[A-Z]\d{1,3}[a-z]?$/, "such as S1 or H3")),
  title: text,
  /** What happens, in a few sentences. */
  story: text,
  /** Who said so, where. */
  source: text,
  /** Numbers of CPUs of the machines on which it runs, where it names none itself. */
  cpus: v.optional(sizes, [4, 256]),
  scenario: part,
  variants: v.pipe(
    v.array(
      v.strictObject({
        name: text,
        change: v.optional(part, {}),
        cpus: v.optional(sizes),
        /** Several runs instead of one. */
        vary: v.optional(vary),
        expect: expectation,
      }),
      "a list of variants",
    ),
    v.minLength(1, "at least one variant"),
  ),
});

/** A case with its defaults put in. */
export type Case = v.InferOutput<typeof schema>;
export type CaseVariant = Case["variants"][number];
export type Expectation = CaseVariant["expect"];

/** @throws SCENARIO_INVALID with the path of the first problem */
export function parseCase(document: unknown): Case {
  const result = v.safeParse(schema, document);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new AllstopError("SCENARIO_INVALID", "not what belongs here", {
    at: v.getDotPath(issue) ?? "document",
    value: issue.input,
    allowed: issue.message,
  });
}

/** The scenarios that a variant runs, in order. @throws SCENARIO_INVALID, naming the variant */
export function scenariosOf(one: Case, variant: CaseVariant, cpus: number): Scenario[] {
  const whole = merged(one.scenario, variant.change);
  const machine = merged({ cpus }, (whole["machine"] ?? {}) as Part);
  const base = { format: SCENARIO_FORMAT, title: `${one.id}: ${one.title} (${variant.name})`, ...whole, machine };
  const documents = variant.vary === undefined ? [base] : varied(base, variant.vary);
  return documents.map((document) => {
    try {
      return parseScenario(document);
    } catch (error) {
      if (!(error instanceof AllstopError)) throw error;
      const { value, allowed, code, what, at } = error;
      throw new AllstopError(code, `${what} (${one.id}, variant ${variant.name})`, {
        value,
        ...(allowed === undefined ? {} : { allowed }),
        ...(at === undefined ? {} : { at }),
        cause: error,
      });
    }
  });
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

function varied(base: Part, { at, from, to, step }: NonNullable<CaseVariant["vary"]>): Part[] {
  const documents: Part[] = [];
  for (let value = from; value <= to; value += step) {
    const document = structuredClone(base) as Record<string, unknown>;
    const keys = at.split(".");
    let place = document;
    for (const key of keys.slice(0, -1)) place = place[key] as Record<string, unknown>;
    place[keys.at(-1) as string] = value;
    documents.push(document);
  }
  return documents;
}
