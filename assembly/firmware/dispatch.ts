// SDEI dispatch: an interrupt to EL3 arrives at a PE, is taken whatever EL1 masks, and turns into a call of the event's
// handler at the client's exception level; EVENT_COMPLETE goes back (Arm DEN 0054 5.2, 6.2; TF-A services/std_svc/sdei).
// While a dispatch is open its interrupt is active, in the secure range of priorities.

import {
  CpuState,
  SdeiCompletion,
  SdeiMaskedSignal,
  SdeiOpenCpuOff,
  SdeiUnreadySignal,
  SDEI_MOST_PRIVATE,
  TraceKind,
} from "../../src/abi.ts";
import { arm64, readX, writeNzcv, writeX } from "../arm64/cpu.ts";
import { enterClient, pstate, restorePstate } from "../arm64/exception.ts";
import { Cpu, Pending } from "../cpu.ts";
import { gicClearSecureActive, gicSetSecureActive } from "../interrupts/gic/interface.ts";
import { gicAcknowledgePpi, gicSecurePpis, gicSetSecure } from "../interrupts/gic/secure.ts";
import { startCycle } from "../time/bounds.ts";
import { trace } from "../trace/ring.ts";
import { DENIED, INVALID_PARAMETERS, RESUMED } from "./call.ts";
import { Action, endOfEvents, eventNumber, firstEvent, isReady, isShared, levelOf, transition } from "./events.ts";
import {
  DISPATCH_EVENT,
  DISPATCH_PC,
  DISPATCH_PSTATE,
  ENABLED,
  FirmwareCpu,
  Level,
  REGISTERED,
  Registration,
  SAVED_REGISTERS,
  dispatchOf,
  eventMapAt,
  firmware,
  firmwareOf,
  registrationOf,
} from "./firmware.ts";
import { isEntryPoint } from "./psci.ts";
import { acknowledgeShared, endForwarding, returnLater, returnShared, routeShared } from "./shared.ts";

/** Registration flags: a shared event is routed to one PE; the entry point is an offset from VBAR (DEN 0054 5.1.2). */
export const ROUTED_TO_PE: u32 = 1;
export const RELATIVE: u32 = 2;

/** Secure Group 0 priorities of normal and critical events, as TF-A's platforms have them. */
const NORMAL_PRIORITY: u32 = 0x70;
const CRITICAL_PRIORITY: u32 = 0x60;

// --- arrival ---------------------------------------------------------------------------------------------------------

/** An event's interrupt has arrived at a PE: one pending bit per event. One that is off loses a signal; an SPI finds another PE. */
export function acceptEvent(cpu: Cpu, index: u32, cycle: u64): void {
  if (cpu.state == CpuState.OFFLINE) {
    if (isShared(index)) returnLater(cpu, index, cycle);
    return;
  }
  firmwareOf(cpu).pending |= (<u32>1) << index;
  updateEl3(cpu);
}

/** Derives Pending.EL3: whether an interrupt to EL3 is signalled to the PE now. */
export function updateEl3(cpu: Cpu): void {
  cpu.pending &= ~Pending.EL3;
  if (signalledEvent(cpu) >= 0) cpu.pending |= Pending.EL3;
}

/** Index of the event whose interrupt EL3 would take now, the most urgent first; -1 for none. */
function signalledEvent(cpu: Cpu): i32 {
  const own = firmwareOf(cpu);
  let normal: i32 = -1;
  for (let left = own.pending | pendingPpis(cpu); left != 0; left &= left - 1) {
    const index = <u32>ctz(left);
    const level = levelOf(index);
    // An active interrupt lets only more urgent ones through.
    if (own.active >= level || !isForwarded(cpu, own, index)) continue;
    if (level == Level.CRITICAL) return <i32>index;
    if (normal < 0) normal = <i32>index;
  }
  return normal;
}

/** Private events whose PPI is pending. */
function pendingPpis(cpu: Cpu): u32 {
  const ppis = gicSecurePpis(cpu);
  if (ppis == 0) return 0;
  let events: u32 = 0;
  for (let index = firstEvent(false); index < endOfEvents(false); index++) {
    events |= ((ppis >>> eventMapAt(index).interrupt) & 1) << index;
  }
  return events;
}

/**
 * Whether the interrupt controller forwards an event's interrupt to EL3. Interrupts of private bound events are disabled
 * while their events are, and while the PE is masked; those of event 0 and of shared events may find the PE not ready.
 */
function isForwarded(cpu: Cpu, own: FirmwareCpu, index: u32): bool {
  if (isShared(index)) return true;
  const registration = registrationOf(cpu, index);
  if (own.unmasked != 0 && isReady(registration)) return index != 0 || own.stuckSignal == 0;
  if (index != 0 || own.stuckSignal != 0) return false;
  const shared = firmware();
  if (own.unmasked == 0) return shared.maskedSignal != SdeiMaskedSignal.PENDING;
  return shared.unreadySignal == SdeiUnreadySignal.LOST && (registration.state & REGISTERED) == 0;
}

/** EL3 has been entered for an interrupt, and acknowledges it. */
export function serveInterrupt(cpu: Cpu, cycle: u64): void {
  const signalled = signalledEvent(cpu);
  if (signalled < 0) return;
  const index = <u32>signalled;
  const own = firmwareOf(cpu);
  own.pending &= ~((<u32>1) << index);
  const isSpurious = isShared(index) && !acknowledgeShared(index);
  if (isSpurious) {
    endForwarding(index);
  } else if (own.unmasked != 0 && isReady(registrationOf(cpu, index))) {
    if (isShared(index)) endForwarding(index);
    else if (index != 0) gicAcknowledgePpi(cpu, eventMapAt(index).interrupt);
    dispatch(cpu, index);
  } else if (isShared(index)) {
    // Other PEs may be able to take it.
    returnShared(index);
    routeShared(cpu, cycle);
  } else if (own.unmasked == 0 && firmware().maskedSignal == SdeiMaskedSignal.WEDGE) {
    // Acknowledged, and never ended.
    own.active |= Level.NORMAL;
    own.stuckSignal = 1;
    updatePriority(cpu);
  }
  updateEl3(cpu);
}

// --- dispatch --------------------------------------------------------------------------------------------------------

function dispatch(cpu: Cpu, index: u32): void {
  const base = changetype<usize>(cpu);
  const own = firmwareOf(cpu);
  const registration = registrationOf(cpu, index);
  const context = dispatchOf(cpu, ++own.depth);
  for (let register: u32 = 0; register < SAVED_REGISTERS; register++) {
    store<u64>(context + ((<usize>register) << 3), readX(base, register));
  }
  const interrupted = pstate(cpu);
  store<u64>(context + DISPATCH_PC, cpu.pc);
  store<u64>(context + DISPATCH_PSTATE, interrupted);
  store<u64>(context + DISPATCH_EVENT, index);
  transition(registration, Action.DISPATCH);
  own.active |= levelOf(index);
  updatePriority(cpu);
  trace(TraceKind.INTERRUPT_TAKEN, cpu, startCycle(cpu), Pending.EL3, eventNumber(index), cpu.pc, 0);
  writeX(base, 0, eventNumber(index));
  writeX(base, 1, registration.argument);
  writeX(base, 2, cpu.pc);
  writeX(base, 3, interrupted);
  cpu.pc = entryOf(cpu, index);
  enterClient(cpu);
}

function entryOf(cpu: Cpu, index: u32): u64 {
  const registration = registrationOf(cpu, index);
  return (registration.flags & RELATIVE) != 0 ? arm64(cpu).vbar + registration.entry : registration.entry;
}

/** The most urgent active interrupt to EL3 keeps non-secure ones away. */
function updatePriority(cpu: Cpu): void {
  const active = firmwareOf(cpu).active;
  if (active == 0) gicClearSecureActive(cpu);
  else gicSetSecureActive(cpu, (active & Level.CRITICAL) != 0 ? CRITICAL_PRIORITY : NORMAL_PRIORITY);
}

// --- completion ------------------------------------------------------------------------------------------------------

/** Index of the event whose dispatch is the innermost open one. */
function openEvent(cpu: Cpu): u32 {
  return <u32>load<u64>(dispatchOf(cpu, firmwareOf(cpu).depth) + DISPATCH_EVENT);
}

/** EVENT_CONTEXT: a register as the innermost open dispatch has interrupted it. */
export function eventContext(cpu: Cpu, register: u64): i64 {
  if (register >= SAVED_REGISTERS) return INVALID_PARAMETERS;
  if (firmwareOf(cpu).depth == 0 || !transition(registrationOf(cpu, openEvent(cpu)), Action.CONTEXT)) return DENIED;
  return load<i64>(dispatchOf(cpu, firmwareOf(cpu).depth) + ((<usize>register) << 3));
}

/** EVENT_COMPLETE; with `resume`, EVENT_COMPLETE_AND_RESUME at an address. */
export function complete(cpu: Cpu, resume: bool, address: u64): i64 {
  const own = firmwareOf(cpu);
  if (own.depth == 0 || (resume && !isEntryPoint(address))) return DENIED;
  const index = openEvent(cpu);
  if (!transition(registrationOf(cpu, index), Action.COMPLETE)) return DENIED;
  const context = dispatchOf(cpu, own.depth--);
  const base = changetype<usize>(cpu);
  for (let register: u32 = 0; register < SAVED_REGISTERS; register++) {
    writeX(base, register, load<u64>(context + ((<usize>register) << 3)));
  }
  const pc = load<u64>(context + DISPATCH_PC);
  const interrupted = load<u64>(context + DISPATCH_PSTATE);
  restorePstate(cpu, <u32>interrupted);
  cpu.pc = pc;
  if (resume) resumeAt(cpu, address, pc, interrupted);
  own.active &= ~levelOf(index);
  updatePriority(cpu);
  afterCompletion(own);
  cpu.retired++;
  updateEl3(cpu);
  return RESUMED;
}

/** As if a synchronous exception had been taken to the address. */
function resumeAt(cpu: Cpu, address: u64, pc: u64, interrupted: u64): void {
  const state = arm64(cpu);
  enterClient(cpu);
  writeNzcv(changetype<usize>(cpu), 0);
  state.elr = pc;
  state.spsr = interrupted;
  cpu.pc = address;
}

/** What completing leaves behind (scenario S24). */
function afterCompletion(own: FirmwareCpu): void {
  const completion = firmware().completion;
  if (completion == SdeiCompletion.DANGLE) firmware().dangling = 1;
  else if (completion == SdeiCompletion.BREAK_CPU_OFF) own.breaksOff = 1;
}

// --- power -----------------------------------------------------------------------------------------------------------

/** Whether CPU_OFF on this PE neither powers off nor returns (scenario S24). */
export function cpuOffBreaks(cpu: Cpu): bool {
  const own = firmwareOf(cpu);
  return own.breaksOff != 0 || (own.depth != 0 && firmware().openCpuOff == SdeiOpenCpuOff.WEDGE);
}

/** The PE loses its power: it will begin masked, with nothing registered (TF-A sdei_cpu_on_init()). */
export function forgetPe(cpu: Cpu): void {
  const own = firmwareOf(cpu);
  own.unmasked = 0;
  own.breaksOff = 0;
  if (own.depth != 0) leaveDispatches(cpu);
  own.active = 0;
  updatePriority(cpu);
  for (let index: u32 = 0; index < endOfEvents(false); index++) {
    const registration = registrationOf(cpu, index);
    if ((registration.state & REGISTERED) != 0) {
      eventMapAt(index).registrations--;
      if (index != 0 && eventMapAt(index).interrupt != 0) gicSetSecure(cpu, eventMapAt(index).interrupt, false);
    }
    memory.fill(changetype<usize>(registration), 0, offsetof<Registration>());
  }
  for (let left = own.pending >>> SDEI_MOST_PRIVATE; left != 0; left &= left - 1) {
    returnShared(SDEI_MOST_PRIVATE + <u32>ctz(left));
  }
  own.pending = 0;
}

/** The PE goes with dispatches open (scenario S24). */
function leaveDispatches(cpu: Cpu): void {
  const own = firmwareOf(cpu);
  if (firmware().openCpuOff == SdeiOpenCpuOff.DANGLE) {
    firmware().dangling = 1;
    own.stuckSignal = 1;
  }
  for (; own.depth != 0; own.depth--) {
    const index = openEvent(cpu);
    if (isShared(index)) transition(registrationOf(cpu, index), Action.COMPLETE);
  }
}

/** Whether resets of SDEI still return. */
export function resetsHang(): bool {
  return firmware().dangling != 0;
}

/** What a signaller's check of a target sees: whether it could be dispatched event 0. */
export function isReadyForSignal(cpu: Cpu): bool {
  const state = registrationOf(cpu, 0).state;
  return firmwareOf(cpu).unmasked != 0 && (state & (REGISTERED | ENABLED)) == (REGISTERED | ENABLED);
}
