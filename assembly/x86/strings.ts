// String instructions (SDM 2A CMPS, LODS, 2B MOVS, SCAS, STOS, REP). An iteration is a step: its accesses are made at its
// own cycle, and behind it RCX, RSI and RDI show the progress, so that an interrupt can be taken there.

import { Cpu } from "../cpu.ts";
import {
  Access,
  checkRights,
  closeJournal,
  journaledRead,
  journaledWrite,
  loadBytes,
  openJournal,
  outcome,
  storeBytes,
} from "../memory/access.ts";
import { readable, writable } from "../memory/copies.ts";
import { hitLimit } from "../time/limits.ts";
import { withSegment } from "./address.ts";
import { RAX, RCX, RDI, RFLAGS_DF, RFLAGS_TF, RSI, Shadow, readR, writeR, x86 } from "./cpu.ts";
import { zeroOf } from "./flags.ts";
import { compute } from "./integer.ts";
import { done, readMemory, readPart, writeMemory, writePart } from "./operand.ts";
import { Address, Alu, Extra, Op, X86 } from "./operations.ts";
import { Step } from "./step.ts";

export function executeString(cpu: Cpu, d: X86, operation: i32): Step {
  const base = changetype<usize>(cpu);
  const repeats = (d.extra & (<u16>(Extra.REP | Extra.REPNE))) != 0;
  if (!repeats) return iterate(cpu, d, operation) ? Step.NEXT : Step.ACCESS;
  const state = x86(cpu);
  const single = state.shadow != Shadow.NONE || (state.rflags & RFLAGS_TF) != 0;
  if (counter(base, d) == 0) return Step.NEXT;
  while (true) {
    if (!iterate(cpu, d, operation)) return Step.ACCESS;
    const left = counter(base, d) - 1;
    setCounter(base, d, left);
    if (left == 0 || isOver(base, d, operation)) {
      state.repeating = 0;
      return Step.NEXT;
    }
    state.repeating = 1;
    cpu.clock += d.cost;
    if (single || cpu.clock >= hitLimit) return Step.REPEAT;
  }
}

/** REPE ends when the operands differ, REPNE when they are equal. */
function isOver(cpu: usize, d: X86, operation: i32): bool {
  if (operation != Op.CMPS && operation != Op.SCAS) return false;
  return zeroOf(cpu) == ((d.extra & (<u16>Extra.REPNE)) != 0);
}

function isShort(d: X86): bool {
  return ((<u32>d.mode) & Address.SHORT) != 0;
}

function counter(cpu: usize, d: X86): u64 {
  return isShort(d) ? readR(cpu, RCX) & 0xffff_ffff : readR(cpu, RCX);
}

function setCounter(cpu: usize, d: X86, value: u64): void {
  writeR(cpu, RCX, isShort(d) ? value & 0xffff_ffff : value);
}

/** RSI with the segment of the instruction, RDI with ES, whose base is 0. */
function sourceAddress(cpu: usize, d: X86): u64 {
  return withSegment(cpu, d, readR(cpu, RSI));
}

function targetAddress(cpu: usize, d: X86): u64 {
  return isShort(d) ? readR(cpu, RDI) & 0xffff_ffff : readR(cpu, RDI);
}

function advance(cpu: Cpu, d: X86, register: u32): void {
  const base = changetype<usize>(cpu);
  const step = (x86(cpu).rflags & RFLAGS_DF) != 0 ? 0 - <u64>d.size : <u64>d.size;
  const moved = readR(base, register) + step;
  writeR(base, register, isShort(d) ? moved & 0xffff_ffff : moved);
}

/** One iteration. @returns whether its accesses are done */
function iterate(cpu: Cpu, d: X86, operation: i32): bool {
  const base = changetype<usize>(cpu);
  const size = <u32>d.size;
  switch (operation) {
    case Op.MOVS:
      if (!moveElement(cpu, sourceAddress(base, d), targetAddress(base, d), size)) return false;
      advance(cpu, d, RSI);
      advance(cpu, d, RDI);
      return true;
    case Op.STOS:
      if (!writeMemory(cpu, targetAddress(base, d), size, readR(base, RAX))) return false;
      advance(cpu, d, RDI);
      return true;
    case Op.LODS: {
      const value = readMemory(cpu, sourceAddress(base, d), size);
      if (!done) return false;
      writePart(base, RAX, size, false, value);
      advance(cpu, d, RSI);
      return true;
    }
    case Op.SCAS: {
      const value = readMemory(cpu, targetAddress(base, d), size);
      if (!done) return false;
      compute(base, Alu.CMP, size, readPart(base, RAX, size, false), value);
      advance(cpu, d, RDI);
      return true;
    }
    default:
      return compareElements(cpu, d, size);
  }
}

function moveElement(cpu: Cpu, from: u64, to: u64, size: u32): bool {
  const base = changetype<usize>(cpu);
  const source = readable(base, from, <u64>size);
  const target = writable(base, to, <u64>size);
  if (source != 0 && target != 0) {
    storeBytes(target, size, loadBytes(source, size));
    return true;
  }
  if (!checkRights(from, size, false) || !checkRights(to, size, true)) return false;
  openJournal();
  const value = journaledRead(cpu, from, size);
  if (outcome() != Access.DONE) return false;
  journaledWrite(cpu, to, size, value);
  if (outcome() != Access.DONE) return false;
  closeJournal(cpu);
  return true;
}

function compareElements(cpu: Cpu, d: X86, size: u32): bool {
  const base = changetype<usize>(cpu);
  const first = sourceAddress(base, d);
  const second = targetAddress(base, d);
  if (!checkRights(first, size, false) || !checkRights(second, size, false)) return false;
  openJournal();
  const x = journaledRead(cpu, first, size);
  if (outcome() != Access.DONE) return false;
  const y = journaledRead(cpu, second, size);
  if (outcome() != Access.DONE) return false;
  closeJournal(cpu);
  compute(base, Alu.CMP, size, x, y);
  advance(cpu, d, RSI);
  advance(cpu, d, RDI);
  return true;
}
