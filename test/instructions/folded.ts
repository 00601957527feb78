// The compact form in which the results of random programs are kept: every value folded to 12 bits, two characters, so that a
// difference can be named; and a checksum of the whole program's result, in full.

/** Result of one program: named values in a fixed order. */
export type Result = readonly { readonly name: string; readonly value: bigint }[];

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CHECKSUM_CHARACTERS = 6;
const VALUE_CHARACTERS = 2;

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

/** A checksum over everything, then each value. */
export function fold(result: Result): string {
  const checksum = result.reduce((hash, { value }) => mix(hash, value), result.length);
  const values = result.map(({ value }) => characters(mix(7, value), VALUE_CHARACTERS));
  return characters(checksum, CHECKSUM_CHARACTERS) + values.join("");
}

/** How many values a folded result has. */
function lengthOf(folded: string): number {
  return (folded.length - CHECKSUM_CHARACTERS) / VALUE_CHARACTERS;
}

/** What differs between a result and a recorded one; empty when nothing does. */
export function differences(result: Result, recorded: string): string[] {
  const ours = fold(result);
  if (ours === recorded) return [];
  const found = result.flatMap(({ name, value }, position) => {
    const at = CHECKSUM_CHARACTERS + VALUE_CHARACTERS * position;
    const isEqual = ours.slice(at, at + VALUE_CHARACTERS) === recorded.slice(at, at + VALUE_CHARACTERS);
    return isEqual ? [] : [`${name} = 0x${value.toString(16)}`];
  });
  const more = lengthOf(recorded) - result.length;
  if (more !== 0) found.push(`${more} more values in the reference`);
  return found.length === 0 ? ["something that folds alike"] : found;
}
