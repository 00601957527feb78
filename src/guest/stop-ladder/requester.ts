// smp_send_stop() and crash_smp_send_stop() by version (arch/arm64/kernel/smp.c). Nothing locks
// out CPU hotplug: who comes online behind a snapshot is seen by the next.

import {
  addressOf,
  cpuCount,
  imageOption,
  nothing,
  ptr,
  routine,
  u32,
  type Builder,
  type Callable,
  type NothingType,
  type Operand,
  type Pointer,
  type PointerType,
} from "../../asm/index.ts";
import { IPI_CPU_CRASH_STOP, IPI_CPU_STOP, IPI_CPU_STOP_NMI, gicSendIpiMask } from "../irqchip/gicv3.ts";
import { forEachCpu, onlineMaskPointer } from "../lib/cpumask.ts";
import { waitUpTo } from "../lib/delay.ts";
import { CpuMask } from "../lib/mask.ts";
import { markEvent, observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { sdeiMaskLocalCpu } from "../sdei/client.ts";
import { sdeiHandlerAbort } from "../sdei/handler.ts";
import { sdeiNmiAvailable } from "../sdei/nmi.ts";
import { numOtherOnlineCpus } from "./ack.ts";
import {
  SystemState,
  cpusStopped,
  crashStop,
  crashStopMask,
  stopInProgress,
  stopMask,
  systemState,
  waitingForCrashIpi,
} from "./data.ts";

/** Iterations of 1 us. */
const ipiIterations = imageOption("stopIpiIterations", u32, 1_000_000);
const nmiIterations = imageOption("stopNmiIterations", u32, 10_000);
const sdeiIterations = imageOption("stopSdeiIterations", u32, 100_000);

type MaskPointer = Pointer<typeof CpuMask>;
type StopCpus = Callable<{ readonly mask: PointerType<typeof CpuMask> }, NothingType>;

/** cpumask_copy(mask, cpu_online_mask), cpumask_clear_cpu(self, mask) */
function snapshot(k: Builder, mask: MaskPointer): void {
  k.for("word", 0, cpuCount.add(63).shr(6), (word) => k.set(mask.bits.at(word), onlineMaskPointer.bits.at(word)));
  k.clearBit(mask, local.here.cpu);
}

/** A message that names the CPUs of a mask. */
function say(k: Builder, which: string, mask: MaskPointer): void {
  forEachCpu(k, mask, () => k.mark(observed("say", { which, locals: ["cpu"] })));
}

function sayStopping(k: Builder): void {
  k.if(k.readOnce(systemState).le(SystemState.Running), () => markEvent(k, "say", { which: "stopping" }));
}

function awaitOthers(k: Builder, name: string, iterations: Operand<"u32">): void {
  waitUpTo(k, name, { iterations, stepUs: 1 }, () => numOtherOnlineCpus(k).eq(0));
}

// --- 6.12 and later -----------------------------------------------------------------------------------------------------------------

export interface Rungs {
  /** IPI_CPU_STOP_NMI is an NMI. */
  readonly nmi: boolean;
  /** sdei_nmi_stop_cpus() of a version that has it. */
  readonly sdei?: StopCpus;
  /** Whether the counter is read before the mask is, each time anew (reference, S27). */
  readonly readBarrier?: boolean;
}

/** The others that are online now: those that the counter has told of, for it is read before. */
function snapshotAgain(k: Builder, mask: MaskPointer, { readBarrier = true }: Rungs): void {
  if (readBarrier) k.smpRmb("stop_snapshot");
  snapshot(k, mask);
}

/** One more try with what is stronger, for those that are left. */
function rungRoutine(name: string, which: string, iterations: Operand<"u32">, rungs: Rungs, send: StopCpus) {
  return routine(name, { mask: ptr(CpuMask) }, nothing, (k, { mask }) => {
    snapshotAgain(k, mask, rungs);
    say(k, `retry_${which}`, mask);
    k.mark(observed("phase", { which }));
    k.call(send, mask);
    awaitOthers(k, which, iterations);
  });
}

const sendStopNmi = routine("send_ipi_cpu_stop_nmi", { mask: ptr(CpuMask) }, nothing, (k, { mask }) => {
  k.call(gicSendIpiMask, mask, IPI_CPU_STOP_NMI);
});

/** smp_send_stop(), rung by rung. */
export function smpSendStopRoutine(name: string, rungs: Rungs) {
  const { nmi, sdei } = rungs;
  const nmiRung = nmi ? rungRoutine(`${name}_by_nmi`, "nmi", nmiIterations, rungs, sendStopNmi) : undefined;
  const sdeiRung = sdei === undefined ? undefined : rungRoutine(`${name}_by_sdei`, "sdei", sdeiIterations, rungs, sdei);
  return routine(name, [], nothing, (k) => {
    const mask = k.let("mask", addressOf(stopMask));
    k.mark("enter");
    k.if(numOtherOnlineCpus(k).ne(0), () => {
      k.if(k.testAndSetBit(addressOf(stopInProgress), 0), () => {
        k.mark("busy");
        k.return();
      });
      snapshot(k, mask);
      sayStopping(k);
      k.mark(observed("phase", { which: "ipi" }));
      k.call(gicSendIpiMask, mask, IPI_CPU_STOP);
      awaitOthers(k, "ipi", ipiIterations);
      if (nmiRung !== undefined) k.if(numOtherOnlineCpus(k).ne(0), () => k.call(nmiRung, mask));
      if (sdeiRung !== undefined)
        k.if(numOtherOnlineCpus(k).ne(0), () => k.if(k.readOnce(sdeiNmiAvailable).ne(0), () => k.call(sdeiRung, mask)));
      k.if(numOtherOnlineCpus(k).ne(0), () => {
        snapshotAgain(k, mask, rungs);
        say(k, "failed_to_stop", mask);
      });
    });
    k.call(sdeiMaskLocalCpu);
  });
}

/** crash_smp_send_stop(): says so before it stops anybody. */
export function crashSmpSendStopRoutine(name: string, smpSendStop: Callable<Record<never, never>, NothingType>) {
  return routine(name, [], nothing, (k) => {
    k.if(k.readOnce(crashStop).ne(0), () => {
      k.mark("busy");
      k.return();
    });
    k.writeOnce(crashStop, 1);
    k.mark("crash_stop_set");
    k.call(smpSendStop);
    k.call(sdeiHandlerAbort);
  });
}

// --- before 6.12 --------------------------------------------------------------------------------------------------------------------

/** smp_send_stop(): one IPI, whatever its kind is; nothing keeps a second caller out. */
export const smpSendStopBefore612 = routine("smp_send_stop_66", [], nothing, (k) => {
  const mask = k.let("mask", addressOf(stopMask));
  k.mark("enter");
  k.if(numOtherOnlineCpus(k).ne(0), () => {
    snapshot(k, mask);
    sayStopping(k);
    k.mark(observed("phase", { which: "ipi" }));
    k.call(gicSendIpiMask, mask, IPI_CPU_STOP);
  });
  awaitOthers(k, "ipi", ipiIterations);
  k.if(numOtherOnlineCpus(k).ne(0), () => {
    snapshot(k, mask);
    say(k, "failed_to_stop", mask);
  });
  k.call(sdeiMaskLocalCpu);
});

/** crash_smp_send_stop(): an IPI and a count of its own. */
export const crashSmpSendStopBefore612 = routine("crash_smp_send_stop_66", [], nothing, (k) => {
  const mask = k.let("mask", addressOf(crashStopMask));
  k.mark("enter");
  k.if(k.readOnce(cpusStopped).ne(0), () => {
    k.mark("busy");
    k.return();
  });
  k.writeOnce(cpusStopped, 1);
  k.if(numOtherOnlineCpus(k).ne(0), () => {
    snapshot(k, mask);
    const others = k.let("expected", numOtherOnlineCpus(k));
    k.writeOnce(waitingForCrashIpi, others);
    sayStopping(k);
    k.mark(observed("phase", { which: "ipi" }));
    k.call(gicSendIpiMask, mask, IPI_CPU_CRASH_STOP);
    waitUpTo(k, "ipi", { iterations: ipiIterations, stepUs: 1 }, () => k.readOnce(waitingForCrashIpi).eq(0));
    // The list is of those that were asked, whoever has answered.
    k.if(k.readOnce(waitingForCrashIpi).ne(0), () => say(k, "failed_to_stop", mask));
  });
  k.call(sdeiMaskLocalCpu);
  k.call(sdeiHandlerAbort);
});
