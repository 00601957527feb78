// Making a CPU active and inactive: whether tasks may be on it (kernel/sched/core.c: sched_cpu_activate, sched_cpu_deactivate,
// balance_push).
//
// The kernel pushes every task of an inactive CPU to another one. Here tasks that make requests go when they next sleep: whoever wakes
// them finds another CPU. A load has no other CPU to go to: it ends with its own.

import { addressOf, codeOf, i32, isNull, nothing, routine, u32, u64, type Builder } from "../../asm/index.ts";
import { activeMaskPointer } from "../lib/cpumask.ts";
import { rawSpinLock, rawSpinLockIrqsave, rawSpinUnlock, rawSpinUnlockIrqrestore } from "../lib/spinlock.ts";
import { TaskClass, TaskState, load, pushWork, request, runQueue, workTask } from "../percpu.ts";
import { activateTask } from "../sched/schedule.ts";
import { dequeueTask } from "../sched/run-queue.ts";
import { stopOneCpuNowait } from "../stop/stop-one.ts";

/** True if the CPU's own task is a load, which goes on for ever. */
function hasLoad(cpu: Parameters<typeof load.of>[0]) {
  return isNull(load.of(cpu).work)
    .not()
    .and(isNull(request.of(cpu).call));
}

/** __balance_push_cpu_stop, in the dying CPU's stopper: no load runs here from now on. */
const balancePush = routine("__balance_push_cpu_stop", { arg: u64 }, i32, (k, { arg }) => {
  const cpu = k.let("cpu", arg.to(u32));
  const rq = k.let("rq", addressOf(runQueue.here));
  const task = k.let("task", addressOf(workTask.here));
  const flags = rawSpinLockIrqsave(k, addressOf(rq.lock));
  k.if(hasLoad(cpu).and(task.on_rq.ne(0)), () => k.call(dequeueTask, rq, task));
  rawSpinUnlockIrqrestore(k, addressOf(rq.lock), flags);
  k.return(0);
});

/** No task is woken there once the run queue's lock has been taken since (set_rq_offline takes it). */
function forbidTasks(k: Builder, cpu: Parameters<typeof load.of>[0]): void {
  k.clearBit(activeMaskPointer, cpu);
  const lock = k.let("lock", addressOf(runQueue.of(cpu).lock));
  const flags = rawSpinLockIrqsave(k, lock);
  rawSpinUnlockIrqrestore(k, lock, flags);
}

export const schedCpuDeactivate = routine("sched_cpu_deactivate", { cpu: u32 }, nothing, (k, { cpu }) => {
  forbidTasks(k, cpu);
  k.call(stopOneCpuNowait, cpu, codeOf(balancePush), cpu.to(u64), addressOf(pushWork.of(cpu)));
  // sched_cpu_wait_empty
  k.while(
    () =>
      k
        .readOnce(runQueue.of(cpu).queued)
        .and(TaskClass.Work | TaskClass.Migrant)
        .ne(0),
    () => k.cpuRelax(),
  );
});

/** sched_cpu_activate: also when a CPU that was to go refuses, and its load carries on. */
export const schedCpuActivate = routine("sched_cpu_activate", { cpu: u32 }, nothing, (k, { cpu }) => {
  k.setBit(activeMaskPointer, cpu);
  const task = k.let("task", addressOf(workTask.of(cpu)));
  const lock = k.let("lock", addressOf(runQueue.of(cpu).lock));
  const flags = k.irqSave();
  k.call(rawSpinLock, lock);
  k.if(hasLoad(cpu).and(task.on_rq.eq(0)).and(task.state.eq(TaskState.Running)), () => k.call(activateTask, task));
  rawSpinUnlock(k, lock);
  k.irqRestore(flags);
});
