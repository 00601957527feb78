// What an x86 CPU has deadlines of: its APIC timer, and the end of TPAUSE or UMWAIT. Its one deadline (time/deadline.ts) is the
// earlier of them.

import { CpuState } from "../../src/abi.ts";
import { Cpu, NEVER } from "../cpu.ts";
import { apicTimerFires } from "../interrupts/apic/timer.ts";
import { wakeFromWait } from "../interrupts/wake.ts";
import { setDeadline } from "../time/deadline.ts";
import { x86 } from "./cpu.ts";
import { isPause } from "./timedPause.ts";

function stored(cycle: u64): u64 {
  return cycle == NEVER ? 0 : cycle;
}

/** The APIC timer has something to say at a cycle, or NEVER. */
export function setTimerCycle(cpu: Cpu, cycle: u64): void {
  x86(cpu).timerCycle = stored(cycle);
  setNext(cpu);
}

/** TPAUSE or UMWAIT gives up at a cycle, or NEVER. */
export function setPauseCycle(cpu: Cpu, cycle: u64): void {
  x86(cpu).pauseCycle = stored(cycle);
  setNext(cpu);
}

function setNext(cpu: Cpu): void {
  const state = x86(cpu);
  const timer = state.timerCycle == 0 ? NEVER : state.timerCycle;
  const pause = state.pauseCycle == 0 ? NEVER : state.pauseCycle;
  setDeadline(cpu, min(timer, pause));
}

/** The CPU's deadline has come. */
export function x86TimersFire(cpu: Cpu, cycle: u64): void {
  const state = x86(cpu);
  if (state.timerCycle != 0 && state.timerCycle <= cycle) {
    state.timerCycle = 0;
    apicTimerFires(cpu, cycle);
  }
  if (state.pauseCycle != 0 && state.pauseCycle <= cycle) {
    if (cpu.state == CpuState.WAITING && isPause(cpu.waitKind)) wakeFromWait(cpu, cycle);
    state.pauseCycle = 0;
  }
  setNext(cpu);
}
