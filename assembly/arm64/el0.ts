// What EL0 may execute of what systems need: registers and instructions that it has, that SCTLR_EL1 and CNTKCTL_EL1 give it or
// trap, and those that are UNDEFINED there (Arm ARM DDI 0487 C5, D1.3.5, D24: by register and instruction).

import { WaitKind } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { ZERO_SLOT, arm64, isAtEl0 } from "./cpu.ts";
import { PstateField } from "./decodeSystem.ts";
import { A64, Op } from "./operations.ts";

/** What decides whether EL0 may access a register, or execute a system instruction. */
export enum El0Rule {
  /** It doesn't exist there. */
  UNDEFINED = 0,
  ALLOWED = 1,
  // Allowed by a bit of SCTLR_EL1, else trapped.
  UMA = 2,
  UCT = 3,
  UCI = 4,
  DZE = 5,
  // By one of CNTKCTL_EL1.
  /** EL0PCTEN or EL0VCTEN */
  FREQUENCY = 6,
  EL0PCTEN = 7,
  EL0VCTEN = 8,
  EL0PTEN = 9,
  EL0VTEN = 10,
  /** Not by MDSCR_EL1.TDCC. */
  DEBUG_CHANNEL = 11,
}

export enum El0Answer {
  ALLOWED = 0,
  TRAPPED = 1,
  UNDEFINED = 2,
}

const SCTLR_UMA: u64 = 1 << 9;
const SCTLR_DZE: u64 = 1 << 14;
const SCTLR_UCT: u64 = 1 << 15;
const SCTLR_NTWI: u64 = 1 << 16;
const SCTLR_NTWE: u64 = 1 << 18;
const SCTLR_UCI: u64 = 1 << 26;
const CNTKCTL_EL0PCTEN: u64 = 1 << 0;
const CNTKCTL_EL0VCTEN: u64 = 1 << 1;
const CNTKCTL_EL0VTEN: u64 = 1 << 8;
const CNTKCTL_EL0PTEN: u64 = 1 << 9;
const MDSCR_TDCC: u64 = 1 << 12;

/** `register` is op0:op1:CRn:CRm:op2. */
export function ruleOfRead(register: u32): El0Rule {
  switch (register) {
    case 0xde83: // TPIDRRO_EL0
    case 0xd807: // DCZID_EL0
      return El0Rule.ALLOWED;
    case 0xd801: // CTR_EL0
      return El0Rule.UCT;
    case 0xdf00: // CNTFRQ_EL0
      return El0Rule.FREQUENCY;
    case 0xdf01: // CNTPCT_EL0
      return El0Rule.EL0PCTEN;
    case 0xdf02: // CNTVCT_EL0
      return El0Rule.EL0VCTEN;
    case 0x9808: // MDCCSR_EL0
      return El0Rule.DEBUG_CHANNEL;
    default:
      return ruleOfWrite(register);
  }
}

export function ruleOfWrite(register: u32): El0Rule {
  switch (register) {
    case 0xda10: // NZCV
    case 0xde82: // TPIDR_EL0
      return El0Rule.ALLOWED;
    case 0xda11: // DAIF
      return El0Rule.UMA;
    case 0xdf10: // CNTP_TVAL_EL0, CNTP_CTL_EL0, CNTP_CVAL_EL0
    case 0xdf11:
    case 0xdf12:
      return El0Rule.EL0PTEN;
    case 0xdf18: // CNTV_TVAL_EL0, CNTV_CTL_EL0, CNTV_CVAL_EL0
    case 0xdf19:
    case 0xdf1a:
      return El0Rule.EL0VTEN;
    case 0x9820: // DBGDTR_EL0
    case 0x9828: // DBGDTRRX_EL0, DBGDTRTX_EL0
      return El0Rule.DEBUG_CHANNEL;
    default:
      return El0Rule.UNDEFINED;
  }
}

function ruleOfField(field: u32): El0Rule {
  return field == PstateField.DAIFSET || field == PstateField.DAIFCLR ? El0Rule.UMA : El0Rule.UNDEFINED;
}

/** The rule for an instruction of arm64/system.ts, or DC ZVA. */
function ruleOf(d: A64, operation: i32): El0Rule {
  switch (operation) {
    case Op.MRS:
    case Op.MSR:
    case Op.WRITE_STATE:
      return <El0Rule>(<i32>d.ra);
    case Op.SYSTEM_NOP:
      return <El0Rule>d.extra;
    case Op.MSR_IMMEDIATE:
      return ruleOfField(d.extra);
    case Op.ZERO_LINE:
      return El0Rule.DZE;
    case Op.UNSUPPORTED: {
      const isRead = (d.raw & (1 << 21)) != 0;
      const register = (d.raw >>> 5) & 0xffff;
      return isRead ? ruleOfRead(register) : ruleOfWrite(register);
    }
    case Op.HVC:
    case Op.SMC:
    case Op.ERET:
      return El0Rule.UNDEFINED;
    default:
      return El0Rule.ALLOWED;
  }
}

export function ruleAtEl0(cpu: Cpu, d: A64, operation: i32): El0Answer {
  const rule = ruleOf(d, operation);
  if (rule == El0Rule.UNDEFINED) return El0Answer.UNDEFINED;
  return isGiven(cpu, rule) ? El0Answer.ALLOWED : El0Answer.TRAPPED;
}

function isGiven(cpu: Cpu, rule: El0Rule): bool {
  const state = arm64(cpu);
  switch (rule) {
    case El0Rule.UMA:
      return (state.sctlr & SCTLR_UMA) != 0;
    case El0Rule.UCT:
      return (state.sctlr & SCTLR_UCT) != 0;
    case El0Rule.UCI:
      return (state.sctlr & SCTLR_UCI) != 0;
    case El0Rule.DZE:
      return (state.sctlr & SCTLR_DZE) != 0;
    case El0Rule.FREQUENCY:
      return (state.cntkctl & (CNTKCTL_EL0PCTEN | CNTKCTL_EL0VCTEN)) != 0;
    case El0Rule.EL0PCTEN:
      return (state.cntkctl & CNTKCTL_EL0PCTEN) != 0;
    case El0Rule.EL0VCTEN:
      return (state.cntkctl & CNTKCTL_EL0VCTEN) != 0;
    case El0Rule.EL0PTEN:
      return (state.cntkctl & CNTKCTL_EL0PTEN) != 0;
    case El0Rule.EL0VTEN:
      return (state.cntkctl & CNTKCTL_EL0VTEN) != 0;
    case El0Rule.DEBUG_CHANNEL:
      return (state.mdscr & MDSCR_TDCC) == 0;
    default:
      return true;
  }
}

/** SCTLR_EL1.nTWI, nTWE: only a wait that would begin is trapped. */
export function isWaitTrapped(cpu: Cpu, kind: WaitKind): bool {
  if (!isAtEl0(changetype<usize>(cpu))) return false;
  return (arm64(cpu).sctlr & (kind == WaitKind.WFE ? SCTLR_NTWE : SCTLR_NTWI)) == 0;
}

/** ISS of ExceptionClass.SYSTEM (D24.2.44): the fields of the instruction word, in an order of its own. */
export function issOfSystem(word: u32): u32 {
  const op0 = (word >>> 19) & 3;
  const op1 = (word >>> 16) & 7;
  const crn = (word >>> 12) & 15;
  const crm = (word >>> 8) & 15;
  const op2 = (word >>> 5) & 7;
  const isRead = (word >>> 21) & 1;
  return (op0 << 20) | (op2 << 17) | (op1 << 14) | (crn << 10) | ((word & 31) << 5) | (crm << 1) | isRead;
}

const ISS_ALWAYS: u32 = (1 << 24) | (14 << 20); // CV, COND
const ISS_REGISTER_VALID: u32 = 1 << 2;

/** ISS of ExceptionClass.WAIT: which of WFI, WFE, WFIT, WFET; the last two with their register. */
export function issOfWait(d: A64): u32 {
  const operation = <i32>d.operation;
  const isEvent: u32 = operation == Op.WFE || operation == Op.WFET ? 1 : 0;
  if (operation == Op.WFE || operation == Op.WFI) return ISS_ALWAYS | isEvent;
  const register = d.rn == <u8>ZERO_SLOT ? 31 : <u32>d.rn;
  return ISS_ALWAYS | (register << 5) | ISS_REGISTER_VALID | 2 | isEvent;
}
