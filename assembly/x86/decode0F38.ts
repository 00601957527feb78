// x86-64 decoder: the integer instructions of the three-byte map 0F 38 (SDM 2D A.3, table A-4).

import { Timing } from "../../src/abi.ts";
import { inMemory, operandSize, regField, rexW, take8, takeModRm, wordOf } from "./bytes.ts";
import { CarryChain, Extra, Op, X86 } from "./operations.ts";
import { loads, sideEffect, simple, stores, takeOperands, touchesMemory } from "./select.ts";
import { decodeSimd0F38, Mandatory, mandatoryPrefix } from "./simd.ts";

export function decode0F38(d: X86): void {
  const opcode = take8();
  const prefix = mandatoryPrefix();
  if (opcode == 0xf0 || opcode == 0xf1) {
    if (prefix == Mandatory.PF2) decodeCrc32(d, opcode);
    if (prefix == Mandatory.PF2 || prefix == Mandatory.PF3) return;
    d.size = <u8>operandSize();
    takeModRm(d);
    if (!inMemory) return;
    if (opcode == 0xf0) d.extra |= <u16>Extra.TO_REG;
    if (opcode == 0xf0) loads(d, Op.MOVBE);
    else stores(d, Op.MOVBE);
  } else if (opcode == 0xf6 && (prefix == Mandatory.P66 || prefix == Mandatory.PF3)) {
    decodeAddChained(d, prefix == Mandatory.P66 ? CarryChain.CF : CarryChain.OF);
  } else if (opcode == 0x82 && prefix == Mandatory.P66) {
    takeModRm(d);
    if (!inMemory) return;
    d.extra |= <u16>Extra.MEMORY;
    sideEffect(d, Op.INVPCID, Timing.COST_SYSTEM_WRITE);
    touchesMemory(d);
  } else {
    decodeSimd0F38(d, opcode);
  }
}

/** CRC32: done without being announced, since CPUID has no bit for it other than that of all of SSE4.2. */
function decodeCrc32(d: X86, opcode: u32): void {
  takeOperands(d, opcode);
  d.extra &= ~(<u16>Extra.HIGH_REG);
  d.reg = wordOf(regField);
  if (inMemory) loads(d, Op.CRC32);
  else simple(d, Op.CRC32);
}

/** 66 and F3 are mandatory prefixes here and say nothing of the size. */
function decodeAddChained(d: X86, chain: CarryChain): void {
  takeModRm(d);
  d.size = rexW ? 8 : 4;
  d.extra |= <u16>chain;
  if (inMemory) loads(d, Op.ADD_CHAINED);
  else simple(d, Op.ADD_CHAINED);
}
