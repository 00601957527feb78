// Bit tests, scans, counts, and the bit manipulation of BMI1 and BMI2 (SDM 2A BT..BTS, BSF, BSR, 2B LZCNT, POPCNT, 2B/2D
// TZCNT, ANDN, BEXTR, BLSI, BLSMSK, BLSR, BZHI, PDEP, PEXT).
//
// Flags that the manual leaves undefined: BT and its kin leave them alone; scans and counts clear them, except SF and PF
// of BSF and BSR, which are those of the source.

import { Cpu } from "../cpu.ts";
import { RFLAGS_CF, RFLAGS_ZF, readR, writeR } from "./cpu.ts";
import { logicFlags64, resultFlags, setCarry, writeStatus } from "./flags.ts";
import {
  beginModify,
  beginModifyAt,
  done,
  finishModify,
  isMemory,
  numberOf,
  operandAddress,
  readMemory,
  readPart,
  readRm,
  signExtend,
  truncate,
  writeReg,
} from "./operand.ts";
import { Bmi, Extra, Op, X86 } from "./operations.ts";
import { Step } from "./step.ts";

export function executeBits(cpu: Cpu, d: X86, operation: i32): Step {
  if (operation == Op.BIT_TEST) return bitTest(cpu, d);
  const source = readRm(cpu, d);
  if (!done) return Step.ACCESS;
  if (operation == Op.CRC32) accumulate(changetype<usize>(cpu), d, source);
  else if (operation == Op.BMI) manipulate(changetype<usize>(cpu), d, source);
  else count(changetype<usize>(cpu), d, operation, source);
  return Step.NEXT;
}

enum BitTest {
  BT = 0,
  BTS = 1,
  BTR = 2,
  BTC = 3,
}

/** With a register offset and a memory operand the bit may lie anywhere: the offset is signed and counts from the operand. */
function bitTest(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const kind = numberOf(d);
  const isImmediate = (d.extra & (<u16>Extra.IMMEDIATE)) != 0;
  const offset = isImmediate ? <i64>d.immediate : <i64>signExtend(readR(base, d.reg), d.size);
  const bit = (<u64>offset) & (((<u64>d.size) << 3) - 1);
  let address: u64 = 0;
  if (isMemory(d)) {
    address = operandAddress(cpu, d);
    if (!isImmediate) address += <u64>((offset >> (<i64>(3 + ctz(<u32>d.size)))) * <i64>d.size);
  }
  if (kind == BitTest.BT) {
    const value = isMemory(d) ? readMemory(cpu, address, d.size) : readPart(base, d.rm, d.size, false);
    if (isMemory(d) && !done) return Step.ACCESS;
    setCarry(base, (value >>> bit) & 1);
    return Step.NEXT;
  }
  const value = isMemory(d) ? beginModifyAt(cpu, d, address) : beginModify(cpu, d);
  if (!done) return Step.ACCESS;
  const mask = (<u64>1) << bit;
  const result = kind == BitTest.BTS ? value | mask : kind == BitTest.BTR ? value & ~mask : value ^ mask;
  setCarry(base, (value >>> bit) & 1);
  return finishModify(cpu, d, result) ? Step.NEXT : Step.ACCESS;
}

function count(cpu: usize, d: X86, operation: i32, source: u64): void {
  const bits = (<u64>d.size) << 3;
  switch (operation) {
    case Op.BSF:
    case Op.BSR:
      // A source of zero leaves the destination unchanged, all 64 bits of it (SDM 2A, rev. 083: BSF).
      logicFlags64(cpu, signExtend(source, d.size));
      if (source != 0) writeReg(cpu, d, operation == Op.BSF ? ctz(source) : 63 - clz(source));
      break;
    case Op.POPCNT:
      writeReg(cpu, d, popcnt(source));
      writeStatus(cpu, source == 0 ? RFLAGS_ZF : 0);
      break;
    default: {
      // TZCNT, LZCNT: of zero, the width
      const result = source == 0 ? bits : operation == Op.TZCNT ? ctz(source) : clz(source) - (64 - bits);
      writeReg(cpu, d, result);
      writeStatus(cpu, (source == 0 ? RFLAGS_CF : 0) | (result == 0 ? RFLAGS_ZF : 0));
      break;
    }
  }
}

/** CRC-32C's polynomial, bits reflected (SDM 2A CRC32). */
const POLYNOMIAL: u32 = 0x82f6_3b78;

/** CRC32: the destination's lower half goes on, its upper half is cleared; no flags. */
function accumulate(cpu: usize, d: X86, source: u64): void {
  let crc = <u32>readR(cpu, d.reg);
  for (let byte: u32 = 0; byte < d.size; byte++) {
    crc ^= (<u32>(source >>> ((<u64>byte) << 3))) & 0xff;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
  }
  writeR(cpu, d.reg, <u64>crc);
}

/** `immediate` names the word of VEX.vvvv. */
function manipulate(cpu: usize, d: X86, source: u64): void {
  const kind = numberOf(d);
  const second = readPart(cpu, d.immediate, d.size, false);
  let result: u64;
  let carry: u64 = 0;
  switch (kind) {
    case Bmi.PEXT:
    case Bmi.PDEP:
      // No flags. The mask is rm, the source VEX.vvvv.
      writeReg(cpu, d, kind == Bmi.PEXT ? extract(second, source) : deposit(second, source));
      return;
    case Bmi.ANDN:
      result = truncate(~second & source, d.size);
      break;
    case Bmi.BLSR:
      result = source & (source - 1);
      carry = source == 0 ? 1 : 0;
      break;
    case Bmi.BLSMSK:
      result = truncate(source ^ (source - 1), d.size);
      carry = source == 0 ? 1 : 0;
      break;
    case Bmi.BLSI:
      result = source & (0 - source);
      carry = source != 0 ? 1 : 0;
      break;
    case Bmi.BZHI: {
      const index = second & 0xff;
      const isLong = index >= (<u64>d.size) << 3;
      result = isLong ? source : source & ~(u64.MAX_VALUE << index);
      carry = isLong ? 1 : 0;
      break;
    }
    default: // BEXTR
      result = field(source, (<u32>second) & 0xff, (<u32>(second >>> 8)) & 0xff);
      break;
  }
  writeReg(cpu, d, result);
  resultFlags(cpu, signExtend(result, d.size), carry, false);
}

/** `length` bits of a value from bit `start` on. */
function field(value: u64, start: u32, length: u32): u64 {
  if (start > 63) return 0;
  const shifted = value >>> (<u64>start);
  return length > 63 ? shifted : shifted & ~(u64.MAX_VALUE << (<u64>length));
}

function extract(source: u64, mask: u64): u64 {
  let result: u64 = 0;
  let place: u64 = 0;
  for (let rest = mask; rest != 0; rest &= rest - 1) {
    result |= ((source >>> ctz(rest)) & 1) << place;
    place++;
  }
  return result;
}

function deposit(source: u64, mask: u64): u64 {
  let result: u64 = 0;
  let place: u64 = 0;
  for (let rest = mask; rest != 0; rest &= rest - 1) {
    result |= ((source >>> place) & 1) << ctz(rest);
    place++;
  }
  return result;
}
