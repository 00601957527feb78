// smp_kick_mwait_play_dead() (arch/x86/kernel/smpboot.c): a CPU that is offline in MWAIT would wake and run on when
// the next kernel writes to what it watches; one after another is sent to HLT.

import { addressOf, cpuCount, global, nothing, routine, testBit, u32 } from "../../asm/index.ts";
import { CpuDeadMwait } from "../hotplug/play-dead.ts";
import { waitUpTo } from "../lib/delay.ts";
import { onlineMaskPointer } from "../lib/cpumask.ts";
import { observed } from "../observe.ts";
import { mwaitCpuDead } from "../percpu.ts";

const STEPS = 1000;
const STEP_US = 5;

/** pr_err_once() */
const stuckTold = global("stuck_in_mwait_told", u32);

export const kickMwaitPlayDead = routine("smp_kick_mwait_play_dead", [], nothing, (k) => {
  k.for("cpu", 0, cpuCount, (cpu) => {
    const dead = k.let("md", addressOf(mwaitCpuDead.of(cpu)));
    const isParked = k.let(
      "is_parked",
      k.bool(testBit(onlineMaskPointer, cpu).not().and(k.readOnce(dead.status).eq(CpuDeadMwait.Wait))),
    );
    k.if(isParked.ne(0), () => {
      waitUpTo(
        k,
        "mwait_kick",
        {
          iterations: STEPS,
          stepUs: STEP_US,
          inStep: () => k.writeOnce(dead.control, CpuDeadMwait.KexecHlt),
        },
        () => k.readOnce(dead.status).eq(CpuDeadMwait.KexecHlt),
      );
      k.if(k.readOnce(dead.status).ne(CpuDeadMwait.KexecHlt).and(stuckTold.eq(0)), () => {
        k.mark(observed("say", { which: "stuck_in_mwait", locals: ["cpu"] }));
        k.set(stuckTold, 1);
      });
    });
  });
});
