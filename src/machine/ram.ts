// Where a machine's memory lies, and how much of it is in use.

import { ADDRESS_LIMIT, PAGE_BYTES, Region } from "../abi.ts";
import type { MachineImage } from "./guest-image.ts";
import type { Core } from "../core/core.ts";
import { AllstopError } from "../errors.ts";

export interface Ram {
  readonly base: number;
  readonly bytes: number;
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/**
 * RAM from the platform's start to behind the image. Unmapped pages in it are not accessible.
 * @throws IMAGE_INVALID for an image without a segment, or with one outside memory
 */
export function ramOf(image: MachineImage): Ram {
  const base = image.architecture === "x86-64" ? 0 : 0x4000_0000;
  const end = Math.max(...image.segments.map((segment) => segment.address + segment.memoryBytes));
  if (image.segments.length === 0 || image.segments.some((segment) => segment.address < base)) {
    throw new AllstopError("IMAGE_INVALID", "the image has no segment in memory", {
      allowed: `addresses from ${base}`,
    });
  }
  if (end > ADDRESS_LIMIT) {
    throw new AllstopError("IMAGE_INVALID", "the image reaches beyond the core's addresses", {
      value: end,
      allowed: `up to ${ADDRESS_LIMIT}`,
    });
  }
  return { base, bytes: roundUp(end, PAGE_BYTES) - base };
}

/** Bytes of the host's memory that a machine takes, in whole pages. */
export interface MemoryUse {
  /** Guest memory that isn't zero. */
  readonly guest: number;
  /** All that the core keeps about the guest: CPUs, the directory of lines, events, decoded code. */
  readonly core: number;
  /** Address space set aside, in use or not. */
  readonly reserved: number;
}

export function memoryUse(core: Core, ram: Ram): MemoryUse {
  const start = core.region(Region.RAM);
  const end = start + ram.bytes;
  let guest = 0;
  let all = 0;
  for (const run of core.pagesInUse()) {
    all += run.end - run.start;
    guest += Math.max(0, Math.min(run.end, end) - Math.max(run.start, start));
  }
  return { guest, core: all - guest, reserved: core.memoryBytes };
}
