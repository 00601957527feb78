// Microcode updates (SDM 3A 10.11.6 and 10.11.7, rev. 083): a write to IA32_BIOS_UPDT_TRIG takes its time, in which the CPU executes
// nothing and takes no interrupt, NMI or SMI: they wait for the end of the instruction. The threads of a core share their
// microcode, so siblings learn of the new revision by a message that arrives when the update ends.
//
// What an update contains isn't looked at: it has the revision that the host has said, or is refused, which nothing but the
// unchanged revision tells. What an update does to a sibling that executes meanwhile is for the observer to judge.

import { MICROCODE_REVISION, Timing } from "../../src/abi.ts";
import { Cpu, threadOf } from "../cpu.ts";
import { Message, interruptLatency, send } from "../interrupts/message.ts";
import { timing } from "../machine.ts";
import { startCycle } from "../time/bounds.ts";
import { shrinkLimits, ticksOf } from "../time/limits.ts";
import { x86 } from "./cpu.ts";

/** Of microcode that has not been updated. */
export const FIRST_REVISION: u32 = 1;

/** WRMSR to IA32_BIOS_UPDT_TRIG. */
export function updateMicrocode(cpu: Cpu): void {
  const state = x86(cpu);
  const duration = state.updateCycles != 0 ? state.updateCycles : <u64>timing(Timing.MICROCODE_UPDATE);
  const started = startCycle(cpu);
  const done = started + duration;
  cpu.clock = ticksOf(done);
  if (state.updateRefused != 0) return;
  state.microcodeRevision = MICROCODE_REVISION;
  const core = cpu.core;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const sibling = threadOf(core, thread);
    if (sibling == cpu) continue;
    const arrival = max(done, started + interruptLatency(cpu, sibling));
    send(sibling, (<u64>Message.MICROCODE) | ((<u64>MICROCODE_REVISION) << 32), arrival);
    shrinkLimits(arrival);
  }
}

/** The core of a CPU has new microcode. */
export function microcodeUpdated(cpu: Cpu, revision: u32): void {
  x86(cpu).microcodeRevision = revision;
}

/** CPUID leaf 1 puts the revision into IA32_BIOS_SIGN_ID, where RDMSR finds it: here that of the time of the RDMSR. */
export function loadSignature(cpu: Cpu): void {
  x86(cpu).signatureLoaded = 1;
}

/** RDMSR of IA32_BIOS_SIGN_ID: the revision is in its upper half. */
export function readSignature(cpu: Cpu): u64 {
  const state = x86(cpu);
  return state.signatureLoaded != 0 ? (<u64>state.microcodeRevision) << 32 : state.biosSignature;
}

export function writeSignature(cpu: Cpu, value: u64): void {
  const state = x86(cpu);
  state.biosSignature = value;
  state.signatureLoaded = 0;
}
