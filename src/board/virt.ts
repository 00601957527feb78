// QEMU's `virt` board with a GICv3, as an image sees it: its RAM, how its CPUs are numbered, what an address belongs to.

import { GICR_BASE, GICR_FIRST_WINDOW_CPUS, GICR_SECOND_BASE, GICR_STRIDE } from "../abi.ts";
import { virtDevices } from "../machine/platform.ts";
import { styledMpidrs, type Topology } from "../topology/index.ts";

export const VIRT_RAM_BASE = 0x4000_0000;
/** What QEMU gives the board without -m. */
export const VIRT_RAM_BYTES = 128 * 2 ** 20;
/** The core's addresses end at 4 GiB. */
export const VIRT_MOST_RAM_BYTES = 2 ** 32 - VIRT_RAM_BASE;

/** "PL011 UART + 0x18" for an address of a device of the board, or undefined. */
export function describeDeviceAddress(address: number, cpus: number): string | undefined {
  const at = (name: string, offset: number): string => `${name} + 0x${offset.toString(16)}`;
  const redistributor = redistributorOf(address, cpus);
  if (redistributor !== undefined) {
    const offset = address - redistributor.base;
    const frame = offset < GICR_STRIDE / 2 ? "RD_base" : "SGI_base";
    return at(`GICv3 redistributor of CPU ${redistributor.cpu}, ${frame}`, offset % (GICR_STRIDE / 2));
  }
  const found = virtDevices(cpus).find((one) => address >= one.address && address < one.address + one.bytes);
  return found === undefined ? undefined : at(found.name, address - found.address);
}

function redistributorOf(address: number, cpus: number): { cpu: number; base: number } | undefined {
  const second = address >= GICR_SECOND_BASE;
  const start = second ? GICR_SECOND_BASE : GICR_BASE;
  if (address < start) return undefined;
  const frame = Math.floor((address - start) / GICR_STRIDE);
  if (!second && frame >= GICR_FIRST_WINDOW_CPUS) return undefined;
  const cpu = second ? frame + GICR_FIRST_WINDOW_CPUS : frame;
  return cpu < cpus ? { cpu, base: start + frame * GICR_STRIDE } : undefined;
}

/** The same machine with MPIDRs as the board gives them: Aff0 = n % 16, Aff1 = n / 16 and so on. */
export function withBoardMpidrs(topology: Topology): Topology {
  const mpidrs = styledMpidrs(topology.cpus, "linear");
  return { ...topology, cpus: topology.cpus.map((cpu, index) => ({ ...cpu, mpidr: mpidrs[index] ?? cpu.mpidr })) };
}
