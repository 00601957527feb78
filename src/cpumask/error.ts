// What the kernel's parsers of masks refuse, with the kernel's error.

import { AllstopError } from "../errors.ts";

/** The errors of bitmap_parse() and bitmap_parselist(), with their numbers in Linux. */
export const cpuMaskErrnos = { EINVAL: 22, ERANGE: 34, EOVERFLOW: 75 } as const;

export type CpuMaskErrno = keyof typeof cpuMaskErrnos;

/** Thrown for a text that is no mask or no list of CPUs; its code is CPUMASK_INVALID. */
export class CpuMaskError extends AllstopError {
  /** What the kernel would return, negated: `cpuMaskErrnos` has the number. */
  readonly errno: CpuMaskErrno;
  /** What is wrong, in words, with the errno. */
  readonly what: string;

  /** @param position where in the text, counted from 0 */
  constructor(errno: CpuMaskErrno, what: string, text: string, position: number, allowed?: string) {
    const named = `${what} (${errno})`;
    super("CPUMASK_INVALID", named, {
      at: `character ${position + 1}`,
      value: text,
      ...(allowed === undefined ? {} : { allowed }),
    });
    this.errno = errno;
    this.what = named;
  }
}
