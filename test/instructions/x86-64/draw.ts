// One random program while it is drawn: registers, memory operands, numbers and prefixes by chance, and the bookkeeping of
// undefined flags.

import type { Random } from "../../support/random.ts";
import { Code, type Encoding, type Memory, R12, R13, R14, R15, type Size, le } from "./code.ts";
import { DATA, DATA_BYTES } from "./harness.ts";

/** Status flags as a set. */
export const Flag = { C: 1, P: 2, A: 4, Z: 8, S: 16, O: 32, ALL: 63, NONE: 0 } as const;

/** Registers that instructions may write. */
export const writable = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11] as const;
const readable = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] as const;

/** The middle of the data: R12. R14 is its start, R13 a small index. */
export const MIDDLE = DATA + DATA_BYTES / 2;

/** A program being drawn. */
export class Draw extends Code {
  readonly random: Random;
  /** Flags that are undefined at this point. */
  undefinedFlags: number = Flag.NONE;
  readonly index: number;

  constructor(random: Random, origin: number) {
    super(origin);
    this.random = random;
    this.index = random.between(0, 15);
  }

  size(...sizes: readonly Size[]): Size {
    return this.random.pick(sizes.length === 0 ? [1, 2, 4, 8] : sizes);
  }

  /** A register to write. */
  target(): number {
    return this.random.pick(writable);
  }

  /** A register to read. */
  source(): number {
    return this.random.pick(readable);
  }

  /** An interesting number: small, at a boundary, or any. */
  number(size: Size): bigint {
    const bits = BigInt(size * 8);
    const top = 1n << (bits - 1n);
    const any = (BigInt(this.random.next()) << 32n) | BigInt(this.random.next());
    const value = this.random.pick([
      0n,
      1n,
      -1n,
      top,
      top - 1n,
      top + 1n,
      0x0fn,
      0x10n,
      0x80n,
      any,
      any,
      any,
      any >> 40n,
    ]);
    return BigInt.asUintN(Number(bits), value);
  }

  /** A location of `bytes` in the data, addressed in one of the ways there are. */
  memory(bytes: number, room = 0): Memory {
    const { random } = this;
    const at = random.between(room, DATA_BYTES - bytes - room);
    const short = random.chance(6) ? { short: true } : {};
    switch (random.between(0, 8)) {
      case 0:
        return { displacement: DATA + at, ...short };
      case 1:
        return { rip: true, displacement: DATA + at };
      case 2:
        return { base: R12, displacement: DATA + at - MIDDLE, ...short };
      case 3: {
        const scale = random.pick([1, 2, 4, 8]);
        return { base: R14, index: R13, scale, displacement: at - this.index * scale, ...short };
      }
      case 4:
        return { index: R13, scale: 8, displacement: DATA + at - this.index * 8, ...short };
      case 5:
        return random.chance(50)
          ? { segment: 0x64, displacement: at - 0x100 }
          : { segment: 0x65, base: R13, displacement: at - 0x800 - this.index };
      case 6:
        return { base: R13, index: R14, scale: 1, displacement: at - this.index, ...short };
      default:
        return { base: R14, displacement: at, ...short };
    }
  }

  /** rm as a register or in memory. */
  place(size: Size, write: boolean): number | Memory {
    if (this.random.chance(45)) return this.memory(size);
    return write ? this.target() : this.source();
  }

  /** Prefixes that change nothing, in front. */
  redundant(): number[] {
    return this.random.chance(4) ? [this.random.pick([0x2e, 0x3e, 0x26, 0x36])] : [];
  }

  /**
   * An instruction with an operand size: 66 or REX.W. Bytes registers 4 to 7 are AH to BH, or SPL to DIL with a REX prefix;
   * none of SPL, RSP, R12 … R15 is ever written.
   */
  sized(size: Size, encoding: Encoding): this {
    const prefixes = [...this.redundant(), ...(encoding.prefixes ?? [])];
    if (size === 2) prefixes.splice(this.random.between(0, prefixes.length), 0, 0x66);
    return this.put({ ...encoding, prefixes, wide: size === 8 });
  }

  /** Opcode whose low bit says whether the operand has one byte. */
  byteOr(opcode: number, size: Size): number {
    return size === 1 ? opcode & ~1 : opcode | 1;
  }

  /** Makes sure that the flags of a set are defined. */
  need(flags: number): this {
    if ((this.undefinedFlags & flags) !== 0) {
      this.put({ opcode: [0x39], reg: this.random.pick(readable), rm: this.random.pick(readable), wide: true });
      this.undefinedFlags = Flag.NONE;
    }
    return this;
  }

  /** Bookkeeping behind an instruction. */
  flags(defined: number, undefinedFlags: number = Flag.NONE): this {
    this.undefinedFlags = (this.undefinedFlags & ~defined) | undefinedFlags;
    return this;
  }

  /** LEA of the place where `patch` is called. */
  leaBehind(register: number): { patch: () => void } {
    this.put({ opcode: [0x8d], reg: register, rm: { rip: true, displacement: 0 }, wide: true });
    const behind = this.bytes.length;
    return {
      patch: () => {
        this.bytes.splice(behind - 4, 4, ...le(this.bytes.length - behind, 4));
      },
    };
  }

  /** Where to go on if the next `bytes` raise an exception. */
  guarded(emit: () => void): this {
    // The frame holds the flags.
    this.need(Flag.ALL);
    const { patch } = this.leaBehind(R15);
    emit();
    patch();
    return this;
  }
}
