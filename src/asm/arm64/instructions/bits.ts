// AArch64 bit fields, shifts, division, bit counting and conditional selection (Arm ARM, chapter C6).

import { checkRange } from "../../code-buffer.ts";
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
    const n = to.width === 64 ? 1 << 22 : 0;
    return this.word(
      0x1380_0000 |
        commonSf(to, from) |
        n |
        (from.number << 16) |
        (checkRange(amount, 0, to.width - 1, "shift amount") << 10) |
        (from.number << 5) |
        to.number,
    );
  }

  #twoSource(opcode: number, to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.word(
      0x1ac0_0000 | commonSf(to, one, other) | (other.number << 16) | (opcode << 10) | (one.number << 5) | to.number,
    );
  }
  udiv(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#twoSource(0x02, to, one, other);
  }
  sdiv(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#twoSource(0x03, to, one, other);
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
  cset(to: Arm64Register, condition: Arm64Condition): this {
    const zero = armGpr(31, to.width);
    return this.csinc(to, zero, zero, invertArmCondition(condition));
  }
  /** Compares if the condition holds, else sets the flags to nzcv. */
  ccmp(one: Arm64Register, other: Arm64Register | number, nzcv: number, condition: Arm64Condition): this {
    const isImmediate = !(other instanceof Arm64Register);
    const operand = isImmediate ? checkRange(other, 0, 31, "5-bit immediate") : other.number;
    const form = 0x7a40_0000 | (isImmediate ? sf(one) : commonSf(one, other)) | (isImmediate ? 1 << 11 : 0);
    return this.word(
      form |
        (operand << 16) |
        (armConditionNumber(condition) << 12) |
        (one.number << 5) |
        checkRange(nzcv, 0, 15, "flags"),
    );
  }
}
