// Instructions before which all older stores drain: MFENCE, serialising ones, I/O, flushes of lines (SDM 3A 9.2.5, 9.3, 12.10). Locked
// ones wait where they access memory (memory/access.ts), interrupts and exceptions where they are taken.

import { IA32_TSC_DEADLINE } from "./msr.ts";
import { Cpu } from "../cpu.ts";
import { isX2apicMsr } from "../interrupts/apic/x2apic.ts";
import { awaitStores, hasStores, mayLookAtStores } from "../memory/stores.ts";
import { RCX, readR } from "./cpu.ts";
import { numberOf } from "./operand.ts";
import { Fence, Op, X86 } from "./operations.ts";
import { Step } from "./step.ts";

/** @returns NEXT unless the instruction must wait for stores, and may be told so */
// @ts-ignore: decorator
@inline
export function drainBefore(cpu: Cpu, d: X86, operation: i32): Step {
  return cpu.storing == 0 ? Step.NEXT : wait(cpu, d, operation);
}

function wait(cpu: Cpu, d: X86, operation: i32): Step {
  if (!drains(cpu, d, operation)) return Step.NEXT;
  if (!mayLookAtStores(cpu)) return Step.LIMIT;
  if (!hasStores(cpu)) return Step.NEXT;
  awaitStores(cpu);
  return Step.ACCESS;
}

function drains(cpu: Cpu, d: X86, operation: i32): bool {
  switch (operation) {
    case Op.FENCE:
      // SFENCE orders stores, which drain in order; LFENCE waits for loads alone.
      return d.extra == <u16>Fence.MFENCE || d.extra == <u16>Fence.SERIALIZE;
    case Op.WRMSR:
      return isSerializingMsr(<u32>readR(changetype<usize>(cpu), RCX));
    case Op.MOV_TO_CR:
      return numberOf(d) != 8;
    case Op.CLFLUSH:
    case Op.CPUID:
    case Op.IN:
    case Op.OUT:
    case Op.INVLPG:
    case Op.INVPCID:
    case Op.WBINVD:
    case Op.MOV_TO_DR:
    case Op.LMSW:
    case Op.LGDT:
    case Op.LIDT:
    case Op.LLDT:
    case Op.LTR:
    case Op.IRET:
      return true;
    default:
      return false;
  }
}

/** WRMSR is serialising but for the x2APIC's registers and IA32_TSC_DEADLINE (SDM 3A 9.3, 11.12.3; 2D WRMSR). */
function isSerializingMsr(msr: u32): bool {
  return !isX2apicMsr(msr) && msr != IA32_TSC_DEADLINE;
}
