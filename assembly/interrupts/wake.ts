// Leaving HLT, MWAIT, WFI and WFE.

import { CpuState, Timing, TraceKind, WaitKind } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { timing } from "../machine.ts";
import { cycleOf, ticksOf } from "../time/bounds.ts";
import { trace } from "../trace/ring.ts";
import { leaveHalt, mwaitUnmasks, systemStateMasks } from "../x86/wait.ts";

/** Stops a CPU at its next instruction; the caller has completed the waiting instruction. */
export function beginWait(cpu: Cpu, kind: WaitKind): void {
  cpu.state = CpuState.WAITING;
  cpu.waitKind = kind;
  cpu.loopVisits = 0;
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
 * Ends a wait because of something that happened at `cycle`. A CPU that began to wait later than that (it had run ahead)
 * would not have waited at all.
 */
export function wakeFromWait(cpu: Cpu, cycle: u64): void {
  const began = cycleOf(cpu.clock);
  if (cycle > began) cpu.clock = ticksOf(cycle + wakeLatency(cpu.waitKind));
  trace(TraceKind.WAKE, cpu, max(cycle, began), cpu.waitKind, cpu.index, 0, 0);
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
