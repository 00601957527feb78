// Reading and writing the system registers that do something: PSTATE, the counter, the GIC's CPU interface (Arm ARM DDI
// 0487 C5.2, D24; Arm IHI 0069H 12.2).

import { Cpu, Pending } from "../cpu.ts";
import { gicUpdate } from "../interrupts/gic/priority.ts";
import { readInterface, writeInterface } from "../interrupts/gic/registers.ts";
import { startCycle } from "../time/bounds.ts";
import { countNow, virtualCountNow } from "./counter.ts";
import { PSTATE_ALLINT, PSTATE_DAIF, arm64, readNzcv, writeNzcv } from "./cpu.ts";
import { selectStack, setAllint, setDaif, updateMasks } from "./exception.ts";
import { SystemRegister } from "./systemRegisters.ts";
import {
  setCompareValue,
  setKernelControl,
  setTimerControl,
  setTimerValue,
  timerControl,
  timerValue,
} from "./timer.ts";

const ISR_I: u64 = 1 << 7;
const ISR_F: u64 = 1 << 6;
/** IRQ with superpriority; FIQs, which are Group 0, never have it. */
const ISR_IS: u64 = 1 << 10;

export let systemValue: u64 = 0;

/** ISR_EL1: what is pending, masked or not. */
function interruptStatus(pending: u32): u64 {
  let status: u64 = (pending & (Pending.IRQ | Pending.NMI)) != 0 ? ISR_I : 0;
  if ((pending & Pending.NMI) != 0) status |= ISR_IS;
  return (pending & Pending.FIQ) != 0 ? status | ISR_F : status;
}

/** MRS; the value is left in `systemValue`. @returns false when the register is UNDEFINED in the present state */
export function readSystem(cpu: Cpu, register: SystemRegister): bool {
  const state = arm64(cpu);
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
      systemValue = interruptStatus(cpu.pending);
      return true;
    case SystemRegister.ALLINT:
      systemValue = state.allint;
      return true;
    default:
      assert(register > SystemRegister.INTERFACE);
      systemValue = readInterface(cpu, register - SystemRegister.INTERFACE, startCycle(cpu));
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
    case SystemRegister.ALLINT:
      setAllint(cpu, (<u32>value) & PSTATE_ALLINT);
      return true;
    case SystemRegister.SCTLR_EL1:
      state.sctlr = value;
      updateMasks(cpu);
      gicUpdate(cpu);
      return true;
    default:
      assert(register > SystemRegister.INTERFACE);
      writeInterface(cpu, register - SystemRegister.INTERFACE, value, startCycle(cpu));
      return true;
  }
}

/** Whether a write may change what is masked or pending. */
export function systemWriteEndsRun(register: SystemRegister): bool {
  return register == SystemRegister.DAIF || register == SystemRegister.SPSEL || register > SystemRegister.ISR_EL1;
}
