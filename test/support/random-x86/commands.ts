// Fields of ICR, and logical destinations of both formats (SDM 3A 11.6.1, 11.6.2.2, 11.12.10.2).

import type { X64 } from "../x64.ts";

export const LOWEST_PRIORITY = 0x100;
export const NMI = 0x400;
export const LOGICAL = 0x800;
export const SELF = 1 << 18;
export const ALL = 2 << 18;
export const OTHERS = 3 << 18;

/** The logical id of x2APIC mode; in xAPIC mode, what the programs give the CPU in LDR, flat. */
export function logicalDestination({ apicMode }: X64, id: number): number {
  return apicMode === "x2apic" ? ((id >> 4) << 16) | (1 << (id & 15)) : 1 << (id & 7);
}
