// x86-64 instructions of an operating system: interrupts, waiting, ordering, system registers, ports (SDM volume 2).

import { checkRange } from "../../code-buffer.ts";
import type { RegisterOrMemory } from "../encoder.ts";
import { gpr, X64Register } from "../registers.ts";
import type { Width, X64Memory } from "../registers.ts";
import { X64ControlFlow } from "./control-flow.ts";
import { wide } from "./moves.ts";

const PREFETCH = { prefetchnta: 0, prefetcht0: 1, prefetcht1: 2, prefetcht2: 3 } as const;
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

export abstract class X64System extends X64ControlFlow {
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
  /** AMD's, which wait at every privilege level, and with a timer. */
  monitorx(): this {
    return this.fixed(0x0f, 0x01, 0xfa);
  }
  mwaitx(): this {
    return this.fixed(0x0f, 0x01, 0xfb);
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
  prefetch(hint: keyof typeof PREFETCH, line: X64Memory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x18], reg: PREFETCH[hint], rm: line });
  }
  /** Writes back without invalidating. */
  wbnoinvd(): this {
    return this.fixed(0xf3, 0x0f, 0x09);
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

  /** The NOP with an operand, which is not accessed. */
  nopOperand(operand: RegisterOrMemory): this {
    return this.modRm({ width: operand.width, opcode: [0x0f, 0x1f], reg: 0, rm: operand });
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
  /** Back from system-management mode. */
  rsm(): this {
    return this.fixed(0x0f, 0xaa);
  }
  rdpid(to: X64Register): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0xc7], reg: 7, rm: gpr(to.number, 32), mandatory: 0xf3 });
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
    return this.modRm({
      width: 32,
      opcode: [0x0f, opcode],
      reg: checkRange(number, 0, 15, "register number"),
      rm: gpr(register.number, 32),
    });
  }
  movToSegment(to: SegmentRegister, from: RegisterOrMemory): this {
    return this.modRm({ width: 32, opcode: [0x8e], reg: SEGMENT[to], rm: from });
  }
  /** Memory takes 16 bits; a register of more is filled up with zeros. */
  movFromSegment(to: RegisterOrMemory, from: SegmentRegister): this {
    return this.modRm({ width: registerWidth(to) === 16 ? 16 : 32, opcode: [0x8c], reg: SEGMENT[from], rm: to });
  }
  pushSegment(segment: "fs" | "gs"): this {
    return this.fixed(0x0f, segment === "fs" ? 0xa0 : 0xa8);
  }
  popSegment(segment: "fs" | "gs"): this {
    return this.fixed(0x0f, segment === "fs" ? 0xa1 : 0xa9);
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
  lldt(selector: RegisterOrMemory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x00], reg: 2, rm: selector });
  }
  ltr(selector: RegisterOrMemory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x00], reg: 3, rm: selector });
  }
  sldt(to: RegisterOrMemory): this {
    return this.modRm({ width: registerWidth(to), opcode: [0x0f, 0x00], reg: 0, rm: to });
  }
  str(to: RegisterOrMemory): this {
    return this.modRm({ width: registerWidth(to) === 16 ? 16 : 32, opcode: [0x0f, 0x00], reg: 1, rm: to });
  }
  /** The low bits of CR0. */
  smsw(to: RegisterOrMemory): this {
    return this.modRm({ width: registerWidth(to), opcode: [0x0f, 0x01], reg: 4, rm: to });
  }
  lmsw(from: RegisterOrMemory): this {
    return this.modRm({ width: 32, opcode: [0x0f, 0x01], reg: 6, rm: from });
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
    return this.fixed(opcode | wide(width), checkRange(port, 0, 0xff, "constant port"));
  }
}

/** Operand size of an instruction that writes 16 bits to memory, whatever its size. */
function registerWidth(operand: RegisterOrMemory): Width {
  return operand instanceof X64Register ? operand.width : 32;
}
