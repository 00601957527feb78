// What the versions of native_stop_other_cpus() have in common (arch/x86/kernel/smp.c).

import { u32, type Builder, type Condition, type Operand, type Value } from "../../asm/index.ts";
import { disableInterrupts } from "../hotplug/cpu-down.ts";
import { numOnlineCpus } from "../lib/cpumask.ts";
import { waitUpTo, waitWithoutLimit } from "../lib/delay.ts";
import { local } from "../percpu.ts";
import { NOBODY, stoppingCpu } from "./data.ts";

export const USEC_PER_SEC = 1_000_000;
/** After the NMI. */
export const NMI_WAIT_US = 10_000;

/** Whoever comes second returns at once, and carries on. */
export function isFirstCaller(k: Builder): Condition {
  const nobody = k.let("nobody", NOBODY, u32);
  return k.tryCmpxchg(stoppingCpu, nobody, local.here.cpu);
}

/** num_online_cpus() > 1. The kernel weighed the mask until 2019; here it is the counter that took its place. */
export function othersOnline(k: Builder): Condition {
  return k.readOnce(numOnlineCpus).gt(1);
}

/** `while (others && (wait || timeout--)) udelay(1)` */
export function waitForOthers(
  k: Builder,
  name: string,
  limitUs: number,
  wait: Value<"u32">,
  areStopped: () => Condition,
): void {
  const bounded = (): void => void waitUpTo(k, name, { iterations: limitUs, stepUs: 1 }, areStopped);
  k.if(wait.ne(0), () => waitWithoutLimit(k, 1, areStopped), bounded);
}

/** The same for a wait that is bounded in any case. */
export function waitAtMost(k: Builder, name: string, limitUs: Operand<"u32">, areStopped: () => Condition): void {
  waitUpTo(k, name, { iterations: limitUs, stepUs: 1 }, areStopped);
}

/** disable_local_APIC() on the CPU that stops the others: last, since it sends. */
export function silenceThisCpu(k: Builder): void {
  const flags = k.irqSave();
  k.mark("local");
  k.call(disableInterrupts);
  k.irqRestore(flags);
}
