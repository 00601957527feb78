// What an editor makes of the schemas: the language service of VS Code completes fields and words, tells what they are, and underlines mistakes.

import { describe, expect, it } from "vitest";
import { getLanguageService, TextDocument } from "vscode-json-languageservice";
import { policies } from "../../src/policies/index.ts";
import { schemaFile } from "./json-schema.ts";

const schemas: Readonly<Record<string, object>> = {
  "file:///package/schema/scenario.schema.json": schemaFile("scenario"),
  "file:///package/schema/case.schema.json": schemaFile("case"),
};
const service = getLanguageService({
  schemaRequestService: (uri) => Promise.resolve(JSON.stringify(schemas[uri])),
  workspaceContext: { resolveRelativePath: (path, base) => new URL(path, base).href },
});

/** A document in which | is where the cursor stands, found by its own $schema. */
function typed(rest: string, kind: "scenario" | "case" = "scenario") {
  const whole = `{ "$schema": "../schema/${kind}.schema.json", "format": "allstop.${kind}/1", ${rest} }`;
  const cursor = whole.indexOf("|");
  const document = TextDocument.create("file:///package/examples/x.json", "json", 1, whole.replace("|", ""));
  return { document, json: service.parseJSONDocument(document), at: document.positionAt(Math.max(0, cursor)) };
}

async function completions(rest: string, kind?: "scenario" | "case"): Promise<Map<string, string>> {
  const { document, json, at } = typed(rest, kind);
  const list = await service.doComplete(document, at, json);
  return new Map(
    list?.items.map(({ label, documentation = "" }) => [
      label,
      typeof documentation === "string" ? documentation : documentation.value,
    ]),
  );
}

describe("an editor", () => {
  it("completes fields, with what they mean", async () => {
    const fields = await completions('"machine": { | }');
    expect([...fields.keys()].sort()).toEqual(
      ["architecture", "cpus", "featNmi", "firmware", "parameters", "timing", "topology"].sort(),
    );
    expect(fields.get("cpus")).toMatch(/Number of CPUs.*Default: that of the topology, else 64\./);
  });

  it.each([
    ['"policy": { "name": | }', ['"stop_machine"', '"cpu_offline"', '"microcode_v2"']],
    ['"policy": { "active": | }', ['"first"', '"all"']],
    ['"machine": { "topology": | }', ['"epyc-9654"', '"graviton2"']],
    ['"machine": { "timing": | }', ['"zen3"', '"neoverse-n1"']],
    ['"machine": { "firmware": | }', ['"compliant"', '"tf-a-2.13"']],
    ['"machine": { "firmware": { | } }', ["personality", "maskedSignal"]],
    ['"machine": { "firmware": { "maskedSignal": | } }', ['"pending"', '"lost"', '"wedge"']],
    ['"machine": { "parameters": { | } }', ["wakeMwait", "interrupt"]],
    ['"policy": { "options": { | } }', ["noNmiIpi", "microcodeNmiSafe"]],
    ['"load": { "common": | }', ['"idle"', '"mixed"']],
    ['"load": { "particular": [{ "cpus": "1", "kind": | }] }', ['"irqs-off"', '"wedged"']],
    ['"faults": { "inject": [{ "kind": | }] }', ['"nmi"', '"suspend"']],
    ['"faults": { "inject": [{ "kind": "nmi", "at": { | } }] }', ["mark", "cycle", "us"]],
    ['"faults": { "delivery": [{ "kind": "nmi", "lost": | }] }', ['"all"']],
  ])("completes %s", async (rest, some) => {
    expect([...(await completions(rest)).keys()]).toEqual(expect.arrayContaining(some));
  });

  it("completes the scenario inside a case", async () => {
    const rest = (variant: string) => `"variants": [{ "name": "a", ${variant} }]`;
    expect([...(await completions('"scenario": { "policy": { "name": | } }', "case")).keys()]).toContain(
      '"cpu_offline"',
    );
    expect([...(await completions(rest('"change": { "load": { | } }'), "case")).keys()]).toContain("particular");
    expect([...(await completions(rest('"expect": { "violated": [|] }'), "case")).keys()]).toContain('"exactly-once"');
  });

  it("tells what a word means while it is chosen, and what a field is when it is pointed at", async () => {
    const names = await completions('"policy": { "name": | }');
    for (const { name, title } of policies) expect(names.get(`"${name}"`)).toBe(title);
    const { document, json, at } = typed('"afte|rUs": 5');
    const hover = await service.doHover(document, at, json);
    expect(JSON.stringify(hover?.contents)).toContain("so that what comes too late is seen, microseconds");
  });

  it.each([
    ['"seed": 5', []],
    ['"sed": 5', ["Property sed is not allowed."]],
    ['"machine": { "cpus": 0 }', ["Value is below the minimum of 1."]],
    ['"load": { "common": "bussy" }', [/^Value is not accepted\. Valid values: "idle"/]],
    ['"load": { "particular": [{ "cpus": "1" }] }', ['Missing property "kind".']],
    ['"load": { "particular": [{ "cpus": "1", "kind": "irqs-off", "us": 3 }] }', [/Valid values: "idle-deep", /]],
    [
      '"faults": { "inject": [{ "kind": "interrupt", "at": { "us": 1 }, "cpus": "1" }] }',
      ['Missing property "vector".'],
    ],
    ['"faults": { "inject": [{ "kind": "nmi", "at": { "us": 1, "hit": 2 }, "cpus": "1" }] }', [/mark/]],
  ])("underlines what is wrong with %s", async (rest, messages) => {
    const { document, json } = typed(rest);
    const found = (await service.doValidation(document, json)).map(({ message }) => message);
    expect(found).toHaveLength(messages.length);
    messages.forEach((message, index) => {
      expect(found[index]).toMatch(message);
    });
  });
});
