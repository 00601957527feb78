// Commands for the interrupt command register in x2APIC mode (Intel SDM volume 3A, 11.12.9).

const FIXED = 0;
export const NMI = 4;
export const TO_ALL = 2;
export const TO_OTHERS = 3;
const LOGICAL = 0x800;
export const NMI_VECTOR = 2;

export function icr(vector: number, { mode = FIXED, shorthand = 0, logical = false, destination = 0 } = {}): bigint {
  const low = vector | (mode << 8) | (logical ? LOGICAL : 0) | 0x4000 | (shorthand << 18);
  return BigInt(low) | (BigInt(destination) << 32n);
}

export const nmiTo = (destination: number): bigint => icr(0, { mode: NMI, destination });
