// panic_smp_self_stop() and nmi_panic_self_stop() as kernel/panic.c has them for architectures without their own: relax for ever, with
// IRQs as they are, which is off.

import { nothing, routine, u64 } from "../../asm/index.ts";
import { observed } from "../observe.ts";
import { panicSmpSelfStop } from "./slots.ts";

export const relaxForEver = routine(
  "panic_smp_self_stop_relax",
  [],
  nothing,
  (k) => {
    k.mark(observed("park", { which: "spin" }));
    // So that the event isn't the loop's first instruction.
    k.cpuRelax();
    k.loop(() => k.cpuRelax());
  },
  { noReturn: true },
);

export const nmiPlainSelfStop = routine(
  "nmi_panic_self_stop_plain",
  { regs: u64 },
  nothing,
  (k) => {
    k.call(panicSmpSelfStop);
  },
  { noReturn: true },
);
