/**
 * What a stop path of one's own is made of: the parts of the guest kernel that it calls and builds on, and the description (Policy) by which
 * runs are made and judged. Routines are written with `allstop/asm`; `simulate(scenario, { policies: [mine] })` runs them.
 *
 * Names, layouts and behaviour are Linux's, as each part says. Functions whose first parameter is `k` put their code where they are called,
 * like a C macro; routines are called with `k.call()`.
 *
 * @module guest
 */

// First, since the order in which guest modules load is the order of routines in an image.
import "../guest/kernel.ts";

export type { Phase, Policy, PolicyMarks, PolicyOption, Promises, RequestKind } from "../policies/index.ts";
export {
  multiStopBindings,
  multiStopMarks,
  multiStopPhases,
  multiStopStopped,
  requesterMarks,
} from "../policies/multi-stop.ts";
export { stopsForGood } from "../policies/reboot.ts";

export { Request, TaskState, counters, local, request } from "../guest/percpu.ts";
export { stoppedFunction } from "../guest/load/function.ts";
export { relaxFor } from "../guest/load/work.ts";
export { markEvent, observed, observedEvents, type EventDetails, type ObservedEvent } from "../guest/observe.ts";

export { CpuStopDone, CpuStopWork, CpuStopper, MultiStopData, MultiStopState } from "../guest/stop/data.ts";
export {
  CpuStopFunction,
  ackState,
  multiCpuStop,
  multiCpuStopRoutine,
  runDirectly,
  runFunction,
  setState,
  type MultiStopVariant,
} from "../guest/stop/multi-stop.ts";
export { stopCpus, stopMachine, stopMachineCpuslocked } from "../guest/stop/stop-machine.ts";
export {
  accumulateError,
  cpuStopQueueWork,
  keepFirstError,
  mergeError,
  overwriteError,
  queueStopCpusWork,
} from "../guest/stop/stopper.ts";
export { cpusReadLock, cpusReadUnlock } from "../guest/hotplug/lock.ts";

export {
  smpCallFunctionMany,
  smpCallFunctionSingle,
  smpCallFunctionSingleAsync,
  callFunctionInterrupt,
} from "../guest/smp/call-function.ts";
export { CallSingleData } from "../guest/percpu.ts";
export { otherInterrupt } from "../guest/entry/interrupt.ts";
export {
  SendingWay,
  sendCallFunction,
  sendCallFunctionMask,
  sendIpi,
  sendIpiAllButSelf,
  sendIpiMask,
  sendReschedule,
} from "../guest/irqchip/controller.ts";
export { registerNmiHandler, setEmergencyNmiHandler, unregisterNmiHandler } from "../guest/nmi/handlers.ts";
export { stopMachineNmiHandler } from "../guest/nmi/entry.ts";

export { CpuMask as GuestCpuMask } from "../guest/lib/mask.ts";
export {
  activeMaskPointer,
  cpumaskAnyBut,
  cpumaskFirst,
  cpumaskOf,
  cpumaskWeight,
  findNextBit,
  forEachCpu,
  numOnlineCpus,
  onlineMaskPointer,
} from "../guest/lib/cpumask.ts";
export { ticksPerMicrosecond, udelay, waitUpTo, waitWithoutLimit, type Patience } from "../guest/lib/delay.ts";
export {
  rawSpinLock,
  rawSpinLockIrqsave,
  rawSpinTrylock,
  rawSpinUnlock,
  rawSpinUnlockIrqrestore,
} from "../guest/lib/spinlock.ts";
export { EBUSY, EINVAL, ENOENT, ETIMEDOUT } from "../guest/lib/errno.ts";
export { print, printField } from "../guest/lib/console.ts";
export { Completion } from "../guest/stop/data.ts";
export { complete, initCompletion, waitForCompletion } from "../guest/sched/completion.ts";
export { Mutex, mutexLock, mutexTrylock, mutexUnlock } from "../guest/sched/mutex.ts";
export { preemptDisable, preemptEnable, schedule, setCurrentState, wakeUpProcess } from "../guest/sched/schedule.ts";

export { buildKernel, kernelSymbols, perCpuOffsets, requestOffsets, type KernelOptions } from "../guest/kernel.ts";
export {
  SELF_BOOT_CPUS,
  buildReportingKernel,
  buildSelfBootingKernel,
  type SelfBootingKernel,
} from "../guest/self-boot/image.ts";
