// What a simulated CPU takes of the host's memory, guest memory aside, once every CPU has met the others. Each size is measured in a
// process of its own, so that the operating system's count can be compared with the emulator's.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Architecture } from "allstop/topology";
import type { Prepared, RepeatedCase } from "../case.ts";
import type { MemoryFound } from "../memory-process.ts";

const program = new URL("../memory-process.js", import.meta.url).pathname;
/** The two counts may differ by so much: what the JavaScript engine takes for itself meanwhile, and parts of pages. */
const TOLERANCE = 0.25;
const ENGINE_BYTES = 48 * 2 ** 20;

async function measureIn(architecture: Architecture, cpus: number): Promise<MemoryFound> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", program, architecture, String(cpus)]);
  return JSON.parse(stdout) as MemoryFound;
}

function checkAgainstResident({ guest, core, heap, resident }: MemoryFound): void {
  const counted = guest + core + heap;
  if (Math.abs(resident - counted) <= TOLERANCE * counted + ENGINE_BYTES) return;
  throw new Error(`${counted} bytes counted, but the process has grown by ${resident}`);
}

async function prepare(architecture: Architecture, cpus: number): Promise<Prepared> {
  const found = await measureIn(architecture, cpus);
  return { run: () => (found.core + found.heap) / cpus, verify: () => checkAgainstResident(found) };
}

export const memoryCases: readonly RepeatedCase[] = (["x86-64", "arm64"] as const).flatMap((architecture) =>
  // Small machines drown in what there is of every machine once.
  [512, 4096, 65_536].map((cpus) => ({
    name: `memory/${architecture}/${cpus}`,
    figure: "size" as const,
    unit: "bytes per CPU",
    prepare: () => prepare(architecture, cpus),
  })),
);
