// Reading and writing the system registers that do something: PSTATE, the counter, the GIC's CPU interface (Arm ARM DDI
// 0487 C5.2, D24; Arm IHI 0069H 12.2).

import { Cpu, Pending } from "../cpu.ts";
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
} from "../interrupts/gic/gic.ts";
import { countNow, virtualCountNow } from "./counter.ts";
import { PSTATE_DAIF, arm64, readNzcv, writeNzcv } from "./cpu.ts";
import { selectStack, setDaif } from "./exception.ts";
import { SystemRegister } from "./systemRegisters.ts";
import {
  setCompareValue,
  setKernelControl,
  setTimerControl,
  setTimerValue,
  timerControl,
  timerValue,
} from "./timer.ts";

/** ICC_CTLR_EL1: PRIbits 4 (five priority bits), A3V, RSS. */
const ICC_CTLR_FIXED: u32 = (4 << 8) | (1 << 15) | (1 << 18);
/** CBPR, EOImode */
const ICC_CTLR_WRITABLE: u32 = 3;
const ICC_CTLR_CBPR: u32 = 1;
/** The least binary points with five priority bits. */
const LEAST_BPR0: u32 = 2;
const LEAST_BPR1: u32 = 3;
const MOST_BPR: u32 = 7;
const INTID: u32 = 0xff_ffff;
const ISR_I: u64 = 1 << 7;
const ISR_F: u64 = 1 << 6;

export let systemValue: u64 = 0;

/** MRS; the value is left in `systemValue`. @returns false when the register is UNDEFINED in the present state */
export function readSystem(cpu: Cpu, register: SystemRegister): bool {
  const state = arm64(cpu);
  const gic = gicOf(cpu);
  switch (register) {
    case SystemRegister.SP_EL0:
      if (state.spsel == 0) return false; // it is the current stack pointer
      systemValue = state.otherSp;
      return true;
    case SystemRegister.SPSEL:
      systemValue = state.spsel;
      return true;
    case SystemRegister.DAIF:
      systemValue = state.daif;
      return true;
    case SystemRegister.NZCV:
      systemValue = readNzcv(changetype<usize>(cpu));
      return true;
    case SystemRegister.CNTPCT_EL0:
      systemValue = countNow(cpu);
      return true;
    case SystemRegister.CNTVCT_EL0:
      systemValue = virtualCountNow(cpu);
      return true;
    case SystemRegister.CNTKCTL_EL1:
      systemValue = state.cntkctl;
      return true;
    case SystemRegister.CNTP_TVAL_EL0:
    case SystemRegister.CNTV_TVAL_EL0:
      systemValue = timerValue(cpu, register == SystemRegister.CNTV_TVAL_EL0);
      return true;
    case SystemRegister.CNTP_CTL_EL0:
    case SystemRegister.CNTV_CTL_EL0:
      systemValue = timerControl(cpu, register == SystemRegister.CNTV_CTL_EL0);
      return true;
    case SystemRegister.CNTP_CVAL_EL0:
      systemValue = state.cntpCval;
      return true;
    case SystemRegister.CNTV_CVAL_EL0:
      systemValue = state.cntvCval;
      return true;
    case SystemRegister.ISR_EL1:
      systemValue = ((cpu.pending & Pending.IRQ) != 0 ? ISR_I : 0) | ((cpu.pending & Pending.FIQ) != 0 ? ISR_F : 0);
      return true;
    case SystemRegister.ICC_PMR_EL1:
      systemValue = gic.priorityMask;
      return true;
    case SystemRegister.ICC_RPR_EL1:
      systemValue = runningPriority(gic);
      return true;
    case SystemRegister.ICC_IAR0_EL1:
      systemValue = gicAcknowledge(cpu, false);
      return true;
    case SystemRegister.ICC_IAR1_EL1:
      systemValue = gicAcknowledge(cpu, true);
      return true;
    case SystemRegister.ICC_HPPIR0_EL1:
      systemValue = gicHighestPending(cpu, false);
      return true;
    case SystemRegister.ICC_HPPIR1_EL1:
      systemValue = gicHighestPending(cpu, true);
      return true;
    case SystemRegister.ICC_BPR0_EL1:
      systemValue = gic.binaryPoint0;
      return true;
    case SystemRegister.ICC_BPR1_EL1:
      // With CBPR, the binary point of group 0 serves both groups (IHI 0069H 12.2.5).
      systemValue = (gic.control & ICC_CTLR_CBPR) != 0 ? min(gic.binaryPoint0 + 1, MOST_BPR) : gic.binaryPoint1;
      return true;
    case SystemRegister.ICC_AP0R0_EL1:
      systemValue = gic.activePriorities0;
      return true;
    case SystemRegister.ICC_AP1R0_EL1:
      systemValue = gic.activePriorities1;
      return true;
    case SystemRegister.ICC_CTLR_EL1:
      systemValue = gic.control | ICC_CTLR_FIXED;
      return true;
    case SystemRegister.ICC_IGRPEN0_EL1:
      systemValue = gic.groupEnable0;
      return true;
    default:
      assert(register == SystemRegister.ICC_IGRPEN1_EL1);
      systemValue = gic.groupEnable1;
      return true;
  }
}

/** MSR (register). @returns false when the register is UNDEFINED in the present state */
export function writeSystem(cpu: Cpu, register: SystemRegister, value: u64): bool {
  const state = arm64(cpu);
  switch (register) {
    case SystemRegister.SP_EL0:
      if (state.spsel == 0) return false;
      state.otherSp = value;
      return true;
    case SystemRegister.SPSEL:
      selectStack(cpu, (<u32>value) & 1);
      return true;
    case SystemRegister.DAIF:
      setDaif(cpu, (<u32>value) & PSTATE_DAIF);
      return true;
    case SystemRegister.NZCV:
      writeNzcv(changetype<usize>(cpu), (<u32>value) & 0xf000_0000);
      return true;
    case SystemRegister.CNTKCTL_EL1:
      setKernelControl(cpu, value);
      return true;
    case SystemRegister.CNTP_TVAL_EL0:
    case SystemRegister.CNTV_TVAL_EL0:
      setTimerValue(cpu, register == SystemRegister.CNTV_TVAL_EL0, value);
      return true;
    case SystemRegister.CNTP_CTL_EL0:
    case SystemRegister.CNTV_CTL_EL0:
      setTimerControl(cpu, register == SystemRegister.CNTV_CTL_EL0, value);
      return true;
    case SystemRegister.CNTP_CVAL_EL0:
    case SystemRegister.CNTV_CVAL_EL0:
      setCompareValue(cpu, register == SystemRegister.CNTV_CVAL_EL0, value);
      return true;
    case SystemRegister.ICC_SGI1R_EL1:
      gicSendSgi(cpu, value);
      return true;
    case SystemRegister.ICC_EOIR0_EL1:
      gicEndOfInterrupt(cpu, (<u32>value) & INTID, false);
      return true;
    case SystemRegister.ICC_EOIR1_EL1:
      gicEndOfInterrupt(cpu, (<u32>value) & INTID, true);
      return true;
    case SystemRegister.ICC_DIR_EL1:
      gicDeactivate(cpu, (<u32>value) & INTID);
      return true;
    default:
      writeInterface(cpu, register, <u32>value);
      gicUpdate(cpu);
      return true;
  }
}

/** Registers of the CPU interface that hold what is written, and decide what is signalled. */
function writeInterface(cpu: Cpu, register: SystemRegister, value: u32): void {
  const gic = gicOf(cpu);
  switch (register) {
    case SystemRegister.ICC_PMR_EL1:
      gic.priorityMask = value & PRIORITY_MASK;
      break;
    case SystemRegister.ICC_BPR0_EL1:
      gic.binaryPoint0 = max(value & MOST_BPR, LEAST_BPR0);
      break;
    case SystemRegister.ICC_BPR1_EL1:
      if ((gic.control & ICC_CTLR_CBPR) == 0) gic.binaryPoint1 = max(value & MOST_BPR, LEAST_BPR1);
      break;
    case SystemRegister.ICC_AP0R0_EL1:
      gic.activePriorities0 = value;
      break;
    case SystemRegister.ICC_AP1R0_EL1:
      gic.activePriorities1 = value;
      break;
    case SystemRegister.ICC_CTLR_EL1:
      gic.control = value & ICC_CTLR_WRITABLE;
      break;
    case SystemRegister.ICC_IGRPEN0_EL1:
      gic.groupEnable0 = value & 1;
      break;
    default:
      assert(register == SystemRegister.ICC_IGRPEN1_EL1);
      gic.groupEnable1 = value & 1;
      break;
  }
}

/** Whether a write may change what is masked or pending. */
export function systemWriteEndsRun(register: SystemRegister): bool {
  return register == SystemRegister.DAIF || register > SystemRegister.ISR_EL1;
}
