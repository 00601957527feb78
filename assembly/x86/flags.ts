// The status flags CF, PF, AF, ZF, SF, OF (SDM 1 3.4.3.1), kept as what they can be computed from:
//
//   FLAG_RESULT   the last result, sign-extended: ZF when it is 0, SF its sign, PF the parity of its low byte
//   FLAG_BITS     bit 0 CF · bit 1 the result is a difference · bit 2 a sum · bit 61 turns PF over · bit 62 OF ·
//                 bit 63 turns SF over
//   FLAG_OPERAND  first operand of the sum or difference, for AF: the carry into bit 4 is bit 4 of x ^ y ^ result, and y
//                 follows from x and the result; where neither bit 1 nor bit 2 is set, AF is bit 4 of this word
//
// In a loop that counts or compares with a clock, each of these words advances by a constant from turn to turn, as
// registers do; a word that mixed the operands bit by bit would not (spin elision).

import {
  FLAG_BITS,
  FLAG_OPERAND,
  FLAG_RESULT,
  RFLAGS_AF,
  RFLAGS_CF,
  RFLAGS_OF,
  RFLAGS_PF,
  RFLAGS_SF,
  RFLAGS_ZF,
  readR,
  writeR,
} from "./cpu.ts";

export const BITS_CF: u64 = 1;
export const BITS_DIFFERENCE: u64 = 2;
export const BITS_SUM: u64 = 4;
export const BITS_PF: u64 = (<u64>1) << 61;
export const BITS_OF: u64 = (<u64>1) << 62;
export const BITS_SF: u64 = (<u64>1) << 63;

// @ts-ignore: decorator
@inline
function setFlags(cpu: usize, result: u64, bits: u64, operand: u64): void {
  writeR(cpu, FLAG_RESULT, result);
  writeR(cpu, FLAG_BITS, bits);
  writeR(cpu, FLAG_OPERAND, operand);
}

// @ts-ignore: decorator
@inline
export function addFlags64(cpu: usize, x: u64, y: u64): u64 {
  const result = x + y;
  const overflow = (((x ^ result) & (y ^ result)) >>> 1) & BITS_OF;
  setFlags(cpu, result, (<u64>(result < x)) | overflow | BITS_SUM, x);
  return result;
}

// @ts-ignore: decorator
@inline
export function addFlags32(cpu: usize, x: u32, y: u32): u64 {
  const result = x + y;
  const overflow = ((<u64>((x ^ result) & (y ^ result))) << 31) & BITS_OF;
  setFlags(cpu, <u64>(<i64>(<i32>result)), (<u64>(result < x)) | overflow | BITS_SUM, <u64>x);
  return <u64>result;
}

// @ts-ignore: decorator
@inline
export function subtractFlags64(cpu: usize, x: u64, y: u64): u64 {
  const result = x - y;
  const overflow = (((x ^ y) & (x ^ result)) >>> 1) & BITS_OF;
  setFlags(cpu, result, (<u64>(x < y)) | overflow | BITS_DIFFERENCE, x);
  return result;
}

// @ts-ignore: decorator
@inline
export function subtractFlags32(cpu: usize, x: u32, y: u32): u64 {
  const result = x - y;
  const overflow = ((<u64>((x ^ y) & (x ^ result))) << 31) & BITS_OF;
  setFlags(cpu, <u64>(<i64>(<i32>result)), (<u64>(x < y)) | overflow | BITS_DIFFERENCE, <u64>x);
  return <u64>result;
}

/** Flags of the logical operations; AF, which the manual leaves undefined, is cleared. */
// @ts-ignore: decorator
@inline
export function logicFlags64(cpu: usize, result: u64): u64 {
  setFlags(cpu, result, 0, 0);
  return result;
}

// @ts-ignore: decorator
@inline
export function logicFlags32(cpu: usize, result: u32): u64 {
  setFlags(cpu, <u64>(<i64>(<i32>result)), 0, 0);
  return <u64>result;
}

// @ts-ignore: decorator
@inline
export function logicFlags8(cpu: usize, result: u32): void {
  setFlags(cpu, <u64>(<i64>(<i8>result)), 0, 0);
}

// @ts-ignore: decorator
@inline
export function subtractFlags8(cpu: usize, a: u32, b: u32): void {
  const x = a & 0xff;
  const y = b & 0xff;
  const result = x - y;
  const overflow = ((<u64>((x ^ y) & (x ^ result))) << 55) & BITS_OF;
  setFlags(cpu, <u64>(<i64>(<i8>result)), (<u64>(x < y)) | overflow | BITS_DIFFERENCE, <u64>x);
}

// Shifts by 1 to width - 1. OF, which the manual defines for a count of 1 only, is what a shift by 1 of the value before
// the last step gives; AF, undefined, is cleared.

// @ts-ignore: decorator
@inline
export function shiftLeftFlags64(cpu: usize, x: u64, count: u32): u64 {
  const result = x << (<u64>count);
  const carry = (x >>> (<u64>(64 - count))) & 1;
  setFlags(cpu, result, carry | (((carry << 62) ^ (result >>> 1)) & BITS_OF), 0);
  return result;
}

// @ts-ignore: decorator
@inline
export function shiftLeftFlags32(cpu: usize, x: u32, count: u32): u64 {
  const result = x << count;
  const carry = <u64>((x >>> (32 - count)) & 1);
  setFlags(cpu, <u64>(<i64>(<i32>result)), carry | (((carry << 62) ^ ((<u64>result) << 31)) & BITS_OF), 0);
  return <u64>result;
}

// @ts-ignore: decorator
@inline
export function shiftRightFlags64(cpu: usize, x: u64, count: u32): u64 {
  const result = x >>> (<u64>count);
  const before = x >>> (<u64>(count - 1));
  setFlags(cpu, result, (before & 1) | ((before >>> 1) & BITS_OF), 0);
  return result;
}

// @ts-ignore: decorator
@inline
export function shiftRightFlags32(cpu: usize, x: u32, count: u32): u64 {
  const result = x >>> count;
  const before = <u64>(x >>> (count - 1));
  setFlags(cpu, <u64>result, (before & 1) | ((before << 31) & BITS_OF), 0);
  return <u64>result;
}

// @ts-ignore: decorator
@inline
export function shiftArithmeticFlags64(cpu: usize, x: u64, count: u32): u64 {
  const result = <u64>((<i64>x) >> (<i64>count));
  setFlags(cpu, result, (x >>> (<u64>(count - 1))) & 1, 0);
  return result;
}

// @ts-ignore: decorator
@inline
export function shiftArithmeticFlags32(cpu: usize, x: u32, count: u32): u64 {
  const result = (<i32>x) >> (<i32>count);
  setFlags(cpu, <u64>(<i64>result), <u64>((x >>> (count - 1)) & 1), 0);
  return <u64>(<u32>result);
}

/** Flags of a result with CF and OF given and AF clear; `result` is sign-extended. */
// @ts-ignore: decorator
@inline
export function resultFlags(cpu: usize, result: u64, carry: u64, overflow: bool): void {
  setFlags(cpu, result, carry | (overflow ? BITS_OF : 0), 0);
}

/** Flags of any addition or subtraction whose carries into each bit are `carries`; `result` is sign-extended. */
// @ts-ignore: decorator
@inline
export function carryFlags(cpu: usize, result: u64, carry: bool, overflow: bool, carries: u64): void {
  setFlags(cpu, result, (<u64>carry) | (overflow ? BITS_OF : 0), carries);
}

/** INC: CF stays. */
// @ts-ignore: decorator
@inline
export function incrementFlags64(cpu: usize, x: u64): u64 {
  const result = x + 1;
  const overflow = ((~x & result) >>> 1) & BITS_OF;
  setFlags(cpu, result, (readR(cpu, FLAG_BITS) & BITS_CF) | overflow | BITS_SUM, x);
  return result;
}

// @ts-ignore: decorator
@inline
export function incrementFlags32(cpu: usize, x: u32): u64 {
  const result = x + 1;
  const overflow = ((<u64>(~x & result)) << 31) & BITS_OF;
  setFlags(cpu, <u64>(<i64>(<i32>result)), (readR(cpu, FLAG_BITS) & BITS_CF) | overflow | BITS_SUM, <u64>x);
  return <u64>result;
}

// @ts-ignore: decorator
@inline
export function decrementFlags64(cpu: usize, x: u64): u64 {
  const result = x - 1;
  const overflow = ((x & ~result) >>> 1) & BITS_OF;
  setFlags(cpu, result, (readR(cpu, FLAG_BITS) & BITS_CF) | overflow | BITS_DIFFERENCE, x);
  return result;
}

// @ts-ignore: decorator
@inline
export function decrementFlags32(cpu: usize, x: u32): u64 {
  const result = x - 1;
  const overflow = ((<u64>(x & ~result)) << 31) & BITS_OF;
  setFlags(cpu, <u64>(<i64>(<i32>result)), (readR(cpu, FLAG_BITS) & BITS_CF) | overflow | BITS_DIFFERENCE, <u64>x);
  return <u64>result;
}

// --- single flags ----------------------------------------------------------------------------------------------------

// @ts-ignore: decorator
@inline
export function carryOf(cpu: usize): u64 {
  return readR(cpu, FLAG_BITS) & BITS_CF;
}

/** Changes CF and no other flag. */
// @ts-ignore: decorator
@inline
export function setCarry(cpu: usize, carry: u64): void {
  writeR(cpu, FLAG_BITS, (readR(cpu, FLAG_BITS) & ~BITS_CF) | carry);
}

/** Changes CF and OF and no other flag. */
export function setCarryAndOverflow(cpu: usize, carry: u64, overflow: bool): void {
  const bits = readR(cpu, FLAG_BITS) & ~(BITS_CF | BITS_OF);
  writeR(cpu, FLAG_BITS, bits | carry | (overflow ? BITS_OF : 0));
}

/** Changes ZF and no other flag. */
export function setZero(cpu: usize, zero: bool): void {
  const flags = readStatus(cpu) & ~RFLAGS_ZF;
  writeStatus(cpu, zero ? flags | RFLAGS_ZF : flags);
}

// @ts-ignore: decorator
@inline
export function zeroOf(cpu: usize): bool {
  return readR(cpu, FLAG_RESULT) == 0;
}

// @ts-ignore: decorator
@inline
export function overflowOf(cpu: usize): bool {
  return (readR(cpu, FLAG_BITS) & BITS_OF) != 0;
}

// @ts-ignore: decorator
@inline
export function signOf(cpu: usize): bool {
  return <i64>(readR(cpu, FLAG_RESULT) ^ readR(cpu, FLAG_BITS)) < 0;
}

/** SF differs from OF. */
// @ts-ignore: decorator
@inline
export function lessOf(cpu: usize): bool {
  const bits = readR(cpu, FLAG_BITS);
  return <i64>(readR(cpu, FLAG_RESULT) ^ bits ^ (bits << 1)) < 0;
}

// @ts-ignore: decorator
@inline
export function parityOf(cpu: usize): bool {
  const ones = popcnt<u32>((<u32>readR(cpu, FLAG_RESULT)) & 0xff) + <u32>(readR(cpu, FLAG_BITS) >>> 61);
  return (ones & 1) == 0;
}

function adjustOf(cpu: usize): u64 {
  const bits = readR(cpu, FLAG_BITS);
  const x = readR(cpu, FLAG_OPERAND);
  const result = readR(cpu, FLAG_RESULT);
  if ((bits & BITS_SUM) != 0) return (x ^ (result - x) ^ result) & RFLAGS_AF;
  if ((bits & BITS_DIFFERENCE) != 0) return (x ^ (x - result) ^ result) & RFLAGS_AF;
  return x & RFLAGS_AF;
}

/** Whether condition tttn holds (SDM 2D B.1.4.7). */
export function conditionHolds(cpu: usize, condition: u32): bool {
  let holds: bool;
  switch (condition >>> 1) {
    case 0:
      holds = overflowOf(cpu);
      break;
    case 1:
      holds = carryOf(cpu) != 0;
      break;
    case 2:
      holds = zeroOf(cpu);
      break;
    case 3:
      holds = carryOf(cpu) != 0 || zeroOf(cpu);
      break;
    case 4:
      holds = signOf(cpu);
      break;
    case 5:
      holds = parityOf(cpu);
      break;
    case 6:
      holds = lessOf(cpu);
      break;
    default:
      holds = lessOf(cpu) || zeroOf(cpu);
      break;
  }
  return (condition & 1) != 0 ? !holds : holds;
}

// --- all flags -------------------------------------------------------------------------------------------------------

/** The six flags at their places in RFLAGS. */
export function readStatus(cpu: usize): u32 {
  let flags = (<u32>carryOf(cpu)) | (<u32>adjustOf(cpu));
  if (parityOf(cpu)) flags |= RFLAGS_PF;
  if (zeroOf(cpu)) flags |= RFLAGS_ZF;
  if (signOf(cpu)) flags |= RFLAGS_SF;
  if (overflowOf(cpu)) flags |= RFLAGS_OF;
  return flags;
}

/** A result that is neither zero nor negative and has even parity. */
const NEUTRAL: u64 = 0x100;

export function writeStatus(cpu: usize, flags: u32): void {
  let bits: u64 = <u64>(flags & RFLAGS_CF);
  if ((flags & RFLAGS_PF) == 0) bits |= BITS_PF;
  if ((flags & RFLAGS_SF) != 0) bits |= BITS_SF;
  if ((flags & RFLAGS_OF) != 0) bits |= BITS_OF;
  setFlags(cpu, (flags & RFLAGS_ZF) != 0 ? 0 : NEUTRAL, bits, <u64>(flags & RFLAGS_AF));
}
