// The PL011 UART of the virt board, transmit side (Arm DDI 0183G 3.3): it is always ready, and what is written to it is
// reported to the host.

import { PL011_BASE, TraceKind } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { trace } from "../trace/ring.ts";

const UARTDR: u32 = 0x000;
const UARTFR: u32 = 0x018;
/** Transmit FIFO empty, receive FIFO empty. */
const FLAGS_IDLE: u64 = 0x90;

export function servePl011(cpu: Cpu, cycle: u64): void {
  const offset = <u32>(cpu.deviceAddress - PL011_BASE);
  if (cpu.deviceWrite != 0) {
    if (offset == UARTDR) trace(TraceKind.CONSOLE, cpu, cycle, (<u32>cpu.deviceValue) & 0xff, cpu.index, 0, 0);
  } else {
    cpu.deviceValue = offset == UARTFR ? FLAGS_IDLE : 0;
  }
}
