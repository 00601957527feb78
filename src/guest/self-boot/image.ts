// Kernels that boot by themselves: files that QEMU or a bare machine enters once, without a host that starts CPUs or writes memory.

import { bind, writeElf, type Binding, type Image } from "../../asm/index.ts";
import { xapicBindings } from "../irqchip/xapic.ts";
import { buildKernel, type KernelOptions } from "../kernel.ts";
import { requestsDone } from "../load/requester.ts";
import { powerOffArm64, selfEntryArm64 } from "./arm64.ts";
import { powerOff, reportAndPowerOff } from "./report.ts";
import { powerOffX64, selfEntryX64 } from "./x64.ts";

/** An image that boots by itself on QEMU's boards, and its file. */
export interface SelfBootingKernel {
  readonly image: Image;
  readonly elf: Uint8Array;
}

/** CPUs that QEMU gives each board: 512 redistributors; 255 xAPIC ids. */
export const SELF_BOOT_CPUS = { arm64: 512, "x86-64": 255 } as const;

/** What any image binds that reports and switches the machine off when all requests are done. */
function reporting(isArm: boolean): readonly Binding[] {
  return [bind(requestsDone, reportAndPowerOff), bind(powerOff, isArm ? powerOffArm64 : powerOffX64)];
}

/**
 * Builds the kernel for QEMU: `virt` with a GICv3 on arm64, `q35` on x86-64, where local APICs are in xAPIC mode because its emulator has
 * no other. It calls stop_machine() as often as `parameters.rounds` says, prints a line and ends the machine.
 * @throws ASSEMBLY_INVALID, IMAGE_INVALID
 */
export function buildSelfBootingKernel(options: KernelOptions): SelfBootingKernel {
  const { architecture, cpus, parameters, bindings = [] } = options;
  const isArm = architecture === "arm64";
  const image = buildKernel({
    ...options,
    entry: isArm ? selfEntryArm64 : selfEntryX64,
    parameters: { onlineWanted: cpus, ...parameters },
    bindings: [...bindings, ...reporting(isArm), ...(isArm ? [] : xapicBindings)],
  });
  return { image, elf: writeElf(image, isArm || image.entry === undefined ? {} : { pvhEntry: image.entry }) };
}

/**
 * The same kernel for a machine whose host starts the CPUs, and gives CPU 0 the requester to run: it reports and ends likewise.
 * @throws ASSEMBLY_INVALID, IMAGE_INVALID
 */
export function buildReportingKernel(options: KernelOptions): Image {
  const { architecture, cpus, parameters, bindings = [] } = options;
  return buildKernel({
    ...options,
    parameters: { onlineWanted: cpus, ...parameters },
    bindings: [...bindings, ...reporting(architecture === "arm64")],
  });
}
