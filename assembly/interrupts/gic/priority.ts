// Which interrupt a PE is signalled: the most urgent of its SGIs, its PPIs and the SPI forwarded to it, if it is urgent enough
// (Arm IHI 0069H 4.7, 4.8).

import { sctlrHasNmi } from "../../arm64/exception.ts";
import { Cpu, Pending } from "../../cpu.ts";
import {
  ATTRIBUTE_GROUP1,
  ATTRIBUTE_NMI,
  Gic,
  PRIORITY_MASK,
  PRIORITY_SHIFT,
  gicOf,
  priorityOf,
  privatePending,
} from "./gic.ts";
import { SPURIOUS } from "./intids.ts";

const IDLE_PRIORITY: u32 = 0xff;
const BELOW_ALL: u32 = 0x100;
const CTLR_CBPR: u32 = 1;
const DISTRIBUTOR_GROUP0: u32 = 1;
const DISTRIBUTOR_GROUP1: u32 = 2;

/** Of the interrupt that highestPending() has found. */
export let foundPriority: u32 = 0;
export let foundGroup1: bool = false;
export let foundNmi: bool = false;

/**
 * The most urgent pending, enabled, inactive interrupt of the enabled groups. Of equals a non-maskable one comes first, then
 * the lower INTID.
 */
export function highestPending(gic: Gic): u32 {
  let candidates = privatePending(gic) & gic.enabled & ~gic.active & ~gic.secure & enabledGroups(gic);
  let best = SPURIOUS;
  foundPriority = BELOW_ALL;
  foundGroup1 = foundNmi = false;
  // A redistributor that is asleep forwards nothing (12.11, GICR_WAKER).
  if (gic.asleep != 0) return SPURIOUS;
  while (candidates != 0) {
    const id = <u32>ctz(candidates);
    candidates &= candidates - 1;
    const group1 = ((gic.group >>> id) & 1) != 0;
    const nmi = group1 && ((gic.nonMaskable >>> id) & 1) != 0;
    // A non-maskable interrupt has the priority 0x00, whatever is written in its field (IHI 0069H 4.8).
    const priority = nmi ? 0 : priorityOf(gic, id);
    if (!isMoreUrgent(priority, nmi)) continue;
    best = id;
    foundPriority = priority;
    foundGroup1 = group1;
    foundNmi = nmi;
  }
  return forwardedIsBetter(gic) ? gic.spi : best;
}

// @ts-ignore: decorator
@inline
function isMoreUrgent(priority: u32, nmi: bool): bool {
  return priority < foundPriority || (priority == foundPriority && nmi && !foundNmi);
}

/** INTIDs 0 to 31 whose group is enabled both in the distributor and in the CPU interface. */
function enabledGroups(gic: Gic): u32 {
  let groups: u32 = 0;
  if ((gic.distributor & DISTRIBUTOR_GROUP0) != 0 && gic.groupEnable0 != 0) groups |= ~gic.group;
  if ((gic.distributor & DISTRIBUTOR_GROUP1) != 0 && gic.groupEnable1 != 0) groups |= gic.group;
  return groups;
}

/** Takes the forwarded SPI for what has been found, if it is more urgent. The distributor has seen to its own enables. */
function forwardedIsBetter(gic: Gic): bool {
  if (gic.spi == 0) return false;
  const attributes = gic.spiAttributes;
  const group1 = (attributes & ATTRIBUTE_GROUP1) != 0;
  if ((group1 ? gic.groupEnable1 : gic.groupEnable0) == 0) return false;
  const nmi = (attributes & ATTRIBUTE_NMI) != 0;
  const priority = attributes & 0xff;
  if (!isMoreUrgent(priority, nmi)) return false;
  foundPriority = priority;
  foundGroup1 = group1;
  foundNmi = nmi;
  return true;
}

/** Running priority: the most urgent active group priority, or idle. */
export function runningPriority(gic: Gic): u32 {
  if (gic.activeNmi != 0) return 0;
  const active = gic.activePriorities0 | gic.activePriorities1;
  return active == 0 ? IDLE_PRIORITY : (<u32>ctz(active)) << PRIORITY_SHIFT;
}

/** Bits of a priority that decide about preemption (IHI 0069H 4.8). */
export function groupPriorityMask(gic: Gic, group1: bool): u32 {
  const binaryPoint = group1 && (gic.control & CTLR_CBPR) == 0 ? gic.binaryPoint1 - 1 : gic.binaryPoint0;
  return (0xffff_fffe << binaryPoint) & PRIORITY_MASK;
}

/**
 * Whether what highestPending() has just found is signalled to the PE (4.8). PMR doesn't mask what is
 * non-maskable, and such an interrupt preempts all but its like. While EL3 handles a secure interrupt, nothing comes through.
 */
export function isSignalled(gic: Gic, id: u32): bool {
  if (id == SPURIOUS || gic.secureActive != 0) return false;
  if (!foundNmi && foundPriority >= gic.priorityMask) return false;
  const running = runningPriority(gic);
  if (running == IDLE_PRIORITY) return true;
  const mask = groupPriorityMask(gic, foundGroup1);
  const candidate = foundPriority & mask;
  return candidate < (running & mask) || (foundNmi && gic.activeNmi == 0 && candidate == (running & mask));
}

/**
 * Derives what the PE sees: Group 0 comes as FIQ, Group 1 as IRQ (4.6.2), with superpriority where SCTLR_EL1.NMI asks for it.
 * To be called whenever anything that it looks at has changed.
 */
export function gicUpdate(cpu: Cpu): void {
  const gic = gicOf(cpu);
  const id = highestPending(gic);
  cpu.pending &= ~(Pending.IRQ | Pending.FIQ | Pending.NMI);
  if (!isSignalled(gic, id)) return;
  if (!foundGroup1) cpu.pending |= Pending.FIQ;
  else cpu.pending |= foundNmi && sctlrHasNmi(cpu) ? Pending.NMI : Pending.IRQ;
}
