// stop_one_cpu() and its variant that doesn't wait (kernel/stop_machine.c): a function in one CPU's stopper, which no task preempts.
// No other CPU is held up, IRQs stay on, and the target may go offline before.

import { addressOf, asInteger, code, i32, nothing, ptr, routine, u32, u64 } from "../../asm/index.ts";
import { ENOENT } from "../lib/errno.ts";
import { counters } from "../percpu.ts";
import { waitForCompletion } from "../sched/completion.ts";
import { CpuStopDone, CpuStopWork } from "./data.ts";
import { cpuStopQueueWork, initDone } from "./stopper.ts";

export const stopOneCpu = routine(
  "stop_one_cpu",
  [{ cpu: u32 }, { fn: code }, { arg: u64 }],
  i32,
  (k, { cpu, fn, arg }) => {
    k.mark("call");
    const done = k.stackStruct("done", CpuStopDone);
    const work = k.stackStruct("work", CpuStopWork);
    k.set(work.fn, fn);
    k.set(work.arg, arg);
    k.set(work.done, done);
    k.set(work.caller, asInteger(fn));
    initDone(k, done, 1);
    const ret = k.let("ret", -ENOENT, i32);
    k.if(k.call(cpuStopQueueWork, cpu, work).ne(0), () => {
      k.call(waitForCompletion, addressOf(done.completion));
      k.set(ret, done.ret.to(i32));
    });
    k.mark("return");
    k.return(ret);
  },
);

/** The caller's work is in use until the function has run. Returns nothing (since 2026); a disabled stopper is warned about. */
export const stopOneCpuNowait = routine(
  "stop_one_cpu_nowait",
  [{ cpu: u32 }, { fn: code }, { arg: u64 }, { work: ptr(CpuStopWork) }],
  nothing,
  (k, { cpu, fn, arg, work }) => {
    k.mark("call");
    k.set(work.fn, fn);
    k.set(work.arg, arg);
    k.set(work.done, null);
    k.set(work.caller, asInteger(fn));
    k.if(k.call(cpuStopQueueWork, cpu, work).eq(0), () => k.set(counters.here.warnings, counters.here.warnings.add(1)));
    k.mark("return");
  },
);
