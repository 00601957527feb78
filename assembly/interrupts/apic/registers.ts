// The registers of a local APIC as both interfaces know them: by number, which is the MSR less 0x800, and the offset in the
// page of xAPIC mode over 16 (Intel SDM 3A tables 11-1, 11-6, rev. 083).

import { Cpu } from "../../cpu.ts";
import { writeErrorStatus } from "./errors.ts";
import { lvtDefinedBits, maskLvt, writeLvt } from "./lvt.ts";
import { processorPriority, setTaskPriority } from "./priority.ts";
import { Apic, IN_SERVICE, LVT_ENTRIES, Lvt, REQUESTS, SPURIOUS_ENABLE, TRIGGER_MODE, lvtOf } from "./record.ts";
import { currentCount, writeDivide, writeInitialCount } from "./timer.ts";

export enum Register {
  ID = 0x02,
  VERSION = 0x03,
  TPR = 0x08,
  /** Arbitration priority; old processors only. */
  APR = 0x09,
  PPR = 0x0a,
  EOI = 0x0b,
  /** Remote read; old processors only. */
  RRD = 0x0c,
  LDR = 0x0d,
  DFR = 0x0e,
  SVR = 0x0f,
  ISR0 = 0x10,
  TMR0 = 0x18,
  IRR0 = 0x20,
  ESR = 0x28,
  LVT_CMCI = 0x2f,
  ICR = 0x30,
  /** xAPIC mode only. */
  ICR_HIGH = 0x31,
  LVT_TIMER = 0x32,
  LVT_ERROR = 0x37,
  TMICT = 0x38,
  TMCCT = 0x39,
  TDCR = 0x3e,
  /** x2APIC mode only. */
  SELF_IPI = 0x3f,
}

/** Version 0x15; seven LVT entries (the highest is 6); EOI broadcasts can be suppressed. */
const VERSION: u32 = 0x0106_0015;
/** Vector, enable, focus checking, suppression of EOI broadcasts. */
const SPURIOUS_DEFINED: u32 = 0x13ff;
const DIVIDE_DEFINED: u32 = 0xb;

/** Position in the LVT of a register, or LVT_ENTRIES for one of another kind. */
function lvtEntry(register: i32): i32 {
  if (register == Register.LVT_CMCI) return Lvt.CMCI;
  return register >= Register.LVT_TIMER && register <= Register.LVT_ERROR
    ? register - Register.LVT_TIMER + Lvt.TIMER
    : LVT_ENTRIES;
}

/** What the last readRegister() has read. */
export let registerValue: u32 = 0;

/** Reads a register that is the same in both modes. @returns whether there is one, to be read */
export function readRegister(cpu: Cpu, apic: Apic, register: i32): bool {
  if (register >= Register.ISR0 && register < Register.ESR) {
    registerValue = vectorsOf(apic, <u32>(register - Register.ISR0));
    return true;
  }
  const entry = lvtEntry(register);
  if (entry != LVT_ENTRIES) {
    registerValue = lvtOf(apic, entry);
    return true;
  }
  switch (register) {
    case Register.VERSION:
      registerValue = VERSION;
      return true;
    case Register.TPR:
      registerValue = apic.taskPriority;
      return true;
    case Register.PPR:
      registerValue = processorPriority(apic);
      return true;
    case Register.SVR:
      registerValue = apic.spurious;
      return true;
    case Register.ESR:
      registerValue = apic.errorStatus;
      return true;
    case Register.TMICT:
      registerValue = apic.initialCount;
      return true;
    case Register.TMCCT:
      registerValue = currentCount(cpu, apic);
      return true;
    case Register.TDCR:
      registerValue = apic.divide;
      return true;
    default:
      return false;
  }
}

/** ISR, TMR and IRR follow each other, eight registers of 32 bits each. */
function vectorsOf(apic: Apic, index: u32): u32 {
  const set = index < 8 ? IN_SERVICE : index < 16 ? TRIGGER_MODE : REQUESTS;
  return load<u32>(changetype<usize>(apic) + set + ((<usize>(index & 7)) << 2));
}

/** Whether a register can be written in both modes. EOI and ICR have rules of their own in each. */
export function isWritable(register: i32): bool {
  if (lvtEntry(register) != LVT_ENTRIES) return true;
  switch (register) {
    case Register.TPR:
    case Register.SVR:
    case Register.ESR:
    case Register.TMICT:
    case Register.TDCR:
      return true;
    default:
      return false;
  }
}

/** Bits of such a register that aren't reserved. */
export function definedBits(register: i32): u32 {
  const entry = lvtEntry(register);
  if (entry != LVT_ENTRIES) return lvtDefinedBits(entry);
  switch (register) {
    case Register.TPR:
      return 0xff;
    case Register.SVR:
      return SPURIOUS_DEFINED;
    case Register.ESR:
      return 0;
    case Register.TDCR:
      return DIVIDE_DEFINED;
    default: // TMICT
      return u32.MAX_VALUE;
  }
}

/** Writes such a register; the value has no reserved bits. */
export function writeRegister(cpu: Cpu, apic: Apic, register: i32, value: u32): void {
  const entry = lvtEntry(register);
  if (entry != LVT_ENTRIES) {
    writeLvt(cpu, apic, entry, value);
    return;
  }
  switch (register) {
    case Register.TPR:
      setTaskPriority(cpu, apic, value);
      break;
    case Register.SVR:
      apic.spurious = value;
      // What waits in IRR and ISR stays (SDM 3A 11.4.7.2).
      if ((value & SPURIOUS_ENABLE) == 0) maskLvt(apic);
      break;
    case Register.ESR:
      writeErrorStatus(apic);
      break;
    case Register.TMICT:
      writeInitialCount(cpu, apic, value);
      break;
    default: // TDCR
      writeDivide(cpu, apic, value);
      break;
  }
}
