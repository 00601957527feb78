// Multiplication and division (SDM 2A MUL, IMUL, DIV, IDIV, 2B MULX).
//
// Flags that the manual leaves undefined: after a multiplication SF, ZF and PF are those of the low half and AF is clear;
// divisions leave all flags alone.

import { X86Vector } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { RAX, RDX, readR } from "./cpu.ts";
import { fault } from "./exception.ts";
import { resultFlags } from "./flags.ts";
import { done, readPart, readReg, readRm, signExtend, truncate, writePart, writeReg } from "./operand.ts";
import { Extra, Op, X86 } from "./operations.ts";
import { Step } from "./step.ts";

export function executeMultiply(cpu: Cpu, d: X86, operation: i32): Step {
  const base = changetype<usize>(cpu);
  const source = readRm(cpu, d);
  if (!done) return Step.ACCESS;
  switch (operation) {
    case Op.MUL:
      multiply(base, d.size, source);
      return Step.NEXT;
    case Op.IMUL:
      multiplySigned(base, d.size, source);
      return Step.NEXT;
    case Op.IMUL_R:
      multiplyToRegister(base, d, source);
      return Step.NEXT;
    case Op.MULX: {
      // VEX.vvvv gets the low half, reg the high one; when they are the same, the high one.
      const factor = truncate(readR(base, RDX), d.size);
      const high = d.size == 8 ? highProduct(factor, source) : (factor * source) >>> 32;
      writePart(base, d.immediate, d.size, false, factor * source);
      writeReg(base, d, high);
      return Step.NEXT;
    }
    case Op.DIV:
      return divide(cpu, d.size, source);
    default:
      return divideSigned(cpu, d.size, source);
  }
}

/** Upper 64 bits of an unsigned product. */
function highProduct(x: u64, y: u64): u64 {
  const x0 = x & 0xffff_ffff;
  const x1 = x >>> 32;
  const y0 = y & 0xffff_ffff;
  const y1 = y >>> 32;
  const middle = x1 * y0 + ((x0 * y0) >>> 32);
  const other = x0 * y1 + (middle & 0xffff_ffff);
  return x1 * y1 + (middle >>> 32) + (other >>> 32);
}

/** Upper 64 bits of a signed product. */
function highSignedProduct(x: u64, y: u64): u64 {
  return highProduct(x, y) - (<i64>x < 0 ? y : 0) - (<i64>y < 0 ? x : 0);
}

function multiply(cpu: usize, size: u32, source: u64): void {
  const factor = truncate(readR(cpu, RAX), size);
  const low = factor * source;
  const high = size == 8 ? highProduct(factor, source) : low >>> ((<u64>size) << 3);
  storeProduct(cpu, size, low, high);
  const carry: u64 = high != 0 ? 1 : 0;
  resultFlags(cpu, signExtend(low, size), carry, carry != 0);
}

function multiplySigned(cpu: usize, size: u32, source: u64): void {
  const factor = signExtend(readR(cpu, RAX), size);
  const signedSource = signExtend(source, size);
  const low = factor * signedSource;
  const high = size == 8 ? highSignedProduct(factor, source) : <u64>((<i64>low) >> (<i64>(size << 3)));
  storeProduct(cpu, size, low, high);
  const carry: u64 = high != <u64>((<i64>signExtend(low, size)) >> 63) ? 1 : 0;
  resultFlags(cpu, signExtend(low, size), carry, carry != 0);
}

/** To AX, or to rDX:rAX. */
function storeProduct(cpu: usize, size: u32, low: u64, high: u64): void {
  if (size == 1) {
    writePart(cpu, RAX, 2, false, low);
    return;
  }
  writePart(cpu, RAX, size, false, low);
  writePart(cpu, RDX, size, false, high);
}

function multiplyToRegister(cpu: usize, d: X86, source: u64): void {
  const size = <u32>d.size;
  const isImmediate = (d.extra & (<u16>Extra.IMMEDIATE)) != 0;
  const x = signExtend(source, size);
  const y = isImmediate ? <u64>(<i64>d.immediate) : signExtend(readReg(cpu, d), size);
  const result = x * y;
  const fits = size == 8 ? highSignedProduct(x, y) == <u64>((<i64>result) >> 63) : signExtend(result, size) == result;
  writeReg(cpu, d, truncate(result, size));
  resultFlags(cpu, signExtend(result, size), fits ? 0 : 1, !fits);
}

// --- division --------------------------------------------------------------------------------------------------------

function divideError(cpu: Cpu): Step {
  return fault(cpu, X86Vector.DIVIDE_ERROR);
}

/** Quotient to AL or rAX, remainder to AH or rDX. */
function storeQuotient(cpu: usize, size: u32, quotient: u64, remainder: u64): void {
  if (size == 1) {
    writePart(cpu, RAX, 2, false, (quotient & 0xff) | ((remainder & 0xff) << 8));
    return;
  }
  writePart(cpu, RAX, size, false, quotient);
  writePart(cpu, RDX, size, false, remainder);
}

/** The dividend of up to 64 bits: AX, DX:AX, EDX:EAX. */
function dividend(cpu: usize, size: u32): u64 {
  if (size == 1) return readPart(cpu, RAX, 2, false);
  return readPart(cpu, RAX, size, false) | (readPart(cpu, RDX, size, false) << ((<u64>size) << 3));
}

function divide(cpu: Cpu, size: u32, divisor: u64): Step {
  const base = changetype<usize>(cpu);
  if (divisor == 0) return divideError(cpu);
  if (size == 8) {
    if (readR(base, RDX) >= divisor) return divideError(cpu);
    divideWide(readR(base, RDX), readR(base, RAX), divisor);
    storeQuotient(base, 8, wideQuotient, wideRemainder);
    return Step.NEXT;
  }
  const number = dividend(base, size);
  const quotient = number / divisor;
  if (quotient != truncate(quotient, size)) return divideError(cpu);
  storeQuotient(base, size, quotient, number % divisor);
  return Step.NEXT;
}

function divideSigned(cpu: Cpu, size: u32, source: u64): Step {
  const base = changetype<usize>(cpu);
  if (source == 0) return divideError(cpu);
  if (size == 8) return divideSignedWide(cpu, source);
  const number = <i64>signExtend(dividend(base, size), size << 1);
  const divisor = <i64>signExtend(source, size);
  // The one quotient that 64 bits can't hold.
  if (number == i64.MIN_VALUE && divisor == -1) return divideError(cpu);
  const quotient = number / divisor;
  if (<i64>signExtend(<u64>quotient, size) != quotient) return divideError(cpu);
  storeQuotient(base, size, <u64>quotient, <u64>(number % divisor));
  return Step.NEXT;
}

/** By magnitudes; the remainder has the sign of the dividend. */
function divideSignedWide(cpu: Cpu, divisor: u64): Step {
  const base = changetype<usize>(cpu);
  let high = readR(base, RDX);
  let low = readR(base, RAX);
  const isNegative = <i64>high < 0;
  if (isNegative) {
    low = 0 - low;
    high = ~high + (low == 0 ? 1 : 0);
  }
  const magnitude = <i64>divisor < 0 ? 0 - divisor : divisor;
  if (high >= magnitude) return divideError(cpu);
  divideWide(high, low, magnitude);
  const quotientIsNegative = isNegative != <i64>divisor < 0;
  const largest: u64 = quotientIsNegative ? 0x8000_0000_0000_0000 : 0x7fff_ffff_ffff_ffff;
  if (wideQuotient > largest) return divideError(cpu);
  storeQuotient(
    base,
    8,
    quotientIsNegative ? 0 - wideQuotient : wideQuotient,
    isNegative ? 0 - wideRemainder : wideRemainder,
  );
  return Step.NEXT;
}

let wideQuotient: u64 = 0;
let wideRemainder: u64 = 0;

/** high:low / divisor, with high < divisor: bit by bit. */
function divideWide(high: u64, low: u64, divisor: u64): void {
  if (high == 0) {
    wideQuotient = low / divisor;
    wideRemainder = low % divisor;
    return;
  }
  let remainder = high;
  let quotient: u64 = 0;
  let rest = low;
  for (let bit = 0; bit < 64; bit++) {
    const carried = remainder >>> 63 != 0;
    remainder = (remainder << 1) | (rest >>> 63);
    rest <<= 1;
    quotient <<= 1;
    if (carried || remainder >= divisor) {
      remainder -= divisor;
      quotient |= 1;
    }
  }
  wideQuotient = quotient;
  wideRemainder = remainder;
}
