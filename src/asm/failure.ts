// The two ways in which the assembler refuses: a routine or an image that can't be built, and a file that is no image.

import { AllstopError } from "../errors.ts";
import type { ErrorDetails } from "../errors.ts";

/** For mistakes in routines, data and image options. */
export function invalid(what: string, details: ErrorDetails = {}): AllstopError {
  return new AllstopError("ASSEMBLY_INVALID", what, details);
}

/** For files and images from outside. */
export function invalidImage(what: string, details: ErrorDetails = {}): AllstopError {
  return new AllstopError("IMAGE_INVALID", what, details);
}

/** A state that only a bug of the assembler can reach; the message names the place. */
export function unreachable(where: string): Error {
  return new Error(`internal error of the assembler: ${where}`);
}
