// What CPUs do when they aren't stopped: main routines of their work tasks.

import { nothing, routine, u64, type Builder, type Operand } from "../../asm/index.ts";
import { counters, load } from "../percpu.ts";

/** Relaxes so many times. */
export function relaxFor(k: Builder, turns: Operand<"u64">): void {
  k.for("turn", 0, turns, () => k.cpuRelax());
}

/** Counts in registers and private memory, preemptible at any time. */
export const busyWork = routine(
  "busy_work",
  [],
  nothing,
  (k) => {
    k.irqEnable();
    const value = k.let("value", 0, u64);
    k.loop(() => {
      k.mark("turn");
      k.set(value, value.add(3));
      k.set(counters.here.work, counters.here.work.add(1));
    });
  },
  { noReturn: true },
);

/** Computes on private data, each step from the last, preemptible at any time: nothing that could be foreseen. */
export const computeWork = routine(
  "compute_work",
  [],
  nothing,
  (k) => {
    k.irqEnable();
    const value = k.let("value", 1, u64);
    k.loop(() => {
      k.mark("turn");
      k.set(value, value.add(counters.here.work).mul(0x9e37_79b9).xor(value.shr(7)));
      k.set(counters.here.work, counters.here.work.add(1));
    });
  },
  { noReturn: true },
);

/** As busy work, but with IRQs off for `irqs_off_turns` and on for `irqs_on_turns`, in turn. */
export const irqsOffWork = routine(
  "irqs_off_work",
  [],
  nothing,
  (k) => {
    k.loop(() => {
      k.irqDisable();
      k.mark("off");
      relaxFor(k, k.let("off_turns", load.here.irqs_off_turns));
      k.irqEnable();
      k.mark("on");
      relaxFor(k, k.let("on_turns", load.here.irqs_on_turns));
      k.set(counters.here.work, counters.here.work.add(1));
    });
  },
  { noReturn: true },
);

/** Masks everything and never comes back: the CPU that doesn't answer. */
export const wedgedWork = routine(
  "wedged_work",
  [],
  nothing,
  (k) => {
    k.daifMask();
    k.mark("wedged");
    k.loop(() => k.cpuRelax());
  },
  { noReturn: true },
);
