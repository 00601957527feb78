// A64 integer operations beside the common ones: shifted and extended operands, carries, conditional compares, shifts by
// register, divisions, long multiplications, checksums (Arm ARM DDI 0487 C6.2).

import { CARRY_SLOT, readX, writeNzcv, writeX } from "./cpu.ts";
import { CRC_CASTAGNOLI, OPERAND_EXTENDED, OneSource } from "./decode.ts";
import { addFlags32, addFlags64, conditionHolds, logicFlags32, logicFlags64 } from "./flags.ts";
import { subtractFlags32, subtractFlags64 } from "./flags.ts";
import { A64, Op } from "./operations.ts";

export function executeInteger(cpu: usize, d: A64, operation: i32): void {
  switch (operation) {
    case Op.ARITHMETIC64:
      arithmetic64(cpu, d);
      break;
    case Op.ARITHMETIC32:
      arithmetic32(cpu, d);
      break;
    case Op.LOGICAL64:
      logical64(cpu, d);
      break;
    case Op.LOGICAL32:
      logical32(cpu, d);
      break;
    case Op.ADD_WITH_CARRY64:
      addWithCarry64(cpu, d);
      break;
    case Op.ADD_WITH_CARRY32:
      addWithCarry32(cpu, d);
      break;
    case Op.CONDITIONAL_COMPARE_IMMEDIATE64:
      conditionalCompare64(cpu, d, <u64>d.immediate);
      break;
    case Op.CONDITIONAL_COMPARE_REGISTER64:
      conditionalCompare64(cpu, d, readX(cpu, d.rm));
      break;
    case Op.CONDITIONAL_COMPARE_IMMEDIATE32:
      conditionalCompare32(cpu, d, <u32>d.immediate);
      break;
    case Op.CONDITIONAL_COMPARE_REGISTER32:
      conditionalCompare32(cpu, d, <u32>readX(cpu, d.rm));
      break;
    case Op.ONE_SOURCE64:
      writeX(cpu, d.rd, oneSource64(readX(cpu, d.rn), d.extra));
      break;
    case Op.ONE_SOURCE32:
      writeX(cpu, d.rd, oneSource32(<u32>readX(cpu, d.rn), d.extra));
      break;
    case Op.UDIV64:
      writeX(cpu, d.rd, divideUnsigned(readX(cpu, d.rn), readX(cpu, d.rm)));
      break;
    case Op.UDIV32:
      writeX(cpu, d.rd, divideUnsigned(<u64>(<u32>readX(cpu, d.rn)), <u64>(<u32>readX(cpu, d.rm))));
      break;
    case Op.SDIV64:
      writeX(cpu, d.rd, <u64>divideSigned(<i64>readX(cpu, d.rn), <i64>readX(cpu, d.rm)));
      break;
    case Op.SDIV32:
      writeX(cpu, d.rd, <u64>(<u32>divideSigned(<i64>(<i32>readX(cpu, d.rn)), <i64>(<i32>readX(cpu, d.rm)))));
      break;
    // Shift amounts are taken modulo the width, as WebAssembly does.
    case Op.LSLV64:
      writeX(cpu, d.rd, readX(cpu, d.rn) << readX(cpu, d.rm));
      break;
    case Op.LSLV32:
      writeX(cpu, d.rd, <u64>((<u32>readX(cpu, d.rn)) << (<u32>readX(cpu, d.rm))));
      break;
    case Op.LSRV64:
      writeX(cpu, d.rd, readX(cpu, d.rn) >>> readX(cpu, d.rm));
      break;
    case Op.LSRV32:
      writeX(cpu, d.rd, <u64>((<u32>readX(cpu, d.rn)) >>> (<u32>readX(cpu, d.rm))));
      break;
    case Op.ASRV64:
      writeX(cpu, d.rd, <u64>((<i64>readX(cpu, d.rn)) >> (<i64>readX(cpu, d.rm))));
      break;
    case Op.ASRV32:
      writeX(cpu, d.rd, <u64>(<u32>((<i32>readX(cpu, d.rn)) >> (<i32>readX(cpu, d.rm)))));
      break;
    case Op.RORV64:
      writeX(cpu, d.rd, rotr<u64>(readX(cpu, d.rn), readX(cpu, d.rm)));
      break;
    case Op.RORV32:
      writeX(cpu, d.rd, <u64>rotr<u32>(<u32>readX(cpu, d.rn), <u32>readX(cpu, d.rm)));
      break;
    case Op.CSINV64:
      writeX(cpu, d.rd, conditionHolds(cpu, d.extra) ? readX(cpu, d.rn) : ~readX(cpu, d.rm));
      break;
    case Op.CSINV32:
      writeX(cpu, d.rd, (conditionHolds(cpu, d.extra) ? readX(cpu, d.rn) : ~readX(cpu, d.rm)) & 0xffff_ffff);
      break;
    case Op.CSNEG64:
      writeX(cpu, d.rd, conditionHolds(cpu, d.extra) ? readX(cpu, d.rn) : 0 - readX(cpu, d.rm));
      break;
    case Op.CSNEG32:
      writeX(cpu, d.rd, (conditionHolds(cpu, d.extra) ? readX(cpu, d.rn) : 0 - readX(cpu, d.rm)) & 0xffff_ffff);
      break;
    case Op.MOVK32:
      writeX(cpu, d.rd, <u64>(((<u32>readX(cpu, d.rn)) & ~((<u32>0xffff) << d.extra)) | (<u32>d.immediate)));
      break;
    case Op.EOR_IMMEDIATE64:
      writeX(cpu, d.rd, readX(cpu, d.rn) ^ (<u64>d.immediate));
      break;
    case Op.EOR_IMMEDIATE32:
      writeX(cpu, d.rd, <u64>((<u32>readX(cpu, d.rn)) ^ (<u32>d.immediate)));
      break;
    case Op.EXTR64:
      writeX(cpu, d.rd, extract64(readX(cpu, d.rn), readX(cpu, d.rm), <u64>d.extra));
      break;
    case Op.EXTR32:
      writeX(cpu, d.rd, (((readX(cpu, d.rn) << 32) | (<u64>(<u32>readX(cpu, d.rm)))) >>> (<u64>d.extra)) & 0xffff_ffff);
      break;
    case Op.MADD32:
      writeX(cpu, d.rd, (readX(cpu, d.ra) + readX(cpu, d.rn) * readX(cpu, d.rm)) & 0xffff_ffff);
      break;
    case Op.MSUB64:
      writeX(cpu, d.rd, readX(cpu, d.ra) - readX(cpu, d.rn) * readX(cpu, d.rm));
      break;
    case Op.MSUB32:
      writeX(cpu, d.rd, (readX(cpu, d.ra) - readX(cpu, d.rn) * readX(cpu, d.rm)) & 0xffff_ffff);
      break;
    case Op.CRC32:
      writeX(cpu, d.rd, crc32(<u32>readX(cpu, d.rn), readX(cpu, d.rm), d.extra));
      break;
    default:
      writeX(cpu, d.rd, multiplyLong(cpu, d, operation));
      break;
  }
}

/** BFM: `from` rotated right by extra, inserted into `into` where immediate has ones. */
// @ts-ignore: decorator
@inline
export function insertField64(d: A64, into: u64, from: u64): u64 {
  const mask = <u64>d.immediate;
  return (into & ~mask) | (rotr<u64>(from, <u64>d.extra) & mask);
}

// @ts-ignore: decorator
@inline
export function insertField32(d: A64, into: u32, from: u32): u64 {
  const mask = <u32>d.immediate;
  return <u64>((into & ~mask) | (rotr<u32>(from, d.extra) & mask));
}

function extract64(high: u64, low: u64, from: u64): u64 {
  return from == 0 ? low : (low >>> from) | (high << (64 - from));
}

/** Polynomials 0x04C11DB7 and 0x1EDC6F41, bits reversed. */
const CRC32_POLYNOMIAL: u32 = 0xedb8_8320;
const CRC32C_POLYNOMIAL: u32 = 0x82f6_3b78;

/** CRC32, CRC32C (C6.2.78): the accumulator moved on by the low bytes of the value. */
function crc32(accumulator: u32, value: u64, kind: u32): u64 {
  const polynomial = (kind & CRC_CASTAGNOLI) != 0 ? CRC32C_POLYNOMIAL : CRC32_POLYNOMIAL;
  let crc = accumulator;
  for (let bytes = (<u32>1) << (kind & 3); bytes != 0; bytes--) {
    crc ^= (<u32>value) & 0xff;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (polynomial & (0 - (crc & 1)));
    value >>>= 8;
  }
  return <u64>crc;
}

function multiplyLong(cpu: usize, d: A64, operation: i32): u64 {
  const n = readX(cpu, d.rn);
  const m = readX(cpu, d.rm);
  const signedProduct = <u64>(<i64>(<i32>n) * <i64>(<i32>m));
  const unsignedProduct = <u64>(<u32>n) * <u64>(<u32>m);
  switch (operation) {
    case Op.SMADDL:
      return readX(cpu, d.ra) + signedProduct;
    case Op.SMSUBL:
      return readX(cpu, d.ra) - signedProduct;
    case Op.UMADDL:
      return readX(cpu, d.ra) + unsignedProduct;
    case Op.UMSUBL:
      return readX(cpu, d.ra) - unsignedProduct;
    case Op.SMULH:
      return multiplyHighSigned(n, m);
    default:
      return multiplyHigh(n, m);
  }
}

/** Upper half of the 128-bit product. */
export function multiplyHigh(a: u64, b: u64): u64 {
  const lowA = a & 0xffff_ffff;
  const highA = a >>> 32;
  const lowB = b & 0xffff_ffff;
  const highB = b >>> 32;
  const low = lowA * lowB;
  const middle = highA * lowB + (low >>> 32);
  const other = lowA * highB + (middle & 0xffff_ffff);
  return highA * highB + (middle >>> 32) + (other >>> 32);
}

export function multiplyHighSigned(a: u64, b: u64): u64 {
  let high = multiplyHigh(a, b);
  if (<i64>a < 0) high -= b;
  if (<i64>b < 0) high -= a;
  return high;
}

/** Division by zero gives zero (C6.2.420). */
function divideUnsigned(a: u64, b: u64): u64 {
  return b == 0 ? 0 : a / b;
}

function divideSigned(a: i64, b: i64): i64 {
  if (b == 0) return 0;
  return b == -1 ? 0 - a : a / b; // the quotient of the most negative number wraps
}

/** ShiftReg() and ExtendReg(), 64 bits; `operand` is bits 31:8 of `extra`. */
function operand64(value: u64, operand: u32): u64 {
  const amount = <u64>(operand >>> 8);
  switch (operand & 0xff) {
    case 0:
      return value << amount;
    case 1:
      return value >>> amount;
    case 2:
      return <u64>((<i64>value) >> (<i64>amount));
    case 3:
      return rotr<u64>(value, amount);
    default:
      return extend(value, (operand & 0xff) - OPERAND_EXTENDED) << amount;
  }
}

function operand32(value: u32, operand: u32): u32 {
  const amount = operand >>> 8;
  switch (operand & 0xff) {
    case 0:
      return value << amount;
    case 1:
      return value >>> amount;
    case 2:
      return <u32>((<i32>value) >> (<i32>amount));
    case 3:
      return rotr<u32>(value, amount);
    default:
      return (<u32>extend(<u64>value, (operand & 0xff) - OPERAND_EXTENDED)) << amount;
  }
}

/** Extension options as encoded: UXTB, UXTH, UXTW, UXTX, SXTB, SXTH, SXTW, SXTX. */
export function extend(value: u64, option: u32): u64 {
  switch (option) {
    case 0:
      return value & 0xff;
    case 1:
      return value & 0xffff;
    case 2:
      return value & 0xffff_ffff;
    case 4:
      return <u64>(<i64>(<i8>value));
    case 5:
      return <u64>(<i64>(<i16>value));
    case 6:
      return <u64>(<i64>(<i32>value));
    default:
      return value;
  }
}

export function arithmetic64(cpu: usize, d: A64): void {
  const n = readX(cpu, d.rn);
  const m = operand64(readX(cpu, d.rm), d.extra >>> 8);
  switch (d.extra & 3) {
    case 0:
      writeX(cpu, d.rd, n + m);
      break;
    case 1:
      writeX(cpu, d.rd, addFlags64(cpu, n, m));
      break;
    case 2:
      writeX(cpu, d.rd, n - m);
      break;
    default:
      writeX(cpu, d.rd, subtractFlags64(cpu, n, m));
      break;
  }
}

export function arithmetic32(cpu: usize, d: A64): void {
  const n = <u32>readX(cpu, d.rn);
  const m = operand32(<u32>readX(cpu, d.rm), d.extra >>> 8);
  switch (d.extra & 3) {
    case 0:
      writeX(cpu, d.rd, <u64>(n + m));
      break;
    case 1:
      writeX(cpu, d.rd, addFlags32(cpu, n, m));
      break;
    case 2:
      writeX(cpu, d.rd, <u64>(n - m));
      break;
    default:
      writeX(cpu, d.rd, subtractFlags32(cpu, n, m));
      break;
  }
}

export function logical64(cpu: usize, d: A64): void {
  const n = readX(cpu, d.rn);
  let m = operand64(readX(cpu, d.rm), d.extra >>> 8);
  if ((d.extra & 1) != 0) m = ~m;
  switch ((d.extra >>> 1) & 3) {
    case 0:
      writeX(cpu, d.rd, n & m);
      break;
    case 1:
      writeX(cpu, d.rd, n | m);
      break;
    case 2:
      writeX(cpu, d.rd, n ^ m);
      break;
    default:
      writeX(cpu, d.rd, logicFlags64(cpu, n & m));
      break;
  }
}

export function logical32(cpu: usize, d: A64): void {
  const n = <u32>readX(cpu, d.rn);
  let m = operand32(<u32>readX(cpu, d.rm), d.extra >>> 8);
  if ((d.extra & 1) != 0) m = ~m;
  switch ((d.extra >>> 1) & 3) {
    case 0:
      writeX(cpu, d.rd, <u64>(n & m));
      break;
    case 1:
      writeX(cpu, d.rd, <u64>(n | m));
      break;
    case 2:
      writeX(cpu, d.rd, <u64>(n ^ m));
      break;
    default:
      writeX(cpu, d.rd, logicFlags32(cpu, n & m));
      break;
  }
}

/** ADC, ADCS, SBC, SBCS: n + m + C, with m inverted to subtract. */
function addWithCarry64(cpu: usize, d: A64): void {
  const n = readX(cpu, d.rn);
  const m = (d.extra & 1) != 0 ? ~readX(cpu, d.rm) : readX(cpu, d.rm);
  const carry = readX(cpu, CARRY_SLOT);
  const sum = n + m;
  const result = sum + carry;
  if ((d.extra & 2) != 0) {
    const carried = sum < n || result < sum;
    setNzcv(cpu, <i64>result < 0, result == 0, carried, <i64>((n ^ result) & (m ^ result)) < 0);
  }
  writeX(cpu, d.rd, result);
}

function addWithCarry32(cpu: usize, d: A64): void {
  const n = <u32>readX(cpu, d.rn);
  const m = (d.extra & 1) != 0 ? ~(<u32>readX(cpu, d.rm)) : <u32>readX(cpu, d.rm);
  const wide = <u64>n + <u64>m + readX(cpu, CARRY_SLOT);
  const result = <u32>wide;
  if ((d.extra & 2) != 0) {
    setNzcv(cpu, <i32>result < 0, result == 0, wide >>> 32 != 0, <i32>((n ^ result) & (m ^ result)) < 0);
  }
  writeX(cpu, d.rd, <u64>result);
}

function setNzcv(cpu: usize, n: bool, z: bool, c: bool, v: bool): void {
  writeNzcv(cpu, ((<u32>n) << 31) | ((<u32>z) << 30) | ((<u32>c) << 29) | ((<u32>v) << 28));
}

function conditionalCompare64(cpu: usize, d: A64, operand: u64): void {
  if (!conditionHolds(cpu, d.extra)) writeNzcv(cpu, ((d.extra >>> 4) & 15) << 28);
  else if ((d.extra & 0x100) != 0) addFlags64(cpu, readX(cpu, d.rn), operand);
  else subtractFlags64(cpu, readX(cpu, d.rn), operand);
}

function conditionalCompare32(cpu: usize, d: A64, operand: u32): void {
  if (!conditionHolds(cpu, d.extra)) writeNzcv(cpu, ((d.extra >>> 4) & 15) << 28);
  else if ((d.extra & 0x100) != 0) addFlags32(cpu, <u32>readX(cpu, d.rn), operand);
  else subtractFlags32(cpu, <u32>readX(cpu, d.rn), operand);
}

function oneSource64(value: u64, operation: u32): u64 {
  switch (operation) {
    case OneSource.RBIT:
      return reverseBits(value);
    case OneSource.REV16:
      return ((value & 0x00ff00ff00ff00ff) << 8) | ((value >>> 8) & 0x00ff00ff00ff00ff);
    case OneSource.REV32:
      return rotr<u64>(bswap<u64>(value), 32);
    case OneSource.REV64:
      return bswap<u64>(value);
    case OneSource.CLZ:
      return clz<u64>(value);
    default:
      return clz<u64>((value ^ (<u64>((<i64>value) >> 1))) & 0x7fff_ffff_ffff_ffff) - 1;
  }
}

function oneSource32(value: u32, operation: u32): u64 {
  switch (operation) {
    case OneSource.RBIT:
      return reverseBits(<u64>value) >>> 32;
    case OneSource.REV16:
      return <u64>(((value & 0x00ff00ff) << 8) | ((value >>> 8) & 0x00ff00ff));
    case OneSource.REV32:
      return <u64>bswap<u32>(value);
    case OneSource.CLZ:
      return <u64>clz<u32>(value);
    default:
      return <u64>(clz<u32>((value ^ (<u32>((<i32>value) >> 1))) & 0x7fff_ffff) - 1);
  }
}

function reverseBits(value: u64): u64 {
  let v = bswap<u64>(value);
  v = ((v & 0x0f0f0f0f0f0f0f0f) << 4) | ((v >>> 4) & 0x0f0f0f0f0f0f0f0f);
  v = ((v & 0x3333333333333333) << 2) | ((v >>> 2) & 0x3333333333333333);
  return ((v & 0x5555555555555555) << 1) | ((v >>> 1) & 0x5555555555555555);
}
