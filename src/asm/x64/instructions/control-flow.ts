// x86-64 conditions, jumps, calls, returns and traps (SDM volume 2; FRED specification for its returns).

import { checkRange } from "../../code-buffer.ts";
import type { Label, LinkSymbol } from "../../code-buffer.ts";
import { commonWidth } from "../encoder.ts";
import type { RegisterOrMemory } from "../encoder.ts";
import { conditionNumber } from "../registers.ts";
import type { X64Condition, X64Memory, X64Register } from "../registers.ts";
import { X64Arithmetic } from "./arithmetic.ts";

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
    return this.fixed(0xcd, checkRange(vector, 0, 0xff, "vector"));
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
