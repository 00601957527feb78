// native_stop_other_cpus() since June 2023 (arch/x86/kernel/smp.c, mainline of mid-2026): a mask of CPUs that have
// not reported, the interrupt REBOOT for up to a second, then an NMI to each that is left.

import { cpuCount, nothing, routine, u32, type Builder, type Condition } from "../../asm/index.ts";
import { LinuxVector, X86Vector } from "../../abi.ts";
import { sendIpi, sendIpiAllButSelf } from "../irqchip/controller.ts";
import { cpumaskFirst, forEachCpu, onlineMask } from "../lib/cpumask.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { cpusStopMask, cpusStopMaskPointer, kexecInProgress, noNmiIpi, rebootForce } from "./data.ts";
import { registerStopHandler } from "./handlers.ts";
import { kickMwaitPlayDead } from "./kick-mwait.ts";
import { NMI_WAIT_US, USEC_PER_SEC, isFirstCaller, silenceThisCpu, waitAtMost, waitForOthers } from "./requester.ts";

const words = cpuCount.add(63).shr(6);

function allStopped(k: Builder): Condition {
  return cpumaskFirst(k, cpusStopMaskPointer).ge(cpuCount);
}

/** The NMI goes to those only that are in the mask: others may be where an NMI does harm. */
const sendToLaggards = routine("stop_laggards_by_nmi", [], nothing, (k) => {
  k.mark(observed("say", { which: "shutdown_nmi" }));
  forEachCpu(k, cpusStopMaskPointer, (cpu) => {
    k.mark(observed("raise", { which: "reboot", locals: ["cpu"] }));
    k.call(sendIpi, cpu, X86Vector.NMI);
  });
});

export const stopOtherCpus2023 = routine("native_stop_other_cpus_2023", { wait: u32 }, nothing, (k, { wait }) => {
  k.if(rebootForce.ne(0), () => k.return());
  k.if(isFirstCaller(k).not(), () => k.return());
  k.if(kexecInProgress.ne(0), () => k.call(kickMwaitPlayDead));
  k.for("i", 0, words, (i) => k.set(cpusStopMask.bits.at(i), onlineMask.bits.at(i)));
  k.clearBit(cpusStopMaskPointer, local.here.cpu);

  k.if(allStopped(k).not(), () => {
    k.mark(observed("phase", { which: "reboot_irq" }));
    k.call(sendIpiAllButSelf, LinuxVector.REBOOT);
    // Not `wait`: a CPU that hangs would keep the NMI from being tried.
    waitAtMost(k, "reboot_irq", USEC_PER_SEC, () => allStopped(k));
  });
  k.if(allStopped(k).not(), () => {
    k.mark(observed("phase", { which: "reboot_nmi" }));
    k.if(noNmiIpi.eq(0), () => k.if(registerStopHandler(k), () => k.call(sendToLaggards)));
    waitForOthers(k, "reboot_nmi", NMI_WAIT_US, wait, () => allStopped(k));
  });
  silenceThisCpu(k);
  // Its lines leave the caches of those that stopped, whose write-back is over.
  k.for("i", 0, words, (i) => k.set(cpusStopMask.bits.at(i), 0));
});
