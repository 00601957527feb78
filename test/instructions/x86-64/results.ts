// How random programs end, and the compact form in which the results of the reference are kept: every value folded to 12
// bits, two characters, so that a difference can be named; and a checksum of the whole program's result, in full.

import { RESULT_WORDS, resultNames } from "./harness.ts";

/** The values of program `index`, in the order of `resultNames`. */
export function resultOf(words: BigUint64Array, index: number): readonly bigint[] {
  return [...words.subarray(index * RESULT_WORDS, (index + 1) * RESULT_WORDS)];
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function mix(hash: number, value: bigint): number {
  const low = Number(value & 0xffff_ffffn);
  const high = Number(value >> 32n);
  hash = Math.imul(hash ^ low, 0x9e37_79b1);
  hash = Math.imul(hash ^ (hash >>> 15) ^ high, 0x85eb_ca6b);
  return hash ^ (hash >>> 13);
}

function characters(value: number, count: number): string {
  let text = "";
  for (let i = 0; i < count; i++) text += alphabet[(value >>> (6 * i)) & 63] ?? "";
  return text;
}

const CHECKSUM_CHARACTERS = 6;
const VALUE_CHARACTERS = 2;

/** Six characters of checksum over everything, then two for each value. */
export function fold(result: readonly bigint[]): string {
  const checksum = result.reduce(mix, result.length);
  return (
    characters(checksum, CHECKSUM_CHARACTERS) +
    result.map((value) => characters(mix(7, value), VALUE_CHARACTERS)).join("")
  );
}

/** What differs between a result and a recorded one; empty when nothing does. */
export function differences(result: readonly bigint[], recorded: string): string[] {
  const ours = fold(result);
  if (ours === recorded) return [];
  const found = result.flatMap((value, position) => {
    const at = CHECKSUM_CHARACTERS + VALUE_CHARACTERS * position;
    const isEqual = ours.slice(at, at + VALUE_CHARACTERS) === recorded.slice(at, at + VALUE_CHARACTERS);
    return isEqual ? [] : [`${resultNames[position]} = 0x${value.toString(16)}`];
  });
  return found.length === 0 ? ["something that folds alike"] : found;
}
