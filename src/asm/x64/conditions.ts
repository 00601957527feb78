// x86-64 conditions: flags by the instruction that compares, tests or modifies, and branches on them.

import { loc } from "../lower/calls.ts";
import { def, use } from "../lower/instructions.ts";
import type { VirtualRegister } from "../lower/instructions.ts";
import type { LeafCondition } from "../lower/lowered.ts";
import type { Address, ConditionEffect, Expression } from "../record/tree.ts";
import { bytesOf, isSigned, widthOf } from "../record/tree.ts";
import { fitsImmediate, isFoldable } from "./operands.ts";
import { gpr, invertCondition } from "./registers.ts";
import type { Width, X64Condition } from "./registers.ts";
import { X64Values } from "./values.ts";

const UNSIGNED = { eq: "e", ne: "ne", lt: "b", le: "be", gt: "a", ge: "ae" } as const;
const SIGNED = { eq: "e", ne: "ne", lt: "l", le: "le", gt: "g", ge: "ge" } as const;

export abstract class X64Conditions extends X64Values {
  protected branchOn(condition: LeafCondition, label: number, sense: boolean): void {
    const flags = this.flags(condition);
    const taken = sense ? flags : invertCondition(flags);
    this.list.push([], (a) => a.jcc(taken, label));
  }

  protected boolOf(condition: LeafCondition, result: VirtualRegister): void {
    const flags = this.flags(condition);
    this.list.push([def(result)], (a, r) => {
      const number = loc(r, 0);
      a.setcc(flags, gpr(number, 8)).movzx(gpr(number, 32), gpr(number, 8));
    });
  }

  /** Sets the flags; the next instruction must use them. Constants are in their registers before. */
  protected flags(condition: LeafCondition): X64Condition {
    switch (condition.kind) {
      case "compare":
        return this.#compare(condition);
      case "bit":
        this.bitInstruction("bt", condition.address, condition.bit, false);
        return "b";
      case "effect":
        return this.conditionEffect(condition.effect);
    }
  }

  protected abstract conditionEffect(effect: ConditionEffect): X64Condition;

  #compare(condition: Extract<LeafCondition, { kind: "compare" }>): X64Condition {
    const { operator, left, right } = condition;
    const width = widthOf(left.type);
    const code = (isSigned(left.type) ? SIGNED : UNSIGNED)[operator];
    if (right.kind === "constant" && fitsImmediate(right.value, width)) {
      return this.#compareConstant(left, right.value, width, code);
    }
    const other = this.right(right, width);
    if (other.kind === "register" && isFoldable(left, width)) {
      const template = this.template(left.address);
      this.list.push([use(other.register), ...template.registers.map(use)], (a, r) => {
        a.cmp(template.build(width, r, 1), gpr(loc(r, 0), width));
      });
      return code;
    }
    const one = this.value(left);
    if (other.kind === "register") {
      this.list.push([use(one), use(other.register)], (a, r) => a.cmp(gpr(loc(r, 0), width), gpr(loc(r, 1), width)));
    } else if (other.kind === "memory") {
      const { template } = other;
      this.list.push([use(one), ...template.registers.map(use)], (a, r) => {
        a.cmp(gpr(loc(r, 0), width), template.build(width, r, 1));
      });
    }
    return code;
  }

  #compareConstant(left: Expression, value: bigint, width: 32 | 64, code: X64Condition): X64Condition {
    const isEquality = code === "e" || code === "ne";
    if (value === 0n && isEquality && left.kind === "binary" && left.operator === "and") {
      this.#test(left, width);
      return code;
    }
    const narrow = narrowCompareWidth(left, value);
    if (left.kind === "load" && narrow !== undefined) {
      const template = this.template(left.address);
      this.list.push(template.registers.map(use), (a, r) => a.cmp(template.build(narrow, r, 0), value));
      return code;
    }
    const one = this.value(left);
    this.list.push([use(one)], (a, r) => {
      const register = gpr(loc(r, 0), width);
      if (value === 0n) a.test(register, register);
      else a.cmp(register, value);
    });
    return code;
  }

  /** (a & b) compared with 0. */
  #test({ left, right }: Extract<Expression, { kind: "binary" }>, width: 32 | 64): void {
    if (right.kind === "constant" && fitsImmediate(right.value, width)) {
      const mask = right.value;
      if (isFoldable(left, width)) {
        const template = this.template(left.address);
        this.list.push(template.registers.map(use), (a, r) => a.test(template.build(width, r, 0), mask));
        return;
      }
      const one = this.value(left);
      this.list.push([use(one)], (a, r) => a.test(gpr(loc(r, 0), width), mask));
      return;
    }
    const one = this.value(left);
    const other = this.value(right);
    this.list.push([use(one), use(other)], (a, r) => a.test(gpr(loc(r, 0), width), gpr(loc(r, 1), width)));
  }

  /** bt, bts or btr on a bitmap of 64-bit words: a register addresses beyond the first word, a constant would wrap. */
  protected bitInstruction(operator: "bt" | "bts" | "btr", address: Address, bit: Expression, isLocked: boolean): void {
    if (bit.kind === "constant") {
      const number = Number(bit.value);
      const template = this.template({ ...address, offset: address.offset + 8 * Math.floor(number / 64) });
      this.list.push(template.registers.map(use), (a, r) => {
        if (isLocked) a.lock();
        a.bit(operator, template.build(64, r, 0), number % 64);
      });
      return;
    }
    const number = this.value(bit);
    const template = this.template(address);
    this.list.push([use(number), ...template.registers.map(use)], (a, r) => {
      if (isLocked) a.lock();
      a.bit(operator, template.build(64, r, 1), gpr(loc(r, 0), 64));
    });
  }
}

/** The width at which a load can be compared in memory with a constant: its own, if the constant has the same meaning there. */
function narrowCompareWidth(left: Expression, value: bigint): Width | undefined {
  if (left.kind !== "load") return undefined;
  const width = (8 * bytesOf(left.memory)) as Width;
  const inRange = isSigned(left.memory)
    ? BigInt.asIntN(width, value) === value
    : BigInt.asUintN(width, value) === value;
  return inRange && fitsImmediate(value, width) ? width : undefined;
}
