// do_handle_IPI() (arch/arm64/kernel/smp.c): which IPI does what. An NMI comes the same way as an interrupt.

import { irqRegs } from "../arm64/percpu.ts";
import { nmiCpuBacktrace } from "../nmi/backtrace.ts";
import { dispatchInterrupts } from "../entry/dispatch.ts";
import { IPI_CALL_FUNC, IPI_CPU_BACKTRACE, IPI_CPU_STOP, IPI_CPU_STOP_NMI } from "../irqchip/gicv3.ts";
import { callFunctionInterrupt } from "../smp/call-function.ts";
import { stopOnIpi, stopOnSecondIpi } from "./slots.ts";

export const handleIpi = dispatchInterrupts("do_handle_ipi", [
  { ids: [IPI_CALL_FUNC], handle: (k) => k.call(callFunctionInterrupt, 0) },
  { ids: [IPI_CPU_STOP], handle: (k) => k.call(stopOnIpi, irqRegs.here) },
  { ids: [IPI_CPU_STOP_NMI], handle: (k) => k.call(stopOnSecondIpi, irqRegs.here) },
  { ids: [IPI_CPU_BACKTRACE], handle: (k) => void k.call(nmiCpuBacktrace) },
]);
