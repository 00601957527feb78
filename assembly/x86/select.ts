// From an instruction's meaning and operands to the operation that the executor dispatches on: the common combinations of
// width and operands have operations of their own, the rest share one per mnemonic.

import { Timing } from "../../src/abi.ts";
import { timing } from "../machine.ts";
import { DecodedFlag } from "../memory/code.ts";
import {
  extension,
  inMemory,
  lockPrefix,
  narrowReg,
  narrowRm,
  operandSize,
  setByteReg,
  takeImmediate,
  takeModRm,
  takeSigned8,
} from "./bytes.ts";
import { RAX } from "./cpu.ts";
import { Alu, Extra, Op, X86, X86Flag } from "./operations.ts";

export function setOperation(d: X86, operation: Op, cost: Timing): void {
  d.operation = <u16>operation;
  d.cost = <u16>min<u32>(timing(cost), 0xffff);
}

/** An operation of registers only. */
export function simple(d: X86, operation: Op): void {
  setOperation(d, operation, Timing.COST_SIMPLE);
}

/** Does more than registers and memory, so that it is never part of an elided loop. */
export function sideEffect(d: X86, operation: Op, cost: Timing): void {
  setOperation(d, operation, cost);
  d.flags |= <u16>DecodedFlag.SIDE_EFFECT;
}

/** Touches memory in a way of its own. */
export function touchesMemory(d: X86): void {
  d.flags |= <u16>DecodedFlag.MEMORY;
}

/** One load from the memory operand. */
export function loads(d: X86, operation: Op): void {
  setOperation(d, operation, Timing.COST_LOAD);
  d.flags |= <u16>(DecodedFlag.MEMORY | X86Flag.READS);
  d.extra |= <u16>Extra.MEMORY;
}

export function stores(d: X86, operation: Op): void {
  setOperation(d, operation, Timing.COST_STORE);
  d.flags |= <u16>(DecodedFlag.MEMORY | X86Flag.WRITES);
  d.extra |= <u16>Extra.MEMORY;
}

/** A load and a store, or with LOCK one locked access. */
export function modifies(d: X86, operation: Op): void {
  if (lockPrefix) locked(d, operation);
  else changes(d, operation);
}

/** A load and a store by an instruction that LOCK is not for. */
export function changes(d: X86, operation: Op): void {
  setOperation(d, operation, Timing.COST_LOAD);
  d.cost += <u16>min<u32>(timing(Timing.COST_STORE), 0x7fff);
  d.flags |= <u16>(DecodedFlag.MEMORY | X86Flag.READS | X86Flag.WRITES);
  d.extra |= <u16>Extra.MEMORY;
}

export function locked(d: X86, operation: Op): void {
  const compares = operation == Op.CMPXCHG || operation == Op.CMPXCHG_PAIR;
  setOperation(d, operation, compares ? Timing.COST_COMPARE_AND_SWAP : Timing.COST_ATOMIC);
  d.flags |= <u16>(DecodedFlag.MEMORY | X86Flag.WRITES);
  d.extra |= <u16>(Extra.MEMORY | Extra.LOCK);
}

/** Size by the low bit of the opcode: bytes, or by prefixes. */
export function sizeOf(opcode: u32): u32 {
  return (opcode & 1) == 0 ? 1 : operandSize();
}

/** ModRM with operands of a size by the low bit of the opcode. */
export function takeOperands(d: X86, opcode: u32): void {
  takeModRm(d);
  d.size = <u8>sizeOf(opcode);
  if (d.size == 1) {
    narrowReg(d);
    narrowRm(d);
  }
}

function swapRegisters(d: X86): void {
  const reg = d.reg;
  d.reg = d.rm;
  d.rm = reg;
  const high = d.extra & (<u16>(Extra.HIGH_REG | Extra.HIGH_RM));
  if (high == <u16>Extra.HIGH_REG || high == <u16>Extra.HIGH_RM) d.extra ^= <u16>(Extra.HIGH_REG | Extra.HIGH_RM);
}

function hasHigh(d: X86): bool {
  return (d.extra & (<u16>(Extra.HIGH_REG | Extra.HIGH_RM))) != 0;
}

/** Opcodes 00 to 3F: the low three bits say which operands. */
export function decodeAluOpcode(d: X86, opcode: u32): void {
  const alu = opcode >>> 3;
  switch (opcode & 7) {
    case 0:
    case 1:
      takeOperands(d, opcode);
      aluToRm(d, alu);
      break;
    case 2:
    case 3:
      takeOperands(d, opcode);
      aluToReg(d, alu);
      break;
    default:
      d.size = <u8>sizeOf(opcode);
      d.rm = <u8>RAX;
      d.immediate = takeImmediate(d.size);
      aluImmediate(d, alu, false);
      break;
  }
}

/** rm = rm op reg */
function aluToRm(d: X86, alu: u32): void {
  if (!inMemory) {
    swapRegisters(d);
    aluRegisters(d, alu);
    return;
  }
  d.extra |= <u16>alu;
  if (alu != Alu.CMP) {
    modifies(d, Op.ALU);
    return;
  }
  loads(d, d.size == 8 ? Op.CMP_MR64 : d.size == 4 ? Op.CMP_MR32 : Op.ALU);
}

/** reg = reg op rm */
function aluToReg(d: X86, alu: u32): void {
  if (!inMemory) {
    aluRegisters(d, alu);
    return;
  }
  d.extra |= <u16>(alu | Extra.TO_REG);
  if (alu == Alu.CMP) loads(d, d.size == 8 ? Op.CMP_RM64 : d.size == 4 ? Op.CMP_RM32 : Op.ALU);
  else loads(d, d.size == 8 ? Op.ALU_RM64 : d.size == 4 ? Op.ALU_RM32 : Op.ALU);
}

/** reg = reg op rm, both registers */
function aluRegisters(d: X86, alu: u32): void {
  if (d.size == 8) {
    simple(d, <Op>(Op.ADD_RR64 + <i32>alu));
  } else if (d.size == 4) {
    simple(d, <Op>(Op.ADD_RR32 + <i32>alu));
  } else {
    d.extra |= <u16>(alu | Extra.TO_REG);
    simple(d, Op.ALU);
  }
}

/** Group 1: rm = rm op immediate */
export function decodeAluImmediate(d: X86, opcode: u32): void {
  takeOperands(d, opcode);
  d.immediate = opcode == 0x81 ? takeImmediate(d.size) : takeSigned8();
  aluImmediate(d, extension, inMemory);
}

function aluImmediate(d: X86, alu: u32, memory: bool): void {
  // The register field is the operation here, no operand.
  d.extra = (d.extra & ~(<u16>Extra.HIGH_REG)) | (<u16>(alu | Extra.IMMEDIATE));
  d.reg = d.rm;
  if (memory) {
    if (alu != Alu.CMP) modifies(d, Op.ALU);
    else loads(d, d.size == 8 ? Op.CMP_MI64 : d.size == 4 ? Op.CMP_MI32 : d.size == 1 ? Op.CMP_MI8 : Op.ALU);
  } else if (d.size == 8) {
    simple(d, <Op>(Op.ADD_RI64 + <i32>alu));
  } else if (d.size == 4) {
    simple(d, <Op>(Op.ADD_RI32 + <i32>alu));
  } else {
    simple(d, d.size == 1 && alu == Alu.CMP && !hasHigh(d) ? Op.CMP_RI8 : Op.ALU);
  }
}

/** TEST Ev,Gv and its byte form */
export function decodeTest(d: X86, opcode: u32): void {
  takeOperands(d, opcode);
  if (inMemory) loads(d, d.size == 8 ? Op.TEST_MR64 : d.size == 4 ? Op.TEST_MR32 : Op.TEST);
  else if (d.size == 8) simple(d, Op.TEST_RR64);
  else if (d.size == 4) simple(d, Op.TEST_RR32);
  else simple(d, d.size == 1 && !hasHigh(d) ? Op.TEST_RR8 : Op.TEST);
}

/** TEST AL,Ib and eAX,Iz; TEST of group 3, whose operands have been taken. */
export function testImmediate(d: X86, memory: bool): void {
  d.immediate = takeImmediate(d.size);
  d.extra = (d.extra & ~(<u16>Extra.HIGH_REG)) | (<u16>Extra.IMMEDIATE);
  d.reg = d.rm;
  if (memory) loads(d, d.size == 4 ? Op.TEST_MI32 : d.size == 1 ? Op.TEST_MI8 : Op.TEST);
  else if (d.size == 8) simple(d, Op.TEST_RI64);
  else if (d.size == 4) simple(d, Op.TEST_RI32);
  else simple(d, d.size == 1 && !hasHigh(d) ? Op.TEST_RI8 : Op.TEST);
}

/** NOT, NEG, INC, DEC of rm. */
export function unary(d: X86, operation: Op, wide: Op, narrow: Op): void {
  d.extra &= ~(<u16>Extra.HIGH_REG);
  d.reg = d.rm;
  if (inMemory) modifies(d, operation);
  else if (d.size == 8) simple(d, wide);
  else if (d.size == 4) simple(d, narrow);
  else simple(d, operation);
}

/** 88 to 8B */
export function decodeMove(d: X86, opcode: u32): void {
  takeOperands(d, opcode);
  const toReg = (opcode & 2) != 0;
  if (!inMemory) {
    if (!toReg) swapRegisters(d);
    if (d.size == 8) {
      simple(d, Op.MOV_RR64);
    } else if (d.size == 4) {
      simple(d, Op.MOV_RR32);
    } else {
      d.extra |= <u16>Extra.TO_REG;
      simple(d, Op.MOV);
    }
  } else if (toReg) {
    d.extra |= <u16>Extra.TO_REG;
    loads(d, d.size == 8 ? Op.LOAD64 : d.size == 4 ? Op.LOAD32 : Op.MOV);
  } else if ((d.extra & (<u16>Extra.HIGH_REG)) != 0) {
    stores(d, Op.MOV);
  } else {
    stores(d, storeOf(d.size));
  }
}

function storeOf(size: u32): Op {
  switch (size) {
    case 8:
      return Op.STORE64;
    case 4:
      return Op.STORE32;
    case 2:
      return Op.STORE16;
    default:
      return Op.STORE8;
  }
}

/** Group 11: C6 /0, C7 /0 */
export function moveImmediate(d: X86): void {
  d.immediate = takeImmediate(d.size);
  d.extra = (d.extra & ~(<u16>Extra.HIGH_REG)) | (<u16>Extra.IMMEDIATE);
  d.reg = d.rm;
  if (inMemory) {
    stores(d, d.size == 8 ? Op.STORE_I64 : d.size == 4 ? Op.STORE_I32 : d.size == 1 ? Op.STORE_I8 : Op.MOV);
  } else if (d.size >= 4) {
    setWide(d, d.size == 8 ? <u64>(<i64>d.immediate) : (<u64>d.immediate) & 0xffff_ffff);
    simple(d, Op.MOV_RI);
  } else {
    simple(d, Op.MOV);
  }
}

/** Puts a value where `wide` reads it. */
export function setWide(d: X86, value: u64): void {
  store<u64>(changetype<usize>(d), value, offsetof<X86>("displacement"));
}

/** MOVZX: the source has `bytes`; only 32-bit and 64-bit destinations, which are the same, have operations of their own. */
export function decodeMoveZero(d: X86, bytes: u32): void {
  const destination = operandSize();
  takeModRm(d);
  if (bytes == 1) narrowRm(d);
  d.size = <u8>bytes;
  d.extra |= <u16>destination;
  if (inMemory) loads(d, destination == 2 ? Op.MOVZX : bytes == 1 ? Op.LOAD8 : Op.LOAD16);
  else if (destination == 2 || hasHigh(d)) simple(d, Op.MOVZX);
  else simple(d, bytes == 1 ? Op.MOVZX_R8 : Op.MOVZX_R16);
}

/** MOVSX, MOVSXD */
export function decodeMoveSign(d: X86, bytes: u32): void {
  const destination = operandSize();
  takeModRm(d);
  if (bytes == 1) narrowRm(d);
  d.size = <u8>min(bytes, destination);
  d.extra |= <u16>destination;
  const fast = d.size == 4 && destination == 8;
  if (inMemory) loads(d, fast ? Op.LOAD_SIGNED32 : Op.MOVSX);
  else simple(d, fast ? Op.MOVSXD_R : Op.MOVSX);
}

/** Group 2, operands taken: `count` counts as encoded, or the count is CL. */
export function shiftBy(d: X86, kind: u32, count: u32): void {
  const masked = count & (d.size == 8 ? 63 : 31);
  d.immediate = <i32>masked;
  d.extra = (d.extra & ~(<u16>Extra.HIGH_REG)) | (<u16>kind);
  d.reg = d.rm;
  if (inMemory) {
    changes(d, Op.SHIFT);
    return;
  }
  simple(d, Op.SHIFT);
  if (d.size < 4) return;
  if (masked == 0) {
    // Nothing happens, but 32-bit results clear the upper half.
    if (d.size == 4) simple(d, Op.MOV_RR32);
    else simple(d, Op.NOP);
    return;
  }
  const wide = d.size == 8;
  const number = d.extra & ~(<u16>Extra.NUMBER);
  switch (kind) {
    case 4:
    case 6:
      simple(d, wide ? Op.SHL_RI64 : Op.SHL_RI32);
      d.extra = number | (<u16>masked);
      break;
    case 5:
      simple(d, wide ? Op.SHR_RI64 : Op.SHR_RI32);
      d.extra = number | (<u16>masked);
      break;
    case 7:
      simple(d, wide ? Op.SAR_RI64 : Op.SAR_RI32);
      d.extra = number | (<u16>masked);
      break;
    default:
      break;
  }
}

export function shiftByCl(d: X86, kind: u32): void {
  d.extra = (d.extra & ~(<u16>Extra.HIGH_REG)) | (<u16>(kind | Extra.COUNT_CL));
  d.reg = d.rm;
  if (inMemory) changes(d, Op.SHIFT);
  else simple(d, Op.SHIFT);
}

/** MOV of an immediate to the register in the opcode. */
export function moveImmediateToRegister(d: X86, register: u32, size: u32, value: u64): void {
  d.size = <u8>size;
  if (size == 1) setByteReg(d, register);
  else d.reg = <u8>(register << 3);
  if (size >= 4) {
    setWide(d, value);
    simple(d, Op.MOV_RI);
    return;
  }
  d.rm = d.reg;
  d.immediate = <i32>value;
  d.extra |= <u16>Extra.IMMEDIATE;
  if ((d.extra & (<u16>Extra.HIGH_REG)) != 0) d.extra ^= <u16>(Extra.HIGH_REG | Extra.HIGH_RM);
  simple(d, Op.MOV);
}

/** An operation that does nothing but raise an exception. */
export function raiseOnly(d: X86, operation: Op): void {
  d.operation = <u16>operation;
  d.flags = <u16>DecodedFlag.SIDE_EFFECT;
  d.cost = <u16>timing(Timing.COST_SIMPLE);
}

/** Near branches have 64-bit operands whatever the prefixes say (Intel; SDM 2A, Jcc). */
export function jumpIf(d: X86, condition: u32, offset: i32): void {
  d.immediate = offset;
  setOperation(d, <Op>(Op.JO + <i32>condition), Timing.COST_BRANCH);
  d.flags |= <u16>X86Flag.DIRECT;
}

/** One store below the stack pointer. */
export function pushes(d: X86, operation: Op): void {
  setOperation(d, operation, Timing.COST_STORE);
  d.flags |= <u16>(DecodedFlag.MEMORY | X86Flag.WRITES | X86Flag.PUSHES | X86Flag.STACK);
}

/** One load from the stack pointer. */
export function pops(d: X86, operation: Op): void {
  setOperation(d, operation, Timing.COST_LOAD);
  d.flags |= <u16>(DecodedFlag.MEMORY | X86Flag.READS | X86Flag.POPS | X86Flag.STACK);
}

/** IMUL with a register destination, operands taken. */
export function multiplyRegister(d: X86): void {
  if (inMemory) loads(d, Op.IMUL_R);
  else simple(d, Op.IMUL_R);
  d.cost += <u16>timing(Timing.COST_MULTIPLY);
}
