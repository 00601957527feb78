// What a fault does to messages on their way to a CPU: by target and kind, they come later or not at all.
//
// A fault acts where a message would arrive, not where it is sent: so what the host sets between two runs holds for every
// message that has not arrived by then, however far ahead its sender has run.

import { DELIVERY_KINDS, DeliveryKind, DeliveryMode, LOSE_ALL, TraceKind } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { mix } from "../digest.ts";
import { machine, reserve } from "../machine.ts";
import { trace } from "../trace/ring.ts";
import { MESSAGE_MODE } from "./apic/accept.ts";
import { MESSAGE_KIND, Message, send } from "./message.ts";

/** Of one target and kind. All zero: as the timing model says. */
@unmanaged
class DeliveryFault {
  /** Cycles that a message takes longer. */
  delay: u64;
  /** Arrival of the last one that was held up: none may pass it, or a channel would lose its order. */
  free: u64;
  /** Cycle of the last loss, plus one. */
  lost: u64;
  /** Arrivals still to be lost; LOSE_ALL: without end. */
  lose: u32;
}

const FAULT_BYTES: usize = 32;
if (offsetof<DeliveryFault>() > FAULT_BYTES) ERROR("DeliveryFault outgrew its bytes");
const CPU_FAULT_BYTES: usize = FAULT_BYTES * DELIVERY_KINDS;

/** Set in the argument of a message that has been held up already. */
const HELD_UP: u64 = 1 << 7;
const NO_KIND: i32 = -1;

/** Reserves the faults, of which none is touched before the first is set. @returns false when memory is exhausted */
export function openDelivery(): bool {
  const m = machine();
  m.deliveryFaults = reserve(<usize>m.cpus * CPU_FAULT_BYTES, 64);
  m.deliveryFaultsSet = 0;
  return m.deliveryFaults != 0;
}

function faultOf(cpu: Cpu, kind: i32): DeliveryFault {
  return changetype<DeliveryFault>(
    machine().deliveryFaults + <usize>cpu.index * CPU_FAULT_BYTES + <usize>kind * FAULT_BYTES,
  );
}

/**
 * From now on, messages of a kind to a CPU arrive `delay` cycles later, and the next `lose` arrivals are lost (LOSE_ALL: all).
 * What arrives in one cycle is lost together, since it has no order.
 */
export function setDelivery(cpu: Cpu, kind: i32, delay: u64, lose: u32): void {
  machine().deliveryFaultsSet = 1;
  const fault = faultOf(cpu, kind);
  fault.delay = delay;
  fault.lose = lose;
}

export function deliveryDelay(cpu: Cpu, kind: i32): u64 {
  return faultOf(cpu, kind).delay;
}

/** Losses that are left. */
export function deliveryLosses(cpu: Cpu, kind: i32): u32 {
  return faultOf(cpu, kind).lose;
}

/** What a fault can be about; answers of devices and accesses to redistributors aren't. */
function kindOf(argument: u64): i32 {
  switch ((<i32>argument) & MESSAGE_KIND) {
    case Message.INTERRUPT:
      return kindOfMode(<i32>((<u32>(argument >>> 16)) & MESSAGE_MODE));
    case Message.EVENT:
      return DeliveryKind.EVENT;
    case Message.EL3:
      return DeliveryKind.EL3;
    case Message.START:
      return DeliveryKind.STARTUP;
    case Message.SMI:
      return DeliveryKind.SMI;
    case Message.SYSTEM_NMI:
      return DeliveryKind.NMI;
    default:
      return NO_KIND;
  }
}

/** By the delivery mode of x86 (SDM 3A 11.6.1); the GIC's have modes that come out as interrupts (gic/sgi.ts). */
function kindOfMode(mode: i32): i32 {
  switch (mode) {
    case DeliveryMode.SMI:
      return DeliveryKind.SMI;
    case DeliveryMode.NMI:
      return DeliveryKind.NMI;
    case DeliveryMode.INIT:
      return DeliveryKind.INIT;
    case DeliveryMode.STARTUP:
      return DeliveryKind.STARTUP;
    default:
      return DeliveryKind.INTERRUPT;
  }
}

/** A message is about to be delivered. @returns whether a fault has lost it, or holds it up until later */
export function isDiverted(cpu: Cpu, argument: u64, cycle: u64): bool {
  if (machine().deliveryFaultsSet == 0 || (argument & HELD_UP) != 0) return false;
  const kind = kindOf(argument);
  if (kind == NO_KIND) return false;
  const fault = faultOf(cpu, kind);
  if (isLost(fault, cycle)) {
    const subject = (<u32>(argument >>> 8)) & ((MESSAGE_MODE << 8) | 0xff);
    trace(TraceKind.INTERRUPT_LOST, cpu, cycle, subject, cpu.index, <u64>kind, 0);
    return true;
  }
  const arrival = max(cycle + fault.delay, fault.free);
  if (arrival == cycle) return false;
  fault.free = arrival;
  send(cpu, argument | HELD_UP, arrival);
  return true;
}

function isLost(fault: DeliveryFault, cycle: u64): bool {
  if (fault.lost == cycle + 1) return true;
  if (fault.lose == 0) return false;
  if (fault.lose != <u32>LOSE_ALL) fault.lose--;
  fault.lost = cycle + 1;
  return true;
}

export function deliveryDigest(cpu: Cpu): void {
  const m = machine();
  if (m.deliveryFaultsSet == 0) return;
  for (let kind: i32 = 0; kind < DELIVERY_KINDS; kind++) {
    const fault = faultOf(cpu, kind);
    const free = fault.free > m.now ? fault.free : 0;
    if ((fault.delay | free | (<u64>fault.lose)) == 0) continue;
    mix(kind);
    mix(fault.delay);
    mix(free);
    mix(fault.lose);
  }
}
