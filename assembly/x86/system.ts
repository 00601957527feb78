// System instructions: fences, interrupt flag, waits, software interrupts, ports, counters, MSRs, control and debug
// registers; and what only raises exceptions (SDM volume 2, by mnemonic; 3A 2.8).

import { Device, Timing, WaitKind, X86Vector } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { requestDevice } from "../devices/transaction.ts";
import { timing } from "../machine.ts";
import {
  Access,
  checkRights,
  closeJournal,
  journaledRead,
  markBlocked,
  openJournal,
  outcome,
} from "../memory/access.ts";
import { startCycle } from "../time/bounds.ts";
import { observeLimit } from "../time/limits.ts";
import {
  CR0_EM,
  CR0_MP,
  CR0_TS,
  CR4_FSGSBASE,
  CR4_OSFXSR,
  FS_BASE,
  GS_BASE,
  RAX,
  RCX,
  RDX,
  RFLAGS_AC,
  RFLAGS_IF,
  Shadow,
  isCanonical,
  levelOfCode,
  readR,
  updateMasked,
  writeR,
  x86,
} from "./cpu.ts";
import { executeControlRegister } from "./controlRegisters.ts";
import { executeCpuid } from "./cpuid.ts";
import {
  fault,
  fetchFault,
  generalProtection,
  softwareInterrupt,
  trap,
  undefinedOpcode,
  unsupported,
} from "./exception.ts";
import { X2APIC_ICR, X2APIC_SELF_IPI, msrIsObserved, msrValue, readMsr, timeStamp, writeMsr } from "./msr.ts";
import { numberOf, operandAddress, writePart } from "./operand.ts";
import { Op, X86 } from "./operations.ts";
import { checkPrivilege, portOf } from "./privilege.ts";
import { Step } from "./step.ts";
import { timedPause } from "./timedPause.ts";
import { halt, monitor, mwait, userMonitor } from "./wait.ts";

export function executeSystem(cpu: Cpu, d: X86, operation: i32): Step {
  if (levelOfCode(cpu) != 0) {
    const step = checkPrivilege(cpu, d, operation);
    if (step != Step.NEXT) return step;
  }
  switch (operation) {
    case Op.FENCE:
      return Step.NEXT;
    case Op.CLFLUSH:
      return checkRights(operandAddress(cpu, d), 1, false) ? Step.NEXT : Step.ACCESS;
    case Op.CLI:
      x86(cpu).rflags &= ~RFLAGS_IF;
      updateMasked(cpu);
      return Step.NEXT;
    case Op.STI:
      return enableInterrupts(cpu);
    case Op.HLT:
      return halt(cpu);
    case Op.MONITOR:
      return monitor(cpu, d);
    case Op.MWAIT:
      return mwait(cpu);
    case Op.TPAUSE:
      return timedPause(cpu, d, WaitKind.TPAUSE);
    case Op.UMWAIT:
      return timedPause(cpu, d, WaitKind.UMWAIT);
    case Op.UMONITOR:
      return userMonitor(cpu, d);
    case Op.INT:
      return softwareInterrupt(cpu, <u32>d.immediate, cpu.pc + <u64>d.length);
    case Op.INT3:
      return softwareInterrupt(cpu, X86Vector.BREAKPOINT, cpu.pc + <u64>d.length);
    case Op.ICEBP:
      return trap(cpu, X86Vector.DEBUG, cpu.pc + <u64>d.length);
    case Op.IN:
      return input(cpu, d);
    case Op.OUT:
      return output(cpu, d);
    default:
      return executeRegisters(cpu, d, operation);
  }
}

/** STI: interrupts, NMIs too, are held off for one more instruction when IF was 0 (SDM 2B STI). */
function enableInterrupts(cpu: Cpu): Step {
  const state = x86(cpu);
  if ((state.rflags & RFLAGS_IF) == 0) {
    state.rflags |= RFLAGS_IF;
    state.shadow = Shadow.STI | Shadow.OPENING;
  }
  return Step.RECHECK;
}

// --- ports -----------------------------------------------------------------------------------------------------------

/** An access to a port travels to the device and its answer back, like one to a device in memory. */
function input(cpu: Cpu, d: X86): Step {
  if (cpu.deviceAnswered != 0) {
    cpu.deviceAnswered = 0;
    writePart(changetype<usize>(cpu), RAX, d.size, false, cpu.deviceValue);
    return Step.NEXT;
  }
  markBlocked(cpu);
  requestDevice(cpu, Device.PORTS, portOf(cpu, d), d.size, false, 0, startCycle(cpu));
  return Step.ACCESS;
}

function output(cpu: Cpu, d: X86): Step {
  if (cpu.deviceAnswered != 0) {
    cpu.deviceAnswered = 0;
    return Step.NEXT;
  }
  const value = readR(changetype<usize>(cpu), RAX) & (u64.MAX_VALUE >>> (64 - ((<u64>d.size) << 3)));
  markBlocked(cpu);
  requestDevice(cpu, Device.PORTS, portOf(cpu, d), d.size, true, value, startCycle(cpu));
  return Step.ACCESS;
}

// --- counters and model-specific registers ---------------------------------------------------------------------------

function executeRegisters(cpu: Cpu, d: X86, operation: i32): Step {
  const base = changetype<usize>(cpu);
  switch (operation) {
    case Op.CPUID:
      executeCpuid(cpu);
      return Step.NEXT;
    case Op.RDTSC:
      splitResult(base, timeStamp(cpu));
      return Step.NEXT;
    case Op.RDTSCP:
      splitResult(base, timeStamp(cpu));
      writeR(base, RCX, x86(cpu).tscAux);
      return Step.NEXT;
    case Op.RDPID:
      writeR(base, d.reg, x86(cpu).tscAux);
      return Step.NEXT;
    case Op.RDMSR:
      return readModelSpecific(cpu);
    case Op.WRMSR:
      return writeModelSpecific(cpu);
    case Op.RDPMC:
      return generalProtection(cpu); // there are no counters
    case Op.SWAPGS: {
      const bottom = readR(base, GS_BASE);
      writeR(base, GS_BASE, x86(cpu).kernelGsBase);
      x86(cpu).kernelGsBase = bottom;
      return Step.NEXT;
    }
    case Op.READ_BASE:
    case Op.WRITE_BASE:
      return segmentBase(cpu, d, operation == Op.WRITE_BASE);
    case Op.ACCESS_CHECK:
      x86(cpu).rflags = (x86(cpu).rflags & ~RFLAGS_AC) | (<u32>d.immediate);
      return Step.NEXT;
    case Op.INVLPG: // there are no translations
      return Step.NEXT;
    case Op.INVPCID:
      return invalidateContext(cpu, d);
    case Op.WBINVD:
      cpu.clock += timing(Timing.COST_WRITE_BACK_ALL);
      return Step.NEXT;
    default:
      return operation >= Op.MOV_FROM_CR && operation <= Op.CLTS
        ? executeControlRegister(cpu, d, operation)
        : raiseException(cpu, d, operation);
  }
}

/** To EDX:EAX. */
function splitResult(cpu: usize, value: u64): void {
  writeR(cpu, RAX, value & 0xffff_ffff);
  writeR(cpu, RDX, value >>> 32);
}

function readModelSpecific(cpu: Cpu): Step {
  const base = changetype<usize>(cpu);
  const msr = <u32>readR(base, RCX);
  if (msrIsObserved(msr) && cpu.clock >= observeLimit) return Step.LIMIT;
  if (!readMsr(cpu, msr)) return generalProtection(cpu);
  splitResult(base, msrValue);
  return Step.NEXT;
}

function writeModelSpecific(cpu: Cpu): Step {
  const base = changetype<usize>(cpu);
  const msr = <u32>readR(base, RCX);
  // What a write of EOI or TPR leaves pending depends on the messages before it, and so on.
  if (msrIsObserved(msr) && cpu.clock >= observeLimit) return Step.LIMIT;
  const value = (readR(base, RAX) & 0xffff_ffff) | (readR(base, RDX) << 32);
  if (!writeMsr(cpu, msr, value)) return generalProtection(cpu);
  if (msr == X2APIC_ICR || msr == X2APIC_SELF_IPI) {
    cpu.clock += <u64>timing(Timing.COST_SEND_INTERRUPT) - <u64>timing(Timing.COST_SYSTEM_WRITE);
    // An error may be pending at once.
    return (cpu.pending & ~cpu.masked) != 0 ? Step.RECHECK : Step.NEXT;
  }
  return Step.RECHECK;
}

/** RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE */
function segmentBase(cpu: Cpu, d: X86, write: bool): Step {
  const base = changetype<usize>(cpu);
  if ((x86(cpu).cr4 & CR4_FSGSBASE) == 0) return undefinedOpcode(cpu);
  const word = numberOf(d) == 0 ? FS_BASE : GS_BASE;
  if (!write) {
    writePart(base, d.reg, d.size, false, readR(base, word));
    return Step.NEXT;
  }
  const value = d.size == 4 ? readR(base, d.reg) & 0xffff_ffff : readR(base, d.reg);
  if (!isCanonical(value)) return generalProtection(cpu);
  writeR(base, word, value);
  return Step.NEXT;
}

/** INVPCID checks its operands; there are no translations to invalidate. */
function invalidateContext(cpu: Cpu, d: X86): Step {
  const type = readR(changetype<usize>(cpu), d.reg);
  const address = operandAddress(cpu, d);
  if (type > 3) return generalProtection(cpu);
  if (!checkRights(address, 16, false)) return Step.ACCESS;
  openJournal();
  const context = journaledRead(cpu, address, 8);
  if (outcome() != Access.DONE) return Step.ACCESS;
  const linear = journaledRead(cpu, address + 8, 8);
  if (outcome() != Access.DONE) return Step.ACCESS;
  closeJournal(cpu);
  // PCIDs other than 0 don't exist without CR4.PCIDE.
  if (type < 2 && context != 0) return generalProtection(cpu);
  if (type == 0 && !isCanonical(linear)) return generalProtection(cpu);
  return Step.NEXT;
}

// --- exceptions ------------------------------------------------------------------------------------------------------

/** What is not modelled or not an instruction (SDM 3A 2.5, 6.15). */
function raiseException(cpu: Cpu, d: X86, operation: i32): Step {
  const state = x86(cpu);
  switch (operation) {
    case Op.FWAIT:
      return (state.cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS) ? deviceNotAvailable(cpu) : Step.NEXT;
    case Op.X87:
      return (state.cr0 & (CR0_EM | CR0_TS)) != 0 ? deviceNotAvailable(cpu) : unsupported(cpu, Op.X87);
    case Op.SSE:
      if ((state.cr0 & CR0_EM) != 0 || (state.cr4 & CR4_OSFXSR) == 0) return undefinedOpcode(cpu);
      return (state.cr0 & CR0_TS) != 0 ? deviceNotAvailable(cpu) : unsupported(cpu, Op.SSE);
    case Op.MMX:
      if ((state.cr0 & CR0_EM) != 0) return undefinedOpcode(cpu);
      return (state.cr0 & CR0_TS) != 0 ? deviceNotAvailable(cpu) : unsupported(cpu, Op.MMX);
    case Op.TOO_LONG:
      return generalProtection(cpu);
    case Op.FETCH_FAULT:
      fetchFault(cpu, (cpu.pc | 0xfff) + 1);
      return Step.EXCEPTION;
    case Op.UNSUPPORTED:
      return unsupported(cpu, Op.UNSUPPORTED);
    default: // UNDEFINED; XGETBV and XSETBV without CR4.OSXSAVE
      return undefinedOpcode(cpu);
  }
}

function deviceNotAvailable(cpu: Cpu): Step {
  return fault(cpu, X86Vector.DEVICE_NOT_AVAILABLE);
}
