// Fields of a scenario document by their paths, such as machine.cpus or load.particular.0.us, and the values that they are to take.

import { AllstopError } from "../errors.ts";

/** What a field of a document can hold: JSON. */
export type FieldValue =
  string | number | boolean | null | readonly FieldValue[] | { readonly [key: string]: FieldValue };

/** A field and the values that it takes, in order. */
export interface Vary {
  readonly field: string;
  readonly values: readonly FieldValue[];
}

type Json = Record<string, unknown>;

const FIELD = /^[a-z][A-Za-z0-9]*(\.([a-zA-Z][A-Za-z0-9]*|\d{1,6}))*$/;
const FORM = "FIELD=VALUES: a list 64,256, a range FROM:TO, FROM:TO:STEP or FROM:TO:xFACTOR, or a JSON list";
const MOST_VALUES = 10_000;

/**
 * The text of an option: `FIELD=a,b,c`, `FIELD=FROM:TO[:STEP]`, `FIELD=FROM:TO:xFACTOR`, or `FIELD=[JSON, …]` for values with commas.
 * What looks like a number or a truth value is one.
 * @throws OPTION_INVALID
 */
export function parseVary(text: string): Vary {
  const equals = text.indexOf("=");
  const field = text.slice(0, Math.max(0, equals));
  const values = text.slice(equals + 1).trim();
  if (equals < 0 || values === "") {
    throw new AllstopError("OPTION_INVALID", "not a field with values", { at: "vary", value: text, allowed: FORM });
  }
  return { field: checkField(field), values: parseValues(values, `vary ${field}`) };
}

/** @throws OPTION_INVALID for what can't be the path of a field */
export function checkField(field: string): string {
  if (FIELD.test(field)) return field;
  throw new AllstopError("OPTION_INVALID", "not the path of a field", {
    at: "vary",
    value: field,
    allowed: "names and places in lists with dots between them, such as machine.cpus or load.particular.0.us",
  });
}

function parseValues(text: string, at: string): FieldValue[] {
  if (text.startsWith("[")) return parseJsonList(text, at);
  return text.split(",").flatMap((part) => {
    if (part === "") throw new AllstopError("OPTION_INVALID", "an empty value", { at, value: text, allowed: FORM });
    return rangeOf(part, at) ?? [plainValue(part)];
  });
}

function parseJsonList(text: string, at: string): FieldValue[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw new AllstopError("OPTION_INVALID", "not a JSON list", { at, value: text, allowed: FORM, cause });
  }
  if (Array.isArray(list) && list.length > 0) return list as FieldValue[];
  throw new AllstopError("OPTION_INVALID", "a list without values", { at, value: text, allowed: FORM });
}

const NUMBER = /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/;

function plainValue(text: string): FieldValue {
  if (NUMBER.test(text)) return Number(text);
  return text === "true" ? true : text === "false" ? false : text;
}

/** FROM:TO[:STEP] or FROM:TO:xFACTOR, both ends included; undefined for anything else, such as a text with a colon. */
function rangeOf(text: string, at: string): number[] | undefined {
  const parts = text.split(":");
  const [from = "", to = "", by = "1"] = parts;
  if (parts.length < 2 || parts.length > 3 || !NUMBER.test(from) || !NUMBER.test(to)) return undefined;
  const factor = by.startsWith("x");
  const step = Number(factor ? by.slice(1) : by);
  const isUsable = NUMBER.test(factor ? by.slice(1) : by) && step > (factor ? 1 : 0) && (!factor || Number(from) > 0);
  const values = isUsable ? steps(Number(from), Number(to), step, factor) : [];
  if (values.length > 0 && values.length <= MOST_VALUES) return values;
  const what = isUsable && values.length > 0 ? `more than ${MOST_VALUES} values` : "a range without an end";
  const allowed = "FROM:TO[:STEP] with TO not below FROM and STEP above 0, or FROM:TO:xFACTOR with FACTOR above 1";
  throw new AllstopError("OPTION_INVALID", what, { at, value: text, allowed });
}

/** By multiples of the step, not by adding it up, and without the digits that only binary fractions have. */
function steps(from: number, to: number, step: number, factor: boolean): number[] {
  const tolerance = 1e-9;
  const count = factor ? Math.log(to / from) / Math.log(step) : (to - from) / step;
  if (!(count >= -tolerance)) return [];
  const length = Math.min(Math.floor(count + tolerance) + 1, MOST_VALUES + 1);
  const value = (index: number): number => (factor ? from * step ** index : from + index * step);
  return Array.from({ length }, (_, index) => Number(value(index).toPrecision(12)));
}

/**
 * Seeds from a text such as `1-20` or `1,5,7-9`.
 * @throws OPTION_INVALID
 */
export function parseSeeds(text: string, most: number): number[] {
  const seeds = new Set<number>();
  for (const part of text.split(",")) {
    const [, first = "", last = first] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part) ?? [];
    const from = Number(first);
    const to = Number(last);
    if (first === "" || to < from || to >= 2 ** 32 || seeds.size + to - from >= most) {
      const allowed = `numbers and ranges such as 1-20 or 1,5,7-9, below 2^32, at most ${most} in all`;
      throw new AllstopError("OPTION_INVALID", "not a list of seeds", { at: "seeds", value: text, allowed });
    }
    for (let seed = from; seed <= to; seed++) seeds.add(seed);
  }
  return [...seeds];
}

/** A copy of a document in which a field has a value. Objects on the way are made, members of lists are not. @throws OPTION_INVALID */
export function withField(document: object, field: string, value: FieldValue): object {
  const keys = field.split(".");
  const copy = structuredClone(document) as Json;
  let place = copy;
  keys.slice(0, -1).forEach((key, index) => {
    checkPlace(place, keys, index);
    if (!Object.hasOwn(place, key)) place[key] = {};
    place = place[key] as Json;
  });
  checkPlace(place, keys, keys.length - 1);
  place[keys.at(-1) as string] = structuredClone(value);
  return copy;
}

/** Whether keys[index] can be a key of what is at the place before it. */
function checkPlace(place: unknown, keys: readonly string[], index: number): void {
  const key = keys[index] as string;
  const at = `vary ${keys.join(".")}`;
  const before = keys.slice(0, index).join(".");
  const isMember = /^\d+$/.test(key);
  if (typeof place !== "object" || place === null) {
    throw new AllstopError("OPTION_INVALID", `${before} has no fields`, { at, value: place });
  }
  if (!isMember && !Array.isArray(place)) return;
  const length = Array.isArray(place) ? place.length : 0;
  if (isMember && Number(key) < length) return;
  const allowed = length === 0 ? "members of lists that the scenario has" : `${before}.0 to ${before}.${length - 1}`;
  throw new AllstopError("OPTION_INVALID", `${before} has no member ${key}`, { at, value: key, allowed });
}
