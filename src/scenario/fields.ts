// Fields of a document by their paths, such as machine.cpus or load.particular.0.us, and the numbers of a range.

import { AllstopError } from "../errors.ts";

/** What a field of a document can hold: JSON. */
export type FieldValue =
  string | number | boolean | null | readonly FieldValue[] | { readonly [key: string]: FieldValue };

type Json = Record<string, unknown>;

const FIELD = /^[a-z][A-Za-z0-9]*(\.([a-zA-Z][A-Za-z0-9]*|\d{1,6}))*$/;
/** The most numbers of one range. */
export const MOST_STEPS = 10_000;

/**
 * @param at who names the field, for messages
 * @throws OPTION_INVALID for what can't be the path of a field
 */
export function checkField(field: string, at: string): string {
  if (FIELD.test(field)) return field;
  throw new AllstopError("OPTION_INVALID", "not the path of a field", {
    at,
    value: field,
    allowed: "names and places in lists with dots between them, such as machine.cpus or load.particular.0.us",
  });
}

/**
 * A copy of a document in which a field has a value. Objects on the way are made, members of lists are not.
 * @param at who names the field, for messages
 * @throws OPTION_INVALID
 */
export function withField(document: object, field: string, value: FieldValue, at: string): object {
  const keys = field.split(".");
  const copy = structuredClone(document) as Json;
  let place = copy;
  keys.slice(0, -1).forEach((key, index) => {
    checkPlace(place, keys, index, at);
    if (!Object.hasOwn(place, key)) place[key] = {};
    place = place[key] as Json;
  });
  checkPlace(place, keys, keys.length - 1, at);
  place[keys.at(-1) as string] = structuredClone(value);
  return copy;
}

/** Whether keys[index] can be a key of what is at the place before it. */
function checkPlace(place: unknown, keys: readonly string[], index: number, at: string): void {
  const key = keys[index] as string;
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

/**
 * From a number to another, both included: by multiples of the step, not by adding it up, and without the digits that only binary
 * fractions have. None if there is no way; not more than MOST_STEPS + 1.
 * @param factor the step multiplies instead
 */
export function rangeOf(from: number, to: number, step: number, factor = false): number[] {
  const tolerance = 1e-9;
  const count = factor ? Math.log(to / from) / Math.log(step) : (to - from) / step;
  if (!(count >= -tolerance)) return [];
  const length = Math.min(Math.floor(count + tolerance) + 1, MOST_STEPS + 1);
  const value = (index: number): number => (factor ? from * step ** index : from + index * step);
  return Array.from({ length }, (_, index) => Number(value(index).toPrecision(12)));
}
