// What the programs among the tests understand by their options.

import { fileURLToPath } from "node:url";
import { AllstopError } from "../../src/errors.ts";

/** A whole number in decimal. @throws AllstopError OPTION_INVALID */
export function wholeOption(what: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new AllstopError("OPTION_INVALID", what, { value: text, allowed: `${least} to ${most}` });
}

const CORES: Readonly<Record<string, string>> = { checked: "build/core.checked.wasm", release: "dist/core.wasm" };

/** The file of a core that `--core` names. @throws AllstopError OPTION_INVALID */
export function coreFile(kind: string): string {
  const file = CORES[kind];
  if (file !== undefined) return fileURLToPath(new URL(`../../${file}`, import.meta.url));
  throw new AllstopError("OPTION_INVALID", "--core", { value: kind, allowed: Object.keys(CORES).join(", ") });
}
