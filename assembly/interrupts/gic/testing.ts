// What tests do to the GIC in place of timers and firmware. No part of the core.

import { Cpu, cpuAt } from "../../cpu.ts";
import { machine } from "../../machine.ts";
import { catchUpAll, continueLater } from "../../time/run.ts";
import { settlePending } from "../message.ts";
import { gicClearSecureActive, gicSetPpiLine, gicSetSecureActive } from "./interface.ts";

export function setPpiLine(index: u32, intid: u32, high: bool): void {
  catchUpAll();
  gicSetPpiLine(cpuAt(index), intid, high);
  settle(cpuAt(index));
}

export function setSecureActive(index: u32, priority: u32): void {
  catchUpAll();
  gicSetSecureActive(cpuAt(index), priority);
  settle(cpuAt(index));
}

export function clearSecureActive(index: u32): void {
  catchUpAll();
  gicClearSecureActive(cpuAt(index));
  settle(cpuAt(index));
}

function settle(cpu: Cpu): void {
  settlePending(cpu, machine().now);
  continueLater(cpu.core, machine().now);
}
