// Operations that x86-64 instructions are decoded into, and the record of a decoded instruction.

import { Decoded, SPECIAL_KINDS } from "../memory/code.ts";

/**
 * A decoded instruction. Register fields hold byte offsets of words (x86/cpu.ts). `next` and `target` lead to records of
 * the same page only: what a page holds doesn't depend on where it is mapped.
 */
@unmanaged
export class X86 extends Decoded {
  /** Record of the instruction behind this one once known and in the same page, or 0. */
  next: u32;
  /** Direct branches: record of the target, likewise. */
  target: u32;
  displacement: i32;
  /** Immediate operand, sign-extended; a direct branch's offset from the next instruction. */
  immediate: i32;
  /** Register operand (ModRM.reg, or the one in the opcode). */
  reg: u8;
  /** Register named by ModRM.rm, or the base of the address; ZERO for none. */
  rm: u8;
  index: u8;
  /** Set of `Address` bits; 0 for base + displacement. */
  mode: u8;
  length: u8;
  /** Bytes of the operand. */
  size: u8;
  /** Set of `Extra` bits over a number that is said at each operation. */
  extra: u16;
}

export const X86_BYTES: usize = 32;
/** Records of code in writable pages keep the instruction's bytes behind. */
export const RAW_BYTES: usize = X86_BYTES;
export const X86_BYTES_WITH_RAW: usize = 64;
if (offsetof<X86>() > X86_BYTES) ERROR("X86 outgrew its bytes");

/** The 64-bit immediate of MOV, or the address of a MOV to or from an absolute address: in place of two 32-bit fields. */
// @ts-ignore: decorator
@inline
export function wide(d: X86): u64 {
  return load<u64>(changetype<usize>(d), offsetof<X86>("displacement"));
}

/** How an address is made. */
export enum Address {
  /** log2 of the index scale */
  SCALE = 3,
  INDEXED = 4,
  /** Relative to the next instruction. */
  RIP = 8,
  FS = 16,
  GS = 32,
  /** 67 prefix: truncated to 32 bits. */
  SHORT = 64,
  /** The 64-bit field `wide`. */
  ABSOLUTE = 128,
}

export enum Extra {
  /** The low byte is a number. */
  NUMBER = 0xff,
  /** AH, CH, DH or BH: bits 15:8 of the register named. */
  HIGH_REG = 0x100,
  HIGH_RM = 0x200,
  /** rm is in memory. */
  MEMORY = 0x400,
  /** The second operand is `immediate`. */
  IMMEDIATE = 0x800,
  /** reg is the destination rather than rm. */
  TO_REG = 0x1000,
  LOCK = 0x2000,
  /** Strings: REP or REPE. */
  REP = 0x4000,
  REPNE = 0x8000,
  /** Shifts: the count is CL. */
  COUNT_CL = 0x4000,
}

/** Flags of decoded instructions beside those of memory/code.ts. */
export enum X86Flag {
  /** `immediate` is the offset of a direct branch. */
  DIRECT = 0x10,
  /** The memory operand is relative to RSP or RBP: a non-canonical address is a stack fault. */
  STACK = 0x20,
  /** One plain access, which may be requested ahead: its direction, and whether the address is the top of stack. */
  READS = 0x40,
  WRITES = 0x80,
  PUSHES = 0x100,
  POPS = 0x200,
}

/** The eight operations of opcodes 00-3F and group 1, as encoded. */
export enum Alu {
  ADD = 0,
  OR = 1,
  ADC = 2,
  SBB = 3,
  AND = 4,
  SUB = 5,
  XOR = 6,
  CMP = 7,
}

/**
 * Names end in the operand width where it matters; R, I and M say what the operands are: register, immediate, memory
 * (destination first). Alu and Jcc operations stand in the order of their encoding.
 */
export enum Op {
  /** Not an instruction, or not one of this CPU: #UD. */
  UNDEFINED = SPECIAL_KINDS,

  MOV_RR64,
  MOV_RR32,
  /** `wide` */
  MOV_RI,
  LEA64,
  LEA32,
  MOVZX_R16,
  MOVZX_R8,
  MOVSXD_R,

  ADD_RR64,
  OR_RR64,
  ADC_RR64,
  SBB_RR64,
  AND_RR64,
  SUB_RR64,
  XOR_RR64,
  CMP_RR64,
  ADD_RR32,
  OR_RR32,
  ADC_RR32,
  SBB_RR32,
  AND_RR32,
  SUB_RR32,
  XOR_RR32,
  CMP_RR32,
  ADD_RI64,
  OR_RI64,
  ADC_RI64,
  SBB_RI64,
  AND_RI64,
  SUB_RI64,
  XOR_RI64,
  CMP_RI64,
  ADD_RI32,
  OR_RI32,
  ADC_RI32,
  SBB_RI32,
  AND_RI32,
  SUB_RI32,
  XOR_RI32,
  CMP_RI32,
  TEST_RR64,
  TEST_RR32,
  TEST_RR8,
  TEST_RI64,
  TEST_RI32,
  TEST_RI8,
  CMP_RI8,
  INC_R64,
  INC_R32,
  DEC_R64,
  DEC_R32,
  NEG_R64,
  NEG_R32,
  NOT_R64,
  NOT_R32,
  /** extra = count, 1 to 63 */
  SHL_RI64,
  SHL_RI32,
  SHR_RI64,
  SHR_RI32,
  SAR_RI64,
  SAR_RI32,
  /** extra = condition */
  CMOV_RR64,
  CMOV_RR32,
  SETCC_R8,

  LOAD64,
  LOAD32,
  LOAD16,
  LOAD8,
  LOAD_SIGNED32,
  STORE64,
  STORE32,
  STORE16,
  STORE8,
  STORE_I64,
  STORE_I32,
  STORE_I8,
  /** extra = Alu */
  ALU_RM64,
  ALU_RM32,
  CMP_RM64,
  CMP_RM32,
  CMP_MR64,
  CMP_MR32,
  CMP_MI64,
  CMP_MI32,
  CMP_MI8,
  TEST_MR64,
  TEST_MR32,
  TEST_MI32,
  TEST_MI8,

  PUSH_R,
  POP_R,
  CALL,
  RET,
  JMP,
  JMP_R,
  CALL_R,
  JO,
  JNO,
  JB,
  JAE,
  JE,
  JNE,
  JBE,
  JA,
  JS,
  JNS,
  JP,
  JNP,
  JL,
  JGE,
  JLE,
  JG,
  /** NOP in all its lengths, ENDBR64, PREFETCHh, PAUSE */
  NOP,
  /** No instruction: the loop comes back with this when an access of one of the above is not a hit. */
  SLOW_ACCESS,

  // From here on: executeRare.

  // x86/integer.ts; `extra` says where the operands are
  /** extra = Alu */
  ALU,
  TEST,
  /** ADCX, ADOX: extra = CarryChain */
  ADD_CHAINED,
  NOT,
  NEG,
  INC,
  DEC,
  MOV,
  XCHG,
  /** extra: bytes of the source */
  MOVZX,
  MOVSX,
  MOVBE,
  /** extra = condition */
  CMOV,
  SETCC,
  BSWAP,
  /** CBW, CWDE, CDQE */
  CONVERT,
  /** CWD, CDQ, CQO */
  EXTEND,
  XLAT,
  LEA16,
  LAHF,
  SAHF,
  /** extra: 0 clear, 1 set, 2 complement */
  CARRY,
  /** extra: 0 CLD, 1 STD */
  DIRECTION,

  // x86/shifts.ts
  /** extra: ROL, ROR, RCL, RCR, SHL, SHR, SAL, SAR as encoded */
  SHIFT,
  /** extra: 0 SHLD, 1 SHRD */
  DOUBLE_SHIFT,
  /** extra = BmiShift */
  BMI_SHIFT,

  // x86/bits.ts
  /** extra: BT, BTS, BTR, BTC */
  BIT_TEST,
  BSF,
  BSR,
  TZCNT,
  LZCNT,
  POPCNT,
  CRC32,
  /** extra = Bmi */
  BMI,

  // x86/multiply.ts
  MUL,
  IMUL,
  /** reg = rm * (immediate or reg) */
  IMUL_R,
  MULX,
  DIV,
  IDIV,

  // x86/atomics.ts
  XADD,
  CMPXCHG,
  /** CMPXCHG8B, CMPXCHG16B */
  CMPXCHG_PAIR,

  // x86/stack.ts
  /** Register, memory or immediate; 2 or 8 bytes */
  PUSH,
  POP,
  /** extra = Segment */
  PUSH_SEGMENT,
  POP_SEGMENT,
  PUSHF,
  POPF,
  /** immediate: frame size; extra: nesting level */
  ENTER,
  LEAVE,

  // x86/strings.ts
  MOVS,
  CMPS,
  STOS,
  LODS,
  SCAS,

  // x86/control.ts
  CALL_M,
  JMP_M,
  /** immediate: bytes to release */
  RET_I,
  /** extra: 0 LOOPNE, 1 LOOPE, 2 LOOP, 3 JRCXZ; size: bytes of the counter */
  LOOP,

  // x86/far.ts
  /** Through m16:16, m16:32, m16:64 */
  CALL_FAR,
  JMP_FAR,
  RET_FAR,
  IRET,
  SYSCALL,
  SYSRET,

  // x86/segments.ts
  /** extra = Segment */
  MOV_FROM_SEGMENT,
  MOV_TO_SEGMENT,
  /** LSS, LFS, LGS */
  LOAD_FAR_POINTER,
  LLDT,
  LTR,
  SLDT,
  STR,
  LAR,
  LSL,
  VERR,
  VERW,
  LGDT,
  LIDT,
  SGDT,
  SIDT,

  // x86/system.ts
  /** extra: Fence */
  FENCE,
  CLFLUSH,
  CLI,
  STI,
  HLT,
  MONITOR,
  MWAIT,
  /** reg: the control */
  TPAUSE,
  UMWAIT,
  /** reg: the address; extra: Segment */
  UMONITOR,
  /** immediate: vector */
  INT,
  INT3,
  ICEBP,
  IN,
  OUT,
  CPUID,
  RDTSC,
  RDTSCP,
  RDPID,
  RDMSR,
  WRMSR,
  RDPMC,
  /** reg: the general register; extra: number */
  MOV_FROM_CR,
  MOV_TO_CR,
  MOV_FROM_DR,
  MOV_TO_DR,
  LMSW,
  SMSW,
  CLTS,
  INVLPG,
  INVPCID,
  WBINVD,
  SWAPGS,
  /** extra: 0 FS, 1 GS */
  READ_BASE,
  WRITE_BASE,
  /** CLAC, STAC: extra = AC */
  ACCESS_CHECK,
  XGETBV,
  XSETBV,
  FWAIT,
  X87,
  MMX,
  SSE,
  /** Longer than 15 bytes: #GP. */
  TOO_LONG,
  /** The instruction goes on in a page that nothing can be fetched from. */
  FETCH_FAULT,
  /** Defined by the architecture, announced or not faulting there, and not modelled: stops the machine. */
  UNSUPPORTED,
}

/** First operations of the groups that rare.ts hands out. */
export const INTEGER_FIRST: i32 = Op.ALU;
export const SHIFTS_FIRST: i32 = Op.SHIFT;
export const BITS_FIRST: i32 = Op.BIT_TEST;
export const MULTIPLY_FIRST: i32 = Op.MUL;
export const ATOMICS_FIRST: i32 = Op.XADD;
export const STACK_FIRST: i32 = Op.PUSH;
export const STRINGS_FIRST: i32 = Op.MOVS;
export const CONTROL_FIRST: i32 = Op.CALL_M;
export const FAR_FIRST: i32 = Op.CALL_FAR;
export const SEGMENTS_FIRST: i32 = Op.MOV_FROM_SEGMENT;
export const SYSTEM_FIRST: i32 = Op.FENCE;

/** Fences; those of group 15 as encoded in ModRM.reg. */
export enum Fence {
  SERIALIZE = 0,
  LFENCE = 5,
  MFENCE = 6,
  SFENCE = 7,
}

/** Segment registers as encoded in ModRM.reg. */
export enum Segment {
  ES = 0,
  CS = 1,
  SS = 2,
  DS = 3,
  FS = 4,
  GS = 5,
}

/** The flag that carries from one addition to the next. */
export enum CarryChain {
  /** ADCX: CF */
  CF = 0,
  /** ADOX: OF */
  OF = 1,
}

export enum BmiShift {
  RORX = 0,
  SARX = 1,
  SHLX = 2,
  SHRX = 3,
}

export enum Bmi {
  ANDN = 0,
  BLSR = 1,
  BLSMSK = 2,
  BLSI = 3,
  BZHI = 4,
  PEXT = 5,
  PDEP = 6,
  BEXTR = 7,
}

/** Calls, returns and other jumps to registers: a loop may hold them, and comes round by none of them. */
// @ts-ignore: decorator
@inline
export function leavesRoutine(operation: i32): bool {
  if (operation == Op.CALL || operation == Op.RET) return true;
  return operation == Op.JMP_R || operation == Op.CALL_R || operation == Op.CALL_M || operation == Op.RET_I;
}
