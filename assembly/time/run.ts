// Runs a core: steps its threads as far as the bounds allow, in the order of (cycle, CPU number), takes interrupts at
// instruction boundaries, and leaves behind the event that continues it.

import { Acceleration, CpuState } from "../../src/abi.ts";
import { Core, Cpu, NEVER, cpuAt, threadOf } from "../cpu.ts";
import { execute, takePending } from "../architecture.ts";
import { dueHeld, isHeld, releaseHeld } from "../interrupts/held.ts";
import { accept } from "../interrupts/message.ts";
import { machine } from "../machine.ts";
import { settleMembers } from "../memory/member.ts";
import { computeLimits, coreIsStepping, isStepping, precedes, startCycle } from "./bounds.ts";
import { hitLimit, limitTo, limitToTicks, observeLimit, otherLimit } from "./limits.ts";
import { Leave } from "./leave.ts";
import { parkedUntil, unpark } from "./spin.ts";
import { EventClass, EventNode, cancel, schedule } from "./wheel.ts";

/**
 * Runs whatever of the core may run now, then schedules its continuation.
 * @param delivering in a class before RUN: messages of this cycle may still be undelivered
 */
export function runCore(core: Core, cycle: u64, delivering: bool): void {
  if (!delivering || (machine().accelerations & Acceleration.RUN_AHEAD) != 0) {
    if (core.threadCount == 1) runThread(threadOf(core, 0), cycle, delivering, false);
    else runSiblings(core, cycle, delivering);
  }
  continueLater(core, cycle);
  assert(delivering || core.runCycle > cycle, "a run event must leave its cycle behind");
}

/** Executes the access that a fill or a device's answer completes, at the very cycle of its arrival. */
export function runCompleted(cpu: Cpu, cycle: u64): void {
  if (cpu.core.members != 0) settleMembers(cpu.core, cycle);
  runThread(cpu, cycle, true, true);
  if (cpu.core.threadCount == 1) continueLater(cpu.core, cycle);
  else runCore(cpu.core, cycle, true);
}

/** Steps a CPU through time that has passed: up to `cycle`, touching only lines that it holds. */
export function catchUp(cpu: Cpu, cycle: u64): void {
  limitTo(cycle);
  if (cpu.clock >= hitLimit) return;
  const leave = execute(cpu, false);
  assert(leave == Leave.LIMIT, "a woken spin left its loop early");
}

/** Steps a CPU up to the start of an instruction, touching only lines that it holds. */
export function catchUpToTicks(cpu: Cpu, ticks: u64): void {
  limitToTicks(ticks);
  if (cpu.clock >= ticks) return;
  const leave = execute(cpu, false);
  assert(leave == Leave.LIMIT, "a woken spin left its loop early");
}

/** Something of a cycle has been delivered to a core: whatever of it may run goes on. */
export function continueAfterDelivery(core: Core, cycle: u64): void {
  if (coreIsStepping(core)) runCore(core, cycle, true);
}

/** Brings every parked CPU up to the present, so that its registers and memory can be looked at or changed. */
export function catchUpAll(): void {
  const m = machine();
  for (let index: u32 = 0; index < m.cpus; index++) catchUpParked(cpuAt(index));
}

/** A parked CPU is woken; it parks again when it comes round. */
export function catchUpParked(cpu: Cpu): void {
  if (cpu.parked == 0) return;
  unpark(cpu, machine().now);
  continueLater(cpu.core, machine().now);
}

/** The least advanced thread first, until all stand at their limits. */
function runSiblings(core: Core, cycle: u64, delivering: bool): void {
  if (core.members != 0 && coreIsStepping(core)) settleMembers(core, cycle);
  while (true) {
    let progress = false;
    for (let turn: u32 = 0; turn < core.threadCount; turn++) {
      const cpu = leastAdvanced(core, turn);
      if (changetype<usize>(cpu) == 0) break;
      const before = cpu.clock;
      const leave = runThread(cpu, cycle, delivering, false);
      if (leave == Leave.LIMIT && isAlone(core, cpu)) return;
      // A thread that must wait for a sibling has just woken it.
      if (cpu.clock != before || !isStepping(cpu) || leave == Leave.SIBLING) {
        progress = true;
        break;
      }
    }
    if (!progress) return;
  }
}

/** Whether no other thread of the core can go on. */
function isAlone(core: Core, cpu: Cpu): bool {
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const sibling = threadOf(core, thread);
    if (sibling != cpu && isStepping(sibling)) return false;
  }
  return true;
}

/** The thread that comes after `rank` others in the order of (cycle, CPU number), or null. */
function leastAdvanced(core: Core, rank: u32): Cpu {
  for (let i: u32 = 0; i < core.threadCount; i++) {
    const cpu = threadOf(core, i);
    if (!isStepping(cpu)) continue;
    let ahead: u32 = 0;
    for (let j: u32 = 0; j < core.threadCount; j++) {
      const other = threadOf(core, j);
      if (other != cpu && isStepping(other) && precedes(other, cpu)) ahead++;
    }
    if (ahead == rank) return cpu;
  }
  return changetype<Cpu>(0);
}

/** @param must execute one instruction in any case: its access has just been completed */
function runThread(cpu: Cpu, cycle: u64, delivering: bool, must: bool): Leave {
  if (!isStepping(cpu)) return Leave.WAITING;
  computeLimits(cpu, cycle, delivering);
  while (must || cpu.clock < otherLimit) {
    if (!must && machine().heldSet != 0 && cpu.delivery == 0) {
      const slot = dueHeld(cpu);
      if (slot >= 0) {
        // Whatever else reaches the CPU before this boundary has come.
        if (cpu.clock >= observeLimit) return Leave.LIMIT;
        accept(cpu, releaseHeld(cpu, slot), startCycle(cpu));
        computeLimits(cpu, cycle, delivering);
        continue;
      }
    }
    const before = cpu.clock;
    if (cpu.delivery != 0 || (!must && (cpu.pending & ~cpu.masked) != 0)) {
      if (!must && cpu.clock >= hitLimit) return Leave.LIMIT;
      takePending(cpu);
      if (cpu.state != CpuState.RUNNING) return Leave.BLOCKED;
      // Still under way: the access has disturbed a sibling, which goes first, unless the access is to be made now.
      if (cpu.delivery != 0) {
        if (must) continue;
        return Leave.SIBLING;
      }
    } else {
      // What came while the CPU was blocked is taken at the boundary behind the access, and siblings have their turn.
      const onlyThis = must && ((cpu.pending & ~cpu.masked) != 0 || cpu.core.threadCount > 1);
      if (onlyThis) limitTo(0);
      const leave = execute(cpu, must);
      // The access to complete has disturbed a sibling, which stands at this cycle now. It comes before all instruction
      // starts of the cycle.
      if (must && leave == Leave.SIBLING) continue;
      // An access to the local APIC may have let an interrupt through.
      const unlimited = onlyThis || (cpu.pending & ~cpu.masked) != 0;
      const stepped = leave == Leave.LIMIT && cpu.clock != before && isHeld(cpu);
      if (leave != Leave.RECHECK && !(unlimited && leave == Leave.LIMIT) && !stepped) return leave;
    }
    must = false;
    computeLimits(cpu, cycle, delivering);
  }
  return Leave.LIMIT;
}

/** Sees to it that an event continues the core at its earliest next instruction, and at no other time. */
export function continueLater(core: Core, cycle: u64): void {
  let next = NEVER;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const cpu = threadOf(core, thread);
    if (cpu.state != CpuState.RUNNING) continue;
    next = min(next, cpu.parked == 0 ? startCycle(cpu) : parkedUntil(cpu));
  }
  next = max(next, cycle);
  if (next == core.runCycle) return;
  if (core.runEvent != 0) cancel(changetype<EventNode>(core.runEvent));
  core.runCycle = next;
  core.runEvent = next == NEVER ? 0 : schedule(next, EventClass.RUN, changetype<usize>(core), 0);
}
