// x86-64 instructions that move data: between registers and memory, to and from the stack, and the string instructions (SDM volume 2).

import type { Label, LinkSymbol } from "../../code-buffer.ts";
import { invalid } from "../../failure.ts";
import type { Immediate, RegisterOrMemory } from "../encoder.ts";
import { commonWidth, isInt8, signedImmediate, X64Encoder } from "../encoder.ts";
import { X64Register } from "../registers.ts";
import type { Width, X64Memory } from "../registers.ts";

export type Operand = RegisterOrMemory | Immediate;

const STRING = { movs: 0xa4, cmps: 0xa6, stos: 0xaa, lods: 0xac, scas: 0xae } as const;
/** String instructions by what they do; the element's width is an operand. */
export type StringOperator = keyof typeof STRING;
/** rep for movs, stos and lods; repe and repne for cmps and scas, which end at the first difference or match. */
const REPEAT = { rep: 0xf3, repe: 0xf3, repne: 0xf2 } as const;
export type Repeat = keyof typeof REPEAT;

export function isImmediate(operand: Operand): operand is Immediate {
  return typeof operand === "number" || typeof operand === "bigint";
}

/** Operand size in the opcode's low bit: 0 for bytes. */
export function wide(width: Width): 0 | 1 {
  return width === 8 ? 0 : 1;
}

export abstract class X64Moves extends X64Encoder {
  // --- data movement ------------------------------------------------------------------------------------------------------------

  /** mov between registers and memory, or of an immediate; 64-bit immediates beyond 32 signed bits become movabs. */
  mov(to: RegisterOrMemory, from: Operand): this {
    if (isImmediate(from)) return this.#movImmediate(to, from);
    return this.twoOperands(0x88, to, from);
  }

  #movImmediate(to: RegisterOrMemory, value: Immediate): this {
    const { width } = to;
    if (to instanceof X64Register) {
      if (width === 64 && !fitsInt32(value)) return this.movabs(to, value);
      if (width !== 64) {
        this.opcodeRegister(width, [width === 8 ? 0xb0 : 0xb8], to);
        this.immediate(signedImmediate(width, value), width / 8);
        return this;
      }
    }
    const bytes = Math.min(width / 8, 4);
    this.modRm({ width, opcode: [0xc6 | wide(width)], reg: 0, rm: to, immediateBytes: bytes });
    this.immediate(signedImmediate(width, value), bytes);
    return this;
  }

  /** The ten-byte form with a full 64-bit immediate. */
  movabs(to: X64Register, value: Immediate): this {
    this.opcodeRegister(64, [0xb8], to);
    this.immediate(BigInt.asUintN(64, BigInt(value)), 8);
    return this;
  }

  /** movabs of an address. */
  movAddress(to: X64Register, symbol: LinkSymbol, addend = 0): this {
    this.opcodeRegister(64, [0xb8], to);
    this.relocate("abs64", symbol, addend);
    this.immediate(0n, 8);
    return this;
  }

  /** Zero-extends 8 or 16 bits. */
  movzx(to: X64Register, from: RegisterOrMemory): this {
    return this.#extend(0xb6, to, from);
  }
  movsx(to: X64Register, from: RegisterOrMemory): this {
    return this.#extend(0xbe, to, from);
  }
  #extend(opcode: number, to: X64Register, from: RegisterOrMemory): this {
    if (from.width > 16 || from.width >= to.width) {
      throw invalid("an extension from that width", { value: from.width, allowed: to.width === 16 ? "8" : "8 or 16" });
    }
    return this.modRm({ width: to.width, opcode: [0x0f, opcode | wide(from.width)], reg: to.number, rm: from });
  }
  /** Sign-extends 32 bits to 64. */
  movsxd(to: X64Register, from: RegisterOrMemory): this {
    if (to.width !== 64 || from.width !== 32) {
      throw invalid("movsxd between those widths", { value: `${to.width} and ${from.width}`, allowed: "64 and 32" });
    }
    return this.modRm({ width: 64, opcode: [0x63], reg: to.number, rm: from });
  }

  /** Past the caches, with weak ordering. */
  movnti(to: X64Memory, from: X64Register): this {
    return this.modRm({ width: commonWidth(to, from), opcode: [0x0f, 0xc3], reg: from.number, rm: to });
  }
  /** With the bytes in the other order. */
  movbe(to: RegisterOrMemory, from: RegisterOrMemory): this {
    const width = commonWidth(to, from);
    if (from instanceof X64Register && !(to instanceof X64Register))
      return this.modRm({ width, opcode: [0x0f, 0x38, 0xf1], reg: from.number, rm: to });
    if (from instanceof X64Register || !(to instanceof X64Register))
      throw invalid("movbe without memory, or without a register", { allowed: "one register and one memory operand" });
    return this.modRm({ width, opcode: [0x0f, 0x38, 0xf0], reg: to.number, rm: from });
  }

  lea(to: X64Register, from: X64Memory): this {
    return this.modRm({ width: to.width, opcode: [0x8d], reg: to.number, rm: from });
  }
  /** The address of a label in this routine. */
  leaLabel(to: X64Register, label: string | Label): this {
    this.opcodeAddressed(to, 0x8d);
    this.fixup(label, (view, at, target) => {
      view.setInt32(at, target - at - 4, true);
    });
    this.word32(0);
    return this;
  }
  protected opcodeAddressed(to: X64Register, opcode: number): void {
    this.fixed(0x48 | (to.number >= 8 ? 4 : 0), opcode, ((to.number & 7) << 3) | 5);
  }

  push(operand: Operand): this {
    if (isImmediate(operand)) return this.#pushImmediate(signedImmediate(64, operand));
    if (operand instanceof X64Register) return this.opcodeRegister(64, [0x50], wholeRegister(operand), true);
    return this.modRm({ width: 32, opcode: [0xff], reg: 6, rm: operand });
  }
  #pushImmediate(value: bigint): this {
    const isShort = isInt8(Number(value));
    this.fixed(isShort ? 0x6a : 0x68);
    this.immediate(value, isShort ? 1 : 4);
    return this;
  }
  pop(operand: RegisterOrMemory): this {
    if (operand instanceof X64Register) return this.opcodeRegister(64, [0x58], wholeRegister(operand), true);
    return this.modRm({ width: 32, opcode: [0x8f], reg: 0, rm: operand });
  }
  pushfq(): this {
    return this.fixed(0x9c);
  }
  popfq(): this {
    return this.fixed(0x9d);
  }

  /** With a memory operand always locked (SDM volume 3, section 9.1.2.1). */
  xchg(one: RegisterOrMemory, other: X64Register): this {
    // xchg eax, eax is no NOP: it clears the upper half, so the one-byte form must not stand for it (SDM, XCHG).
    commonWidth(one, other);
    const isNop = one instanceof X64Register && one.number === 0 && other.number === 0 && one.width === 32;
    if (one instanceof X64Register && one.width !== 8 && !isNop) {
      if (one.number === 0) return this.opcodeRegister(one.width, [0x90], other);
      if (other.number === 0) return this.opcodeRegister(one.width, [0x90], one);
    }
    return this.modRm({
      width: other.width,
      opcode: [0x86 | wide(other.width)],
      reg: other.number,
      regWidth: other.width,
      rm: one,
    });
  }

  /** `opcode` with direction and size bits: register to register or memory, or memory to register. */
  protected twoOperands(opcode: number, to: RegisterOrMemory, from: RegisterOrMemory): this {
    const width = commonWidth(to, from);
    const direction = opcode | wide(width);
    if (from instanceof X64Register) {
      return this.modRm({ width, opcode: [direction], reg: from.number, regWidth: width, rm: to });
    }
    if (!(to instanceof X64Register)) throw invalid("two memory operands", { allowed: "one of them a register" });
    return this.modRm({ width, opcode: [direction | 2], reg: to.number, regWidth: width, rm: from });
  }

  // --- string instructions ------------------------------------------------------------------------------------------------------

  cld(): this {
    return this.fixed(0xfc);
  }
  std(): this {
    return this.fixed(0xfd);
  }
  /** One element, or with a prefix as many as rcx says. */
  string(operator: StringOperator, width: Width, repeat?: Repeat): this {
    if (width === 16) this.fixed(0x66);
    if (repeat !== undefined) this.fixed(REPEAT[repeat]);
    if (width === 64) this.fixed(0x48);
    return this.fixed(STRING[operator] | wide(width));
  }
  /** The prefix alone, before an instruction to which it means nothing. */
  repeatPrefix(repeat: Repeat): this {
    return this.fixed(REPEAT[repeat]);
  }
  repMovsb(): this {
    return this.string("movs", 8, "rep");
  }
  repMovsq(): this {
    return this.string("movs", 64, "rep");
  }
  repStosb(): this {
    return this.string("stos", 8, "rep");
  }
  repStosq(): this {
    return this.string("stos", 64, "rep");
  }
}

/** The stack takes 64 bits at a time. */
function wholeRegister(register: X64Register): X64Register {
  if (register.width !== 64)
    throw invalid("a part of a register on the stack", { value: register.name, allowed: "64 bits" });
  return register;
}

function fitsInt32(value: Immediate): boolean {
  const signed = BigInt.asIntN(64, BigInt(value));
  return BigInt.asIntN(32, signed) === signed;
}
