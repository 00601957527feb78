// Results as litmus7 prints them, so that the tools that read its logs (mcompare7, msum7) read these too.

import { kindNames } from "./condition.ts";
import type { LitmusState } from "./outcomes.ts";
import type { LitmusResult } from "./result.ts";

const COUNT_COLUMNS = 6;

/** The lines of one test, an empty one at the end. */
export function litmusLines(result: LitmusResult): string[] {
  const { name, quantifier, states, isValidated, positive, negative, condition, info } = result;
  const { observation, observed, notObserved, wallMs } = result;
  return [
    `Test ${name} ${kindNames[quantifier]}`,
    `Histogram (${states.length} states)`,
    ...states.map(stateLine),
    isValidated ? "Ok" : "No",
    "",
    "Witnesses",
    `Positive: ${positive}, Negative: ${negative}`,
    `Condition ${condition} is ${isValidated ? "" : "NOT "}validated`,
    ...info.map(([key, value]) => `${key}=${value}`),
    `Observation ${name} ${observation} ${observed} ${notObserved}`,
    `Time ${name} ${(wallMs / 1000).toFixed(2)}`,
    "",
  ];
}

/** A star marks those that decide the test. */
function stateLine({ count, isWitness, values }: LitmusState): string {
  const shown = Object.entries(values).map(([location, value]) => `${location}=${value};`);
  return `${String(count).padEnd(COUNT_COLUMNS)}${isWitness ? "*" : ":"}>${shown.join(" ")}`;
}
