// Steps that exist on one architecture only, inside a portable routine: what such a block reads, gives and destroys.

import type { Arm64Assembler } from "../arm64/assembler.ts";
import type { Arm64Register } from "../arm64/registers.ts";
import type { X64Assembler } from "../x64/assembler.ts";
import type { X64Register } from "../x64/registers.ts";
import type { ScalarType, ValueName, ValueType } from "../types.ts";
import { invalid } from "../failure.ts";
import { nodeOf } from "./faces.ts";
import type { Expression, Local } from "./tree.ts";
import type { AnyPointer, CodeValue, Value } from "./values.ts";

/** A register by name in each architecture; a missing one leaves the choice to the allocator. */
export interface RegisterChoice {
  readonly x64?: string;
  readonly arm64?: string;
}

export interface ArchUse {
  readonly name: string;
  readonly value: Expression;
  readonly fixed: RegisterChoice;
}

/** Registers of the operands by their names in `uses`, and `result`; 32 bits wide for u32 and i32, else 64. */
export type OperandRegisters<Names extends string, Register> = { readonly [K in Names | "result"]: Register };

type Emit<Assembler, Register> = (assembler: Assembler, registers: OperandRegisters<string, Register>) => void;

export interface ArchBlock {
  readonly x64: Emit<X64Assembler, X64Register> | undefined;
  readonly arm64: Emit<Arm64Assembler, Arm64Register> | undefined;
  readonly uses: readonly ArchUse[];
  readonly result: Local | undefined;
  readonly resultIn: RegisterChoice;
  readonly clobbers: { readonly x64: readonly string[]; readonly arm64: readonly string[] };
  readonly calls: boolean;
}

/** The instructions per architecture; they get the registers of the operands by name. */
export interface ArchBodies<Names extends string> {
  readonly x64?: (assembler: X64Assembler, registers: OperandRegisters<Names, X64Register>) => void;
  readonly arm64?: (assembler: Arm64Assembler, registers: OperandRegisters<Names, Arm64Register>) => void;
}

type AnyValue = Value | AnyPointer | CodeValue;

/** A value that must be in a certain register when the block starts. */
export class PlacedValue {
  readonly value: AnyValue;
  readonly choice: RegisterChoice;

  constructor(value: AnyValue, choice: RegisterChoice) {
    this.value = value;
    this.choice = choice;
  }
}

/** A value of an arch block that must come in a given register, e.g. { x64: "rcx", arm64: "x0" }. */
export function inRegister(value: AnyValue, choice: RegisterChoice): PlacedValue {
  return new PlacedValue(value, choice);
}

/** What an arch block reads, gives and destroys. What it does not name survives it. */
export interface ArchOptions<U, R> {
  /** Values that the block reads; their registers must not be written. */
  readonly uses?: U;
  readonly result?: R;
  /** Where the block leaves its result, if not in `registers.result`. */
  readonly resultIn?: RegisterChoice;
  /** The block contains a call: the stack is aligned for it and everything that calls may destroy is. */
  readonly calls?: boolean;
  /** Other registers that it destroys. r10, r11, x16 and x17 are always free to use. Memory is assumed to be touched. */
  readonly clobbers?: { readonly x64?: readonly string[]; readonly arm64?: readonly string[] };
}

export type ArchUses = Readonly<Record<string, AnyValue | PlacedValue>>;
export type ArchResult = ScalarType<ValueName> | Exclude<ValueType, ScalarType<ValueName>>;

export function archUses(uses: ArchUses): ArchUse[] {
  return Object.entries(uses).map(([name, use]) => {
    if (name === "result")
      throw invalid("an operand of an arch block can't be called result", { value: name, allowed: "other names" });
    return use instanceof PlacedValue
      ? { name, value: nodeOf(use.value), fixed: use.choice }
      : { name, value: nodeOf(use), fixed: {} };
  });
}
