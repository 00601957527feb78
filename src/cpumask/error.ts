// What the kernel's parsers of masks refuse, with the kernel's error.

import { AllstopError } from "../errors.ts";

/** The errors of bitmap_parse() and bitmap_parselist(), with their numbers in Linux. */
export const cpuMaskErrnos = { EINVAL: 22, ERANGE: 34, EOVERFLOW: 75 } as const;

/** What the kernel's parser would return: a key of `cpuMaskErrnos`. */
export type CpuMaskErrno = keyof typeof cpuMaskErrnos;

/** Thrown for a text that is no mask or no list of CPUs; its code is CPUMASK_INVALID. */
export class CpuMaskError extends AllstopError {
  /** What the kernel would return, negated: `cpuMaskErrnos` has the number. */
  readonly errno: CpuMaskErrno;
  /** With ERANGE: the first CPU that has no place. */
  readonly cpu: number | undefined;

  /** @param position where in the text, counted from 0 */
  constructor(errno: CpuMaskErrno, what: string, text: string, position: number, allowed?: string, cpu?: number) {
    super("CPUMASK_INVALID", `${what} (${errno})`, {
      at: `character ${position + 1}`,
      value: text,
      ...(allowed === undefined ? {} : { allowed }),
    });
    this.errno = errno;
    this.cpu = cpu;
  }
}
