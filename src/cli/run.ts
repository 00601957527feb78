// allstop run: one scenario, from options or from a document, and its report.

import { readFile, writeFile } from "node:fs/promises";
import { AllstopError, renamed } from "../errors.ts";
import { loadParameters, type LoadChoice, type LoadKind } from "../faults/load.ts";
import { reportLines } from "../report/text.ts";
import { callDistributionNames, type CallDistributions } from "../measure/distributions.ts";
import { renderHtmlReport } from "../report/html/run-report.ts";
import { rendezvousOf } from "../report/make-rendezvous.ts";
import { renderPicture, type PictureKind } from "../report/picture/kinds.ts";
import { percentilesOf } from "../report/picture/percentiles.ts";
import { builtInScenario, isCaseId } from "../scenario/input.ts";
import { simulate, type Simulation } from "../simulate.ts";
import { SCENARIO_FORMAT, parseScenarioText, type ScenarioInput } from "../scenario/document.ts";
import type { Architecture, Topology } from "../topology/index.ts";
import type { Accelerations } from "../machine/accelerations.ts";
import { topologyFromFile } from "./machine-options.ts";
import { asTyped, optionPlaces } from "./option-places.ts";
import { checkOutput, typedCommand, writeText } from "./output.ts";
import { ProgressBar, palette, print } from "./terminal.ts";

export interface RunArguments {
  readonly arch?: Architecture;
  readonly variant?: string;
  readonly policy?: string;
  readonly cpus?: number;
  readonly topology?: string;
  readonly timing?: string;
  readonly featNmi?: true;
  readonly firmware?: string;
  readonly load?: readonly string[];
  readonly wedge?: string;
  readonly active?: string;
  readonly target?: string;
  readonly functionUs?: number;
  readonly rounds?: number;
  readonly requester?: number;
  readonly limitMs?: number;
  readonly seed?: number;
  readonly without?: readonly (keyof Accelerations)[];
  readonly lines?: true;
  readonly hgrm?: string;
  readonly out?: string;
  readonly picture?: PictureKind;
  readonly json?: true;
}

/** @returns the exit code: 0 when the call completed and broke no rule, else 1 */
export async function run(file: string | undefined, options: RunArguments): Promise<number> {
  const { out, picture } = options;
  if (out === undefined && picture !== undefined) {
    throw new AllstopError("OPTION_INVALID", "a picture needs a file", {
      at: "--picture",
      value: picture,
      allowed: "with --out FILE.svg",
    });
  }
  if (out !== undefined) await checkOutput(out, "--out", picture === undefined ? [".html", ".svg"] : [".svg"]);
  const { document, topology, explain } = await scenarioFromArguments(file, options);
  const bar = new ProgressBar("running");
  const simulation = await simulate(document, {
    ...(topology === undefined ? {} : { topology }),
    ...(options.lines && { lines: true }),
    accelerations: Object.fromEntries((options.without ?? []).map((name) => [name, false])),
    onProgress: bar.update,
  })
    .finally(() => {
      bar.end();
    })
    .catch((error: unknown) => {
      throw explain(error);
    });
  const { report, passed } = simulation;
  if (options.json) print(JSON.stringify(report, null, 2));
  else for (const line of reportLines(report, palette())) print(line);
  if (options.hgrm !== undefined) await writeHistograms(options.hgrm, simulation.distributions);
  if (out !== undefined) await writeText(out, pageOrPicture(out, picture, simulation));
  return passed ? 0 : 1;
}

function pageOrPicture(out: string, picture: PictureKind | undefined, { run, report }: Simulation): string {
  if (out.endsWith(".svg")) return renderPicture(picture ?? DEFAULT_PICTURE, run);
  return renderHtmlReport({
    report,
    rendezvous: rendezvousOf(run),
    percentiles: percentilesOf(run),
    command: typedCommand(),
  });
}

const DEFAULT_PICTURE: PictureKind = "waterfall";

/** One file per distribution: FILE as it is for the time to the stop, FILE.frozen.hgrm and so on for the others. */
async function writeHistograms(file: string, measured: CallDistributions): Promise<void> {
  for (const [index, name] of callDistributionNames.entries()) {
    const path = index === 0 ? file : `${file.replace(/\.hgrm$/, "")}.${name}.hgrm`;
    if (measured[name].count === 0) continue;
    await writeFile(path, measured[name].hgrm()).catch((cause: unknown) => {
      const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
      throw new AllstopError("OPTION_INVALID", `a file that can't be written (${reason})`, {
        at: "--hgrm",
        value: path,
        cause,
      });
    });
  }
}

/** A scenario from a file, the name of a built-in one, or options alone; `explain` names mistakes by the option that they came from. */
export async function scenarioFromArguments(
  file: string | undefined,
  options: RunArguments,
): Promise<{
  readonly document: ScenarioInput;
  readonly topology: Topology | undefined;
  readonly explain: (error: unknown) => unknown;
}> {
  const base = await baseOf(file, options);
  const explain = (error: unknown): unknown => asTyped(error, optionPlaces(options, base), options);
  return { ...(await scenarioOf(options, base)), explain };
}

/** What the options say, over a document. */
export async function scenarioOf(
  options: RunArguments,
  base: ScenarioInput = { format: SCENARIO_FORMAT },
): Promise<{ document: ScenarioInput; topology: Topology | undefined }> {
  const { arch, policy, cpus, timing, featNmi, firmware, active, target, functionUs, rounds, requester, seed } =
    options;
  const document: ScenarioInput = {
    ...base,
    machine: defined({
      ...base.machine,
      architecture: arch ?? base.machine?.architecture,
      topology: options.topology ?? (cpus === undefined ? base.machine?.topology : undefined),
      cpus: cpus ?? (options.topology === undefined ? base.machine?.cpus : undefined),
      timing: timing ?? base.machine?.timing,
      featNmi: featNmi ?? base.machine?.featNmi,
      firmware: firmware ?? base.machine?.firmware,
    }),
    policy: defined({
      ...base.policy,
      name: policy ?? base.policy?.name,
      active: active ?? base.policy?.active,
      targets: target ?? base.policy?.targets,
      functionUs: functionUs ?? base.policy?.functionUs,
      rounds: rounds ?? base.policy?.rounds,
      requester: requester ?? base.policy?.requester,
    }),
    load: loadOf(options, base.load),
    ...defined({
      limitUs: options.limitMs === undefined ? base.limitUs : options.limitMs * 1000,
      seed: seed ?? base.seed,
    }),
  };
  const place = document.machine?.topology;
  return { document, topology: typeof place === "string" ? await topologyFromFile(place) : undefined };
}

/** Without the fields that are undefined, which a document may not hold. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** A kind with its main figure, if it has one. */
function choiceOf(kind: LoadKind, value: string | undefined): LoadChoice {
  return value === undefined ? { kind } : { kind, [loadParameters[kind]?.[0] ?? "us"]: Number(value) };
}

/** --load KIND or KIND=US for all, --load KIND:CPUS or KIND=US:CPUS for some; --wedge CPUS. */
function loadOf({ load = [], wedge }: RunArguments, base: ScenarioInput["load"]): NonNullable<ScenarioInput["load"]> {
  const particular = [...(base?.particular ?? [])];
  let common = base?.common;
  for (const text of load) {
    const colon = text.indexOf(":");
    // Which kinds there are is the document's to say.
    const [kind = "", value] = (colon < 0 ? text : text.slice(0, colon)).split("=");
    if (colon < 0 && value === undefined) common = kind as LoadKind;
    else particular.push({ cpus: colon < 0 ? "all" : text.slice(colon + 1), ...choiceOf(kind as LoadKind, value) });
  }
  if (wedge !== undefined) particular.push({ cpus: wedge, kind: "wedged" });
  return { ...defined({ common }), particular };
}

/** What the options change: a document from a file, a variant of a built-in case, or nothing. */
export async function baseOf(
  file: string | undefined,
  { variant: name, cpus }: Pick<RunArguments, "variant" | "cpus">,
): Promise<ScenarioInput | undefined> {
  if (file === undefined || !isCaseId(file)) {
    if (name !== undefined) {
      throw new AllstopError("OPTION_INVALID", "only built-in scenarios have variants", {
        at: "--variant",
        value: name,
      });
    }
    return file === undefined ? undefined : readScenario(file);
  }
  const choice = { ...(name === undefined ? {} : { variant: name }), ...(cpus === undefined ? {} : { cpus }) };
  return builtInScenario(file, choice).catch((error: unknown) => {
    throw error instanceof AllstopError && error.at === "variant" ? renamed(error, { at: "--variant" }) : error;
  });
}

async function readScenario(file: string): Promise<ScenarioInput> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new AllstopError("OPTION_INVALID", `a scenario file that can't be read (${reason})`, { value: file, cause });
  });
  return parseScenarioText(text);
}
