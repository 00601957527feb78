// The cpumask operations of the core, as it exports them. Addresses are in bytes and multiples of 8; a mask of `bits` bits
// is ceil(bits / 64) little-endian words of 64 bits. Predicates give 0 or 1, searches give `bits` for none.

/** Operations on bit sets in linear memory. Bits behind the width are never written and never looked at. */
export type MaskOperations = {
  maskZero: (mask: number, bits: number) => void;
  maskFill: (mask: number, bits: number) => void;
  maskCopy: (target: number, source: number, bits: number) => void;
  maskSetRange: (mask: number, start: number, count: number) => void;
  maskClearRange: (mask: number, start: number, count: number) => void;
  /** Sets `used` bits of every `group` from `start` to `end`; the step to the next group wraps at 2^32. */
  maskSetRegion: (mask: number, start: number, end: number, used: number, group: number) => void;

  maskAnd: (target: number, a: number, b: number, bits: number) => number;
  maskAndNot: (target: number, a: number, b: number, bits: number) => number;
  maskOr: (target: number, a: number, b: number, bits: number) => number;
  maskXor: (target: number, a: number, b: number, bits: number) => number;
  maskComplement: (target: number, source: number, bits: number) => number;
  maskShiftLeft: (target: number, source: number, distance: number, bits: number) => void;
  maskShiftRight: (target: number, source: number, distance: number, bits: number) => void;

  maskEqual: (a: number, b: number, bits: number) => number;
  /** Whether a | b is c. */
  maskOrEqual: (a: number, b: number, c: number, bits: number) => number;
  maskIntersects: (a: number, b: number, bits: number) => number;
  /** Whether all of a is in b. */
  maskSubset: (a: number, b: number, bits: number) => number;
  maskFull: (mask: number, bits: number) => number;

  maskWeight: (mask: number, bits: number) => number;
  maskWeightFrom: (mask: number, bits: number, from: number) => number;
  maskWeightAnd: (a: number, b: number, bits: number) => number;
  maskWeightAndNot: (a: number, b: number, bits: number) => number;

  maskNext: (mask: number, bits: number, from: number) => number;
  maskNextZero: (mask: number, bits: number, from: number) => number;
  maskNextAnd: (a: number, b: number, bits: number, from: number) => number;
  maskNextAndNot: (a: number, b: number, bits: number, from: number) => number;
  maskNextOr: (a: number, b: number, bits: number, from: number) => number;
  maskNextAndAnd: (a: number, b: number, c: number, bits: number, from: number) => number;
  maskLast: (mask: number, bits: number) => number;
  /** Bit number n, counted from 0, of a mask; of a & b; of a & ~b; of a & b & ~c. */
  maskNth: (mask: number, bits: number, n: number) => number;
  maskNthAnd: (a: number, b: number, bits: number, n: number) => number;
  maskNthAndNot: (a: number, b: number, bits: number, n: number) => number;
  maskNthAndAndNot: (a: number, b: number, c: number, bits: number, n: number) => number;
  /** Writes up to `most` numbers of set bits at or above `from` as 32-bit words. @returns how many */
  maskCollect: (mask: number, bits: number, from: number, numbers: number, most: number) => number;
};
