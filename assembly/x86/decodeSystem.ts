// x86-64 decoder: the groups of the 0F map that are for systems, 6, 7 and 15, and MOV to and from CR and DR (SDM 2D A.4).

import { Timing } from "../../src/abi.ts";
import { timing } from "../machine.ts";
import { extension, inMemory, operandSize, regField, rexW, rmField, takeModRm, takeRegisters } from "./bytes.ts";
import { RFLAGS_AC } from "./cpu.ts";
import { Extra, Fence, Op, X86 } from "./operations.ts";
import { setOperation, sideEffect, simple, stores, touchesMemory } from "./select.ts";
import { Mandatory, mandatoryPrefix } from "./simd.ts";

/** An operation on a descriptor, whose selector is the operand. */
export function descriptor(d: X86, operation: Op): void {
  d.extra |= <u16>(inMemory ? Extra.MEMORY : 0);
  sideEffect(d, operation, Timing.COST_SYSTEM_READ);
  touchesMemory(d);
}

/** SLDT, STR, LLDT, LTR, VERR, VERW */
export function decodeGroup6(d: X86): void {
  d.size = <u8>operandSize();
  takeModRm(d);
  switch (extension) {
    case 0:
    case 1:
      if (inMemory) stores(d, extension == 0 ? Op.SLDT : Op.STR);
      else simple(d, extension == 0 ? Op.SLDT : Op.STR);
      d.cost = <u16>timing(Timing.COST_SYSTEM_READ);
      if (inMemory) d.size = 2;
      break;
    case 2:
      descriptor(d, Op.LLDT);
      break;
    case 3:
      descriptor(d, Op.LTR);
      break;
    case 4:
      descriptor(d, Op.VERR);
      break;
    case 5:
      descriptor(d, Op.VERW);
      break;
    default:
      break;
  }
}

export function decodeGroup7(d: X86): void {
  takeModRm(d);
  if (!inMemory) {
    decodeGroup7Registers(d);
    return;
  }
  d.extra |= <u16>Extra.MEMORY;
  switch (extension) {
    case 0:
      table(d, Op.SGDT);
      break;
    case 1:
      table(d, Op.SIDT);
      break;
    case 2:
      table(d, Op.LGDT);
      break;
    case 3:
      table(d, Op.LIDT);
      break;
    case 4:
      d.size = 2;
      stores(d, Op.SMSW);
      break;
    case 6:
      d.size = 2;
      sideEffect(d, Op.LMSW, Timing.COST_SYSTEM_WRITE);
      touchesMemory(d);
      break;
    case 7:
      sideEffect(d, Op.INVLPG, Timing.COST_SYSTEM_WRITE);
      break;
    default: // RSTORSSP: not announced
      break;
  }
}

/** Ten bytes: limit and base. */
function table(d: X86, operation: Op): void {
  sideEffect(d, operation, Timing.COST_SYSTEM_WRITE);
  touchesMemory(d);
}

function decodeGroup7Registers(d: X86): void {
  const plain = mandatoryPrefix() == Mandatory.NONE;
  switch ((extension << 3) | (rmField & 7)) {
    case 0o10:
      if (plain) {
        sideEffect(d, Op.MONITOR, Timing.COST_LOAD);
        touchesMemory(d);
      }
      break;
    case 0o11:
      if (plain) {
        sideEffect(d, Op.MWAIT, Timing.COST_SIMPLE);
        touchesMemory(d); // its outcome depends on the monitored line
      }
      break;
    case 0o12:
    case 0o13:
      if (!plain) break;
      d.immediate = extension == 1 && (rmField & 7) == 3 ? <i32>RFLAGS_AC : 0;
      sideEffect(d, Op.ACCESS_CHECK, Timing.COST_SIMPLE);
      break;
    case 0o20:
      if (plain) sideEffect(d, Op.XGETBV, Timing.COST_SYSTEM_READ);
      break;
    case 0o21:
      if (plain) sideEffect(d, Op.XSETBV, Timing.COST_SYSTEM_WRITE);
      break;
    case 0o50:
      if (plain) {
        d.extra = <u16>Fence.SERIALIZE;
        setOperation(d, Op.FENCE, Timing.COST_SERIALIZE);
      }
      break;
    case 0o70:
      sideEffect(d, Op.SWAPGS, Timing.COST_SIMPLE);
      break;
    case 0o71:
      setOperation(d, Op.RDTSCP, Timing.COST_READ_COUNTER);
      break;
    default:
      if (extension == 4) {
        d.size = <u8>operandSize();
        setOperation(d, Op.SMSW, Timing.COST_SYSTEM_READ);
      } else if (extension == 6) {
        d.size = 2;
        sideEffect(d, Op.LMSW, Timing.COST_SYSTEM_WRITE);
      }
      break; // VMX, SGX, SVM, RTM, PKU, CET and others: not announced
  }
}

/** MOV to and from CR and DR: ModRM.mod is ignored, operands are 64 bits (SDM 2B, MOV). */
export function decodeMoveControl(d: X86, opcode: u32): void {
  takeRegisters(d);
  const to = (opcode & 2) != 0;
  d.extra = <u16>regField;
  if ((opcode & 1) != 0) {
    if (regField < 8)
      sideEffect(d, to ? Op.MOV_TO_DR : Op.MOV_FROM_DR, to ? Timing.COST_SYSTEM_WRITE : Timing.COST_SYSTEM_READ);
    return;
  }
  switch (regField) {
    case 0:
    case 2:
    case 3:
    case 4:
    case 8:
      sideEffect(d, to ? Op.MOV_TO_CR : Op.MOV_FROM_CR, to ? Timing.COST_SYSTEM_WRITE : Timing.COST_SYSTEM_READ);
      break;
    default:
      break;
  }
}

export function decodeGroup15(d: X86): void {
  const prefix = mandatoryPrefix();
  takeModRm(d);
  if (inMemory) {
    decodeGroup15Memory(d, prefix);
    return;
  }
  if (prefix == Mandatory.PF3 && extension < 4) {
    d.size = rexW ? 8 : 4;
    d.extra = <u16>(extension & 1);
    d.reg = d.rm;
    sideEffect(d, extension < 2 ? Op.READ_BASE : Op.WRITE_BASE, Timing.COST_SIMPLE);
  } else if (prefix == Mandatory.NONE && extension > 4) {
    d.extra = <u16>extension;
    setOperation(d, Op.FENCE, fenceCost(extension));
  } else if (extension == 6 && prefix != Mandatory.NONE) {
    decodeWaitPackage(d, prefix);
  } // INCSSP, PTWRITE: not announced
}

/** TPAUSE, UMONITOR, UMWAIT (WAITPKG). */
function decodeWaitPackage(d: X86, prefix: Mandatory): void {
  d.reg = d.rm;
  if (prefix == Mandatory.P66) {
    sideEffect(d, Op.TPAUSE, Timing.COST_SIMPLE);
    return;
  }
  sideEffect(
    d,
    prefix == Mandatory.PF3 ? Op.UMONITOR : Op.UMWAIT,
    prefix == Mandatory.PF3 ? Timing.COST_LOAD : Timing.COST_SIMPLE,
  );
  touchesMemory(d);
}

function fenceCost(fence: u32): Timing {
  if (fence == <u32>Fence.LFENCE) return Timing.COST_LOAD_FENCE;
  return fence == <u32>Fence.MFENCE ? Timing.COST_FULL_FENCE : Timing.COST_STORE_FENCE;
}

function decodeGroup15Memory(d: X86, prefix: Mandatory): void {
  if (prefix == Mandatory.NONE) {
    switch (extension) {
      case 0: // FXSAVE
      case 1: // FXRSTOR
        sideEffect(d, Op.X87, Timing.COST_SIMPLE);
        break;
      case 2: // LDMXCSR
      case 3: // STMXCSR
        sideEffect(d, Op.SSE, Timing.COST_SIMPLE);
        break;
      case 7:
        flushLine(d);
        break;
      default: // XSAVE, XRSTOR, XSAVEOPT: not announced
        break;
    }
  } else if (prefix == Mandatory.P66 && extension >= 6) {
    flushLine(d); // CLWB, CLFLUSHOPT
  }
}

/** Checked as a load of a byte. */
function flushLine(d: X86): void {
  d.size = 1;
  d.extra |= <u16>Extra.MEMORY;
  sideEffect(d, Op.CLFLUSH, Timing.COST_FLUSH_LINE);
}
