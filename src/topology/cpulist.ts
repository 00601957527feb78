// Lists of CPU numbers as the kernel reads and writes them, "0-3,8,12-15" (Documentation/admin-guide/cputopology.rst): a
// mask's list format, with the errors of an option.

import { CpuMaskError, CpuMaskPool, type CpuMask } from "../cpumask/index.ts";
import { AllstopError } from "../errors.ts";
import { maxCpus } from "./topology.ts";

/** CPU numbers, or the kernel's text for them. */
export type CpuList = string | readonly number[];

let pool: CpuMaskPool | undefined;

function withMask<T>(bits: number, use: (mask: CpuMask) => T): T {
  pool ??= CpuMaskPool.plain();
  const mask = pool.mask(bits);
  try {
    return use(mask);
  } finally {
    mask.dispose();
  }
}

/**
 * The set that a list names, ascending. Repetitions and overlaps are harmless, as in the kernel.
 * @param at names the option
 * @param bits numbers are below it; "N" is the last one, "all" are all of them
 * @throws OPTION_INVALID for what the kernel refuses (the cause is its CpuMaskError), or for anything but CPU numbers
 */
export function parseCpuList(list: CpuList, at: string, bits = maxCpus): Set<number> {
  const allowed = `CPU numbers and ranges below ${bits}, such as "0-3,8"`;
  if (typeof list !== "string" && !Array.isArray(list)) {
    throw new AllstopError("OPTION_INVALID", "not a list of CPUs", { at, value: list, allowed });
  }
  return withMask(bits, (mask) => {
    try {
      if (typeof list === "string") mask.parseList(list);
      else for (const cpu of list as readonly number[]) mask.setCpu(cpu);
    } catch (cause) {
      if (!(cause instanceof AllstopError)) throw cause;
      throw refusal(cause, at, allowed);
    }
    return new Set(mask.toArray());
  });
}

function refusal(cause: AllstopError, at: string, allowed: string): AllstopError {
  const { value, what } = cause;
  if (cause instanceof CpuMaskError && cause.cpu !== undefined) {
    const range = cause.allowed ?? allowed;
    return new AllstopError("OPTION_INVALID", "no such CPU", { at, value: cause.cpu, allowed: range, cause });
  }
  const named = cause instanceof CpuMaskError ? `not a list of CPUs: ${what}` : "not a CPU number";
  return new AllstopError("OPTION_INVALID", named, { at, value, allowed, cause });
}

/** The shortest text for CPU numbers. @throws OPTION_INVALID for what is no CPU number */
export function formatCpuList(cpus: Iterable<number>): string {
  const numbers = [...cpus];
  const bits = numbers.reduce((most, cpu) => Math.max(most, cpu + 1), 1);
  return withMask(Math.min(bits, maxCpus), (mask) => {
    for (const cpu of numbers) mask.setCpu(cpu);
    return mask.toListString();
  });
}
