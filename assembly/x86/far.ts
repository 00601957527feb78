// Control transfers that load CS: far JMP, CALL and RET, IRET, SYSCALL, SYSRET (SDM 2A CALL, IRET, JMP, 2B RET, SYSCALL,
// SYSRET). Code segments must be 64-bit: compatibility mode and call gates are not modelled.

import { X86Vector } from "../../src/abi.ts";
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
import {
  EFER_SCE,
  R11,
  RCX,
  RFLAGS_LOADED,
  RFLAGS_NT,
  RFLAGS_RF,
  RFLAGS_STATUS,
  RSP,
  Shadow,
  USER_LEVEL,
  isCanonical,
  levelOfCode,
  readR,
  updateMasked,
  writeR,
  x86,
} from "./cpu.ts";
import { generalProtection, undefinedOpcode, unsupported } from "./exception.ts";
import { readStatus, writeStatus } from "./flags.ts";
import { operandAddress } from "./operand.ts";
import { Op, X86 } from "./operations.ts";
import {
  DESCRIPTOR_CONFORMING,
  DESCRIPTOR_D,
  DESCRIPTOR_EXECUTABLE,
  DESCRIPTOR_L,
  DESCRIPTOR_PRESENT,
  DESCRIPTOR_S,
  Lookup,
  TYPE_CALL_GATE,
  descriptor,
  dropInnerSegments,
  isStackSegment,
  levelOf,
  lookUp,
  protectionFault,
  selectorFault,
  typeOf,
} from "./segments.ts";
import { loadableFlags, wouldCheckAlignment } from "./privilege.ts";
import { loadFlags } from "./stack.ts";
import { Step } from "./step.ts";

export function executeFar(cpu: Cpu, d: X86, operation: i32): Step {
  switch (operation) {
    case Op.JMP_FAR:
    case Op.CALL_FAR:
      return jumpFar(cpu, d, operation == Op.CALL_FAR);
    case Op.RET_FAR:
      return returnFar(cpu, d);
    case Op.IRET: {
      const step = interruptReturn(cpu, d);
      // NMIs are unblocked even by an IRET that faults (SDM 3A 6.7.1).
      if (step != Step.ACCESS || outcome() == Access.FAULT) {
        x86(cpu).nmiBlocked = 0;
        updateMasked(cpu);
      }
      return step;
    }
    case Op.SYSCALL:
      return systemCall(cpu, d);
    default:
      return systemReturn(cpu, d);
  }
}

/** Whether a selector names a code segment to go to; Step.NEXT if so. The journal is open. */
function checkTarget(cpu: Cpu, selector: u32): Step {
  if ((selector & 0xfffc) == 0) return generalProtection(cpu);
  const found = lookUp(cpu, selector);
  if (found == Lookup.NOT_DONE) return Step.ACCESS;
  if (found == Lookup.OUTSIDE) return protectionFault(cpu, selector);
  if ((descriptor & DESCRIPTOR_S) == 0) {
    return typeOf(descriptor) == TYPE_CALL_GATE ? unsupported(cpu, <u64>selector) : protectionFault(cpu, selector);
  }
  if ((descriptor & DESCRIPTOR_EXECUTABLE) == 0) return protectionFault(cpu, selector);
  const level = levelOfCode(cpu);
  const isAllowed =
    (descriptor & DESCRIPTOR_CONFORMING) != 0
      ? levelOf(descriptor) <= level
      : levelOf(descriptor) == level && (selector & 3) <= level;
  return isAllowed ? checkLongMode(cpu, selector) : protectionFault(cpu, selector);
}

/** `descriptor`, of code, is present and of 64-bit mode. */
function checkLongMode(cpu: Cpu, selector: u32): Step {
  const isLong = (descriptor & DESCRIPTOR_L) != 0;
  if (isLong && (descriptor & DESCRIPTOR_D) != 0) return protectionFault(cpu, selector);
  if ((descriptor & DESCRIPTOR_PRESENT) == 0) return selectorFault(cpu, X86Vector.SEGMENT_NOT_PRESENT, selector);
  return isLong ? Step.NEXT : unsupported(cpu, <u64>selector);
}

/** Through a pointer in memory: offset, then selector. */
function jumpFar(cpu: Cpu, d: X86, call: bool): Step {
  const base = changetype<usize>(cpu);
  const state = x86(cpu);
  const size = <u32>d.size;
  const address = operandAddress(cpu, d);
  const stack = readR(base, RSP) - 2 * size;
  if (!checkRights(address, size + 2, false)) return Step.ACCESS;
  openJournal();
  const target = journaledRead(cpu, address, size);
  if (outcome() != Access.DONE) return Step.ACCESS;
  const selector = <u32>journaledRead(cpu, address + size, 2);
  if (outcome() != Access.DONE) return Step.ACCESS;
  const step = checkTarget(cpu, selector);
  if (step != Step.NEXT) return step;
  if (!isCanonical(target)) return generalProtection(cpu);
  if (call) {
    if (!checkRights(stack, 2 * size, true)) return Step.ACCESS;
    journaledWrite(cpu, stack + size, size, <u64>state.cs);
    if (outcome() != Access.DONE) return Step.ACCESS;
    journaledWrite(cpu, stack, size, cpu.pc + <u64>d.length);
    if (outcome() != Access.DONE) return Step.ACCESS;
    writeR(base, RSP, stack);
  }
  closeJournal(cpu);
  state.cs = <u16>((selector & 0xfffc) | levelOfCode(cpu));
  cpu.pc = target;
  return Step.JUMP;
}

function returnFar(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const size = <u32>d.size;
  const stack = readR(base, RSP);
  if (!checkRights(stack, 2 * size, false)) return Step.ACCESS;
  openJournal();
  const target = journaledRead(cpu, stack, size);
  if (outcome() != Access.DONE) return Step.ACCESS;
  const selector = (<u32>journaledRead(cpu, stack + size, size)) & 0xffff;
  if (outcome() != Access.DONE) return Step.ACCESS;
  const step = checkReturn(cpu, selector);
  if (step != Step.NEXT) return step;
  if (!isCanonical(target)) return generalProtection(cpu);
  const released = stack + 2 * size + <u64>d.immediate;
  if ((selector & 3) != levelOfCode(cpu)) return returnFarOutward(cpu, d, target, selector, released);
  closeJournal(cpu);
  x86(cpu).cs = <u16>selector;
  writeR(base, RSP, released);
  cpu.pc = target;
  return Step.JUMP;
}

/** To an outer level, RSP and SS are popped, too, and both stacks' arguments released. */
function returnFarOutward(cpu: Cpu, d: X86, target: u64, selector: u32, stack: u64): Step {
  const size = <u32>d.size;
  const level = selector & 3;
  if (!checkRights(stack, 2 * size, false)) return Step.ACCESS;
  const outer = journaledRead(cpu, stack, size);
  if (outcome() != Access.DONE) return Step.ACCESS;
  const stackSelector = (<u32>journaledRead(cpu, stack + size, size)) & 0xffff;
  if (outcome() != Access.DONE) return Step.ACCESS;
  const step = checkReturnStack(cpu, stackSelector, level);
  if (step != Step.NEXT) return step;
  if (wouldCheckAlignment(cpu, level, x86(cpu).rflags)) return unsupported(cpu, Op.RET_FAR);
  closeJournal(cpu);
  x86(cpu).cs = <u16>selector;
  x86(cpu).ss = <u16>stackSelector;
  dropInnerSegments(cpu, level);
  writeR(changetype<usize>(cpu), RSP, outer + <u64>d.immediate);
  cpu.pc = target;
  return Step.JUMP;
}

/** Whether a selector names a code segment to return to: of the level that its RPL says, this one or an outer one. */
function checkReturn(cpu: Cpu, selector: u32): Step {
  if ((selector & 0xfffc) == 0) return generalProtection(cpu);
  const found = lookUp(cpu, selector);
  if (found == Lookup.NOT_DONE) return Step.ACCESS;
  const code = DESCRIPTOR_S | DESCRIPTOR_EXECUTABLE;
  if (found == Lookup.OUTSIDE || (descriptor & code) != code) return protectionFault(cpu, selector);
  const level = selector & 3;
  const isOfLevel =
    (descriptor & DESCRIPTOR_CONFORMING) != 0 ? levelOf(descriptor) <= level : levelOf(descriptor) == level;
  return level >= levelOfCode(cpu) && isOfLevel ? checkLongMode(cpu, selector) : protectionFault(cpu, selector);
}

/** RIP, CS, RFLAGS, RSP and SS of an IRET. */
// @ts-ignore: AssemblyScript reserves the bytes at compile time
const POPPED: usize = memory.data(40, 8);

/** IRET, IRETD, IRETQ in 64-bit mode: always five elements. */
function interruptReturn(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const state = x86(cpu);
  const size = <u32>d.size;
  const stack = readR(base, RSP);
  if ((state.rflags & RFLAGS_NT) != 0) return generalProtection(cpu);
  if (!checkRights(stack, 5 * size, false)) return Step.ACCESS;
  openJournal();
  for (let i: u32 = 0; i < 5; i++) {
    store<u64>(POPPED + ((<usize>i) << 3), journaledRead(cpu, stack + <u64>(i * size), size));
    if (outcome() != Access.DONE) return Step.ACCESS;
  }
  const target = load<u64>(POPPED);
  const selector = (<u32>load<u64>(POPPED, 8)) & 0xffff;
  const stackSelector = (<u32>load<u64>(POPPED, 32)) & 0xffff;
  let step = checkReturn(cpu, selector);
  if (step != Step.NEXT) return step;
  if (!isCanonical(target)) return generalProtection(cpu);
  const level = selector & 3;
  step = checkReturnStack(cpu, stackSelector, level);
  if (step != Step.NEXT) return step;
  const rflags = <u32>load<u64>(POPPED, 16);
  // What the level that is left may change.
  const loaded = loadableFlags(cpu, size);
  if (wouldCheckAlignment(cpu, level, (rflags & loaded) | (state.rflags & ~loaded))) return unsupported(cpu, Op.IRET);
  closeJournal(cpu);
  if (level != levelOfCode(cpu)) dropInnerSegments(cpu, level);
  state.cs = <u16>selector;
  state.ss = <u16>stackSelector;
  writeR(base, RSP, load<u64>(POPPED, 24));
  loadFlags(cpu, rflags, loaded);
  // An IRET that begins with RF set has cleared it before it loads it.
  if (size != 2 && (rflags & RFLAGS_RF) != 0) state.shadow = Shadow.RESUME | Shadow.OPENING;
  cpu.pc = target;
  return Step.JUMP;
}

/** SS may be null when the return is to 64-bit mode of a level other than 3. */
function checkReturnStack(cpu: Cpu, selector: u32, level: u32): Step {
  if ((selector & 0xfffc) == 0) return level == USER_LEVEL ? generalProtection(cpu) : Step.NEXT;
  const found = lookUp(cpu, selector);
  if (found == Lookup.NOT_DONE) return Step.ACCESS;
  if (found == Lookup.OUTSIDE || !isStackSegment(selector, level)) return protectionFault(cpu, selector);
  if ((descriptor & DESCRIPTOR_PRESENT) == 0) return selectorFault(cpu, X86Vector.STACK_FAULT, selector);
  return Step.NEXT;
}

/** SYSCALL leads to CPL 0 from wherever it is executed, on the same stack. */
function systemCall(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const state = x86(cpu);
  if ((state.efer & EFER_SCE) == 0) return undefinedOpcode(cpu);
  const rflags = (state.rflags & ~RFLAGS_RF) | readStatus(base);
  writeR(base, RCX, cpu.pc + <u64>d.length);
  writeR(base, R11, <u64>rflags);
  const kept = rflags & ~(<u32>state.fmask);
  writeStatus(base, kept & RFLAGS_STATUS);
  state.rflags = (kept & ~RFLAGS_STATUS) | 2;
  const selector = (<u32>(state.star >>> 32)) & 0xfffc;
  state.cs = <u16>selector;
  state.ss = <u16>(selector + 8);
  updateMasked(cpu);
  cpu.pc = state.lstar;
  return Step.JUMP;
}

/** SYSRET to 64-bit mode of CPL 3. */
function systemReturn(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const state = x86(cpu);
  if ((state.efer & EFER_SCE) == 0) return undefinedOpcode(cpu);
  const target = readR(base, RCX);
  if (levelOfCode(cpu) != 0) return generalProtection(cpu);
  if (d.size != 8) return unsupported(cpu, Op.SYSRET); // to compatibility mode
  if (!isCanonical(target)) return generalProtection(cpu);
  const rflags = <u32>readR(base, R11);
  if (wouldCheckAlignment(cpu, USER_LEVEL, rflags)) return unsupported(cpu, Op.SYSRET);
  loadFlags(cpu, rflags, RFLAGS_LOADED);
  const selector = <u32>(state.star >>> 48);
  state.cs = <u16>((selector + 16) | USER_LEVEL);
  state.ss = <u16>((selector + 8) | USER_LEVEL);
  cpu.pc = target;
  return Step.JUMP;
}
