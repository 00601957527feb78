// What smp_send_stop() and those that it stops share (arch/arm64/kernel/smp.c). Statics of one file lie together;
// none is ever cleared. The masks are static too: cpumasks are no matter for a stack.

import { global, u32, u64 } from "../../asm/index.ts";
import { CpuMask } from "../lib/mask.ts";

const group = "smp_stop";

/** Bit 0: somebody stops the others. */
export const stopInProgress = global("smp_send_stop.stop_in_progress", u64, { group, align: 64 });

/** This is a crash: whoever stops saves its registers. Sampled at the entry of the stop functions. */
export const crashStop = global("crash_stop", u32, { group });

/** Before 6.12: the crash path has been here, and CPUs that have not saved their registers yet. */
export const cpusStopped = global("crash_smp_send_stop.cpus_stopped", u32, { group });
export const waitingForCrashIpi = global("waiting_for_crash_ipi", u32, { group });

export const stopMask = global("smp_send_stop.mask", CpuMask, { section: "arena", align: 64 });

/** Before 6.12 the masks were locals; 65,536 bits don't fit the stacks here. */
export const crashStopMask = global("crash_smp_send_stop.mask", CpuMask, { section: "arena", align: 64 });

/** enum system_states, as far as messages depend on it. */
export const SystemState = { Running: 0, Restart: 1 } as const;
export const systemState = global("system_state", u32, { align: 64 });
