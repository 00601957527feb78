// What reaches an x86 CPU past its local APIC's registers: NMI, SMI, INIT and start-up IPIs (SDM 3A 6.7, 11.6.1, 9.4; 3C
// chapter 32; rev. 083). NMI, SMI and INIT are latched, one each, and taken at an instruction boundary.
//
// System-management mode is stolen time: its code isn't modelled, only that the CPU executes nothing of its own while it is
// there. All that arrives meanwhile is latched, or requested of the APIC, and taken at the boundary at which RSM returns; a
// start-up IPI is lost, as on any CPU that doesn't wait for one. RSM restores whether NMIs are blocked.

import { CpuState, DeliveryMode, StopReason, Timing, TraceKind, WaitKind } from "../../src/abi.ts";
import { Cpu, Pending } from "../cpu.ts";
import { stopMachine, timing } from "../machine.ts";
import { closeJournal } from "../memory/access.ts";
import { startCycle } from "../time/bounds.ts";
import { ticksOf } from "../time/limits.ts";
import { startNotBefore } from "../time/stolen.ts";
import { trace } from "../trace/ring.ts";
import { RDI, RSI, RSP, writeR, x86 } from "./cpu.ts";
import { APIC_BASE_BSP } from "../interrupts/apic/base.ts";
import { x86Initialize, x86Reset } from "./reset.ts";

/** Whether a CPU has never run since power-up, or has taken INIT: nothing but a start-up IPI reaches it. */
function awaitsStartup(cpu: Cpu): bool {
  return cpu.state == CpuState.OFFLINE || (cpu.state == CpuState.WAITING && cpu.waitKind == WaitKind.STARTUP);
}

// --- arrivals --------------------------------------------------------------------------------------------------------
// The caller settles what they leave pending (interrupts/message.ts).

/** A message of a delivery mode that IRR knows nothing of, but for start-up IPIs. @returns whether the mode is one of these */
export function systemEventArrives(cpu: Cpu, mode: DeliveryMode, cycle: u64): bool {
  switch (mode) {
    case DeliveryMode.SMI:
      smiArrives(cpu, cycle);
      return true;
    case DeliveryMode.NMI:
      nmiArrives(cpu);
      return true;
    case DeliveryMode.INIT:
      initArrives(cpu, cycle);
      return true;
    default:
      return false;
  }
}

export function nmiArrives(cpu: Cpu): void {
  if (!awaitsStartup(cpu)) cpu.pending |= Pending.NMI;
}

/** @param duration cycles in system-management mode; 0: the timing model's */
export function smiArrives(cpu: Cpu, cycle: u64, duration: u64 = 0): void {
  if (awaitsStartup(cpu) || (cpu.pending & Pending.SMI) != 0) return;
  cpu.pending |= Pending.SMI;
  x86(cpu).smmCycles = duration == 0 ? <u64>timing(Timing.SMM_DURATION) : duration;
}

export function initArrives(cpu: Cpu, cycle: u64): void {
  // Who waits for a start-up IPI goes on waiting. A CPU that has left the machine is beyond reach.
  if (!awaitsStartup(cpu) && cpu.state != CpuState.DEAD) cpu.pending |= Pending.INIT;
}

/** @param page where real mode would begin: its address divided by 4096; the entry finds it in RSI */
export function startupArrives(cpu: Cpu, page: u32, cycle: u64): void {
  if (!awaitsStartup(cpu)) return;
  if (x86(cpu).startupGiven == 0) {
    stopMachine(StopReason.NO_STARTUP_ENTRY, cpu.index, cpu.pc, cycle, <u64>page);
    return;
  }
  if (cpu.state == CpuState.OFFLINE) x86Reset(cpu);
  cpu.on = 1;
  begin(cpu, page, cycle);
}

// --- boundaries ------------------------------------------------------------------------------------------------------

/**
 * Takes SMI or INIT, which come before the traps of the instruction that is done, before NMIs and before interrupts (SDM 3A
 * table 6-2). Neither IF nor a shadow of STI or MOV SS holds them off.
 * @returns whether it did
 */
export function takeSystemEvent(cpu: Cpu): bool {
  if ((cpu.pending & Pending.SMI) != 0) enterSystemManagement(cpu);
  else if ((cpu.pending & Pending.INIT) != 0) takeInit(cpu);
  else return false;
  return true;
}

/** The time passes at once: the next boundary is that of RSM, and what arrives before finds a CPU that stands there. */
function enterSystemManagement(cpu: Cpu): void {
  const entered = startCycle(cpu);
  const left = entered + x86(cpu).smmCycles;
  cpu.pending &= ~Pending.SMI;
  abandonInstruction(cpu);
  cpu.clock = ticksOf(left);
  trace(TraceKind.SMM_ENTERED, cpu, entered, 0, cpu.index, left, 0);
  trace(TraceKind.SMM_LEFT, cpu, left, 0, cpu.index, entered, 0);
}

/** What the instruction at cpu.pc has begun, if anything, it begins again. */
function abandonInstruction(cpu: Cpu): void {
  closeJournal(cpu);
  cpu.resumed = 0;
  cpu.loopVisits = 0;
}

/**
 * INIT resets the CPU but for what table 10-1 of SDM 3A keeps: memory and caches, the TSC and other MSRs, IA32_APIC_BASE. Then
 * it waits for a start-up IPI; the bootstrap processor begins at once.
 */
function takeInit(cpu: Cpu): void {
  const cycle = startCycle(cpu);
  const isBootstrap = (x86(cpu).apicBase & APIC_BASE_BSP) != 0;
  abandonInstruction(cpu);
  x86Initialize(cpu);
  trace(TraceKind.INIT_TAKEN, cpu, cycle, isBootstrap ? 1 : 0, cpu.index, cpu.pc, 0);
  if (!isBootstrap) {
    cpu.state = CpuState.WAITING;
    cpu.waitKind = WaitKind.STARTUP;
  } else if (x86(cpu).startupGiven != 0) {
    begin(cpu, 0, cycle);
  } else {
    stopMachine(StopReason.NO_STARTUP_ENTRY, cpu.index, cpu.pc, cycle, 0);
    cpu.state = CpuState.DEAD;
  }
}

/** To the entry that the host has given instead of real mode, in 64-bit mode. */
function begin(cpu: Cpu, page: u32, cycle: u64): void {
  const base = changetype<usize>(cpu);
  const state = x86(cpu);
  const starts = cycle + timing(Timing.CPU_ON_LATENCY);
  writeR(base, RSP, state.startupStack);
  writeR(base, RDI, state.startupArgument);
  writeR(base, RSI, <u64>page);
  cpu.state = CpuState.RUNNING;
  cpu.waitKind = WaitKind.NONE;
  cpu.pc = state.startupPc;
  cpu.clock = ticksOf(starts);
  startNotBefore(cpu);
  trace(TraceKind.CPU_STARTED, cpu, starts, page, cpu.index, cpu.pc, 0);
}
