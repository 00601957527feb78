// The store buffer: plain stores that can't be done at once wait here, in program order, and the CPU goes on (docs/ordering.md).
// A store becomes visible to others when it drains: is written to a line that the core holds writable. The oldest store asks
// for its line. On x86-64 stores drain in program order (TSO: SDM 3A 9.2.2); on arm64 a store waits only for older ones of its
// line, for those before a DMB, and, if it is a release, for all older ones (Arm ARM DDI 0487 B2.3).
//
// A store to a line that the core holds writable, and that need not wait for others, is done at once: while the buffer is
// empty, that is all that there is to it.

import { Architecture, CpuState, LINE_BYTES, MOST_STORES, Timing } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { mix } from "../digest.ts";
import { machine, reserve, timing } from "../machine.ts";
import { startCycle } from "../time/bounds.ts";
import { hitLimit, limitHits } from "../time/limits.ts";
import { endSiblingWatches, wakeSiblings } from "../time/watch.ts";
import { EventClass, schedule } from "../time/wheel.ts";
import { journalIsOpen, markBlocked, storeBytes } from "./access.ts";
import { expectLine } from "./arrivals.ts";
import { forget, forgetAll } from "./copies.ts";
import { requestLine } from "./directory.ts";
import { Permission, permissionOf } from "./lines.ts";
import { lineOf, ramAt } from "./map.ts";
import { delayOf } from "./perturbation.ts";
import { Request, accessRequest, storeRequest } from "./request.ts";
import { claimEnd, isUnclaimed, takeClaim } from "./siblings.ts";

/** One per CPU; its stores follow. */
@unmanaged
export class StoreBuffer {
  /** Room for the Request of the oldest store's line. */
  request0: u64;
  request1: u64;
  request2: u64;
  request3: u64;
  /** Stores, the oldest first. */
  count: u8;
  /** A request is under way, or a time is set at which to drain. */
  isAsking: u8;
  /** Stores behind a DMB have a greater number than those before it. */
  epoch: u8;
  /** Loads wait for stores of lesser epochs: they stand behind a DMB of all accesses. */
  loadEpoch: u8;
  /** Delays that have been drawn (perturbation.ts). */
  draws: u32;
}

/** The oldest store shares its host line with what stands before it. */
const STORES: usize = 48;
if (offsetof<StoreBuffer>() > STORES) ERROR("StoreBuffer outgrew its bytes");
/** A store: its description, then its value. */
const STORE_BYTES: usize = 16;
const BUFFER_BYTES: usize = (STORES + <usize>MOST_STORES * STORE_BYTES + 63) & ~63;

// Description: address, bytes, whether it is a release, epoch.
const ADDRESS_BITS: u64 = 48;
const ADDRESS_MASK: u64 = ((<u64>1) << ADDRESS_BITS) - 1;
const SIZE_MASK: u64 = 15;
const RELEASE: u64 = (<u64>1) << 52;
const EPOCH_SHIFT: u64 = 56;

/** Cpu.storeKey: stores may hit; they take the slow way. */
export const STORES_HIT: u32 = 1;
export const STORES_WAIT: u32 = 2;

/** Cpu.loadKey: loads may hit; they take the slow way. Neither a tag nor what stands for none (copies.ts). */
const LOADS_HIT: u8 = 0;
const LOADS_WAIT: u8 = 2;

/** Argument of the FILL event at which the buffer drains without a line having come. */
export const DRAIN: u64 = 3;

export function openStores(): bool {
  const m = machine();
  m.storeBuffers = reserve(<usize>m.cpus * BUFFER_BYTES, 64);
  return m.storeBuffers != 0;
}

// @ts-ignore: decorator
@inline
export function storeBufferOf(cpu: Cpu): StoreBuffer {
  return changetype<StoreBuffer>(machine().storeBuffers + <usize>cpu.index * BUFFER_BYTES);
}

/** Whether any store of the CPU waits. */
// @ts-ignore: decorator
@inline
export function hasStores(cpu: Cpu): bool {
  return cpu.storing != 0 && storeBufferOf(cpu).count != 0;
}

// @ts-ignore: decorator
@inline
function storeAt(buffer: StoreBuffer, index: u32): usize {
  return changetype<usize>(buffer) + STORES + <usize>index * STORE_BYTES;
}

// @ts-ignore: decorator
@inline
function addressOf(description: u64): u64 {
  return description & ADDRESS_MASK;
}

// @ts-ignore: decorator
@inline
function sizeOf(description: u64): u64 {
  return (description >>> ADDRESS_BITS) & SIZE_MASK;
}

// --- loads -----------------------------------------------------------------------------------------------------------

export enum Forward {
  /** No waiting store writes any of the bytes. */
  NONE = 0,
  /** The youngest that does writes all of them: `forwarded`. */
  VALUE = 1,
  /** It writes some: the load waits until it has drained. */
  WAIT = 2,
}

export let forwarded: u64 = 0;

/** What a load of 1 to 8 bytes within a line finds in the CPU's own buffer. */
export function forward(cpu: Cpu, address: u64, size: u32): Forward {
  const buffer = storeBufferOf(cpu);
  for (let index = buffer.count; index-- > 0;) {
    const at = storeAt(buffer, index);
    const description = load<u64>(at);
    const first = addressOf(description);
    const end = first + sizeOf(description);
    if (first >= address + size || end <= address) continue;
    if (first > address || end < address + size) return Forward.WAIT;
    forwarded = (load<u64>(at, 8) >>> ((address - first) << 3)) & (u64.MAX_VALUE >>> (64 - ((<u64>size) << 3)));
    return Forward.VALUE;
  }
  return Forward.NONE;
}

/** Whether a waiting store of the CPU writes to a line. */
export function storesTo(cpu: Cpu, line: u32): bool {
  if (cpu.storing == 0) return false;
  const buffer = storeBufferOf(cpu);
  for (let index: u32 = 0; index < buffer.count; index++) {
    if (lineOf(addressOf(load<u64>(storeAt(buffer, index)))) == line) return true;
  }
  return false;
}

/** Whether a release waits: an acquire that is RCsc comes behind it (Arm ARM B2.3.6, barrier-ordered-before). */
export function holdsRelease(cpu: Cpu): bool {
  if (cpu.storing == 0) return false;
  const buffer = storeBufferOf(cpu);
  for (let index: u32 = 0; index < buffer.count; index++) {
    if ((load<u64>(storeAt(buffer, index)) & RELEASE) != 0) return true;
  }
  return false;
}

// --- stores ----------------------------------------------------------------------------------------------------------

/** Whether an access that writes a line may do so before the stores that wait. */
export function mayPassStores(cpu: Cpu, line: u32): bool {
  if (!hasStores(cpu)) return true;
  if (machine().architecture == Architecture.X86_64) return false;
  return !holdStores(cpu) && !storesTo(cpu, line);
}

/** Whether stores wait that stand before a DMB: what writes comes behind them. */
export function holdStores(cpu: Cpu): bool {
  return hasStores(cpu) && oldestEpoch(storeBufferOf(cpu)) < storeBufferOf(cpu).epoch;
}

/** Whether stores wait that stand before a DMB of all accesses: what reads comes behind them, too. */
export function holdLoads(cpu: Cpu): bool {
  return hasStores(cpu) && oldestEpoch(storeBufferOf(cpu)) < storeBufferOf(cpu).loadEpoch;
}

/** The oldest store has the least epoch. */
function oldestEpoch(buffer: StoreBuffer): u32 {
  return <u32>(load<u64>(storeAt(buffer, 0)) >>> EPOCH_SHIFT);
}

/** Lets a store of 1 to 8 bytes within a line of RAM wait. @returns false when there is no room: the CPU is blocked then */
export function enterStore(cpu: Cpu, address: u64, size: u32, value: u64, release: bool): bool {
  const buffer = storeBufferOf(cpu);
  if (buffer.count >= timing(Timing.STORE_BUFFER)) {
    awaitStores(cpu);
    return false;
  }
  const at = storeAt(buffer, buffer.count++);
  const description = address | ((<u64>size) << ADDRESS_BITS) | ((<u64>buffer.epoch) << EPOCH_SHIFT);
  store<u64>(at, release ? description | RELEASE : description);
  store<u64>(at, value, 8);
  setKeys(cpu);
  forget(cpu, address & ~(<u64>(LINE_BYTES - 1)), false);
  if (buffer.isAsking == 0) ask(cpu, startCycle(cpu), timing(Timing.STORE_DRAIN_DELAY));
  return true;
}

/**
 * DMB: later stores, and loads too if that is asked for, wait for the stores that wait now; whatever accesses no memory goes on.
 * @returns false when the CPU must wait for an epoch
 */
export function separateStores(cpu: Cpu, fromLoads: bool): bool {
  const buffer = storeBufferOf(cpu);
  if (buffer.count == 0) return true;
  if (buffer.epoch == 0xff) {
    awaitStores(cpu);
    return false;
  }
  buffer.epoch++;
  if (fromLoads) buffer.loadEpoch = buffer.epoch;
  setKeys(cpu);
  return true;
}

/**
 * Says what of the CPU's accesses takes the slow way: on x86-64 all stores behind one that waits; on arm64 those behind a DMB,
 * since lines that stores wait for are in no lookup, and others may be written.
 */
export function setKeys(cpu: Cpu): void {
  const m = machine();
  const waits = storeBufferOf(cpu).count != 0;
  cpu.storing = waits || m.perturbation != 0 ? 1 : 0;
  const inTurn = waits && (m.architecture == Architecture.X86_64 || holdStores(cpu));
  cpu.storeKey = inTurn || m.perturbation != 0 ? STORES_WAIT : STORES_HIT;
  cpu.loadKey = holdLoads(cpu) ? LOADS_WAIT : LOADS_HIT;
}

/**
 * Whether an instruction that looks at the buffer, or waits for it, may be executed: not beyond the limit of hits, since stores
 * drain when lines come. An empty buffer stays so: what has waited for that is executed, wherever the limit is.
 */
// @ts-ignore: decorator
@inline
export function mayLookAtStores(cpu: Cpu): bool {
  return !hasStores(cpu) || cpu.clock < hitLimit;
}

/** In Cpu.awaitsStores. */
export enum StoreWait {
  NONE = 0,
  /** The instruction at pc: it starts again when stores have drained, before anything else is taken. */
  INSTRUCTION = 1,
  /** The taking of an interrupt or exception. */
  BOUNDARY = 2,
}

/** Blocks the CPU until stores have drained: the instruction starts again then. */
export function awaitStores(cpu: Cpu): void {
  markBlocked(cpu);
  // What it has done of its accesses is in the journal, which only the slow way reads.
  if (journalIsOpen(cpu)) forgetAll(cpu);
  wait(cpu, StoreWait.INSTRUCTION);
}

/** The same at a boundary, before an interrupt or an exception is taken. */
export function awaitStoresAtBoundary(cpu: Cpu): void {
  cpu.state = CpuState.BLOCKED;
  cpu.loopVisits = 0;
  wait(cpu, StoreWait.BOUNDARY);
}

function wait(cpu: Cpu, what: StoreWait): void {
  cpu.awaitsStores = <u8>what;
  const request = accessRequest(cpu);
  request.line = request.write = 0;
  request.arrival = startCycle(cpu);
}

// --- draining --------------------------------------------------------------------------------------------------------

/** Asks for the line of the oldest store, or sets the time at which the core may write it. */
function ask(cpu: Cpu, cycle: u64, delay: u64): void {
  const buffer = storeBufferOf(cpu);
  const request = storeRequest(cpu);
  const address = addressOf(load<u64>(storeAt(buffer, 0)));
  const line = lineOf(address);
  const at = cycle + delay + delayOf(cpu);
  buffer.isAsking = 1;
  if (permissionOf(cpu.core, line) != Permission.WRITE) {
    requestLine(request, address, true, at);
  } else {
    const isMine = cpu.core.threadCount == 1 || isUnclaimed(cpu, line);
    drainAt(cpu, request, line, max(isMine ? at : max(at, claimEnd(cpu, line)), cycle + 1));
  }
}

function drainAt(cpu: Cpu, request: Request, line: u32, cycle: u64): void {
  request.line = line;
  request.write = 1;
  request.arrival = cycle;
  expectLine(cpu.core, cycle);
  limitHits(cycle);
  schedule(cycle, EventClass.FILL, changetype<usize>(request), DRAIN);
}

/** In `cycle`, a line has come or the time to drain: all that may drain does, the oldest first. */
export function drainStores(cpu: Cpu, cycle: u64): void {
  const buffer = storeBufferOf(cpu);
  const inOrder = machine().architecture == Architecture.X86_64;
  buffer.isAsking = 0;
  let index: u32 = 0;
  while (index < buffer.count) {
    if ((index == 0 || mayDrain(buffer, index)) && drain(cpu, storeAt(buffer, index), cycle)) {
      remove(buffer, index);
    } else if (inOrder) {
      break;
    } else {
      index++;
    }
  }
  if (buffer.count == 0) buffer.epoch = buffer.loadEpoch = 0;
  else ask(cpu, cycle, 0);
  setKeys(cpu);
}

/** Whether a store needs not wait for older ones. */
function mayDrain(buffer: StoreBuffer, index: u32): bool {
  const description = load<u64>(storeAt(buffer, index));
  if ((description & RELEASE) != 0) return false;
  const line = lineOf(addressOf(description));
  for (let older: u32 = 0; older < index; older++) {
    const before = load<u64>(storeAt(buffer, older));
    if (before >>> EPOCH_SHIFT != description >>> EPOCH_SHIFT || lineOf(addressOf(before)) == line) return false;
  }
  return true;
}

/** Writes a store to memory if the core may write its line in `cycle`. */
function drain(cpu: Cpu, at: usize, cycle: u64): bool {
  const description = load<u64>(at);
  const address = addressOf(description);
  const line = lineOf(address);
  const core = cpu.core;
  if (permissionOf(core, line) != Permission.WRITE) return false;
  if (core.threadCount > 1) {
    while (core.watchers != 0 && wakeSiblings(cpu, line, true, cycle)) continue;
    if (!takeClaim(cpu, line, true, cycle)) return false;
    if (core.watchers != 0) endSiblingWatches(cpu, line, cycle);
  }
  storeBytes(ramAt(address), <u32>sizeOf(description), load<u64>(at, 8));
  return true;
}

function remove(buffer: StoreBuffer, index: u32): void {
  buffer.count--;
  const at = storeAt(buffer, index);
  memory.copy(at, at + STORE_BYTES, <usize>(buffer.count - index) * STORE_BYTES);
}

export function storesDigest(cpu: Cpu): void {
  const buffer = storeBufferOf(cpu);
  mix((<u64>buffer.count) | ((<u64>cpu.awaitsStores) << 32));
  mix(buffer.draws);
  if (buffer.count == 0) return;
  mix((<u64>buffer.epoch) | ((<u64>buffer.loadEpoch) << 32));
  mix(storeRequest(cpu).line);
  mix(storeRequest(cpu).arrival);
  for (let index: u32 = 0; index < buffer.count; index++) {
    const at = storeAt(buffer, index);
    mix(load<u64>(at));
    mix(load<u64>(at, 8));
  }
}
