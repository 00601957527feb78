// Runs the variants of cases, and lays what they show beside what is expected.

import { loadCore, type CoreSource } from "../core/load.ts";
import { makeReport } from "../report/make.ts";
import type { Report } from "../report/report.ts";
import { formatCpuList } from "../topology/index.ts";
import { scenariosOf, type Case, type CaseVariant, type Expectation } from "./case.ts";
import { executeScenario } from "./run.ts";

/** A line of the table: both texts name the same things, so they are equal when the variant shows what is expected. */
export interface CaseRow {
  readonly scenario: string;
  readonly variant: string;
  readonly cpus: number;
  readonly expected: string;
  readonly got: string;
}

/** On which machines a case is run. */
export interface CaseOptions {
  /** Run with these numbers of CPUs only, of those that a case names. */
  readonly cpus?: readonly number[];
  /** Run each variant on its smallest machine only. */
  readonly smallest?: boolean;
  readonly core?: CoreSource;
}

/** Variants of a case by size: what there is to run. */
export function rowsOf(
  one: Case,
  { cpus, smallest = false }: CaseOptions = {},
): { readonly variant: CaseVariant; readonly cpus: number }[] {
  return one.variants.flatMap((variant) =>
    sizesOf(variant.cpus ?? one.cpus, smallest)
      .filter((size) => cpus === undefined || cpus.includes(size))
      .map((size) => ({ variant, cpus: size })),
  );
}

function sizesOf(sizes: readonly number[], smallest: boolean): readonly number[] {
  return smallest ? [Math.min(...sizes)] : sizes;
}

/** @throws SCENARIO_INVALID and what running a scenario throws */
export async function runCaseRow(
  one: Case,
  variant: CaseVariant,
  cpus: number,
  options: CaseOptions = {},
): Promise<CaseRow> {
  const core = await loadCore(options.core);
  const shown: Shown[] = [];
  for (const scenario of scenariosOf(one, variant, cpus)) {
    shown.push(shownBy(makeReport(await executeScenario(scenario, { core }))));
  }
  const { expect } = variant;
  return {
    scenario: one.id,
    variant: variant.name,
    cpus,
    expected: described(expect, expect),
    got: described(summed(shown, expect), expect),
  };
}

/** What a run shows of what can be expected. */
interface Shown extends Required<Omit<Expectation, "violatingRuns">> {
  readonly verdict: Expectation["verdict"];
}

function shownBy(report: Report): Shown {
  const { outcome, oracles, waits, messages, rounds } = report;
  const count = (names: readonly string[]): Record<string, number> => {
    const found: Record<string, number> = {};
    for (const name of names) found[name] = (found[name] ?? 0) + 1;
    return found;
  };
  const iterations: Record<string, number> = {};
  for (const wait of waits) iterations[wait.name] = (iterations[wait.name] ?? 0) + wait.iterations;
  return {
    verdict: outcome.verdict,
    violated: oracles.filter(({ held }) => !held).map(({ name }) => name),
    returned: rounds.map(({ returned }) => returned).filter((returned) => returned !== null),
    ran: formatCpuList(outcome.calls.on),
    online: formatCpuList(outcome.online),
    messages: count(messages.map(({ name }) => name)),
    waits: iterations,
    missing: formatCpuList(outcome.missing.map(({ cpu }) => cpu)),
  };
}

/** Of several runs: the verdicts that differ, the oracles that some run breaks, the rest of the last one. */
function summed(shown: readonly Shown[], { verdict }: Expectation): Expectation {
  const last = shown.at(-1);
  if (last === undefined) return { verdict, violated: [] };
  const other = shown.find((one) => one.verdict !== verdict);
  return {
    ...last,
    verdict: other?.verdict ?? verdict,
    violated: [...new Set(shown.flatMap(({ violated }) => violated))],
    violatingRuns: shown.filter(({ violated }) => violated.length > 0).length,
  };
}

/** The things that are expected of `like`, as `shown` has them. */
function described(shown: Expectation, like: Expectation): string {
  const parts: string[] = [shown.verdict];
  const violated = [...shown.violated].sort();
  parts.push(violated.length === 0 ? "all oracles hold" : `violates ${violated.join(", ")}`);
  if (like.violatingRuns !== undefined) parts.push(`in ${shown.violatingRuns ?? 0} runs`);
  if (like.returned !== undefined) parts.push(`returned ${(shown.returned ?? []).join(", ")}`);
  if (like.ran !== undefined) parts.push(`ran on ${shown.ran ?? ""}`);
  if (like.online !== undefined) parts.push(`online ${shown.online ?? ""}`);
  if (like.missing !== undefined) parts.push(`missing ${shown.missing ?? ""}`);
  for (const name of Object.keys(like.messages ?? {})) parts.push(`${name} ${shown.messages?.[name] ?? 0} times`);
  for (const name of Object.keys(like.waits ?? {})) parts.push(`waits ${shown.waits?.[name] ?? 0} x ${name}`);
  return parts.join("; ");
}
