// Makes the JSON Schemas of documents from what src/scenario/ says of their fields.

import { toJsonSchema, type JsonSchema as Converted } from "@valibot/to-json-schema";
import { format } from "prettier";
import type { GenericSchema } from "valibot";
import { caseSchema, part } from "../src/scenario/case.ts";
import { scenarioPartSchema, scenarioSchema } from "../src/scenario/document.ts";

/** What of JSON Schema is used here. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

/** The documents that have a schema, each in a file of this folder. */
export const documents = { scenario: scenarioSchema, case: caseSchema } as const;
export type DocumentName = keyof typeof documents;

/**
 * Of draft 7, which editors know best: VS Code knows later ones in part. Draft 7 ignores what stands beside a reference, so there are
 * none but those of a case to a scenario.
 */
export function jsonSchemaOf(name: DocumentName): JsonSchema {
  const schema = { $schema: "http://json-schema.org/draft-07/schema#", ...converted(documents[name]) };
  return name === "case" ? { ...schema, ...{ definitions: { scenario: converted(scenarioPartSchema) } } } : schema;
}

function converted(schema: GenericSchema): JsonSchema {
  const whole = toJsonSchema(schema, {
    target: "draft-07",
    typeMode: "input",
    overrideSchema({ valibotSchema }) {
      if (valibotSchema === part) return { allOf: [{ $ref: "#/definitions/scenario" }] };
      if (valibotSchema.type !== "lazy") return undefined;
      // What it is depends on whether it is an object.
      const { getter } = valibotSchema as unknown as { readonly getter: (input: unknown) => GenericSchema };
      return { anyOf: [converted(getter("")), converted(getter({}))] } as Converted;
    },
  });
  return tidy(Object.fromEntries(Object.entries(whole).filter(([key]) => key !== "$schema")));
}

/** Keywords that a reader wants to see first. */
const FIRST = ["title", "description", "type"] as const;

/** Without keywords that say nothing. */
function tidy<T>(value: T): T {
  if (Array.isArray(value)) return value.map(tidy) as T;
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([key, member]) => key !== "propertyNames" && !isEmptyList(key, member));
  // A field of a document may have the name of a keyword, but its value is no text.
  const isFirst = ([key, member]: [string, unknown]): boolean =>
    (FIRST as readonly string[]).includes(key) && typeof member === "string";
  const first = FIRST.flatMap((key) => entries.filter((entry) => entry[0] === key && isFirst(entry)));
  const all = [...first, ...entries.filter((entry) => !isFirst(entry))];
  return Object.fromEntries(all.map(([key, member]) => [key, tidy<unknown>(member)])) as T;
}

function isEmptyList(key: string, member: unknown): boolean {
  return key === "required" && Array.isArray(member) && member.length === 0;
}

/** The text of a document's schema as the file has it. */
export async function schemaText(name: DocumentName): Promise<string> {
  return format(JSON.stringify(jsonSchemaOf(name)), { parser: "json", printWidth: 120 });
}
