// AArch64 instruction selection for expressions, loads and stores.
//
// Values of 32-bit type live in registers with a zero upper half, which every write of a W register leaves (Arm ARM, section B1.2.1).

import { loc } from "../lower/calls.ts";
import { def, use } from "../lower/instructions.ts";
import type { Location, VirtualRegister } from "../lower/instructions.ts";
import type { Binary, StoreStatement, Unary } from "../lower/values.ts";
import { lowBits, sameAddress } from "../record/expressions.ts";
import type { Address, Expression, Statement } from "../record/tree.ts";
import { bytesOf, isSigned, widthOf } from "../record/tree.ts";
import type { ScalarName } from "../types.ts";
import type { Arm64Assembler, ArmLogical, ArmShift } from "./assembler.ts";
import { arithmeticImmediate, bitmaskImmediate } from "./immediates.ts";
import { Arm64Operands } from "./operands.ts";
import { armGpr } from "./registers.ts";
import type { Arm64Address, Arm64Register, Arm64Width } from "./registers.ts";

const LOGICAL = { and: "and", or: "orr", xor: "eor" } as const;

/** A right operand of an arithmetic or logical instruction: a register, optionally shifted by a constant. */
interface ShiftedOperand {
  readonly register: VirtualRegister;
  readonly shift: ArmShift;
  readonly amount: number;
}

export abstract class Arm64Values extends Arm64Operands {
  // --- loads ----------------------------------------------------------------------------------------------------------------------

  protected loadValue(
    memoryType: ScalarName,
    address: Address,
    width: Arm64Width,
    into?: VirtualRegister,
  ): VirtualRegister {
    const template = this.template(address, bytesOf(memoryType));
    const to = into ?? this.temporary();
    this.list.push([def(to), ...template.registers.map(use)], (a, r) => {
      loadTyped(a, memoryType, armGpr(loc(r, 0), width), template.build(a, r, 1));
    });
    return to;
  }

  // --- arithmetic -----------------------------------------------------------------------------------------------------------------

  protected binary(expression: Binary, into?: VirtualRegister): VirtualRegister {
    switch (expression.operator) {
      case "add":
      case "sub":
        return this.#addSub(expression, into);
      case "and":
      case "or":
      case "xor":
        return this.#logical(expression, LOGICAL[expression.operator], into);
      case "mul": {
        const { left, right, type } = expression;
        return this.twoSource(into, this.value(left), this.value(right), widthOf(type), (a, to, one, other) =>
          a.mul(to, one, other),
        );
      }
      case "shl":
      case "shr":
        return this.#shift(expression, into);
      case "div":
      case "rem":
        return this.#divide(expression, into);
    }
  }

  #addSub({ operator, type, left, right }: Binary, into?: VirtualRegister): VirtualRegister {
    const width = widthOf(type);
    if (right.kind === "constant") {
      const value = BigInt.asIntN(width, right.value);
      const magnitude = value < 0n ? -value : value;
      if (arithmeticImmediate(magnitude) !== undefined) {
        const method = operator === "add" ? "add" : "sub";
        return this.oneSource(into, this.value(left), width, (a, to, one) => a[method](to, one, value));
      }
    }
    if (operator === "sub" && left.kind === "constant" && left.value === 0n) {
      return this.oneSource(into, this.value(right), width, (a, to, one) => a.neg(to, one));
    }
    if (right.kind === "binary" && right.operator === "mul" && right.type === type) {
      return this.#multiplyAccumulate(operator === "add" ? "madd" : "msub", left, right, width, into);
    }
    const one = this.value(left);
    const other = this.shifted(right);
    return this.twoSource(into, one, other.register, width, (a, to, x, y) => {
      if (operator === "add") a.add(to, x, y, other.shift, other.amount);
      else a.sub(to, x, y, other.shift, other.amount);
    });
  }

  #multiplyAccumulate(
    method: "madd" | "msub",
    accumulator: Expression,
    product: Binary,
    width: Arm64Width,
    into?: VirtualRegister,
  ): VirtualRegister {
    const sum = this.value(accumulator);
    const one = this.value(product.left);
    const other = this.value(product.right);
    const to = into ?? this.temporary();
    this.list.pair(to, sum);
    this.list.push([def(to), use(sum), use(one), use(other)], (a, r) => {
      const register = (i: number): Arm64Register => armGpr(loc(r, i), width);
      a[method](register(0), register(2), register(3), register(1));
    });
    return to;
  }

  /** The operand, with a shift by a constant taken into the instruction that uses it. */
  protected shifted(expression: Expression): ShiftedOperand {
    if (expression.kind === "binary" && expression.right.kind === "constant") {
      const amount = Number(expression.right.value);
      const register = (): VirtualRegister => this.value(expression.left);
      if (expression.operator === "shl") return { register: register(), shift: "lsl", amount };
      if (expression.operator === "shr") {
        return { register: register(), shift: isSigned(expression.type) ? "asr" : "lsr", amount };
      }
    }
    return { register: this.value(expression), shift: "lsl", amount: 0 };
  }

  #logical({ operator, type, left, right }: Binary, method: ArmLogical, into?: VirtualRegister): VirtualRegister {
    const width = widthOf(type);
    if (right.kind === "constant" && bitmaskImmediate(BigInt.asUintN(width, right.value), width) !== undefined) {
      const mask = BigInt.asUintN(width, right.value);
      return this.oneSource(into, this.value(left), width, (a, to, one) => a.logical(method, to, one, mask));
    }
    if (operator === "and" && right.kind === "unary" && right.operator === "not") {
      const one = this.value(left);
      const other = this.shifted(right.operand);
      return this.twoSource(into, one, other.register, width, (a, to, x, y) =>
        a.bic(to, x, y, other.shift, other.amount),
      );
    }
    const one = this.value(left);
    const other = this.shifted(right);
    return this.twoSource(into, one, other.register, width, (a, to, x, y) =>
      a.logical(method, to, x, y, other.shift, other.amount),
    );
  }

  /** Counts in registers are taken modulo the width by the hardware too (Arm ARM, LSLV). */
  #shift({ operator, type, left, right }: Binary, into?: VirtualRegister): VirtualRegister {
    const width = widthOf(type);
    const method = operator === "shl" ? "lsl" : isSigned(type) ? "asr" : "lsr";
    const one = this.value(left);
    if (right.kind === "constant") {
      const count = Number(right.value);
      return this.oneSource(into, one, width, (a, to, x) => a[method](to, x, count));
    }
    return this.twoSource(into, one, this.value(right), width, (a, to, x, y) => a[method](to, x, y));
  }

  #divide({ operator, type, left, right }: Binary, into?: VirtualRegister): VirtualRegister {
    const width = widthOf(type);
    const method = isSigned(type) ? "sdiv" : "udiv";
    const one = this.value(left);
    const other = this.value(right);
    if (operator === "div") return this.twoSource(into, one, other, width, (a, to, x, y) => a[method](to, x, y));
    const quotient = this.twoSource(undefined, one, other, width, (a, to, x, y) => a[method](to, x, y));
    const to = into ?? this.temporary();
    this.list.push([def(to), use(one), use(quotient), use(other)], (a, r) => {
      const register = (i: number): Arm64Register => armGpr(loc(r, i), width);
      a.msub(register(0), register(2), register(3), register(1));
    });
    return to;
  }

  protected unary({ operator, type, operand }: Unary, into?: VirtualRegister): VirtualRegister {
    return this.oneSource(into, this.value(operand), widthOf(type), (a, to, one) => {
      switch (operator) {
        case "neg":
          a.neg(to, one);
          return;
        case "not":
          a.mvn(to, one);
          return;
        case "clz":
          a.clz(to, one);
          return;
        case "ctz":
          a.rbit(to, one).clz(to, to);
      }
    });
  }

  protected signExtend(one: VirtualRegister, into?: VirtualRegister): VirtualRegister {
    return this.oneSource(into, one, 64, (a, to, from) => a.sxtw(to, from));
  }
  protected lowHalf(one: VirtualRegister, into?: VirtualRegister): VirtualRegister {
    return this.oneSource(into, one, 32, (a, to, from) => a.mov(to, from));
  }

  // --- stores and loads -----------------------------------------------------------------------------------------------------------

  protected store(statement: StoreStatement): void {
    const { address, memory: type, value, order } = statement;
    const bytes = bytesOf(type);
    const width = bytes === 8 ? 64 : 32;
    if (order === "plain" && this.#storeUpdate(statement)) return;
    const part = lowBits(value, 8 * bytes);
    const isZero = part.kind === "constant" && BigInt.asUintN(8 * bytes, part.value) === 0n;
    const source = isZero ? undefined : this.value(part);
    const sources = source === undefined ? [] : [use(source)];
    const sourceRegister = (r: readonly Location[]): Arm64Register =>
      armGpr(source === undefined ? 31 : loc(r, 0), width);
    if (order === "release") {
      const pointer = this.pointer(address);
      this.list.push([...sources, use(pointer)], (a, r) => {
        storeRelease(a, bytes, sourceRegister(r), armGpr(loc(r, sources.length), 64));
      });
      return;
    }
    const template = this.template(address, bytes);
    this.list.push([...sources, ...template.registers.map(use)], (a, r) => {
      storeTyped(a, bytes, sourceRegister(r), template.build(a, r, sources.length));
    });
  }

  /** x = x op y computes the address of x once. */
  #storeUpdate({ address, memory: type, value }: StoreStatement): boolean {
    if (value.kind !== "binary" || value.left.kind !== "load") return false;
    if (value.left.memory !== type || !sameAddress(value.left.address, address)) return false;
    const bytes = bytesOf(type);
    const width = bytes === 8 ? 64 : 32;
    const template = this.template(address, bytes);
    const old = this.temporary();
    this.list.push([def(old), ...template.registers.map(use)], (a, r) => {
      loadTyped(a, type, armGpr(loc(r, 0), width), template.build(a, r, 1));
    });
    const changed = this.value({ ...value, left: this.anonymous(value.type, old) });
    this.list.push([use(changed), ...template.registers.map(use)], (a, r) => {
      storeTyped(a, bytes, armGpr(loc(r, 0), width), template.build(a, r, 1));
    });
    return true;
  }

  protected load({ result, address, memory: type, order }: Extract<Statement, { kind: "load" }>): void {
    const register = this.registerFor(result);
    const width = widthOf(result.type);
    if (order === "once") {
      this.loadValue(type, address, width, register);
      return;
    }
    const pointer = this.pointer(address);
    this.list.push([def(register), use(pointer)], (a, r) => {
      loadAcquire(a, type, armGpr(loc(r, 0), width), armGpr(loc(r, 1), 64));
    });
  }
}

function loadTyped(a: Arm64Assembler, type: ScalarName, to: Arm64Register, from: Arm64Address): void {
  const low = armGpr(to.number, 32);
  switch (type) {
    case "u8":
      a.ldrb(low, from);
      return;
    case "u16":
      a.ldrh(low, from);
      return;
    case "i8":
      a.ldrsb(to, from);
      return;
    case "i16":
      a.ldrsh(to, from);
      return;
    case "i32":
      if (to.width === 64) a.ldrsw(to, from);
      else a.ldr(to, from);
      return;
    case "u32":
      a.ldr(low, from);
      return;
    case "u64":
    case "i64":
      a.ldr(armGpr(to.number, 64), from);
  }
}

function storeTyped(a: Arm64Assembler, bytes: 1 | 2 | 4 | 8, from: Arm64Register, to: Arm64Address): void {
  if (bytes === 1) a.strb(from, to);
  else if (bytes === 2) a.strh(from, to);
  else a.str(from, to);
}

function storeRelease(a: Arm64Assembler, bytes: 1 | 2 | 4 | 8, from: Arm64Register, base: Arm64Register): void {
  if (bytes === 1) a.stlrb(from, base);
  else if (bytes === 2) a.stlrh(from, base);
  else a.stlr(from, base);
}

/** There is no sign-extending acquire load. */
function loadAcquire(a: Arm64Assembler, type: ScalarName, to: Arm64Register, base: Arm64Register): void {
  const low = armGpr(to.number, 32);
  switch (type) {
    case "u8":
      a.ldarb(low, base);
      return;
    case "u16":
      a.ldarh(low, base);
      return;
    case "i8":
      a.ldarb(low, base).sbfx(low, low, 0, 8);
      return;
    case "i16":
      a.ldarh(low, base).sbfx(low, low, 0, 16);
      return;
    case "u32":
    case "i32":
      a.ldar(low, base);
      return;
    case "u64":
    case "i64":
      a.ldar(armGpr(to.number, 64), base);
  }
}
