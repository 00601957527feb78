// Interrupts and wake-ups of a model beside what was published of machines of its kind.

import { onlineCpus, type Topology } from "../topology/index.ts";
import type { TimingModel } from "../timing/index.ts";
import { measureInterrupts, type TargetState } from "./interrupts.ts";
import type { Bench } from "./measure.ts";
import { publishedCosts, type PublishedCost } from "./published.ts";

export type Cost = "self" | "one" | "one-far" | "all" | "all-sent" | "wake-hlt" | "wake-mwait" | "wake-wfi";

export interface CostResult {
  readonly what: Cost;
  readonly modelNs: number;
  /** Of other machines: an order of magnitude, no target. */
  readonly published: readonly PublishedCost[];
}

/** What each cost is, for people. */
export const costTitles: Readonly<Record<Cost, string>> = {
  self: "IPI to itself, until the handler runs",
  one: "IPI to a busy CPU of the node",
  "one-far": "IPI to a busy CPU of another package",
  all: "IPI to all but itself, until the last handler runs",
  "all-sent": "the same, until the sender goes on",
  "wake-hlt": "more when the CPU was in HLT",
  "wake-mwait": "more when the CPU was in MWAIT",
  "wake-wfi": "more when the CPU was in WFI",
};

const publishedAs: Readonly<Partial<Record<Cost, PublishedCost["what"]>>> = {
  one: "one",
  "all-sent": "all",
  "wake-hlt": "wake",
  "wake-mwait": "wake",
  "wake-wfi": "wake",
};

function idleStates(timing: TimingModel): readonly Exclude<TargetState, "busy">[] {
  return timing.architecture === "x86-64" ? ["hlt", "mwait"] : ["wfi"];
}

/** CPUs that the first one interrupts: of its node, and of another package if there is one. */
function targetsOf(topology: Topology): { near: number | undefined; far: number | undefined } {
  const online = onlineCpus(topology).map((number) => topology.cpus[number]);
  const from = online[0];
  const near = online.find((cpu) => cpu?.node === from?.node && cpu?.core !== from?.core);
  const far = online.find((cpu) => cpu?.package !== from?.package);
  return { near: near?.number, far: far?.number };
}

/** Measurements that interruptCosts makes. */
export function interruptSteps(topology: Topology, timing: TimingModel): number {
  return (targetsOf(topology).far === undefined ? 1 : 2) + idleStates(timing).length;
}

export function interruptCosts(bench: Bench, step: () => void): CostResult[] {
  const { near, far } = targetsOf(bench.topology);
  if (near === undefined) return [];
  const { architecture } = bench.timing;
  const result = (what: Cost, modelNs: number): CostResult => ({
    what,
    modelNs: Math.round(modelNs),
    published: publishedCosts.filter(
      (cost) => cost.what === publishedAs[what] && cost.architectures.includes(architecture),
    ),
  });
  const measure = (target: number, state: TargetState) => {
    const costs = measureInterrupts(bench, target, state);
    step();
    return costs;
  };
  const busy = measure(near, "busy");
  return [
    result("self", busy.run.self),
    result("one", busy.run.one),
    ...(far === undefined ? [] : [result("one-far", measure(far, "busy").run.one)]),
    result("all", busy.run.all),
    result("all-sent", busy.sent.all),
    ...idleStates(bench.timing).map((state) => result(`wake-${state}`, measure(near, state).run.one - busy.run.one)),
  ];
}
