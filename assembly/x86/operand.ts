// Operands of the operations outside the interpreter's loop: registers and parts of registers, memory that is read,
// written, or both.

import { Cpu } from "../cpu.ts";
import {
  Access,
  checkRights,
  closeJournal,
  journaledRead,
  journaledWrite,
  loadBytes,
  locate,
  openJournal,
  outcome,
  readSlow,
  storeBytes,
  writeSlow,
} from "../memory/access.ts";
import { readable, writable } from "../memory/copies.ts";
import { bytesToLineEnd } from "../memory/map.ts";
import { addressOf } from "./address.ts";
import { FLAG_BITS, FLAG_OPERAND, FLAG_RESULT, readR, writeR } from "./cpu.ts";
import { Extra, X86 } from "./operations.ts";
import { loadSplit, openSplit, storeSplit } from "./split.ts";

/** The lowest `size` bytes of a value. */
// @ts-ignore: decorator
@inline
export function truncate(value: u64, size: u32): u64 {
  return value & (u64.MAX_VALUE >>> (64 - ((<u64>size) << 3)));
}

/** The lowest `size` bytes of a value, sign-extended. */
// @ts-ignore: decorator
@inline
export function signExtend(value: u64, size: u32): u64 {
  const shift = <i64>(64 - (size << 3));
  return <u64>(((<i64>value) << shift) >> shift);
}

/** A register of 1 to 8 bytes, zero-extended. */
export function readPart(cpu: usize, offset: u32, size: u32, high: bool): u64 {
  const value = readR(cpu, offset);
  return truncate(high ? value >>> 8 : value, size);
}

/** Writes 1 or 2 bytes of a register and leaves the others; 4 bytes clear the upper half (SDM 1 3.4.1.1). */
export function writePart(cpu: usize, offset: u32, size: u32, high: bool, value: u64): void {
  switch (size) {
    case 8:
      writeR(cpu, offset, value);
      break;
    case 4:
      writeR(cpu, offset, value & 0xffff_ffff);
      break;
    case 2:
      writeR(cpu, offset, (readR(cpu, offset) & ~(<u64>0xffff)) | (value & 0xffff));
      break;
    default:
      if (high) writeR(cpu, offset, (readR(cpu, offset) & ~(<u64>0xff00)) | ((value & 0xff) << 8));
      else writeR(cpu, offset, (readR(cpu, offset) & ~(<u64>0xff)) | (value & 0xff));
      break;
  }
}

// @ts-ignore: decorator
@inline
export function readReg(cpu: usize, d: X86): u64 {
  return readPart(cpu, d.reg, d.size, (d.extra & (<u16>Extra.HIGH_REG)) != 0);
}

// @ts-ignore: decorator
@inline
export function writeReg(cpu: usize, d: X86, value: u64): void {
  writePart(cpu, d.reg, d.size, (d.extra & (<u16>Extra.HIGH_REG)) != 0, value);
}

// @ts-ignore: decorator
@inline
export function isMemory(d: X86): bool {
  return (d.extra & (<u16>Extra.MEMORY)) != 0;
}

// @ts-ignore: decorator
@inline
export function numberOf(d: X86): u32 {
  return (<u32>d.extra) & Extra.NUMBER;
}

/** Address of the memory operand; cpu.pc is that of the instruction. */
export function operandAddress(cpu: Cpu, d: X86): u64 {
  return addressOf(changetype<usize>(cpu), d, cpu.pc + <u64>d.length);
}

/** Whether the last access of this file was done; when not, outcome() says why. */
export let done: bool = true;

/** One plain load of 1 to 8 bytes; look at `done`. */
export function readMemory(cpu: Cpu, address: u64, size: u32): u64 {
  const host = readable(changetype<usize>(cpu), address, <u64>size);
  if (host != 0) {
    done = true;
    return loadBytes(host, size);
  }
  const value = readSlow(cpu, address, size);
  done = outcome() == Access.DONE;
  return value;
}

/** One plain store of 1 to 8 bytes. @returns whether it is done */
export function writeMemory(cpu: Cpu, address: u64, size: u32, value: u64): bool {
  const host = writable(changetype<usize>(cpu), address, <u64>size);
  if (host != 0) {
    storeBytes(host, size, value);
    return true;
  }
  writeSlow(cpu, address, size, value);
  return outcome() == Access.DONE;
}

/** rm, from a register or by one load, zero-extended; look at `done`. */
export function readRm(cpu: Cpu, d: X86): u64 {
  if (isMemory(d)) return readMemory(cpu, operandAddress(cpu, d), d.size);
  done = true;
  return readPart(changetype<usize>(cpu), d.rm, d.size, (d.extra & (<u16>Extra.HIGH_RM)) != 0);
}

/** Writes rm, a register or one store. @returns whether it is done */
export function writeRm(cpu: Cpu, d: X86, value: u64): bool {
  if (isMemory(d)) return writeMemory(cpu, operandAddress(cpu, d), d.size, value);
  writePart(changetype<usize>(cpu), d.rm, d.size, (d.extra & (<u16>Extra.HIGH_RM)) != 0, value);
  return true;
}

/** The second operand: the immediate, or reg. */
// @ts-ignore: decorator
@inline
export function secondOperand(cpu: usize, d: X86): u64 {
  if ((d.extra & (<u16>Extra.IMMEDIATE)) != 0) return truncate(<u64>(<i64>d.immediate), d.size);
  return readReg(cpu, d);
}

// --- read-modify-write -----------------------------------------------------------------------------------------------
//
// Without LOCK it is a load and then a store: between them, while the line is not held writable, another CPU's store may
// come, and is lost. With LOCK it is one access to a line held writable (SDM 3A 9.1.2).

enum Target {
  REGISTER = 0,
  /** Memory held writable: read and written at once. */
  HOST = 1,
  /** A load that has been done and a store that may have to wait. */
  JOURNAL = 2,
  /** LOCK across two lines. */
  SPLIT = 3,
}

let target: Target = Target.REGISTER;
let targetHost: usize = 0;
let targetAddress: u64 = 0;
let flagResult: u64 = 0;
let flagBits: u64 = 0;
let flagOperand: u64 = 0;

/** Reads rm, zero-extended, to write it soon; look at `done`. Between this and finishModify() only flags may change. */
export function beginModify(cpu: Cpu, d: X86): u64 {
  if (isMemory(d)) return beginModifyAt(cpu, d, operandAddress(cpu, d));
  done = true;
  target = Target.REGISTER;
  return readPart(changetype<usize>(cpu), d.rm, d.size, (d.extra & (<u16>Extra.HIGH_RM)) != 0);
}

/** As beginModify(), of memory at an address other than the operand's own. */
export function beginModifyAt(cpu: Cpu, d: X86, address: u64): u64 {
  const size = <u32>d.size;
  let host = writable(changetype<usize>(cpu), address, <u64>size);
  targetAddress = address;
  if (host == 0 && (d.extra & (<u16>Extra.LOCK)) != 0) {
    if (size > bytesToLineEnd(address)) {
      target = Target.SPLIT;
      done = openSplit(cpu, address, size);
      return done ? loadSplit() : 0;
    }
    host = locate(cpu, address, true);
    if (host == 0) {
      done = false;
      return 0;
    }
  }
  if (host != 0) {
    done = true;
    target = Target.HOST;
    targetHost = host;
    return loadBytes(host, size);
  }
  target = Target.JOURNAL;
  const base = changetype<usize>(cpu);
  flagResult = readR(base, FLAG_RESULT);
  flagBits = readR(base, FLAG_BITS);
  flagOperand = readR(base, FLAG_OPERAND);
  done = checkRights(address, size, true);
  if (!done) return 0;
  openJournal();
  const value = journaledRead(cpu, address, size);
  done = outcome() == Access.DONE;
  return value;
}

/** Writes what beginModify() read. When that has to wait, the flags are again what they were. @returns whether it is done */
export function finishModify(cpu: Cpu, d: X86, value: u64): bool {
  const base = changetype<usize>(cpu);
  switch (target) {
    case Target.REGISTER:
      writePart(base, d.rm, d.size, (d.extra & (<u16>Extra.HIGH_RM)) != 0, value);
      return true;
    case Target.HOST:
      storeBytes(targetHost, d.size, value);
      return true;
    case Target.SPLIT:
      storeSplit(value);
      return true;
    default:
      journaledWrite(cpu, targetAddress, d.size, value);
      if (outcome() == Access.DONE) {
        closeJournal(cpu);
        return true;
      }
      writeR(base, FLAG_RESULT, flagResult);
      writeR(base, FLAG_BITS, flagBits);
      writeR(base, FLAG_OPERAND, flagOperand);
      return false;
  }
}
