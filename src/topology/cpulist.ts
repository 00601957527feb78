// Lists of CPU numbers as the kernel writes them: "0-3,8,12-15" (Documentation/admin-guide/cputopology.rst).

import { AllstopError } from "../errors.ts";
import { maxCpus } from "./topology.ts";

/** CPU numbers, or the kernel's text for them. */
export type CpuList = string | readonly number[];

const allowed = `CPU numbers and ranges below ${maxCpus}, such as "0-3,8"`;

/** The set that a list names. Repetitions and overlaps are harmless, as in the kernel. `at` names the option. */
export function parseCpuList(list: CpuList, at: string): Set<number> {
  const numbers = new Set<number>();
  if (typeof list !== "string") {
    if (!Array.isArray(list))
      throw new AllstopError("OPTION_INVALID", "not a list of CPUs", { at, value: list, allowed });
    for (const number of list as readonly unknown[]) numbers.add(cpuNumber(number, at));
    return numbers;
  }
  if (list === "") return numbers;
  for (const part of list.split(",", maxCpus + 1)) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (match === null) throw new AllstopError("OPTION_INVALID", "not a list of CPUs", { at, value: part, allowed });
    const first = cpuNumber(Number(match[1]), at);
    const last = cpuNumber(Number(match[2] ?? match[1]), at);
    if (last < first) throw new AllstopError("OPTION_INVALID", "a range that runs backwards", { at, value: part });
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return numbers;
}

function cpuNumber(number: unknown, at: string): number {
  if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number < maxCpus) return number;
  throw new AllstopError("OPTION_INVALID", "not a CPU number", { at, value: number, allowed });
}

/** The shortest text for ascending CPU numbers. */
export function formatCpuList(ascending: Iterable<number>): string {
  const parts: string[] = [];
  let first = -1;
  let last = -1;
  const finish = () => {
    if (first >= 0) parts.push(first === last ? `${first}` : `${first}-${last}`);
  };
  for (const number of ascending) {
    if (number !== last + 1 || first < 0) {
      finish();
      first = number;
    }
    last = number;
  }
  finish();
  return parts.join(",");
}
