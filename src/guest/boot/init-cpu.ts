// Bringing a CPU up: its per-CPU block, tasks and run queue, interrupt controller, and its place in the online mask.

import {
  addressOf,
  asInteger,
  codeOf,
  nothing,
  perCpuBlock,
  routine,
  slot,
  u32,
  type Builder,
  type Pointer,
} from "../../asm/index.ts";
import { announceCpu, startHeldCpu } from "../hotplug/cpu-up.ts";
import type { Task } from "../percpu.ts";
import {
  STACK_TOP,
  StartKind,
  TaskClass,
  TaskState,
  ThreadFlag,
  hotplug,
  idleTask,
  load,
  local,
  runQueue,
  stopTask,
  threadFlags,
  workTask,
} from "../percpu.ts";
import { doIdle } from "../sched/idle.ts";
import { prepareStack } from "../sched/switch.ts";
import { initStopper, stopperThread } from "../stop/stopper.ts";

/** Descriptor tables and interrupt controller of the calling CPU. */
export const initArchitecture = slot("init_architecture", { cpu: u32 }, nothing);

function initTask(
  k: Builder,
  task: Pointer<typeof Task>,
  fields: { cpu: Parameters<typeof perCpuBlock>[0]; class: number; state: number; preemptCount: number },
): void {
  k.set(task.cpu, fields.cpu);
  k.set(task.class, fields.class);
  k.set(task.state, fields.state);
  k.set(task.preempt_count, fields.preemptCount);
  k.set(task.on_rq, fields.state === TaskState.Running ? 1 : 0);
}

const initCpu = routine("init_cpu", { cpu: u32 }, nothing, (k, { cpu }) => {
  const block = k.let("block", asInteger(perCpuBlock(cpu)));
  k.set(local.here.self, block);
  k.set(local.here.cpu, cpu);
  k.set(local.here.preempt_count, 1);
  const idle = k.let("idle", addressOf(idleTask.here));
  k.set(local.here.current, idle);
  initTask(k, idle, { cpu, class: TaskClass.Idle, state: TaskState.Running, preemptCount: 1 });

  k.set(idle.on_cpu, 1);

  const stop = k.let("stop", addressOf(stopTask.here));
  initTask(k, stop, { cpu, class: TaskClass.Stop, state: TaskState.Interruptible, preemptCount: 0 });
  k.call(prepareStack, stop, block.add(STACK_TOP.stop), codeOf(stopperThread));
  initStopper(k, stop);

  k.set(runQueue.here.queued, TaskClass.Idle);
  k.set(runQueue.here.curr, idle);
  const main = k.let("main", load.here.work);
  k.if(asInteger(main).ne(0), () => {
    const work = k.let("work", addressOf(workTask.here));
    initTask(k, work, { cpu, class: TaskClass.Work, state: TaskState.Running, preemptCount: 0 });
    k.call(prepareStack, work, block.add(STACK_TOP.work), main);
    k.set(runQueue.here.queued, TaskClass.Idle | TaskClass.Work);
    k.set(threadFlags.here, ThreadFlag.NeedResched);
  });

  k.call(initArchitecture, cpu);
  k.if(
    hotplug.here.start.eq(StartKind.Online),
    () => announceCpu(k),
    () => k.call(startHeldCpu),
  );
});

/** Where the entry stub of each architecture goes on, on the idle stack. */
export const startKernel = routine(
  "secondary_start_kernel",
  { cpu: u32 },
  nothing,
  (k, { cpu }) => {
    k.call(initCpu, cpu);
    k.mark("online");
    k.call(doIdle);
  },
  { noReturn: true },
);
