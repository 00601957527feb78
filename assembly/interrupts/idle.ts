// Deep idle states: MWAIT with a hint beyond C1; WFI, also of PSCI CPU_SUSPEND, which has no hint. How long a CPU takes to leave them is a matter of
// the CPU, told by the host; without that, they are as deep as the shallow ones.

import { Cpu } from "../cpu.ts";
import { mix } from "../digest.ts";
import { machine, reserve } from "../machine.ts";

/** Cycles from the wake-up to the next instruction, or 0; and whether the CPU waits in a deep state. */
const EXIT: usize = 0;
const DEEP: usize = 4;
const IDLE_BYTES: usize = 8;

/** @returns false when memory is exhausted */
export function openIdle(): bool {
  const m = machine();
  m.idleExits = reserve(<usize>m.cpus * IDLE_BYTES, 64);
  m.idleExitsSet = 0;
  return m.idleExits != 0;
}

function cellOf(cpu: Cpu): usize {
  return machine().idleExits + <usize>cpu.index * IDLE_BYTES;
}

/** From now on, so many cycles; 0: as the shallow states. */
export function setIdleExit(cpu: Cpu, cycles: u32): void {
  machine().idleExitsSet = 1;
  store<u32>(cellOf(cpu), cycles, EXIT);
}

/** The CPU is about to wait in a deep state. */
export function deepen(cpu: Cpu): void {
  if (machine().idleExitsSet != 0) store<u32>(cellOf(cpu), 1, DEEP);
}

/** The wait ends. @returns its exit latency if it was deep and has one, else that of the shallow state */
export function exitLatency(cpu: Cpu, shallow: u64): u64 {
  if (machine().idleExitsSet == 0) return shallow;
  const cell = cellOf(cpu);
  const isDeep = load<u32>(cell, DEEP) != 0;
  store<u32>(cell, 0, DEEP);
  const exit = <u64>load<u32>(cell, EXIT);
  return isDeep && exit != 0 ? exit : shallow;
}

export function idleDigest(cpu: Cpu): void {
  if (machine().idleExitsSet == 0) return;
  const both = load<u64>(cellOf(cpu));
  if (both != 0) mix(both);
}
