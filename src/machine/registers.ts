// Register names of both architectures and the words of a CPU's record that hold them.

import { ARM64_REGISTERS, ARM64_SP_SLOT } from "../abi.ts";
import { AllstopError } from "../errors.ts";

const x86Names = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
];
const arm64Names = [...Array.from({ length: ARM64_REGISTERS }, (_, number) => `x${number}`), "", "sp"];

const slots = {
  "x86-64": new Map(x86Names.map((name, slot) => [name, slot])),
  arm64: new Map(arm64Names.map((name, slot) => [name, slot] as const).filter(([name]) => name !== "")),
};

/** Names of the general-purpose registers and the stack pointer. */
export function registerNames(architecture: "x86-64" | "arm64"): string[] {
  return [...slots[architecture].keys()];
}

/** Whether registerSlot() knows it. */
export function isRegisterName(architecture: "x86-64" | "arm64", name: string): boolean {
  return slots[architecture].has(name.toLowerCase());
}

/** Word of the register file that holds a register. @throws NAME_UNKNOWN */
export function registerSlot(architecture: "x86-64" | "arm64", name: string): number {
  const slot = slots[architecture].get(name.toLowerCase());
  if (slot !== undefined) return slot;
  throw new AllstopError("NAME_UNKNOWN", "no such register", {
    value: name,
    allowed: `${registerNames(architecture).join(", ")}, pc`,
  });
}

if (slots.arm64.get("sp") !== ARM64_SP_SLOT) throw new Error("register names and src/abi.ts disagree");
