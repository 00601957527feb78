// The GICv3 distributor (Arm IHI 0069H 12.9): identification and group enables. Shared peripheral interrupts come later;
// touching their registers stops the machine and names them, rather than pretending.

import { GICD_BASE, StopReason, Timing } from "../../../src/abi.ts";
import { Cpu, cpuAt } from "../../cpu.ts";
import { machine, stopMachine, timing } from "../../machine.ts";
import { Message, send } from "../message.ts";

const GICD_CTLR: u32 = 0x0000;
const GICD_TYPER: u32 = 0x0004;
const GICD_IIDR: u32 = 0x0008;
const GICD_TYPER2: u32 = 0x000c;
export const GIC_PIDR2: u32 = 0xffe8;
/** ArchRev 3 */
export const PIDR2_GICV3: u64 = 0x3b;
/** Product 0, implementer Arm. */
export const IIDR: u64 = 0x43b;
/** EnableGrp0, EnableGrp1. */
const CTLR_WRITABLE: u32 = 3;
/** ARE (affinity routing is not optional here), DS. */
const CTLR_FIXED: u32 = 0x50;
/** ITLinesNumber 0, IDbits 16, A3V, No1N, RSS: range selectors in SGIs are understood. */
const TYPER: u64 = ((<u64>15) << 19) | ((<u64>1) << 24) | ((<u64>1) << 25) | ((<u64>1) << 26);

export function serveDistributor(cpu: Cpu, cycle: u64): void {
  const offset = <u32>(cpu.deviceAddress - GICD_BASE);
  if (cpu.deviceWrite != 0) writeDistributor(cpu, offset, cycle);
  else readDistributor(cpu, offset, cycle);
}

function readDistributor(cpu: Cpu, offset: u32, cycle: u64): void {
  switch (offset) {
    case GICD_CTLR:
      cpu.deviceValue = <u64>(machine().distributor | CTLR_FIXED);
      break;
    case GICD_TYPER:
      cpu.deviceValue = TYPER;
      break;
    case GICD_IIDR:
      cpu.deviceValue = IIDR;
      break;
    case GIC_PIDR2:
      cpu.deviceValue = PIDR2_GICV3;
      break;
    case GICD_TYPER2:
      cpu.deviceValue = 0;
      break;
    default:
      cpu.deviceValue = 0;
      stopMachine(StopReason.UNSUPPORTED, cpu.index, cpu.pc, cycle, cpu.deviceAddress);
      break;
  }
}

/** Every redistributor learns of new group enables by a message. */
function writeDistributor(cpu: Cpu, offset: u32, cycle: u64): void {
  const m = machine();
  if (offset != GICD_CTLR) {
    if (offset != GICD_TYPER && offset != GICD_IIDR && offset != GICD_TYPER2 && offset != GIC_PIDR2) {
      stopMachine(StopReason.UNSUPPORTED, cpu.index, cpu.pc, cycle, cpu.deviceAddress);
    }
    return;
  }
  m.distributor = (<u32>cpu.deviceValue) & CTLR_WRITABLE;
  const arrival = cycle + timing(Timing.INTERRUPT_LATENCY);
  for (let index: u32 = 0; index < m.cpus; index++) {
    const target = cpuAt(index);
    if (changetype<usize>(target.core) == 0) continue;
    send(target, (<u64>Message.DISTRIBUTOR) | ((<u64>m.distributor) << 32), arrival);
  }
}
