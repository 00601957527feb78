// Sets of CPUs (or of cores, or of domains) as arrays of 64-bit words: the kernel's cpumask operations (Linux
// include/linux/cpumask.h, lib/bitmap.c). Sharer sets of the directory, IPI target sets and the host's masks use these.
//
// A mask has `bits` valid bits in ceil(bits / 64) words. Bits behind the last valid one are zero in every result; inputs
// may hold junk there where the function says so.

/** Words of a mask of `bits` bits. */
// @ts-ignore: decorator
@inline
export function maskWords(bits: u32): u32 {
  return (bits + 63) >>> 6;
}

/** The valid bits of the last word. */
// @ts-ignore: decorator
@inline
function lastWordMask(bits: u32): u64 {
  return u64.MAX_VALUE >>> ((<u64>(0 - bits)) & 63);
}

// @ts-ignore: decorator
@inline
function wordAddress(mask: usize, bit: u32): usize {
  return mask + (((<usize>bit) >>> 6) << 3);
}

// @ts-ignore: decorator
@inline
export function maskSet(mask: usize, bit: u32): void {
  const word = wordAddress(mask, bit);
  store<u64>(word, load<u64>(word) | ((<u64>1) << ((<u64>bit) & 63)));
}

// @ts-ignore: decorator
@inline
export function maskClear(mask: usize, bit: u32): void {
  const word = wordAddress(mask, bit);
  store<u64>(word, load<u64>(word) & ~((<u64>1) << ((<u64>bit) & 63)));
}

// @ts-ignore: decorator
@inline
export function maskTest(mask: usize, bit: u32): bool {
  return ((load<u64>(wordAddress(mask, bit)) >>> ((<u64>bit) & 63)) & 1) != 0;
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
  memory.fill(mask, 0, (<usize>maskWords(bits)) << 3);
}

export function maskFill(mask: usize, bits: u32): void {
  const words = <usize>maskWords(bits);
  if (words == 0) return;
  memory.fill(mask, 0xff, words << 3);
  store<u64>(mask + ((words - 1) << 3), lastWordMask(bits));
}

export function maskCopy(target: usize, source: usize, bits: u32): void {
  memory.copy(target, source, (<usize>maskWords(bits)) << 3);
}

/** First set bit at or behind `from`; `bits` or more means none, as in the kernel. */
export function maskNext(mask: usize, bits: u32, from: u32): u32 {
  if (from >= bits) return bits;
  const words = maskWords(bits);
  let index = from >>> 6;
  let word = load<u64>(mask + ((<usize>index) << 3)) & (u64.MAX_VALUE << ((<u64>from) & 63));
  while (word == 0) {
    if (++index >= words) return bits;
    word = load<u64>(mask + ((<usize>index) << 3));
  }
  const found = (index << 6) + <u32>ctz(word);
  return found < bits ? found : bits;
}

// @ts-ignore: decorator
@inline
export function maskFirst(mask: usize, bits: u32): u32 {
  return maskNext(mask, bits, 0);
}

/** Number of set bits; junk behind the last valid bit is ignored. */
export function maskWeight(mask: usize, bits: u32): u32 {
  const words = maskWords(bits);
  if (words == 0) return 0;
  let count: u64 = 0;
  for (let i: u32 = 0; i < words - 1; i++) count += popcnt(load<u64>(mask + ((<usize>i) << 3)));
  count += popcnt(load<u64>(mask + ((<usize>(words - 1)) << 3)) & lastWordMask(bits));
  return <u32>count;
}

export function maskEmpty(mask: usize, bits: u32): bool {
  return maskNext(mask, bits, 0) >= bits;
}

// Combinations, two words at a time. Each returns whether the result is non-empty, as cpumask_and() does.

export function maskAnd(target: usize, a: usize, b: usize, bits: u32): bool {
  const bytes = (<usize>maskWords(bits)) << 3;
  let any = i64x2.splat(0);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const word = v128.and(v128.load(a + i), v128.load(b + i));
    v128.store(target + i, word);
    any = v128.or(any, word);
  }
  let rest: u64 = 0;
  if (i < bytes) {
    rest = load<u64>(a + i) & load<u64>(b + i);
    store<u64>(target + i, rest);
  }
  return v128.any_true(any) || rest != 0;
}

export function maskAndNot(target: usize, a: usize, b: usize, bits: u32): bool {
  const bytes = (<usize>maskWords(bits)) << 3;
  let any = i64x2.splat(0);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const word = v128.andnot(v128.load(a + i), v128.load(b + i));
    v128.store(target + i, word);
    any = v128.or(any, word);
  }
  let rest: u64 = 0;
  if (i < bytes) {
    rest = load<u64>(a + i) & ~load<u64>(b + i);
    store<u64>(target + i, rest);
  }
  return v128.any_true(any) || rest != 0;
}

export function maskOr(target: usize, a: usize, b: usize, bits: u32): void {
  const bytes = (<usize>maskWords(bits)) << 3;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(target + i, v128.or(v128.load(a + i), v128.load(b + i)));
  if (i < bytes) store<u64>(target + i, load<u64>(a + i) | load<u64>(b + i));
}

export function maskXor(target: usize, a: usize, b: usize, bits: u32): void {
  const bytes = (<usize>maskWords(bits)) << 3;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(target + i, v128.xor(v128.load(a + i), v128.load(b + i)));
  if (i < bytes) store<u64>(target + i, load<u64>(a + i) ^ load<u64>(b + i));
}

export function maskEqual(a: usize, b: usize, bits: u32): bool {
  return memory.compare(a, b, (<usize>maskWords(bits)) << 3) == 0;
}

export function maskIntersects(a: usize, b: usize, bits: u32): bool {
  const bytes = (<usize>maskWords(bits)) << 3;
  for (let i: usize = 0; i < bytes; i += 8) if ((load<u64>(a + i) & load<u64>(b + i)) != 0) return true;
  return false;
}

/** Whether every bit of `a` is in `b`. */
export function maskSubset(a: usize, b: usize, bits: u32): bool {
  const bytes = (<usize>maskWords(bits)) << 3;
  for (let i: usize = 0; i < bytes; i += 8) if ((load<u64>(a + i) & ~load<u64>(b + i)) != 0) return false;
  return true;
}
