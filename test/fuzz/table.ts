// The table at the end of a campaign.

import { tableLines } from "../../bench/text.ts";
import type { Total } from "./campaign.ts";
import { ACCEPTED } from "./target.ts";

/** A line for each target, and what became of its inputs below. */
export function resultTable(totals: ReadonlyMap<string, Total>, seconds: number): string {
  const head = ["target", "inputs", "accepted", "seconds", "inputs/s", "operations", "findings"];
  const rows = [...totals].map(([name, total]) => row(name, total));
  const sum = rowOfAll([...totals.values()], seconds);
  const outcomes = [...totals.values()].map((total) => `    ${outcomeText(total.outcomes)}`);
  const lines = tableLines([head, ...rows, sum]);
  // What became of the inputs stands below each target's line.
  return lines.flatMap((line, index) => [line, ...outcomes.slice(index - 1, index)]).join("\n");
}

function row(name: string, { inputs, operations, seconds, findings, outcomes }: Total): string[] {
  const accepted = outcomes.get(ACCEPTED);
  return [
    name,
    count(inputs),
    accepted === undefined ? "-" : count(accepted),
    seconds.toFixed(1),
    count(inputs / seconds),
    operations === 0 ? "-" : count(operations),
    count(findings),
  ];
}

/** The seconds of a target are a thread's; those of all are the clock's. */
function rowOfAll(totals: readonly Total[], seconds: number): string[] {
  const inputs = totals.reduce((sum, one) => sum + one.inputs, 0);
  const operations = totals.reduce((sum, one) => sum + one.operations, 0);
  const findings = totals.reduce((sum, one) => sum + one.findings, 0);
  return ["all", count(inputs), "", seconds.toFixed(1), count(inputs / seconds), count(operations), count(findings)];
}

function outcomeText(outcomes: ReadonlyMap<string, number>): string {
  return [...outcomes]
    .sort(([, a], [, b]) => b - a)
    .map(([outcome, number]) => `${outcome} ${count(number)}`)
    .join(", ");
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
