// Time that a CPU doesn't get: a hypervisor runs something else in its place. From a cycle on, for so long, it executes
// nothing and takes nothing; what arrives meanwhile waits, and what it had begun ends when it may go on. Memory and
// interrupts of others go on as ever: caches answer for it, timers count, stores that wait in its buffer drain.
//
// It acts at an instruction boundary, as system-management mode does (x86/systemEvents.ts), on either architecture. A CPU that
// waits goes on waiting: what ends the wait is seen when its time is over.

import { CpuState, TraceKind } from "../../src/abi.ts";
import { Cpu, Pending } from "../cpu.ts";
import { mix } from "../digest.ts";
import { machine, reserve } from "../machine.ts";
import { trace } from "../trace/ring.ts";
import { ticksOf } from "./limits.ts";
import { unpark } from "./spin.ts";

const STOLEN_BYTES: usize = 8;

/** Reserves the table, of which nothing is touched before the first CPU is suspended. @returns false when memory is exhausted */
export function openStolen(): bool {
  const m = machine();
  m.stolen = reserve(<usize>m.cpus * STOLEN_BYTES, 64);
  m.stolenSet = 0;
  return m.stolen != 0;
}

function cellOf(cpu: Cpu): usize {
  return machine().stolen + <usize>cpu.index * STOLEN_BYTES;
}

/** The CPU executes nothing from `cycle` on, which is now, for `duration` cycles. What overlaps counts once. */
export function suspend(cpu: Cpu, cycle: u64, duration: u64): void {
  machine().stolenSet = 1;
  const cell = cellOf(cpu);
  const until = max(load<u64>(cell), cycle + duration);
  store<u64>(cell, until);
  trace(TraceKind.SUSPENDED, cpu, cycle, 0, cpu.index, until, 0);
  if (cpu.state != CpuState.RUNNING && cpu.state != CpuState.BLOCKED) return;
  cpu.pending |= Pending.STOLEN;
  if (cpu.parked != 0) unpark(cpu, cycle);
}

/** At a boundary: the next instruction starts when the CPU's time is over. */
export function takeStolen(cpu: Cpu): void {
  cpu.pending &= ~Pending.STOLEN;
  cpu.loopVisits = 0;
  startNotBefore(cpu);
}

/** A CPU that begins to execute, or goes on, does so when its time is over. */
export function startNotBefore(cpu: Cpu): void {
  if (machine().stolenSet != 0) cpu.clock = max(cpu.clock, ticksOf(load<u64>(cellOf(cpu))));
}

// --- the digest ------------------------------------------------------------------------------------------------------
// Whether a CPU has taken the lost time already is a matter of how far the host has run it.

/** Start of the next instruction, lost time considered. */
export function effectiveClock(cpu: Cpu): u64 {
  const lost = (cpu.pending & Pending.STOLEN) != 0 && cpu.state == CpuState.RUNNING;
  return lost ? max(cpu.clock, ticksOf(load<u64>(cellOf(cpu)))) : cpu.clock;
}

export function stolenDigest(cpu: Cpu): void {
  if (machine().stolenSet == 0) return;
  const until = load<u64>(cellOf(cpu));
  if (until > machine().now) mix(until);
}
