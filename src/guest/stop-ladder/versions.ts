// The versions of the arm64 stop paths: which routine each slot is bound to, what interrupts NMIs come with, and which rungs there are.

import { bind, type Arm64Flavour, type Binding } from "../../asm/index.ts";
import { ipiRaiseBacktrace } from "../arm64/backtrace.ts";
import { raiseBacktrace } from "../nmi/backtrace.ts";
import { arm64CpuDisable, arm64CpuInit } from "../arm64/cpu-init.ts";
import { arm64DeepIdle } from "../arm64/deep-idle.ts";
import { handleIrqFeatNmi, handleIrqPlain, handleIrqPseudoNmi } from "../arm64/handle-irq.ts";
import { initArchitecture } from "../boot/init-cpu.ts";
import { exceptionVectors, vectorTable } from "../entry/arm64.ts";
import { otherInterrupt } from "../entry/interrupt.ts";
import { disableInterrupts } from "../hotplug/cpu-down.ts";
import {
  IPI_CPU_BACKTRACE,
  IPI_CPU_CRASH_STOP,
  IPI_CPU_STOP,
  IPI_CPU_STOP_NMI,
  IPI_KGDB_ROUNDUP,
  gicDisableIpis,
  type NmiScheme,
} from "../irqchip/gicv3.ts";
import { crashSmpSendStop, machineCrashShutdown, panicSmpSelfStop, smpSendStop } from "../panic/slots.ts";
import { deepIdle } from "../sched/idle.ts";
import {
  sdeiNmiHandler,
  sdeiRaiseBacktraceRoutine,
  sdeiRequestHandler,
  sdeiStopCpusRoutine,
  sdeiStopRequested,
  type SignalBarrier,
} from "../sdei/nmi.ts";
import { noParkAddress, sdeiParkAddress } from "../sdei/park.ts";
import {
  CrashEnd,
  ipiCpuCrashStopCounted,
  localCpuStop,
  localCpuStopV3,
  selfStopBefore,
  selfStopBy,
  stop612,
  stop612IrqsOff,
  stopBefore612,
  stopBy,
} from "./common-stop.ts";
import { handleIpi } from "./ipi.ts";
import { arm64MachineCrashShutdown, crashIpisAwaited, othersOnline } from "./requests.ts";
import {
  crashSmpSendStopBefore612,
  crashSmpSendStopRoutine,
  smpSendStopBefore612,
  smpSendStopRoutine,
} from "./requester.ts";
import { resumeInParkStub, stopOnEventResuming } from "./resume.ts";
import { crashStopLeft, stopOnEvent, stopOnIpi, stopOnSecondIpi } from "./slots.ts";

/** What NMIs are made of. */
export type NmiKind = NmiScheme["kind"];

export interface StopVersion {
  readonly bindings: readonly Binding[];
  readonly flavour: Partial<Arm64Flavour>;
  /** The machine needs FEAT_NMI. */
  readonly featNmi: boolean;
  /** Sum of the rungs' time limits. */
  readonly boundUs: number;
}

const IPI_US = 1_000_000;
const NMI_US = 10_000;
const SDEI_US = 100_000;

const sgis = (...ids: readonly number[]): number => ids.reduce((mask, id) => mask | (1 << id), 0);
/** 6.7 to 6.11: both stops are NMIs at once. Since 6.12: only the second IPI is one. */
const BOTH_STOPS = sgis(IPI_CPU_STOP, IPI_CPU_CRASH_STOP, IPI_CPU_BACKTRACE, IPI_KGDB_ROUNDUP);
const SECOND_STOP = sgis(IPI_CPU_STOP_NMI, IPI_CPU_BACKTRACE, IPI_KGDB_ROUNDUP);

const flavours = {
  none: { interrupts: "daif" },
  // PMHE is 0: unmasking by PMR needs no DSB.
  "pseudo-nmi": { interrupts: "pseudo-nmi", pmrSync: false },
  "feat-nmi": { interrupts: "feat-nmi" },
} as const satisfies Record<NmiKind, Partial<Arm64Flavour>>;

const tables = {
  none: vectorTable("vectors_regs", { interrupt: handleIrqPlain, passesRegs: true, keepsPriorityMask: false }),
  "pseudo-nmi": vectorTable("vectors_pnmi", {
    interrupt: handleIrqPseudoNmi,
    passesRegs: true,
    keepsPriorityMask: true,
  }),
  "feat-nmi": vectorTable("vectors_nmi", { interrupt: handleIrqFeatNmi, passesRegs: true, keepsPriorityMask: false }),
} as const satisfies Record<NmiKind, unknown>;

type Callback = typeof sdeiNmiHandler;
const initRoutines = new Map<string, ReturnType<typeof arm64CpuInit>>();

/** One routine per way of initializing: versions share them. */
function initRoutine(scheme: NmiScheme, callback: Callback | undefined): ReturnType<typeof arm64CpuInit> {
  const name = ["arm64_cpu_init", scheme.kind.replace("-", "_"), scheme.sgis, callback?.name ?? "no_sdei"].join("_");
  const known = initRoutines.get(name) ?? arm64CpuInit(name, scheme, callback);
  initRoutines.set(name, known);
  return known;
}

/** What is the same in all versions with these NMIs, with SDEI's service or without. */
function platform(kind: NmiKind, nmiSgis: number, callback: Callback | undefined): readonly Binding[] {
  return [
    bind(exceptionVectors, tables[kind]),
    bind(initArchitecture, initRoutine({ kind, sgis: nmiSgis }, callback)),
    bind(disableInterrupts, callback === undefined ? gicDisableIpis : arm64CpuDisable),
    bind(otherInterrupt, handleIpi),
    bind(deepIdle, arm64DeepIdle),
    bind(machineCrashShutdown, arm64MachineCrashShutdown),
  ];
}

// --- before 6.12 --------------------------------------------------------------------------------------------------------------------

/** One IPI and nothing behind it: an interrupt before 6.7, a pseudo-NMI from 6.7 to 6.11. */
function before612(kind: NmiKind): StopVersion {
  return {
    bindings: [
      ...platform(kind, BOTH_STOPS, undefined),
      bind(raiseBacktrace, ipiRaiseBacktrace),
      bind(smpSendStop, smpSendStopBefore612),
      bind(crashSmpSendStop, crashSmpSendStopBefore612),
      bind(panicSmpSelfStop, selfStopBefore),
      bind(stopOnIpi, stopBefore612),
      bind(stopOnSecondIpi, ipiCpuCrashStopCounted),
      bind(crashStopLeft, crashIpisAwaited),
    ],
    flavour: flavours[kind],
    featNmi: kind === "feat-nmi",
    boundUs: IPI_US,
  };
}

// --- 6.12 and later -----------------------------------------------------------------------------------------------------------------

interface Ladder {
  readonly kind: NmiKind;
  /** What a stopped CPU does: two functions, or one. */
  readonly targets: readonly Binding[];
  /** Names of the routines. */
  readonly name: string;
  readonly sdei?: Sdei;
  readonly readBarrier?: boolean;
}

interface Sdei {
  readonly stopCpus: ReturnType<typeof sdeiStopCpusRoutine>;
  readonly callback: Callback;
  readonly backtrace: ReturnType<typeof sdeiRaiseBacktraceRoutine>;
}

function ladder({ kind, targets, name, sdei, readBarrier = true }: Ladder): StopVersion {
  const hasNmi = kind !== "none";
  const rungs = { nmi: hasNmi, readBarrier, ...(sdei === undefined ? {} : { sdei: sdei.stopCpus }) };
  const stop = smpSendStopRoutine(`smp_send_stop_${name}`, rungs);
  return {
    bindings: [
      ...platform(kind, SECOND_STOP, sdei?.callback),
      bind(raiseBacktrace, sdei?.backtrace ?? ipiRaiseBacktrace),
      bind(smpSendStop, stop),
      bind(crashSmpSendStop, crashSmpSendStopRoutine(`crash_smp_send_stop_${name}`, stop)),
      bind(crashStopLeft, othersOnline),
      ...targets,
    ],
    flavour: flavours[kind],
    featNmi: kind === "feat-nmi",
    boundUs: IPI_US + (hasNmi ? NMI_US : 0) + (sdei === undefined ? 0 : SDEI_US),
  };
}

const twoFunctions = (stop: typeof stop612): readonly Binding[] => [
  bind(stopOnIpi, stop),
  bind(stopOnSecondIpi, stop),
  bind(panicSmpSelfStop, selfStopBefore),
];

/** The merged function; `crashEnd` is how an SDEI handler ends in a crash. */
function oneFunction(name: string, stop: typeof localCpuStop, crashEnd: number = CrashEnd.Park): readonly Binding[] {
  const onIpi = stopBy(`ipi_handler_${name}`, stop, CrashEnd.Off);
  return [
    bind(stopOnIpi, onIpi),
    bind(stopOnSecondIpi, onIpi),
    bind(panicSmpSelfStop, selfStopBy(`panic_smp_self_stop_${name}`, stop)),
    bind(stopOnEvent, stopBy(`sdei_stop_${name}`, stop, crashEnd)),
    bind(sdeiParkAddress, noParkAddress),
  ];
}

const backtraceUnordered = sdeiRaiseBacktraceRoutine("sdei_nmi_backtrace_unordered", "none");
const backtraceOrdered = sdeiRaiseBacktraceRoutine("sdei_nmi_backtrace", "dsb ishst");

const sdeiBy = (name: string, barrier: SignalBarrier, backtrace = backtraceUnordered): Sdei => ({
  stopCpus: sdeiStopCpusRoutine(name, barrier),
  callback: sdeiNmiHandler,
  backtrace,
});

const sdeiDmb = sdeiBy("sdei_nmi_stop_cpus_dmb", "dmb ishst");
const sdeiMerged = sdeiBy("sdei_nmi_stop_cpus", "dsb ishst", backtraceOrdered);
const sdeiRequests: Sdei = { stopCpus: sdeiStopRequested, callback: sdeiRequestHandler, backtrace: backtraceOrdered };

const merged = (name: string, kind: NmiKind, crashEnd: number = CrashEnd.Park): StopVersion =>
  ladder({ name, kind, sdei: sdeiMerged, targets: oneFunction(name, localCpuStop, crashEnd) });

const resuming = (): StopVersion => {
  const name = "sdei_resume";
  const own = new Set([stopOnEvent.name, sdeiParkAddress.name]);
  const targets = [
    ...oneFunction(name, localCpuStop).filter(({ slot }) => !own.has(slot.name)),
    bind(stopOnEvent, stopOnEventResuming),
    bind(sdeiParkAddress, resumeInParkStub),
  ];
  return ladder({ name, kind: "pseudo-nmi", sdei: sdeiRequests, targets });
};

/** By name, oldest first. */
export const stopVersions = {
  "6_6": before612("none"),
  "6_7": before612("pseudo-nmi"),
  "6_12": ladder({ name: "6_12", kind: "pseudo-nmi", targets: twoFunctions(stop612) }),
  "6_12_irq": ladder({ name: "6_12_irq", kind: "none", targets: twoFunctions(stop612) }),
  "6_12_irq_no_rmb": ladder({
    name: "6_12_irq_no_rmb",
    kind: "none",
    targets: twoFunctions(stop612),
    readBarrier: false,
  }),
  "6_12_feat_nmi": ladder({ name: "6_12_feat_nmi", kind: "feat-nmi", targets: twoFunctions(stop612) }),
  "6_12_irqs_off": ladder({ name: "6_12_irqs_off", kind: "pseudo-nmi", targets: twoFunctions(stop612IrqsOff) }),
  "6_12_no_rmb": ladder({
    name: "6_12_no_rmb",
    kind: "pseudo-nmi",
    targets: twoFunctions(stop612),
    readBarrier: false,
  }),
  sdei_v3: ladder({
    name: "sdei_v3",
    kind: "pseudo-nmi",
    sdei: sdeiDmb,
    targets: oneFunction("sdei_v3", localCpuStopV3),
  }),
  sdei_v4: ladder({
    name: "sdei_v4",
    kind: "pseudo-nmi",
    sdei: sdeiDmb,
    targets: oneFunction("sdei_v4", localCpuStop),
  }),
  sdei: merged("sdei", "pseudo-nmi"),
  sdei_only: merged("sdei_only", "none"),
  sdei_feat_nmi: merged("sdei_feat_nmi", "feat-nmi"),
  sdei_resume: resuming(),
  sdei_open_off: merged("sdei_open_off", "pseudo-nmi", CrashEnd.Off),
  sdei_abort_off: merged("sdei_abort_off", "pseudo-nmi", CrashEnd.AbortOff),
  sdei_abort_park: merged("sdei_abort_park", "pseudo-nmi", CrashEnd.AbortPark),
} as const satisfies Record<string, StopVersion>;

export type StopVersionName = keyof typeof stopVersions;
