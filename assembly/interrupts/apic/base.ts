// IA32_APIC_BASE: its bits, and the mode that they stand for (Intel SDM 3A 11.4.4, 11.12.1, rev. 083).

import { XAPIC_BASE } from "../../../src/abi.ts";

export const APIC_BASE_BSP: u64 = 1 << 8;
export const APIC_BASE_EXTD: u64 = 1 << 10;
export const APIC_BASE_ENABLED: u64 = 1 << 11;
export const APIC_BASE_ADDRESS: u64 = XAPIC_BASE;

/** EN and EXTD of IA32_APIC_BASE, by what they mean together (SDM 3A table 11-5). */
export enum ApicMode {
  DISABLED = 0,
  /** EXTD without EN: no APIC is ever in this state. */
  INVALID = 1,
  XAPIC = 2,
  X2APIC = 3,
}

export function modeOf(base: u64): ApicMode {
  return (<i32>(base >>> 10)) & 3;
}
