// GICv3: the record of one PE, which holds its redistributor's SGIs and PPIs and its CPU interface (Arm GIC architecture IHI
// 0069H; GICD_CTLR.DS = 1: one security state, priorities as written). It belongs to its PE: others reach it by messages.

import { Cpu } from "../../cpu.ts";
import { mix } from "../../digest.ts";
import { machine, reserve } from "../../machine.ts";
import { SGIS } from "./intids.ts";


@unmanaged
export class Gic {
  // Interrupt ids 0 to 31, one bit per INTID: SGIs and PPIs.
  /** GICR_ISPENDR0 without what the lines of level-sensitive PPIs add; ISENABLER0, ISACTIVER0, IGROUPR0, INMIR0. */
  pending: u32;
  enabled: u32;
  active: u32;
  group: u32;
  nonMaskable: u32;
  /** Edge-triggered ones: all SGIs, PPIs by GICR_ICFGR1. */
  edge: u32;
  /** Lines of the PPIs. */
  level: u32;
  /** PPIs that EL3 has taken for itself (secure.ts). */
  secure: u32;
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
  /** Active priorities, one bit per implemented level: ICC_AP0R0_EL1, ICC_AP1R0_EL1; ICC_AP1R0_EL1.NMI. */
  activePriorities0: u32;
  activePriorities1: u32;
  activeNmi: u32;
  /** Priority of a secure interrupt that EL3 handles, and bit 8; 0 when there is none. */
  secureActive: u32;

  /** The SPI that the distributor has forwarded to this PE, or 0; its priority, bit 8: Group 1, bit 9: non-maskable. */
  spi: u32;
  spiAttributes: u32;
  /** Numbers what the distributor is told of this PE (stream.ts). */
  statusSequence: u32;

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
export const PRIORITY_SHIFT: u32 = 3;
/** The least binary points with five priority bits: group priority is bits 7:3 (IHI 0069H 4.8). */
export const LEAST_BPR0: u32 = 2;
export const LEAST_BPR1: u32 = 3;
/** spiAttributes */
export const ATTRIBUTE_GROUP1: u32 = 1 << 8;
export const ATTRIBUTE_NMI: u32 = 1 << 9;

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

/** State after reset (IHI 0069H 12.2, 12.11): everything masked and disabled, the redistributor asleep. */
export function resetGic(cpu: Cpu): void {
  const gic = gicOf(cpu);
  memory.fill(changetype<usize>(gic), 0, GIC_BYTES);
  gic.asleep = 1;
  gic.edge = SGIS;
  resetInterface(gic);
}

/** The CPU interface is reset with its PE; the redistributor, and what is pending in it, is not. */
export function resetInterface(gic: Gic): void {
  gic.priorityMask = 0;
  gic.binaryPoint0 = LEAST_BPR0;
  gic.binaryPoint1 = LEAST_BPR1;
  gic.control = 0;
  gic.groupEnable0 = gic.groupEnable1 = 0;
  gic.activePriorities0 = gic.activePriorities1 = gic.activeNmi = 0;
  gic.secureActive = 0;
}

export function priorityOf(gic: Gic, id: u32): u32 {
  return load<u8>(changetype<usize>(gic) + PRIORITIES + id);
}

export function setPriority(gic: Gic, id: u32, priority: u32): void {
  store<u8>(changetype<usize>(gic) + PRIORITIES + id, <u8>(priority & PRIORITY_MASK));
}

/** What is pending: latched, or held by the line of a level-sensitive PPI (IHI 0069H 4.3). */
// @ts-ignore: decorator
@inline
export function privatePending(gic: Gic): u32 {
  return gic.pending | (gic.level & ~gic.edge);
}

export function gicDigest(cpu: Cpu): void {
  const gic = changetype<usize>(gicOf(cpu));
  for (let offset: usize = 0; offset < GIC_BYTES; offset += 8) mix(load<u64>(gic + offset));
}
