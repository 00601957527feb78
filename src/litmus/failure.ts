// How a litmus test is refused: line and column of what is wrong, what stands there, and what would have been accepted.

import { AllstopError } from "../errors.ts";

/** Both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export function formatPlace({ line, column }: Place): string {
  return `${line}:${column}`;
}

export function litmusMistake(what: string, place: Place, value: unknown, allowed?: string): AllstopError {
  return new AllstopError("LITMUS_INVALID", what, {
    at: formatPlace(place),
    value,
    ...(allowed === undefined ? {} : { allowed }),
  });
}
