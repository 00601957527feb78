// native_stop_other_cpus() before 2023 (arch/x86/kernel/smp.c of Linux 3.2, 3.3, 3.5 and 5.4). All take a CPU for
// stopped that has left the online mask.

import { nothing, routine, u32, type Builder, type Condition, type Value } from "../../asm/index.ts";
import { LinuxVector, X86Vector } from "../../abi.ts";
import { sendIpiAllButSelf } from "../irqchip/controller.ts";
import { observed } from "../observe.ts";
import { noNmiIpi, rebootForce } from "./data.ts";
import { registerStopHandler } from "./handlers.ts";
import {
  NMI_WAIT_US,
  USEC_PER_SEC,
  othersOnline,
  isFirstCaller,
  silenceThisCpu,
  waitAtMost,
  waitForOthers,
} from "./requester.ts";

const allOffline = (k: Builder) => (): Condition => othersOnline(k).not();

function sendRebootInterrupt(k: Builder): void {
  k.mark(observed("phase", { which: "reboot_irq" }));
  k.call(sendIpiAllButSelf, LinuxVector.REBOOT);
}

/** To all others, also those that have stopped. */
function broadcastNmi(k: Builder): void {
  // What comes before the send must be seen by who takes the NMI: wmb() in the kernel.
  k.wmb("stop_nmi");
  k.mark(observed("broadcast", { which: "reboot" }));
  k.call(sendIpiAllButSelf, X86Vector.NMI);
}

/** Before 3.3: the interrupt only; and whoever calls, proceeds. */
export const stopOtherCpusByIrq = routine("native_irq_stop_other_cpus", { wait: u32 }, nothing, (k, { wait }) => {
  k.if(rebootForce.ne(0), () => k.return());
  k.if(othersOnline(k), () => {
    sendRebootInterrupt(k);
    waitForOthers(k, "reboot_irq", USEC_PER_SEC, wait, allOffline(k));
  });
  silenceThisCpu(k);
});

/** 3.3: the NMI only. Where its handler can't be registered, nobody is stopped, not even this CPU's local APIC. */
export const stopOtherCpusByNmi = routine("native_nmi_stop_other_cpus", { wait: u32 }, nothing, (k, { wait }) => {
  k.if(rebootForce.ne(0), () => k.return());
  k.if(othersOnline(k), () => {
    k.if(isFirstCaller(k).not(), () => k.return());
    k.if(registerStopHandler(k).not(), () => k.return());
    k.mark(observed("phase", { which: "reboot_nmi" }));
    broadcastNmi(k);
    waitForOthers(k, "reboot_nmi", USEC_PER_SEC, wait, allOffline(k));
  });
  silenceThisCpu(k);
});

function sendNmi(k: Builder): void {
  k.mark(observed("say", { which: "shutdown_nmi" }));
  broadcastNmi(k);
}

/** The rung that follows the interrupt in 2012: without an NMI no wait either. */
function nmiRung2012(k: Builder, wait: Value<"u32">): void {
  k.if(noNmiIpi.eq(0), () =>
    k.if(registerStopHandler(k), () => {
      k.mark(observed("phase", { which: "reboot_nmi" }));
      sendNmi(k);
      waitForOthers(k, "reboot_nmi", NMI_WAIT_US, wait, allOffline(k));
    }),
  );
}

/**
 * May 2012: the interrupt for up to a second, then the NMI for up to 10 ms. With `wait` the first wait has no end, so that a CPU which does
 * not answer keeps the NMI from being sent.
 */
export const stopOtherCpus2012 = routine("native_stop_other_cpus_2012", { wait: u32 }, nothing, (k, { wait }) => {
  k.if(rebootForce.ne(0), () => k.return());
  k.if(othersOnline(k), () => {
    k.if(isFirstCaller(k).not(), () => k.return());
    k.wmb("reboot_irq");
    sendRebootInterrupt(k);
    waitForOthers(k, "reboot_irq", USEC_PER_SEC, wait, allOffline(k));
  });
  k.if(othersOnline(k), () => nmiRung2012(k, wait));
  silenceThisCpu(k);
});

/** June 2019: the first wait is bounded whatever `wait` says, and the second is made even where no NMI was sent. */
export const stopOtherCpus2019 = routine("native_stop_other_cpus_2019", { wait: u32 }, nothing, (k, { wait }) => {
  k.if(rebootForce.ne(0), () => k.return());
  k.if(othersOnline(k), () => {
    k.if(isFirstCaller(k).not(), () => k.return());
    k.wmb("reboot_irq");
    sendRebootInterrupt(k);
    waitAtMost(k, "reboot_irq", USEC_PER_SEC, allOffline(k));
  });
  k.if(othersOnline(k), () => {
    k.mark(observed("phase", { which: "reboot_nmi" }));
    k.if(noNmiIpi.eq(0), () => k.if(registerStopHandler(k), () => sendNmi(k)));
    waitForOthers(k, "reboot_nmi", NMI_WAIT_US, wait, allOffline(k));
  });
  silenceThisCpu(k);
});
