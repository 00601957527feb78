// Single bits, whole masks, ranges of bits. One thread runs a core, so the kernel's atomic and plain forms are one.

import { lastWordMask, maskBytes, maskWords, upwards, wordOffset } from "./words.ts";

// @ts-ignore: decorator
@inline
export function maskSet(mask: usize, bit: u32): void {
  const word = mask + wordOffset(bit);
  store<u64>(word, load<u64>(word) | ((<u64>1) << ((<u64>bit) & 63)));
}

// @ts-ignore: decorator
@inline
export function maskClear(mask: usize, bit: u32): void {
  const word = mask + wordOffset(bit);
  store<u64>(word, load<u64>(word) & ~((<u64>1) << ((<u64>bit) & 63)));
}

// @ts-ignore: decorator
@inline
export function maskTest(mask: usize, bit: u32): bool {
  return ((load<u64>(mask + wordOffset(bit)) >>> ((<u64>bit) & 63)) & 1) != 0;
}

export function maskTestAndSet(mask: usize, bit: u32): bool {
  const was = maskTest(mask, bit);
  maskSet(mask, bit);
  return was;
}

export function maskTestAndClear(mask: usize, bit: u32): bool {
  const was = maskTest(mask, bit);
  maskClear(mask, bit);
  return was;
}

export function maskZero(mask: usize, bits: u32): void {
  memory.fill(mask, 0, maskBytes(bits));
}

export function maskFill(mask: usize, bits: u32): void {
  const words = <usize>maskWords(bits);
  if (words == 0) return;
  memory.fill(mask, 0xff, words << 3);
  store<u64>(mask + ((words - 1) << 3), lastWordMask(bits));
}

export function maskCopy(target: usize, source: usize, bits: u32): void {
  memory.copy(target, source, maskBytes(bits));
}

/** Sets `count` bits from `start` on; all of them are bits of the mask. */
export function maskSetRange(mask: usize, start: u32, count: u32): void {
  if (count == 0) return;
  const last = start + count - 1;
  const low = upwards(start);
  const high = u64.MAX_VALUE >>> (63 - ((<u64>last) & 63));
  const first = mask + wordOffset(start);
  const end = mask + wordOffset(last);
  if (first == end) {
    store<u64>(first, load<u64>(first) | (low & high));
    return;
  }
  store<u64>(first, load<u64>(first) | low);
  memory.fill(first + 8, 0xff, end - first - 8);
  store<u64>(end, load<u64>(end) | high);
}

/** Clears `count` bits from `start` on; all of them are bits of the mask. */
export function maskClearRange(mask: usize, start: u32, count: u32): void {
  if (count == 0) return;
  const last = start + count - 1;
  const low = upwards(start);
  const high = u64.MAX_VALUE >>> (63 - ((<u64>last) & 63));
  const first = mask + wordOffset(start);
  const end = mask + wordOffset(last);
  if (first == end) {
    store<u64>(first, load<u64>(first) & ~(low & high));
    return;
  }
  store<u64>(first, load<u64>(first) & ~low);
  memory.fill(first + 8, 0, end - first - 8);
  store<u64>(end, load<u64>(end) & ~high);
}

/**
 * Sets the first `used` bits of every `group` from `start` to `end`, as a region of a CPU list says. The start of the next
 * group is counted in 32 bits and wraps, as in the kernel: a group of 2^32 - 1 walks backwards.
 */
export function maskSetRegion(mask: usize, start: u32, end: u32, used: u32, group: u32): void {
  for (let at = start; at <= end; at += group) maskSetRange(mask, at, min(end - at + 1, used));
}
