// The end of a CPU: its idle task reports and parks (kernel/cpu.c: cpuhp_report_idle_dead; arch_cpu_idle_dead).

import { addressOf, nothing, routine } from "../../asm/index.ts";
import { halt } from "../entry/fatal.ts";
import { HotplugStep, hotplug } from "../percpu.ts";
import { complete } from "../sched/completion.ts";

/**
 * Reports that only the idle task is left. The kernel asks another CPU to complete the waiter, since RCU has stopped watching this one;
 * there is no RCU here, so it does that itself.
 */
const reportIdleDead = routine("cpuhp_report_idle_dead", [], nothing, (k) => {
  k.mark("dead");
  k.writeOnce(hotplug.here.state, HotplugStep.IdleDead);
  k.call(complete, addressOf(hotplug.here.done));
});

/**
 * Called by an idle task, IRQs off, whose CPU has left the online mask. HLT, or WFI with everything masked, for ever. The arm64
 * kernel calls PSCI's CPU_OFF instead, which the firmware here does not have.
 */
export const idleDead = routine(
  "arch_cpu_idle_dead",
  [],
  nothing,
  (k) => {
    k.call(reportIdleDead);
    k.call(halt);
  },
  { noReturn: true },
);
