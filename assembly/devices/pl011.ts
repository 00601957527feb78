// The PL011 UART of the virt board (Arm DDI 0183G), transmit side: it is always ready, what is written to it is reported to
// the host at once, and nothing is ever received. Where the manual leaves a choice it does as QEMU's model does.

import { PL011_BASE, StopReason, TraceKind } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { mix } from "../digest.ts";
import { gicSetSpiLine } from "../interrupts/gic/spi.ts";
import { machine, reserve, stopMachine } from "../machine.ts";
import { trace } from "../trace/ring.ts";

/** Registers that hold what is written. */
@unmanaged
class Pl011 {
  /** UARTILPR, UARTIBRD, UARTFBRD, UARTLCR_H, UARTCR, UARTIFLS, UARTDMACR */
  lowPower: u32;
  integerDivisor: u32;
  fractionalDivisor: u32;
  lineControl: u32;
  control: u32;
  fifoLevels: u32;
  dmaControl: u32;
  /** UARTIMSC, UARTRIS */
  mask: u32;
  raw: u32;
  /** The interrupt line is up. */
  asserted: u32;
}

const PL011_STATE_BYTES: usize = 64;
if (offsetof<Pl011>() > PL011_STATE_BYTES) ERROR("Pl011 outgrew its bytes");

const UARTDR: u32 = 0x000;
const UARTRSR: u32 = 0x004;
const UARTFR: u32 = 0x018;
const UARTILPR: u32 = 0x020;
const UARTIBRD: u32 = 0x024;
const UARTFBRD: u32 = 0x028;
const UARTLCR_H: u32 = 0x02c;
const UARTCR: u32 = 0x030;
const UARTIFLS: u32 = 0x034;
const UARTIMSC: u32 = 0x038;
const UARTRIS: u32 = 0x03c;
const UARTMIS: u32 = 0x040;
const UARTICR: u32 = 0x044;
const UARTDMACR: u32 = 0x048;
/** Their first address, and their bytes. */
const IDENTIFICATION: u32 = 0xfe0;
const IDENTIFICATION_BYTES: u64 = 0xb105_f00d_0014_1011;

/** Transmit FIFO empty, receive FIFO empty. */
const FLAGS_IDLE: u32 = 0x90;
/** TXE, RXE */
const CONTROL_RESET: u32 = 0x300;
/** Half full, both ways. */
const FIFO_LEVELS_RESET: u32 = 0x12;
const INTERRUPT_TRANSMIT: u32 = 1 << 5;
/** All eleven interrupts. */
const INTERRUPTS: u32 = 0x7ff;
/** SPI 1 of the virt board. */
const PL011_INTID: u32 = 33;

export function openPl011(): bool {
  machine().pl011 = reserve(PL011_STATE_BYTES, 64);
  if (machine().pl011 == 0) return false;
  uart().control = CONTROL_RESET;
  uart().fifoLevels = FIFO_LEVELS_RESET;
  return true;
}

// @ts-ignore: decorator
@inline
function uart(): Pl011 {
  return changetype<Pl011>(machine().pl011);
}

export function servePl011(cpu: Cpu, cycle: u64): void {
  const offset = <u32>(cpu.deviceAddress - PL011_BASE);
  if (cpu.deviceWrite != 0) write(cpu, offset, <u32>cpu.deviceValue, cycle);
  else cpu.deviceValue = <u64>read(cpu, offset, cycle);
}

function read(cpu: Cpu, offset: u32, cycle: u64): u32 {
  const state = uart();
  if (isIdentification(offset)) return (<u32>(IDENTIFICATION_BYTES >>> (<u64>((offset - IDENTIFICATION) << 1)))) & 0xff;
  switch (offset) {
    case UARTDR:
    case UARTRSR:
    case UARTICR: // write-only
      return 0;
    case UARTFR:
      return FLAGS_IDLE;
    case UARTILPR:
      return state.lowPower;
    case UARTIBRD:
      return state.integerDivisor;
    case UARTFBRD:
      return state.fractionalDivisor;
    case UARTLCR_H:
      return state.lineControl;
    case UARTCR:
      return state.control;
    case UARTIFLS:
      return state.fifoLevels;
    case UARTIMSC:
      return state.mask;
    case UARTRIS:
      return state.raw;
    case UARTMIS:
      return state.raw & state.mask;
    case UARTDMACR:
      return state.dmaControl;
    default:
      unknown(cpu, cycle);
      return 0;
  }
}

function write(cpu: Cpu, offset: u32, value: u32, cycle: u64): void {
  const state = uart();
  if (isIdentification(offset)) return;
  switch (offset) {
    case UARTDR:
      trace(TraceKind.CONSOLE, cpu, cycle, value & 0xff, cpu.index, 0, 0);
      state.raw |= INTERRUPT_TRANSMIT; // the FIFO is empty again
      break;
    case UARTRSR: // UARTECR: there are no errors to be cleared
    // Read-only (table 3-1): nothing becomes of a write, and the bus has no way to say so.
    case UARTFR:
    case UARTRIS:
    case UARTMIS:
      return;
    case UARTILPR:
      state.lowPower = value & 0xff;
      return;
    case UARTIBRD:
      state.integerDivisor = value & 0xffff;
      return;
    case UARTFBRD:
      state.fractionalDivisor = value & 0x3f;
      return;
    case UARTLCR_H:
      state.lineControl = value & 0xff;
      return;
    case UARTCR:
      state.control = value & 0xffff;
      return;
    case UARTIFLS:
      state.fifoLevels = value & 0x3f;
      return;
    case UARTIMSC:
      state.mask = value & INTERRUPTS;
      break;
    case UARTICR:
      state.raw &= ~value;
      break;
    case UARTDMACR:
      // There is no DMA to be told.
      state.dmaControl = value & 7;
      return;
    default:
      unknown(cpu, cycle);
      return;
  }
  setLine(cycle);
}

/** UARTPeriphID0 to 3, UARTPCellID0 to 3: read-only. */
function isIdentification(offset: u32): bool {
  return offset >= IDENTIFICATION && (offset & 3) == 0;
}

function setLine(cycle: u64): void {
  const state = uart();
  const asserted: u32 = (state.raw & state.mask) != 0 ? 1 : 0;
  if (asserted == state.asserted) return;
  state.asserted = asserted;
  gicSetSpiLine(PL011_INTID, asserted != 0, cycle);
}

function unknown(cpu: Cpu, cycle: u64): void {
  stopMachine(StopReason.UNSUPPORTED, cpu.index, cpu.pc, cycle, cpu.deviceAddress);
}

export function pl011Digest(): void {
  const state = machine().pl011;
  for (let offset: usize = 0; offset < PL011_STATE_BYTES; offset += 8) mix(load<u64>(state + offset));
}
