// State of a CPU that the host starts: in 64-bit mode at CPL 0, as a boot loader hands over to a kernel. Real mode and the
// way from it are not modelled.
//
// CS and SS hold the selectors 0x08 and 0x10, cached as flat 64-bit code and data although no descriptor table is loaded
// yet; a kernel whose own table has other segments there reloads them. The IDT has limit 0: an exception before LIDT shuts
// the machine down.

import { CPU_REGISTERS } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { apicId, resetApic } from "../interrupts/apic/record.ts";
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
  RFLAGS_FIXED,
  RSP,
  STATE_WORDS,
  X86State,
  updateMasked,
  writeR,
  x86,
} from "./cpu.ts";
import { writeStatus } from "./flags.ts";

const CODE_SELECTOR: u16 = 0x08;
const DATA_SELECTOR: u16 = 0x10;
const DR6_RESET: u64 = 0xffff_0ff0;
const DR7_RESET: u64 = 0x400;

export function x86Reset(cpu: Cpu): void {
  const base = changetype<usize>(cpu);
  const state = x86(cpu);
  memory.fill(base + CPU_REGISTERS, 0, (<usize>STATE_WORDS) << 3);
  memory.fill(changetype<usize>(state), 0, offsetof<X86State>());
  unwatchLine(cpu);
  resetApic(cpu, apicId(cpu));
  cpu.pending = 0;
  state.rflags = RFLAGS_FIXED;
  writeStatus(base, 0);
  state.cs = CODE_SELECTOR;
  state.ss = DATA_SELECTOR;
  state.cr0 = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
  state.cr4 = CR4_PAE;
  state.efer = EFER_LMA | EFER_LME;
  state.dr6 = DR6_RESET;
  state.dr7 = DR7_RESET;
  writeR(base, RSP, cpu.startStack);
  writeR(base, RDI, cpu.startArgument);
  updateMasked(cpu);
}
