// How the assembler refuses: a routine or an image that can't be built, a name that is not there, a file that is no image.
//
// Each mistake in a routine is reported at the author's line: the statement that is being lowered, else the code that called the
// assembler.

import { AllstopError } from "../errors.ts";
import type { ErrorDetails } from "../errors.ts";
import { callerOutside, formatPosition } from "./source.ts";
import type { SourceMark } from "./source.ts";

/** Where a mistake is: a statement of a routine, or line:column of a text. */
export type MistakePlace = SourceMark | string;

let statement: MistakePlace | undefined;

/**
 * Mistakes found from now on belong to what was recorded there; undefined: to whoever calls. Returns what it was before, to be
 * restored in a `finally`.
 */
export function reportAt(source: MistakePlace | undefined): MistakePlace | undefined {
  const before = statement;
  statement = source;
  return before;
}

/** Does something whose mistakes belong to `source`. */
export function reportingAt<T>(source: MistakePlace | undefined, work: () => T): T {
  const before = reportAt(source);
  try {
    return work();
  } finally {
    reportAt(before);
  }
}

/** What mistakes belong to now. */
export function reportedPlace(): MistakePlace | undefined {
  return statement;
}

/** For mistakes in routines, data and image options: ASSEMBLY_INVALID. */
export function invalid(what: string, details: ErrorDetails = {}): AllstopError {
  const at =
    typeof statement === "string"
      ? statement
      : formatPosition(statement === undefined ? callerOutside() : statement.position);
  return new AllstopError("ASSEMBLY_INVALID", what, at === undefined ? details : { at, ...details });
}

/** For names that a finished image does not have: NAME_UNKNOWN. */
export function unknownName(what: string, details: ErrorDetails): AllstopError {
  return new AllstopError("NAME_UNKNOWN", what, details);
}

/** For files and images from outside: IMAGE_INVALID. */
export function invalidImage(what: string, details: ErrorDetails = {}): AllstopError {
  return new AllstopError("IMAGE_INVALID", what, details);
}

/** What an author's endless recursion ends in, under the names of all engines. */
export function isStackOverflow(error: unknown): boolean {
  return error instanceof Error && /call stack|too much recursion/i.test(error.message);
}

/** A state that only a bug of the assembler can reach; the message names the place. */
export function unreachable(where: string): Error {
  return new Error(`internal error of the assembler: ${where}`);
}
