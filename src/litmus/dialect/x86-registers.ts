// Names of x86's general registers and of their parts, but for the stack pointer.

import type { RegisterName } from "./dialect.ts";

const LETTERS = ["a", "b", "c", "d"];
const POINTERS = ["si", "di", "bp"];
const NUMBERS = Array.from({ length: 8 }, (_, i) => i + 8);

export const X64_REGISTERS: ReadonlyMap<string, RegisterName> = new Map(
  [
    ...LETTERS.map((letter) => [`r${letter}x`, `e${letter}x`, `${letter}x`, `${letter}l`]),
    ...POINTERS.map((name) => [`r${name}`, `e${name}`, name, `${name}l`]),
    ...NUMBERS.map((number) => [`r${number}`, `r${number}d`, `r${number}w`, `r${number}b`]),
  ].flatMap(([whole = "", ...parts]) =>
    ([[whole, 64], ...parts.map((part, i) => [part, 32 >> i] as const)] as const).map(
      ([name, bits]) => [name, { whole, bits: bits as RegisterName["bits"] }] as const,
    ),
  ),
);

export function x86Register(name: string): RegisterName | undefined {
  return X64_REGISTERS.get(name.replace(/^%/, "").toLowerCase());
}
