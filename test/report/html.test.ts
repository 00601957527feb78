// The pages: well-formed, without references to anything else, everything escaped, and what the report says in them.

import { describe, expect, it } from "vitest";
import { SaxesParser } from "saxes";
import { lookClosely } from "../../src/report/contenders.ts";
import { renderHtmlComparison } from "../../src/report/html/comparison.ts";
import { renderHtmlReport } from "../../src/report/html/run-report.ts";
import { makeReport } from "../../src/report/make.ts";
import { percentilesOf } from "../../src/report/picture/percentiles.ts";
import { causesText, formatNs } from "../../src/report/text.ts";
import { parseScenarioText } from "../../src/scenario/document.ts";
import { executeScenario } from "../../src/scenario/run.ts";
import { SCENARIO_FORMAT } from "../../src/scenario/document.ts";
import { comparisonOf, planComparison } from "../../src/sweep/compare.ts";
import { SweepSummarizer } from "../../src/sweep/summary.ts";
import { sweep } from "../../src/sweep/sweep.ts";
import { execute, hang, mixed, type Executed } from "./runs.ts";

interface Page {
  /** Texts by the element that they are directly in, in order. */
  readonly texts: readonly { readonly name: string; readonly text: string }[];
  readonly names: readonly string[];
  readonly attributes: readonly (readonly [name: string, value: string])[];
}

/** As XML, which it is but for the two elements that HTML leaves open. @throws where it is not well-formed */
function readPage(html: string): Page {
  const parser = new SaxesParser();
  const open: string[] = [];
  const names: string[] = [];
  const attributes: [string, string][] = [];
  const texts: { name: string; text: string }[] = [];
  parser.on("opentag", (tag) => {
    open.push(tag.name);
    names.push(tag.name);
    attributes.push(...Object.entries(tag.attributes));
  });
  parser.on("closetag", () => open.pop());
  parser.on("text", (text) => texts.push({ name: open.at(-1) ?? "", text }));
  parser.on("error", (error) => {
    throw error;
  });
  parser.write(html.replaceAll(/<meta ([^>]*)>/g, "<meta $1/>")).close();
  return { texts, names, attributes };
}

function pageOf({ report, rendezvous, result }: Executed, command?: string): string {
  return renderHtmlReport({ report, rendezvous, percentiles: percentilesOf(result), command });
}

/** What makes a browser ask for something else. */
function referencesOf({ names, attributes, texts }: Page): string[] {
  const elements = [
    "script",
    "link",
    "img",
    "image",
    "iframe",
    "object",
    "embed",
    "use",
    "base",
    "form",
    "a",
    "source",
    "video",
  ];
  const links = ["href", "src", "srcset", "xlink:href", "data", "action", "poster", "background", "style"];
  return [
    ...names.filter((name) => elements.includes(name)),
    ...attributes.filter(([name]) => links.includes(name) || name.startsWith("on")).map(([name]) => name),
    ...texts
      .filter(({ name, text }) => name === "style" && /url\(|@import|@font-face/.test(text))
      .map(({ text }) => text),
  ];
}

describe.each([
  ["a call that went well", mixed(48)],
  ["a hang", hang],
  ["several calls", { machine: { cpus: 8 }, policy: { rounds: 3 } }],
  ["a path that releases nobody", { machine: { cpus: 8 }, policy: { name: "panic_nmi" } }],
] as const)("the page of %s", (_, input) => {
  it("is well-formed, needs nothing else, and has the figures, who was late and why, and all pictures", async () => {
    const executed = await execute(input);
    const { report } = executed;
    const page = readPage(pageOf(executed));
    expect(referencesOf(page)).toEqual([]);
    const texts = page.texts.map(({ text }) => text);
    expect(texts.map((text) => text.trim())).toContain(report.outcome.story);
    for (const ns of [report.latency.rendezvousNs, report.latency.totalNs]) {
      if (ns !== null) expect(texts).toContain(formatNs(ns));
    }
    for (const { cpu, causes } of report.stragglers) {
      expect(texts).toEqual(
        expect.arrayContaining([`CPU ${cpu}`, causesText(causes, cpu === report.scenario.policy.requester)]),
      );
    }
    for (const { at, state } of report.outcome.missing) expect(texts).toContain(`${state} at ${at}`);
    const hasStopped = report.distributions.stopNs !== null;
    expect(page.names.filter((name) => name === "svg")).toHaveLength(
      hasStopped || report.stragglers.length > 0 ? 4 : 3,
    );
    expect(texts.join("\n")).toContain(report.digest);
  });

  it("has the scenario, which gives the same digest when it is run", async () => {
    const { report, ...executed } = await execute(input);
    const { texts } = readPage(pageOf({ report, ...executed }));
    const scenario = parseScenarioText(texts.filter(({ name }) => name === "pre").at(-1)?.text ?? "");
    expect(scenario).toEqual(report.scenario);
    const again = await executeScenario(scenario);
    expect(again.machine.digest()).toBe(report.digest);
  });
});

it("shows markup in names as text", async () => {
  const title = "<script>alert(1)</script> \"a\" & 'b' </title>";
  const executed = await execute({ ...mixed(4), title });
  const command = "allstop run '<b>.json' && echo \"done\"";
  const page = readPage(pageOf(executed, command));
  expect(referencesOf(page)).toEqual([]);
  expect(page.names).not.toContain("b");
  const texts = page.texts.map(({ text }) => text);
  expect(texts.filter((text) => text === `${title} on 4 CPUs`)).toHaveLength(2);
  expect(texts).toContain(command);
});

it("is the same for another run, whatever the host was busy with", async () => {
  const [one, other] = [pageOf(await execute(mixed(16))), pageOf(await execute(mixed(16)))];
  expect(other).toBe(one);
});

it("has interrupts in the place of pictures where there are no calls", async () => {
  const policy = { name: "ipi-benchmark", rounds: 2 } as const;
  const result = await executeScenario({ format: SCENARIO_FORMAT, machine: { cpus: 4 }, policy });
  const page = readPage(renderHtmlReport({ report: makeReport(result), percentiles: percentilesOf(result) }));
  expect(page.names).not.toContain("svg");
  expect(page.texts.map(({ text }) => text).join("\n")).toContain("Broadcast IPI");
});

describe("the page of a comparison", () => {
  it("has every median, a chart for each figure, and each contender's call on the largest machine", async () => {
    const plan = await planComparison({ policies: ["stop_machine", "cpu_offline"], cpus: [4, 16], seeds: [1, 2] });
    const summarizer = new SweepSummarizer(plan);
    for await (const row of sweep(plan, { workers: 0 })) summarizer.add(row);
    const comparison = comparisonOf(plan, summarizer.summary());
    const contenders = await lookClosely(comparison, plan);
    expect(contenders.map(({ name, machine }) => [name, machine])).toEqual([
      ["stop_machine", "16"],
      ["cpu_offline", "16"],
    ]);
    // The runs that are looked at are those that were compared.
    for (const { name, rendezvous } of contenders) {
      const point = comparison.summary.points.find(({ values, cpus }) => cpus === 16 && values["policy.name"] === name);
      const { least = NaN, most = NaN } = point?.metrics.rendezvousNs ?? {};
      expect(rendezvous?.stoppedNs).toBeGreaterThanOrEqual(least);
      expect(rendezvous?.stoppedNs).toBeLessThanOrEqual(most);
    }
    const page = readPage(renderHtmlComparison({ comparison, contenders, command: "allstop compare" }));
    expect(referencesOf(page)).toEqual([]);
    const texts = page.texts.map(({ text }) => text);
    for (const { metrics } of comparison.summary.points) {
      const median = formatNs(metrics.rendezvousNs?.median ?? null);
      expect(texts.some((text) => text === median || text.startsWith(`${median} (`))).toBe(true);
    }
    // Three charts, two plots of percentiles, two heat maps.
    expect(page.names.filter((name) => name === "svg")).toHaveLength(7);
  });
});
