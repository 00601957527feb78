// The slow way to memory: rights, coherence, devices, accesses that cross a line. One place per kind of access; page
// tables will come in here. The fast way is memory/copies.ts: whatever is found here to be allowed is remembered there.

import {
  Architecture,
  CpuState,
  Device,
  LINE_BYTES,
  PAGE_DEVICE,
  PAGE_OWNER_SHIFT,
  PAGE_RAM,
  PAGE_READ,
  PAGE_WRITE,
} from "../../src/abi.ts";
import { CPU_JOURNAL, CPU_LOOKUP, Cpu } from "../cpu.ts";
import { accessXapic } from "../interrupts/apic/xapic.ts";
import { machine } from "../machine.ts";
import { startCycle } from "../time/bounds.ts";
import { shadowHost } from "../time/shadow.ts";
import { endSiblingWatches, isWatchedBySibling, wakeSiblings } from "../time/watch.ts";
import { remember } from "./copies.ts";
import { requestDevice } from "../devices/transaction.ts";
import { Early, awaitEarly, boundEarly, findEarly } from "./early.ts";
import { requestLine } from "./directory.ts";
import { Permission, permissionOf } from "./lines.ts";
import { accessRequest } from "./request.ts";
import { awaitSibling, hasClaimed, takeClaim } from "./siblings.ts";
import { bytesToLineEnd, lineOf, pageAt, ramAt } from "./map.ts";
import { beLate, delayOf, isLoadLate, isPerturbed } from "./perturbation.ts";
import {
  Forward,
  awaitStores,
  enterStore,
  forward,
  forwarded,
  hasStores,
  holdLoads,
  holdStores,
  mayPassStores,
  storesTo,
} from "./stores.ts";

/** Outcome of the last slow access. */
export enum Access {
  DONE = 0,
  /** The CPU is blocked until a line or a device's answer arrives; the instruction starts again then. */
  BLOCKED = 1,
  /** Not allowed: `faultAddress`, `faultIsWrite` and `faultPage` say what. */
  FAULT = 2,
  /** A sibling's spin has been ended: the instruction starts again, behind whatever the sibling does before. */
  SIBLING = 3,
  /** Shadow only: not decidable here. */
  REFUSED = 4,
  /** Of find() only: the core doesn't hold the line well enough; a sibling's stores must be waited for. */
  MISSING = 5,
  CLAIMED = 6,
}

let access: Access = Access.DONE;
/** Bytes of the plain load that is being located, or 0. */
export let loadSize: u32 = 0;
export let faultAddress: u64 = 0;
export let faultIsWrite: bool = false;
/** Attributes of the page at fault (PAGE_*), 0 when nothing is mapped. */
export let faultPage: u32 = 0;

/** Outcome of the last slow access; look at it after every call of a function of this file. */
// @ts-ignore: decorator
@inline
export function outcome(): Access {
  return access;
}

/** Ends the current access as not allowed. */
export function fail(address: u64, write: bool, page: u32): usize {
  access = Access.FAULT;
  faultAddress = address;
  faultIsWrite = write;
  faultPage = page;
  return 0;
}

export function refuse(): usize {
  access = Access.REFUSED;
  return 0;
}

/** Ends the current access as BLOCKED: the instruction starts again when what it waits for is there. */
export function markBlocked(cpu: Cpu): void {
  cpu.state = CpuState.BLOCKED;
  cpu.resumed = 1;
  cpu.loopVisits = 0;
  access = Access.BLOCKED;
}

/**
 * Host address of bytes within one line of RAM that may be read, or also written, now; 0 with another outcome than DONE.
 * Devices are refused here: only plain loads and stores reach them. Plain stores that must wait don't come here, they wait in
 * the store buffer: what writes here is done at once, and not before stores that it may not pass.
 */
export function locate(cpu: Cpu, address: u64, write: bool): usize {
  if (write ? !mayPassStores(cpu, lineOf(address)) : holdLoads(cpu)) {
    awaitStores(cpu);
    return 0;
  }
  const host = find(cpu, address, write);
  if (access == Access.MISSING) {
    markBlocked(cpu);
    requestLine(accessRequest(cpu), address, write, startCycle(cpu) + delayOf(cpu));
  } else if (access == Access.CLAIMED) {
    markBlocked(cpu);
    awaitSibling(cpu, lineOf(address), write);
  }
  return host;
}

/** As locate(), but what is missing is left to the caller. */
function find(cpu: Cpu, address: u64, write: bool): usize {
  access = Access.DONE;
  if (changetype<usize>(cpu) == machine().shadow) return shadowHost(cpu, address, write);
  const page = pageAt(address);
  if ((page & (write ? PAGE_WRITE : PAGE_READ)) == 0 || (page & PAGE_RAM) == 0) return fail(address, write, page);
  const line = lineOf(address);
  const core = cpu.core;
  const permission = permissionOf(core, line);
  const needed = write ? Permission.WRITE : Permission.READ;
  if (permission < needed) {
    access = Access.MISSING;
    return 0;
  }
  let mayWrite = permission == Permission.WRITE && (page & PAGE_WRITE) != 0;
  if (core.threadCount > 1) {
    if (core.watchers != 0 && wakeSiblings(cpu, line, write, startCycle(cpu))) {
      cpu.resumed = 1;
      access = Access.SIBLING;
      return 0;
    }
    if (!takeClaim(cpu, line, write, startCycle(cpu))) {
      access = Access.CLAIMED;
      return 0;
    }
    if (write && core.watchers != 0) endSiblingWatches(cpu, line, startCycle(cpu));
    mayWrite = mayWrite && hasClaimed(cpu, line) && (core.watchers == 0 || !isWatchedBySibling(cpu, line));
  }
  const host = ramAt(address);
  // Loads of a line that stores wait for look at those first; those that may be late are drawn for each.
  if (machine().perturbation == 0 && !storesTo(cpu, line)) remember(cpu, address, host, mayWrite);
  return host;
}

/** Whether an access would be allowed by the page rights; leaves FAULT as the outcome when not. */
export function checkRights(address: u64, size: u32, write: bool): bool {
  access = Access.DONE;
  const need: u32 = write ? PAGE_WRITE : PAGE_READ;
  const first = pageAt(address);
  if ((first & need) == 0) {
    fail(address, write, first);
    return false;
  }
  const last = address + size - 1;
  const page = pageAt(last);
  if ((page & need) == 0) {
    fail(last & ~(<u64>(LINE_BYTES - 1)), write, page);
    return false;
  }
  return true;
}

// --- the journal -----------------------------------------------------------------------------------------------------
//
// An instruction with several accesses (or an exception's frame) may have to wait in the middle. Each access that is done
// is entered in the CPU's journal; when the instruction starts again, it gets the entries back in order instead of
// touching memory twice. Layout at CPU_JOURNAL: count, then values, 8 bytes each.

const JOURNAL_ENTRIES: u32 = <u32>((CPU_LOOKUP - CPU_JOURNAL) / 8 - 1);
let journalIndex: u32 = 0;

/** Starts (or starts again) an instruction with several accesses. */
// @ts-ignore: decorator
@inline
export function openJournal(): void {
  journalIndex = 0;
}

/** The instruction is complete, or has faulted: nothing of it is left. */
// @ts-ignore: decorator
@inline
export function closeJournal(cpu: Cpu): void {
  store<u64>(changetype<usize>(cpu) + CPU_JOURNAL, 0);
}

/** Whether the instruction at pc has done some of its accesses. */
export function journalIsOpen(cpu: Cpu): bool {
  return load<u32>(changetype<usize>(cpu) + CPU_JOURNAL) != 0;
}

function journalValue(cpu: Cpu, index: u32): usize {
  return changetype<usize>(cpu) + CPU_JOURNAL + 8 + ((<usize>index) << 3);
}

/** Reads up to 8 bytes as one or two accesses of a journaled instruction. */
export function journaledRead(cpu: Cpu, address: u64, size: u32): u64 {
  access = Access.DONE;
  const here = bytesToLineEnd(address);
  if (size <= here) return journaledPiece(cpu, address, size);
  const low = journaledPiece(cpu, address, here);
  if (access != Access.DONE) return 0;
  const high = journaledPiece(cpu, address + here, size - here);
  return low | (high << ((<u64>here) << 3));
}

function journaledPiece(cpu: Cpu, address: u64, size: u32): u64 {
  const index = journalIndex++;
  const count = load<u32>(changetype<usize>(cpu) + CPU_JOURNAL);
  if (index < count) return load<u64>(journalValue(cpu, index));
  const value = readWithin(cpu, address, size);
  if (access != Access.DONE) return 0;
  enter(cpu, index, value);
  return value;
}

function enter(cpu: Cpu, index: u32, value: u64): void {
  assert(index < JOURNAL_ENTRIES, "journal overflow");
  store<u64>(journalValue(cpu, index), value);
  store<u32>(changetype<usize>(cpu) + CPU_JOURNAL, index + 1);
}

/** Writes up to 8 bytes as one or two accesses of a journaled instruction. */
export function journaledWrite(cpu: Cpu, address: u64, size: u32, value: u64): void {
  access = Access.DONE;
  const here = bytesToLineEnd(address);
  if (size <= here) {
    journaledStore(cpu, address, size, value);
    return;
  }
  journaledStore(cpu, address, here, value);
  if (access == Access.DONE) journaledStore(cpu, address + here, size - here, value >>> ((<u64>here) << 3));
}

function journaledStore(cpu: Cpu, address: u64, size: u32, value: u64): void {
  const index = journalIndex++;
  if (index < load<u32>(changetype<usize>(cpu) + CPU_JOURNAL)) return;
  writeWithin(cpu, address, size, value);
  if (access == Access.DONE) enter(cpu, index, 0);
}

// --- single accesses -------------------------------------------------------------------------------------------------

/** Reads 1 to 8 bytes anywhere, zero-extended. The value is meaningless unless the outcome is DONE. */
export function readSlow(cpu: Cpu, address: u64, size: u32): u64 {
  if (size <= bytesToLineEnd(address)) return readWithin(cpu, address, size);
  if (!checkRights(address, size, false)) return 0;
  openJournal();
  const value = journaledRead(cpu, address, size);
  if (access == Access.DONE) closeJournal(cpu);
  return value;
}

/** Writes 1 to 8 bytes anywhere. Nothing is written before all of it is known to be allowed. */
export function writeSlow(cpu: Cpu, address: u64, size: u32, value: u64): void {
  if (size <= bytesToLineEnd(address)) {
    writeWithin(cpu, address, size, value);
    return;
  }
  if (!checkRights(address, size, true)) return;
  openJournal();
  journaledWrite(cpu, address, size, value);
  if (access == Access.DONE) closeJournal(cpu);
}

/** A store-release of an aligned word: it comes behind all that waits. */
export function writeRelease(cpu: Cpu, address: u64, size: u32, value: u64): void {
  writeWithin(cpu, address, size, value, true);
}

function readWithin(cpu: Cpu, address: u64, size: u32): u64 {
  const page = pageAt(address);
  if ((page & PAGE_DEVICE) != 0 && (page & PAGE_READ) != 0) return accessDevice(cpu, page, address, size, false, 0);
  switch (findEarly(cpu, address)) {
    case Early.BOUND:
      access = Access.DONE;
      return boundEarly;
    case Early.ASKS:
      awaitEarly(cpu);
      return 0;
    default:
      break;
  }
  if (hasStores(cpu)) {
    switch (holdLoads(cpu) ? Forward.WAIT : forward(cpu, address, size)) {
      case Forward.VALUE:
        access = Access.DONE;
        return forwarded;
      case Forward.WAIT:
        awaitStores(cpu);
        return 0;
      default:
        break;
    }
  }
  if (isLoadLate(cpu)) {
    access = Access.BLOCKED;
    beLate(cpu, lineOf(address));
    return 0;
  }
  loadSize = size;
  const host = locate(cpu, address, false);
  loadSize = 0;
  return host == 0 ? 0 : loadBytes(host, size);
}

function writeWithin(cpu: Cpu, address: u64, size: u32, value: u64, isRelease: bool = false): void {
  const page = pageAt(address);
  if ((page & PAGE_DEVICE) != 0 && (page & PAGE_WRITE) != 0) {
    accessDevice(cpu, page, address, size, true, value, isRelease);
    return;
  }
  const mayPass = isRelease ? !hasStores(cpu) : mayPassStores(cpu, lineOf(address));
  if (mayPass && !isPerturbed(cpu)) {
    const host = find(cpu, address, true);
    if (host != 0) storeBytes(host, size, value);
    if (access != Access.MISSING && access != Access.CLAIMED) return;
  } else if ((page & PAGE_WRITE) == 0 || (page & PAGE_RAM) == 0) {
    fail(address, true, page);
    return;
  }
  if (enterStore(cpu, address, size, value, isRelease)) access = Access.DONE;
}

/** A device access blocks the CPU until the answer is there; the instruction then starts again and finds it. */
function accessDevice(
  cpu: Cpu,
  page: u32,
  address: u64,
  size: u32,
  write: bool,
  value: u64,
  isRelease: bool = false,
): u64 {
  if (changetype<usize>(cpu) == machine().shadow) return refuse();
  access = Access.DONE;
  if (isBehindStores(cpu, write, isRelease)) {
    awaitStores(cpu);
    return 0;
  }
  if (page >>> PAGE_OWNER_SHIFT == Device.LOCAL_APIC) return accessXapic(cpu, address, size, write, value);
  if (cpu.deviceAnswered != 0) {
    cpu.deviceAnswered = 0;
    return cpu.deviceValue;
  }
  markBlocked(cpu);
  requestDevice(cpu, <Device>(page >>> PAGE_OWNER_SHIFT), address, size, write, value, startCycle(cpu));
  return 0;
}

/**
 * Whether an access to a device waits for stores: on x86-64 what is uncached does (SDM 3A 12.3, 9.2), on arm64 what stands behind a
 * DMB, and a release (Arm ARM DDI 0487 B2.3.6: barriers order accesses of all memory types).
 */
function isBehindStores(cpu: Cpu, write: bool, isRelease: bool): bool {
  if (isRelease || machine().architecture == Architecture.X86_64) return hasStores(cpu);
  return write ? holdStores(cpu) : holdLoads(cpu);
}

/** 1 to 8 bytes of host memory, little-endian, zero-extended. */
export function loadBytes(host: usize, size: u32): u64 {
  switch (size) {
    case 8:
      return load<u64>(host);
    case 4:
      return <u64>load<u32>(host);
    case 2:
      return <u64>load<u16>(host);
    case 1:
      return <u64>load<u8>(host);
    default: {
      let value: u64 = 0;
      for (let i: u32 = 0; i < size; i++) value |= (<u64>load<u8>(host + i)) << ((<u64>i) << 3);
      return value;
    }
  }
}

export function storeBytes(host: usize, size: u32, value: u64): void {
  switch (size) {
    case 8:
      store<u64>(host, value);
      break;
    case 4:
      store<u32>(host, <u32>value);
      break;
    case 2:
      store<u16>(host, <u16>value);
      break;
    case 1:
      store<u8>(host, <u8>value);
      break;
    default:
      for (let i: u32 = 0; i < size; i++) store<u8>(host + i, <u8>(value >>> ((<u64>i) << 3)));
  }
}
