// The idle task, by how a CPU waits (kernel/sched/idle.c; arch/x86/kernel/process.c; arch/arm64/kernel/idle.c).

import { addressOf, nothing, routine, slot, testBit, x64, type Builder } from "../../asm/index.ts";
import { idleDead } from "../hotplug/idle-dead.ts";
import { onlineMaskPointer } from "../lib/cpumask.ts";
import { LAST_NMI_RIP } from "../nmi/data.ts";
import { ThreadFlag, load, local, threadFlags } from "../percpu.ts";
import { needResched, schedule } from "./schedule.ts";

/**
 * How an idle CPU waits: `cpu_load.idle`. Deep: in a state that takes long to leave: on x86-64 MWAIT with the hint of C6, on arm64 by
 * the image's own way, with power management around it.
 */
export const IdleKind = { Wait: 0, Poll: 1, Mwait: 2, Deep: 3, MwaitDeep: 4 } as const;

/** EAX of MWAIT: C1; and C6 of Intel's servers (drivers/idle/intel_idle.c). */
const MWAIT_C1 = 0;
const MWAIT_C6 = 0x20;

/** Idle by CPU power management: entered and left with IRQs off. */
export const deepIdle = slot("cpuidle_enter", {}, nothing);

/** No power management: as shallow as can be. */
export const shallowIdle = routine("cpuidle_enter_wait", [], nothing, (k) => wait(k));

/** Runs with preemption off; interrupts only come while it waits or polls. */
export const doIdle = routine(
  "do_idle",
  [],
  nothing,
  (k) => {
    k.loop(() => {
      k.while(
        () => needResched(k).eq(0),
        () => {
          k.irqDisable();
          k.if(testBit(onlineMaskPointer, local.here.cpu).not(), () => k.call(idleDead));
          touchNmi(k);
          k.switch(
            load.here.idle,
            [
              [IdleKind.Poll, () => poll(k)],
              [IdleKind.Mwait, () => mwait(k, MWAIT_C1)],
              [IdleKind.MwaitDeep, () => mwait(k, MWAIT_C6)],
              [IdleKind.Deep, () => k.call(deepIdle)],
            ],
            () => wait(k),
          );
          k.irqEnable();
        },
      );
      schedule(k);
    });
  },
  { noReturn: true },
);

/** arch_cpu_idle_enter() of x86: an NMI of this wait and one of the last interrupt the same place, and are no pair for that. */
function touchNmi(k: Builder): void {
  k.arch({ x64: (a) => void a.mov(LAST_NMI_RIP, 0), arm64: () => undefined });
}

/** cpu_idle_poll: need_resched is polled, so wakers needn't interrupt (where the architecture has the flag). */
function poll(k: Builder): void {
  setPolling(k);
  k.irqEnable();
  k.while(
    () => needResched(k).eq(0),
    () => k.cpuRelax(),
  );
  clearPolling(k);
}

/** STI; HLT, or WFI with IRQs masked: a request that came before is not slept through. */
function wait(k: Builder): void {
  k.if(needResched(k).eq(0), () => k.idleWait());
}

/** mwait_idle: waits on the line of the thread flags, which a waker writes. Polls on arm64. */
function mwait(k: Builder, hint: number): void {
  setPolling(k);
  const flags = k.let("flags", addressOf(threadFlags.here));
  k.arch(
    {
      x64: (a, { flags: line }) => void a.mov(x64.rax, line).mov(x64.ecx, 0).mov(x64.edx, 0).monitor(),
      arm64: () => undefined,
    },
    { uses: { flags }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
  k.if(needResched(k).eq(0), () => {
    k.mark(hint === MWAIT_C1 ? "mwait" : "mwait_deep");
    k.arch(
      {
        x64: (a) => void a.mov(x64.eax, hint).mov(x64.ecx, 0).sti().mwait(),
        arm64: (a) => void a.daifClr(3).yield(),
      },
      { clobbers: { x64: ["rax", "rcx"] } },
    );
  });
  clearPolling(k);
}

/** The polling bit exists on x86 only; elsewhere every wake-up interrupts. */
function setPolling(k: Builder): void {
  const flags = k.let("flags", addressOf(threadFlags.here));
  k.arch(
    {
      x64: (a, { flags: word }) => void a.lock().or(x64.at(word, 0, 32), ThreadFlag.Polling),
      arm64: () => undefined,
    },
    { uses: { flags } },
  );
}

function clearPolling(k: Builder): void {
  const flags = k.let("flags", addressOf(threadFlags.here));
  k.arch(
    {
      x64: (a, { flags: word }) => void a.lock().and(x64.at(word, 0, 32), ~ThreadFlag.Polling),
      arm64: () => undefined,
    },
    { uses: { flags } },
  );
}
