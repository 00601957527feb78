// Counting bits: weights, and the n-th bit of masks and of their combinations.

import { Combination, lastWordMask, maskBytes, maskWords, upwards, vectorAt, wordAt, wordOffset } from "./words.ts";

/** Vectors whose bits can be counted in bytes without overflow: each adds at most 8 to a byte. */
const VECTORS_PER_BLOCK: usize = 31;

// @ts-ignore: decorator
@inline
function weight(how: Combination, a: usize, b: usize, bits: u32): u32 {
  if (bits == 0) return 0;
  const last = maskBytes(bits) - 8;
  let total: u64 = 0;
  let at: usize = 0;
  while (at + 16 <= last) {
    const blockEnd = min(at + VECTORS_PER_BLOCK * 16, last & ~(<usize>15));
    let counts = i64x2.splat(0);
    for (; at < blockEnd; at += 16) counts = i8x16.add(counts, i8x16.popcnt(vectorAt(how, a, b, 0, at)));
    total += sumOfBytes(counts);
  }
  if (at < last) total += popcnt(wordAt(how, a, b, 0, at));
  return <u32>(total + popcnt(wordAt(how, a, b, 0, last) & lastWordMask(bits)));
}

// @ts-ignore: decorator
@inline
function sumOfBytes(counts: v128): u64 {
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(counts));
  const pairs = i64x2.add(i64x2.extend_low_i32x4_u(sums), i64x2.extend_high_i32x4_u(sums));
  return i64x2.extract_lane(pairs, 0) + i64x2.extract_lane(pairs, 1);
}

/** Number of set bits. */
export function maskWeight(mask: usize, bits: u32): u32 {
  return weight(Combination.A, mask, 0, bits);
}

/** Number of set bits at or above `from`. */
export function maskWeightFrom(mask: usize, bits: u32, from: u32): u32 {
  if (from >= bits) return 0;
  const skipped = wordOffset(from);
  const below = load<u64>(mask + skipped) & ~upwards(from);
  return maskWeight(mask + skipped, bits - ((<u32>skipped) << 3)) - <u32>popcnt(below);
}

export function maskWeightAnd(a: usize, b: usize, bits: u32): u32 {
  return weight(Combination.A_AND_B, a, b, bits);
}

export function maskWeightAndNot(a: usize, b: usize, bits: u32): u32 {
  return weight(Combination.A_AND_NOT_B, a, b, bits);
}

/** Position of bit number `n` of a combination, counted from 0. */
// @ts-ignore: decorator
@inline
function nth(how: Combination, a: usize, b: usize, c: usize, bits: u32, n: u32): u32 {
  const words = maskWords(bits);
  let left = <u64>n;
  for (let index: u32 = 0; index < words; index++) {
    let word = wordAt(how, a, b, c, (<usize>index) << 3);
    const here = popcnt(word);
    if (left >= here) {
      left -= here;
      continue;
    }
    for (; left != 0; left--) word &= word - 1;
    return min((index << 6) + <u32>ctz(word), bits);
  }
  return bits;
}

export function maskNth(mask: usize, bits: u32, n: u32): u32 {
  return nth(Combination.A, mask, 0, 0, bits, n);
}

export function maskNthAnd(a: usize, b: usize, bits: u32, n: u32): u32 {
  return nth(Combination.A_AND_B, a, b, 0, bits, n);
}

export function maskNthAndNot(a: usize, b: usize, bits: u32, n: u32): u32 {
  return nth(Combination.A_AND_NOT_B, a, b, 0, bits, n);
}

export function maskNthAndAndNot(a: usize, b: usize, c: usize, bits: u32, n: u32): u32 {
  return nth(Combination.A_AND_B_AND_NOT_C, a, b, c, bits, n);
}
