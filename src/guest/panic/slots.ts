// What the generic panic path (kernel/panic.c, kernel/crash_core.c) leaves to the architecture.

import { nothing, slot, u32, u64 } from "../../asm/index.ts";

/** smp_send_stop(): stops all other CPUs for good. */
export const smpSendStop = slot("smp_send_stop", {}, nothing);

/** crash_smp_send_stop(): the same, and each saves its registers first. */
export const crashSmpSendStop = slot("crash_smp_send_stop", {}, nothing);

/** panic_smp_self_stop(): where a CPU stays that has lost the race for panic_cpu. IRQs are off. */
export const panicSmpSelfStop = slot("panic_smp_self_stop", {}, nothing, { noReturn: true });

/** nmi_panic_self_stop(): likewise, in NMI context; `regs` is the address of the interrupted context, in the architecture's layout. */
export const nmiPanicSelfStop = slot("nmi_panic_self_stop", { regs: u64 }, nothing, { noReturn: true });

/** Whether kexec_crash_image is set: 1 where a crash kernel is loaded. */
export const kexecCrashImage = slot("kexec_crash_image", {}, u32);

/** machine_crash_shutdown(): stops the others, quietens the machine, saves this CPU's registers. */
export const machineCrashShutdown = slot("machine_crash_shutdown", {}, nothing);
