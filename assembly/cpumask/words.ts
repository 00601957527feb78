// What a mask is in memory, and the combinations of masks that every operation is made from.
//
// A mask has `bits` valid bits in ceil(bits / 64) words of 64 bits, lowest first. Bits behind the last valid one are zero
// in whatever is written here, and ignored in whatever is read (Linux include/linux/bitmap.h).

/** Words of a mask of `bits` bits. */
// @ts-ignore: decorator
@inline
export function maskWords(bits: u32): u32 {
  return (bits + 63) >>> 6;
}

/** Bytes of a mask of `bits` bits. */
// @ts-ignore: decorator
@inline
export function maskBytes(bits: u32): usize {
  return (<usize>maskWords(bits)) << 3;
}

/** The valid bits of the last word. */
// @ts-ignore: decorator
@inline
export function lastWordMask(bits: u32): u64 {
  return u64.MAX_VALUE >>> ((<u64>(0 - bits)) & 63);
}

/** Bits of a word at and above a bit's position in it. */
// @ts-ignore: decorator
@inline
export function upwards(bit: u32): u64 {
  return u64.MAX_VALUE << ((<u64>bit) & 63);
}

/** Offset of the word that holds a bit. */
// @ts-ignore: decorator
@inline
export function wordOffset(bit: u32): usize {
  return ((<usize>bit) >>> 6) << 3;
}

/** Combinations of up to three masks. Always a constant where it is passed, so that only one branch is compiled. */
export enum Combination {
  A = 0,
  NOT_A = 1,
  A_AND_B = 2,
  A_AND_NOT_B = 3,
  A_OR_B = 4,
  A_XOR_B = 5,
  A_AND_B_AND_C = 6,
  A_AND_B_AND_NOT_C = 7,
  /** Not zero where a | b differs from c. */
  A_OR_B_XOR_C = 8,
}

/** One word of a combination. */
// @ts-ignore: decorator
@inline
export function wordAt(how: Combination, a: usize, b: usize, c: usize, offset: usize): u64 {
  const word = load<u64>(a + offset);
  if (how == Combination.A) return word;
  if (how == Combination.NOT_A) return ~word;
  if (how == Combination.A_AND_B) return word & load<u64>(b + offset);
  if (how == Combination.A_AND_NOT_B) return word & ~load<u64>(b + offset);
  if (how == Combination.A_OR_B) return word | load<u64>(b + offset);
  if (how == Combination.A_XOR_B) return word ^ load<u64>(b + offset);
  if (how == Combination.A_AND_B_AND_C) return word & load<u64>(b + offset) & load<u64>(c + offset);
  if (how == Combination.A_AND_B_AND_NOT_C) return word & load<u64>(b + offset) & ~load<u64>(c + offset);
  return (word | load<u64>(b + offset)) ^ load<u64>(c + offset);
}

/** Two words of a combination. */
// @ts-ignore: decorator
@inline
export function vectorAt(how: Combination, a: usize, b: usize, c: usize, offset: usize): v128 {
  const vector = v128.load(a + offset);
  if (how == Combination.A) return vector;
  if (how == Combination.NOT_A) return v128.not(vector);
  if (how == Combination.A_AND_B) return v128.and(vector, v128.load(b + offset));
  if (how == Combination.A_AND_NOT_B) return v128.andnot(vector, v128.load(b + offset));
  if (how == Combination.A_OR_B) return v128.or(vector, v128.load(b + offset));
  if (how == Combination.A_XOR_B) return v128.xor(vector, v128.load(b + offset));
  if (how == Combination.A_AND_B_AND_C) {
    return v128.and(v128.and(vector, v128.load(b + offset)), v128.load(c + offset));
  }
  if (how == Combination.A_AND_B_AND_NOT_C) {
    return v128.andnot(v128.and(vector, v128.load(b + offset)), v128.load(c + offset));
  }
  return v128.xor(v128.or(vector, v128.load(b + offset)), v128.load(c + offset));
}
