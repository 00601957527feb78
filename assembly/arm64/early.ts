// Which loads may be issued while another waits (memory/early.ts): those behind it, if only loads, instructions between registers
// and conditional branches forwards stand between them, and if their addresses hang neither on what those write nor on what the
// first loads, or on bases that they move. What comes behind an acquire, an exclusive, a store, any other branch, a barrier, a
// device waits (Arm ARM DDI 0487 B2.3.6); LDP, literals, what crosses into another line and code in writable pages do so too.
//
// A conditional branch forwards is predicted not to be taken: a control dependency orders no load (B2.3.2). If it is taken after
// all, the CPU has left the way to those loads, and they are as if they had never been issued; but for their requests.

import { PAGE_BYTES } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { SpecialKind, isWritableCode } from "../memory/code.ts";
import { isAtHand, isOneAccess, issueEarly } from "../memory/early.ts";
import { lineOf, pageAt, ramAt } from "../memory/map.ts";
import { slopeOf } from "../time/affine.ts";
import { cycleOf } from "../time/limits.ts";
import { decodeA64 } from "./decode.ts";
import { addressOf, isLoad, modeOf } from "./memory.ts";
import { A64, A64_BYTES, AddressMode, Op } from "./operations.ts";
import { recordAt } from "./records.ts";

/** Instructions behind a load among which others are looked for. */
const WINDOW: u32 = 8;

// How far the window behind the load at cpu.pc has been looked at.
let first: usize = 0;
let end: u32 = 0;
let distance: u32 = 0;
/** Registers that are written up to here. */
let unknown: u64 = 0;
/** Whether a branch stands between. */
let behindBranch: bool = false;
/** Ticks from the start of the load at cpu.pc to that of the one found, and behind that. */
let foundTicks: u64 = 0;
let ticks: u64 = 0;
let found: usize = 0;
let foundAddress: u64 = 0;
let foundSize: u32 = 0;

/** What the instructions tell of a load, wherever they go; kept in place of a branch's target, so that decoding forgets it. */
enum Behind {
  KNOWN = 1,
  /** Some load may be issued before it. */
  LOADS = 2,
  /** Some load may be although a branch stands before it. */
  DOUBTFUL = 4,
}

/** Begins behind the load at cpu.pc. @returns false if nothing may be issued before it */
function openWindow(cpu: Cpu): bool {
  // Siblings share copies, and end each other's claims to them.
  if (cpu.core.threadCount != 1) return false;
  first = recordAt(cpu.pc);
  if (first == 0 || isWritableCode(pageAt(cpu.pc))) return false;
  const load = decoded(first, cpu.pc);
  if (!isLoad(<i32>load.operation)) return false;
  if (load.target == 0) load.target = behind(load, cpu.pc);
  if ((load.target & (<u32>Behind.LOADS)) == 0) return false;
  begin(load, cpu.pc);
  return true;
}

function begin(load: A64, pc: u64): void {
  end = min(WINDOW + 1, (<u32>PAGE_BYTES - ((<u32>pc) & (PAGE_BYTES - 1))) >>> 2);
  distance = 0;
  behindBranch = false;
  unknown = writtenBy(load);
  ticks = load.cost;
}

function behind(load: A64, pc: u64): u32 {
  let told: u32 = Behind.KNOWN;
  begin(load, pc);
  while (findByCode(pc)) told |= behindBranch ? Behind.LOADS | Behind.DOUBTFUL : Behind.LOADS;
  return told;
}

/** The next load in the window that may be issued. @returns false if there is none */
function findNext(cpu: Cpu): bool {
  return findByCode(cpu.pc) && locate(cpu, changetype<A64>(first)) && locate(cpu, changetype<A64>(found));
}

/** The next one as far as the instructions tell, wherever it goes. */
function findByCode(pc: u64): bool {
  let written = unknown;
  let start = ticks;
  while (++distance < end) {
    const next = decoded(first + <usize>distance * A64_BYTES, pc + ((<u64>distance) << 2));
    const operation = <i32>next.operation;
    if (isBetweenRegisters(operation)) {
      written |= bitOf(next.rd);
      start += next.cost;
      continue;
    }
    if (isPassed(next, operation)) {
      behindBranch = true;
      start += next.cost;
      continue;
    }
    if (!isLoad(operation) || hangsOn(next, written)) return false;
    found = changetype<usize>(next);
    foundTicks = start;
    ticks = start + next.cost;
    unknown = written | writtenBy(next);
    return true;
  }
  return false;
}

/** Where a load goes whose registers are known. @returns false for what is not one access to RAM */
function locate(cpu: Cpu, load: A64): bool {
  foundAddress = addressOf(changetype<usize>(cpu), load);
  foundSize = 1 << (load.extra & 3);
  return isOneAccess(foundAddress, foundSize);
}

/** Registers that a load writes. */
function writtenBy(load: A64): u64 {
  return movesBase(load) ? bitOf(load.rd) | bitOf(load.rn) : bitOf(load.rd);
}

// @ts-ignore: decorator
@inline
function bitOf(register: u32): u64 {
  return (<u64>1) << (<u64>register);
}

function decoded(record: usize, pc: u64): A64 {
  const d = changetype<A64>(record);
  if (d.kind == <u16>SpecialKind.UNDECODED) decodeA64(d, load<u32>(ramAt(pc)), pc, pageAt(pc));
  return d;
}

function movesBase(d: A64): bool {
  const mode = modeOf(d);
  return mode == AddressMode.PRE_INDEX || mode == AddressMode.POST_INDEX;
}

/** Whether the address of a load depends on one of some registers. */
function hangsOn(d: A64, registers: u64): bool {
  const uses = modeOf(d) == AddressMode.REGISTER ? bitOf(d.rn) | bitOf(d.rm) : bitOf(d.rn);
  return (uses & registers) != 0;
}

/** Writes `rd`, or flags, and nothing else (operations.ts has them in this order). */
function isBetweenRegisters(operation: i32): bool {
  return (
    (operation >= Op.MOVE_IMMEDIATE && operation <= Op.MADD64) ||
    operation == Op.NOP ||
    (operation >= Op.INTEGER && operation <= Op.UMULH)
  );
}

/** A conditional branch that is predicted not to be taken (operations.ts has them in this order). */
function isPassed(d: A64, operation: i32): bool {
  return operation >= Op.B_EQ && operation <= Op.TBNZ && d.immediate > 0;
}

/** Whether a load behind that at cpu.pc could be bound if that missed: at its start, not before. */
export function mayBindNext(cpu: Cpu): bool {
  if (!openWindow(cpu)) return false;
  while (findNext(cpu)) if (isAtHand(cpu, foundAddress)) return true;
  return false;
}

/** The load at cpu.pc has just missed a line, or would have when it started, and nothing has changed since. */
export function issueNextLoads(cpu: Cpu, line: u32): void {
  if (!openWindow(cpu)) return;
  while (findNext(cpu)) {
    if (!issueEarly(cpu, line, distance, foundAddress, foundSize, cycleOf(cpu.clock + foundTicks))) return;
  }
}

// --- loads that a loop may never come to -----------------------------------------------------------------------------

/** Begins with what would be issued while the load at cpu.pc waits. @returns false when no branch stands before any of that */
export function openDoubtfulLoads(cpu: Cpu): bool {
  return openWindow(cpu) && (changetype<A64>(first).target & (<u32>Behind.DOUBTFUL)) != 0;
}

/** The next load that would be issued behind a branch. @returns false when there is none */
export function nextDoubtfulLoad(cpu: Cpu): bool {
  while (findNext(cpu)) if (behindBranch) return true;
  return false;
}

/** Its line. */
export function doubtfulLine(): u32 {
  return lineOf(foundAddress);
}

/** Whether its address is the same in all turns of the loop whose slopes affine.ts has. */
export function isDoubtfulLineSteady(): bool {
  const load = changetype<A64>(found);
  return slopeOf(load.rn) == 0 && (modeOf(load) != AddressMode.REGISTER || slopeOf(load.rm) == 0);
}
