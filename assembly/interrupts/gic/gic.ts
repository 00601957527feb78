// GICv3 CPU interface and redistributor of one PE, as far as SGIs and PPIs need them (Arm GIC architecture IHI 0069H;
// GICD_CTLR.DS = 1: one security state, priorities as written). They belong to their PE: others reach them by messages.

import { CpuState } from "../../../src/abi.ts";
import { Cpu, Pending } from "../../cpu.ts";
import { mix } from "../../digest.ts";
import { machine, reserve } from "../../machine.ts";
import { sendToTargets, targetAll, targetList } from "../targets.ts";

/** Interrupt ids 0 to 31: SGIs and PPIs. */
@unmanaged
export class Gic {
  /** GICR_ISPENDR0, ISENABLER0, ISACTIVER0, IGROUPR0, IGRPMODR0, one bit per INTID. */
  pending: u32;
  enabled: u32;
  active: u32;
  group: u32;
  groupModifier: u32;
  /** GICR_ICFGR1 (PPIs). */
  config: u32;
  /** GICR_WAKER.ProcessorSleep */
  asleep: u32;
  /** GICD_CTLR as this redistributor knows it. */
  distributor: u32;

  /** ICC_PMR_EL1, ICC_BPR0_EL1, ICC_BPR1_EL1, ICC_CTLR_EL1 (CBPR, EOImode), ICC_IGRPEN0/1_EL1 */
  priorityMask: u32;
  binaryPoint0: u32;
  binaryPoint1: u32;
  control: u32;
  groupEnable0: u32;
  groupEnable1: u32;
  /** Active priorities, one bit per implemented level: ICC_AP0R0_EL1, ICC_AP1R0_EL1. */
  activePriorities0: u32;
  activePriorities1: u32;
  /** Levels of the lines into this redistributor, one bit per PPI. */
  level: u32;
  /** GICR_IPRIORITYR: a byte per INTID. */
  priority0: u64;
  priority1: u64;
  priority2: u64;
  priority3: u64;
}

const GIC_BYTES: usize = 128;
const PRIORITIES: usize = offsetof<Gic>("priority0");
if (offsetof<Gic>() > GIC_BYTES) ERROR("Gic outgrew its bytes");

/** Five priority bits are implemented, as on QEMU's virt board: ICC_CTLR_EL1.PRIbits = 4. */
export const PRIORITY_MASK: u32 = 0xf8;
const PRIORITY_SHIFT: u32 = 3;
const IDLE_PRIORITY: u32 = 0xff;
/** "No interrupt to acknowledge" (IHI 0069H 2.2.1). */
export const SPURIOUS: u32 = 1023;
const CTLR_CBPR: u32 = 1;
const CTLR_EOI_MODE: u32 = 2;
const DISTRIBUTOR_GROUP0: u32 = 1;
const DISTRIBUTOR_GROUP1: u32 = 2;
/** The minimum of ICC_BPR1_EL1 with five priority bits: group priority is bits 7:3. */
const LEAST_BINARY_POINT: u32 = 2;

export function openGics(): bool {
  const m = machine();
  m.gics = reserve(<usize>m.cpus * GIC_BYTES, 64);
  return m.gics != 0;
}

// @ts-ignore: decorator
@inline
export function gicOf(cpu: Cpu): Gic {
  return changetype<Gic>(machine().gics + <usize>cpu.index * GIC_BYTES);
}

/** State after reset (IHI 0069H 4.7, 12.2): everything masked and disabled, the redistributor asleep. */
export function resetGic(cpu: Cpu): void {
  const gic = gicOf(cpu);
  memory.fill(changetype<usize>(gic), 0, GIC_BYTES);
  gic.asleep = 1;
  gic.binaryPoint0 = LEAST_BINARY_POINT;
  gic.binaryPoint1 = LEAST_BINARY_POINT + 1;
}

export function priorityOf(gic: Gic, id: u32): u32 {
  return load<u8>(changetype<usize>(gic) + PRIORITIES + id);
}

export function setPriority(gic: Gic, id: u32, priority: u32): void {
  store<u8>(changetype<usize>(gic) + PRIORITIES + id, <u8>(priority & PRIORITY_MASK));
}

/** Running priority: the most urgent active group priority, or idle. */
export function runningPriority(gic: Gic): u32 {
  const active = gic.activePriorities0 | gic.activePriorities1;
  return active == 0 ? IDLE_PRIORITY : (<u32>ctz(active)) << PRIORITY_SHIFT;
}

/** Bits of a priority that decide about preemption (IHI 0069H 4.8.6). */
function groupPriority(gic: Gic, priority: u32, group1: bool): u32 {
  const binaryPoint = group1 && (gic.control & CTLR_CBPR) == 0 ? gic.binaryPoint1 - 1 : gic.binaryPoint0;
  return priority & (0xffff_fffe << binaryPoint) & 0xff;
}

/** The most urgent pending, enabled, inactive interrupt of the enabled groups; ties go to the lower INTID. */
export function highestPending(gic: Gic): u32 {
  let candidates = gicPending(gic) & gic.enabled & ~gic.active;
  if ((gic.distributor & DISTRIBUTOR_GROUP0) == 0) candidates &= gic.group;
  if ((gic.distributor & DISTRIBUTOR_GROUP1) == 0) candidates &= ~gic.group;
  if (gic.groupEnable0 == 0) candidates &= gic.group;
  if (gic.groupEnable1 == 0) candidates &= ~gic.group;
  let best = SPURIOUS;
  let bestPriority: u32 = 0x100;
  while (candidates != 0) {
    const id = <u32>ctz(candidates);
    candidates &= candidates - 1;
    const priority = priorityOf(gic, id);
    if (priority < bestPriority) {
      best = id;
      bestPriority = priority;
    }
  }
  return best;
}

/** Whether the interrupt would be signalled to the PE now (IHI 0069H 4.8.2, 4.8.5). */
function isSignalled(gic: Gic, id: u32): bool {
  if (id == SPURIOUS || gic.asleep != 0) return false;
  const priority = priorityOf(gic, id);
  if (priority >= gic.priorityMask) return false;
  return groupPriority(gic, priority, isGroup1(gic, id)) < runningPriority(gic);
}

// @ts-ignore: decorator
@inline
function isGroup1(gic: Gic, id: u32): bool {
  return ((gic.group >>> id) & 1) != 0;
}

/** Derives what the PE sees: Group 0 comes as FIQ, Group 1 as IRQ (IHI 0069H 4.6.2). */
export function gicUpdate(cpu: Cpu): void {
  const gic = gicOf(cpu);
  const id = highestPending(gic);
  cpu.pending &= ~(Pending.IRQ | Pending.FIQ);
  if (isSignalled(gic, id)) cpu.pending |= isGroup1(gic, id) ? Pending.IRQ : Pending.FIQ;
}

/** An SGI reaches this PE: one pending bit per INTID, whoever sent it. */
export function gicAccept(cpu: Cpu, id: u32): void {
  if (cpu.state == CpuState.OFFLINE) return;
  gicOf(cpu).pending |= (<u32>1) << id;
  gicUpdate(cpu);
}

/** What is pending: latched, or held so by a line of a level-sensitive PPI (IHI 0069H 4.1.2). */
export function gicPending(gic: Gic): u32 {
  let asserted = gic.level;
  for (let rest = asserted; rest != 0; rest &= rest - 1) {
    const id = <u32>ctz(rest);
    if (((gic.config >>> (2 * (id - 16) + 1)) & 1) != 0) asserted &= ~((<u32>1) << id);
  }
  return gic.pending | asserted;
}

/** A line into this PE's redistributor goes up or down: a PPI, 16 to 31. */
export function gicSetPpiLine(cpu: Cpu, id: u32, high: bool): void {
  const gic = gicOf(cpu);
  const bit = (<u32>1) << id;
  if (((gic.level & bit) != 0) == high) return;
  gic.level ^= bit;
  if (high && ((gic.config >>> (2 * (id - 16) + 1)) & 1) != 0) gic.pending |= bit;
  gicUpdate(cpu);
}

/** A line into the distributor goes up or down. Shared peripheral interrupts are not there yet: nobody is told. */
export function gicSetSpiLine(id: u32, high: bool, cycle: u64): void {
  assert(id >= 32 && cycle >= machine().now, "a line of a shared peripheral");
}

export function gicSetDistributor(cpu: Cpu, control: u32): void {
  gicOf(cpu).distributor = control;
  gicUpdate(cpu);
}

/** ICC_HPPIR0_EL1, ICC_HPPIR1_EL1. */
export function gicHighestPending(cpu: Cpu, group1: bool): u32 {
  const gic = gicOf(cpu);
  const id = highestPending(gic);
  return id != SPURIOUS && isGroup1(gic, id) == group1 ? id : SPURIOUS;
}

/** ICC_IAR0_EL1, ICC_IAR1_EL1: acknowledges (IHI 0069H 4.1.1). */
export function gicAcknowledge(cpu: Cpu, group1: bool): u32 {
  const gic = gicOf(cpu);
  const id = highestPending(gic);
  if (!isSignalled(gic, id) || isGroup1(gic, id) != group1) return SPURIOUS;
  const bit = (<u32>1) << id;
  gic.pending &= ~bit;
  gic.active |= bit;
  const level = (<u32>1) << (groupPriority(gic, priorityOf(gic, id), group1) >>> PRIORITY_SHIFT);
  if (group1) gic.activePriorities1 |= level;
  else gic.activePriorities0 |= level;
  gicUpdate(cpu);
  return id;
}

/** ICC_EOIR0_EL1, ICC_EOIR1_EL1: drops the running priority; deactivates unless EOImode is 1. */
export function gicEndOfInterrupt(cpu: Cpu, id: u32, group1: bool): void {
  const gic = gicOf(cpu);
  if (id >= 32) return;
  if (group1) gic.activePriorities1 &= gic.activePriorities1 - 1;
  else gic.activePriorities0 &= gic.activePriorities0 - 1;
  if ((gic.control & CTLR_EOI_MODE) == 0) gic.active &= ~((<u32>1) << id);
  gicUpdate(cpu);
}

/** ICC_DIR_EL1. */
export function gicDeactivate(cpu: Cpu, id: u32): void {
  const gic = gicOf(cpu);
  if (id < 32 && (gic.control & CTLR_EOI_MODE) != 0) gic.active &= ~((<u32>1) << id);
  gicUpdate(cpu);
}

/** ICC_SGI1R_EL1: one message to each listed PE, or to all but the writer (IHI 0069H 12.2.20). */
export function gicSendSgi(cpu: Cpu, value: u64): void {
  const id = (<u32>(value >>> 24)) & 15;
  if (((value >>> 40) & 1) != 0) {
    targetAll(cpu, false);
  } else {
    const range = (value >>> 44) & 15;
    const affinity = (((value >>> 48) & 0xff) << 32) | (((value >>> 32) & 0xff) << 16) | (((value >>> 16) & 0xff) << 8);
    targetList(affinity | (range << 4), (<u32>value) & 0xffff);
  }
  sendToTargets(cpu, id, 0);
}

export function gicDigest(cpu: Cpu): void {
  const gic = changetype<usize>(gicOf(cpu));
  for (let offset: usize = 0; offset < GIC_BYTES; offset += 8) mix(load<u64>(gic + offset));
}
