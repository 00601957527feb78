// AArch64 conditions: compare-and-branch forms where there is one, else flags.

import { loc } from "../lower/calls.ts";
import { def, use } from "../lower/instructions.ts";
import type { VirtualRegister } from "../lower/instructions.ts";
import type { LeafCondition } from "../lower/lowered.ts";
import { binary, powerOfTwo } from "../record/expressions.ts";
import type { Address, ConditionEffect, Expression } from "../record/tree.ts";
import { isSigned, widthOf } from "../record/tree.ts";
import { arithmeticImmediate, bitmaskImmediate } from "./immediates.ts";
import { armGpr, invertArmCondition } from "./registers.ts";
import type { Arm64Condition, Arm64Width } from "./registers.ts";
import { Arm64Values } from "./values.ts";

type Binary = Extract<Expression, { kind: "binary" }>;

const UNSIGNED = { eq: "eq", ne: "ne", lt: "lo", le: "ls", gt: "hi", ge: "hs" } as const;
const SIGNED = { eq: "eq", ne: "ne", lt: "lt", le: "le", gt: "gt", ge: "ge" } as const;
export abstract class Arm64Conditions extends Arm64Values {
  protected branchOn(condition: LeafCondition, label: number, sense: boolean): void {
    if (condition.kind === "compare" && this.#compareAndBranch(condition, label, sense)) return;
    if (condition.kind === "bit") {
      const word = this.#bitAtZero(condition);
      this.#testBitBranch(word.register, word.bit, label, sense, 64);
      return;
    }
    const flags = this.#flags(condition);
    const taken = sense ? flags : invertArmCondition(flags);
    this.list.push([], (a) => a.bcond(taken, label));
  }

  protected boolOf(condition: LeafCondition, result: VirtualRegister): void {
    if (condition.kind === "bit") {
      const { register, bit } = this.#bitAtZero(condition);
      this.oneSource(result, register, 64, (a, to, one) => a.ubfx(to, one, bit, 1));
      return;
    }
    const flags = this.#flags(condition);
    this.list.push([def(result)], (a, r) => a.cset(armGpr(loc(r, 0), 32), flags));
  }

  /** Sets the flags; the next instruction must use them. */
  #flags(condition: Exclude<LeafCondition, { kind: "bit" }>): Arm64Condition {
    return condition.kind === "effect" ? this.conditionEffect(condition.effect) : this.#compare(condition);
  }

  protected abstract conditionEffect(effect: ConditionEffect): Arm64Condition;

  /** Compare-and-branch forms: against zero, of one bit, of the sign. */
  #compareAndBranch(condition: Extract<LeafCondition, { kind: "compare" }>, label: number, sense: boolean): boolean {
    const { left } = condition;
    const width = widthOf(left.type);
    const test = zeroTest(condition);
    if (test === undefined) return false;
    if (test === "negative" || test === "nonNegative") {
      this.#testBitBranch(this.value(left), width - 1, label, (test === "negative") === sense, width);
      return true;
    }
    const jumpsIfNonZero = (test === "nonZero") === sense;
    if (left.kind === "binary" && left.operator === "and") {
      const bit = left.right.kind === "constant" ? powerOfTwo(BigInt.asUintN(width, left.right.value)) : undefined;
      if (bit === undefined) return false;
      this.#testBitBranch(this.value(left.left), Number(bit), label, jumpsIfNonZero, width);
      return true;
    }
    const register = this.value(left);
    this.list.push([use(register)], (a, r) => {
      const tested = armGpr(loc(r, 0), width);
      if (jumpsIfNonZero) a.cbnz(tested, label);
      else a.cbz(tested, label);
    });
    return true;
  }

  #testBitBranch(register: VirtualRegister, bit: number, label: number, isSet: boolean, width: Arm64Width): void {
    this.list.push([use(register)], (a, r) => {
      const tested = armGpr(loc(r, 0), width);
      if (isSet) a.tbnz(tested, bit, label);
      else a.tbz(tested, bit, label);
    });
  }

  /** The tested bit of a bitmap, at a known position of a register. */
  #bitAtZero({ address, bit }: Extract<LeafCondition, { kind: "bit" }>): { register: VirtualRegister; bit: number } {
    if (bit.kind === "constant") {
      const number = Number(bit.value);
      const word = { ...address, offset: address.offset + 8 * Math.floor(number / 64) };
      return { register: this.loadValue("u64", word, 64), bit: number % 64 };
    }
    const number = this.value(bit);
    const word = this.loadValue("u64", this.wordOfBit(address, number), 64);
    const shifted = this.twoSource(undefined, word, number, 64, (a, to, one, other) => a.lsr(to, one, other));
    return { register: shifted, bit: 0 };
  }

  /** The 64-bit word that holds a bit. */
  protected wordOfBit(address: Address, bit: VirtualRegister): Address {
    const number = this.anonymous("u64", bit);
    const index = binary("shr", number, { kind: "constant", type: "u64", value: 6n });
    if (address.index === undefined) return { ...address, index, scale: 8 };
    const base = { kind: "value", value: { kind: "address", type: "u64", address } } as const;
    return { base, index, scale: 8, offset: 0 };
  }

  #compare({ operator, left, right }: Extract<LeafCondition, { kind: "compare" }>): Arm64Condition {
    const width = widthOf(left.type);
    const condition = (isSigned(left.type) ? SIGNED : UNSIGNED)[operator];
    const isEquality = operator === "eq" || operator === "ne";
    if (
      isEquality &&
      right.kind === "constant" &&
      right.value === 0n &&
      left.kind === "binary" &&
      left.operator === "and"
    ) {
      this.#test(left, width);
      return condition;
    }
    const one = this.value(left);
    if (right.kind === "constant" && this.#compareImmediate(one, right.value, width)) return condition;
    const other = this.shifted(right);
    this.list.push([use(one), use(other.register)], (a, r) =>
      a.cmp(armGpr(loc(r, 0), width), armGpr(loc(r, 1), width), other.shift, other.amount),
    );
    return condition;
  }

  /** cmp with an immediate, or cmn with its negation: the same flags, except for 0 and the smallest value. */
  #compareImmediate(one: VirtualRegister, value: bigint, width: Arm64Width): boolean {
    const direct = BigInt.asUintN(width, value);
    if (arithmeticImmediate(direct) !== undefined) {
      this.list.push([use(one)], (a, r) => a.cmp(armGpr(loc(r, 0), width), direct));
      return true;
    }
    const negated = BigInt.asUintN(width, -value);
    if (arithmeticImmediate(negated) === undefined) return false;
    this.list.push([use(one)], (a, r) => a.cmn(armGpr(loc(r, 0), width), negated));
    return true;
  }

  #test({ left, right }: Binary, width: Arm64Width): void {
    const mask = right.kind === "constant" ? BigInt.asUintN(width, right.value) : undefined;
    const one = this.value(left);
    if (mask !== undefined && bitmaskImmediate(mask, width) !== undefined) {
      this.list.push([use(one)], (a, r) => a.tst(armGpr(loc(r, 0), width), mask));
      return;
    }
    const other = this.value(right);
    this.list.push([use(one), use(other)], (a, r) => a.tst(armGpr(loc(r, 0), width), armGpr(loc(r, 1), width)));
  }
}

/** What a comparison asks about its left side, if it is a question about zero or the sign. */
function zeroTest({
  operator,
  left,
  right,
}: Extract<LeafCondition, { kind: "compare" }>): "zero" | "nonZero" | "negative" | "nonNegative" | undefined {
  if (right.kind !== "constant") return undefined;
  if (right.value === 0n) {
    if (operator === "eq") return "zero";
    if (operator === "ne") return "nonZero";
    if (isSigned(left.type)) return operator === "lt" ? "negative" : operator === "ge" ? "nonNegative" : undefined;
    return operator === "gt" ? "nonZero" : operator === "le" ? "zero" : undefined;
  }
  if (right.value === 1n && !isSigned(left.type)) {
    return operator === "lt" ? "zero" : operator === "ge" ? "nonZero" : undefined;
  }
  return undefined;
}
