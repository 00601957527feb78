// Messages of other CPUs' APICs, and of one's own, reach this one (Intel SDM 3A 11.6.2, 11.8.1, rev. 083).

import { CpuState, DeliveryMode } from "../../../src/abi.ts";
import { Cpu } from "../../cpu.ts";
import { startupArrives, systemEventArrives } from "../../x86/systemEvents.ts";
import { ApicError, noteError } from "./errors.ts";
import { requestVector } from "./priority.ts";
import { ApicMode } from "./base.ts";
import { Apic, SPURIOUS_ENABLE, apicMode, apicOf } from "./record.ts";

/** What a message says beside its vector: the delivery mode in bits 2:0, and */
export const MESSAGE_MODE: u32 = 7;
/** that a logical destination in xAPIC's format follows in bits 15:8, for which every APIC looks at its own LDR. */
export const MESSAGE_LOGICAL: u32 = 8;

const FORMAT_FLAT: u32 = 0xf;
const BROADCAST: u32 = 0xff;

export function apicAccept(cpu: Cpu, vector: u32, message: u32, cycle: u64): void {
  const apic = apicOf(cpu);
  const mode = apicMode(cpu);
  if (mode == ApicMode.DISABLED) return;
  if ((message & MESSAGE_LOGICAL) != 0 && (mode != ApicMode.XAPIC || !isAddressed(apic, message >>> 8))) return;
  const delivery = <DeliveryMode>(message & MESSAGE_MODE);
  if (systemEventArrives(cpu, delivery, cycle)) return;
  if (delivery == DeliveryMode.STARTUP) startupArrives(cpu, vector, cycle);
  else acceptVector(cpu, apic, vector, cycle);
}

/** Fixed and lowest-priority messages. A software-disabled APIC takes none (SDM 3A 11.4.7.2). */
function acceptVector(cpu: Cpu, apic: Apic, vector: u32, cycle: u64): void {
  if (cpu.state == CpuState.OFFLINE || (apic.spurious & SPURIOUS_ENABLE) == 0) return;
  if (vector < 16) noteError(cpu, apic, ApicError.RECEIVE_ILLEGAL_VECTOR, cycle);
  // IPIs are edges, whatever the ICR's trigger mode says (SDM 3A table 11-3, note 3).
  else requestVector(cpu, apic, vector, false);
}

/** Whether a message destination address is this APIC's, by its LDR and DFR (SDM 3A 11.6.2.2). */
function isAddressed(apic: Apic, destination: u32): bool {
  if (destination == BROADCAST) return true;
  const logical = apic.logicalDestination >>> 24;
  if (apic.destinationFormat >>> 28 == FORMAT_FLAT) return (destination & logical) != 0;
  const cluster = destination >>> 4;
  return (cluster == 0xf || cluster == logical >>> 4) && (destination & logical & 0xf) != 0;
}
