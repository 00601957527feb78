// Data of the stop facility, in the kernel's sizes and field order (kernel/stop_machine.c, 64-bit):
// which fields share a line is half of the story.

import { code, opaque, ptr, struct, u32, u64, u8 } from "../../asm/index.ts";
import { ListHead } from "../lib/list.ts";
import { CpuMask } from "../lib/mask.ts";

/** A completion: `done` and a wait queue, of which one waiter is kept. */
export const Completion = struct(
  "completion",
  { done: u32, pad: u32, lock: u32, waiter: ptr(opaque), prev: u64 },
  { size: 32, at: { lock: 8, waiter: 16 } },
);

/** struct cpu_stop_done: how many works are left, what they returned, who waits. */
export const CpuStopDone = struct(
  "cpu_stop_done",
  { nr_todo: u32, ret: u32, completion: Completion },
  { size: 40, at: { ret: 4, completion: 8 } },
);

/** struct cpu_stop_work: a function for one CPU's stopper thread. */
export const CpuStopWork = struct(
  "cpu_stop_work",
  { list: ListHead, fn: code, caller: u64, arg: u64, done: ptr(CpuStopDone) },
  { size: 48 },
);

/** struct cpu_stopper, one per CPU: the thread and its queue. */
export const CpuStopper = struct(
  "cpu_stopper",
  { thread: ptr(opaque), lock: u32, enabled: u8, works: ListHead, stop_work: CpuStopWork, caller: u64, fn: code },
  { size: 96, at: { lock: 8, enabled: 12, works: 16, stop_work: 32 } },
);

/** struct multi_stop_data, in the requester's frame: the state that all CPUs spin on, and who has yet to acknowledge it. */
export const MultiStopData = struct(
  "multi_stop_data",
  { fn: code, data: u64, num_threads: u32, active_cpus: ptr(CpuMask), state: u32, thread_ack: u32 },
  { size: 40, at: { num_threads: 16, active_cpus: 24, state: 32, thread_ack: 36 } },
);

/** enum multi_stop_state */
export const MultiStopState = { None: 0, Prepare: 1, DisableIrq: 2, Run: 3, Exit: 4 } as const;
