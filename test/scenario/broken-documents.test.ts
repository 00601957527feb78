// Every broken document gives one message that names the place, what was found there and what is allowed; on the command line with exit code 2.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseScenarioText } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { allstop } from "../cli/command.ts";
import { thrownBy } from "../topology/errors.ts";
import { brokenDocuments } from "./broken-documents.ts";
import { acceptedBySchema } from "./json-schema.ts";

const LONGEST_MESSAGE = 1000;

describe("a broken document", () => {
  it("has many forms", () => {
    expect(brokenDocuments.length).toBeGreaterThan(100);
    expect(new Set(brokenDocuments.map(({ name }) => name)).size).toBe(brokenDocuments.length);
  });

  it.each(brokenDocuments.map((one) => [one.name, one] as const))("%s", (_, one) => {
    const { at, found, allowed, what = "", code = "SCENARIO_INVALID" } = one;
    const thrown = thrownBy(() => expandScenario(parseScenarioText(one.text)));
    expect(thrown.code).toBe(code);
    expect(thrown.at).toBe(at);
    const [before = "", rest = ""] = thrown.message.split("; allowed: ");
    expect(before).toContain(what);
    expect(rest).toContain(allowed);
    if (found === undefined) expect(before).not.toContain("; found ");
    else expect(before.split("; found ")[1]).toContain(found);
    expect(thrown.message).not.toMatch(/[\n\r\u001b]/);
    expect(thrown.message.length).toBeLessThan(LONGEST_MESSAGE);
  });

  const expressible = brokenDocuments.filter(({ schema }) => schema === true);
  it.each(expressible.map((one) => [one.name, one.text]))("the JSON Schema refuses it, too: %s", (_, text) => {
    expect(acceptedBySchema("scenario", JSON.parse(text))).toBe(false);
  });
});

describe("allstop run", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "allstop-"));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  // One of every dozen.
  const sample = brokenDocuments.filter((_, index) => index % 12 === 0);
  it.each(sample.map((one) => [one.name, one] as const))("ends with exit code 2: %s", async (_, one) => {
    const file = join(folder, "broken.json");
    await writeFile(file, one.text);
    const { code, stdout, stderr } = await allstop(["run", file]);
    const { message, code: name } = thrownBy(() => expandScenario(parseScenarioText(one.text)));
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: `allstop: ${message} [${name}]\n` });
  });
});
