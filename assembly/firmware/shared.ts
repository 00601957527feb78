// Interrupts of shared SDEI events: pending for the machine until a PE can take them, then pending at that PE.

import { SDEI_MOST_PRIVATE } from "../../src/abi.ts";
import { Cpu, cpuAt } from "../cpu.ts";
import { cpuWithId } from "../interrupts/hardwareIds.ts";
import { Message, interruptLatency, send } from "../interrupts/message.ts";
import { machine } from "../machine.ts";
import { isOn } from "./call.ts";
import { ROUTED_TO_PE } from "./dispatch.ts";
import { isReady, levelOf } from "./events.ts";
import { firmware, firmwareOf, registrationOf } from "./firmware.ts";

/** The interrupt of a shared event comes; the controller would like a CPU to take it. */
export function triggerShared(cpu: Cpu, index: u32, cycle: u64): void {
  returnShared(index);
  route(cpu, index, cycle);
}

/** The interrupt is pending, and no PE's. */
export function returnShared(index: u32): void {
  firmware().sharedPending |= (<u32>1) << index;
}

/** Something has changed at a CPU: interrupts that wait for a PE may find one. */
export function routeShared(cpu: Cpu, cycle: u64): void {
  for (let left = firmware().sharedPending; left != 0; left &= left - 1) route(cpu, <u32>ctz(left), cycle);
}

function route(cpu: Cpu, index: u32, cycle: u64): void {
  const registration = registrationOf(cpu, index);
  if (!isReady(registration)) return;
  const target = (registration.flags & ROUTED_TO_PE) != 0 ? cpuWithId(registration.affinity) : anyPe(cpu, index);
  if (changetype<usize>(target) == 0 || !takes(target, index)) return;
  firmware().sharedPending &= ~((<u32>1) << index);
  send(target, (<u64>Message.EL3) | ((<u64>index) << 8), cycle + interruptLatency(cpu, target));
}

/** The preferred PE if it can take the event, else the first that can. */
function anyPe(preferred: Cpu, index: u32): Cpu {
  if (takes(preferred, index)) return preferred;
  for (let at: u32 = 0; at < machine().cpus; at++) if (takes(cpuAt(at), index)) return cpuAt(at);
  return changetype<Cpu>(0);
}

function takes(cpu: Cpu, index: u32): bool {
  const own = firmwareOf(cpu);
  return isOn(cpu) && own.unmasked != 0 && own.active < levelOf(index);
}

/** The pending interrupts of a shared event are cleared. */
export function clearShared(index: u32): void {
  firmware().sharedPending &= ~((<u32>1) << index);
}

if (SDEI_MOST_PRIVATE > 16) ERROR("event bits outgrew a word");
