// Sets of vectors: IRR, ISR and TMR, 256 bits each in four words.

/** @returns the highest vector of the set, or -1 */
export function highestVector(set: usize): i32 {
  for (let word: i32 = 3; word >= 0; word--) {
    const value = load<u64>(set + ((<usize>word) << 3));
    if (value != 0) return (word << 6) + 63 - <i32>clz(value);
  }
  return -1;
}

// @ts-ignore: decorator
@inline
function wordOf(set: usize, vector: u32): usize {
  return set + (((<usize>vector) >>> 6) << 3);
}

export function hasVector(set: usize, vector: u32): bool {
  return ((load<u64>(wordOf(set, vector)) >>> ((<u64>vector) & 63)) & 1) != 0;
}

export function setVector(set: usize, vector: u32): void {
  const word = wordOf(set, vector);
  store<u64>(word, load<u64>(word) | ((<u64>1) << ((<u64>vector) & 63)));
}

export function clearVector(set: usize, vector: u32): void {
  const word = wordOf(set, vector);
  store<u64>(word, load<u64>(word) & ~((<u64>1) << ((<u64>vector) & 63)));
}
