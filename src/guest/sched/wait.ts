// Wait queues: tasks that sleep until a condition holds (kernel/sched/wait.c).

import { addressOf, containerOf, isNull, nothing, ptr, routine, same, struct, u32 } from "../../asm/index.ts";
import type { Builder, Condition, Pointer } from "../../asm/index.ts";
import { ListHead, initListHead, listAddTail, listDelInit, listEmpty } from "../lib/list.ts";
import { rawSpinLockIrqsave, rawSpinUnlockIrqrestore } from "../lib/spinlock.ts";
import { Task, TaskState, local } from "../percpu.ts";
import { schedule, setCurrentState, wakeUpProcess } from "./schedule.ts";

/** wait_queue_head; its list is initialised by the first waiter. */
export const WaitQueue = struct("wait_queue_head", { lock: u32, reserved: u32, head: ListHead }, { size: 24 });

/** wait_queue_entry, on the waiter's stack. */
const WaitEntry = struct("wait_queue_entry", { list: ListHead, task: ptr(Task) });

type QueuePointer = Pointer<typeof WaitQueue>;

const prepareToWait = routine(
  "prepare_to_wait",
  [{ queue: ptr(WaitQueue) }, { entry: ptr(WaitEntry) }],
  nothing,
  (k, { queue, entry }) => {
    const flags = rawSpinLockIrqsave(k, addressOf(queue.lock));
    k.if(isNull(queue.head.next), () => initListHead(k, addressOf(queue.head)));
    k.if(listEmpty(addressOf(entry.list)), () => k.call(listAddTail, addressOf(entry.list), addressOf(queue.head)));
    // The barrier pairs with that of a waker, between what it changes and its look at the list.
    setCurrentState(k, TaskState.Uninterruptible);
    rawSpinUnlockIrqrestore(k, addressOf(queue.lock), flags);
  },
);

const finishWait = routine(
  "finish_wait",
  [{ queue: ptr(WaitQueue) }, { entry: ptr(WaitEntry) }],
  nothing,
  (k, { queue, entry }) => {
    const current = k.let("current", local.here.current);
    k.writeOnce(current.state, TaskState.Running);
    const flags = rawSpinLockIrqsave(k, addressOf(queue.lock));
    k.call(listDelInit, addressOf(entry.list));
    rawSpinUnlockIrqrestore(k, addressOf(queue.lock), flags);
  },
);

/** wait_event: sleeps until the condition, a read-modify-write one or a test, holds. */
export function waitEvent(k: Builder, queue: QueuePointer, condition: () => Condition): void {
  const entry = k.stackStruct("entry", WaitEntry);
  k.set(entry.task, local.here.current);
  initListHead(k, addressOf(entry.list));
  k.loop(() => {
    k.call(prepareToWait, queue, entry);
    k.if(condition(), () => k.break());
    schedule(k);
  });
  k.call(finishWait, queue, entry);
}

/** True if somebody waits. The caller has a full barrier between what it changed and this look. */
export function hasWaiters(k: Builder, queue: QueuePointer): Condition {
  const next = k.readOnce(queue.head.next);
  return isNull(next)
    .or(same(next, addressOf(queue.head)))
    .not();
}

/** wake_up_all, or only the first of them; waiters take themselves off the list. */
export const wakeUp = routine(
  "__wake_up_common",
  [{ queue: ptr(WaitQueue) }, { most: u32 }],
  nothing,
  (k, { queue, most }) => {
    const flags = rawSpinLockIrqsave(k, addressOf(queue.lock));
    const left = k.let("left", most);
    const at = k.let("at", queue.head.next);
    k.while(
      () => same(at, addressOf(queue.head)).or(left.eq(0)).not(),
      () => {
        k.call(wakeUpProcess, containerOf(at, WaitEntry, "list").task);
        k.set(at, at.next);
        k.set(left, left.sub(1));
      },
    );
    rawSpinUnlockIrqrestore(k, addressOf(queue.lock), flags);
  },
);
