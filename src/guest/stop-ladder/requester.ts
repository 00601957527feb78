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
  type Local,
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

/** The snapshot of those to stop, and cpu_online_mask; compilers keep addresses in registers that are needed again and again. */
interface Masks {
  readonly mask: MaskPointer;
  readonly online: MaskPointer;
}

function masksAt(k: Builder, mask: MaskPointer): Masks {
  return { mask: k.let("mask", mask), online: k.let("online", onlineMaskPointer) };
}

/**
 * cpumask_copy(mask, cpu_online_mask), cpumask_clear_cpu(self, mask). The first word stands in no loop: for masks of one word the compiler
 * makes none.
 */
function snapshot(k: Builder, { mask, online }: Masks): void {
  k.set(mask.bits.at(0), online.bits.at(0));
  k.for("word", 1, cpuCount.add(63).shr(6), (word) => k.set(mask.bits.at(word), online.bits.at(word)));
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
  /** Whether the counter is read before the mask is, each time anew (case S27). */
  readonly readBarrier?: boolean;
}

/** If the counter says that others are online. */
function ifOthersLeft(k: Builder, then: (others: Local<"u32">) => void): void {
  const others = numOtherOnlineCpus(k);
  k.if(others.ne(0), () => then(others));
}

/** The others that are online now: those that the counter has told of, for it is read before. */
function snapshotAgain(
  k: Builder,
  masks: Masks,
  others: Local<"u32">,
  nth: number,
  { readBarrier = true }: Rungs,
): void {
  k.mark(observed("look", { locals: ["others"], nth }));
  // An instruction for which the local is still in its register.
  k.arch({ arm64: (a) => void a.nop() }, { uses: { others } });
  if (readBarrier) k.smpRmb("stop_snapshot");
  snapshot(k, masks);
}

interface Rung {
  readonly which: string;
  readonly nth: number;
  readonly iterations: Operand<"u32">;
  readonly send: StopCpus;
}

/** One more try with what is stronger, for those that are left. */
function tryAgain(
  k: Builder,
  masks: Masks,
  others: Local<"u32">,
  rungs: Rungs,
  { which, nth, iterations, send }: Rung,
): void {
  snapshotAgain(k, masks, others, nth, rungs);
  say(k, `retry_${which}`, masks.mask);
  k.mark(observed("phase", { which }));
  k.call(send, masks.mask);
  awaitOthers(k, which, iterations);
}

const sendStopNmi = routine("send_ipi_cpu_stop_nmi", { mask: ptr(CpuMask) }, nothing, (k, { mask }) => {
  k.call(gicSendIpiMask, mask, IPI_CPU_STOP_NMI);
});

/** smp_send_stop(), rung by rung. */
export function smpSendStopRoutine(name: string, rungs: Rungs) {
  const { nmi, sdei } = rungs;
  return routine(name, [], nothing, (k) => {
    const masks = masksAt(k, addressOf(stopMask));
    const { mask } = masks;
    k.mark("enter");
    k.if(numOtherOnlineCpus(k).ne(0), () => {
      k.if(k.testAndSetBit(addressOf(stopInProgress), 0), () => {
        k.mark("busy");
        k.return();
      });
      snapshot(k, masks);
      sayStopping(k);
      k.mark(observed("phase", { which: "ipi" }));
      k.call(gicSendIpiMask, mask, IPI_CPU_STOP);
      awaitOthers(k, "ipi", ipiIterations);
      if (nmi) {
        const rung = { which: "nmi", nth: 1, iterations: nmiIterations, send: sendStopNmi };
        ifOthersLeft(k, (others) => tryAgain(k, masks, others, rungs, rung));
      }
      if (sdei !== undefined) {
        const rung = { which: "sdei", nth: 2, iterations: sdeiIterations, send: sdei };
        ifOthersLeft(k, (others) =>
          k.if(k.readOnce(sdeiNmiAvailable).ne(0), () => tryAgain(k, masks, others, rungs, rung)),
        );
      }
      ifOthersLeft(k, (others) => {
        snapshotAgain(k, masks, others, 3, rungs);
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
  const masks = masksAt(k, addressOf(stopMask));
  const { mask } = masks;
  k.mark("enter");
  k.if(numOtherOnlineCpus(k).ne(0), () => {
    snapshot(k, masks);
    sayStopping(k);
    k.mark(observed("phase", { which: "ipi" }));
    k.call(gicSendIpiMask, mask, IPI_CPU_STOP);
  });
  awaitOthers(k, "ipi", ipiIterations);
  ifOthersLeft(k, (others) => {
    snapshotAgain(k, masks, others, 1, { nmi: false, readBarrier: false });
    say(k, "failed_to_stop", mask);
  });
  k.call(sdeiMaskLocalCpu);
});

/** crash_smp_send_stop(): an IPI and a count of its own. */
export const crashSmpSendStopBefore612 = routine("crash_smp_send_stop_66", [], nothing, (k) => {
  const masks = masksAt(k, addressOf(crashStopMask));
  const { mask } = masks;
  k.mark("enter");
  k.if(k.readOnce(cpusStopped).ne(0), () => {
    k.mark("busy");
    k.return();
  });
  k.writeOnce(cpusStopped, 1);
  k.if(numOtherOnlineCpus(k).ne(0), () => {
    snapshot(k, masks);
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
