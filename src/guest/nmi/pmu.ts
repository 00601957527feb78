// Overflows of performance counters as NMIs: a foreign source that the host makes (Machine.signalLocalInterrupt). The APIC masks its
// entry as it delivers one (SDM 3B 20.6.3.5.8), so the mask bit tells the handler that there was one; an NMI that nobody serves leaves the
// counter deaf. The kernel asks the counters' own status instead (perf_event_nmi_handler).

import { i32, ptr, routine, u32 } from "../../asm/index.ts";
import { X64Regs } from "../entry/regs.ts";
import { DELIVERY_NMI } from "../irqchip/icr.ts";
import { readPerformanceLvt, writePerformanceLvt } from "../irqchip/controller.ts";
import { observed } from "../observe.ts";
import { NmiHandled } from "./data.ts";

const LVT_MASKED = 1 << 16;

export const perfEventNmiHandler = routine(
  "perf_event_nmi_handler",
  [{ type: u32 }, { regs: ptr(X64Regs) }],
  i32,
  (k) => {
    k.if(k.call(readPerformanceLvt).and(LVT_MASKED).eq(0), () => k.return(NmiHandled.Done));
    k.mark(observed("handle", { which: "pmu" }));
    k.call(writePerformanceLvt, DELIVERY_NMI);
    k.return(NmiHandled.Handled);
  },
);
