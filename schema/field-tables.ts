// Tables of a document's fields for docs/scenario-documents.md, from its JSON Schema.

import type { JsonSchema } from "./generate.ts";

/** Words are listed up to so many. */
const MOST_WORDS = 12;
const MANY_FIELDS = 20;

/** The fields of a document, one row each: path, what it takes, default, meaning. */
export function fieldTable(schema: JsonSchema): string {
  return table(["field", "takes", "default", "meaning"], rowsOf(schema, ""));
}

/** Fields whose names are a list of their own, such as timing parameters: name, what it takes, default if any has one, meaning. */
export function namesTable({ properties = {} }: JsonSchema): string {
  const rows = Object.entries(properties).map(([name, one]) => [code(name), takes(one), defaultOf(one), meaning(one)]);
  const hasDefaults = rows.some(([, , byDefault]) => byDefault !== "");
  const kept = hasDefaults ? rows : rows.map((row) => row.filter((_, column) => column !== 2));
  return table(hasDefaults ? ["name", "takes", "default", "meaning"] : ["name", "takes", "meaning"], kept);
}

function rowsOf({ properties = {}, required = [] }: JsonSchema, path: string): string[][] {
  return Object.entries(properties).flatMap(([name, one]) => {
    const at = path === "" ? name : `${path}.${name}`;
    const byDefault = required.includes(name) ? "required" : defaultOf(one);
    return [[code(at), takes(one), byDefault, meaning(one)], ...inside(one, at)];
  });
}

/** Rows of the fields inside: of an object, of the members of a list, or of what may be an object. */
function inside(schema: JsonSchema, at: string): string[][] {
  if (schema.items?.properties !== undefined) return rowsOf(schema.items, `${at}.*`);
  const whole = schema.properties === undefined ? schema.anyOf?.find((one) => one.properties !== undefined) : schema;
  return whole === undefined || isCatalogue(whole) ? [] : rowsOf(whole, at);
}

/** Names that are told elsewhere. */
function isCatalogue({ properties = {} }: JsonSchema): boolean {
  return Object.keys(properties).length > MANY_FIELDS;
}

function takes(schema: JsonSchema): string {
  const { type, properties, anyOf = [], items = {} } = schema;
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) return words(schema.enum);
  if (properties !== undefined) return "an object";
  const known = anyOf.find((one) => one.enum !== undefined)?.enum;
  if (type === "string" && known !== undefined) return `${words(known)}, or another text`;
  if (anyOf.length > 0) return anyOf.map(takes).join(" or ");
  if (type === "array") return items.properties === undefined ? `a list: ${takes(items)}` : "a list of objects";
  if (type === "number" || type === "integer") return numbers(schema);
  return { object: "an object", boolean: "`true`, `false`", string: "a text" }[type ?? ""] ?? "a scenario";
}

function words(all: readonly unknown[]): string {
  return all.length > MOST_WORDS ? `one of ${all.length} words` : all.map((one) => code(String(one))).join(", ");
}

function numbers({ type, minimum, maximum, exclusiveMinimum }: JsonSchema): string {
  const what = type === "integer" ? "a whole number" : "a number";
  if (exclusiveMinimum !== undefined) return `${what} above ${plain(exclusiveMinimum)}`;
  if (minimum === undefined) return what;
  if (maximum === undefined || maximum === Number.MAX_SAFE_INTEGER) return `${what}, ${plain(minimum)} or more`;
  return `${what}, ${plain(minimum)} to ${plain(maximum)}`;
}

function plain(value: number): string {
  return value.toLocaleString("en");
}

const DEFAULT = / Default: (.*)\.$/;

function defaultOf({ default: value, description = "" }: JsonSchema): string {
  const said = DEFAULT.exec(description)?.[1];
  if (said !== undefined) return said;
  const isEmpty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
  return value === undefined || isEmpty ? "" : code(JSON.stringify(value));
}

function meaning({ description = "" }: JsonSchema): string {
  return description.replace(DEFAULT, "").replaceAll("|", "\\|");
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
