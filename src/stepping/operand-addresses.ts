// Which memory an instruction is about to access, from its text and the registers.

import type { DecodedInstruction } from "../disassembly/decoder.ts";

/** Values of registers, by their 64-bit names; "gs" and "fs" are segments' bases. */
export type ReadRegister = (name: string) => bigint;

/** Addresses that the instruction accesses; none for what only computes one. */
export function operandAddresses(
  instruction: Pick<DecodedInstruction, "mnemonic" | "operands" | "address" | "bytes">,
  architecture: "x86-64" | "arm64",
  read: ReadRegister,
): number[] {
  const found = architecture === "arm64" ? arm64Addresses(instruction, read) : x86Addresses(instruction, read);
  return found.map((address) => Number(BigInt.asUintN(64, address)));
}

const NO_ACCESS = /^(lea|nop|prefetch\w*|adr|adrp|monitor)$/;

function x86Addresses(
  { mnemonic, operands, address, bytes }: Pick<DecodedInstruction, "mnemonic" | "operands" | "address" | "bytes">,
  read: ReadRegister,
): bigint[] {
  const found: bigint[] = [];
  const operand = NO_ACCESS.test(mnemonic) ? null : /(?:\b(gs|fs):)?\[([^\]]+)\]/.exec(operands);
  if (operand !== null) {
    const base = operand[1] === undefined ? 0n : read(operand[1]);
    const next = BigInt(address + bytes.length);
    found.push(base + sum(operand[2] ?? "", (name) => (name === "rip" ? next : x86Register(name, read))));
  }
  const stack = read("rsp");
  if (/^(push\w*|call)$/.test(mnemonic)) found.push(stack - 8n);
  else if (/^(pop\w*|ret\w*|iretq)$/.test(mnemonic)) found.push(stack);
  return found;
}

/** "rbx + rcx*8 - 0x10" */
function sum(text: string, read: ReadRegister): bigint {
  let total = 0n;
  for (const [, sign = "+", term = ""] of text.replaceAll(" ", "").matchAll(/([+-]?)([^+-]+)/g)) {
    const [register = "", scale = "1"] = term.split("*");
    const value = /^(0x[0-9a-f]+|\d+)$/.test(term) ? BigInt(term) : read(register) * BigInt(scale);
    total += sign === "-" ? -value : value;
  }
  return total;
}

/** Of a 32-bit register the lower half. */
function x86Register(name: string, read: ReadRegister): bigint {
  if (/^e[a-z]{2}$/.test(name)) return read(`r${name.slice(1)}`) & 0xffff_ffffn;
  if (/^r\d+d$/.test(name)) return read(name.slice(0, -1)) & 0xffff_ffffn;
  return read(name);
}

function arm64Addresses(
  { mnemonic, operands }: Pick<DecodedInstruction, "mnemonic" | "operands">,
  read: ReadRegister,
): bigint[] {
  const [, inside] = /\[([^\]]+)\]/.exec(operands) ?? [];
  if (inside === undefined || NO_ACCESS.test(mnemonic)) return [];
  const [base = "", second, third = ""] = inside.split(/,\s*/);
  const start = read(base);
  if (second === undefined) return [start];
  if (second.startsWith("#")) return [start + signed(second.slice(1))];
  const shift = BigInt(/#(\d+)$/.exec(third)?.[1] ?? 0);
  return [start + (arm64Index(second, third, read) << shift)];
}

/** W registers are extended as the operand says. */
function arm64Index(register: string, how: string, read: ReadRegister): bigint {
  if (!register.startsWith("w")) return read(register);
  const value = read(`x${register.slice(1)}`) & 0xffff_ffffn;
  return how.startsWith("sxtw") ? BigInt.asIntN(32, value) : value;
}

function signed(text: string): bigint {
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
}
