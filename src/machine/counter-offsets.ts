// By how much the counters of a machine's CPUs are apart: of x86-64 their TSCs, of arm64 their virtual counters.

import { AllstopError } from "../errors.ts";
import { checkArchitecture, checkWhole } from "./checks.ts";

/** By CPU number, in counts; 0 for those that aren't listed. A negative offset is one modulo 2^64. */
export type CounterOffsets = readonly (number | bigint)[];

interface OffsetChoices {
  readonly tscOffsets?: CounterOffsets;
  readonly virtualCounterOffsets?: CounterOffsets;
}

/** Two words per CPU, or nothing where no offset is given. @throws OPTION_INVALID */
export function offsetWords(
  { tscOffsets, virtualCounterOffsets }: OffsetChoices,
  architecture: "x86-64" | "arm64",
  cpus: number,
): Uint32Array | undefined {
  if (tscOffsets !== undefined) checkArchitecture(architecture, "x86-64", "TSCs");
  if (virtualCounterOffsets !== undefined) checkArchitecture(architecture, "arm64", "virtual counters");
  const offsets = tscOffsets ?? virtualCounterOffsets;
  if (offsets === undefined) return undefined;
  checkWhole("number of counter offsets", offsets.length, 0, cpus);
  const words = new Uint32Array(2 * cpus);
  for (const [cpu, offset] of offsets.entries()) {
    const wide = checkedOffset(offset, cpu);
    words[2 * cpu] = Number(wide & 0xffff_ffffn);
    words[2 * cpu + 1] = Number((wide >> 32n) & 0xffff_ffffn);
  }
  return words;
}

function checkedOffset(offset: number | bigint, cpu: number): bigint {
  const what = `counter offset of CPU ${cpu}`;
  if (typeof offset === "number") checkWhole(what, offset, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  const wide = BigInt(offset);
  if (wide >= -(1n << 63n) && wide < 1n << 64n) return wide;
  throw new AllstopError("OPTION_INVALID", what, { value: offset, allowed: "-2^63 to 2^64 - 1" });
}
