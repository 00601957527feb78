// AArch64 exceptions taken to EL1 from EL1 and EL0, and ERET (Arm ARM DDI 0487 D1.3, D1.4).

import { CpuState, Device, PAGE_DEVICE, PAGE_READ, PAGE_WRITE, StopReason, Timing, TraceKind } from "../../src/abi.ts";
import { Cpu, Pending } from "../cpu.ts";
import { requestDevice } from "../devices/transaction.ts";
import { Arrival, FIRMWARE_RETURN } from "../firmware/call.ts";
import { machine, stopMachine, timing } from "../machine.ts";
import { closeJournal, faultAddress, faultIsWrite, faultPage, markBlocked } from "../memory/access.ts";
import { mayExecute } from "../memory/code.ts";
import { forgetEarly } from "../memory/early.ts";
import { pageAt } from "../memory/map.ts";
import { startCycle } from "../time/bounds.ts";
import { trace } from "../trace/ring.ts";
import { openMonitor } from "./atomic.ts";
import {
  MODE_EL0T,
  MODE_EL1H,
  MODE_EL1T,
  PSTATE_ALLINT,
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
  /** WFI, WFE and their like at EL0, trapped. */
  WAIT = 0x01,
  ILLEGAL_STATE = 0x0e,
  SVC = 0x15,
  /** MSR, MRS or a system instruction at EL0, trapped. */
  SYSTEM = 0x18,
  /** Both aborts: one less from EL0. */
  INSTRUCTION_ABORT = 0x21,
  PC_ALIGNMENT = 0x22,
  DATA_ABORT = 0x25,
  BRK = 0x3c,
}

/** Vector offsets for exceptions from EL1 with SP_EL0; with SP_EL1 and from EL0 they lie higher (D1.3.1.6, table D1-7). */
const VECTOR_SYNCHRONOUS: u64 = 0x000;
const VECTOR_IRQ: u64 = 0x080;
const VECTOR_FIQ: u64 = 0x100;
const FROM_SP_EL1: u64 = 0x200;
const FROM_EL0: u64 = 0x400;

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

const SCTLR_NMI: u64 = (<u64>1) << 61;
const SCTLR_SPINTMASK: u64 = (<u64>1) << 62;

/** What waits in Cpu.delivery. */
export const DELIVERY_ILLEGAL_STATE: u32 = 1;

/** What of PSTATE goes to SPSR_ELx. */
export function pstate(cpu: Cpu): u64 {
  const state = arm64(cpu);
  const mode = state.el0 != 0 ? MODE_EL0T : state.spsel != 0 ? MODE_EL1H : MODE_EL1T;
  const flags = readNzcv(changetype<usize>(cpu)) | (state.illegal != 0 ? PSTATE_IL : 0);
  return <u64>(flags | state.allint | state.daif | mode);
}

/** Sets PSTATE.DAIF, and with it what is masked. */
export function setDaif(cpu: Cpu, daif: u32): void {
  arm64(cpu).daif = daif;
  updateMasks(cpu);
}

/** Sets PSTATE.ALLINT (FEAT_NMI), and with it what is masked. */
export function setAllint(cpu: Cpu, allint: u32): void {
  arm64(cpu).allint = allint;
  updateMasks(cpu);
}

/** Whether interrupts may have superpriority: FEAT_NMI, SCTLR_EL1.NMI. */
export function sctlrHasNmi(cpu: Cpu): bool {
  return machine().featNmi != 0 && (arm64(cpu).sctlr & SCTLR_NMI) != 0;
}

/**
 * What is masked, from PSTATE and SCTLR_EL1 (D1.3.6, FEAT_NMI): I and F mask what has no superpriority; with SCTLR_EL1.NMI,
 * ALLINT masks everything, and so does SP_EL1 with SPINTMASK.
 */
export function updateMasks(cpu: Cpu): void {
  const state = arm64(cpu);
  let masked: u32 = 0;
  if ((state.daif & PSTATE_I) != 0) masked |= Pending.IRQ;
  if ((state.daif & PSTATE_F) != 0) masked |= Pending.FIQ;
  if (sctlrHasNmi(cpu)) {
    const byStack = state.spsel != 0 && (state.sctlr & SCTLR_SPINTMASK) != 0;
    if (state.allint != 0 || byStack) masked |= Pending.NMI | Pending.IRQ | Pending.FIQ;
  }
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
  updateMasks(cpu);
}

/** Takes an exception to EL1; cpu.pc becomes the vector. Where no code can be, the machine stops instead. */
function takeException(cpu: Cpu, offset: u64, returnAddress: u64): void {
  const state = arm64(cpu);
  const vector = state.vbar + offset + (state.el0 != 0 ? FROM_EL0 : state.spsel != 0 ? FROM_SP_EL1 : 0);
  if (!mayExecute(pageAt(vector))) {
    stopHere(cpu, StopReason.UNHANDLED_ABORT, state.esr);
    return;
  }
  state.spsr = pstate(cpu);
  state.elr = returnAddress;
  enterClient(cpu);
  cpu.pc = vector;
  cpu.clock += timing(Timing.COST_EXCEPTION_ENTRY);
}

/** PSTATE as an exception to EL1 makes it, by whomever it is taken or faked. */
export function enterClient(cpu: Cpu): void {
  const state = arm64(cpu);
  forgetEarly(cpu);
  if (machine().featNmi != 0) state.allint = (state.sctlr & SCTLR_SPINTMASK) == 0 ? PSTATE_ALLINT : 0;
  setDaif(cpu, PSTATE_DAIF);
  state.illegal = 0;
  state.el0 = 0;
  selectStack(cpu, 1);
  cpu.loopVisits = 0;
}

/** Stops the machine at the CPU's next instruction, which will not be executed. */
export function stopHere(cpu: Cpu, reason: StopReason, detail: u64): void {
  stopMachine(reason, cpu.index, cpu.pc, startCycle(cpu), detail);
  cpu.state = CpuState.DEAD;
}

/** Takes a synchronous exception whose preferred return address is given. */
export function synchronous(cpu: Cpu, exceptionClass: ExceptionClass, iss: u32, returnAddress: u64): void {
  closeJournal(cpu);
  const isAbort = exceptionClass == ExceptionClass.DATA_ABORT || exceptionClass == ExceptionClass.INSTRUCTION_ABORT;
  const code = <u32>exceptionClass - (isAbort && arm64(cpu).el0 != 0 ? 1 : 0);
  arm64(cpu).esr = <u64>((code << 26) | ESR_IL | iss);
  trace(TraceKind.EXCEPTION, cpu, startCycle(cpu), code, cpu.index, returnAddress, arm64(cpu).far);
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

/**
 * Takes the most urgent of what is pending and unmasked: what EL3 takes, then IRQ with superpriority, FIQ, IRQ, an order that
 * the architecture leaves open.
 */
export function arm64TakePending(cpu: Cpu): void {
  if (cpu.delivery == DELIVERY_ILLEGAL_STATE) {
    cpu.delivery = 0;
    synchronous(cpu, ExceptionClass.ILLEGAL_STATE, 0, cpu.pc);
    return;
  }
  if (cpu.delivery == FIRMWARE_RETURN) {
    cpu.delivery = 0;
    cpu.deviceAnswered = 0;
    cpu.resumed = 0;
    returnFromEl3(cpu);
    return;
  }
  const pending = cpu.pending & ~cpu.masked;
  if ((pending & Pending.EL3) != 0) {
    cpu.pending &= ~Pending.EL3;
    forgetEarly(cpu);
    markBlocked(cpu);
    requestDevice(cpu, Device.FIRMWARE, Arrival.INTERRUPT, 0, false, 0, startCycle(cpu));
    return;
  }
  const nmi = (pending & Pending.NMI) != 0;
  const fiq = !nmi && (pending & Pending.FIQ) != 0;
  const kind = nmi ? Pending.NMI : fiq ? Pending.FIQ : Pending.IRQ;
  trace(TraceKind.INTERRUPT_TAKEN, cpu, startCycle(cpu), kind, cpu.index, cpu.pc, 0);
  takeException(cpu, fiq ? VECTOR_FIQ : VECTOR_IRQ, cpu.pc);
}

/** ERET of EL3: opens the local monitor, sets the event register. */
export function returnFromEl3(cpu: Cpu): void {
  openMonitor(cpu);
  arm64(cpu).event = 1;
  cpu.loopVisits = 0;
}

/**
 * ERET at EL1: restores PC and PSTATE, opens the local monitor, sets the event register (D1.4.4, B2.12.2). A return to EL2, EL3 or
 * AArch32 is illegal: it keeps EL and SP and sets PSTATE.IL, so that the next instruction raises an exception.
 */
export function exceptionReturn(cpu: Cpu): Step {
  const state = arm64(cpu);
  cpu.pc = state.elr;
  openMonitor(cpu);
  state.event = 1;
  restorePstate(cpu, <u32>state.spsr);
  if (state.illegal != 0) cpu.delivery = DELIVERY_ILLEGAL_STATE;
  return Step.JUMP;
}

/** PSTATE from an SPSR_ELx. */
export function restorePstate(cpu: Cpu, spsr: u32): void {
  const state = arm64(cpu);
  forgetEarly(cpu);
  const mode = spsr & SPSR_MODE;
  writeNzcv(changetype<usize>(cpu), spsr & 0xf000_0000);
  if (machine().featNmi != 0) state.allint = spsr & PSTATE_ALLINT;
  setDaif(cpu, spsr & PSTATE_DAIF);
  const legal = mode == MODE_EL0T || mode == MODE_EL1T || mode == MODE_EL1H;
  if (legal) {
    state.el0 = mode == MODE_EL0T ? 1 : 0;
    selectStack(cpu, mode & 1);
  }
  state.illegal = !legal || (spsr & PSTATE_IL) != 0 ? 1 : 0;
}
