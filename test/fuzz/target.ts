// What a fuzz target is: how it draws an input, what it does with it, and how it shows one to people.

import type { ErrorCode } from "../../src/errors.ts";
import type { Random } from "../support/random.ts";

/** What the product said to an input that it took; in a table of results it stands beside the codes of refusals. */
export const ACCEPTED = "accepted";

/** Everything that a target needs, built once; inputs leave it as it was. */
export interface Subject<Input> {
  /** The same numbers give the same input. */
  draw(random: Random, number: number): Input;
  /**
   * Tries one input. An AllstopError with one of the target's codes is a refusal; anything else that is thrown is a finding.
   * @returns ACCEPTED, or in a word how it ended
   */
  attempt(input: Input, number: number): string;
  /** Operations that the input tried last has got to; for targets whose inputs are programs of such. */
  operations?(): number;
  /** The input as it would be written into a test. */
  show(input: Input): string;
}

export interface Target<Input> {
  readonly name: string;
  /** What its inputs are. */
  readonly what: string;
  /** Inputs in a campaign of ten million. */
  readonly share: number;
  /** What may be said to a bad input. */
  readonly refusals: readonly ErrorCode[];
  /** @param core the compiled core that is fuzzed */
  open(core: WebAssembly.Module): Promise<Subject<Input>>;
}

/** Thrown by an attempt for a property that doesn't hold. */
export class BrokenProperty extends Error {
  override readonly name = "BrokenProperty";
}

/** @throws BrokenProperty unless both are the same text */
export function expectSame(property: string, actual: string, expected: string): void {
  if (actual === expected) return;
  throw new BrokenProperty(`${property}: ${shortened(actual)} is not ${shortened(expected)}`);
}

/** @throws BrokenProperty */
export function expectThat(property: string, holds: boolean): void {
  if (!holds) throw new BrokenProperty(property);
}

const MOST_CHARACTERS = 600;

export function shortened(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}… (${text.length} characters)`;
}
