// How an x86 CPU is offline (arch/x86/kernel/smpboot.c: native_play_dead): in MWAIT or HLT, IRQs off, its local APIC disabled by
// software. It keeps its descriptor tables, so that NMIs are taken; each ends the wait, which begins anew.

import { addressOf, nothing, routine, x64 } from "../../asm/index.ts";
import { halt } from "../entry/fatal.ts";
import { load, mwaitCpuDead } from "../percpu.ts";
import { IdleKind } from "../sched/idle.ts";
import { disableInterrupts } from "./cpu-down.ts";

/** CPUDEAD_MWAIT_WAIT, CPUDEAD_MWAIT_KEXEC_HLT */
export const CpuDeadMwait = { Wait: 0xdead_beef, KexecHlt: 0x4a17_dead } as const;

/** mwait_play_dead: returns when it is told to use HLT, since a new kernel is about to overwrite this memory. */
const mwaitPlayDead = routine("mwait_play_dead", [], nothing, (k) => {
  const dead = k.let("md", addressOf(mwaitCpuDead.here));
  k.set(dead.status, CpuDeadMwait.Wait);
  k.set(dead.control, CpuDeadMwait.Wait);
  k.loop(() => {
    k.arch(
      {
        x64: (a, { dead: line }) => {
          a.mfence().clflush(x64.at(line)).mfence();
          a.mov(x64.rax, line).mov(x64.ecx, 0).mov(x64.edx, 0).monitor();
          a.mfence().mov(x64.eax, 0).mwait();
        },
        arm64: () => undefined,
      },
      { uses: { dead }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
    );
    k.if(k.readOnce(dead.control).eq(CpuDeadMwait.KexecHlt), () => {
      k.set(dead.status, CpuDeadMwait.KexecHlt);
      k.return();
    });
  });
});

/** Of a CPU that has been set up and is not in the online mask, IRQs off. How it waits is what its load says of idling. */
export const playDead = routine(
  "native_play_dead",
  [],
  nothing,
  (k) => {
    k.call(disableInterrupts);
    k.mark("dead");
    k.if(load.here.idle.eq(IdleKind.Mwait), () => k.call(mwaitPlayDead));
    k.call(halt);
  },
  { noReturn: true },
);
