// The error status register (Intel SDM 3A 11.5.3, rev. 083): errors gather until a write to it shows them, and rearms the
// interrupt that tells of the first.

import { Cpu } from "../../cpu.ts";
import { signalLvt } from "./lvt.ts";
import { Apic, LVT_MASKED, Lvt } from "./record.ts";

/** Bits of ESR. Those that only P6 processors know (3:0) are never set. */
export enum ApicError {
  /** A lowest-priority IPI that this APIC can't send. */
  REDIRECTABLE_IPI = 16,
  SEND_ILLEGAL_VECTOR = 32,
  RECEIVE_ILLEGAL_VECTOR = 64,
  /** xAPIC mode; in x2APIC mode such an access raises #GP. */
  ILLEGAL_REGISTER = 128,
}

export function noteError(cpu: Cpu, apic: Apic, error: ApicError, cycle: u64): void {
  apic.errors |= error;
  if (apic.errorSignalled != 0 || (apic.error & LVT_MASKED) != 0) return;
  apic.errorSignalled = 1;
  signalLvt(cpu, apic, Lvt.ERROR, cycle);
}

/** Any write, whatever its value. */
export function writeErrorStatus(apic: Apic): void {
  apic.errorStatus = apic.errors;
  apic.errors = 0;
  apic.errorSignalled = 0;
}
