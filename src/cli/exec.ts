// allstop exec: a bare-metal image on QEMU's virt board. Its output on stdout, how it ended on stderr.

import { readFile } from "node:fs/promises";
import { execImage, type ExecResult } from "../board/exec.ts";
import { execExitCodes, type ExecVerdict } from "../board/verdict.ts";
import { AllstopError, placed } from "../errors.ts";
import type { AccelerationName } from "../machine/accelerations.ts";
import { formatNs } from "../report/text.ts";
import { findTimingModel } from "../timing/index.ts";
import { parseTopologySpec, type Topology } from "../topology/index.ts";
import { topologyFromArgument } from "./machine-options.ts";
import { print } from "./terminal.ts";

export interface ExecArguments {
  readonly board: "virt";
  readonly cpus?: number;
  readonly topology?: string;
  readonly timing?: string;
  readonly featNmi?: true;
  readonly ramMib?: number;
  readonly cycles?: number;
  readonly without?: readonly AccelerationName[];
  readonly json?: true;
}

const MIB = 2 ** 20;

/** @returns the exit code */
export async function exec(file: string, options: ExecArguments): Promise<number> {
  const { cpus, timing, featNmi, ramMib, cycles, without = [], json } = options;
  const bytes = await readImage(file);
  const result = await execImage(bytes, {
    ...(cpus === undefined ? {} : { cpus }),
    ...(await topologyOptions(options)),
    ...(timing === undefined ? {} : { timing: placed("--timing", () => findTimingModel(timing)) }),
    ...(featNmi === undefined ? {} : { featNmi }),
    ...(ramMib === undefined ? {} : { ramBytes: ramMib * MIB }),
    ...(cycles === undefined ? {} : { limitCycles: cycles }),
    ...(json === undefined ? { onOutput: (text: string) => process.stdout.write(Buffer.from(text, "latin1")) } : {}),
    accelerations: Object.fromEntries(without.map((name) => [name, false])),
  });
  if (json) print(JSON.stringify(documentOf(file, options, result), null, 2));
  else for (const line of verdictLines(result.verdict)) process.stderr.write(`${line}\n`);
  return execExitCodes[result.verdict.outcome];
}

async function readImage(file: string): Promise<Uint8Array> {
  return readFile(file).catch((cause: unknown) => {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new AllstopError("OPTION_INVALID", `an image file that can't be read (${reason})`, { value: file, cause });
  });
}

async function topologyOptions(options: ExecArguments): Promise<{ topology?: Topology; mpidrs?: "topology" }> {
  const { topology: text, cpus } = options;
  if (text === undefined) return {};
  const topology = await topologyFromArgument(text, "arm64");
  const { complete } = topology.counts;
  if (cpus !== undefined && cpus !== complete) {
    throw new AllstopError("OPTION_INVALID", "the topology has another number of CPUs", {
      at: "--cpus",
      value: cpus,
      allowed: `${complete}, as ${text} has, or no number`,
    });
  }
  const numbersItself = text.includes("=") && parseTopologySpec(text).mpidrs !== undefined;
  return { topology, ...(numbersItself ? { mpidrs: "topology" as const } : {}) };
}

function documentOf(image: string, { board }: ExecArguments, { verdict, output, machine }: ExecResult): object {
  const { topology, timing } = machine;
  return {
    format: "allstop.exec/1",
    image,
    board,
    cpus: topology.counts.complete,
    topology: topology.name,
    timing: timing.name,
    exitCode: execExitCodes[verdict.outcome],
    ...verdict,
    output,
  };
}

function verdictLines({ outcome, message, cycles, ns, instructions, started, places }: ExecVerdict): string[] {
  const count = (value: number): string => value.toLocaleString("en-US");
  const lines = [
    `allstop: ${message}`,
    `  ${count(cycles)} cycles (${formatNs(ns)}), ${count(instructions)} instructions, ${started} CPUs started`,
  ];
  if (outcome === "off") return lines;
  const where = places.map(({ cpus, state, pc, at }) => {
    const place = pc === undefined ? "" : ` at 0x${pc.toString(16)}${at === undefined ? "" : ` (${at})`}`;
    return `  CPU ${cpus}: ${state}${place}`;
  });
  return [...lines, ...where];
}
