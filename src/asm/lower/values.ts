// Expressions into registers: the dispatch over the tree and the conversions, which both architectures share.
//
// Values of 32-bit type live in registers with a zero upper half; every 32-bit instruction of both architectures leaves it so.

import type { CodeBuffer } from "../code-buffer.ts";
import { unreachable } from "../failure.ts";
import { fitsLowHalf } from "../record/expressions.ts";
import type { Address, Expression, Statement } from "../record/tree.ts";
import { bytesOf, isSigned, isWide, widthOf } from "../record/tree.ts";
import type { ScalarName } from "../types.ts";
import { CallLowering, loc } from "./calls.ts";
import { def } from "./instructions.ts";
import type { VirtualRegister } from "./instructions.ts";

export type Binary = Extract<Expression, { kind: "binary" }>;
export type Unary = Extract<Expression, { kind: "unary" }>;
export type StoreStatement = Extract<Statement, { kind: "store" }>;

export abstract class ValueLowering<A extends CodeBuffer, R> extends CallLowering<A, R> {
  // --- what an architecture provides: each gives the register of its result, which is `into` if that is given -------------------

  protected abstract loadValue(
    memory: ScalarName,
    address: Address,
    width: 32 | 64,
    into?: VirtualRegister,
  ): VirtualRegister;
  /** The address itself. */
  protected abstract addressValue(address: Address, into?: VirtualRegister): VirtualRegister;
  protected abstract binary(expression: Binary, into?: VirtualRegister): VirtualRegister;
  protected abstract unary(expression: Unary, into?: VirtualRegister): VirtualRegister;
  /** 64 bits from the sign of 32. */
  protected abstract signExtend(one: VirtualRegister, into?: VirtualRegister): VirtualRegister;
  /** The low half with a zero upper one. */
  protected abstract lowHalf(one: VirtualRegister, into?: VirtualRegister): VirtualRegister;
  /** The code that makes the address in a register without any other one; undefined if there is none so simple. */
  protected abstract rematerialiseAddress(address: Address, register: number): ((assembler: A) => void) | undefined;
  /** The pattern of all 64 bits; 32-bit values have a zero upper half. */
  protected abstract moveConstant(assembler: A, register: number, pattern: bigint): void;

  protected setConstant(register: VirtualRegister, pattern: bigint): void {
    this.list.push([def(register)], (a, r) => {
      this.moveConstant(a, loc(r, 0), pattern);
    });
  }

  // --- expressions ----------------------------------------------------------------------------------------------------------------

  protected value(expression: Expression, into?: VirtualRegister): VirtualRegister {
    switch (expression.kind) {
      case "constant": {
        const to = into ?? this.temporary();
        this.setConstant(to, patternOf(expression));
        return to;
      }
      case "local": {
        const register = this.registerFor(expression.local);
        if (into === undefined) return register;
        this.copy(into, register, widthOf(expression.type));
        return into;
      }
      case "load":
        return this.loadValue(expression.memory, expression.address, widthOf(expression.type), into);
      case "address":
        return this.addressValue(expression.address, into);
      case "binary":
        return this.binary(expression, into);
      case "unary":
        return this.unary(expression, into);
      case "convert":
        return this.#convert(expression, into);
      case "option":
        throw unreachable("an option that was not resolved");
    }
  }

  #convert({ type, operand }: Extract<Expression, { kind: "convert" }>, into?: VirtualRegister): VirtualRegister {
    const toWide = isWide(type);
    if (toWide === isWide(operand.type)) return this.value(operand, into);
    if (!toWide) return this.narrow(operand, into);
    if (!isSigned(operand.type)) return this.value(operand, into);
    if (operand.kind === "load") return this.loadValue(operand.memory, operand.address, 64, into);
    return this.signExtend(this.value(operand), into);
  }

  /** The low half: not a no-op even within one register, since it clears the upper half. */
  protected narrow(operand: Expression, into?: VirtualRegister): VirtualRegister {
    if (operand.kind === "load" && bytesOf(operand.memory) === 8)
      return this.loadValue("u32", operand.address, 32, into);
    if (fitsLowHalf(operand)) return this.value(operand, into);
    return this.lowHalf(this.value(operand), into);
  }

  protected rematerialise(value: Expression, register: number): ((assembler: A) => void) | undefined {
    if (value.kind === "address") {
      return value.address.index === undefined ? this.rematerialiseAddress(value.address, register) : undefined;
    }
    if (value.kind !== "constant") return undefined;
    const pattern = patternOf(value);
    return (a) => {
      this.moveConstant(a, register, pattern);
    };
  }
}

/** The bits of a constant, without sign. */
function patternOf({ type, value }: Extract<Expression, { kind: "constant" }>): bigint {
  return BigInt.asUintN(widthOf(type), value);
}
