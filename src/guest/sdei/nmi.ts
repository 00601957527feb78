// SDEI's event 0 as an NMI between CPUs (drivers/firmware/arm_sdei_nmi.c): backtraces, and the last rung
// of stopping. One event serves both: a flag tells the handler which.

import {
  cast,
  global,
  i32,
  nothing,
  ptr,
  routine,
  u32,
  u64,
  type Builder,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { nmiCpuBacktrace } from "../nmi/backtrace.ts";
import { Arm64Regs } from "../entry/regs.ts";
import { cpuLogicalMap } from "../irqchip/gicv3.ts";
import { forEachCpu } from "../lib/cpumask.ts";
import { CpuMask } from "../lib/mask.ts";
import { markEvent, observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { stopOnEvent } from "../stop-ladder/slots.ts";
import { SOFTWARE_EVENT, eventSignal } from "./calls.ts";
import { sdeiCpuUp } from "./client.ts";
import { SdeiRegisteredEvent } from "./event.ts";

/** Set at initialization, if the firmware has the event: without it the service is inert. */
export const sdeiNmiAvailable = global("sdei_nmi_available", u32, { align: 64 });

/** Written once: from now on the event stops whom it reaches. */
export const sdeiNmiStopping = global("sdei_nmi_stopping", u32, { align: 64 });

/** What the unmerged form has in place of the flag: whom to stop. Each CPU takes its own bit. */
export const sdeiStopRequests = global("sdei_stop_requests", CpuMask, { section: "arena", align: 64 });

/** How flag and signal are ordered: an SMC is no store, so that a barrier between stores doesn't do it (case S25). */
export type SignalBarrier = "none" | "dmb ishst" | "dsb ishst";

function barrier(k: Builder, kind: SignalBarrier): void {
  if (kind === "dmb ishst") k.smpWmb("sdei_signal");
  if (kind === "dsb ishst") k.interprocessorFence("sdei_signal");
}

/** EVENT_SIGNAL for each member, in ascending order; who can't be signalled is only told of. */
function signalMask(k: Builder, mask: Pointer<typeof CpuMask>): void {
  forEachCpu(k, mask, (cpu) => {
    k.mark(observed("raise", { which: "sdei", locals: ["cpu"] }));
    const failed = k.let("failed", eventSignal(k, SOFTWARE_EVENT, cpuLogicalMap.at(cpu)));
    k.if(failed.ne(0), () => markEvent(k, "say", { which: "sdei_signal_failed", locals: ["cpu"] }));
  });
}

/** sdei_nmi_stop_cpus() of one version. */
export function sdeiStopCpusRoutine(name: string, kind: SignalBarrier) {
  return routine(name, { mask: ptr(CpuMask) }, nothing, (k, { mask }) => {
    k.writeOnce(sdeiNmiStopping, 1);
    barrier(k, kind);
    signalMask(k, mask);
  });
}

/** The same where requests are bits of a mask. */
export const sdeiStopRequested = routine("sdei_nmi_stop_requested", { mask: ptr(CpuMask) }, nothing, (k, { mask }) => {
  forEachCpu(k, mask, (cpu) => k.setBit(sdeiStopRequests, cpu));
  barrier(k, "dsb ishst");
  signalMask(k, mask);
});

/** The backtrace's way of raising: what it has written into backtrace_mask must be there first. */
export function sdeiRaiseBacktraceRoutine(name: string, kind: SignalBarrier) {
  return routine(name, { mask: ptr(CpuMask) }, nothing, (k, { mask }) => {
    barrier(k, kind);
    signalMask(k, mask);
  });
}

/** sdei_nmi_handler() */
function handler(name: string, isToStop: (k: Builder) => Value<"u32">) {
  return routine(name, [{ event: ptr(SdeiRegisteredEvent) }, { arg: u64 }], i32, (k, { event }) => {
    k.mark(observed("handle", { which: "sdei" }));
    const regs = k.let("regs", cast(event, Arm64Regs));
    k.if(
      isToStop(k).ne(0),
      () => k.call(stopOnEvent, regs),
      () => void k.call(nmiCpuBacktrace),
    );
    k.return(0);
  });
}

/** With the flag: a stop is for everybody whom the event reaches from then on, backtraces that were under way included (S26). */
export const sdeiNmiHandler = handler("sdei_nmi_handler", (k) => k.readOnce(sdeiNmiStopping));

/** With requests: a stop is for those that were asked. */
export const sdeiRequestHandler = handler("sdei_nmi_request_handler", (k) => {
  const mine = k.let("mine", 0, u32);
  k.if(k.testAndClearBit(sdeiStopRequests, local.here.cpu), () => k.set(mine, 1));
  return mine;
});

/** sdei_nmi_init(), as each CPU comes up. */
export function initSdeiNmi(k: Builder, callback: typeof sdeiNmiHandler): void {
  const failed = sdeiCpuUp(k, callback);
  k.if(failed.eq(0), () => k.writeOnce(sdeiNmiAvailable, 1));
}
