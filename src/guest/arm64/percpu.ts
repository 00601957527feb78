// What an arm64 CPU keeps for itself beyond the common block (percpu.ts): 0xb00 to 0xcff; what SDEI saves lies at 0x3c00, above the stacks.

import { perCpu, ptr } from "../../asm/index.ts";
import { Arm64Regs } from "../entry/regs.ts";

/** __irq_regs: the context that the innermost interrupt has interrupted (include/asm-generic/irq_regs.h). */
export const irqRegs = perCpu("__irq_regs", ptr(Arm64Regs), { offset: 0xb00 });
