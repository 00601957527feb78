// crash_smp_send_stop() and native_machine_crash_shutdown() (arch/x86/kernel/smp.c, crash.c). Of the second's steps,
// those have nothing to act on here that concern virtualisation, processor trace, I/O APICs, the HPET and encrypted memory.

import { codeOf, global, nothing, routine, u32 } from "../../asm/index.ts";
import { disableInterrupts } from "../hotplug/cpu-down.ts";
import { crashSaveSelf } from "../panic/crash-note.ts";
import { crashSmpSendStop } from "../panic/slots.ts";
import { nmiShootdownCpus } from "./shootdown.ts";
import { kdumpNmiCallback } from "./target.ts";

const cpusStopped = global("crash_cpus_stopped", u32);

/** The guard is set behind the call, so that it keeps off the same CPU only; that nobody else comes here is panic_cpu's doing. */
export const kdumpSmpSendStop = routine("crash_smp_send_stop_kdump", [], nothing, (k) => {
  k.if(cpusStopped.ne(0), () => k.return());
  k.call(nmiShootdownCpus, codeOf(kdumpNmiCallback));
  k.set(cpusStopped, 1);
});

export const nativeMachineCrashShutdown = routine("native_machine_crash_shutdown", [], nothing, (k) => {
  k.irqDisable();
  k.call(crashSmpSendStop);
  k.mark("lapic_shutdown");
  k.call(disableInterrupts);
  k.call(crashSaveSelf);
});
