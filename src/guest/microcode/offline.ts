// Threads that are offline by software: they sit in MWAIT or HLT with interrupts off, and would still take an NMI in the middle of their
// core's update. So CPU 0 gets them into their NMI handlers first (arch/x86/kernel/cpu/microcode/core.c).

import { addressOf, cpuCount, nothing, routine, u32 } from "../../asm/index.ts";
import { apicSendNmiToOfflineCpu } from "../irqchip/shorthand.ts";
import { cpumaskWeight, findNextBit, forEachCpu } from "../lib/cpumask.ts";
import { waitUpTo } from "../lib/delay.ts";
import { observed } from "../observe.ts";
import { SiblingCtrl, UcodeState, cpuOfflineMask, kickSteps, offlineInNmi, ucodeCtrl } from "./data.ts";
import { waitForCtrl } from "./wait.ts";

export const offlineMaskPointer = addressOf(cpuOfflineMask);

/** Arms each thread that is offline and sends it an NMI. */
export const kickOfflineThreads = routine("microcode_kick_offline_threads", [], nothing, (k) => {
  forEachCpu(k, offlineMaskPointer, (cpu) => {
    k.set(ucodeCtrl.of(cpu).nmi_enabled, 1);
    k.mark(observed("raise", { which: "kick", locals: ["cpu"] }));
    k.call(apicSendNmiToOfflineCpu, cpu);
  });
});

/** kick_offline_cpus: 1 once as many have arrived. */
export const kickOfflineCpus = routine("kick_offline_cpus", { count: u32 }, u32, (k, { count }) => {
  k.call(kickOfflineThreads);
  const left = waitUpTo(k, "microcode_offline", { iterations: kickSteps, stepUs: 1 }, () =>
    k.readOnce(offlineInNmi).eq(count),
  );
  k.return(k.bool(left.ne(0)));
});

/** release_offline_cpus: all of them, whatever their cores are doing (hazard H3). */
export const releaseOfflineCpus = routine("release_offline_cpus", [], nothing, (k) => {
  forEachCpu(k, offlineMaskPointer, (cpu) => k.writeOnce(ucodeCtrl.of(cpu).ctrl, SiblingCtrl.Done));
});

/** microcode_offline_nmi_handler: what an NMI does on a CPU that is offline. It leaves after a second, told or not (H4). */
export const holdOffline = routine("microcode_hold_offline", [], u32, (k) => {
  k.if(ucodeCtrl.here.nmi_enabled.eq(0), () => k.return(0));
  k.set(ucodeCtrl.here.nmi_enabled, 0);
  k.mark(observed("handle", { which: "kick" }));
  k.set(ucodeCtrl.here.result, UcodeState.Offline);
  k.mark(observed("hold_start"));
  k.atomicInc(offlineInNmi);
  k.call(waitForCtrl);
  k.mark(observed("hold_end"));
  // Back to where the NMI came: the loop of native_play_dead().
  k.return(1);
});

/** cpumask_weight(&cpu_offline_mask) */
export const countOffline = routine("microcode_nr_offline", [], u32, (k) => {
  // Next to always there are none, and then the mask needn't be read to its end twice.
  k.if(k.call(findNextBit, offlineMaskPointer, cpuCount, 0).ge(cpuCount), () => k.return(0));
  k.return(k.call(cpumaskWeight, offlineMaskPointer));
});
