// AArch64 exceptions taken to EL1, and ERET (Arm ARM DDI 0487 D1.3, D1.4).

import { CpuState, StopReason, Timing, TraceKind } from "../../src/abi.ts";
import { Cpu, Pending } from "../cpu.ts";
import { machine, stopMachine, timing } from "../machine.ts";
import { closeJournal, faultAddress, faultIsWrite, faultPage } from "../memory/access.ts";
import { mayExecute } from "../memory/code.ts";
import { pageAt } from "../memory/map.ts";
import { Leave } from "../time/leave.ts";
import { startCycle } from "../time/bounds.ts";
import { trace } from "../trace/ring.ts";
import { openMonitor } from "./atomic.ts";
import {
  MODE_EL1H,
  MODE_EL1T,
  PSTATE_DAIF,
  PSTATE_F,
  PSTATE_I,
  PSTATE_IL,
  SP_SLOT,
  arm64,
  readNzcv,
  readX,
  writeNzcv,
  writeX,
} from "./cpu.ts";

/** Exception classes, ESR_EL1.EC (D24.2.44). */
export enum ExceptionClass {
  UNKNOWN = 0x00,
  SIMD_ACCESS = 0x07,
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
const FAULT_PERMISSION: u32 = 0x0f; // level 3
const FAULT_ALIGNMENT: u32 = 0x21;
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
  let masked: u32 = Pending.NMI;
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

/** Takes an exception to EL1; cpu.pc becomes the vector. */
function takeException(cpu: Cpu, offset: u64, returnAddress: u64): void {
  const state = arm64(cpu);
  state.spsr = pstate(cpu);
  state.elr = returnAddress;
  const vector = state.vbar + offset + (state.spsel != 0 ? FROM_SP_EL1 : 0);
  setDaif(cpu, PSTATE_DAIF);
  state.illegal = 0;
  selectStack(cpu, 1);
  cpu.pc = vector;
  cpu.loopVisits = 0;
  cpu.clock += timing(Timing.COST_EXCEPTION_ENTRY);
}

/** Takes a synchronous exception whose preferred return address is given. */
export function synchronous(cpu: Cpu, exceptionClass: ExceptionClass, iss: u32, returnAddress: u64): void {
  closeJournal(cpu);
  arm64(cpu).esr = <u64>((<u32>exceptionClass << 26) | ESR_IL | iss);
  trace(TraceKind.EXCEPTION, cpu, startCycle(cpu), exceptionClass, cpu.index, returnAddress, arm64(cpu).far);
  takeException(cpu, VECTOR_SYNCHRONOUS, returnAddress);
}

/** The access that access.ts has just refused. */
export function dataAbort(cpu: Cpu): void {
  arm64(cpu).far = faultAddress;
  const status = faultPage == 0 ? FAULT_TRANSLATION : FAULT_PERMISSION;
  synchronous(cpu, ExceptionClass.DATA_ABORT, status | (faultIsWrite ? ISS_WRITE : 0), cpu.pc);
}

export function alignmentFault(cpu: Cpu, address: u64, write: bool): void {
  arm64(cpu).far = address;
  synchronous(cpu, ExceptionClass.DATA_ABORT, FAULT_ALIGNMENT | (write ? ISS_WRITE : 0), cpu.pc);
}

/** Nothing can be fetched from cpu.pc. When that is the very vector of such aborts, the machine stops. */
export function instructionAbort(cpu: Cpu, misaligned: bool): Leave {
  if (changetype<usize>(cpu) == machine().shadow) return Leave.REFUSED;
  const state = arm64(cpu);
  const pc = cpu.pc;
  const vector = state.vbar + VECTOR_SYNCHRONOUS + FROM_SP_EL1;
  if (!mayExecute(pageAt(vector))) {
    stopMachine(StopReason.UNHANDLED_ABORT, cpu.index, pc, startCycle(cpu), state.esr);
    cpu.state = CpuState.DEAD;
    return Leave.WAITING;
  }
  state.far = pc;
  const page = pageAt(pc);
  if (misaligned) synchronous(cpu, ExceptionClass.PC_ALIGNMENT, 0, pc);
  else synchronous(cpu, ExceptionClass.INSTRUCTION_ABORT, page == 0 ? FAULT_TRANSLATION : FAULT_PERMISSION, pc);
  return Leave.RECHECK;
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

/** ERET: restores PC and PSTATE, opens the local monitor, sets the event register (D1.4.4, B2.12.2). */
export function exceptionReturn(cpu: Cpu): void {
  const state = arm64(cpu);
  const spsr = <u32>state.spsr;
  cpu.pc = state.elr;
  openMonitor(cpu);
  state.event = 1;
  writeNzcv(changetype<usize>(cpu), spsr & 0xf000_0000);
  setDaif(cpu, spsr & PSTATE_DAIF);
  const mode = spsr & 0x1f;
  if (mode == MODE_EL1T || mode == MODE_EL1H) {
    selectStack(cpu, mode & 1);
    state.illegal = (spsr & PSTATE_IL) != 0 ? 1 : 0;
  } else if (mode == 0) {
    stopMachine(StopReason.UNSUPPORTED, cpu.index, cpu.pc, startCycle(cpu), 0);
    cpu.state = CpuState.DEAD;
  } else {
    state.illegal = 1; // an illegal return: EL2, EL3, or AArch32
  }
  if (state.illegal != 0) cpu.delivery = DELIVERY_ILLEGAL_STATE;
}

