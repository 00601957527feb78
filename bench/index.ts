// npm run bench: times the emulator, and checks each result.

import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { constructionCases } from "./cases/construction.ts";
import { cpumaskCases } from "./cases/cpumask.ts";
import { instructionCases } from "./cases/instructions.ts";
import { rendezvousCases } from "./cases/rendezvous.ts";
import { snapshotCases } from "./cases/snapshot.ts";
import { measure, type Measurement } from "./measure.ts";

const FORMAT = "allstop.bench/1";

interface StoredRun {
  readonly format: typeof FORMAT;
  readonly host: string;
  readonly node: string;
  readonly results: readonly Measurement[];
}

const usage = `npm run bench -- [options]

  --only TEXT      cases whose name contains the text (may be repeated)
  --seconds N      time for each case, default 3
  --list           names of the cases
  --json FILE      store the run (- for standard output)
  --compare FILE   show ratios to a stored run
  --help           this text`;

function printValue({ figure, value }: Measurement): string {
  if (figure === "rate") return `${(value / 1e6).toFixed(1)} M/s`;
  if (figure === "size") return `${(value / 1024).toFixed(2)} KiB`;
  if (value >= 1) return `${value.toFixed(2)} s`;
  return value >= 1e-3 ? `${(value * 1e3).toFixed(2)} ms` : `${(value * 1e6).toFixed(2)} us`;
}

/** More than 1 is faster than the stored run. */
function ratioTo(stored: StoredRun | undefined, now: Measurement): string {
  const before = stored?.results.find(({ name }) => name === now.name);
  if (before === undefined) return "";
  const ratio = now.figure === "rate" ? now.value / before.value : before.value / now.value;
  return `${ratio.toFixed(2)}x`;
}

function readStored(file: string): StoredRun {
  const run = JSON.parse(readFileSync(file, "utf8")) as StoredRun;
  const format: string = run.format;
  if (format !== FORMAT) throw new Error(`${file} is not a stored run: its format is ${format}, not ${FORMAT}`);
  return run;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      seconds: { type: "string", default: "3" },
      list: { type: "boolean" },
      json: { type: "string" },
      compare: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return console.log(usage);
  const { only } = values;
  const cases = [
    ...instructionCases,
    ...rendezvousCases,
    ...constructionCases,
    ...snapshotCases,
    ...cpumaskCases,
  ].filter(({ name }) => only === undefined || only.some((text) => name.includes(text)));
  if (values.list === true) return console.log(cases.map(({ name }) => name).join("\n"));
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new Error(`--seconds ${values.seconds}: a number above 0`);
  const stored = values.compare === undefined ? undefined : readStored(values.compare);
  const toFile = values.json !== "-";
  const results: Measurement[] = [];
  for (const one of cases) {
    const result = await measure(one, seconds);
    results.push(result);
    const margin = `±${result.marginPercent.toFixed(1)} %`;
    if (toFile) {
      console.log(
        `${result.name.padEnd(40)} ${printValue(result).padStart(12)}  ${margin.padStart(9)}  ${ratioTo(stored, result)}`,
      );
    }
  }
  const run: StoredRun = { format: FORMAT, host: cpus()[0]?.model ?? "unknown", node: process.version, results };
  if (values.json === "-") console.log(JSON.stringify(run, null, 2));
  else if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(run, null, 2) + "\n");
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
