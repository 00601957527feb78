// The first instructions of a CPU that the host starts: argument = CPU number; everything else is unknown.

import { PER_CPU_START, arm64, asmRoutine, x64 } from "../../asm/index.ts";
import { exceptionVectors } from "../entry/arm64.ts";
import { STACK_TOP } from "../percpu.ts";
import { startKernel } from "./init-cpu.ts";

/** log2 of the distance between per-CPU blocks. */
export const PER_CPU_SHIFT = 14;

const MSR_GS_BASE = 0xc000_0101;

/** Sets what per-CPU accesses and calls need, then calls the kernel with the CPU number. */
export const secondaryEntry = asmRoutine(
  "secondary_entry",
  {
    x64: (a) => {
      a.mov(x64.rax, x64.rdi).shl(x64.rax, PER_CPU_SHIFT);
      a.movAddress(x64.rdx, PER_CPU_START).add(x64.rax, x64.rdx);
      a.lea(x64.rsp, x64.at(x64.rax, STACK_TOP.idle));
      a.mov(x64.rdx, x64.rax).shr(x64.rdx, 32).mov(x64.ecx, MSR_GS_BASE).wrmsr();
      a.call(startKernel).ud2();
    },
    arm64: (a) => {
      const { sp, x0, x1, x2, x3 } = arm64;
      a.msrImmediate("spsel", 1);
      a.symbolAddress(x1, PER_CPU_START).add(x1, x1, x0, "lsl", PER_CPU_SHIFT).msr("tpidr_el1", x1);
      a.movConstant(x2, STACK_TOP.idle).add(x2, x2, x1).mov(sp, x2);
      a.symbolAddress(x3, exceptionVectors).msr("vbar_el1", x3).isb();
      a.call(startKernel).brk(0x800);
    },
  },
  { section: "head" },
);
