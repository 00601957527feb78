// Control and debug registers (SDM 3A 2.5, 3B 17.2; 2B MOV, LMSW, SMSW). There is no paging to switch, and leaving 64-bit
// mode is refused as the manual has it.

import { Cpu } from "../cpu.ts";
import { apicReadCr8, apicWriteCr8 } from "../interrupts/apic/priority.ts";
import {
  CR0_AM,
  CR0_CD,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4_DE,
  CR4_FSGSBASE,
  CR4_MCE,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_PAE,
  CR4_PCE,
  CR4_PGE,
  CR4_PSE,
  CR4_SMAP,
  CR4_SMEP,
  CR4_TSD,
  readR,
  writeR,
  x86,
} from "./cpu.ts";
import { generalProtection, undefinedOpcode, unsupported } from "./exception.ts";
import { done, isMemory, numberOf, operandAddress, readRm, writeMemory, writePart } from "./operand.ts";
import { Op, X86 } from "./operations.ts";
import { Step } from "./step.ts";

const CR0_WRITABLE: u64 = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
/** Bits of features that CPUID announces, and the two of SSE, which systems set without asking. */
const CR4_WRITABLE: u64 =
  CR4_TSD |
  CR4_DE |
  CR4_PSE |
  CR4_PAE |
  CR4_MCE |
  CR4_PGE |
  CR4_PCE |
  CR4_OSFXSR |
  CR4_OSXMMEXCPT |
  CR4_FSGSBASE |
  CR4_SMEP |
  CR4_SMAP;

const DR6_FIXED: u64 = 0xffff_0ff0;
const DR6_WRITABLE: u64 = 0xe00f;
const DR7_FIXED: u64 = 0x400;
const DR7_CLEAR: u64 = 0xd800;
/** Breakpoint enables and general detect: not modelled. */
const DR7_ENABLES: u64 = 0x20ff;

export function executeControlRegister(cpu: Cpu, d: X86, operation: i32): Step {
  const base = changetype<usize>(cpu);
  const state = x86(cpu);
  switch (operation) {
    case Op.MOV_FROM_CR:
      writeR(base, d.reg, readControl(cpu, numberOf(d)));
      return Step.NEXT;
    case Op.MOV_TO_CR:
      return writeControl(cpu, numberOf(d), readR(base, d.reg));
    case Op.MOV_FROM_DR:
    case Op.MOV_TO_DR:
      return moveDebug(cpu, d, operation == Op.MOV_TO_DR);
    case Op.LMSW: {
      const value = readRm(cpu, d);
      if (!done) return Step.ACCESS;
      // PE can be set but not cleared.
      const changed = CR0_MP | CR0_EM | CR0_TS;
      state.cr0 = (state.cr0 & ~changed) | (value & (changed | CR0_PE));
      return Step.NEXT;
    }
    case Op.SMSW:
      if (isMemory(d)) return writeMemory(cpu, operandAddress(cpu, d), 2, state.cr0) ? Step.NEXT : Step.ACCESS;
      writePart(base, d.rm, d.size, false, state.cr0);
      return Step.NEXT;
    default: // CLTS
      state.cr0 &= ~CR0_TS;
      return Step.NEXT;
  }
}

function readControl(cpu: Cpu, register: u32): u64 {
  const state = x86(cpu);
  switch (register) {
    case 0:
      return state.cr0;
    case 2:
      return state.cr2;
    case 3:
      return state.cr3;
    case 4:
      return state.cr4;
    default:
      return apicReadCr8(cpu);
  }
}

function writeControl(cpu: Cpu, register: u32, value: u64): Step {
  const state = x86(cpu);
  switch (register) {
    case 0: {
      const paging = CR0_PE | CR0_PG;
      const isCacheModeWrong = (value & (CR0_NW | CR0_CD)) == CR0_NW;
      if (value >>> 32 != 0 || (value & paging) != paging || isCacheModeWrong) return generalProtection(cpu);
      state.cr0 = (value & CR0_WRITABLE) | CR0_ET;
      return Step.NEXT;
    }
    case 2:
      state.cr2 = value;
      return Step.NEXT;
    case 3:
      if (value >>> 32 != 0) return generalProtection(cpu); // beyond the physical address bits
      state.cr3 = value;
      return Step.NEXT;
    case 4:
      if ((value & ~CR4_WRITABLE) != 0 || (value & CR4_PAE) == 0) return generalProtection(cpu);
      state.cr4 = value;
      return Step.NEXT;
    default:
      if (value > 15) return generalProtection(cpu);
      apicWriteCr8(cpu, <u32>value);
      return Step.RECHECK;
  }
}

function moveDebug(cpu: Cpu, d: X86, write: bool): Step {
  const base = changetype<usize>(cpu);
  const state = x86(cpu);
  let register = numberOf(d);
  if (register == 4 || register == 5) {
    if ((state.cr4 & CR4_DE) != 0) return undefinedOpcode(cpu);
    register += 2;
  }
  if (write) return writeDebug(cpu, register, readR(base, d.reg));
  switch (register) {
    case 0:
      writeR(base, d.reg, state.dr0);
      break;
    case 1:
      writeR(base, d.reg, state.dr1);
      break;
    case 2:
      writeR(base, d.reg, state.dr2);
      break;
    case 3:
      writeR(base, d.reg, state.dr3);
      break;
    case 6:
      writeR(base, d.reg, state.dr6);
      break;
    default:
      writeR(base, d.reg, state.dr7);
      break;
  }
  return Step.NEXT;
}

function writeDebug(cpu: Cpu, register: u32, value: u64): Step {
  const state = x86(cpu);
  if (register > 3 && value >>> 32 != 0) return generalProtection(cpu);
  switch (register) {
    case 0:
      state.dr0 = value;
      break;
    case 1:
      state.dr1 = value;
      break;
    case 2:
      state.dr2 = value;
      break;
    case 3:
      state.dr3 = value;
      break;
    case 6:
      state.dr6 = (value & DR6_WRITABLE) | DR6_FIXED;
      break;
    default:
      if ((value & DR7_ENABLES) != 0) return unsupported(cpu, value);
      state.dr7 = (value & ~DR7_CLEAR) | DR7_FIXED;
      break;
  }
  return Step.NEXT;
}
