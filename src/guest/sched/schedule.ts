// A scheduler with what stopping CPUs needs of the kernel's: tasks in rising classes, wake-ups from other CPUs, need_resched with polling
// idle, preemption on return from interrupts, and another CPU for tasks whose own went offline (kernel/sched/core.c).

import {
  addressOf,
  nothing,
  ptr,
  routine,
  same,
  testBit,
  u32,
  type Builder,
  type Pointer,
  type PointerLocal,
  type Value,
} from "../../asm/index.ts";
import { sendReschedule } from "../irqchip/controller.ts";
import { activeMaskPointer, cpumaskFirst } from "../lib/cpumask.ts";
import { rawSpinLock, rawSpinUnlock } from "../lib/spinlock.ts";
import { observed } from "../observe.ts";
import {
  type RunQueue,
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
import { dequeueTask, enqueueTask } from "./run-queue.ts";
import { switchTo } from "./switch.ts";

type TaskPointer = Pointer<typeof Task>;

/** test_tsk_need_resched for the running task. */
export function needResched(k: Builder): Value<"u32"> {
  return k.readOnce(threadFlags.here).and(ThreadFlag.NeedResched);
}

/** sched_mode: a task that is preempted stays queued, even one that is about to sleep. */
const SchedMode = { None: 0, Preempt: 1 } as const;

/**
 * Picks the task of the highest queued class and switches to it. Callable with IRQs on or off; on another stack on return, and on
 * another CPU if the task was moved.
 */
const scheduleInMode = routine("__schedule", { mode: u32 }, nothing, (k, { mode }) => {
  const flags = k.irqSave();
  const rq = k.let("rq", addressOf(runQueue.here));
  const prev = k.let("prev", local.here.current);
  k.call(rawSpinLock, addressOf(rq.lock));
  k.atomicAnd(threadFlags.here, ~ThreadFlag.NeedResched >>> 0);
  k.if(mode.eq(SchedMode.None).and(prev.state.ne(TaskState.Running)), () => k.call(dequeueTask, rq, prev));
  const queued = k.let("queued", rq.queued);
  const next = k.let("next", addressOf(idleTask.here));
  k.if(
    queued.and(TaskClass.Stop).ne(0),
    () => k.set(next, addressOf(stopTask.here)),
    () =>
      k.if(
        queued.and(TaskClass.Migrant).ne(0),
        () => k.set(next, rq.migrants),
        () => k.if(queued.and(TaskClass.Work).ne(0), () => k.set(next, addressOf(workTask.here))),
      ),
  );
  k.set(rq.curr, next);
  k.set(next.on_cpu, 1);
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

/** schedule(): gives the CPU away; a task that has set its state sleeps. */
export function schedule(k: Builder): void {
  k.call(scheduleInMode, SchedMode.None);
}

/** resched_curr: makes a CPU reschedule soon; its run queue is locked. No IPI for oneself, nor for a polling idle task. */
const reschedCurr = routine("resched_curr", { cpu: u32 }, nothing, (k, { cpu }) => {
  const flags = k.let("flags", addressOf(threadFlags.of(cpu)));
  k.if(k.readOnce(flags.at(0)).and(ThreadFlag.NeedResched).ne(0), () => k.return());
  // Whoever watches the line in MWAIT is woken before the flag is set.
  k.mark(observed("signal", { locals: ["cpu"] }));
  const old = k.fetchOr(flags.at(0), ThreadFlag.NeedResched);
  k.if(cpu.eq(local.here.cpu).not().and(old.and(ThreadFlag.Polling).eq(0)), () => k.call(sendReschedule, cpu));
});

/** activate_task and check_preempt_curr: queues a task on a CPU whose queue is locked. */
export const activateTask = routine("activate_task", { task: ptr(Task) }, nothing, (k, { task }) => {
  const cpu = k.let("cpu", task.cpu);
  const rq = k.let("rq", addressOf(runQueue.of(cpu)));
  k.call(enqueueTask, rq, task);
  k.if(task.class.gt(rq.curr.class), () => k.call(reschedCurr, cpu));
});

/** task_rq_lock, IRQs off: the queue of the CPU that the task is on, which it may leave until the lock is held. */
export function lockTaskQueue(k: Builder, task: TaskPointer): PointerLocal<typeof RunQueue> {
  const rq = k.let("rq", addressOf(runQueue.of(task.cpu)));
  k.loop(() => {
    k.call(rawSpinLock, addressOf(rq.lock));
    k.if(same(rq, addressOf(runQueue.of(task.cpu))), () => k.break());
    rawSpinUnlock(k, addressOf(rq.lock));
    k.set(rq, addressOf(runQueue.of(task.cpu)));
  });
  return rq;
}

/**
 * select_fallback_rq: a CPU for a task whose own has gone; the task becomes a migrant there. A CPU on its way down leaves the active mask
 * and then takes its queue's lock once, so the mask holds while the lock is held.
 */
function selectFallback(k: Builder, task: TaskPointer, rq: PointerLocal<typeof RunQueue>): void {
  k.while(
    () => k.loadAcquire(task.on_cpu).ne(0),
    () => k.cpuRelax(),
  );
  k.while(testBit(activeMaskPointer, task.cpu).not(), () => {
    k.set(task.class, TaskClass.Migrant);
    k.set(task.cpu, cpumaskFirst(k, activeMaskPointer));
    rawSpinUnlock(k, addressOf(rq.lock));
    k.set(rq, addressOf(runQueue.of(task.cpu)));
    k.call(rawSpinLock, addressOf(rq.lock));
  });
}

/** try_to_wake_up: queues a task that sleeps, on the CPU where it was unless that one takes no more tasks. */
export const wakeUpProcess = routine("wake_up_process", { task: ptr(Task) }, nothing, (k, { task }) => {
  const flags = k.irqSave();
  const rq = lockTaskQueue(k, task);
  k.if(task.state.and(TaskState.Normal).ne(0), () => {
    k.mark("sched_waking");
    k.writeOnce(task.state, TaskState.Running);
    // A task that was about to sleep and has not got so far just carries on.
    k.if(task.on_rq.eq(0), () => {
      // is_cpu_allowed: kernel threads of one CPU run there as long as it runs at all.
      k.if(task.class.lt(TaskClass.Stop).and(testBit(activeMaskPointer, task.cpu).not()), () =>
        selectFallback(k, task, rq),
      );
      k.call(activateTask, task);
    });
  });
  rawSpinUnlock(k, addressOf(rq.lock));
  k.irqRestore(flags);
});

/** preempt_disable() */
export function preemptDisable(k: Builder): void {
  k.set(local.here.preempt_count, local.here.preempt_count.add(1));
}

/** preempt_enable(): gives the CPU away if somebody has asked for it. */
export const preemptEnable = routine("preempt_enable", [], nothing, (k) => {
  k.set(local.here.preempt_count, local.here.preempt_count.sub(1));
  preemptIfNeeded(k);
});

function preemptIfNeeded(k: Builder): void {
  k.if(local.here.preempt_count.eq(0), () =>
    k.if(needResched(k).ne(0), () => {
      k.mark("preempt");
      k.call(scheduleInMode, SchedMode.Preempt);
    }),
  );
}

/** preempt_schedule_irq: on the way out of an interrupt. */
export function preemptOnInterruptExit(k: Builder): void {
  preemptIfNeeded(k);
}

/** __set_current_state, with the barrier that pairs with a waker's. */
export function setCurrentState(k: Builder, state: number): void {
  const current = k.let("current", local.here.current);
  k.writeOnce(current.state, state);
  k.smpMb();
}

export type { TaskPointer };
