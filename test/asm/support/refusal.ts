// What tests of mistakes look at: the typed error, and the author's source line that it names.

import { describe, expect, it } from "vitest";
import { AllstopError } from "../../../src/errors.ts";
import type { ErrorCode } from "../../../src/errors.ts";

/** The error that a mistake leads to; fails if there is none or one of another kind. */
export function refusal(mistake: () => unknown): AllstopError {
  try {
    mistake();
  } catch (error) {
    expect(error).toBeInstanceOf(AllstopError);
    return error as AllstopError;
  }
  throw new Error("nothing was refused");
}

/** The source line that an error names must be in that file, and hold the text. */
export function expectLine(error: AllstopError, file: string, source: readonly string[], text: string): void {
  if (text === "") return;
  const [named = "", line = "0"] = (error.at ?? "").split(":");
  expect(named).toBe(file);
  // Formatters break long calls: the text may stand a line before or a little further on.
  expect(source.slice(Number(line) - 2, Number(line) + 2).join("\n")).toContain(text);
}

export interface Mistake {
  readonly name: string;
  readonly make: () => unknown;
  readonly message: string;
  readonly value?: unknown;
  readonly allowed: string;
  /** Text of the source line that the error names. */
  readonly line: string;
  readonly code?: ErrorCode;
}

/** One test per mistake: code, message, value, what is allowed, and the line in the test's own file. */
export function expectMistakes(
  title: string,
  file: string,
  source: readonly string[],
  mistakes: readonly Mistake[],
): void {
  describe(title, () => {
    it.for(mistakes)("$name", ({ make, message, value, allowed, line, code = "ASSEMBLY_INVALID" }) => {
      const error = refusal(make);
      expect(error.code).toBe(code);
      expect(error.message).toContain(message);
      if (value !== undefined) expect(error.value).toEqual(value);
      expect(error.allowed).toContain(allowed);
      expectLine(error, file, source, line);
    });
  });
}
