// Exceptions and interrupts in 64-bit mode (SDM 3A chapter 6): raising, delivery through IDT, TSS and GDT as they stand in
// guest memory, double and triple faults.
//
// Raising only notes what happened and sets Cpu.delivery. Delivery has accesses to make and may have to wait for lines in
// the middle; x86TakePending() starts it and goes on with it.

import { CpuState, StopReason, Timing, TraceKind, WaitKind, X86Vector } from "../../src/abi.ts";
import { Cpu, Pending } from "../cpu.ts";
import { apicTakeInterrupt } from "../interrupts/apic/priority.ts";
import { beginWait } from "../interrupts/wake.ts";
import { machine, stopMachine, timing } from "../machine.ts";
import {
  Access,
  checkRights,
  closeJournal,
  faultAddress,
  faultIsWrite,
  faultPage,
  journaledRead,
  journaledWrite,
  openJournal,
  outcome,
} from "../memory/access.ts";
import { pageAt } from "../memory/map.ts";
import { awaitStoresAtBoundary, hasStores } from "../memory/stores.ts";
import { startCycle } from "../time/bounds.ts";
import { Leave } from "../time/leave.ts";
import { trace } from "../trace/ring.ts";
import {
  CR4_SMEP,
  EFER_NXE,
  RFLAGS_IF,
  RFLAGS_NT,
  RFLAGS_RF,
  RFLAGS_TF,
  RFLAGS_VM,
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
import { readStatus } from "./flags.ts";
import { Step } from "./step.ts";
import { takeSystemEvent } from "./systemEvents.ts";
import { forgetHalt, systemStateMasks } from "./wait.ts";

export enum EventFlag {
  ERROR_CODE = 1,
  /** INT n, INT3: the gate's DPL counts, and faults of the delivery are not external to the program. */
  SOFTWARE = 2,
  /**
   * RF is set in the frame, so that a code breakpoint would not fire again (SDM 3B 18.3.1.1): of faults, and of whatever comes
   * between two iterations of a string instruction.
   */
  RESUME = 4,
  /** Interrupts and NMI: as the first of two events they are benign. */
  INTERRUPT = 8,
  /** A trap of the instruction that is done: SMI and INIT come before it. */
  TRAP = 16,
}

/** Cpu.delivery: raised and not begun; under way. */
const RAISED: u32 = 1;
const DELIVERING: u32 = 2;

// Error codes (SDM 3A 6.13).
const ERROR_EXT: u32 = 1;
const ERROR_IDT: u32 = 2;
const PAGE_FAULT_PRESENT: u32 = 1;
const PAGE_FAULT_WRITE: u32 = 2;
const PAGE_FAULT_USER: u32 = 4;
const PAGE_FAULT_FETCH: u32 = 16;
const DR6_BS: u64 = 1 << 14;

// --- raising ---------------------------------------------------------------------------------------------------------

function raise(cpu: Cpu, vector: u32, flags: u32, error: u32, returnAddress: u64): Step {
  const state = x86(cpu);
  closeJournal(cpu);
  state.enterStored = 0;
  state.repeating = 0;
  state.eventVector = vector;
  state.eventFlags = flags;
  state.eventError = error;
  state.eventReturn = returnAddress;
  cpu.delivery = RAISED;
  cpu.loopVisits = 0;
  return Step.EXCEPTION;
}

/** A fault of the instruction at cpu.pc, without error code. */
export function fault(cpu: Cpu, vector: X86Vector): Step {
  return raise(cpu, vector, EventFlag.RESUME, 0, cpu.pc);
}

export function faultWithCode(cpu: Cpu, vector: X86Vector, error: u32): Step {
  return raise(cpu, vector, EventFlag.RESUME | EventFlag.ERROR_CODE, error, cpu.pc);
}

export function undefinedOpcode(cpu: Cpu): Step {
  return fault(cpu, X86Vector.INVALID_OPCODE);
}

export function generalProtection(cpu: Cpu): Step {
  return faultWithCode(cpu, X86Vector.GENERAL_PROTECTION, 0);
}

/** A trap: the frame points behind the instruction. */
export function trap(cpu: Cpu, vector: X86Vector, returnAddress: u64): Step {
  return raise(cpu, vector, 0, 0, returnAddress);
}

/** INT n, INT3. */
export function softwareInterrupt(cpu: Cpu, vector: u32, returnAddress: u64): Step {
  return raise(cpu, vector, EventFlag.SOFTWARE, 0, returnAddress);
}

/** TF was set when the instruction before cpu.pc began (SDM 3B 17.3.1.4). */
export function singleStepTrap(cpu: Cpu): void {
  x86(cpu).dr6 |= DR6_BS;
  raise(cpu, X86Vector.DEBUG, EventFlag.TRAP | resumeBetweenIterations(cpu), 0, cpu.pc);
}

function resumeBetweenIterations(cpu: Cpu): u32 {
  return x86(cpu).repeating != 0 ? EventFlag.RESUME : 0;
}

/** Something that the architecture defines and this version doesn't model. */
export function unsupported(cpu: Cpu, detail: u64): Step {
  stopMachine(StopReason.UNSUPPORTED, cpu.index, cpu.pc, startCycle(cpu), detail);
  closeJournal(cpu);
  cpu.state = CpuState.DEAD;
  return Step.DEAD;
}

function pageFault(cpu: Cpu, address: u64, error: u32): Step {
  x86(cpu).cr2 = address;
  return faultWithCode(cpu, X86Vector.PAGE_FAULT, error);
}

/**
 * The access that memory/access.ts has just refused. That all of its bytes are canonical is looked at before any is
 * translated (SDM 3A 5.3.1).
 * @param stack whether it was one to the stack segment
 */
export function refusedAccess(cpu: Cpu, stack: bool, size: u32): Step {
  if (!isCanonical(faultAddress) || !isCanonical(faultAddress + max<u32>(size, 1) - 1)) return nonCanonical(cpu, stack);
  const isUser = levelOfCode(cpu) == USER_LEVEL && !isSystemAccess;
  isSystemAccess = false;
  return pageFault(cpu, faultAddress, refusedAccessCode() | (isUser ? PAGE_FAULT_USER : 0));
}

/** Whether the access that is about to be refused is one to a descriptor table: the processor's own, at any level. */
let isSystemAccess: bool = false;

export function refuseSystemAccess(): void {
  isSystemAccess = true;
}

function refusedAccessCode(): u32 {
  return (faultPage != 0 ? PAGE_FAULT_PRESENT : 0) | (faultIsWrite ? PAGE_FAULT_WRITE : 0);
}

export function nonCanonical(cpu: Cpu, stack: bool): Step {
  return faultWithCode(cpu, stack ? X86Vector.STACK_FAULT : X86Vector.GENERAL_PROTECTION, 0);
}

/** Nothing can be fetched from an address of the instruction at cpu.pc. */
export function fetchFault(cpu: Cpu, address: u64): Leave {
  if (!isCanonical(address)) {
    generalProtection(cpu);
    return Leave.RECHECK;
  }
  const state = x86(cpu);
  let error: u32 = pageAt(address) != 0 ? PAGE_FAULT_PRESENT : 0;
  if ((state.efer & EFER_NXE) != 0 || (state.cr4 & CR4_SMEP) != 0) error |= PAGE_FAULT_FETCH;
  if (levelOfCode(cpu) == USER_LEVEL) error |= PAGE_FAULT_USER;
  pageFault(cpu, address, error);
  return Leave.RECHECK;
}

// --- delivery --------------------------------------------------------------------------------------------------------

/** Takes the most urgent of what is pending, or goes on with what has been raised. */
export function x86TakePending(cpu: Cpu): void {
  // Interrupts and exceptions find the store buffer empty (SDM 3A 12.10).
  if (cpu.delivery != DELIVERING && hasStores(cpu)) {
    awaitStoresAtBoundary(cpu);
    return;
  }
  if (isAtBoundary(cpu) && takeSystemEvent(cpu)) return;
  if (cpu.delivery == 0) acceptInterrupt(cpu);
  else if (cpu.delivery == RAISED) beginException(cpu);
  while (true) {
    openJournal();
    if (deliver(cpu) || cpu.delivery != RAISED) return;
    // The delivery has raised a second exception.
    cpu.delivery = DELIVERING;
  }
}

/** A trap that has been raised belongs to the instruction before the boundary. */
function isAtBoundary(cpu: Cpu): bool {
  return cpu.delivery == 0 || (cpu.delivery == RAISED && (x86(cpu).eventFlags & EventFlag.TRAP) != 0);
}

/** Recognition order at a boundary: NMI before maskable interrupts (SDM 3A table 6-2). */
function acceptInterrupt(cpu: Cpu): void {
  const state = x86(cpu);
  const nmi = (cpu.pending & ~cpu.masked & Pending.NMI) != 0;
  let vector: u32 = X86Vector.NMI;
  if (nmi) {
    cpu.pending &= ~Pending.NMI;
    state.nmiBlocked = 1;
  } else {
    vector = apicTakeInterrupt(cpu);
  }
  trace(TraceKind.INTERRUPT_TAKEN, cpu, startCycle(cpu), vector, cpu.index, cpu.pc, 0);
  raise(cpu, vector, EventFlag.INTERRUPT | resumeBetweenIterations(cpu), 0, cpu.pc);
  cpu.delivery = DELIVERING;
  forgetHalt(cpu);
  // A string instruction that is left here starts anew later.
  cpu.resumed = 0;
  updateMasked(cpu);
}

function beginException(cpu: Cpu): void {
  const state = x86(cpu);
  trace(TraceKind.EXCEPTION, cpu, startCycle(cpu), state.eventVector, cpu.index, state.eventReturn, detail(cpu));
  cpu.delivery = DELIVERING;
}

/** CR2 of a page fault, the error code of others. */
function detail(cpu: Cpu): u64 {
  const state = x86(cpu);
  return state.eventVector == X86Vector.PAGE_FAULT ? state.cr2 : <u64>state.eventError;
}

// Gates and descriptors (SDM 3A 6.14.1, 3.4.5).
const GATE_TYPE_MASK: u64 = (<u64>0x1f) << 40; // S = 0 and the type
const GATE_INTERRUPT: u64 = (<u64>0xe) << 40;
const GATE_TRAP: u64 = (<u64>0xf) << 40;
const PRESENT: u64 = (<u64>1) << 47;
const DESCRIPTOR_CODE: u64 = (<u64>0x18) << 40;
const DESCRIPTOR_CONFORMING: u64 = (<u64>1) << 42;
/** Of gates, too. */
const DPL_SHIFT: u64 = 45;
const DESCRIPTOR_LONG: u64 = (<u64>1) << 53;
const DESCRIPTOR_BIG: u64 = (<u64>1) << 54;
const TSS_RSP0: u64 = 4;
const TSS_IST1: u64 = 36;

/**
 * Delivers the event once: reads the gate, checks, writes the frame.
 * @returns whether it is done; when not, the CPU waits for memory (Cpu.delivery as before) or a second exception has been
 * raised (Cpu.delivery = RAISED)
 */
function deliver(cpu: Cpu): bool {
  const state = x86(cpu);
  const vector = state.eventVector;
  const external = externalBit(cpu);
  const gateCode = (vector << 3) | ERROR_IDT | external;
  if ((vector << 4) + 15 > state.idtLimit) return second(cpu, X86Vector.GENERAL_PROTECTION, gateCode);

  const gateAddress = state.idtBase + ((<u64>vector) << 4);
  const low = systemRead(cpu, gateAddress);
  if (outcome() != Access.DONE) return interrupted(cpu);
  const high = systemRead(cpu, gateAddress + 8);
  if (outcome() != Access.DONE) return interrupted(cpu);
  const type = low & GATE_TYPE_MASK;
  if (type != GATE_INTERRUPT && type != GATE_TRAP) return second(cpu, X86Vector.GENERAL_PROTECTION, gateCode);
  const isSoftware = (state.eventFlags & EventFlag.SOFTWARE) != 0;
  if (isSoftware && levelOfCode(cpu) > privilegeOf(low)) return second(cpu, X86Vector.GENERAL_PROTECTION, gateCode);
  if ((low & PRESENT) == 0) return second(cpu, X86Vector.SEGMENT_NOT_PRESENT, gateCode);

  const selector = (<u32>(low >>> 16)) & 0xffff;
  if (!checkCodeSegment(cpu, selector, external)) return false;
  if (!chooseStack(cpu, (<u32>(low >>> 32)) & 7, external)) return false;
  const target = (low & 0xffff) | ((low >>> 32) & 0xffff_0000) | (high << 32);
  if (!isCanonical(target)) return second(cpu, X86Vector.GENERAL_PROTECTION, external);
  if (!writeFrame(cpu, external)) return false;
  enter(cpu, selector, target, type == GATE_INTERRUPT);
  return true;
}

/** EXT of error codes: the event came from outside the program, or was an exception itself (SDM 3A 6.13). */
function externalBit(cpu: Cpu): u32 {
  return (x86(cpu).eventFlags & EventFlag.SOFTWARE) != 0 ? 0 : ERROR_EXT;
}

/** An access of the delivery is not done: waits, or raises a second exception. */
function interrupted(cpu: Cpu): bool {
  if (outcome() != Access.FAULT) return false;
  if (!isCanonical(faultAddress)) return second(cpu, X86Vector.GENERAL_PROTECTION, externalBit(cpu));
  x86(cpu).cr2 = faultAddress;
  return second(cpu, X86Vector.PAGE_FAULT, refusedAccessCode());
}

function systemRead(cpu: Cpu, address: u64): u64 {
  return checkRights(address, 8, false) ? journaledRead(cpu, address, 8) : 0;
}

function privilegeOf(descriptor: u64): u32 {
  return (<u32>(descriptor >>> DPL_SHIFT)) & 3;
}

/** Level at which the handler runs. */
let handlerLevel: u32 = 0;

/** The gate's selector must name a 64-bit code segment of this level or an inner one (SDM 3A 6.12.1, 6.14). */
function checkCodeSegment(cpu: Cpu, selector: u32, external: u32): bool {
  const state = x86(cpu);
  const code = (selector & 0xfffc) | external;
  if ((selector & 0xfffc) == 0) return second(cpu, X86Vector.GENERAL_PROTECTION, external);
  const local = (selector & 4) != 0;
  const base = local ? state.ldtBase : state.gdtBase;
  const limit = local ? state.ldtLimit : state.gdtLimit;
  if ((selector | 7) > limit) return second(cpu, X86Vector.GENERAL_PROTECTION, code);
  const descriptor = systemRead(cpu, base + <u64>(selector & 0xfff8));
  if (outcome() != Access.DONE) return interrupted(cpu);
  const isCode = (descriptor & DESCRIPTOR_CODE) == DESCRIPTOR_CODE && privilegeOf(descriptor) <= levelOfCode(cpu);
  const isLong = (descriptor & (DESCRIPTOR_LONG | DESCRIPTOR_BIG)) == DESCRIPTOR_LONG;
  if (!isCode || !isLong) return second(cpu, X86Vector.GENERAL_PROTECTION, code);
  if ((descriptor & PRESENT) == 0) return second(cpu, X86Vector.SEGMENT_NOT_PRESENT, code);
  handlerLevel = (descriptor & DESCRIPTOR_CONFORMING) != 0 ? levelOfCode(cpu) : privilegeOf(descriptor);
  return true;
}

let stackTop: u64 = 0;

/** The frame's stack: of the interrupt stack table, of an inner level, or the current one, aligned to 16 (SDM 3A 6.14.2, 6.14.5). */
function chooseStack(cpu: Cpu, ist: u32, external: u32): bool {
  const state = x86(cpu);
  if (ist == 0 && handlerLevel == levelOfCode(cpu)) {
    stackTop = readR(changetype<usize>(cpu), RSP) & ~(<u64>15);
    return true;
  }
  const offset = ist == 0 ? TSS_RSP0 + ((<u64>handlerLevel) << 3) : TSS_IST1 + ((<u64>(ist - 1)) << 3);
  if (offset + 7 > <u64>state.trLimit) {
    return second(cpu, X86Vector.INVALID_TSS, ((<u32>state.tr) & 0xfffc) | external);
  }
  stackTop = systemRead(cpu, state.trBase + offset) & ~(<u64>15);
  return outcome() == Access.DONE ? true : interrupted(cpu);
}

/** Pushes SS, RSP, RFLAGS, CS, RIP and the error code, all checked before the first is written. */
function writeFrame(cpu: Cpu, external: u32): bool {
  const state = x86(cpu);
  const top = stackTop;
  const hasError = (state.eventFlags & EventFlag.ERROR_CODE) != 0;
  const bytes: u32 = hasError ? 48 : 40;
  const bottom = top - bytes;
  if (!isCanonical(bottom) || !isCanonical(top - 1)) return second(cpu, X86Vector.STACK_FAULT, external);
  if (!checkRights(bottom, bytes, true)) return interrupted(cpu);
  const resumes = (state.eventFlags & EventFlag.RESUME) != 0 || (state.shadow & Shadow.RESUME) != 0;
  const rf = resumes ? RFLAGS_RF : 0;
  const rflags = <u64>(state.rflags | readStatus(changetype<usize>(cpu)) | rf);
  push(cpu, top - 8, <u64>state.ss);
  push(cpu, top - 16, readR(changetype<usize>(cpu), RSP));
  push(cpu, top - 24, rflags);
  push(cpu, top - 32, <u64>state.cs);
  push(cpu, top - 40, state.eventReturn);
  if (hasError) push(cpu, top - 48, <u64>state.eventError);
  if (outcome() != Access.DONE) return interrupted(cpu);
  writeR(changetype<usize>(cpu), RSP, bottom);
  return true;
}

/** One store of the frame, unless an earlier one has to wait. */
function push(cpu: Cpu, address: u64, value: u64): void {
  if (outcome() == Access.DONE) journaledWrite(cpu, address, 8, value);
}

function enter(cpu: Cpu, selector: u32, target: u64, isInterruptGate: bool): void {
  const state = x86(cpu);
  closeJournal(cpu);
  // A null selector says that the stack is that of an inner level (SDM 3A 6.14.4).
  if (handlerLevel != levelOfCode(cpu)) state.ss = <u16>handlerLevel;
  state.cs = <u16>((selector & 0xfffc) | handlerLevel);
  let cleared = RFLAGS_TF | RFLAGS_NT | RFLAGS_VM | RFLAGS_RF;
  if (isInterruptGate) cleared |= RFLAGS_IF;
  state.rflags &= ~cleared;
  state.shadow = Shadow.NONE;
  state.eventFlags = state.eventVector = state.eventError = 0;
  state.eventReturn = 0;
  cpu.delivery = 0;
  cpu.resumed = 0;
  cpu.pc = target;
  cpu.clock += timing(Timing.COST_EXCEPTION_ENTRY);
  updateMasked(cpu);
}

// --- exceptions during delivery --------------------------------------------------------------------------------------

enum Severity {
  BENIGN = 0,
  CONTRIBUTORY = 1,
  PAGE_FAULT = 2,
  DOUBLE_FAULT = 3,
}

/** Classes of the first and second event (SDM 3A table 6-4). */
function severity(vector: u32): Severity {
  switch (vector) {
    case X86Vector.DIVIDE_ERROR:
    case X86Vector.INVALID_TSS:
    case X86Vector.SEGMENT_NOT_PRESENT:
    case X86Vector.STACK_FAULT:
    case X86Vector.GENERAL_PROTECTION:
      return Severity.CONTRIBUTORY;
    case X86Vector.PAGE_FAULT:
      return Severity.PAGE_FAULT;
    case X86Vector.DOUBLE_FAULT:
      return Severity.DOUBLE_FAULT;
    default:
      return Severity.BENIGN;
  }
}

/** The delivery has raised an exception: it takes the first one's place, or both become a double or triple fault. */
function second(cpu: Cpu, vector: X86Vector, error: u32): bool {
  const state = x86(cpu);
  const isBenign = (state.eventFlags & (EventFlag.INTERRUPT | EventFlag.SOFTWARE)) != 0;
  const first = isBenign ? Severity.BENIGN : severity(state.eventVector);
  const then = severity(vector);
  if (first == Severity.DOUBLE_FAULT && then != Severity.BENIGN) {
    shutDown(cpu, vector);
    return false;
  }
  const doubled =
    (first == Severity.CONTRIBUTORY && then == Severity.CONTRIBUTORY) ||
    (first == Severity.PAGE_FAULT && then != Severity.BENIGN);
  const delivered: u32 = doubled ? X86Vector.DOUBLE_FAULT : vector;
  // Faults of a delivery point to the instruction at whose boundary the event was, or that raised it.
  raise(cpu, delivered, EventFlag.RESUME | EventFlag.ERROR_CODE, doubled ? 0 : error, cpu.pc);
  trace(TraceKind.EXCEPTION, cpu, startCycle(cpu), delivered, cpu.index, cpu.pc, detail(cpu));
  return false;
}

/**
 * An exception during the delivery of a double fault: shutdown (SDM 3A 6.15, interrupt 8). A PC's chipset resets the machine
 * then: unless it shall not, the machine stops. What ends the state leaves RIP where the exception was.
 */
function shutDown(cpu: Cpu, vector: u32): void {
  const state = x86(cpu);
  const cycle = startCycle(cpu);
  closeJournal(cpu);
  cpu.delivery = 0;
  cpu.resumed = 0;
  state.eventFlags = state.eventVector = state.eventError = 0;
  state.eventReturn = 0;
  state.shadow = Shadow.NONE;
  updateMasked(cpu);
  trace(TraceKind.SHUTDOWN, cpu, cycle, vector, cpu.index, cpu.pc, 0);
  if (machine().shutdownState == 0) {
    stopMachine(StopReason.TRIPLE_FAULT, cpu.index, cpu.pc, cycle, vector);
    cpu.state = CpuState.DEAD;
  } else if ((cpu.pending & ~cpu.masked & ~systemStateMasks(WaitKind.SHUTDOWN)) == 0) {
    beginWait(cpu, WaitKind.SHUTDOWN);
  }
}
