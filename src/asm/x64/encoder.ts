// Instruction format of x86-64: prefixes, REX, opcode, ModRM, SIB, displacement, immediate (Intel SDM volume 2, chapter 2).
//
// Prefix order is that of GNU as (segment, 66, F3/F2, F0, REX), so that bytes can be compared with it.

import { CodeBuffer } from "../code-buffer.ts";
import { invalid } from "../failure.ts";
import { X64Register } from "./registers.ts";
import type { Width, X64Memory } from "./registers.ts";

export type RegisterOrMemory = X64Register | X64Memory;
export type Immediate = number | bigint;

/** The parts of one instruction with a ModRM byte. */
export interface ModRmInstruction {
  /** Operand size; 64 sets REX.W, 16 the prefix 66. */
  readonly width: Width;
  readonly opcode: readonly number[];
  /** Register or opcode extension in ModRM.reg. */
  readonly reg: number;
  /** Width of the register in ModRM.reg if it is one: 8-bit ones may need an empty REX. */
  readonly regWidth?: Width;
  readonly rm: RegisterOrMemory;
  /** F2, F3 or 66 as part of the opcode; stands where the repeat prefix stands. */
  readonly mandatory?: number;
  /** Bytes that follow the displacement, for RIP-relative addresses. */
  readonly immediateBytes?: number;
}

const REX = 0x40;
const REX_W = 8;
const REX_R = 4;
const REX_X = 2;
const REX_B = 1;
const OPERAND_SIZE = 0x66;
const LOCK = 0xf0;
const SEGMENT = { fs: 0x64, gs: 0x65 } as const;

/** The width that both operands have. */
export function commonWidth(one: RegisterOrMemory, other: RegisterOrMemory): Width {
  if (one.width !== other.width) {
    throw invalid("operands of different widths", {
      value: `${one.width} and ${other.width}`,
      allowed: "two of one width",
    });
  }
  return one.width;
}

export class X64Encoder extends CodeBuffer {
  #lockNext = false;

  /** The LOCK prefix for the instruction that follows. */
  lock(): this {
    this.#lockNext = true;
    return this;
  }

  /** A fixed sequence of instruction bytes. */
  protected fixed(...bytes: readonly number[]): this {
    this.#refuseLock();
    for (const value of bytes) this.byte(value);
    return this;
  }

  #refuseLock(): void {
    if (!this.#lockNext) return;
    this.#lockNext = false;
    throw invalid("lock before an instruction that can't be locked", { allowed: "read-modify-writes of memory" });
  }

  protected modRm(instruction: ModRmInstruction): this {
    const { width, opcode, reg, regWidth, rm, mandatory, immediateBytes = 0 } = instruction;
    const isRegister = rm instanceof X64Register;
    const needsEmptyRex = isExtendedByte(regWidth, reg) || (isRegister && isExtendedByte(rm.width, rm.number));
    if (!isRegister && rm.segment !== undefined) this.byte(SEGMENT[rm.segment]);
    if (width === 16) this.byte(OPERAND_SIZE);
    if (mandatory !== undefined) this.byte(mandatory);
    if (this.#lockNext) {
      if (isRegister) this.#refuseLock();
      this.#lockNext = false;
      this.byte(LOCK);
    }
    const extension = isRegister
      ? high(rm.number, REX_B)
      : high(rm.index?.number, REX_X) | high(rm.base?.number, REX_B);
    const rex = (width === 64 ? REX_W : 0) | high(reg, REX_R) | extension;
    if (rex !== 0 || needsEmptyRex) this.byte(REX | rex);
    for (const value of opcode) this.byte(value);
    if (isRegister) this.byte(0xc0 | ((reg & 7) << 3) | (rm.number & 7));
    else this.#memory(reg & 7, rm, immediateBytes);
    return this;
  }

  /** Opcode with the register in its low three bits. */
  protected opcodeRegister(width: Width, opcode: readonly number[], register: X64Register, defaultsTo64 = false): this {
    this.#refuseLock();
    if (width === 16) this.byte(OPERAND_SIZE);
    const rex = (width === 64 && !defaultsTo64 ? REX_W : 0) | high(register.number, REX_B);
    if (rex !== 0 || isExtendedByte(width, register.number)) this.byte(REX | rex);
    opcode.forEach((value, i) => {
      this.byte(i === opcode.length - 1 ? value | (register.number & 7) : value);
    });
    return this;
  }

  /** ModRM, SIB and displacement of a memory operand (SDM volume 2, tables 2-2 and 2-3). */
  #memory(reg: number, rm: X64Memory, immediateBytes: number): void {
    const { base, index, symbol, displacement } = rm;
    if (index?.number === 4)
      throw invalid("rsp can't be an index", { value: index.name, allowed: "the other 15 registers" });
    if (index === undefined && base === undefined) {
      this.#withoutRegisters(reg, rm, immediateBytes);
      return;
    }
    const needsSib = index !== undefined || (base !== undefined && (base.number & 7) === 4);
    const mode = base === undefined ? 0 : this.#mode(base, displacement, symbol !== undefined);
    this.byte((mode << 6) | (reg << 3) | (needsSib ? 4 : (base?.number ?? 0) & 7));
    if (needsSib)
      this.byte(sib(rm.scale, index === undefined ? 4 : index.number, base === undefined ? 5 : base.number));
    if (mode === 1) this.byte(displacement & 0xff);
    else if (mode === 2 || base === undefined) this.#displacement32(rm);
  }

  /** Without a register: RIP-relative to a symbol, else absolute by a SIB byte without base. */
  #withoutRegisters(reg: number, rm: X64Memory, immediateBytes: number): void {
    const { symbol, displacement, segment } = rm;
    if (symbol === undefined || rm.isAbsolute) {
      this.byte((reg << 3) | 4);
      this.byte(0x25);
      this.#displacement32(rm);
      return;
    }
    if (segment !== undefined)
      throw invalid("a segment and a symbol in one address", { value: symbol.name, allowed: "one of them" });
    this.byte((reg << 3) | 5);
    this.relocate("pc32", symbol, displacement - 4 - immediateBytes);
    this.word32(0);
  }

  #displacement32({ symbol, displacement }: X64Memory): void {
    if (symbol === undefined) {
      this.word32(checked32(displacement));
    } else {
      this.relocate("abs32signed", symbol, displacement);
      this.word32(0);
    }
  }

  /** ModRM.mod. Base rbp and r13 have no form without displacement: mod 00 means something else there. */
  #mode(base: X64Register, displacement: number, hasSymbol: boolean): 0 | 1 | 2 {
    if (hasSymbol) return 2;
    if (displacement === 0 && (base.number & 7) !== 5) return 0;
    return isInt8(displacement) ? 1 : 2;
  }

  protected immediate(value: bigint, bytes: number): void {
    for (let i = 0; i < bytes; i++) this.byte(Number((value >> BigInt(8 * i)) & 0xffn));
  }
}

function high(number: number | undefined, bit: number): number {
  return number !== undefined && number >= 8 ? bit : 0;
}

/** spl, bpl, sil and dil need a REX prefix; without one the encodings mean ah, ch, dh and bh. */
function isExtendedByte(width: Width | undefined, number: number): boolean {
  return width === 8 && number >= 4 && number < 8;
}

function sib(scale: 1 | 2 | 4 | 8, index: number, base: number): number {
  return (Math.log2(scale) << 6) | ((index & 7) << 3) | (base & 7);
}

export function isInt8(value: number): boolean {
  return value >= -0x80 && value <= 0x7f;
}

function checked32(value: number): number {
  if (!Number.isInteger(value) || value < -0x8000_0000 || value > 0x7fff_ffff) {
    throw invalid("displacement out of range", { value, allowed: "32 bits, signed" });
  }
  return value >>> 0;
}

/**
 * The immediate of an instruction of that width as the signed number that the hardware sees. 64-bit instructions sign-extend 32 bits,
 * so that 0x8000_0000 needs a register there.
 */
export function signedImmediate(width: Width, value: Immediate): bigint {
  const exact = BigInt(value);
  const signed = BigInt.asIntN(width, exact);
  const isNumberOfWidth = signed === exact || BigInt.asUintN(width, exact) === exact;
  const fits = width !== 64 || BigInt.asIntN(32, signed) === signed;
  if (!isNumberOfWidth || !fits) {
    throw invalid("immediate does not fit", {
      value: exact,
      allowed: width === 64 ? "32 bits, sign-extended" : `${width} bits`,
    });
  }
  return signed;
}
