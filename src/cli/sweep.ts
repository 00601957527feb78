// allstop sweep: fields of a scenario over ranges and lists, with seeds; rows to a file, a summary to the terminal.

import { AllstopError } from "../errors.ts";
import { renderSweepChart } from "../report/picture/sweep-chart.ts";
import { isFlawless, sweepLines } from "../report/sweep-text.ts";
import { SCENARIO_FORMAT } from "../scenario/document.ts";
import { parseSeeds, parseVary } from "../sweep/fields.ts";
import { writeParquet } from "../sweep/parquet.ts";
import { planSweep, sweepLimits, type SweepPlan } from "../sweep/plan.ts";
import type { SweepMetric } from "../sweep/summary.ts";
import { checkOutput, writeText } from "./output.ts";
import { baseOf } from "./run.ts";
import { asOptions, EXIT_INTERRUPTED, runPlan, topologiesOf } from "./sweeping.ts";
import { palette, print } from "./terminal.ts";

export interface SweepArguments {
  readonly vary?: readonly string[];
  readonly seeds?: string;
  readonly variant?: string;
  readonly workers?: number;
  readonly out?: string;
  readonly chart?: string;
  readonly metric?: SweepMetric;
  readonly json?: true;
}

/** @returns the exit code: 0 when every run completed and broke no rule, 130 when interrupted, else 1 */
export async function sweepCommand(file: string | undefined, options: SweepArguments): Promise<number> {
  const { out, chart, metric, workers, json } = options;
  const parquet = out?.endsWith(".parquet") === true ? out : undefined;
  const journal = out === undefined ? undefined : journalOf(out);
  const plan = await planOf(file, options);
  if (chart !== undefined) await checkOutput(chart, "--chart", [".svg"]);
  const names = { workers: "--workers" };
  const { summary, interrupted } = await asOptions(names, () =>
    runPlan("sweeping", plan, {
      ...(workers === undefined ? {} : { workers }),
      ...(journal === undefined ? {} : { journal }),
    }),
  );
  // The summary first: it has to be seen even if a file can't be written.
  if (json) print(JSON.stringify(summary, null, 2));
  else for (const line of sweepLines(summary, palette())) print(line);
  if (parquet !== undefined && journal !== undefined && !interrupted) await writeParquet(plan, journal, parquet);
  if (chart !== undefined) await writeText(chart, renderSweepChart(summary, metric === undefined ? {} : { metric }));
  if (!interrupted) return isFlawless(summary) ? 0 : 1;
  const advice = journal === undefined ? "with --out it could be resumed" : "the same command goes on from there";
  process.stderr.write(`allstop: interrupted after ${summary.runs} of ${summary.wanted} runs; ${advice}\n`);
  return EXIT_INTERRUPTED;
}

function planOf(file: string | undefined, options: SweepArguments): Promise<SweepPlan> {
  return asOptions({ vary: "--vary", seeds: "--seeds" }, async () => {
    const scenario = (await baseOf(file, options)) ?? { format: SCENARIO_FORMAT };
    const vary = (options.vary ?? []).map(parseVary);
    const machines = vary.find(({ field }) => field === "machine.topology")?.values ?? [];
    return planSweep({
      scenario,
      vary,
      topologies: await topologiesOf([...machines, scenario.machine?.topology]),
      ...(options.seeds === undefined ? {} : { seeds: parseSeeds(options.seeds, sweepLimits.seeds) }),
    });
  });
}

/** A Parquet file can't grow row by row: its rows are in a file beside it until all are there. */
function journalOf(out: string): string {
  if (/\.jsonl$/.test(out)) return out;
  if (/\.parquet$/.test(out)) return `${out}.jsonl`;
  throw new AllstopError("OPTION_INVALID", "not a kind of file for rows", {
    at: "--out",
    value: out,
    allowed: "a name that ends in .jsonl or .parquet",
  });
}
