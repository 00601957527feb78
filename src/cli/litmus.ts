// allstop litmus: tests of the herd tools, from files and folders; results as litmus7 prints them, or as JSON.

import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { AllstopError, placed } from "../errors.ts";
import { isRefuted, litmusLines, parseLitmus, runLitmus } from "../litmus/index.ts";
import type { LitmusOptions, LitmusResult, LitmusTest, Placement } from "../litmus/index.ts";
import { findTimingModel } from "../timing/index.ts";
import { parseCpuList } from "../topology/index.ts";
import type { Architecture, Topology } from "../topology/index.ts";
import { topologyFromArgument } from "./machine-options.ts";
import { ProgressBar, print } from "./terminal.ts";

export interface LitmusArguments {
  readonly runs?: number;
  readonly seed?: number;
  readonly cpus?: string;
  readonly placement?: Placement;
  readonly topology?: string;
  readonly timing?: string;
  readonly perturbation: boolean;
  readonly json?: true;
}

interface Failure {
  readonly file: string;
  readonly code: string;
  readonly message: string;
}

const EXIT_REFUTED = 1;
const EXIT_INVALID = 2;

/** @returns the exit code: 2 if a test can't be read or run, else 1 if one is refuted */
export async function litmus(paths: readonly string[], options: LitmusArguments): Promise<number> {
  checkCpuOptions(options);
  const files = (await Promise.all(paths.map(filesOf))).flat();
  const results: { file: string; result: LitmusResult }[] = [];
  const failures: Failure[] = [];
  for (const file of files) {
    try {
      const result = await runFile(file, options);
      results.push({ file, result });
      if (!options.json) for (const line of litmusLines(result)) print(line);
    } catch (error) {
      if (!(error instanceof AllstopError) || error.code !== "LITMUS_INVALID") throw error;
      failures.push({ file, code: error.code, message: error.message });
      process.stderr.write(`allstop: ${error.message} [${error.code}]\n`);
    }
  }
  const refuted = results.some(({ result }) => isRefuted(result));
  const exitCode = failures.length > 0 ? EXIT_INVALID : refuted ? EXIT_REFUTED : 0;
  if (options.json) print(JSON.stringify(documentOf(results, failures, exitCode), null, 2));
  return exitCode;
}

/** A file itself; the tests in a folder and below it, by name. */
async function filesOf(path: string): Promise<string[]> {
  const reading = <T>(work: Promise<T>): Promise<T> =>
    work.catch((cause: unknown) => {
      const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
      throw new AllstopError("OPTION_INVALID", `a file that can't be read (${reason})`, { value: path, cause });
    });
  if (!(await reading(stat(path))).isDirectory()) return [path];
  const names = (await reading(readdir(path, { recursive: true }))).filter((name) => name.endsWith(".litmus"));
  if (names.length === 0)
    throw new AllstopError("OPTION_INVALID", "a folder without tests", { value: path, allowed: "files *.litmus" });
  return names.sort().map((name) => join(path, name));
}

async function runFile(file: string, options: LitmusArguments): Promise<LitmusResult> {
  const text = await readFile(file, "utf8");
  const test = placed(file, () => parseLitmus(text));
  const bar = new ProgressBar(test.name);
  const machine = await machineOptions(test, options);
  const { runs, seed, perturbation } = options;
  return runLitmus(test, {
    ...machine,
    ...(runs === undefined ? {} : { runs }),
    ...(seed === undefined ? {} : { seed }),
    perturbation,
    onProgress: bar.update,
  })
    .catch((error: unknown) =>
      placed(file, () => {
        throw error;
      }),
    )
    .finally(() => {
      bar.end();
    });
}

async function machineOptions(test: LitmusTest, options: LitmusArguments): Promise<LitmusOptions> {
  const { cpus, placement, topology, timing } = options;
  const architecture: Architecture = test.dialect === "AArch64" ? "arm64" : "x86-64";
  const shape = topology === undefined ? undefined : await topologyFromArgument(topology, undefined);
  if (shape !== undefined) checkArchitecture(shape, architecture);
  return {
    ...(shape === undefined ? {} : { topology: shape }),
    ...(timing === undefined ? {} : { timing: placed("--timing", () => timingOf(timing, architecture)) }),
    ...(cpus === undefined ? {} : { cpus: parseCpuNumbers(cpus) }),
    ...(placement === undefined ? {} : { placement }),
  };
}

function checkArchitecture({ architecture, name }: Topology, wanted: Architecture): void {
  if (architecture === undefined || architecture === wanted) return;
  throw new AllstopError("OPTION_INVALID", "a machine of another architecture than the test", {
    at: "--topology",
    value: name,
    allowed: wanted,
  });
}

function timingOf(name: string, architecture: Architecture): ReturnType<typeof findTimingModel> {
  const model = findTimingModel(name);
  if (model.architecture === architecture) return model;
  throw new AllstopError("OPTION_INVALID", "a timing model of another architecture than the test", {
    value: name,
    allowed: architecture,
  });
}

/** Threads take the CPUs in the order in which they are listed. */
function parseCpuNumbers(text: string): number[] {
  return text.split(",").flatMap((part) => [...parseCpuList(part, "--cpus")]);
}

function checkCpuOptions({ cpus, placement }: LitmusArguments): void {
  if (cpus !== undefined && placement !== undefined)
    throw new AllstopError("OPTION_INVALID", "CPUs and a placement", { at: "--placement", allowed: "one of them" });
}

function documentOf(
  results: readonly { readonly file: string; readonly result: LitmusResult }[],
  failures: readonly Failure[],
  exitCode: number,
): object {
  return {
    format: "allstop.litmus/1",
    exitCode,
    tests: results.map(({ file, result: { info, wallMs, ...result } }) => ({
      file,
      ...result,
      info: Object.fromEntries(info),
      isRefuted: isRefuted({ info, wallMs, ...result }),
      host: { wallMs: Math.round(wallMs), runsPerSecond: Math.round(result.runs / (wallMs / 1000)) },
    })),
    failures,
  };
}
