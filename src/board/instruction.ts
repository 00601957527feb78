// Naming an A64 instruction that the emulator lacks, as far as its encoding tells (Arm ARM DDI 0487 C4.1).

import { SYSTEM_REGISTER_NAMES, systemRegister } from "../asm/arm64/system-registers.ts";

/** Self-hosted debug (Arm ARM DDI 0487 D24.3): op0, op1, CRn, CRm, op2. The assembler has no use for these. */
const debugRegisters: Readonly<Record<string, string>> = {
  "2 0 0 0 4": "DBGBVR0_EL1",
  "2 0 0 0 5": "DBGBCR0_EL1",
  "2 0 0 0 6": "DBGWVR0_EL1",
  "2 0 0 0 7": "DBGWCR0_EL1",
  "2 0 0 1 4": "DBGBVR1_EL1",
  "2 0 0 1 5": "DBGBCR1_EL1",
  "2 0 0 1 6": "DBGWVR1_EL1",
  "2 0 0 1 7": "DBGWCR1_EL1",
  "2 0 0 2 0": "MDCCINT_EL1",
  "2 0 1 0 0": "MDRAR_EL1",
  "2 0 7 8 6": "DBGCLAIMSET_EL1",
  "2 0 7 9 6": "DBGCLAIMCLR_EL1",
  "2 0 7 14 6": "DBGAUTHSTATUS_EL1",
  "2 3 0 1 0": "MDCCSR_EL0",
  "2 3 0 4 0": "DBGDTR_EL0",
};

const namesByCode = new Map([
  ...Object.entries(debugRegisters),
  ...SYSTEM_REGISTER_NAMES.map((name) => [systemRegister(name).join(" "), name.toUpperCase()] as const),
]);

function field(word: number, high: number, low: number): number {
  return (word >>> low) & (2 ** (high - low + 1) - 1);
}

/** "MRS of PMCCNTR_EL0", "a floating-point or Advanced SIMD instruction": what the word is a kind of. */
export function nameInstruction(word: number): string {
  if (word >>> 22 === 0b1101010100) return nameSystemInstruction(word);
  if ((word & 0xff00_0000) >>> 0 === 0xd400_0000) return nameException(word);
  const group = field(word, 28, 25);
  if (group === 0b0010) return "an SVE instruction";
  if (group === 0b0000 && word >>> 31 === 1) return "an SME instruction";
  if ((group & 0b0111) === 0b0111) return "a floating-point or Advanced SIMD instruction";
  if ((group & 0b0101) === 0b0100) {
    return field(word, 26, 26) === 1 ? "a floating-point or Advanced SIMD load or store" : "a load or store";
  }
  if ((group & 0b1110) === 0b1000) return "a data-processing instruction (immediate)";
  if ((group & 0b1110) === 0b1010) return "a branch";
  if ((group & 0b0111) === 0b0101) return "a data-processing instruction (register)";
  return "an unallocated encoding";
}

function nameException(word: number): string {
  const immediate = `#0x${field(word, 20, 5).toString(16)}`;
  if (field(word, 23, 21) === 2) return `HLT ${immediate} (semihosting, or an external debugger)`;
  return field(word, 23, 21) === 5 ? `DCPS${field(word, 1, 0)}` : `an exception-generating instruction ${immediate}`;
}

function nameSystemInstruction(word: number): string {
  const code = [field(word, 20, 19), field(word, 18, 16), field(word, 15, 12), field(word, 11, 8), field(word, 7, 5)];
  const [op0 = 0, op1, crn, crm, op2] = code;
  const fromSystem = field(word, 21, 21) === 1;
  if (op0 >= 2) {
    const name = namesByCode.get(code.join(" ")) ?? `S${op0}_${op1}_C${crn}_C${crm}_${op2}`;
    return `${fromSystem ? "MRS" : "MSR"} of ${name}${name === "SCTLR_EL1" ? ", which switches the MMU on" : ""}`;
  }
  if (op0 === 1) return `${fromSystem ? "SYSL" : "SYS"} #${op1}, C${crn}, C${crm}, #${op2}`;
  return crn === 4 ? "MSR of a PSTATE field" : "a hint or barrier";
}
