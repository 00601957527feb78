// Integer operations beside the common ones: 8 and 16 bits, read-modify-write in memory, partial registers, exchanges,
// conversions (SDM volume 2, by mnemonic).

import { Cpu } from "../cpu.ts";
import { withSegment } from "./address.ts";
import { RAX, RBX, RDX, RFLAGS_DF, RFLAGS_FIXED, RFLAGS_OF, RFLAGS_STATUS, readR, x86 } from "./cpu.ts";
import {
  addFlags32,
  addFlags64,
  carryFlags,
  carryOf,
  conditionHolds,
  decrementFlags32,
  decrementFlags64,
  incrementFlags32,
  incrementFlags64,
  logicFlags32,
  logicFlags64,
  overflowOf,
  readStatus,
  setCarry,
  setCarryAndOverflow,
  subtractFlags32,
  subtractFlags64,
  writeStatus,
} from "./flags.ts";
import {
  beginModify,
  done,
  finishModify,
  numberOf,
  operandAddress,
  readMemory,
  readPart,
  readReg,
  readRm,
  secondOperand,
  signExtend,
  truncate,
  writeMemory,
  writePart,
  writeReg,
  writeRm,
} from "./operand.ts";
import { Alu, CarryChain, Extra, Op, X86 } from "./operations.ts";
import { Step } from "./step.ts";

export function executeInteger(cpu: Cpu, d: X86, operation: i32): Step {
  switch (operation) {
    case Op.ALU:
      return arithmetic(cpu, d);
    case Op.TEST:
      return test(cpu, d);
    case Op.ADD_CHAINED:
      return addChained(cpu, d);
    case Op.NOT:
    case Op.NEG:
    case Op.INC:
    case Op.DEC:
      return unary(cpu, d, operation);
    case Op.MOV:
      return move(cpu, d);
    case Op.XCHG:
      return exchange(cpu, d);
    case Op.MOVZX:
    case Op.MOVSX:
      return extendMove(cpu, d, operation == Op.MOVSX);
    case Op.MOVBE:
      return moveSwapped(cpu, d);
    case Op.CMOV:
      return moveIf(cpu, d);
    case Op.SETCC:
      return writeRm(cpu, d, <u64>conditionHolds(changetype<usize>(cpu), numberOf(d))) ? Step.NEXT : Step.ACCESS;
    default:
      return executeRegisters(cpu, d, operation);
  }
}

/** Those that work on registers and flags only, and XLAT. */
function executeRegisters(cpu: Cpu, d: X86, operation: i32): Step {
  const base = changetype<usize>(cpu);
  switch (operation) {
    case Op.BSWAP:
      // Of 16 bits it is undefined: they are swapped bytewise to zero, as processors do.
      writeReg(base, d, d.size == 8 ? bswap<u64>(readR(base, d.reg)) : swap32(readReg(base, d), d.size));
      return Step.NEXT;
    case Op.CONVERT:
      writePart(base, RAX, d.size, false, signExtend(readR(base, RAX), d.size >>> 1));
      return Step.NEXT;
    case Op.EXTEND:
      writePart(base, RDX, d.size, false, <u64>((<i64>signExtend(readR(base, RAX), d.size)) >> 63));
      return Step.NEXT;
    case Op.XLAT: {
      const address = withSegment(base, d, readR(base, RBX) + (readR(base, RAX) & 0xff));
      const value = readMemory(cpu, address, 1);
      if (!done) return Step.ACCESS;
      writePart(base, RAX, 1, false, value);
      return Step.NEXT;
    }
    case Op.LEA16:
      writePart(base, d.reg, 2, false, operandAddress(cpu, d));
      return Step.NEXT;
    case Op.LAHF:
      writePart(base, RAX, 1, true, <u64>((readStatus(base) & ~RFLAGS_OF) | RFLAGS_FIXED));
      return Step.NEXT;
    case Op.SAHF:
      writeStatus(
        base,
        ((<u32>readPart(base, RAX, 1, true)) & RFLAGS_STATUS & ~RFLAGS_OF) | (readStatus(base) & RFLAGS_OF),
      );
      return Step.NEXT;
    case Op.CARRY:
      setCarry(base, numberOf(d) == 2 ? carryOf(base) ^ 1 : <u64>numberOf(d));
      return Step.NEXT;
    default: // DIRECTION
      x86(cpu).rflags = numberOf(d) != 0 ? x86(cpu).rflags | RFLAGS_DF : x86(cpu).rflags & ~RFLAGS_DF;
      return Step.NEXT;
  }
}

function swap32(value: u64, size: u32): u64 {
  return size == 4 ? <u64>bswap<u32>(<u32>value) : 0;
}

// --- two operands ----------------------------------------------------------------------------------------------------

function arithmetic(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const operation = numberOf(d);
  if ((d.extra & (<u16>Extra.TO_REG)) != 0) {
    const y = readRm(cpu, d);
    if (!done) return Step.ACCESS;
    const result = compute(base, operation, d.size, readReg(base, d), y);
    if (operation != Alu.CMP) writeReg(base, d, result);
    return Step.NEXT;
  }
  if (operation == Alu.CMP) {
    const x = readRm(cpu, d);
    if (!done) return Step.ACCESS;
    compute(base, operation, d.size, x, secondOperand(base, d));
    return Step.NEXT;
  }
  const x = beginModify(cpu, d);
  if (!done) return Step.ACCESS;
  const result = compute(base, operation, d.size, x, secondOperand(base, d));
  return finishModify(cpu, d, result) ? Step.NEXT : Step.ACCESS;
}

function test(cpu: Cpu, d: X86): Step {
  const x = readRm(cpu, d);
  if (!done) return Step.ACCESS;
  compute(changetype<usize>(cpu), Alu.AND, d.size, x, secondOperand(changetype<usize>(cpu), d));
  return Step.NEXT;
}

/** ADCX, ADOX: add with CF or OF as the carry, in and out; no other flag changes (SDM 2A ADCX, ADOX). */
function addChained(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const y = readRm(cpu, d);
  if (!done) return Step.ACCESS;
  const x = readReg(base, d);
  const isOverflow = numberOf(d) == CarryChain.OF;
  const carryIn = isOverflow ? <u64>overflowOf(base) : carryOf(base);
  const sum = truncate(x + y, d.size);
  const result = truncate(sum + carryIn, d.size);
  const carryOut = <u64>(sum < x || result < sum);
  if (isOverflow) setCarryAndOverflow(base, carryOf(base), carryOut != 0);
  else setCarry(base, carryOut);
  writeReg(base, d, result);
  return Step.NEXT;
}

/** One of the eight operations on operands of 1 to 8 bytes, zero-extended; sets the flags. */
export function compute(cpu: usize, operation: u32, size: u32, x: u64, y: u64): u64 {
  switch (size) {
    case 8:
      return alu64(cpu, operation, x, y);
    case 4:
      return alu32(cpu, operation, <u32>x, <u32>y);
    default:
      return aluNarrow(cpu, operation, size, x, y);
  }
}

export function alu64(cpu: usize, operation: u32, x: u64, y: u64): u64 {
  switch (operation) {
    case Alu.ADD:
      return addFlags64(cpu, x, y);
    case Alu.OR:
      return logicFlags64(cpu, x | y);
    case Alu.ADC: {
      const carry = carryOf(cpu);
      if (carry == 0) return addFlags64(cpu, x, y);
      const result = x + y + 1;
      carryFlags(cpu, result, result <= x, <i64>((x ^ result) & (y ^ result)) < 0, x ^ y ^ result);
      return result;
    }
    case Alu.SBB: {
      const carry = carryOf(cpu);
      if (carry == 0) return subtractFlags64(cpu, x, y);
      const result = x - y - 1;
      carryFlags(cpu, result, x <= y, <i64>((x ^ y) & (x ^ result)) < 0, x ^ y ^ result);
      return result;
    }
    case Alu.AND:
      return logicFlags64(cpu, x & y);
    case Alu.XOR:
      return logicFlags64(cpu, x ^ y);
    default: // SUB, CMP
      return subtractFlags64(cpu, x, y);
  }
}

export function alu32(cpu: usize, operation: u32, x: u32, y: u32): u64 {
  switch (operation) {
    case Alu.ADD:
      return addFlags32(cpu, x, y);
    case Alu.OR:
      return logicFlags32(cpu, x | y);
    case Alu.ADC: {
      const carry = carryOf(cpu);
      if (carry == 0) return addFlags32(cpu, x, y);
      const result = x + y + 1;
      const overflow = <i32>((x ^ result) & (y ^ result)) < 0;
      carryFlags(cpu, <u64>(<i64>(<i32>result)), result <= x, overflow, <u64>(x ^ y ^ result));
      return <u64>result;
    }
    case Alu.SBB: {
      const carry = carryOf(cpu);
      if (carry == 0) return subtractFlags32(cpu, x, y);
      const result = x - y - 1;
      const overflow = <i32>((x ^ y) & (x ^ result)) < 0;
      carryFlags(cpu, <u64>(<i64>(<i32>result)), x <= y, overflow, <u64>(x ^ y ^ result));
      return <u64>result;
    }
    case Alu.AND:
      return logicFlags32(cpu, x & y);
    case Alu.XOR:
      return logicFlags32(cpu, x ^ y);
    default: // SUB, CMP
      return subtractFlags32(cpu, x, y);
  }
}

/** 8 and 16 bits. */
function aluNarrow(cpu: usize, operation: u32, size: u32, x: u64, y: u64): u64 {
  const bits = (<u64>size) << 3;
  const sign = bits - 1;
  let result: u64;
  let carry = false;
  let overflow: u64 = 0;
  let carries: u64 = 0;
  switch (operation) {
    case Alu.OR:
      result = x | y;
      break;
    case Alu.AND:
      result = x & y;
      break;
    case Alu.XOR:
      result = x ^ y;
      break;
    case Alu.ADD:
    case Alu.ADC:
      result = x + y + (operation == Alu.ADC ? carryOf(cpu) : 0);
      carry = result >>> bits != 0;
      overflow = ((x ^ result) & (y ^ result)) >>> sign;
      carries = x ^ y ^ result;
      break;
    default: // SBB, SUB, CMP
      result = x - y - (operation == Alu.SBB ? carryOf(cpu) : 0);
      carry = result >>> bits != 0;
      overflow = ((x ^ y) & (x ^ result)) >>> sign;
      carries = x ^ y ^ result;
      break;
  }
  carryFlags(cpu, signExtend(result, size), carry, (overflow & 1) != 0, carries);
  return truncate(result, size);
}

// --- one operand -----------------------------------------------------------------------------------------------------

function unary(cpu: Cpu, d: X86, operation: i32): Step {
  const base = changetype<usize>(cpu);
  const x = beginModify(cpu, d);
  if (!done) return Step.ACCESS;
  let result: u64;
  switch (operation) {
    case Op.NOT:
      result = ~x;
      break;
    case Op.NEG:
      result = compute(base, Alu.SUB, d.size, 0, x);
      break;
    case Op.INC:
      result = increment(base, d.size, x);
      break;
    default:
      result = decrement(base, d.size, x);
      break;
  }
  return finishModify(cpu, d, result) ? Step.NEXT : Step.ACCESS;
}

function increment(cpu: usize, size: u32, x: u64): u64 {
  if (size == 8) return incrementFlags64(cpu, x);
  if (size == 4) return incrementFlags32(cpu, <u32>x);
  const carry = carryOf(cpu);
  const result = aluNarrow(cpu, Alu.ADD, size, x, 1);
  setCarry(cpu, carry);
  return result;
}

function decrement(cpu: usize, size: u32, x: u64): u64 {
  if (size == 8) return decrementFlags64(cpu, x);
  if (size == 4) return decrementFlags32(cpu, <u32>x);
  const carry = carryOf(cpu);
  const result = aluNarrow(cpu, Alu.SUB, size, x, 1);
  setCarry(cpu, carry);
  return result;
}

// --- moves -----------------------------------------------------------------------------------------------------------

function move(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  if ((d.extra & (<u16>Extra.TO_REG)) != 0) {
    const value = readRm(cpu, d);
    if (!done) return Step.ACCESS;
    writeReg(base, d, value);
    return Step.NEXT;
  }
  return writeRm(cpu, d, secondOperand(base, d)) ? Step.NEXT : Step.ACCESS;
}

function exchange(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const old = beginModify(cpu, d);
  if (!done) return Step.ACCESS;
  const value = readReg(base, d);
  // The register last: with two parts of one register both must be written.
  if (!finishModify(cpu, d, value)) return Step.ACCESS;
  writeReg(base, d, old);
  return Step.NEXT;
}

/** MOVZX, MOVSX, MOVSXD: size is that of the source, the number that of the destination. */
function extendMove(cpu: Cpu, d: X86, signed: bool): Step {
  const value = readRm(cpu, d);
  if (!done) return Step.ACCESS;
  writePart(changetype<usize>(cpu), d.reg, numberOf(d), false, signed ? signExtend(value, d.size) : value);
  return Step.NEXT;
}

function moveSwapped(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const shift = <u64>(64 - ((<u32>d.size) << 3));
  if ((d.extra & (<u16>Extra.TO_REG)) == 0) {
    return writeMemory(cpu, operandAddress(cpu, d), d.size, bswap<u64>(readR(base, d.reg)) >>> shift)
      ? Step.NEXT
      : Step.ACCESS;
  }
  const value = readRm(cpu, d);
  if (!done) return Step.ACCESS;
  writeReg(base, d, bswap<u64>(value) >>> shift);
  return Step.NEXT;
}

/** CMOVcc reads its source in any case, and clears the upper half of a 32-bit destination in any case. */
function moveIf(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const value = readRm(cpu, d);
  if (!done) return Step.ACCESS;
  writeReg(base, d, conditionHolds(base, numberOf(d)) ? value : readReg(base, d));
  return Step.NEXT;
}
