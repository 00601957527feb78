// AArch64 instructions, as a guest kernel needs them (Arm ARM, chapter C6; one method per mnemonic; operand order is Arm's).

import type { Label, LinkSymbol, RelocationKind } from "../code-buffer.ts";
import { checkRange, CodeBuffer } from "../code-buffer.ts";
import { invalid } from "../failure.ts";
import { arithmeticImmediate, bitmaskImmediate, constantSteps } from "./immediates.ts";
import { armConditionNumber, armGpr, Arm64Register, invertArmCondition, xzr } from "./registers.ts";
import type { Arm64Address, Arm64Condition, Arm64Width, Extend } from "./registers.ts";
import { BARRIERS, PSTATE_FIELDS, SYSTEM_INSTRUCTIONS, systemRegister } from "./system-registers.ts";
import type { Barrier, PstateField, SystemInstruction, SystemRegister } from "./system-registers.ts";

export type ArmImmediate = number | bigint;
export type ArmShift = "lsl" | "lsr" | "asr" | "ror";
/** Acquire and release bits of an atomic. */
export type ArmOrdering = "" | "a" | "l" | "al";

const SHIFTS = { lsl: 0, lsr: 1, asr: 2, ror: 3 } as const;
const EXTENDS: Readonly<Record<Extend, number>> = { uxtw: 2, lsl: 3, sxtw: 6, sxtx: 7 };
const LOGICAL = { and: 0, orr: 1, eor: 2, ands: 3 } as const;
export type ArmLogical = keyof typeof LOGICAL;
const ATOMICS = { add: 0, clr: 1, eor: 2, set: 3 } as const;
export type ArmAtomic = keyof typeof ATOMICS;

function sf(register: Arm64Register): number {
  return register.width === 64 ? 1 << 31 : 0;
}

export class Arm64Assembler extends CodeBuffer {
  #word(word: number): this {
    this.word32(word >>> 0);
    return this;
  }

  // --- arithmetic ---------------------------------------------------------------------------------------------------------------

  /** add with a register (optionally shifted) or an immediate of 12 bits, optionally shifted by 12; negative ones become sub. */
  add(
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register | ArmImmediate,
    shift: ArmShift = "lsl",
    amount = 0,
  ): this {
    return this.#addSub(0, to, one, other, shift, amount);
  }
  sub(
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register | ArmImmediate,
    shift: ArmShift = "lsl",
    amount = 0,
  ): this {
    return this.#addSub(1 << 30, to, one, other, shift, amount);
  }
  adds(
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register | ArmImmediate,
    shift: ArmShift = "lsl",
    amount = 0,
  ): this {
    return this.#addSub(1 << 29, to, one, other, shift, amount);
  }
  subs(
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register | ArmImmediate,
    shift: ArmShift = "lsl",
    amount = 0,
  ): this {
    return this.#addSub(3 << 29, to, one, other, shift, amount);
  }
  cmp(one: Arm64Register, other: Arm64Register | ArmImmediate, shift: ArmShift = "lsl", amount = 0): this {
    return this.subs(armGpr(31, one.width), one, other, shift, amount);
  }
  cmn(one: Arm64Register, other: Arm64Register | ArmImmediate, shift: ArmShift = "lsl", amount = 0): this {
    return this.adds(armGpr(31, one.width), one, other, shift, amount);
  }

  #addSub(
    operation: number,
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register | ArmImmediate,
    shift: ArmShift,
    amount: number,
  ): this {
    if (!(other instanceof Arm64Register)) return this.#addSubImmediate(operation, to, one, BigInt(other));
    const common = sf(to) | operation | (other.number << 16) | (one.number << 5) | to.number;
    // With sp as operand only the extended-register form exists: UXTX for 64 bits, UXTW for 32.
    if (to.isStackPointer || one.isStackPointer) {
      const option = to.width === 64 ? 3 : 2;
      return this.#word(0x0b20_0000 | common | (option << 13) | (checkRange(amount, 0, 4, "extended shift") << 10));
    }
    return this.#word(0x0b00_0000 | common | (SHIFTS[shift] << 22) | (amount << 10));
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
    return this.#word(
      0x1100_0000 | sf(to) | effective | shifted | (immediate.imm12 << 10) | (one.number << 5) | to.number,
    );
  }

  /** add of a 32-bit register extended to 64 bits. */
  addExtended(to: Arm64Register, one: Arm64Register, other: Arm64Register, extend: "uxtw" | "sxtw", amount = 0): this {
    const option = EXTENDS[extend];
    return this.#word(
      0x8b20_0000 | (other.number << 16) | (option << 13) | (amount << 10) | (one.number << 5) | to.number,
    );
  }

  adc(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#word(0x1a00_0000 | sf(to) | (other.number << 16) | (one.number << 5) | to.number);
  }
  sbc(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#word(0x5a00_0000 | sf(to) | (other.number << 16) | (one.number << 5) | to.number);
  }
  neg(to: Arm64Register, from: Arm64Register): this {
    return this.sub(to, armGpr(31, to.width), from);
  }

  // --- logic --------------------------------------------------------------------------------------------------------------------

  logical(
    operator: ArmLogical,
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register | ArmImmediate,
    shift: ArmShift = "lsl",
    amount = 0,
  ): this {
    if (other instanceof Arm64Register)
      return this.#logicalRegister(LOGICAL[operator], 0, to, one, other, shift, amount);
    const fields = bitmaskImmediate(BigInt(other), to.width);
    if (fields === undefined) throw invalid("not a bitmask immediate", { value: other });
    const immediate = (fields.n << 22) | (fields.immr << 16) | (fields.imms << 10);
    return this.#word(0x1200_0000 | sf(to) | (LOGICAL[operator] << 29) | immediate | (one.number << 5) | to.number);
  }

  #logicalRegister(
    operator: number,
    inverted: 0 | 1,
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register,
    shift: ArmShift,
    amount: number,
  ): this {
    const shifted = (SHIFTS[shift] << 22) | (inverted << 21) | (amount << 10);
    return this.#word(
      0x0a00_0000 | sf(to) | (operator << 29) | shifted | (other.number << 16) | (one.number << 5) | to.number,
    );
  }

  and(
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register | ArmImmediate,
    shift: ArmShift = "lsl",
    amount = 0,
  ): this {
    return this.logical("and", to, one, other, shift, amount);
  }
  orr(
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register | ArmImmediate,
    shift: ArmShift = "lsl",
    amount = 0,
  ): this {
    return this.logical("orr", to, one, other, shift, amount);
  }
  eor(
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register | ArmImmediate,
    shift: ArmShift = "lsl",
    amount = 0,
  ): this {
    return this.logical("eor", to, one, other, shift, amount);
  }
  ands(
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register | ArmImmediate,
    shift: ArmShift = "lsl",
    amount = 0,
  ): this {
    return this.logical("ands", to, one, other, shift, amount);
  }
  tst(one: Arm64Register, other: Arm64Register | ArmImmediate): this {
    return this.logical("ands", armGpr(31, one.width), one, other);
  }
  bic(to: Arm64Register, one: Arm64Register, other: Arm64Register, shift: ArmShift = "lsl", amount = 0): this {
    return this.#logicalRegister(0, 1, to, one, other, shift, amount);
  }
  orn(to: Arm64Register, one: Arm64Register, other: Arm64Register, shift: ArmShift = "lsl", amount = 0): this {
    return this.#logicalRegister(1, 1, to, one, other, shift, amount);
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
    return this.#word(0x1280_0000 | sf(to) | (opcode << 29) | ((shift / 16) << 21) | (field << 5) | to.number);
  }
  /** Any constant, in as few instructions as possible. */
  movConstant(to: Arm64Register, value: ArmImmediate): this {
    for (const step of constantSteps(BigInt(value), to.width)) {
      if (step.kind === "orr") this.orr(to, armGpr(31, to.width), step.value);
      else this[step.kind](to, step.halfword, step.shift);
    }
    return this;
  }

  // --- bit fields and shifts ----------------------------------------------------------------------------------------------------

  #bitField(opcode: number, to: Arm64Register, from: Arm64Register, immr: number, imms: number): this {
    const n = to.width === 64 ? 1 << 22 : 0;
    const fields =
      (checkRange(immr, 0, to.width - 1, "bit position") << 16) |
      (checkRange(imms, 0, to.width - 1, "bit width") << 10);
    return this.#word(0x1300_0000 | sf(to) | (opcode << 29) | n | fields | (from.number << 5) | to.number);
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
    return this.ubfm(to, from, lsb, lsb + width - 1);
  }
  sbfx(to: Arm64Register, from: Arm64Register, lsb: number, width: number): this {
    return this.sbfm(to, from, lsb, lsb + width - 1);
  }
  bfi(to: Arm64Register, from: Arm64Register, lsb: number, width: number): this {
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
    return this.#word(0x1380_0000 | sf(to) | n | (from.number << 16) | (amount << 10) | (from.number << 5) | to.number);
  }

  #twoSource(opcode: number, to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#word(0x1ac0_0000 | sf(to) | (other.number << 16) | (opcode << 10) | (one.number << 5) | to.number);
  }
  udiv(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#twoSource(0x02, to, one, other);
  }
  sdiv(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#twoSource(0x03, to, one, other);
  }

  #oneSource(opcode: number, to: Arm64Register, from: Arm64Register): this {
    return this.#word(0x5ac0_0000 | sf(to) | (opcode << 10) | (from.number << 5) | to.number);
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

  // --- multiplication -----------------------------------------------------------------------------------------------------------

  #threeSource(
    opcode: number,
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register,
    accumulator: Arm64Register,
  ): this {
    return this.#word(
      0x1b00_0000 | sf(to) | opcode | (other.number << 16) | (accumulator.number << 10) | (one.number << 5) | to.number,
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
  umulh(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#threeSource(6 << 21, to, one, other, xzr);
  }
  smulh(to: Arm64Register, one: Arm64Register, other: Arm64Register): this {
    return this.#threeSource(2 << 21, to, one, other, xzr);
  }

  // --- conditional select -------------------------------------------------------------------------------------------------------

  #select(
    opcode: number,
    to: Arm64Register,
    one: Arm64Register,
    other: Arm64Register,
    condition: Arm64Condition,
  ): this {
    return this.#word(
      0x1a80_0000 |
        sf(to) |
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
    const form = 0x7a40_0000 | sf(one) | (isImmediate ? 1 << 11 : 0);
    return this.#word(form | (operand << 16) | (armConditionNumber(condition) << 12) | (one.number << 5) | nzcv);
  }

  // --- branches -----------------------------------------------------------------------------------------------------------------

  b(label: string | Label): this {
    return this.#branch(0x1400_0000, label, 26, 0);
  }
  bl(label: string | Label): this {
    return this.#branch(0x9400_0000, label, 26, 0);
  }
  bcond(condition: Arm64Condition, label: string | Label): this {
    return this.#branch(0x5400_0000 | armConditionNumber(condition), label, 19, 5);
  }
  cbz(register: Arm64Register, label: string | Label): this {
    return this.#branch(0x3400_0000 | sf(register) | register.number, label, 19, 5);
  }
  cbnz(register: Arm64Register, label: string | Label): this {
    return this.#branch(0x3500_0000 | sf(register) | register.number, label, 19, 5);
  }
  tbz(register: Arm64Register, bit: number, label: string | Label): this {
    return this.#testBranch(0x3600_0000, register, bit, label);
  }
  tbnz(register: Arm64Register, bit: number, label: string | Label): this {
    return this.#testBranch(0x3700_0000, register, bit, label);
  }
  #testBranch(opcode: number, register: Arm64Register, bit: number, label: string | Label): this {
    checkRange(bit, 0, register.width - 1, "bit number");
    return this.#branch(opcode | ((bit >> 5) << 31) | ((bit & 31) << 19) | register.number, label, 14, 5);
  }

  /** A branch to a label of this routine: a signed word offset of `bits` bits at bit `position`. */
  #branch(opcode: number, label: string | Label, bits: number, position: number): this {
    this.fixup(label, (view, at, target) => {
      const limit = 2 ** (bits - 1);
      const words = checkRange((target - at) / 4, -limit, limit - 1, `branch distance of ${bits} bits`);
      const field = (words & (2 ** bits - 1)) << position;
      view.setUint32(at, (view.getUint32(at, true) | field) >>> 0, true);
    });
    return this.#word(opcode);
  }

  /** To another routine. */
  call(symbol: LinkSymbol): this {
    this.relocate("call26", symbol, 0);
    return this.#word(0x9400_0000);
  }
  jumpTo(symbol: LinkSymbol): this {
    this.relocate("call26", symbol, 0);
    return this.#word(0x1400_0000);
  }
  br(target: Arm64Register): this {
    return this.#word(0xd61f_0000 | (target.number << 5));
  }
  blr(target: Arm64Register): this {
    return this.#word(0xd63f_0000 | (target.number << 5));
  }
  ret(target: Arm64Register = armGpr(30, 64)): this {
    return this.#word(0xd65f_0000 | (target.number << 5));
  }
  eret(): this {
    return this.#word(0xd69f_03e0);
  }

  // --- addresses ----------------------------------------------------------------------------------------------------------------

  /** The address of a label of this routine. */
  adr(to: Arm64Register, label: string | Label): this {
    this.fixup(label, (view, at, target) => {
      const distance = checkRange(target - at, -0x10_0000, 0xf_ffff, "adr distance");
      const field = ((distance & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5);
      view.setUint32(at, (view.getUint32(at, true) | field) >>> 0, true);
    });
    return this.#word(0x1000_0000 | to.number);
  }
  /** The 4 KiB page of a symbol's address. */
  adrp(to: Arm64Register, symbol: LinkSymbol, addend = 0): this {
    this.relocate("adrPage21", symbol, addend);
    return this.#word(0x9000_0000 | to.number);
  }
  /** Adds the low twelve bits of a symbol's address. */
  addLow12(to: Arm64Register, from: Arm64Register, symbol: LinkSymbol, addend = 0): this {
    this.relocate("addLow12", symbol, addend);
    return this.#word(0x9100_0000 | (from.number << 5) | to.number);
  }
  /** The address of a symbol: adrp and add. */
  symbolAddress(to: Arm64Register, symbol: LinkSymbol, addend = 0): this {
    return this.adrp(to, symbol, addend).addLow12(to, to, symbol, addend);
  }

  // --- loads and stores ---------------------------------------------------------------------------------------------------------

  ldr(to: Arm64Register, from: Arm64Address): this {
    return this.#access(to.width === 64 ? 3 : 2, 1, to, from);
  }
  str(from: Arm64Register, to: Arm64Address): this {
    return this.#access(from.width === 64 ? 3 : 2, 0, from, to);
  }
  ldrb(to: Arm64Register, from: Arm64Address): this {
    return this.#access(0, 1, to, from);
  }
  strb(from: Arm64Register, to: Arm64Address): this {
    return this.#access(0, 0, from, to);
  }
  ldrh(to: Arm64Register, from: Arm64Address): this {
    return this.#access(1, 1, to, from);
  }
  strh(from: Arm64Register, to: Arm64Address): this {
    return this.#access(1, 0, from, to);
  }
  ldrsb(to: Arm64Register, from: Arm64Address): this {
    return this.#access(0, to.width === 64 ? 2 : 3, to, from);
  }
  ldrsh(to: Arm64Register, from: Arm64Address): this {
    return this.#access(1, to.width === 64 ? 2 : 3, to, from);
  }
  ldrsw(to: Arm64Register, from: Arm64Address): this {
    return this.#access(2, 2, to, from);
  }
  /** Prefetch for store, level 1, keep. */
  prfmStore(address: Arm64Address): this {
    return this.#access(3, 2, armGpr(16, 64), address);
  }

  #access(size: number, opcode: number, register: Arm64Register, address: Arm64Address): this {
    const { base, offset, index, mode, low12 } = address;
    const common = 0x3800_0000 | (size << 30) | (opcode << 22) | (base.number << 5) | register.number;
    if (index !== undefined) {
      if (address.shift !== 0 && address.shift !== size) throw invalid("index shift must be 0 or the access size");
      const scaled = address.shift === 0 ? 0 : 1 << 12;
      return this.#word(common | 0x0020_0800 | (index.number << 16) | (EXTENDS[address.extend] << 13) | scaled);
    }
    if (low12 !== undefined) {
      this.relocate(`load${(8 << size) as 8 | 16 | 32 | 64}Low12` satisfies RelocationKind, low12, offset);
      return this.#word(common | 0x0100_0000);
    }
    if (mode === "offset" && isScaled12(offset, size))
      return this.#word(common | 0x0100_0000 | ((offset >> size) << 10));
    const imm9 = (checkRange(offset, -256, 255, "unscaled offset") & 0x1ff) << 12;
    return this.#word(common | imm9 | { offset: 0, post: 1 << 10, pre: 3 << 10 }[mode]);
  }

  ldp(one: Arm64Register, two: Arm64Register, from: Arm64Address): this {
    return this.#pair(1, one, two, from);
  }
  stp(one: Arm64Register, two: Arm64Register, to: Arm64Address): this {
    return this.#pair(0, one, two, to);
  }
  #pair(isLoad: 0 | 1, one: Arm64Register, two: Arm64Register, { base, offset, mode }: Arm64Address): this {
    const bytes = one.width / 8;
    if (offset % bytes !== 0)
      throw invalid("offset of a pair must be a multiple of the register size", { value: offset });
    const imm7 = checkRange(offset / bytes, -64, 63, "pair offset") & 0x7f;
    const form = { post: 1, offset: 2, pre: 3 }[mode] << 23;
    const size = one.width === 64 ? 1 << 31 : 0;
    return this.#word(
      0x2800_0000 | size | form | (isLoad << 22) | (imm7 << 15) | (two.number << 10) | (base.number << 5) | one.number,
    );
  }

  // --- ordered and exclusive accesses: base register only -------------------------------------------------------------------------

  #exclusive(fields: number, size: number, status: number, register: Arm64Register, base: Arm64Register): this {
    return this.#word(0x0800_7c00 | (size << 30) | fields | (status << 16) | (base.number << 5) | register.number);
  }
  ldar(to: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x00c0_8000, accessSize(to), 31, to, base);
  }
  ldarb(to: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x00c0_8000, 0, 31, to, base);
  }
  ldarh(to: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x00c0_8000, 1, 31, to, base);
  }
  stlr(from: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x0080_8000, accessSize(from), 31, from, base);
  }
  stlrb(from: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x0080_8000, 0, 31, from, base);
  }
  stlrh(from: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x0080_8000, 1, 31, from, base);
  }
  /** Load-acquire with the weaker RCpc ordering. */
  ldapr(to: Arm64Register, base: Arm64Register): this {
    return this.#word(0x38bf_c000 | (accessSize(to) << 30) | (base.number << 5) | to.number);
  }
  ldxr(to: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x0040_0000, accessSize(to), 31, to, base);
  }
  ldaxr(to: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x0040_8000, accessSize(to), 31, to, base);
  }
  stxr(status: Arm64Register, from: Arm64Register, base: Arm64Register): this {
    checkStatus(status, from, base);
    return this.#exclusive(0, accessSize(from), status.number, from, base);
  }
  stlxr(status: Arm64Register, from: Arm64Register, base: Arm64Register): this {
    checkStatus(status, from, base);
    return this.#exclusive(0x8000, accessSize(from), status.number, from, base);
  }
  clrex(): this {
    return this.#word(0xd503_3f5f);
  }

  // --- atomics of FEAT_LSE --------------------------------------------------------------------------------------------------------

  /** `expected` receives the old value. */
  cas(ordering: ArmOrdering, expected: Arm64Register, desired: Arm64Register, base: Arm64Register): this {
    const acquire = ordering.startsWith("a") ? 1 << 22 : 0;
    const release = ordering.endsWith("l") ? 1 << 15 : 0;
    return this.#word(
      0x08a0_7c00 |
        (accessSize(desired) << 30) |
        acquire |
        release |
        (expected.number << 16) |
        (base.number << 5) |
        desired.number,
    );
  }
  swp(ordering: ArmOrdering, from: Arm64Register, old: Arm64Register, base: Arm64Register): this {
    return this.#atomic(8, ordering, from, old, base);
  }
  /** ldadd, ldclr, ldeor or ldset: `old` receives the old value. */
  ld(operator: ArmAtomic, ordering: ArmOrdering, from: Arm64Register, old: Arm64Register, base: Arm64Register): this {
    return this.#atomic(ATOMICS[operator], ordering, from, old, base);
  }
  /** stadd, stclr, steor or stset: no result, so no acquire. */
  st(operator: ArmAtomic, ordering: "" | "l", from: Arm64Register, base: Arm64Register): this {
    return this.#atomic(ATOMICS[operator], ordering, from, armGpr(31, from.width), base);
  }
  #atomic(opcode: number, ordering: ArmOrdering, from: Arm64Register, old: Arm64Register, base: Arm64Register): this {
    const acquire = ordering.startsWith("a") ? 1 << 23 : 0;
    const release = ordering.endsWith("l") ? 1 << 22 : 0;
    const size = accessSize(from) << 30;
    return this.#word(
      0x3820_0000 | size | acquire | release | (from.number << 16) | (opcode << 12) | (base.number << 5) | old.number,
    );
  }

  // --- barriers, hints, waiting -------------------------------------------------------------------------------------------------

  dmb(barrier: Barrier): this {
    return this.#word(0xd503_30bf | (BARRIERS[barrier] << 8));
  }
  dsb(barrier: Barrier): this {
    return this.#word(0xd503_309f | (BARRIERS[barrier] << 8));
  }
  isb(): this {
    return this.#word(0xd503_3fdf);
  }
  /** Speculation barrier. */
  sb(): this {
    return this.#word(0xd503_30ff);
  }
  hint(number: number): this {
    return this.#word(0xd503_201f | (checkRange(number, 0, 127, "hint") << 5));
  }
  nop(): this {
    return this.hint(0);
  }
  yield(): this {
    return this.hint(1);
  }
  wfe(): this {
    return this.hint(2);
  }
  wfi(): this {
    return this.hint(3);
  }
  sev(): this {
    return this.hint(4);
  }
  sevl(): this {
    return this.hint(5);
  }
  /** FEAT_WFxT: with a deadline in CNTVCT ticks. */
  wfet(deadline: Arm64Register): this {
    return this.#word(0xd503_1000 | deadline.number);
  }
  wfit(deadline: Arm64Register): this {
    return this.#word(0xd503_1020 | deadline.number);
  }

  // --- exceptions and system ----------------------------------------------------------------------------------------------------

  #exception(opcode: number, immediate: number): this {
    return this.#word(opcode | (checkRange(immediate, 0, 0xffff, "16-bit immediate") << 5));
  }
  svc(immediate = 0): this {
    return this.#exception(0xd400_0001, immediate);
  }
  hvc(immediate = 0): this {
    return this.#exception(0xd400_0002, immediate);
  }
  smc(immediate = 0): this {
    return this.#exception(0xd400_0003, immediate);
  }
  brk(immediate = 0): this {
    return this.#exception(0xd420_0000, immediate);
  }
  hlt(immediate = 0): this {
    return this.#exception(0xd440_0000, immediate);
  }
  udf(immediate = 0): this {
    return this.#word(checkRange(immediate, 0, 0xffff, "16-bit immediate"));
  }
  mrs(to: Arm64Register, register: SystemRegister): this {
    return this.#systemMove(1 << 21, to, register);
  }
  msr(register: SystemRegister, from: Arm64Register): this {
    return this.#systemMove(0, from, register);
  }
  #systemMove(direction: number, register: Arm64Register, name: SystemRegister): this {
    const [op0, op1, crn, crm, op2] = systemRegister(name);
    return this.#word(
      0xd500_0000 | direction | (op0 << 19) | (op1 << 16) | (crn << 12) | (crm << 8) | (op2 << 5) | register.number,
    );
  }
  msrImmediate(field: PstateField, value: number): this {
    const [op1, op2] = PSTATE_FIELDS[field];
    return this.#word(0xd500_401f | (op1 << 16) | (checkRange(value, 0, 15, "4-bit immediate") << 8) | (op2 << 5));
  }
  /** Sets mask bits: 8 D, 4 A, 2 I, 1 F. */
  daifSet(mask: number): this {
    return this.msrImmediate("daifset", mask);
  }
  daifClr(mask: number): this {
    return this.msrImmediate("daifclr", mask);
  }
  /** tlbi, dc, ic and at by name. */
  sys(instruction: SystemInstruction, operand: Arm64Register = xzr): this {
    const [op1, crn, crm, op2] = SYSTEM_INSTRUCTIONS[instruction];
    return this.#word(0xd508_0000 | (op1 << 16) | (crn << 12) | (crm << 8) | (op2 << 5) | operand.number);
  }

  // --- layout -------------------------------------------------------------------------------------------------------------------

  /** A raw instruction word. */
  word(value: number): this {
    return this.#word(value);
  }
  /** Fills with NOPs up to a multiple from the routine's start. */
  align(multiple: number): this {
    while (this.fixedOffset % multiple !== 0) this.nop();
    return this;
  }
  /** Fills with NOPs up to that offset from the routine's start; longer code throws. */
  padTo(target: number): this {
    if (this.fixedOffset > target) {
      throw invalid("code is longer than its slot", { value: this.fixedOffset, allowed: `at most ${target} bytes` });
    }
    while (this.fixedOffset < target) this.nop();
    return this;
  }
}

function accessSize(register: { width: Arm64Width }): number {
  return register.width === 64 ? 3 : 2;
}

function isScaled12(offset: number, size: number): boolean {
  return offset >= 0 && offset % (1 << size) === 0 && offset >> size < 0x1000;
}

/** The status register of a store-exclusive must differ from data and address (Arm ARM, STXR: constrained unpredictable). */
function checkStatus(status: Arm64Register, from: Arm64Register, base: Arm64Register): void {
  if (status.number === from.number || (status.number === base.number && !base.isStackPointer)) {
    throw invalid("status register of a store-exclusive equals its data or address register", { value: status.name });
  }
}
