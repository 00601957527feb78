// allstop compare: stop paths or variants side by side, as a table and as a picture.

import { lookClosely } from "../report/contenders.ts";
import { renderHtmlComparison } from "../report/html/comparison.ts";
import { comparisonLines } from "../report/comparison-text.ts";
import { renderSweepChart } from "../report/picture/sweep-chart.ts";
import { isFlawless } from "../report/sweep-text.ts";
import { findCase } from "../scenario/catalogue.ts";
import { isCaseId } from "../scenario/input.ts";
import { comparisonOf, planComparison, type CompareInput, type Comparison } from "../sweep/compare.ts";
import { parseSeeds, parseVary } from "../sweep/fields.ts";
import { sweepLimits, type SweepPlan } from "../sweep/plan.ts";
import type { SweepMetric } from "../sweep/summary.ts";
import { checkOutput, typedCommand, writeText } from "./output.ts";
import { baseOf, scenarioOf, type RunArguments } from "./run.ts";
import { asOptions, EXIT_INTERRUPTED, runPlan, topologiesOf } from "./sweeping.ts";
import { palette, print } from "./terminal.ts";

export interface CompareArguments extends Pick<
  RunArguments,
  "arch" | "timing" | "firmware" | "featNmi" | "load" | "wedge" | "active" | "functionUs" | "limitMs"
> {
  readonly policies?: string;
  readonly variants?: string;
  readonly cpus?: string;
  readonly topologies?: string;
  readonly seeds?: string;
  readonly workers?: number;
  readonly metric?: SweepMetric;
  readonly out?: string;
  readonly json?: true;
}

const places = {
  "vary policy.name": "--policies",
  "vary machine.cpus": "--cpus",
  "vary machine.topology": "--topologies",
  "machine.architecture": "--arch",
  "machine.timing": "--timing",
  "load.common": "--load",
  "policy.active": "--active",
  variants: "--variants",
  cpus: "--cpus",
  seeds: "--seeds",
  workers: "--workers",
} as const;

const DEFAULT_CPUS = [64, 256, 1024];

/** @returns the exit code: 0 when every run completed and broke no rule, 130 when interrupted, else 1 */
export async function compareCommand(file: string | undefined, options: CompareArguments): Promise<number> {
  const { out, metric = "rendezvousNs", workers, json } = options;
  if (out !== undefined) await checkOutput(out, "--out", [".svg", ".html"]);
  const { plan, outcome } = await asOptions(places, async () => {
    const chosen = await planComparison(await inputOf(file, options));
    return {
      plan: chosen,
      outcome: await runPlan("comparing", chosen, workers === undefined ? {} : { workers }),
    };
  });
  const comparison = comparisonOf(plan, outcome.summary);
  if (json) print(JSON.stringify(comparison, null, 2));
  else for (const line of comparisonLines(comparison, palette())) print(line);
  if (out !== undefined) await writeText(out, await pageOrPicture(out, comparison, plan, metric));
  if (!outcome.interrupted) return isFlawless(outcome.summary) ? 0 : 1;
  process.stderr.write(`allstop: interrupted after ${outcome.summary.runs} of ${outcome.summary.wanted} runs\n`);
  return EXIT_INTERRUPTED;
}

async function pageOrPicture(
  out: string,
  comparison: Comparison,
  plan: SweepPlan,
  metric: SweepMetric,
): Promise<string> {
  const { summary, axis } = comparison;
  if (out.endsWith(".svg")) return renderSweepChart(summary, { metric, field: axis });
  const contenders = summary.runs < summary.wanted ? [] : await lookClosely(comparison, plan);
  return renderHtmlComparison({ comparison, contenders, command: typedCommand() });
}

async function inputOf(file: string | undefined, options: CompareArguments): Promise<CompareInput> {
  const { policies, variants, seeds, topologies, cpus } = options;
  const machines = topologies === undefined ? undefined : named(topologies);
  const repeated = seeds === undefined ? {} : { seeds: parseSeeds(seeds, sweepLimits.seeds) };
  const sizes = cpus === undefined ? DEFAULT_CPUS : (parseVary(`machine.cpus=${cpus}`).values as number[]);
  const on = machines === undefined || cpus !== undefined ? { cpus: sizes } : {};
  if (file !== undefined && isCaseId(file) && policies === undefined) {
    const names = variants === undefined || variants === "all" ? {} : { names: named(variants) };
    return { variants: { case: await findCase(file), ...names }, ...on, ...repeated };
  }
  const { arch, timing, firmware, featNmi, load, wedge, active, functionUs, limitMs } = options;
  const given = { arch, timing, firmware, featNmi, load, wedge, active, functionUs, limitMs };
  const { document } = await scenarioOf(given as RunArguments, await baseOf(file, {}));
  return {
    scenario: document,
    ...(policies === undefined ? {} : { policies: named(policies) }),
    ...on,
    ...(machines === undefined ? {} : { machines, topologies: await topologiesOf(machines) }),
    ...repeated,
  };
}

function named(list: string): string[] {
  return list.split(",").map((name) => name.trim());
}
