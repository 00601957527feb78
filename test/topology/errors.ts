// What a caller's mistake throws, as plain data to compare.

import { AllstopError } from "../../src/errors.ts";

export interface Thrown {
  readonly code: string;
  readonly at: string | undefined;
  readonly message: string;
}

/** Runs it and returns its AllstopError. Anything else that it throws is thrown on; throwing nothing fails. */
export function thrownBy(action: () => unknown): Thrown {
  try {
    action();
  } catch (error) {
    if (!(error instanceof AllstopError)) throw error;
    return { code: error.code, at: error.at, message: error.message };
  }
  throw new Error("nothing was thrown");
}
