// A64 loads and stores that hit, for the interpreter's loop (Arm ARM DDI 0487 C3.2): whether the access is done. What is not
// is left to memory.ts, as are the rarer forms.

import { readable, writable } from "../memory/copies.ts";
import { readX, writeX } from "./cpu.ts";
import { ACCESS_OPTION_SHIFT } from "./decodeLoadStore.ts";
import { modeOf } from "./memory.ts";
import { A64, AddressMode } from "./operations.ts";

/** Base plus immediate. */
// @ts-ignore: decorator
@inline
export function offsetAddress(cpu: usize, d: A64): u64 {
  return readX(cpu, d.rn) + <u64>d.immediate;
}

/** Bits of the extension option: the offset is a doubleword; a word is sign-extended. */
const OPTION_WIDE: u32 = 1 << ACCESS_OPTION_SHIFT;
const OPTION_SIGNED: u32 = 4 << ACCESS_OPTION_SHIFT;

/** Base plus register, extended (options 010, 011, 110, 111) and shifted; the decoder leaves the amount in `immediate`. */
// @ts-ignore: decorator
@inline
export function registerAddress(cpu: usize, d: A64): u64 {
  let offset = readX(cpu, d.rm);
  if ((d.extra & OPTION_WIDE) == 0) {
    offset = (d.extra & OPTION_SIGNED) != 0 ? <u64>(<i64>(<i32>offset)) : offset & 0xffff_ffff;
  }
  return readX(cpu, d.rn) + (offset << (<u64>d.immediate));
}

// @ts-ignore: decorator
@inline
export function loadHit<T>(cpu: usize, d: A64, address: u64): bool {
  const host = readable(cpu, address, sizeof<T>());
  if (host == 0) return false;
  writeX(cpu, d.rd, <u64>load<T>(host));
  return true;
}

// @ts-ignore: decorator
@inline
export function storeHit<T>(cpu: usize, d: A64, address: u64): bool {
  const host = writable(cpu, address, sizeof<T>());
  if (host == 0) return false;
  store<T>(host, <T>readX(cpu, d.rd));
  return true;
}

/** Where a pre-indexed or post-indexed access, or a pair, goes; `bottom` is the base register. */
// @ts-ignore: decorator
@inline
function indexedAddress(d: A64, bottom: u64): u64 {
  return modeOf(d) == AddressMode.POST_INDEX ? bottom : bottom + <u64>d.immediate;
}

/** Pre-indexed and post-indexed. */
// @ts-ignore: decorator
@inline
export function loadIndexedHit<T>(cpu: usize, d: A64): bool {
  const bottom = readX(cpu, d.rn);
  if (!loadHit<T>(cpu, d, indexedAddress(d, bottom))) return false;
  writeX(cpu, d.rn, bottom + <u64>d.immediate);
  return true;
}

// @ts-ignore: decorator
@inline
export function storeIndexedHit<T>(cpu: usize, d: A64): bool {
  const bottom = readX(cpu, d.rn);
  if (!storeHit<T>(cpu, d, indexedAddress(d, bottom))) return false;
  writeX(cpu, d.rn, bottom + <u64>d.immediate);
  return true;
}

/** Two registers in one line. */
// @ts-ignore: decorator
@inline
export function loadPairHit<T>(cpu: usize, d: A64): bool {
  const bottom = readX(cpu, d.rn);
  const host = readable(cpu, indexedAddress(d, bottom), 2 * sizeof<T>());
  if (host == 0) return false;
  writeX(cpu, d.rd, <u64>load<T>(host));
  writeX(cpu, d.ra, <u64>load<T>(host, sizeof<T>()));
  if (modeOf(d) != AddressMode.OFFSET) writeX(cpu, d.rn, bottom + <u64>d.immediate);
  return true;
}

// @ts-ignore: decorator
@inline
export function storePairHit<T>(cpu: usize, d: A64): bool {
  const bottom = readX(cpu, d.rn);
  const host = writable(cpu, indexedAddress(d, bottom), 2 * sizeof<T>());
  if (host == 0) return false;
  store<T>(host, <T>readX(cpu, d.rd));
  store<T>(host, <T>readX(cpu, d.ra), sizeof<T>());
  if (modeOf(d) != AddressMode.OFFSET) writeX(cpu, d.rn, bottom + <u64>d.immediate);
  return true;
}
