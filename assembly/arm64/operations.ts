// Operations that AArch64 instructions are decoded into, and the record of a decoded instruction.

import { Decoded, SPECIAL_KINDS } from "../memory/code.ts";

/**
 * A decoded A64 instruction. Register fields hold slots (arm64/cpu.ts). What `immediate` and `extra` mean is said at each
 * operation; branches keep their offset in `immediate`.
 */
@unmanaged
export class A64 extends Decoded {
  rd: u8;
  rn: u8;
  rm: u8;
  ra: u8;
  /** The instruction word. */
  raw: u32;
  immediate: i64;
  /** Branches: decoded record of the target once known and in the same page. Loads: what stands behind them (early.ts). */
  target: u32;
  extra: u32;
}

export const A64_BYTES: usize = 32;
if (offsetof<A64>() > A64_BYTES) ERROR("A64 outgrew its bytes");

/** Names end in 64 or 32 where the register width matters; widths of memory accesses are given in bytes where they do. */
export enum Op {
  // Data processing, immediate (Arm ARM DDI 0487 C4.1.92)
  MOVE_IMMEDIATE = SPECIAL_KINDS,
  ADR,
  ADRP,
  /** immediate = value in place, extra = shift */
  MOVK64,
  ADD_IMMEDIATE64,
  ADD_IMMEDIATE32,
  ADDS_IMMEDIATE64,
  ADDS_IMMEDIATE32,
  SUBS_IMMEDIATE64,
  SUBS_IMMEDIATE32,
  AND_IMMEDIATE,
  ORR_IMMEDIATE64,
  ORR_IMMEDIATE32,
  ANDS_IMMEDIATE64,
  ANDS_IMMEDIATE32,
  /** (rn >> extra) & immediate */
  UBFX,
  /** (rn & immediate) << extra */
  UBFIZ,
  /** immediate = left shift, extra = arithmetic right shift */
  SBFX64,
  SBFX32,
  /** Rotate rn right by extra, insert where immediate has ones. */
  BFM64,
  BFM32,

  // Data processing, register (C4.1.95)
  ADD_REGISTER64,
  ADD_REGISTER32,
  SUB_REGISTER64,
  SUB_REGISTER32,
  ADDS_REGISTER64,
  ADDS_REGISTER32,
  SUBS_REGISTER64,
  SUBS_REGISTER32,
  AND_REGISTER64,
  AND_REGISTER32,
  ORR_REGISTER64,
  ORR_REGISTER32,
  EOR_REGISTER64,
  EOR_REGISTER32,
  ANDS_REGISTER64,
  ANDS_REGISTER32,
  /** rn if the condition in extra (flags.ts) holds, else what is made of rm */
  CSEL64,
  CSEL32,
  CSINC64,
  CSINC32,
  MADD64,

  // Branches (C4.1.94)
  B,
  BL,
  /** B.cond by condition; extra = condition. B.AL and B.NV are B. */
  B_EQ,
  B_NE,
  B_CS,
  B_CC,
  B_MI,
  B_PL,
  B_VS,
  B_VC,
  B_HI,
  B_LS,
  B_GE,
  B_LT,
  B_GT,
  B_LE,
  CBZ64,
  CBZ32,
  CBNZ64,
  CBNZ32,
  /** extra = bit number */
  TBZ,
  TBNZ,
  /** From here on the target is in a register. */
  BR,
  BLR,

  // Loads and stores (C4.1.96); rd = data, rn = base; extra as of LOAD. In eights, in the order of the first.
  /** Base plus immediate. */
  LOAD64,
  LOAD32,
  LOAD16,
  LOAD8,
  STORE64,
  STORE32,
  STORE16,
  STORE8,
  /** Base plus extended register, shifted left by immediate. */
  LOAD_REGISTER64,
  LOAD_REGISTER32,
  LOAD_REGISTER16,
  LOAD_REGISTER8,
  STORE_REGISTER64,
  STORE_REGISTER32,
  STORE_REGISTER16,
  STORE_REGISTER8,
  /** Pre-indexed or post-indexed. */
  LOAD_INDEXED64,
  LOAD_INDEXED32,
  LOAD_INDEXED16,
  LOAD_INDEXED8,
  STORE_INDEXED64,
  STORE_INDEXED32,
  STORE_INDEXED16,
  STORE_INDEXED8,
  /** rd, ra = data */
  LOAD_PAIR64,
  LOAD_PAIR32,
  STORE_PAIR64,
  STORE_PAIR32,

  /** MRS of a register that is just a word of the CPU's record: extra = its offset. */
  READ_STATE,
  /** Likewise a word that EL0 has not. */
  READ_EL1_STATE,
  NOP,
  YIELD,

  // From here to UMULH: executeInteger.
  INTEGER,
  /** Operand 2 = rm shifted or extended: extra = arithmetic operation | operand kind << 8 | amount << 16 */
  ARITHMETIC64 = INTEGER,
  ARITHMETIC32,
  /** extra likewise, with logical operations */
  LOGICAL64,
  LOGICAL32,
  /** extra: bit 0 subtract, bit 1 set flags */
  ADD_WITH_CARRY64,
  ADD_WITH_CARRY32,
  /** extra = condition (flags.ts) | nzcv << 4 | compare-negative << 8; immediate or rm as operand */
  CONDITIONAL_COMPARE_IMMEDIATE64,
  CONDITIONAL_COMPARE_IMMEDIATE32,
  CONDITIONAL_COMPARE_REGISTER64,
  CONDITIONAL_COMPARE_REGISTER32,
  /** As CSEL. */
  CSINV64,
  CSINV32,
  CSNEG64,
  CSNEG32,
  /** extra = one-source operation */
  ONE_SOURCE64,
  ONE_SOURCE32,
  UDIV64,
  UDIV32,
  SDIV64,
  SDIV32,
  LSLV64,
  LSLV32,
  LSRV64,
  LSRV32,
  ASRV64,
  ASRV32,
  RORV64,
  RORV32,
  /** As MOVK64, EOR of an immediate. */
  MOVK32,
  EOR_IMMEDIATE64,
  EOR_IMMEDIATE32,
  /** Rn:Rm, from bit extra on. */
  EXTR64,
  EXTR32,
  MADD32,
  MSUB64,
  MSUB32,
  /** extra = log2 of the operand's bytes, bit 2: CRC32C */
  CRC32,
  SMADDL,
  SMSUBL,
  UMADDL,
  UMSUBL,
  SMULH,
  UMULH,

  // From here on: executeRare.
  /** Any other plain load or store: extra describes it (decodeLoadStore.ts) */
  LOAD,
  STORE,
  LOAD_PAIR,
  STORE_PAIR,
  LOAD_LITERAL,
  /** DC ZVA; rn = address */
  ZERO_LINE,

  // immediate = bytes accessed, extra begins with log2 of the size of a register's share
  /** LDAR, LDAPR; STLR */
  LOAD_ACQUIRE,
  STORE_RELEASE,
  /** extra also: EXCLUSIVE_PAIR; rd, ra = data; rm = status */
  LOAD_EXCLUSIVE,
  STORE_EXCLUSIVE,
  /** extra also: atomic operation << 4; rm = operand, rd = old value */
  ATOMIC,
  COMPARE_AND_SWAP,
  COMPARE_AND_SWAP_PAIR,

  CLREX,
  DMB,
  DSB,
  ISB,
  WFE,
  WFI,
  /** rn = value of CNTVCT_EL0 at which to go on */
  WFET,
  WFIT,
  SEV,
  SEVL,
  /** extra = field, immediate = value */
  MSR_IMMEDIATE,
  /** Has nothing to do here: extra = `El0Rule` (arm64/el0.ts) */
  SYSTEM_NOP,
  /** extra = SystemRegister, ra = `El0Rule`; of constants immediate = value */
  MRS,
  MSR,
  /** MSR of a word of the CPU's record: extra = its offset, immediate = the bits that can be written */
  WRITE_STATE,
  SVC,
  HVC,
  SMC,
  BRK,
  ERET,
  /** Unallocated encoding: exception with EC 0. */
  UNDEFINED,
  /** Defined by the architecture and not modelled: the machine stops and says so. */
  UNSUPPORTED,
}

export enum AddressMode {
  OFFSET = 0,
  PRE_INDEX = 1,
  POST_INDEX = 2,
  REGISTER = 3,
}

/** Calls, returns and other jumps to registers: a loop may hold them, and comes round by none of them. */
// @ts-ignore: decorator
@inline
export function leavesRoutine(operation: i32): bool {
  return operation == Op.BL || operation == Op.BR || operation == Op.BLR;
}
