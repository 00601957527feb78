// The platforms: which devices stand where. arm64 follows QEMU's virt board; on x86 there is the page of the local APICs,
// and the rest is behind MSRs and ports.

import {
  Device,
  GICD_BASE,
  GICD_BYTES,
  GICR_BASE,
  GICR_FIRST_WINDOW_CPUS,
  GICR_STRIDE,
  PAGE_DEVICE,
  PAGE_OWNER_SHIFT,
  PAGE_READ,
  PAGE_WRITE,
  PL011_BASE,
  PL011_BYTES,
  XAPIC_BASE,
  XAPIC_BYTES,
} from "../abi.ts";

/** A device of a platform: on arm64 of QEMU's virt board (hw/arm/virt.c, 7.2). */
export interface BoardDevice {
  readonly name: string;
  readonly address: number;
  readonly bytes: number;
  readonly device: Device;
}

function device(name: string, address: number, bytes: number, kind = Device.UNMODELLED): BoardDevice {
  return { name, address, bytes, device: kind };
}

/**
 * Everything that answers on QEMU's virt board with a GICv3, below RAM. The first redistributor window holds as many as there are
 * CPUs. What isn't modelled ends the run when it is accessed.
 */
export function virtDevices(cpus: number): readonly BoardDevice[] {
  const redistributors = Math.min(cpus, GICR_FIRST_WINDOW_CPUS) * GICR_STRIDE;
  return [
    device("flash", 0, 0x0800_0000),
    device("GICv3 distributor", GICD_BASE, GICD_BYTES, Device.GIC_DISTRIBUTOR),
    device("GICv3 ITS", 0x0808_0000, 0x2_0000),
    device("GICv3 redistributors", GICR_BASE, redistributors, Device.GIC_REDISTRIBUTOR),
    device("PL011 UART", PL011_BASE, PL011_BYTES, Device.PL011),
    device("PL031 real-time clock", 0x0901_0000, 0x1000),
    device("fw_cfg", 0x0902_0000, 0x1000),
    device("PL061 GPIO", 0x0903_0000, 0x1000),
    device("secure PL061 GPIO", 0x090b_0000, 0x1000),
    device("ACPI generic event device", 0x0908_0000, 0x1000),
    device("virtio-mmio transports", 0x0a00_0000, 0x4000),
    device("platform bus", 0x0c00_0000, 0x0200_0000),
    device("PCIe memory window", 0x1000_0000, 0x2eff_0000),
    device("PCIe I/O window", 0x3eff_0000, 0x1_0000),
    device("PCIe configuration space", 0x3f00_0000, 0x0100_0000),
  ];
}

export interface DeviceWindow {
  readonly address: number;
  readonly bytes: number;
  /** PAGE_* bits and the Device. */
  readonly attributes: number;
}

/** @param all also the devices that aren't modelled: an access to one ends the run */
export function deviceWindows(architecture: "x86-64" | "arm64", cpus: number, all = false): DeviceWindow[] {
  const devices =
    architecture === "x86-64"
      ? [device("local APIC", XAPIC_BASE, XAPIC_BYTES, Device.LOCAL_APIC)]
      : virtDevices(cpus).filter((one) => all || one.device !== Device.UNMODELLED);
  return devices.map(({ address, bytes, device: kind }) => ({
    address,
    bytes,
    attributes: PAGE_READ | PAGE_WRITE | PAGE_DEVICE | (kind << PAGE_OWNER_SHIFT),
  }));
}
