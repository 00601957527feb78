// Combinations of masks into a mask, two words at a time. The target may be one of the sources. Each returns whether the
// result is non-empty, as cpumask_and() and cpumask_andnot() do.

import { Combination, lastWordMask, maskBytes, vectorAt, wordAt } from "./words.ts";

// @ts-ignore: decorator
@inline
function combine(how: Combination, target: usize, a: usize, b: usize, bits: u32): bool {
  if (bits == 0) return false;
  const last = maskBytes(bits) - 8;
  let any = i64x2.splat(0);
  let at: usize = 0;
  for (; at + 16 <= last; at += 16) {
    const vector = vectorAt(how, a, b, 0, at);
    v128.store(target + at, vector);
    any = v128.or(any, vector);
  }
  let rest: u64 = 0;
  if (at < last) {
    rest = wordAt(how, a, b, 0, at);
    store<u64>(target + at, rest);
  }
  const end = wordAt(how, a, b, 0, last) & lastWordMask(bits);
  store<u64>(target + last, end);
  return (rest | end) != 0 || v128.any_true(any);
}

export function maskAnd(target: usize, a: usize, b: usize, bits: u32): bool {
  return combine(Combination.A_AND_B, target, a, b, bits);
}

export function maskAndNot(target: usize, a: usize, b: usize, bits: u32): bool {
  return combine(Combination.A_AND_NOT_B, target, a, b, bits);
}

export function maskOr(target: usize, a: usize, b: usize, bits: u32): bool {
  return combine(Combination.A_OR_B, target, a, b, bits);
}

export function maskXor(target: usize, a: usize, b: usize, bits: u32): bool {
  return combine(Combination.A_XOR_B, target, a, b, bits);
}

export function maskComplement(target: usize, source: usize, bits: u32): bool {
  return combine(Combination.NOT_A, target, source, 0, bits);
}
