// Slopes through x86-64 instructions: how the registers, flags and cells of a spin loop change from turn to turn
// (time/affine.ts has the arithmetic, docs/time.md the claim). Whatever isn't listed must work on values that don't change.
//
// The words that the flags are kept in (x86/flags.ts) have slopes too. FLAG_BITS never has: the limits see to it that carry
// and overflow stay.

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
import { loadLocation, locationSlope, locationValue, readLocation, storeLocation } from "../time/locations.ts";
import { turnPeriod } from "../time/shadow.ts";
import { addressOf } from "./address.ts";
import { FLAG_BITS, FLAG_OPERAND, FLAG_RESULT, RAX, RCX, RDX, RSP, SLOT_SHIFT, STATE_WORDS, readR } from "./cpu.ts";
import { recordAt } from "./fetch.ts";
import { conditionHolds } from "./flags.ts";
import { numberOf, truncate } from "./operand.ts";
import { Address, Alu, Extra, Op, X86 } from "./operations.ts";
import { timeStamp } from "./msr.ts";

// @ts-ignore: decorator
@inline
function slope(word: u32): u64 {
  return slopeOf(word >>> SLOT_SHIFT);
}

function define(word: u32, value: u64): bool {
  setSlope(word >>> SLOT_SHIFT, value);
  return true;
}

/** A 32-bit result: zero-extended, so it must not wrap. */
function define32(word: u32, result: u64, value: u64): bool {
  keepUnsigned(result & 0xffff_ffff, value, 32);
  return define(word, value);
}

/** Carries slopes through the instruction at cpu.pc, before it is executed; false when it can't tell. */
export function x86Slopes(cpu: Cpu): bool {
  const record = recordAt(cpu.pc);
  if (record == 0) return false;
  const d = changetype<X86>(record);
  if (d.kind != d.operation || d.operation < <u16>Op.UNDEFINED) return false; // undecoded, probed, or code in writable pages
  if ((d.flags & (<u16>DecodedFlag.SIDE_EFFECT)) != 0) return false;
  const operation = <i32>d.operation;
  if (operation >= Op.JO && operation <= Op.JG) return keepCondition(changetype<usize>(cpu), operation - Op.JO);
  if ((d.flags & (<u16>DecodedFlag.MEMORY)) != 0) return memorySlopes(cpu, d, operation);
  if (operation >= Op.ADD_RR64 && operation <= Op.CMP_RI32)
    return commonArithmetic(changetype<usize>(cpu), d, operation);
  return registerSlopes(cpu, d, operation);
}

// --- registers -------------------------------------------------------------------------------------------------------

/** ADD to CMP of registers and immediates, which stand in the order of their encoding, in four groups of eight. */
function commonArithmetic(cpu: usize, d: X86, operation: i32): bool {
  const group = (operation - Op.ADD_RR64) >>> 3;
  const alu = (operation - Op.ADD_RR64) & 7;
  const bits: u32 = (group & 1) == 0 ? 64 : 32;
  const x = readR(cpu, d.reg);
  if (group >= 2) return compute(alu, bits, x, slope(d.reg), <u64>(<i64>d.immediate), 0) && assign(d, alu, bits);
  // x ^ x and x - x are zero whatever x is.
  if (d.reg == d.rm && (alu == Alu.XOR || alu == Alu.SUB)) return zero(d, alu);
  return compute(alu, bits, x, slope(d.reg), readR(cpu, d.rm), slope(d.rm)) && assign(d, alu, bits);
}

function assign(d: X86, alu: u32, bits: u32): bool {
  return alu == Alu.CMP || (bits == 64 ? define(d.reg, resultSlope) : define32(d.reg, resultValue, resultSlope));
}

function zero(d: X86, alu: u32): bool {
  const operand = alu == Alu.SUB ? slope(d.reg) : 0;
  return flatFlags() && define(FLAG_OPERAND, operand) && define(d.reg, 0);
}

function registerSlopes(cpu: Cpu, d: X86, operation: i32): bool {
  const base = changetype<usize>(cpu);
  switch (operation) {
    case Op.NOP:
    case Op.JMP:
    case Op.FENCE:
      return true;
    case Op.JMP_R:
      return slope(d.rm) == 0;
    case Op.MOV_RR64:
      return define(d.reg, slope(d.rm));
    case Op.MOV_RR32:
      return define32(d.reg, readR(base, d.rm), slope(d.rm));
    case Op.MOV_RI:
      return define(d.reg, 0);
    case Op.LEA64:
      return ((<u32>d.mode) & Address.SHORT) == 0 && define(d.reg, addressSlope(d));
    case Op.TEST_RR64:
      return logic(slope(d.rm) == 0 || d.rm == d.reg, slope(d.reg), d.rm == d.reg);
    case Op.TEST_RR32:
      // The flags keep the lower half, sign-extended.
      keepSignedRange(widen(readR(base, d.reg), 32), slope(d.reg), 32);
      return logic(slope(d.rm) == 0 || d.rm == d.reg, slope(d.reg), d.rm == d.reg);
    case Op.TEST_RR8:
      return (slope(d.rm) | slope(d.reg)) == 0 && flatFlags();
    case Op.TEST_RI64:
    case Op.TEST_RI32:
    case Op.TEST_RI8:
    case Op.CMP_RI8:
      return slope(d.reg) == 0 && flatFlags();
    case Op.INC_R64:
    case Op.DEC_R64:
      return step(operation == Op.INC_R64, 64, readR(base, d.reg), slope(d.reg)) && define(d.reg, resultSlope);
    case Op.INC_R32:
    case Op.DEC_R32:
      return (
        step(operation == Op.INC_R32, 32, readR(base, d.reg), slope(d.reg)) && define32(d.reg, resultValue, resultSlope)
      );
    case Op.CMOV_RR64:
      if (!keepCondition(base, d.extra)) return false;
      return conditionHolds(base, d.extra) ? define(d.reg, slope(d.rm)) : true;
    case Op.SETCC_R8:
      return keepCondition(base, d.extra) && slope(d.rm) == 0;
    case Op.SHL_RI64:
    case Op.SHL_RI32:
    case Op.SHR_RI64:
    case Op.SHR_RI32:
    case Op.SAR_RI64:
    case Op.SAR_RI32:
    case Op.NEG_R64:
    case Op.NEG_R32:
      return slope(d.reg) == 0 && flatFlags();
    case Op.MOVZX_R16:
    case Op.MOVZX_R8:
    case Op.MOVSXD_R:
      return slope(d.rm) == 0 && define(d.reg, 0);
    case Op.IMUL_R:
      return (slope(d.rm) | slope(d.reg)) == 0 && flatFlags();
    case Op.RDTSC:
      return timeSlopes(cpu);
    case Op.RDTSCP:
      return define(RCX, 0) && timeSlopes(cpu);
    default:
      return everythingIsFlat();
  }
}

/** TEST x, x of a sloped x: the flags follow x. */
function logic(secondIsFlat: bool, valueSlope: u64, same: bool): bool {
  if (!secondIsFlat || (valueSlope != 0 && !same)) return false;
  define(FLAG_RESULT, valueSlope);
  define(FLAG_BITS, 0);
  return define(FLAG_OPERAND, 0);
}

/** Operations not named above leave a state in which nothing changes from turn to turn as such a state. */
function everythingIsFlat(): bool {
  let all: u64 = 0;
  for (let slot: u32 = 0; slot < STATE_WORDS; slot++) all |= slopeOf(slot);
  return all == 0;
}

/** The counter moves by what a turn takes. EAX gets its lower half, so that must not wrap; EDX stays then. */
function timeSlopes(cpu: Cpu): bool {
  const period = turnPeriod();
  if (ticksOf(cycleOf(period)) != period) return false;
  return define32(RAX, timeStamp(cpu), cycleOf(period)) && define(RDX, 0);
}

// --- conditions and flags --------------------------------------------------------------------------------------------

/** C and O stay, since their producers limit the turns; Z and S follow from an affine word. */
function keepCondition(cpu: usize, condition: u32): bool {
  if (slope(FLAG_BITS) != 0) return false;
  const moving = slope(FLAG_RESULT);
  if (moving == 0) return true;
  const result = readR(cpu, FLAG_RESULT);
  switch (condition >>> 1) {
    case 0:
    case 1:
      return true;
    case 4:
    case 6:
      keepNegative(result, moving);
      return true;
    case 5:
      return false;
    default:
      keepSign(result, moving);
      return true;
  }
}

function flatFlags(): bool {
  define(FLAG_RESULT, 0);
  define(FLAG_BITS, 0);
  return define(FLAG_OPERAND, 0);
}

let resultSlope: u64 = 0;
let resultValue: u64 = 0;

/** Slopes of the result of x op y and of the flags, in 64 or 32 bits. */
function compute(operation: u32, bits: u32, x: u64, xSlope: u64, y: u64, ySlope: u64): bool {
  switch (operation) {
    case Alu.ADD:
      return sum(bits, x, xSlope, y, ySlope);
    case Alu.SUB:
    case Alu.CMP:
      return difference(bits, x, xSlope, y, ySlope);
    case Alu.OR:
      return union(bits, x, xSlope, y, ySlope);
    case Alu.ADC:
    case Alu.SBB:
      if (slope(FLAG_BITS) != 0) return false;
      break;
    default:
      break;
  }
  resultSlope = 0;
  resultValue = 0;
  return (xSlope | ySlope) == 0 && flatFlags();
}

/** Neither the operands nor the result may wrap, as unsigned or as signed numbers: then all flags stay. */
function sum(bits: u32, x: u64, xSlope: u64, y: u64, ySlope: u64): bool {
  resultSlope = xSlope + ySlope;
  resultValue = narrow(x + y, bits);
  if ((xSlope | ySlope) == 0) return flatFlags();
  if (overflows(x, y, x + y, bits)) return false;
  keepUnsigned(narrow(x, bits), xSlope, bits);
  keepUnsigned(narrow(y, bits), ySlope, bits);
  keepUnsigned(resultValue, resultSlope, bits);
  return signed(bits, x, xSlope, y, ySlope, x + y);
}

function difference(bits: u32, x: u64, xSlope: u64, y: u64, ySlope: u64): bool {
  resultSlope = xSlope - ySlope;
  resultValue = narrow(x - y, bits);
  if ((xSlope | ySlope) == 0) return flatFlags();
  if (overflows(x, ~y, x - y, bits)) return false;
  keepOrderUnsigned(narrow(x, bits), xSlope, narrow(y, bits), ySlope, bits);
  return signed(bits, x, xSlope, y, ySlope, x - y);
}

function signed(bits: u32, x: u64, xSlope: u64, y: u64, ySlope: u64, result: u64): bool {
  keepSignedRange(widen(x, bits), xSlope, bits);
  keepSignedRange(widen(y, bits), ySlope, bits);
  keepSignedRange(widen(result, bits), resultSlope, bits);
  define(FLAG_RESULT, resultSlope);
  define(FLAG_BITS, 0);
  return define(FLAG_OPERAND, xSlope);
}

/** x | y is x + y while the one that moves stays below the lowest bit of the other: the halves of a time stamp. */
function union(bits: u32, x: u64, xSlope: u64, y: u64, ySlope: u64): bool {
  resultSlope = xSlope + ySlope;
  resultValue = narrow(x | y, bits);
  if ((xSlope | ySlope) == 0) return flatFlags();
  if (bits != 64 || (xSlope != 0 && ySlope != 0)) return false;
  const moving = xSlope != 0 ? x : y;
  const resting = xSlope != 0 ? y : x;
  const room: u32 = resting == 0 ? 64 : <u32>ctz(resting);
  if (room == 0 || (room < 64 && moving >>> (<u64>room) != 0)) return false;
  keepUnsigned(moving, resultSlope, room);
  define(FLAG_RESULT, resultSlope);
  define(FLAG_BITS, 0);
  return define(FLAG_OPERAND, 0);
}

/** INC and DEC: CF stays what it was. */
function step(up: bool, bits: u32, x: u64, xSlope: u64): bool {
  const bitsSlope = slope(FLAG_BITS);
  if (bitsSlope != 0) return false;
  return up ? sum(bits, x, xSlope, 1, 0) : difference(bits, x, xSlope, 1, 0);
}

// --- memory ----------------------------------------------------------------------------------------------------------

function addressSlope(d: X86): u64 {
  const mode = <u32>d.mode;
  if ((mode & Address.ABSOLUTE) != 0) return 0;
  const scale = (<u64>mode) & Address.SCALE;
  const indexed = (mode & Address.INDEXED) != 0 ? slope(d.index) << scale : 0;
  return slope(d.rm) + indexed;
}

/** Neither base nor index may change: one that does may cancel the other out, but then it leaves the line some time. */
function addressIsFlat(d: X86): bool {
  const mode = <u32>d.mode;
  if ((mode & Address.ABSOLUTE) != 0) return true;
  return slope(d.rm) == 0 && ((mode & Address.INDEXED) == 0 || slope(d.index) == 0);
}

function memorySlopes(cpu: Cpu, d: X86, operation: i32): bool {
  const base = changetype<usize>(cpu);
  switch (operation) {
    case Op.PUSH_R:
      return slope(RSP) == 0 && storeLocation(readR(base, RSP) - 8, 8, slope(d.reg));
    case Op.CALL:
      return slope(RSP) == 0 && storeLocation(readR(base, RSP) - 8, 8, 0);
    case Op.CALL_R:
      return (slope(RSP) | slope(d.rm)) == 0 && storeLocation(readR(base, RSP) - 8, 8, 0);
    case Op.POP_R:
      return slope(RSP) == 0 && loadLocation(readR(base, RSP), 8) && define(d.reg, locationSlope);
    case Op.RET:
      return slope(RSP) == 0 && loadLocation(readR(base, RSP), 8) && locationSlope == 0;
    default:
      break;
  }
  if ((d.extra & (<u16>Extra.MEMORY)) == 0 || !addressIsFlat(d)) return false;
  const address = addressOf(base, d, cpu.pc + <u64>d.length);
  if (operation >= Op.LOAD64 && operation <= Op.TEST_MI8) return accessSlopes(base, d, operation, address);
  return modifySlopes(base, d, operation, address);
}

/** One load or one store. */
function accessSlopes(cpu: usize, d: X86, operation: i32, address: u64): bool {
  switch (operation) {
    case Op.LOAD64:
      return loadLocation(address, 8) && define(d.reg, locationSlope);
    case Op.LOAD32:
      return loadLocation(address, 4) && define(d.reg, locationSlope);
    case Op.LOAD16:
      return loadLocation(address, 2) && define(d.reg, locationSlope);
    case Op.LOAD8:
      return loadLocation(address, 1) && define(d.reg, locationSlope);
    case Op.LOAD_SIGNED32:
      return loadLocation(address, 4) && locationSlope == 0 && define(d.reg, 0);
    case Op.STORE64:
      return storeLocation(address, 8, slope(d.reg));
    case Op.STORE32:
      return storeLocation(address, 4, slope(d.reg));
    case Op.STORE16:
      return storeLocation(address, 2, slope(d.reg));
    case Op.STORE8:
      return storeLocation(address, 1, slope(d.reg));
    case Op.STORE_I64:
      return storeLocation(address, 8, 0);
    case Op.STORE_I32:
      return storeLocation(address, 4, 0);
    case Op.STORE_I8:
      return storeLocation(address, 1, 0);
    default:
      return compareSlopes(cpu, d, operation, address);
  }
}

/** A register and a location: CMP, TEST, and the operations that write the register. */
function compareSlopes(cpu: usize, d: X86, operation: i32, address: u64): bool {
  const immediate = <u64>(<i64>d.immediate);
  const register = readR(cpu, d.reg);
  switch (operation) {
    case Op.ALU_RM64:
      if (!loadLocation(address, 8)) return false;
      if (!compute(d.extra & Extra.NUMBER, 64, register, slope(d.reg), locationValue, locationSlope)) return false;
      return define(d.reg, resultSlope);
    case Op.ALU_RM32:
      if (!loadLocation(address, 4)) return false;
      if (!compute(d.extra & Extra.NUMBER, 32, register, slope(d.reg), locationValue, locationSlope)) return false;
      return define32(d.reg, resultValue, resultSlope);
    case Op.CMP_RM64:
      return loadLocation(address, 8) && difference(64, register, slope(d.reg), locationValue, locationSlope);
    case Op.CMP_RM32:
      return loadLocation(address, 4) && difference(32, register, slope(d.reg), locationValue, locationSlope);
    case Op.CMP_MR64:
      return loadLocation(address, 8) && difference(64, locationValue, locationSlope, register, slope(d.reg));
    case Op.CMP_MR32:
      return loadLocation(address, 4) && difference(32, locationValue, locationSlope, register, slope(d.reg));
    case Op.CMP_MI64:
      return loadLocation(address, 8) && difference(64, locationValue, locationSlope, immediate, 0);
    case Op.CMP_MI32:
      return loadLocation(address, 4) && difference(32, locationValue, locationSlope, immediate, 0);
    case Op.TEST_MR64:
      return loadLocation(address, 8) && (locationSlope | slope(d.reg)) == 0 && flatFlags();
    case Op.TEST_MR32:
      return loadLocation(address, 4) && (locationSlope | slope(d.reg)) == 0 && flatFlags();
    case Op.TEST_MI32:
      return loadLocation(address, 4) && locationSlope == 0 && flatFlags();
    case Op.CMP_MI8:
    case Op.TEST_MI8:
      return loadLocation(address, 1) && locationSlope == 0 && flatFlags();
    default:
      return false;
  }
}

/** Read-modify-write, locked or not. */
function modifySlopes(cpu: usize, d: X86, operation: i32, address: u64): bool {
  const size = <u32>d.size;
  const partial = ((<u32>d.extra) & Extra.HIGH_REG) != 0;
  if (size > 8 || partial || !readLocation(address, size)) return false;
  const old = locationValue;
  const oldSlope = locationSlope;
  const bits = size << 3;
  switch (operation) {
    case Op.INC:
    case Op.DEC:
      if (!modify(bits, oldSlope, 0) || !step(operation == Op.INC, bits, old, oldSlope)) return false;
      return storeLocation(address, size, resultSlope);
    case Op.ALU: {
      const alu = numberOf(d);
      if ((d.extra & (<u16>Extra.TO_REG)) != 0) return false;
      const isImmediate = (d.extra & (<u16>Extra.IMMEDIATE)) != 0;
      const y = isImmediate ? truncate(<u64>(<i64>d.immediate), size) : truncate(readR(cpu, d.reg), size);
      const ySlope = isImmediate ? 0 : slope(d.reg);
      if (!modify(bits, oldSlope, ySlope) || !compute(alu, bits, old, oldSlope, y, ySlope)) return false;
      return alu == Alu.CMP || storeLocation(address, size, resultSlope);
    }
    case Op.XADD: {
      const added = slope(d.reg);
      if (size < 4 || !compute(Alu.ADD, bits, old, oldSlope, truncate(readR(cpu, d.reg), size), added)) return false;
      if (!storeLocation(address, size, resultSlope)) return false;
      return size == 8 ? define(d.reg, oldSlope) : define32(d.reg, old, oldSlope);
    }
    case Op.XCHG:
      if (size < 4 || !storeLocation(address, size, slope(d.reg))) return false;
      return size == 8 ? define(d.reg, oldSlope) : define32(d.reg, old, oldSlope);
    case Op.CMPXCHG:
      if ((oldSlope | slope(RAX) | slope(d.reg)) != 0) return false;
      return storeLocation(address, size, 0) && flatFlags();
    default:
      return false;
  }
}

/** Results of 8 and 16 bits are followed only where nothing changes. */
function modify(bits: u32, oldSlope: u64, otherSlope: u64): bool {
  return bits >= 32 || (oldSlope | otherSlope) == 0;
}
