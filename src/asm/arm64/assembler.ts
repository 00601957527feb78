// AArch64 instructions, as a guest kernel needs them (Arm ARM, chapter C6; one method per mnemonic; operand order is Arm's).
//
// The instructions themselves are in instructions/, one file per group.

import { invalid } from "../failure.ts";
import { Arm64System } from "./instructions/system.ts";

export type { ArmImmediate } from "./encoder.ts";
export type { ArmLogical, ArmShift } from "./instructions/arithmetic.ts";
export type { ArmAtomic, ArmOrdering } from "./instructions/memory.ts";

/** AArch64 instructions as methods named by their mnemonics; operands as in `arm64`. @throws ASSEMBLY_INVALID for operands that the instruction can't have */
export class Arm64Assembler extends Arm64System {
  /** Fills with NOPs up to a multiple from the routine's start. */
  align(multiple: number): this {
    while (this.fixedOffset % multiple !== 0) this.nop();
    return this;
  }
  /** Offset of what comes next from the routine's start. */
  get offset(): number {
    return this.fixedOffset;
  }
  /** Fills with a byte up to a multiple from the routine's start. */
  alignData(multiple: number, fill = 0): this {
    return this.padData(Math.ceil(this.fixedOffset / multiple) * multiple, fill);
  }
  /** Fills with a byte up to that offset from the routine's start; longer code throws. */
  padData(target: number, fill = 0): this {
    this.#refuseBefore(target);
    return this.bytes(new Uint8Array(target - this.fixedOffset).fill(fill));
  }
  /** Fills with NOPs up to that offset from the routine's start; longer code throws. */
  padTo(target: number): this {
    this.#refuseBefore(target);
    while (this.fixedOffset < target) this.nop();
    return this;
  }
  #refuseBefore(target: number): void {
    if (this.fixedOffset > target)
      throw invalid("code is longer than its slot", { value: this.fixedOffset, allowed: `at most ${target} bytes` });
  }
}
