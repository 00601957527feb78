// Puts an image into a new machine's memory, maps the platform's devices, and warms the caches.

import { PAGE_BYTES, PAGE_EXECUTE, PAGE_OWNER_SHIFT, PAGE_RAM, PAGE_READ, PAGE_WRITE, Region, Warmth } from "../abi.ts";
import type { MachineImage } from "./guest-image.ts";
import type { Core } from "../core/core.ts";
import { AllstopError } from "../errors.ts";
import type { Topology } from "../topology/index.ts";
import { deviceWindows } from "./platform.ts";
import { roundUp, type Ram } from "./ram.ts";

export interface Loaded {
  readonly bareMetal?: boolean;
  readonly image: MachineImage;
  readonly topology: Topology;
}

/** @throws IMAGE_INVALID for a segment outside memory */
export function loadImage(core: Core, { image, topology, bareMetal = false }: Loaded, ram: Ram): void {
  const memory = new Uint8Array(core.buffer, core.region(Region.RAM), ram.bytes);
  for (const { address, bytes, memoryBytes, readable, writable, executable } of image.segments) {
    const start = address - (address % PAGE_BYTES);
    const size = roundUp(address + memoryBytes - start, PAGE_BYTES);
    const rights = (readable ? PAGE_READ : 0) | (writable ? PAGE_WRITE : 0) | (executable ? PAGE_EXECUTE : 0);
    if (!core.mapPages(BigInt(start), BigInt(size), rights | PAGE_RAM)) {
      throw new AllstopError("IMAGE_INVALID", "a segment lies outside memory", { value: address });
    }
    memory.set(bytes, address - ram.base);
    if (!writable) core.warm(BigInt(start), BigInt(size), Warmth.SHARED);
  }
  for (const { address, bytes, attributes } of deviceWindows(image.architecture, topology.cpus.length, bareMetal)) {
    core.mapPages(BigInt(address), BigInt(bytes), attributes);
  }
  placePerCpuBlocks(core, image, topology);
}

/** Each CPU's block lies in the memory of its node, and in the caches of its core. */
function placePerCpuBlocks(core: Core, image: MachineImage, topology: Topology): void {
  if (image.perCpuStart === 0) return;
  const stride = image.perCpuStride;
  for (const cpu of topology.cpus) {
    if (cpu.state === "absent" || cpu.number >= image.cpus) continue;
    const address = BigInt(image.perCpuStart + cpu.number * stride);
    if (stride % PAGE_BYTES === 0) {
      const attributes = PAGE_READ | PAGE_WRITE | PAGE_RAM | (Math.max(0, cpu.node) << PAGE_OWNER_SHIFT);
      core.mapPages(address, BigInt(stride), attributes);
    }
    if (cpu.state === "online") core.warm(address, BigInt(stride), Warmth.OWNED, cpu.core);
  }
}
