// x86-64 arithmetic, logic, shifts, bit operations and read-modify-writes (SDM volume 2).

import { checkRange } from "../../code-buffer.ts";
import { invalid } from "../../failure.ts";
import type { Immediate, RegisterOrMemory } from "../encoder.ts";
import { commonWidth, isInt8, signedImmediate } from "../encoder.ts";
import { X64Register } from "../registers.ts";
import type { Width, X64Memory } from "../registers.ts";
import { isImmediate, wide, X64Moves } from "./moves.ts";
import type { Operand } from "./moves.ts";

const ALU = { add: 0, or: 1, adc: 2, sbb: 3, and: 4, sub: 5, xor: 6, cmp: 7 } as const;
export type AluOperator = keyof typeof ALU;
const SHIFT = { rol: 0, ror: 1, rcl: 2, rcr: 3, shl: 4, shr: 5, sar: 7 } as const;
export type ShiftOperator = keyof typeof SHIFT;
const BIT = { bt: 4, bts: 5, btr: 6, btc: 7 } as const;
export type BitOperator = keyof typeof BIT;
const GROUP3 = { not: 2, neg: 3, mul: 4, imul: 5, div: 6, idiv: 7 } as const;

export abstract class X64Arithmetic extends X64Moves {
  // --- arithmetic ---------------------------------------------------------------------------------------------------------------

  alu(operator: AluOperator, to: RegisterOrMemory, from: Operand): this {
    const number = ALU[operator];
    if (!isImmediate(from)) return this.twoOperands(number << 3, to, from);
    const { width } = to;
    const value = signedImmediate(width, from);
    const isByteForm = width !== 8 && isInt8(Number(value));
    const bytes = isByteForm ? 1 : Math.min(width / 8, 4);
    if (to instanceof X64Register && to.number === 0 && !isByteForm) {
      this.accumulator(width, (number << 3) | 4);
    } else {
      const opcode = width === 8 ? 0x80 : isByteForm ? 0x83 : 0x81;
      this.modRm({ width, opcode: [opcode], reg: number, rm: to, immediateBytes: bytes });
    }
    this.immediate(value, bytes);
    return this;
  }

  /** The short forms with an implied al, ax, eax or rax. */
  protected accumulator(width: Width, opcode: number): void {
    if (width === 16) this.fixed(0x66);
    if (width === 64) this.fixed(0x48);
    this.fixed(opcode | wide(width));
  }

  add(to: RegisterOrMemory, from: Operand): this {
    return this.alu("add", to, from);
  }
  or(to: RegisterOrMemory, from: Operand): this {
    return this.alu("or", to, from);
  }
  adc(to: RegisterOrMemory, from: Operand): this {
    return this.alu("adc", to, from);
  }
  sbb(to: RegisterOrMemory, from: Operand): this {
    return this.alu("sbb", to, from);
  }
  and(to: RegisterOrMemory, from: Operand): this {
    return this.alu("and", to, from);
  }
  sub(to: RegisterOrMemory, from: Operand): this {
    return this.alu("sub", to, from);
  }
  xor(to: RegisterOrMemory, from: Operand): this {
    return this.alu("xor", to, from);
  }
  cmp(to: RegisterOrMemory, from: Operand): this {
    return this.alu("cmp", to, from);
  }

  test(one: RegisterOrMemory, other: X64Register | Immediate): this {
    if (other instanceof X64Register) {
      const width = commonWidth(one, other);
      return this.modRm({ width, opcode: [0x84 | wide(width)], reg: other.number, regWidth: width, rm: one });
    }
    const { width } = one;
    const bytes = Math.min(width / 8, 4);
    if (one instanceof X64Register && one.number === 0) this.accumulator(width, 0xa8);
    else this.modRm({ width, opcode: [0xf6 | wide(width)], reg: 0, rm: one, immediateBytes: bytes });
    this.immediate(signedImmediate(width, other), bytes);
    return this;
  }

  inc(operand: RegisterOrMemory): this {
    return this.modRm({ width: operand.width, opcode: [0xfe | wide(operand.width)], reg: 0, rm: operand });
  }
  dec(operand: RegisterOrMemory): this {
    return this.modRm({ width: operand.width, opcode: [0xfe | wide(operand.width)], reg: 1, rm: operand });
  }
  #group3(operator: keyof typeof GROUP3, operand: RegisterOrMemory): this {
    return this.modRm({
      width: operand.width,
      opcode: [0xf6 | wide(operand.width)],
      reg: GROUP3[operator],
      rm: operand,
    });
  }
  not(operand: RegisterOrMemory): this {
    return this.#group3("not", operand);
  }
  neg(operand: RegisterOrMemory): this {
    return this.#group3("neg", operand);
  }
  /** rdx:rax = rax * operand. */
  mul(operand: RegisterOrMemory): this {
    return this.#group3("mul", operand);
  }
  div(operand: RegisterOrMemory): this {
    return this.#group3("div", operand);
  }
  idiv(operand: RegisterOrMemory): this {
    return this.#group3("idiv", operand);
  }
  /** rdx:rax = rax * operand, signed. */
  imulWide(operand: RegisterOrMemory): this {
    return this.#group3("imul", operand);
  }
  /** to = to * from, or to = from * value. */
  imul(to: X64Register, from: RegisterOrMemory, value?: Immediate): this {
    const { width } = to;
    commonWidth(to, from);
    if (value === undefined) return this.modRm({ width, opcode: [0x0f, 0xaf], reg: to.number, rm: from });
    const signed = signedImmediate(width, value);
    const isShort = isInt8(Number(signed));
    const bytes = isShort ? 1 : Math.min(width / 8, 4);
    this.modRm({ width, opcode: [isShort ? 0x6b : 0x69], reg: to.number, rm: from, immediateBytes: bytes });
    this.immediate(signed, bytes);
    return this;
  }

  /** By a constant, or by cl. */
  shift(operator: ShiftOperator, operand: RegisterOrMemory, count: number | "cl"): this {
    const { width } = operand;
    const reg = SHIFT[operator];
    if (count === "cl") return this.modRm({ width, opcode: [0xd2 | wide(width)], reg, rm: operand });
    if (count === 1) return this.modRm({ width, opcode: [0xd0 | wide(width)], reg, rm: operand });
    this.modRm({ width, opcode: [0xc0 | wide(width)], reg, rm: operand, immediateBytes: 1 });
    this.immediate(BigInt(checkRange(count, 0, width === 64 ? 63 : 31, "shift count")), 1);
    return this;
  }
  shl(operand: RegisterOrMemory, count: number | "cl"): this {
    return this.shift("shl", operand, count);
  }
  shr(operand: RegisterOrMemory, count: number | "cl"): this {
    return this.shift("shr", operand, count);
  }
  sar(operand: RegisterOrMemory, count: number | "cl"): this {
    return this.shift("sar", operand, count);
  }

  /** Shifts bits of `from` into `to`, by a constant or by cl. */
  doubleShift(operator: "shld" | "shrd", to: RegisterOrMemory, from: X64Register, count: number | "cl"): this {
    const width = commonWidth(to, from);
    const opcode = operator === "shld" ? 0xa4 : 0xac;
    if (count === "cl") return this.modRm({ width, opcode: [0x0f, opcode | 1], reg: from.number, rm: to });
    this.modRm({ width, opcode: [0x0f, opcode], reg: from.number, rm: to, immediateBytes: 1 });
    this.immediate(BigInt(checkRange(count, 0, width === 64 ? 63 : 31, "shift count")), 1);
    return this;
  }

  /** rdx:rax from the sign of rax, edx:eax from that of eax. */
  cqo(): this {
    return this.fixed(0x48, 0x99);
  }
  cdq(): this {
    return this.fixed(0x99);
  }
  cwd(): this {
    return this.fixed(0x66, 0x99);
  }
  /** rax from eax, eax from ax, ax from al, by sign. */
  cdqe(): this {
    return this.fixed(0x48, 0x98);
  }
  cwde(): this {
    return this.fixed(0x98);
  }
  cbw(): this {
    return this.fixed(0x66, 0x98);
  }
  clc(): this {
    return this.fixed(0xf8);
  }
  stc(): this {
    return this.fixed(0xf9);
  }
  cmc(): this {
    return this.fixed(0xf5);
  }
  /** ah from the low byte of the flags. */
  lahf(): this {
    return this.fixed(0x9f);
  }
  sahf(): this {
    return this.fixed(0x9e);
  }

  // --- bits ---------------------------------------------------------------------------------------------------------------------

  /** With a register as bit number a memory operand is a bitmap; a constant one is taken modulo the width. */
  bit(operator: BitOperator, operand: RegisterOrMemory, bit: X64Register | number): this {
    const number = BIT[operator];
    if (bit instanceof X64Register) {
      commonWidth(operand, bit);
      return this.modRm({ width: bit.width, opcode: [0x0f, 0x83 | (number << 3)], reg: bit.number, rm: operand });
    }
    this.modRm({ width: operand.width, opcode: [0x0f, 0xba], reg: number, rm: operand, immediateBytes: 1 });
    this.immediate(BigInt(checkRange(bit, 0, operand.width - 1, "bit number")), 1);
    return this;
  }
  bsf(to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({ width: commonWidth(to, from), opcode: [0x0f, 0xbc], reg: to.number, rm: from });
  }
  bsr(to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({ width: commonWidth(to, from), opcode: [0x0f, 0xbd], reg: to.number, rm: from });
  }
  tzcnt(to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({
      width: commonWidth(to, from),
      opcode: [0x0f, 0xbc],
      reg: to.number,
      rm: from,
      mandatory: 0xf3,
    });
  }
  lzcnt(to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({
      width: commonWidth(to, from),
      opcode: [0x0f, 0xbd],
      reg: to.number,
      rm: from,
      mandatory: 0xf3,
    });
  }
  popcnt(to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({
      width: commonWidth(to, from),
      opcode: [0x0f, 0xb8],
      reg: to.number,
      rm: from,
      mandatory: 0xf3,
    });
  }
  bswap(register: X64Register): this {
    if (register.width < 32) throw invalid("bswap of that width", { value: register.width, allowed: "32 or 64" });
    return this.opcodeRegister(register.width, [0x0f, 0xc8], register);
  }

  // --- atomics: precede with lock() ---------------------------------------------------------------------------------------------

  xadd(to: RegisterOrMemory, from: X64Register): this {
    const width = commonWidth(to, from);
    return this.modRm({ width, opcode: [0x0f, 0xc0 | wide(width)], reg: from.number, regWidth: width, rm: to });
  }
  /** Compares with rax; the old value is left in rax. */
  cmpxchg(to: RegisterOrMemory, from: X64Register): this {
    const width = commonWidth(to, from);
    return this.modRm({ width, opcode: [0x0f, 0xb0 | wide(width)], reg: from.number, regWidth: width, rm: to });
  }
  cmpxchg8b(to: X64Memory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0xc7], reg: 1, rm: to });
  }
  cmpxchg16b(to: X64Memory): this {
    return this.modRm({ width: 64, opcode: [0x0f, 0xc7], reg: 1, rm: to });
  }
}
