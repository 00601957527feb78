// Lines that a thread watches: the monitored line of MWAIT, the exclusive reservation of LDXR, the lines of a parked spin.
// Other cores end a watch by taking the line away. SMT siblings hold the same copy, so their stores have to be noticed
// where they are made: while a line is watched, siblings can't hit it the fast way.

import { Architecture, CpuState, WaitKind } from "../../src/abi.ts";
import { Cpu, WaitEnd, threadOf } from "../cpu.ts";
import { machine } from "../machine.ts";
import { forget } from "../memory/copies.ts";
import { addressOfLine } from "../memory/map.ts";
import { arm64 } from "../arm64/cpu.ts";
import { consumesEvent, endEventWait, wakeFromWait } from "../interrupts/wake.ts";
import { cycleOf, shrinkLimits } from "./limits.ts";
import { parkedLineUse, unpark } from "./spin.ts";

/** How a parked spin uses a line. */
export enum LineUse {
  NONE = 0,
  READ = 1,
  WRITTEN = 2,
}

/** Watches one line, instead of any other. The CPU holds it. */
export function watchLine(cpu: Cpu, line: u32): void {
  if (cpu.watchedLine == 0) cpu.core.watchers++;
  cpu.watchedLine = line + 1;
  hideFromSiblings(cpu, line, true);
}

export function unwatchLine(cpu: Cpu): void {
  if (cpu.watchedLine == 0) return;
  cpu.watchedLine = 0;
  cpu.core.watchers--;
}

/** Makes siblings take the slow way to a line: for stores, or for every access. */
export function hideFromSiblings(cpu: Cpu, line: u32, keepReadable: bool): void {
  const core = cpu.core;
  if (core.threadCount == 1) return;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const sibling = threadOf(core, thread);
    if (sibling != cpu) forget(sibling, addressOfLine(line), keepReadable);
  }
}

/** Whether a sibling watches the line, so that stores to it must stay on the slow way. */
export function isWatchedBySibling(cpu: Cpu, line: u32): bool {
  const core = cpu.core;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const sibling = threadOf(core, thread);
    if (sibling == cpu) continue;
    if (sibling.watchedLine == line + 1) return true;
    if (sibling.parked != 0 && parkedLineUse(sibling, line) != LineUse.NONE) return true;
  }
  return false;
}

/**
 * A thread is about to access a line in `cycle` that siblings may watch. A sibling that is parked on it is brought up to date: stepped
 * to this cycle, by the same executor that is in the middle of the access here, and whose variables are spoilt then.
 * @returns whether that has happened: the instruction must be started again, in its turn
 */
export function wakeSiblings(cpu: Cpu, line: u32, write: bool, cycle: u64): bool {
  const core = cpu.core;
  let woken = false;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const sibling = threadOf(core, thread);
    if (sibling == cpu || sibling.parked == 0) continue;
    const use = parkedLineUse(sibling, line);
    if (use == LineUse.WRITTEN || (use == LineUse.READ && write)) {
      unpark(sibling, cycle);
      woken = true;
    }
  }
  return woken;
}

/** A thread writes a line in `cycle`: siblings that watch it notice. */
export function endSiblingWatches(cpu: Cpu, line: u32, cycle: u64): void {
  const core = cpu.core;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const sibling = threadOf(core, thread);
    if (sibling == cpu || sibling.watchedLine != line + 1) continue;
    const waits = sibling.state == CpuState.WAITING;
    endWatch(sibling, cycle);
    // It goes on at its clock, and the running thread may not pass it.
    if (waits && sibling.state == CpuState.RUNNING) shrinkLimits(cycleOf(sibling.clock));
  }
}

/** The watched line was written, or taken away, at `cycle`. */
export function endWatch(cpu: Cpu, cycle: u64): void {
  unwatchLine(cpu);
  if (machine().architecture == Architecture.ARM64) {
    arm64(cpu).exclusiveSize = 0;
    signalEvent(cpu, cycle);
  } else if (cpu.state == CpuState.WAITING && (cpu.waitKind == WaitKind.MWAIT || cpu.waitKind == WaitKind.UMWAIT)) {
    wakeFromWait(cpu, cycle);
  }
}

/** Sets the event register; ends a WFE (Arm ARM D1.6.1). */
export function signalEvent(cpu: Cpu, cycle: u64): void {
  const state = arm64(cpu);
  if (cpu.state == CpuState.WAITING && cpu.waitKind == WaitKind.WFE) {
    state.event = 0;
    endEventWait(cpu, cycle, WaitEnd.EVENT);
  } else if (!consumesEvent(cpu, cycle)) {
    state.event = 1;
  }
}
