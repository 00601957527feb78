// Finding bits in masks and in combinations of masks, and the comparisons, which are the search for a bit that differs.
// `bits` means none, as in the kernel (there: any value of nr_cpu_ids or more).

import { Combination, lastWordMask, maskBytes, upwards, vectorAt, wordAt, wordOffset } from "./words.ts";

/** First bit of a combination at or above `from`. */
// @ts-ignore: decorator
@inline
function next(how: Combination, a: usize, b: usize, c: usize, bits: u32, from: u32): u32 {
  if (from >= bits) return bits;
  const end = maskBytes(bits);
  let at = wordOffset(from);
  let word = wordAt(how, a, b, c, at) & upwards(from);
  if (word == 0) {
    at += 8;
    for (; at + 64 <= end; at += 64) {
      const low = v128.or(vectorAt(how, a, b, c, at), vectorAt(how, a, b, c, at + 16));
      const high = v128.or(vectorAt(how, a, b, c, at + 32), vectorAt(how, a, b, c, at + 48));
      if (v128.any_true(v128.or(low, high))) break;
    }
    for (; at < end; at += 8) {
      word = wordAt(how, a, b, c, at);
      if (word != 0) break;
    }
    if (word == 0) return bits;
  }
  return min(((<u32>at) << 3) + <u32>ctz(word), bits);
}

/** First set bit at or above `from`. */
export function maskNext(mask: usize, bits: u32, from: u32): u32 {
  return next(Combination.A, mask, 0, 0, bits, from);
}

// @ts-ignore: decorator
@inline
export function maskFirst(mask: usize, bits: u32): u32 {
  return maskNext(mask, bits, 0);
}

export function maskNextZero(mask: usize, bits: u32, from: u32): u32 {
  return next(Combination.NOT_A, mask, 0, 0, bits, from);
}

export function maskNextAnd(a: usize, b: usize, bits: u32, from: u32): u32 {
  return next(Combination.A_AND_B, a, b, 0, bits, from);
}

export function maskNextAndNot(a: usize, b: usize, bits: u32, from: u32): u32 {
  return next(Combination.A_AND_NOT_B, a, b, 0, bits, from);
}

export function maskNextOr(a: usize, b: usize, bits: u32, from: u32): u32 {
  return next(Combination.A_OR_B, a, b, 0, bits, from);
}

export function maskNextAndAnd(a: usize, b: usize, c: usize, bits: u32, from: u32): u32 {
  return next(Combination.A_AND_B_AND_C, a, b, c, bits, from);
}

/** Last set bit. */
export function maskLast(mask: usize, bits: u32): u32 {
  if (bits == 0) return bits;
  let at = maskBytes(bits) - 8;
  let word = load<u64>(mask + at) & lastWordMask(bits);
  while (word == 0) {
    while (at >= 64) {
      const low = v128.or(v128.load(mask + at - 64), v128.load(mask + at - 48));
      const high = v128.or(v128.load(mask + at - 32), v128.load(mask + at - 16));
      if (v128.any_true(v128.or(low, high))) break;
      at -= 64;
    }
    if (at == 0) return bits;
    at -= 8;
    word = load<u64>(mask + at);
  }
  return ((<u32>at) << 3) + 63 - <u32>clz(word);
}

/** Writes the numbers of the set bits at or above `from`, at most `most` of them. @returns how many */
export function maskCollect(mask: usize, bits: u32, from: u32, numbers: usize, most: u32): u32 {
  const end = numbers + ((<usize>most) << 2);
  let to = numbers;
  let bit = maskNext(mask, bits, from);
  while (bit < bits && to < end) {
    let word = load<u64>(mask + wordOffset(bit)) & upwards(bit);
    for (const base = bit & ~63; word != 0 && to < end; word &= word - 1) {
      const number = base + <u32>ctz(word);
      if (number >= bits) break;
      store<u32>(to, number);
      to += 4;
    }
    bit = maskNext(mask, bits, (bit | 63) + 1);
  }
  return <u32>((to - numbers) >>> 2);
}

export function maskEmpty(mask: usize, bits: u32): bool {
  return maskNext(mask, bits, 0) >= bits;
}

export function maskFull(mask: usize, bits: u32): bool {
  return maskNextZero(mask, bits, 0) >= bits;
}

export function maskEqual(a: usize, b: usize, bits: u32): bool {
  return next(Combination.A_XOR_B, a, b, 0, bits, 0) >= bits;
}

/** Whether `a` or `b` together are `c`. */
export function maskOrEqual(a: usize, b: usize, c: usize, bits: u32): bool {
  return next(Combination.A_OR_B_XOR_C, a, b, c, bits, 0) >= bits;
}

export function maskIntersects(a: usize, b: usize, bits: u32): bool {
  return maskNextAnd(a, b, bits, 0) < bits;
}

/** Whether every bit of `a` is in `b`. */
export function maskSubset(a: usize, b: usize, bits: u32): bool {
  return maskNextAndNot(a, b, bits, 0) >= bits;
}
