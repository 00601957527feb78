// A function that is not safe in NMIs: it takes a mutex, as patching kernel text does (text_mutex; case S11).

import { addressOf, asInteger, codeOf, global, i32, imageOption, ptr, routine, u32, u64 } from "../../asm/index.ts";
import { keep } from "../lib/keep.ts";
import { observed } from "../observe.ts";
import { Request, counters, load, local } from "../percpu.ts";
import { Mutex, mutexLock, mutexUnlock } from "../sched/mutex.ts";
import { stopMachineNmi } from "../stop/nmi-stop.ts";

/** 1: the task that calls holds the mutex meanwhile. */
export const textMutexHeld = imageOption("textMutexHeld", u32, 0);

const textMutex = global("text_mutex", Mutex, { align: 64 });
/** Bits of the preempt count that say NMI (include/linux/preempt.h). */
const NMI_MASK = 0xf << 20;

const sleepingFunction = routine("sleeping_function", { data: u64 }, i32, (k, { data }) => {
  k.mark(observed("function_start", { locals: ["data"] }));
  k.set(counters.here.calls, counters.here.calls.add(1));
  keep(k, data);
  // might_sleep()
  k.if(local.here.preempt_count.and(NMI_MASK).ne(0), () => {
    k.mark(observed("say", { which: "sleeping_in_nmi" }));
    k.set(counters.here.warnings, counters.here.warnings.add(1));
  });
  k.call(mutexLock, addressOf(textMutex));
  k.call(mutexUnlock, addressOf(textMutex));
  const result = k.let("result", load.here.function_result.to(i32));
  k.mark(observed("function_end", { locals: ["result"] }));
  k.return(result);
});

export const callStopMachineNmiSleeping = routine(
  "request_stop_machine_nmi_sleeping",
  { request: ptr(Request) },
  i32,
  (k, { request }) => {
    k.if(textMutexHeld.ne(0), () => k.call(mutexLock, addressOf(textMutex)));
    const ret = k.let("ret", k.call(stopMachineNmi, codeOf(sleepingFunction), asInteger(request), request.mask));
    k.if(textMutexHeld.ne(0), () => k.call(mutexUnlock, addressOf(textMutex)));
    k.return(ret);
  },
);
