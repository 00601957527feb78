// The x86 I/O ports of this platform: a debug console and an exit port, as QEMU's isa-debugcon and isa-debug-exit.

import { CpuState, StopReason, TraceKind, X86_PORT_CONSOLE, X86_PORT_EXIT } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { stopMachine } from "../machine.ts";
import { trace } from "../trace/ring.ts";

/** An access to a port that nothing answers reads as ones and ignores writes, as on a PC. */
export function servePort(cpu: Cpu, cycle: u64): void {
  const port = <u32>cpu.deviceAddress;
  if (cpu.deviceWrite == 0) {
    // The debug console reads as its own number: that is how it is detected.
    cpu.deviceValue = port == X86_PORT_CONSOLE ? X86_PORT_CONSOLE : u64.MAX_VALUE;
  } else if (port == X86_PORT_CONSOLE) {
    trace(TraceKind.CONSOLE, cpu, cycle, (<u32>cpu.deviceValue) & 0xff, cpu.index, 0, 0);
  } else if (port == X86_PORT_EXIT) {
    cpu.state = CpuState.DEAD;
    stopMachine(StopReason.SYSTEM_OFF, cpu.index, cpu.pc, cycle, cpu.deviceValue);
  }
}
