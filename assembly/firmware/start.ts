// Starting a CPU: by the host (power-on with a given entry) or by firmware.

import { Architecture, CpuState, TraceKind } from "../../src/abi.ts";
import { resetCpu } from "../architecture.ts";
import { Cpu } from "../cpu.ts";
import { gicStart } from "../interrupts/gic/interface.ts";
import { machine } from "../machine.ts";
import { ticksOf } from "../time/limits.ts";
import { startNotBefore } from "../time/stolen.ts";
import { trace } from "../trace/ring.ts";

/** Lets a CPU begin at its start pc in the first instruction slot of a cycle. */
export function startCpu(cpu: Cpu, cycle: u64): void {
  if (cpu.state != CpuState.OFFLINE) return;
  resetCpu(cpu);
  if (machine().architecture == Architecture.ARM64) gicStart(cpu, cycle);
  cpu.on = 1;
  cpu.starting = 0;
  cpu.state = CpuState.RUNNING;
  cpu.clock = ticksOf(cycle);
  startNotBefore(cpu);
  cpu.pc = cpu.startPc;
  trace(TraceKind.CPU_STARTED, cpu, cycle, 0, cpu.index, cpu.startPc, 0);
}
