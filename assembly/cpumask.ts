// Sets of CPUs (or of cores, or of domains) as arrays of 64-bit words: the kernel's cpumask operations (Linux
// include/linux/cpumask.h, lib/bitmap.c, lib/find_bit.c). Sharer sets of the directory, IPI target sets and the host's
// masks use these.

import {
  maskClear,
  maskClearRange,
  maskCopy,
  maskFill,
  maskSet,
  maskSetRange,
  maskSetRegion,
  maskTest,
  maskTestAndClear,
  maskTestAndSet,
  maskZero,
} from "./cpumask/bits.ts";
import { maskAnd, maskAndNot, maskComplement, maskOr, maskXor } from "./cpumask/combine.ts";
import {
  maskNth,
  maskNthAnd,
  maskNthAndAndNot,
  maskNthAndNot,
  maskWeight,
  maskWeightAnd,
  maskWeightAndNot,
  maskWeightFrom,
} from "./cpumask/count.ts";
import {
  maskCollect,
  maskEmpty,
  maskEqual,
  maskFirst,
  maskFull,
  maskIntersects,
  maskLast,
  maskNext,
  maskNextAnd,
  maskNextAndAnd,
  maskNextAndNot,
  maskNextOr,
  maskNextZero,
  maskOrEqual,
  maskSubset,
} from "./cpumask/find.ts";
import { maskShiftLeft, maskShiftRight } from "./cpumask/shift.ts";
import { maskWords } from "./cpumask/words.ts";

export { maskWords };
export { maskClear, maskClearRange, maskCopy, maskFill, maskSet, maskSetRange, maskSetRegion, maskTest };
export { maskTestAndClear, maskTestAndSet, maskZero };
export { maskAnd, maskAndNot, maskComplement, maskOr, maskXor };
export { maskNth, maskNthAnd, maskNthAndAndNot, maskNthAndNot };
export { maskWeight, maskWeightAnd, maskWeightAndNot, maskWeightFrom };
export { maskCollect, maskFirst, maskLast, maskNext, maskNextAnd, maskNextAndAnd, maskNextAndNot, maskNextOr };
export { maskEmpty, maskEqual, maskFull, maskIntersects, maskNextZero, maskOrEqual, maskSubset };
export { maskShiftLeft, maskShiftRight };
