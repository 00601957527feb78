// panic() and nmi_panic() (kernel/panic.c, mainline of mid-2026). What concerns other CPUs is here; printing is an
// event, and notifiers are one of nobody.

import { nothing, routine, u32, u64, type Builder, type Condition, type Value } from "../../asm/index.ts";
import { useConsole } from "../lib/console-lock.ts";
import { clearCpuOnline } from "../lib/cpumask.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { preemptDisable } from "../sched/schedule.ts";
import { panicDone } from "./done.ts";
import { NO_CPU, crashKexecPostNotifiers, oopsInProgress, panicCpu } from "./globals.ts";
import { crashKexec } from "./kexec.ts";
import { panicTryForceCpu } from "./redirect.ts";
import { crashSmpSendStop, nmiPanicSelfStop, panicSmpSelfStop, smpSendStop } from "./slots.ts";

/** panic_try_start: true on the CPU that claims the panic. */
function tryStart(k: Builder): Condition {
  const nobody = k.let("nobody", NO_CPU, u32);
  return k.tryCmpxchg(panicCpu, nobody, local.here.cpu);
}

/** panic_other_cpus_shutdown */
function shutDownOthers(k: Builder): void {
  k.mark(observed("phase", { which: "stop_others" }));
  k.if(
    crashKexecPostNotifiers.eq(0),
    () => k.call(smpSendStop),
    () => k.call(crashSmpSendStop),
  );
}

/** vpanic() */
export const panic = routine(
  "panic",
  [],
  nothing,
  (k) => {
    k.mark("call");
    k.irqDisable();
    preemptDisable(k);
    k.if(k.call(panicTryForceCpu).ne(0), () => {
      // So that whoever stops the others doesn't wait for this one.
      clearCpuOnline(k, local.here.cpu);
      k.call(panicSmpSelfStop);
    });
    k.if(tryStart(k).not(), () => {
      // Lost to this CPU itself: nmi_panic() has claimed it before.
      k.if(k.readOnce(panicCpu).ne(local.here.cpu), () => {
        k.mark("lost");
        k.call(panicSmpSelfStop);
      });
    });
    k.mark(observed("say", { which: "panic" }));
    // bust_spinlocks(1)
    k.set(oopsInProgress, oopsInProgress.add(1));
    k.if(crashKexecPostNotifiers.eq(0), () => k.call(crashKexec));
    shutDownOthers(k);
    k.mark(observed("phase", { which: "notifiers" }));
    k.call(useConsole);
    k.if(crashKexecPostNotifiers.ne(0), () => k.call(crashKexec));
    k.mark(observed("phase", { which: "end" }));
    k.irqEnable();
    k.call(panicDone);
  },
  { noReturn: true },
);

/** nmi_panic() in NMI context. Comes back on the CPU that panics already. */
function recordNmiPanic(k: Builder, regs: Value<"u64">): void {
  k.if(tryStart(k), () => k.call(panic));
  k.if(k.readOnce(panicCpu).ne(local.here.cpu), () => {
    k.mark("lost");
    k.call(nmiPanicSelfStop, regs);
  });
}

/** It claims the panic before panic() looks whether to send it elsewhere, so that it never is (case S20). */
export const nmiPanicClaiming = routine("nmi_panic_claiming", { regs: u64 }, nothing, (k, { regs }) => {
  recordNmiPanic(k, regs);
});

/** As proposed in July 2026: first to the CPU that panic_force_cpu= names. */
export const nmiPanicRedirecting = routine("nmi_panic_redirecting", { regs: u64 }, nothing, (k, { regs }) => {
  k.if(k.call(panicTryForceCpu).ne(0), () => {
    clearCpuOnline(k, local.here.cpu);
    k.call(nmiPanicSelfStop, regs);
  });
  recordNmiPanic(k, regs);
});

/** What the function call of a redirected panic runs. */
export const panicOnTarget = routine("panic_on_target_cpu", { info: u64 }, nothing, (k) => {
  k.call(panic);
});
