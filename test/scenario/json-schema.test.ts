// The published JSON Schemas: up to date, telling of every field, and of one mind with what reads the documents.

import { readFileSync, readdirSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fileNow, madeFiles } from "../../schema/files.ts";
import type { JsonSchema } from "../../schema/generate.ts";
import { AllstopError } from "../../src/errors.ts";
import { policies } from "../../src/policies/index.ts";
import { parseCase } from "../../src/scenario/case.ts";
import { parseScenario } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { timingParameters } from "../../src/timing/index.ts";
import { allstop } from "../cli/command.ts";
import { drawnFrom, perhapsBroken } from "./from-schema.ts";
import { acceptedBySchema, schemaErrors, schemaFile } from "./json-schema.ts";

const scenarioFile = schemaFile("scenario") as JsonSchema;
const caseFile = schemaFile("case") as JsonSchema;

function isTaken(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof AllstopError) return false;
    throw error;
  }
}

describe("the files of the schemas", () => {
  it("are what npm run schema makes, the tables of the docs among them", async () => {
    for (const { path, text } of await madeFiles()) expect([path, await fileNow(path)]).toEqual([path, text]);
  });

  it.each(["scenario", "case"] as const)("are what allstop schema %s prints", async (name) => {
    const { code, stdout } = await allstop(["schema", name]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(schemaFile(name));
  });

  it("are found by importers of the package", () => {
    const { exports, files } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      exports: Record<string, string>;
      files: string[];
    };
    expect(exports["./scenario.schema.json"]).toBe("./schema/scenario.schema.json");
    expect(exports["./case.schema.json"]).toBe("./schema/case.schema.json");
    expect(files).toContain("schema/*.json");
  });

  it("tell what every field is", () => {
    const silent: string[] = [];
    const look = (schema: JsonSchema, at: string): void => {
      if ((schema.description ?? "").length < 3) silent.push(at);
      for (const [name, one] of Object.entries(schema.properties ?? {})) look(one, `${at}.${name}`);
      if (schema.items !== undefined) look(schema.items, `${at}[]`);
      for (const one of schema.anyOf ?? []) if (one.properties !== undefined) look(one, `${at}{}`);
    };
    look(scenarioFile, "scenario");
    look(caseFile, "case");
    expect(silent).toEqual([]);
  });

  it("have all names for completion", () => {
    const field = (...path: string[]) =>
      path.reduce<JsonSchema>((at, name) => at.properties?.[name] ?? {}, scenarioFile);
    expect(field("policy", "name").enum).toEqual(policies.map(({ name }) => name));
    expect(Object.keys(field("machine", "parameters").properties ?? {})).toEqual(Object.keys(timingParameters));
    expect(field("$schema").type).toBe("string");
    const options = policies.flatMap((policy) => Object.keys(policy.options ?? {}));
    expect(new Set(Object.keys(field("policy", "options").properties ?? {}))).toEqual(new Set(options));
  });
});

describe("documents of the package", () => {
  const folder = (name: string) => new URL(`../../${name}/`, import.meta.url);
  const files = ["scenarios", "examples"].flatMap((name) =>
    readdirSync(folder(name))
      .filter((file) => file.endsWith(".json"))
      .map((file) => [`${name}/${file}`, new URL(file, folder(name))] as const),
  );

  it.each(files)("%s is taken", (_, file) => {
    const document = JSON.parse(readFileSync(file, "utf8")) as { format: string };
    const name = document.format.startsWith("allstop.case/") ? "case" : "scenario";
    expect(schemaErrors(name, document)).toEqual([]);
  });
});

describe("documents drawn from the schema", () => {
  it("of scenarios are taken by what reads them if by the schema, and refused if by the schema", () => {
    const counted = { taken: 0, "not to be run": 0, refused: 0 };
    const drawn = perhapsBroken(drawnFrom(scenarioFile, fc.constant({}))).map(small);
    fc.assert(
      fc.property(drawn, (document) => {
        const bySchema = acceptedBySchema("scenario", document);
        const asDocument = isTaken(() => parseScenario(document));
        const asRun = asDocument && isTaken(() => expandScenario(parseScenario(document)));
        // What goes against the machine at hand, no schema can say.
        if (bySchema) expect(asDocument).toBe(true);
        else expect(asRun).toBe(false);
        counted[asRun ? "taken" : bySchema ? "not to be run" : "refused"]++;
      }),
      { numRuns: 1500, seed: 7 },
    );
    // All three come often enough to mean something.
    expect(Math.min(...Object.values(counted))).toBeGreaterThan(75);
  });

  it("of cases are taken alike", () => {
    const counted = { taken: 0, refused: 0 };
    const scenario = fc.constantFrom({}, { policy: { rounds: 2 } }, { load: { common: "busy" } });
    fc.assert(
      fc.property(perhapsBroken(drawnFrom(caseFile, scenario)), (document) => {
        const bySchema = acceptedBySchema("case", document);
        expect(isTaken(() => parseCase(document))).toBe(bySchema);
        counted[bySchema ? "taken" : "refused"]++;
      }),
      { numRuns: 1000, seed: 7 },
    );
    expect(Math.min(...Object.values(counted))).toBeGreaterThan(100);
  });
});

/** On a machine that is soon built. */
function small(document: unknown): unknown {
  const { machine } = (document ?? {}) as { machine?: { cpus?: unknown } | null };
  if (typeof machine?.cpus === "number" && machine.cpus > 8) machine.cpus = 8;
  return document;
}
