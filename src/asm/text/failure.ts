// How a text is refused: line and column of the token, the token, and what would have been accepted.

import { AllstopError, renamed } from "../../errors.ts";
import type { Token } from "./scanner.ts";

/** line:column, both from 1. */
export function placeOf({ line, column }: { readonly line: number; readonly column: number }): string {
  return `${line}:${column}`;
}

export function mistake(
  what: string,
  token: Pick<Token, "line" | "column" | "text">,
  allowed: string | undefined,
): AllstopError {
  const details = { at: placeOf(token), ...(allowed === undefined ? {} : { allowed }) };
  return new AllstopError("ASSEMBLY_INVALID", what, { ...details, value: token.text });
}

/** An encoder names a value, not where it was written: its mistake moves to the operand that has the value, if one has. */
export function blamingOperands<Operand extends { readonly token: Token }>(
  mnemonic: Token,
  operands: readonly Operand[],
  hasValue: (operand: Operand, value: unknown) => boolean,
  encode: () => void,
): void {
  try {
    encode();
  } catch (error) {
    if (!(error instanceof AllstopError) || error.at !== placeOf(mnemonic) || error.value === undefined) throw error;
    const operand = operands.find((candidate) => hasValue(candidate, error.value));
    throw operand === undefined ? error : renamed(error, { at: placeOf(operand.token) });
  }
}

export function isSameNumber(one: bigint | undefined, other: unknown): boolean {
  return Number.isInteger(other) ? one === BigInt(other as number) : one !== undefined && one === other;
}

const MOST_NEAR = 6;

/** The names most like an unknown one, at most a third of its letters away; the first few names where none is. */
export function nearNames(name: string, names: Iterable<string>): string {
  const limit = Math.max(1, Math.ceil(name.length / 3));
  const near = [...new Set(names)]
    .map((candidate) => ({ candidate, distance: distanceBetween(name, candidate) }))
    .filter(({ distance }) => distance <= limit)
    .sort((one, other) => one.distance - other.distance || (one.candidate < other.candidate ? -1 : 1))
    .slice(0, MOST_NEAR)
    .map(({ candidate }) => candidate);
  return near.join(", ");
}

/** Letters to insert, delete or replace, or to exchange with their neighbour (optimal string alignment). */
function distanceBetween(one: string, other: string): number {
  let before: readonly number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      const isExchanged = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      const exchanged = isExchanged ? (before[j - 2] ?? 0) + 1 : Infinity;
      next.push(Math.min(replaced, exchanged, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[other.length] ?? 0;
}
