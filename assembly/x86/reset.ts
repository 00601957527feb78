// State of a CPU that begins, by power-up or INIT: in 64-bit mode at CPL 0, as a boot loader hands over to a kernel. Real
// mode and the way from it are not modelled.
//
// CS and SS hold the selectors 0x08 and 0x10, cached as flat 64-bit code and data although no descriptor table is loaded
// yet; a kernel whose own table has other segments there reloads them. The IDT has limit 0: an exception before LIDT shuts
// the machine down.

import { CPU_REGISTERS } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { apicId, initApic, resetApic } from "../interrupts/apic/record.ts";
import { counterOffset, machine } from "../machine.ts";
import { unwatchLine } from "../time/watch.ts";
import {
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  EFER_LMA,
  EFER_LME,
  RDI,
  RDX,
  RFLAGS_FIXED,
  RSP,
  STATE_WORDS,
  X86State,
  updateMasked,
  writeR,
  x86,
} from "./cpu.ts";
import { CPUID_SIGNATURE } from "./cpuid.ts";
import { writeStatus } from "./flags.ts";
import { FIRST_REVISION } from "./microcode.ts";

const CODE_SELECTOR: u16 = 0x08;
const DATA_SELECTOR: u16 = 0x10;
const DR6_RESET: u64 = 0xffff_0ff0;
const DR7_RESET: u64 = 0x400;

/** Power-up; the host's start block is in the record. */
export function x86Reset(cpu: Cpu): void {
  const state = x86(cpu);
  memory.fill(changetype<usize>(state), 0, offsetof<X86State>("startupGiven"));
  resetApic(cpu, apicId(cpu));
  state.tscOffset = counterOffset(cpu.index);
  state.microcodeRevision = FIRST_REVISION;
  resetRegisters(cpu);
  writeR(changetype<usize>(cpu), RSP, cpu.startStack);
  writeR(changetype<usize>(cpu), RDI, cpu.startArgument);
}

/** INIT keeps the MSRs, but for those that stand for segment bases and the mode (SDM 3A table 10-1). */
export function x86Initialize(cpu: Cpu): void {
  const state = x86(cpu);
  const kept = changetype<usize>(state) + offsetof<X86State>("tscOffset");
  const behind = changetype<usize>(state) + offsetof<X86State>("smmCycles");
  memory.fill(changetype<usize>(state), 0, kept - changetype<usize>(state));
  memory.fill(behind, 0, offsetof<X86State>("startupGiven") - offsetof<X86State>("smmCycles"));
  initApic(cpu);
  resetRegisters(cpu);
  writeR(changetype<usize>(cpu), RDX, <u64>CPUID_SIGNATURE);
}

function resetRegisters(cpu: Cpu): void {
  const base = changetype<usize>(cpu);
  const state = x86(cpu);
  memory.fill(base + CPU_REGISTERS, 0, (<usize>STATE_WORDS) << 3);
  unwatchLine(cpu);
  cpu.pending = 0;
  cpu.delivery = 0;
  cpu.deviceAnswered = 0;
  state.rflags = RFLAGS_FIXED;
  writeStatus(base, 0);
  state.cs = CODE_SELECTOR;
  state.ss = DATA_SELECTOR;
  state.cr0 = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
  state.cr4 = CR4_PAE;
  state.efer = EFER_LMA | EFER_LME;
  state.dr6 = DR6_RESET;
  state.dr7 = DR7_RESET;
  updateMasked(cpu);
}
