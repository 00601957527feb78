// Draws documents from a JSON Schema: what it allows field by field, then now and then with something changed that it may not allow. What
// it says of fields together is not looked at, so that such documents are refused, too.

import fc from "fast-check";
import type { JsonSchema } from "../../schema/generate.ts";

const WORDS = ["0", "1", "0-3", "1-N", "all", "first", "multi_cpu_stop:enter", "x"];

/** @param reference what a reference stands for */
export function drawnFrom(schema: JsonSchema, reference: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const field = (one: JsonSchema): fc.Arbitrary<unknown> => {
    if ("allOf" in one && one.properties === undefined) return reference;
    if (one.const !== undefined) return fc.constant(one.const);
    if (one.enum !== undefined) return fc.constantFrom(...one.enum);
    const isPlace = one.properties !== undefined;
    if (one.anyOf !== undefined && !isPlace) return fc.oneof(...one.anyOf.map(field));
    const whole = (least: number, most: number) => fc.integer({ min: least, max: most });
    const real = (min: number, max: number) => fc.double({ min, max, noNaN: true });
    if (one.type === "object" && isPlace) return object(one);
    if (one.type === "object") return fc.dictionary(fc.constantFrom("a", "b"), fc.integer({ min: 0, max: 9 }));
    if (one.type === "array") return fc.array(field(one.items ?? {}), { maxLength: 2 });
    if (one.type === "boolean") return fc.boolean();
    if (one.type === "integer") return number(one, whole);
    if (one.type === "number") return number(one, real);
    if (one.type !== "string") throw new Error(`a schema of no known type: ${JSON.stringify(one)}`);
    return fc.constantFrom(...WORDS.filter((word) => new RegExp(one.pattern ?? "").test(word)), "S1");
  };
  const object = ({ properties = {}, required = [] }: JsonSchema): fc.Arbitrary<unknown> =>
    fc.record(
      Object.fromEntries(
        Object.entries(properties).map(([name, one]) => [name, seldom(field(one), required.includes(name))]),
      ),
      {
        requiredKeys: [...required],
      },
    );
  return field(schema);
}

/** So that documents have few fields at a time; what is undefined is left out. */
function seldom(one: fc.Arbitrary<unknown>, always: boolean): fc.Arbitrary<unknown> {
  return always ? one : fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: one });
}

function number(
  { minimum = -1000, maximum = 1000, exclusiveMinimum }: JsonSchema,
  between: (least: number, most: number) => fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  const least = exclusiveMinimum === undefined ? minimum : exclusiveMinimum + 1;
  return fc.oneof(fc.constantFrom(least, maximum), between(least, Math.max(least, Math.min(maximum, 2 ** 31 - 1))));
}

const junk = fc.constantFrom<unknown>(null, true, -1, 0, 0.5, 17, 2 ** 40, "", "x", "0-3", [], {}, [[]], { us: 1 });

/** The document, as JSON has it, perhaps with a field more, less, or with another value. */
export function perhapsBroken(document: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const change = fc.record({ where: fc.nat(), how: fc.constantFrom("add", "remove", "replace"), name: fc.nat(), junk });
  return fc.tuple(document, fc.option(change)).map(([drawn, one]) => {
    const copy = JSON.parse(JSON.stringify(drawn)) as unknown;
    const places = objectsIn(copy);
    const place = one === null ? undefined : places[one.where % places.length];
    if (one === null || place === undefined) return copy;
    const names = Object.keys(place);
    const name = one.how === "add" || names.length === 0 ? "added" : (names[one.name % names.length] as string);
    if (one.how === "remove") delete place[name];
    else place[name] = one.junk;
    return copy;
  });
}

function objectsIn(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(objectsIn);
  if (typeof value !== "object" || value === null) return [];
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(objectsIn)];
}
