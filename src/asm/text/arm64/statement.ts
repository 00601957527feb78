// One A64 instruction of a text: its operands as the encoder takes them.

import type { Label } from "../../code-buffer.ts";
import type { Arm64Assembler } from "../../arm64/assembler.ts";
import { ARM_CONDITIONS, indexed, low12, offset, postIndex, preIndex } from "../../arm64/registers.ts";
import type { Arm64Address, Arm64Condition, Arm64Register, Arm64Width, Extend } from "../../arm64/registers.ts";
import type { TextExpression } from "../expression.ts";
import type { Token } from "../scanner.ts";
import { TextStatement } from "../statement.ts";
import type { StatementParts } from "../statement.ts";
import type { LiteralPool } from "./literals.ts";
import type { AddressOperand, Arm64Operand, ModifierOperand } from "./operands.ts";

/** What register 31 is: the zero register or the stack pointer; where both are meant, the operand says which. */
export type Number31 = "zr" | "sp" | "either";

const CONDITIONS: Readonly<Record<string, Arm64Condition>> = {
  ...Object.fromEntries(ARM_CONDITIONS.map((condition) => [condition, condition])),
  cs: "hs",
  cc: "lo",
};

export function conditionByName(name: string): Arm64Condition | undefined {
  return CONDITIONS[name];
}

export class Arm64Statement extends TextStatement<Arm64Assembler, Arm64Operand> {
  readonly pool: LiteralPool;

  constructor(parts: StatementParts<Arm64Assembler, Arm64Operand> & { readonly pool: LiteralPool }) {
    super(parts);
    this.pool = parts.pool;
  }

  override hasValue(operand: Arm64Operand, value: unknown): boolean {
    if (operand.kind === "register") return operand.register.name === value;
    if (operand.kind === "immediate") return this.isConstant(operand.expression, value);
    if (operand.kind === "modifier") return this.isConstant(operand.amount, value);
    if (operand.kind !== "address") return false;
    return [operand.offset, operand.modifier?.amount].some((expression) => this.isConstant(expression, value));
  }

  // --- registers ----------------------------------------------------------------------------------------------------------------

  register(position: number, width?: Arm64Width, number31: Number31 = "zr"): Arm64Register {
    const operand = this.operand(position);
    if (operand.kind !== "register") throw this.refuse("no general register", operand.token);
    const { register, token } = operand;
    if (width !== undefined && register.width !== width)
      throw this.refuse("a register of another width", token, width === 64 ? "x0 to x30, xzr" : "w0 to w30, wzr");
    const isWrong31 =
      register.number === 31 && number31 !== "either" && register.isStackPointer !== (number31 === "sp");
    if (isWrong31)
      throw this.refuse("another meaning of register 31", token, number31 === "sp" ? "the stack pointer" : "zr");
    return register;
  }

  /** All registers from that position on. */
  registers(from = 0): Arm64Register[] {
    return this.operands.slice(from).map((_, i) => this.register(from + i));
  }

  /** The base of an access that has no other mode. */
  base(position: number): Arm64Register {
    const operand = this.operand(position);
    if (operand.kind !== "address") throw this.refuse("no address", operand.token);
    const { base, offset: distance, low12: symbol, index, isPreIndexed } = operand;
    const isZero = distance === undefined || this.scope.constant(distance) === 0n;
    if (!isZero || symbol !== undefined || index !== undefined || isPreIndexed || this.count > position + 1)
      throw this.refuse("an address that this instruction doesn't have", operand.token, "[base]");
    return base;
  }

  // --- numbers and names --------------------------------------------------------------------------------------------------------

  /** What an immediate is, or a label that is written like a name. */
  expression(position: number): TextExpression {
    const operand = this.operand(position);
    if (operand.kind === "immediate") return operand.expression;
    if (operand.kind !== "name") throw this.refuse("no immediate", operand.token);
    return { kind: "symbol", name: this.scope.nameOf(operand.token), token: operand.token };
  }

  constant(position: number): bigint {
    return this.scope.knownConstant(this.expression(position), "a constant");
  }

  number(position: number, low: number, high: number): number {
    return this.scope.knownNumber(this.expression(position), low, high);
  }

  name(position: number): string {
    const operand = this.operand(position);
    if (operand.kind !== "name") throw this.refuse("no name", operand.token);
    return operand.token.text.toLowerCase();
  }

  condition(position: number): Arm64Condition {
    const condition = CONDITIONS[this.name(position)];
    const all = Object.keys(CONDITIONS).join(" ");
    if (condition === undefined) throw this.refuse("no such condition", this.operand(position).token, all);
    return condition;
  }

  target(position: number): Label {
    const operand = this.operand(position);
    if (operand.kind !== "name" && operand.kind !== "immediate")
      throw this.refuse("no place to go to", operand.token, "a label, an address");
    return this.scope.target(this.expression(position));
  }

  /** A shift or extension as the operand there, if there is one. */
  modifier(position: number): ModifierOperand | undefined {
    const operand = this.operands[position];
    if (operand === undefined) return undefined;
    if (operand.kind !== "modifier") throw this.refuse("no shift or extension", operand.token);
    return operand;
  }

  amount({ amount }: ModifierOperand, high: number): number {
    return amount === undefined ? 0 : this.scope.knownNumber(amount, 0, high);
  }

  // --- addresses ----------------------------------------------------------------------------------------------------------------

  /** The address at that position, with the offset behind it if it is added afterwards. */
  address(position: number): Arm64Address {
    const operand = this.operand(position);
    if (operand.kind !== "address") throw this.refuse("no address", operand.token);
    this.expect(position + 1, position + 2);
    if (this.count === position + 2) return this.#postIndexed(operand, position + 1);
    const { base, index, low12: symbol } = operand;
    if (index !== undefined) return this.#indexed(operand, index);
    if (symbol !== undefined) return low12(base, this.scope.deferred(symbol));
    const distance = operand.offset === undefined ? 0 : this.#distance(operand.offset);
    return operand.isPreIndexed ? preIndex(base, distance) : offset(base, distance);
  }

  #distance(expression: TextExpression): number {
    return this.scope.knownNumber(expression, -0x8000, 0x7fff);
  }

  #postIndexed(operand: AddressOperand & { readonly token: Token }, position: number): Arm64Address {
    if (operand.isPreIndexed || operand.index !== undefined || operand.offset !== undefined)
      throw this.refuse("two offsets of one address", operand.token, "[base], #offset");
    return postIndex(operand.base, this.#distance(this.expression(position)));
  }

  #indexed(operand: AddressOperand & { readonly token: Token }, index: Arm64Register): Arm64Address {
    const { base, modifier, isPreIndexed, token } = operand;
    if (isPreIndexed) throw this.refuse("an index register that is added to the base", token, "[base, index]");
    if (index.isStackPointer) throw this.refuse("the stack pointer as an index", token, "x0 to x30, xzr");
    const name = modifier?.modifier ?? "lsl";
    const allowed = index.width === 64 ? ["lsl", "sxtx"] : ["uxtw", "sxtw"];
    if (!allowed.includes(name)) throw this.refuse("no such extension of an index", token, allowed.join(", "));
    const shift = modifier === undefined ? 0 : this.amount(modifier, 3);
    return {
      ...indexed(base, index, shift, name as Extend),
      isScaledByOne: modifier?.amount !== undefined && shift === 0,
    };
  }
}
