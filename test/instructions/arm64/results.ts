// How random programs end, and the compact form in which the results of the reference are kept: every value folded to 12
// bits, two characters, so that a difference can be named; and a checksum of the whole program's result, in full.

import type { Image, Program } from "./image.ts";
import { LOG_ENTRIES, LOG_START, LOG_WORDS, RESULT_EXCEPTIONS, RESULT_WORDS, resultNames } from "./runner.ts";

/** Result of one program: named values in a fixed order. */
export type Result = readonly { readonly name: string; readonly value: bigint }[];

const logNames = ["ESR", "ELR", "FAR", "SPSR"];

/** The values of program `index`: its registers, then what its exceptions have logged. */
export function resultOf(words: BigUint64Array, index: number): Result {
  const word = (slot: number): bigint => words[index * RESULT_WORDS + slot] ?? 0n;
  const state = resultNames.map((name, slot) => ({ name, value: word(slot) }));
  const exceptions = Math.min(Number(word(RESULT_EXCEPTIONS)), LOG_ENTRIES);
  const log = Array.from({ length: exceptions * LOG_WORDS }, (_, slot) => ({
    name: `${logNames[slot % LOG_WORDS]} of exception ${Math.floor(slot / LOG_WORDS)}`,
    value: word(LOG_START + slot),
  }));
  return [...state, ...log];
}

const DATA_ABORT = 0x25n;
const PERMISSION_FAULT = 0x0fn;
const WNR = 0x40n;

/**
 * QEMU 7.2 reports WnR = 1 for every fault of most atomic operations. The architecture wants 0 where a read would have
 * faulted too (ESR_EL1, D24.2.44), which is all but permission faults.
 */
export function correctReference(words: BigUint64Array, image: Image): void {
  for (const [index, program] of image.programs.entries()) {
    for (let entry = 0; entry < LOG_ENTRIES; entry++) {
      const slot = index * RESULT_WORDS + LOG_START + entry * LOG_WORDS;
      const esr = words[slot] ?? 0n;
      const abort = (esr & 0xffff_ffffn) >> 26n === DATA_ABORT && (esr & 0x3fn) !== PERMISSION_FAULT;
      if (abort && isReadModifyWrite(wordAt(program, words[slot + 1] ?? 0n))) words[slot] = esr & ~WNR;
    }
  }
}

function wordAt(program: Program, address: bigint): number {
  return program.words[(Number(address) - program.address) / 4] ?? 0;
}

/** LSE operations and swaps, CAS, CASP (C4.1.96). */
function isReadModifyWrite(word: number): boolean {
  const matches = (mask: number, value: number): boolean => (word & mask) >>> 0 === value;
  const isLoadAcquire = matches(0x3fe0_fc00, 0x38a0_c000);
  return (
    (matches(0x3f20_0c00, 0x3820_0000) && !isLoadAcquire) ||
    matches(0x3fa0_7c00, 0x08a0_7c00) ||
    matches(0xbfa0_7c00, 0x0820_7c00)
  );
}

// --- the compact form ------------------------------------------------------------------------------------------------

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function mix(hash: number, value: bigint): number {
  const low = Number(value & 0xffff_ffffn);
  const high = Number(value >> 32n);
  hash = Math.imul(hash ^ low, 0x9e37_79b1);
  hash = Math.imul(hash ^ (hash >>> 15) ^ high, 0x85eb_ca6b);
  return hash ^ (hash >>> 13);
}

function characters(value: number, count: number): string {
  let text = "";
  for (let i = 0; i < count; i++) text += alphabet[(value >>> (6 * i)) & 63] ?? "";
  return text;
}

/** Six characters of checksum over everything, then two for each value. */
export function fold(result: Result): string {
  const checksum = result.reduce((hash, { value }) => mix(hash, value), result.length);
  return characters(checksum, 6) + result.map(({ value }) => characters(mix(7, value), 2)).join("");
}

/** What differs between a result and a recorded one; empty when nothing does. */
export function differences(result: Result, recorded: string): string[] {
  const ours = fold(result);
  if (ours === recorded) return [];
  const found: string[] = [];
  for (const [position, { name, value }] of result.entries()) {
    const at = 6 + 2 * position;
    if (ours.slice(at, at + 2) !== recorded.slice(at, at + 2)) found.push(`${name} = 0x${value.toString(16)}`);
  }
  if (ours.length !== recorded.length)
    found.push(`${(recorded.length - ours.length) / 2 / LOG_WORDS} more exceptions in the reference`);
  return found.length === 0 ? ["something that folds alike"] : found;
}
