// A64 system instructions: barriers, hints that wait, PSTATE, system registers, exception generation and return (Arm ARM
// DDI 0487 C4.1.94).

import { Device, FirmwareConduit, StopReason, WaitKind } from "../../src/abi.ts";
import { Cpu, NEVER, Pending } from "../cpu.ts";
import { requestDevice } from "../devices/transaction.ts";
import { Arrival, reachesFirmware } from "../firmware/call.ts";
import { deepen } from "../interrupts/idle.ts";
import { broadcastEvent } from "../interrupts/message.ts";
import { beginWait } from "../interrupts/wake.ts";
import { machine } from "../machine.ts";
import { markBlocked } from "../memory/access.ts";
import { awaitStores, hasStores, mayLookAtStores, separateStores } from "../memory/stores.ts";
import { DecodedFlag } from "../memory/code.ts";
import { startCycle } from "../time/bounds.ts";
import { observeLimit } from "../time/limits.ts";
import { openMonitor } from "./atomic.ts";
import { PSTATE_ALLINT, PSTATE_DAIF, arm64, isAtEl0, readX, writeX } from "./cpu.ts";
import { BARRIER_LOADS, BARRIER_STORES, PstateField } from "./decodeSystem.ts";
import { El0Answer, issOfSystem, issOfWait, isWaitTrapped, ruleAtEl0 } from "./el0.ts";
import {
  ExceptionClass,
  exceptionReturn,
  returnFromEl3,
  selectStack,
  setAllint,
  setDaif,
  stopHere,
  synchronous,
} from "./exception.ts";
import { A64, Op } from "./operations.ts";
import { Step } from "./step.ts";
import { readSystem, systemValue, systemWriteEndsRun, writeSystem } from "./sysreg.ts";
import { SystemRegister } from "./systemRegisters.ts";
import { setWaitDeadline, timeoutCycle } from "./timer.ts";

/** SCTLR_EL1.M: translation. */
const SCTLR_M: u64 = 1;

export function executeSystem(cpu: Cpu, d: A64, operation: i32): Step {
  if (isAtEl0(changetype<usize>(cpu))) {
    const step = checkEl0(cpu, d, operation);
    if (step != Step.NEXT) return step;
  }
  switch (operation) {
    case Op.DMB:
    case Op.DSB:
      return barrier(cpu, d);
    case Op.ISB:
    case Op.SYSTEM_NOP:
      return Step.NEXT;
    case Op.WFE:
      return waitForEvent(cpu, d, NEVER);
    case Op.WFI:
      return waitForInterrupt(cpu, d, NEVER);
    case Op.WFET:
      return waitForEvent(cpu, d, timeoutCycle(cpu, readX(changetype<usize>(cpu), d.rn)));
    case Op.WFIT:
      return waitForInterrupt(cpu, d, timeoutCycle(cpu, readX(changetype<usize>(cpu), d.rn)));
    case Op.SEV:
      arm64(cpu).event = 1;
      broadcastEvent(cpu);
      return Step.NEXT;
    case Op.SEVL:
      arm64(cpu).event = 1;
      return Step.NEXT;
    case Op.MSR_IMMEDIATE:
      return writePstate(cpu, d);
    case Op.MRS:
      return moveFromSystem(cpu, d);
    case Op.MSR:
      return moveToSystem(cpu, d);
    case Op.WRITE_STATE:
      store<u64>(changetype<usize>(cpu) + d.extra, readX(changetype<usize>(cpu), d.rn) & (<u64>d.immediate));
      return Step.NEXT;
    case Op.SVC:
      synchronous(cpu, ExceptionClass.SVC, <u32>d.immediate, cpu.pc + 4);
      return Step.EXCEPTION;
    case Op.HVC:
      return callFirmware(cpu, d, FirmwareConduit.HVC);
    case Op.SMC:
      return callFirmware(cpu, d, FirmwareConduit.SMC);
    case Op.BRK:
      synchronous(cpu, ExceptionClass.BRK, <u32>d.immediate, cpu.pc);
      return Step.EXCEPTION;
    case Op.ERET:
      return exceptionReturn(cpu);
    case Op.CLREX:
      openMonitor(cpu);
      return Step.NEXT;
    case Op.UNSUPPORTED:
      stopHere(cpu, StopReason.UNSUPPORTED, d.raw);
      return Step.EXCEPTION;
    default:
      if (machine().bareMetal != 0 && isUnimplemented(cpu, d.raw)) {
        stopHere(cpu, StopReason.UNSUPPORTED, d.raw);
        return Step.EXCEPTION;
      }
      return undefined(cpu);
  }
}

/** Exceptions of EL0 that this level has not: what it may execute is Step.NEXT. */
function checkEl0(cpu: Cpu, d: A64, operation: i32): Step {
  switch (ruleAtEl0(cpu, d, operation)) {
    case El0Answer.ALLOWED:
      return Step.NEXT;
    case El0Answer.TRAPPED:
      synchronous(cpu, ExceptionClass.SYSTEM, issOfSystem(d.raw), cpu.pc);
      return Step.EXCEPTION;
    default:
      return undefined(cpu);
  }
}

/** DC ZVA at EL0 (SCTLR_EL1.DZE). */
export function mayZeroLine(cpu: Cpu, d: A64): Step {
  return checkEl0(cpu, d, Op.ZERO_LINE);
}

/**
 * Whether a word that is UNDEFINED here may be an instruction of another PE: all but UDF, and system registers and
 * instructions of EL2 and EL3 (op1 4 to 7), which are UNDEFINED at EL1 wherever they exist; at EL0 all but those of op1 3.
 */
function isUnimplemented(cpu: Cpu, word: u32): bool {
  if (word >>> 16 == 0) return false;
  const isSystemAccess = (word & 0xffc0_0000) == 0xd500_0000;
  if (!isSystemAccess) return true;
  const level = (word >>> 16) & 7;
  return isAtEl0(changetype<usize>(cpu)) ? level == 3 : level < 4;
}

function undefined(cpu: Cpu): Step {
  synchronous(cpu, ExceptionClass.UNKNOWN, 0, cpu.pc);
  return Step.EXCEPTION;
}

/** @param timeout the cycle at which the PE goes on at the latest */
function waitForEvent(cpu: Cpu, d: A64, timeout: u64): Step {
  if (cpu.clock >= observeLimit) return Step.LIMIT;
  const state = arm64(cpu);
  if (state.event != 0) {
    state.event = 0;
    return Step.NEXT;
  }
  return waitUntil(cpu, d, WaitKind.WFE, timeout);
}

function waitForInterrupt(cpu: Cpu, d: A64, timeout: u64): Step {
  if (cpu.clock >= observeLimit) return Step.LIMIT;
  return standBy(cpu, d, timeout);
}

/** Waits for an interrupt unless one is pending. */
function standBy(cpu: Cpu, d: A64, timeout: u64): Step {
  if ((cpu.pending & ~Pending.STOLEN) != 0) return Step.NEXT;
  const step = waitUntil(cpu, d, WaitKind.WFI, timeout);
  // How deep a WFI is, the platform says for each PE.
  if (step == Step.WAIT) deepen(cpu);
  return step;
}

function waitUntil(cpu: Cpu, d: A64, kind: WaitKind, timeout: u64): Step {
  if (timeout <= startCycle(cpu)) return Step.NEXT;
  if (isWaitTrapped(cpu, kind)) {
    synchronous(cpu, ExceptionClass.WAIT, issOfWait(d), cpu.pc);
    return Step.EXCEPTION;
  }
  beginWait(cpu, kind);
  setWaitDeadline(cpu, timeout);
  return Step.WAIT;
}

function writePstate(cpu: Cpu, d: A64): Step {
  const value = <u32>d.immediate;
  const daif = arm64(cpu).daif;
  switch (d.extra) {
    case PstateField.SPSEL:
      selectStack(cpu, value & 1);
      return Step.RECHECK;
    case PstateField.ALLINT:
      setAllint(cpu, (value & 1) != 0 ? PSTATE_ALLINT : 0);
      return Step.RECHECK;
    case PstateField.DAIFSET:
      setDaif(cpu, daif | ((value << 6) & PSTATE_DAIF));
      return Step.NEXT;
    default:
      setDaif(cpu, daif & ~(value << 6));
      return Step.RECHECK;
  }
}

function moveFromSystem(cpu: Cpu, d: A64): Step {
  // What no message changes may be read whenever the instruction may start, and in an elided loop.
  if ((d.flags & (<u16>DecodedFlag.SIDE_EFFECT)) != 0 && cpu.clock >= observeLimit) return Step.LIMIT;
  if (d.extra == SystemRegister.CONSTANT) {
    writeX(changetype<usize>(cpu), d.rd, <u64>d.immediate);
    return Step.NEXT;
  }
  if (!readSystem(cpu, d.extra)) return undefined(cpu);
  writeX(changetype<usize>(cpu), d.rd, systemValue);
  return Step.NEXT;
}

function moveToSystem(cpu: Cpu, d: A64): Step {
  if (cpu.clock >= observeLimit) return Step.LIMIT;
  const value = readX(changetype<usize>(cpu), d.rn);
  if (d.extra == SystemRegister.SCTLR_EL1 && (value & SCTLR_M) != 0 && machine().bareMetal != 0) {
    stopHere(cpu, StopReason.UNSUPPORTED, d.raw); // there is no MMU to be switched on
    return Step.EXCEPTION;
  }
  if (!writeSystem(cpu, d.extra, value)) return undefined(cpu);
  return systemWriteEndsRun(d.extra) ? Step.RECHECK : Step.NEXT;
}

/**
 * DMB and DSB (Arm ARM DDI 0487 B2.3.7), all domains alike: the inner shareable one holds all PEs. Older loads are bound, so those
 * that order loads alone need nothing. DMB keeps later accesses behind the stores that wait, and lets all go on that accesses no
 * memory: system registers, SMC. DSB waits until stores have drained.
 */
function barrier(cpu: Cpu, d: A64): Step {
  if (cpu.storing == 0 || d.extra == BARRIER_LOADS) return Step.NEXT;
  if (!mayLookAtStores(cpu)) return Step.LIMIT;
  if (!hasStores(cpu)) return Step.NEXT;
  if (<i32>d.operation == Op.DMB) return separateStores(cpu, d.extra != BARRIER_STORES) ? Step.NEXT : Step.ACCESS;
  awaitStores(cpu);
  return Step.ACCESS;
}

/** HVC and SMC: the call travels to firmware like an access to a device, and comes back with X0. */
function callFirmware(cpu: Cpu, d: A64, conduit: FirmwareConduit): Step {
  if (cpu.deviceAnswered != 0) {
    cpu.deviceAnswered = 0;
    writeX(changetype<usize>(cpu), 0, cpu.deviceValue);
    returnFromEl3(cpu);
    // CPU_SUSPEND has asked for standby.
    return cpu.deviceWrite != 0 ? standBy(cpu, d, NEVER) : Step.NEXT;
  }
  if (!reachesFirmware(conduit)) return undefined(cpu);
  markBlocked(cpu);
  requestDevice(cpu, Device.FIRMWARE, Arrival.CALL, <u32>d.immediate, false, 0, startCycle(cpu));
  return Step.ACCESS;
}
