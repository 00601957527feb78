// The guest kernel as an image: which routines go in, and what its slots are bound to.

import {
  bind,
  buildImage,
  offsetOf,
  type Arm64Flavour,
  type Binding,
  type Callable,
  type Image,
} from "../asm/index.ts";
import { secondaryEntry } from "./boot/entry.ts";
import { initArchitecture } from "./boot/init-cpu.ts";
import { initX64User } from "./boot/x64-user.ts";
import { initX64 } from "./boot/x64.ts";
import { cpuStarting } from "./hotplug/cpu-up.ts";
import { disableInterrupts } from "./hotplug/cpu-down.ts";
import { arm64Vectors, exceptionVectors } from "./entry/arm64.ts";
import { noOtherInterrupt, otherInterrupt } from "./entry/interrupt.ts";
import { vectorStubs, x64UserVectorStubs, x64VectorStubs } from "./entry/x64.ts";
import {
  archSmtUpdate,
  endOfInterrupt,
  initLocalApic,
  nmiToOfflineCpu,
  readPerformanceLvt,
  sendCallFunction,
  sendCallFunctionMask,
  sendIpi,
  sendIpiAllButSelf,
  sendIpiMask,
  sendReschedule,
  writePerformanceLvt,
} from "./irqchip/controller.ts";
import {
  gicDisableIpis,
  gicInit,
  gicSendCallFunction,
  gicSendCallFunctionMask,
  gicSendReschedule,
} from "./irqchip/gicv3.ts";
import {
  x2apicEoi,
  x2apicInit,
  x2apicNmiToOfflineCpu,
  x2apicReadPerformanceLvt,
  x2apicSendCallFunction,
  x2apicSendCallFunctionMask,
  x2apicSendIpi,
  x2apicSendIpiAllButSelf,
  x2apicSendIpiMask,
  x2apicSendReschedule,
  x2apicSoftDisable,
  x2apicWritePerformanceLvt,
} from "./irqchip/x2apic.ts";
import { apicSmtUpdate, presentMask } from "./irqchip/shorthand.ts";
import { lockHolderWork } from "./lib/console-lock.ts";
import { onlineMask } from "./lib/cpumask.ts";
import "./lib/delay.ts";
import { callStopMachine, startQuietly } from "./load/calls.ts";
import { carryOn, outcome, requestedMask, requester, requestsDone } from "./load/requester.ts";
import { arm64MaskedWork, x64MaskedWork } from "./load/masked.ts";
import { userWork } from "./load/user.ts";
import { busyWork, computeWork, irqsOffWork, wedgedWork } from "./load/work.ts";
import { deepIdle, shallowIdle } from "./sched/idle.ts";
import { panicBindings } from "./panic/bindings.ts";
import { Counters, Request, counters, hotplug, load, request } from "./percpu.ts";
import { nmiRaiseCpuBacktrace, raiseBacktrace } from "./nmi/backtrace.ts";
import {
  accountNmi,
  claimsNoNmi,
  claimsNoOfflineNmi,
  microcodeNmiHandler,
  microcodeOfflineNmiHandler,
  noCrashIpi,
  pollCrashIpi,
  stopMachineNmiHandler,
} from "./nmi/entry.ts";
import { haltInNmi, nmiPanic } from "./nmi/panic.ts";
import {
  arm64KernelsWay,
  noNmi,
  noPreparation,
  x64KernelsWay,
  x64PokeNmi,
  x64PreparePokes,
} from "./smp/by-architecture.ts";
import { kernelsWay, pokeNmi, preparePokes } from "./smp/ipi-benchmark.ts";
import { runDirectly, runFunction } from "./stop/multi-stop.ts";
import { mergeError, overwriteError } from "./stop/stopper.ts";

/** What goes into an image of the guest kernel. */
export interface KernelOptions {
  readonly architecture: "x86-64" | "arm64";
  /** CPU numbers from 0 to this are possible: nr_cpu_ids. */
  readonly cpus: number;
  /** Where execution starts; `secondaryEntry` if not given. */
  readonly entry?: Callable;
  /** Constants of the image by name (load/parameters.ts). */
  readonly parameters?: Readonly<Record<string, number | bigint>>;
  /** Routines of load/calls.ts that the run's requests name, besides stop_machine(). */
  readonly calls?: readonly Callable[];
  /** Work tasks beside those of every image, by symbol. */
  readonly works?: readonly string[];
  /** What the policy binds; a slot that it leaves out is bound as in mainline. */
  readonly bindings?: readonly Binding[];
  readonly flavour?: Partial<Arm64Flavour>;
}

/** Symbols that a host uses. */
export const kernelSymbols = {
  entry: secondaryEntry.name,
  requester: requester.name,
  busyWork: busyWork.name,
  computeWork: computeWork.name,
  irqsOffWork: irqsOffWork.name,
  wedgedWork: wedgedWork.name,
  userWork: userWork.name,
  lockHolderWork: lockHolderWork.name,
  x64MaskedWork: x64MaskedWork.name,
  arm64MaskedWork: arm64MaskedWork.name,
  outcome: "request_outcome",
  requestedMask: "request_mask",
  onlineMask: "__cpu_online_mask",
  activeMask: "__cpu_active_mask",
  presentMask: "__cpu_present_mask",
} as const;

/** Offsets in the per-CPU block that a host writes before the start, or reads. */
export const perCpuOffsets = {
  work: load.symbol.offset,
  idle: load.symbol.offset + 8,
  irqsOffTurns: load.symbol.offset + 16,
  irqsOnTurns: load.symbol.offset + 24,
  functionResult: load.symbol.offset + 12,
  resultRounds: load.symbol.offset + 32,
  calls: counters.symbol.offset + 16,
  calledWith: counters.symbol.offset + offsetOf(Counters, "called_with"),
  start: hotplug.symbol.offset + 4,
} as const;

const inRequest = (field: keyof typeof Request.fields): number => request.symbol.offset + offsetOf(Request, field);

/** Fields of the request block, likewise. */
export const requestOffsets = {
  call: inRequest("call"),
  first: inRequest("first"),
  second: inRequest("second"),
  mask: inRequest("mask"),
  startTurns: inRequest("start_turns"),
  rounds: inRequest("rounds"),
  roundsDone: inRequest("rounds_done"),
  returned: inRequest("returned"),
  endsRun: inRequest("ends_run"),
  calls: inRequest("calls"),
} as const;

const COMMON_BINDINGS: readonly Binding[] = [
  bind(runFunction, runDirectly),
  bind(mergeError, overwriteError),
  bind(requestsDone, carryOn),
  bind(cpuStarting, startQuietly),
  bind(otherInterrupt, noOtherInterrupt),
  bind(deepIdle, shallowIdle),
  ...panicBindings,
];

/** Mainline's choices for a machine that the host starts CPU by CPU. */
const DEFAULT_BINDINGS: Readonly<Record<KernelOptions["architecture"], readonly Binding[]>> = {
  "x86-64": [
    ...COMMON_BINDINGS,
    bind(initArchitecture, initX64),
    bind(vectorStubs, x64VectorStubs),
    bind(initLocalApic, x2apicInit),
    bind(sendReschedule, x2apicSendReschedule),
    bind(sendCallFunction, x2apicSendCallFunction),
    bind(sendCallFunctionMask, x2apicSendCallFunctionMask),
    bind(sendIpi, x2apicSendIpi),
    bind(sendIpiMask, x2apicSendIpiMask),
    bind(sendIpiAllButSelf, x2apicSendIpiAllButSelf),
    bind(nmiToOfflineCpu, x2apicNmiToOfflineCpu),
    bind(readPerformanceLvt, x2apicReadPerformanceLvt),
    bind(writePerformanceLvt, x2apicWritePerformanceLvt),
    bind(archSmtUpdate, apicSmtUpdate),
    bind(kernelsWay, x64KernelsWay),
    bind(preparePokes, x64PreparePokes),
    bind(pokeNmi, x64PokeNmi),
    bind(stopMachineNmiHandler, claimsNoNmi),
    bind(microcodeNmiHandler, claimsNoNmi),
    bind(microcodeOfflineNmiHandler, claimsNoOfflineNmi),
    bind(accountNmi, claimsNoNmi),
    bind(pollCrashIpi, noCrashIpi),
    bind(nmiPanic, haltInNmi),
    bind(raiseBacktrace, nmiRaiseCpuBacktrace),
    bind(endOfInterrupt, x2apicEoi),
    bind(disableInterrupts, x2apicSoftDisable),
  ],
  arm64: [
    ...COMMON_BINDINGS,
    bind(initArchitecture, gicInit),
    bind(exceptionVectors, arm64Vectors),
    bind(sendReschedule, gicSendReschedule),
    bind(sendCallFunction, gicSendCallFunction),
    bind(sendCallFunctionMask, gicSendCallFunctionMask),
    bind(archSmtUpdate, noPreparation),
    bind(kernelsWay, arm64KernelsWay),
    bind(preparePokes, noPreparation),
    bind(pokeNmi, noNmi),
    bind(disableInterrupts, gicDisableIpis),
  ],
};

/** As DEFAULT_BINDINGS, of a kernel that has tasks in user mode. */
function withUserMode(architecture: KernelOptions["architecture"]): readonly Binding[] {
  if (architecture === "arm64") return DEFAULT_BINDINGS.arm64;
  const ours = [bind(initArchitecture, initX64User), bind(vectorStubs, x64UserVectorStubs)];
  return [...ours, ...DEFAULT_BINDINGS[architecture].filter((one) => !ours.some(({ slot }) => slot === one.slot))];
}

/** Builds the kernel. @throws ASSEMBLY_INVALID, IMAGE_INVALID */
export function buildKernel(options: KernelOptions): Image {
  const { architecture, cpus, entry = secondaryEntry, parameters = {}, bindings = [], calls = [], flavour } = options;
  const bound = new Set(bindings.map(({ slot }) => slot.name));
  const works: readonly Callable[] = [busyWork, computeWork, irqsOffWork, wedgedWork, lockHolderWork];
  const otherWorks = [x64MaskedWork, arm64MaskedWork, userWork].filter(({ name }) => options.works?.includes(name));
  const defaults = otherWorks.includes(userWork) ? withUserMode(architecture) : DEFAULT_BINDINGS[architecture];
  return buildImage({
    architecture,
    roots: [
      secondaryEntry,
      requester,
      callStopMachine,
      ...calls,
      ...works,
      ...otherWorks,
      onlineMask,
      presentMask,
      outcome,
      requestedMask,
    ],
    entry,
    bindings: [...bindings, ...defaults.filter(({ slot }) => !bound.has(slot.name))],
    options: parameters,
    cpus,
    ...(flavour === undefined ? {} : { flavour }),
  });
}
