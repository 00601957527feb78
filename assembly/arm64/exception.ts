// AArch64 exceptions taken to EL1, and ERET (Arm ARM DDI 0487 D1.3, D1.4).

import { CpuState, PAGE_DEVICE, PAGE_READ, PAGE_WRITE, StopReason, Timing, TraceKind } from "../../src/abi.ts";
import { Cpu, Pending } from "../cpu.ts";
import { machine, stopMachine, timing } from "../machine.ts";
import { closeJournal, faultAddress, faultIsWrite, faultPage } from "../memory/access.ts";
import { mayExecute } from "../memory/code.ts";
import { pageAt } from "../memory/map.ts";
import { startCycle } from "../time/bounds.ts";
import { trace } from "../trace/ring.ts";
import { openMonitor } from "./atomic.ts";
import {
  MODE_EL0T,
  MODE_EL1H,
  MODE_EL1T,
  PSTATE_DAIF,
  PSTATE_F,
  PSTATE_I,
  PSTATE_IL,
  SPSR_MODE,
  SP_SLOT,
  arm64,
  readNzcv,
  readX,
  writeNzcv,
  writeX,
} from "./cpu.ts";
import { Step } from "./step.ts";

/** Exception classes, ESR_EL1.EC (D24.2.44). */
export enum ExceptionClass {
  UNKNOWN = 0x00,
  ILLEGAL_STATE = 0x0e,
  SVC = 0x15,
  INSTRUCTION_ABORT = 0x21,
  PC_ALIGNMENT = 0x22,
  DATA_ABORT = 0x25,
  BRK = 0x3c,
}

/** Vector offsets for exceptions from EL1 with SP_EL0; with SP_EL1 they lie 0x200 higher. */
const VECTOR_SYNCHRONOUS: u64 = 0x000;
const VECTOR_IRQ: u64 = 0x080;
const VECTOR_FIQ: u64 = 0x100;
const FROM_SP_EL1: u64 = 0x200;

const ESR_IL: u32 = 1 << 25;
const FAULT_TRANSLATION: u32 = 0x07; // level 3
/** Synchronous External abort, not on a translation table walk. */
const FAULT_EXTERNAL: u32 = 0x10;
const FAULT_PERMISSION: u32 = 0x0f; // level 3
const FAULT_ALIGNMENT: u32 = 0x21;
/** An exclusive or atomic access to memory that doesn't take any: a device. */
const FAULT_EXCLUSIVE: u32 = 0x35;
/** ISS.WnR of a data abort: the fault was on a write. */
const ISS_WRITE: u32 = 1 << 6;

/** What waits in Cpu.delivery. */
export const DELIVERY_ILLEGAL_STATE: u32 = 1;

/** What of PSTATE goes to SPSR_EL1. */
function pstate(cpu: Cpu): u64 {
  const state = arm64(cpu);
  const mode = state.spsel != 0 ? MODE_EL1H : MODE_EL1T;
  return <u64>(readNzcv(changetype<usize>(cpu)) | state.daif | mode | (state.illegal != 0 ? PSTATE_IL : 0));
}

/** Sets PSTATE.DAIF, and with it what is masked. */
export function setDaif(cpu: Cpu, daif: u32): void {
  arm64(cpu).daif = daif;
  let masked: u32 = 0;
  if ((daif & PSTATE_I) != 0) masked |= Pending.IRQ;
  if ((daif & PSTATE_F) != 0) masked |= Pending.FIQ;
  if (masked != cpu.masked) cpu.loopVisits = 0;
  cpu.masked = masked;
}

/** Selects the stack pointer that SP names. */
export function selectStack(cpu: Cpu, spsel: u32): void {
  const state = arm64(cpu);
  if (state.spsel == spsel) return;
  const base = changetype<usize>(cpu);
  const current = readX(base, SP_SLOT);
  writeX(base, SP_SLOT, state.otherSp);
  state.otherSp = current;
  state.spsel = spsel;
}

/** Takes an exception to EL1; cpu.pc becomes the vector. Where no code can be, the machine stops instead. */
function takeException(cpu: Cpu, offset: u64, returnAddress: u64): void {
  const state = arm64(cpu);
  const vector = state.vbar + offset + (state.spsel != 0 ? FROM_SP_EL1 : 0);
  if (!mayExecute(pageAt(vector))) {
    stopHere(cpu, StopReason.UNHANDLED_ABORT, state.esr);
    return;
  }
  state.spsr = pstate(cpu);
  state.elr = returnAddress;
  setDaif(cpu, PSTATE_DAIF);
  state.illegal = 0;
  selectStack(cpu, 1);
  cpu.pc = vector;
  cpu.loopVisits = 0;
  cpu.clock += timing(Timing.COST_EXCEPTION_ENTRY);
}

/** Stops the machine at the CPU's next instruction, which will not be executed. */
export function stopHere(cpu: Cpu, reason: StopReason, detail: u64): void {
  stopMachine(reason, cpu.index, cpu.pc, startCycle(cpu), detail);
  cpu.state = CpuState.DEAD;
}

/** Takes a synchronous exception whose preferred return address is given. */
export function synchronous(cpu: Cpu, exceptionClass: ExceptionClass, iss: u32, returnAddress: u64): void {
  closeJournal(cpu);
  arm64(cpu).esr = <u64>(((<u32>exceptionClass) << 26) | ESR_IL | iss);
  trace(TraceKind.EXCEPTION, cpu, startCycle(cpu), exceptionClass, cpu.index, returnAddress, arm64(cpu).far);
  takeException(cpu, VECTOR_SYNCHRONOUS, returnAddress);
}

/** What an access to an address where nothing is ends in: without a stage of translation, an answer from the bus. */
function faultOfNowhere(): u32 {
  return machine().bareMetal != 0 ? FAULT_EXTERNAL : FAULT_TRANSLATION;
}

/**
 * The access that access.ts has just refused.
 * @param atomic whether it both reads and writes: then WnR says whether a read would have been allowed (D24.2.44)
 */
export function dataAbort(cpu: Cpu, atomic: bool): void {
  arm64(cpu).far = faultAddress;
  const needed: u32 = faultIsWrite ? PAGE_WRITE : PAGE_READ;
  let status = faultPage == 0 ? faultOfNowhere() : FAULT_PERMISSION;
  if ((faultPage & PAGE_DEVICE) != 0 && (faultPage & needed) != 0) status = FAULT_EXCLUSIVE;
  const onWrite = faultIsWrite && !(atomic && (faultPage & PAGE_READ) == 0);
  synchronous(cpu, ExceptionClass.DATA_ABORT, status | (onWrite ? ISS_WRITE : 0), cpu.pc);
}

/** @param write whether a read would not have faulted: plain stores, not atomic operations */
export function alignmentFault(cpu: Cpu, address: u64, write: bool): void {
  arm64(cpu).far = address;
  synchronous(cpu, ExceptionClass.DATA_ABORT, FAULT_ALIGNMENT | (write ? ISS_WRITE : 0), cpu.pc);
}

/** Nothing can be fetched from cpu.pc: it is misaligned, which goes first (D1.3.5), or there is no code. */
export function instructionAbort(cpu: Cpu): void {
  const pc = cpu.pc;
  arm64(cpu).far = pc;
  if ((pc & 3) != 0) synchronous(cpu, ExceptionClass.PC_ALIGNMENT, 0, pc);
  else if (pageAt(pc) == 0) synchronous(cpu, ExceptionClass.INSTRUCTION_ABORT, faultOfNowhere(), pc);
  else synchronous(cpu, ExceptionClass.INSTRUCTION_ABORT, FAULT_PERMISSION, pc);
}

/** Takes the most urgent of what is pending and unmasked: FIQ before IRQ, a choice the architecture leaves open. */
export function arm64TakePending(cpu: Cpu): void {
  if (cpu.delivery == DELIVERY_ILLEGAL_STATE) {
    cpu.delivery = 0;
    synchronous(cpu, ExceptionClass.ILLEGAL_STATE, 0, cpu.pc);
    return;
  }
  const pending = cpu.pending & ~cpu.masked;
  const fiq = (pending & Pending.FIQ) != 0;
  trace(TraceKind.INTERRUPT_TAKEN, cpu, startCycle(cpu), fiq ? Pending.FIQ : Pending.IRQ, cpu.index, cpu.pc, 0);
  takeException(cpu, fiq ? VECTOR_FIQ : VECTOR_IRQ, cpu.pc);
}

/**
 * ERET: restores PC and PSTATE, opens the local monitor, sets the event register (D1.4.4, B2.12.2). A return to EL2, EL3 or
 * AArch32 is illegal: it keeps EL and SP and sets PSTATE.IL, so that the next instruction raises an exception.
 */
export function exceptionReturn(cpu: Cpu): Step {
  const state = arm64(cpu);
  const spsr = <u32>state.spsr;
  const mode = spsr & SPSR_MODE;
  if (mode == MODE_EL0T) {
    stopHere(cpu, StopReason.UNSUPPORTED, spsr);
    return Step.EXCEPTION;
  }
  cpu.pc = state.elr;
  openMonitor(cpu);
  state.event = 1;
  writeNzcv(changetype<usize>(cpu), spsr & 0xf000_0000);
  setDaif(cpu, spsr & PSTATE_DAIF);
  const legal = mode == MODE_EL1T || mode == MODE_EL1H;
  if (legal) selectStack(cpu, mode & 1);
  state.illegal = !legal || (spsr & PSTATE_IL) != 0 ? 1 : 0;
  if (state.illegal != 0) cpu.delivery = DELIVERY_ILLEGAL_STATE;
  return Step.JUMP;
}
