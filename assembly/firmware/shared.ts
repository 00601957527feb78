// Interrupts of shared SDEI events: pending for the machine until a PE can take them, then pending at that PE.

import { Device, SDEI_MOST_PRIVATE, Timing } from "../../src/abi.ts";
import { Cpu, cpuAt } from "../cpu.ts";
import { gicIsSecureSpiPending, gicTakeLatchedSpi } from "../interrupts/gic/secure.ts";
import { cpuWithId } from "../interrupts/hardwareIds.ts";
import { Message, send } from "../interrupts/message.ts";
import { machine, timing } from "../machine.ts";
import { EventClass, schedule } from "../time/wheel.ts";
import { Arrival, isOn } from "./call.ts";
import { ROUTED_TO_PE } from "./dispatch.ts";
import { endOfEvents, firstEvent, isReady, levelOf } from "./events.ts";
import { eventMapAt, firmware, firmwareOf, registrationOf } from "./firmware.ts";

/** The interrupt of a shared event comes; the controller would like a CPU to take it. */
export function triggerShared(cpu: Cpu, index: u32, cycle: u64): void {
  firmware().sharedPending |= bitOf(index);
  route(cpu, index, cycle);
}

/** Something has changed at a CPU: interrupts that wait for a PE may find one. */
export function routeShared(cpu: Cpu, cycle: u64): void {
  const end = endOfEvents(true);
  for (let index = firstEvent(true); index < end; index++) if (isPending(index)) route(cpu, index, cycle);
}

/** Something has changed in the distributor: the SPIs of bound events may be pending. */
export function routeBound(cycle: u64): void {
  if (machine().firmware != 0) routeShared(cpuAt(0), cycle);
}

/** A PE can't take the interrupt that it was sent: it is no PE's again, and pending unless its line has fallen. */
export function returnShared(index: u32): void {
  const shared = firmware();
  const bit = bitOf(index);
  if ((shared.sharedByLine & bit) == 0) shared.sharedPending |= bit;
  endForwarding(index);
}

/** The PE that an interrupt was sent to is off. */
export function returnLater(cpu: Cpu, index: u32, cycle: u64): void {
  const argument = (<u64>Device.FIRMWARE) | ((<u64>Arrival.RETURN) << 8) | ((<u64>index) << 16);
  schedule(cycle + timing(Timing.INTERRUPT_LATENCY), EventClass.DEVICE, changetype<usize>(cpu), argument);
}

/** EL3 acknowledges an interrupt at its PE. @returns false if it is spurious: the line that has brought it has fallen */
export function acknowledgeShared(index: u32): bool {
  if ((firmware().sharedByLine & bitOf(index)) == 0) return true;
  // Released meanwhile, it is bound to none.
  const interrupt = eventMapAt(index).interrupt;
  return interrupt != 0 && gicIsSecureSpiPending(interrupt);
}

/** The interrupt has become a dispatch, or was spurious. */
export function endForwarding(index: u32): void {
  firmware().sharedForwarded &= ~bitOf(index);
  firmware().sharedByLine &= ~bitOf(index);
}

/** The pending interrupts of a shared event are cleared. */
export function clearShared(index: u32): void {
  firmware().sharedPending &= ~bitOf(index);
}

// @ts-ignore: decorator
@inline
function bitOf(index: u32): u32 {
  return (<u32>1) << index;
}

function isPending(index: u32): bool {
  if ((firmware().sharedPending & bitOf(index)) != 0) return true;
  const interrupt = eventMapAt(index).interrupt;
  return interrupt != 0 && gicIsSecureSpiPending(interrupt);
}

function route(cpu: Cpu, index: u32, cycle: u64): void {
  const registration = registrationOf(cpu, index);
  if (!isReady(registration) || (firmware().sharedForwarded & bitOf(index)) != 0) return;
  const target = (registration.flags & ROUTED_TO_PE) != 0 ? cpuWithId(registration.affinity) : anyPe(cpu, index);
  if (changetype<usize>(target) == 0 || !takes(target, index)) return;
  forward(index);
  send(target, (<u64>Message.EL3) | ((<u64>index) << 8), cycle + timing(Timing.INTERRUPT_LATENCY));
}

/** What is latched goes along; what is pending by its line alone is so until that falls. */
function forward(index: u32): void {
  const shared = firmware();
  const interrupt = eventMapAt(index).interrupt;
  const latched = interrupt != 0 && gicTakeLatchedSpi(interrupt);
  if (!latched && (shared.sharedPending & bitOf(index)) == 0) shared.sharedByLine |= bitOf(index);
  shared.sharedPending &= ~bitOf(index);
  shared.sharedForwarded |= bitOf(index);
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

if (SDEI_MOST_PRIVATE > 16) ERROR("event bits outgrew a word");
