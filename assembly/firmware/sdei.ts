// The calls of SDEI 1.1 (Arm DEN 0054C chapter 5). What the specification leaves open is as in Trusted Firmware-A
// (services/std_svc/sdei); where implementations are known to differ, the machine's settings decide.

import { SDEI_MOST_PRIVATE, SdeiSignalCheck, TraceKind } from "../../src/abi.ts";
import { readX } from "../arm64/cpu.ts";
import { Cpu } from "../cpu.ts";
import { gicSetSecure } from "../interrupts/gic/secure.ts";
import { cpuWithId } from "../interrupts/hardwareIds.ts";
import { EL3_SUBJECT, Message, interruptLatency, send } from "../interrupts/message.ts";
import { DENIED, INVALID_PARAMETERS, NOT_SUPPORTED, NO_RETURN, SUCCESS } from "./call.ts";
import { RELATIVE, ROUTED_TO_PE, complete, eventContext, isReadyForSignal, resetsHang, updateEl3 } from "./dispatch.ts";
import {
  Action,
  NO_EVENT,
  endOfEvents,
  eventIndex,
  eventNumber,
  firstEvent,
  isCritical,
  isDynamic,
  isShared,
  transition,
} from "./events.ts";
import { REGISTERED, RUNNING, Registration, eventMapAt, firmware, firmwareOf, registrationOf } from "./firmware.ts";
import { isEntryPoint } from "./psci.ts";
import { clearShared, routeShared } from "./shared.ts";
import { trace } from "../trace/ring.ts";

/** Function identifiers: all of 64 bits. */
export const SDEI_FUNCTIONS: u32 = 0xc400_0020;
export const SDEI_NUMBERS: u32 = 0x20;

enum Sdei {
  VERSION = 0x00,
  EVENT_REGISTER = 0x01,
  EVENT_ENABLE = 0x02,
  EVENT_DISABLE = 0x03,
  EVENT_CONTEXT = 0x04,
  EVENT_COMPLETE = 0x05,
  EVENT_COMPLETE_AND_RESUME = 0x06,
  EVENT_UNREGISTER = 0x07,
  EVENT_STATUS = 0x08,
  EVENT_GET_INFO = 0x09,
  EVENT_ROUTING_SET = 0x0a,
  PE_MASK = 0x0b,
  PE_UNMASK = 0x0c,
  INTERRUPT_BIND = 0x0d,
  INTERRUPT_RELEASE = 0x0e,
  EVENT_SIGNAL = 0x0f,
  FEATURES = 0x10,
  PRIVATE_RESET = 0x11,
  SHARED_RESET = 0x12,
}

const PENDING: i64 = -5;
const OUT_OF_RESOURCE: i64 = -10;
const SDEI_1_1: u32 = 0x1_0001;

// Items of EVENT_GET_INFO (5.1.10).
const INFO_TYPE: u64 = 0;
const INFO_SIGNALED: u64 = 1;
const INFO_PRIORITY: u64 = 2;
const INFO_ROUTING_MODE: u64 = 3;
const INFO_ROUTING_AFFINITY: u64 = 4;

const FEATURE_BIND_SLOTS: u64 = 0;
const FEATURE_RELATIVE_MODE: u64 = 1;

const FIRST_PPI: u64 = 16;
const FIRST_SPI: u64 = 32;
const LAST_SPI: u64 = 1019;

/**
 * The lock that a call needs, or 0: that of its event. A private event's is needed where its registrations are counted, which
 * bind and release look at.
 */
export function sdeiLock(cpu: Cpu, call: u32): usize {
  switch (call) {
    case Sdei.EVENT_REGISTER:
    case Sdei.EVENT_UNREGISTER:
    case Sdei.INTERRUPT_RELEASE:
    case Sdei.EVENT_ENABLE:
    case Sdei.EVENT_DISABLE:
    case Sdei.EVENT_STATUS:
    case Sdei.EVENT_GET_INFO:
    case Sdei.EVENT_ROUTING_SET: {
      const index = indexOf(readX(changetype<usize>(cpu), 1));
      if (index == NO_EVENT) return 0;
      const counts = call == Sdei.EVENT_REGISTER || call == Sdei.EVENT_UNREGISTER || call == Sdei.INTERRUPT_RELEASE;
      return counts || isShared(index) ? changetype<usize>(eventMapAt(index)) : 0;
    }
    case Sdei.SHARED_RESET:
      return changetype<usize>(eventMapAt(SDEI_MOST_PRIVATE));
    case Sdei.PRIVATE_RESET:
      return changetype<usize>(eventMapAt(0));
    default:
      return 0;
  }
}

/** Event numbers are 32 bits wide. */
function indexOf(number: u64): u32 {
  return number >>> 32 == 0 ? eventIndex(<u32>number) : NO_EVENT;
}

export function sdeiCall(cpu: Cpu, call: u32, cycle: u64): i64 {
  if (firmware().sdeiVersion == 0) return NOT_SUPPORTED;
  const result = serve(cpu, call, cycle);
  updateEl3(cpu);
  routeShared(cpu, cycle);
  return result;
}

function serve(cpu: Cpu, call: u32, cycle: u64): i64 {
  const base = changetype<usize>(cpu);
  const first = readX(base, 1);
  switch (call) {
    case Sdei.VERSION: {
      const version = <u64>firmware().sdeiVersion;
      return <i64>(((version >>> 16) << 48) | ((version & 0xffff) << 32));
    }
    case Sdei.EVENT_CONTEXT:
      return eventContext(cpu, first);
    case Sdei.EVENT_COMPLETE:
      return complete(cpu, false, 0);
    case Sdei.EVENT_COMPLETE_AND_RESUME:
      return complete(cpu, true, first);
    case Sdei.PE_MASK:
      return maskPe(cpu);
    case Sdei.PE_UNMASK:
      firmwareOf(cpu).unmasked = 1;
      return SUCCESS;
    case Sdei.INTERRUPT_BIND:
      return bind(first);
    case Sdei.EVENT_SIGNAL:
      return signal(cpu, first, readX(base, 2), cycle);
    case Sdei.FEATURES:
      return sdeiFeatures(first);
    case Sdei.PRIVATE_RESET:
      return resetsHang() ? NO_RETURN : reset(cpu, false);
    case Sdei.SHARED_RESET:
      return resetsHang() ? NO_RETURN : resetShared(cpu);
    default:
      return call > <u32>Sdei.SHARED_RESET ? NOT_SUPPORTED : serveEvent(cpu, call, indexOf(first));
  }
}

/** Calls about one event, whose number is the first argument. */
function serveEvent(cpu: Cpu, call: u32, index: u32): i64 {
  if (index == NO_EVENT) return INVALID_PARAMETERS;
  const base = changetype<usize>(cpu);
  const registration = registrationOf(cpu, index);
  switch (call) {
    case Sdei.EVENT_REGISTER:
      return register(cpu, index, readX(base, 2), readX(base, 3), readX(base, 4), readX(base, 5));
    case Sdei.EVENT_ENABLE:
      return transition(registration, Action.ENABLE) ? SUCCESS : DENIED;
    case Sdei.EVENT_DISABLE:
      return transition(registration, Action.DISABLE) ? SUCCESS : DENIED;
    case Sdei.EVENT_UNREGISTER:
      return unregister(cpu, index);
    case Sdei.EVENT_STATUS:
      return registration.state;
    case Sdei.EVENT_GET_INFO:
      return eventInfo(index, registration, readX(base, 2));
    case Sdei.EVENT_ROUTING_SET:
      return setRouting(index, registration, readX(base, 2), readX(base, 3));
    default: // INTERRUPT_RELEASE
      return releaseInterrupt(index, registration);
  }
}

// --- registering -----------------------------------------------------------------------------------------------------

function register(cpu: Cpu, index: u32, entry: u64, argument: u64, flags: u64, affinity: u64): i64 {
  const allowed: u64 = firmware().sdeiVersion >= SDEI_1_1 ? ROUTED_TO_PE | RELATIVE : ROUTED_TO_PE;
  if ((flags & ~allowed) != 0 || !isHandler(entry, flags)) return INVALID_PARAMETERS;
  if (isShared(index) && !isRoutable(flags, affinity)) return INVALID_PARAMETERS;
  const map = eventMapAt(index);
  if (isDynamic(index) && map.interrupt == 0) return DENIED;
  const registration = registrationOf(cpu, index);
  if (!transition(registration, Action.REGISTER)) return DENIED;
  registration.entry = entry;
  registration.argument = argument;
  registration.affinity = affinity;
  registration.flags = <u32>flags;
  map.registrations++;
  setInterruptOwner(cpu, index, true);
  return SUCCESS;
}

function isHandler(entry: u64, flags: u64): bool {
  return (flags & RELATIVE) != 0 ? (entry & 3) == 0 : isEntryPoint(entry);
}

/** Whether a shared event can be routed so: to any PE, or to one that there is. */
function isRoutable(flags: u64, affinity: u64): bool {
  return (flags & ROUTED_TO_PE) == 0 || changetype<usize>(cpuWithId(affinity)) != 0;
}

/**
 * The interrupt of an event is EL3's while the event is registered. What came before says nothing to its handler, or to EL1
 * (TF-A, sdei_event_register(), sdei_event_unregister()). SGIs stay.
 */
function setInterruptOwner(cpu: Cpu, index: u32, el3: bool): void {
  if (index == 0) return;
  if (isShared(index)) clearShared(index);
  else firmwareOf(cpu).pending &= ~((<u32>1) << index);
  const interrupt = eventMapAt(index).interrupt;
  if (interrupt != 0) gicSetSecure(cpu, interrupt, el3);
}

/** A running handler goes on, unregistered. */
function unregister(cpu: Cpu, index: u32): i64 {
  const registration = registrationOf(cpu, index);
  const running = (registration.state & RUNNING) != 0;
  if (!transition(registration, Action.UNREGISTER)) return running ? PENDING : DENIED;
  registration.entry = registration.argument = registration.affinity = 0;
  registration.flags = 0;
  eventMapAt(index).registrations--;
  setInterruptOwner(cpu, index, false);
  return running ? PENDING : SUCCESS;
}

function setRouting(index: u32, registration: Registration, flags: u64, affinity: u64): i64 {
  if ((flags & ~(<u64>ROUTED_TO_PE)) != 0 || !isShared(index) || !isRoutable(flags, affinity))
    return INVALID_PARAMETERS;
  if (eventMapAt(index).interrupt == 0) return INVALID_PARAMETERS;
  if (!transition(registration, Action.ROUTING_SET)) return DENIED;
  registration.flags = (registration.flags & ~ROUTED_TO_PE) | (<u32>flags);
  registration.affinity = affinity;
  return SUCCESS;
}

function eventInfo(index: u32, registration: Registration, item: u64): i64 {
  switch (item) {
    case INFO_TYPE:
      return isShared(index) ? 1 : 0;
    case INFO_SIGNALED:
      return (index == 0) == (firmware().signaledInfo != 0) ? 1 : 0;
    case INFO_PRIORITY:
      return isCritical(index) ? 1 : 0;
    case INFO_ROUTING_MODE:
    case INFO_ROUTING_AFFINITY: {
      if (!isShared(index)) return INVALID_PARAMETERS;
      if ((registration.state & REGISTERED) == 0) return DENIED;
      const toPe = (registration.flags & ROUTED_TO_PE) != 0;
      if (item == INFO_ROUTING_MODE) return toPe ? 1 : 0;
      return toPe ? <i64>registration.affinity : INVALID_PARAMETERS;
    }
    default:
      return INVALID_PARAMETERS;
  }
}

// --- masking, signalling ---------------------------------------------------------------------------------------------

/** Whether it has changed anything. */
function maskPe(cpu: Cpu): i64 {
  const own = firmwareOf(cpu);
  const before = own.unmasked;
  own.unmasked = 0;
  return before;
}

/** Only event 0 can be signalled; the interrupt travels to its PE. */
function signal(cpu: Cpu, event: u64, affinity: u64, cycle: u64): i64 {
  if (event != 0) return INVALID_PARAMETERS;
  const target = cpuWithId(affinity);
  if (changetype<usize>(target) == 0) return INVALID_PARAMETERS;
  if (firmware().signalCheck == SdeiSignalCheck.READY && !isReadyForSignal(target)) return INVALID_PARAMETERS;
  const arrival = cycle + interruptLatency(cpu, target);
  trace(TraceKind.INTERRUPT_SENT, cpu, cycle, EL3_SUBJECT, target.index, arrival, 0);
  send(target, <u64>Message.EL3, arrival);
  return SUCCESS;
}

// --- binding ---------------------------------------------------------------------------------------------------------

/** Gives out an event for a PPI or an SPI: the one that the interrupt has already, or a free one. */
function bind(interrupt: u64): i64 {
  if (interrupt < FIRST_PPI || interrupt > LAST_SPI) return INVALID_PARAMETERS;
  const shared = interrupt >= FIRST_SPI;
  let free = NO_EVENT;
  for (let index = firstEvent(shared); index < endOfEvents(shared); index++) {
    const map = eventMapAt(index);
    if (<u64>map.interrupt == interrupt) return isDynamic(index) ? <i64>eventNumber(index) : INVALID_PARAMETERS;
    if (free == NO_EVENT && map.interrupt == 0 && isDynamic(index)) free = index;
  }
  if (free == NO_EVENT) return OUT_OF_RESOURCE;
  eventMapAt(free).interrupt = <u32>interrupt;
  return <i64>eventNumber(free);
}

function releaseInterrupt(index: u32, registration: Registration): i64 {
  const map = eventMapAt(index);
  if (!isDynamic(index)) return INVALID_PARAMETERS;
  if (map.registrations != 0 || !transition(registration, Action.RELEASE)) return DENIED;
  if (map.interrupt == 0) return INVALID_PARAMETERS;
  map.interrupt = 0;
  return SUCCESS;
}

// --- about, and back to the start ------------------------------------------------------------------------------------

function sdeiFeatures(feature: u64): i64 {
  const all = firmware();
  if (feature == FEATURE_BIND_SLOTS) return ((<i64>all.sharedSlots) << 16) | (<i64>all.privateSlots);
  if (feature == FEATURE_RELATIVE_MODE && all.sdeiVersion >= SDEI_1_1) return 1;
  return INVALID_PARAMETERS;
}

/** Unregisters all private or shared events; DENIED if a handler is running, which doesn't keep it from the others. */
function reset(cpu: Cpu, shared: bool): i64 {
  let result = SUCCESS;
  for (let index = firstEvent(shared); index < endOfEvents(shared); index++) {
    if (unregister(cpu, index) == PENDING) result = DENIED;
  }
  return result;
}

/** SHARED_RESET also releases all that is bound, if nobody has it registered. */
function resetShared(cpu: Cpu): i64 {
  let result = reset(cpu, true);
  if (result != SUCCESS) return result;
  for (let shared: u32 = 0; shared < 2; shared++) {
    for (let index = firstEvent(shared != 0); index < endOfEvents(shared != 0); index++) {
      if (!isDynamic(index) || eventMapAt(index).interrupt == 0) continue;
      const released = releaseInterrupt(index, registrationOf(cpu, index));
      if (released != SUCCESS) result = released;
    }
  }
  return result;
}
