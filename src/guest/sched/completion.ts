// Completions (kernel/sched/completion.c), with one waiter.

import {
  addressOf,
  cast,
  isNull,
  nothing,
  opaque,
  ptr,
  routine,
  type Builder,
  type Condition,
  type Pointer,
} from "../../asm/index.ts";
import { Task, TaskState, local } from "../percpu.ts";
import { schedule, wakeUpProcess } from "./schedule.ts";
import { Completion } from "../stop/data.ts";
import { rawSpinLock, rawSpinLockIrqsave, rawSpinUnlock, rawSpinUnlockIrqrestore } from "../lib/spinlock.ts";

/** init_completion() */
export function initCompletion(k: Builder, completion: Pointer<typeof Completion>): void {
  k.set(completion.done, 0);
  k.set(completion.lock, 0);
  k.set(completion.waiter, null);
}

/** complete(): wakes the one who waits. */
export const complete = routine("complete", { completion: ptr(Completion) }, nothing, (k, { completion }) => {
  const flags = rawSpinLockIrqsave(k, addressOf(completion.lock));
  k.set(completion.done, completion.done.add(1));
  const waiter = k.let("waiter", completion.waiter);
  k.if(isNull(waiter).not(), () => k.call(wakeUpProcess, cast(waiter, Task)));
  rawSpinUnlockIrqrestore(k, addressOf(completion.lock), flags);
});

/**
 * completion_done: true once complete() has run and no longer touches the completion, which may lie on the caller's stack. As in the kernel,
 * that takes the lock.
 */
export function completionDone(k: Builder, completion: Pointer<typeof Completion>): Condition {
  const done = k.let("done", k.readOnce(completion.done));
  k.if(done.ne(0), () => {
    const flags = rawSpinLockIrqsave(k, addressOf(completion.lock));
    rawSpinUnlockIrqrestore(k, addressOf(completion.lock), flags);
  });
  return done.ne(0);
}

/** Sleeps until the completion is done. IRQs are on. */
export const waitForCompletion = routine(
  "wait_for_completion",
  { completion: ptr(Completion) },
  nothing,
  (k, { completion }) => {
    const lock = addressOf(completion.lock);
    k.irqDisable();
    k.call(rawSpinLock, lock);
    k.while(completion.done.eq(0), () => {
      const current = k.let("current", local.here.current);
      k.set(completion.waiter, cast(current, opaque));
      k.writeOnce(current.state, TaskState.Uninterruptible);
      rawSpinUnlock(k, lock);
      k.irqEnable();
      schedule(k);
      k.irqDisable();
      k.call(rawSpinLock, lock);
    });
    k.set(completion.done, completion.done.sub(1));
    rawSpinUnlock(k, lock);
    k.irqEnable();
  },
);
