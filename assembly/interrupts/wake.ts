// Leaving HLT, MWAIT, WFI and WFE.

import { CpuState, Timing, TraceKind, WaitKind } from "../../src/abi.ts";
import { arm64 } from "../arm64/cpu.ts";
import { Cpu, WaitEnd } from "../cpu.ts";
import { timing } from "../machine.ts";
import { cycleOf, ticksOf } from "../time/limits.ts";
import { trace } from "../trace/ring.ts";
import { leaveHalt, mwaitUnmasks, systemStateMasks } from "../x86/wait.ts";

/** Stops a CPU at its next instruction; the caller has completed the waiting instruction. */
export function beginWait(cpu: Cpu, kind: WaitKind): void {
  cpu.state = CpuState.WAITING;
  cpu.waitKind = kind;
  cpu.loopVisits = 0;
  // WFE is for polling with pauses: its ends by time, below, would fill the trace as well.
  if (kind != WaitKind.WFE) trace(TraceKind.WAIT, cpu, cycleOf(cpu.clock), kind, cpu.index, 0, 0);
}

/**
 * Whether what is pending ends the wait: WFI looks past the masks of PSTATE (Arm ARM D1.6.2), MWAIT past those that it was
 * told to (SDM 2B MWAIT), the others don't.
 */
export function pendingEndsWait(cpu: Cpu): bool {
  let masked = cpu.masked;
  if (cpu.waitKind == WaitKind.WFI) masked = 0;
  else if (cpu.waitKind == WaitKind.MWAIT) masked &= ~mwaitUnmasks(cpu);
  else if (cpu.waitKind >= WaitKind.STARTUP) masked |= systemStateMasks(cpu.waitKind);
  return (cpu.pending & ~masked) != 0;
}

/**
 * Ends a WFE. What reaches a CPU in one cycle comes in no order, yet an event that ends a WFE is consumed, and one that
 * finds it ended is kept. So it counts as if interrupts came first, then events, then timeouts: who comes too late for
 * that puts the event register right (keepEvent, consumesEvent).
 */
export function endEventWait(cpu: Cpu, cycle: u64, by: WaitEnd): void {
  cpu.waitEndCycle = cycle;
  cpu.waitEndedBy = by;
  wakeFromWait(cpu, cycle);
}

/** An interrupt that would have ended a WFE comes in a cycle in which it has been ended. */
export function keepEvent(cpu: Cpu, cycle: u64): void {
  if (cpu.waitEndCycle != cycle || (cpu.pending & ~cpu.masked) == 0) return;
  if (cpu.waitEndedBy == WaitEnd.EVENT) arm64(cpu).event = 1;
  cpu.waitEndedBy = WaitEnd.INTERRUPT;
}

/** An event comes to a CPU that doesn't wait: whether a WFE that has timed out in this cycle would have consumed it. */
export function consumesEvent(cpu: Cpu, cycle: u64): bool {
  if (cpu.waitEndCycle != cycle || cpu.waitEndedBy != WaitEnd.TIMEOUT) return false;
  cpu.waitEndedBy = WaitEnd.EVENT;
  return true;
}

/**
 * Ends a wait because of something that happened at `cycle`. A CPU that began to wait later than that (it had run ahead)
 * would not have waited at all.
 */
export function wakeFromWait(cpu: Cpu, cycle: u64): void {
  const began = cycleOf(cpu.clock);
  if (cycle > began) cpu.clock = ticksOf(cycle + wakeLatency(cpu.waitKind));
  const timedOut = cpu.waitKind == WaitKind.WFE && cpu.waitEndedBy == WaitEnd.TIMEOUT;
  if (!timedOut) trace(TraceKind.WAKE, cpu, max(cycle, began), cpu.waitKind, cpu.index, 0, 0);
  if (cpu.waitKind == WaitKind.HLT) leaveHalt(cpu);
  cpu.state = CpuState.RUNNING;
  cpu.waitKind = WaitKind.NONE;
}

function wakeLatency(kind: WaitKind): u64 {
  switch (kind) {
    case WaitKind.HLT:
    case WaitKind.SHUTDOWN:
      return timing(Timing.WAKE_HLT);
    case WaitKind.MWAIT:
      return timing(Timing.WAKE_MWAIT);
    case WaitKind.WFI:
      return timing(Timing.WAKE_WFI);
    default:
      return timing(Timing.WAKE_WFE);
  }
}
