// x86-64 decoder: the one-byte opcode map from A0 on, and the groups there (SDM 2D A.3, table A-2; A.4).

import { Timing } from "../../src/abi.ts";
import { timing } from "../machine.ts";
import { DecodedFlag } from "../memory/code.ts";
import {
  addressMode,
  addressSize,
  extension,
  inMemory,
  lockPrefix,
  opcodeRegister,
  operandPrefix,
  operandSize,
  peek8,
  repeatPrefix,
  rexPresent,
  stackSize,
  take16,
  take32,
  take64,
  take8,
  takeModRm,
  takeSigned8,
  takeVex,
} from "./bytes.ts";
import { RAX } from "./cpu.ts";
import { decodeVex } from "./decodeVex.ts";
import { Extra, Op, X86, X86Flag } from "./operations.ts";
import {
  loads,
  moveImmediate,
  moveImmediateToRegister,
  pops,
  pushes,
  setOperation,
  setWide,
  shiftBy,
  shiftByCl,
  sideEffect,
  simple,
  sizeOf,
  stores,
  takeOperands,
  testImmediate,
  touchesMemory,
  unary,
} from "./select.ts";

export function decodeA(d: X86, opcode: u32): void {
  d.size = <u8>sizeOf(opcode);
  switch (opcode & 14) {
    case 0x0:
    case 0x2:
      decodeMoveOffset(d, (opcode & 2) == 0);
      break;
    case 0x4:
      decodeString(d, Op.MOVS);
      break;
    case 0x6:
      decodeString(d, Op.CMPS);
      break;
    case 0x8:
      d.rm = <u8>RAX;
      testImmediate(d, false);
      break;
    case 0xa:
      decodeString(d, Op.STOS);
      break;
    case 0xc:
      decodeString(d, Op.LODS);
      break;
    default:
      decodeString(d, Op.SCAS);
      break;
  }
}

/** MOV between rAX and an absolute address of address size. */
function decodeMoveOffset(d: X86, load: bool): void {
  setWide(d, addressSize() == 4 ? <u64>take32() : take64());
  d.mode = <u8>(((<u32>addressMode()) & 0x3f) | 0x80);
  d.reg = <u8>RAX;
  d.extra |= <u16>(load ? Extra.TO_REG : 0);
  if (load) loads(d, d.size == 8 ? Op.LOAD64 : d.size == 4 ? Op.LOAD32 : Op.MOV);
  else stores(d, d.size == 8 ? Op.STORE64 : d.size == 4 ? Op.STORE32 : d.size == 2 ? Op.STORE16 : Op.STORE8);
}

function decodeString(d: X86, operation: Op): void {
  d.mode = addressMode();
  if (repeatPrefix == 0xf3) d.extra |= <u16>Extra.REP;
  else if (repeatPrefix == 0xf2) d.extra |= <u16>(isComparison(operation) ? Extra.REPNE : Extra.REP);
  const stores = operation == Op.MOVS || operation == Op.STOS;
  setOperation(d, operation, stores ? Timing.COST_STORE : Timing.COST_LOAD);
  if (operation == Op.MOVS || operation == Op.CMPS) d.cost += <u16>timing(Timing.COST_LOAD);
  touchesMemory(d);
  d.flags |= <u16>DecodedFlag.SIDE_EFFECT;
}

function isComparison(operation: Op): bool {
  return operation == Op.CMPS || operation == Op.SCAS;
}

export function decodeB(d: X86, opcode: u32): void {
  const register = opcodeRegister(opcode);
  if (opcode < 0xb8) {
    moveImmediateToRegister(d, register, 1, <u64>take8());
    return;
  }
  const size = operandSize();
  const value: u64 = size == 8 ? take64() : size == 4 ? <u64>take32() : <u64>take16();
  moveImmediateToRegister(d, register, size, value);
}

export function decodeC(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0xc0:
    case 0xc1:
      takeOperands(d, opcode);
      shiftBy(d, extension, take8());
      break;
    case 0xc2:
      d.size = 8;
      d.immediate = <i32>take16();
      returns(d, Op.RET_I);
      break;
    case 0xc3:
      d.size = 8;
      returns(d, Op.RET);
      break;
    case 0xc4:
    case 0xc5:
      // A VEX prefix excludes the others (SDM 2A 2.3.2, 2.3.3).
      if (rexPresent || operandPrefix || lockPrefix || repeatPrefix != 0) break;
      decodeVex(d, takeVex(opcode == 0xc4));
      break;
    case 0xc6:
    case 0xc7:
      takeOperands(d, opcode);
      if (extension == 0) moveImmediate(d); // /7: XABORT, XBEGIN, not announced
      break;
    case 0xc8:
      d.size = <u8>stackSize();
      d.immediate = <i32>take16();
      d.extra = <u16>(take8() & 31);
      setOperation(d, Op.ENTER, Timing.COST_STORE);
      d.flags |= <u16>(DecodedFlag.MEMORY | X86Flag.STACK);
      break;
    case 0xc9:
      d.size = <u8>stackSize();
      setOperation(d, Op.LEAVE, Timing.COST_LOAD);
      d.flags |= <u16>(DecodedFlag.MEMORY | X86Flag.STACK);
      break;
    default:
      decodeReturns(d, opcode);
      break;
  }
}

/** Near returns: one load and a jump. */
function returns(d: X86, operation: Op): void {
  pops(d, operation);
  d.cost += <u16>timing(Timing.COST_BRANCH);
}

function decodeReturns(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0xca:
    case 0xcb:
      d.size = <u8>operandSize();
      d.immediate = opcode == 0xca ? <i32>take16() : 0;
      far(d, Op.RET_FAR, Timing.COST_SYSTEM_WRITE);
      break;
    case 0xcc:
      sideEffect(d, Op.INT3, Timing.COST_SIMPLE);
      break;
    case 0xcd:
      d.immediate = <i32>take8();
      sideEffect(d, Op.INT, Timing.COST_SIMPLE);
      break;
    case 0xcf:
      d.size = <u8>operandSize();
      far(d, Op.IRET, Timing.COST_EXCEPTION_RETURN);
      break;
    default: // CE (INTO): not in 64-bit mode
      break;
  }
}

/** Control transfers that load CS. */
function far(d: X86, operation: Op, cost: Timing): void {
  sideEffect(d, operation, cost);
  d.flags |= <u16>(DecodedFlag.MEMORY | X86Flag.STACK);
}

export function decodeD(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0xd0:
    case 0xd1:
      takeOperands(d, opcode);
      shiftBy(d, extension, 1);
      break;
    case 0xd2:
    case 0xd3:
      takeOperands(d, opcode);
      shiftByCl(d, extension);
      break;
    case 0xd7:
      d.mode = addressMode();
      d.size = 1;
      setOperation(d, Op.XLAT, Timing.COST_LOAD);
      touchesMemory(d);
      break;
    case 0xd4:
    case 0xd5:
    case 0xd6: // AAM, AAD, SALC: not in 64-bit mode
      break;
    default:
      takeModRm(d);
      sideEffect(d, Op.X87, Timing.COST_SIMPLE);
      break;
  }
}

export function decodeE(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
      d.size = <u8>addressSize();
      d.extra = <u16>(opcode & 3);
      d.immediate = takeSigned8();
      setOperation(d, Op.LOOP, Timing.COST_BRANCH);
      d.flags |= <u16>X86Flag.DIRECT;
      break;
    case 0xe8:
      d.size = 8;
      d.immediate = <i32>take32();
      pushes(d, Op.CALL);
      d.cost += <u16>timing(Timing.COST_BRANCH);
      d.flags |= <u16>X86Flag.DIRECT;
      break;
    case 0xe9:
    case 0xeb:
      d.immediate = opcode == 0xe9 ? <i32>take32() : takeSigned8();
      setOperation(d, Op.JMP, Timing.COST_BRANCH);
      d.flags |= <u16>X86Flag.DIRECT;
      break;
    case 0xea: // JMP ptr16:32: not in 64-bit mode
      break;
    default: // E4 to E7, EC to EF
      d.size = <u8>((opcode & 1) == 0 ? 1 : operandPrefix ? 2 : 4);
      if (opcode < 0xe8) {
        d.immediate = <i32>take8();
        d.extra = <u16>Extra.IMMEDIATE;
      }
      sideEffect(d, (opcode & 2) == 0 ? Op.IN : Op.OUT, Timing.COST_PORT);
      break;
  }
}

export function decodeF(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0xf1:
      sideEffect(d, Op.ICEBP, Timing.COST_SIMPLE);
      break;
    case 0xf4:
      sideEffect(d, Op.HLT, Timing.COST_SIMPLE);
      break;
    case 0xf5:
    case 0xf8:
    case 0xf9:
      d.extra = opcode == 0xf5 ? 2 : <u16>(opcode & 1);
      simple(d, Op.CARRY);
      break;
    case 0xf6:
    case 0xf7:
      decodeGroup3(d, opcode);
      break;
    case 0xfa:
      sideEffect(d, Op.CLI, Timing.COST_SYSTEM_WRITE);
      break;
    case 0xfb:
      sideEffect(d, Op.STI, Timing.COST_SYSTEM_WRITE);
      break;
    case 0xfc:
    case 0xfd:
      d.extra = <u16>(opcode & 1);
      sideEffect(d, Op.DIRECTION, Timing.COST_SIMPLE);
      break;
    case 0xfe:
      takeOperands(d, opcode);
      if (extension == 0) unary(d, Op.INC, Op.INC_R64, Op.INC_R32);
      else if (extension == 1) unary(d, Op.DEC, Op.DEC_R64, Op.DEC_R32);
      break;
    case 0xff:
      decodeGroup5(d);
      break;
    default: // F0, F2, F3 are prefixes
      break;
  }
}

function decodeGroup3(d: X86, opcode: u32): void {
  takeOperands(d, opcode);
  switch (extension) {
    case 0:
    case 1: // an alias that all processors know
      testImmediate(d, inMemory);
      break;
    case 2:
      unary(d, Op.NOT, Op.NOT_R64, Op.NOT_R32);
      break;
    case 3:
      unary(d, Op.NEG, Op.NEG_R64, Op.NEG_R32);
      break;
    case 4:
      multiplyAccumulator(d, Op.MUL, Timing.COST_MULTIPLY);
      break;
    case 5:
      multiplyAccumulator(d, Op.IMUL, Timing.COST_MULTIPLY);
      break;
    case 6:
      multiplyAccumulator(d, Op.DIV, Timing.COST_DIVIDE);
      break;
    default:
      multiplyAccumulator(d, Op.IDIV, Timing.COST_DIVIDE);
      break;
  }
}

/** MUL, IMUL, DIV, IDIV of rDX:rAX by rm. */
function multiplyAccumulator(d: X86, operation: Op, cost: Timing): void {
  d.extra &= ~(<u16>Extra.HIGH_REG);
  if (inMemory) loads(d, operation);
  else simple(d, operation);
  d.cost = <u16>min<u32>((inMemory ? timing(Timing.COST_LOAD) : 0) + timing(cost), 0xffff);
}

function decodeGroup5(d: X86): void {
  // The byte that says which operation it is decides on the operand size.
  switch ((peek8() >>> 3) & 7) {
    case 0:
      takeOperands(d, 1);
      unary(d, Op.INC, Op.INC_R64, Op.INC_R32);
      break;
    case 1:
      takeOperands(d, 1);
      unary(d, Op.DEC, Op.DEC_R64, Op.DEC_R32);
      break;
    case 2:
      decodeIndirect(d, Op.CALL_R, Op.CALL_M);
      break;
    case 4:
      decodeIndirect(d, Op.JMP_R, Op.JMP_M);
      break;
    case 3:
    case 5:
      d.size = <u8>operandSize();
      takeModRm(d);
      if (!inMemory) break;
      d.extra |= <u16>Extra.MEMORY;
      sideEffect(d, extension == 3 ? Op.CALL_FAR : Op.JMP_FAR, Timing.COST_SYSTEM_WRITE);
      touchesMemory(d);
      break;
    case 6:
      takeModRm(d);
      d.size = <u8>stackSize();
      if (inMemory) {
        d.extra |= <u16>Extra.MEMORY;
        setOperation(d, Op.PUSH, Timing.COST_STORE);
        d.cost += <u16>timing(Timing.COST_LOAD);
        touchesMemory(d);
      } else {
        d.reg = d.rm;
        pushes(d, d.size == 8 ? Op.PUSH_R : Op.PUSH);
      }
      break;
    default:
      takeModRm(d);
      break;
  }
}

function decodeIndirect(d: X86, registers: Op, memory: Op): void {
  takeModRm(d);
  d.size = 8;
  if (inMemory) {
    loads(d, memory);
    // A call stores as well.
    if (memory == Op.CALL_M) d.flags &= ~(<u16>X86Flag.READS);
  } else if (registers == Op.CALL_R) {
    pushes(d, Op.CALL_R);
  } else {
    setOperation(d, registers, Timing.COST_BRANCH);
    return;
  }
  d.cost += <u16>timing(Timing.COST_BRANCH);
}
