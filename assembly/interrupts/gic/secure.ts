// Interrupts that EL3 has taken for itself: EL1 is not signalled them, and their bits and fields read as zero and ignore writes,
// as those of secure interrupts do (Arm IHI 0069H 4.6, 12.1). Whether they are enabled is then EL3's own affair.

import { Cpu } from "../../cpu.ts";
import { gicOf, privatePending } from "./gic.ts";
import { FIRST_SPI } from "./intids.ts";
import { gicUpdate } from "./priority.ts";
import { SpiBits, setSpiBit, spiBit, spiWord, spisPending } from "./spi.ts";

/** A PPI or, for all PEs, an SPI goes to EL3 or back to EL1. Either way it is disabled there, and what was latched is gone. */
export function gicSetSecure(cpu: Cpu, intid: u32, secure: bool): void {
  if (intid >= FIRST_SPI) setSpiSecure(intid - FIRST_SPI, secure);
  else setPpiSecure(cpu, (<u32>1) << intid, secure);
}

function setPpiSecure(cpu: Cpu, bit: u32, secure: bool): void {
  const gic = gicOf(cpu);
  gic.pending &= ~bit;
  gic.enabled &= ~bit;
  if (secure) gic.secure |= bit;
  else gic.secure &= ~bit;
  gicUpdate(cpu);
}

function setSpiSecure(spi: u32, secure: bool): void {
  setSpiBit(SpiBits.PENDING, spi, false);
  setSpiBit(SpiBits.ENABLED, spi, false);
  setSpiBit(SpiBits.SECURE, spi, secure);
}

/** PPIs of EL3 that are pending at their PE: a bit per INTID. One that EL1 has not deactivated comes after that. */
// @ts-ignore: decorator
@inline
export function gicSecurePpis(cpu: Cpu): u32 {
  const gic = gicOf(cpu);
  return gic.secure == 0 ? 0 : privatePending(gic) & gic.secure & ~gic.active;
}

/** EL3 acknowledges a PPI: what is level-sensitive stays pending as long as its line is high. */
export function gicAcknowledgePpi(cpu: Cpu, intid: u32): void {
  gicOf(cpu).pending &= ~((<u32>1) << intid);
}

/** Whether an SPI of EL3 is pending; level-sensitive ones are by their lines. */
export function gicIsSecureSpiPending(intid: u32): bool {
  const spi = intid - FIRST_SPI;
  if (!spiBit(SpiBits.SECURE, spi) || spiBit(SpiBits.ACTIVE, spi)) return false;
  return ((spisPending(spi >>> 5) >>> (spi & 31)) & 1) != 0;
}

/** EL3 takes over what is latched of an SPI. @returns whether there was anything, or it is pending by its line alone */
export function gicTakeLatchedSpi(intid: u32): bool {
  const spi = intid - FIRST_SPI;
  const latched = ((spiWord(SpiBits.PENDING, spi >>> 5) >>> (spi & 31)) & 1) != 0;
  setSpiBit(SpiBits.PENDING, spi, false);
  return latched;
}
