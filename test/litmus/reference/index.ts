// What an architecture allows, by enumeration: independent of the emulator and of its reader of litmus tests.

import { aarch64, inOrderAArch64 } from "./aarch64/model.ts";
import { allowedStates } from "./execution.ts";
import type { Allowed } from "./execution.ts";
import type { LitmusTest } from "./litmus.ts";
import { x86 } from "./x86/model.ts";

/** Final states that the test's architecture allows. */
export function allowed(test: LitmusTest): Allowed {
  return allowedStates(test, test.dialect === "AArch64" ? aarch64 : x86(test.dialect, test.addresses));
}

/** Those that a CPU shows which issues instructions in order. A TSO machine is one that does. */
export function allowedInOrder(test: LitmusTest): Allowed {
  return test.dialect === "AArch64" ? allowedStates(test, inOrderAArch64) : allowed(test);
}

export type { Allowed } from "./execution.ts";
export { parseLitmus } from "./litmus.ts";
export type { LitmusTest } from "./litmus.ts";
