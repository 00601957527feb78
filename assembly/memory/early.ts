// Loads that are issued early: while a load waits for its line, those behind it may find their own lines at hand and read them
// then, or ask for them (docs/ordering.md). Each is bound when it reads, in the cycle of its fill at the latest. The CPU still
// executes all in order: an early load takes the value that was bound, even if its line has been lost since, or waits for its own
// fill. Of two loads of one line, the later one is not issued before the earlier one is bound.

import { Architecture, PAGE_RAM, PAGE_READ } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { mix } from "../digest.ts";
import { machine, reserve } from "../machine.ts";
import { startCycle } from "../time/bounds.ts";
import { loadBytes, markBlocked } from "./access.ts";
import { requestLine } from "./directory.ts";
import { Permission, permissionOf } from "./lines.ts";
import { bytesToLineEnd, lineOf, pageAt, ramAt } from "./map.ts";
import { delayOf } from "./perturbation.ts";
import { Request, RequestKind, accessRequest } from "./request.ts";
import { storesTo } from "./stores.ts";

/** As many loads as a CPU may have issued early: requests of theirs that can be under way, too. */
export const EARLY_LOADS: u32 = 2;

/** A load that has been issued early. Behind an exception or a branch that is taken it is void, but its request goes on. */
@unmanaged
class EarlyLoad {
  /** Room for the Request of its line. */
  request0: u64;
  request1: u64;
  request2: u64;
  request3: u64;
  /** Count of instructions at which it is executed if no branch before it is taken; behind that it is void. */
  retired: u64;
  pc: u64;
  /** Address, and the number of bytes above. */
  place: u64;
  value: u64;
}

const EARLY_BYTES: usize = 64;
if (offsetof<EarlyLoad>() > EARLY_BYTES) ERROR("EarlyLoad outgrew its bytes");

const SIZE_SHIFT: u64 = 48;
const ADDRESS_MASK: u64 = ((<u64>1) << SIZE_SHIFT) - 1;

/** Behind the store buffers: fills of one cycle go in the order of requests' addresses (R4). */
export function openEarlyLoads(): bool {
  const m = machine();
  if (m.architecture != Architecture.ARM64) return true;
  m.earlyLoads = reserve(<usize>m.cpus * EARLY_LOADS * EARLY_BYTES, 64);
  return m.earlyLoads != 0;
}

// @ts-ignore: decorator
@inline
function earlyLoadOf(cpu: Cpu, slot: u32): EarlyLoad {
  return changetype<EarlyLoad>(machine().earlyLoads + <usize>(cpu.index * EARLY_LOADS + slot) * EARLY_BYTES);
}

export function earlyRequest(cpu: Cpu, slot: u32): Request {
  return changetype<Request>(changetype<usize>(earlyLoadOf(cpu, slot)));
}

// @ts-ignore: decorator
@inline
function bitOf(slot: u32): u8 {
  return <u8>((<u32>1) << slot);
}

/**
 * Whether the load of a slot is still to be executed: it lies ahead, and the CPU is on the straight way to it. A branch forwards
 * that has been taken has led away from it, for good: by a jump back all are forgotten.
 */
function isIssued(cpu: Cpu, slot: u32): bool {
  if ((cpu.issuedEarly & bitOf(slot)) == 0) return false;
  const early = earlyLoadOf(cpu, slot);
  const distance = early.retired - cpu.retired;
  return early.retired >= cpu.retired && early.pc == cpu.pc + (distance << 2);
}

// @ts-ignore: decorator
@inline
function asks(cpu: Cpu, slot: u32): bool {
  return (cpu.asksEarly & bitOf(slot)) != 0;
}

// --- issuing ---------------------------------------------------------------------------------------------------------

/** Whether 1 to 8 bytes are those of one access, to RAM. */
export function isOneAccess(address: u64, size: u32): bool {
  return size <= bytesToLineEnd(address) && (pageAt(address) & (PAGE_READ | PAGE_RAM)) == (PAGE_READ | PAGE_RAM);
}

/** Whether the line is at hand. Unless the CPU asks for it, it won't be later if it isn't now. */
export function isAtHand(cpu: Cpu, address: u64): bool {
  return permissionOf(cpu.core, lineOf(address)) >= Permission.READ;
}

/**
 * The load at cpu.pc waits for a line; the instruction `distance` places behind it, which would start in `cycle`, is one access
 * that loads from an address which doesn't hang on any load that is not bound. It is bound, or asks for its line, if it may.
 * @returns false when there is no room: nothing behind it is issued then
 */
export function issueEarly(cpu: Cpu, waitsFor: u32, distance: u32, address: u64, size: u32, cycle: u64): bool {
  const line = lineOf(address);
  const retired = cpu.retired + distance;
  let free = EARLY_LOADS;
  for (let slot = EARLY_LOADS; slot-- > 0;) {
    const early = earlyLoadOf(cpu, slot);
    const issued = isIssued(cpu, slot);
    if (issued && early.retired == retired) return true;
    // Not before a load that stands before it, or has before an exception.
    if (asks(cpu, slot) && earlyRequest(cpu, slot).line == line) return true;
    if (!issued && !asks(cpu, slot)) free = slot;
  }
  if (line == waitsFor || storesTo(cpu, line)) return true;
  if (free == EARLY_LOADS) return false;
  const early = earlyLoadOf(cpu, free);
  early.retired = retired;
  early.pc = cpu.pc + ((<u64>distance) << 2);
  early.place = address | ((<u64>size) << SIZE_SHIFT);
  cpu.issuedEarly |= bitOf(free);
  if (isAtHand(cpu, address)) {
    bind(early);
  } else {
    cpu.asksEarly |= bitOf(free);
    requestLine(earlyRequest(cpu, free), address, false, cycle + delayOf(cpu));
  }
  return true;
}

function bind(early: EarlyLoad): void {
  early.value = valueInMemory(early);
}

function valueInMemory(early: EarlyLoad): u64 {
  return loadBytes(ramAt(early.place & ADDRESS_MASK), <u32>(early.place >>> SIZE_SHIFT));
}

/** A line has come that a load asked for early. @returns whether the CPU waits for just that */
export function bindFilled(request: Request): bool {
  const cpu = request.cpu;
  const slot = request.kind - <u32>RequestKind.LOADS;
  cpu.asksEarly &= ~bitOf(slot);
  if (isIssued(cpu, slot)) bind(earlyLoadOf(cpu, slot));
  if (cpu.awaitsEarly != slot + 1) return false;
  cpu.awaitsEarly = 0;
  return true;
}

/** The CPU goes another way than to the loads that were issued. */
// @ts-ignore: decorator
@inline
export function forgetEarly(cpu: Cpu): void {
  cpu.issuedEarly = 0;
}

// --- execution -------------------------------------------------------------------------------------------------------

export enum Early {
  /** The load is like any other. */
  NONE = 0,
  /** It has been bound, to `boundEarly`. */
  BOUND = 1,
  /** Its request is under way. */
  ASKS = 2,
}

export let boundEarly: u64 = 0;
let found: u32 = 0;

/** Whether the load that the CPU is executing has been issued already. */
// @ts-ignore: decorator
@inline
export function findEarly(cpu: Cpu, address: u64): Early {
  return cpu.issuedEarly == 0 ? Early.NONE : findIssued(cpu, address);
}

function findIssued(cpu: Cpu, address: u64): Early {
  for (let slot: u32 = 0; slot < EARLY_LOADS; slot++) {
    if (!isIssued(cpu, slot)) {
      cpu.issuedEarly &= ~bitOf(slot);
      continue;
    }
    const early = earlyLoadOf(cpu, slot);
    if (early.retired != cpu.retired || (early.place & ADDRESS_MASK) != address) continue;
    found = slot;
    boundEarly = early.value;
    return asks(cpu, slot) ? Early.ASKS : Early.BOUND;
  }
  return Early.NONE;
}

/** Blocks the CPU until the line comes that the load which was found has asked for. */
export function awaitEarly(cpu: Cpu): void {
  markBlocked(cpu);
  cpu.awaitsEarly = <u8>(found + 1);
  const request = accessRequest(cpu);
  request.line = earlyRequest(cpu, found).line;
  request.write = 0;
  request.arrival = startCycle(cpu);
}

/** As long as memory holds what was bound, and the line is there, that adds nothing. */
export function earlyDigest(cpu: Cpu): void {
  if ((cpu.issuedEarly | cpu.asksEarly) == 0) return;
  for (let slot: u32 = 0; slot < EARLY_LOADS; slot++) {
    const early = earlyLoadOf(cpu, slot);
    if (asks(cpu, slot)) {
      mix(<u64>(slot + 1));
      mix(cpu.awaitsEarly);
      mix(earlyRequest(cpu, slot).line);
      mix(earlyRequest(cpu, slot).arrival);
    }
    if (!isIssued(cpu, slot)) continue;
    const isBound = !asks(cpu, slot);
    if (isBound && isAtHand(cpu, early.place & ADDRESS_MASK) && early.value == valueInMemory(early)) continue;
    mix(early.retired);
    mix(early.pc);
    mix(early.place);
    mix(isBound ? early.value : 0);
  }
}
