// The interrupt command register: interprocessor interrupts (Intel SDM 3A 11.6.1, 11.12.9, 11.12.10, rev. 083).
//
// A physical destination, and one in x2APIC's logical format, follow from the APIC IDs, which nobody changes: the sender
// knows whom it means. A logical destination in xAPIC's format is compared by every APIC with its own LDR and DFR when the
// message arrives, so it goes to all.
//
// A lowest-priority message is redirected to one of those that are meant, by a hash of its vector: the vector modulo their
// number, in the order of CPU numbers. So do Intel's platforms with x2APIC (Linux: arch/x86/kvm, vector_hashing); a sender
// knows nothing of the priorities of others. Where it doesn't know whom it means either, it can't choose, and refuses as
// processors do that have no lowest-priority IPIs (SDM 3A 11.5.3, Redirectable IPI).

import { Cpu } from "../../cpu.ts";
import { startCycle } from "../../time/bounds.ts";
import { keepOneTarget, sendToTargets, targetAll, targetCpu, targetId, targetList } from "../targets.ts";
import { MESSAGE_LOGICAL } from "./accept.ts";
import { DeliveryMode } from "./deliveryMode.ts";
import { ApicError, noteError } from "./errors.ts";
import { Apic } from "./record.ts";

/** Bits of ICR's lower half that aren't reserved. Bit 12, xAPIC's delivery status, is ignored in x2APIC mode (11.12.9). */
export const COMMAND_DEFINED: u32 = 0x000c_dfff;
export const COMMAND_DELIVERY_STATUS: u32 = 1 << 12;
const LOGICAL: u32 = 1 << 11;
const ASSERT: u32 = 1 << 14;
const LEVEL: u32 = 1 << 15;
const NMI_VECTOR: u32 = 2;

/** A format of destinations. */
export enum Destination {
  XAPIC = 0,
  X2APIC = 1,
}

enum Shorthand {
  NONE = 0,
  SELF = 1,
  ALL = 2,
  OTHERS = 3,
}

/** Executes a command; its sender waits until the message can leave, so the delivery status is idle again at once. */
export function sendCommand(cpu: Cpu, apic: Apic, command: u32, destination: u32, format: Destination): void {
  const mode = (<i32>(command >>> 8)) & 7;
  const shorthand = (<i32>(command >>> 18)) & 3;
  if (!isValid(command, mode, shorthand)) return;
  const byOwnLdr = format == Destination.XAPIC && shorthand == Shorthand.NONE && (command & LOGICAL) != 0;
  if (mode == DeliveryMode.LOWEST_PRIORITY && byOwnLdr) {
    noteError(cpu, apic, ApicError.REDIRECTABLE_IPI, startCycle(cpu));
    return;
  }
  const vector = command & 0xff;
  // The sender tells of it and sends it all the same; so will the receiver.
  if (mode <= DeliveryMode.LOWEST_PRIORITY && vector < 16) {
    noteError(cpu, apic, ApicError.SEND_ILLEGAL_VECTOR, startCycle(cpu));
  }
  switch (shorthand) {
    case Shorthand.SELF:
      targetCpu(cpu);
      break;
    case Shorthand.ALL:
    case Shorthand.OTHERS:
      targetAll(cpu, shorthand == Shorthand.ALL);
      break;
    default:
      if (byOwnLdr || destination == (format == Destination.XAPIC ? 0xff : u32.MAX_VALUE)) targetAll(cpu, true);
      else if ((command & LOGICAL) != 0) targetList((<u64>(destination >>> 16)) << 4, destination & 0xffff);
      else targetId(destination);
      break;
  }
  if (mode == DeliveryMode.LOWEST_PRIORITY) keepOneTarget(vector);
  const message = byOwnLdr ? (<u32>mode) | MESSAGE_LOGICAL | (destination << 8) : <u32>mode;
  sendToTargets(cpu, carriedVector(mode, vector), message);
}

/** Combinations outside SDM 3A table 11-3 send nothing, nor does the INIT level de-assert of old processors. */
function isValid(command: u32, mode: i32, shorthand: i32): bool {
  if (mode == 3 || mode == 7) return false;
  if (mode != DeliveryMode.FIXED && (shorthand == Shorthand.SELF || shorthand == Shorthand.ALL)) return false;
  return mode != DeliveryMode.INIT || (command & (LEVEL | ASSERT)) != LEVEL;
}

function carriedVector(mode: i32, vector: u32): u32 {
  switch (mode) {
    case DeliveryMode.NMI:
      return NMI_VECTOR;
    case DeliveryMode.SMI:
    case DeliveryMode.INIT:
      return 0;
    default:
      return vector;
  }
}

/** SELF_IPI (SDM 3A 11.12.11): fixed, edge-triggered, to the CPU itself. */
export function sendSelf(cpu: Cpu, apic: Apic, vector: u32): void {
  sendCommand(cpu, apic, ((<u32>Shorthand.SELF) << 18) | vector, 0, Destination.X2APIC);
}
