// What the GIC's CPU interface does for its PE: acknowledging, priority drop and deactivation (Arm IHI 0069H 4.1, 12.2).

import { sctlrHasNmi } from "../../arm64/exception.ts";
import { Cpu } from "../../cpu.ts";
import { updateEl3 } from "../../firmware/dispatch.ts";
import { Gic, PRIORITY_SHIFT, gicOf, resetInterface } from "./gic.ts";
import { FIRST_SPI, INTID_END, NON_MASKABLE, SPURIOUS } from "./intids.ts";
import {
  foundGroup1,
  foundNmi,
  foundPriority,
  gicUpdate,
  groupPriorityMask,
  highestPending,
  isSignalled,
  runningPriority,
} from "./priority.ts";
import { StreamMessage, tellDistributor, tellStatus } from "./stream.ts";

const CTLR_EOI_MODE: u32 = 2;
const RPR_NMI: u64 = (<u64>1) << 63;

/** The PE starts at `cycle`: its CPU interface is reset, and firmware has woken its redistributor (as TF-A does). */
export function gicStart(cpu: Cpu, cycle: u64): void {
  const gic = gicOf(cpu);
  resetInterface(gic);
  gic.asleep = 0;
  tellStatus(cpu, cycle);
  gicUpdate(cpu);
}

/**
 * What firmware does to the GIC when a PE powers off (TF-A, gicv3_cpuif_disable): no group is enabled, the redistributor
 * sleeps. What is pending there stays.
 */
export function gicStop(cpu: Cpu, cycle: u64): void {
  const gic = gicOf(cpu);
  gic.groupEnable0 = gic.groupEnable1 = 0;
  gic.asleep = 1;
  tellStatus(cpu, cycle);
  gicUpdate(cpu);
}

/** An SGI reaches this PE: one pending bit per INTID, whoever sent it. */
export function gicAccept(cpu: Cpu, id: u32, onlyGroup0: bool): void {
  const gic = gicOf(cpu);
  const bit = (<u32>1) << id;
  if (onlyGroup0 && (gic.group & bit) != 0) return;
  gic.pending |= bit;
  gicUpdate(cpu);
}

export function gicSetDistributor(cpu: Cpu, control: u32): void {
  gicOf(cpu).distributor = control;
  gicUpdate(cpu);
}

/** A PPI's line changes, at a cycle at which the caller may change what is pending for the CPU (a timer of its own). */
export function gicSetPpiLine(cpu: Cpu, intid: u32, high: bool): void {
  assert(intid >= 16 && intid < 32);
  const gic = gicOf(cpu);
  const bit = (<u32>1) << intid;
  if (((gic.level & bit) != 0) == high) return;
  gic.level ^= bit;
  if (high) gic.pending |= bit & gic.edge;
  if ((gic.secure & bit) != 0) updateEl3(cpu);
  gicUpdate(cpu);
}

/**
 * EL3 handles a secure interrupt: the running priority is in the secure range, and nothing is signalled to EL1 until
 * gicClearSecureActive(). The caller settles what is pending (settlePending, or Step.RECHECK).
 */
export function gicSetSecureActive(cpu: Cpu, priority: u32): void {
  gicOf(cpu).secureActive = (priority & 0xff) | 0x100;
  gicUpdate(cpu);
}

export function gicClearSecureActive(cpu: Cpu): void {
  gicOf(cpu).secureActive = 0;
  gicUpdate(cpu);
}

/** ICC_RPR_EL1: while a secure interrupt is active, the non-secure view is 0x00. */
export function readRunningPriority(gic: Gic): u64 {
  if (gic.secureActive != 0) return 0;
  return (<u64>runningPriority(gic)) | (gic.activeNmi != 0 ? RPR_NMI : 0);
}

/** ICC_HPPIR0_EL1, ICC_HPPIR1_EL1: whatever masks it by priority. */
export function gicHighestPending(gic: Gic, group1: bool): u32 {
  const id = highestPending(gic);
  return id != SPURIOUS && foundGroup1 == group1 ? id : SPURIOUS;
}

/** ICC_IAR0_EL1, ICC_IAR1_EL1 (IHI 0069H 4.1.1). With SCTLR_EL1.NMI, IAR1 leaves non-maskable interrupts to NMIAR1. */
export function gicAcknowledge(cpu: Cpu, group1: bool, cycle: u64): u32 {
  const gic = gicOf(cpu);
  const id = highestPending(gic);
  if (!isSignalled(gic, id) || foundGroup1 != group1) return SPURIOUS;
  if (foundNmi && sctlrHasNmi(cpu)) return NON_MASKABLE;
  activate(cpu, id, cycle);
  return id;
}

/** ICC_NMIAR1_EL1. */
export function gicAcknowledgeNmi(cpu: Cpu, cycle: u64): u32 {
  const gic = gicOf(cpu);
  const id = highestPending(gic);
  if (!isSignalled(gic, id) || !foundNmi) return SPURIOUS;
  activate(cpu, id, cycle);
  return id;
}

/** What has just been found becomes active; the distributor learns of an SPI's activation by a message. */
function activate(cpu: Cpu, id: u32, cycle: u64): void {
  const gic = gicOf(cpu);
  const level = (<u32>1) << ((foundPriority & groupPriorityMask(gic, foundGroup1)) >>> PRIORITY_SHIFT);
  if (foundNmi) gic.activeNmi = 1;
  else if (foundGroup1) gic.activePriorities1 |= level;
  else gic.activePriorities0 |= level;
  if (id >= FIRST_SPI) {
    gic.spi = gic.spiAttributes = 0;
    tellDistributor(cpu, StreamMessage.ACTIVATE, id, cycle);
  } else {
    const bit = (<u32>1) << id;
    gic.pending &= ~bit;
    gic.active |= bit;
  }
  gicUpdate(cpu);
}

/**
 * ICC_EOIR0_EL1, ICC_EOIR1_EL1: drops the running priority; deactivates unless EOImode is 1. A write that doesn't fit is
 * UNPREDICTABLE (12.2.9); the choice is QEMU's: an INTID that isn't there, or a group other than that of the running priority,
 * is ignored; another INTID than the last acknowledged one drops the running priority and deactivates what it names.
 */
export function gicEndOfInterrupt(cpu: Cpu, id: u32, group1: bool, cycle: u64): void {
  const gic = gicOf(cpu);
  if (id >= INTID_END || !isRunningGroup(gic, group1)) return;
  if (group1 && gic.activeNmi != 0) gic.activeNmi = 0;
  else if (group1) gic.activePriorities1 &= gic.activePriorities1 - 1;
  else gic.activePriorities0 &= gic.activePriorities0 - 1;
  if ((gic.control & CTLR_EOI_MODE) == 0) deactivate(cpu, id, cycle);
  gicUpdate(cpu);
}

/** Whether the most urgent active priority is of a group; of equals, Group 0. */
function isRunningGroup(gic: Gic, group1: bool): bool {
  if (gic.activeNmi != 0) return group1;
  if ((gic.activePriorities0 | gic.activePriorities1) == 0) return false;
  const isGroup1 = ctz(gic.activePriorities1) < ctz(gic.activePriorities0);
  return isGroup1 == group1;
}

/** ICC_DIR_EL1: without EOImode UNPREDICTABLE, ignored here. */
export function gicDeactivate(cpu: Cpu, id: u32, cycle: u64): void {
  if (id >= INTID_END || (gicOf(cpu).control & CTLR_EOI_MODE) == 0) return;
  deactivate(cpu, id, cycle);
  gicUpdate(cpu);
}

function deactivate(cpu: Cpu, id: u32, cycle: u64): void {
  if (id < FIRST_SPI) gicOf(cpu).active &= ~((<u32>1) << id);
  else tellDistributor(cpu, StreamMessage.DEACTIVATE, id, cycle);
}
