// Going on elsewhere: what the caller of cpu_down() does when it runs on the very CPU that is to go (work_on_cpu() in the kernel, which
// hands the rest to a kworker; here the task itself moves, by what sched_setaffinity() uses).

import { addressOf, asInteger, cast, codeOf, i32, nothing, ptr, routine, struct, u32, u64 } from "../../asm/index.ts";
import { rawSpinLock, rawSpinUnlock } from "../lib/spinlock.ts";
import { Task, TaskClass, local, runQueue } from "../percpu.ts";
import { dequeueTask } from "../sched/run-queue.ts";
import { activateTask, lockTaskQueue } from "../sched/schedule.ts";
import { stopOneCpu } from "../stop/stop-one.ts";

const MigrationArg = struct("migration_arg", { task: ptr(Task), dest_cpu: u32, reserved: u32 });

/** migration_cpu_stop, in the stopper of the CPU that the task is on: so the task itself isn't running. */
const migrationCpuStop = routine("migration_cpu_stop", { data: u64 }, i32, (k, { data }) => {
  const arg = k.let("arg", cast(data, MigrationArg));
  const task = k.let("task", arg.task);
  const flags = k.irqSave();
  const rq = lockTaskQueue(k, task);
  const queued = k.let("queued", task.on_rq);
  k.if(queued.ne(0), () => k.call(dequeueTask, rq, task));
  k.set(task.class, TaskClass.Migrant);
  k.set(task.cpu, arg.dest_cpu);
  rawSpinUnlock(k, addressOf(rq.lock));
  k.if(queued.ne(0), () => {
    const lock = k.let("lock", addressOf(runQueue.of(arg.dest_cpu).lock));
    k.call(rawSpinLock, lock);
    k.call(activateTask, task);
    rawSpinUnlock(k, lock);
  });
  k.irqRestore(flags);
  k.return(0);
});

/** Moves the calling task to another CPU, which is active. */
export const moveToCpu = routine("move_to_cpu", { cpu: u32 }, nothing, (k, { cpu }) => {
  const arg = k.stackStruct("arg", MigrationArg);
  k.set(arg.task, local.here.current);
  k.set(arg.dest_cpu, cpu);
  k.call(stopOneCpu, local.here.cpu, codeOf(migrationCpuStop), asInteger(arg));
});
