// Stack operations beside PUSH and POP of a register (SDM 2B PUSH, POP, PUSHF, POPF, 2A ENTER, LEAVE).

import { Cpu } from "../cpu.ts";
import {
  Access,
  checkRights,
  closeJournal,
  journaledRead,
  journaledWrite,
  openJournal,
  outcome,
} from "../memory/access.ts";
import { RBP, RFLAGS_RF, RFLAGS_STATUS, RSP, levelOfCode, readR, updateMasked, writeR, x86 } from "./cpu.ts";
import { unsupported } from "./exception.ts";
import { readStatus, writeStatus } from "./flags.ts";
import {
  done,
  isMemory,
  numberOf,
  operandAddress,
  readMemory,
  secondOperand,
  writeMemory,
  writePart,
} from "./operand.ts";
import { Op, X86 } from "./operations.ts";
import { loadableFlags, wouldCheckAlignment } from "./privilege.ts";
import { popSegment, selectorOf } from "./segments.ts";
import { Step } from "./step.ts";

export function executeStack(cpu: Cpu, d: X86, operation: i32): Step {
  switch (operation) {
    case Op.PUSH:
      return isMemory(d) ? pushMemory(cpu, d) : push(cpu, d.size, secondOperand(changetype<usize>(cpu), d));
    case Op.POP:
      return isMemory(d) ? popMemory(cpu, d) : popRegister(cpu, d);
    case Op.PUSH_SEGMENT:
      return push(cpu, d.size, <u64>selectorOf(cpu, numberOf(d)));
    case Op.POP_SEGMENT:
      return popSegment(cpu, d);
    case Op.PUSHF:
      return push(cpu, d.size, <u64>((x86(cpu).rflags & ~RFLAGS_RF) | readStatus(changetype<usize>(cpu))));
    case Op.POPF:
      return popFlags(cpu, d);
    case Op.ENTER:
      return enter(cpu, d);
    default:
      return leave(cpu, d);
  }
}

/** One store below RSP. */
function push(cpu: Cpu, size: u32, value: u64): Step {
  const base = changetype<usize>(cpu);
  const address = readR(base, RSP) - size;
  if (!writeMemory(cpu, address, size, value)) return Step.ACCESS;
  writeR(base, RSP, address);
  return Step.NEXT;
}

function pushMemory(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const size = <u32>d.size;
  const from = operandAddress(cpu, d);
  const to = readR(base, RSP) - size;
  if (!checkRights(from, size, false) || !checkRights(to, size, true)) return Step.ACCESS;
  openJournal();
  const value = journaledRead(cpu, from, size);
  if (outcome() != Access.DONE) return Step.ACCESS;
  journaledWrite(cpu, to, size, value);
  if (outcome() != Access.DONE) return Step.ACCESS;
  closeJournal(cpu);
  writeR(base, RSP, to);
  return Step.NEXT;
}

function popRegister(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const address = readR(base, RSP);
  const value = readMemory(cpu, address, d.size);
  if (!done) return Step.ACCESS;
  writeR(base, RSP, address + d.size);
  writePart(base, d.reg, d.size, false, value);
  return Step.NEXT;
}

/** An address that uses RSP is computed with what it is behind the pop. */
function popMemory(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const size = <u32>d.size;
  const from = readR(base, RSP);
  writeR(base, RSP, from + size);
  const to = operandAddress(cpu, d);
  writeR(base, RSP, from);
  if (!checkRights(from, size, false) || !checkRights(to, size, true)) return Step.ACCESS;
  openJournal();
  const value = journaledRead(cpu, from, size);
  if (outcome() != Access.DONE) return Step.ACCESS;
  journaledWrite(cpu, to, size, value);
  if (outcome() != Access.DONE) return Step.ACCESS;
  closeJournal(cpu);
  writeR(base, RSP, from + size);
  return Step.NEXT;
}

/** POPF and POPFQ; 16 bits leave the upper flags alone. No shadow follows when IF becomes 1. */
function popFlags(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const address = readR(base, RSP);
  const value = <u32>readMemory(cpu, address, d.size);
  if (!done) return Step.ACCESS;
  const loaded = loadableFlags(cpu, d.size);
  if (wouldCheckAlignment(cpu, levelOfCode(cpu), value & loaded)) return unsupported(cpu, Op.POPF);
  writeR(base, RSP, address + d.size);
  loadFlags(cpu, value, loaded);
  return Step.RECHECK;
}

/** Loads the status flags and those of `loaded`. */
export function loadFlags(cpu: Cpu, value: u32, loaded: u32): void {
  const state = x86(cpu);
  state.rflags = (state.rflags & ~loaded) | (value & loaded);
  writeStatus(changetype<usize>(cpu), value & RFLAGS_STATUS);
  updateMasked(cpu);
}

/**
 * ENTER pushes RBP, with nesting the frame pointers of the enclosing procedures too, and its own. There may be more
 * accesses than the journal holds: what is stored is counted, and each load and store has the journal for itself.
 */
function enter(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const state = x86(cpu);
  const size = <u32>d.size;
  const level = numberOf(d);
  const frame = readR(base, RSP) - size;
  const outer = readR(base, RBP);
  const bottom = frame - <u64>(size * level);
  if (!checkRights(bottom, size * (level + 1), true)) return Step.ACCESS;
  if (level > 1 && !checkRights(outer - <u64>(size * (level - 1)), size * (level - 1), false)) return Step.ACCESS;
  for (let i = state.enterStored; i <= level; i++) {
    openJournal();
    const isOwn = i == level && level != 0;
    const value = i == 0 ? outer : isOwn ? frame : journaledRead(cpu, outer - <u64>(size * i), size);
    if (i != 0 && !isOwn && outcome() != Access.DONE) return Step.ACCESS;
    journaledWrite(cpu, frame - <u64>(size * i), size, value);
    if (outcome() != Access.DONE) return Step.ACCESS;
    closeJournal(cpu);
    state.enterStored = i + 1;
  }
  state.enterStored = 0;
  writePart(base, RBP, size, false, frame);
  writeR(base, RSP, bottom - <u64>d.immediate);
  return Step.NEXT;
}

function leave(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const frame = readR(base, RBP);
  const value = readMemory(cpu, frame, d.size);
  if (!done) return Step.ACCESS;
  writeR(base, RSP, frame + d.size);
  writePart(base, RBP, d.size, false, value);
  return Step.NEXT;
}
