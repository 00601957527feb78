// The fields that a sweep varies, and the values that they are to take, as texts of options.

import { AllstopError } from "../errors.ts";
import { MOST_STEPS, checkField, rangeOf, type FieldValue } from "../scenario/fields.ts";

/** A field and the values that it takes, in order. */
export interface Vary {
  readonly field: string;
  readonly values: readonly FieldValue[];
}

const FORM = "FIELD=VALUES: a list 64,256, a range FROM:TO, FROM:TO:STEP or FROM:TO:xFACTOR, or a JSON list";

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
  return { field: checkField(field, "vary"), values: parseValues(values, `vary ${field}`) };
}

function parseValues(text: string, at: string): FieldValue[] {
  if (text.startsWith("[")) return parseJsonList(text, at);
  return text.split(",").flatMap((part) => {
    if (part === "") throw new AllstopError("OPTION_INVALID", "an empty value", { at, value: text, allowed: FORM });
    return rangeIn(part, at) ?? [plainValue(part)];
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
function rangeIn(text: string, at: string): number[] | undefined {
  const parts = text.split(":");
  const [from = "", to = "", by = "1"] = parts;
  if (parts.length < 2 || parts.length > 3 || !NUMBER.test(from) || !NUMBER.test(to)) return undefined;
  const factor = by.startsWith("x");
  const step = Number(factor ? by.slice(1) : by);
  const isUsable = NUMBER.test(factor ? by.slice(1) : by) && step > (factor ? 1 : 0) && (!factor || Number(from) > 0);
  const values = isUsable ? rangeOf(Number(from), Number(to), step, factor) : [];
  if (values.length > 0 && values.length <= MOST_STEPS) return values;
  const what = isUsable && values.length > 0 ? `more than ${MOST_STEPS} values` : "a range without an end";
  const allowed = "FROM:TO[:STEP] with TO not below FROM and STEP above 0, or FROM:TO:xFACTOR with FACTOR above 1";
  throw new AllstopError("OPTION_INVALID", what, { at, value: text, allowed });
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
