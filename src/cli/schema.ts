// allstop schema: the JSON Schema of a kind of document, for editors and other validators.

import { readFile } from "node:fs/promises";
import { print } from "./terminal.ts";

export const schemaNames = ["scenario", "case"] as const;
export type SchemaName = (typeof schemaNames)[number];

const FOLDER = new URL("../../schema/", import.meta.url);

/** Prints the file that the package has. */
export async function schema(name: SchemaName): Promise<number> {
  print((await readFile(new URL(`${name}.schema.json`, FOLDER), "utf8")).trimEnd());
  return 0;
}
