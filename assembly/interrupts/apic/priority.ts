// Priorities of maskable interrupts: what waits in IRR, what is in service, the task's priority, and which of them the CPU
// gets to see (Intel SDM 3A 11.8, rev. 083).

import { Cpu, Pending } from "../../cpu.ts";
import { Apic, IN_SERVICE, Lvt, REQUESTS, TRIGGER_MODE, apicOf, lvtOf, setLvt } from "./record.ts";
import { LVT_REMOTE_IRR } from "./lvt.ts";
import { clearVector, hasVector, highestVector, setVector } from "./vectors.ts";

/** Vectors are served by classes of sixteen (SDM 3A 11.8.3). */
const CLASS: u32 = 0xf0;

/** PPR (SDM 3A 11.8.3.1). Where both classes are equal, TPR's lower half shows. */
export function processorPriority(apic: Apic): u32 {
  const service = highestVector(changetype<usize>(apic) + IN_SERVICE);
  const serviceClass: u32 = service < 0 ? 0 : (<u32>service) & CLASS;
  const task = apic.taskPriority;
  return (task & CLASS) >= serviceClass ? task : serviceClass;
}

/** The requested vector that may be served now, or -1: its class must be above that of PPR. */
function deliverable(apic: Apic): i32 {
  const request = highestVector(changetype<usize>(apic) + REQUESTS);
  if (request < 0 || ((<u32>request) & CLASS) <= (processorPriority(apic) & CLASS)) return -1;
  return request;
}

/** Derives what the CPU sees from what is requested and in service. */
export function updatePending(cpu: Cpu, apic: Apic): void {
  if (apic.spuriousDue != 0 || deliverable(apic) >= 0) cpu.pending |= Pending.IRQ;
  else cpu.pending &= ~Pending.IRQ;
}

/** Requests a vector from 16 to 255; one that is requested already is not requested twice (SDM 3A 11.8.4). */
export function requestVector(cpu: Cpu, apic: Apic, vector: u32, level: bool): void {
  setVector(changetype<usize>(apic) + REQUESTS, vector);
  if (level) setVector(changetype<usize>(apic) + TRIGGER_MODE, vector);
  else clearVector(changetype<usize>(apic) + TRIGGER_MODE, vector);
  updatePending(cpu, apic);
}

/**
 * The CPU takes the most urgent interrupt. If INTR was asserted and there is none (any more), it gets the spurious vector,
 * which is not in service and needs no EOI (SDM 3A 11.9).
 * @returns the vector
 */
export function apicTakeInterrupt(cpu: Cpu): u32 {
  const apic = apicOf(cpu);
  const request = deliverable(apic);
  apic.spuriousDue = 0;
  if (request >= 0) {
    clearVector(changetype<usize>(apic) + REQUESTS, <u32>request);
    setVector(changetype<usize>(apic) + IN_SERVICE, <u32>request);
  }
  updatePending(cpu, apic);
  return request >= 0 ? <u32>request : apic.spurious & 0xff;
}

/** EOI: the highest vector in service is done (SDM 3A 11.8.5). There is no I/O APIC to tell of a level-triggered one. */
export function endOfInterrupt(cpu: Cpu, apic: Apic): void {
  const vector = highestVector(changetype<usize>(apic) + IN_SERVICE);
  if (vector < 0) return;
  clearVector(changetype<usize>(apic) + IN_SERVICE, <u32>vector);
  if (hasVector(changetype<usize>(apic) + TRIGGER_MODE, <u32>vector)) endOfLevel(apic, <u32>vector);
  updatePending(cpu, apic);
}

/** The remote IRR of LINT0 falls with the EOI of its vector (SDM 3A 11.5.1). */
function endOfLevel(apic: Apic, vector: u32): void {
  const entry = lvtOf(apic, Lvt.LINT0);
  if ((entry & 0xff) == vector) setLvt(apic, Lvt.LINT0, entry & ~LVT_REMOTE_IRR);
}

/** TPR; MOV to CR8 sets its bits 7:4 and clears the others (SDM 3A 11.8.6). */
export function setTaskPriority(cpu: Cpu, apic: Apic, value: u32): void {
  apic.taskPriority = value;
  updatePending(cpu, apic);
}

export function apicReadCr8(cpu: Cpu): u64 {
  return <u64>(apicOf(cpu).taskPriority >>> 4);
}

export function apicWriteCr8(cpu: Cpu, value: u32): void {
  setTaskPriority(cpu, apicOf(cpu), value << 4);
}
