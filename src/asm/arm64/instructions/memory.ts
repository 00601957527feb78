// AArch64 loads, stores, ordered and exclusive accesses, and the atomics of FEAT_LSE (Arm ARM, chapter C6).

import { checkRange } from "../../code-buffer.ts";
import type { RelocationKind } from "../../code-buffer.ts";
import { invalid } from "../../failure.ts";
import { accessSize, commonSf } from "../encoder.ts";
import { armGpr } from "../registers.ts";
import type { Arm64Address, Arm64Register, Extend } from "../registers.ts";
import { Arm64Branches } from "./branches.ts";

/** Acquire and release bits of an atomic. */
export type ArmOrdering = "" | "a" | "l" | "al";

const EXTENDS: Readonly<Record<Extend, number>> = { uxtw: 2, lsl: 3, sxtw: 6, sxtx: 7 };
const ATOMICS = { add: 0, clr: 1, eor: 2, set: 3, smax: 4, smin: 5, umax: 6, umin: 7 } as const;
export type ArmAtomic = keyof typeof ATOMICS;

/** A byte or a halfword instead of the whole register. */
export type ArmPart = "b" | "h";

/** Accesses whose displacement is not scaled, by what follows ldur, stur, ldtr, sttr, ldapur and stlur. */
const ACCESSES = {
  ld: 1, st: 0, ldb: 1, stb: 0, ldh: 1, sth: 0, ldsb: 2, ldsh: 2, ldsw: 2,
} as const; // prettier-ignore
export type ArmAccess = keyof typeof ACCESSES;
const UNSCALED_FORMS = { unscaled: 0x3800_0000, unprivileged: 0x3800_0800, ordered: 0x1900_0000 } as const;

export abstract class Arm64Memory extends Arm64Branches {
  // --- loads and stores ---------------------------------------------------------------------------------------------------------

  ldr(to: Arm64Register, from: Arm64Address): this {
    return this.#access(to.width === 64 ? 3 : 2, 1, to, from);
  }
  str(from: Arm64Register, to: Arm64Address): this {
    return this.#access(from.width === 64 ? 3 : 2, 0, from, to);
  }
  ldrb(to: Arm64Register, from: Arm64Address): this {
    return this.#access(0, 1, to, from);
  }
  strb(from: Arm64Register, to: Arm64Address): this {
    return this.#access(0, 0, from, to);
  }
  ldrh(to: Arm64Register, from: Arm64Address): this {
    return this.#access(1, 1, to, from);
  }
  strh(from: Arm64Register, to: Arm64Address): this {
    return this.#access(1, 0, from, to);
  }
  ldrsb(to: Arm64Register, from: Arm64Address): this {
    return this.#access(0, to.width === 64 ? 2 : 3, to, from);
  }
  ldrsh(to: Arm64Register, from: Arm64Address): this {
    return this.#access(1, to.width === 64 ? 2 : 3, to, from);
  }
  ldrsw(to: Arm64Register, from: Arm64Address): this {
    return this.#access(2, 2, to, from);
  }
  /** Prefetch for store, level 1, keep. */
  prfmStore(address: Arm64Address): this {
    return this.prfm(16, address);
  }
  /** Prefetch by the number of its operation. */
  prfm(operation: number, address: Arm64Address): this {
    return this.#access(3, 2, armGpr(checkRange(operation, 0, 31, "prefetch operation"), 64), address);
  }
  /** ldur and its kin, ldtr (as at EL0), and ldapur (with acquire or release); sign-extension to the register's width. */
  unscaledAccess(
    form: keyof typeof UNSCALED_FORMS,
    access: ArmAccess,
    register: Arm64Register,
    base: Arm64Register,
    offset: number,
  ): this {
    const part = access.slice(-1);
    const size = part === "b" ? 0 : part === "h" ? 1 : part === "w" ? 2 : accessSize(register);
    const isNarrowSigned = access.startsWith("lds") && register.width === 32;
    const imm9 = (checkRange(offset, -256, 255, "unscaled offset") & 0x1ff) << 12;
    const opcode = isNarrowSigned ? 3 : ACCESSES[access];
    return this.word(
      UNSCALED_FORMS[form] | (size << 30) | (opcode << 22) | imm9 | (base.number << 5) | register.number,
    );
  }

  #access(size: number, opcode: number, register: Arm64Register, address: Arm64Address): this {
    const { base, offset, index, mode, low12 } = address;
    const common = 0x3800_0000 | (size << 30) | (opcode << 22) | (base.number << 5) | register.number;
    if (index !== undefined) {
      if (address.shift !== 0 && address.shift !== size)
        throw invalid("index shift must be 0 or the access size", {
          value: address.shift,
          allowed: size === 0 ? "0" : `0 or ${size}`,
        });
      const isScaled = address.shift !== 0 || (size === 0 && address.isScaledByOne);
      const scaled = isScaled ? 1 << 12 : 0;
      return this.word(common | 0x0020_0800 | (index.number << 16) | (EXTENDS[address.extend] << 13) | scaled);
    }
    if (low12 !== undefined) {
      this.relocate(`load${(8 << size) as 8 | 16 | 32 | 64}Low12` satisfies RelocationKind, low12, offset);
      return this.word(common | 0x0100_0000);
    }
    if (mode === "offset" && isScaled12(offset, size))
      return this.word(common | 0x0100_0000 | ((offset >> size) << 10));
    const imm9 = (checkRange(offset, -256, 255, "unscaled offset") & 0x1ff) << 12;
    return this.word(common | imm9 | { offset: 0, post: 1 << 10, pre: 3 << 10 }[mode]);
  }

  ldp(one: Arm64Register, two: Arm64Register, from: Arm64Address): this {
    return this.#pair(1, one, two, from);
  }
  /** Two words, sign-extended. */
  ldpsw(one: Arm64Register, two: Arm64Register, { base, offset, mode }: Arm64Address): this {
    const imm7 = (pairOffset(offset, 4) & 0x7f) << 15;
    const form = { post: 1, offset: 2, pre: 3 }[mode] << 23;
    return this.word(0x6840_0000 | form | imm7 | (two.number << 10) | (base.number << 5) | one.number);
  }
  /** With the hint that the line won't be used again. */
  ldnp(one: Arm64Register, two: Arm64Register, { base, offset }: Arm64Address): this {
    const imm7 = (pairOffset(offset, one.width / 8) & 0x7f) << 15;
    return this.word(0x2840_0000 | commonSf(one, two) | imm7 | (two.number << 10) | (base.number << 5) | one.number);
  }
  stnp(one: Arm64Register, two: Arm64Register, { base, offset }: Arm64Address): this {
    const imm7 = (pairOffset(offset, one.width / 8) & 0x7f) << 15;
    return this.word(0x2800_0000 | commonSf(one, two) | imm7 | (two.number << 10) | (base.number << 5) | one.number);
  }
  stp(one: Arm64Register, two: Arm64Register, to: Arm64Address): this {
    return this.#pair(0, one, two, to);
  }
  #pair(isLoad: 0 | 1, one: Arm64Register, two: Arm64Register, { base, offset, mode }: Arm64Address): this {
    commonSf(one, two);
    const imm7 = pairOffset(offset, one.width / 8) & 0x7f;
    const form = { post: 1, offset: 2, pre: 3 }[mode] << 23;
    const size = one.width === 64 ? 1 << 31 : 0;
    return this.word(
      0x2800_0000 | size | form | (isLoad << 22) | (imm7 << 15) | (two.number << 10) | (base.number << 5) | one.number,
    );
  }

  // --- ordered and exclusive accesses: base register only -------------------------------------------------------------------------

  #exclusive(fields: number, size: number, status: number, register: Arm64Register, base: Arm64Register): this {
    return this.word(0x0800_7c00 | (size << 30) | fields | (status << 16) | (base.number << 5) | register.number);
  }
  ldar(to: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x00c0_8000, accessSize(to), 31, to, base);
  }
  ldarb(to: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x00c0_8000, 0, 31, to, base);
  }
  ldarh(to: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x00c0_8000, 1, 31, to, base);
  }
  stlr(from: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x0080_8000, accessSize(from), 31, from, base);
  }
  stlrb(from: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x0080_8000, 0, 31, from, base);
  }
  stlrh(from: Arm64Register, base: Arm64Register): this {
    return this.#exclusive(0x0080_8000, 1, 31, from, base);
  }
  /** Load-acquire with the weaker RCpc ordering. */
  ldapr(to: Arm64Register, base: Arm64Register, part?: ArmPart): this {
    return this.word(0x38bf_c000 | (partSize(to, part) << 30) | (base.number << 5) | to.number);
  }
  ldxr(to: Arm64Register, base: Arm64Register, part?: ArmPart): this {
    return this.#exclusive(0x0040_0000, partSize(to, part), 31, to, base);
  }
  ldaxr(to: Arm64Register, base: Arm64Register, part?: ArmPart): this {
    return this.#exclusive(0x0040_8000, partSize(to, part), 31, to, base);
  }
  stxr(status: Arm64Register, from: Arm64Register, base: Arm64Register, part?: ArmPart): this {
    checkStatus(status, from, base);
    return this.#exclusive(0, partSize(from, part), status.number, from, base);
  }
  stlxr(status: Arm64Register, from: Arm64Register, base: Arm64Register, part?: ArmPart): this {
    checkStatus(status, from, base);
    return this.#exclusive(0x8000, partSize(from, part), status.number, from, base);
  }
  /** Two registers at once. */
  loadExclusivePair(isAcquire: boolean, one: Arm64Register, two: Arm64Register, base: Arm64Register): this {
    const fields = 0x0860_0000 | (31 << 16) | (isAcquire ? 0x8000 : 0);
    return this.#exclusivePair(fields, one, two, base);
  }
  storeExclusivePair(
    isRelease: boolean,
    status: Arm64Register,
    one: Arm64Register,
    two: Arm64Register,
    base: Arm64Register,
  ): this {
    checkStatus(status, one, base);
    checkStatus(status, two, base);
    return this.#exclusivePair(0x0820_0000 | (status.number << 16) | (isRelease ? 0x8000 : 0), one, two, base);
  }
  #exclusivePair(fields: number, one: Arm64Register, two: Arm64Register, base: Arm64Register): this {
    commonSf(one, two);
    const size = accessSize(one) << 30;
    return this.word(fields | size | (two.number << 10) | (base.number << 5) | one.number);
  }
  clrex(crm = 15): this {
    return this.word(0xd503_305f | (checkRange(crm, 0, 15, "4-bit immediate") << 8));
  }

  // --- atomics of FEAT_LSE --------------------------------------------------------------------------------------------------------

  /** `expected` receives the old value. */
  cas(
    ordering: ArmOrdering,
    expected: Arm64Register,
    desired: Arm64Register,
    base: Arm64Register,
    part?: ArmPart,
  ): this {
    commonSf(expected, desired);
    const acquire = ordering.startsWith("a") ? 1 << 22 : 0;
    const release = ordering.endsWith("l") ? 1 << 15 : 0;
    return this.word(
      0x08a0_7c00 |
        (partSize(desired, part) << 30) |
        acquire |
        release |
        (expected.number << 16) |
        (base.number << 5) |
        desired.number,
    );
  }
  /** Two registers each: the first of a pair, which is even, stands for both. */
  casp(ordering: ArmOrdering, expected: Arm64Register, desired: Arm64Register, base: Arm64Register): this {
    const size = commonSf(expected, desired) === 0 ? 0 : 1 << 30;
    for (const { number, name } of [expected, desired]) {
      if (number % 2 !== 0) throw invalid("the first register of a pair is odd", { value: name, allowed: "even" });
    }
    const acquire = ordering.startsWith("a") ? 1 << 22 : 0;
    const release = ordering.endsWith("l") ? 1 << 15 : 0;
    return this.word(
      0x0820_7c00 | size | acquire | release | (expected.number << 16) | (base.number << 5) | desired.number,
    );
  }
  swp(ordering: ArmOrdering, from: Arm64Register, old: Arm64Register, base: Arm64Register, part?: ArmPart): this {
    return this.#atomic(8, ordering, from, old, base, part);
  }
  /** ldadd, ldclr, ldeor, ldset, ldsmax …: `old` receives the old value. */
  ld(
    operator: ArmAtomic,
    ordering: ArmOrdering,
    from: Arm64Register,
    old: Arm64Register,
    base: Arm64Register,
    part?: ArmPart,
  ): this {
    return this.#atomic(ATOMICS[operator], ordering, from, old, base, part);
  }
  /** stadd, stclr, steor, stset, stsmax …: no result, so no acquire. */
  st(operator: ArmAtomic, ordering: "" | "l", from: Arm64Register, base: Arm64Register, part?: ArmPart): this {
    return this.#atomic(ATOMICS[operator], ordering, from, armGpr(31, from.width), base, part);
  }
  #atomic(
    opcode: number,
    ordering: ArmOrdering,
    from: Arm64Register,
    old: Arm64Register,
    base: Arm64Register,
    part: ArmPart | undefined,
  ): this {
    commonSf(from, old);
    const acquire = ordering.startsWith("a") ? 1 << 23 : 0;
    const release = ordering.endsWith("l") ? 1 << 22 : 0;
    const size = partSize(from, part) << 30;
    return this.word(
      0x3820_0000 | size | acquire | release | (from.number << 16) | (opcode << 12) | (base.number << 5) | old.number,
    );
  }
}

/** Offset of a pair, in units of one register. */
function pairOffset(offset: number, bytes: number): number {
  if (offset % bytes !== 0)
    throw invalid("offset of a pair must be a multiple of the register size", {
      value: offset,
      allowed: `multiples of ${bytes}`,
    });
  return checkRange(offset / bytes, -64, 63, "pair offset");
}

/** log2 of the bytes of an access to a part of a register, or all of it. */
function partSize(register: Arm64Register, part: ArmPart | undefined): number {
  return part === "b" ? 0 : part === "h" ? 1 : accessSize(register);
}

function isScaled12(offset: number, size: number): boolean {
  return offset >= 0 && offset % (1 << size) === 0 && offset >> size < 0x1000;
}

/** The status register of a store-exclusive must differ from data and address (Arm ARM, STXR: constrained unpredictable). */
function checkStatus(status: Arm64Register, from: Arm64Register, base: Arm64Register): void {
  if (status.number === from.number || (status.number === base.number && !base.isStackPointer)) {
    throw invalid("status register of a store-exclusive equals its data or address register", {
      value: status.name,
      allowed: "another register",
    });
  }
}
