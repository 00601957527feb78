// What all AArch64 instructions are made of: 32-bit words, with the operand size in bit 31 of most (Arm ARM, section C4.1).

import { CodeBuffer } from "../code-buffer.ts";
import { invalid } from "../failure.ts";
import type { Arm64Register, Arm64Width } from "./registers.ts";

export type ArmImmediate = number | bigint;

export abstract class Arm64Encoder extends CodeBuffer {
  /** A raw instruction word. */
  word(value: number): this {
    this.word32(value >>> 0);
    return this;
  }
}

/** The operand size bit. */
export function sf(register: Arm64Register): number {
  return register.width === 64 ? 1 << 31 : 0;
}

/** The operand size bit of an instruction whose registers all have one width. */
export function commonSf(first: Arm64Register, ...others: readonly Arm64Register[]): number {
  for (const other of others) {
    if (other.width !== first.width) {
      throw invalid("registers of different widths", {
        value: `${first.name} and ${other.name}`,
        allowed: "one width",
      });
    }
  }
  return sf(first);
}

/** log2 of the bytes that a register holds. */
export function accessSize(register: { width: Arm64Width }): 2 | 3 {
  return register.width === 64 ? 3 : 2;
}
