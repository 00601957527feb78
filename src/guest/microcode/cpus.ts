// Which CPUs a load is about, and what it asks of them (setup_cpus of arch/x86/kernel/cpu/microcode/core.c).

import { addressOf, cpuCount, nothing, routine, testBit, u32, type Builder, type Local } from "../../asm/index.ts";
import { nmiToOfflineCpu } from "../irqchip/controller.ts";
import { bootedOnceMask } from "../irqchip/shorthand.ts";
import { forEachCpu, onlineMaskPointer } from "../lib/cpumask.ts";
import { NO_RESULT, SiblingCtrl, cpuOfflineMask, isPrimaryThread, microcodeOps, ucodeCtrl } from "./data.ts";
import { say } from "./say.ts";
import { firstSibling } from "./siblings.ts";

/** for_each_cpu_and(cpu, cpu_present_mask, &cpus_booted_once_mask): no CPU leaves the former here. */
export function forEachBootedCpu(k: Builder, body: (cpu: Local<"u32">) => void): void {
  forEachCpu(k, addressOf(bootedOnceMask), body);
}

const resetControl = routine(
  "microcode_reset_ctrl",
  [{ cpu: u32 }, { primary: u32 }],
  nothing,
  (k, { cpu, primary }) => {
    const ctrl = k.let("ctrl", addressOf(ucodeCtrl.of(cpu)));
    k.set(ctrl.ctrl, SiblingCtrl.Wait);
    k.set(ctrl.result, NO_RESULT);
    k.set(ctrl.ctrl_cpu, primary);
    k.set(ctrl.nmi_enabled, 0);
  },
);

/** Whether threads may be offline: 0 or 1. */
function allowsOfflineThreads(k: Builder): Local<"u32"> {
  const allowed = k.let("allow_smt_offline", 0, u32);
  k.if(microcodeOps.nmi_safe.ne(0), () => k.set(allowed, 1));
  k.if(allowed.eq(0).and(microcodeOps.use_nmi.ne(0)), () => k.set(allowed, k.call(nmiToOfflineCpu)));
  return allowed;
}

/** setup_cpus: 0 if a CPU is offline that must not be. */
export const setupCpus = routine("setup_cpus", [], u32, (k) => {
  const allowed = allowsOfflineThreads(k);
  const mask = addressOf(cpuOfflineMask);
  k.for("word", 0, cpuCount.add(63).shr(6), (word) => k.set(mask.bits.at(word), 0));
  forEachBootedCpu(k, (cpu) =>
    k.if(
      testBit(onlineMaskPointer, cpu),
      () => k.call(resetControl, cpu, firstSibling(k, cpu)),
      () => {
        k.if(isPrimaryThread(cpu).or(allowed.eq(0)), () => {
          say(k, "not_online", { cpu });
          k.return(0);
        });
        k.setBit(mask, cpu);
        k.call(resetControl, cpu, 0);
      },
    ),
  );
  k.return(1);
});
