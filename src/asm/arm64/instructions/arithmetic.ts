// AArch64 arithmetic, logic, constants and multiplication (Arm ARM, chapter C6).

import { checkRange } from "../../code-buffer.ts";
import { invalid } from "../../failure.ts";
import type { ArmImmediate } from "../encoder.ts";
import { Arm64Encoder, commonSf, sf } from "../encoder.ts";
import { arithmeticImmediate, bitmaskImmediate, constantSteps } from "../immediates.ts";
import { armGpr, Arm64Register, xzr } from "../registers.ts";

export type ArmShift = "lsl" | "lsr" | "asr" | "ror";
const SHIFTS = { lsl: 0, lsr: 1, asr: 2, ror: 3 } as const;
const EXTENDS = { uxtb: 0, uxth: 1, uxtw: 2, uxtx: 3, sxtb: 4, sxth: 5, sxtw: 6, sxtx: 7 } as const;
/** How a register is widened before it is added or subtracted. */
export type ArmExtend = keyof typeof EXTENDS;
const ADDITIONS = { add: 0, sub: 1 << 30, adds: 1 << 29, subs: 3 << 29 } as const;
const LONG_PRODUCTS = {
  smaddl: 1 << 21,
  smsubl: (1 << 21) | (1 << 15),
  umaddl: 5 << 21,
  umsubl: (5 << 21) | (1 << 15),
};
const LOGICAL = { and: 0, orr: 1, eor: 2, ands: 3 } as const;
export type ArmLogical = keyof typeof LOGICAL;

/** Destination, then two sources; the last is an immediate, or a register that a constant amount may shift. */
export type ShiftedOperands = readonly [
  to: Arm64Register,
  one: Arm64Register,
  other: Arm64Register | ArmImmediate,
  shift?: ArmShift,
  amount?: number,
];
/** The same for instructions without an immediate form. */
export type ShiftedRegisters = readonly [
  to: Arm64Register,
  one: Arm64Register,
  other: Arm64Register,
  shift?: ArmShift,
  amount?: number,
];
/** Two sources that are compared or tested: no destination. */
export type ComparedOperands = readonly [
  one: Arm64Register,
  other: Arm64Register | ArmImmediate,
  shift?: ArmShift,
  amount?: number,
];

export abstract class Arm64Arithmetic extends Arm64Encoder {
  // --- arithmetic ---------------------------------------------------------------------------------------------------------------

  /** add with a register (optionally shifted) or an immediate of 12 bits, optionally shifted by 12; negative ones become sub. */
  add(...operands: ShiftedOperands): this {
    return this.#addSub(0, ...operands);
  }
  sub(...operands: ShiftedOperands): this {
    return this.#addSub(1 << 30, ...operands);
  }
  adds(...operands: ShiftedOperands): this {
    return this.#addSub(1 << 29, ...operands);
  }
  subs(...operands: ShiftedOperands): this {
    return this.#addSub(3 << 29, ...operands);
  }
  cmp(...operands: ComparedOperands): this {
    return this.subs(armGpr(31, operands[0].width), ...operands);
  }
  cmn(...operands: ComparedOperands): this {
    return this.adds(armGpr(31, operands[0].width), ...operands);
  }

  #addSub(operation: number, ...[to, one, other, shift = "lsl", amount = 0]: ShiftedOperands): this {
    if (!(other instanceof Arm64Register)) return this.#addSubImmediate(operation, to, one, BigInt(other));
    const common = commonSf(to, one, other) | operation | (other.number << 16) | (one.number << 5) | to.number;
    // With sp as operand only the extended-register form exists: UXTX for 64 bits, UXTW for 32.
    if (to.isStackPointer || one.isStackPointer) {
      const option = to.width === 64 ? 3 : 2;
      return this.word(0x0b20_0000 | common | (option << 13) | (checkRange(amount, 0, 4, "extended shift") << 10));
    }
    if (shift === "ror") throw invalid("ror in an addition", { value: shift, allowed: "lsl, lsr, asr" });
    return this.word(0x0b00_0000 | common | (SHIFTS[shift] << 22) | shiftAmount(amount, to));
  }

  /** Flag-setting forms are not exchanged for a negative immediate: the carry of 0 and of the smallest value would differ. */
  #addSubImmediate(operation: number, to: Arm64Register, one: Arm64Register, value: bigint): this {
    const setsFlags = (operation & (1 << 29)) !== 0;
    const negate = value < 0n && !setsFlags;
    const immediate = arithmeticImmediate(negate ? -value : value);
    if (immediate === undefined) {
      throw invalid("not an add/sub immediate", { value, allowed: "12 bits, optionally shifted left by 12" });
    }
    const effective = negate ? operation ^ (1 << 30) : operation;
    const shifted = immediate.shifted ? 1 << 22 : 0;
    return this.word(
      0x1100_0000 | commonSf(to, one) | effective | shifted | (immediate.imm12 << 10) | (one.number << 5) | to.number,
    );
  }

  /** add of a register extended to the width of the others. */
  addExtended(to: Arm64Register, one: Arm64Register, other: Arm64Register, extend: ArmExtend, amount = 0): this {
    return this.extended("add", to, one, other, extend, amount);
  }
  /** add, sub, adds or subs with the last operand extended and shifted. */
  extended(
    operation: keyof typeof ADDITIONS,
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register,
    extend: ArmExtend,
    amount = 0,
  ): this {
    return this.word(
      0x0b20_0000 |
        commonSf(to, one) |
        ADDITIONS[operation] |
        (other.number << 16) |
        (EXTENDS[extend] << 13) |
        (checkRange(amount, 0, 4, "extended shift") << 10) |
        (one.number << 5) |
        to.number,
    );
  }

  adc(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.word(0x1a00_0000 | commonSf(to, one, other) | (other.number << 16) | (one.number << 5) | to.number);
  }
  adcs(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.word(0x3a00_0000 | commonSf(to, one, other) | (other.number << 16) | (one.number << 5) | to.number);
  }
  sbcs(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.word(0x7a00_0000 | commonSf(to, one, other) | (other.number << 16) | (one.number << 5) | to.number);
  }
  sbc(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.word(0x5a00_0000 | commonSf(to, one, other) | (other.number << 16) | (one.number << 5) | to.number);
  }
  neg(to: Arm64Register, from: Arm64Register): this {
    return this.sub(to, armGpr(31, to.width), from);
  }

  // --- logic --------------------------------------------------------------------------------------------------------------------

  logical(operator: ArmLogical, ...[to, one, other, shift, amount]: ShiftedOperands): this {
    if (other instanceof Arm64Register)
      return this.#logicalRegister(LOGICAL[operator], 0, to, one, other, shift, amount);
    const fields = bitmaskImmediate(BigInt(other), to.width);
    if (fields === undefined)
      throw invalid("not a bitmask immediate", { value: other, allowed: "a rotated run of ones, repeated" });
    const immediate = (fields.n << 22) | (fields.immr << 16) | (fields.imms << 10);
    return this.word(
      0x1200_0000 | commonSf(to, one) | (LOGICAL[operator] << 29) | immediate | (one.number << 5) | to.number,
    );
  }

  #logicalRegister(
    operator: number,
    inverted: 0 | 1,
    ...[to, one, other, shift = "lsl", amount = 0]: ShiftedRegisters
  ): this {
    const shifted = (SHIFTS[shift] << 22) | (inverted << 21) | shiftAmount(amount, to);
    return this.word(
      0x0a00_0000 |
        commonSf(to, one, other) |
        (operator << 29) |
        shifted |
        (other.number << 16) |
        (one.number << 5) |
        to.number,
    );
  }

  and(...operands: ShiftedOperands): this {
    return this.logical("and", ...operands);
  }
  orr(...operands: ShiftedOperands): this {
    return this.logical("orr", ...operands);
  }
  eor(...operands: ShiftedOperands): this {
    return this.logical("eor", ...operands);
  }
  ands(...operands: ShiftedOperands): this {
    return this.logical("ands", ...operands);
  }
  tst(one: Arm64Register, other: Arm64Register | ArmImmediate): this {
    return this.logical("ands", armGpr(31, one.width), one, other);
  }
  bic(...operands: ShiftedRegisters): this {
    return this.#logicalRegister(0, 1, ...operands);
  }
  orn(...operands: ShiftedRegisters): this {
    return this.#logicalRegister(1, 1, ...operands);
  }
  eon(...operands: ShiftedRegisters): this {
    return this.#logicalRegister(2, 1, ...operands);
  }
  bics(...operands: ShiftedRegisters): this {
    return this.#logicalRegister(3, 1, ...operands);
  }
  mvn(to: Arm64Register, from: Arm64Register): this {
    return this.orn(to, armGpr(31, to.width), from);
  }

  // --- moves --------------------------------------------------------------------------------------------------------------------

  /** Between registers; with sp as an operand this is an add, since number 31 means zero in orr. */
  mov(to: Arm64Register, from: Arm64Register): this {
    if (to.isStackPointer || from.isStackPointer) return this.add(to, from, 0);
    return this.orr(to, armGpr(31, to.width), from);
  }
  movz(to: Arm64Register, halfword: number, shift = 0): this {
    return this.#moveWide(2, to, halfword, shift);
  }
  movn(to: Arm64Register, halfword: number, shift = 0): this {
    return this.#moveWide(0, to, halfword, shift);
  }
  movk(to: Arm64Register, halfword: number, shift = 0): this {
    return this.#moveWide(3, to, halfword, shift);
  }
  #moveWide(opcode: number, to: Arm64Register, halfword: number, shift: number): this {
    const field = checkRange(halfword, 0, 0xffff, "16-bit immediate");
    if (shift % 16 !== 0 || shift < 0 || shift >= to.width) {
      throw invalid("shift of a halfword", { value: shift, allowed: to.width === 64 ? "0, 16, 32, 48" : "0, 16" });
    }
    return this.word(0x1280_0000 | sf(to) | (opcode << 29) | ((shift / 16) << 21) | (field << 5) | to.number);
  }
  /** Any constant, in as few instructions as possible. */
  movConstant(to: Arm64Register, value: ArmImmediate): this {
    for (const step of constantSteps(BigInt(value), to.width)) {
      if (step.kind === "orr") this.orr(to, armGpr(31, to.width), step.value);
      else this[step.kind](to, step.halfword, step.shift);
    }
    return this;
  }

  // --- multiplication -----------------------------------------------------------------------------------------------------------

  #threeSource(
    opcode: number,
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register,
    accumulator: Arm64Register,
  ): this {
    return this.word(
      0x1b00_0000 |
        commonSf(to, one, other, accumulator) |
        opcode |
        (other.number << 16) |
        (accumulator.number << 10) |
        (one.number << 5) |
        to.number,
    );
  }
  /** accumulator + one * other. */
  madd(to: Arm64Register, one: Arm64Register, other: Arm64Register, accumulator: Arm64Register): this {
    return this.#threeSource(0, to, one, other, accumulator);
  }
  msub(to: Arm64Register, one: Arm64Register, other: Arm64Register, accumulator: Arm64Register): this {
    return this.#threeSource(1 << 15, to, one, other, accumulator);
  }
  mul(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.madd(to, one, other, armGpr(31, to.width));
  }
  /** 64-bit accumulator + or - the product of two 32-bit registers, extended. */
  multiplyLong(
    name: keyof typeof LONG_PRODUCTS,
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register,
    accumulator: Arm64Register,
  ): this {
    if (to.width !== 64 || one.width !== 32 || other.width !== 32 || accumulator.width !== 64) {
      const names = [to, one, other, accumulator].map((register) => register.name).join(", ");
      throw invalid("registers of other widths", { value: names, allowed: "x, w, w, x" });
    }
    return this.word(
      0x9b00_0000 |
        LONG_PRODUCTS[name] |
        (other.number << 16) |
        (accumulator.number << 10) |
        (one.number << 5) |
        to.number,
    );
  }
  umulh(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#threeSource(6 << 21, to, one, other, xzr);
  }
  smulh(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#threeSource(2 << 21, to, one, other, xzr);
  }
}

/** The imm6 field. */
function shiftAmount(amount: number, { width }: Arm64Register): number {
  return checkRange(amount, 0, width - 1, "shift amount") << 10;
}
