// How arm64 raises NMI backtraces (arch/arm64/kernel/smp.c: arm64_backtrace_ipi); the rest is generic (nmi/backtrace.ts).

import { nothing, ptr, routine } from "../../asm/index.ts";
import { IPI_CPU_BACKTRACE, gicSendIpiMask } from "../irqchip/gicv3.ts";
import { CpuMask } from "../lib/mask.ts";

/** One IPI to all, which is an NMI where the machine and the kernel have any. */
export const ipiRaiseBacktrace = routine("arm64_backtrace_ipi", { mask: ptr(CpuMask) }, nothing, (k, { mask }) => {
  k.call(gicSendIpiMask, mask, IPI_CPU_BACKTRACE);
});
