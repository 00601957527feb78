// Spin elision: a CPU that comes round to the head of a loop in a state from which the next turns are known is parked, and
// costs nothing until something it watches changes. docs/time.md, "Spin elision", has the claim and why it holds.
//
// Early is free, late is wrong: waking a parked CPU at any time gives the exact state of that time.

import { Acceleration, CPU_BYTES, CPU_REGISTERS } from "../../src/abi.ts";
import { stateWords } from "../architecture.ts";
import { Cpu, NEVER } from "../cpu.ts";
import { isHeld } from "../interrupts/held.ts";
import { machine, reserve } from "../machine.ts";
import { loadBytes } from "../memory/access.ts";
import { ramAt } from "../memory/map.ts";
import { memberTurnsBy, settleMembers } from "../memory/member.ts";
import { memberOf } from "../memory/train.ts";
import { MAX_CELLS, MAX_LINES, advanceBytes, cellAt, cellCount, openAffine, slopeOf, turnLimit } from "./affine.ts";
import { cycleOf, ticksOf } from "./limits.ts";
import { Leave } from "./leave.ts";
import { catchUp, catchUpToTicks } from "./run.ts";
import {
  lineAt,
  lineCount,
  lineUse,
  observeTurn,
  onlyLoadHost,
  onlyLoadPhase,
  onlyLoadSize,
  proveSlopes,
  turnChangesNothing,
  turnInstructions,
  turnPeriod,
} from "./shadow.ts";
import { LineUse, hideFromSiblings } from "./watch.ts";

/** The claim under which a CPU is parked: turn k starts at clock + k * period, words and cells moved on by k slopes. */
@unmanaged
export class Spin {
  period: u64;
  instructions: u64;
  /** Turns for which the claim holds, or NEVER. */
  turns: u64;
  words: u32;
  cells: u32;
  lines: u32;
  /** Turns that are behind the clock and not yet applied. */
  turnsBehind: u64;
}

/** How a parked spin uses a line. */
@unmanaged
export class SpinLine {
  line: u32;
  /** LineUse */
  use: u32;
  /** Of a line that one load per turn reads: ticks from the loop head, where, how long, and what it finds; else size 0. */
  phase: u32;
  size: u32;
  host: usize;
  reserved: u32;
  value: u64;
}

const MAX_WORDS: u32 = 12;
// Behind the fields: sloped words (slope, slot), cells (slope, host address, size), lines (number, use).
const SPIN_WORDS: usize = 48;
const SPIN_CELLS: usize = SPIN_WORDS + <usize>MAX_WORDS * 16;
const SPIN_LINES: usize = SPIN_CELLS + <usize>MAX_CELLS * 16;
const SPIN_LINE_BYTES: usize = 32;
const SPIN_BYTES: usize = SPIN_LINES + <usize>MAX_LINES * SPIN_LINE_BYTES;
if (offsetof<Spin>() > SPIN_WORDS) ERROR("Spin outgrew its bytes");
if (offsetof<SpinLine>() > SPIN_LINE_BYTES) ERROR("SpinLine outgrew its bytes");

/** Fewer turns than this are stepped sooner than elided. */
const LEAST_TURNS: u64 = 3;
const MOST_PATIENCE: u32 = 256;

/**
 * Loop heads at which elision has failed: address, then visits to let pass. Shared by all CPUs, since they run the same
 * code; direct-mapped, since forgetting only costs another attempt.
 */
const HEADS: usize = 256;
const HEAD_BYTES: usize = 16;
const HEAD_PATIENCE: usize = 8;

/** While a CPU is brought up to date it is not parked again. */
let catchingUp: bool = false;

export function openSpins(): bool {
  const m = machine();
  m.spinRecords = reserve(<usize>m.cpus * SPIN_BYTES, 64);
  m.loopHeads = reserve(HEADS * HEAD_BYTES, 64);
  m.shadow = reserve(CPU_BYTES, 64);
  return m.spinRecords != 0 && m.loopHeads != 0 && m.shadow != 0;
}

// @ts-ignore: decorator
@inline
export function spinOf(cpu: Cpu): Spin {
  return changetype<Spin>(machine().spinRecords + <usize>cpu.index * SPIN_BYTES);
}

// --- loop heads ------------------------------------------------------------------------------------------------------

/**
 * A taken backward branch.
 * @returns whether comeRound() is to be called: the same branch was the last one, but for those of loops inside, and patience is over
 */
// @ts-ignore: decorator
@inline
export function loopEdge(cpu: Cpu, target: u64): bool {
  if (cpu.loopHead != target) return otherLoop(cpu, target);
  return ++cpu.loopVisits >= cpu.loopPatience;
}

/** A branch to another head than the last one: of a loop around that, if it goes back further. */
function otherLoop(cpu: Cpu, target: u64): bool {
  if (changetype<usize>(cpu) == machine().shadow) return false; // inner loops are part of the turn
  const isAround = target < cpu.loopHead;
  const visits: u16 = <u32>target == cpu.outerHead ? cpu.outerVisits + 1 : 0;
  cpu.loopHead = target;
  cpu.loopVisits = 0;
  cpu.loopPatience = patienceAt(target);
  if (!isAround) return false;
  cpu.outerHead = <u32>target;
  cpu.outerVisits = visits;
  if (visits < cpu.loopPatience) return false;
  cpu.outerVisits = 0;
  return true;
}

/** Visits to a head until elision is tried. */
function patienceAt(target: u64): u16 {
  const head = headOf(target);
  return load<u64>(head) == target ? <u16>load<u32>(head, HEAD_PATIENCE) : 1;
}

function headOf(address: u64): usize {
  return machine().loopHeads + ((<usize>(address >>> 1)) & (HEADS - 1)) * HEAD_BYTES;
}

/** The CPU stands at its loop head again; pc, clock and retired are saved. Parks it if its future is known. */
export function comeRound(cpu: Cpu): Leave {
  const m = machine();
  if (changetype<usize>(cpu) == m.shadow) return Leave.CAME_ROUND;
  cpu.loopVisits = 0;
  // A parked CPU has no stores that wait, draws no delays, and gets no lines.
  if (catchingUp || cpu.storing != 0 || cpu.asksEarly != 0 || isHeld(cpu)) return Leave.NONE;
  if ((m.accelerations & Acceleration.SPIN_ELISION) == 0) {
    cpu.loopPatience = u16.MAX_VALUE;
    return Leave.NONE;
  }
  const head = headOf(cpu.pc);
  if (park(cpu)) {
    if (load<u64>(head) == cpu.pc) store<u64>(head, 0);
    return Leave.PARKED;
  }
  cpu.loopPatience = <u16>min(max((<u32>cpu.loopPatience) << 1, 2), MOST_PATIENCE);
  store<u64>(head, cpu.pc);
  store<u32>(head, cpu.loopPatience, HEAD_PATIENCE);
  return Leave.NONE;
}

// --- parking ---------------------------------------------------------------------------------------------------------

function park(cpu: Cpu): bool {
  if (!observeTurn(cpu)) return false;
  let turns = NEVER;
  if (turnChangesNothing(cpu)) {
    openAffine();
  } else {
    if (!proveSlopes(cpu)) return false;
    // The limit counts from the second turn.
    if (turnLimit() != NEVER) turns = turnLimit() + 1;
    if (turns < LEAST_TURNS) return false;
  }
  if (!keepClaim(cpu, turns)) return false;
  for (let i: u32 = 0; i < lineCount(); i++) hideFromSiblings(cpu, lineAt(i), lineUse(i) == LineUse.READ);
  cpu.parked = 1;
  cpu.core.watchers++;
  machine().parkings++;
  return true;
}

/** Writes down the claim that the shadow has established. */
function keepClaim(cpu: Cpu, turns: u64): bool {
  const spin = spinOf(cpu);
  const base = changetype<usize>(spin);
  spin.period = turnPeriod();
  spin.instructions = turnInstructions();
  spin.turns = turns;
  spin.words = spin.cells = spin.lines = 0;
  const words = stateWords();
  for (let slot: u32 = 0; slot < words; slot++) {
    const slope = slopeOf(slot);
    if (slope == 0) continue;
    if (spin.words == MAX_WORDS) return false;
    const entry = base + SPIN_WORDS + ((<usize>spin.words) << 4);
    store<u64>(entry, slope);
    store<u32>(entry, slot, 8);
    spin.words++;
  }
  for (let i: u32 = 0; i < cellCount(); i++) {
    const cell = cellAt(i);
    if (cell.startSlope == 0) continue;
    const entry = base + SPIN_CELLS + ((<usize>spin.cells) << 4);
    store<u64>(entry, cell.startSlope);
    store<u32>(entry, <u32>ramAt(cell.address), 8);
    store<u32>(entry, cell.size, 12);
    spin.cells++;
  }
  spin.lines = lineCount();
  for (let i: u32 = 0; i < spin.lines; i++) describeLine(spinLineAt(spin, i), i);
  spin.turnsBehind = 0;
  return true;
}

// @ts-ignore: decorator
@inline
function spinLineAt(spin: Spin, index: u32): SpinLine {
  return changetype<SpinLine>(changetype<usize>(spin) + SPIN_LINES + <usize>index * SPIN_LINE_BYTES);
}

function describeLine(line: SpinLine, index: u32): void {
  line.line = lineAt(index);
  line.use = lineUse(index);
  line.size = onlyLoadSize(index);
  if (line.size == 0) return;
  line.phase = onlyLoadPhase(index);
  line.host = onlyLoadHost(index);
  line.value = loadBytes(line.host, line.size);
}

/** What a parked CPU does with a line, or null when it doesn't touch it. */
export function spinLineOf(spin: Spin, line: u32): SpinLine {
  for (let i: u32 = 0; i < spin.lines; i++) if (spinLineAt(spin, i).line == line) return spinLineAt(spin, i);
  return changetype<SpinLine>(0);
}

/** How a parked CPU uses a line. */
export function parkedLineUse(cpu: Cpu, line: u32): LineUse {
  const found = spinLineOf(spinOf(cpu), line);
  return changetype<usize>(found) == 0 ? LineUse.NONE : found.use;
}

/** Cycle by which a parked CPU must be woken because its loop ends, or NEVER. */
export function parkedUntil(cpu: Cpu): u64 {
  const spin = spinOf(cpu);
  if (spin.turns == NEVER) return NEVER;
  // A deadline beyond all time is none; an early one is harmless.
  const turns = min(spin.turns, ((<u64>1) << 60) / spin.period);
  return cycleOf(cpu.clock + turns * spin.period);
}

/** Turns that a parked CPU has behind it at `cycle`. */
// @ts-ignore: decorator
@inline
function turnsBy(cpu: Cpu, spin: Spin, cycle: u64): u64 {
  const until = ticksOf(cycle);
  return until <= cpu.clock ? 0 : min((until - cpu.clock) / spin.period, spin.turns);
}

/** Instructions that a CPU has executed before `cycle`, those of a parked spin's whole turns included. */
export function retiredBy(cpu: Cpu, cycle: u64): u64 {
  if (cpu.parked == 0) return cpu.retired;
  const spin = spinOf(cpu);
  const turns = isMember(cpu) ? memberTurnsBy(memberOf(cpu), cycle) : turnsBy(cpu, spin, cycle);
  return cpu.retired + turns * spin.instructions;
}

// @ts-ignore: decorator
@inline
function isMember(cpu: Cpu): bool {
  return cpu.core.members != 0 && memberOf(cpu).entry != 0;
}

/** Wakes a parked CPU and brings it up to date: everything that starts before `cycle` has been executed afterwards. */
export function unpark(cpu: Cpu, cycle: u64): void {
  if (isMember(cpu)) settleMembers(cpu.core, cycle);
  else unparkTo(cpu, spinOf(cpu), cycle);
}

/** As unpark(), of a CPU that is in no train. */
export function unparkTo(cpu: Cpu, spin: Spin, cycle: u64): void {
  advanceTurns(cpu, spin, turnsBy(cpu, spin, cycle));
  endParked(cpu);
  catchingUp = true;
  catchUp(cpu, cycle);
  catchingUp = false;
}

/** As unpark(), to a tick at which an instruction starts. Its turns have been applied. */
export function unparkToTicks(cpu: Cpu, ticks: u64): void {
  endParked(cpu);
  stepToTicks(cpu, ticks);
}

/** Steps on a CPU that has been unparked. */
export function stepToTicks(cpu: Cpu, ticks: u64): void {
  catchingUp = true;
  catchUpToTicks(cpu, ticks);
  catchingUp = false;
}

function endParked(cpu: Cpu): void {
  cpu.parked = 0;
  cpu.core.watchers--;
}

/** Applies whole turns, and those that are behind the clock already. */
export function advanceTurns(cpu: Cpu, spin: Spin, turns: u64): void {
  const base = changetype<usize>(spin);
  cpu.clock += turns * spin.period;
  const all = turns + spin.turnsBehind;
  spin.turnsBehind = 0;
  cpu.retired += all * spin.instructions;
  for (let i: u32 = 0; i < spin.words; i++) {
    const entry = base + SPIN_WORDS + ((<usize>i) << 4);
    const word = changetype<usize>(cpu) + CPU_REGISTERS + ((<usize>load<u32>(entry, 8)) << 3);
    store<u64>(word, load<u64>(word) + load<u64>(entry) * all);
  }
  for (let i: u32 = 0; i < spin.cells; i++) {
    const entry = base + SPIN_CELLS + ((<usize>i) << 4);
    advanceBytes(<usize>load<u32>(entry, 8), load<u32>(entry, 12), load<u64>(entry), all);
  }
}
