// The type of the guest's cpumasks.

import { array, struct, u64 } from "../../asm/index.ts";

/** The kernel's NR_CPUS here: masks have this many bits. */
export const NR_CPUS = 65_536;

/** struct cpumask, of NR_CPUS bits. */
export const CpuMask = struct("cpumask", { bits: array(u64, NR_CPUS / 64) });
