// Which fields of a document go together, as far as JSON Schema can say it. What is checked when a scenario is expanded is checked with the
// same tables (faults/act.ts, faults/load.ts); this is for editors, which show it while somebody types.

import { actKinds, type ActDescription, type ActField } from "../faults/act.ts";
import { loadParameters, type LoadParameters } from "../faults/load.ts";

const isGiven = (...fields: readonly string[]) => ({ required: fields });
const isOneOf = (kinds: readonly string[]) => ({ properties: { kind: { enum: kinds } }, required: ["kind"] });

/** An entry of load.particular: figures that its kind takes. */
export function figuresOfLoads(): object {
  const fields: readonly (keyof LoadParameters)[] = ["us", "offUs", "onUs", "fromUs"];
  const takes = (field: keyof LoadParameters) =>
    Object.entries(loadParameters).flatMap(([kind, taken]) => (taken.includes(field) ? [kind] : []));
  return { allOf: fields.map((field) => ({ if: isGiven(field), then: isOneOf(takes(field)) })) };
}

/** An entry of faults.inject: fields that its kind needs, and no others; and on whom, where nobody comes by. */
export function fieldsOfActs(): object {
  const fields: readonly ActField[] = ["vector", "intid", "us", "event"];
  const kinds = Object.entries<ActDescription>(actKinds);
  const named = (holds: (kind: ActDescription) => boolean) =>
    kinds.flatMap(([name, kind]) => (holds(kind) ? [name] : []));
  const everywhere = isOneOf(named((kind) => kind.everywhere === true));
  const isAtMark = { properties: { at: isGiven("mark") } };
  return {
    allOf: [
      ...fields.flatMap((field) => {
        const needing = isOneOf(named(({ needs }) => needs?.includes(field) === true));
        return [
          { if: needing, then: isGiven(field) },
          { if: isGiven(field), then: needing },
        ];
      }),
      { if: everywhere, then: { not: isGiven("cpus") } },
      { if: { anyOf: [everywhere, isAtMark] }, else: isGiven("cpus") },
      { if: isOneOf(["sgi"]), then: { properties: { intid: { maximum: 31 } } } },
      { if: isOneOf(["spi"]), then: { properties: { intid: { minimum: 32 } } } },
    ],
  };
}

/** A place: one of three kinds, and what only a mark has. */
export const fieldsOfPlaces = {
  oneOf: [isGiven("us"), isGiven("cycle"), isGiven("mark")],
  dependencies: { cpu: ["mark"], hit: ["mark"], instructions: ["mark"], delayNs: ["mark"] },
  not: isGiven("instructions", "delayNs"),
} as const;

/** An entry of faults.delivery: it changes something, and has its delay in one unit. */
export const fieldsOfDeliveries = {
  anyOf: [isGiven("delayNs"), isGiven("delayCycles"), isGiven("lost")],
  not: isGiven("delayNs", "delayCycles"),
} as const;

/** A machine that says that it is of x86-64 has nothing that only arm64 has. */
export const fieldsOfMachines = {
  if: { properties: { architecture: { const: "x86-64" } }, required: ["architecture"] },
  then: { properties: { featNmi: { const: false } }, not: isGiven("firmware") },
} as const;
