// Handlers that every x86 kernel here has: registered once, by the first CPU.

import { addressOf, global, nothing, routine } from "../../asm/index.ts";
import { nmiCpuBacktraceHandler } from "./backtrace.ts";
import { NmiAction, NmiType } from "./data.ts";
import { registerNmiHandler } from "./handlers.ts";
import { perfEventNmiHandler } from "./pmu.ts";

const pmuAction = global("perf_event_nmi_action", NmiAction, { initial: { handler: perfEventNmiHandler }, align: 64 });
const backtraceAction = global("nmi_cpu_backtrace_action", NmiAction, {
  initial: { handler: nmiCpuBacktraceHandler },
  align: 64,
});

export const registerBuiltinNmiHandlers = routine("init_nmi_handlers", [], nothing, (k) => {
  k.call(registerNmiHandler, NmiType.Local, addressOf(pmuAction));
  k.call(registerNmiHandler, NmiType.Local, addressOf(backtraceAction));
});
