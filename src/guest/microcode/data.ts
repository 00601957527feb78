// Data of microcode late loading, in the kernel's sizes and field order (arch/x86/kernel/cpu/microcode/core.c): which fields share a line
// is half of the story.

import { global, imageOption, perCpu, struct, u32, u8, type Value } from "../../asm/index.ts";
import { CpuMask } from "../lib/mask.ts";

/** enum ucode_state: what came of a CPU's update, or of looking for an image. */
export const UcodeState = {
  Ok: 0,
  New: 1,
  NewSafe: 2,
  Updated: 3,
  NotFound: 4,
  Error: 5,
  Timeout: 6,
  Offline: 7,
} as const;

/** What `result` starts with: counted as failed, if it stays. */
export const NO_RESULT = 0xffff_ffff;

/** enum sibling_ctrl: what a CPU that waits for its core's primary thread is told. */
export const SiblingCtrl = { Wait: 0, Apply: 1, Done: 2 } as const;

const UcodeCtrl = struct(
  "microcode_ctrl",
  { ctrl: u32, result: u32, ctrl_cpu: u32, nmi_enabled: u8 },
  { size: 16, at: { result: 4, ctrl_cpu: 8, nmi_enabled: 12 } },
);

/** Threads of a core: the ring that the kernel has as topology_sibling_cpumask(), with its CPUs that are offline. Filled by the host. */
const SmtThread = struct("smt_thread", { primary: u32, next: u32 });

export const ucodeCtrl = perCpu("ucode_ctrl", UcodeCtrl, { offset: 0x900 });
export const smtThread = perCpu("smt_thread", SmtThread, { offset: 0x940 });

const group = "microcode";

/** Count-down of arrivals, and arrivals of CPUs that are offline: two statics and a third behind them, on one line. */
export const lateCpusIn = global("late_cpus_in", u32, { group, align: 64 });
export const offlineInNmi = global("offline_in_nmi", u32, { group });
export const loopsPerUsec = global("loops_per_usec", u32, { group });

export const cpuOfflineMask = global("cpu_offline_mask", CpuMask, { section: "arena", align: 64 });

const MicrocodeOps = struct("microcode_ops", { use_nmi: u8, nmi_safe: u8 });
/** What the vendor's driver says of itself. */
export const microcodeOps = global("microcode_ops", MicrocodeOps, { align: 64, section: "readMostly" });

/** pr_err_once() and WARN_ON_ONCE() of this file. */
export const saidTimedOut = global("said_timed_out", u32, { align: 64 });
export const warnedNegative = global("warned_negative", u32, {});

// --- options -----------------------------------------------------------------------------------------------------------------------

/**
 * loops_per_usec: turns of cpu_relax() that are meant to take a microsecond; 0: those that do. The kernel takes them from
 * loops_per_jiffy, which is the TSC's frequency where that is known (arch/x86/kernel/tsc.c: tsc_init): then each turn is
 * taken for one cycle, and the waits last as many times longer as PAUSE takes cycles.
 */
export const loopsPerUsecOption = imageOption("microcodeLoopsPerUsec", u32, 0);
/** Steps of a wait in the rendezvous: USEC_PER_SEC. */
export const rendezvousSteps = imageOption("microcodeRendezvousSteps", u32, 1_000_000);
/** Steps of CPU 0's wait for CPUs that are offline: USEC_PER_SEC / 2. */
export const kickSteps = imageOption("microcodeKickSteps", u32, 500_000);
/** What request_microcode_fw() finds: a UcodeState. */
export const firmwareFound = imageOption("microcodeFirmware", u32, UcodeState.New);
/** What is written to the file `reload`. */
export const reloadValue = imageOption("microcodeReloadValue", u32, 1);
/** The driver's nmi_safe: CPUs stand an NMI during an update, and threads may be offline. */
export const nmiSafe = imageOption("microcodeNmiSafe", u32, 0);
/** 1: every thread of a core updates for itself, as AMD's do; 0: one is enough. */
export const eachThread = imageOption("microcodeEachThread", u32, 0);

/** topology_is_primary_thread() */
export function isPrimaryThread(cpu: Value<"u32">) {
  return smtThread.of(cpu).primary.eq(cpu);
}
