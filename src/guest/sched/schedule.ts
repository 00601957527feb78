// A scheduler with what stopping CPUs needs of the kernel's: three tasks per CPU in rising classes, wake-ups from other CPUs,
// need_resched with polling idle, preemption on return from interrupts (kernel/sched/core.c).

import {
  addressOf,
  nothing,
  ptr,
  routine,
  same,
  u32,
  type Builder,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { sendReschedule } from "../irqchip/controller.ts";
import { rawSpinLock, rawSpinLockIrqsave, rawSpinUnlock, rawSpinUnlockIrqrestore } from "../lib/spinlock.ts";
import {
  Task,
  TaskClass,
  TaskState,
  ThreadFlag,
  idleTask,
  local,
  runQueue,
  stopTask,
  threadFlags,
  workTask,
} from "../percpu.ts";
import { switchTo } from "./switch.ts";

type TaskPointer = Pointer<typeof Task>;

/** test_tsk_need_resched for the running task. */
export function needResched(k: Builder): Value<"u32"> {
  return k.readOnce(threadFlags.here).and(ThreadFlag.NeedResched);
}

/** Picks the task of the highest queued class and switches to it. Callable with IRQs on or off; on another stack on return. */
export const schedule = routine("__schedule", [], nothing, (k) => {
  const flags = k.irqSave();
  const rq = k.let("rq", addressOf(runQueue.here));
  const prev = k.let("prev", local.here.current);
  k.call(rawSpinLock, addressOf(rq.lock));
  k.atomicAnd(threadFlags.here, ~ThreadFlag.NeedResched >>> 0);
  k.if(prev.state.ne(TaskState.Running), () => k.set(rq.queued, rq.queued.and(prev.class.not())));
  const queued = k.let("queued", rq.queued);
  const next = k.let("next", addressOf(idleTask.here));
  k.if(
    queued.and(TaskClass.Stop).ne(0),
    () => k.set(next, addressOf(stopTask.here)),
    () => k.if(queued.and(TaskClass.Work).ne(0), () => k.set(next, addressOf(workTask.here))),
  );
  k.set(rq.curr, next);
  rawSpinUnlock(k, addressOf(rq.lock));
  k.if(same(prev, next).not(), () => {
    k.set(prev.preempt_count, local.here.preempt_count);
    k.set(local.here.preempt_count, next.preempt_count);
    k.set(local.here.current, next);
    k.mark("sched_switch");
    k.call(switchTo, prev, next);
  });
  k.irqRestore(flags);
});

/** resched_curr: makes a CPU reschedule soon; its run queue is locked. No IPI for oneself, nor for a polling idle task. */
const reschedCurr = routine("resched_curr", { cpu: u32 }, nothing, (k, { cpu }) => {
  const flags = k.let("flags", addressOf(threadFlags.of(cpu)));
  k.if(k.readOnce(flags.at(0)).and(ThreadFlag.NeedResched).ne(0), () => k.return());
  const old = k.fetchOr(flags.at(0), ThreadFlag.NeedResched);
  k.if(cpu.eq(local.here.cpu).not().and(old.and(ThreadFlag.Polling).eq(0)), () => k.call(sendReschedule, cpu));
});

/** try_to_wake_up: queues a task that sleeps, on its own CPU. */
export const wakeUpProcess = routine("wake_up_process", { task: ptr(Task) }, nothing, (k, { task }) => {
  const cpu = k.let("cpu", task.cpu);
  const rq = k.let("rq", addressOf(runQueue.of(cpu)));
  const flags = rawSpinLockIrqsave(k, addressOf(rq.lock));
  k.if(task.state.ne(TaskState.Running), () => {
    k.writeOnce(task.state, TaskState.Running);
    k.set(rq.queued, rq.queued.or(task.class));
    k.if(task.class.gt(rq.curr.class), () => k.call(reschedCurr, cpu));
  });
  rawSpinUnlockIrqrestore(k, addressOf(rq.lock), flags);
});

export function preemptDisable(k: Builder): void {
  k.set(local.here.preempt_count, local.here.preempt_count.add(1));
}

export const preemptEnable = routine("preempt_enable", [], nothing, (k) => {
  k.set(local.here.preempt_count, local.here.preempt_count.sub(1));
  k.if(local.here.preempt_count.eq(0), () => k.if(needResched(k).ne(0), () => k.call(schedule)));
});

/** preempt_schedule_irq: on the way out of an interrupt. */
export function preemptOnInterruptExit(k: Builder): void {
  k.if(local.here.preempt_count.eq(0), () => k.if(needResched(k).ne(0), () => k.call(schedule)));
}

/** __set_current_state, with the barrier that pairs with a waker's. */
export function setCurrentState(k: Builder, state: number): void {
  const current = k.let("current", local.here.current);
  k.writeOnce(current.state, state);
  k.smpMb();
}

export type { TaskPointer };
