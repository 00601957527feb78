/**
 * The kernel's cpumasks, up to 65,536 bits and beyond, with its operations and its texts; the words lie in WebAssembly memory.
 *
 * @module cpumask
 */

export {
  CpuMask,
  CpuMaskError,
  CpuMaskPool,
  cpuMaskErrnos,
  maxCpuMaskBits,
  type CpuMaskErrno,
  type CpuMaskFormat,
  type DistributeCursor,
} from "../cpumask/index.ts";
