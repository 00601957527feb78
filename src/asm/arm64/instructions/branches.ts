// AArch64 branches, and the addresses of labels and symbols (Arm ARM, chapter C6; relocations by AAELF64).

import { checkRange } from "../../code-buffer.ts";
import type { Label, LinkSymbol } from "../../code-buffer.ts";
import { invalid } from "../../failure.ts";
import { sf } from "../encoder.ts";
import { armConditionNumber, armGpr } from "../registers.ts";
import type { Arm64Condition, Arm64Register } from "../registers.ts";
import { Arm64Bits } from "./bits.ts";

export abstract class Arm64Branches extends Arm64Bits {
  // --- branches -----------------------------------------------------------------------------------------------------------------

  b(label: string | Label): this {
    return this.#branch(0x1400_0000, label, 26, 0);
  }
  bl(label: string | Label): this {
    return this.#branch(0x9400_0000, label, 26, 0);
  }
  bcond(condition: Arm64Condition, label: string | Label): this {
    return this.#branch(0x5400_0000 | armConditionNumber(condition), label, 19, 5);
  }
  cbz(register: Arm64Register, label: string | Label): this {
    return this.#branch(0x3400_0000 | sf(register) | register.number, label, 19, 5);
  }
  cbnz(register: Arm64Register, label: string | Label): this {
    return this.#branch(0x3500_0000 | sf(register) | register.number, label, 19, 5);
  }
  tbz(register: Arm64Register, bit: number, label: string | Label): this {
    return this.#testBranch(0x3600_0000, register, bit, label);
  }
  tbnz(register: Arm64Register, bit: number, label: string | Label): this {
    return this.#testBranch(0x3700_0000, register, bit, label);
  }
  #testBranch(opcode: number, register: Arm64Register, bit: number, label: string | Label): this {
    checkRange(bit, 0, register.width - 1, "bit number");
    return this.#branch(opcode | ((bit >> 5) << 31) | ((bit & 31) << 19) | register.number, label, 14, 5);
  }

  /** A label of this routine as a signed word offset of `bits` bits at bit `position`. */
  #branch(opcode: number, label: string | Label, bits: number, position: number): this {
    this.fixup(label, (view, at, target) => {
      const limit = 2 ** (bits - 1);
      if ((target - at) % 4 !== 0)
        throw invalid("a distance that is no number of instructions", {
          value: target - at,
          allowed: "multiples of 4",
        });
      const words = checkRange((target - at) / 4, -limit, limit - 1, `branch distance of ${bits} bits`);
      const field = (words & (2 ** bits - 1)) << position;
      view.setUint32(at, (view.getUint32(at, true) | field) >>> 0, true);
    });
    return this.word(opcode);
  }

  /** To another routine. */
  call(symbol: LinkSymbol): this {
    this.relocate("call26", symbol, 0);
    return this.word(0x9400_0000);
  }
  jumpTo(symbol: LinkSymbol): this {
    this.relocate("call26", symbol, 0);
    return this.word(0x1400_0000);
  }
  br(target: Arm64Register): this {
    return this.word(0xd61f_0000 | (target.number << 5));
  }
  blr(target: Arm64Register): this {
    return this.word(0xd63f_0000 | (target.number << 5));
  }
  ret(target: Arm64Register = armGpr(30, 64)): this {
    return this.word(0xd65f_0000 | (target.number << 5));
  }
  eret(): this {
    return this.word(0xd69f_03e0);
  }

  // --- addresses ----------------------------------------------------------------------------------------------------------------

  /** The address of a label of this routine. */
  adr(to: Arm64Register, label: string | Label): this {
    this.fixup(label, (view, at, target) => {
      const distance = checkRange(target - at, -0x10_0000, 0xf_ffff, "adr distance");
      const field = ((distance & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5);
      view.setUint32(at, (view.getUint32(at, true) | field) >>> 0, true);
    });
    return this.word(0x1000_0000 | to.number);
  }
  /** Loads from a label of this routine. */
  ldrLiteral(to: Arm64Register, label: string | Label): this {
    return this.#branch((to.width === 64 ? 0x5800_0000 : 0x1800_0000) | to.number, label, 19, 5);
  }
  /** Prefetch of a label's line, by the number of the operation. */
  prfmLiteral(operation: number, label: string | Label): this {
    return this.#branch(0xd800_0000 | checkRange(operation, 0, 31, "prefetch operation"), label, 19, 5);
  }
  /** 32 bits, sign-extended. */
  ldrswLiteral(to: Arm64Register, label: string | Label): this {
    return this.#branch(0x9800_0000 | to.number, label, 19, 5);
  }
  /** The 4 KiB page of a symbol's address. */
  adrp(to: Arm64Register, symbol: LinkSymbol, addend = 0): this {
    this.relocate("adrPage21", symbol, addend);
    return this.word(0x9000_0000 | to.number);
  }
  /** Adds the low twelve bits of a symbol's address. */
  addLow12(to: Arm64Register, from: Arm64Register, symbol: LinkSymbol, addend = 0): this {
    this.relocate("addLow12", symbol, addend);
    return this.word(0x9100_0000 | (from.number << 5) | to.number);
  }
  /** The address of a symbol: adrp and add. */
  symbolAddress(to: Arm64Register, symbol: LinkSymbol, addend = 0): this {
    return this.adrp(to, symbol, addend).addLow12(to, to, symbol, addend);
  }
}
