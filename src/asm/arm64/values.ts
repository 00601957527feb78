// AArch64 instruction selection for expressions, conditions, loads and stores.
//
// Values of 32-bit type live in registers with a zero upper half, which every write of a W register leaves (Arm ARM, section B1.2.1).

import { PER_CPU_START } from "../code-buffer.ts";
import { unreachable } from "../failure.ts";
import type { RegisterFile } from "../lower/allocate.ts";
import { scaledIndex, scaleShift, withSplitBase } from "../lower/addresses.ts";
import { def, defAny, isSlot, registerSet, slotOf, use, useAny } from "../lower/instructions.ts";
import type { Location, VirtualRegister } from "../lower/instructions.ts";
import type { LeafCondition } from "../lower/routine.ts";
import { RoutineLowering } from "../lower/routine.ts";
import type { LoweringOptions } from "../lower/routine.ts";
import { addressValue, binary, fitsLowHalf, powerOfTwo, sameAddress } from "../record/expressions.ts";
import type { Routine } from "../record/routine.ts";
import type { Address, ConditionEffect, Expression, FrameSlot, Statement } from "../record/tree.ts";
import { bytesOf, isSigned, isWide, widthOf } from "../record/tree.ts";
import type { ScalarName } from "../types.ts";
import { Arm64Assembler } from "./assembler.ts";
import type { ArmLogical, ArmShift } from "./assembler.ts";
import { arithmeticImmediate, bitmaskImmediate } from "./immediates.ts";
import { armGpr, indexed, invertArmCondition, low12, offset as displaced, sp, x16, x17 } from "./registers.ts";
import type { Arm64Address, Arm64Condition, Arm64Register, Arm64Width } from "./registers.ts";

/** How an AArch64 image does atomics and masks interrupts. Fixed when the image is built; the kernel patches the same places. */
export interface Arm64Flavour {
  /** Single-instruction atomics (FEAT_LSE), or load/store-exclusive loops. */
  readonly atomics: "lse" | "llsc";
  /** Interrupts masked by PSTATE.DAIF, or by ICC_PMR_EL1 so that some can act as NMIs. */
  readonly interrupts: "daif" | "pseudo-nmi";
  /** DSB after unmasking through the PMR; not needed where ICC_CTLR_EL3.PMHE is 0. */
  readonly pmrSync: boolean;
  /** Register that points to this CPU's block; tpidr_el0 is for images that run as a user program. */
  readonly perCpuRegister: "tpidr_el1" | "tpidr_el0";
}

/** x16 and x17 are not allocated: call targets, address pieces, the state of exclusive loops. */
export const SCRATCH = 17;
export const SECOND_SCRATCH = 16;

export const ARGUMENT_REGISTERS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7];
export const CALL_CLOBBERED = registerSet(Array.from({ length: 16 }, (_, i) => i));
const CALL_SAVED = registerSet([19, 20, 21, 22, 23, 24, 25, 26, 27, 28]);

/** A memory operand whose registers are still virtual. */
export interface AddressTemplate {
  readonly registers: readonly VirtualRegister[];
  /** `first` is the position of the first of `registers` among the instruction's operands. May emit instructions with x17. */
  build(a: Arm64Assembler, locations: readonly Location[], first: number): Arm64Address;
}

const UNSIGNED = { eq: "eq", ne: "ne", lt: "lo", le: "ls", gt: "hi", ge: "hs" } as const;
const SIGNED = { eq: "eq", ne: "ne", lt: "lt", le: "le", gt: "gt", ge: "ge" } as const;
const LOGICAL = { and: "and", or: "orr", xor: "eor" } as const;

export const loc = (locations: readonly Location[], i: number): number => locations[i] ?? 0;

type Binary = Extract<Expression, { kind: "binary" }>;

/** A right operand of an arithmetic or logical instruction: a register, optionally shifted by a constant. */
interface ShiftedOperand {
  readonly register: VirtualRegister;
  readonly shift: ArmShift;
  readonly amount: number;
}

export abstract class Arm64Values extends RoutineLowering<Arm64Assembler> {
  protected readonly flavour: Arm64Flavour;
  protected readonly argumentRegisters = ARGUMENT_REGISTERS;
  protected readonly file: RegisterFile<Arm64Assembler> = {
    allocatable: [9, 10, 11, 12, 13, 14, 15, 8, 7, 6, 5, 4, 3, 2, 1, 0, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28],
    callSaved: CALL_SAVED,
    loadSlot: (a, register, slot) => {
      this.loadFromSlot(a, register, slot);
    },
    storeSlot: (a, slot, register) => {
      this.storeToSlot(a, slot, register);
    },
  };

  constructor(routine: Routine, options: LoweringOptions, flavour: Arm64Flavour) {
    super(routine, options);
    this.flavour = flavour;
  }

  protected loadFromSlot(a: Arm64Assembler, register: number, slot: number): void {
    a.ldr(armGpr(register, 64), this.stackAddress(a, this.slotOffset(slot), 3));
  }
  protected storeToSlot(a: Arm64Assembler, slot: number, register: number): void {
    a.str(armGpr(register, 64), this.stackAddress(a, this.slotOffset(slot), 3));
  }

  /** Bytes between sp and the area of slots and structs. */
  protected abstract readonly areaOffset: number;

  /** [sp, #offset], through x17 where the offset has no encoding. */
  protected stackAddress(a: Arm64Assembler, offset: number, sizeShift: number): Arm64Address {
    const distance = offset + this.areaOffset;
    if (isEncodable(distance, sizeShift)) return displaced(sp, distance);
    a.movConstant(x17, distance).add(x17, sp, x17);
    return displaced(x17);
  }

  protected temporary(): VirtualRegister {
    return this.list.newRegister();
  }

  // --- constants and copies -----------------------------------------------------------------------------------------------------

  protected setConstant(register: VirtualRegister, pattern: bigint): void {
    this.list.push([def(register)], (a, r) => {
      moveConstant(a, loc(r, 0), pattern);
    });
  }

  protected copy(to: VirtualRegister, from: VirtualRegister, width: Arm64Width): void {
    if (to === from) return;
    this.list.pair(to, from);
    this.list.push([defAny(to), useAny(from)], (a, r) => {
      this.moveLocation(a, loc(r, 0), loc(r, 1), width);
    });
  }

  protected moveLocation(a: Arm64Assembler, to: Location, from: Location, width: Arm64Width = 64): void {
    if (to === from) return;
    if (isSlot(from)) {
      const register = isSlot(to) ? SECOND_SCRATCH : to;
      this.loadFromSlot(a, register, slotOf(from));
      if (isSlot(to)) this.storeToSlot(a, slotOf(to), register);
    } else if (isSlot(to)) {
      this.storeToSlot(a, slotOf(to), from);
    } else {
      a.mov(armGpr(to, width), armGpr(from, width));
    }
  }

  // --- expressions --------------------------------------------------------------------------------------------------------------

  protected value(expression: Expression, into?: VirtualRegister): VirtualRegister {
    switch (expression.kind) {
      case "constant": {
        const to = into ?? this.temporary();
        this.setConstant(to, BigInt.asUintN(widthOf(expression.type), expression.value));
        return to;
      }
      case "local": {
        const register = this.registerFor(expression.local);
        if (into === undefined) return register;
        this.copy(into, register, widthOf(expression.type));
        return into;
      }
      case "load":
        return this.#loadValue(expression.memory, expression.address, widthOf(expression.type), into);
      case "address":
        return this.#addressValue(expression.address, into);
      case "binary":
        return this.#binary(expression, into);
      case "unary":
        return this.#unary(expression, into);
      case "convert":
        return this.#convert(expression, into);
      case "option":
        throw unreachable("an option that was not resolved");
    }
  }

  /** One instruction with one source register. */
  #oneSource(
    into: VirtualRegister | undefined,
    one: VirtualRegister,
    width: Arm64Width,
    emit: (a: Arm64Assembler, to: Arm64Register, one: Arm64Register) => void,
  ): VirtualRegister {
    const to = into ?? this.temporary();
    this.list.pair(to, one);
    this.list.push([def(to), use(one)], (a, r) => {
      emit(a, armGpr(loc(r, 0), width), armGpr(loc(r, 1), width));
    });
    return to;
  }

  #twoSource(
    into: VirtualRegister | undefined,
    one: VirtualRegister,
    other: VirtualRegister,
    width: Arm64Width,
    emit: (a: Arm64Assembler, to: Arm64Register, one: Arm64Register, other: Arm64Register) => void,
  ): VirtualRegister {
    const to = into ?? this.temporary();
    this.list.pair(to, one);
    this.list.push([def(to), use(one), use(other)], (a, r) => {
      emit(a, armGpr(loc(r, 0), width), armGpr(loc(r, 1), width), armGpr(loc(r, 2), width));
    });
    return to;
  }

  // --- addresses ----------------------------------------------------------------------------------------------------------------

  #loadValue(memoryType: ScalarName, address: Address, width: Arm64Width, into?: VirtualRegister): VirtualRegister {
    const template = this.template(address, bytesOf(memoryType));
    const to = into ?? this.temporary();
    this.list.push([def(to), ...template.registers.map(use)], (a, r) => {
      loadTyped(a, memoryType, armGpr(loc(r, 0), width), template.build(a, r, 1));
    });
    return to;
  }

  /** The address as a value in a register. */
  #addressValue(address: Address, into?: VirtualRegister): VirtualRegister {
    const { base, index, offset } = withSplitBase(address);
    if (index === undefined) return this.#baseValue(base, offset, into);
    const start = this.#baseValue(base, offset);
    const scale = withSplitBase(address).scale;
    return this.#addScaled(start, index, scale, into);
  }

  /** start + index * scale. */
  #addScaled(start: VirtualRegister, index: Expression, scale: number, into?: VirtualRegister): VirtualRegister {
    const shift = scaleShift(scale);
    const scaled = this.value(shift === undefined ? scaledIndex(index, scale) : index);
    return this.#twoSource(into, start, scaled, 64, (a, to, one, other) => a.add(to, one, other, "lsl", shift ?? 0));
  }

  /** base + offset as a value. */
  #baseValue(base: Address["base"], offset: number, into?: VirtualRegister): VirtualRegister {
    this.seesPerCpu(base);
    switch (base.kind) {
      case "value":
        if (offset === 0) return this.value(base.value, into);
        return this.#addConstant(this.value(base.value), offset, into);
      case "symbol": {
        const to = into ?? this.temporary();
        this.list.push([def(to)], (a, r) => a.symbolAddress(armGpr(loc(r, 0), 64), base.symbol, offset));
        return to;
      }
      case "frame": {
        const to = into ?? this.temporary();
        this.list.push([def(to)], (a, r) => {
          this.frameAddress(a, loc(r, 0), base.slot, offset);
        });
        return to;
      }
      case "thisCpu": {
        if (offset === 0) return this.#perCpuBase(into);
        return this.#addConstant(this.#perCpuBase(), offset, into);
      }
      case "otherCpu": {
        const block = this.#otherCpu(base.cpu, offset === 0 ? into : undefined);
        return offset === 0 ? block : this.#addConstant(block, offset, into);
      }
    }
  }

  protected frameAddress(a: Arm64Assembler, register: number, slot: FrameSlot, offset: number): void {
    const distance = this.frameOffset(slot) + this.areaOffset + offset;
    const to = armGpr(register, 64);
    if (arithmeticImmediate(BigInt(distance)) !== undefined) a.add(to, sp, distance);
    else a.movConstant(x17, distance).add(to, sp, x17);
  }

  #perCpuBase(into?: VirtualRegister): VirtualRegister {
    const to = into ?? this.temporary();
    this.list.push([def(to)], (a, r) => a.mrs(armGpr(loc(r, 0), 64), this.flavour.perCpuRegister));
    return to;
  }

  #otherCpu(cpu: Expression, into?: VirtualRegister): VirtualRegister {
    if (cpu.kind === "constant") {
      const distance = Number(cpu.value) * 2 ** this.options.perCpuShift;
      const to = into ?? this.temporary();
      this.list.push([def(to)], (a, r) => a.symbolAddress(armGpr(loc(r, 0), 64), PER_CPU_START, distance));
      return to;
    }
    const number = this.value(cpu);
    const start = this.temporary();
    this.list.push([def(start)], (a, r) => a.symbolAddress(armGpr(loc(r, 0), 64), PER_CPU_START));
    const shift = this.options.perCpuShift;
    return this.#twoSource(into, start, number, 64, (a, to, one, other) => a.add(to, one, other, "lsl", shift));
  }

  #addConstant(register: VirtualRegister, offset: number, into?: VirtualRegister): VirtualRegister {
    return this.#oneSource(into, register, 64, (a, to, one) => {
      addDistance(a, to, one, offset);
    });
  }

  /** A register that holds exactly the address: exclusives and ordered accesses have no other mode. */
  protected pointer(address: Address): VirtualRegister {
    return this.value(addressValue(address));
  }

  protected template(given: Address, bytes: 1 | 2 | 4 | 8): AddressTemplate {
    const address = withSplitBase(given);
    const { base, index, scale, offset } = address;
    const sizeShift = Math.log2(bytes);
    this.seesPerCpu(base);
    if (index !== undefined) return this.#indexedTemplate(base, index, scale, offset, sizeShift);
    switch (base.kind) {
      case "value":
        return this.#displacedTemplate(this.value(base.value), offset, sizeShift);
      case "thisCpu":
        return this.#displacedTemplate(this.#perCpuBase(), offset, sizeShift);
      case "otherCpu":
        return this.#displacedTemplate(this.#otherCpu(base.cpu), offset, sizeShift);
      case "symbol": {
        const { symbol } = base;
        const isAligned = "align" in symbol && symbol.align >= bytes && offset % bytes === 0;
        if (!isAligned) return this.#displacedTemplate(this.#baseValue(base, offset), 0, sizeShift);
        const page = this.temporary();
        this.list.push([def(page)], (a, r) => a.adrp(armGpr(loc(r, 0), 64), symbol, offset));
        return { registers: [page], build: (_, r, first) => low12(armGpr(loc(r, first), 64), symbol, offset) };
      }
      case "frame": {
        const { slot } = base;
        return { registers: [], build: (a) => this.stackAddress(a, this.frameOffset(slot) + offset, sizeShift) };
      }
    }
  }

  #displacedTemplate(base: VirtualRegister, offset: number, sizeShift: number): AddressTemplate {
    if (isEncodable(offset, sizeShift)) {
      return { registers: [base], build: (_, r, first) => displaced(armGpr(loc(r, first), 64), offset) };
    }
    const sum = this.#addConstant(base, offset);
    return { registers: [sum], build: (_, r, first) => displaced(armGpr(loc(r, first), 64)) };
  }

  /** A register offset can be scaled by the access size only, and excludes a displacement. */
  #indexedTemplate(base: Address["base"], index: Expression, scale: number, offset: number, sizeShift: number): AddressTemplate {
    const shift = scaleShift(scale);
    if (shift === 0 || shift === sizeShift) {
      const start = this.#baseValue(base, offset);
      const number = this.value(index);
      return {
        registers: [start, number],
        build: (_, r, first) => indexed(armGpr(loc(r, first), 64), armGpr(loc(r, first + 1), 64), shift),
      };
    }
    const isSymbol = base.kind === "symbol";
    const start = this.#baseValue(base, isSymbol ? offset : 0);
    const sum = this.#addScaled(start, index, scale);
    return this.#displacedTemplate(sum, isSymbol ? 0 : offset, sizeShift);
  }

  // --- arithmetic -----------------------------------------------------------------------------------------------------------------

  #binary(expression: Binary, into?: VirtualRegister): VirtualRegister {
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
        return this.#twoSource(into, this.value(left), this.value(right), widthOf(type), (a, to, one, other) => a.mul(to, one, other));
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
        return this.#oneSource(into, this.value(left), width, (a, to, one) => a[method](to, one, value));
      }
    }
    if (operator === "sub" && left.kind === "constant" && left.value === 0n) {
      return this.#oneSource(into, this.value(right), width, (a, to, one) => a.neg(to, one));
    }
    if (right.kind === "binary" && right.operator === "mul" && right.type === type) {
      return this.#multiplyAccumulate(operator === "add" ? "madd" : "msub", left, right, width, into);
    }
    const one = this.value(left);
    const other = this.#shifted(right);
    return this.#twoSource(into, one, other.register, width, (a, to, x, y) => {
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
  #shifted(expression: Expression): ShiftedOperand {
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
      return this.#oneSource(into, this.value(left), width, (a, to, one) => a.logical(method, to, one, mask));
    }
    if (operator === "and" && right.kind === "unary" && right.operator === "not") {
      const one = this.value(left);
      const other = this.#shifted(right.operand);
      return this.#twoSource(into, one, other.register, width, (a, to, x, y) => a.bic(to, x, y, other.shift, other.amount));
    }
    const one = this.value(left);
    const other = this.#shifted(right);
    return this.#twoSource(into, one, other.register, width, (a, to, x, y) =>
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
      return this.#oneSource(into, one, width, (a, to, x) => a[method](to, x, count));
    }
    return this.#twoSource(into, one, this.value(right), width, (a, to, x, y) => a[method](to, x, y));
  }

  #divide({ operator, type, left, right }: Binary, into?: VirtualRegister): VirtualRegister {
    const width = widthOf(type);
    const method = isSigned(type) ? "sdiv" : "udiv";
    const one = this.value(left);
    const other = this.value(right);
    if (operator === "div") return this.#twoSource(into, one, other, width, (a, to, x, y) => a[method](to, x, y));
    const quotient = this.#twoSource(undefined, one, other, width, (a, to, x, y) => a[method](to, x, y));
    const to = into ?? this.temporary();
    this.list.push([def(to), use(one), use(quotient), use(other)], (a, r) => {
      const register = (i: number): Arm64Register => armGpr(loc(r, i), width);
      a.msub(register(0), register(2), register(3), register(1));
    });
    return to;
  }

  #unary({ operator, type, operand }: Extract<Expression, { kind: "unary" }>, into?: VirtualRegister): VirtualRegister {
    return this.#oneSource(into, this.value(operand), widthOf(type), (a, to, one) => {
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

  #convert({ type, operand }: Extract<Expression, { kind: "convert" }>, into?: VirtualRegister): VirtualRegister {
    const toWide = isWide(type);
    if (toWide === isWide(operand.type)) return this.value(operand, into);
    if (!toWide) return this.#narrow(operand, into);
    if (!isSigned(operand.type)) return this.value(operand, into);
    if (operand.kind === "load") return this.#loadValue(operand.memory, operand.address, 64, into);
    return this.#oneSource(into, this.value(operand), 64, (a, to, one) => a.sxtw(to, one));
  }

  /** The low half: not a no-op even within one register, since it clears the upper half. */
  #narrow(operand: Expression, into?: VirtualRegister): VirtualRegister {
    if (operand.kind === "load" && bytesOf(operand.memory) === 8) return this.#loadValue("u32", operand.address, 32, into);
    if (fitsLowHalf(operand)) return this.value(operand, into);
    return this.#oneSource(into, this.value(operand), 32, (a, to, one) => a.mov(to, one));
  }

  // --- stores and loads -----------------------------------------------------------------------------------------------------------

  protected store(statement: Extract<Statement, { kind: "store" }>): void {
    const { address, memory: type, value, order } = statement;
    const bytes = bytesOf(type);
    const width = bytes === 8 ? 64 : 32;
    if (order === "plain" && this.#storeUpdate(statement)) return;
    const part = lowPart(value, bytes);
    const isZero = part.kind === "constant" && BigInt.asUintN(8 * bytes, part.value) === 0n;
    const source = isZero ? undefined : this.value(part);
    const sources = source === undefined ? [] : [use(source)];
    const sourceRegister = (r: readonly Location[]): Arm64Register => armGpr(source === undefined ? 31 : loc(r, 0), width);
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
  #storeUpdate({ address, memory: type, value }: Extract<Statement, { kind: "store" }>): boolean {
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
      this.#loadValue(type, address, width, register);
      return;
    }
    const pointer = this.pointer(address);
    this.list.push([def(register), use(pointer)], (a, r) => {
      loadAcquire(a, type, armGpr(loc(r, 0), width), armGpr(loc(r, 1), 64));
    });
  }

  // --- conditions -----------------------------------------------------------------------------------------------------------------

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
      this.#oneSource(result, register, 64, (a, to, one) => a.ubfx(to, one, bit, 1));
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
      return { register: this.#loadValue("u64", word, 64), bit: number % 64 };
    }
    const number = this.value(bit);
    const word = this.#loadValue("u64", this.wordOfBit(address, number), 64);
    const shifted = this.#twoSource(undefined, word, number, 64, (a, to, one, other) => a.lsr(to, one, other));
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
    if (isEquality && right.kind === "constant" && right.value === 0n && left.kind === "binary" && left.operator === "and") {
      this.#test(left, width);
      return condition;
    }
    const one = this.value(left);
    if (right.kind === "constant" && this.#compareImmediate(one, right.value, width)) return condition;
    const other = this.#shifted(right);
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

/** The value without conversions that only change bits a store of that many bytes drops. */
function lowPart(value: Expression, bytes: number): Expression {
  if (value.kind !== "convert") return value;
  const kept = Math.min(widthOf(value.type), widthOf(value.operand.type)) / 8;
  return bytes <= kept ? lowPart(value.operand, bytes) : value;
}

function isEncodable(offset: number, sizeShift: number): boolean {
  const isScaled = offset >= 0 && offset % (1 << sizeShift) === 0 && offset >> sizeShift < 0x1000;
  return isScaled || (offset >= -256 && offset <= 255);
}

/** to = from + distance: one instruction for 12 bits, two for 24, else through x17. */
function addDistance(a: Arm64Assembler, to: Arm64Register, from: Arm64Register, distance: number): void {
  const magnitude = Math.abs(distance);
  const method = distance < 0 ? "sub" : "add";
  if (arithmeticImmediate(BigInt(magnitude)) !== undefined) {
    a[method](to, from, magnitude);
  } else if (magnitude < 0x100_0000) {
    a[method](to, from, magnitude & 0xfff000);
    a[method](to, to, magnitude & 0xfff);
  } else {
    a.movConstant(x17, distance).add(to, from, x17);
  }
}

/** The pattern of all 64 bits; 32-bit values have a zero upper half. */
export function moveConstant(a: Arm64Assembler, register: number, pattern: bigint): void {
  if (pattern <= 0xffff_ffffn) a.movConstant(armGpr(register, 32), pattern);
  else a.movConstant(armGpr(register, 64), pattern);
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
