// stop_two_cpus() (kernel/stop_machine.c): the rendezvous of multi_cpu_stop() for two CPUs only, as task swapping needs it.

import {
  addressOf,
  asInteger,
  cast,
  code,
  codeOf,
  i32,
  ptr,
  routine,
  u32,
  u64,
  type Builder,
  type Pointer,
} from "../../asm/index.ts";
import { cpumaskOf } from "../lib/cpumask.ts";
import { EDEADLK, ENOENT } from "../lib/errno.ts";
import { rawSpinLock, rawSpinUnlock } from "../lib/spinlock.ts";
import { Task, stopper } from "../percpu.ts";
import { waitForCompletion } from "../sched/completion.ts";
import { preemptDisable, preemptEnable, wakeUpProcess } from "../sched/schedule.ts";
import { CpuStopDone, CpuStopWork, MultiStopData, MultiStopState } from "./data.ts";
import { stopCpusInProgress } from "./globals.ts";
import { multiCpuStop, setState } from "./multi-stop.ts";
import { initDone, queueLocked } from "./stopper.ts";

/**
 * Queues both works or none. With both stoppers locked it can't miss that stop_cpus() has queued on one of them and not yet on the other:
 * it then drops the locks, waits until that is over and tries again, or else each stopper could begin with the work that waits for
 * the other's. `cpu1` is the lower number, so that two callers lock in one order.
 */
const queueTwoWorks = routine(
  "cpu_stop_queue_two_works",
  [{ cpu1: u32 }, { work1: ptr(CpuStopWork) }, { cpu2: u32 }, { work2: ptr(CpuStopWork) }],
  i32,
  (k, { cpu1, work1, cpu2, work2 }) => {
    const stopper1 = k.let("stopper1", addressOf(stopper.of(cpu1)));
    const stopper2 = k.let("stopper2", addressOf(stopper.of(cpu2)));
    const err = k.let("err", 0, i32);
    k.loop(() => {
      // One section for queueing and waking: a stopper that preempted us here would wait for one that nobody wakes.
      preemptDisable(k);
      k.irqDisable();
      k.call(rawSpinLock, addressOf(stopper1.lock));
      k.call(rawSpinLock, addressOf(stopper2.lock));
      k.set(err, 0);
      k.if(
        stopper1.enabled.eq(0).or(stopper2.enabled.eq(0)),
        () => k.set(err, -ENOENT),
        () =>
          k.if(
            k.readOnce(stopCpusInProgress).ne(0),
            () => k.set(err, -EDEADLK),
            () => {
              queueLocked(k, stopper1, work1);
              queueLocked(k, stopper2, work2);
            },
          ),
      );
      rawSpinUnlock(k, addressOf(stopper2.lock));
      rawSpinUnlock(k, addressOf(stopper1.lock));
      k.irqEnable();
      k.if(err.ne(-EDEADLK), () => k.break());
      k.mark("retry");
      k.call(preemptEnable);
      k.while(
        () => k.readOnce(stopCpusInProgress).ne(0),
        () => k.cpuRelax(),
      );
    });
    k.if(err.eq(0), () => {
      k.call(wakeUpProcess, cast(stopper1.thread, Task));
      k.call(wakeUpProcess, cast(stopper2.thread, Task));
    });
    k.call(preemptEnable);
    k.return(err);
  },
);

function fillWork(
  k: Builder,
  work: Pointer<typeof CpuStopWork>,
  msdata: Pointer<typeof MultiStopData>,
  done: Pointer<typeof CpuStopDone>,
): void {
  k.set(work.fn, codeOf(multiCpuStop));
  k.set(work.arg, asInteger(msdata));
  k.set(work.done, done);
  k.set(work.caller, asInteger(codeOf(multiCpuStop)));
}

/** Runs fn(arg) on `cpu1` while both CPUs are captured. The two differ. Takes no mutex, and needs no hotplug lock. */
export const stopTwoCpus = routine(
  "stop_two_cpus",
  [{ cpu1: u32 }, { cpu2: u32 }, { fn: code }, { arg: u64 }],
  i32,
  (k, { cpu1, cpu2, fn, arg }) => {
    k.mark("call");
    const msdata = k.stackStruct("msdata", MultiStopData);
    k.set(msdata.fn, fn);
    k.set(msdata.data, arg);
    k.set(msdata.num_threads, 2);
    k.set(msdata.active_cpus, k.call(cpumaskOf, cpu1));
    const done = k.stackStruct("done", CpuStopDone);
    const work1 = k.stackStruct("work1", CpuStopWork);
    const work2 = k.stackStruct("work2", CpuStopWork);
    fillWork(k, work1, msdata, done);
    fillWork(k, work2, msdata, done);
    initDone(k, done, 2);
    k.call(setState, msdata, MultiStopState.Prepare);
    const lower = k.let("lower", cpu1);
    const upper = k.let("upper", cpu2);
    k.if(cpu1.gt(cpu2), () => {
      k.set(lower, cpu2);
      k.set(upper, cpu1);
    });
    const ret = k.let("ret", -ENOENT, i32);
    k.if(k.call(queueTwoWorks, lower, work1, upper, work2).eq(0), () => {
      k.call(waitForCompletion, addressOf(done.completion));
      k.set(ret, done.ret.to(i32));
    });
    k.mark("return");
    k.return(ret);
  },
);
