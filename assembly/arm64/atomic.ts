// A64 ordered, exclusive and atomic accesses (Arm ARM DDI 0487 C3.2.6 to C3.2.12, B2.12 for the monitors).
//
// Loads and stores happen in program order and at once in this version, so acquire and release add nothing to them.

import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { Access, checkRights, loadBytes, locate, outcome, readSlow, storeBytes, writeSlow } from "../memory/access.ts";
import { lineOf } from "../memory/map.ts";
import { unwatchLine, watchLine } from "../time/watch.ts";
import { arm64, readX, writeX } from "./cpu.ts";
import { ATOMIC_SWAP, EXCLUSIVE_PAIR } from "./decodeLoadStore.ts";
import { alignmentFault } from "./exception.ts";
import { A64, Op } from "./operations.ts";
import { Step } from "./step.ts";

export function executeAtomic(cpu: Cpu, d: A64, operation: i32): Step {
  const base = changetype<usize>(cpu);
  const address = readX(base, d.rn);
  const size: u32 = 1 << (d.extra & 3);
  const pair = operation == Op.COMPARE_AND_SWAP_PAIR || (isExclusive(operation) && (d.extra & EXCLUSIVE_PAIR) != 0);
  const bytes = pair ? size << 1 : size;
  if (operation == Op.CLREX) {
    openMonitor(cpu);
    return Step.NEXT;
  }
  if ((address & (bytes - 1)) != 0) {
    if (changetype<usize>(cpu) == machine().shadow) return Step.REFUSED;
    alignmentFault(cpu, address, operation != Op.LOAD_ACQUIRE && operation != Op.LOAD_EXCLUSIVE);
    return Step.EXCEPTION;
  }
  switch (operation) {
    case Op.LOAD_ACQUIRE: {
      const value = readSlow(cpu, address, size);
      if (outcome() != Access.DONE) return Step.ACCESS;
      writeX(base, d.rd, value);
      return Step.NEXT;
    }
    case Op.STORE_RELEASE:
      writeSlow(cpu, address, size, readX(base, d.rd));
      return outcome() == Access.DONE ? Step.NEXT : Step.ACCESS;
    case Op.LOAD_EXCLUSIVE:
      return loadExclusive(cpu, d, address, size, bytes);
    case Op.STORE_EXCLUSIVE:
      return storeExclusive(cpu, d, address, size, bytes);
    case Op.ATOMIC:
      return atomic(cpu, d, address, size);
    case Op.COMPARE_AND_SWAP:
      return compareAndSwap(cpu, d, address, size);
    default:
      return compareAndSwapPair(cpu, d, address, size);
  }
}

function isExclusive(operation: i32): bool {
  return operation == Op.LOAD_EXCLUSIVE || operation == Op.STORE_EXCLUSIVE;
}

/** Opens the local monitor: the next exclusive store fails. */
export function openMonitor(cpu: Cpu): void {
  arm64(cpu).exclusiveSize = 0;
  unwatchLine(cpu);
}

function loadExclusive(cpu: Cpu, d: A64, address: u64, size: u32, bytes: u32): Step {
  const base = changetype<usize>(cpu);
  const host = locate(cpu, address, false);
  if (host == 0) return Step.ACCESS;
  const state = arm64(cpu);
  state.exclusiveAddress = address;
  state.exclusiveSize = bytes;
  watchLine(cpu, lineOf(address));
  writeX(base, d.rd, loadBytes(host, size));
  if (bytes != size) writeX(base, d.ra, loadBytes(host + size, size));
  return Step.NEXT;
}

/** Status 0 and a store when the monitor still holds the same bytes, else status 1 (C6.2.395). Clears the monitor. */
function storeExclusive(cpu: Cpu, d: A64, address: u64, size: u32, bytes: u32): Step {
  const base = changetype<usize>(cpu);
  const state = arm64(cpu);
  let status: u64 = 1;
  if (!checkRights(address, bytes, true)) return Step.ACCESS;
  if (state.exclusiveSize == bytes && state.exclusiveAddress == address) {
    const host = locate(cpu, address, true);
    if (host == 0) return Step.ACCESS;
    const first = readX(base, d.rd);
    storeBytes(host, size, first);
    if (bytes != size) storeBytes(host + size, size, readX(base, d.ra));
    status = 0;
  }
  openMonitor(cpu);
  writeX(base, d.rm, status);
  return Step.NEXT;
}

function atomic(cpu: Cpu, d: A64, address: u64, size: u32): Step {
  const base = changetype<usize>(cpu);
  const host = locate(cpu, address, true);
  if (host == 0) return Step.ACCESS;
  const old = loadBytes(host, size);
  storeBytes(host, size, combine(d.extra >>> 4, old, readX(base, d.rm), size));
  writeX(base, d.rd, old);
  return Step.NEXT;
}

/** MemAtomic(): operations numbered as encoded in o3:opc. */
function combine(operation: u32, old: u64, operand: u64, size: u32): u64 {
  const shift = <i64>(64 - (size << 3));
  const signedOld = (<i64>old << shift) >> shift;
  const signedOperand = (<i64>operand << shift) >> shift;
  const unsignedOperand = (operand << <u64>shift) >>> <u64>shift;
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

/** `ra` receives the old value, `rm` holds the value to compare with: one register, but XZR differs. */
function compareAndSwap(cpu: Cpu, d: A64, address: u64, size: u32): Step {
  const base = changetype<usize>(cpu);
  const host = locate(cpu, address, true);
  if (host == 0) return Step.ACCESS;
  const shift = <u64>(64 - (size << 3));
  const old = loadBytes(host, size);
  if (old == (readX(base, d.rm) << shift) >>> shift) storeBytes(host, size, readX(base, d.rd));
  writeX(base, d.ra, old);
  return Step.NEXT;
}

function compareAndSwapPair(cpu: Cpu, d: A64, address: u64, size: u32): Step {
  const base = changetype<usize>(cpu);
  const host = locate(cpu, address, true);
  if (host == 0) return Step.ACCESS;
  const first = (d.raw >>> 16) & 30;
  const shift = <u64>(64 - (size << 3));
  const oldLow = loadBytes(host, size);
  const oldHigh = loadBytes(host + size, size);
  const newRegister = d.raw & 30;
  if (
    oldLow == (readX(base, first) << shift) >>> shift &&
    oldHigh == (readX(base, pairSlot(first)) << shift) >>> shift
  ) {
    storeBytes(host, size, readX(base, newRegister));
    storeBytes(host + size, size, readX(base, pairSlot(newRegister)));
  }
  writeX(base, first, oldLow);
  if (first != 30) writeX(base, first + 1, oldHigh);
  return Step.NEXT;
}

/** The odd register of a pair; behind X30 stands XZR, whose slot reads as zero. */
function pairSlot(even: u32): u32 {
  return even + 1;
}
