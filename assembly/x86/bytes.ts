// The bytes of one instruction while it is decoded: prefixes, opcode, ModRM, SIB, displacement, immediates (SDM 2A 2.1,
// 2.2). The decoders of the opcode maps read them in order; the fields found are kept here until the next instruction.

import { X86Flag, Address, Extra, X86 } from "./operations.ts";
import { SLOT_SHIFT, ZERO } from "./cpu.ts";

/** An instruction longer than this raises #GP (SDM 2A 2.3.11). */
export const LONGEST: u32 = 15;

/** How far the bytes went. */
export enum Extent {
  COMPLETE = 0,
  /** Ends behind the bytes given. */
  CUT = 1,
  TOO_LONG = 2,
}

let start: usize = 0;
let cursor: usize = 0;
let end: usize = 0;
export let extent: Extent = Extent.COMPLETE;

// Prefixes.
export let rexPresent: bool = false;
export let rexW: bool = false;
let rexR: u32 = 0;
let rexX: u32 = 0;
let rexB: u32 = 0;
export let operandPrefix: bool = false;
export let lockPrefix: bool = false;
let addressPrefix: bool = false;
/** The last of F2 and F3, or 0. */
export let repeatPrefix: u32 = 0;
/** Address.FS or Address.GS; in 64-bit mode the other segment overrides mean nothing. */
let segment: u32 = 0;
/** VEX.vvvv, VEX.L, VEX.mmmmm */
export let vexRegister: u32 = 0;
export let vexLength: u32 = 0;
export let vexMap: u32 = 0;

// ModRM.
export let inMemory: bool = false;
/** ModRM.reg without REX.R: the extension of group opcodes. */
export let extension: u32 = 0;
/** ModRM.reg and ModRM.rm with REX.R and REX.B. */
export let regField: u32 = 0;
export let rmField: u32 = 0;

/** Starts with the first byte of an instruction, of which `available` bytes may be read. */
export function openBytes(at: usize, available: u32): void {
  start = cursor = at;
  end = at + available;
  extent = Extent.COMPLETE;
  rexPresent = rexW = operandPrefix = lockPrefix = addressPrefix = false;
  rexR = rexX = rexB = repeatPrefix = segment = vexRegister = vexLength = vexMap = 0;
}

export function bytesTaken(): u32 {
  return <u32>(cursor - start);
}

/** Whether `bytes` more are there; what is read behind the end is zero, and the instruction is not complete. */
function demand(bytes: usize): bool {
  if (cursor + bytes <= start + LONGEST) {
    if (cursor + bytes <= end) return true;
    if (extent == Extent.COMPLETE) extent = Extent.CUT;
  } else if (extent == Extent.COMPLETE) {
    // Bytes that can't be fetched are missed before the length is.
    extent = end < start + LONGEST ? Extent.CUT : Extent.TOO_LONG;
  }
  return false;
}

export function take8(): u32 {
  if (!demand(1)) return 0;
  return load<u8>(cursor++);
}

export function take16(): u32 {
  if (!demand(2)) return 0;
  cursor += 2;
  return load<u16>(cursor - 2);
}

export function take32(): u32 {
  if (!demand(4)) return 0;
  cursor += 4;
  return load<u32>(cursor - 4);
}

export function take64(): u64 {
  if (!demand(8)) return 0;
  cursor += 8;
  return load<u64>(cursor - 8);
}

export function takeSigned8(): i32 {
  return <i32>(<i8>take8());
}

/** Iz: 16 or 32 bits by operand size, sign-extended. */
export function takeImmediate(size: u32): i32 {
  if (size == 1) return takeSigned8();
  return size == 2 ? <i32>(<i16>take16()) : <i32>take32();
}

/** The ModRM byte that comes next, without taking it. */
export function peek8(): u32 {
  if (!demand(1)) return 0;
  return load<u8>(cursor);
}

/** Legacy prefixes in any order, then REX. @returns the first byte of the opcode */
export function takePrefixes(): u32 {
  while (true) {
    const byte = take8();
    if ((byte & 0xf0) == 0x40) {
      // REX counts only directly before the opcode.
      const next = peek8();
      if (isPrefix(next)) continue;
      rexPresent = true;
      rexW = (byte & 8) != 0;
      rexR = (byte & 4) << 1;
      rexX = (byte & 2) << 2;
      rexB = (byte & 1) << 3;
      return take8();
    }
    switch (byte) {
      case 0x66:
        operandPrefix = true;
        break;
      case 0x67:
        addressPrefix = true;
        break;
      case 0xf0:
        lockPrefix = true;
        break;
      case 0xf2:
      case 0xf3:
        repeatPrefix = byte;
        break;
      case 0x64:
        segment = Address.FS;
        break;
      case 0x65:
        segment = Address.GS;
        break;
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
        break;
      default:
        return byte;
    }
  }
}

function isPrefix(byte: u32): bool {
  if ((byte & 0xf0) == 0x40) return true;
  switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
      return true;
    default:
      return false;
  }
}

/** The rest of a VEX prefix (SDM 2A 2.3.5). @returns the opcode; repeatPrefix and operandPrefix are set from VEX.pp */
export function takeVex(threeBytes: bool): u32 {
  const first = take8();
  rexR = ((first >>> 7) ^ 1) << 3;
  let last = first;
  vexMap = 1;
  if (threeBytes) {
    rexX = (((first >>> 6) & 1) ^ 1) << 3;
    rexB = (((first >>> 5) & 1) ^ 1) << 3;
    vexMap = first & 31;
    last = take8();
    rexW = (last & 0x80) != 0;
  }
  vexRegister = ((last >>> 3) & 15) ^ 15;
  vexLength = (last >>> 2) & 1;
  switch (last & 3) {
    case 1:
      operandPrefix = true;
      break;
    case 2:
      repeatPrefix = 0xf3;
      break;
    case 3:
      repeatPrefix = 0xf2;
      break;
    default:
      break;
  }
  rexPresent = true; // no AH..BH behind VEX
  return take8();
}

/** Operand size by REX.W and 66 (SDM 1 table 3-4). */
export function operandSize(): u32 {
  return rexW ? 8 : operandPrefix ? 2 : 4;
}

/** Operand size of stack operations: 64 bits unless 66. */
export function stackSize(): u32 {
  return !rexW && operandPrefix ? 2 : 8;
}

/** Bytes of addresses: RCX, RSI, RDI or their lower halves. */
export function addressSize(): u32 {
  return addressPrefix ? 4 : 8;
}

/** Segment override and address size, for what has no ModRM. */
export function addressMode(): u8 {
  return <u8>(segment | (addressPrefix ? Address.SHORT : 0));
}

// @ts-ignore: decorator
@inline
export function wordOf(register: u32): u8 {
  return <u8>(register << SLOT_SHIFT);
}

/** Word of the register in the low three bits of an opcode. */
export function opcodeRegister(opcode: u32): u32 {
  return (opcode & 7) | rexB;
}

/** Takes ModRM and what belongs to it; fills in rm, index, mode, displacement. */
export function takeModRm(d: X86): void {
  const byte = take8();
  const mod = byte >>> 6;
  extension = (byte >>> 3) & 7;
  regField = extension | rexR;
  rmField = (byte & 7) | rexB;
  d.reg = wordOf(regField);
  inMemory = mod != 3;
  if (!inMemory) {
    d.rm = wordOf(rmField);
    return;
  }
  let mode: u32 = segment | (addressPrefix ? Address.SHORT : 0);
  let bottom = rmField;
  let noBase = false;
  if ((byte & 7) == 4) {
    const sib = take8();
    const index = ((sib >>> 3) & 7) | rexX;
    bottom = (sib & 7) | rexB;
    if (index != 4) {
      mode |= Address.INDEXED | (sib >>> 6);
      d.index = wordOf(index);
    }
    noBase = (sib & 7) == 5 && mod == 0;
  } else if ((byte & 7) == 5 && mod == 0) {
    mode |= Address.RIP;
    noBase = true;
  }
  d.rm = noBase ? <u8>ZERO : wordOf(bottom);
  if (mod == 1) d.displacement = takeSigned8();
  else if (mod == 2 || noBase) d.displacement = <i32>take32();
  d.mode = <u8>mode;
  if (!noBase && segment == 0 && (bottom == 4 || bottom == 5)) d.flags |= <u16>X86Flag.STACK;
}

/** Takes a ModRM whose mod field is ignored: both operands are registers. The general one goes to d.reg. */
export function takeRegisters(d: X86): void {
  const byte = take8();
  extension = (byte >>> 3) & 7;
  regField = extension | rexR;
  rmField = (byte & 7) | rexB;
  d.reg = wordOf(rmField);
}

/** `register` as an 8-bit destination or source in d.reg. */
export function setByteReg(d: X86, register: u32): void {
  if (!rexPresent && register >= 4 && register < 8) {
    d.reg = wordOf(register - 4);
    d.extra |= <u16>Extra.HIGH_REG;
  } else {
    d.reg = wordOf(register);
  }
}

/** After takeModRm: the register operands are 8 bits wide. */
export function narrowReg(d: X86): void {
  setByteReg(d, regField);
}

export function narrowRm(d: X86): void {
  if (inMemory || rexPresent || rmField < 4 || rmField >= 8) return;
  d.rm = wordOf(rmField - 4);
  d.extra |= <u16>Extra.HIGH_RM;
}
