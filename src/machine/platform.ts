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

export interface DeviceWindow {
  readonly address: number;
  readonly bytes: number;
  /** PAGE_* bits and the Device. */
  readonly attributes: number;
}

export function deviceWindows(architecture: "x86-64" | "arm64", cpus: number): DeviceWindow[] {
  const window = (device: Device, address: number, bytes: number): DeviceWindow => ({
    address,
    bytes,
    attributes: PAGE_READ | PAGE_WRITE | PAGE_DEVICE | (device << PAGE_OWNER_SHIFT),
  });
  if (architecture === "x86-64") return [window(Device.LOCAL_APIC, XAPIC_BASE, XAPIC_BYTES)];
  return [
    window(Device.GIC_DISTRIBUTOR, GICD_BASE, GICD_BYTES),
    window(Device.GIC_REDISTRIBUTOR, GICR_BASE, Math.min(cpus, GICR_FIRST_WINDOW_CPUS) * GICR_STRIDE),
    window(Device.PL011, PL011_BASE, PL011_BYTES),
  ];
}
