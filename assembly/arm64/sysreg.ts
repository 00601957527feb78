// System registers of a PE at EL1 (Arm ARM DDI 0487 D24; GIC CPU interface: Arm IHI 0069H 12.2).

import { Timing } from "../../src/abi.ts";
import { Cpu, Pending } from "../cpu.ts";
import { timing } from "../machine.ts";
import {
  PRIORITY_MASK,
  gicAcknowledge,
  gicDeactivate,
  gicEndOfInterrupt,
  gicHighestPending,
  gicOf,
  gicSendSgi,
  gicUpdate,
  runningPriority,
} from "../interrupts/gic.ts";
import { counterNow, counterFrequency } from "./counter.ts";
import { PSTATE_DAIF, arm64, readNzcv, writeNzcv } from "./cpu.ts";
import { setDaif, selectStack } from "./exception.ts";

// Encodings: op0:op1:CRn:CRm:op2, as they stand in bits 20:5 of MRS and MSR.
const MIDR_EL1: u32 = 0xc000;
const MPIDR_EL1: u32 = 0xc005;
const ID_FIRST: u32 = 0xc008; // CRm = 1
const ID_LAST: u32 = 0xc03f; // CRm = 7
const ID_AA64PFR0_EL1: u32 = 0xc020;
const ID_AA64ISAR0_EL1: u32 = 0xc030;
const ID_AA64ISAR1_EL1: u32 = 0xc031;
const ID_AA64MMFR0_EL1: u32 = 0xc038;
const SCTLR_EL1: u32 = 0xc080;
const CPACR_EL1: u32 = 0xc082;
const TTBR0_EL1: u32 = 0xc100;
const TTBR1_EL1: u32 = 0xc101;
const TCR_EL1: u32 = 0xc102;
const SPSR_EL1: u32 = 0xc200;
const ELR_EL1: u32 = 0xc201;
const SP_EL0: u32 = 0xc208;
const SPSEL: u32 = 0xc210;
const CURRENT_EL: u32 = 0xc212;
const ICC_PMR_EL1: u32 = 0xc230;
const AFSR0_EL1: u32 = 0xc288;
const AFSR1_EL1: u32 = 0xc289;
const ESR_EL1: u32 = 0xc290;
const FAR_EL1: u32 = 0xc300;
const PAR_EL1: u32 = 0xc3a0;
const MAIR_EL1: u32 = 0xc510;
const AMAIR_EL1: u32 = 0xc518;
const VBAR_EL1: u32 = 0xc600;
const ISR_EL1: u32 = 0xc608;
const ICC_IAR0_EL1: u32 = 0xc640;
const ICC_EOIR0_EL1: u32 = 0xc641;
const ICC_HPPIR0_EL1: u32 = 0xc642;
const ICC_BPR0_EL1: u32 = 0xc643;
const ICC_AP0R0_EL1: u32 = 0xc644;
const ICC_AP1R0_EL1: u32 = 0xc648;
const ICC_DIR_EL1: u32 = 0xc659;
const ICC_RPR_EL1: u32 = 0xc65b;
const ICC_SGI1R_EL1: u32 = 0xc65d;
const ICC_IAR1_EL1: u32 = 0xc660;
const ICC_EOIR1_EL1: u32 = 0xc661;
const ICC_HPPIR1_EL1: u32 = 0xc662;
const ICC_BPR1_EL1: u32 = 0xc663;
const ICC_CTLR_EL1: u32 = 0xc664;
const ICC_SRE_EL1: u32 = 0xc665;
const ICC_IGRPEN0_EL1: u32 = 0xc666;
const ICC_IGRPEN1_EL1: u32 = 0xc667;
const CONTEXTIDR_EL1: u32 = 0xc681;
const TPIDR_EL1: u32 = 0xc684;
const CNTKCTL_EL1: u32 = 0xc708;
const MDSCR_EL1: u32 = 0x8012;
const OSLAR_EL1: u32 = 0x8084;
const CLIDR_EL1: u32 = 0xc801;
const CSSELR_EL1: u32 = 0xd000;
const CTR_EL0: u32 = 0xd801;
const DCZID_EL0: u32 = 0xd807;
const NZCV: u32 = 0xda10;
const DAIF: u32 = 0xda11;
const TPIDR_EL0: u32 = 0xde82;
const TPIDRRO_EL0: u32 = 0xde83;
const CNTFRQ_EL0: u32 = 0xdf00;
const CNTPCT_EL0: u32 = 0xdf01;
const CNTVCT_EL0: u32 = 0xdf02;

/** Implementer "A" stands for Arm; variant, part and revision 0: no particular product. */
const MIDR_VALUE: u64 = 0x410f_0000;
/** EL0 and EL1 in AArch64 only, no SIMD (0xf in both fields), GIC system registers. */
const PFR0_VALUE: u64 = (<u64>1 << 24) | (<u64>0xff << 16) | 0x11;
/** Large System Extension atomics. */
const ISAR0_VALUE: u64 = <u64>2 << 20;
/** LDAPR. */
const ISAR1_VALUE: u64 = <u64>1 << 20;
/** 40-bit physical addresses, 4 KiB granule. */
const MMFR0_VALUE: u64 = (<u64>0xf << 24) | 2;
/** 64-byte lines, exclusive granule 16 words, IDC and DIC: instruction and data caches need no maintenance. */
const CTR_VALUE: u64 = (<u64>1 << 31) | (<u64>3 << 28) | (<u64>4 << 24) | (<u64>4 << 20) | (<u64>4 << 16) | (<u64>3 << 14) | 4;
/** DC ZVA is prohibited. */
const DCZID_VALUE: u64 = 0x10;
const ICC_CTLR_FIXED: u32 = (4 << 8) | (1 << 15) | (1 << 18); // PRIbits 5, A3V, RSS
const ICC_CTLR_WRITABLE: u32 = 3; // CBPR, EOImode
/** System register access is the only one: SRE, DFB, DIB are fixed. */
const ICC_SRE_VALUE: u64 = 7;
/** CurrentEL: EL1. */
const CURRENT_EL_VALUE: u64 = 4;
const ISR_I: u64 = 1 << 7;
const ISR_F: u64 = 1 << 6;

export let systemValue: u64 = 0;

/** MRS; the value is left in `systemValue`. @returns false when the register is undefined or write-only */
export function readSystem(cpu: Cpu, register: u32): bool {
  if (register >= ID_FIRST && register <= ID_LAST) {
    systemValue = identification(register);
    return true;
  }
  const state = arm64(cpu);
  switch (register) {
    case TPIDR_EL1:
      systemValue = state.tpidrEl1;
      return true;
    case DAIF:
      systemValue = state.daif;
      return true;
    case CNTVCT_EL0:
    case CNTPCT_EL0:
      systemValue = counterNow(cpu);
      cpu.clock += <u64>timing(Timing.COST_READ_COUNTER) - <u64>timing(Timing.COST_SYSTEM_READ);
      return true;
    case ESR_EL1:
      systemValue = state.esr;
      return true;
    case ELR_EL1:
      systemValue = state.elr;
      return true;
    case SPSR_EL1:
      systemValue = state.spsr;
      return true;
    case FAR_EL1:
      systemValue = state.far;
      return true;
    case VBAR_EL1:
      systemValue = state.vbar;
      return true;
    case SP_EL0:
      systemValue = state.otherSp;
      return state.spsel != 0; // UNDEFINED while it is the current stack pointer
    case SPSEL:
      systemValue = state.spsel;
      return true;
    case CURRENT_EL:
      systemValue = CURRENT_EL_VALUE;
      return true;
    case NZCV:
      systemValue = readNzcv(changetype<usize>(cpu));
      return true;
    case MPIDR_EL1:
      systemValue = state.mpidr | 0x8000_0000;
      return true;
    case MIDR_EL1:
      systemValue = MIDR_VALUE;
      return true;
    case SCTLR_EL1:
      systemValue = state.sctlr;
      return true;
    case CTR_EL0:
      systemValue = CTR_VALUE;
      return true;
    case DCZID_EL0:
      systemValue = DCZID_VALUE;
      return true;
    case CNTFRQ_EL0:
      systemValue = counterFrequency();
      return true;
    case TPIDR_EL0:
      systemValue = state.tpidrEl0;
      return true;
    case TPIDRRO_EL0:
      systemValue = state.tpidrroEl0;
      return true;
    default:
      return readPlain(cpu, register) || readInterface(cpu, register);
  }
}

/** ID registers: unlisted ones read as zero, as the architecture reserves them (D24.2.x "RAZ"). */
function identification(register: u32): u64 {
  switch (register) {
    case ID_AA64PFR0_EL1:
      return PFR0_VALUE;
    case ID_AA64ISAR0_EL1:
      return ISAR0_VALUE;
    case ID_AA64ISAR1_EL1:
      return ISAR1_VALUE;
    case ID_AA64MMFR0_EL1:
      return MMFR0_VALUE;
    default:
      return 0;
  }
}

/** Registers that hold what is written to them and do nothing else in this version. */
function readPlain(cpu: Cpu, register: u32): bool {
  const state = arm64(cpu);
  switch (register) {
    case TTBR0_EL1:
      systemValue = state.ttbr0;
      return true;
    case TTBR1_EL1:
      systemValue = state.ttbr1;
      return true;
    case TCR_EL1:
      systemValue = state.tcr;
      return true;
    case MAIR_EL1:
      systemValue = state.mair;
      return true;
    case AMAIR_EL1:
      systemValue = state.amair;
      return true;
    case AFSR0_EL1:
      systemValue = state.afsr0;
      return true;
    case AFSR1_EL1:
      systemValue = state.afsr1;
      return true;
    case CONTEXTIDR_EL1:
      systemValue = state.contextidr;
      return true;
    case PAR_EL1:
      systemValue = state.par;
      return true;
    case MDSCR_EL1:
      systemValue = state.mdscr;
      return true;
    case CNTKCTL_EL1:
      systemValue = state.cntkctl;
      return true;
    case CSSELR_EL1:
      systemValue = state.csselr;
      return true;
    case CPACR_EL1:
    case CLIDR_EL1:
      systemValue = 0;
      return true;
    default:
      return false;
  }
}

function readInterface(cpu: Cpu, register: u32): bool {
  const gic = gicOf(cpu);
  switch (register) {
    case ICC_IAR1_EL1:
      systemValue = gicAcknowledge(cpu, true);
      return true;
    case ICC_PMR_EL1:
      systemValue = gic.priorityMask;
      return true;
    case ICC_RPR_EL1:
      systemValue = runningPriority(gic);
      return true;
    case ISR_EL1:
      systemValue = ((cpu.pending & Pending.IRQ) != 0 ? ISR_I : 0) | ((cpu.pending & Pending.FIQ) != 0 ? ISR_F : 0);
      return true;
    case ICC_IAR0_EL1:
      systemValue = gicAcknowledge(cpu, false);
      return true;
    case ICC_HPPIR0_EL1:
      systemValue = gicHighestPending(cpu, false);
      return true;
    case ICC_HPPIR1_EL1:
      systemValue = gicHighestPending(cpu, true);
      return true;
    case ICC_BPR0_EL1:
      systemValue = gic.binaryPoint0;
      return true;
    case ICC_BPR1_EL1:
      systemValue = gic.binaryPoint1;
      return true;
    case ICC_AP0R0_EL1:
      systemValue = gic.activePriorities0;
      return true;
    case ICC_AP1R0_EL1:
      systemValue = gic.activePriorities1;
      return true;
    case ICC_CTLR_EL1:
      systemValue = gic.control | ICC_CTLR_FIXED;
      return true;
    case ICC_SRE_EL1:
      systemValue = ICC_SRE_VALUE;
      return true;
    case ICC_IGRPEN0_EL1:
      systemValue = gic.groupEnable0;
      return true;
    case ICC_IGRPEN1_EL1:
      systemValue = gic.groupEnable1;
      return true;
    default:
      return false;
  }
}

/** MSR (register). @returns false when the register is undefined or read-only */
export function writeSystem(cpu: Cpu, register: u32, value: u64): bool {
  const state = arm64(cpu);
  switch (register) {
    case DAIF:
      setDaif(cpu, <u32>value & PSTATE_DAIF);
      return true;
    case TPIDR_EL1:
      state.tpidrEl1 = value;
      return true;
    case ELR_EL1:
      state.elr = value;
      return true;
    case SPSR_EL1:
      state.spsr = value & 0xffff_ffff;
      return true;
    case VBAR_EL1:
      state.vbar = value & ~<u64>0x7ff;
      return true;
    case SP_EL0:
      if (state.spsel == 0) return false;
      state.otherSp = value;
      return true;
    case SPSEL:
      selectStack(cpu, <u32>value & 1);
      return true;
    case NZCV:
      writeNzcv(changetype<usize>(cpu), <u32>value & 0xf000_0000);
      return true;
    case ESR_EL1:
      state.esr = value;
      return true;
    case FAR_EL1:
      state.far = value;
      return true;
    case SCTLR_EL1:
      state.sctlr = value;
      return true;
    case TPIDR_EL0:
      state.tpidrEl0 = value;
      return true;
    case TPIDRRO_EL0:
      state.tpidrroEl0 = value;
      return true;
    default:
      return writePlain(cpu, register, value) || writeInterface(cpu, register, value);
  }
}

function writePlain(cpu: Cpu, register: u32, value: u64): bool {
  const state = arm64(cpu);
  switch (register) {
    case TTBR0_EL1:
      state.ttbr0 = value;
      return true;
    case TTBR1_EL1:
      state.ttbr1 = value;
      return true;
    case TCR_EL1:
      state.tcr = value;
      return true;
    case MAIR_EL1:
      state.mair = value;
      return true;
    case AMAIR_EL1:
      state.amair = value;
      return true;
    case AFSR0_EL1:
      state.afsr0 = value;
      return true;
    case AFSR1_EL1:
      state.afsr1 = value;
      return true;
    case CONTEXTIDR_EL1:
      state.contextidr = value & 0xffff_ffff;
      return true;
    case PAR_EL1:
      state.par = value;
      return true;
    case MDSCR_EL1:
      state.mdscr = value & 0xffff_ffff;
      return true;
    case CNTKCTL_EL1:
      state.cntkctl = value & 0xffff_ffff;
      return true;
    case CSSELR_EL1:
      state.csselr = value & 0xf;
      return true;
    case CPACR_EL1:
    case OSLAR_EL1:
      return true;
    default:
      return false;
  }
}

function writeInterface(cpu: Cpu, register: u32, value: u64): bool {
  const gic = gicOf(cpu);
  switch (register) {
    case ICC_EOIR1_EL1:
      gicEndOfInterrupt(cpu, <u32>value & 0xff_ffff, true);
      return true;
    case ICC_SGI1R_EL1:
      gicSendSgi(cpu, value);
      cpu.clock += <u64>timing(Timing.COST_SEND_INTERRUPT) - <u64>timing(Timing.COST_SYSTEM_WRITE);
      return true;
    case ICC_PMR_EL1:
      gic.priorityMask = <u32>value & PRIORITY_MASK;
      break;
    case ICC_EOIR0_EL1:
      gicEndOfInterrupt(cpu, <u32>value & 0xff_ffff, false);
      return true;
    case ICC_DIR_EL1:
      gicDeactivate(cpu, <u32>value & 0xff_ffff);
      return true;
    case ICC_BPR0_EL1:
      gic.binaryPoint0 = max<u32>(<u32>value & 7, 2);
      break;
    case ICC_BPR1_EL1:
      gic.binaryPoint1 = max<u32>(<u32>value & 7, 3);
      break;
    case ICC_AP0R0_EL1:
      gic.activePriorities0 = <u32>value;
      break;
    case ICC_AP1R0_EL1:
      gic.activePriorities1 = <u32>value;
      break;
    case ICC_CTLR_EL1:
      gic.control = <u32>value & ICC_CTLR_WRITABLE;
      break;
    case ICC_SRE_EL1:
      break;
    case ICC_IGRPEN0_EL1:
      gic.groupEnable0 = <u32>value & 1;
      break;
    case ICC_IGRPEN1_EL1:
      gic.groupEnable1 = <u32>value & 1;
      break;
    default:
      return false;
  }
  gicUpdate(cpu);
  return true;
}

export function isCounter(register: u32): bool {
  return register == CNTVCT_EL0 || register == CNTPCT_EL0;
}

/** Registers that a spin loop may read: reading them changes nothing, and messages don't change them. */
export function isPlainRead(register: u32): bool {
  return (
    register == TPIDR_EL1 ||
    register == TPIDR_EL0 ||
    register == SP_EL0 ||
    register == MPIDR_EL1 ||
    register == DAIF ||
    isCounter(register)
  );
}

/** Whether a write may change what is masked or pending. */
export function systemWriteEndsRun(register: u32): bool {
  return register == DAIF || register == ICC_PMR_EL1 || ((register >>> 7) & 15) == 12;
}
