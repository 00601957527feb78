// Control transfers that load CS: far JMP, CALL and RET, IRET, SYSCALL (SDM 2A CALL, IRET, JMP, 2B RET, SYSCALL). Code
// segments must be 64-bit and of CPL 0; returning to an outer level or to compatibility mode is not modelled.

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
  isCanonical,
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
  isStackSegment,
  levelOf,
  lookUp,
  protectionFault,
  selectorFault,
  typeOf,
} from "./segments.ts";
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
    default: // SYSRET leads to CPL 3
      return (x86(cpu).efer & EFER_SCE) == 0 ? undefinedOpcode(cpu) : unsupported(cpu, Op.SYSRET);
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
  if ((descriptor & DESCRIPTOR_EXECUTABLE) == 0 || levelOf(descriptor) != 0) return protectionFault(cpu, selector);
  if ((selector & 3) != 0 && (descriptor & DESCRIPTOR_CONFORMING) == 0) return protectionFault(cpu, selector);
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
  state.cs = <u16>(selector & 0xfffc);
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
  closeJournal(cpu);
  x86(cpu).cs = <u16>selector;
  writeR(base, RSP, stack + 2 * size + <u64>d.immediate);
  cpu.pc = target;
  return Step.JUMP;
}

/** As checkTarget(), with a return to an outer level told apart. */
function checkReturn(cpu: Cpu, selector: u32): Step {
  if ((selector & 3) == 0 || (selector & 0xfffc) == 0) return checkTarget(cpu, selector);
  const found = lookUp(cpu, selector);
  if (found == Lookup.NOT_DONE) return Step.ACCESS;
  if (found == Lookup.OUTSIDE) return protectionFault(cpu, selector);
  return unsupported(cpu, <u64>selector);
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
  step = checkReturnStack(cpu, stackSelector);
  if (step != Step.NEXT) return step;
  closeJournal(cpu);
  state.cs = <u16>selector;
  state.ss = <u16>stackSelector;
  writeR(base, RSP, load<u64>(POPPED, 24));
  const rflags = <u32>load<u64>(POPPED, 16);
  loadFlags(cpu, rflags, size == 2 ? RFLAGS_LOADED & 0xffff : RFLAGS_LOADED);
  // An IRET that begins with RF set has cleared it before it loads it.
  if (size != 2 && (rflags & RFLAGS_RF) != 0) state.shadow = Shadow.RESUME | Shadow.OPENING;
  cpu.pc = target;
  return Step.JUMP;
}

/** SS may be null when the return is to CPL 0 in 64-bit mode. */
function checkReturnStack(cpu: Cpu, selector: u32): Step {
  if ((selector & 0xfffc) == 0) return Step.NEXT;
  const found = lookUp(cpu, selector);
  if (found == Lookup.NOT_DONE) return Step.ACCESS;
  if (found == Lookup.OUTSIDE || !isStackSegment(selector)) return protectionFault(cpu, selector);
  if ((descriptor & DESCRIPTOR_PRESENT) == 0) return selectorFault(cpu, X86Vector.STACK_FAULT, selector);
  return Step.NEXT;
}

/** SYSCALL from CPL 0 stays there: it goes through LSTAR all the same. */
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
