// The published JSON Schemas in a validator that is not ours.

import { readFileSync } from "node:fs";
import { Ajv, type ValidateFunction } from "ajv";
import type { DocumentName } from "../../schema/generate.ts";

// Keywords that editors know beside those of the standard.
const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allowUnionTypes: true });
ajv.addVocabulary(["enumDescriptions"]);

const compiled = new Map<DocumentName, ValidateFunction>();

export function schemaFile(name: DocumentName): object {
  return JSON.parse(readFileSync(new URL(`../../schema/${name}.schema.json`, import.meta.url), "utf8")) as object;
}

function validatorOf(name: DocumentName): ValidateFunction {
  const validate = compiled.get(name) ?? ajv.compile(schemaFile(name));
  compiled.set(name, validate);
  return validate;
}

export function acceptedBySchema(name: DocumentName, document: unknown): boolean {
  return validatorOf(name)(document);
}

/** What the schema says against a document; empty if nothing. */
export function schemaErrors(name: DocumentName, document: unknown): string[] {
  const validate = validatorOf(name);
  validate(document);
  return (validate.errors ?? []).map(({ instancePath, message = "" }) => `${instancePath}: ${message}`);
}
