// What entry code saves of the interrupted context, as handlers see it.

import { array, struct, u64 } from "../../asm/index.ts";

/** x86-64: the kernel's order; vector and error code, then what the hardware pushed. */
export const X64Regs = struct(
  "x64_regs",
  { saved: array(u64, 15), vector: u64, error: u64, rip: u64, cs: u64, rflags: u64, rsp: u64, ss: u64 },
  { size: 176, at: { vector: 120, rip: 136 } },
);

export const Arm64Regs = struct(
  "arm64_regs",
  { x: array(u64, 31), sp: u64, pc: u64, pstate: u64, pmr: u64, reserved: u64 },
  { size: 288, at: { sp: 248, pc: 256, pstate: 264, pmr: 272 } },
);
