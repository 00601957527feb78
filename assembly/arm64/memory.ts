// A64 plain loads and stores: all addressing modes, sign extension, pairs, literals, accesses that miss, fault or cross a
// line (Arm ARM DDI 0487 C3.2).

import { LINE_BYTES } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import {
  Access,
  checkRights,
  closeJournal,
  journaledRead,
  journaledWrite,
  loadBytes,
  locate,
  openJournal,
  outcome,
  readSlow,
  storeBytes,
  writeSlow,
} from "../memory/access.ts";
import { readable, writable } from "../memory/copies.ts";
import { readX, writeX } from "./cpu.ts";
import { ACCESS_MODE_SHIFT, ACCESS_OPTION_SHIFT, ACCESS_SIGNED, ACCESS_WIDE } from "./decodeLoadStore.ts";
import { extend } from "./integer.ts";
import { A64, AddressMode, Op } from "./operations.ts";
import { Step } from "./step.ts";

export function executeMemory(cpu: Cpu, d: A64, operation: i32): Step {
  switch (operation) {
    case Op.LOAD:
      return loadOne(cpu, d, addressOf(changetype<usize>(cpu), d));
    case Op.STORE:
      return storeOne(cpu, d);
    case Op.LOAD_PAIR:
      return loadPair(cpu, d);
    case Op.STORE_PAIR:
      return storePair(cpu, d);
    case Op.LOAD_LITERAL:
      return loadOne(cpu, d, cpu.pc + <u64>d.immediate);
    default:
      return zeroLine(cpu, d);
  }
}

/** Loads of one register, other than ordered, exclusive and literal ones. */
export function isLoad(operation: i32): bool {
  return operation == Op.LOAD || (operation >= Op.LOAD64 && operation <= Op.STORE_INDEXED8 && !isSecondFour(operation));
}

/** Stores likewise. */
export function isStore(operation: i32): bool {
  return operation == Op.STORE || (operation >= Op.LOAD64 && operation <= Op.STORE_INDEXED8 && isSecondFour(operation));
}

/** Of each eight, four load and four store (operations.ts). */
function isSecondFour(operation: i32): bool {
  return ((operation - Op.LOAD64) & 4) != 0;
}

/** AddressMode of a load, a store or a pair. */
// @ts-ignore: decorator
@inline
export function modeOf(d: A64): AddressMode {
  return (d.extra >>> ACCESS_MODE_SHIFT) & 3;
}

/** Address of a load, a store or a pair, before any writeback. */
export function addressOf(cpu: usize, d: A64): u64 {
  const bottom = readX(cpu, d.rn);
  switch (modeOf(d)) {
    case AddressMode.POST_INDEX:
      return bottom;
    case AddressMode.REGISTER: {
      const offset = extend(readX(cpu, d.rm), (d.extra >>> ACCESS_OPTION_SHIFT) & 7);
      return bottom + (offset << (<u64>d.immediate));
    }
    default:
      return bottom + <u64>d.immediate;
  }
}

/** Moves the base register when the addressing mode asks for it; `bottom` is what it held before the access. */
// @ts-ignore: decorator
@inline
function writeBack(cpu: usize, d: A64, bottom: u64): void {
  const mode = modeOf(d);
  if (mode == AddressMode.PRE_INDEX || mode == AddressMode.POST_INDEX) writeX(cpu, d.rn, bottom + <u64>d.immediate);
}

/** What a load of the described kind puts into its register. */
function extended(value: u64, description: u32): u64 {
  if ((description & ACCESS_SIGNED) == 0) return value;
  const shift = <i64>(64 - (8 << (description & 3)));
  const wide = ((<i64>value) << shift) >> shift;
  return (description & ACCESS_WIDE) != 0 ? <u64>wide : <u64>(<u32>wide);
}

/** A writeback to the loaded register is CONSTRAINED UNPREDICTABLE: the base wins here. */
function loadOne(cpu: Cpu, d: A64, address: u64): Step {
  const base = changetype<usize>(cpu);
  const size: u32 = 1 << (d.extra & 3);
  const bottom = readX(base, d.rn);
  const host = readable(base, address, size);
  let value: u64;
  if (host != 0) {
    value = loadBytes(host, size);
  } else {
    value = readSlow(cpu, address, size);
    if (outcome() != Access.DONE) return Step.ACCESS;
  }
  writeX(base, d.rd, extended(value, d.extra));
  writeBack(base, d, bottom);
  return Step.NEXT;
}

function storeOne(cpu: Cpu, d: A64): Step {
  const base = changetype<usize>(cpu);
  const size: u32 = 1 << (d.extra & 3);
  const address = addressOf(base, d);
  const host = writable(base, address, size);
  if (host != 0) {
    storeBytes(host, size, readX(base, d.rd));
  } else {
    writeSlow(cpu, address, size, readX(base, d.rd));
    if (outcome() != Access.DONE) return Step.ACCESS;
  }
  writeBack(base, d, readX(base, d.rn));
  return Step.NEXT;
}

/** The two registers are two accesses: another CPU's store may come between them when they lie in two lines. */
function loadPair(cpu: Cpu, d: A64): Step {
  const base = changetype<usize>(cpu);
  const size: u32 = 1 << (d.extra & 3);
  const address = addressOf(base, d);
  const bottom = readX(base, d.rn);
  let first: u64;
  let second: u64;
  const host = readable(base, address, 2 * size);
  if (host != 0) {
    first = loadBytes(host, size);
    second = loadBytes(host + size, size);
  } else {
    if (!checkRights(address, 2 * size, false)) return Step.ACCESS;
    openJournal();
    first = journaledRead(cpu, address, size);
    if (outcome() != Access.DONE) return Step.ACCESS;
    second = journaledRead(cpu, address + size, size);
    if (outcome() != Access.DONE) return Step.ACCESS;
    closeJournal(cpu);
  }
  writeX(base, d.rd, extended(first, d.extra));
  writeX(base, d.ra, extended(second, d.extra));
  writeBack(base, d, bottom);
  return Step.NEXT;
}

function storePair(cpu: Cpu, d: A64): Step {
  const base = changetype<usize>(cpu);
  const size: u32 = 1 << (d.extra & 3);
  const address = addressOf(base, d);
  const host = writable(base, address, 2 * size);
  if (host != 0) {
    storeBytes(host, size, readX(base, d.rd));
    storeBytes(host + size, size, readX(base, d.ra));
  } else {
    if (!checkRights(address, 2 * size, true)) return Step.ACCESS;
    openJournal();
    journaledWrite(cpu, address, size, readX(base, d.rd));
    if (outcome() != Access.DONE) return Step.ACCESS;
    journaledWrite(cpu, address + size, size, readX(base, d.ra));
    if (outcome() != Access.DONE) return Step.ACCESS;
    closeJournal(cpu);
  }
  writeBack(base, d, readX(base, d.rn));
  return Step.NEXT;
}

/** DC ZVA: zeroes the block, here a line, that holds the address (C5.3.10). */
function zeroLine(cpu: Cpu, d: A64): Step {
  const address = readX(changetype<usize>(cpu), d.rn);
  const host = locate(cpu, address, true);
  if (host == 0) return Step.ACCESS;
  memory.fill(host & ~(<usize>LINE_BYTES - 1), 0, LINE_BYTES);
  return Step.NEXT;
}
