// How a CPU learns that it is to stop: by the interrupt REBOOT, or by NMI (arch/x86/kernel/smp.c). Both first take
// the CPU out of virtualisation where it is used, which it is not here.

import { addressOf, global, i32, nothing, ptr, routine, u32, type Builder, type Condition } from "../../asm/index.ts";
import { LinuxVector } from "../../abi.ts";
import { dispatchInterrupts } from "../entry/dispatch.ts";
import { X64Regs } from "../entry/regs.ts";
import { NMI_FLAG_FIRST, NmiAction, NmiHandled, NmiType } from "../nmi/data.ts";
import { registerNmiHandler } from "../nmi/handlers.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { callFunctionInterrupt } from "../smp/call-function.ts";
import { stopThisCpu, stoppingCpu } from "./data.ts";

/** sysvec_reboot(), its EOI done. */
const rebootInterrupt = routine("sysvec_reboot", [], nothing, (k) => {
  k.mark("reboot");
  k.call(stopThisCpu);
});

/** What x86 images bind to handle_other_interrupt whose policies stop CPUs for good. */
export const x64Interrupts = dispatchInterrupts("x64_other_interrupts", [
  { ids: [LinuxVector.REBOOT], handle: (k) => k.call(rebootInterrupt) },
  {
    ids: [LinuxVector.CALL_FUNCTION, LinuxVector.CALL_FUNCTION_SINGLE],
    handle: (k) => k.call(callFunctionInterrupt, LinuxVector.CALL_FUNCTION),
  },
]);

/** smp_stop_nmi_callback(). The CPU that stops the others claims what comes to it, so that it isn't an unknown NMI. */
const stopNmiCallback = routine("smp_stop_nmi_callback", [{ type: u32 }, { regs: ptr(X64Regs) }], i32, (k) => {
  k.if(k.readOnce(stoppingCpu).eq(local.here.cpu), () => k.return(NmiHandled.Handled));
  k.mark(observed("handle", { which: "reboot" }));
  k.call(stopThisCpu);
});

const stopAction = global("smp_stop_nmi_action", NmiAction, {
  initial: { handler: stopNmiCallback, flags: NMI_FLAG_FIRST },
  align: 64,
});

/** register_stop_handler(): true if CPUs can be stopped by NMI from now on. It takes the list's lock, whatever the context (S18). */
export function registerStopHandler(k: Builder): Condition {
  return k.call(registerNmiHandler, NmiType.Local, addressOf(stopAction)).eq(0);
}
