// What a dialect of the format adds: names of registers, and the way from a cell to the assembler's text.

import type { Architecture } from "../../asm/index.ts";
import type { Cell, DialectName, ValueType } from "../test.ts";
import { aarch64 } from "./aarch64.ts";
import { x86 } from "./x86.ts";
import { x86_64 } from "./x86-64.ts";
import type { Translation } from "./translation.ts";

export interface RegisterName {
  /** Of the whole register, in small letters: x0, rax. */
  readonly whole: string;
  readonly bits: ValueType["bits"];
}

/** Memory operands by name become displacements from the thread's stack pointer. */
export type Displacements = ReadonlyMap<string, number>;

export interface LitmusDialect {
  readonly architecture: Architecture;
  /** Undefined if it is no general register that a test may use. */
  register(name: string): RegisterName | undefined;
  /** For messages. */
  readonly registers: string;
  /** Names that a cell uses as memory operands, beyond those that are declared. */
  memoryNames(cell: Cell): readonly string[];
  /** @throws LITMUS_INVALID for what the harness needs itself: the stack pointer */
  translate(cell: Cell, displacements: Displacements): Translation;
}

export const dialects: Readonly<Record<DialectName, LitmusDialect>> = { AArch64: aarch64, X86_64: x86_64, X86: x86 };
