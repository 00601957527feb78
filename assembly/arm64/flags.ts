// Condition flags: AddWithCarry(), the logical operations' flags, ConditionHolds() (Arm ARM DDI 0487, shared/functions).

import { CARRY_SLOT, OVERFLOW_SLOT, SIGN_RESULT_SLOT, ZERO_RESULT_SLOT, readX, writeX } from "./cpu.ts";

// @ts-ignore: decorator
@inline
function setResult(cpu: usize, result: u64): void {
  writeX(cpu, ZERO_RESULT_SLOT, result);
  writeX(cpu, SIGN_RESULT_SLOT, result);
}

// @ts-ignore: decorator
@inline
function setFlags(cpu: usize, result: u64, carry: bool, overflow: bool): void {
  setResult(cpu, result);
  writeX(cpu, CARRY_SLOT, carry ? 1 : 0);
  writeX(cpu, OVERFLOW_SLOT, overflow ? 1 : 0);
}

/** AddWithCarry() for x + y. */
// @ts-ignore: decorator
@inline
export function addFlags64(cpu: usize, x: u64, y: u64): u64 {
  const result = x + y;
  setFlags(cpu, result, result < x, <i64>((x ^ result) & (y ^ result)) < 0);
  return result;
}

// @ts-ignore: decorator
@inline
export function addFlags32(cpu: usize, x: u32, y: u32): u64 {
  const result = x + y;
  setFlags(cpu, <u64>(<i64>(<i32>result)), result < x, <i32>((x ^ result) & (y ^ result)) < 0);
  return <u64>result;
}

/** AddWithCarry() for x + NOT(y) + 1. */
// @ts-ignore: decorator
@inline
export function subtractFlags64(cpu: usize, x: u64, y: u64): u64 {
  const result = x - y;
  setFlags(cpu, result, x >= y, <i64>((x ^ y) & (x ^ result)) < 0);
  return result;
}

// @ts-ignore: decorator
@inline
export function subtractFlags32(cpu: usize, x: u32, y: u32): u64 {
  const result = x - y;
  setFlags(cpu, <u64>(<i64>(<i32>result)), x >= y, <i32>((x ^ y) & (x ^ result)) < 0);
  return <u64>result;
}

// @ts-ignore: decorator
@inline
export function logicFlags64(cpu: usize, result: u64): u64 {
  setFlags(cpu, result, false, false);
  return result;
}

// @ts-ignore: decorator
@inline
export function logicFlags32(cpu: usize, result: u32): u64 {
  setFlags(cpu, <u64>(<i64>(<i32>result)), false, false);
  return <u64>result;
}

/** ConditionHolds() (Arm ARM, shared/functions/system). */
export function conditionHolds(cpu: usize, condition: u32): bool {
  let holds: bool;
  switch (condition >>> 1) {
    case 0:
      holds = readX(cpu, ZERO_RESULT_SLOT) == 0;
      break;
    case 1:
      holds = readX(cpu, CARRY_SLOT) != 0;
      break;
    case 2:
      holds = <i64>readX(cpu, SIGN_RESULT_SLOT) < 0;
      break;
    case 3:
      holds = readX(cpu, OVERFLOW_SLOT) != 0;
      break;
    case 4:
      holds = readX(cpu, CARRY_SLOT) != 0 && readX(cpu, ZERO_RESULT_SLOT) != 0;
      break;
    case 5:
      holds = readX(cpu, SIGN_RESULT_SLOT) >>> 63 == readX(cpu, OVERFLOW_SLOT);
      break;
    case 6:
      holds = readX(cpu, SIGN_RESULT_SLOT) >>> 63 == readX(cpu, OVERFLOW_SLOT) && readX(cpu, ZERO_RESULT_SLOT) != 0;
      break;
    default:
      return true;
  }
  return (condition & 1) != 0 ? !holds : holds;
}
