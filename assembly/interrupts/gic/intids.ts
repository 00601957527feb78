// Interrupt ids (Arm IHI 0069H 2.2): 0 to 15 are SGIs, 16 to 31 PPIs, which belong to a PE; the rest the distributor's.

import { GIC_FIRST_SPI, GIC_INTID_END } from "../../../src/abi.ts";

/** SGIs, a bit each. */
export const SGIS: u32 = 0xffff;
export const FIRST_SPI: u32 = GIC_FIRST_SPI;
export const INTID_END: u32 = GIC_INTID_END;
/** "Acknowledge me by ICC_NMIAR1_EL1"; "no interrupt to acknowledge" (2.2.1). */
export const NON_MASKABLE: u32 = 1022;
export const SPURIOUS: u32 = 1023;
