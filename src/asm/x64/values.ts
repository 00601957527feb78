// x86-64 instruction selection for expressions, loads and stores.
//
// Values of 32-bit type live in registers with a zero upper half, which every 32-bit instruction leaves (SDM volume 1, 3.4.1.1).

import { loc } from "../lower/calls.ts";
import { def, held, registerSet, use } from "../lower/instructions.ts";
import type { VirtualRegister } from "../lower/instructions.ts";
import type { Binary, StoreStatement, Unary } from "../lower/values.ts";
import { lowBits, sameAddress } from "../record/expressions.ts";
import type { Address, BinaryOperator, Expression, Statement } from "../record/tree.ts";
import { bytesOf, isSigned, widthOf } from "../record/tree.ts";
import type { ScalarName } from "../types.ts";
import type { AluOperator, X64Assembler } from "./assembler.ts";
import type { MemoryTemplate } from "./operands.ts";
import { fitsImmediate, isFoldable, RAX, RCX, RDX, X64Operands } from "./operands.ts";
import { gpr, memory } from "./registers.ts";
import type { Width, X64Memory, X64Register } from "./registers.ts";

type RightOperand =
  | { readonly kind: "immediate"; readonly value: bigint }
  | { readonly kind: "memory"; readonly template: MemoryTemplate }
  | { readonly kind: "register"; readonly register: VirtualRegister };

const ALU: Readonly<Partial<Record<BinaryOperator, AluOperator>>> = {
  add: "add",
  sub: "sub",
  and: "and",
  or: "or",
  xor: "xor",
};
const COMMUTATIVE: ReadonlySet<BinaryOperator> = new Set(["add", "and", "or", "xor", "mul"]);

export abstract class X64Values extends X64Operands {
  // --- loads and addresses --------------------------------------------------------------------------------------------------------

  protected loadValue(
    memoryType: ScalarName,
    address: Address,
    width: 32 | 64,
    into?: VirtualRegister,
  ): VirtualRegister {
    const template = this.template(address);
    const to = into ?? this.temporary();
    this.list.push([def(to), ...template.registers.map(use)], (a, r) => {
      loadTyped(a, memoryType, gpr(loc(r, 0), width), (w) => template.build(w, r, 1));
    });
    return to;
  }

  /** The address itself: a copy of the base, or lea. */
  protected addressValue(address: Address, into?: VirtualRegister): VirtualRegister {
    const { base, index, offset } = address;
    if (base.kind === "value" && index === undefined && offset === 0) return this.value(base.value, into);
    if (base.kind === "thisCpu") return this.#thisCpuAddress(address, into);
    const template = this.template(address);
    const to = into ?? this.temporary();
    this.list.push([def(to), ...template.registers.map(use)], (a, r) => {
      a.lea(gpr(loc(r, 0), 64), template.build(64, r, 1));
    });
    return to;
  }

  /** The segment base can't be read cheaply; the first word of the block holds it. */
  #thisCpuAddress({ base, index, scale, offset }: Address, into?: VirtualRegister): VirtualRegister {
    this.seesPerCpu(base);
    const isWhole = index === undefined && offset === 0;
    const self = isWhole && into !== undefined ? into : this.temporary();
    this.list.push([def(self)], (a, r) => a.mov(gpr(loc(r, 0), 64), memory(64, { segment: "gs" })));
    if (isWhole) return self;
    const value = this.anonymous("u64", self);
    return this.addressValue({ base: { kind: "value", value }, index, scale, offset }, into);
  }

  // --- arithmetic -----------------------------------------------------------------------------------------------------------------

  /** The right side of an operation: immediate, memory of the same width, or register. */
  protected right(expression: Expression, width: 32 | 64): RightOperand {
    if (expression.kind === "constant" && fitsImmediate(expression.value, width)) {
      return { kind: "immediate", value: expression.value };
    }
    if (isFoldable(expression, width)) return { kind: "memory", template: this.template(expression.address) };
    return { kind: "register", register: this.value(expression) };
  }

  protected binary(expression: Binary, into?: VirtualRegister): VirtualRegister {
    const { operator } = expression;
    switch (operator) {
      case "add":
      case "sub":
      case "and":
      case "or":
      case "xor":
      case "mul":
        return this.#arithmetic(this.#foldableRight(expression), into);
      case "shl":
      case "shr":
        return this.#shift(expression, into);
      case "div":
      case "rem":
        return this.#divide(expression, into);
    }
  }

  /** A memory operand can only stand on the right. */
  #foldableRight(expression: Binary): Binary {
    const { operator, left, right } = expression;
    const width = widthOf(expression.type);
    if (
      !COMMUTATIVE.has(operator) ||
      !isFoldable(left, width) ||
      isFoldable(right, width) ||
      right.kind === "constant"
    ) {
      return expression;
    }
    return { ...expression, left: right, right: left };
  }

  #arithmetic(expression: Binary, into?: VirtualRegister): VirtualRegister {
    const { operator, type, left, right } = expression;
    const width = widthOf(type);
    if (operator === "and" && right.kind === "constant" && right.value === 0xffff_ffffn && width === 64) {
      return this.narrow(left, into);
    }
    const one = this.value(left);
    const other = this.right(right, width);
    const memoryRegisters = other.kind === "memory" ? other.template.registers : [];
    const isUnsafe = into !== undefined && into !== one && memoryRegisters.includes(into);
    const to = into === undefined || isUnsafe ? this.temporary() : into;
    this.list.pair(to, one);
    const isMultiplication = operator === "mul";
    const apply = (a: X64Assembler, target: X64Register, operand: X64Register | X64Memory | bigint): void => {
      if (!isMultiplication) a.alu(ALU[operator] ?? "add", target, operand);
      else if (typeof operand === "bigint") a.imul(target, target, operand);
      else a.imul(target, operand);
    };
    const commutes = COMMUTATIVE.has(operator);
    if (other.kind === "register") {
      this.list.push([def(to), use(one), use(other.register)], (a, r) => {
        combine(a, operator, gpr(loc(r, 0), width), gpr(loc(r, 1), width), gpr(loc(r, 2), width), commutes, apply);
      });
    } else if (other.kind === "immediate") {
      this.list.push([def(to), use(one)], (a, r) => {
        combineImmediate(a, operator, gpr(loc(r, 0), width), gpr(loc(r, 1), width), other.value, apply);
      });
    } else {
      const { template } = other;
      this.list.push([def(to), use(one), ...template.registers.map(held)], (a, r) => {
        const target = gpr(loc(r, 0), width);
        if (loc(r, 0) !== loc(r, 1)) a.mov(target, gpr(loc(r, 1), width));
        apply(a, target, template.build(width, r, 2));
      });
    }
    if (into !== undefined && into !== to) this.copy(into, to, width);
    return into ?? to;
  }

  #shift({ operator, type, left, right }: Binary, into?: VirtualRegister): VirtualRegister {
    const width = widthOf(type);
    const kind = operator === "shl" ? "shl" : isSigned(type) ? "sar" : "shr";
    const one = this.value(left);
    const to = into ?? this.temporary();
    this.list.pair(to, one);
    if (right.kind === "constant") {
      const count = Number(right.value);
      this.list.push([def(to), use(one)], (a, r) => {
        moveRegister(a, width, loc(r, 0), loc(r, 1));
        a.shift(kind, gpr(loc(r, 0), width), count);
      });
      return to;
    }
    const count = this.value(right);
    this.list.push(
      [def(to), use(one), use(count)],
      (a, r) => {
        a.mov(gpr(RCX, 32), gpr(loc(r, 2), 32));
        moveRegister(a, width, loc(r, 0), loc(r, 1));
        a.shift(kind, gpr(loc(r, 0), width), "cl");
      },
      { all: registerSet([RCX]) },
    );
    return to;
  }

  #divide({ operator, type, left, right }: Binary, into?: VirtualRegister): VirtualRegister {
    const width = widthOf(type);
    const one = this.value(left);
    const other = this.value(right);
    const to = into ?? this.temporary();
    const from = operator === "div" ? RAX : RDX;
    this.list.hint(to, from);
    this.list.push(
      [def(to), use(one), use(other)],
      (a, r) => {
        a.mov(gpr(RAX, width), gpr(loc(r, 1), width));
        const divisor = gpr(loc(r, 2), width);
        if (!isSigned(type)) a.xor(gpr(RDX, 32), gpr(RDX, 32)).div(divisor);
        else (width === 64 ? a.cqo() : a.cdq()).idiv(divisor);
        moveRegister(a, width, loc(r, 0), from);
      },
      { operands: registerSet([RAX, RDX]) },
    );
    return to;
  }

  protected unary({ operator, type, operand }: Unary, into?: VirtualRegister): VirtualRegister {
    const width = widthOf(type);
    const one = this.value(operand);
    const to = into ?? this.temporary();
    this.list.pair(to, one);
    this.list.push([def(to), use(one)], (a, r) => {
      const target = gpr(loc(r, 0), width);
      const source = gpr(loc(r, 1), width);
      switch (operator) {
        case "neg":
        case "not":
          moveRegister(a, width, loc(r, 0), loc(r, 1));
          a[operator](target);
          return;
        case "ctz":
          a.tzcnt(target, source);
          return;
        case "clz":
          a.lzcnt(target, source);
      }
    });
    return to;
  }

  protected signExtend(one: VirtualRegister, into?: VirtualRegister): VirtualRegister {
    return this.#extended(one, into, (a, to, from) => a.movsxd(gpr(to, 64), gpr(from, 32)));
  }
  protected lowHalf(one: VirtualRegister, into?: VirtualRegister): VirtualRegister {
    return this.#extended(one, into, (a, to, from) => a.mov(gpr(to, 32), gpr(from, 32)));
  }
  #extended(
    one: VirtualRegister,
    into: VirtualRegister | undefined,
    emit: (a: X64Assembler, to: number, from: number) => void,
  ): VirtualRegister {
    const to = into ?? this.temporary();
    this.list.pair(to, one);
    this.list.push([def(to), use(one)], (a, r) => {
      emit(a, loc(r, 0), loc(r, 1));
    });
    return to;
  }

  // --- stores and loads -----------------------------------------------------------------------------------------------------------

  /** A release store is a plain one under TSO. */
  protected store(statement: StoreStatement): void {
    const { address, memory: memoryType, order } = statement;
    const width = (8 * bytesOf(memoryType)) as Width;
    if (order === "plain" && this.#storeUpdate(statement, width)) return;
    const value = lowBits(statement.value, width);
    if (value.kind === "constant" && fitsImmediate(value.value, width)) {
      const template = this.template(address);
      const immediate = BigInt.asIntN(width, value.value);
      this.list.push(template.registers.map(use), (a, r) => a.mov(template.build(width, r, 0), immediate));
      return;
    }
    const source = this.value(value);
    const template = this.template(address);
    this.list.push([use(source), ...template.registers.map(use)], (a, r) => {
      a.mov(template.build(width, r, 1), gpr(loc(r, 0), width));
    });
  }

  /** x = x op y as one instruction on memory. */
  #storeUpdate({ address, memory: memoryType, value }: StoreStatement, width: Width): boolean {
    if (value.kind !== "binary" || value.left.kind !== "load") return false;
    const operator = ALU[value.operator];
    if (operator === undefined || value.left.memory !== memoryType || !sameAddress(value.left.address, address))
      return false;
    const { right } = value;
    if (right.kind === "constant") {
      const immediate = BigInt.asIntN(width, right.value);
      if (!fitsImmediate(immediate, width)) return false;
      const template = this.template(address);
      this.list.push(template.registers.map(use), (a, r) => a.alu(operator, template.build(width, r, 0), immediate));
      return true;
    }
    const source = this.value(right);
    const template = this.template(address);
    this.list.push([use(source), ...template.registers.map(use)], (a, r) => {
      a.alu(operator, template.build(width, r, 1), gpr(loc(r, 0), width));
    });
    return true;
  }

  protected load({ result, address, memory: memoryType }: Extract<Statement, { kind: "load" }>): void {
    this.loadValue(memoryType, address, widthOf(result.type), this.registerFor(result));
  }
}

function moveRegister(a: X64Assembler, width: Width, to: number, from: number): void {
  if (to !== from) a.mov(gpr(to, width), gpr(from, width));
}

function loadTyped(a: X64Assembler, type: ScalarName, to: X64Register, from: (width: Width) => X64Memory): void {
  const low = gpr(to.number, 32);
  switch (type) {
    case "u8":
    case "u16":
      a.movzx(low, from(type === "u8" ? 8 : 16));
      return;
    case "i8":
    case "i16":
      a.movsx(to, from(type === "i8" ? 8 : 16));
      return;
    case "i32":
      if (to.width === 64) a.movsxd(to, from(32));
      else a.mov(low, from(32));
      return;
    case "u32":
      a.mov(low, from(32));
      return;
    case "u64":
    case "i64":
      a.mov(gpr(to.number, 64), from(64));
  }
}

type Apply = (a: X64Assembler, target: X64Register, operand: X64Register | X64Memory | bigint) => void;

/** to = one op other, whatever registers they share. */
function combine(
  a: X64Assembler,
  operator: BinaryOperator,
  to: X64Register,
  one: X64Register,
  other: X64Register,
  commutes: boolean,
  apply: Apply,
): void {
  if (to === one) {
    apply(a, to, other);
  } else if (to === other && commutes) {
    apply(a, to, one);
  } else if (to === other) {
    // Only subtraction is left: one - other = -other + one.
    a.neg(to).add(to, one);
  } else if (operator === "add") {
    a.lea(to, memory(to.width, { base: gpr(one.number, 64), index: gpr(other.number, 64) }));
  } else {
    a.mov(to, one);
    apply(a, to, other);
  }
}

function combineImmediate(
  a: X64Assembler,
  operator: BinaryOperator,
  to: X64Register,
  one: X64Register,
  value: bigint,
  apply: Apply,
): void {
  if (operator === "mul") {
    a.imul(to, one, value);
    return;
  }
  const signed = BigInt.asIntN(to.width, value);
  if (operator === "add" && to !== one) {
    a.lea(to, memory(to.width, { base: gpr(one.number, 64), displacement: Number(signed) }));
    return;
  }
  if (to !== one) a.mov(to, one);
  // sub of the smallest 8-bit number has a shorter immediate than add of 128.
  if (operator === "add" && (signed === 128n || (signed < 0n && signed !== -128n && signed !== -0x8000_0000n)))
    a.sub(to, -signed);
  else apply(a, to, signed);
}
