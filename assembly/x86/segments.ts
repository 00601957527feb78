// Segment registers and descriptor tables (SDM 3A 3.4, 3.5, 5; 2A LAR, LGDT, LLDT, LSL, LTR, 2B MOV, SGDT, VERR). Segments
// matter in 64-bit mode as far as loading one can fault, and for the bases of FS and GS. The accessed bit of descriptors is
// taken as set.

import { X86Vector } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import {
  Access,
  checkRights,
  closeJournal,
  journaledRead,
  journaledWrite,
  openJournal,
  outcome,
} from "../memory/access.ts";
import { FS_BASE, GS_BASE, RSP, Shadow, USER_LEVEL, isCanonical, levelOfCode, readR, writeR, x86 } from "./cpu.ts";
import { faultWithCode, generalProtection, refuseSystemAccess } from "./exception.ts";
import { setZero } from "./flags.ts";
import { isMemory, numberOf, operandAddress, readPart, writeMemory, writePart } from "./operand.ts";
import { Op, Segment, X86 } from "./operations.ts";
import { checkPrivilege } from "./privilege.ts";
import { Step } from "./step.ts";

export function executeSegments(cpu: Cpu, d: X86, operation: i32): Step {
  if (levelOfCode(cpu) != 0) {
    const step = checkPrivilege(cpu, d, operation);
    if (step != Step.NEXT) return step;
  }
  switch (operation) {
    case Op.MOV_FROM_SEGMENT:
      return storeSelector(cpu, d, selectorOf(cpu, numberOf(d)));
    case Op.SLDT:
      return storeSelector(cpu, d, x86(cpu).ldtr);
    case Op.STR:
      return storeSelector(cpu, d, x86(cpu).tr);
    case Op.LOAD_FAR_POINTER:
      return loadFarPointer(cpu, d);
    case Op.LGDT:
    case Op.LIDT:
      return loadTable(cpu, d, operation == Op.LGDT);
    case Op.SGDT:
      return storeTable(cpu, d, x86(cpu).gdtLimit, x86(cpu).gdtBase);
    case Op.SIDT:
      return storeTable(cpu, d, x86(cpu).idtLimit, x86(cpu).idtBase);
    default: {
      // The operand is a selector in a register or in memory.
      openJournal();
      let selector: u32;
      if (isMemory(d)) {
        const address = operandAddress(cpu, d);
        if (!checkRights(address, 2, false)) return Step.ACCESS;
        selector = <u32>journaledRead(cpu, address, 2);
        if (outcome() != Access.DONE) return Step.ACCESS;
      } else {
        selector = <u32>readPart(changetype<usize>(cpu), d.rm, 2, false);
      }
      const step = withSelector(cpu, d, operation, selector);
      if (step != Step.ACCESS) closeJournal(cpu);
      return step;
    }
  }
}

function withSelector(cpu: Cpu, d: X86, operation: i32, selector: u32): Step {
  switch (operation) {
    case Op.MOV_TO_SEGMENT:
      return moveToSegment(cpu, numberOf(d), selector);
    case Op.LLDT:
      return loadLocalTable(cpu, selector);
    case Op.LTR:
      return loadTask(cpu, selector);
    default:
      return inspect(cpu, d, operation, selector);
  }
}

/** Selector of a segment register. */
export function selectorOf(cpu: Cpu, segment: u32): u16 {
  const state = x86(cpu);
  switch (segment) {
    case Segment.ES:
      return state.es;
    case Segment.CS:
      return state.cs;
    case Segment.SS:
      return state.ss;
    case Segment.DS:
      return state.ds;
    case Segment.FS:
      return state.fs;
    default:
      return state.gs;
  }
}

function setSelector(cpu: Cpu, segment: u32, selector: u16): void {
  const state = x86(cpu);
  switch (segment) {
    case Segment.ES:
      state.es = selector;
      break;
    case Segment.SS:
      state.ss = selector;
      break;
    case Segment.DS:
      state.ds = selector;
      break;
    case Segment.FS:
      state.fs = selector;
      break;
    default:
      state.gs = selector;
      break;
  }
}

function storeSelector(cpu: Cpu, d: X86, selector: u16): Step {
  if (isMemory(d)) return writeMemory(cpu, operandAddress(cpu, d), 2, <u64>selector) ? Step.NEXT : Step.ACCESS;
  writePart(changetype<usize>(cpu), d.rm, d.size, false, <u64>selector);
  return Step.NEXT;
}

// --- descriptors -----------------------------------------------------------------------------------------------------

const TYPE_SHIFT: u64 = 40;
/** S: code or data rather than a system segment. */
export const DESCRIPTOR_S: u64 = (<u64>1) << 44;
export const DESCRIPTOR_PRESENT: u64 = (<u64>1) << 47;
export const DESCRIPTOR_EXECUTABLE: u64 = (<u64>1) << 43;
/** Code: conforming. */
export const DESCRIPTOR_CONFORMING: u64 = (<u64>1) << 42;
/** Code: readable. Data: writable. */
const DESCRIPTOR_RW: u64 = (<u64>1) << 41;
export const DESCRIPTOR_L: u64 = (<u64>1) << 53;
export const DESCRIPTOR_D: u64 = (<u64>1) << 54;
const DESCRIPTOR_G: u64 = (<u64>1) << 55;
const TSS_BUSY: u64 = 2;

const TYPE_LDT: u32 = 2;
const TYPE_TSS: u32 = 9;
const TYPE_BUSY_TSS: u32 = 11;
export const TYPE_CALL_GATE: u32 = 12;

/** The four type bits. */
export function typeOf(descriptor: u64): u32 {
  return (<u32>(descriptor >>> TYPE_SHIFT)) & 15;
}

export function levelOf(descriptor: u64): u32 {
  return (<u32>(descriptor >>> 45)) & 3;
}

function baseOf(descriptor: u64): u64 {
  return ((descriptor >>> 16) & 0xff_ffff) | ((descriptor >>> 32) & 0xff00_0000);
}

function limitOf(descriptor: u64): u32 {
  const limit = ((<u32>descriptor) & 0xffff) | ((<u32>(descriptor >>> 32)) & 0xf_0000);
  return (descriptor & DESCRIPTOR_G) != 0 ? (limit << 12) | 0xfff : limit;
}

export enum Lookup {
  FOUND = 0,
  /** Beyond the table's limit. */
  OUTSIDE = 1,
  /** The access is not done. */
  NOT_DONE = 2,
}

export let descriptor: u64 = 0;
let descriptorAddress: u64 = 0;
/** Upper half of a 16-byte system descriptor. */
let descriptorHigh: u64 = 0;

/** Reads the descriptor that a selector names, as accesses of a journaled instruction. */
export function lookUp(cpu: Cpu, selector: u32): Lookup {
  const state = x86(cpu);
  const local = (selector & 4) != 0;
  if ((selector | 7) > (local ? state.ldtLimit : state.gdtLimit)) return Lookup.OUTSIDE;
  descriptorAddress = (local ? state.ldtBase : state.gdtBase) + <u64>(selector & 0xfff8);
  if (!checkRights(descriptorAddress, 8, false)) return refusedLookup();
  descriptor = journaledRead(cpu, descriptorAddress, 8);
  return outcome() == Access.DONE ? Lookup.FOUND : Lookup.NOT_DONE;
}

function refusedLookup(): Lookup {
  refuseSystemAccess();
  return Lookup.NOT_DONE;
}

/** As lookUp(), of a system descriptor, which has 16 bytes and lies in the GDT. */
function lookUpSystem(cpu: Cpu, selector: u32): Lookup {
  if ((selector & 4) != 0 || (selector | 7) + 8 > x86(cpu).gdtLimit) return Lookup.OUTSIDE;
  const found = lookUp(cpu, selector);
  if (found != Lookup.FOUND) return found;
  if (!checkRights(descriptorAddress + 8, 8, false)) return refusedLookup();
  descriptorHigh = journaledRead(cpu, descriptorAddress + 8, 8);
  return outcome() == Access.DONE ? Lookup.FOUND : Lookup.NOT_DONE;
}

/** A fault whose error code is a selector. */
export function selectorFault(cpu: Cpu, vector: X86Vector, selector: u32): Step {
  return faultWithCode(cpu, vector, selector & 0xfffc);
}

export function protectionFault(cpu: Cpu, selector: u32): Step {
  return selectorFault(cpu, X86Vector.GENERAL_PROTECTION, selector);
}

// --- loading ---------------------------------------------------------------------------------------------------------

/** MOV to a segment register. Loading SS opens a shadow, unless it stands in one: two in a row are not longer than one. */
function moveToSegment(cpu: Cpu, segment: u32, selector: u32): Step {
  const step = loadSegment(cpu, segment, selector);
  const state = x86(cpu);
  if (step != Step.NEXT || segment != Segment.SS || (state.shadow & Shadow.STACK) != 0) return step;
  state.shadow = Shadow.STACK | Shadow.OPENING;
  return Step.RECHECK;
}

/** Checks and loads a segment register other than CS; the journal is open. */
function loadSegment(cpu: Cpu, segment: u32, selector: u32): Step {
  const isStack = segment == Segment.SS;
  const level = levelOfCode(cpu);
  if ((selector & 0xfffc) == 0) {
    if (isStack && ((selector & 3) != level || level == USER_LEVEL)) return generalProtection(cpu);
    enterSegment(cpu, segment, selector, 0, 0);
    return Step.NEXT;
  }
  const found = lookUp(cpu, selector);
  if (found == Lookup.NOT_DONE) return Step.ACCESS;
  if (found == Lookup.OUTSIDE) return protectionFault(cpu, selector);
  if (!(isStack ? isStackSegment(selector, level) : isDataSegment(selector, level)))
    return protectionFault(cpu, selector);
  if ((descriptor & DESCRIPTOR_PRESENT) == 0) {
    return selectorFault(cpu, isStack ? X86Vector.STACK_FAULT : X86Vector.SEGMENT_NOT_PRESENT, selector);
  }
  enterSegment(cpu, segment, selector, baseOf(descriptor), isConforming() ? USER_LEVEL : levelOf(descriptor));
  return Step.NEXT;
}

/** The null selector gives FS and GS the base 0 (Intel; on AMD the base stays). */
function enterSegment(cpu: Cpu, segment: u32, selector: u32, bottom: u64, level: u32): void {
  const state = x86(cpu);
  setSelector(cpu, segment, <u16>selector);
  state.dataLevels = <u16>(((<u32>state.dataLevels) & ~levelField(segment, 3)) | levelField(segment, level));
  if (segment == Segment.FS) writeR(changetype<usize>(cpu), FS_BASE, bottom);
  if (segment == Segment.GS) writeR(changetype<usize>(cpu), GS_BASE, bottom);
}

/** A level in X86State.dataLevels. */
function levelField(segment: u32, level: u32): u32 {
  switch (segment) {
    case Segment.ES:
      return level;
    case Segment.DS:
      return level << 2;
    case Segment.FS:
      return level << 4;
    case Segment.GS:
      return level << 6;
    default:
      return 0;
  }
}

/** A return has led to an outer level: what that may not use becomes null. Bases of FS and GS stay, as on QEMU. */
export function dropInnerSegments(cpu: Cpu, level: u32): void {
  dropInner(cpu, Segment.ES, level);
  dropInner(cpu, Segment.DS, level);
  dropInner(cpu, Segment.FS, level);
  dropInner(cpu, Segment.GS, level);
}

function dropInner(cpu: Cpu, segment: u32, level: u32): void {
  const mask = levelField(segment, 3);
  if (((<u32>x86(cpu).dataLevels) & mask) < levelField(segment, level)) setSelector(cpu, segment, 0);
}

/** `descriptor` is writable data, and its DPL and the selector's RPL are the level of the code that is to use it. */
export function isStackSegment(selector: u32, level: u32): bool {
  const kind = descriptor & (DESCRIPTOR_S | DESCRIPTOR_EXECUTABLE | DESCRIPTOR_RW);
  return kind == (DESCRIPTOR_S | DESCRIPTOR_RW) && levelOf(descriptor) == level && (selector & 3) == level;
}

/** `descriptor` is conforming code. */
function isConforming(): bool {
  const kind = DESCRIPTOR_S | DESCRIPTOR_EXECUTABLE | DESCRIPTOR_CONFORMING;
  return (descriptor & kind) == kind;
}

/** `descriptor` is data or readable code that code of a level may use through a selector. */
function isDataSegment(selector: u32, level: u32): bool {
  if ((descriptor & DESCRIPTOR_S) == 0) return false;
  const isCode = (descriptor & DESCRIPTOR_EXECUTABLE) != 0;
  if (isCode && (descriptor & DESCRIPTOR_RW) == 0) return false;
  return isConforming() || max(level, selector & 3) <= levelOf(descriptor);
}

/** POP FS, POP GS; what is popped beyond 16 bits is ignored. */
export function popSegment(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const stack = readR(base, RSP);
  if (!checkRights(stack, d.size, false)) return Step.ACCESS;
  openJournal();
  const selector = (<u32>journaledRead(cpu, stack, d.size)) & 0xffff;
  if (outcome() != Access.DONE) return Step.ACCESS;
  const step = loadSegment(cpu, numberOf(d), selector);
  if (step != Step.NEXT) return step;
  closeJournal(cpu);
  writeR(base, RSP, stack + d.size);
  return Step.NEXT;
}

/** LSS, LFS, LGS. They open no shadow. */
function loadFarPointer(cpu: Cpu, d: X86): Step {
  const size = <u32>d.size;
  const address = operandAddress(cpu, d);
  if (!checkRights(address, size + 2, false)) return Step.ACCESS;
  openJournal();
  const offset = journaledRead(cpu, address, size);
  if (outcome() != Access.DONE) return Step.ACCESS;
  const selector = <u32>journaledRead(cpu, address + size, 2);
  if (outcome() != Access.DONE) return Step.ACCESS;
  const step = loadSegment(cpu, numberOf(d), selector);
  if (step != Step.NEXT) return step;
  closeJournal(cpu);
  writePart(changetype<usize>(cpu), d.reg, size, false, offset);
  return Step.NEXT;
}

/** A null selector leaves no local table. */
function loadLocalTable(cpu: Cpu, selector: u32): Step {
  const state = x86(cpu);
  if ((selector & 0xfffc) == 0) {
    state.ldtr = <u16>selector;
    state.ldtBase = 0;
    state.ldtLimit = 0;
    return Step.NEXT;
  }
  const step = checkSystem(cpu, selector, TYPE_LDT);
  if (step != Step.NEXT) return step;
  state.ldtr = <u16>selector;
  state.ldtBase = baseOf(descriptor) | (descriptorHigh << 32);
  state.ldtLimit = limitOf(descriptor);
  return Step.NEXT;
}

/** The descriptor becomes busy. */
function loadTask(cpu: Cpu, selector: u32): Step {
  const state = x86(cpu);
  if ((selector & 0xfffc) == 0) return generalProtection(cpu);
  const step = checkSystem(cpu, selector, TYPE_TSS);
  if (step != Step.NEXT) return step;
  if (!checkRights(descriptorAddress + 5, 1, true)) return Step.ACCESS;
  journaledWrite(cpu, descriptorAddress + 5, 1, (descriptor >>> TYPE_SHIFT) | TSS_BUSY);
  if (outcome() != Access.DONE) return Step.ACCESS;
  state.tr = <u16>selector;
  state.trBase = baseOf(descriptor) | (descriptorHigh << 32);
  state.trLimit = limitOf(descriptor);
  return Step.NEXT;
}

/** A present system descriptor of the given type, with a canonical base. */
function checkSystem(cpu: Cpu, selector: u32, type: u32): Step {
  const found = lookUpSystem(cpu, selector);
  if (found == Lookup.NOT_DONE) return Step.ACCESS;
  if (found == Lookup.OUTSIDE) return protectionFault(cpu, selector);
  if ((descriptor & DESCRIPTOR_S) != 0 || typeOf(descriptor) != type) return protectionFault(cpu, selector);
  if ((descriptor & DESCRIPTOR_PRESENT) == 0) return selectorFault(cpu, X86Vector.SEGMENT_NOT_PRESENT, selector);
  if (!isCanonical(baseOf(descriptor) | (descriptorHigh << 32))) return protectionFault(cpu, selector);
  return Step.NEXT;
}

// --- inspecting ------------------------------------------------------------------------------------------------------

/** LAR, LSL, VERR, VERW: they answer by ZF and don't fault for what the selector names. */
function inspect(cpu: Cpu, d: X86, operation: i32, selector: u32): Step {
  const base = changetype<usize>(cpu);
  const found = (selector & 0xfffc) == 0 ? Lookup.OUTSIDE : lookUp(cpu, selector);
  if (found == Lookup.NOT_DONE) return Step.ACCESS;
  const visible = found == Lookup.FOUND && isVisible(operation, max(selector & 3, levelOfCode(cpu)));
  setZero(base, visible);
  if (!visible) return Step.NEXT;
  if (operation == Op.LAR) writePart(base, d.reg, d.size, false, (descriptor >>> 32) & 0xf0_ff00);
  if (operation == Op.LSL) writePart(base, d.reg, d.size, false, <u64>limitOf(descriptor));
  return Step.NEXT;
}

/** Whether the instruction applies to the type of `descriptor` and its privilege level allows it to a level. */
function isVisible(operation: i32, level: u32): bool {
  const isSegment = (descriptor & DESCRIPTOR_S) != 0;
  const isCode = isSegment && (descriptor & DESCRIPTOR_EXECUTABLE) != 0;
  if (!isConforming() && level > levelOf(descriptor)) return false;
  switch (operation) {
    case Op.VERR:
      return isSegment && (!isCode || (descriptor & DESCRIPTOR_RW) != 0);
    case Op.VERW:
      return isSegment && !isCode && (descriptor & DESCRIPTOR_RW) != 0;
    default: {
      if (isSegment) return true;
      const type = typeOf(descriptor);
      if (type == TYPE_CALL_GATE) return operation == Op.LAR;
      return type == TYPE_LDT || type == TYPE_TSS || type == TYPE_BUSY_TSS;
    }
  }
}

// --- tables ----------------------------------------------------------------------------------------------------------

function loadTable(cpu: Cpu, d: X86, global: bool): Step {
  const state = x86(cpu);
  const address = operandAddress(cpu, d);
  if (!checkRights(address, 10, false)) return Step.ACCESS;
  openJournal();
  const limit = <u32>journaledRead(cpu, address, 2);
  if (outcome() != Access.DONE) return Step.ACCESS;
  const bottom = journaledRead(cpu, address + 2, 8);
  if (outcome() != Access.DONE) return Step.ACCESS;
  if (!isCanonical(bottom)) return generalProtection(cpu);
  closeJournal(cpu);
  if (global) {
    state.gdtBase = bottom;
    state.gdtLimit = limit;
  } else {
    state.idtBase = bottom;
    state.idtLimit = limit;
  }
  return Step.NEXT;
}

function storeTable(cpu: Cpu, d: X86, limit: u32, bottom: u64): Step {
  const address = operandAddress(cpu, d);
  if (!checkRights(address, 10, true)) return Step.ACCESS;
  openJournal();
  journaledWrite(cpu, address, 2, <u64>limit);
  if (outcome() != Access.DONE) return Step.ACCESS;
  journaledWrite(cpu, address + 2, 8, bottom);
  if (outcome() != Access.DONE) return Step.ACCESS;
  closeJournal(cpu);
  return Step.NEXT;
}
