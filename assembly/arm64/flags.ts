// Condition flags: AddWithCarry(), the logical operations' flags, ConditionHolds() (Arm ARM DDI 0487, shared/functions).

import { CARRY_SLOT, OVERFLOW_SLOT, SIGN_RESULT_SLOT, ZERO_RESULT_SLOT, readNzcv, readX, writeX } from "./cpu.ts";

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

// --- conditions ------------------------------------------------------------------------------------------------------
//
// ConditionHolds() (Arm ARM, shared/functions/system). B.cond has an operation per condition and asks one of these;
// everything else looks the outcome up in its `extra`, which has room for all sixteen states of NZCV.

/** AL; it and NV, behind it, always hold. */
export const CONDITION_AL: u32 = 14;
const OUTCOMES_SHIFT: u32 = 16;

// @ts-ignore: decorator
@inline
export function isEqual(cpu: usize): bool {
  return readX(cpu, ZERO_RESULT_SLOT) == 0;
}

// @ts-ignore: decorator
@inline
export function isCarry(cpu: usize): bool {
  return readX(cpu, CARRY_SLOT) != 0;
}

// @ts-ignore: decorator
@inline
export function isNegative(cpu: usize): bool {
  return <i64>readX(cpu, SIGN_RESULT_SLOT) < 0;
}

// @ts-ignore: decorator
@inline
export function isOverflow(cpu: usize): bool {
  return readX(cpu, OVERFLOW_SLOT) != 0;
}

/** HI: unsigned higher. */
// @ts-ignore: decorator
@inline
export function isHigher(cpu: usize): bool {
  return isCarry(cpu) && !isEqual(cpu);
}

/** GE: signed greater than or equal. */
// @ts-ignore: decorator
@inline
export function isGreaterOrEqual(cpu: usize): bool {
  return readX(cpu, SIGN_RESULT_SLOT) >>> 63 == readX(cpu, OVERFLOW_SLOT);
}

/** GT: signed greater than. */
// @ts-ignore: decorator
@inline
export function isGreater(cpu: usize): bool {
  return isGreaterOrEqual(cpu) && !isEqual(cpu);
}

/** For `extra` of an instruction: the condition, and for each NZCV whether it holds. */
export function conditionExtra(condition: u32): u32 {
  let outcomes: u32 = 0;
  for (let nzcv: u32 = 0; nzcv < 16; nzcv++) {
    if (holdsFor(condition, nzcv)) outcomes |= (<u32>1) << (OUTCOMES_SHIFT + nzcv);
  }
  return condition | outcomes;
}

function holdsFor(condition: u32, nzcv: u32): bool {
  const n = nzcv >>> 3;
  const z = (nzcv >>> 2) & 1;
  const c = (nzcv >>> 1) & 1;
  const v = nzcv & 1;
  const inverted = (condition & 1) != 0;
  switch (condition >>> 1) {
    case 0:
      return (z != 0) != inverted;
    case 1:
      return (c != 0) != inverted;
    case 2:
      return (n != 0) != inverted;
    case 3:
      return (v != 0) != inverted;
    case 4:
      return (c != 0 && z == 0) != inverted;
    case 5:
      return (n == v) != inverted;
    case 6:
      return (n == v && z == 0) != inverted;
    default:
      return true;
  }
}

/** The condition in `extra`. */
// @ts-ignore: decorator
@inline
export function conditionOf(extra: u32): u32 {
  return extra & 15;
}

/** Whether the condition in `extra` holds now. */
// @ts-ignore: decorator
@inline
export function conditionHolds(cpu: usize, extra: u32): bool {
  return ((extra >>> (OUTCOMES_SHIFT + (readNzcv(cpu) >>> 28))) & 1) != 0;
}
