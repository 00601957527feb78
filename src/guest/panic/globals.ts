// Who panics (kernel/panic.c). Both numbers are atomics that start as "nobody".

import { global, imageOption, u32 } from "../../asm/index.ts";

/** PANIC_CPU_INVALID */
export const NO_CPU = 0xffff_ffff;

/** Claimed once, by compare-and-exchange; never given back. */
export const panicCpu = global("panic_cpu", u32, { initial: NO_CPU, align: 64 });

/** The CPU that has sent its panic elsewhere (panic_force_cpu=). */
export const panicRedirectCpu = global("panic_redirect_cpu", u32, { initial: NO_CPU });

export const oopsInProgress = global("oops_in_progress", u32);

/** panic_force_cpu= on the command line; NO_CPU: a panic stays where it is. */
export const panicForceCpu = imageOption("panicForceCpu", u32, NO_CPU);

/** crash_kexec_post_notifiers: 1 starts the crash kernel behind the notifiers, and stops the others by the crash variant before. */
export const crashKexecPostNotifiers = imageOption("crashKexecPostNotifiers", u32, 0);
