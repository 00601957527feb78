// Globals of the stop facility (kernel/stop_machine.c).

import { global, u8 } from "../../asm/index.ts";
import { Mutex } from "../sched/mutex.ts";

const group = "stop_machine";

/** One multi-CPU stop at a time, system-wide: there is one embedded work per CPU. */
export const stopCpusMutex = global("stop_cpus_mutex", Mutex, { group, align: 64 });

/** Tells the two-CPU variant that works are being queued, so that it can't invert their order. */
export const stopCpusInProgress = global("stop_cpus_in_progress", u8, { group });

export const stopMachineInitialized = global("stop_machine_initialized", u8, { group });
