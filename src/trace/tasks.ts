// Which task an address of the guest is: each CPU has an idle task, one for its work, and its stopper thread (guest/percpu.ts).

import type { MachineImage } from "../machine/guest-image.ts";
import type { Task } from "./event.ts";

/** As on a real machine, in which the stopper thread of CPU 0 has a low number. */
const FIRST_PID = 16;
const PIDS_PER_CPU = 2;
/** Of a task of the fair class; of a stopper thread, whose class is above all others. */
const PRIO_NORMAL = 120;
const PRIO_STOP = 0;

/** The idle task has pid 0 on every CPU, as in the kernel. */
export function idleTaskOf(cpu: number): Task {
  return { comm: `swapper/${cpu}`, pid: 0, prio: PRIO_NORMAL };
}

/** Tells tasks by their addresses; undefined for what is none. */
export function taskReader(image: MachineImage): (address: bigint) => Task | undefined {
  const { perCpuStart, perCpuStride } = image;
  const kinds = new Map<number, (cpu: number) => Task>();
  const add = (symbol: string, task: (cpu: number) => Task): void => {
    if (image.hasSymbol(symbol)) kinds.set((image.symbol(symbol).address - perCpuStart) % perCpuStride, task);
  };
  add("idle_task", idleTaskOf);
  add("migration_task", (cpu) => ({
    comm: `migration/${cpu}`,
    pid: FIRST_PID + PIDS_PER_CPU * cpu,
    prio: PRIO_STOP,
  }));
  add("work_task", (cpu) => ({ comm: `task/${cpu}`, pid: FIRST_PID + PIDS_PER_CPU * cpu + 1, prio: PRIO_NORMAL }));
  return (address) => {
    const offset = Number(address) - perCpuStart;
    return kinds.get(offset % perCpuStride)?.(Math.floor(offset / perCpuStride));
  };
}
