// One x86-64 instruction of a text: its operands as the encoder takes them, by position (AT&T order: sources first).

import type { DeferredSymbol, Label } from "../../code-buffer.ts";
import type { X64Assembler } from "../../x64/assembler.ts";
import type { RegisterOrMemory } from "../../x64/encoder.ts";
import type { Operand, Repeat } from "../../x64/instructions/moves.ts";
import { memory } from "../../x64/registers.ts";
import type { Width, X64Memory, X64Register } from "../../x64/registers.ts";
import { namesSymbol } from "../expression.ts";
import type { TextExpression } from "../expression.ts";
import { TextStatement } from "../statement.ts";
import type { StatementParts } from "../statement.ts";
import type { Token } from "../scanner.ts";
import type { MemoryOperand, X64Operand } from "./operands.ts";

/** Stands for an immediate until its value is known, and takes all the bytes that there are for it. */
const PLACEHOLDERS = { 1: 0x7f, 2: 0x7fff, 4: 0x7fff_ffff, 8: 0x7fff_ffff_ffff_ffffn } as const;

export class X64Statement extends TextStatement<X64Assembler, X64Operand> {
  /** Width by the suffix of the mnemonic. */
  readonly suffix: Width | undefined;
  readonly repeat: Repeat | undefined;
  #immediate:
    { readonly bytes: 1 | 2 | 4 | 8; readonly isSigned: boolean; readonly symbol: DeferredSymbol } | undefined;

  constructor(parts: StatementParts<X64Assembler, X64Operand> & Pick<X64Statement, "suffix" | "repeat">) {
    super(parts);
    this.suffix = parts.suffix;
    this.repeat = parts.repeat;
  }

  /** Writes the value of an immediate that is not known yet behind the instruction, which has been encoded. */
  finish(): void {
    if (this.#immediate === undefined) return;
    const { bytes, isSigned, symbol } = this.#immediate;
    const kinds = { 1: "abs8", 2: "abs16", 4: isSigned ? "abs32signed" : "abs32", 8: "abs64" } as const;
    this.a.holds(kinds[bytes], symbol);
  }

  override hasValue(operand: X64Operand, value: unknown): boolean {
    if (operand.kind === "register") return operand.register.name === value;
    if (operand.kind === "memory") {
      const isRegister = [operand.base, operand.index].some((register) => register?.name === value);
      return isRegister || this.isConstant(operand.displacement, value);
    }
    return operand.kind === "immediate" && this.isConstant(operand.expression, value);
  }

  // --- widths -------------------------------------------------------------------------------------------------------------------

  /** The width of the instruction: its suffix, or that of the first register among those operands. */
  width(...positions: readonly number[]): Width {
    const registers = positions.map((position) => this.operand(position)).filter(({ kind }) => kind === "register");
    const first = registers[0];
    const width = this.suffix ?? (first?.kind === "register" ? first.register.width : undefined);
    if (width === undefined)
      throw this.refuse("nothing says how many bits", this.mnemonic, "a suffix (b, w, l, q), or a register");
    return width;
  }

  // --- operands -----------------------------------------------------------------------------------------------------------------

  isRegister(position: number): boolean {
    return this.operands[position]?.kind === "register";
  }

  register(position: number, width?: Width): X64Register {
    const operand = this.operand(position);
    if (operand.kind !== "register") throw this.refuse("no general register", operand.token);
    if (width !== undefined && operand.register.width !== width)
      throw this.refuse("a register of another width", operand.token, `a register of ${width} bits`);
    return operand.register;
  }

  memory(position: number, width: Width): X64Memory {
    const operand = this.operand(position);
    if (operand.kind !== "memory") throw this.refuse("no memory operand", operand.token);
    return this.#addressOf(operand, width);
  }

  registerOrMemory(position: number, width: Width): RegisterOrMemory {
    return this.operand(position).kind === "memory" ? this.memory(position, width) : this.register(position, width);
  }

  #addressOf(operand: MemoryOperand, width: Width): X64Memory {
    const { base, index, scale, segment, displacement, isRipRelative } = operand;
    for (const register of [base, index]) {
      if (register !== undefined && register.width !== 64)
        throw this.refuse("an address in a part of a register", operand.token, "64 bits: %rax to %r15");
    }
    const parts = {
      scale,
      ...(base === undefined ? {} : { base }),
      ...(index === undefined ? {} : { index }),
      ...(segment === undefined ? {} : { segment: this.#segment(segment, operand.token) }),
    };
    if (isRipRelative) return memory(width, { ...parts, symbol: this.#ripRelative(operand) });
    if (displacement === undefined) return memory(width, parts);
    const value = this.scope.constant(displacement);
    if (value === undefined)
      return memory(width, { ...parts, symbol: this.scope.deferred(displacement), isAbsolute: true });
    return memory(width, { ...parts, displacement: Number(BigInt.asIntN(64, value)) });
  }

  #segment(segment: string, token: Token): "fs" | "gs" {
    if (segment !== "fs" && segment !== "gs") throw this.refuse("a segment without effect", token, "%fs:, %gs:");
    return segment;
  }

  /** symbol(%rip) is the address of the symbol; a number alone is the displacement itself, as for GNU as. */
  #ripRelative({ displacement, token, segment }: MemoryOperand): DeferredSymbol {
    if (segment !== undefined) throw this.refuse("a segment and %rip in one address", token, "one of them");
    const zero: TextExpression = { kind: "number", value: 0n, token };
    const expression = displacement ?? zero;
    if (namesSymbol(expression)) return this.scope.deferred(expression);
    return this.scope.deferred(expression, (value, place, addend) => value + place - addend);
  }

  /** An immediate of an instruction of that width; where its value is not known yet, something that takes as many bytes. */
  immediate(position: number, width: Width, bytes: 1 | 2 | 4 | 8 = immediateBytes(width)): bigint | number {
    const operand = this.operand(position);
    if (operand.kind !== "immediate") throw this.refuse("no immediate", operand.token);
    const value = this.scope.constant(operand.expression);
    if (value !== undefined) return value;
    this.#immediate = { bytes, isSigned: width === 64, symbol: this.scope.deferred(operand.expression) };
    return PLACEHOLDERS[bytes];
  }

  /** An immediate that has to be known where it is written. */
  constant(position: number, low: number, high: number): number {
    const operand = this.operand(position);
    if (operand.kind !== "immediate") throw this.refuse("no immediate", operand.token);
    return this.scope.knownNumber(operand.expression, low, high);
  }

  /** Any source of a two-operand instruction. */
  source(position: number, width: Width): Operand {
    return this.operand(position).kind === "immediate"
      ? this.immediate(position, width)
      : this.registerOrMemory(position, width);
  }

  /** The label or address that a branch goes to. */
  target(position: number): Label {
    const operand = this.operand(position);
    const isBare =
      operand.kind === "memory" &&
      !operand.isRipRelative &&
      operand.base === undefined &&
      operand.index === undefined &&
      operand.segment === undefined;
    if (!isBare || operand.displacement === undefined || operand.isIndirect)
      throw this.refuse("no place to go to", operand.token, "a label, an address; * before a register or memory");
    return this.scope.target(operand.displacement);
  }
}

function immediateBytes(width: Width): 1 | 2 | 4 {
  return width === 8 ? 1 : width === 16 ? 2 : 4;
}
