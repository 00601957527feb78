// x86-64 general registers, memory operands and condition codes (Intel SDM volume 1, section 3.4; volume 2, section 2.1.5).

import { invalid } from "../failure.ts";
import type { LinkSymbol } from "../code-buffer.ts";

/** Bits of an operand. */
export type Width = 8 | 16 | 32 | 64;

/** A general register seen with a width. */
export class X64Register {
  readonly number: number;
  readonly width: Width;
  readonly name: string;

  constructor(number: number, width: Width, name: string) {
    this.number = number;
    this.width = width;
    this.name = name;
  }
}

const legacy = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];

function registerName(number: number, width: Width): string {
  const stem = legacy[number];
  if (stem === undefined) return `r${number}${{ 8: "b", 16: "w", 32: "d", 64: "" }[width]}`;
  if (width === 8) return number < 4 ? `${stem.slice(0, 1)}l` : `${stem}l`;
  return { 16: "", 32: "e", 64: "r" }[width] + stem;
}

function bank(width: Width): readonly X64Register[] {
  return Array.from({ length: 16 }, (_, number) => new X64Register(number, width, registerName(number, width)));
}

const banks: Readonly<Record<Width, readonly X64Register[]>> = { 8: bank(8), 16: bank(16), 32: bank(32), 64: bank(64) };

/** The register of that number and width. */
export function gpr(number: number, width: Width): X64Register {
  const register = banks[width][number];
  if (register === undefined) throw invalid("no such x86-64 register", { value: number });
  return register;
}

/** The same register with another width. */
export function withWidth(register: X64Register, width: Width): X64Register {
  return gpr(register.number, width);
}

const numbersByName = new Map(banks[64].map(({ name, number }) => [name, number]));

/** Number of a 64-bit register by its name. */
export function x64RegisterNumber(name: string): number {
  const number = numbersByName.get(name);
  if (number === undefined)
    throw invalid("no such x86-64 register", { value: name, allowed: [...numbersByName.keys()].join(" ") });
  return number;
}

export const [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi] = named(64);
export const [eax, ecx, edx, ebx, esp, ebp, esi, edi] = named(32);
export const [ax, cx, dx, bx] = named(16);
export const [al, cl, dl, bl] = named(8);
export const [r8, r9, r10, r11, r12, r13, r14, r15] = numbered(64);
export const [r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d] = numbered(32);

type Eight = readonly [
  X64Register,
  X64Register,
  X64Register,
  X64Register,
  X64Register,
  X64Register,
  X64Register,
  X64Register,
];

function named(width: Width): Eight {
  return [0, 1, 2, 3, 4, 5, 6, 7].map((number) => gpr(number, width)) as unknown as Eight;
}

function numbered(width: Width): Eight {
  return [8, 9, 10, 11, 12, 13, 14, 15].map((number) => gpr(number, width)) as unknown as Eight;
}

/**
 * base + index * scale + displacement; with a symbol, its address is added (RIP-relative unless a register takes part or it is to
 * be absolute).
 */
export interface X64Memory {
  readonly width: Width;
  readonly base: X64Register | undefined;
  readonly index: X64Register | undefined;
  readonly scale: 1 | 2 | 4 | 8;
  readonly displacement: number;
  readonly symbol: LinkSymbol | undefined;
  readonly isAbsolute: boolean;
  readonly segment: "fs" | "gs" | undefined;
}

/** base + index * scale + displacement or symbol; any part may be missing. */
export interface MemoryParts {
  readonly base?: X64Register;
  readonly index?: X64Register;
  readonly scale?: 1 | 2 | 4 | 8;
  readonly displacement?: number;
  readonly symbol?: LinkSymbol;
  /** A symbol without registers by its address in 32 signed bits, not relative to RIP. */
  readonly isAbsolute?: boolean;
  readonly segment?: "fs" | "gs";
}

/** A memory operand of a given width: memory(64, { base: rdi, displacement: 8 }). */
export function memory(width: Width, parts: MemoryParts): X64Memory {
  const { base, index, scale = 1, displacement = 0, symbol, isAbsolute = false, segment } = parts;
  return { width, base, index, scale, displacement, symbol, isAbsolute, segment };
}

/** Shorthand for the most frequent form: [base + displacement], 64 bits. */
export function at(base: X64Register, displacement = 0, width: Width = 64): X64Memory {
  return memory(width, { base, displacement });
}

/** Condition codes in encoding order (SDM volume 1, appendix B). */
export const CONDITIONS = [
  "o",
  "no",
  "b",
  "ae",
  "e",
  "ne",
  "be",
  "a",
  "s",
  "ns",
  "p",
  "np",
  "l",
  "ge",
  "le",
  "g",
] as const;
/** Condition codes (SDM volume 1, appendix B). */
export type X64Condition = (typeof CONDITIONS)[number];

/** The 4-bit encoding of a condition. */
export function conditionNumber(condition: X64Condition): number {
  return CONDITIONS.indexOf(condition);
}

/** The condition that holds exactly when this one does not. */
export function invertCondition(condition: X64Condition): X64Condition {
  return CONDITIONS[conditionNumber(condition) ^ 1] ?? condition;
}
