// The distributor's state: SPIs, their lines, where they go and who has them (Arm IHI 0069H 4.1, 4.3, 12.9). It changes only
// while devices are served, in the order of (cycle, CPU number); what follows from it for PEs is sent at the end of the cycle
// (forward.ts).

import { Cpu, cpuAt } from "../../cpu.ts";
import { mix } from "../../digest.ts";
import { machine, reserve } from "../../machine.ts";
import { cpuWithId } from "../hardwareIds.ts";
import { PRIORITY_MASK } from "./gic.ts";
import { FIRST_SPI, INTID_END } from "./intids.ts";

export const SPIS: u32 = INTID_END - FIRST_SPI;
export const SPI_WORDS: u32 = SPIS / 32;

/** One bit per SPI. */
export enum SpiBits {
  /** Latched; what a level-sensitive line adds is not in it. */
  PENDING = 0,
  ENABLED = 1,
  ACTIVE = 2,
  GROUP1 = 3,
  NON_MASKABLE = 4,
  EDGE = 5,
  /** The wire. */
  LEVEL = 6,
  /** Set by GICD_SETSPI_NSR, for level-sensitive SPIs a wire of its own. */
  MESSAGE = 7,
  /** What was forwarded of it no longer holds: it must come back first. */
  STALE = 8,
  /** EL3 has taken it for itself (secure.ts). */
  SECURE = 9,
  COUNT = 10,
}


@unmanaged
export class Distributor {
  /** GICD_CTLR: EnableGrp0, EnableGrp1. */
  control: u32;
  /** Something has changed in this cycle; the enables have. */
  changed: u32;
  controlChanged: u32;
  /** SPIs that are with a PE. */
  held: u32;
  /** GICD_CTLR.RWP reads as one before this cycle. */
  writePendingUntil: u64;
}

/** What the distributor knows of a PE. */
@unmanaged
export class Target {
  /** The SPI that was forwarded last and is neither withdrawn nor answered, or 0. */
  sent: u32;
  /** Scratch, 0 between cycles: the most urgent SPI for it. */
  best: u32;
  /** STATUS_* */
  status: u32;
}

const TARGET_BYTES: usize = 12;
if (offsetof<Target>() > TARGET_BYTES) ERROR("Target outgrew its bytes");
/** No PE has the affinity; IROUTER.IRM is set: any one PE. */
export const NOBODY: u32 = u32.MAX_VALUE;
export const ANY_ONE: u32 = u32.MAX_VALUE - 1;
export const IRM: u64 = (<u64>1) << 31;
/** Aff3, IRM, Aff2 to Aff0. */
const ROUTER_BITS: u64 = 0xff_80ff_ffff;

const BITS: usize = offsetof<Distributor>();
const PRIORITIES: usize = BITS + <usize>SpiBits.COUNT * SPI_WORDS * 4;
/** CPU number, NOBODY or ANY_ONE. */
const TARGETS: usize = PRIORITIES + SPIS;
/** CPU number of the PE that has it, plus one. */
const HOLDERS: usize = TARGETS + SPIS * 4;
const ROUTERS: usize = HOLDERS + SPIS * 4;
const DISTRIBUTOR_BYTES: usize = ROUTERS + SPIS * 8;
/** Scratch behind the state: the PEs that have a best SPI. */
const CHOSEN: usize = DISTRIBUTOR_BYTES;
const CHOSEN_BYTES: usize = SPIS * 4;
if (BITS % 8 != 0 || PRIORITIES % 8 != 0) ERROR("the distributor's tables must be whole words");

export function openDistributor(): bool {
  const m = machine();
  m.distributor = reserve(DISTRIBUTOR_BYTES + CHOSEN_BYTES, 64);
  m.distributorTargets = reserve(<usize>m.cpus * TARGET_BYTES, 64);
  return m.distributor != 0 && m.distributorTargets != 0;
}

/** GICD_IROUTER resets to affinity 0.0.0.0; CPUs must have entered their ids. */
export function resetDistributor(): void {
  for (let spi: u32 = 0; spi < SPIS; spi++) setRouter(spi, 0);
  distributor().changed = 0;
}

// @ts-ignore: decorator
@inline
export function distributor(): Distributor {
  return changetype<Distributor>(machine().distributor);
}

export function targetOf(index: u32): Target {
  return changetype<Target>(machine().distributorTargets + <usize>index * TARGET_BYTES);
}

/** What has been written takes effect everywhere only then (GICD_CTLR.RWP). */
export function writesPendUntil(cycle: u64): void {
  distributor().writePendingUntil = max(distributor().writePendingUntil, cycle);
}

// --- tables ----------------------------------------------------------------------------------------------------------

function wordAt(bits: SpiBits, word: u32): usize {
  return machine().distributor + BITS + ((<usize>bits * SPI_WORDS + word) << 2);
}

export function spiWord(bits: SpiBits, word: u32): u32 {
  return load<u32>(wordAt(bits, word));
}

/** Replaces a word; marks what PEs have been told of those SPIs as no longer true where that matters. */
export function setSpiWord(bits: SpiBits, word: u32, value: u32): void {
  const at = wordAt(bits, word);
  const changed = load<u32>(at) ^ value;
  if (changed == 0) return;
  store<u32>(at, value);
  if (bits == SpiBits.GROUP1 || bits == SpiBits.NON_MASKABLE) markStale(word, changed);
  distributor().changed = 1;
}

function markStale(word: u32, spis: u32): void {
  for (let rest = spis; rest != 0; rest &= rest - 1) {
    const spi = (word << 5) + <u32>ctz(rest);
    if (holderOf(spi) != 0) setSpiBit(SpiBits.STALE, spi, true);
  }
}

export function spiBit(bits: SpiBits, spi: u32): bool {
  return ((spiWord(bits, spi >>> 5) >>> (spi & 31)) & 1) != 0;
}

export function setSpiBit(bits: SpiBits, spi: u32, value: bool): void {
  const word = spiWord(bits, spi >>> 5);
  const bit = (<u32>1) << (spi & 31);
  setSpiWord(bits, spi >>> 5, value ? word | bit : word & ~bit);
}

/** GICD_ISPENDR: latched, or held by a level-sensitive line. */
export function spisPending(word: u32): u32 {
  const held = (spiWord(SpiBits.LEVEL, word) | spiWord(SpiBits.MESSAGE, word)) & ~spiWord(SpiBits.EDGE, word);
  return spiWord(SpiBits.PENDING, word) | held;
}

export function spiPriority(spi: u32): u32 {
  return load<u8>(machine().distributor + PRIORITIES + spi);
}

export function setSpiPriority(spi: u32, priority: u32): void {
  const before = spiPriority(spi);
  store<u8>(machine().distributor + PRIORITIES + spi, <u8>(priority & PRIORITY_MASK));
  if (spiPriority(spi) != before) markStale(spi >>> 5, (<u32>1) << (spi & 31));
  distributor().changed = 1;
}

export function routerOf(spi: u32): u64 {
  return load<u64>(machine().distributor + ROUTERS + ((<usize>spi) << 3));
}

export function setRouter(spi: u32, value: u64): void {
  const router = value & ROUTER_BITS;
  store<u64>(machine().distributor + ROUTERS + ((<usize>spi) << 3), router);
  let target = ANY_ONE;
  if ((router & IRM) == 0) {
    const cpu = cpuWithId(router);
    target = changetype<usize>(cpu) == 0 ? NOBODY : cpu.index;
  }
  store<u32>(machine().distributor + TARGETS + ((<usize>spi) << 2), target);
  distributor().changed = 1;
}

export function routedTo(spi: u32): u32 {
  return load<u32>(machine().distributor + TARGETS + ((<usize>spi) << 2));
}

export function holderOf(spi: u32): u32 {
  return load<u32>(machine().distributor + HOLDERS + ((<usize>spi) << 2));
}

export function setHolder(spi: u32, holder: u32): void {
  distributor().held += (holder != 0 ? 1 : 0) - (holderOf(spi) != 0 ? 1 : 0);
  store<u32>(machine().distributor + HOLDERS + ((<usize>spi) << 2), holder);
}

/** The PE at a position of the scratch list. */
export function chosenAt(position: u32): u32 {
  return load<u32>(machine().distributor + CHOSEN + ((<usize>position) << 2));
}

export function setChosen(position: u32, index: u32): void {
  store<u32>(machine().distributor + CHOSEN + ((<usize>position) << 2), index);
}

// --- what happens to SPIs --------------------------------------------------------------------------------------------

/**
 * A wire changes; of an edge-triggered SPI a rising edge is latched. To be called by a device while it is served, in `cycle`:
 * PEs see it an interrupt latency later.
 */
export function gicSetSpiLine(intid: u32, high: bool, cycle: u64): void {
  assert(cycle >= machine().now);
  setSpiLine(intid, high);
}

export function setSpiLine(intid: u32, high: bool): void {
  const spi = intid - FIRST_SPI;
  if (spiBit(SpiBits.LEVEL, spi) == high) return;
  setSpiBit(SpiBits.LEVEL, spi, high);
  if (high && spiBit(SpiBits.EDGE, spi)) setSpiBit(SpiBits.PENDING, spi, true);
}

/** A wire rises and falls at once: what is level-sensitive doesn't see it. */
export function pulseSpi(intid: u32): void {
  if (spiBit(SpiBits.EDGE, intid - FIRST_SPI)) setSpiBit(SpiBits.PENDING, intid - FIRST_SPI, true);
}

/** A PE has acknowledged it, though it may have been withdrawn meanwhile. */
export function activateSpi(cpu: Cpu, intid: u32): void {
  const spi = intid - FIRST_SPI;
  takeBack(intid);
  setSpiBit(SpiBits.PENDING, spi, false);
  setSpiBit(SpiBits.ACTIVE, spi, true);
  const target = targetOf(cpu.index);
  if (target.sent == intid) target.sent = 0;
}

export function releaseSpi(intid: u32): void {
  takeBack(intid);
}

function takeBack(intid: u32): void {
  setHolder(intid - FIRST_SPI, 0);
  setSpiBit(SpiBits.STALE, intid - FIRST_SPI, false);
  distributor().changed = 1;
}

export function deactivateSpi(intid: u32): void {
  setSpiBit(SpiBits.ACTIVE, intid - FIRST_SPI, false);
}

export function setStatus(cpu: Cpu, status: u32): void {
  targetOf(cpu.index).status = status;
  distributor().changed = 1;
}

export function distributorDigest(): void {
  const base = machine().distributor;
  for (let offset: usize = 0; offset < DISTRIBUTOR_BYTES; offset += 8) mix(load<u64>(base + offset));
  for (let index: u32 = 0; index < machine().cpus; index++) {
    if (changetype<usize>(cpuAt(index).core) == 0) continue;
    const target = targetOf(index);
    mix((<u64>target.sent) | ((<u64>target.status) << 32));
  }
}
