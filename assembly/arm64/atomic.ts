// A64 ordered, exclusive and atomic accesses (Arm ARM DDI 0487 C3.2.6 to C3.2.12, B2.12 for the monitors).
//
// Loads are bound in program order but for plain ones behind a plain one that misses (memory/early.ts), so acquire adds to a load
// only that it comes behind releases that wait in the store buffer; what is released waits for all older stores.

import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { Access, loadBytes, locate, outcome, readSlow, storeBytes, writeRelease } from "../memory/access.ts";
import { readable, writable } from "../memory/copies.ts";
import { lineOf } from "../memory/map.ts";
import { awaitStores, hasStores, holdsRelease, storesTo } from "../memory/stores.ts";
import { unwatchLine, watchLine } from "../time/watch.ts";
import { arm64, readX, writeX } from "./cpu.ts";
import { ATOMIC_SWAP, EXCLUSIVE_PAIR, ORDER_ACQUIRE, ORDER_RELEASE } from "./decodeLoadStore.ts";
import { alignmentFault } from "./exception.ts";
import { target } from "./fields.ts";
import { A64, Op } from "./operations.ts";
import { Step } from "./step.ts";

export function executeAtomic(cpu: Cpu, d: A64, operation: i32): Step {
  const base = changetype<usize>(cpu);
  const address = readX(base, d.rn);
  const bytes = <u32>d.immediate;
  if ((address & (bytes - 1)) != 0) {
    if (base == machine().shadow) return Step.REFUSED;
    alignmentFault(cpu, address, operation == Op.STORE_RELEASE || operation == Op.STORE_EXCLUSIVE);
    return Step.EXCEPTION;
  }
  if (mustWait(cpu, d)) {
    awaitStores(cpu);
    return Step.ACCESS;
  }
  switch (operation) {
    case Op.LOAD_ACQUIRE:
      return loadAcquire(cpu, d, address, bytes);
    case Op.STORE_RELEASE:
      return storeRelease(cpu, d, address, bytes);
    case Op.LOAD_EXCLUSIVE:
      return loadExclusive(cpu, d, address, bytes);
    case Op.STORE_EXCLUSIVE:
      return storeExclusive(cpu, d, address, bytes);
    case Op.ATOMIC:
      return atomic(cpu, d, address, bytes);
    case Op.COMPARE_AND_SWAP:
      return compareAndSwap(cpu, d, address, bytes);
    default:
      return compareAndSwapPair(cpu, d, address, bytes);
  }
}

/** Whether stores that wait must drain before the access (Arm ARM DDI 0487 B2.3.6, barrier-ordered-before). */
function mustWait(cpu: Cpu, d: A64): bool {
  if (!hasStores(cpu)) return false;
  return (d.extra & ORDER_RELEASE) != 0 || ((d.extra & ORDER_ACQUIRE) != 0 && holdsRelease(cpu));
}

/** Operations that read and write memory in one access. */
export function isReadModifyWrite(operation: i32): bool {
  return operation >= Op.ATOMIC && operation <= Op.COMPARE_AND_SWAP_PAIR;
}

/** Host address of an aligned access to RAM; 0 when it can't be done now. */
function hostFor(cpu: Cpu, address: u64, bytes: u32, write: bool): usize {
  const base = changetype<usize>(cpu);
  const host = write ? writable(base, address, bytes) : readable(base, address, bytes);
  return host != 0 ? host : locate(cpu, address, write);
}

// --- ordered ---------------------------------------------------------------------------------------------------------

/** LDAR, LDAPR: plain loads as far as RAM and devices go. */
function loadAcquire(cpu: Cpu, d: A64, address: u64, bytes: u32): Step {
  const base = changetype<usize>(cpu);
  const host = readable(base, address, bytes);
  if (host != 0) {
    writeX(base, d.rd, loadBytes(host, bytes));
    return Step.NEXT;
  }
  const value = readSlow(cpu, address, bytes);
  if (outcome() != Access.DONE) return Step.ACCESS;
  writeX(base, d.rd, value);
  return Step.NEXT;
}

function storeRelease(cpu: Cpu, d: A64, address: u64, bytes: u32): Step {
  const value = readX(changetype<usize>(cpu), d.rd);
  const host = writable(changetype<usize>(cpu), address, bytes);
  if (host != 0 && !hasStores(cpu)) {
    storeBytes(host, bytes, value);
    return Step.NEXT;
  }
  writeRelease(cpu, address, bytes, value);
  return outcome() == Access.DONE ? Step.NEXT : Step.ACCESS;
}

// --- exclusive -------------------------------------------------------------------------------------------------------

/** Opens the local monitor: the next exclusive store fails. */
export function openMonitor(cpu: Cpu): void {
  arm64(cpu).exclusiveSize = 0;
  unwatchLine(cpu);
}

/** Bytes of one register of an exclusive access. */
function elementBytes(d: A64, bytes: u32): u32 {
  return (d.extra & EXCLUSIVE_PAIR) != 0 ? bytes >>> 1 : bytes;
}

function loadExclusive(cpu: Cpu, d: A64, address: u64, bytes: u32): Step {
  const base = changetype<usize>(cpu);
  if (storesTo(cpu, lineOf(address))) {
    awaitStores(cpu);
    return Step.ACCESS;
  }
  const host = hostFor(cpu, address, bytes, false);
  if (host == 0) return Step.ACCESS;
  const state = arm64(cpu);
  state.exclusiveAddress = address;
  state.exclusiveSize = bytes;
  watchLine(cpu, lineOf(address));
  const size = elementBytes(d, bytes);
  writeX(base, d.rd, loadBytes(host, size));
  if (bytes != size) writeX(base, d.ra, loadBytes(host + size, size));
  return Step.NEXT;
}

/**
 * Status 0 and a store when the monitor still holds the same bytes, else status 1 and no access (C6.2.395). Clears the
 * monitor.
 */
function storeExclusive(cpu: Cpu, d: A64, address: u64, bytes: u32): Step {
  const base = changetype<usize>(cpu);
  const state = arm64(cpu);
  let status: u64 = 1;
  if (state.exclusiveSize == bytes && state.exclusiveAddress == address) {
    const host = hostFor(cpu, address, bytes, true);
    if (host == 0) return Step.ACCESS;
    const size = elementBytes(d, bytes);
    storeBytes(host, size, readX(base, d.rd));
    if (bytes != size) storeBytes(host + size, size, readX(base, d.ra));
    status = 0;
  }
  openMonitor(cpu);
  writeX(base, d.rm, status);
  return Step.NEXT;
}

// --- atomic ----------------------------------------------------------------------------------------------------------

function atomic(cpu: Cpu, d: A64, address: u64, bytes: u32): Step {
  const base = changetype<usize>(cpu);
  const host = hostFor(cpu, address, bytes, true);
  if (host == 0) return Step.ACCESS;
  const old = loadBytes(host, bytes);
  storeBytes(host, bytes, combine((d.extra >>> 4) & 15, old, readX(base, d.rm), bytes));
  writeX(base, d.rd, old);
  return Step.NEXT;
}

/** MemAtomic(): operations numbered as encoded in o3:opc. */
function combine(operation: u32, old: u64, operand: u64, size: u32): u64 {
  const shift = <i64>(64 - (size << 3));
  const signedOld = ((<i64>old) << shift) >> shift;
  const signedOperand = ((<i64>operand) << shift) >> shift;
  const unsignedOperand = (operand << (<u64>shift)) >>> (<u64>shift);
  switch (operation) {
    case 0:
      return old + operand;
    case 1:
      return old & ~operand;
    case 2:
      return old ^ operand;
    case 3:
      return old | operand;
    case 4:
      return <u64>max(signedOld, signedOperand);
    case 5:
      return <u64>min(signedOld, signedOperand);
    case 6:
      return max(old, unsignedOperand);
    case 7:
      return min(old, unsignedOperand);
    default:
      assert(operation == ATOMIC_SWAP);
      return operand;
  }
}

/** The low `bytes` bytes of a register. */
// @ts-ignore: decorator
@inline
function truncated(value: u64, bytes: u32): u64 {
  const shift = <u64>(64 - (bytes << 3));
  return (value << shift) >>> shift;
}

/** `ra` receives the old value, `rm` holds the value to compare with: one register, but XZR differs. */
function compareAndSwap(cpu: Cpu, d: A64, address: u64, bytes: u32): Step {
  const base = changetype<usize>(cpu);
  const host = hostFor(cpu, address, bytes, true);
  if (host == 0) return Step.ACCESS;
  const old = loadBytes(host, bytes);
  if (old == truncated(readX(base, d.rm), bytes)) storeBytes(host, bytes, readX(base, d.rd));
  writeX(base, d.ra, old);
  return Step.NEXT;
}

/** Pairs begin with an even register; the one behind X30 is XZR. */
function compareAndSwapPair(cpu: Cpu, d: A64, address: u64, bytes: u32): Step {
  const base = changetype<usize>(cpu);
  const host = hostFor(cpu, address, bytes, true);
  if (host == 0) return Step.ACCESS;
  const size = bytes >>> 1;
  const compared = d.rm;
  const oldLow = loadBytes(host, size);
  const oldHigh = loadBytes(host + size, size);
  if (oldLow == truncated(readX(base, compared), size) && oldHigh == truncated(readX(base, compared + 1), size)) {
    storeBytes(host, size, readX(base, d.rd));
    storeBytes(host + size, size, readX(base, d.rd + 1));
  }
  writeX(base, compared, oldLow);
  writeX(base, target(compared + 1), oldHigh);
  return Step.NEXT;
}
