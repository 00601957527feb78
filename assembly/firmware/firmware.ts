// What EL3 keeps: settings of the machine, state that all PEs share, and a record per PE. All of it changes only in the order
// of (cycle, CPU number), when calls and interrupts reach the firmware. Reset state is all zeros, so that a PE which never
// calls costs no memory.

import { Architecture, SDEI_MOST_PRIVATE, SDEI_MOST_SHARED } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { mix } from "../digest.ts";
import { machine, reserve } from "../machine.ts";
import { lockDigest } from "./locks.ts";

/** One per machine. */
@unmanaged
export class Firmware {
  /** Settings: see Config and the enums beside it in src/abi.ts. */
  conduit: u32;
  sdeiVersion: u32;
  signalCheck: u32;
  maskedSignal: u32;
  unreadySignal: u32;
  signaledInfo: u32;
  openCpuOff: u32;
  completion: u32;
  privateSlots: u32;
  sharedSlots: u32;
  criticalPrivate: u32;
  criticalShared: u32;

  /** Some dispatch was left behind: resets of SDEI don't return any more. */
  dangling: u32;
  /** Shared events whose interrupt is pending and assigned to no PE: a bit per event index. */
  sharedPending: u32;
  /** Shared events whose interrupt is with a PE or on its way to one; those of them that a level-sensitive SPI has brought. */
  sharedForwarded: u32;
  sharedByLine: u32;
  /** Lock of the power domains above the CPU: cycle at which it is free. */
  powerLock: u64;
}

/** State of an event's handler, as EVENT_STATUS returns it (DEN 0054 5.1.9). */
export const REGISTERED: u32 = 1;
export const ENABLED: u32 = 2;
export const RUNNING: u32 = 4;

/** A registration: of a shared event, or of a private event on one PE. */
@unmanaged
export class Registration {
  entry: u64;
  argument: u64;
  /** Of shared events: MPIDR of the PE that they are routed to. */
  affinity: u64;
  flags: u32;
  /** Handler state. */
  state: u32;
}

export const REGISTRATION_BYTES: usize = 32;
if (offsetof<Registration>() > REGISTRATION_BYTES) ERROR("Registration outgrew its bytes");

/** What all PEs share of an event. */
@unmanaged
export class EventMap {
  lock: u64;
  /** INTID that the event is bound to, or 0. */
  interrupt: u32;
  /** PEs on which it is registered. */
  registrations: u32;
}

export const EVENT_MAP_BYTES: usize = 16;
if (offsetof<EventMap>() > EVENT_MAP_BYTES) ERROR("EventMap outgrew its bytes");

/** X0 to X17, which handlers may change, and where the event interrupted (DEN 0054 5.2.1). */
export const SAVED_REGISTERS: u32 = 18;
export const DISPATCH_PC: usize = <usize>SAVED_REGISTERS * 8;
export const DISPATCH_PSTATE: usize = DISPATCH_PC + 8;
/** Index of the event. */
export const DISPATCH_EVENT: usize = DISPATCH_PC + 16;
const DISPATCH_BYTES: usize = DISPATCH_PC + 24;
/** A critical event over a normal one. */
const MOST_DISPATCHES: u32 = 2;

/** One per PE; behind it its dispatches, then its private registrations. */
@unmanaged
export class FirmwareCpu {
  /** SDEI events are unmasked on this PE. */
  unmasked: u32;
  /** Open dispatches. */
  depth: u32;
  /** Events whose interrupt is pending at this PE: a bit per event index. */
  pending: u32;
  /** Priority levels at which an interrupt to EL3 is active: `Level` bits. */
  active: u32;
  /** A completion has broken CPU_OFF on this PE. */
  breaksOff: u32;
  /** An active event-0 interrupt that nobody will end survives in the redistributor. */
  stuckSignal: u32;
  /** Lock of CPU_ON calls for this PE. */
  onLock: u64;
}

export enum Level {
  NORMAL = 1,
  CRITICAL = 2,
}

const DISPATCHES: usize = 32;
const REGISTRATIONS: usize = DISPATCHES + <usize>MOST_DISPATCHES * DISPATCH_BYTES;
const FIRMWARE_CPU_BYTES: usize = (REGISTRATIONS + <usize>SDEI_MOST_PRIVATE * REGISTRATION_BYTES + 63) & ~63;
if (offsetof<FirmwareCpu>() > DISPATCHES) ERROR("FirmwareCpu outgrew its bytes");

// Behind the Firmware record: maps of all events, then registrations of shared ones.
const EVENT_MAPS: usize = 128;
const SHARED: usize = EVENT_MAPS + <usize>(SDEI_MOST_PRIVATE + SDEI_MOST_SHARED) * EVENT_MAP_BYTES;
const FIRMWARE_BYTES: usize = SHARED + <usize>SDEI_MOST_SHARED * REGISTRATION_BYTES;
if (offsetof<Firmware>() > EVENT_MAPS) ERROR("Firmware outgrew its bytes");

/** Machines of the other architecture have none. */
export function openFirmware(): bool {
  const m = machine();
  if (m.architecture != Architecture.ARM64) return true;
  m.firmware = reserve(FIRMWARE_BYTES, 64);
  m.firmwareCpus = reserve(<usize>m.cpus * FIRMWARE_CPU_BYTES, 64);
  return m.firmware != 0 && m.firmwareCpus != 0;
}

// @ts-ignore: decorator
@inline
export function firmware(): Firmware {
  return changetype<Firmware>(machine().firmware);
}

// @ts-ignore: decorator
@inline
export function firmwareOf(cpu: Cpu): FirmwareCpu {
  return changetype<FirmwareCpu>(machine().firmwareCpus + <usize>cpu.index * FIRMWARE_CPU_BYTES);
}

/** Record of the dispatch below `depth` - 1 others. */
export function dispatchOf(cpu: Cpu, depth: u32): usize {
  return changetype<usize>(firmwareOf(cpu)) + DISPATCHES + <usize>(depth - 1) * DISPATCH_BYTES;
}

export function eventMapAt(index: u32): EventMap {
  return changetype<EventMap>(machine().firmware + EVENT_MAPS + <usize>index * EVENT_MAP_BYTES);
}

/** The registration of an event, on a PE if it is private. */
export function registrationOf(cpu: Cpu, index: u32): Registration {
  return changetype<Registration>(
    index < <u32>SDEI_MOST_PRIVATE
      ? changetype<usize>(firmwareOf(cpu)) + REGISTRATIONS + <usize>index * REGISTRATION_BYTES
      : machine().firmware + SHARED + <usize>(index - SDEI_MOST_PRIVATE) * REGISTRATION_BYTES,
  );
}

/** What all PEs share, into the digest. */
export function firmwareDigest(): void {
  const shared = firmware();
  mix(shared.dangling);
  mix(shared.sharedPending);
  mix((<u64>shared.sharedForwarded) | ((<u64>shared.sharedByLine) << 32));
  lockDigest(shared.powerLock);
  for (let index: u32 = 0; index < <u32>(SDEI_MOST_PRIVATE + SDEI_MOST_SHARED); index++) {
    const map = eventMapAt(index);
    lockDigest(map.lock);
    mix(map.interrupt);
    mix(map.registrations);
  }
  mixWords(machine().firmware + SHARED, machine().firmware + FIRMWARE_BYTES);
}

/** What is kept for one PE, on or off, into the digest. */
export function firmwareCpuDigest(cpu: Cpu): void {
  const own = firmwareOf(cpu);
  const start = changetype<usize>(own);
  mixWords(start, start + offsetof<FirmwareCpu>("onLock"));
  lockDigest(own.onLock);
  // Contexts above the top mean nothing.
  mixWords(start + DISPATCHES, start + DISPATCHES + <usize>own.depth * DISPATCH_BYTES);
  mixWords(start + REGISTRATIONS, start + REGISTRATIONS + <usize>SDEI_MOST_PRIVATE * REGISTRATION_BYTES);
}

function mixWords(from: usize, until: usize): void {
  for (let at = from; at < until; at += 8) mix(load<u64>(at));
}
