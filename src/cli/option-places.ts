// What the user typed for the fields of a scenario document: mistakes are named by the option that they came from.

import { AllstopError, renamed } from "../errors.ts";
import { scenarioLimits, type ScenarioInput } from "../scenario/document.ts";
import type { RunArguments } from "./run.ts";

/** Where an option's value goes in the document; those for loads add to a list. */
const fields = {
  arch: "machine.architecture",
  policy: "policy.name",
  cpus: "machine.cpus",
  topology: "machine.topology",
  timing: "machine.timing",
  featNmi: "machine.featNmi",
  firmware: "machine.firmware",
  active: "policy.active",
  target: "policy.targets",
  functionUs: "policy.functionUs",
  rounds: "policy.rounds",
  requester: "policy.requester",
  limitMs: "limitUs",
  seed: "seed",
} as const satisfies Partial<Record<keyof RunArguments, string>>;

function flag(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/**
 * The options by the places of a document that they fill. Without a document all of it stands for options, given or not.
 * @param base the document that the options are put over
 */
export function optionPlaces(options: RunArguments, base: ScenarioInput | undefined): Map<string, string> {
  const places = new Map<string, string>([["lines", "--lines"]]);
  for (const [name, place] of Object.entries(fields)) {
    if (base === undefined || options[name as keyof RunArguments] !== undefined) places.set(place, flag(name));
  }
  const { load = [], wedge } = options;
  const lists = load.filter((text) => /[:=]/.test(text));
  if (base === undefined || lists.length < load.length) places.set("load.common", "--load");
  const first = base?.load?.particular?.length ?? 0;
  lists.forEach((_, index) => places.set(`load.particular.${first + index}`, "--load"));
  if (wedge !== undefined) places.set(`load.particular.${first + lists.length}`, "--wedge");
  return places;
}

/** A mistake as the user made it, if it is in something that was typed. */
export function asTyped(error: unknown, places: ReadonlyMap<string, string>, { limitMs }: RunArguments): unknown {
  if (!(error instanceof AllstopError) || error.at === undefined) return error;
  // "place", "place.field", or "place: where in its text".
  const [, place = "", inside = ""] = /^([^:]*)(.*)$/s.exec(error.at) ?? [];
  const found = [...places].find(([field]) => place === field || place.startsWith(`${field}.`));
  if (found === undefined) return error;
  const [field, option] = found;
  const at = option + inside;
  if (field !== fields.limitMs) return renamed(error, { at });
  // The document counts in other units.
  const allowed = `a number from ${1 / 1000} to ${scenarioLimits.limitUs / 1000}`;
  return renamed(error, { at, value: limitMs, allowed });
}
