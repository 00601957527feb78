// What native_stop_other_cpus() and the CPUs that it stops share (arch/x86/kernel/smp.c, process.c).

import { addressOf, global, imageOption, nothing, slot, u32 } from "../../asm/index.ts";
import { CpuMask } from "../lib/mask.ts";

/** No CPU: -1 in the kernel's atomic. */
export const NOBODY = 0xffff_ffff;

/** The first caller, for ever: the path works once per boot. */
export const stoppingCpu = global("stopping_cpu", u32, { initial: NOBODY, align: 64 });

/** CPUs that have not reported yet, since 2023: each clears its own bit. */
export const cpusStopMask = global("cpus_stop_mask", CpuMask, { section: "arena", align: 64 });
export const cpusStopMaskPointer = addressOf(cpusStopMask);

/** native_stop_other_cpus(): with `wait`, not before the last CPU has stopped, where the version bounds no wait of its own. */
export const stopOtherCpus = slot("native_stop_other_cpus", { wait: u32 }, nothing);

/** stop_this_cpu(): what the version does in which order. */
export const stopThisCpu = slot("stop_this_cpu", {}, nothing, { noReturn: true });

/** `wait` of machine_shutdown(); smp_send_stop() always says 0. */
export const rebootWait = imageOption("rebootWait", u32, 1);
/** nonmi_ipi on the command line: CPUs are not stopped by NMI. */
export const noNmiIpi = imageOption("noNmiIpi", u32, 0);
/** reboot=force: nobody is stopped. */
export const rebootForce = imageOption("rebootForce", u32, 0);
/** kexec_in_progress: what follows is another kernel in the same memory. */
export const kexecInProgress = imageOption("kexecInProgress", u32, 0);
/** 1: CPUs have to write back their caches before they stop, as with encrypted memory. */
export const cachesIncoherent = imageOption("cachesIncoherent", u32, 0);
