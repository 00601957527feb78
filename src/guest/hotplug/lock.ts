// cpu_hotplug_lock, a percpu_rw_semaphore (kernel/cpu.c, kernel/locking/percpu-rwsem.c): readers count on their own CPU and look for a
// writer; a writer shuts the door and waits until the counts add up to zero.
//
// The kernel's readers need no barrier while no writer is about, because a writer lets an RCU grace period pass first. There is no RCU
// here, so they have the barrier of the kernel's slow path.

import {
  addressOf,
  cast,
  cpuCount,
  global,
  isNull,
  nothing,
  opaque,
  ptr,
  routine,
  struct,
  u32,
} from "../../asm/index.ts";
import type { Builder } from "../../asm/index.ts";
import { Task, TaskState, local } from "../percpu.ts";
import { preemptDisable, preemptEnable, schedule, setCurrentState, wakeUpProcess } from "../sched/schedule.ts";
import { Mutex } from "../sched/mutex.ts";
import { WaitQueue, hasWaiters, waitEvent, wakeUp } from "../sched/wait.ts";

/** One change of CPUs at a time (cpu_maps_update_begin): taken before the lock below. */
export const cpuAddRemoveLock = global("cpu_add_remove_lock", Mutex, { align: 64 });

const PercpuRwSemaphore = struct("percpu_rw_semaphore", {
  /** 1 while a writer holds it or waits for the readers. */
  block: u32,
  reserved: u32,
  /** The writer that waits for the readers. */
  writer: ptr(opaque),
  waiters: WaitQueue,
});

const cpuHotplugLock = global("cpu_hotplug_lock", PercpuRwSemaphore, { align: 64 });
const waiters = addressOf(cpuHotplugLock.waiters);

function countReaders(k: Builder, change: 1 | -1): void {
  const readers = local.here.hotplug_readers;
  k.set(readers, change === 1 ? readers.add(1) : readers.sub(1));
  k.smpMb();
}

/** rcuwait_wake_up: a reader less may be what the writer waits for. */
const wakeWriter = routine("rcuwait_wake_up", [], nothing, (k) => {
  const writer = k.let("writer", cpuHotplugLock.writer);
  k.if(isNull(writer).not(), () => k.call(wakeUpProcess, cast(writer, Task)));
});

/** __percpu_down_read_trylock: 1 if this CPU counts one reader more. */
const tryRead = routine("__percpu_down_read_trylock", [], u32, (k) => {
  preemptDisable(k);
  countReaders(k, 1);
  const got = k.let("got", k.bool(k.readOnce(cpuHotplugLock.block).eq(0)));
  k.if(got.eq(0), () => {
    countReaders(k, -1);
    k.call(wakeWriter);
  });
  k.call(preemptEnable);
  k.return(got);
});

/** cpus_read_lock(): no CPU comes or goes until cpus_read_unlock(). */
export const cpusReadLock = routine("cpus_read_lock", [], nothing, (k) => {
  k.if(k.call(tryRead).ne(0), () => k.return());
  k.mark("contended");
  waitEvent(k, waiters, () => k.call(tryRead).ne(0));
});

/** cpus_read_unlock() */
export const cpusReadUnlock = routine("cpus_read_unlock", [], nothing, (k) => {
  preemptDisable(k);
  countReaders(k, -1);
  k.if(k.readOnce(cpuHotplugLock.block).ne(0), () => k.call(wakeWriter));
  k.call(preemptEnable);
});

/** readers_active_check: a reader may have come on one CPU and gone on another, so only the sum tells. */
const readers = routine("per_cpu_sum", [], u32, (k) => {
  const sum = k.let("sum", 0, u32);
  k.for("cpu", 0, cpuCount, (cpu) => k.set(sum, sum.add(k.readOnce(local.of(cpu).hotplug_readers))));
  k.smpMb();
  k.return(sum);
});

export const cpusWriteLock = routine("cpus_write_lock", [], nothing, (k) => {
  k.if(k.xchg(cpuHotplugLock.block, 1).ne(0), () => {
    k.mark("contended");
    waitEvent(k, waiters, () => k.xchg(cpuHotplugLock.block, 1).eq(0));
  });
  const current = k.let("current", local.here.current);
  k.set(cpuHotplugLock.writer, cast(current, opaque));
  k.loop(() => {
    setCurrentState(k, TaskState.Uninterruptible);
    k.if(k.call(readers).eq(0), () => k.break());
    schedule(k);
  });
  k.writeOnce(current.state, TaskState.Running);
  k.set(cpuHotplugLock.writer, null);
});

export const cpusWriteUnlock = routine("cpus_write_unlock", [], nothing, (k) => {
  k.xchg(cpuHotplugLock.block, 0);
  k.if(hasWaiters(k, waiters), () => k.call(wakeUp, waiters, 0xffff_ffff));
});
