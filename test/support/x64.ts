// The instructions that random x86-64 programs are made of, by name, on top of the tests' encoder.

import { XAPIC_BASE } from "../../src/abi.ts";
import { Code, RAX, RCX, RDX, le, type Memory } from "../instructions/x86-64/code.ts";

export const aluOperations = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"] as const;
export type AluOperation = (typeof aluOperations)[number];
export type Width = 1 | 2 | 4 | 8;

const X2APIC_FIRST = 0x800;
const LOCK = 0xf0;
const REPE = 0xf3;
const REPNE = 0xf2;

/** MSRs that the programs use (SDM 4; 3A table 11-6). */
export const MSR_TSC = 0x10;
export const MSR_APIC_BASE = 0x1b;
export const MSR_TSC_DEADLINE = 0x6e0;
export const MSR_EOI = 0x80b;
export const MSR_SVR = 0x80f;
export const MSR_ICR = 0x830;
export const MSR_SELF_IPI = 0x83f;

export class X64 extends Code {
  /** Addresses at which an instruction begins: places for probes. */
  readonly marks: number[] = [];
  #unique = 0;

  /** How writeApic() and readApic() reach the local APIC. */
  apicMode: "xapic" | "x2apic" = "x2apic";

  /** A label name that nobody else has. */
  fresh(): string {
    return `.${this.#unique++}`;
  }

  mark(): this {
    this.marks.push(this.here);
    return this;
  }

  /** An instruction with a register and a register or memory operand; byte opcodes are one below. */
  #sized(width: Width, opcode: readonly number[], reg: number, rm: number | Memory, lock = false, tail: number[] = []) {
    const last = (opcode.at(-1) ?? 0) - (width === 1 ? 1 : 0);
    const prefixes = [...(lock ? [LOCK] : []), ...(width === 2 ? [0x66] : [])];
    return this.put({
      opcode: [...opcode.slice(0, -1), last],
      prefixes,
      reg,
      rm,
      wide: width === 8,
      rex: width === 1,
      immediate: tail,
    });
  }

  /** 32-bit immediate into a register, zero-extended. */
  set(register: number, value: number): this {
    return this.put({ opcode: [0xb8], low: register, immediate: le(value, 4) });
  }

  load(width: Width, register: number, from: Memory): this {
    return this.#sized(width, [0x8b], register, from);
  }
  store(width: Width, to: Memory, register: number): this {
    return this.#sized(width, [0x89], register, to);
  }
  copy(width: Width, to: number, from: number): this {
    return this.#sized(width, [0x89], from, to);
  }
  storeImmediate(width: Width, to: Memory, value: number): this {
    return this.#sized(width, [0xc7], 0, to, false, le(value, Math.min(width, 4)));
  }
  movzx(from: 1 | 2, register: number, rm: number | Memory): this {
    return this.put({ opcode: [0x0f, from === 1 ? 0xb6 : 0xb7], reg: register, rm, rex: true });
  }
  lea(width: 4 | 8, register: number, address: Memory): this {
    return this.#sized(width, [0x8d], register, address);
  }

  /** register := register op operand */
  op(operation: AluOperation, width: Width, register: number, operand: number | Memory): this {
    return this.#sized(width, [(aluOperations.indexOf(operation) << 3) | 3], register, operand);
  }
  /** memory := memory op register */
  opTo(operation: AluOperation, width: Width, to: Memory, register: number, lock = false): this {
    return this.#sized(width, [(aluOperations.indexOf(operation) << 3) | 1], register, to, lock);
  }
  opImmediate(operation: AluOperation, width: Width, rm: number | Memory, value: number, lock = false): this {
    return this.#sized(width, [0x81], aluOperations.indexOf(operation), rm, lock, le(value, Math.min(width, 4)));
  }
  test(width: Width, rm: number | Memory, register: number): this {
    return this.#sized(width, [0x85], register, rm);
  }
  testImmediate(width: Width, rm: number | Memory, value: number): this {
    return this.#sized(width, [0xf7], 0, rm, false, le(value, Math.min(width, 4)));
  }
  increment(width: Width, rm: number | Memory, lock = false): this {
    return this.#sized(width, [0xff], 0, rm, lock);
  }
  decrement(width: Width, rm: number | Memory, lock = false): this {
    return this.#sized(width, [0xff], 1, rm, lock);
  }
  negate(width: Width, rm: number | Memory): this {
    return this.#sized(width, [0xf7], 3, rm);
  }
  xadd(width: Width, to: Memory, register: number, lock = true): this {
    return this.#sized(width, [0x0f, 0xc1], register, to, lock);
  }
  xchg(width: Width, to: Memory, register: number): this {
    return this.#sized(width, [0x87], register, to);
  }
  cmpxchg(width: Width, to: Memory, register: number, lock = true): this {
    return this.#sized(width, [0x0f, 0xb1], register, to, lock);
  }
  /** BTS, BTR, BTC of a bit by number: 5, 6, 7 */
  bitTest(action: 4 | 5 | 6 | 7, width: 4 | 8, rm: number | Memory, bit: number, lock = false): this {
    const prefixes = lock ? [LOCK] : [];
    return this.put({ opcode: [0x0f, 0xba], prefixes, reg: action, rm, wide: width === 8, immediate: [bit] });
  }
  imul(width: 4 | 8, register: number, rm: number | Memory): this {
    return this.put({ opcode: [0x0f, 0xaf], reg: register, rm, wide: width === 8 });
  }
  /** ROL, ROR, RCL, RCR, SHL, SHR, SAR by number: 0 to 5, 7 */
  shift(kind: 0 | 1 | 2 | 3 | 4 | 5 | 7, width: Width, rm: number | Memory, count: number): this {
    return this.#sized(width, [0xc1], kind, rm, false, [count]);
  }
  setIf(condition: number, rm: number | Memory): this {
    return this.put({ opcode: [0x0f, 0x90 | condition], rm, rex: true });
  }
  moveIf(condition: number, width: 4 | 8, register: number, rm: number | Memory): this {
    return this.put({ opcode: [0x0f, 0x40 | condition], reg: register, rm, wide: width === 8 });
  }
  callRegister(rm: number | Memory): this {
    return this.put({ opcode: [0xff], reg: 2, rm });
  }
  jumpRegister(rm: number | Memory): this {
    return this.put({ opcode: [0xff], reg: 4, rm });
  }

  pause = (): this => this.raw(0xf3, 0x90);
  ret = (): this => this.raw(0xc3);
  hlt = (): this => this.raw(0xf4);
  cli = (): this => this.raw(0xfa);
  sti = (): this => this.raw(0xfb);
  cld = (): this => this.raw(0xfc);
  std = (): this => this.raw(0xfd);
  clc = (): this => this.raw(0xf8);
  stc = (): this => this.raw(0xf9);
  pushf = (): this => this.raw(0x9c);
  popf = (): this => this.raw(0x9d);
  iret = (): this => this.raw(0x48, 0xcf);
  rdtsc = (): this => this.raw(0x0f, 0x31);
  rdtscp = (): this => this.raw(0x0f, 0x01, 0xf9);
  rdmsr = (): this => this.raw(0x0f, 0x32);
  wrmsr = (): this => this.raw(0x0f, 0x30);
  monitor = (): this => this.raw(0x0f, 0x01, 0xc8);
  mwait = (): this => this.raw(0x0f, 0x01, 0xc9);
  /** WAITPKG, with the operand in a register by number below 8. */
  tpause = (register: number): this => this.raw(0x66, 0x0f, 0xae, 0xf0 | register);
  umwait = (register: number): this => this.raw(0xf2, 0x0f, 0xae, 0xf0 | register);
  umonitor = (register: number): this => this.raw(0xf3, 0x0f, 0xae, 0xf0 | register);
  cpuid = (): this => this.raw(0x0f, 0xa2);
  mfence = (): this => this.raw(0x0f, 0xae, 0xf0);
  lfence = (): this => this.raw(0x0f, 0xae, 0xe8);
  sfence = (): this => this.raw(0x0f, 0xae, 0xf8);
  ud2 = (): this => this.raw(0x0f, 0x0b);

  clflush(address: Memory): this {
    return this.put({ opcode: [0x0f, 0xae], reg: 7, rm: address });
  }
  interrupt(vector: number): this {
    return this.raw(0xcd, vector);
  }
  outByte(port: number): this {
    return this.raw(0xe6, port);
  }

  /** MOVS a4, CMPS a6, STOS aa, LODS ac, SCAS ae, by their byte opcodes. */
  string(opcode: number, width: Width, repeat: "" | "repe" | "repne"): this {
    if (repeat !== "") this.raw(repeat === "repe" ? REPE : REPNE);
    if (width === 2) this.raw(0x66);
    if (width === 8) this.raw(0x48);
    return this.raw(width === 1 ? opcode : opcode + 1);
  }

  /** Writes a register of the local APIC, by the number of its MSR in x2APIC mode; uses RAX, RCX and RDX. */
  writeApic(msr: number, value: number): this {
    if (this.apicMode === "x2apic") return this.writeMsr(msr, BigInt(value >>> 0));
    return this.set(RDX, XAPIC_BASE).storeImmediate(4, { base: RDX, displacement: (msr - X2APIC_FIRST) * 16 }, value);
  }

  /** Reads one into RAX; uses RCX and RDX. */
  readApic(msr: number): this {
    if (this.apicMode === "x2apic") return this.set(RCX, msr).rdmsr();
    return this.set(RDX, XAPIC_BASE).load(4, RAX, { base: RDX, displacement: (msr - X2APIC_FIRST) * 16 });
  }

  /** Writes ICR: the destination as in x2APIC mode, of which xAPIC mode takes the lower 8 bits. */
  sendCommand(command: number, destination = 0): this {
    if (this.apicMode === "x2apic") return this.writeMsr(MSR_ICR, (BigInt(destination >>> 0) << 32n) | BigInt(command));
    return this.writeApic(MSR_ICR + 1, destination << 24).writeApic(MSR_ICR, command);
  }

  /** WRMSR of a value known here; uses RAX, RCX and RDX. */
  writeMsr(msr: number, value: bigint): this {
    this.set(RCX, msr).set(RAX, Number(value & 0xffff_ffffn));
    return this.set(RDX, Number(value >> 32n)).wrmsr();
  }
}
