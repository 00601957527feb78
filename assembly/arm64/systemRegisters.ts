// System registers that exist at EL1 (Arm ARM DDI 0487 D24; GIC CPU interface: Arm IHI 0069H 12.2), and what reading and
// writing each is decoded into: most are constants, or words of the CPU's record; a few do something (sysreg.ts).

import { Timing } from "../../src/abi.ts";
import { machine } from "../machine.ts";
import {
  InterfaceRegister,
  interfaceIsReadable,
  interfaceIsWritable,
  interfaceRegister,
  interfaceSends,
} from "../interrupts/gic/registers.ts";
import { DecodedFlag } from "../memory/code.ts";
import { Arm64State, STATE_OFFSET } from "./cpu.ts";
import { El0Rule, ruleOfRead, ruleOfWrite } from "./el0.ts";
import { setOperation } from "./fields.ts";
import { A64, Op } from "./operations.ts";

/** Registers that are more than a word: `extra` of MRS and MSR. */
export enum SystemRegister {
  /** Not one of these. */
  NONE = 0,
  /** The value stands in the decoded instruction. */
  CONSTANT,
  SP_EL0,
  SPSEL,
  DAIF,
  NZCV,
  CNTPCT_EL0,
  CNTVCT_EL0,
  ISR_EL1,
  CNTKCTL_EL1,
  CNTP_TVAL_EL0,
  CNTP_CTL_EL0,
  CNTP_CVAL_EL0,
  CNTV_TVAL_EL0,
  CNTV_CTL_EL0,
  CNTV_CVAL_EL0,
  /** FEAT_NMI. */
  ALLINT,
  SCTLR_EL1,
  /** And from here the registers of the GIC's CPU interface: INTERFACE + an `InterfaceRegister`. */
  INTERFACE,
}

// --- identification --------------------------------------------------------------------------------------------------

/** Implementer "A" stands for Arm; variant, part and revision 0: no particular product. */
const MIDR_VALUE: u64 = 0x410f_0000;
/** EL0 to EL3 in AArch64 only, no floating point, no SIMD (0xf in both fields), GIC system registers. */
const PFR0_VALUE: u64 = ((<u64>1) << 24) | ((<u64>0xff) << 16) | 0x1111;
/** FEAT_NMI. */
const PFR1_NMI: u64 = (<u64>1) << 36;
/** Armv8.2 debug with two breakpoints and two watchpoints, the least that is allowed. */
const DFR0_VALUE: u64 = ((<u64>1) << 20) | ((<u64>1) << 12) | 8;
/** Large System Extension atomics, CRC32 instructions: what Armv8.1 demands. */
const ISAR0_VALUE: u64 = ((<u64>2) << 20) | ((<u64>1) << 16);
/** LDAPR. */
const ISAR1_VALUE: u64 = (<u64>1) << 20;
/** WFET, WFIT. */
const ISAR2_VALUE: u64 = 2;
/** 40-bit physical addresses, 4 KiB granule only. */
const MMFR0_VALUE: u64 = ((<u64>0xf) << 24) | 2;
/** 64-byte lines, exclusive granule 16 words, IDC and DIC: instruction and data caches need no maintenance. */
const CTR_VALUE: u64 =
  ((<u64>1) << 31) | ((<u64>3) << 28) | ((<u64>4) << 24) | ((<u64>4) << 20) | ((<u64>4) << 16) | ((<u64>3) << 14) | 4;
/** DC ZVA zeroes 16 words. */
const DCZID_VALUE: u64 = 4;
/** CurrentEL: EL1. */
const CURRENT_EL_VALUE: u64 = 4;
/** System register access is the only one: SRE, DFB, DIB are fixed. */
const ICC_SRE_VALUE: u64 = 7;
/** OSLSR_EL1: the OS lock is there, and open. */
const OSLSR_VALUE: u64 = 8;

/** ID registers, CRn = 0, CRm = 1 to 7: unlisted ones read as zero, as the architecture reserves them. */
const ID_FIRST: u32 = 0xc008;
const ID_LAST: u32 = 0xc03f;

let constantValue: u64 = 0;

/** Whether a register always reads as `constantValue`. Writes to those that take any are ignored. */
function isConstant(register: u32): bool {
  constantValue = 0;
  switch (register) {
    case 0xc000: // MIDR_EL1
      constantValue = MIDR_VALUE;
      return true;
    case 0xc020: // ID_AA64PFR0_EL1
      constantValue = PFR0_VALUE;
      return true;
    case 0xc021: // ID_AA64PFR1_EL1
      constantValue = machine().featNmi != 0 ? PFR1_NMI : 0;
      return true;
    case 0xc028: // ID_AA64DFR0_EL1
      constantValue = DFR0_VALUE;
      return true;
    case 0xc030: // ID_AA64ISAR0_EL1
      constantValue = ISAR0_VALUE;
      return true;
    case 0xc031: // ID_AA64ISAR1_EL1
      constantValue = ISAR1_VALUE;
      return true;
    case 0xc032: // ID_AA64ISAR2_EL1
      constantValue = ISAR2_VALUE;
      return true;
    case 0xc038: // ID_AA64MMFR0_EL1
      constantValue = MMFR0_VALUE;
      return true;
    case 0xd801: // CTR_EL0
      constantValue = CTR_VALUE;
      return true;
    case 0xd807: // DCZID_EL0
      constantValue = DCZID_VALUE;
      return true;
    case 0xc212: // CurrentEL
      constantValue = CURRENT_EL_VALUE;
      return true;
    case 0xc665: // ICC_SRE_EL1
      constantValue = ICC_SRE_VALUE;
      return true;
    case 0x808c: // OSLSR_EL1
      constantValue = OSLSR_VALUE;
      return true;
    case 0xdf00: // CNTFRQ_EL0
      constantValue = machine().counterHz;
      return true;
    case 0xc006: // REVIDR_EL1
    case 0xc800: // CCSIDR_EL1
    case 0xc801: // CLIDR_EL1: no cache that software could maintain by set and way
    case 0xc807: // AIDR_EL1
    case 0xc081: // ACTLR_EL1
    case 0xc082: // CPACR_EL1: nothing there to be trapped
    case 0x809c: // OSDLR_EL1
      return true;
    default:
      return register >= ID_FIRST && register <= ID_LAST;
  }
}

function ignoresWrites(register: u32): bool {
  switch (register) {
    case 0xc081: // ACTLR_EL1
    case 0xc082: // CPACR_EL1
    case 0xc665: // ICC_SRE_EL1
    case 0x8084: // OSLAR_EL1
    case 0x809c: // OSDLR_EL1
      return true;
    default:
      return false;
  }
}

// --- words -----------------------------------------------------------------------------------------------------------

const ALL_BITS: u64 = u64.MAX_VALUE;
const LOW_WORD: u64 = 0xffff_ffff;

let writableBits: u64 = 0;

/** Offset in Arm64State of a register that is just a word, or -1; leaves what can be written of it in `writableBits`. */
function wordOf(register: u32): i32 {
  writableBits = ALL_BITS;
  switch (register) {
    case 0xc684: // TPIDR_EL1
      return offsetof<Arm64State>("tpidrEl1");
    case 0xde82: // TPIDR_EL0
      return offsetof<Arm64State>("tpidrEl0");
    case 0xde83: // TPIDRRO_EL0
      return offsetof<Arm64State>("tpidrroEl0");
    case 0xc201: // ELR_EL1
      return offsetof<Arm64State>("elr");
    case 0xc200: // SPSR_EL1
      writableBits = LOW_WORD;
      return offsetof<Arm64State>("spsr");
    case 0xc290: // ESR_EL1
      return offsetof<Arm64State>("esr");
    case 0xc300: // FAR_EL1
      return offsetof<Arm64State>("far");
    case 0xc600: // VBAR_EL1
      writableBits = ~(<u64>0x7ff);
      return offsetof<Arm64State>("vbar");
    case 0xc005: // MPIDR_EL1
      writableBits = 0;
      return offsetof<Arm64State>("mpidr");
    default:
      return translationWordOf(register);
  }
}

/** Registers of translation, debug and the like, which hold what is written and do nothing else in this version. */
function translationWordOf(register: u32): i32 {
  switch (register) {
    case 0xc080: // SCTLR_EL1
      return offsetof<Arm64State>("sctlr");
    case 0xc100: // TTBR0_EL1
      return offsetof<Arm64State>("ttbr0");
    case 0xc101: // TTBR1_EL1
      return offsetof<Arm64State>("ttbr1");
    case 0xc102: // TCR_EL1
      return offsetof<Arm64State>("tcr");
    case 0xc510: // MAIR_EL1
      return offsetof<Arm64State>("mair");
    case 0xc518: // AMAIR_EL1
      return offsetof<Arm64State>("amair");
    case 0xc288: // AFSR0_EL1
      return offsetof<Arm64State>("afsr0");
    case 0xc289: // AFSR1_EL1
      return offsetof<Arm64State>("afsr1");
    case 0xc3a0: // PAR_EL1
      return offsetof<Arm64State>("par");
    case 0xc681: // CONTEXTIDR_EL1
      writableBits = LOW_WORD;
      return offsetof<Arm64State>("contextidr");
    case 0x8012: // MDSCR_EL1
      writableBits = LOW_WORD;
      return offsetof<Arm64State>("mdscr");
    case 0xd000: // CSSELR_EL1
      writableBits = 0xf;
      return offsetof<Arm64State>("csselr");
    default:
      return -1;
  }
}

// --- the others ------------------------------------------------------------------------------------------------------

function systemRegister(register: u32): SystemRegister {
  switch (register) {
    case 0xc208:
      return SystemRegister.SP_EL0;
    case 0xc210:
      return SystemRegister.SPSEL;
    case 0xda11:
      return SystemRegister.DAIF;
    case 0xda10:
      return SystemRegister.NZCV;
    case 0xdf01:
      return SystemRegister.CNTPCT_EL0;
    case 0xdf02:
      return SystemRegister.CNTVCT_EL0;
    case 0xc608:
      return SystemRegister.ISR_EL1;
    case 0xc218:
      return machine().featNmi != 0 ? SystemRegister.ALLINT : SystemRegister.NONE;
    case 0xc080:
      return SystemRegister.SCTLR_EL1;
    default: {
      const timer = timerRegister(register);
      if (timer != SystemRegister.NONE) return timer;
      const one = interfaceRegister(register);
      return one == InterfaceRegister.NONE ? SystemRegister.NONE : SystemRegister.INTERFACE + one;
    }
  }
}

/** Registers of the generic timers that EL1 has. */
function timerRegister(register: u32): SystemRegister {
  switch (register) {
    case 0xc708:
      return SystemRegister.CNTKCTL_EL1;
    case 0xdf10:
      return SystemRegister.CNTP_TVAL_EL0;
    case 0xdf11:
      return SystemRegister.CNTP_CTL_EL0;
    case 0xdf12:
      return SystemRegister.CNTP_CVAL_EL0;
    case 0xdf18:
      return SystemRegister.CNTV_TVAL_EL0;
    case 0xdf19:
      return SystemRegister.CNTV_CTL_EL0;
    case 0xdf1a:
      return SystemRegister.CNTV_CVAL_EL0;
    default:
      return SystemRegister.NONE;
  }
}

function isReadable(register: SystemRegister): bool {
  if (register > SystemRegister.INTERFACE) return interfaceIsReadable(register - SystemRegister.INTERFACE);
  return register != SystemRegister.NONE;
}

function isWritable(register: SystemRegister): bool {
  if (register > SystemRegister.INTERFACE) return interfaceIsWritable(register - SystemRegister.INTERFACE);
  switch (register) {
    case SystemRegister.NONE:
    case SystemRegister.CNTPCT_EL0:
    case SystemRegister.CNTVCT_EL0:
    case SystemRegister.ISR_EL1:
      return false;
    default:
      return true;
  }
}

/**
 * Registers that a spin loop may read: reading them changes nothing, and messages don't change them. ISTATUS of a timer
 * changes at a deadline of the CPU, which ends the elision.
 */
function isSteady(register: SystemRegister): bool {
  if (register == SystemRegister.CNTP_CTL_EL0 || register == SystemRegister.CNTV_CTL_EL0) return true;
  return register <= SystemRegister.CNTVCT_EL0 || register == SystemRegister.ALLINT;
}

export function isCounter(register: SystemRegister): bool {
  return register == SystemRegister.CNTPCT_EL0 || register == SystemRegister.CNTVCT_EL0;
}

/** Registers that every such PE has, but that are not modelled. */
function isUnsupported(register: u32, write: bool): bool {
  switch (register) {
    case 0x8080: // MDRAR_EL1
    case 0x83f6: // DBGAUTHSTATUS_EL1
    case 0x9808: // MDCCSR_EL0
      return !write;
    default:
      return isDebug(register);
  }
}

/** Self-hosted debug: breakpoints and watchpoints 0 and 1, communication and claim registers. */
function isDebug(register: u32): bool {
  switch (register) {
    case 0x8004: // DBGBVR, DBGBCR, DBGWVR, DBGWCR 0 and 1
    case 0x8005:
    case 0x8006:
    case 0x8007:
    case 0x800c:
    case 0x800d:
    case 0x800e:
    case 0x800f:
    case 0x8010: // MDCCINT_EL1
    case 0x8002: // OSDTRRX_EL1
    case 0x801a: // OSDTRTX_EL1
    case 0x8032: // OSECCR_EL1
    case 0x80a4: // DBGPRCR_EL1
    case 0x83c6: // DBGCLAIMSET_EL1
    case 0x83ce: // DBGCLAIMCLR_EL1
    case 0x9820: // DBGDTR_EL0
    case 0x9828: // DBGDTRRX_EL0, DBGDTRTX_EL0
      return true;
    default:
      return false;
  }
}

// --- decoding --------------------------------------------------------------------------------------------------------

function sideEffect(d: A64, operation: Op, cost: Timing): void {
  setOperation(d, operation, cost);
  d.flags |= <u16>DecodedFlag.SIDE_EFFECT;
}

/** MRS; `register` is op0:op1:CRn:CRm:op2. What is not there stays UNDEFINED. */
export function decodeRead(d: A64, register: u32): void {
  const word = wordOf(register);
  const special = systemRegister(register);
  d.ra = <u8>ruleOfRead(register);
  if (word >= 0) {
    d.extra = <u32>STATE_OFFSET + word;
    const operation = d.ra == <u8>El0Rule.ALLOWED ? Op.READ_STATE : Op.READ_EL1_STATE;
    setOperation(d, operation, Timing.COST_SYSTEM_READ);
  } else if (isConstant(register)) {
    d.immediate = <i64>constantValue;
    d.extra = SystemRegister.CONSTANT;
    setOperation(d, Op.MRS, Timing.COST_SYSTEM_READ);
  } else if (isReadable(special)) {
    d.extra = special;
    setOperation(d, Op.MRS, isCounter(special) ? Timing.COST_READ_COUNTER : Timing.COST_SYSTEM_READ);
    if (!isSteady(special)) d.flags |= <u16>DecodedFlag.SIDE_EFFECT;
  } else if (isUnsupported(register, false)) {
    sideEffect(d, Op.UNSUPPORTED, Timing.COST_SIMPLE);
  }
}

/** MSR (register). */
export function decodeWrite(d: A64, register: u32): void {
  const word = wordOf(register);
  const special = systemRegister(register);
  d.ra = <u8>ruleOfWrite(register);
  if (isWritable(special)) {
    d.extra = special;
    const sends = special > SystemRegister.INTERFACE && interfaceSends(special - SystemRegister.INTERFACE);
    sideEffect(d, Op.MSR, sends ? Timing.COST_SEND_INTERRUPT : Timing.COST_SYSTEM_WRITE);
  } else if (word >= 0 && writableBits != 0) {
    d.extra = <u32>STATE_OFFSET + word;
    d.immediate = <i64>writableBits;
    sideEffect(d, Op.WRITE_STATE, Timing.COST_SYSTEM_WRITE);
  } else if (ignoresWrites(register)) {
    d.extra = El0Rule.UNDEFINED;
    setOperation(d, Op.SYSTEM_NOP, Timing.COST_SYSTEM_WRITE);
  } else if (isUnsupported(register, true)) {
    sideEffect(d, Op.UNSUPPORTED, Timing.COST_SIMPLE);
  }
}
