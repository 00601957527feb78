// What each CPU is doing when the stop comes.

import { AllstopError } from "../errors.ts";
import { kernelSymbols } from "../guest/kernel.ts";
import { IdleKind } from "../guest/sched/idle.ts";
import { SeededRandom } from "../random.ts";
import { cyclesOf, type TimingModel } from "../timing/index.ts";

/** The kinds of load by name, with what they mean. */
export const loadKinds = {
  idle: "idle as the architecture's kernel idles: MWAIT on x86-64, WFI on arm64",
  hlt: "idle in HLT (x86-64)",
  mwait: "idle in MWAIT on the thread flags, woken by a store (x86-64)",
  wfi: "idle in WFI (arm64)",
  "idle-deep": "idle in a state that takes `us` to leave: C6 of MWAIT on x86-64; WFI with power management on arm64",
  poll: "idle, polling need_resched",
  busy: "runs a preemptible task that counts, in registers and in private memory",
  preemptible: "runs the busy task: another name for it",
  user: "runs a task in user mode, on memory of its own: interrupts enter the kernel from there, and may preempt it on the way back",
  compute:
    "runs a preemptible task whose every step needs the last: nothing of it can be skipped (slow on large machines)",
  "irqs-off": "runs a task that keeps interrupts off for `offUs` (20), then on for `onUs` (5), in turn",
  "nmi-blocked":
    "runs a task that is in an NMI handler for `us` (20), then out of it for `onUs` (5), in turn; on arm64 with PSTATE.DAIF masked",
  "lock-holder":
    "runs a task that holds the console's lock, interrupts off, for `us` (20), then not for `onUs` (5), in turn",
  smm: "runs the busy task, and is in system-management mode for `us` (100) from `fromUs` on, or from the call on (x86-64)",
  descheduled: "runs the busy task, and gets no time for `us` (1000) from `fromUs` on, or from the call on, as a vCPU",
  wedged: "masks everything and never answers",
  "offline-mwait": "offline, in MWAIT with interrupts off and its local APIC disabled by software (x86-64)",
  "offline-hlt": "offline, in HLT likewise (x86-64)",
  "wait-for-sipi": "offline: has taken INIT, and waits for a start-up IPI (x86-64)",
  "never-started": "offline: has not run since power-up",
  mixed: "half idle, a quarter busy, the rest polling or with interrupts off, drawn by seed",
} as const;

/** What a CPU does when the stop comes: a key of `loadKinds`. */
export type LoadKind = keyof typeof loadKinds;

/** A load of one CPU, as the guest kernel reads it from the per-CPU block. */
export interface CpuLoad {
  readonly kind: Exclude<LoadKind, "mixed">;
  /** Main routine of the work task, by symbol; undefined: the CPU idles. */
  readonly work: string | undefined;
  /** IdleKind */
  readonly idle: number;
  readonly irqsOffTurns: number;
  readonly irqsOnTurns: number;
  /** Cycles that its idle state takes to leave, where that is deep. */
  readonly idleExitCycles?: number;
  /** What the platform does to it, from a time on, or from the call on. */
  readonly stolen?: { readonly kind: "smi" | "suspend"; readonly us: number; readonly fromUs: number | undefined };
}

/** Figures of a load that a document may choose. */
export interface LoadParameters {
  readonly us?: number | undefined;
  readonly offUs?: number | undefined;
  readonly onUs?: number | undefined;
  readonly fromUs?: number | undefined;
}

export interface LoadChoice extends LoadParameters {
  readonly kind: LoadKind;
}

/** The figures that kinds take, the main one first. */
export const loadParameters: Partial<Record<LoadKind, readonly (keyof LoadParameters)[]>> = {
  "idle-deep": ["us"],
  "irqs-off": ["offUs", "onUs"],
  "nmi-blocked": ["us", "onUs"],
  "lock-holder": ["us", "onUs"],
  smm: ["us", "fromUs"],
  descheduled: ["us", "fromUs"],
};

const OFF_US = 20;
const ON_US = 5;
const SMM_US = 100;
const DESCHEDULED_US = 1000;
/**
 * Exit latency of C6 of Intel's servers, Skylake-SP (drivers/idle/intel_idle.c); of arm64 the device trees of servers have 100 to
 * 1200 us for a CPU's power-down state, and next to nothing for standby: the lower end.
 */
const DEEP_EXIT_US = { "x86-64": 133, arm64: 100 } as const;
/** Weights of "mixed". */
const mixture = [
  [50, "idle"],
  [25, "busy"],
  [15, "poll"],
  [10, "irqs-off"],
] as const;

const onlyOn: Partial<Record<LoadKind, "x86-64" | "arm64">> = {
  hlt: "x86-64",
  mwait: "x86-64",
  wfi: "arm64",
  smm: "x86-64",
  "offline-mwait": "x86-64",
  "offline-hlt": "x86-64",
  "wait-for-sipi": "x86-64",
};

const offlineKinds: ReadonlySet<LoadKind> = new Set([
  "offline-mwait",
  "offline-hlt",
  "wait-for-sipi",
  "never-started",
] as const);

/** Whether a CPU of this load is not in cpu_online_mask. */
export function isOffline({ kind }: CpuLoad): boolean {
  return offlineKinds.has(kind);
}

/** Loads of the CPUs 0 to `cpus` - 1: `common` for all that `particular` doesn't name. @throws OPTION_INVALID */
export function assignLoads(
  cpus: number,
  common: LoadKind,
  particular: ReadonlyMap<number, LoadChoice>,
  timing: TimingModel,
  seed: number,
): CpuLoad[] {
  const random = new SeededRandom(seed, "load");
  return Array.from({ length: cpus }, (_, cpu) => {
    const drawn = random.choose(mixture);
    const { kind, ...parameters } = particular.get(cpu) ?? { kind: common };
    return cpuLoad(kind === "mixed" ? drawn : kind, timing, parameters);
  });
}

/** Refuses a load that the model's architecture doesn't have. @throws OPTION_INVALID */
export function checkLoad(kind: LoadKind, timing: TimingModel): void {
  const architecture = onlyOn[kind];
  if (architecture === undefined || architecture === timing.architecture) return;
  const allowed = (Object.keys(loadKinds) as LoadKind[]).filter(
    (one) => (onlyOn[one] ?? timing.architecture) === timing.architecture,
  );
  throw new AllstopError("OPTION_INVALID", `load ${kind} exists on ${architecture} only`, {
    value: kind,
    allowed: allowed.join(", "),
  });
}

/** Refuses figures that a load doesn't take. @throws OPTION_INVALID naming the field */
export function checkParameters({ kind, ...parameters }: LoadChoice, at: string): void {
  const taken = loadParameters[kind] ?? [];
  for (const [field, value] of Object.entries(parameters)) {
    if (value === undefined || taken.includes(field as keyof LoadParameters)) continue;
    throw new AllstopError("SCENARIO_INVALID", `load ${kind} takes no such figure`, {
      at: `${at}.${field}`,
      value,
      allowed: taken.join(", ") || "none",
    });
  }
}

/** A choice with the figures that its kind has and that it leaves open; but `fromUs`, without which it is the call that counts. */
export function withFigures<T extends LoadChoice>(choice: T, timing: TimingModel): T {
  return { ...defaultFigures(choice.kind, timing.architecture), ...choice };
}

function defaultFigures(kind: LoadKind, architecture: TimingModel["architecture"]): LoadParameters {
  const figures: Partial<Record<LoadKind, LoadParameters>> = {
    "idle-deep": { us: DEEP_EXIT_US[architecture] },
    "irqs-off": { offUs: OFF_US, onUs: ON_US },
    "nmi-blocked": { us: OFF_US, onUs: ON_US },
    "lock-holder": { us: OFF_US, onUs: ON_US },
    smm: { us: SMM_US },
    descheduled: { us: DESCHEDULED_US },
  };
  return figures[kind] ?? {};
}

function cpuLoad(kind: CpuLoad["kind"], timing: TimingModel, parameters: LoadParameters): CpuLoad {
  checkLoad(kind, timing);
  const figures = defaultFigures(kind, timing.architecture);
  const { us = figures.us ?? 0, offUs = figures.offUs ?? 0, onUs = figures.onUs ?? 0, fromUs } = parameters;
  const inTurn = (work: string, off: number): CpuLoad => ({
    kind,
    work,
    idle: IdleKind.Wait,
    irqsOffTurns: relaxTurns(timing, off * 1000),
    irqsOnTurns: relaxTurns(timing, onUs * 1000),
  });
  const idleLoad = { kind, work: undefined, irqsOffTurns: 0, irqsOnTurns: 0 } as const;
  switch (kind) {
    case "idle":
      return { ...idleLoad, idle: timing.architecture === "x86-64" ? IdleKind.Mwait : IdleKind.Wait };
    case "hlt":
    case "wfi":
    case "offline-hlt":
    case "wait-for-sipi":
    case "never-started":
      return { ...idleLoad, idle: IdleKind.Wait };
    case "mwait":
    case "offline-mwait":
      return { ...idleLoad, idle: IdleKind.Mwait };
    case "poll":
      return { ...idleLoad, idle: IdleKind.Poll };
    case "idle-deep": {
      const idle = timing.architecture === "x86-64" ? IdleKind.MwaitDeep : IdleKind.Deep;
      return { ...idleLoad, idle, idleExitCycles: cyclesOf(timing, us * 1000) };
    }
    case "smm":
    case "descheduled": {
      const stolen = { kind: kind === "smm" ? "smi" : "suspend", us, fromUs } as const;
      return { ...idleLoad, idle: IdleKind.Wait, work: kernelSymbols.busyWork, stolen };
    }
    case "preemptible":
    case "busy":
      return { ...idleLoad, idle: IdleKind.Wait, work: kernelSymbols.busyWork };
    case "user":
      return { ...idleLoad, idle: IdleKind.Wait, work: kernelSymbols.userWork };
    case "compute":
      return { ...idleLoad, idle: IdleKind.Wait, work: kernelSymbols.computeWork };
    case "wedged":
      return { ...idleLoad, idle: IdleKind.Wait, work: kernelSymbols.wedgedWork };
    case "irqs-off":
      return inTurn(kernelSymbols.irqsOffWork, offUs);
    case "nmi-blocked":
      return inTurn(timing.architecture === "x86-64" ? kernelSymbols.x64MaskedWork : kernelSymbols.arm64MaskedWork, us);
    case "lock-holder":
      return inTurn(kernelSymbols.lockHolderWork, us);
  }
}

/** Turns of a relax loop that take about so long: the hint itself and about three instructions around it. */
export function relaxTurns(timing: TimingModel, ns: number): number {
  const turnCycles = timing.parameters.relax.value + 3 / timing.issueWidth.value;
  return Math.max(1, Math.round(cyclesOf(timing, ns) / turnCycles));
}
