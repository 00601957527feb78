// npm run bench: times the emulator, and checks each result.

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { budgetLines } from "./budgets.ts";
import type { Case } from "./case.ts";
import { constructionCases } from "./cases/construction.ts";
import { cpumaskCases } from "./cases/cpumask.ts";
import { instructionCases } from "./cases/instructions.ts";
import { memoryCases } from "./cases/memory.ts";
import { qemuCases } from "./cases/qemu.ts";
import { rendezvousCases } from "./cases/rendezvous.ts";
import { snapshotCases } from "./cases/snapshot.ts";
import { measure, type Result } from "./measure.ts";
import { peerRatios, type PeerRatio } from "./peers.ts";
import { isWorse, ratioTo, readStoredRun, storedRun, type StoredRun } from "./stored-run.ts";
import { formatRatio, formatSeconds, formatValue, tableLines } from "./text.ts";

const usage = `npm run bench -- [options]

  --only TEXT          cases whose name contains the text (may be repeated)
  --seconds N          time for each case that is repeated, default 3
  --list               names of the cases
  --json FILE          store the run (- for standard output)
  --compare FILE       show ratios to a stored run; more than 1 is faster, or smaller
  --tolerance PERCENT  mark cases slower than that by more than this, default 20; when given, they end with status 1
  --help               this text`;

const DEFAULT_TOLERANCE = 20;

function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (text !== "" && value > 0 && value < Infinity) return value;
  throw new Error(`--${option} ${text}: a number above 0`);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      seconds: { type: "string", default: "3" },
      list: { type: "boolean" },
      json: { type: "string" },
      compare: { type: "string" },
      tolerance: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  const { tolerance, compare } = values;
  return {
    ...values,
    seconds: numberOf("seconds", values.seconds),
    tolerance: tolerance === undefined ? DEFAULT_TOLERANCE : numberOf("tolerance", tolerance),
    fails: tolerance !== undefined,
    stored: compare === undefined ? undefined : readStoredRun(compare),
  };
}

type Options = ReturnType<typeof readOptions>;

function chosenCases({ only }: Options): Case[] {
  const all: Case[] = [
    ...instructionCases,
    ...rendezvousCases,
    ...qemuCases,
    ...constructionCases,
    ...memoryCases,
    ...snapshotCases,
    ...cpumaskCases,
  ];
  return all.filter(({ name }) => only === undefined || only.some((text) => name.includes(text)));
}

function resultLine(result: Result, { stored, tolerance }: Options): string {
  const name = result.name.padEnd(40);
  if ("skipped" in result) return `${name} ${"-".padStart(12)}  ${result.skipped}`;
  const margin = result.samples === 1 ? "" : `±${result.marginPercent.toFixed(1)} %`;
  const ratio = ratioTo(stored, result);
  const change = ratio === undefined ? "" : `${formatRatio(ratio)}${isWorse(ratio, tolerance) ? "  SLOWER" : ""}`;
  return `${name} ${formatValue(result).padStart(12)}  ${margin.padStart(9)}  ${change}`.trimEnd();
}

function printPeers(peers: readonly PeerRatio[]): void {
  if (peers.length === 0) return;
  const rows = peers.map(({ work, peer, ours, theirs, ratio, processorRatio }) => [
    work,
    formatSeconds(ours),
    peer,
    theirs === undefined ? "not available" : formatSeconds(theirs),
    ratio === undefined ? "" : formatRatio(ratio),
    processorRatio === undefined ? "" : formatRatio(processorRatio),
  ]);
  const head = ["the same work, time per unit", "allstop", "other", "", "ratio", "by processor time"];
  console.log(["", ...tableLines([head, ...rows])].join("\n"));
}

function printBudgets(run: StoredRun): void {
  const lines = run.budgets.filter(({ verdict }) => verdict !== "not run");
  if (lines.length === 0) return;
  const rows = lines.map(({ what, on, must, aim, measured, verdict }) => [what, on, measured, must, aim, verdict]);
  const head = ["budget", "on", "measured", "must", "aim", ""];
  console.log(["", ...tableLines([head, ...rows])].join("\n"));
  const missing = run.budgets.length - lines.length;
  if (missing > 0) console.log(`${missing} more that the chosen cases don't measure`);
}

/** The names of cases that are slower than they may be. */
function worseCases(results: readonly Result[], { stored, tolerance }: Options): string[] {
  return results
    .filter((one) => "value" in one && isWorse(ratioTo(stored, one) ?? 1, tolerance))
    .map(({ name }) => name);
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options.help === true) return console.log(usage);
  const cases = chosenCases(options);
  if (options.list === true) return console.log(cases.map(({ name }) => name).join("\n"));
  if (cases.length === 0) throw new Error("no case has such a name; --list shows them");
  const asText = options.json !== "-";
  const results: Result[] = [];
  for (const one of cases) {
    const result = await measure(one, options.seconds);
    results.push(result);
    if (asText) console.log(resultLine(result, options));
  }
  const parts = { results, peers: peerRatios(results), budgets: budgetLines(results) };
  const run = await storedRun(options.seconds, parts);
  const json = JSON.stringify(run, null, 2);
  if (!asText) console.log(json);
  else if (options.json !== undefined) writeFileSync(options.json, `${json}\n`);
  if (asText) printPeers(run.peers);
  if (asText) printBudgets(run);
  const worse = worseCases(results, options);
  if (options.fails && worse.length > 0) throw new Error(`slower than before: ${worse.join(", ")}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
