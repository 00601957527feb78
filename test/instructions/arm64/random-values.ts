// Random numbers for instruction tests: often those at which instructions behave differently.

import { Random } from "../../support/random.ts";

export class RandomValues extends Random {
  /** A whole number from 0 to `end` - 1. */
  below(end: number): number {
    return this.between(0, end - 1);
  }

  /** A 64-bit value. */
  value(): bigint {
    const random = (BigInt(this.next()) << 32n) | BigInt(this.next());
    switch (this.below(8)) {
      case 0:
        return BigInt.asUintN(64, BigInt(this.between(-3, 3)));
      case 1:
        return BigInt.asUintN(
          64,
          this.pick([1n << 31n, 1n << 32n, 1n << 63n, 1n << 15n, 1n << 7n]) - BigInt(this.between(0, 1)),
        );
      case 2:
        return random & 0xffn;
      case 3:
        return BigInt.asUintN(64, BigInt.asIntN(32, random));
      case 4:
        return 1n << BigInt(this.below(64));
      default:
        return random;
    }
  }
}
