// What a benchmark case is: something that is timed, and can tell whether its results are right.

import type { Span } from "./clock.ts";

interface Named {
  readonly name: string;
  /** Rates are units per second, times are seconds per unit; sizes are bytes, found by a single call. */
  readonly figure: "rate" | "time" | "size";
  readonly unit: string;
}

/** A case made ready: built, warmed up. */
export interface Prepared {
  /** One call to be timed. @returns how many units it did: guest instructions, rendezvous, …; or the size that it found */
  run(): number;
  /** Checks the results of all calls so far. @throws when one is wrong */
  verify(): void;
}

/** A case that is called again and again, and timed from outside. */
export interface RepeatedCase extends Named {
  /** A single call is timed: one takes seconds. */
  readonly once?: boolean;
  prepare(): Promise<Prepared>;
}

/** A case that takes its own times, since what it times is another process or happens in the middle of something. */
export interface SampledCase extends Named {
  /**
   * Takes about so long, and checks what it did.
   * @returns time per unit, for each sample
   * @throws NotAvailable where this host lacks what the case needs
   */
  sample(seconds: number): Promise<readonly Span[]>;
}

export type Case = RepeatedCase | SampledCase;

/** What a case needs isn't on this host: it is reported, and no error. */
export class NotAvailable extends Error {}

/** A result that isn't what it must be ends the benchmark: a wrong answer has no speed. */
export function expectEqual<T>(actual: T, expected: T, what: string): void {
  if (actual !== expected) throw new Error(`${what} is ${String(actual)}, not ${String(expected)}`);
}
