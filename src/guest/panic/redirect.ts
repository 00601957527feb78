// panic_force_cpu= (kernel/panic.c: panic_try_force_cpu): the panic is sent to one CPU, since some crash kernels start from it only.

import { addressOf, codeOf, global, nothing, routine, slot, testBit, u32, u64 } from "../../asm/index.ts";
import { onlineMaskPointer } from "../lib/cpumask.ts";
import { observed } from "../observe.ts";
import { CallSingleData, local } from "../percpu.ts";
import { smpCallFunctionSingleAsync } from "../smp/call-function.ts";
import { NO_CPU, panicCpu, panicForceCpu, panicRedirectCpu } from "./globals.ts";

/** panic(), which is what the other CPU is to call: behind a slot, because it calls this file's routine itself. */
export const panicThere = slot("do_panic_on_target_cpu", { info: u64 }, nothing);

const panicCsd = global("panic_csd", CallSingleData, { align: 64 });

/** 1: another CPU panics in this one's place. Its interrupt is a maskable one, and nobody waits for it. */
export const panicTryForceCpu = routine("panic_try_force_cpu", [], u32, (k) => {
  const target = k.let("target", panicForceCpu);
  k.if(target.eq(NO_CPU).or(target.eq(local.here.cpu)), () => k.return(0));
  k.if(testBit(onlineMaskPointer, target).not(), () => {
    k.mark(observed("say", { which: "force_cpu_offline" }));
    k.return(0);
  });
  // A panic that is under way is not redirected (reference, S20).
  k.if(k.readOnce(panicCpu).ne(NO_CPU), () => k.return(0));
  const nobody = k.let("nobody", NO_CPU, u32);
  k.if(k.tryCmpxchg(panicRedirectCpu, nobody, local.here.cpu).not(), () => k.return(0));
  k.mark(observed("say", { which: "redirecting", locals: ["target"] }));
  const csd = k.let("csd", addressOf(panicCsd));
  k.set(csd.func, codeOf(panicThere));
  k.call(smpCallFunctionSingleAsync, target, csd);
  k.return(1);
});
