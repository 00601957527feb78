// The per-CPU block: what every CPU keeps for itself, and where. Offsets decide which fields share a cache line.
//
//   0x000  identity, current task, preempt count: written by the owner only
//   0x040  thread flags: need_resched is set by others
//   0x080  cpu_stopper, laid out as the kernel's, so that lock, list and embedded work straddle lines as they do there
//   0x400  the three tasks of the CPU, then its run queue on a line of its own
//   0x480  what the CPU does when it isn't stopped, and its counters
//   0x540  the request that its task makes, on a line of its own; the work of requests that don't wait
//   0x5c0  its state in CPU hotplug
//   0x600  x86: GDT and TSS; 0x6c0: the work that takes its load off a CPU
//   0x700  functions that others want called here (smp/call-function.ts)
//   0x780  x86: what a CPU that is offline watches, on a line of its own; 0x7c0: its sending of interrupts (irqchip/x2apic.ts)
//   0x800  x86: NMIs (nmi/data.ts), and how a stop uses them (stop/nmi-data.ts)
//   0x1800, 0x2800, 0x3000: tops of the idle, work and stopper stacks; above: stacks for NMI, double fault, machine check

import { code, perCpu, ptr, self, struct, u16, u32, u64 } from "../asm/index.ts";
import { CpuMask } from "./lib/mask.ts";
import { Completion, CpuStopWork, CpuStopper } from "./stop/data.ts";

/** A task: one of three per CPU at first, in rising order of scheduling class. */
export const Task = struct("task", {
  /** Stack pointer while another task runs. */
  sp: u64,
  state: u32,
  /** TaskClass: its bit in the run queue. */
  class: u32,
  preempt_count: u32,
  cpu: u32,
  /** 1 until the switch away from it is over: only then may another CPU run it. */
  on_cpu: u32,
  /** 1 while it is queued. */
  on_rq: u32,
  /** Migrants: the next in its run queue. */
  next: ptr(self),
});

/**
 * Scheduling classes as bits of `rq.queued`; the highest queued one runs. The stop class is above all others. Migrants are tasks whose
 * own CPU went offline: any number of them, first come first served.
 */
export const TaskClass = { Idle: 1, Work: 2, Migrant: 4, Stop: 8 } as const;

/** Bits, as in the kernel; a wake-up is for the first two. A parked kernel thread sleeps until it is unparked. */
export const TaskState = { Running: 0, Interruptible: 1, Uninterruptible: 2, Normal: 3, Parked: 0x40 } as const;

export const RunQueue = struct("rq", { lock: u32, queued: u32, curr: ptr(Task), migrants: ptr(Task) });

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

export const Counters = struct("cpu_counters", {
  interrupts: u64,
  nmis: u64,
  /** Times that the function under test ran here. */
  calls: u64,
  /** Turns of busy work. */
  work: u64,
  /** touch_nmi_watchdog(), rcu_momentary_eqs() */
  watchdog_touched: u32,
  rcu_watching: u32,
  /** How the function under test was called here last: bit 0 IRQs off, above it the preempt count. */
  called_with: u32,
  /** WARN_ON()s that this CPU ran into. */
  warnings: u32,
});

/** What the CPU does besides being stopped; set by whoever builds the machine. */
const Load = struct("cpu_load", {
  /** Main routine of the work task, or 0: then the CPU idles. */
  work: code,
  /** IdleKind */
  idle: u32,
  /** What the function under test returns here, and what __cpu_disable() does: an i32. */
  function_result: u32,
  /** Turns that IRQs stay off and on, for loads that mask them. */
  irqs_off_turns: u64,
  irqs_on_turns: u64,
  /** Bit n: in call n of its request, the function returns `function_result`, else 0; bit 63 is for that call and all behind it. */
  result_rounds: u64,
});

/** What a CPU's task asks for (load/requester.ts). A block without a call is filled from the image's options. */
export const Request = struct("request", {
  /** Which call of the family: a routine of load/calls.ts. */
  call: code,
  /** CPUs that the call is about, where it takes numbers. */
  first: u32,
  second: u32,
  /** The `cpus` argument, where it takes one. */
  mask: ptr(CpuMask),
  /** Turns of cpu_relax() by which the first call comes later than the image's settling time. */
  start_turns: u64,
  rounds: u32,
  rounds_done: u32,
  /** What the last call returned: an i32. */
  returned: u32,
  /** 1: the run is over with it, since whoever else requests something may be stopped. */
  ends_run: u32,
  /** Times that the function ran on behalf of this request. */
  calls: u64,
});

/** struct cpuhp_cpu_state (kernel/cpu.c), as far as it goes here. */
const HotplugState = struct("cpuhp_cpu_state", {
  /** HotplugStep */
  state: u32,
  /** StartKind: what start-up leads to. Set by whoever builds the machine. */
  start: u32,
  /** KTHREAD_SHOULD_PARK of the stopper thread. */
  should_park: u32,
  reserved: u32,
  done: Completion,
});

/** struct __call_single_data (include/linux/smp_types.h): a function that another CPU is to call, and its place in that one's queue. */
export const CallSingleData = struct(
  "call_single_data",
  { next: ptr(self), flags: u32, src: u16, dst: u16, func: code, info: u64 },
  { size: 32 },
);

/** Steps of enum cpuhp_state that somebody waits for, in their order. */
export const HotplugStep = { Offline: 0, IdleDead: 1, BringupCpu: 2, ApOffline: 3, TeardownCpu: 4, Online: 5 } as const;

/** A CPU comes online at once; waits in its start-up code until another one brings it up; or is offline, as one that went so before. */
export const StartKind = { Online: 0, Held: 1, Dead: 2 } as const;

/** struct mwait_cpu_dead (arch/x86/kernel/smpboot.c): what a CPU that is offline in MWAIT watches. */
const MwaitCpuDead = struct("mwait_cpu_dead", { control: u32, status: u32 });

/** What each CPU knows of itself: its number, its current task, its preempt count. */
export const local = perCpu("cpu_local", CpuLocal, { offset: 0x000 });
export const threadFlags = perCpu("thread_flags", u32, { offset: 0x040 });
export const stopper = perCpu("cpu_stopper", CpuStopper, { offset: 0x080 });
export const idleTask = perCpu("idle_task", Task, { offset: 0x400 });
export const workTask = perCpu("work_task", Task, { offset: 0x428 });
export const stopTask = perCpu("migration_task", Task, { offset: 0x450 });
export const runQueue = perCpu("runqueue", RunQueue, { offset: 0x480 });
export const load = perCpu("cpu_load", Load, { offset: 0x4c0 });
/** What each CPU counts: interrupts, NMIs, calls of the function under test. */
export const counters = perCpu("cpu_counters", Counters, { offset: 0x500 });
/** The request that each CPU's task makes. */
export const request = perCpu("request", Request, { offset: 0x540 });
export const requestWork = perCpu("request_work", CpuStopWork, { offset: 0x580 });
/** What takes the load off a CPU that goes offline. */
export const pushWork = perCpu("push_work", CpuStopWork, { offset: 0x6c0 });
export const hotplug = perCpu("cpuhp_state", HotplugState, { offset: 0x5c0 });

/** llist_head: what others have queued. */
export const callSingleQueue = perCpu("call_single_queue", ptr(CallSingleData), { offset: 0x700 });
/** cfd_data.csd of the one CPU that calls many at a time. */
export const callManyData = perCpu("cfd_csd", CallSingleData, { offset: 0x740 });

export const mwaitCpuDead = perCpu("mwait_cpu_dead", MwaitCpuDead, { offset: 0x780 });

export const STACK_TOP = {
  idle: 0x1800,
  work: 0x2800,
  stop: 0x3000,
  nmi: 0x3800,
  doubleFault: 0x3c00,
  machineCheck: 0x4000,
} as const;
/** Room for handlers that call handlers, with an exception and another NMI inside. */
export const NMI_STACK_BYTES = STACK_TOP.nmi - STACK_TOP.stop;
export const GDT_OFFSET = 0x600;
export const TSS_OFFSET = 0x640;
