// The GICv3 distributor's registers (Arm IHI 0069H 12.9): SPIs, group enables, identification. Words for INTIDs 0 to 31 are
// RES0, since affinity routing is not optional here; what is reserved, and what is accessed in a size that the manual doesn't
// allow, reads as zero and ignores writes, as on QEMU's virt board.

import { GICD_BASE, Timing } from "../../../src/abi.ts";
import { Cpu } from "../../cpu.ts";
import { machine, timing } from "../../machine.ts";
import { FIRST_ID, IIDR, PIDR0_DISTRIBUTOR, identification } from "./identification.ts";
import { FIRST_SPI, INTID_END } from "./intids.ts";
import {
  SPI_WORDS,
  SpiBits,
  distributor,
  routerOf,
  setRouter,
  setSpiBit,
  setSpiPriority,
  setSpiWord,
  spiBit,
  spiPriority,
  spiWord,
  spisPending,
  writesPendUntil,
} from "./spi.ts";

const GICD_CTLR: u32 = 0x0000;
const GICD_TYPER: u32 = 0x0004;
const GICD_IIDR: u32 = 0x0008;
const GICD_SETSPI_NSR: u32 = 0x0040;
const GICD_CLRSPI_NSR: u32 = 0x0048;
// Of each kind one word for 32 INTIDs.
const GICD_IGROUPR: u32 = 0x0080;
const GICD_ISENABLER: u32 = 0x0100;
const GICD_ICENABLER: u32 = 0x0180;
const GICD_ISPENDR: u32 = 0x0200;
const GICD_ICPENDR: u32 = 0x0280;
const GICD_ISACTIVER: u32 = 0x0300;
const GICD_ICACTIVER: u32 = 0x0380;
const GICD_INMIR: u32 = 0x0f80;
const GICD_IPRIORITYR: u32 = 0x0400;
const GICD_ICFGR: u32 = 0x0c00;
const GICD_IROUTER: u32 = 0x6000;

/** EnableGrp0, EnableGrp1. */
const CTLR_WRITABLE: u32 = 3;
/** ARE (affinity routing is not optional here), DS. */
const CTLR_FIXED: u32 = 0x50;
const CTLR_RWP: u32 = 0x8000_0000;
const TYPER_NMI: u32 = 1 << 9;
/** ITLinesNumber, MBIS, IDbits 16, A3V, RSS: range selectors in SGIs are understood. No1N is 0. */
const TYPER: u32 = (INTID_END / 32 - 1) | (1 << 16) | (15 << 19) | (1 << 24) | (1 << 26);
const INTID_FIELD: u32 = 0x1fff;

export function serveDistributor(cpu: Cpu, cycle: u64): void {
  const offset = <u32>(cpu.deviceAddress - GICD_BASE);
  const size = cpu.deviceSize;
  const write = cpu.deviceWrite != 0;
  let value: u64 = 0;
  if ((offset & (size - 1)) != 0) {
    // Not aligned: reserved.
  } else if (isWithin(offset, GICD_IPRIORITYR, INTID_END)) {
    if (size == 1 || size == 4) value = accessPriorities(cpu, offset - GICD_IPRIORITYR);
  } else if (isWithin(offset, GICD_IROUTER, INTID_END * 8)) {
    if (size >= 4) value = accessRouter(cpu, offset - GICD_IROUTER);
  } else if (offset == GICD_SETSPI_NSR || offset == GICD_CLRSPI_NSR) {
    if (write && (size == 2 || size == 4)) messageSpi(<u32>cpu.deviceValue, offset == GICD_SETSPI_NSR);
  } else if (size == 4) {
    if (write) writeWord(offset, <u32>cpu.deviceValue, cycle);
    else value = readWord(offset, cycle);
  }
  if (!write) cpu.deviceValue = value;
}

function isWithin(offset: u32, first: u32, bytes: u32): bool {
  return offset >= first && offset < first + bytes;
}

// --- words -----------------------------------------------------------------------------------------------------------

function readWord(offset: u32, cycle: u64): u32 {
  switch (offset) {
    case GICD_CTLR:
      return distributor().control | CTLR_FIXED | (cycle < distributor().writePendingUntil ? CTLR_RWP : 0);
    case GICD_TYPER:
      return TYPER | (machine().featNmi != 0 ? TYPER_NMI : 0);
    case GICD_IIDR:
      return IIDR;
    default:
      if (offset >= FIRST_ID) return identification(offset, PIDR0_DISTRIBUTOR);
      if (isWithin(offset, GICD_ICFGR, INTID_END / 4)) return readConfiguration((offset - GICD_ICFGR) >>> 2);
      return readBits(offset & ~(<u32>0x7f), (offset & 0x7f) >>> 2);
  }
}

function writeWord(offset: u32, value: u32, cycle: u64): void {
  if (offset == GICD_CTLR) writeControl(value, cycle);
  else if (isWithin(offset, GICD_ICFGR, INTID_END / 4)) writeConfiguration((offset - GICD_ICFGR) >>> 2, value);
  else writeBits(offset & ~(<u32>0x7f), (offset & 0x7f) >>> 2, value);
}

function writeControl(value: u32, cycle: u64): void {
  const d = distributor();
  const before = d.control;
  d.control = value & CTLR_WRITABLE;
  if (d.control == before) return;
  d.changed = d.controlChanged = 1;
  // Redistributors learn of a disabled group by a message.
  if ((before & ~d.control) != 0) writesPendUntil(cycle + timing(Timing.INTERRUPT_LATENCY));
}

/** `word` counts from INTID 0; IGRPMODR and NSACR are RES0 with one security state. */
function readBits(register: u32, word: u32): u32 {
  if (word == 0 || word > SPI_WORDS) return 0;
  return readAllBits(register, word) & ~spiWord(SpiBits.SECURE, word - 1);
}

function readAllBits(register: u32, word: u32): u32 {
  switch (register) {
    case GICD_IGROUPR:
      return spiWord(SpiBits.GROUP1, word - 1);
    case GICD_ISENABLER:
    case GICD_ICENABLER:
      return spiWord(SpiBits.ENABLED, word - 1);
    case GICD_ISPENDR:
    case GICD_ICPENDR:
      return spisPending(word - 1);
    case GICD_ISACTIVER:
    case GICD_ICACTIVER:
      return spiWord(SpiBits.ACTIVE, word - 1);
    case GICD_INMIR:
      return spiWord(SpiBits.NON_MASKABLE, word - 1);
    default:
      return 0;
  }
}

function writeBits(register: u32, word: u32, written: u32): void {
  if (word == 0 || word > SPI_WORDS) return;
  const value = written & ~spiWord(SpiBits.SECURE, word - 1);
  switch (register) {
    case GICD_IGROUPR:
      setWhole(SpiBits.GROUP1, word - 1, value);
      break;
    case GICD_ISENABLER:
      setOnes(SpiBits.ENABLED, word - 1, value);
      break;
    case GICD_ICENABLER:
      clearOnes(SpiBits.ENABLED, word - 1, value);
      break;
    case GICD_ISPENDR:
      setOnes(SpiBits.PENDING, word - 1, value);
      break;
    case GICD_ICPENDR:
      clearOnes(SpiBits.PENDING, word - 1, value);
      break;
    case GICD_ISACTIVER:
      setOnes(SpiBits.ACTIVE, word - 1, value);
      break;
    case GICD_ICACTIVER:
      clearOnes(SpiBits.ACTIVE, word - 1, value);
      break;
    case GICD_INMIR:
      if (machine().featNmi != 0) setWhole(SpiBits.NON_MASKABLE, word - 1, value);
      break;
    default:
      break;
  }
}

/** All bits are written but EL3's. */
function setWhole(bits: SpiBits, word: u32, value: u32): void {
  setSpiWord(bits, word, value | (spiWord(bits, word) & spiWord(SpiBits.SECURE, word)));
}

/** The set and clear registers: ones act, zeros don't. */
function setOnes(bits: SpiBits, word: u32, ones: u32): void {
  setSpiWord(bits, word, spiWord(bits, word) | ones);
}

function clearOnes(bits: SpiBits, word: u32, ones: u32): void {
  setSpiWord(bits, word, spiWord(bits, word) & ~ones);
}

// --- two bits, eight bits and 64 bits for an INTID -------------------------------------------------------------------

/** GICD_ICFGR: bit 1 of each field says edge-triggered, bit 0 is RES0. `word` holds sixteen INTIDs. */
function readConfiguration(word: u32): u32 {
  if (word < 2) return 0;
  const own = spiWord(SpiBits.EDGE, (word >>> 1) - 1) & ~spiWord(SpiBits.SECURE, (word >>> 1) - 1);
  return spreadEdges(own >>> ((word & 1) << 4));
}

function writeConfiguration(word: u32, value: u32): void {
  if (word < 2) return;
  const shift = (word & 1) << 4;
  const written = ((<u32>0xffff) << shift) & ~spiWord(SpiBits.SECURE, (word >>> 1) - 1);
  const others = spiWord(SpiBits.EDGE, (word >>> 1) - 1) & ~written;
  setSpiWord(SpiBits.EDGE, (word >>> 1) - 1, others | ((gatherEdges(value) << shift) & written));
}

/** Sixteen bits to the upper bits of sixteen fields. */
export function spreadEdges(edge: u32): u32 {
  let fields: u32 = 0;
  for (let i: u32 = 0; i < 16; i++) fields |= ((edge >>> i) & 1) << (2 * i + 1);
  return fields;
}

/** And back. */
export function gatherEdges(fields: u32): u32 {
  let edge: u32 = 0;
  for (let i: u32 = 0; i < 16; i++) edge |= ((fields >>> (2 * i + 1)) & 1) << i;
  return edge;
}

function accessPriorities(cpu: Cpu, first: u32): u64 {
  let value: u64 = 0;
  for (let i: u32 = 0; i < cpu.deviceSize; i++) {
    const id = first + i;
    if (id < FIRST_SPI || spiBit(SpiBits.SECURE, id - FIRST_SPI)) continue;
    const shift = (<u64>i) << 3;
    if (cpu.deviceWrite != 0) setSpiPriority(id - FIRST_SPI, (<u32>(cpu.deviceValue >>> shift)) & 0xff);
    else value |= (<u64>spiPriority(id - FIRST_SPI)) << shift;
  }
  return value;
}

/** GICD_IROUTER, whole or by half. */
function accessRouter(cpu: Cpu, offset: u32): u64 {
  const id = offset >>> 3;
  if (id < FIRST_SPI || spiBit(SpiBits.SECURE, id - FIRST_SPI)) return 0;
  const router = routerOf(id - FIRST_SPI);
  const shift = (<u64>(offset & 4)) << 3;
  const field: u64 = cpu.deviceSize == 8 ? u64.MAX_VALUE : (<u64>0xffff_ffff) << shift;
  if (cpu.deviceWrite != 0) setRouter(id - FIRST_SPI, (router & ~field) | ((cpu.deviceValue << shift) & field));
  return (router & field) >>> shift;
}

/** GICD_SETSPI_NSR, GICD_CLRSPI_NSR: a pulse of an edge-triggered SPI, a wire of its own of a level-sensitive one. */
function messageSpi(value: u32, high: bool): void {
  const id = value & INTID_FIELD;
  if (id < FIRST_SPI || id >= INTID_END) return;
  const spi = id - FIRST_SPI;
  if (spiBit(SpiBits.SECURE, spi)) return;
  setSpiBit(spiBit(SpiBits.EDGE, spi) ? SpiBits.PENDING : SpiBits.MESSAGE, spi, high);
}
