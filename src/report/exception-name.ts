// Exceptions by the names that their manuals give them.

import { X86Vector } from "../abi.ts";

/** ESR_EL1.EC (Arm ARM D24.2.44), those that a guest at EL1 or EL0 can meet. */
const arm64Classes: Readonly<Record<number, string>> = {
  0x00: "an undefined instruction",
  0x01: "a trapped WFI or WFE",
  0x0e: "an illegal execution state",
  0x15: "an SVC",
  0x18: "a trapped system instruction",
  0x20: "an instruction abort of EL0",
  0x21: "an instruction abort",
  0x22: "a misaligned program counter",
  0x24: "a data abort of EL0",
  0x25: "a data abort",
  0x3c: "a BRK",
};
const ADDRESSED_CLASSES = new Set([0x20, 0x21, 0x22, 0x24, 0x25]);

/** @param subject vector, or exception class @param detail CR2 or error code; FAR_EL1 */
export function exceptionName(architecture: "x86-64" | "arm64", subject: number, detail: bigint): string {
  const value = `0x${detail.toString(16)}`;
  if (architecture === "arm64") {
    const name = arm64Classes[subject] ?? `an exception of class 0x${subject.toString(16)}`;
    return ADDRESSED_CLASSES.has(subject) ? `${name} (FAR_EL1 ${value})` : name;
  }
  const name = X86Vector[subject]?.toLowerCase().replaceAll("_", " ");
  const vector = name === undefined ? `exception ${subject}` : `exception ${subject}, ${name}`;
  return subject === X86Vector.PAGE_FAULT.valueOf() ? `${vector} (CR2 ${value})` : `${vector} (error code ${value})`;
}
