// npm run fuzz: tries millions of inputs of every kind. The same seed gives the same inputs, each of which can be tried alone.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { ProgressBar } from "../../src/cli/terminal.ts";
import { AllstopError } from "../../src/errors.ts";
import { coreFile, wholeOption } from "../support/options.ts";
import { runCampaign } from "./campaign.ts";
import { describeFinding } from "./run.ts";
import { resultTable } from "./table.ts";
import { targetNamed, targets } from "./targets.ts";
import type { Job } from "./worker.ts";

/** Inputs of a campaign that isn't given another number. */
const TOTAL = 10_000_000;
/** Inputs that a worker tries in one go. */
const MOST_AT_ONCE = 10_000;

const usage = `npm run fuzz -- [options]

Without options: the whole campaign, 15 to 40 minutes on two processors.

The register and firmware targets try hundreds of operations with each input; a million of each in a minute:

  npm run fuzz -- --target x86-registers --target arm64-registers --target firmware-calls --count 5000

  --target NAME    only this target (may be repeated)
  --seed N         seed of all inputs, default 1
  --total N        inputs in all, shared out among the targets, default ${TOTAL.toLocaleString("en-US")}
  --count N        inputs of each target instead
  --first N        number of the first input, default 0
  --core KIND      checked (with assertions, default) or release
  --workers N      threads, default one for each processor
  --patience N     seconds after which an input counts as hanging, default 120
  --list           targets and their shares
  --help           this text`;

function readArguments() {
  const { values } = parseArgs({
    options: {
      target: { type: "string", multiple: true },
      seed: { type: "string", default: "1" },
      total: { type: "string", default: String(TOTAL) },
      count: { type: "string" },
      first: { type: "string", default: "0" },
      core: { type: "string", default: "checked" },
      workers: { type: "string", default: String(availableParallelism()) },
      patience: { type: "string", default: "120" },
      list: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  return values;
}

type Arguments = ReturnType<typeof readArguments>;

function jobsOf({ target: names, seed, total, count, first }: Arguments): Job[] {
  const chosen = names === undefined ? targets : names.map(targetNamed);
  const shares = chosen.reduce((sum, { share }) => sum + share, 0);
  const all = wholeOption("--total", total, 1, 2 ** 31 - 1);
  const seedNumber = wholeOption("--seed", seed, 0, 2 ** 32 - 1);
  const start = wholeOption("--first", first, 0, 2 ** 31 - 1);
  return chosen.flatMap(({ name, share }) => {
    const inputs =
      count === undefined ? Math.ceil((all * share) / shares) : wholeOption("--count", count, 1, 2 ** 31 - 1 - start);
    const jobs: Job[] = [];
    for (let at = 0; at < inputs; at += MOST_AT_ONCE) {
      const range = { first: start + at, count: Math.min(MOST_AT_ONCE, inputs - at) };
      jobs.push({ target: name, seed: seedNumber, ...range });
    }
    return jobs;
  });
}

async function fuzz(options: Arguments): Promise<boolean> {
  const jobs = jobsOf(options);
  const all = jobs.reduce((sum, { count }) => sum + count, 0);
  const bar = new ProgressBar("fuzz");
  let findings = 0;
  const started = performance.now();
  const totals = await runCampaign(jobs, {
    core: coreFile(options.core),
    workers: Math.min(jobs.length, wholeOption("--workers", options.workers, 1, 1024)),
    patienceSeconds: wholeOption("--patience", options.patience, 1, 86_400),
    onProgress: (inputs) => bar.update(inputs / all),
    onFinding: (finding) => {
      findings++;
      bar.end();
      console.error(`FINDING ${describeFinding(finding)}\n`);
    },
  });
  bar.end();
  console.log(resultTable(totals, (performance.now() - started) / 1000));
  return findings === 0;
}

async function main(): Promise<void> {
  const options = readArguments();
  if (options.help) console.log(usage);
  else if (options.list) {
    for (const { name, share, what } of targets) {
      console.log(`${name.padEnd(15)} ${share.toLocaleString("en-US").padStart(9)}  ${what}`);
    }
  } else if (!(await fuzz(options))) process.exitCode = 1;
}

await main().catch((error: unknown) => {
  console.error(error instanceof AllstopError ? `fuzz: ${error.message}` : error);
  process.exitCode = 2;
});
