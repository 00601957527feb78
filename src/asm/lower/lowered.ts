// What goes into the lowering of a routine, and what comes out.

import type { Code } from "../code-buffer.ts";
import type { PerCpuSymbol } from "../record/data.ts";
import type { ConditionNode, Statement } from "../record/tree.ts";
import type { Allocation } from "./allocate.ts";
import type { OptionValue } from "./constants.ts";

/** What an image decides about the code of all its routines. */
export interface LoweringOptions {
  readonly option: OptionValue;
  /** Fences to leave out, as "routine:mark". */
  readonly without: ReadonlySet<string>;
  /** log2 of the distance between two CPUs' blocks. */
  readonly perCpuShift: number;
  /** Told about each per-CPU variable and each fence mark that the code has. */
  readonly seen: (item: PerCpuSymbol | { readonly fence: string }) => void;
}

/** Where a local is at a mark: a register by its number, or bytes from the stack pointer. */
export interface LocalPlace {
  readonly name: string;
  readonly register: number | undefined;
  readonly stackOffset: number | undefined;
}

export interface LoweredMark {
  readonly name: string;
  readonly locals: readonly LocalPlace[];
}

export interface LoweredRoutine {
  /** A line item of undefined is the prologue or the epilogue. */
  readonly code: Code<Statement | undefined, LoweredMark>;
  readonly frame: Frame;
  readonly allocation: Allocation;
}

/** The stack frame below the saved registers: spill slots, then stack structs. */
export interface Frame {
  readonly bytes: number;
  readonly saved: readonly number[];
  readonly hasCalls: boolean;
}

/** The statements that the walk itself understands; the rest is left to `effect`. */
export type EffectStatement = Exclude<
  Statement,
  {
    kind:
      "set" | "store" | "load" | "bool" | "if" | "loop" | "break" | "continue" | "switch" | "call" | "return" | "mark";
  }
>;
export type CallStatement = Extract<Statement, { kind: "call" }>;
export type LeafCondition = Extract<ConditionNode, { kind: "compare" | "bit" | "effect" }>;
