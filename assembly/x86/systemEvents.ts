// System-management interrupts, INIT and start-up IPIs as they reach a CPU.

import { StopReason } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { stopMachine } from "../machine.ts";
import { unpark } from "../time/spin.ts";

function notModelled(cpu: Cpu, cycle: u64, detail: u64): void {
  // A CPU that spins has only been noted to: its pc is part of the report.
  if (cpu.parked != 0) unpark(cpu, cycle);
  stopMachine(StopReason.UNSUPPORTED, cpu.index, cpu.pc, cycle, detail);
}

export function smiArrives(cpu: Cpu, cycle: u64): void {
  notModelled(cpu, cycle, 0x200);
}

export function initArrives(cpu: Cpu, cycle: u64): void {
  notModelled(cpu, cycle, 0x500);
}

/** @param page where real mode would begin: address over 4096 */
export function startupArrives(cpu: Cpu, page: u32, cycle: u64): void {
  notModelled(cpu, cycle, 0x600 | (<u64>page));
}
