// Idle that the kernel enters through CPU power management (kernel/cpu_pm.c; drivers/cpuidle): SDEI is masked meanwhile, and an event that
// is signalled is at the firmware's mercy (reference, S30). The PE's standby is a WFI.

import { arm64, nothing, routine } from "../../asm/index.ts";
import { needResched } from "../sched/schedule.ts";
import { sdeiMaskLocalCpu, sdeiUnmaskLocalCpu } from "../sdei/client.ts";

/** GIC_PRIO_IRQON | GIC_PRIO_PSR_I_SET */
const PMR_BEHIND_DAIF = 0xf0;
const INTERRUPTS = 3;

/** cpu_pm_enter(), WFI with IRQs masked by DAIF, whichever way they were (arm_cpuidle_save_irq_context), cpu_pm_exit(). IRQs are off. */
export const arm64DeepIdle = routine("arm64_deep_idle", [], nothing, (k) => {
  k.if(needResched(k).ne(0), () => k.return());
  k.call(sdeiMaskLocalCpu);
  k.mark("asleep");
  k.arch(
    {
      arm64: (a) => {
        const { x0, x1, x2 } = arm64;
        a.mrs(x0, "daif").mrs(x1, "icc_pmr_el1").daifSet(INTERRUPTS);
        a.movConstant(x2, PMR_BEHIND_DAIF).msr("icc_pmr_el1", x2);
        a.dsb("sy").wfi();
        a.msr("icc_pmr_el1", x1).msr("daif", x0);
      },
    },
    { clobbers: { arm64: ["x0", "x1", "x2"] } },
  );
  k.mark("awake");
  k.call(sdeiUnmaskLocalCpu);
});
