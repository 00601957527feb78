// Model-specific registers (SDM volume 4, chapter 2). Those that are not listed raise #GP.

import { Cpu } from "../cpu.ts";
import { writeApicBase } from "../interrupts/apic/mode.ts";
import { apicCounterMoved, readTscDeadline, writeTscDeadline } from "../interrupts/apic/timer.ts";
import { isX2apicMsr, x2apicRead, x2apicValue, x2apicWrite } from "../interrupts/apic/x2apic.ts";
import { readClock } from "../time/shadow.ts";
import { EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE, FS_BASE, GS_BASE, isCanonical, readR, writeR, x86 } from "./cpu.ts";
import { readSignature, updateMicrocode, writeSignature } from "./microcode.ts";

const IA32_TIME_STAMP_COUNTER: u32 = 0x10;
const IA32_APIC_BASE: u32 = 0x1b;
const IA32_TSC_ADJUST: u32 = 0x3b;
const IA32_BIOS_UPDT_TRIG: u32 = 0x79;
const IA32_BIOS_SIGN_ID: u32 = 0x8b;
export const IA32_TSC_DEADLINE: u32 = 0x6e0;
export const X2APIC_ICR: u32 = 0x830;
export const X2APIC_SELF_IPI: u32 = 0x83f;
const IA32_UMWAIT_CONTROL: u32 = 0xe1;
const IA32_EFER: u32 = 0xc000_0080;
const IA32_STAR: u32 = 0xc000_0081;
const IA32_LSTAR: u32 = 0xc000_0082;
const IA32_CSTAR: u32 = 0xc000_0083;
const IA32_FMASK: u32 = 0xc000_0084;
const IA32_FS_BASE: u32 = 0xc000_0100;
const IA32_GS_BASE: u32 = 0xc000_0101;
const IA32_KERNEL_GS_BASE: u32 = 0xc000_0102;
const IA32_TSC_AUX: u32 = 0xc000_0103;

const UMWAIT_CONTROL_BITS: u64 = 0xffff_fffd;

export let msrValue: u64 = 0;

/** Time-stamp counter at the start of the CPU's next instruction. */
export function timeStamp(cpu: Cpu): u64 {
  return readClock(cpu) + x86(cpu).tscOffset;
}

/** Whether messages and timers change what the register shows, or what a write to it does. */
export function msrIsObserved(msr: u32): bool {
  switch (msr) {
    case IA32_TIME_STAMP_COUNTER:
    case IA32_TSC_ADJUST:
    case IA32_APIC_BASE:
    case IA32_TSC_DEADLINE:
    case IA32_BIOS_UPDT_TRIG:
    case IA32_BIOS_SIGN_ID:
      return true;
    default:
      return isX2apicMsr(msr);
  }
}

/** RDMSR; the value is left in `msrValue`. @returns false for #GP */
export function readMsr(cpu: Cpu, msr: u32): bool {
  const state = x86(cpu);
  const base = changetype<usize>(cpu);
  switch (msr) {
    case IA32_TIME_STAMP_COUNTER:
      msrValue = timeStamp(cpu);
      return true;
    case IA32_TSC_ADJUST:
      msrValue = state.tscAdjust;
      return true;
    case IA32_APIC_BASE:
      msrValue = state.apicBase;
      return true;
    case IA32_TSC_DEADLINE:
      msrValue = readTscDeadline(cpu);
      return true;
    case IA32_UMWAIT_CONTROL:
      msrValue = state.umwaitControl;
      return true;
    case IA32_BIOS_SIGN_ID:
      msrValue = readSignature(cpu);
      return true;
    case IA32_EFER:
      msrValue = state.efer;
      return true;
    case IA32_STAR:
      msrValue = state.star;
      return true;
    case IA32_LSTAR:
      msrValue = state.lstar;
      return true;
    case IA32_CSTAR:
      msrValue = state.cstar;
      return true;
    case IA32_FMASK:
      msrValue = state.fmask;
      return true;
    case IA32_FS_BASE:
      msrValue = readR(base, FS_BASE);
      return true;
    case IA32_GS_BASE:
      msrValue = readR(base, GS_BASE);
      return true;
    case IA32_KERNEL_GS_BASE:
      msrValue = state.kernelGsBase;
      return true;
    case IA32_TSC_AUX:
      msrValue = state.tscAux;
      return true;
    default:
      if (!isX2apicMsr(msr) || !x2apicRead(cpu, msr)) return false;
      msrValue = x2apicValue;
      return true;
  }
}

/** WRMSR. @returns false for #GP */
export function writeMsr(cpu: Cpu, msr: u32, value: u64): bool {
  const state = x86(cpu);
  const base = changetype<usize>(cpu);
  switch (msr) {
    case IA32_TIME_STAMP_COUNTER:
      moveCounter(cpu, value - timeStamp(cpu));
      return true;
    case IA32_TSC_ADJUST:
      moveCounter(cpu, value - state.tscAdjust);
      return true;
    case IA32_APIC_BASE:
      return writeApicBase(cpu, value);
    case IA32_TSC_DEADLINE:
      writeTscDeadline(cpu, value);
      return true;
    case IA32_UMWAIT_CONTROL:
      // Bit 1 and the upper half are reserved.
      if ((value & ~UMWAIT_CONTROL_BITS) != 0) return false;
      state.umwaitControl = value;
      return true;
    case IA32_BIOS_UPDT_TRIG:
      if (!isCanonical(value)) return false;
      updateMicrocode(cpu);
      return true;
    case IA32_BIOS_SIGN_ID:
      writeSignature(cpu, value);
      return true;
    case IA32_EFER:
      // LMA is read-only; LME can't change while paging is on.
      if ((value & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)) != 0 || (value & EFER_LME) == 0) return false;
      state.efer = value | EFER_LMA;
      return true;
    case IA32_STAR:
      state.star = value;
      return true;
    case IA32_FMASK:
      if (value >>> 32 != 0) return false;
      state.fmask = value;
      return true;
    case IA32_TSC_AUX:
      if (value >>> 32 != 0) return false;
      state.tscAux = value;
      return true;
    case IA32_LSTAR:
    case IA32_CSTAR:
    case IA32_FS_BASE:
    case IA32_GS_BASE:
    case IA32_KERNEL_GS_BASE:
      if (!isCanonical(value)) return false;
      break;
    default:
      return isX2apicMsr(msr) && x2apicWrite(cpu, msr, value);
  }
  switch (msr) {
    case IA32_LSTAR:
      state.lstar = value;
      break;
    case IA32_CSTAR:
      state.cstar = value;
      break;
    case IA32_FS_BASE:
      writeR(base, FS_BASE, value);
      break;
    case IA32_GS_BASE:
      writeR(base, GS_BASE, value);
      break;
    default:
      state.kernelGsBase = value;
      break;
  }
  return true;
}

/** The counter jumps, and IA32_TSC_ADJUST with it (SDM 3B 18.17.3). */
function moveCounter(cpu: Cpu, by: u64): void {
  const state = x86(cpu);
  state.tscOffset += by;
  state.tscAdjust += by;
  apicCounterMoved(cpu);
}
