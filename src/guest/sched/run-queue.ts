// Run queues: which tasks of a CPU can run (kernel/sched/core.c, enqueue_task and its kin). The queue is locked.

import { isNull, nothing, ptr, routine, same } from "../../asm/index.ts";
import { RunQueue, Task, TaskClass } from "../percpu.ts";

/** Queues a task: its class is a bit of the queue, and migrants line up behind each other. */
export const enqueueTask = routine(
  "enqueue_task",
  [{ rq: ptr(RunQueue) }, { task: ptr(Task) }],
  nothing,
  (k, { rq, task }) => {
    k.set(task.on_rq, 1);
    k.set(rq.queued, rq.queued.or(task.class));
    k.if(task.class.eq(TaskClass.Migrant), () => {
      k.set(task.next, null);
      k.if(
        isNull(rq.migrants),
        () => k.set(rq.migrants, task),
        () => {
          const last = k.let("last", rq.migrants);
          k.while(isNull(last.next).not(), () => k.set(last, last.next));
          k.set(last.next, task);
        },
      );
    });
  },
);

export const dequeueTask = routine(
  "dequeue_task",
  [{ rq: ptr(RunQueue) }, { task: ptr(Task) }],
  nothing,
  (k, { rq, task }) => {
    k.set(task.on_rq, 0);
    k.if(
      task.class.eq(TaskClass.Migrant),
      () => {
        k.if(
          same(rq.migrants, task),
          () => k.set(rq.migrants, task.next),
          () => {
            const before = k.let("before", rq.migrants);
            k.while(same(before.next, task).not(), () => k.set(before, before.next));
            k.set(before.next, task.next);
          },
        );
        k.if(isNull(rq.migrants), () => k.set(rq.queued, rq.queued.and(~TaskClass.Migrant >>> 0)));
      },
      () => k.set(rq.queued, rq.queued.and(task.class.not())),
    );
  },
);
