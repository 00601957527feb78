// The harness keeps its place in the stack pointer, which leaves all other registers to the test.

import { litmusMistake } from "../failure.ts";
import type { Cell } from "../test.ts";

/** @throws LITMUS_INVALID if a cell uses it */
export function checkStackPointer({ text, place }: Cell, pattern: RegExp): void {
  const found = pattern.exec(text);
  if (found === null) return;
  throw litmusMistake(
    "an instruction that uses the stack pointer, which the harness needs",
    { line: place.line, column: place.column + found.index },
    found[0],
    "other registers",
  );
}
