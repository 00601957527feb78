// What a benchmark case is: something that runs again and again, and can tell whether its results are right.

/** A case made ready: built, warmed up. */
export interface Prepared {
  /** One call to be timed. @returns how many units it did: guest instructions, rendezvous, …; or the size that it found */
  run(): number;
  /** Checks the results of all calls so far. @throws when one is wrong */
  verify(): void;
}

export interface Case {
  readonly name: string;
  /** Rates are units per second, times are seconds per unit; sizes are bytes, found by a single call. */
  readonly figure: "rate" | "time" | "size";
  readonly unit: string;
  prepare(): Promise<Prepared>;
}

/** A result that isn't what it must be ends the benchmark: a wrong answer has no speed. */
export function expectEqual<T>(actual: T, expected: T, what: string): void {
  if (actual !== expected) throw new Error(`${what} is ${String(actual)}, not ${String(expected)}`);
}
