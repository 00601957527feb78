// What tests of mistakes look at: the typed error, and the author's source line that it names.

import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
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

const root = new URL("../../../", import.meta.url);

/** A file whose lines errors name. */
export class SourceFile {
  /** From the root of the package, as errors have it. */
  readonly path: string;
  readonly #lines: readonly string[];

  /** @param url the file's own import.meta.url */
  constructor(url: string) {
    this.path = relative(fileURLToPath(root), fileURLToPath(url));
    this.#lines = readFileSync(fileURLToPath(url), "utf8").split("\n");
  }

  /** The line that an error names must be in this file, and hold the text. */
  expectLine(error: AllstopError, text: string): void {
    const [named = "", line = "0"] = (error.at ?? "").split(":");
    expect(named).toBe(this.path);
    // Formatters break long calls: the text may stand a line before or a little further on.
    expect(this.#lines.slice(Number(line) - 2, Number(line) + 2).join("\n")).toContain(text);
  }
}

export interface Mistake {
  readonly name: string;
  readonly make: () => unknown;
  readonly message: string;
  readonly value?: unknown;
  readonly allowed: string;
  /** Text of the source line that the error names; none where it names no line. */
  readonly line?: string;
  /** Where that line is; by default in the test's own file. */
  readonly source?: SourceFile;
  readonly code?: ErrorCode;
}

/** One test per mistake: code, message, value, what is allowed, and the line in the test's own file. */
export function expectMistakes(title: string, own: SourceFile, mistakes: readonly Mistake[]): void {
  describe(title, () => {
    it.for(mistakes)("$name", ({ make, message, value, allowed, line, source = own, code = "ASSEMBLY_INVALID" }) => {
      const error = refusal(make);
      expect(error.code).toBe(code);
      expect(error.message).toContain(message);
      if (value !== undefined) expect(error.value).toEqual(value);
      expect(error.allowed).toContain(allowed);
      if (line !== undefined) source.expectLine(error, line);
    });
  });
}
