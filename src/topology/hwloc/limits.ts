// How large an hwloc file may be. Beyond a limit the loader stops at once with XML_LIMIT, so that no input costs
// unbounded time or memory.

import { AllstopError } from "../../errors.ts";
import { maxCpus } from "../topology.ts";

/** How large an hwloc file may be. */
export const hwlocLimits = {
  /** Characters of the document. A machine of 4,096 CPUs takes 2.4 million. */
  characters: 64 * 2 ** 20,
  /** Elements inside each other. The deepest known file has 13 levels. */
  depth: 64,
  attributesPerElement: 64,
  /** Objects of all types; 65,536 CPUs with all caches are about 400,000. */
  objects: 2 ** 20,
  /** Characters of one set of CPUs: 65,536 bits are 22,527. */
  cpusetCharacters: 32_768,
  highestCpuNumber: maxCpus - 1,
  /** Linux's largest MAX_NUMNODES. */
  nodes: 1024,
} as const;

export type HwlocLimit = keyof typeof hwlocLimits;

export function limitError(limit: HwlocLimit, value: number, at: string): AllstopError {
  return new AllstopError("XML_LIMIT", `hwloc file beyond the limit "${limit}"`, {
    at,
    value,
    allowed: `at most ${hwlocLimits[limit]}`,
  });
}

/** A value of a hostile file as an error may hold it: not all of its millions of characters. */
export function excerpt(text: string): string {
  return text.slice(0, 80);
}
