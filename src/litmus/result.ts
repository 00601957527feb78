// What a run says of its test: the verdict as the herd tools define it, with the histogram.

import { formatCondition } from "./condition.ts";
import type { Quantifier } from "./condition.ts";
import type { LitmusState } from "./outcomes.ts";
import type { LitmusPlan } from "./plan.ts";
import type { DialectName } from "./test.ts";

/** What was seen of a test: the final states with their numbers, and what that says of its condition. */
export interface LitmusResult {
  readonly name: string;
  readonly dialect: DialectName;
  readonly quantifier: Quantifier;
  /** As it is printed, with its quantifier. */
  readonly condition: string;
  /** Lines Key=value of the test. */
  readonly info: readonly (readonly [key: string, value: string])[];
  readonly states: readonly LitmusState[];
  /** Ok: `exists` has been seen; `~exists` has not; `forall` held in every run. */
  readonly isValidated: boolean;
  /** Runs that speak for the condition, and against it. */
  readonly positive: number;
  readonly negative: number;
  /** How often the proposition itself was true, and in how many runs; and false. */
  readonly observation: "Never" | "Sometimes" | "Always";
  readonly observed: number;
  readonly notObserved: number;
  /** Also those that a filter left out. */
  readonly runs: number;
  readonly seed: number;
  readonly topology: string;
  readonly timing: string;
  /** Time of the host, milliseconds. */
  readonly wallMs: number;
}

type RunFacts = Pick<LitmusResult, "runs" | "seed" | "topology" | "timing" | "wallMs">;

export function resultOf({ test }: LitmusPlan, states: readonly LitmusState[], facts: RunFacts): LitmusResult {
  const { quantifier } = test.condition;
  const witnesses = sum(states.filter(({ isWitness }) => isWitness));
  const others = sum(states) - witnesses;
  // A witness of `forall` is a counterexample.
  const [observed, notObserved] = quantifier === "forall" ? [others, witnesses] : [witnesses, others];
  const [positive, negative] = quantifier === "exists" ? [witnesses, others] : [others, witnesses];
  return {
    name: test.name,
    dialect: test.dialect,
    quantifier,
    condition: formatCondition(test.condition),
    info: test.info,
    states,
    isValidated: quantifier === "exists" ? witnesses > 0 : witnesses === 0,
    positive,
    negative,
    observation: observed === 0 ? "Never" : notObserved === 0 ? "Always" : "Sometimes",
    observed,
    notObserved,
    ...facts,
  };
}

function sum(states: readonly LitmusState[]): number {
  return states.reduce((total, { count }) => total + count, 0);
}

/** Whether the runs contradict the test. That something wasn't seen contradicts no `exists`: other runs may show it. */
export function isRefuted({ quantifier, isValidated }: LitmusResult): boolean {
  return quantifier !== "exists" && !isValidated;
}
