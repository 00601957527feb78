// The files that are made of the schemas: schema/*.schema.json, and the tables in docs/scenario-documents.md.

import { readFile } from "node:fs/promises";
import { format } from "prettier";
import { fieldTable, namesTable } from "./field-tables.ts";
import { documents, jsonSchemaOf, schemaText, type DocumentName, type JsonSchema } from "./generate.ts";

const ROOT = new URL("../", import.meta.url);
const PAGE = "docs/scenario-documents.md";

/** Path in the package, and text as it has to be. */
export interface MadeFile {
  readonly path: string;
  readonly text: string;
}

export async function madeFiles(): Promise<MadeFile[]> {
  const names = Object.keys(documents) as DocumentName[];
  const schemas = names.map(async (name) => ({ path: `schema/${name}.schema.json`, text: await schemaText(name) }));
  return [...(await Promise.all(schemas)), { path: PAGE, text: await pageText() }];
}

export async function fileNow(path: string): Promise<string> {
  return readFile(new URL(path, ROOT), "utf8").catch(() => "");
}

function tables(): Record<string, string> {
  const scenario = jsonSchemaOf("scenario");
  const field = (...path: readonly string[]): JsonSchema =>
    path.reduce<JsonSchema>((at, name) => at.properties?.[name] ?? {}, scenario);
  return {
    scenario: fieldTable(scenario),
    case: fieldTable(jsonSchemaOf("case")),
    parameters: namesTable(field("machine", "parameters")),
    options: namesTable(field("policy", "options")),
  };
}

/** The page with its tables, each between `<!-- table: NAME -->` and `<!-- end -->`. */
async function pageText(): Promise<string> {
  const page = await fileNow(PAGE);
  const all = tables();
  const text = page.replaceAll(
    /(<!-- table: (\w+) -->)[^]*?(<!-- end -->)/g,
    (_, start: string, name: string, end: string) => `${start}\n\n${all[name] ?? ""}\n\n${end}`,
  );
  return format(text, { parser: "markdown", printWidth: 120 });
}
