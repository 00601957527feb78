// How random programs end.

import type { Result } from "../folded.ts";
import { RESULT_WORDS, resultNames } from "./harness.ts";

/** The values of program `index`. */
export function resultOf(words: BigUint64Array, index: number): Result {
  return resultNames.map((name, slot) => ({ name, value: words[index * RESULT_WORDS + slot] ?? 0n }));
}
