// Shifts and rotates in all widths, by immediate and by CL, and the BMI2 shifts (SDM 2B RCL/RCR/ROL/ROR, SAL/SAR/SHL/SHR,
// SHLD, SHRD, SARX/SHLX/SHRX, RORX).
//
// Flags that the manual leaves undefined: OF for counts other than 1 is computed as the last single step would; AF is
// cleared by shifts; CF of SHL and SHR by more than the width is 0.

import { Cpu } from "../cpu.ts";
import { RCX, readR } from "./cpu.ts";
import { carryOf, resultFlags, setCarryAndOverflow } from "./flags.ts";
import {
  beginModify,
  done,
  finishModify,
  numberOf,
  readReg,
  readRm,
  signExtend,
  truncate,
  writeReg,
} from "./operand.ts";
import { BmiShift, Extra, Op, X86 } from "./operations.ts";
import { Step } from "./step.ts";

/** Kinds as encoded in group 2. */
enum Shift {
  ROL = 0,
  ROR = 1,
  RCL = 2,
  RCR = 3,
  SHL = 4,
  SHR = 5,
  SAL = 6,
  SAR = 7,
}

export function executeShift(cpu: Cpu, d: X86, operation: i32): Step {
  if (operation == Op.BMI_SHIFT) return shiftWithoutFlags(cpu, d);
  const value = beginModify(cpu, d);
  if (!done) return Step.ACCESS;
  const count = countOf(cpu, d);
  let result = value;
  if (count != 0) {
    if (operation == Op.DOUBLE_SHIFT) result = doubleShift(cpu, d, value, count);
    else result = shift(changetype<usize>(cpu), numberOf(d), d.size, value, count);
  }
  return finishModify(cpu, d, result) ? Step.NEXT : Step.ACCESS;
}

/** The count, modulo 32, or 64 for 64-bit operands. */
function countOf(cpu: Cpu, d: X86): u32 {
  const mask: u32 = d.size == 8 ? 63 : 31;
  const count = (d.extra & (<u16>Extra.COUNT_CL)) != 0 ? <u32>readR(changetype<usize>(cpu), RCX) : <u32>d.immediate;
  return count & mask;
}

/** @param value zero-extended */
function shift(cpu: usize, kind: u32, size: u32, value: u64, count: u32): u64 {
  switch (kind) {
    case Shift.ROL:
    case Shift.ROR:
      return rotate(cpu, kind, size, value, count);
    case Shift.RCL:
      return rotateThroughCarryLeft(cpu, size, value, count);
    case Shift.RCR:
      return rotateThroughCarryRight(cpu, size, value, count);
    case Shift.SHR: {
      const before = value >>> (<u64>(count - 1));
      return shifted(cpu, size, before, before >>> 1, before & 1);
    }
    case Shift.SAR: {
      const before = (<i64>signExtend(value, size)) >> (<i64>(count - 1));
      return shifted(cpu, size, <u64>before, <u64>(before >> 1), <u64>(before & 1));
    }
    default: {
      const steps = <u64>(count - 1);
      const before = value << steps;
      return shifted(cpu, size, before, before << 1, (before >>> topBit(size)) & 1);
    }
  }
}

// @ts-ignore: decorator
@inline
function topBit(size: u32): u64 {
  return ((<u64>size) << 3) - 1;
}

/** Flags of a shift whose last step went from `before` to `after`. OF: that step changed the sign. */
function shifted(cpu: usize, size: u32, before: u64, after: u64, carry: u64): u64 {
  const top = topBit(size);
  resultFlags(cpu, signExtend(after, size), carry, (((before ^ after) >>> top) & 1) != 0);
  return truncate(after, size);
}

/** ROL, ROR: CF is the bit that moved around; OF as for a count of 1. */
function rotate(cpu: usize, kind: u32, size: u32, value: u64, count: u32): u64 {
  const bits = size << 3;
  const top = topBit(size);
  const distance = <u64>(kind == Shift.ROL ? count % bits : (bits - (count % bits)) % bits);
  const result = distance == 0 ? value : truncate((value << distance) | (value >>> (<u64>bits - distance)), size);
  const sign = (result >>> top) & 1;
  if (kind == Shift.ROL) setCarryAndOverflow(cpu, result & 1, (result & 1) != sign);
  else setCarryAndOverflow(cpu, sign, sign != ((result >>> (top - 1)) & 1));
  return result;
}

/** RCL: one step after the other; counts are at most 63. OF is what the whole rotation did to the sign. */
function rotateThroughCarryLeft(cpu: usize, size: u32, value: u64, count: u32): u64 {
  const top = topBit(size);
  let carry = carryOf(cpu);
  let result = value;
  for (let steps = throughCarryCount(size, count); steps != 0; steps--) {
    const out = (result >>> top) & 1;
    result = truncate((result << 1) | carry, size);
    carry = out;
  }
  // A whole turn leaves the flags alone too, as a count of 0 does.
  if (throughCarryCount(size, count) != 0) {
    setCarryAndOverflow(cpu, carry, ((result >>> top) & 1) != carry);
  }
  return result;
}

function rotateThroughCarryRight(cpu: usize, size: u32, value: u64, count: u32): u64 {
  const top = topBit(size);
  let carry = carryOf(cpu);
  let result = value;
  for (let steps = throughCarryCount(size, count); steps != 0; steps--) {
    const out = result & 1;
    result = (result >>> 1) | (carry << top);
    carry = out;
  }
  if (throughCarryCount(size, count) != 0) {
    setCarryAndOverflow(cpu, carry, (((result >>> top) ^ (result >>> (top - 1))) & 1) != 0);
  }
  return result;
}

/** Counts of 8-bit and 16-bit RCL and RCR are taken modulo 9 and 17. */
function throughCarryCount(size: u32, count: u32): u32 {
  return size == 1 ? count % 9 : size == 2 ? count % 17 : count;
}

/** SHLD, SHRD. 16 bits by more than 16, which is undefined, goes on with the destination behind the source. */
function doubleShift(cpu: Cpu, d: X86, value: u64, count: u32): u64 {
  const base = changetype<usize>(cpu);
  const size = <u32>d.size;
  const bits = (<u64>size) << 3;
  const fill = readReg(base, d);
  const right = numberOf(d) != 0;
  const before = right ? joinRight(value, fill, bits, count - 1) : joinLeft(value, fill, bits, count - 1);
  const after = right ? joinRight(value, fill, bits, count) : joinLeft(value, fill, bits, count);
  return shifted(base, size, before, after, right ? before & 1 : (before >>> topBit(size)) & 1);
}

/** The upper part of value:fill shifted left. */
function joinLeft(value: u64, fill: u64, bits: u64, count: u32): u64 {
  const distance = <u64>count;
  if (distance == 0) return value;
  if (bits != 16) return (value << distance) | (fill >>> (bits - distance));
  const joined = (value << 32) | (fill << 16) | value;
  return (joined << distance) >>> 32;
}

/** The lower part of fill:value shifted right. */
function joinRight(value: u64, fill: u64, bits: u64, count: u32): u64 {
  const distance = <u64>count;
  if (distance == 0) return value;
  if (bits != 16) return (value >>> distance) | (fill << (bits - distance));
  const joined = (value << 32) | (fill << 16) | value;
  return joined >>> distance;
}

/** SARX, SHLX, SHRX by a register, RORX by an immediate. */
function shiftWithoutFlags(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const value = readRm(cpu, d);
  if (!done) return Step.ACCESS;
  const kind = numberOf(d);
  const mask: u64 = d.size == 8 ? 63 : 31;
  const count = (kind == BmiShift.RORX ? <u64>d.immediate : readR(base, d.immediate)) & mask;
  let result: u64;
  switch (kind) {
    case BmiShift.RORX:
      result = d.size == 8 ? rotr<u64>(value, count) : <u64>rotr<u32>(<u32>value, <u32>count);
      break;
    case BmiShift.SARX:
      result = <u64>((<i64>signExtend(value, d.size)) >> (<i64>count));
      break;
    case BmiShift.SHLX:
      result = value << count;
      break;
    default:
      result = value >>> count;
      break;
  }
  writeReg(base, d, result);
  return Step.NEXT;
}
