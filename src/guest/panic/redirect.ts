// panic_force_cpu= (kernel/panic.c: panic_try_force_cpu): the panic is sent to one CPU, since some crash kernels start from it only.

import {
  addressOf,
  codeOf,
  global,
  nothing,
  routine,
  slot,
  testBit,
  u32,
  u64,
  type Builder,
  type Value,
} from "../../asm/index.ts";
import { onlineMaskPointer } from "../lib/cpumask.ts";
import { observed } from "../observe.ts";
import { CallSingleData, local } from "../percpu.ts";
import { smpCallFunctionSingleAsync } from "../smp/call-function.ts";
import { NO_CPU, panicCpu, panicForceCpu, panicRedirectCpu } from "./globals.ts";

/** panic(), which is what the other CPU is to call: behind a slot, because it calls this file's routine itself. */
export const panicThere = slot("do_panic_on_target_cpu", { info: u64 }, nothing);

const panicCsd = global("panic_csd", CallSingleData, { align: 64 });

/** 1: another CPU panics in this one's place, or will. */
export const panicTryForceCpu = slot("panic_try_force_cpu", {}, u32);

/** Its interrupt is a maskable one, and nobody waits for it. */
function redirect(k: Builder, target: Value<"u32">): void {
  k.mark(observed("say", { which: "redirecting", locals: ["target"] }));
  const csd = k.let("csd", addressOf(panicCsd));
  k.set(csd.func, codeOf(panicThere));
  k.call(smpCallFunctionSingleAsync, target, csd);
}

/** What a CPU answers that finds a panic or another redirection under way, of the CPU `other`. */
type Loser = (k: Builder, other: Value<"u32">) => Value<"u32"> | 0;

function tryForceCpu(name: string, loses: Loser) {
  return routine(name, [], u32, (k) => {
    const target = k.let("target", panicForceCpu);
    k.if(target.eq(NO_CPU).or(target.eq(local.here.cpu)), () => k.return(0));
    k.if(testBit(onlineMaskPointer, target).not(), () => {
      k.mark(observed("say", { which: "force_cpu_offline" }));
      k.return(0);
    });
    // A panic that is under way is not redirected (case S20).
    const panicking = k.let("panicking", k.readOnce(panicCpu));
    k.if(panicking.ne(NO_CPU), () => k.return(loses(k, panicking)));
    const other = k.let("other", NO_CPU, u32);
    k.if(k.tryCmpxchg(panicRedirectCpu, other, local.here.cpu).not(), () => k.return(loses(k, other)));
    redirect(k, target);
    k.return(1);
  });
}

/** Mainline of mid-2026: who loses the race for the redirection carries on, and may start the crash kernel before the target does. */
export const tryForceCpuMainline = tryForceCpu("panic_try_force_cpu_mainline", () => 0);

/**
 * As proposed in July 2026 ("fix redirect CPU race"): who loses to another CPU stops; who loses to itself, in an NMI that has interrupted
 * its own redirection, carries on.
 */
export const tryForceCpuRaceFixed = tryForceCpu("panic_try_force_cpu_race_fixed", (k, other) =>
  k.bool(other.ne(local.here.cpu)),
);
