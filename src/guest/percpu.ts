// The per-CPU block: what every CPU keeps for itself, and where. Offsets decide which fields share a cache line.
//
//   0x000  identity, current task, preempt count: written by the owner only
//   0x040  thread flags: need_resched is set by others
//   0x080  cpu_stopper, laid out as the kernel's, so that lock, list and embedded work straddle lines as they do there
//   0x400  the three tasks of the CPU, then its run queue on a line of its own
//   0x480  what the CPU does when it isn't stopped, and its counters
//   0x600  x86: GDT and TSS
//   0x1800, 0x2000, 0x3000: tops of the idle, work and stopper stacks; above: stacks for NMI, double fault, machine check

import { code, perCpu, ptr, struct, u32, u64 } from "../asm/index.ts";
import { CpuStopper } from "./stop/data.ts";

/** A task: one of three per CPU, in rising order of scheduling class. */
export const Task = struct("task", {
  /** Stack pointer while another task runs. */
  sp: u64,
  state: u32,
  /** TaskClass: its bit in the run queue. */
  class: u32,
  preempt_count: u32,
  cpu: u32,
});

/** Scheduling classes as bits of `rq.queued`; the highest queued one runs. The stop class is above all others. */
export const TaskClass = { Idle: 1, Work: 2, Stop: 4 } as const;

export const TaskState = { Running: 0, Interruptible: 1, Uninterruptible: 2 } as const;

export const RunQueue = struct("rq", { lock: u32, queued: u32, curr: ptr(Task) });

/** Bits of the thread flags (arch/x86/include/asm/thread_info.h; arm64 has no polling bit). */
export const ThreadFlag = { NeedResched: 1 << 3, Polling: 1 << 21 } as const;

const CpuLocal = struct("cpu_local", {
  /** The block's own address: how x86 code gets at it. */
  self: u64,
  cpu: u32,
  preempt_count: u32,
  current: ptr(Task),
  /** APIC id or MPIDR affinity. */
  hardware_id: u64,
  /** percpu_rw_semaphore cpu_hotplug_lock: readers. */
  hotplug_readers: u32,
  /** arm64: what the IRQ entry read from ICC_IAR1_EL1. */
  interrupt_id: u32,
});

const Counters = struct("cpu_counters", {
  interrupts: u64,
  nmis: u64,
  /** Times that the function under test ran here. */
  calls: u64,
  /** Turns of busy work. */
  work: u64,
  /** touch_nmi_watchdog(), rcu_momentary_eqs() */
  watchdog_touched: u32,
  rcu_watching: u32,
});

/** What the CPU does besides being stopped; set by whoever builds the machine. */
const Load = struct("cpu_load", {
  /** Main routine of the work task, or 0: then the CPU idles. */
  work: code,
  /** IdleKind */
  idle: u32,
  reserved: u32,
  /** Turns that IRQs stay off and on, for loads that mask them. */
  irqs_off_turns: u64,
  irqs_on_turns: u64,
});

export const local = perCpu("cpu_local", CpuLocal, { offset: 0x000 });
export const threadFlags = perCpu("thread_flags", u32, { offset: 0x040 });
export const stopper = perCpu("cpu_stopper", CpuStopper, { offset: 0x080 });
export const idleTask = perCpu("idle_task", Task, { offset: 0x400 });
export const workTask = perCpu("work_task", Task, { offset: 0x418 });
export const stopTask = perCpu("migration_task", Task, { offset: 0x430 });
export const runQueue = perCpu("runqueue", RunQueue, { offset: 0x480 });
export const load = perCpu("cpu_load", Load, { offset: 0x4c0 });
export const counters = perCpu("cpu_counters", Counters, { offset: 0x500 });

export const STACK_TOP = {
  idle: 0x1800,
  work: 0x2000,
  stop: 0x3000,
  nmi: 0x3400,
  doubleFault: 0x3800,
  machineCheck: 0x3c00,
} as const;
export const GDT_OFFSET = 0x600;
export const TSS_OFFSET = 0x640;
