// AArch64 atomics: single instructions (FEAT_LSE) or load/store-exclusive loops, by the image's flavour.

import { loc } from "../lower/calls.ts";
import { def, early, held, update, use } from "../lower/instructions.ts";
import type { VirtualRegister } from "../lower/instructions.ts";
import type { EffectStatement } from "../lower/lowered.ts";
import { unary } from "../record/expressions.ts";
import type { Address, ConditionEffect, Expression, Ordering, Statement, UpdateOperator } from "../record/tree.ts";
import { widthOf } from "../record/tree.ts";
import type { ArmAtomic, Arm64Assembler, ArmOrdering } from "./assembler.ts";
import { Arm64Conditions } from "./conditions.ts";
import { SCRATCH, SECOND_SCRATCH } from "./operands.ts";
import { armGpr } from "./registers.ts";
import type { Arm64Condition, Arm64Register, Arm64Width } from "./registers.ts";

export type AtomicStatement = Extract<
  EffectStatement,
  { kind: "update" | "setBit" | "clearBit" | "fetch" | "xchg" | "cmpxchg" }
>;

const LSE_ORDERING: Readonly<Record<Ordering, ArmOrdering>> = { relaxed: "", acquire: "a", release: "l", full: "al" };
/** and is done by clearing the complement. */
const LSE_OPERATOR: Readonly<Record<UpdateOperator, ArmAtomic>> = { add: "add", or: "set", and: "clr" };

/** Combines the old value of an exclusive loop into x16. */
type Combine = (a: Arm64Assembler, to: Arm64Register, old: Arm64Register, operand: Arm64Register) => void;
const COMBINE: Readonly<Record<UpdateOperator, Combine>> = {
  add: (a, to, old, operand) => a.add(to, old, operand),
  or: (a, to, old, operand) => a.orr(to, old, operand),
  and: (a, to, old, operand) => a.and(to, old, operand),
};

export abstract class Arm64Atomics extends Arm64Conditions {
  get #isLse(): boolean {
    return this.flavour.atomics === "lse";
  }

  protected atomic(statement: AtomicStatement): void {
    switch (statement.kind) {
      case "update":
        this.#update(statement);
        return;
      case "setBit":
      case "clearBit":
        this.#updateBit(statement);
        return;
      case "fetch": {
        const { operator, address, memory, operand, result, ordering } = statement;
        const source = this.#atomicOperand(operator, operand);
        this.#fetch(operator, this.pointer(address), source, this.registerFor(result), widthOf(memory), ordering);
        return;
      }
      case "xchg":
        this.#xchg(statement);
        return;
      case "cmpxchg":
        this.#cmpxchg(statement);
    }
  }

  /** The register that the atomic takes: clearing needs the complement of an `and` operand. */
  #atomicOperand(operator: UpdateOperator, operand: Expression): VirtualRegister {
    return this.value(operator === "and" && this.#isLse ? unary("not", operand) : operand);
  }

  #update({ operator, address, memory, operand }: Extract<Statement, { kind: "update" }>): void {
    const width = widthOf(memory);
    const source = this.#atomicOperand(operator, operand);
    this.#relaxedUpdate(operator, this.pointer(address), source, width);
  }

  #relaxedUpdate(operator: UpdateOperator, pointer: VirtualRegister, source: VirtualRegister, width: Arm64Width): void {
    this.list.push([held(source), held(pointer)], (a, r) => {
      const operand = armGpr(loc(r, 0), width);
      const base = armGpr(loc(r, 1), 64);
      if (this.#isLse) a.st(LSE_OPERATOR[operator], "", operand, base);
      else exclusiveLoop(a, armGpr(SECOND_SCRATCH, width), operand, base, COMBINE[operator], "relaxed");
    });
  }

  /** old = [pointer]; [pointer] = old op source. */
  #fetch(
    operator: UpdateOperator,
    pointer: VirtualRegister,
    source: VirtualRegister,
    result: VirtualRegister,
    width: Arm64Width,
    ordering: Ordering,
  ): void {
    this.list.push([early(result), held(source), held(pointer)], (a, r) => {
      const old = armGpr(loc(r, 0), width);
      const operand = armGpr(loc(r, 1), width);
      const base = armGpr(loc(r, 2), 64);
      if (this.#isLse) a.ld(LSE_OPERATOR[operator], LSE_ORDERING[ordering], operand, old, base);
      else exclusiveLoop(a, old, operand, base, COMBINE[operator], ordering);
    });
  }

  #updateBit({ kind, address, bit }: Extract<Statement, { kind: "setBit" | "clearBit" }>): void {
    const { pointer, mask } = this.#bitMask(address, bit, kind === "clearBit" && !this.#isLse);
    this.#relaxedUpdate(kind === "setBit" ? "or" : "and", pointer, mask, 64);
  }

  /** Address of the word of a bit, and the bit (or all others) as a mask. */
  #bitMask(
    address: Address,
    bit: Expression,
    isInverted: boolean,
  ): { pointer: VirtualRegister; mask: VirtualRegister } {
    if (bit.kind === "constant") {
      const number = Number(bit.value);
      const single = 1n << BigInt(number % 64);
      const value = BigInt.asUintN(64, isInverted ? ~single : single);
      const mask = this.value({ kind: "constant", type: "u64", value });
      return { mask, pointer: this.pointer({ ...address, offset: address.offset + 8 * Math.floor(number / 64) }) };
    }
    const number = this.value(bit);
    const one: Expression = { kind: "constant", type: "u64", value: 1n };
    const shifted: Expression = {
      kind: "binary",
      type: "u64",
      operator: "shl",
      left: one,
      right: this.anonymous("u64", number),
    };
    const mask = this.value(isInverted ? unary("not", shifted) : shifted);
    return { mask, pointer: this.pointer(this.wordOfBit(address, number)) };
  }

  #xchg({ address, memory, operand, result, ordering }: Extract<Statement, { kind: "xchg" }>): void {
    const width = widthOf(memory);
    const source = this.value(operand);
    const pointer = this.pointer(address);
    this.list.push([early(this.registerFor(result)), held(source), held(pointer)], (a, r) => {
      const old = armGpr(loc(r, 0), width);
      const desired = armGpr(loc(r, 1), width);
      const base = armGpr(loc(r, 2), 64);
      if (this.#isLse) {
        a.swp(LSE_ORDERING[ordering], desired, old, base);
        return;
      }
      const again = a.newLabel();
      a.place(again);
      loadExclusive(a, old, base, ordering);
      storeExclusive(a, armGpr(SCRATCH, 32), desired, base, ordering);
      a.cbnz(armGpr(SCRATCH, 32), again);
      if (ordering === "full") a.dmb("ish");
    });
  }

  #cmpxchg({ address, memory, expected, desired, result, ordering }: Extract<Statement, { kind: "cmpxchg" }>): void {
    const width = widthOf(memory);
    const compared = this.value(expected);
    const newValue = this.value(desired);
    const pointer = this.pointer(address);
    this.list.push([early(this.registerFor(result)), held(compared), held(newValue), held(pointer)], (a, r) => {
      const register = (i: number): Arm64Register => armGpr(loc(r, i), width);
      const base = armGpr(loc(r, 3), 64);
      if (this.#isLse) {
        // The compare register receives the old value, hence a copy.
        a.mov(register(0), register(1)).cas(LSE_ORDERING[ordering], register(0), register(2), base);
      } else {
        compareExchangeLoop(a, register(0), register(1), register(2), base, ordering);
      }
    });
  }

  protected conditionEffect(effect: ConditionEffect): Arm64Condition {
    switch (effect.kind) {
      case "addAndTest":
        return this.#addAndTest(effect);
      case "tryCmpxchg":
        return this.#tryCmpxchg(effect);
      case "testAndSetBit":
      case "testAndClearBit": {
        const isSet = effect.kind === "testAndSetBit";
        const { pointer, mask } = this.#bitMask(effect.address, effect.bit, false);
        const old = this.temporary();
        if (isSet || this.#isLse) {
          this.#fetch(isSet ? "or" : "and", pointer, mask, old, 64, effect.ordering);
        } else {
          const others = this.temporary();
          this.list.push([def(others), use(mask)], (a, r) => a.mvn(armGpr(loc(r, 0), 64), armGpr(loc(r, 1), 64)));
          this.#fetch("and", pointer, others, old, 64, effect.ordering);
        }
        this.list.push([use(old), use(mask)], (a, r) => a.tst(armGpr(loc(r, 0), 64), armGpr(loc(r, 1), 64)));
        return "ne";
      }
    }
  }

  #addAndTest({ address, memory, addend }: Extract<ConditionEffect, { kind: "addAndTest" }>): Arm64Condition {
    const width = widthOf(memory);
    const source = this.value({ kind: "constant", type: memory, value: addend });
    const old = this.temporary();
    this.#fetch("add", this.pointer(address), source, old, width, "full");
    const negated = BigInt.asUintN(width, -addend);
    this.list.push([use(old)], (a, r) => {
      // The new value is zero where the old one was the negated addend.
      if (addend < 0n) a.cmp(armGpr(loc(r, 0), width), negated);
      else a.cmn(armGpr(loc(r, 0), width), addend);
    });
    return "eq";
  }

  #tryCmpxchg({
    address,
    memory,
    expected,
    desired,
    ordering,
  }: Extract<ConditionEffect, { kind: "tryCmpxchg" }>): Arm64Condition {
    const width = widthOf(memory);
    const local = this.registerFor(expected);
    const newValue = this.value(desired);
    const pointer = this.pointer(address);
    const old = this.temporary();
    this.list.push([early(old), update(local), held(newValue), held(pointer)], (a, r) => {
      const register = (i: number): Arm64Register => armGpr(loc(r, i), width);
      const base = armGpr(loc(r, 3), 64);
      if (this.#isLse) {
        a.mov(register(0), register(1)).cas(LSE_ORDERING[ordering], register(0), register(2), base);
        a.cmp(register(0), register(1));
      } else {
        compareExchangeLoop(a, register(0), register(1), register(2), base, ordering);
      }
      a.mov(register(1), register(0));
    });
    return "eq";
  }
}

/** ldxr, op, stxr, cbnz; a full one is a release store followed by a barrier, as the kernel's. No memory access lies between. */
function exclusiveLoop(
  a: Arm64Assembler,
  old: Arm64Register,
  operand: Arm64Register,
  base: Arm64Register,
  combine: Combine,
  ordering: Ordering,
): void {
  const again = a.newLabel();
  const changed = armGpr(SECOND_SCRATCH, old.width);
  const status = armGpr(SCRATCH, 32);
  a.place(again);
  loadExclusive(a, old, base, ordering);
  combine(a, changed, old, operand);
  storeExclusive(a, status, changed, base, ordering);
  a.cbnz(status, again);
  if (ordering === "full") a.dmb("ish");
}

/** Leaves the flags of comparing old with expected; the barrier stands on the path of success only. */
function compareExchangeLoop(
  a: Arm64Assembler,
  old: Arm64Register,
  expected: Arm64Register,
  desired: Arm64Register,
  base: Arm64Register,
  ordering: Ordering,
): void {
  const again = a.newLabel();
  const differs = a.newLabel();
  const status = armGpr(SCRATCH, 32);
  a.place(again);
  loadExclusive(a, old, base, ordering);
  a.cmp(old, expected).bcond("ne", differs);
  storeExclusive(a, status, desired, base, ordering);
  a.cbnz(status, again);
  if (ordering === "full") a.dmb("ish");
  a.place(differs);
}

function loadExclusive(a: Arm64Assembler, to: Arm64Register, base: Arm64Register, ordering: Ordering): void {
  if (ordering === "acquire") a.ldaxr(to, base);
  else a.ldxr(to, base);
}

function storeExclusive(
  a: Arm64Assembler,
  status: Arm64Register,
  from: Arm64Register,
  base: Arm64Register,
  ordering: Ordering,
): void {
  if (ordering === "release" || ordering === "full") a.stlxr(status, from, base);
  else a.stxr(status, from, base);
}
