// AArch64 general registers, addressing modes and condition codes (Arm ARM, sections B1.2.1, C1.2.4 and C1.3.3).

import { invalid } from "../failure.ts";
import type { LinkSymbol } from "../code-buffer.ts";

/** Bits of a register operand: w or x. */
export type Arm64Width = 32 | 64;

/** A general register seen with a width. Number 31 is the stack pointer or the zero register, by `isStackPointer`. */
export class Arm64Register {
  readonly number: number;
  readonly width: Arm64Width;
  readonly isStackPointer: boolean;
  readonly name: string;

  constructor(number: number, width: Arm64Width, name: string, isStackPointer = false) {
    this.number = number;
    this.width = width;
    this.name = name;
    this.isStackPointer = isStackPointer;
  }
}

function bank(width: Arm64Width, letter: string): readonly Arm64Register[] {
  const general = Array.from({ length: 31 }, (_, number) => new Arm64Register(number, width, `${letter}${number}`));
  return [...general, new Arm64Register(31, width, `${letter}zr`)];
}

const banks: Readonly<Record<Arm64Width, readonly Arm64Register[]>> = { 32: bank(32, "w"), 64: bank(64, "x") };

/** The general register of that number and width; 31 is the zero register. */
export function armGpr(number: number, width: Arm64Width): Arm64Register {
  const register = banks[width][number];
  if (register === undefined) throw invalid("no such AArch64 register", { value: number });
  return register;
}

/** The same register with another width. */
export function armWithWidth(register: Arm64Register, width: Arm64Width): Arm64Register {
  if (register.isStackPointer) return width === 64 ? sp : wsp;
  return armGpr(register.number, width);
}

/** Number of a register by its 64-bit name. */
export function arm64RegisterNumber(name: string): number {
  const number = /^x(\d|[12]\d|30)$/.test(name) ? Number(name.slice(1)) : undefined;
  if (number === undefined) throw invalid("no such AArch64 register", { value: name, allowed: "x0 to x30" });
  return number;
}

type R = Arm64Register;
type EightRegisters = readonly [R, R, R, R, R, R, R, R];
type Bank = readonly [...EightRegisters, ...EightRegisters, ...EightRegisters, ...EightRegisters];

// prettier-ignore
export const [
  x0, x1, x2, x3, x4, x5, x6, x7,
  x8, x9, x10, x11, x12, x13, x14, x15,
  x16, x17, x18, x19, x20, x21, x22, x23,
  x24, x25, x26, x27, x28, x29, x30, xzr,
] = banks[64] as unknown as Bank;
// prettier-ignore
export const [
  w0, w1, w2, w3, w4, w5, w6, w7,
  w8, w9, w10, w11, w12, w13, w14, w15,
  w16, w17, w18, w19, w20, w21, w22, w23,
  w24, w25, w26, w27, w28, w29, w30, wzr,
] = banks[32] as unknown as Bank;
/** The stack pointer. */
export const sp = new Arm64Register(31, 64, "sp", true);
/** The low half of the stack pointer. */
export const wsp = new Arm64Register(31, 32, "wsp", true);

/** How an index register is widened to 64 bits. */
export type Extend = "uxtw" | "lsl" | "sxtw" | "sxtx";

/** [base, #offset], with write-back, with a register, or with the low twelve bits of a symbol's address. */
export interface Arm64Address {
  readonly base: Arm64Register;
  readonly offset: number;
  readonly mode: "offset" | "pre" | "post";
  readonly index: Arm64Register | undefined;
  readonly extend: Extend;
  readonly shift: number;
  /** Index of a byte access scaled by one: the same address, in another encoding. */
  readonly isScaledByOne: boolean;
  readonly low12: LinkSymbol | undefined;
}

const plain = {
  offset: 0,
  mode: "offset",
  index: undefined,
  extend: "lsl",
  shift: 0,
  isScaledByOne: false,
  low12: undefined,
} as const;

/** [base, #bytes]. */
export function offset(base: Arm64Register, bytes = 0): Arm64Address {
  return { ...plain, base, offset: bytes };
}
/** [base, #bytes]! */
export function preIndex(base: Arm64Register, bytes: number): Arm64Address {
  return { ...plain, base, offset: bytes, mode: "pre" };
}
/** [base], #bytes */
export function postIndex(base: Arm64Register, bytes: number): Arm64Address {
  return { ...plain, base, offset: bytes, mode: "post" };
}
/** [base, index, extend #shift]; the shift is 0 or log2 of the access size. */
export function indexed(base: Arm64Register, index: Arm64Register, shift = 0, extend: Extend = "lsl"): Arm64Address {
  return { ...plain, base, index, shift, extend };
}
/** [base, :lo12:symbol + bytes]; base holds the symbol's page. */
export function low12(base: Arm64Register, symbol: LinkSymbol, bytes = 0): Arm64Address {
  return { ...plain, base, offset: bytes, low12: symbol };
}

/** Condition codes in encoding order (Arm ARM, table C1-1). */
export const ARM_CONDITIONS = [
  "eq",
  "ne",
  "hs",
  "lo",
  "mi",
  "pl",
  "vs",
  "vc",
  "hi",
  "ls",
  "ge",
  "lt",
  "gt",
  "le",
  "al",
] as const;
/** Condition codes (Arm ARM, section C1.2.4). */
export type Arm64Condition = (typeof ARM_CONDITIONS)[number];

/** The 4-bit encoding of a condition. */
export function armConditionNumber(condition: Arm64Condition): number {
  return ARM_CONDITIONS.indexOf(condition);
}

/** The condition that holds exactly when this one does not. */
export function invertArmCondition(condition: Arm64Condition): Arm64Condition {
  return ARM_CONDITIONS[armConditionNumber(condition) ^ 1] ?? condition;
}
