// x86-64 decoder: the two-byte opcode map 0F (SDM 2D A.3, table A-3; groups in A.4).

import { Timing } from "../../src/abi.ts";
import { DecodedFlag } from "../memory/code.ts";
import {
  extension,
  inMemory,
  narrowRm,
  opcodeRegister,
  operandSize,
  repeatPrefix,
  rexW,
  stackSize,
  take32,
  take8,
  takeModRm,
  wordOf,
} from "./bytes.ts";
import { decode0F38 } from "./decode0F38.ts";
import { decodeGroup15, decodeGroup6, decodeGroup7, decodeMoveControl, descriptor } from "./decodeSystem.ts";
import { Extra, Op, Segment, X86, X86Flag } from "./operations.ts";
import {
  changes,
  decodeMoveSign,
  decodeMoveZero,
  jumpIf,
  loads,
  modifies,
  multiplyRegister,
  pushes,
  setOperation,
  sideEffect,
  simple,
  stores,
  takeOperands,
  touchesMemory,
} from "./select.ts";
import { decodeSimd0F, decodeSimd0F3A, Mandatory, mandatoryPrefix } from "./simd.ts";

export function decode0F(d: X86): void {
  const opcode = take8();
  switch (opcode >>> 4) {
    case 0x0:
      decode0(d, opcode);
      break;
    case 0x1:
      if (opcode >= 0x18) hint(d);
      else decodeSimd0F(d, opcode);
      break;
    case 0x2:
      if (opcode < 0x24) decodeMoveControl(d, opcode);
      else decodeSimd0F(d, opcode);
      break;
    case 0x3:
      decode3(d, opcode);
      break;
    case 0x4:
      d.size = <u8>operandSize();
      takeModRm(d);
      d.extra |= <u16>(opcode & 15);
      if (inMemory) loads(d, Op.CMOV);
      else simple(d, d.size == 8 ? Op.CMOV_RR64 : d.size == 4 ? Op.CMOV_RR32 : Op.CMOV);
      break;
    case 0x8:
      jumpIf(d, opcode & 15, <i32>take32());
      break;
    case 0x9:
      takeModRm(d);
      d.size = 1;
      narrowRm(d);
      d.extra |= <u16>(opcode & 15);
      if (inMemory) stores(d, Op.SETCC);
      else simple(d, (d.extra & (<u16>Extra.HIGH_RM)) != 0 ? Op.SETCC : Op.SETCC_R8);
      break;
    case 0xa:
      decodeA(d, opcode);
      break;
    case 0xb:
      decodeB(d, opcode);
      break;
    case 0xc:
      decodeC(d, opcode);
      break;
    default:
      decodeSimd0F(d, opcode); // 0F FF: UD0
      break;
  }
}

/** NOP Ev, PREFETCHh, ENDBR64, CLDEMOTE, MPX and CET instructions without their extension: nothing (SDM 2B, NOP). */
function hint(d: X86): void {
  takeModRm(d);
  d.flags = 0;
  simple(d, Op.NOP);
}

function decode0(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0x00:
      decodeGroup6(d);
      break;
    case 0x01:
      decodeGroup7(d);
      break;
    case 0x02:
    case 0x03:
      d.size = <u8>operandSize();
      takeModRm(d);
      descriptor(d, opcode == 0x02 ? Op.LAR : Op.LSL);
      break;
    case 0x05:
      sideEffect(d, Op.SYSCALL, Timing.COST_SYSTEM_WRITE);
      break;
    case 0x06:
      sideEffect(d, Op.CLTS, Timing.COST_SYSTEM_WRITE);
      break;
    case 0x07:
      d.size = <u8>operandSize();
      sideEffect(d, Op.SYSRET, Timing.COST_SYSTEM_WRITE);
      break;
    case 0x08:
    case 0x09: // INVD, WBINVD; WBNOINVD without its extension is WBINVD
      sideEffect(d, Op.WBINVD, Timing.COST_SIMPLE);
      break;
    case 0x0d: // PREFETCHW; with a register operand NOP on Intel
      hint(d);
      break;
    default: // 04, 0A, 0C: nothing; 0B: UD2; 0E, 0F: 3DNow!
      break;
  }
}

function decode3(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0x30:
      sideEffect(d, Op.WRMSR, Timing.COST_SYSTEM_WRITE);
      break;
    case 0x31:
      setOperation(d, Op.RDTSC, Timing.COST_READ_COUNTER);
      break;
    case 0x32:
      sideEffect(d, Op.RDMSR, Timing.COST_SYSTEM_READ);
      break;
    case 0x33:
      sideEffect(d, Op.RDPMC, Timing.COST_SYSTEM_READ);
      break;
    case 0x38:
      decode0F38(d);
      break;
    case 0x3a:
      decodeSimd0F3A(d, take8());
      break;
    default: // SYSENTER, SYSEXIT, GETSEC: not announced
      break;
  }
}

function decodeA(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0xa0:
    case 0xa8:
      d.size = <u8>stackSize();
      d.extra = <u16>(opcode == 0xa0 ? Segment.FS : Segment.GS);
      pushes(d, Op.PUSH_SEGMENT);
      break;
    case 0xa1:
    case 0xa9:
      d.size = <u8>stackSize();
      d.extra = <u16>(opcode == 0xa1 ? Segment.FS : Segment.GS);
      sideEffect(d, Op.POP_SEGMENT, Timing.COST_SYSTEM_WRITE);
      d.flags |= <u16>(DecodedFlag.MEMORY | X86Flag.STACK);
      break;
    case 0xa2:
      sideEffect(d, Op.CPUID, Timing.COST_SERIALIZE);
      break;
    case 0xa3:
    case 0xab:
      d.size = <u8>operandSize();
      takeModRm(d);
      bitTest(d, (opcode >>> 3) & 3);
      break;
    case 0xa4:
    case 0xa5:
    case 0xac:
    case 0xad:
      decodeDoubleShift(d, opcode);
      break;
    case 0xae:
      decodeGroup15(d);
      break;
    case 0xaf:
      d.size = <u8>operandSize();
      takeModRm(d);
      multiplyRegister(d);
      break;
    default: // A6, A7: nothing; AA: RSM outside SMM
      break;
  }
}

/** BT, BTS, BTR, BTC, with operands taken. A register offset may reach beyond the memory operand. */
function bitTest(d: X86, kind: u32): void {
  d.extra |= <u16>kind;
  if (!inMemory) {
    simple(d, Op.BIT_TEST);
    return;
  }
  if (kind == 0) loads(d, Op.BIT_TEST);
  else modifies(d, Op.BIT_TEST);
  if ((d.extra & (<u16>Extra.IMMEDIATE)) == 0) d.flags &= ~(<u16>(X86Flag.READS | X86Flag.WRITES));
}

function decodeDoubleShift(d: X86, opcode: u32): void {
  d.size = <u8>operandSize();
  takeModRm(d);
  if ((opcode & 1) == 0) d.immediate = <i32>take8();
  else d.extra |= <u16>Extra.COUNT_CL;
  d.extra |= <u16>((opcode >>> 3) & 1);
  if (inMemory) changes(d, Op.DOUBLE_SHIFT);
  else simple(d, Op.DOUBLE_SHIFT);
}

function decodeB(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0xb0:
    case 0xb1:
      takeOperands(d, opcode);
      if (inMemory) modifies(d, Op.CMPXCHG);
      else simple(d, Op.CMPXCHG);
      break;
    case 0xb2:
    case 0xb4:
    case 0xb5:
      decodeFarPointer(d, opcode == 0xb2 ? Segment.SS : opcode == 0xb4 ? Segment.FS : Segment.GS);
      break;
    case 0xb3:
    case 0xbb:
      d.size = <u8>operandSize();
      takeModRm(d);
      bitTest(d, (opcode >>> 3) & 3);
      break;
    case 0xb6:
      decodeMoveZero(d, 1);
      break;
    case 0xb7:
      decodeMoveZero(d, 2);
      break;
    case 0xb8:
      if (repeatPrefix == 0xf3) countBits(d, Op.POPCNT);
      break;
    case 0xb9: // UD1
      takeModRm(d);
      break;
    case 0xba:
      d.size = <u8>operandSize();
      takeModRm(d);
      d.immediate = <i32>take8();
      if (extension < 4) break;
      d.extra |= <u16>Extra.IMMEDIATE;
      bitTest(d, extension & 3);
      break;
    case 0xbc:
      countBits(d, repeatPrefix == 0xf3 ? Op.TZCNT : Op.BSF);
      break;
    case 0xbd:
      countBits(d, repeatPrefix == 0xf3 ? Op.LZCNT : Op.BSR);
      break;
    case 0xbe:
      decodeMoveSign(d, 1);
      break;
    default:
      decodeMoveSign(d, 2);
      break;
  }
}

function countBits(d: X86, operation: Op): void {
  d.size = <u8>operandSize();
  takeModRm(d);
  if (inMemory) loads(d, operation);
  else simple(d, operation);
}

function decodeFarPointer(d: X86, segment: Segment): void {
  d.size = <u8>operandSize();
  takeModRm(d);
  if (!inMemory) return;
  d.extra |= <u16>((<u32>segment) | Extra.MEMORY);
  sideEffect(d, Op.LOAD_FAR_POINTER, Timing.COST_SYSTEM_WRITE);
  touchesMemory(d);
}

function decodeC(d: X86, opcode: u32): void {
  if (opcode >= 0xc8) {
    d.size = <u8>operandSize();
    d.reg = wordOf(opcodeRegister(opcode));
    simple(d, Op.BSWAP);
    return;
  }
  switch (opcode) {
    case 0xc0:
    case 0xc1:
      takeOperands(d, opcode);
      if (inMemory) modifies(d, Op.XADD);
      else simple(d, Op.XADD);
      break;
    case 0xc3: // MOVNTI: stores are not reordered here
      if (mandatoryPrefix() != Mandatory.NONE) break;
      d.size = rexW ? 8 : 4;
      takeModRm(d);
      if (inMemory) stores(d, d.size == 8 ? Op.STORE64 : Op.STORE32);
      break;
    case 0xc7:
      decodeGroup9(d);
      break;
    default:
      decodeSimd0F(d, opcode);
      break;
  }
}

function decodeGroup9(d: X86): void {
  takeModRm(d);
  if (inMemory) {
    if (extension != 1) return; // XSAVES, VMPTRLD and others: not announced
    d.size = rexW ? 16 : 8;
    modifies(d, Op.CMPXCHG_PAIR);
    // CMPXCHG16B may fault for its alignment before it asks for the line.
    d.flags &= ~(<u16>(X86Flag.READS | X86Flag.WRITES));
  } else if (extension == 7 && repeatPrefix == 0xf3) {
    d.reg = d.rm;
    sideEffect(d, Op.RDPID, Timing.COST_SYSTEM_READ);
  } // RDRAND, RDSEED: not announced
}
