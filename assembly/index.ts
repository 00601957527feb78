// The ABI of the core: all that the host may call. Numbers only; everything larger is read and written in linear memory.

import {
  ABI_VERSION,
  Counter,
  DeliveryMode,
  Device,
  LineChange,
  PAGE_BYTES,
  PAGE_SHIFT,
  Region,
  RunStatus,
  Warmth,
} from "../src/abi.ts";
import { privilegeLevel } from "./architecture.ts";
import { allocate, initialize } from "./build.ts";
import { Cpu, cpuAt } from "./cpu.ts";
import { perturb } from "./memory/perturbation.ts";
import { digestMachine, digestOfCpu } from "./digest.ts";
import { deliveryDelay, deliveryLosses, setDelivery } from "./interrupts/delivery.ts";
import { driveLine } from "./interrupts/gic/stream.ts";
import { Arrival } from "./firmware/call.ts";
import { NO_EVENT, eventIndex, isShared } from "./firmware/events.ts";
import { hold, releaseHeld } from "./interrupts/held.ts";
import { setIdleExit } from "./interrupts/idle.ts";
import { Message, send } from "./interrupts/message.ts";
import { machine } from "./machine.ts";
import { warmLine } from "./memory/lines.ts";
import { lineOf, mapPages } from "./memory/map.ts";
import { attachCopy, nextPageInUse, nextPageOutOfUse, setAccelerations } from "./snapshot.ts";
import { runUntil } from "./time/loop.ts";
import { catchUpAll } from "./time/run.ts";
import { retiredBy } from "./time/spin.ts";
import { EventClass, schedule } from "./time/wheel.ts";
import { setProbe } from "./trace/probe.ts";
import { x86 } from "./x86/cpu.ts";
import {
  maskAnd,
  maskAndNot,
  maskClearRange,
  maskCollect,
  maskComplement,
  maskCopy,
  maskEqual,
  maskFill,
  maskFull,
  maskIntersects,
  maskLast,
  maskNext,
  maskNextAnd,
  maskNextAndAnd,
  maskNextAndNot,
  maskNextOr,
  maskNextZero,
  maskNth,
  maskNthAnd,
  maskNthAndAndNot,
  maskNthAndNot,
  maskOr,
  maskOrEqual,
  maskSetRange,
  maskSetRegion,
  maskShiftLeft,
  maskShiftRight,
  maskSubset,
  maskWeight,
  maskWeightAnd,
  maskWeightAndNot,
  maskWeightFrom,
  maskXor,
  maskZero,
} from "./cpumask.ts";

export { allocate, initialize, mapPages, setProbe };
export { attachCopy, nextPageInUse, nextPageOutOfUse, setAccelerations };
export {
  maskAnd,
  maskAndNot,
  maskClearRange,
  maskCollect,
  maskComplement,
  maskCopy,
  maskEqual,
  maskFill,
  maskFull,
  maskIntersects,
  maskLast,
  maskNext,
  maskNextAnd,
  maskNextAndAnd,
  maskNextAndNot,
  maskNextOr,
  maskNextZero,
  maskNth,
  maskNthAnd,
  maskNthAndAndNot,
  maskNthAndNot,
  maskOr,
  maskOrEqual,
  maskSetRange,
  maskSetRegion,
  maskShiftLeft,
  maskShiftRight,
  maskSubset,
  maskWeight,
  maskWeightAnd,
  maskWeightAndNot,
  maskWeightFrom,
  maskXor,
  maskZero,
};

export function abiVersion(): u32 {
  return ABI_VERSION;
}

/** Address of a region. */
export function region(which: Region): usize {
  const m = machine();
  switch (which) {
    case Region.CPUS:
      return m.cpuRecords;
    case Region.RAM:
      return m.ramHost;
    case Region.MACHINE:
      return changetype<usize>(m);
    default:
      return m.traceRing;
  }
}

export function counter(which: Counter): u64 {
  const m = machine();
  switch (which) {
    case Counter.NOW:
      return m.now;
    case Counter.EVENTS:
      return m.events;
    case Counter.RETIRED:
      return retired();
    case Counter.MISSES:
      return m.missCount;
    case Counter.INTERRUPTS:
      return m.interruptCount;
    case Counter.PARKINGS:
      return m.parkings;
    case Counter.STOP_REASON:
      return m.stopReason;
    case Counter.STOP_CPU:
      return m.stopCpu;
    case Counter.STOP_CYCLE:
      return m.stopCycle;
    case Counter.STOP_PC:
      return m.stopPc;
    case Counter.STOP_DETAIL:
      return m.stopDetail;
    case Counter.TRACE_RECORDS:
      return m.traceCount;
    case Counter.TRACE_LOST:
      return m.traceLost;
    case Counter.RESERVED_BYTES:
      return m.top;
    case Counter.DIRECTORY_BYTES:
      return m.directoryNext - m.directoryStart;
    case Counter.CODE_FLUSHES:
      return m.codeFlushes;
    case Counter.BREAK_PROBE:
      return m.breakProbe;
    case Counter.BREAK_CPU:
      return m.breakCpu;
    case Counter.BREAK_CYCLE:
      return m.breakCycle;
    default:
      return m.leastInterruptLatency;
  }
}

function retired(): u64 {
  let sum: u64 = 0;
  for (let index: u32 = 0; index < machine().cpus; index++) sum += retiredBy(cpuAt(index), machine().now);
  return sum;
}

/** Sets what caches hold of whole lines before the first instruction. */
export function warm(address: u64, bytes: u64, warmth: Warmth, core: u32): void {
  for (let at = address; at < address + bytes; at += 64) warmLine(lineOf(at), warmth, core);
}

/** Powers a CPU on; its first instruction starts at `cycle`, which is not before now. */
export function startCpuAt(index: u32, pc: u64, stack: u64, argument: u64, cycle: u64): void {
  const cpu = cpuAt(index);
  cpu.on = 1;
  cpu.starting = 1;
  cpu.startPc = pc;
  cpu.startStack = stack;
  cpu.startArgument = argument;
  send(cpu, <u64>Message.START, cycle);
}

/** Changes the wire of a shared peripheral interrupt at `cycle`, which is not before now; false when there is none. */
export function changeLine(intid: u32, change: LineChange, cycle: u64): bool {
  return driveLine(intid, change, cycle);
}

/** Perturbs the memory order from now on by delays drawn from a seed; 0 ends that. Every CPU is stepped, none parked. */
export function setPerturbation(seed: u32): void {
  catchUpAll();
  perturb(seed);
}

/** Faults of delivery: see interrupts/delivery.ts. */
export function setDeliveryOf(index: u32, kind: i32, delay: u64, lose: u32): void {
  setDelivery(cpuAt(index), kind, delay, lose);
}

export function deliveryDelayOf(index: u32, kind: i32): u64 {
  return deliveryDelay(cpuAt(index), kind);
}

export function deliveryLossesOf(index: u32, kind: i32): u32 {
  return deliveryLosses(cpuAt(index), kind);
}

/**
 * The next message of the host to a CPU, with the calls below, is held when it arrives: until the CPU stands at an address (0: at once),
 * and has executed so many instructions from there. @returns false when the CPU has too many such
 */
export function holdNext(index: u32, address: u64, instructions: u32): bool {
  const cpu = cpuAt(index);
  const slot = hold(cpu, 0, address, instructions);
  if (slot < 0) return false;
  releaseHeld(cpu, slot);
  const m = machine();
  m.holdsNext = 1;
  m.holdAddress = address;
  m.holdInstructions = instructions;
  return true;
}

function sendFromHost(cpu: Cpu, argument: u64, cycle: u64): void {
  const m = machine();
  if (m.holdsNext == 0) {
    send(cpu, argument, cycle);
    return;
  }
  m.holdsNext = 0;
  const slot = hold(cpu, argument, m.holdAddress, m.holdInstructions);
  if (slot >= 0) send(cpu, (<u64>Message.HELD) | ((<u64>slot) << 8), cycle);
}

/** x86: a source of a CPU's own, a `LocalInterrupt`, signals at `cycle`, which is behind now. */
export function signalLocalInterrupt(index: u32, source: u32, cycle: u64): void {
  sendFromHost(cpuAt(index), (<u64>Message.LOCAL) | ((<u64>source) << 8), cycle);
}

// --- x86: what the host sends to CPUs ---------------------------------------------------------------------------------
// `cycle` is always behind now.

/** A message of any delivery mode reaches a CPU's local APIC. */
export function sendInterruptAt(index: u32, vector: u32, mode: DeliveryMode, cycle: u64): void {
  sendFromHost(cpuAt(index), (<u64>Message.INTERRUPT) | ((<u64>vector) << 8) | ((<u64>mode) << 16), cycle);
}

/** @param duration cycles in system-management mode, less than 2^32; 0: the timing model's */
export function sendSmiAt(index: u32, duration: u32, cycle: u64): void {
  sendFromHost(cpuAt(index), (<u64>Message.SMI) | ((<u64>duration) << 32), cycle);
}

/** What an update of a CPU's microcode takes: cycles, or 0 for the timing model's; and whether the CPU refuses it. */
export function setMicrocodeUpdate(index: u32, cycles: u64, refused: u32): void {
  const state = x86(cpuAt(index));
  state.updateCycles = cycles;
  state.updateRefused = refused;
}

/** @param source SYSTEM_CONTROL_SERR or SYSTEM_CONTROL_IOCHK */
export function raiseSystemNmiAt(source: u32, cycle: u64): void {
  sendFromHost(cpuAt(0), (<u64>Message.SYSTEM_NMI) | ((<u64>source) << 8), cycle);
}

/** Where a CPU begins by INIT and start-up IPI; the bootstrap processor by INIT. */
export function setStartupEntry(index: u32, pc: u64, stack: u64, argument: u64): void {
  const state = x86(cpuAt(index));
  state.startupGiven = 1;
  state.startupPc = pc;
  state.startupStack = stack;
  state.startupArgument = argument;
}

/**
 * The interrupt of an SDEI event other than 0, by its number, comes at a cycle behind now: to a CPU, which for shared events
 * is the one that the interrupt controller would choose. @returns whether there is such an event
 */
export function triggerEvent(index: u32, number: u32, cycle: u64): bool {
  const event = eventIndex(number);
  if (event == NO_EVENT || event == 0) return false;
  const cpu = cpuAt(index);
  if (isShared(event)) {
    const argument = (<u64>Device.FIRMWARE) | ((<u64>Arrival.TRIGGER) << 8) | ((<u64>event) << 16);
    schedule(cycle, EventClass.DEVICE, changetype<usize>(cpu), argument);
  } else {
    sendFromHost(cpu, (<u64>Message.EL3) | ((<u64>event) << 8), cycle);
  }
  return true;
}

/** From `cycle` on, which is behind now, a CPU executes nothing for `duration` cycles, less than 2^56. */
export function suspendAt(index: u32, duration: u64, cycle: u64): void {
  sendFromHost(cpuAt(index), (<u64>Message.SUSPEND) | (duration << 8), cycle);
}

/** Cycles that a CPU takes to leave a deep idle state; 0: as the shallow ones. */
export function setIdleExitOf(index: u32, cycles: u32): void {
  setIdleExit(cpuAt(index), cycles);
}

/** x86: CPL; arm64: exception level. */
export function privilegeOf(index: u32): u32 {
  return privilegeLevel(cpuAt(index));
}

/** Which `TraceKind`s are recorded, a bit each. */
export function setTraceMask(mask: u32): void {
  machine().traceMask = mask;
}

/** Empties the trace ring once the host has copied its records. */
export function clearTrace(): void {
  machine().traceCount = 0;
}

export function run(until: u64): RunStatus {
  return runUntil(until);
}

/** Brings every CPU's registers and memory up to now. To be called before the host looks at either, or changes any. */
export function catchUp(): void {
  catchUpAll();
}

export function digest(): u64 {
  return digestMachine();
}

export function cpuDigest(index: u32): u64 {
  return digestOfCpu(cpuAt(index));
}

if (1 << PAGE_SHIFT != PAGE_BYTES) ERROR("page constants disagree");
