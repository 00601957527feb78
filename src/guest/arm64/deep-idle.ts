// Idle that the kernel enters through CPU power management (kernel/cpu_pm.c; drivers/cpuidle): SDEI is masked meanwhile, and an event that
// is signalled is at the firmware's mercy (case S30). The state is one of PSCI's.

import { nothing, routine, u64 } from "../../asm/index.ts";
import { psciCpuSuspend } from "../psci/calls.ts";
import { needResched } from "../sched/schedule.ts";
import { sdeiMaskLocalCpu, sdeiUnmaskLocalCpu } from "../sdei/client.ts";

/** GIC_PRIO_IRQON | GIC_PRIO_PSR_I_SET */
const PMR_BEHIND_DAIF = 0xf0;
const INTERRUPTS = 3;

/**
 * cpu_pm_enter(), CPU_SUSPEND with IRQs masked by DAIF, whichever way they were (arm_cpuidle_save_irq_context), cpu_pm_exit(). IRQs are
 * off.
 */
export const arm64DeepIdle = routine("arm64_deep_idle", [], nothing, (k) => {
  k.if(needResched(k).ne(0), () => k.return());
  k.call(sdeiMaskLocalCpu);
  const daif = k.let(
    "daif",
    k.arch({ arm64: (a, { result }) => void a.mrs(result, "daif") }, { uses: {}, result: u64 }),
  );
  const pmr = k.let(
    "pmr",
    k.arch({ arm64: (a, { result }) => void a.mrs(result, "icc_pmr_el1") }, { uses: {}, result: u64 }),
  );
  const open = k.let("open", PMR_BEHIND_DAIF, u64);
  k.arch({ arm64: (a, { open: mask }) => void a.daifSet(INTERRUPTS).msr("icc_pmr_el1", mask) }, { uses: { open } });
  k.mark("asleep");
  psciCpuSuspend(k);
  k.mark("awake");
  k.arch(
    { arm64: (a, { daif: flags, pmr: mask }) => void a.msr("icc_pmr_el1", mask).msr("daif", flags) },
    { uses: { daif, pmr } },
  );
  k.call(sdeiUnmaskLocalCpu);
});
