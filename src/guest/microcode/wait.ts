// The waits of the rendezvous: for all CPUs, and of a secondary for its primary (arch/x86/kernel/cpu/microcode/core.c). They count turns,
// of which none looks at the clock.

import { constant, i32, routine, u32, type Builder, type Condition, type Value } from "../../asm/index.ts";
import { counters } from "../percpu.ts";
import { observed } from "../observe.ts";
import { touchNmiWatchdog } from "../stop/multi-stop.ts";
import { keep } from "../lib/keep.ts";
import {
  SiblingCtrl,
  lateCpusIn,
  loopsPerUsec,
  microcodeOps,
  rendezvousSteps,
  ucodeCtrl,
  warnedNegative,
} from "./data.ts";

/** Steps between two touches of the watchdog, for CPUs that aren't in their NMI handler: USEC_PER_MSEC. */
const STEPS_PER_TOUCH = 1000;

/** About a microsecond. The bound is read anew for each turn, from the line that arrivals write: cpu_relax() is a compiler barrier. */
function relaxOneStep(k: Builder): void {
  k.for("loops", 0, loopsPerUsec, () => k.cpuRelax());
}

/**
 * Waits up to a million steps for a condition, which it looks at before each.
 * @returns steps that are left: 0 when the wait was given up
 */
export function waitSteps(k: Builder, which: string, condition: () => Condition): Value<"u32"> {
  const left = k.let("left", rendezvousSteps);
  const untilTouch = k.let("until_touch", 0, u32);
  k.mark(observed("wait", { which, locals: ["left"] }));
  k.while(left.ne(0), () => {
    k.if(condition(), () => k.break());
    relaxOneStep(k);
    // timeout % USEC_PER_MSEC, without a division.
    k.if(microcodeOps.use_nmi.eq(0), () => {
      k.if(untilTouch.eq(0), () => {
        k.call(touchNmiWatchdog);
        k.set(untilTouch, STEPS_PER_TOUCH);
      });
      k.set(untilTouch, untilTouch.sub(1));
    });
    k.set(left, left.sub(1));
  });
  k.mark(observed("waited", { which, locals: ["left"] }));
  keep(k, left);
  return left;
}

/**
 * wait_for_cpus: 1 once all have arrived. Who gives up takes its arrival back, so that no late comer ever finds zero; but between the last look
 * at the counter and that increment a late one may have brought it to zero for all others (hazard H1).
 */
export const waitForCpus = routine("wait_for_cpus", [], u32, (k) => {
  const before = k.let("before", k.fetchSub(lateCpusIn, 1));
  k.if(before.to(i32).le(constant(i32, 0)), () =>
    k.if(warnedNegative.eq(0), () => {
      k.set(warnedNegative, 1);
      k.set(counters.here.warnings, counters.here.warnings.add(1));
    }),
  );
  k.mark("arrived");
  k.if(waitSteps(k, "microcode_cpus", () => k.readOnce(lateCpusIn).eq(0)).ne(0), () => k.return(1));
  k.mark("give_up");
  k.atomicInc(lateCpusIn);
  k.return(0);
});

/** wait_for_ctrl: 1 once this CPU has been told what to do. */
export const waitForCtrl = routine("wait_for_ctrl", [], u32, (k) => {
  const left = waitSteps(k, "microcode_ctrl", () => k.readOnce(ucodeCtrl.here.ctrl).ne(SiblingCtrl.Wait));
  k.return(k.bool(left.ne(0)));
});
