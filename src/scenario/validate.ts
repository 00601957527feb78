// Holds documents against their schemas, and says of the first mistake where it is, what was found, and what is allowed.

import * as v from "valibot";
import { AllstopError } from "../errors.ts";
import { nearName } from "../names.ts";

/** Any schema of the schema library. */
export type AnySchema = v.BaseSchema<unknown, unknown, v.BaseIssue<unknown>>;

/** What of a schema leads to the schemas inside. */
interface Inside {
  readonly type?: string;
  readonly getter?: (input: unknown) => AnySchema;
  readonly entries?: Readonly<Record<string, AnySchema>>;
  readonly wrapped?: AnySchema;
  readonly item?: AnySchema;
}

/**
 * The document with its defaults put in.
 * @param at the place of what is looked at, if it is a part of a document
 * @throws SCENARIO_INVALID
 */
export function validate<S extends AnySchema>(schema: S, document: unknown, at = ""): v.InferOutput<S> {
  refuseLists(schema, document, at);
  const result = v.safeParse(schema, document);
  if (result.success) return result.output;
  throw problem(schema, result.issues[0], at);
}

/** To the schema library a list is an object like any other, and an empty one would pass for a choice of defaults. */
function refuseLists(schema: AnySchema, value: unknown, at: string): void {
  const { type: kind, entries, item } = open(schema);
  if (item !== undefined && Array.isArray(value)) {
    value.forEach((member, index) => {
      refuseLists(item, member, placeName(at, index));
    });
  }
  if (kind === "record" && Array.isArray(value)) throw notAnObject(at, value);
  if (entries === undefined || typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) throw notAnObject(at, value, entries);
  for (const [key, field] of Object.entries(entries)) {
    if (Object.hasOwn(value, key)) refuseLists(field, (value as Record<string, unknown>)[key], placeName(at, key));
  }
}

function problem(schema: AnySchema, issue: v.BaseIssue<unknown>, root: string): AllstopError {
  const path = issue.path?.map(({ key }) => key) ?? [];
  const at = path.reduce<string>(placeName, root);
  if (issue.type !== "strict_object") return misfit(at, issue, schemaAt(schema, path));
  if (issue.expected === "Object") return notAnObject(at, issue.input, open(schemaAt(schema, path)).entries);
  const entries = open(schemaAt(schema, path.slice(0, -1))).entries ?? {};
  const name = String(path.at(-1));
  if (issue.expected === "never") {
    const names = Object.keys(entries);
    return new AllstopError("SCENARIO_INVALID", `no such field${meant(name, names)}`, {
      at,
      allowed: names.join(", "),
    });
  }
  const field = entries[name];
  const wanted = field === undefined ? undefined : v.safeParse(field, undefined).issues?.[0].message;
  const allowed = open(field).entries === undefined ? (wanted ?? issue.message) : "an object in braces";
  return new AllstopError("SCENARIO_INVALID", "the field is missing", { at, allowed });
}

const outOfRange = new Set(["min_value", "max_value", "gt_value", "min_length", "max_length"]);

function misfit(at: string, issue: v.BaseIssue<unknown>, schema: AnySchema | undefined): AllstopError {
  const { type, input: value, message: allowed } = issue;
  const options = (open(schema) as { readonly options?: readonly unknown[] }).options;
  const words = options?.filter((option) => typeof option === "string") ?? [];
  const isWord = type === "picklist" && typeof value === "string";
  const what = isWord
    ? `no such word${meant(value, words)}`
    : outOfRange.has(type)
      ? "out of range"
      : "not what belongs here";
  return new AllstopError("SCENARIO_INVALID", what, { at, value, allowed });
}

function notAnObject(at: string, value: unknown, entries: Inside["entries"] = {}): AllstopError {
  const names = Object.keys(entries);
  const allowed = names.length === 0 ? "an object in braces" : `an object in braces, with ${names.join(", ")}`;
  return new AllstopError("SCENARIO_INVALID", "not an object", { at: at === "" ? "document" : at, value, allowed });
}

/** The name that was probably meant, for the end of a message. */
export function meant(name: string, names: readonly string[]): string {
  const near = nearName(name, names);
  return near === undefined ? "" : ` (did you mean ${near}?)`;
}

const PLAIN_NAME = /^[\w$-]{1,64}$/;
const NAME_SHOWN = 40;

/** A place inside of a place. Names that no document has are quoted and shortened, so that they can't flood a terminal. */
export function placeName(at: string, key: unknown): string {
  const name = String(key);
  const shown = PLAIN_NAME.test(name) ? name : JSON.stringify(name.slice(0, NAME_SHOWN));
  return at === "" ? shown : `${at}.${shown}`;
}

function open(schema: AnySchema | undefined): Inside {
  const one = (schema ?? {}) as Inside;
  const within = one.getter?.({}) ?? one.wrapped;
  return within === undefined ? one : open(within);
}

function schemaAt(schema: AnySchema, path: readonly unknown[]): AnySchema | undefined {
  return path.reduce<AnySchema | undefined>((at, key) => {
    const { item, entries } = open(at);
    return item ?? entries?.[String(key)];
  }, schema);
}
