// The x86 I/O ports of this platform: a debug console and an exit port, as QEMU's isa-debugcon and isa-debug-exit; and the NMI
// status and control register of a PC, port 0x61 (Intel 500 Series PCH datasheet, volume 2, NMI_STS_CNT).

import {
  CpuState,
  SYSTEM_CONTROL_IOCHK,
  SYSTEM_CONTROL_IOCHK_DISABLE,
  SYSTEM_CONTROL_SERR,
  SYSTEM_CONTROL_SERR_DISABLE,
  StopReason,
  TraceKind,
  X86_PORT_CONSOLE,
  X86_PORT_EXIT,
  X86_PORT_SYSTEM_CONTROL,
} from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { machine, stopMachine } from "../machine.ts";
import { trace } from "../trace/ring.ts";
import { nmiArrives } from "../x86/systemEvents.ts";

/** An access to a port that nothing answers reads as ones and ignores writes, as on a PC. */
export function servePort(cpu: Cpu, cycle: u64): void {
  const port = <u32>cpu.deviceAddress;
  if (cpu.deviceWrite == 0) {
    cpu.deviceValue = readPort(port, cycle);
  } else if (port == X86_PORT_CONSOLE) {
    trace(TraceKind.CONSOLE, cpu, cycle, (<u32>cpu.deviceValue) & 0xff, cpu.index, 0, 0);
  } else if (port == X86_PORT_EXIT) {
    cpu.state = CpuState.DEAD;
    stopMachine(StopReason.SYSTEM_OFF, cpu.index, cpu.pc, cycle, cpu.deviceValue);
  } else if (port == X86_PORT_SYSTEM_CONTROL) {
    writeSystemControl(<u32>cpu.deviceValue);
  }
}

/** Ports are a byte wide: those beside one read as ones. */
function readPort(port: u32, cycle: u64): u64 {
  const others = u64.MAX_VALUE << 8;
  switch (port) {
    case X86_PORT_CONSOLE: // reads as its own number: that is how it is detected
      return X86_PORT_CONSOLE;
    case X86_PORT_SYSTEM_CONTROL:
      return others | (<u64>(machine().systemControl | refreshToggle(cycle)));
    default:
      return u64.MAX_VALUE;
  }
}

// --- port 0x61 -------------------------------------------------------------------------------------------------------
//
// Bits 7 and 6 say that SERR# or IOCHK# has raised the NMI; setting bit 2 or 3 disables and clears it. Bits 1:0 control
// the speaker: there is none, but they can be read back. Bit 5, the output of timer 2, is 0.

const WRITABLE: u32 = 0x0f;
const SOURCES: u32 = SYSTEM_CONTROL_SERR | SYSTEM_CONTROL_IOCHK;
const REFRESH_TOGGLE: u32 = 1 << 4;
/** Nanoseconds between two memory refreshes of a PC: 18 periods of 1,193,182 Hz. */
const REFRESH_NS: u64 = 15_086;

/** Bit 4 changes at every refresh, which code of old counts to wait. */
function refreshToggle(cycle: u64): u32 {
  const refreshCycles = max<u64>(1, (REFRESH_NS * machine().clockMhz) / 1000);
  return ((cycle / refreshCycles) & 1) != 0 ? REFRESH_TOGGLE : 0;
}

function disablerOf(source: u32): u32 {
  return source == SYSTEM_CONTROL_SERR ? SYSTEM_CONTROL_SERR_DISABLE : SYSTEM_CONTROL_IOCHK_DISABLE;
}

function writeSystemControl(value: u32): void {
  const m = machine();
  m.systemControl = (m.systemControl & SOURCES) | (value & WRITABLE);
  if ((value & SYSTEM_CONTROL_SERR_DISABLE) != 0) m.systemControl &= ~SYSTEM_CONTROL_SERR;
  if ((value & SYSTEM_CONTROL_IOCHK_DISABLE) != 0) m.systemControl &= ~SYSTEM_CONTROL_IOCHK;
}

/** A source signals: an NMI comes to the bootstrap processor, as by LINT1. The sources share that line, whose edge counts. */
export function raiseSystemNmi(bootstrap: Cpu, source: u32): void {
  const m = machine();
  if ((m.systemControl & disablerOf(source)) != 0) return;
  const wasRaised = (m.systemControl & SOURCES) != 0;
  m.systemControl |= source;
  if (!wasRaised) nmiArrives(bootstrap);
}
