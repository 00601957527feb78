// Affine arithmetic over the turns of a loop: in turn k a register or memory cell holds value + k * slope. Instruction sets
// carry slopes through their operations (arm64/slopes.ts, x86/slopes.ts) on top of a concrete turn; here are the slopes,
// the cells, and the number of turns for which every comparison keeps its outcome.
//
// All limits err early: a spin that wakes before its last turn is stepped through it.

import { CPU_REGISTERS } from "../../src/abi.ts";
import { Cpu, NEVER } from "../cpu.ts";
import { loadBytes, storeBytes } from "../memory/access.ts";

export const MAX_STATE_WORDS: usize = 48;
/** Locations that a turn may change, and lines that it may touch; spins that need more are stepped. */
export const MAX_CELLS: u32 = 8;
export const MAX_LINES: u32 = 8;

/** A memory location that a turn writes, or whose line it writes. */
@unmanaged
export class Cell {
  address: u64;
  /** Sign-extended from `size` bytes. */
  slope: u64;
  /** Slope that the location must have again at the end of the turn. */
  startSlope: u64;
  startValue: u64;
  /** Where the shadow keeps the location. */
  host: usize;
  size: u32;
}

const CELL_BYTES: usize = 40;
if (offsetof<Cell>() > CELL_BYTES) ERROR("Cell outgrew its bytes");

// @ts-ignore: AssemblyScript reserves the bytes at compile time
const SLOPES: usize = memory.data(48 * 8, 8);
// @ts-ignore: AssemblyScript reserves the bytes at compile time
const CELLS: usize = memory.data(8 * 40, 8);

let cells: u32 = 0;
let limit: u64 = NEVER;

/** Forgets everything of an earlier loop. */
export function openAffine(): void {
  memory.fill(SLOPES, 0, MAX_STATE_WORDS * 8);
  cells = 0;
  limit = NEVER;
}

// @ts-ignore: decorator
@inline
export function slopeOf(slot: u32): u64 {
  return load<u64>(SLOPES + ((<usize>slot) << 3));
}

// @ts-ignore: decorator
@inline
export function setSlope(slot: u32, slope: u64): void {
  store<u64>(SLOPES + ((<usize>slot) << 3), slope);
}

/** Turns, counted from the concrete one, for which every outcome is that of the concrete turn; at least 1. */
export function turnLimit(): u64 {
  return limit;
}

function atMost(turns: u64): void {
  if (turns < limit) limit = turns;
}

/** value + k * slope must stay within [0, 2^bits), so that the narrow result, zero-extended, is affine. */
export function keepUnsigned(value: u64, slope: u64, bits: u32): void {
  if (slope == 0) return;
  const top = bits == 64 ? u64.MAX_VALUE : ((<u64>1) << (<u64>bits)) - 1;
  if (<i64>slope > 0) atMost((top - (value & top)) / slope + 1);
  else atMost((value & top) / (0 - slope) + 1);
}

/** value + k * slope, as a signed 64-bit number, must keep its sign and stay on its side of zero. */
export function keepSign(value: u64, slope: u64): void {
  if (slope == 0) return;
  const negative = <i64>value < 0;
  if (value == 0) atMost(1);
  else if (negative)
    atMost(<i64>slope < 0 ? (value - 0x8000_0000_0000_0000) / (0 - slope) + 1 : (0 - value - 1) / slope + 1);
  else atMost(<i64>slope > 0 ? (0x7fff_ffff_ffff_ffff - value) / slope + 1 : (value - 1) / (0 - slope) + 1);
}

/** Bit 63 must stay as it is: unlike with keepSign(), zero may be reached and left upwards. */
export function keepNegative(value: u64, slope: u64): void {
  if (<i64>value >= 0) keepUnsigned(value, slope, 63);
  else keepSign(value, slope);
}

/** The order of a and b, unsigned in `bits` bits, must not change, nor may either wrap. */
export function keepOrderUnsigned(a: u64, aSlope: u64, b: u64, bSlope: u64, bits: u32): void {
  keepUnsigned(a, aSlope, bits);
  keepUnsigned(b, bSlope, bits);
  keepDifference(a >= b, a - b, b - a, aSlope - bSlope);
}

/** The order of a and b, signed (already sign-extended to 64 bits from `bits`), must not change, nor may either wrap. */
export function keepOrderSigned(a: i64, aSlope: u64, b: i64, bSlope: u64, bits: u32): void {
  keepSignedRange(a, aSlope, bits);
  keepSignedRange(b, bSlope, bits);
  keepDifference(a >= b, <u64>(a - b), <u64>(b - a), aSlope - bSlope);
}

/** value + k * slope must stay representable as a signed number of `bits` bits. */
export function keepSignedRange(value: i64, slope: u64, bits: u32): void {
  if (slope == 0) return;
  const signBit = <i64>bits - 1;
  const top: i64 = bits == 64 ? i64.MAX_VALUE : ((<i64>1) << signBit) - 1;
  const bottom: i64 = -top - 1;
  if (<i64>slope > 0) atMost(<u64>(top - value) / slope + 1);
  else atMost(<u64>(value - bottom) / (0 - slope) + 1);
}

/** The lowest 64 or 32 bits, zero-extended and sign-extended. */
export function narrow(value: u64, bits: u32): u64 {
  return bits == 64 ? value : value & 0xffff_ffff;
}

export function widen(value: u64, bits: u32): i64 {
  return bits == 64 ? <i64>value : <i64>(<i32>value);
}

/** Whether x + y = result (or x + y + 1) overflows as signed numbers of `bits` bits. */
export function overflows(x: u64, y: u64, result: u64, bits: u32): bool {
  return ((((x ^ result) & (y ^ result)) >>> (<u64>(bits - 1))) & 1) != 0;
}

/** Neither may the order become the other one, nor equal what was not equal: `above` and `below` are the distances. */
function keepDifference(notBelow: bool, above: u64, below: u64, slope: u64): void {
  if (slope == 0) return;
  if (notBelow) {
    if (<i64>slope < 0) atMost(above == 0 ? 1 : (above - 1) / (0 - slope) + 1);
    else if (above == 0) atMost(1);
  } else if (<i64>slope > 0) {
    atMost((below - 1) / slope + 1);
  }
}

// --- cells -----------------------------------------------------------------------------------------------------------

export function cellCount(): u32 {
  return cells;
}

export function cellAt(index: u32): Cell {
  return changetype<Cell>(CELLS + <usize>index * CELL_BYTES);
}

function signExtend(value: u64, size: u32): u64 {
  const shift = <i64>(64 - (size << 3));
  return <u64>(((<i64>value) << shift) >> shift);
}

/** The cell of a location; null when there is none. `overlap` tells whether another location shares bytes with it. */
let overlap: bool = false;

function findCell(address: u64, size: u32): Cell {
  overlap = false;
  for (let i: u32 = 0; i < cells; i++) {
    const cell = cellAt(i);
    if (cell.address == address && cell.size == size) return cell;
    if (address < cell.address + cell.size && cell.address < address + size) overlap = true;
  }
  return changetype<Cell>(0);
}

/**
 * Slope of a location in a line that the turn writes, met before the concrete access of this turn.
 * @param host where the shadow keeps it
 * @param before the value that it had one turn earlier, in the machine's memory
 * @returns whether it is known; then `cellSlope` holds it
 */
export function touchCell(address: u64, size: u32, host: usize, before: usize): bool {
  let cell = findCell(address, size);
  if (changetype<usize>(cell) == 0) {
    if (overlap || cells == MAX_CELLS) return false;
    cell = cellAt(cells++);
    cell.address = address;
    cell.size = size;
    cell.host = host;
    cell.startValue = loadBytes(host, size);
    cell.startSlope = signExtend(cell.startValue - loadBytes(before, size), size);
    cell.slope = cell.startSlope;
  }
  cellSlope = cell.slope;
  return true;
}

export let cellSlope: u64 = 0;

/** A store gives the location, which touchCell() has met, another slope. */
export function setCellSlope(address: u64, size: u32, slope: u64): void {
  findCell(address, size).slope = signExtend(slope, size);
}

/** At the end of the turn every cell has the slope that it began with, and has moved by just that. */
export function cellsHaveComeRound(): bool {
  for (let i: u32 = 0; i < cells; i++) {
    const cell = cellAt(i);
    if (cell.slope != cell.startSlope) return false;
    if (signExtend(loadBytes(cell.host, cell.size) - cell.startValue, cell.size) != cell.startSlope) return false;
  }
  return true;
}

/** Moves a location on by turns. */
export function advanceBytes(host: usize, size: u32, slope: u64, turns: u64): void {
  storeBytes(host, size, loadBytes(host, size) + slope * turns);
}

/** A word of a CPU's register file. */
// @ts-ignore: decorator
@inline
export function wordOf(cpu: Cpu, slot: u32): u64 {
  return load<u64>(changetype<usize>(cpu) + ((<usize>slot) << 3), CPU_REGISTERS);
}
