// The shadow CPU: runs one turn of a loop on the side, "if nothing is delivered meanwhile", to see whether it comes round.
// It executes with the ordinary executor on a copy of the registers; what it stores goes to copies of lines.

import { CPU_REGISTERS, CpuState, LINE_BYTES, PAGE_RAM, PAGE_READ, PAGE_WRITE } from "../../src/abi.ts";
import { analyzeSlopes, bindsLoadsEarly, execute, stateWords } from "../architecture.ts";
import { doubtfulLine, isDoubtfulLineSteady, nextDoubtfulLoad, openDoubtfulLoads } from "../arm64/early.ts";
import { CPU_JOURNAL, Cpu, threadOf } from "../cpu.ts";
import { machine } from "../machine.ts";
import { closeJournal, loadSize, refuse } from "../memory/access.ts";
import { forget, remember } from "../memory/copies.ts";
import { Permission, permissionOf } from "../memory/lines.ts";
import { isUnclaimed, hasClaimed } from "../memory/siblings.ts";
import { addressOfLine, lineOf, pageAt, ramAt } from "../memory/map.ts";
import {
  MAX_LINES,
  advanceBytes,
  cellAt,
  cellCount,
  cellsHaveComeRound,
  openAffine,
  setSlope,
  slopeOf,
  wordOf,
} from "./affine.ts";
import { startCycle } from "./bounds.ts";
import { limitToTicks, restoreLimits, saveLimits } from "./limits.ts";
import { Leave } from "./leave.ts";
import { parkedLineUse } from "./spin.ts";
import { LineUse } from "./watch.ts";

/** A turn longer than this is not a spin: one may pass some microseconds in a loop inside. */
const MOST_TURN_TICKS: u64 = 65536;
const MOST_TURN_STEPS: u32 = 512;

// Lines of the turn: number, use, accesses in the first turn; of the last plain load: size (or 0), ticks into the turn, host
// address. Then the copies of those that it writes.
const LINE_RECORD: usize = 24;
const LINE_ACCESSES: usize = 8;
const LINE_LOAD_SIZE: usize = 12;
const LINE_LOAD_PHASE: usize = 16;
const LINE_LOAD_HOST: usize = 20;
// @ts-ignore: AssemblyScript reserves the bytes at compile time
const LINES: usize = memory.data(8 * 24, 8);
// @ts-ignore: AssemblyScript reserves the bytes at compile time
const COPIES: usize = memory.data(8 * 64, 64);
// @ts-ignore: AssemblyScript reserves the bytes at compile time
const EXPECTED: usize = memory.data(64, 64);
// @ts-ignore: AssemblyScript reserves the bytes at compile time
const FIRST_TURN: usize = memory.data(48 * 8, 8);
// Lines that loads ask for behind a branch while another waits, and the index of the line that this one reads.
const MAX_DOUBTFUL: u32 = 16;
// @ts-ignore: AssemblyScript reserves the bytes at compile time
const DOUBTFUL: usize = memory.data(16 * 8, 8);

let lines: u32 = 0;
let doubtful: u32 = 0;
/** Whether any load of the first turn has such behind it. */
let hasDoubtful: bool = false;
let period: u64 = 0;
let instructions: u64 = 0;
/** The turn has read the time, so what it leaves unchanged may change in a later one. */
let clockWasRead: bool = false;
let firstTurn: bool = false;
let turnStart: u64 = 0;

// @ts-ignore: decorator
@inline
function shadow(): Cpu {
  return changetype<Cpu>(machine().shadow);
}

export function lineCount(): u32 {
  return lines;
}

export function lineAt(index: u32): u32 {
  return load<u32>(LINES + <usize>index * LINE_RECORD);
}

export function lineUse(index: u32): LineUse {
  return load<u32>(LINES + <usize>index * LINE_RECORD, 4);
}

/** Of a line that one plain load per turn reads, and nothing else touches: its bytes, else 0. */
export function onlyLoadSize(index: u32): u32 {
  const record = LINES + <usize>index * LINE_RECORD;
  if (clockWasRead || lineUse(index) != LineUse.READ || load<u32>(record, LINE_ACCESSES) != 1) return 0;
  return load<u32>(record, LINE_LOAD_SIZE);
}

/** Ticks from the loop head to that load. */
export function onlyLoadPhase(index: u32): u32 {
  return load<u32>(LINES + <usize>index * LINE_RECORD, LINE_LOAD_PHASE);
}

export function onlyLoadHost(index: u32): usize {
  return <usize>load<u32>(LINES + <usize>index * LINE_RECORD, LINE_LOAD_HOST);
}

function copyOf(index: u32): usize {
  return COPIES + <usize>index * LINE_BYTES;
}

/** Ticks of a turn. */
export function turnPeriod(): u64 {
  return period;
}

export function turnInstructions(): u64 {
  return instructions;
}

/** Runs one turn from the CPU's loop head. @returns whether it came round having touched only lines that it holds */
export function observeTurn(cpu: Cpu): bool {
  const copy = shadow();
  for (let i: u32 = 0; i < lines; i++) forget(copy, addressOfLine(lineAt(i)), false);
  lines = doubtful = 0;
  hasDoubtful = false;
  memory.copy(
    changetype<usize>(copy) + CPU_REGISTERS,
    changetype<usize>(cpu) + CPU_REGISTERS,
    CPU_JOURNAL - CPU_REGISTERS,
  );
  copy.state = CpuState.RUNNING;
  copy.core = cpu.core;
  copy.index = cpu.index;
  copy.thread = cpu.thread;
  copy.masked = cpu.masked;
  copy.pending = cpu.pending;
  copy.pc = copy.loopHead = cpu.pc;
  copy.clock = cpu.clock;
  copy.retired = cpu.retired;
  copy.loopVisits = copy.resumed = 0;
  copy.loopPatience = 1;
  // An earlier turn may have been refused in the middle of an instruction.
  closeJournal(copy);
  clockWasRead = false;
  saveLimits();
  limitToTicks(cpu.clock + MOST_TURN_TICKS);
  firstTurn = true;
  turnStart = cpu.clock;
  const leave = execute(copy, true);
  firstTurn = false;
  restoreLimits();
  addDoubtfulLines(copy);
  period = copy.clock - cpu.clock;
  instructions = copy.retired - cpu.retired;
  return leave == Leave.CAME_ROUND && period != 0;
}

/** The cycle that an instruction which reads time sees: its start. */
export function readClock(cpu: Cpu): u64 {
  if (changetype<usize>(cpu) == machine().shadow) clockWasRead = true;
  return startCycle(cpu);
}

/** Whether every later turn leaves registers and memory exactly as they are. */
export function turnChangesNothing(cpu: Cpu): bool {
  if (clockWasRead) return false;
  const words = stateWords();
  const copy = shadow();
  for (let slot: u32 = 0; slot < words; slot++) if (wordOf(copy, slot) != wordOf(cpu, slot)) return false;
  for (let i: u32 = 0; i < lines; i++) {
    if (lineUse(i) == LineUse.WRITTEN && memory.compare(copyOf(i), realLine(i), LINE_BYTES) != 0) return false;
  }
  return true;
}

function realLine(index: u32): usize {
  return ramAt(addressOfLine(lineAt(index)));
}

/** Where the shadow finds memory; the counterpart of locate(). */
export function shadowHost(cpu: Cpu, address: u64, write: bool): usize {
  const page = pageAt(address);
  if ((page & (write ? PAGE_WRITE : PAGE_READ)) == 0 || (page & PAGE_RAM) == 0) return refuse();
  const line = lineOf(address);
  let index: u32 = 0;
  while (index < lines && lineAt(index) != line) index++;
  if (index == lines) {
    if (lines == MAX_LINES || permissionOf(cpu.core, line) == Permission.NONE || siblingsMind(cpu, line, write)) {
      return refuse();
    }
    if (cpu.core.threadCount > 1 && !isUnclaimed(cpu, line)) return refuse();
    store<u32>(LINES + <usize>index * LINE_RECORD, line);
    store<u32>(LINES + <usize>index * LINE_RECORD, LineUse.READ, 4);
    store<u32>(LINES + <usize>index * LINE_RECORD, 0, LINE_ACCESSES);
    lines++;
  }
  noteAccess(cpu, index, address);
  const offset = (<usize>address) & (LINE_BYTES - 1);
  if (write && lineUse(index) != LineUse.WRITTEN) {
    if (permissionOf(cpu.core, line) != Permission.WRITE || siblingsMind(cpu, line, true)) return refuse();
    if (cpu.core.threadCount > 1 && !hasClaimed(cpu, line)) return refuse();
    memory.copy(copyOf(index), ramAt(addressOfLine(line)), LINE_BYTES);
    store<u32>(LINES + <usize>index * LINE_RECORD, LineUse.WRITTEN, 4);
  }
  const written = lineUse(index) == LineUse.WRITTEN;
  const host = written ? copyOf(index) + offset : ramAt(address);
  // Lines that are only read are found here each time, so that their accesses are counted.
  if (written) remember(cpu, address, host, true);
  return host;
}

function noteAccess(cpu: Cpu, index: u32, address: u64): void {
  if (firstTurn) {
    const record = LINES + <usize>index * LINE_RECORD;
    store<u32>(record, load<u32>(record, LINE_ACCESSES) + 1, LINE_ACCESSES);
    store<u32>(record, loadSize, LINE_LOAD_SIZE);
    store<u32>(record, <u32>(cpu.clock - turnStart), LINE_LOAD_PHASE);
    store<u32>(record, <u32>ramAt(address), LINE_LOAD_HOST);
  }
  if (loadSize != 0 && (firstTurn ? bindsLoadsEarly() : hasDoubtful) && openDoubtfulLoads(cpu)) {
    hasDoubtful = true;
    noteDoubtfulLoads(cpu, index);
  }
}

/**
 * While the load at cpu.pc waits, others are issued behind branches, in each turn, though the loop may never come to them
 * (arm64/early.ts). Nothing happens to their lines then, as to all others of the turn, if the core holds these, too.
 */
function noteDoubtfulLoads(cpu: Cpu, index: u32): void {
  while (nextDoubtfulLoad(cpu)) {
    if (firstTurn && doubtful != MAX_DOUBTFUL) {
      const entry = DOUBTFUL + ((<usize>doubtful) << 3);
      store<u32>(entry, doubtfulLine());
      store<u32>(entry, index, 4);
      doubtful++;
    } else if (firstTurn || !isDoubtfulLineSteady()) {
      mayNotMiss(index);
      return;
    }
  }
}

/** The lines of those loads become lines of the loop. */
function addDoubtfulLines(cpu: Cpu): void {
  for (let i: u32 = 0; i < doubtful; i++) {
    const line = load<u32>(DOUBTFUL + ((<usize>i) << 3));
    let index: u32 = 0;
    while (index < lines && lineAt(index) != line) index++;
    if (index != lines) continue;
    if (lines == MAX_LINES || permissionOf(cpu.core, line) == Permission.NONE) {
      mayNotMiss(load<u32>(DOUBTFUL + ((<usize>i) << 3), 4));
      continue;
    }
    const record = LINES + <usize>lines * LINE_RECORD;
    store<u32>(record, line);
    store<u32>(record, LineUse.READ, 4);
    store<u32>(record, 0, LINE_ACCESSES);
    lines++;
  }
}

/** When the load of a line misses, more happens than that it waits. */
function mayNotMiss(index: u32): void {
  store<u32>(LINES + <usize>index * LINE_RECORD, 0, LINE_LOAD_SIZE);
}

/** Whether a sibling's parked spin or monitor would have to be ended by the access. */
function siblingsMind(cpu: Cpu, line: u32, write: bool): bool {
  const core = cpu.core;
  if (core.threadCount == 1 || core.watchers == 0) return false;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const sibling = threadOf(core, thread);
    if (sibling.index == cpu.index) continue;
    if (write && sibling.watchedLine == line + 1) return true;
    if (sibling.parked == 0) continue;
    const use = parkedLineUse(sibling, line);
    if (use == LineUse.WRITTEN || (write && use == LineUse.READ)) return true;
  }
  return false;
}

/** Index of a written line that the turn touches, or lineCount(). */
export function writtenLineIndex(address: u64): u32 {
  const line = lineOf(address);
  let index: u32 = 0;
  while (index < lines && (lineAt(index) != line || lineUse(index) != LineUse.WRITTEN)) index++;
  return index;
}

/** The shadow's copy of a location in a written line. */
export function copiedLocation(index: u32, address: u64): usize {
  return copyOf(index) + ((<usize>address) & (LINE_BYTES - 1));
}

// --- the second turn -------------------------------------------------------------------------------------------------

/**
 * Runs a second turn, step by step, with the slopes that the first has shown, and checks that they reproduce themselves.
 * Afterwards turnLimit() of affine.ts tells for how many turns from this one the comparisons hold.
 */
export function proveSlopes(cpu: Cpu): bool {
  const copy = shadow();
  const words = stateWords();
  openAffine();
  for (let slot: u32 = 0; slot < words; slot++) {
    setSlope(slot, wordOf(copy, slot) - wordOf(cpu, slot));
    store<u64>(FIRST_TURN + ((<usize>slot) << 3), wordOf(copy, slot));
  }
  const startClock = copy.clock;
  const startRetired = copy.retired;
  const linesBefore = lines;
  saveLimits();
  const cameRound = stepTurn(copy);
  restoreLimits();
  if (!cameRound || lines != linesBefore) return false;
  if (copy.clock - startClock != period || copy.retired - startRetired != instructions) return false;
  for (let slot: u32 = 0; slot < words; slot++) {
    const first = load<u64>(FIRST_TURN + ((<usize>slot) << 3));
    const slope = first - wordOf(cpu, slot);
    if (wordOf(copy, slot) - first != slope || slopeOf(slot) != slope) return false;
  }
  return cellsHaveComeRound() && nothingElseIsWritten();
}

function stepTurn(copy: Cpu): bool {
  copy.loopVisits = 0;
  for (let step: u32 = 0; step < MOST_TURN_STEPS; step++) {
    if (!analyzeSlopes(copy)) return false;
    limitToTicks(0); // the executor returns after one instruction
    const leave = execute(copy, true);
    if (leave == Leave.CAME_ROUND) return true;
    if (leave != Leave.LIMIT) return false;
  }
  return false;
}

/** After two turns a written line is the real one with every cell moved on twice. */
function nothingElseIsWritten(): bool {
  for (let i: u32 = 0; i < lines; i++) {
    if (lineUse(i) != LineUse.WRITTEN) continue;
    memory.copy(EXPECTED, realLine(i), LINE_BYTES);
    const start = addressOfLine(lineAt(i));
    for (let c: u32 = 0; c < cellCount(); c++) {
      const cell = cellAt(c);
      if (cell.address - start < <u64>LINE_BYTES) {
        advanceBytes(EXPECTED + <usize>(cell.address - start), cell.size, cell.startSlope, 2);
      }
    }
    if (memory.compare(EXPECTED, copyOf(i), LINE_BYTES) != 0) return false;
  }
  return true;
}
