// x86-64 instructions, as a guest kernel needs them (Intel SDM volume 2, one method per mnemonic; operand order is Intel's).
//
// Of several encodings the one that GNU as takes is taken, so that the tests can compare bytes.

import type { Label, LinkSymbol } from "../code-buffer.ts";
import { invalid } from "../failure.ts";
import type { Immediate, RegisterOrMemory } from "./encoder.ts";
import { isInt8, signedImmediate, X64Encoder } from "./encoder.ts";
import { conditionNumber, gpr, X64Register } from "./registers.ts";
import type { Width, X64Condition, X64Memory } from "./registers.ts";

export type Operand = RegisterOrMemory | Immediate;

const ALU = { add: 0, or: 1, adc: 2, sbb: 3, and: 4, sub: 5, xor: 6, cmp: 7 } as const;
export type AluOperator = keyof typeof ALU;
const SHIFT = { rol: 0, ror: 1, shl: 4, shr: 5, sar: 7 } as const;
export type ShiftOperator = keyof typeof SHIFT;
const BIT = { bt: 4, bts: 5, btr: 6, btc: 7 } as const;
export type BitOperator = keyof typeof BIT;
const GROUP3 = { not: 2, neg: 3, mul: 4, imul: 5, div: 6, idiv: 7 } as const;
const SEGMENT = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5 } as const;
export type SegmentRegister = keyof typeof SEGMENT;

/** Recommended multi-byte NOPs (SDM, NOP). */
const NOPS: readonly (readonly number[])[] = [
  [],
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
  [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

function isImmediate(operand: Operand): operand is Immediate {
  return typeof operand === "number" || typeof operand === "bigint";
}

/** Operand size in the opcode's low bit: 0 for bytes. */
function wide(width: Width): 0 | 1 {
  return width === 8 ? 0 : 1;
}

export class X64Assembler extends X64Encoder {
  // --- data movement ------------------------------------------------------------------------------------------------------------

  /** mov between registers and memory, or of an immediate; 64-bit immediates beyond 32 signed bits become movabs. */
  mov(to: RegisterOrMemory, from: Operand): this {
    if (isImmediate(from)) return this.#movImmediate(to, from);
    return this.#twoOperands(0x88, to, from);
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
    return this.modRm({ width: to.width, opcode: [0x0f, opcode | wide(from.width)], reg: to.number, rm: from });
  }
  /** Sign-extends 32 bits to 64. */
  movsxd(to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({ width: 64, opcode: [0x63], reg: to.number, rm: from });
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
    if (operand instanceof X64Register) return this.opcodeRegister(64, [0x50], operand, true);
    return this.modRm({ width: 32, opcode: [0xff], reg: 6, rm: operand });
  }
  #pushImmediate(value: bigint): this {
    const isShort = isInt8(Number(value));
    this.fixed(isShort ? 0x6a : 0x68);
    this.immediate(value, isShort ? 1 : 4);
    return this;
  }
  pop(operand: RegisterOrMemory): this {
    if (operand instanceof X64Register) return this.opcodeRegister(64, [0x58], operand, true);
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

  // --- arithmetic ---------------------------------------------------------------------------------------------------------------

  alu(operator: AluOperator, to: RegisterOrMemory, from: Operand): this {
    const number = ALU[operator];
    if (!isImmediate(from)) return this.#twoOperands(number << 3, to, from);
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

  /** `opcode` with direction and size bits: register to register or memory, or memory to register. */
  #twoOperands(opcode: number, to: RegisterOrMemory, from: RegisterOrMemory): this {
    if (from instanceof X64Register) {
      if (from.width !== to.width)
        throw invalid("operands of different widths", { value: `${to.width} and ${from.width}` });
      const direction = opcode | wide(from.width);
      return this.modRm({ width: from.width, opcode: [direction], reg: from.number, regWidth: from.width, rm: to });
    }
    if (!(to instanceof X64Register)) throw invalid("two memory operands");
    if (from.width !== to.width)
      throw invalid("operands of different widths", { value: `${to.width} and ${from.width}` });
    return this.modRm({
      width: to.width,
      opcode: [opcode | 2 | wide(to.width)],
      reg: to.number,
      regWidth: to.width,
      rm: from,
    });
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
      const { width } = other;
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
  /** to = to * from, or to = from * value. */
  imul(to: X64Register, from: RegisterOrMemory, value?: Immediate): this {
    const { width } = to;
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
    this.immediate(BigInt(count), 1);
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

  /** rdx:rax from the sign of rax, edx:eax from that of eax. */
  cqo(): this {
    return this.fixed(0x48, 0x99);
  }
  cdq(): this {
    return this.fixed(0x99);
  }
  cdqe(): this {
    return this.fixed(0x48, 0x98);
  }

  // --- bits ---------------------------------------------------------------------------------------------------------------------

  /** With a register as bit number a memory operand is a bitmap; a constant one is taken modulo the width. */
  bit(operator: BitOperator, operand: RegisterOrMemory, bit: X64Register | number): this {
    const number = BIT[operator];
    if (bit instanceof X64Register) {
      return this.modRm({ width: bit.width, opcode: [0x0f, 0x83 | (number << 3)], reg: bit.number, rm: operand });
    }
    this.modRm({ width: operand.width, opcode: [0x0f, 0xba], reg: number, rm: operand, immediateBytes: 1 });
    this.immediate(BigInt(bit), 1);
    return this;
  }
  bsf(to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({ width: to.width, opcode: [0x0f, 0xbc], reg: to.number, rm: from });
  }
  bsr(to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({ width: to.width, opcode: [0x0f, 0xbd], reg: to.number, rm: from });
  }
  tzcnt(to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({ width: to.width, opcode: [0x0f, 0xbc], reg: to.number, rm: from, mandatory: 0xf3 });
  }
  lzcnt(to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({ width: to.width, opcode: [0x0f, 0xbd], reg: to.number, rm: from, mandatory: 0xf3 });
  }
  popcnt(to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({ width: to.width, opcode: [0x0f, 0xb8], reg: to.number, rm: from, mandatory: 0xf3 });
  }
  bswap(register: X64Register): this {
    return this.opcodeRegister(register.width, [0x0f, 0xc8], register);
  }

  // --- atomics: precede with lock() ---------------------------------------------------------------------------------------------

  xadd(to: RegisterOrMemory, from: X64Register): this {
    const { width } = from;
    return this.modRm({ width, opcode: [0x0f, 0xc0 | wide(width)], reg: from.number, regWidth: width, rm: to });
  }
  /** Compares with rax; the old value is left in rax. */
  cmpxchg(to: RegisterOrMemory, from: X64Register): this {
    const { width } = from;
    return this.modRm({ width, opcode: [0x0f, 0xb0 | wide(width)], reg: from.number, regWidth: width, rm: to });
  }
  cmpxchg16b(to: X64Memory): this {
    return this.modRm({ width: 64, opcode: [0x0f, 0xc7], reg: 1, rm: to });
  }

  // --- conditions and control flow ----------------------------------------------------------------------------------------------

  setcc(condition: X64Condition, to: RegisterOrMemory): this {
    return this.modRm({ width: 8, opcode: [0x0f, 0x90 | conditionNumber(condition)], reg: 0, rm: to });
  }
  cmovcc(condition: X64Condition, to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({ width: to.width, opcode: [0x0f, 0x40 | conditionNumber(condition)], reg: to.number, rm: from });
  }

  /** To a label of this routine, in the shortest form. */
  jmp(label: string | Label): this {
    this.branchItem(this.named(label), [0xeb], [0xe9]);
    return this;
  }
  jcc(condition: X64Condition, label: string | Label): this {
    const number = conditionNumber(condition);
    this.branchItem(this.named(label), [0x70 | number], [0x0f, 0x80 | number]);
    return this;
  }
  /** To another routine. */
  jmpTo(symbol: LinkSymbol): this {
    return this.#near([0xe9], symbol);
  }
  jccTo(condition: X64Condition, symbol: LinkSymbol): this {
    return this.#near([0x0f, 0x80 | conditionNumber(condition)], symbol);
  }
  call(symbol: LinkSymbol): this {
    return this.#near([0xe8], symbol);
  }
  callLabel(label: string | Label): this {
    this.branchItem(this.named(label), undefined, [0xe8]);
    return this;
  }
  #near(opcode: readonly number[], symbol: LinkSymbol): this {
    this.fixed(...opcode);
    this.relocate("pc32", symbol, -4);
    this.word32(0);
    return this;
  }
  callIndirect(target: RegisterOrMemory): this {
    return this.modRm({ width: 32, opcode: [0xff], reg: 2, rm: target });
  }
  jmpIndirect(target: RegisterOrMemory): this {
    return this.modRm({ width: 32, opcode: [0xff], reg: 4, rm: target });
  }
  /** Through a pointer m16:32, or m16:64 with a 64-bit operand. */
  jmpFar(target: X64Memory): this {
    return this.modRm({ width: target.width === 64 ? 64 : 32, opcode: [0xff], reg: 5, rm: target });
  }
  ret(): this {
    return this.fixed(0xc3);
  }
  /** Far return that pops rip and cs as 64-bit words. */
  retfq(): this {
    return this.fixed(0x48, 0xcb);
  }
  iretq(): this {
    return this.fixed(0x48, 0xcf);
  }
  /** FRED returns (Intel FRED specification, section 6). */
  erets(): this {
    return this.fixed(0xf2, 0x0f, 0x01, 0xca);
  }
  eretu(): this {
    return this.fixed(0xf3, 0x0f, 0x01, 0xca);
  }
  syscall(): this {
    return this.fixed(0x0f, 0x05);
  }
  sysretq(): this {
    return this.fixed(0x48, 0x0f, 0x07);
  }
  int(vector: number): this {
    return this.fixed(0xcd, vector & 0xff);
  }
  int3(): this {
    return this.fixed(0xcc);
  }
  ud2(): this {
    return this.fixed(0x0f, 0x0b);
  }
  endbr64(): this {
    return this.fixed(0xf3, 0x0f, 0x1e, 0xfa);
  }

  // --- string instructions ------------------------------------------------------------------------------------------------------

  cld(): this {
    return this.fixed(0xfc);
  }
  std(): this {
    return this.fixed(0xfd);
  }
  repMovsb(): this {
    return this.fixed(0xf3, 0xa4);
  }
  repMovsq(): this {
    return this.fixed(0xf3, 0x48, 0xa5);
  }
  repStosb(): this {
    return this.fixed(0xf3, 0xaa);
  }
  repStosq(): this {
    return this.fixed(0xf3, 0x48, 0xab);
  }

  // --- interrupts, waiting, ordering --------------------------------------------------------------------------------------------

  cli(): this {
    return this.fixed(0xfa);
  }
  /** Interrupts stay off until the end of the next instruction. */
  sti(): this {
    return this.fixed(0xfb);
  }
  hlt(): this {
    return this.fixed(0xf4);
  }
  pause(): this {
    return this.fixed(0xf3, 0x90);
  }
  /** Arms the monitor at [rax]. */
  monitor(): this {
    return this.fixed(0x0f, 0x01, 0xc8);
  }
  mwait(): this {
    return this.fixed(0x0f, 0x01, 0xc9);
  }
  umonitor(address: X64Register): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0xae], reg: 6, rm: address, mandatory: 0xf3 });
  }
  umwait(control: X64Register): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0xae], reg: 6, rm: control, mandatory: 0xf2 });
  }
  tpause(control: X64Register): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0xae], reg: 6, rm: control, mandatory: 0x66 });
  }
  mfence(): this {
    return this.fixed(0x0f, 0xae, 0xf0);
  }
  lfence(): this {
    return this.fixed(0x0f, 0xae, 0xe8);
  }
  sfence(): this {
    return this.fixed(0x0f, 0xae, 0xf8);
  }
  serialize(): this {
    return this.fixed(0x0f, 0x01, 0xe8);
  }
  clflush(line: X64Memory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0xae], reg: 7, rm: line });
  }
  clflushopt(line: X64Memory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0xae], reg: 7, rm: line, mandatory: 0x66 });
  }
  clwb(line: X64Memory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0xae], reg: 6, rm: line, mandatory: 0x66 });
  }
  prefetchw(line: X64Memory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x0d], reg: 1, rm: line });
  }
  wbinvd(): this {
    return this.fixed(0x0f, 0x09);
  }
  invd(): this {
    return this.fixed(0x0f, 0x08);
  }
  /** That many bytes of NOPs. */
  nop(bytes = 1): this {
    for (let left = bytes; left > 0; left -= 8) this.fixed(...(NOPS[Math.min(left, 8)] ?? []));
    return this;
  }

  // --- system registers ---------------------------------------------------------------------------------------------------------

  wrmsr(): this {
    return this.fixed(0x0f, 0x30);
  }
  rdmsr(): this {
    return this.fixed(0x0f, 0x32);
  }
  cpuid(): this {
    return this.fixed(0x0f, 0xa2);
  }
  rdtsc(): this {
    return this.fixed(0x0f, 0x31);
  }
  rdtscp(): this {
    return this.fixed(0x0f, 0x01, 0xf9);
  }
  rdpmc(): this {
    return this.fixed(0x0f, 0x33);
  }
  xgetbv(): this {
    return this.fixed(0x0f, 0x01, 0xd0);
  }
  xsetbv(): this {
    return this.fixed(0x0f, 0x01, 0xd1);
  }
  swapgs(): this {
    return this.fixed(0x0f, 0x01, 0xf8);
  }
  stac(): this {
    return this.fixed(0x0f, 0x01, 0xcb);
  }
  clac(): this {
    return this.fixed(0x0f, 0x01, 0xca);
  }
  vmcall(): this {
    return this.fixed(0x0f, 0x01, 0xc1);
  }
  vmmcall(): this {
    return this.fixed(0x0f, 0x01, 0xd9);
  }
  clts(): this {
    return this.fixed(0x0f, 0x06);
  }
  rdfsbase(to: X64Register): this {
    return this.modRm({ width: to.width, opcode: [0x0f, 0xae], reg: 0, rm: to, mandatory: 0xf3 });
  }
  rdgsbase(to: X64Register): this {
    return this.modRm({ width: to.width, opcode: [0x0f, 0xae], reg: 1, rm: to, mandatory: 0xf3 });
  }
  wrfsbase(from: X64Register): this {
    return this.modRm({ width: from.width, opcode: [0x0f, 0xae], reg: 2, rm: from, mandatory: 0xf3 });
  }
  wrgsbase(from: X64Register): this {
    return this.modRm({ width: from.width, opcode: [0x0f, 0xae], reg: 3, rm: from, mandatory: 0xf3 });
  }
  /** Writes control register `number`. */
  movToCr(number: number, from: X64Register): this {
    return this.#controlRegister(0x22, number, from);
  }
  movFromCr(to: X64Register, number: number): this {
    return this.#controlRegister(0x20, number, to);
  }
  movToDr(number: number, from: X64Register): this {
    return this.#controlRegister(0x23, number, from);
  }
  movFromDr(to: X64Register, number: number): this {
    return this.#controlRegister(0x21, number, to);
  }
  /** Always 64 bits wide without REX.W (SDM, MOV to control registers). */
  #controlRegister(opcode: number, number: number, register: X64Register): this {
    return this.modRm({ width: 32, opcode: [0x0f, opcode], reg: number, rm: gpr(register.number, 32) });
  }
  movToSegment(to: SegmentRegister, from: X64Register): this {
    return this.modRm({ width: 32, opcode: [0x8e], reg: SEGMENT[to], rm: from });
  }
  movFromSegment(to: X64Register, from: SegmentRegister): this {
    return this.modRm({ width: to.width, opcode: [0x8c], reg: SEGMENT[from], rm: to });
  }
  lgdt(from: X64Memory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x01], reg: 2, rm: from });
  }
  lidt(from: X64Memory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x01], reg: 3, rm: from });
  }
  sgdt(to: X64Memory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x01], reg: 0, rm: to });
  }
  sidt(to: X64Memory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x01], reg: 1, rm: to });
  }
  lldt(selector: X64Register): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x00], reg: 2, rm: selector });
  }
  ltr(selector: X64Register): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x00], reg: 3, rm: selector });
  }
  invlpg(page: X64Memory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x01], reg: 7, rm: page });
  }

  // --- ports --------------------------------------------------------------------------------------------------------------------

  /** Reads into al, ax or eax from a constant port below 256, or from the port in dx. */
  inPort(width: 8 | 16 | 32, port: number | "dx"): this {
    return this.#port(width, 0xe4, port);
  }
  outPort(width: 8 | 16 | 32, port: number | "dx"): this {
    return this.#port(width, 0xe6, port);
  }
  #port(width: 8 | 16 | 32, opcode: number, port: number | "dx"): this {
    if (width === 16) this.fixed(0x66);
    if (port === "dx") return this.fixed(opcode | 8 | wide(width));
    return this.fixed(opcode | wide(width), port & 0xff);
  }

  // --- layout -------------------------------------------------------------------------------------------------------------------

  /** Fills with NOPs (or another byte) up to a multiple of the routine's start. */
  align(multiple: number, fill = 0x90): this {
    this.alignItem(multiple, fill);
    return this;
  }
  /** Fills up to that offset from the routine's start; longer code throws. */
  padTo(offset: number, fill = 0x90): this {
    this.padItem(offset, fill);
    return this;
  }
}

function fitsInt32(value: Immediate): boolean {
  const signed = BigInt.asIntN(64, BigInt(value));
  return BigInt.asIntN(32, signed) === signed;
}
