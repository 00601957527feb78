// npm run litmus: runs every test of the corpus as often as is asked for, and judges each final state.

import { once } from "node:events";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { tableLines } from "../../../bench/text.ts";
import { ProgressBar } from "../../../src/cli/terminal.ts";
import { AllstopError } from "../../../src/errors.ts";
import { coreFile, wholeOption } from "../../support/options.ts";
import { architectures, namesOf } from "../corpus.ts";
import type { Judgement } from "./run.ts";
import type { LitmusJob } from "./worker.ts";

const usage = `npm run litmus -- [options]

  --runs N         runs of each test, default 100,000
  --test NAME      only tests of this name (may be repeated)
  --seed N         default 1
  --core KIND      release (default) or checked (with assertions)
  --workers N      threads, default one for each processor
  --help           this text`;

function readArguments() {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "100000" },
      test: { type: "string", multiple: true },
      seed: { type: "string", default: "1" },
      core: { type: "string", default: "release" },
      workers: { type: "string", default: String(availableParallelism()) },
      help: { type: "boolean" },
    },
  });
  return values;
}

type Arguments = ReturnType<typeof readArguments>;

function jobsOf({ test: chosen, runs, seed }: Arguments): LitmusJob[] {
  const all = architectures.flatMap((architecture) => namesOf(architecture).map((name) => ({ architecture, name })));
  const unknown = chosen?.find((name) => all.every((one) => one.name !== name));
  if (unknown !== undefined) throw new AllstopError("OPTION_INVALID", "--test", { value: unknown });
  const numbers = { runs: wholeOption("--runs", runs, 1, 1e9), seed: wholeOption("--seed", seed, 0, 2 ** 32 - 1) };
  return all.filter(({ name }) => chosen?.includes(name) ?? true).map((one) => ({ ...one, ...numbers }));
}

async function drain(queue: LitmusJob[], core: string, done: (judgement: Judgement) => void): Promise<void> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: { core } });
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    worker.postMessage(job);
    const [judgement] = (await once(worker, "message")) as [Judgement];
    done(judgement);
  }
  await worker.terminate();
}

function row({ name, runs, states, allowedStates, observed, observation, forbidden }: Judgement): string[] {
  return [
    name,
    runs.toLocaleString("en-US"),
    `${states}/${allowedStates}`,
    observed.toLocaleString("en-US"),
    observation,
    forbidden.length > 0 ? "FORBIDDEN" : observation === "must" && observed === 0 ? "MISSING" : "",
  ];
}

async function campaign(options: Arguments): Promise<boolean> {
  const jobs = jobsOf(options);
  const judgements: Judgement[] = [];
  const bar = new ProgressBar("litmus");
  const started = performance.now();
  const core = coreFile(options.core);
  const queue = [...jobs];
  const workers = Math.min(jobs.length, wholeOption("--workers", options.workers, 1, 1024));
  const drains = Array.from({ length: workers }, () =>
    drain(queue, core, (judgement) => bar.update(judgements.push(judgement) / jobs.length)),
  );
  await Promise.all(drains);
  bar.end();
  judgements.sort((one, other) => one.name.localeCompare(other.name));
  console.log(tableLines([["test", "runs", "states", "observed", "is", ""], ...judgements.map(row)]).join("\n"));
  const wrong = judgements.filter(({ forbidden }) => forbidden.length > 0);
  for (const { name, forbidden } of wrong) console.error(`FORBIDDEN ${name}: ${forbidden.join(", ")}`);
  const missing = judgements.filter(({ observation, observed }) => observation === "must" && observed === 0);
  for (const { name } of missing) console.error(`MISSING ${name}: the relaxed outcome did not come`);
  const unseen = judgements.filter(({ observation, observed }) => observation === "expected" && observed === 0);
  console.log(
    `\n${judgements.length} tests in ${Math.round((performance.now() - started) / 1000)} s: ` +
      `${wrong.length} with forbidden states, ${missing.length} without an outcome that must come, ` +
      `${unseen.length} without one that is expected${unseen.map(({ name }) => `\n  ${name}`).join("")}`,
  );
  return wrong.length === 0 && missing.length === 0;
}

async function main(): Promise<void> {
  const options = readArguments();
  if (options.help) console.log(usage);
  else if (!(await campaign(options))) process.exitCode = 1;
}

await main().catch((error: unknown) => {
  console.error(error instanceof AllstopError ? `litmus: ${error.message}` : error);
  process.exitCode = 2;
});
