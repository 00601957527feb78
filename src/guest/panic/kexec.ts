// __crash_kexec() (kernel/crash_core.c): on to the crash kernel, if there is one. What runs then is no longer this kernel: the path's end.

import { addressOf, global, nothing, routine, u32 } from "../../asm/index.ts";
import { rawSpinTrylock } from "../lib/spinlock.ts";
import { observed } from "../observe.ts";
import { kexecCrashImage, machineCrashShutdown } from "./slots.ts";
import { panicDone } from "./done.ts";

/** __kexec_lock: tried, never waited for. */
const kexecLock = global("__kexec_lock", u32, { align: 64 });

export const crashKexec = routine("__crash_kexec", [], nothing, (k) => {
  k.if(k.call(kexecCrashImage).eq(0), () => k.return());
  k.if(rawSpinTrylock(k, addressOf(kexecLock)).not(), () => k.return());
  k.mark(observed("phase", { which: "crash_shutdown" }));
  k.call(machineCrashShutdown);
  k.mark(observed("phase", { which: "crash_kernel" }));
  k.call(panicDone);
});

/** What the image binds to kexec_crash_image. */
export const noCrashKernel = routine("no_crash_kernel", [], u32, (k) => k.return(0));
export const crashKernelLoaded = routine("crash_kernel_loaded", [], u32, (k) => k.return(1));

/** What an image binds to machine_crash_shutdown that loads no crash kernel. */
export const nothingToShutDown = routine("no_machine_crash_shutdown", [], nothing, (k) => k.bug());
