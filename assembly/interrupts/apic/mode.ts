// IA32_APIC_BASE and the transitions between the modes of a local APIC (Intel SDM 3A 11.4.3, 11.12.1.1, 11.12.5.1, rev. 083).

import { StopReason } from "../../../src/abi.ts";
import { Cpu } from "../../cpu.ts";
import { stopMachine } from "../../machine.ts";
import { startCycle } from "../../time/bounds.ts";
import { x86 } from "../../x86/cpu.ts";
import { APIC_BASE_ADDRESS, APIC_BASE_BSP, APIC_BASE_ENABLED, APIC_BASE_EXTD, ApicMode, modeOf } from "./base.ts";
import { apicMode, apicOf, initApic } from "./record.ts";

/** The page's address, within the physical address bits that CPUID tells of. */
const ADDRESS: u64 = 0xffff_f000;
const DEFINED: u64 = ADDRESS | APIC_BASE_ENABLED | APIC_BASE_EXTD | APIC_BASE_BSP;

function isLegal(from: ApicMode, to: ApicMode): bool {
  if (from == to || to == ApicMode.DISABLED) return true;
  return (from == ApicMode.DISABLED && to == ApicMode.XAPIC) || (from == ApicMode.XAPIC && to == ApicMode.X2APIC);
}

/** WRMSR. @returns false for #GP */
export function writeApicBase(cpu: Cpu, value: u64): bool {
  const from = apicMode(cpu);
  const to = modeOf(value);
  if ((value & ~DEFINED) != 0 || to == ApicMode.INVALID || !isLegal(from, to)) return false;
  if ((value & ADDRESS) != APIC_BASE_ADDRESS) {
    // Another address for the page is not modelled.
    stopMachine(StopReason.UNSUPPORTED, cpu.index, cpu.pc, startCycle(cpu), value);
    return true;
  }
  x86(cpu).apicBase = value;
  if (from == to) return true;
  // A disabled APIC keeps nothing but its ID.
  if (to == ApicMode.DISABLED) initApic(cpu);
  else if (to == ApicMode.X2APIC) forgetDestinations(cpu);
  return true;
}

/** What the way from xAPIC to x2APIC mode doesn't preserve: LDR, and the upper half of ICR. */
function forgetDestinations(cpu: Cpu): void {
  const apic = apicOf(cpu);
  apic.logicalDestination = 0;
  apic.destinationFormat = u32.MAX_VALUE;
  apic.command &= <u64>u32.MAX_VALUE;
}
