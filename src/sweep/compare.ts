// Several stop paths, or the variants of a built-in case, side by side: on the same machines, with the same loads and seeds.

import { AllstopError } from "../errors.ts";
import { scenariosOf, type Case } from "../scenario/case.ts";
import type { ScenarioFields } from "../scenario/input.ts";
import type { Policy } from "../policies/index.ts";
import type { Vary } from "./fields.ts";
import { planPoints, planSweep, type SweepInput, type SweepPlan } from "./plan.ts";
import { SweepSummarizer, type SweepSummary } from "./summary.ts";
import { sweep, type SweepOptions } from "./sweep.ts";

/** What is compared: stop paths or the variants of a case, on machines by size or by name. */
export interface CompareInput extends Pick<SweepInput, "seeds" | "topologies"> {
  /** What is the same in all runs. */
  readonly scenario?: ScenarioFields;
  /** Stop paths: names of built-in ones, and policies of one's own. */
  readonly policies?: readonly (string | Policy)[];
  /** Instead of policies, and with a scenario of its own: the variants of a case, all or those that are named. */
  readonly variants?: { readonly case: Case; readonly names?: readonly string[] };
  /** Machines by their numbers of CPUs, or by topology: presets, specs, or names in `topologies`. One of both. */
  readonly cpus?: readonly number[];
  readonly machines?: readonly string[];
}

/** A comparison that has been run: JSON, as `allstop compare --json` prints it. */
export interface Comparison {
  readonly format: "allstop.comparison/1";
  /** Fields of the points: what is compared, and on what. */
  readonly contender: "policy.name" | "variant";
  readonly axis: "machine.cpus" | "machine.topology";
  readonly summary: SweepSummary;
}

/** Runs all, and sums up. @throws what planComparison() and sweep() throw */
export async function compare(input: CompareInput, options: SweepOptions = {}): Promise<Comparison> {
  const plan = await planComparison(input);
  const summarizer = new SweepSummarizer(plan);
  for await (const row of sweep(plan, options)) summarizer.add(row);
  return comparisonOf(plan, summarizer.summary());
}

/** The summary of a plan that planComparison() has made. */
export function comparisonOf({ fields }: SweepPlan, summary: SweepSummary): Comparison {
  return {
    format: "allstop.comparison/1",
    contender: fields.includes("variant") ? "variant" : "policy.name",
    axis: fields.includes("machine.topology") ? "machine.topology" : "machine.cpus",
    summary,
  };
}

/** A point for each contender on each machine. @throws OPTION_INVALID, NAME_UNKNOWN, SCENARIO_INVALID and as planSweep() */
export async function planComparison(input: CompareInput): Promise<SweepPlan> {
  const { cpus, machines, variants, policies } = input;
  if ((cpus === undefined) === (machines === undefined)) {
    const allowed = "numbers of CPUs, or names of machines";
    throw new AllstopError("OPTION_INVALID", "what to compare on has to be said once", { at: "cpus", allowed });
  }
  if (variants !== undefined) return planVariants(input, variants);
  const axis: Vary =
    machines === undefined
      ? { field: "machine.cpus", values: cpus ?? [] }
      : { field: "machine.topology", values: machines };
  const contenders = policies ?? [input.scenario?.policy?.name ?? "stop_machine"];
  const names = contenders.map((one) => (typeof one === "string" ? one : one.name));
  const own = contenders.filter((one) => typeof one !== "string");
  return planSweep({ ...input, policies: own, vary: [{ field: "policy.name", values: names }, axis] });
}

async function planVariants(
  { cpus, policies, seeds = [1], topologies = {} }: CompareInput,
  { case: one, names }: NonNullable<CompareInput["variants"]>,
): Promise<SweepPlan> {
  if (cpus === undefined || policies !== undefined) {
    const allowed = "numbers of CPUs, and no policies or machines";
    throw new AllstopError("OPTION_INVALID", "variants have policies of their own", { at: "variants", allowed });
  }
  const chosen = (names ?? one.variants.map(({ name }) => name)).map((name) => {
    const variant = one.variants.find((candidate) => candidate.name === name);
    if (variant !== undefined) return variant;
    const allowed = one.variants.map((candidate) => candidate.name).join(", ");
    throw new AllstopError("NAME_UNKNOWN", `${one.id} has no such variant`, { at: "variants", value: name, allowed });
  });
  const documents = chosen.flatMap((variant) =>
    cpus.map((size) => ({
      values: { variant: variant.name, "machine.cpus": size },
      document: scenariosOf(one, variant, size)[0],
    })),
  );
  return planPoints(["variant", "machine.cpus"], documents, { seeds, topologies });
}
