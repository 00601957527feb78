// Types of fields, each with what a reader or an editor needs to know of it: the JSON Schema of a document has it from here.

import * as v from "valibot";

/** What a field is. `byDefault` is said where the default depends on other fields; all else are keywords of JSON Schema. */
export interface About {
  readonly description: string;
  readonly byDefault?: string;
  readonly [keyword: string]: unknown;
}

type Told = string | About;

/** For v.pipe(): the field is that. */
export function about<T>(told: Told): v.MetadataAction<T, Readonly<Record<string, unknown>>> {
  const { description, byDefault, ...keywords } = typeof told === "string" ? { description: told } : told;
  const whole = byDefault === undefined ? description : `${description} Default: ${byDefault}.`;
  return v.metadata({ description: whole, ...keywords });
}

export function whole(least: number, most: number, told: Told, allowed = `a whole number from ${least} to ${most}`) {
  return v.pipe(
    v.number(allowed),
    v.integer(allowed),
    v.minValue(least, allowed),
    v.maxValue(most, allowed),
    about(told),
  );
}

export function within(least: number, most: number, told: Told, allowed = `a number from ${least} to ${most}`) {
  return v.pipe(v.number(allowed), v.minValue(least, allowed), v.maxValue(most, allowed), about(told));
}

const LONGEST_TEXT = 4096;

/** @param what a few words, for messages */
export function text(what: string, told: Told) {
  const allowed = `${what}: a text of 1 to ${LONGEST_TEXT} characters`;
  return v.pipe(v.string(allowed), v.minLength(1, allowed), v.maxLength(LONGEST_TEXT, allowed), about(told));
}

export function truth(told: Told) {
  return v.pipe(v.boolean("true or false"), about(told));
}

/** @param what each word means, shown beside it while it is chosen */
export function word<const K extends string>(words: readonly K[], told: About, what?: readonly string[]) {
  const meanings = what === undefined ? {} : { enumDescriptions: what };
  return v.pipe(v.picklist(words, words.join(", ")), about({ ...told, ...meanings }));
}

/** By default as many members as a machine can have CPUs. */
const MOST_MEMBERS = 65_536;

/** @param members what they are, in the plural */
export function list<S extends v.GenericSchema>(item: S, told: Told, most = MOST_MEMBERS, members = "entries") {
  const allowed = `a list of at most ${most} ${members}`;
  return v.pipe(v.array(item, allowed), v.maxLength(most, allowed), about(told));
}

/** A text of which some are known: editors complete those. */
export function known(names: readonly string[], what?: readonly string[]) {
  const meanings = what === undefined ? {} : { enumDescriptions: what };
  return { anyOf: [{ enum: names, ...meanings }, { type: "string" }] };
}

/** CPU numbers as text, which takes the kernel's lists. */
export function cpus(description: string, byDefault?: string) {
  return text("CPUs such as 0,4-7", {
    description: `${description} CPU numbers and ranges such as "0,4-7"; "all" are all of them, N is the last one.`,
    ...(byDefault === undefined ? {} : { byDefault }),
  });
}
