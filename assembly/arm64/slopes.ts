// Slopes through A64 instructions: how the registers, flags and cells of a spin loop change from turn to turn (time/affine.ts
// has the arithmetic, docs/time.md the claim). Whatever isn't listed must work on values that don't change.

import { Cpu } from "../cpu.ts";
import { DecodedFlag, SpecialKind } from "../memory/code.ts";
import {
  keepNegative,
  keepOrderUnsigned,
  keepSign,
  keepSignedRange,
  keepUnsigned,
  narrow,
  overflows,
  setSlope,
  slopeOf,
  widen,
} from "../time/affine.ts";
import { cycleOf, ticksOf } from "../time/limits.ts";
import { loadLocation, locationSlope, storeLocation } from "../time/locations.ts";
import { turnPeriod } from "../time/shadow.ts";
import { ACCESS_SIGNED, ATOMIC_SWAP } from "./decodeLoadStore.ts";
import { countsIn } from "./counter.ts";
import { conditionHolds, conditionOf } from "./flags.ts";
import { CARRY_SLOT, OVERFLOW_SLOT, SIGN_RESULT_SLOT, ZERO_RESULT_SLOT, ZERO_SLOT, readX } from "./cpu.ts";
import { addressOf, isLoad, isStore, modeOf } from "./memory.ts";
import { A64, AddressMode, Op } from "./operations.ts";
import { decodedAt } from "./records.ts";
import { isCounter } from "./systemRegisters.ts";

/** Carries slopes through the instruction at cpu.pc, before it is executed; false when it can't tell. */
export function arm64Slopes(cpu: Cpu): bool {
  const d = decodedAt(cpu.pc);
  if (changetype<usize>(d) == 0 || d.kind == <u16>SpecialKind.PROBE) return false;
  if ((d.flags & (<u16>DecodedFlag.SIDE_EFFECT)) != 0) return false;
  const base = changetype<usize>(cpu);
  switch (<i32>d.operation) {
    case Op.NOP:
    case Op.SYSTEM_NOP:
    case Op.YIELD:
    case Op.DMB:
    case Op.DSB:
    case Op.ISB:
    case Op.B:
      return true;
    case Op.BL:
      setSlope(30, 0);
      return true;
    case Op.BR:
      return slopeOf(d.rn) == 0;
    case Op.BLR:
      setSlope(30, 0);
      return slopeOf(d.rn) == 0;
    case Op.B_EQ:
    case Op.B_NE:
    case Op.B_CS:
    case Op.B_CC:
    case Op.B_MI:
    case Op.B_PL:
    case Op.B_VS:
    case Op.B_VC:
    case Op.B_HI:
    case Op.B_LS:
    case Op.B_GE:
    case Op.B_LT:
    case Op.B_GT:
    case Op.B_LE:
      return keepCondition(base, d.extra);
    case Op.CBZ64:
    case Op.CBNZ64:
      keepSign(readX(base, d.rn), slopeOf(d.rn));
      return true;
    case Op.CBZ32:
    case Op.CBNZ32: {
      const value = readX(base, d.rn) & 0xffff_ffff;
      keepUnsigned(value, slopeOf(d.rn), 32);
      keepSign(value, slopeOf(d.rn));
      return true;
    }
    case Op.TBZ:
    case Op.TBNZ:
      return slopeOf(d.rn) == 0;
    default:
      return (d.flags & (<u16>DecodedFlag.MEMORY)) != 0 ? memorySlopes(base, d) : arithmeticSlopes(base, d);
  }
}

// --- arithmetic ------------------------------------------------------------------------------------------------------

function arithmeticSlopes(cpu: usize, d: A64): bool {
  const n = readX(cpu, d.rn);
  const m = readX(cpu, d.rm);
  const nSlope = slopeOf(d.rn);
  const mSlope = slopeOf(d.rm);
  const immediate = <u64>d.immediate;
  switch (<i32>d.operation) {
    case Op.MOVE_IMMEDIATE:
    case Op.ADR:
    case Op.ADRP:
      return define(d.rd, 0);
    case Op.ADD_IMMEDIATE64:
      return define(d.rd, nSlope);
    case Op.ADD_IMMEDIATE32:
      return define32(d.rd, n + immediate, nSlope);
    case Op.ADDS_IMMEDIATE64:
      return define(d.rd, nSlope) && addFlagSlopes(n, nSlope, immediate, 0, 64);
    case Op.ADDS_IMMEDIATE32:
      return define32(d.rd, n + immediate, nSlope) && addFlagSlopes(n, nSlope, immediate, 0, 32);
    case Op.SUBS_IMMEDIATE64:
      return define(d.rd, nSlope) && subtractFlagSlopes(n, nSlope, immediate, 0, 64);
    case Op.SUBS_IMMEDIATE32:
      return define32(d.rd, n - immediate, nSlope) && subtractFlagSlopes(n, nSlope, immediate, 0, 32);
    case Op.ADD_REGISTER64:
      return define(d.rd, nSlope + mSlope);
    case Op.ADD_REGISTER32:
      return define32(d.rd, n + m, nSlope + mSlope);
    case Op.SUB_REGISTER64:
      return define(d.rd, nSlope - mSlope);
    case Op.SUB_REGISTER32:
      return define32(d.rd, n - m, nSlope - mSlope);
    case Op.ADDS_REGISTER64:
      return define(d.rd, nSlope + mSlope) && addFlagSlopes(n, nSlope, m, mSlope, 64);
    case Op.ADDS_REGISTER32:
      return define32(d.rd, n + m, nSlope + mSlope) && addFlagSlopes(n, nSlope, m, mSlope, 32);
    case Op.SUBS_REGISTER64:
      return define(d.rd, nSlope - mSlope) && subtractFlagSlopes(n, nSlope, m, mSlope, 64);
    case Op.SUBS_REGISTER32:
      return define32(d.rd, n - m, nSlope - mSlope) && subtractFlagSlopes(n, nSlope, m, mSlope, 32);
    case Op.ORR_REGISTER64:
      if (d.rn == <u8>ZERO_SLOT) return define(d.rd, mSlope);
      return flat(d) && define(d.rd, 0);
    case Op.ORR_REGISTER32:
      if (d.rn == <u8>ZERO_SLOT) return define32(d.rd, m, mSlope);
      return flat(d) && define(d.rd, 0);
    case Op.CSEL64:
      return keepCondition(cpu, conditionOf(d.extra)) && define(d.rd, conditionHolds(cpu, d.extra) ? nSlope : mSlope);
    case Op.ANDS_IMMEDIATE64:
    case Op.ANDS_IMMEDIATE32:
    case Op.ANDS_REGISTER64:
    case Op.ANDS_REGISTER32:
      return flat(d) && define(d.rd, 0) && flatFlags();
    case Op.READ_STATE:
    case Op.READ_EL1_STATE:
      return define(d.rd, 0);
    case Op.MRS:
      return define(d.rd, 0) && (!isCounter(d.extra) || counterSlope(d));
    default:
      return readsFlags(cpu, d) && flat(d) && define(d.rd, 0) && keepFlatFlags(d);
  }
}

function define(slot: u32, slope: u64): bool {
  setSlope(slot, slope);
  return true;
}

/** A 32-bit result: zero-extended, so it must not wrap. */
function define32(slot: u32, result: u64, slope: u64): bool {
  keepUnsigned(result & 0xffff_ffff, slope, 32);
  setSlope(slot, slope);
  return true;
}

/** Whether no register field of the instruction changes from turn to turn. */
function flat(d: A64): bool {
  return (slopeOf(d.rn) | slopeOf(d.rm) | slopeOf(d.ra)) == 0;
}

function flatFlags(): bool {
  setSlope(ZERO_RESULT_SLOT, 0);
  setSlope(SIGN_RESULT_SLOT, 0);
  setSlope(CARRY_SLOT, 0);
  setSlope(OVERFLOW_SLOT, 0);
  return true;
}

/** Operations that may write flags write constant ones, since their inputs are. */
function keepFlatFlags(d: A64): bool {
  const operation = <i32>d.operation;
  if (operation >= Op.INTEGER && operation <= Op.CONDITIONAL_COMPARE_REGISTER32) {
    const setsFlags =
      operation >= Op.CONDITIONAL_COMPARE_IMMEDIATE64 ||
      (operation <= Op.ARITHMETIC32 && (d.extra & 1) != 0) ||
      (operation >= Op.LOGICAL64 && operation <= Op.LOGICAL32 && (d.extra & 6) == 6) ||
      (operation >= Op.ADD_WITH_CARRY64 && operation <= Op.ADD_WITH_CARRY32 && (d.extra & 2) != 0);
    if (setsFlags) return flatFlags();
  }
  return true;
}

/** Operations whose result depends on flags: these must keep their outcome. */
function readsFlags(cpu: usize, d: A64): bool {
  const operation = <i32>d.operation;
  if (operation >= Op.CSEL64 && operation <= Op.CSINC32) return keepCondition(cpu, conditionOf(d.extra));
  if (operation >= Op.CSINV64 && operation <= Op.CSNEG32) return keepCondition(cpu, conditionOf(d.extra));
  if (operation >= Op.CONDITIONAL_COMPARE_IMMEDIATE64 && operation <= Op.CONDITIONAL_COMPARE_REGISTER32) {
    return keepCondition(cpu, conditionOf(d.extra));
  }
  if (operation == Op.ADD_WITH_CARRY64 || operation == Op.ADD_WITH_CARRY32) return slopeOf(CARRY_SLOT) == 0;
  return true;
}

/** C and V are kept constant by the limits that their producers set; Z and N follow from affine words. */
function keepCondition(cpu: usize, condition: u32): bool {
  const group = condition >>> 1;
  if ((slopeOf(CARRY_SLOT) | slopeOf(OVERFLOW_SLOT)) != 0) return false;
  if (group == 0 || group == 4 || group == 6) keepSign(readX(cpu, ZERO_RESULT_SLOT), slopeOf(ZERO_RESULT_SLOT));
  if (group == 2 || group == 5 || group == 6) keepNegative(readX(cpu, SIGN_RESULT_SLOT), slopeOf(SIGN_RESULT_SLOT));
  return true;
}

/** Flags of n + m: the result and both operands must wrap neither as unsigned nor as signed numbers. */
function addFlagSlopes(n: u64, nSlope: u64, m: u64, mSlope: u64, bits: u32): bool {
  const slope = nSlope + mSlope;
  if ((nSlope | mSlope) == 0) return flatFlags();
  const result = narrow(n + m, bits);
  if (overflows(narrow(n, bits), narrow(m, bits), result, bits)) return false;
  keepUnsigned(narrow(n, bits), nSlope, bits);
  keepUnsigned(narrow(m, bits), mSlope, bits);
  keepUnsigned(result, slope, bits);
  return keepSigned(n, nSlope, m, mSlope, n + m, slope, bits);
}

/** Flags of n - m. */
function subtractFlagSlopes(n: u64, nSlope: u64, m: u64, mSlope: u64, bits: u32): bool {
  const slope = nSlope - mSlope;
  if ((nSlope | mSlope) == 0) return flatFlags();
  const result = narrow(n - m, bits);
  if (overflows(narrow(n, bits), narrow(~m, bits), result, bits)) return false;
  keepOrderUnsigned(narrow(n, bits), nSlope, narrow(m, bits), mSlope, bits);
  return keepSigned(n, nSlope, m, mSlope, n - m, slope, bits);
}

function keepSigned(n: u64, nSlope: u64, m: u64, mSlope: u64, result: u64, slope: u64, bits: u32): bool {
  keepSignedRange(widen(n, bits), nSlope, bits);
  keepSignedRange(widen(m, bits), mSlope, bits);
  keepSignedRange(widen(result, bits), slope, bits);
  setSlope(ZERO_RESULT_SLOT, slope);
  setSlope(SIGN_RESULT_SLOT, slope);
  setSlope(CARRY_SLOT, 0);
  setSlope(OVERFLOW_SLOT, 0);
  return true;
}

/** A counter moves by what a turn takes, if the division of the clock is exact over a turn. */
function counterSlope(d: A64): bool {
  const slope = countsIn(turnPeriod(), ticksOf(1));
  if (slope == 0 || ticksOf(cycleOf(turnPeriod())) != turnPeriod()) return false;
  return define(d.rd, slope);
}

// --- memory ----------------------------------------------------------------------------------------------------------

function memorySlopes(cpu: usize, d: A64): bool {
  if (slopeOf(d.rn) != 0) return false;
  const operation = <i32>d.operation;
  if (isLoad(operation) || isStore(operation)) return plainSlopes(cpu, d, isStore(operation));
  switch (operation) {
    case Op.LOAD_PAIR64:
    case Op.STORE_PAIR64:
      return pairSlopes(d, addressOf(cpu, d));
    case Op.LOAD_ACQUIRE:
      return loadSlope(readX(cpu, d.rn), 1 << (d.extra & 3), d.rd, false);
    case Op.STORE_RELEASE:
      return storeLocation(readX(cpu, d.rn), 1 << (d.extra & 3), slopeOf(d.rd));
    case Op.ATOMIC:
      return atomicSlopes(cpu, d);
    default:
      return false;
  }
}

/** A base that moves by writeback has a slope and was refused. */
function plainSlopes(cpu: usize, d: A64, isWrite: bool): bool {
  if (modeOf(d) == AddressMode.REGISTER && slopeOf(d.rm) != 0) return false;
  const address = addressOf(cpu, d);
  const size: u32 = 1 << (d.extra & 3);
  if (isWrite) return storeLocation(address, size, slopeOf(d.rd));
  return loadSlope(address, size, d.rd, (d.extra & ACCESS_SIGNED) != 0);
}

function pairSlopes(d: A64, address: u64): bool {
  if (d.operation == <u16>Op.LOAD_PAIR64) {
    return loadSlope(address, 8, d.rd, false) && loadSlope(address + 8, 8, d.ra, false);
  }
  return storeLocation(address, 8, slopeOf(d.rd)) && storeLocation(address + 8, 8, slopeOf(d.ra));
}

function loadSlope(address: u64, size: u32, slot: u32, signed: bool): bool {
  if (!loadLocation(address, size) || (signed && locationSlope != 0)) return false;
  return define(slot, locationSlope);
}

function atomicSlopes(cpu: usize, d: A64): bool {
  const address = readX(cpu, d.rn);
  const size: u32 = 1 << (d.extra & 3);
  const operation = (d.extra >>> 4) & 15;
  const operandSlope = slopeOf(d.rm);
  if (!loadSlope(address, size, d.rd, false)) return false;
  const oldSlope = locationSlope;
  if (operation == 0) return storeLocation(address, size, oldSlope + operandSlope);
  if (operation == ATOMIC_SWAP) return storeLocation(address, size, operandSlope);
  return oldSlope == 0 && operandSlope == 0;
}
