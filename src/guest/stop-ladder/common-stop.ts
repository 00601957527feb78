// What a CPU does that is stopped for good, by version (arch/arm64/kernel/smp.c). Each form ends in a loop of
// WFI, or off.

import {
  asInteger,
  nothing,
  ptr,
  routine,
  u32,
  type Builder,
  type Condition,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { Arm64Regs } from "../entry/regs.ts";
import { cpuParkLoop } from "./park.ts";
import { observed } from "../observe.ts";
import { arm64CrashSaveCpu } from "../panic/crash-note.ts";
import { psciCpuOff } from "../psci/calls.ts";
import { sdeiMaskLocalCpu } from "../sdei/client.ts";
import { sdeiHandlerAbort } from "../sdei/handler.ts";
import { setCpuOffline } from "./ack.ts";
import { crashStop, waitingForCrashIpi } from "./data.ts";

const interrupted = { regs: ptr(Arm64Regs) };

/** cpu_park_loop() */
function park(k: Builder): void {
  k.mark(observed("park", { which: "wfi" }));
  k.call(cpuParkLoop);
}

/** __cpu_try_die(): returns only if the firmware fails. */
export const cpuTryDie = routine("__cpu_try_die", [], nothing, (k) => {
  k.mark(observed("park", { which: "off" }));
  psciCpuOff(k);
});

/**
 * How the stop of a crash ends behind the acknowledgement: `die_on_crash` of the merged form is Park or Off; the others are what was
 * tried in an SDEI handler (case S24).
 */
export const CrashEnd = { Park: 0, Off: 1, AbortOff: 2, AbortPark: 3 } as const;

function end(k: Builder, crashEnd: Value<"u32">): void {
  k.switch(crashEnd, [
    [CrashEnd.Off, () => k.call(cpuTryDie)],
    [
      CrashEnd.AbortOff,
      () => {
        k.call(sdeiHandlerAbort);
        k.call(cpuTryDie);
      },
    ],
    [CrashEnd.AbortPark, () => k.call(sdeiHandlerAbort)],
  ]);
}

/** The one function of the merged form. A crash's registers are saved if there are any; or in any case. */
function commonStop(name: string, hasRegs: (regs: Pointer<typeof Arm64Regs>) => Condition | undefined) {
  return routine(
    name,
    [{ regs: ptr(Arm64Regs) }, { crash_end: u32 }],
    nothing,
    (k, { regs, crash_end: crashEnd }) => {
      k.mark("enter");
      const crash = k.let("crash", k.readOnce(crashStop));
      // First: so that no NMI comes to a CPU that an IRQ is stopping already.
      k.daifMask();
      k.if(crash.ne(0), () => {
        const condition = hasRegs(regs);
        const save = (): void => k.call(arm64CrashSaveCpu, regs);
        if (condition === undefined) save();
        else k.if(condition, save);
      });
      k.call(setCpuOffline);
      k.call(sdeiMaskLocalCpu);
      k.if(crash.ne(0), () => end(k, crashEnd));
      park(k);
    },
    { noReturn: true },
  );
}

/** Without registers there is nothing to save: a CPU that stops itself has no crash note. */
export const localCpuStop = commonStop("local_cpu_stop", (regs) => asInteger(regs).ne(0));

/** The third version of the SDEI series: it saves in any case (case S23). */
export const localCpuStopV3 = commonStop("local_cpu_stop_v3", () => undefined);

// --- 6.12 to 7.1 and before: two functions ------------------------------------------------------------------------------------------

/** Reports before it masks (case S22). */
export const localCpuStopBefore = routine(
  "local_cpu_stop_before",
  [],
  nothing,
  (k) => {
    k.mark("enter");
    k.call(setCpuOffline);
    k.daifMask();
    k.call(sdeiMaskLocalCpu);
    park(k);
  },
  { noReturn: true },
);

/** ipi_cpu_crash_stop() of 6.12. What it masks first, and how. */
function ipiCpuCrashStop(name: string, mask: (k: Builder) => void) {
  return routine(
    name,
    interrupted,
    nothing,
    (k, { regs }) => {
      k.mark("enter");
      mask(k);
      k.call(arm64CrashSaveCpu, regs);
      k.call(setCpuOffline);
      k.call(sdeiMaskLocalCpu);
      k.call(cpuTryDie);
      park(k);
    },
    { noReturn: true },
  );
}

export const ipiCpuCrashStop612 = ipiCpuCrashStop("ipi_cpu_crash_stop", (k) => k.daifMask());

/** The same with IRQs masked only, against which the comment in 6.12 warns (case S21). */
export const ipiCpuCrashStopIrqsOff = ipiCpuCrashStop("ipi_cpu_crash_stop_irqs_off", (k) => k.irqDisable());

/** ipi_cpu_crash_stop() before 6.12: a count of its own is the acknowledgement, and the online mask stays as it is. */
export const ipiCpuCrashStopCounted = routine(
  "ipi_cpu_crash_stop_counted",
  interrupted,
  nothing,
  (k, { regs }) => {
    k.mark("enter");
    k.call(arm64CrashSaveCpu, regs);
    k.mark(observed("ack"));
    k.atomicDec(waitingForCrashIpi);
    k.irqDisable();
    k.call(sdeiMaskLocalCpu);
    k.call(cpuTryDie);
    park(k);
  },
  { noReturn: true },
);

// --- what IPIs and events are bound to ----------------------------------------------------------------------------------------------

/** IPI_CPU_STOP of the forms with two functions: which one, crash_stop decides when the IPI is handled. */
function twoFunctionStop(name: string, crashForm: typeof ipiCpuCrashStop612) {
  return routine(
    name,
    interrupted,
    nothing,
    (k, { regs }) => {
      k.if(k.readOnce(crashStop).ne(0), () => k.call(crashForm, regs));
      k.call(localCpuStopBefore);
    },
    { noReturn: true },
  );
}

export const stop612 = twoFunctionStop("ipi_handler_stop", ipiCpuCrashStop612);
export const stop612IrqsOff = twoFunctionStop("ipi_handler_stop_irqs_off", ipiCpuCrashStopIrqsOff);

/** IPI_CPU_STOP before 6.12. */
export const stopBefore612 = routine(
  "ipi_handler_stop_66",
  interrupted,
  nothing,
  (k) => {
    k.call(localCpuStopBefore);
  },
  { noReturn: true },
);

/** The merged function as one of its callers has it. */
export function stopBy(name: string, stop: typeof localCpuStop, crashEnd: number) {
  return routine(
    name,
    interrupted,
    nothing,
    (k, { regs }) => {
      k.call(stop, regs, crashEnd);
    },
    { noReturn: true },
  );
}

/** panic_smp_self_stop(): its own on arm64 only so that the online mask is updated. */
export const selfStopBefore = routine(
  "panic_smp_self_stop_before",
  [],
  nothing,
  (k) => {
    k.call(localCpuStopBefore);
  },
  { noReturn: true },
);

export function selfStopBy(name: string, stop: typeof localCpuStop) {
  return routine(
    name,
    [],
    nothing,
    (k) => {
      const none = k.let("none", null, ptr(Arm64Regs));
      k.call(stop, none, CrashEnd.Park);
    },
    { noReturn: true },
  );
}
