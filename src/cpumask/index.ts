// The public names of masks: the pool that makes them, the class, and what their parsers refuse.

export { CpuMaskError, cpuMaskErrnos, type CpuMaskErrno } from "./error.ts";
export { CpuMask, type CpuMaskFormat, type DistributeCursor } from "./mask.ts";
export { CpuMaskPool, maxCpuMaskBits } from "./pool.ts";
