// allstop trace: a run as Perfetto's protobuf or as ftrace's text, written while it runs.

import { open, rename, rm } from "node:fs/promises";
import { AllstopError, renamed } from "../errors.ts";
import { formatNs } from "../report/text.ts";
import { traceScenario, type TraceFormat, type TraceSummary } from "../trace/trace-scenario.ts";
import { formatCpuList, parseCpuList } from "../topology/index.ts";
import { scenarioFromArguments, type RunArguments } from "./run.ts";
import { print } from "./terminal.ts";

export interface TraceArguments extends Omit<RunArguments, "cpus" | "json"> {
  readonly out: string;
  readonly format?: TraceFormat;
  readonly machineCpus?: number;
  readonly cpus?: string;
  readonly fromUs?: number;
  readonly toUs?: number;
  readonly stragglers?: number;
}

/** @returns the exit code: 0 when the trace is written, whatever became of the call */
export async function trace(file: string | undefined, options: TraceArguments): Promise<number> {
  const { out, cpus, fromUs, toUs, stragglers, machineCpus, ...rest } = options;
  const runOptions = { ...rest, ...(machineCpus === undefined ? {} : { cpus: machineCpus }) };
  const { document, topology, explain } = await scenarioFromArguments(file, runOptions);
  const chunks = traceScenario(document, {
    format: options.format ?? formatOf(out),
    accelerations: Object.fromEntries((options.without ?? []).map((name) => [name, false])),
    ...(topology === undefined ? {} : { topology }),
    ...(cpus === undefined ? {} : { cpus: [...parseCpuList(cpus, "--cpus")] }),
    ...(fromUs === undefined ? {} : { fromUs }),
    ...(toUs === undefined ? {} : { toUs }),
    ...(stragglers === undefined ? {} : { stragglers }),
  });
  const { bytes, summary } = await writeChunks(out, chunks).catch((error: unknown) => {
    throw asTyped(explain(error));
  });
  const { events, cpus: traced, endNs } = summary;
  const count = (value: number): string => value.toLocaleString("en-US");
  print(`${out}: ${count(events)} events of CPU ${formatCpuList(traced)}, ${formatNs(endNs)}, ${count(bytes)} bytes`);
  return 0;
}

/** The machine's number of CPUs, which allstop run calls --cpus, and what the library says of its own options. */
const OPTIONS = new Map([
  ["--cpus", "--machine-cpus"],
  ["cpus", "--cpus"],
  ["fromUs", "--from-us"],
  ["toUs", "--to-us"],
  ["stragglers", "--stragglers"],
]);

function asTyped(error: unknown): unknown {
  const at = error instanceof AllstopError ? OPTIONS.get(error.at ?? "") : undefined;
  return at === undefined ? error : renamed(error as AllstopError, { at });
}

function formatOf(out: string): TraceFormat {
  if (/\.(pftrace|perfetto-trace)$/i.test(out)) return "perfetto";
  if (/\.(txt|ftrace)$/i.test(out)) return "ftrace";
  throw new AllstopError("OPTION_INVALID", "a file name that doesn't tell the format", {
    at: "--out",
    value: out,
    allowed: "NAME.pftrace for Perfetto's protobuf, NAME.txt for ftrace's text, or --format",
  });
}

/** A file that is there is whole: until then it has another name. */
async function writeChunks(
  out: string,
  chunks: AsyncGenerator<Uint8Array, TraceSummary>,
): Promise<{ readonly bytes: number; readonly summary: TraceSummary }> {
  const partial = `${out}.part`;
  // Before the file is made: what is wrong with the options is said by the first chunk.
  let next = await chunks.next();
  const handle = await open(partial, "w").catch((cause: unknown) => {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new AllstopError("OPTION_INVALID", `a file that can't be written (${reason})`, {
      at: "--out",
      value: out,
      cause,
    });
  });
  let bytes = 0;
  try {
    for (; next.done !== true; next = await chunks.next()) {
      bytes += next.value.length;
      await handle.writeFile(next.value);
    }
    await handle.close();
    await rename(partial, out);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw error;
  }
  return { bytes, summary: next.value };
}
