// What panics do on x86: smp_send_stop() is the path of reboots, and NMI handlers hand on the interrupted context.

import { asInteger, nothing, ptr, routine } from "../../asm/index.ts";
import { X64Regs } from "../entry/regs.ts";
import { nmiPanicClaiming, nmiPanicRedirecting } from "../panic/panic.ts";
import { stopOtherCpus } from "../reboot/data.ts";

/** smp_ops.stop_other_cpus(0) */
export const x64SmpSendStop = routine("smp_send_stop_native", [], nothing, (k) => {
  k.call(stopOtherCpus, 0);
});

/** What the NMI dispatcher calls. */
export const x64NmiPanic = routine("x64_nmi_panic", { regs: ptr(X64Regs) }, nothing, (k, { regs }) => {
  k.call(nmiPanicClaiming, asInteger(regs));
});

export const x64NmiPanicRedirecting = routine(
  "x64_nmi_panic_redirecting",
  { regs: ptr(X64Regs) },
  nothing,
  (k, { regs }) => {
    k.call(nmiPanicRedirecting, asInteger(regs));
  },
);
