// Per-CPU stopper threads and their queues (kernel/stop_machine.c).

import {
  addressOf,
  asInteger,
  cast,
  code,
  containerOf,
  i32,
  isNull,
  nothing,
  opaque,
  ptr,
  routine,
  slot,
  u32,
  u64,
  type Builder,
  type Operand,
  type Pointer,
} from "../../asm/index.ts";

import { ENOENT } from "../lib/errno.ts";
import { cpumaskWeight, forEachCpu } from "../lib/cpumask.ts";
import { listAddTail, listDelInit, listEmpty } from "../lib/list.ts";
import { CpuMask } from "../lib/mask.ts";
import { rawSpinLockIrqsave, rawSpinUnlockIrqrestore } from "../lib/spinlock.ts";
import { Task, TaskState, hotplug, local, stopper } from "../percpu.ts";
import { complete, initCompletion, waitForCompletion } from "../sched/completion.ts";
import { preemptDisable, preemptEnable, schedule, setCurrentState, wakeUpProcess } from "../sched/schedule.ts";
import { CpuStopDone, CpuStopWork, type CpuStopper } from "./data.ts";
import { stopCpusInProgress } from "./globals.ts";
import { CpuStopFunction } from "./multi-stop.ts";

/** cpu_stop_init_done */
export function initDone(k: Builder, done: Pointer<typeof CpuStopDone>, todo: Operand<"u32">): void {
  k.set(done.nr_todo, todo);
  k.set(done.ret, 0);
  initCompletion(k, addressOf(done.completion));
}

/** The last of the CPUs to finish completes the requester. */
export const signalDone = routine("cpu_stop_signal_done", { done: ptr(CpuStopDone) }, nothing, (k, { done }) => {
  k.if(k.decAndTest(done.nr_todo), () => k.call(complete, addressOf(done.completion)));
});

/** __cpu_stop_queue_work: the stopper is locked. */
export function queueLocked(k: Builder, target: Pointer<typeof CpuStopper>, work: Pointer<typeof CpuStopWork>): void {
  k.call(listAddTail, addressOf(work.list), addressOf(target.works));
}

/** cpu_stop_queue_work: queues a work on a CPU's stopper, or counts it as done when the stopper is disabled. Returns whether it was queued. */
export const cpuStopQueueWork = routine(
  "cpu_stop_queue_work",
  [{ cpu: u32 }, { work: ptr(CpuStopWork) }],
  u32,
  (k, { cpu, work }) => {
    const target = k.let("stopper", addressOf(stopper.of(cpu)));
    preemptDisable(k);
    const flags = rawSpinLockIrqsave(k, addressOf(target.lock));
    const enabled = k.let("enabled", target.enabled);
    k.if(
      enabled.ne(0),
      () => queueLocked(k, target, work),
      () => k.if(isNull(work.done).not(), () => k.call(signalDone, work.done)),
    );
    rawSpinUnlockIrqrestore(k, addressOf(target.lock), flags);
    k.if(enabled.ne(0), () => k.call(wakeUpProcess, cast(target.thread, Task)));
    k.call(preemptEnable);
    k.return(enabled);
  },
);

/**
 * Queues the embedded work of every CPU of a mask, with preemption off: a stopper that ran here would wait for stoppers that
 * are not queued yet. Returns whether any was queued.
 */
export const queueStopCpusWork = routine(
  "queue_stop_cpus_work",
  [{ mask: ptr(CpuMask) }, { fn: code }, { arg: u64 }, { done: ptr(CpuStopDone) }],
  u32,
  (k, { mask, fn, arg, done }) => {
    const queued = k.let("queued", 0, u32);
    preemptDisable(k);
    k.writeOnce(stopCpusInProgress, 1);
    forEachCpu(k, mask, (cpu) => {
      const work = k.let("work", addressOf(stopper.of(cpu).stop_work));
      k.set(work.fn, fn);
      k.set(work.arg, arg);
      k.set(work.done, done);
      k.set(work.caller, asInteger(fn));
      k.if(k.call(cpuStopQueueWork, cpu, work).ne(0), () => k.set(queued, 1));
    });
    k.writeOnce(stopCpusInProgress, 0);
    k.call(preemptEnable);
    k.return(queued);
  },
);

/** __stop_cpus: runs fn(arg) in the stoppers of all CPUs of a mask, and waits until all are done. */
export const stopCpusUnlocked = routine(
  "__stop_cpus",
  [{ mask: ptr(CpuMask) }, { fn: code }, { arg: u64 }],
  i32,
  (k, { mask, fn, arg }) => {
    const done = k.stackStruct("done", CpuStopDone);
    initDone(k, done, k.call(cpumaskWeight, mask));
    k.if(k.call(queueStopCpusWork, mask, fn, arg, done).eq(0), () => k.return(-ENOENT));
    k.call(waitForCompletion, addressOf(done.completion));
    k.return(done.ret.to(i32));
  },
);

/** Takes the first work off this CPU's queue, or null. */
const nextWork = routine("cpu_stopper_next_work", [], ptr(CpuStopWork), (k) => {
  const mine = k.let("stopper", addressOf(stopper.here));
  const work = k.let("work", null, ptr(CpuStopWork));
  const flags = rawSpinLockIrqsave(k, addressOf(mine.lock));
  k.if(listEmpty(addressOf(mine.works)).not(), () => {
    k.set(work, containerOf(mine.works.next, CpuStopWork, "list"));
    k.call(listDelInit, addressOf(work.list));
  });
  rawSpinUnlockIrqrestore(k, addressOf(mine.lock), flags);
  k.return(work);
});

/** What becomes of an error when there may be others (S6). */
export const mergeError = slot("cpu_stop_merge_error", [{ done: ptr(CpuStopDone) }, { ret: i32 }], nothing);

/** Mainline: the last error wins. */
export const overwriteError = routine(
  "cpu_stop_overwrite_error",
  [{ done: ptr(CpuStopDone) }, { ret: i32 }],
  nothing,
  (k, { done, ret }) => k.set(done.ret, ret.to(u32)),
);

/** Version 2 of the NMI series: all errors or'ed, by a plain load and store on a word that others change, too. */
export const accumulateError = routine(
  "cpu_stop_accumulate_error",
  [{ done: ptr(CpuStopDone) }, { ret: i32 }],
  nothing,
  (k, { done, ret }) => {
    const before = k.let("before", done.ret);
    k.mark("loaded");
    k.set(done.ret, before.or(ret.to(u32)));
  },
);

/** Ours: the first error stays, so that what is returned is what one function returned. */
export const keepFirstError = routine(
  "cpu_stop_keep_first_error",
  [{ done: ptr(CpuStopDone) }, { ret: i32 }],
  nothing,
  (k, { done, ret }) => void k.cmpxchg(done.ret, 0, ret.to(u32)),
);

/** Runs one work with preemption off, and reports to whoever waits for it. */
const runWork = routine("cpu_stopper_run_work", { work: ptr(CpuStopWork) }, nothing, (k, { work }) => {
  const mine = k.let("stopper", addressOf(stopper.here));
  const done = k.let("done", work.done);
  const arg = k.let("arg", work.arg);
  k.mark("enter");
  k.set(mine.caller, work.caller);
  k.set(mine.fn, work.fn);
  preemptDisable(k);
  k.mark("run");
  const ret = k.callPointer(work.fn, CpuStopFunction, arg);
  k.mark("ran");
  k.if(isNull(done).not(), () => {
    k.if(ret.ne(0), () => k.call(mergeError, done, ret));
    k.call(signalDone, done);
  });
  k.call(preemptEnable);
  k.set(mine.fn, null);
  k.set(mine.caller, 0);
  k.mark("leave");
});

/** cpu_stop_park and kthread_parkme: sleeps until unparked, no matter who wakes it. */
function park(k: Builder): void {
  const current = k.let("current", local.here.current);
  k.writeOnce(current.state, TaskState.Parked);
  k.mark("parked");
  schedule(k);
  k.writeOnce(current.state, TaskState.Running);
}

/** The thread migration/N (smpboot_thread_fn around cpu_stopper_thread): sleeps while its queue is empty. */
export const stopperThread = routine(
  "cpu_stopper_thread",
  [],
  nothing,
  (k) => {
    k.irqEnable();
    k.loop(() => {
      const work = k.let("work", k.call(nextWork));
      k.if(
        isNull(work),
        () => {
          // Asked for by a work that ran here, so the queue has been looked at since.
          k.if(hotplug.here.should_park.ne(0), () => park(k));
          setCurrentState(k, TaskState.Interruptible);
          k.if(listEmpty(addressOf(stopper.here.works)), () => schedule(k));
          const current = k.let("current", local.here.current);
          k.writeOnce(current.state, TaskState.Running);
        },
        () => k.call(runWork, work),
      );
    });
  },
  { noReturn: true },
);

/** cpu_stopper_create: what the thread finds when its CPU comes up. */
export function initStopper(k: Builder, task: Pointer<typeof Task>): void {
  const mine = k.let("stopper", addressOf(stopper.here));
  k.set(mine.thread, cast(task, opaque));
  k.set(mine.lock, 0);
  k.set(mine.works.next, addressOf(mine.works));
  k.set(mine.works.prev, addressOf(mine.works));
}

/** stop_machine_park, on the CPU itself: takes no more works. What was queued before is still run; nothing is locked. */
export const stopMachinePark = routine("stop_machine_park", [], nothing, (k) => {
  k.writeOnce(stopper.here.enabled, 0);
  k.writeOnce(hotplug.here.should_park, 1);
});

/** stop_machine_unpark: before the CPU takes part in anything. */
export const stopMachineUnpark = routine("stop_machine_unpark", [], nothing, (k) => {
  k.writeOnce(hotplug.here.should_park, 0);
  k.writeOnce(stopper.here.enabled, 1);
});
