// Model-specific registers (SDM volume 4, chapter 2). Those that are not listed raise #GP.

import { StopReason } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { apicRead, apicValue, apicWrite } from "../interrupts/apic/apic.ts";
import { stopMachine } from "../machine.ts";
import { startCycle } from "../time/bounds.ts";
import { readClock } from "../time/shadow.ts";
import { EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE, FS_BASE, GS_BASE, isCanonical, readR, writeR, x86 } from "./cpu.ts";

const IA32_TIME_STAMP_COUNTER: u32 = 0x10;
const IA32_APIC_BASE: u32 = 0x1b;
const IA32_TSC_ADJUST: u32 = 0x3b;
const X2APIC_FIRST: u32 = 0x800;
const X2APIC_LAST: u32 = 0x8ff;
export const X2APIC_ICR: u32 = 0x830;
export const X2APIC_SELF_IPI: u32 = 0x83f;
const IA32_EFER: u32 = 0xc000_0080;
const IA32_STAR: u32 = 0xc000_0081;
const IA32_LSTAR: u32 = 0xc000_0082;
const IA32_CSTAR: u32 = 0xc000_0083;
const IA32_FMASK: u32 = 0xc000_0084;
const IA32_FS_BASE: u32 = 0xc000_0100;
const IA32_GS_BASE: u32 = 0xc000_0101;
const IA32_KERNEL_GS_BASE: u32 = 0xc000_0102;
const IA32_TSC_AUX: u32 = 0xc000_0103;

/** IA32_APIC_BASE: enabled, in x2APIC mode. */
export const APIC_BASE_ENABLED: u64 = 1 << 11;
export const APIC_BASE_EXTD: u64 = 1 << 10;
export const APIC_BASE_BSP: u64 = 1 << 8;
export const APIC_BASE_ADDRESS: u64 = 0xfee0_0000;
const APIC_BASE_RESERVED: u64 = ~(<u64>0xffff_fd00);

export let msrValue: u64 = 0;

/** Time-stamp counter at the start of the CPU's next instruction. */
export function timeStamp(cpu: Cpu): u64 {
  return readClock(cpu) + x86(cpu).tscOffset;
}

/** Whether the register shows what messages change. */
export function msrIsApic(msr: u32): bool {
  return msr >= X2APIC_FIRST && msr <= X2APIC_LAST;
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
      if (!msrIsApic(msr) || !apicRead(cpu, msr)) return false;
      msrValue = apicValue;
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
      return msrIsApic(msr) && apicWrite(cpu, msr, value);
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
}

/** Only x2APIC mode is modelled; leaving it for the disabled state is legal (SDM 3A 11.12.1.1), to xAPIC mode it isn't. */
function writeApicBase(cpu: Cpu, value: u64): bool {
  const enables = APIC_BASE_ENABLED | APIC_BASE_EXTD;
  if ((value & APIC_BASE_RESERVED) != 0) return false;
  if ((value & enables) == enables) {
    x86(cpu).apicBase = value;
    return true;
  }
  if ((value & enables) != 0) return false;
  stopMachine(StopReason.UNSUPPORTED, cpu.index, cpu.pc, startCycle(cpu), value);
  return true;
}
