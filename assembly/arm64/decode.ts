// A64 decoder: top level and the groups other than loads and stores (Arm ARM DDI 0487 K.a, C4.1). Every field value that
// the manual leaves unallocated ends in UNDEFINED, as do instructions of extensions that this PE doesn't announce.

import { Timing } from "../../src/abi.ts";
import { timing } from "../machine.ts";
import { DecodedFlag, admit } from "../memory/code.ts";
import { decodeBitMask } from "./bitmask.ts";
import { decodeLoadStore } from "./decodeLoadStore.ts";
import { decodeSystem } from "./decodeSystem.ts";
import { bits, setOperation, signed, source, stackOr, target } from "./fields.ts";
import { CONDITION_AL, conditionExtra } from "./flags.ts";
import { A64, Op } from "./operations.ts";

/**
 * Decodes the word at `address`, in a page with attributes `page`, into `decoded`.
 * @returns what to dispatch on
 */
export function decodeA64(decoded: A64, word: u32, address: u64, page: u32): i32 {
  decoded.raw = word;
  decoded.flags = 0;
  decoded.target = 0;
  decoded.extra = 0;
  decoded.immediate = 0;
  decoded.operation = <u16>Op.UNDEFINED;
  decoded.cost = <u16>timing(Timing.COST_SIMPLE);
  decodeTop(decoded, word);
  if (decoded.operation == <u16>Op.UNDEFINED) decoded.flags = <u16>DecodedFlag.SIDE_EFFECT;
  return admit(decoded, address, page);
}

function decodeTop(d: A64, word: u32): void {
  switch (bits(word, 28, 25)) {
    case 0b1000:
    case 0b1001:
      decodeImmediate(d, word);
      break;
    case 0b1010:
    case 0b1011:
      decodeBranch(d, word);
      break;
    case 0b0100:
    case 0b0110:
    case 0b1100:
    case 0b1110:
      decodeLoadStore(d, word);
      break;
    case 0b0101:
    case 0b1101:
      decodeRegister(d, word);
      break;
    default: // 0000 reserved (UDF) and SME, 0010 SVE, x111 floating point and Advanced SIMD, 00x1 unallocated
      break;
  }
}

// --- data processing, immediate --------------------------------------------------------------------------------------

function decodeImmediate(d: A64, word: u32): void {
  const wide = word >>> 31 != 0;
  switch (bits(word, 25, 23)) {
    case 0b000:
    case 0b001:
      d.rd = target(bits(word, 4, 0));
      d.immediate = signed((bits(word, 23, 5) << 2) | bits(word, 30, 29), 21);
      if (wide) d.immediate <<= 12;
      d.operation = <u16>(wide ? Op.ADRP : Op.ADR);
      break;
    case 0b010:
      decodeAddImmediate(d, word, wide);
      break;
    case 0b011: // add with tags (FEAT_MTE), min/max immediate (FEAT_CSSC): not announced
      break;
    case 0b100:
      decodeLogicalImmediate(d, word, wide);
      break;
    case 0b101:
      decodeMoveWide(d, word, wide);
      break;
    case 0b110:
      decodeBitfield(d, word, wide);
      break;
    default:
      decodeExtract(d, word, wide);
      break;
  }
}

function decodeAddImmediate(d: A64, word: u32, wide: bool): void {
  const subtract = bits(word, 30, 30) != 0;
  const value = <i64>(bits(word, 21, 10) << (bits(word, 22, 22) != 0 ? 12 : 0));
  d.rn = stackOr(bits(word, 9, 5));
  if (bits(word, 29, 29) != 0) {
    d.rd = target(bits(word, 4, 0));
    d.immediate = value;
    if (subtract) d.operation = <u16>(wide ? Op.SUBS_IMMEDIATE64 : Op.SUBS_IMMEDIATE32);
    else d.operation = <u16>(wide ? Op.ADDS_IMMEDIATE64 : Op.ADDS_IMMEDIATE32);
  } else {
    d.rd = stackOr(bits(word, 4, 0));
    d.immediate = subtract ? -value : value;
    d.operation = <u16>(wide ? Op.ADD_IMMEDIATE64 : Op.ADD_IMMEDIATE32);
  }
}

function decodeLogicalImmediate(d: A64, word: u32, wide: bool): void {
  if (!wide && bits(word, 22, 22) != 0) return;
  const mask = decodeBitMask(bits(word, 22, 22), bits(word, 15, 10), bits(word, 21, 16), wide ? 64 : 32);
  if (mask == 0) return; // no valid mask is empty
  d.immediate = <i64>mask;
  d.rn = source(bits(word, 9, 5));
  const destination = bits(word, 4, 0);
  d.rd = stackOr(destination);
  switch (bits(word, 30, 29)) {
    case 0:
      d.operation = <u16>Op.AND_IMMEDIATE;
      break;
    case 1:
      d.operation = <u16>(wide ? Op.ORR_IMMEDIATE64 : Op.ORR_IMMEDIATE32);
      break;
    case 2:
      d.operation = <u16>(wide ? Op.EOR_IMMEDIATE64 : Op.EOR_IMMEDIATE32);
      break;
    default:
      d.rd = target(destination);
      d.operation = <u16>(wide ? Op.ANDS_IMMEDIATE64 : Op.ANDS_IMMEDIATE32);
      break;
  }
}

function decodeMoveWide(d: A64, word: u32, wide: bool): void {
  const shift = bits(word, 22, 21) << 4;
  if (!wide && shift > 16) return;
  const value = (<u64>bits(word, 20, 5)) << (<u64>shift);
  d.rd = target(bits(word, 4, 0));
  switch (bits(word, 30, 29)) {
    case 0:
      d.immediate = <i64>(wide ? ~value : ~value & 0xffff_ffff);
      d.operation = <u16>Op.MOVE_IMMEDIATE;
      break;
    case 2:
      d.immediate = <i64>value;
      d.operation = <u16>Op.MOVE_IMMEDIATE;
      break;
    case 3:
      d.immediate = <i64>value;
      d.extra = shift;
      d.rn = source(bits(word, 4, 0));
      d.operation = <u16>(wide ? Op.MOVK64 : Op.MOVK32);
      break;
    default:
      break;
  }
}

function decodeBitfield(d: A64, word: u32, wide: bool): void {
  const rotate = bits(word, 21, 16);
  const top = bits(word, 15, 10);
  if ((bits(word, 22, 22) != 0) != wide) return;
  if (!wide && (rotate > 31 || top > 31)) return;
  const width: u32 = wide ? 64 : 32;
  d.rd = target(bits(word, 4, 0));
  d.rn = source(bits(word, 9, 5));
  switch (bits(word, 30, 29)) {
    case 0: // SBFM: to the top of the register, then arithmetically down to bit 0, or to bit width - rotate
      d.immediate = <i64>(width - 1 - top);
      d.extra = (top >= rotate ? rotate : rotate - width) + (width - 1 - top);
      d.operation = <u16>(wide ? Op.SBFX64 : Op.SBFX32);
      break;
    case 1: {
      // BFM: rotate right, insert the field
      const field = ones((top >= rotate ? top - rotate : top) + 1);
      const position = <u64>width - <u64>rotate;
      d.immediate = <i64>(top >= rotate ? field : field << position);
      d.extra = rotate;
      d.operation = <u16>(wide ? Op.BFM64 : Op.BFM32);
      d.ra = source(bits(word, 4, 0));
      break;
    }
    case 2: // UBFM
      if (top >= rotate) {
        d.immediate = <i64>ones(top - rotate + 1);
        d.extra = rotate;
        d.operation = <u16>Op.UBFX;
      } else {
        d.immediate = <i64>ones(top + 1);
        d.extra = width - rotate;
        d.operation = <u16>Op.UBFIZ;
      }
      break;
    default:
      break;
  }
}

/** The lowest `count` (1 to 64) bits set. */
function ones(count: u32): u64 {
  return u64.MAX_VALUE >>> (64 - <u64>count);
}

function decodeExtract(d: A64, word: u32, wide: bool): void {
  if (bits(word, 30, 29) != 0 || bits(word, 21, 21) != 0) return;
  if ((bits(word, 22, 22) != 0) != wide) return;
  const amount = bits(word, 15, 10);
  if (!wide && amount > 31) return;
  d.rd = target(bits(word, 4, 0));
  d.rn = source(bits(word, 9, 5));
  d.rm = source(bits(word, 20, 16));
  d.extra = amount;
  d.operation = <u16>(wide ? Op.EXTR64 : Op.EXTR32);
}

// --- branches and system ---------------------------------------------------------------------------------------------

function decodeBranch(d: A64, word: u32): void {
  const wide = word >>> 31 != 0;
  switch (bits(word, 31, 29)) {
    case 0b000:
    case 0b100:
      d.immediate = signed(bits(word, 25, 0), 26) << 2;
      setOperation(d, wide ? Op.BL : Op.B, Timing.COST_BRANCH);
      break;
    case 0b001:
    case 0b101:
      decodeCompareBranch(d, word, wide);
      break;
    case 0b010:
      // B.cond; BC.cond (FEAT_HBC, bit 4) is not announced.
      if (bits(word, 25, 24) != 0 || bits(word, 4, 4) != 0) break;
      d.immediate = signed(bits(word, 23, 5), 19) << 2;
      d.extra = bits(word, 3, 0);
      setOperation(d, d.extra < CONDITION_AL ? Op.B_EQ + d.extra : Op.B, Timing.COST_BRANCH);
      break;
    case 0b110:
      if (bits(word, 25, 25) != 0) decodeBranchRegister(d, word);
      else decodeSystem(d, word);
      break;
    default:
      break;
  }
}

function decodeCompareBranch(d: A64, word: u32, wide: bool): void {
  const ifNonzero = bits(word, 24, 24) != 0;
  d.rn = source(bits(word, 4, 0));
  if (bits(word, 25, 25) == 0) {
    d.immediate = signed(bits(word, 23, 5), 19) << 2;
    if (ifNonzero) setOperation(d, wide ? Op.CBNZ64 : Op.CBNZ32, Timing.COST_BRANCH);
    else setOperation(d, wide ? Op.CBZ64 : Op.CBZ32, Timing.COST_BRANCH);
  } else {
    d.immediate = signed(bits(word, 18, 5), 14) << 2;
    d.extra = (bits(word, 31, 31) << 5) | bits(word, 23, 19);
    setOperation(d, ifNonzero ? Op.TBNZ : Op.TBZ, Timing.COST_BRANCH);
  }
}

function decodeBranchRegister(d: A64, word: u32): void {
  if (bits(word, 20, 16) != 31 || bits(word, 4, 0) != 0) return;
  d.rn = source(bits(word, 9, 5));
  // Pointer authentication forms (op3 != 0) are not announced.
  if (bits(word, 15, 10) != 0) return;
  switch (bits(word, 24, 21)) {
    case 0:
    case 2: // RET
      setOperation(d, Op.BR, Timing.COST_BRANCH);
      break;
    case 1:
      setOperation(d, Op.BLR, Timing.COST_BRANCH);
      break;
    case 4:
      if (bits(word, 9, 5) != 31) break;
      setOperation(d, Op.ERET, Timing.COST_EXCEPTION_RETURN);
      d.flags |= <u16>DecodedFlag.SIDE_EFFECT;
      break;
    default: // DRPS is for Debug state only
      break;
  }
}

// --- data processing, register ---------------------------------------------------------------------------------------

function decodeRegister(d: A64, word: u32): void {
  const wide = word >>> 31 != 0;
  d.rd = target(bits(word, 4, 0));
  d.rn = source(bits(word, 9, 5));
  d.rm = source(bits(word, 20, 16));
  if (bits(word, 28, 28) == 0) {
    if (bits(word, 24, 24) == 0) decodeLogicalShifted(d, word, wide);
    else if (bits(word, 21, 21) == 0) decodeAddShifted(d, word, wide);
    else decodeAddExtended(d, word, wide);
    return;
  }
  switch (bits(word, 24, 21)) {
    case 0b0000:
      decodeAddWithCarry(d, word, wide);
      break;
    case 0b0010:
      decodeConditionalCompare(d, word, wide);
      break;
    case 0b0100:
      decodeConditionalSelect(d, word, wide);
      break;
    case 0b0110:
      if (bits(word, 30, 30) != 0) decodeOneSource(d, word, wide);
      else decodeTwoSource(d, word, wide);
      break;
    default:
      if (bits(word, 24, 24) != 0) decodeThreeSource(d, word, wide);
      break;
  }
}

/** Operand kinds in bits 15:8 of `extra` for ARITHMETIC and LOGICAL: four shifts, then eight extensions. */
export const OPERAND_EXTENDED: u32 = 8;

function decodeLogicalShifted(d: A64, word: u32, wide: bool): void {
  const amount = bits(word, 15, 10);
  if (!wide && amount > 31) return;
  const operation = (bits(word, 30, 29) << 1) | bits(word, 21, 21);
  const kind = bits(word, 23, 22);
  if (amount == 0) {
    switch (operation) {
      case 0:
        d.operation = <u16>(wide ? Op.AND_REGISTER64 : Op.AND_REGISTER32);
        return;
      case 2:
        d.operation = <u16>(wide ? Op.ORR_REGISTER64 : Op.ORR_REGISTER32);
        return;
      case 4:
        d.operation = <u16>(wide ? Op.EOR_REGISTER64 : Op.EOR_REGISTER32);
        return;
      case 6:
        d.operation = <u16>(wide ? Op.ANDS_REGISTER64 : Op.ANDS_REGISTER32);
        return;
      default:
        break;
    }
  }
  d.extra = operation | (kind << 8) | (amount << 16);
  d.operation = <u16>(wide ? Op.LOGICAL64 : Op.LOGICAL32);
}

function decodeAddShifted(d: A64, word: u32, wide: bool): void {
  const amount = bits(word, 15, 10);
  const kind = bits(word, 23, 22);
  if (kind == 3 || (!wide && amount > 31)) return;
  const operation = bits(word, 30, 29);
  if (amount == 0) {
    if (operation == 0) d.operation = <u16>(wide ? Op.ADD_REGISTER64 : Op.ADD_REGISTER32);
    else if (operation == 1) d.operation = <u16>(wide ? Op.ADDS_REGISTER64 : Op.ADDS_REGISTER32);
    else if (operation == 2) d.operation = <u16>(wide ? Op.SUB_REGISTER64 : Op.SUB_REGISTER32);
    else d.operation = <u16>(wide ? Op.SUBS_REGISTER64 : Op.SUBS_REGISTER32);
    return;
  }
  d.extra = operation | (kind << 8) | (amount << 16);
  d.operation = <u16>(wide ? Op.ARITHMETIC64 : Op.ARITHMETIC32);
}

function decodeAddExtended(d: A64, word: u32, wide: bool): void {
  const amount = bits(word, 12, 10);
  if (bits(word, 23, 22) != 0 || amount > 4) return;
  const operation = bits(word, 30, 29);
  d.rn = stackOr(bits(word, 9, 5));
  if ((operation & 1) == 0) d.rd = stackOr(bits(word, 4, 0));
  d.extra = operation | ((OPERAND_EXTENDED + bits(word, 15, 13)) << 8) | (amount << 16);
  d.operation = <u16>(wide ? Op.ARITHMETIC64 : Op.ARITHMETIC32);
}

function decodeAddWithCarry(d: A64, word: u32, wide: bool): void {
  if (bits(word, 15, 10) != 0) return; // RMIF, SETF8/16 (FEAT_FlagM): not announced
  d.extra = bits(word, 30, 30) | (bits(word, 29, 29) << 1);
  d.operation = <u16>(wide ? Op.ADD_WITH_CARRY64 : Op.ADD_WITH_CARRY32);
}

function decodeConditionalCompare(d: A64, word: u32, wide: bool): void {
  if (bits(word, 29, 29) == 0 || bits(word, 10, 10) != 0 || bits(word, 4, 4) != 0) return;
  const negative: u32 = bits(word, 30, 30) == 0 ? 1 : 0; // CCMN compares with the negated operand
  d.extra = conditionExtra(bits(word, 15, 12)) | (bits(word, 3, 0) << 4) | (negative << 8);
  if (bits(word, 11, 11) != 0) {
    d.immediate = <i64>bits(word, 20, 16);
    d.operation = <u16>(wide ? Op.CONDITIONAL_COMPARE_IMMEDIATE64 : Op.CONDITIONAL_COMPARE_IMMEDIATE32);
  } else {
    d.operation = <u16>(wide ? Op.CONDITIONAL_COMPARE_REGISTER64 : Op.CONDITIONAL_COMPARE_REGISTER32);
  }
}

function decodeConditionalSelect(d: A64, word: u32, wide: bool): void {
  if (bits(word, 29, 29) != 0 || bits(word, 11, 11) != 0) return;
  d.extra = conditionExtra(bits(word, 15, 12));
  switch ((bits(word, 30, 30) << 1) | bits(word, 10, 10)) {
    case 0:
      d.operation = <u16>(wide ? Op.CSEL64 : Op.CSEL32);
      break;
    case 1:
      d.operation = <u16>(wide ? Op.CSINC64 : Op.CSINC32);
      break;
    case 2:
      d.operation = <u16>(wide ? Op.CSINV64 : Op.CSINV32);
      break;
    default:
      d.operation = <u16>(wide ? Op.CSNEG64 : Op.CSNEG32);
      break;
  }
}

/** Among the bits of `extra` of CRC32: the polynomial is Castagnoli's. */
export const CRC_CASTAGNOLI: u32 = 4;

/** One-source operations, in `extra`. */
export enum OneSource {
  RBIT = 0,
  REV16 = 1,
  REV32 = 2,
  REV64 = 3,
  CLZ = 4,
  CLS = 5,
}

function decodeOneSource(d: A64, word: u32, wide: bool): void {
  if (bits(word, 29, 29) != 0 || bits(word, 20, 16) != 0) return; // opcode2 = 1: pointer authentication, not announced
  const operation = bits(word, 15, 10);
  if (<i32>operation > OneSource.CLS || (!wide && operation == OneSource.REV64)) return;
  d.extra = operation;
  d.operation = <u16>(wide ? Op.ONE_SOURCE64 : Op.ONE_SOURCE32);
}

function decodeTwoSource(d: A64, word: u32, wide: bool): void {
  if (bits(word, 29, 29) != 0) return;
  switch (bits(word, 15, 10)) {
    case 2:
      setOperation(d, wide ? Op.UDIV64 : Op.UDIV32, Timing.COST_DIVIDE);
      break;
    case 3:
      setOperation(d, wide ? Op.SDIV64 : Op.SDIV32, Timing.COST_DIVIDE);
      break;
    case 8:
      d.operation = <u16>(wide ? Op.LSLV64 : Op.LSLV32);
      break;
    case 9:
      d.operation = <u16>(wide ? Op.LSRV64 : Op.LSRV32);
      break;
    case 10:
      d.operation = <u16>(wide ? Op.ASRV64 : Op.ASRV32);
      break;
    case 11:
      d.operation = <u16>(wide ? Op.RORV64 : Op.RORV32);
      break;
    default: // SUBP, IRG, GMI, PACGA: not announced
      if (bits(word, 15, 13) == 0b010) decodeChecksum(d, word, wide);
      break;
  }
}

/** CRC32, CRC32C: executed where multiplications are (Neoverse N1 Software Optimization Guide, "CRC checksum ops"). */
function decodeChecksum(d: A64, word: u32, wide: bool): void {
  if ((bits(word, 11, 10) == 3) != wide) return;
  d.extra = bits(word, 12, 10);
  setOperation(d, Op.CRC32, Timing.COST_MULTIPLY);
}

function decodeThreeSource(d: A64, word: u32, wide: bool): void {
  if (bits(word, 30, 29) != 0) return;
  d.ra = source(bits(word, 14, 10));
  const subtract = bits(word, 15, 15) != 0;
  switch (bits(word, 23, 21)) {
    case 0:
      if (subtract) setOperation(d, wide ? Op.MSUB64 : Op.MSUB32, Timing.COST_MULTIPLY);
      else setOperation(d, wide ? Op.MADD64 : Op.MADD32, Timing.COST_MULTIPLY);
      break;
    case 1:
      if (wide) setOperation(d, subtract ? Op.SMSUBL : Op.SMADDL, Timing.COST_MULTIPLY);
      break;
    case 2:
      if (wide && !subtract) setOperation(d, Op.SMULH, Timing.COST_MULTIPLY);
      break;
    case 5:
      if (wide) setOperation(d, subtract ? Op.UMSUBL : Op.UMADDL, Timing.COST_MULTIPLY);
      break;
    case 6:
      if (wide && !subtract) setOperation(d, Op.UMULH, Timing.COST_MULTIPLY);
      break;
    default:
      break;
  }
}
