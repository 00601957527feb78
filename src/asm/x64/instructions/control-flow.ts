// x86-64 conditions, jumps, calls, returns and traps (SDM volume 2; FRED specification for its returns).

import { checkRange } from "../../code-buffer.ts";
import type { Label, LinkSymbol } from "../../code-buffer.ts";
import { commonWidth } from "../encoder.ts";
import type { RegisterOrMemory } from "../encoder.ts";
import { conditionNumber } from "../registers.ts";
import type { X64Condition, X64Memory, X64Register } from "../registers.ts";
import { X64Arithmetic } from "./arithmetic.ts";

const LOOP = { loopne: 0xe0, loope: 0xe1, loop: 0xe2 } as const;

export abstract class X64ControlFlow extends X64Arithmetic {
  setcc(condition: X64Condition, to: RegisterOrMemory): this {
    return this.modRm({ width: 8, opcode: [0x0f, 0x90 | conditionNumber(condition)], reg: 0, rm: to });
  }
  cmovcc(condition: X64Condition, to: X64Register, from: RegisterOrMemory): this {
    return this.modRm({
      width: commonWidth(to, from),
      opcode: [0x0f, 0x40 | conditionNumber(condition)],
      reg: to.number,
      rm: from,
    });
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
  /** Counts rcx down and jumps while it is not zero (and ZF is 1, or 0); only near labels. */
  loop(kind: keyof typeof LOOP, label: string | Label): this {
    return this.fixed(LOOP[kind]).#displacement8(label);
  }
  /** Jumps if rcx is zero, or ecx; only near labels. */
  jrcxz(label: string | Label): this {
    return this.fixed(0xe3).#displacement8(label);
  }
  jecxz(label: string | Label): this {
    return this.fixed(0x67, 0xe3).#displacement8(label);
  }
  #displacement8(label: string | Label): this {
    this.fixup(label, (view, at, target) => {
      view.setInt8(at, checkRange(target - at - 1, -0x80, 0x7f, "8-bit displacement"));
    });
    return this.fixed(0);
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
  callFar(target: X64Memory): this {
    return this.modRm({ width: target.width === 64 ? 64 : 32, opcode: [0xff], reg: 3, rm: target });
  }
  /** Pops as many more bytes as are given. */
  ret(bytes = 0): this {
    return this.#return(0xc3, bytes);
  }
  leave(): this {
    return this.fixed(0xc9);
  }
  /** Far return that pops rip and cs as 32-bit words, then as many more bytes as are given. */
  retf(bytes = 0): this {
    return this.#return(0xcb, bytes);
  }
  /** Far return that pops rip and cs as 64-bit words, then as many more bytes as are given. */
  retfq(bytes = 0): this {
    return this.#return(0xcb, bytes, 0x48);
  }
  /** `opcode` is that without a number of bytes. */
  #return(opcode: number, bytes: number, ...prefixes: readonly number[]): this {
    checkRange(bytes, 0, 0xffff, "bytes to pop");
    return bytes === 0
      ? this.fixed(...prefixes, opcode)
      : this.fixed(...prefixes, opcode - 1, bytes & 0xff, bytes >> 8);
  }
  /** Pops 32-bit words. */
  iretd(): this {
    return this.fixed(0xcf);
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
  /** To compatibility mode. */
  sysretl(): this {
    return this.fixed(0x0f, 0x07);
  }
  sysretq(): this {
    return this.fixed(0x48, 0x0f, 0x07);
  }
  int(vector: number): this {
    return this.fixed(0xcd, checkRange(vector, 0, 0xff, "vector"));
  }
  /** The debug exception as an instruction. */
  int1(): this {
    return this.fixed(0xf1);
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
}
