// AArch64 bit fields, shifts, division, bit counting and conditional selection (Arm ARM, chapter C6).

import { checkRange } from "../../code-buffer.ts";
import { invalid } from "../../failure.ts";
import { commonSf, sf } from "../encoder.ts";
import { armConditionNumber, armGpr, Arm64Register, invertArmCondition } from "../registers.ts";
import type { Arm64Condition } from "../registers.ts";
import { Arm64Arithmetic } from "./arithmetic.ts";

export abstract class Arm64Bits extends Arm64Arithmetic {
  // --- bit fields and shifts ----------------------------------------------------------------------------------------------------

  #bitField(opcode: number, to: Arm64Register, from: Arm64Register, immr: number, imms: number): this {
    const n = to.width === 64 ? 1 << 22 : 0;
    const fields =
      (checkRange(immr, 0, to.width - 1, "bit position") << 16) |
      (checkRange(imms, 0, to.width - 1, "bit width") << 10);
    return this.word(0x1300_0000 | sf(to) | (opcode << 29) | n | fields | (from.number << 5) | to.number);
  }
  sbfm(to: Arm64Register, from: Arm64Register, immr: number, imms: number): this {
    return this.#bitField(0, to, from, immr, imms);
  }
  bfm(to: Arm64Register, from: Arm64Register, immr: number, imms: number): this {
    return this.#bitField(1, to, from, immr, imms);
  }
  ubfm(to: Arm64Register, from: Arm64Register, immr: number, imms: number): this {
    return this.#bitField(2, to, from, immr, imms);
  }
  ubfx(to: Arm64Register, from: Arm64Register, lsb: number, width: number): this {
    checkRange(width, 1, to.width - checkRange(lsb, 0, to.width - 1, "lowest bit"), "number of bits");
    return this.ubfm(to, from, lsb, lsb + width - 1);
  }
  sbfx(to: Arm64Register, from: Arm64Register, lsb: number, width: number): this {
    checkRange(width, 1, to.width - checkRange(lsb, 0, to.width - 1, "lowest bit"), "number of bits");
    return this.sbfm(to, from, lsb, lsb + width - 1);
  }
  bfi(to: Arm64Register, from: Arm64Register, lsb: number, width: number): this {
    checkRange(width, 1, to.width - checkRange(lsb, 0, to.width - 1, "lowest bit"), "number of bits");
    return this.bfm(to, from, (to.width - lsb) % to.width, width - 1);
  }
  /** The low `width` bits of `from` at bit `lsb` of a register otherwise zero, or filled with the sign. */
  ubfiz(to: Arm64Register, from: Arm64Register, lsb: number, width: number): this {
    checkRange(width, 1, to.width - checkRange(lsb, 0, to.width - 1, "lowest bit"), "number of bits");
    return this.ubfm(to, from, (to.width - lsb) % to.width, width - 1);
  }
  sbfiz(to: Arm64Register, from: Arm64Register, lsb: number, width: number): this {
    checkRange(width, 1, to.width - checkRange(lsb, 0, to.width - 1, "lowest bit"), "number of bits");
    return this.sbfm(to, from, (to.width - lsb) % to.width, width - 1);
  }
  bfxil(to: Arm64Register, from: Arm64Register, lsb: number, width: number): this {
    checkRange(width, 1, to.width - checkRange(lsb, 0, to.width - 1, "lowest bit"), "number of bits");
    return this.bfm(to, from, lsb, lsb + width - 1);
  }
  /** The register's width from bit `lsb` on of the two registers side by side. */
  extr(to: Arm64Register, high: Arm64Register, low: Arm64Register, lsb: number): this {
    const n = to.width === 64 ? 1 << 22 : 0;
    return this.word(
      0x1380_0000 |
        commonSf(to, high, low) |
        n |
        (low.number << 16) |
        (checkRange(lsb, 0, to.width - 1, "lowest bit") << 10) |
        (high.number << 5) |
        to.number,
    );
  }
  sxtw(to: Arm64Register, from: Arm64Register): this {
    return this.sbfm(to, from, 0, 31);
  }

  lsl(to: Arm64Register, from: Arm64Register, amount: Arm64Register | number): this {
    if (amount instanceof Arm64Register) return this.#twoSource(0x08, to, from, amount);
    return this.ubfm(to, from, (to.width - amount) % to.width, to.width - 1 - amount);
  }
  lsr(to: Arm64Register, from: Arm64Register, amount: Arm64Register | number): this {
    if (amount instanceof Arm64Register) return this.#twoSource(0x09, to, from, amount);
    return this.ubfm(to, from, amount, to.width - 1);
  }
  asr(to: Arm64Register, from: Arm64Register, amount: Arm64Register | number): this {
    if (amount instanceof Arm64Register) return this.#twoSource(0x0a, to, from, amount);
    return this.sbfm(to, from, amount, to.width - 1);
  }
  ror(to: Arm64Register, from: Arm64Register, amount: Arm64Register | number): this {
    if (amount instanceof Arm64Register) return this.#twoSource(0x0b, to, from, amount);
    return this.extr(to, from, from, checkRange(amount, 0, to.width - 1, "shift amount"));
  }

  #twoSource(opcode: number, to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#dataProcessing(opcode, commonSf(to, one, other), to, one, other);
  }
  #dataProcessing(opcode: number, sizes: number, to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.word(0x1ac0_0000 | sizes | (other.number << 16) | (opcode << 10) | (one.number << 5) | to.number);
  }
  udiv(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#twoSource(0x02, to, one, other);
  }
  sdiv(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#twoSource(0x03, to, one, other);
  }

  /** CRC-32 of a byte, halfword, word or doubleword, with the polynomial of ISO 3309 or Castagnoli's. */
  crc32(
    part: "b" | "h" | "w" | "x",
    isCastagnoli: boolean,
    to: Arm64Register,
    sum: Arm64Register,
    data: Arm64Register,
  ): this {
    const size = { b: 0, h: 1, w: 2, x: 3 }[part];
    if (to.width !== 32 || sum.width !== 32 || data.width !== (part === "x" ? 64 : 32)) {
      const names = [to, sum, data].map((register) => register.name).join(", ");
      throw invalid("registers of other widths", { value: names, allowed: part === "x" ? "w, w, x" : "w, w, w" });
    }
    return this.#dataProcessing(0x10 | (isCastagnoli ? 4 : 0) | size, sf(data), to, sum, data);
  }

  #oneSource(opcode: number, to: Arm64Register, from: Arm64Register): this {
    return this.word(0x5ac0_0000 | commonSf(to, from) | (opcode << 10) | (from.number << 5) | to.number);
  }
  rbit(to: Arm64Register, from: Arm64Register): this {
    return this.#oneSource(0, to, from);
  }
  /** Reverses the bytes of the whole register. */
  rev(to: Arm64Register, from: Arm64Register): this {
    return this.#oneSource(to.width === 64 ? 3 : 2, to, from);
  }
  /** Reverses the bytes of each halfword. */
  rev16(to: Arm64Register, from: Arm64Register): this {
    return this.#oneSource(1, to, from);
  }
  /** Reverses the bytes of each word of 64 bits. */
  rev32(to: Arm64Register, from: Arm64Register): this {
    if (to.width !== 64) throw invalid("rev32 of that width", { value: to.name, allowed: "64 bits; 32: rev" });
    return this.#oneSource(2, to, from);
  }
  cls(to: Arm64Register, from: Arm64Register): this {
    return this.#oneSource(5, to, from);
  }
  clz(to: Arm64Register, from: Arm64Register): this {
    return this.#oneSource(4, to, from);
  }

  // --- conditional select -------------------------------------------------------------------------------------------------------

  #select(
    opcode: number,
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register,
    condition: Arm64Condition,
  ): this {
    return this.word(
      0x1a80_0000 |
        commonSf(to, one, other) |
        opcode |
        (other.number << 16) |
        (armConditionNumber(condition) << 12) |
        (one.number << 5) |
        to.number,
    );
  }
  csel(to: Arm64Register, one: Arm64Register, other: Arm64Register, condition: Arm64Condition): this {
    return this.#select(0, to, one, other, condition);
  }
  csinc(to: Arm64Register, one: Arm64Register, other: Arm64Register, condition: Arm64Condition): this {
    return this.#select(1 << 10, to, one, other, condition);
  }
  csinv(to: Arm64Register, one: Arm64Register, other: Arm64Register, condition: Arm64Condition): this {
    return this.#select(1 << 30, to, one, other, condition);
  }
  csneg(to: Arm64Register, one: Arm64Register, other: Arm64Register, condition: Arm64Condition): this {
    return this.#select((1 << 30) | (1 << 10), to, one, other, condition);
  }
  cset(to: Arm64Register, condition: Arm64Condition): this {
    const zero = armGpr(31, to.width);
    return this.csinc(to, zero, zero, invertArmCondition(condition));
  }
  /** Compares if the condition holds, else sets the flags to nzcv. */
  ccmp(one: Arm64Register, other: Arm64Register | number, nzcv: number, condition: Arm64Condition): this {
    return this.#conditionalCompare(0x7a40_0000, one, other, nzcv, condition);
  }
  ccmn(one: Arm64Register, other: Arm64Register | number, nzcv: number, condition: Arm64Condition): this {
    return this.#conditionalCompare(0x3a40_0000, one, other, nzcv, condition);
  }
  #conditionalCompare(
    opcode: number,
    one: Arm64Register,
    other: Arm64Register | number,
    nzcv: number,
    condition: Arm64Condition,
  ): this {
    const isImmediate = !(other instanceof Arm64Register);
    const operand = isImmediate ? checkRange(other, 0, 31, "5-bit immediate") : other.number;
    const form = opcode | (isImmediate ? sf(one) : commonSf(one, other)) | (isImmediate ? 1 << 11 : 0);
    return this.word(
      form |
        (operand << 16) |
        (armConditionNumber(condition) << 12) |
        (one.number << 5) |
        checkRange(nzcv, 0, 15, "flags"),
    );
  }
}
