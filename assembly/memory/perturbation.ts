// Perturbation: delays drawn from a seed, so that a program visits more of what its architecture's memory order allows. Stores
// wait longer before they drain, requests for lines set out later, loads are made later. Off unless the host asks for it.

import { Cpu, cpuAt } from "../cpu.ts";
import { machine } from "../machine.ts";
import { startCycle } from "../time/bounds.ts";
import { EventClass, schedule } from "../time/wheel.ts";
import { markBlocked } from "./access.ts";
import { expectLine } from "./arrivals.ts";
import { forgetAll } from "./copies.ts";
import { accessRequest } from "./request.ts";
import { setKeys, storeBufferOf } from "./stores.ts";

/** Delays are drawn evenly below one of these, in cycles: short ones meet neighbouring instructions, long ones other CPUs' lines. */
const SHORT: u32 = 16;
const LONG: u32 = 1024;

/** From now on; 0 for none. Stores that hit draw a delay too: they take the slow way. */
export function perturb(seed: u32): void {
  const m = machine();
  m.perturbation = seed;
  for (let index: u32 = 0; index < m.cpus; index++) {
    const cpu = cpuAt(index);
    forgetAll(cpu);
    setKeys(cpu);
  }
}

/** Cycles that a store, or a request for a line, waits longer than it must. */
export function delayOf(cpu: Cpu): u64 {
  return machine().perturbation == 0 ? 0 : draw(cpu);
}

/** Whether a store that could be done at once shall wait, though. Not asked of the shadow: nobody is parked meanwhile. */
export function isPerturbed(cpu: Cpu): bool {
  return machine().perturbation != 0 && (hash(cpu) & 3) != 0;
}

/** Whether a load waits before it looks at memory at all. */
export function isLoadLate(cpu: Cpu): bool {
  return machine().perturbation != 0 && (hash(cpu) & 7) == 0;
}

/** Argument of the FILL event at which a late load is made. */
export const LATE: u64 = 4;

/** Blocks a CPU whose load is late. */
export function beLate(cpu: Cpu, line: u32): void {
  markBlocked(cpu);
  const request = accessRequest(cpu);
  const cycle = startCycle(cpu) + 1 + draw(cpu);
  request.line = line;
  request.write = 0;
  request.arrival = cycle;
  expectLine(cpu.core, cycle);
  schedule(cycle, EventClass.FILL, changetype<usize>(request), LATE);
}

/** Half of the draws are 0. */
function draw(cpu: Cpu): u64 {
  const bits = hash(cpu);
  if ((bits & 1) == 0) return 0;
  const below = (bits & 2) == 0 ? SHORT : LONG;
  return (bits >>> 8) % below;
}

/** Of the seed, the CPU and how often it has drawn; the mixing is that of MurmurHash3's finalizer. */
function hash(cpu: Cpu): u32 {
  const buffer = storeBufferOf(cpu);
  let x = machine().perturbation ^ (cpu.index * 0x9e37_79b1) ^ (buffer.draws++ * 0x85eb_ca77);
  x = (x ^ (x >>> 16)) * 0x85eb_ca6b;
  x = (x ^ (x >>> 13)) * 0xc2b2_ae35;
  return x ^ (x >>> 16);
}
