// The calls of these paths as a request makes them, with IRQs off as their callers have them (arch/arm64/kernel/process.c,
// machine_kexec.c). What a request returns is how many others are still online.

import { i32, imageOption, nothing, ptr, routine, u32 } from "../../asm/index.ts";
import { triggerAllCpuBacktrace } from "../nmi/backtrace.ts";
import { captureKernel } from "../arm64/capture-kernel.ts";
import { markEvent, observed } from "../observe.ts";
import { crashSaveSelf } from "../panic/crash-note.ts";
import { crashSmpSendStop, machineCrashShutdown, smpSendStop } from "../panic/slots.ts";
import { Request } from "../percpu.ts";
import { numOtherOnlineCpus } from "./ack.ts";
import { SystemState, systemState, waitingForCrashIpi } from "./data.ts";
import { crashStopLeft } from "./slots.ts";

/** 1: behind the crash shutdown, the capture kernel boots and tries to bring the CPUs up again. */
export const captureKernelBoots = imageOption("captureKernelBoots", u32, 1);

const parameters = { request: ptr(Request) };

/** What the image binds to smp_crash_stop_left: those that are online; before 6.12 those that have not saved their registers. */
export const othersOnline = routine("others_online", [], u32, (k) => k.return(numOtherOnlineCpus(k)));
export const crashIpisAwaited = routine("crash_ipis_awaited", [], u32, (k) => k.return(k.readOnce(waitingForCrashIpi)));

/** machine_restart(), as far as the others are concerned. */
export const callSmpSendStop = routine("request_smp_send_stop", parameters, i32, (k) => {
  k.irqDisable();
  k.writeOnce(systemState, SystemState.Restart);
  k.mark(observed("call"));
  k.call(smpSendStop);
  const result = k.let("result", numOtherOnlineCpus(k));
  k.mark(observed("return", { locals: ["result"] }));
  k.return(result.to(i32));
});

/** machine_crash_shutdown(): the others, then this CPU's own registers; smp_crash_stop_failed() is for machine_kexec(). */
export const arm64MachineCrashShutdown = routine("arm64_machine_crash_shutdown", [], nothing, (k) => {
  k.irqDisable();
  k.call(crashSmpSendStop);
  k.call(crashSaveSelf);
  k.if(k.call(crashStopLeft).ne(0), () => markEvent(k, "say", { which: "crash_stop_failed" }));
});

/** __crash_kexec() of a crash that is no panic(), and what the capture kernel makes of it. */
export const callCrashKexec = routine("request_crash_kexec", parameters, i32, (k) => {
  k.irqDisable();
  k.mark(observed("call"));
  k.call(machineCrashShutdown);
  const result = k.let("result", k.call(crashStopLeft));
  k.mark(observed("return", { locals: ["result"] }));
  k.if(captureKernelBoots.ne(0), () => k.call(captureKernel));
  k.return(result.to(i32));
});

/** trigger_all_cpu_backtrace(), as SysRq-l asks for it. @returns steps of 1 ms that were left */
export const callBacktrace = routine("request_backtrace", parameters, i32, (k) => {
  k.mark(observed("call"));
  const result = k.let("result", k.call(triggerAllCpuBacktrace));
  k.mark(observed("return", { locals: ["result"] }));
  k.return(result.to(i32));
});
