// Shifts of whole masks. The target may be the source. Unlike bitmap_shift_left(), which leaves bits behind the width set,
// nothing is ever set there.

import { maskZero } from "./bits.ts";
import { lastWordMask, maskBytes, wordOffset } from "./words.ts";

/** Bit n of the source becomes bit n + distance; what goes beyond the width is lost. */
export function maskShiftLeft(target: usize, source: usize, distance: u32, bits: u32): void {
  if (distance >= bits) return maskZero(target, bits);
  const bytes = maskBytes(bits);
  const offset = wordOffset(distance);
  const shift = distance & 63;
  if (shift == 0) memory.copy(target + offset, source, bytes - offset);
  else raise(target, source, offset, bytes, shift);
  memory.fill(target, 0, offset);
  store<u64>(target + bytes - 8, load<u64>(target + bytes - 8) & lastWordMask(bits));
}

/** From the top down, so that words of the source are read before they are overwritten. */
function raise(target: usize, source: usize, offset: usize, bytes: usize, shift: u32): void {
  const rest = 64 - shift;
  let at = bytes - offset;
  // Each step reads the words at `at - 24` to `at - 8`.
  for (; at >= 24; at -= 16) {
    const high = i64x2.shl(v128.load(source + at - 16), shift);
    const low = i64x2.shr_u(v128.load(source + at - 24), rest);
    v128.store(target + offset + at - 16, v128.or(high, low));
  }
  for (; at >= 16; at -= 8) {
    const word = (load<u64>(source + at - 8) << (<u64>shift)) | (load<u64>(source + at - 16) >>> (<u64>rest));
    store<u64>(target + offset + at - 8, word);
  }
  store<u64>(target + offset, load<u64>(source) << (<u64>shift));
}

/** Bit n of the source becomes bit n - distance. */
export function maskShiftRight(target: usize, source: usize, distance: u32, bits: u32): void {
  if (distance >= bits) return maskZero(target, bits);
  const last = maskBytes(bits) - 8;
  const offset = wordOffset(distance);
  const shift = distance & 63;
  const rest = 64 - shift;
  const top = load<u64>(source + last) & lastWordMask(bits);
  const end = last - offset;
  let at: usize = 0;
  if (shift == 0) {
    memory.copy(target, source + offset, end);
  } else {
    // Each step reads up to the word at `offset + at + 16`, which must be below the last.
    for (; at + 24 <= end; at += 16) {
      const low = i64x2.shr_u(v128.load(source + offset + at), shift);
      const high = i64x2.shl(v128.load(source + offset + at + 8), rest);
      v128.store(target + at, v128.or(low, high));
    }
    for (; at < end; at += 8) {
      const above = offset + at + 8;
      const high = (above == last ? top : load<u64>(source + above)) << (<u64>rest);
      store<u64>(target + at, (load<u64>(source + offset + at) >>> (<u64>shift)) | high);
    }
  }
  store<u64>(target + end, top >>> (<u64>shift));
  memory.fill(target + end + 8, 0, last - end);
}
