// The low word of the interrupt command register (Intel SDM 3A 11.6.1), as both drivers of local APICs write it.

import type { Builder, Value } from "../../asm/index.ts";
import { X86Vector } from "../../abi.ts";

/** Delivery mode of ICR and LVT: NMI. */
export const DELIVERY_NMI = 0x400;
/** Bit 11: logical destination. */
export const ICR_LOGICAL = 0x800;
export const ICR_ALL_BUT_SELF = 0xc_0000;

/** __prepare_ICR: NMIs have a delivery mode of their own, and leave the vector field zero. */
export function icrVector(k: Builder, vector: Value<"u32">): Value<"u32"> {
  const low = k.let("low", vector);
  k.if(vector.eq(X86Vector.NMI), () => k.set(low, DELIVERY_NMI));
  return low;
}
