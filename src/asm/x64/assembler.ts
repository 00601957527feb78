// x86-64 instructions, as a guest kernel needs them (Intel SDM volume 2, one method per mnemonic; operand order is Intel's).
//
// Of several encodings the one that GNU as takes is taken, so that the tests can compare bytes. The instructions themselves are in
// instructions/, one file per group.

import { X64System } from "./instructions/system.ts";

export type { AluOperator, BitOperator, ShiftOperator } from "./instructions/arithmetic.ts";
export type { Operand } from "./instructions/moves.ts";
export type { SegmentRegister } from "./instructions/system.ts";

/** x86-64 instructions as methods named by their mnemonics; operands as in `x64`. @throws ASSEMBLY_INVALID for operands that the instruction can't have */
export class X64Assembler extends X64System {
  /** Fills with NOPs (or another byte) up to a multiple of the routine's start. */
  align(multiple: number, fill = 0x90): this {
    this.alignItem(multiple, fill);
    return this;
  }
  /** Fills up to that offset from the routine's start; longer code throws. */
  padTo(offset: number, fill = 0x90): this {
    this.padItem(offset, fill);
    return this;
  }
}
