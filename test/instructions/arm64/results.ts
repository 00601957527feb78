// How random programs end, and what the reference is known to get wrong.

import type { Result } from "../folded.ts";
import type { Image, Program } from "./image.ts";
import { LOG_ENTRIES, LOG_START, LOG_WORDS, RESULT_EXCEPTIONS, RESULT_WORDS, resultNames } from "./runner.ts";

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
