// A64 loads and stores with writeback, register offsets, sign extension, pairs and literals (Arm ARM DDI 0487 C3.2).

import { Cpu } from "../cpu.ts";
import {
  Access,
  checkRights,
  closeJournal,
  journaledRead,
  journaledWrite,
  openJournal,
  outcome,
  readSlow,
  writeSlow,
} from "../memory/access.ts";
import { readX, writeX } from "./cpu.ts";
import {
  ACCESS_AMOUNT_SHIFT,
  ACCESS_MODE_SHIFT,
  ACCESS_OPTION_SHIFT,
  ACCESS_SIGNED,
  ACCESS_WIDE,
} from "./decodeLoadStore.ts";
import { extend } from "./integer.ts";
import { A64, AddressMode, Op } from "./operations.ts";
import { Step } from "./step.ts";

export function executeMemory(cpu: Cpu, d: A64, operation: i32): Step {
  switch (operation) {
    case Op.LOAD:
      return loadOne(cpu, d);
    case Op.STORE:
      return storeOne(cpu, d);
    case Op.LOAD_PAIR:
      return loadPair(cpu, d);
    case Op.STORE_PAIR:
      return storePair(cpu, d);
    case Op.LOAD_LITERAL:
      return loadLiteral(cpu, d);
    default: // PREFETCH: a hint without effect on what is modelled
      return Step.NEXT;
  }
}

/** AddressMode of a LOAD, STORE or a pair. */
export function modeOf(d: A64): AddressMode {
  if (isPair64(d)) return d.extra;
  return (d.extra >>> ACCESS_MODE_SHIFT) & 3;
}

function isPair64(d: A64): bool {
  return d.operation == <u16>Op.LOAD_PAIR64 || d.operation == <u16>Op.STORE_PAIR64;
}

/** Address of a LOAD, STORE or pair, before any writeback. */
export function addressOf(cpu: usize, d: A64): u64 {
  const bottom = readX(cpu, d.rn);
  switch (modeOf(d)) {
    case AddressMode.POST_INDEX:
      return bottom;
    case AddressMode.REGISTER: {
      const offset = extend(readX(cpu, d.rm), (d.extra >>> ACCESS_OPTION_SHIFT) & 7);
      return bottom + (offset << <u64>((d.extra >>> ACCESS_AMOUNT_SHIFT) & 3));
    }
    default:
      return bottom + <u64>d.immediate;
  }
}

function writeBack(cpu: usize, d: A64): void {
  const mode = modeOf(d);
  if (mode == AddressMode.PRE_INDEX || mode == AddressMode.POST_INDEX) {
    writeX(cpu, d.rn, readX(cpu, d.rn) + <u64>d.immediate);
  }
}

/** What a load of the described kind puts into its register. */
function extended(value: u64, description: u32): u64 {
  if ((description & ACCESS_SIGNED) == 0) return value;
  const shift = <i64>(64 - (8 << (description & 3)));
  const wide = (<i64>value << shift) >> shift;
  return (description & ACCESS_WIDE) != 0 ? <u64>wide : <u64>(<u32>wide);
}

function loadOne(cpu: Cpu, d: A64): Step {
  const base = changetype<usize>(cpu);
  const value = readSlow(cpu, addressOf(base, d), 1 << (d.extra & 3));
  if (outcome() != Access.DONE) return Step.ACCESS;
  // A writeback to the loaded register is CONSTRAINED UNPREDICTABLE: the base wins here.
  const loaded = extended(value, d.extra);
  const bottom = readX(base, d.rn) + <u64>d.immediate;
  writeX(base, d.rd, loaded);
  const mode = modeOf(d);
  if (mode == AddressMode.PRE_INDEX || mode == AddressMode.POST_INDEX) writeX(base, d.rn, bottom);
  return Step.NEXT;
}

function storeOne(cpu: Cpu, d: A64): Step {
  const base = changetype<usize>(cpu);
  writeSlow(cpu, addressOf(base, d), 1 << (d.extra & 3), readX(base, d.rd));
  if (outcome() != Access.DONE) return Step.ACCESS;
  writeBack(base, d);
  return Step.NEXT;
}

/** Bytes of one element. */
function elementBytes(d: A64): u32 {
  return isPair64(d) ? 8 : 4;
}

function loadPair(cpu: Cpu, d: A64): Step {
  const base = changetype<usize>(cpu);
  const address = addressOf(base, d);
  const size = elementBytes(d);
  if (!checkRights(address, 2 * size, false)) return Step.ACCESS;
  openJournal();
  const first = journaledRead(cpu, address, size);
  if (outcome() != Access.DONE) return Step.ACCESS;
  const second = journaledRead(cpu, address + size, size);
  if (outcome() != Access.DONE) return Step.ACCESS;
  closeJournal(cpu);
  const description = isPair64(d) ? 3 : d.extra;
  const bottom = readX(base, d.rn) + <u64>d.immediate;
  writeX(base, d.rd, extended(first, description));
  writeX(base, d.ra, extended(second, description));
  const mode = modeOf(d);
  if (mode == AddressMode.PRE_INDEX || mode == AddressMode.POST_INDEX) writeX(base, d.rn, bottom);
  return Step.NEXT;
}

function storePair(cpu: Cpu, d: A64): Step {
  const base = changetype<usize>(cpu);
  const address = addressOf(base, d);
  const size = elementBytes(d);
  if (!checkRights(address, 2 * size, true)) return Step.ACCESS;
  openJournal();
  journaledWrite(cpu, address, size, readX(base, d.rd));
  if (outcome() != Access.DONE) return Step.ACCESS;
  journaledWrite(cpu, address + size, size, readX(base, d.ra));
  if (outcome() != Access.DONE) return Step.ACCESS;
  closeJournal(cpu);
  writeBack(base, d);
  return Step.NEXT;
}

function loadLiteral(cpu: Cpu, d: A64): Step {
  const value = readSlow(cpu, cpu.pc + <u64>d.immediate, 1 << (d.extra & 3));
  if (outcome() != Access.DONE) return Step.ACCESS;
  writeX(changetype<usize>(cpu), d.rd, extended(value, d.extra));
  return Step.NEXT;
}
