// allstop step: a run, step by step. Commands are lines on stdin; on a terminal there is a full-screen view.

// First, since the order in which guest modules load is the order of routines in an image.
import "../guest/kernel.ts";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { AllstopError, placed } from "../errors.ts";
import type { Palette } from "../report/text.ts";
import { StepSession } from "../stepping/session.ts";
import { Stepper, type StepperOptions } from "../stepping/stepper.ts";
import { findTimingModel } from "../timing/index.ts";
import { parseCpuList } from "../topology/index.ts";
import { topologyFromArgument } from "./machine-options.ts";
import { scenarioFromArguments, type RunArguments } from "./run.ts";
import { palette, print } from "./terminal.ts";

export interface StepArguments extends Omit<RunArguments, "cpus" | "json" | "lines" | "hgrm" | "without"> {
  readonly machineCpus?: number;
  readonly cpus?: string;
  readonly fromUs?: number;
  readonly at?: string;
  readonly lines?: true;
}

/** @returns the exit code: 0, or 2 when a command of a script makes no sense */
export async function step(file: string | undefined, options: StepArguments): Promise<number> {
  const session = await StepSession.of(await stepperOf(file, options), palette());
  const { fromUs, at } = options;
  if (fromUs !== undefined) placed("--from-us", () => session.execute(`until ${fromUs}us`));
  if (at !== undefined) placed("--at", () => session.execute(`until ${at}`));
  if (process.stdin.isTTY && process.stdout.isTTY && process.env["TERM"] !== "dumb") {
    const { StepScreen } = await import("./step-screen.ts");
    return new StepScreen(session, palette()).run();
  }
  return runScript(session, palette());
}

async function stepperOf(file: string | undefined, options: StepArguments): Promise<Stepper> {
  const { cpus, lines, machineCpus, ...rest } = options;
  const chosen: StepperOptions = {
    ...(cpus === undefined ? {} : { cpus: [...parseCpuList(cpus, "--cpus")] }),
    ...(lines === undefined ? {} : { lines }),
  };
  if (file !== undefined && /\.elf$/i.test(file)) return imageStepper(file, options, chosen);
  const runOptions = { ...rest, ...(machineCpus === undefined ? {} : { cpus: machineCpus }) };
  const { document, topology, explain } = await scenarioFromArguments(file, runOptions);
  return Stepper.ofScenario(document, { ...chosen, ...(topology === undefined ? {} : { topology }) }).catch(
    (error: unknown) => {
      throw asTyped(explain(error));
    },
  );
}

/** A bare-metal image, on the board of allstop exec. */
async function imageStepper(file: string, options: StepArguments, chosen: StepperOptions): Promise<Stepper> {
  const { machineCpus, topology, timing, featNmi } = options;
  const bytes = await readFile(file).catch((cause: unknown) => {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new AllstopError("OPTION_INVALID", `an image file that can't be read (${reason})`, { value: file, cause });
  });
  return Stepper.ofImage(bytes, {
    ...chosen,
    ...(machineCpus === undefined ? {} : { machineCpus }),
    ...(topology === undefined ? {} : { topology: await topologyFromArgument(topology, "arm64") }),
    ...(timing === undefined ? {} : { timing: placed("--timing", () => findTimingModel(timing)) }),
    ...(featNmi === undefined ? {} : { featNmi }),
  }).catch((error: unknown) => {
    throw asTyped(error);
  });
}

/** What the library says of its own options, and of the size of the machine, which allstop run calls --cpus. */
function asTyped(error: unknown): unknown {
  if (!(error instanceof AllstopError)) return error;
  const at = error.at === "cpus" ? "--cpus" : error.at === "--cpus" ? "--machine-cpus" : undefined;
  if (at === undefined) return error;
  const { code, what, value, allowed } = error;
  return new AllstopError(code, what, { at, value, ...(allowed === undefined ? {} : { allowed }), cause: error });
}

/** Commands line by line, each repeated in front of what it shows; the first that makes no sense ends it. */
async function runScript(session: StepSession, { faint }: Palette): Promise<number> {
  for (const line of session.execute("cpu " + String(session.stepper.focus)).lines) print(line);
  for await (const command of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    if (command.trim() === "") continue;
    print(faint(`> ${command.trim()}`));
    try {
      const { lines, quit } = session.execute(command);
      for (const line of lines) print(line);
      if (quit) return 0;
    } catch (error) {
      if (!(error instanceof AllstopError)) throw error;
      process.stderr.write(`allstop: ${error.message} [${error.code}]\n`);
      return 2;
    }
  }
  return 0;
}
