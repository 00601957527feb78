// x86-64 decoder, 64-bit mode: the one-byte opcode map and its groups (SDM 2D A.3, table A-2; groups in A.4), up to 9F.
// Whatever the manual leaves undefined, or belongs to an extension that CPUID doesn't announce, ends in UNDEFINED.

import { Timing } from "../../src/abi.ts";
import { timing } from "../machine.ts";
import { DecodedFlag } from "../memory/code.ts";
import {
  bytesTaken,
  extension,
  Extent,
  extent,
  inMemory,
  lockPrefix,
  opcodeRegister,
  openBytes,
  operandSize,
  repeatPrefix,
  stackSize,
  takeImmediate,
  takeModRm,
  takePrefixes,
  takeSigned8,
  wordOf,
} from "./bytes.ts";
import { RAX } from "./cpu.ts";
import { decode0F } from "./decode0F.ts";
import { decodeA, decodeB, decodeC, decodeD, decodeE, decodeF } from "./decodeHigh.ts";
import { Extra, Op, Segment, X86 } from "./operations.ts";
import {
  decodeAluImmediate,
  decodeAluOpcode,
  decodeMove,
  decodeMoveSign,
  decodeTest,
  jumpIf,
  locked,
  multiplyRegister,
  pops,
  pushes,
  raiseOnly,
  setOperation,
  sideEffect,
  simple,
  stores,
  takeOperands,
  touchesMemory,
} from "./select.ts";

/**
 * Decodes the instruction whose bytes begin at `at`, of which `available` (up to 15) may be read.
 * @returns whether it is complete; when not, more bytes are needed
 */
export function decodeX86(d: X86, at: usize, available: u32): bool {
  memory.fill(changetype<usize>(d) + offsetof<X86>("next"), 0, offsetof<X86>() - offsetof<X86>("next"));
  d.flags = 0;
  d.operation = <u16>Op.UNDEFINED;
  d.cost = <u16>timing(Timing.COST_SIMPLE);
  openBytes(at, available);
  decodeOneByte(d, takePrefixes());
  if (extent == Extent.CUT) return false;
  d.length = <u8>bytesTaken();
  if (extent == Extent.TOO_LONG) raiseOnly(d, Op.TOO_LONG);
  // LOCK is for stores to memory that say so (SDM 2A, LOCK).
  else if (lockPrefix && (d.extra & (<u16>Extra.LOCK)) == 0) raiseOnly(d, Op.UNDEFINED);
  else if (d.operation == <u16>Op.UNDEFINED) raiseOnly(d, Op.UNDEFINED);
  return true;
}

function decodeOneByte(d: X86, opcode: u32): void {
  switch (opcode >>> 4) {
    case 0x0:
    case 0x1:
    case 0x2:
    case 0x3:
      if (opcode == 0x0f) decode0F(d);
      else if ((opcode & 7) < 6) decodeAluOpcode(d, opcode);
      break; // 06, 07, 0E, 16, 17, 1E, 1F, 27, 2F, 37, 3F: not in 64-bit mode
    case 0x5:
      decodePushPop(d, opcode);
      break;
    case 0x6:
      decode6(d, opcode);
      break;
    case 0x7:
      jumpIf(d, opcode & 15, takeSigned8());
      break;
    case 0x8:
      decode8(d, opcode);
      break;
    case 0x9:
      decode9(d, opcode);
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
    case 0xd:
      decodeD(d, opcode);
      break;
    case 0xe:
      decodeE(d, opcode);
      break;
    case 0xf:
      decodeF(d, opcode);
      break;
    default: // 40 to 4F are REX prefixes
      break;
  }
}

function decodePushPop(d: X86, opcode: u32): void {
  const register = opcodeRegister(opcode);
  d.reg = d.rm = wordOf(register);
  d.size = <u8>stackSize();
  if (opcode < 0x58) pushes(d, d.size == 8 ? Op.PUSH_R : Op.PUSH);
  else pops(d, d.size == 8 ? Op.POP_R : Op.POP);
}

function decode6(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0x63:
      decodeMoveSign(d, 4);
      break;
    case 0x68:
    case 0x6a:
      d.size = <u8>stackSize();
      d.immediate = opcode == 0x6a ? takeSigned8() : takeImmediate(d.size == 2 ? 2 : 4);
      d.extra = <u16>Extra.IMMEDIATE;
      pushes(d, Op.PUSH);
      break;
    case 0x69:
    case 0x6b:
      d.size = <u8>operandSize();
      takeModRm(d);
      d.immediate = opcode == 0x6b ? takeSigned8() : takeImmediate(d.size);
      d.extra = <u16>Extra.IMMEDIATE;
      multiplyRegister(d);
      break;
    case 0x6c:
    case 0x6d:
    case 0x6e:
    case 0x6f: // INS, OUTS
      sideEffect(d, Op.UNSUPPORTED, Timing.COST_SIMPLE);
      break;
    default: // 60, 61, 62 outside EVEX: not in 64-bit mode; EVEX (62): not announced
      break;
  }
}

function decode8(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0x80:
    case 0x81:
    case 0x83:
      decodeAluImmediate(d, opcode);
      break;
    case 0x84:
    case 0x85:
      decodeTest(d, opcode);
      break;
    case 0x86:
    case 0x87:
      takeOperands(d, opcode);
      // With memory LOCK is implied.
      if (inMemory) locked(d, Op.XCHG);
      else simple(d, Op.XCHG);
      break;
    case 0x88:
    case 0x89:
    case 0x8a:
    case 0x8b:
      decodeMove(d, opcode);
      break;
    case 0x8c:
      d.size = <u8>operandSize();
      takeModRm(d);
      if (extension > <u32>Segment.GS) break;
      d.extra |= <u16>extension;
      if (inMemory) stores(d, Op.MOV_FROM_SEGMENT);
      else simple(d, Op.MOV_FROM_SEGMENT);
      if (inMemory) d.size = 2;
      break;
    case 0x8d:
      decodeLea(d);
      break;
    case 0x8e:
      takeModRm(d);
      if (extension > <u32>Segment.GS || extension == <u32>Segment.CS) break;
      d.size = 2;
      d.extra |= <u16>(extension | (inMemory ? Extra.MEMORY : 0));
      sideEffect(d, Op.MOV_TO_SEGMENT, Timing.COST_SYSTEM_WRITE);
      touchesMemory(d);
      break;
    case 0x8f:
      takeModRm(d);
      if (extension != 0) break; // XOP: not announced
      d.size = <u8>stackSize();
      if (inMemory) {
        d.extra |= <u16>Extra.MEMORY;
        setOperation(d, Op.POP, Timing.COST_LOAD);
        touchesMemory(d);
      } else {
        d.reg = d.rm;
        pops(d, d.size == 8 ? Op.POP_R : Op.POP);
      }
      break;
    default: // 82: not in 64-bit mode
      break;
  }
}

function decodeLea(d: X86): void {
  d.size = <u8>operandSize();
  takeModRm(d);
  if (!inMemory) return;
  // Only an offset: segments and the stack mean nothing.
  d.flags = 0;
  d.mode &= <u8>0xcf;
  d.extra |= <u16>Extra.TO_REG;
  simple(d, d.size == 8 ? Op.LEA64 : d.size == 4 ? Op.LEA32 : Op.LEA16);
}

function decode9(d: X86, opcode: u32): void {
  switch (opcode) {
    case 0x98:
      d.size = <u8>operandSize();
      simple(d, Op.CONVERT);
      break;
    case 0x99:
      d.size = <u8>operandSize();
      simple(d, Op.EXTEND);
      break;
    case 0x9b:
      sideEffect(d, Op.FWAIT, Timing.COST_SIMPLE);
      break;
    case 0x9c:
      d.size = <u8>stackSize();
      pushes(d, Op.PUSHF);
      break;
    case 0x9d:
      d.size = <u8>stackSize();
      pops(d, Op.POPF);
      d.cost = <u16>timing(Timing.COST_SYSTEM_WRITE);
      d.flags |= <u16>DecodedFlag.SIDE_EFFECT;
      break;
    case 0x9e:
      simple(d, Op.SAHF);
      break;
    case 0x9f:
      simple(d, Op.LAHF);
      break;
    case 0x9a: // CALL ptr16:32: not in 64-bit mode
      break;
    default: {
      const register = opcodeRegister(opcode);
      if (register == 0) {
        setOperation(d, Op.NOP, repeatPrefix == 0xf3 ? Timing.COST_RELAX : Timing.COST_SIMPLE);
        break;
      }
      d.size = <u8>operandSize();
      d.reg = wordOf(register);
      d.rm = <u8>RAX;
      simple(d, Op.XCHG);
      break;
    }
  }
}

if (Segment.GS != 5) ERROR("segment registers are numbered as encoded");
