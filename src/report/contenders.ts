// What is compared, looked at closely: a run of each contender on one machine, with its call and its distributions.

import { measureArrivals, measureDistributions } from "../measure/distributions.ts";
import { executeScenario, type RunOptions } from "../scenario/run.ts";
import type { Comparison } from "../sweep/compare.ts";
import { valueText, type SweepPlan, type SweepPoint } from "../sweep/plan.ts";
import { curveOf, type PercentileCurve } from "./picture/percentiles.ts";
import { rendezvousOf } from "./make-rendezvous.ts";
import type { Rendezvous } from "./rendezvous.ts";

/** One of those that are compared, on one machine. */
export interface Contender {
  /** Of the stop path, or of the variant. */
  readonly name: string;
  /** As the point names it: a number of CPUs, or a topology. */
  readonly machine: string;
  /** Undefined of a run that came to no call. */
  readonly rendezvous: Rendezvous | undefined;
  /** From the call until each CPU had entered the rendezvous. */
  readonly arrival: PercentileCurve;
  /** From entering the rendezvous to leaving it. */
  readonly frozen: PercentileCurve;
}

/** How closely to look. */
export interface ContenderOptions extends Pick<RunOptions, "core"> {
  /** The machine is the largest one that has not more CPUs; 4,096 if not given. */
  readonly mostCpus?: number;
}

const MOST_CPUS = 4096;

/**
 * Runs each contender of a comparison once more, with the first seed, on its largest machine: what it does there is the same as in the
 * comparison. @throws what executeScenario() throws
 */
export async function lookClosely(
  { contender, axis }: Pick<Comparison, "contender" | "axis">,
  plan: SweepPlan,
  { core, mostCpus = MOST_CPUS }: ContenderOptions = {},
): Promise<Contender[]> {
  const fitting = plan.points.filter(({ cpus }) => cpus <= mostCpus);
  const largest = fitting.reduce((most, { cpus }) => Math.max(most, cpus), 0);
  const machine = fitting.find(({ cpus }) => cpus === largest)?.values[axis];
  const contenders: Contender[] = [];
  for (const point of fitting.filter(({ values }) => values[axis] === machine)) {
    const name = valueText(point.values[contender] ?? "");
    contenders.push(await runOf(name, valueText(machine ?? ""), point, plan, core));
  }
  return contenders;
}

async function runOf(
  name: string,
  machine: string,
  { scenario }: SweepPoint,
  { seeds, topologies }: SweepPlan,
  core: ContenderOptions["core"],
): Promise<Contender> {
  const given = scenario.machine.topology;
  const topology = given !== undefined && Object.hasOwn(topologies, given) ? topologies[given] : undefined;
  const result = await executeScenario(
    { ...scenario, seed: seeds[0] ?? scenario.seed },
    { ...(topology && { topology }), ...(core && { core }) },
  );
  const { policy, timing } = result.expanded;
  return {
    name,
    machine,
    rendezvous: rendezvousOf(result),
    arrival: curveOf(name, measureArrivals(result.timelines, timing)),
    frozen: curveOf(name, measureDistributions(result.timelines, policy, timing).frozen),
  };
}
