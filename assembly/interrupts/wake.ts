// Leaving HLT, MWAIT, TPAUSE, WFI and WFE.

import { CpuState, Timing, TraceKind, WaitKind } from "../../src/abi.ts";
import { arm64 } from "../arm64/cpu.ts";
import { Cpu, Pending, WaitEnd } from "../cpu.ts";
import { timing } from "../machine.ts";
import { cycleOf, ticksOf } from "../time/limits.ts";
import { startNotBefore } from "../time/stolen.ts";
import { trace } from "../trace/ring.ts";
import { leaveHalt, mwaitUnmasks, systemStateMasks } from "../x86/wait.ts";
import { isPause, leavePause } from "../x86/timedPause.ts";
import { exitLatency } from "./idle.ts";

/** The wait of a polling loop that comes to its end by time: a trace would hold little else. */
function isTimedPoll(cpu: Cpu): bool {
  if (cpu.waitKind == WaitKind.WFE) return cpu.waitEndedBy == WaitEnd.TIMEOUT;
  return isPause(cpu.waitKind);
}

/** Stops a CPU at its next instruction; the caller has completed the waiting instruction. */
export function beginWait(cpu: Cpu, kind: WaitKind): void {
  cpu.state = CpuState.WAITING;
  cpu.waitKind = kind;
  cpu.loopVisits = 0;
  if (kind != WaitKind.WFE && !isPause(kind)) trace(TraceKind.WAIT, cpu, cycleOf(cpu.clock), kind, cpu.index, 0, 0);
}

/**
 * Whether what is pending ends the wait: WFI looks past the masks of PSTATE (Arm ARM D1.6.2), MWAIT past those that it was
 * told to (SDM 2B MWAIT), the others don't.
 */
export function pendingEndsWait(cpu: Cpu): bool {
  let masked = cpu.masked;
  if (cpu.waitKind == WaitKind.WFI) masked = 0;
  else if (cpu.waitKind == WaitKind.MWAIT) masked &= ~mwaitUnmasks(cpu);
  // An external interrupt ends it whatever EFLAGS.IF says (SDM 2B TPAUSE).
  else if (isPause(cpu.waitKind)) masked &= ~Pending.IRQ;
  else if (cpu.waitKind == WaitKind.STARTUP || cpu.waitKind == WaitKind.SHUTDOWN)
    masked |= systemStateMasks(cpu.waitKind);
  return (cpu.pending & ~masked & ~Pending.STOLEN) != 0;
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
  if (cpu.waitEndCycle != cycle || (cpu.pending & ~cpu.masked & ~Pending.STOLEN) == 0) return;
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
  const latency = exitLatency(cpu, wakeLatency(cpu.waitKind));
  if (cycle > began) cpu.clock = ticksOf(cycle + latency);
  const executes = cycleOf(cpu.clock);
  startNotBefore(cpu);
  if (isPause(cpu.waitKind)) leavePause(cpu, max(cycle, began));
  if (!isTimedPoll(cpu)) trace(TraceKind.WAKE, cpu, max(cycle, began), cpu.waitKind, cpu.index, executes, 0);
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
    case WaitKind.TPAUSE:
    case WaitKind.UMWAIT:
      return timing(Timing.WAKE_PAUSE);
    default:
      return timing(Timing.WAKE_WFE);
  }
}
