// What a program may give for a scenario: a document, its text, or the name of a built-in case.

import { AllstopError } from "../errors.ts";
import { scenariosOf } from "./case.ts";
import { findCase } from "./catalogue.ts";
import { parseScenario, parseScenarioText, SCENARIO_FORMAT, type Scenario, type ScenarioInput } from "./document.ts";

/** The same, of which nothing is changed: lists and objects that are constants fit. */
type Constant<T> = T extends readonly (infer E)[]
  ? readonly Constant<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Constant<T[K]> }
    : T;

/** A scenario as a program writes it: the fields of a document, of which every one may be left out. It stays as it is. */
export interface ScenarioFields extends Constant<Omit<ScenarioInput, "format">> {
  /** That of this version, if not given. */
  readonly format?: ScenarioInput["format"];
}

/** Which run of a built-in case. */
export interface CaseChoice {
  /** Name of one of its variants; by default the first. */
  readonly variant?: string;
  /** CPUs of its machine, where it names none itself, 1 to 65,536; by default the first number that the case names. */
  readonly cpus?: number;
}

const CASE_ID = /^[A-Z]\d{1,3}[a-z]?$/;

/** Whether a text has the form of a built-in case's name, such as `S24`. */
export function isCaseId(text: string): boolean {
  return CASE_ID.test(text);
}

/** The document with its defaults put in. @throws SCENARIO_INVALID with the place of the first mistake, what is there and what is allowed */
export function parseFields(fields: ScenarioFields): Scenario {
  const isPlain = typeof fields === "object" && fields !== null && !Array.isArray(fields);
  return parseScenario(isPlain ? { format: SCENARIO_FORMAT, ...fields } : fields);
}

/**
 * The document of a built-in case's variant; of one that is several runs, the first.
 * @throws NAME_UNKNOWN for a case or a variant, SCENARIO_INVALID
 */
export async function builtInScenario(id: string, { variant: name, cpus }: CaseChoice = {}): Promise<Scenario> {
  const one = await findCase(id);
  const variant = one.variants.find((candidate) => name === undefined || candidate.name === name);
  if (variant === undefined) {
    const allowed = one.variants.map((candidate) => candidate.name).join(", ");
    throw new AllstopError("NAME_UNKNOWN", `${id} has no such variant`, { at: "variant", value: name, allowed });
  }
  const [first] = scenariosOf(one, variant, cpus ?? variant.cpus?.[0] ?? one.cpus[0] ?? 4);
  if (first === undefined) throw new AllstopError("SCENARIO_INVALID", "a variant without a run", { value: name });
  return first;
}

/**
 * A document from what a program has: its fields, its JSON text, or the name of a built-in case.
 * @throws SCENARIO_INVALID, NAME_UNKNOWN; OPTION_INVALID for a choice among the runs of what is no case
 */
export async function resolveScenario(input: ScenarioFields | string, choice: CaseChoice = {}): Promise<Scenario> {
  if (typeof input === "string" && isCaseId(input)) return builtInScenario(input, choice);
  for (const at of ["variant", "cpus"] as const) {
    if (choice[at] === undefined) continue;
    const value = choice[at];
    throw new AllstopError("OPTION_INVALID", "only built-in scenarios are chosen from so", { at, value });
  }
  if (typeof input !== "string") return parseFields(input);
  if (input.trimStart().startsWith("{")) return parseScenarioText(input);
  throw new AllstopError("NAME_UNKNOWN", "not a scenario", {
    value: input,
    allowed: "the name of a built-in one such as S24, a document, or its JSON text",
  });
}
