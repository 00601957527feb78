// How far a CPU may run ahead of global time without seeing anything too early (docs/time.md, "Run-ahead").
//
//   hits (loads, stores, atomics on lines held):  before  min(T + A, known line messages, known interrupts)
//   everything else:                              before  min(T + P, known interrupts)
//
// where A is the least time in which another CPU can take a line away and P the least in which one can interrupt. A
// message that is on its way is known; one that isn't yet needs at least A or P from now.

import { Acceleration } from "../../src/abi.ts";
import { Core, Cpu, threadOf } from "../cpu.ts";
import { isHeld } from "../interrupts/held.ts";
import { machine } from "../machine.ts";
import { cycleOf, setLimits, shrinkToTicks } from "./limits.ts";
import { parkedUntil } from "./spin.ts";
import { quietUntil } from "./wheel.ts";

/** Start cycle of the CPU's next instruction. */
// @ts-ignore: decorator
@inline
export function startCycle(cpu: Cpu): u64 {
  return cycleOf(cpu.clock);
}

/**
 * Computes the limits of one CPU.
 * @param cycle global time
 * @param delivering whether messages of this very cycle may still be undelivered (classes before RUN)
 */
export function computeLimits(cpu: Cpu, cycle: u64, delivering: bool): void {
  const m = machine();
  const core = cpu.core;
  let least = delivering ? cycle : cycle + 1;
  let hit = least;
  let other = least;
  if ((m.accelerations & Acceleration.RUN_AHEAD) != 0) {
    const quiet = min(quietUntil(cycle), siblingsQuietUntil(cpu, cycle));
    least = max(least, quiet);
    // With nothing under way at any cache or home, a request must travel before it can send an invalidation.
    hit = quiet + (m.directoryEvents == 0 ? 2 * <u64>m.leastLineLatency : <u64>m.leastLineLatency);
    other = quiet + m.leastInterruptLatency;
    if (core.lineArrivals != 0) hit = min(hit, known(core.lineArrivalMin, cycle, least));
  }
  hit = min(hit, m.stop);
  other = min(other, m.stop);
  // Something can always come that no CPU masks: INIT, SMI, an interrupt to EL3.
  if (cpu.interruptArrivals != 0) other = min(other, known(cpu.interruptArrivalMin, cycle, least));
  other = min(other, known(cpu.deadlineCycle, cycle, least));
  let observe = other;
  if (core.threadCount > 1) {
    // A sibling's access may end a watch, which waits look at.
    const sibling = siblingLimit(cpu, cycle, least);
    hit = min(hit, sibling);
    observe = min(observe, sibling);
  }
  setLimits(min(hit, other), other, observe);
  if (isHeld(cpu)) shrinkToTicks(cpu.clock + 1);
}

/** The least of several arrivals goes stale when its message lands before others: then it says nothing. */
// @ts-ignore: decorator
@inline
function known(arrivalMin: u64, cycle: u64, least: u64): u64 {
  return arrivalMin > cycle ? arrivalMin : least;
}

// @ts-ignore: decorator
@inline
export function isStepping(cpu: Cpu): bool {
  return cpu.state == 1 && cpu.parked == 0;
}

/**
 * SMT siblings share a core's copies, so their accesses happen in the order of (cycle, CPU number): a thread may touch
 * memory only before its siblings' next instructions. That is where they stand; or where the last turn of a parked spin
 * begins; or, if a message can set them going, where it arrives, or where what will be answered arrives.
 */
function siblingLimit(cpu: Cpu, cycle: u64, least: u64): u64 {
  const core = cpu.core;
  let limit = u64.MAX_VALUE;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const sibling = threadOf(core, thread);
    if (sibling == cpu) continue;
    if (isStepping(sibling)) {
      limit = min(limit, sibling.index > cpu.index ? startCycle(sibling) + 1 : startCycle(sibling));
      continue;
    }
    if (sibling.parked != 0) limit = min(limit, parkedUntil(sibling));
    if (sibling.interruptArrivals != 0) limit = min(limit, known(sibling.interruptArrivalMin, cycle, least));
    limit = min(limit, known(sibling.deadlineCycle, cycle, least));
    limit = min(limit, known(sibling.deviceArrival, cycle, least));
  }
  return limit;
}

/** A cycle before which no sibling does anything: while the core is being run, no event stands for that. */
function siblingsQuietUntil(cpu: Cpu, cycle: u64): u64 {
  const core = cpu.core;
  let quiet = u64.MAX_VALUE;
  if (core.threadCount == 1) return quiet;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const sibling = threadOf(core, thread);
    if (sibling == cpu) continue;
    if (isStepping(sibling)) quiet = min(quiet, max(cycle, startCycle(sibling)));
    else if (sibling.parked != 0) quiet = min(quiet, max(cycle, parkedUntil(sibling)));
  }
  return quiet;
}

/** Which of two threads of a core goes first. */
export function precedes(cpu: Cpu, other: Cpu): bool {
  const mine = startCycle(cpu);
  const others = startCycle(other);
  return mine != others ? mine < others : cpu.index < other.index;
}

export function coreIsStepping(core: Core): bool {
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    if (isStepping(threadOf(core, thread))) return true;
  }
  return false;
}
