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
  poll: "idle, polling need_resched",
  busy: "runs a preemptible task that counts, in registers and in private memory",
  compute:
    "runs a preemptible task whose every step needs the last: nothing of it can be skipped (slow on large machines)",
  "irqs-off": "runs a task that keeps interrupts off for 20 us, then on for 5 us, in turn",
  wedged: "masks everything and never answers",
  "offline-mwait": "offline, in MWAIT with interrupts off and its local APIC disabled by software (x86-64)",
  "offline-hlt": "offline, in HLT likewise (x86-64)",
  "wait-for-sipi": "offline: has taken INIT, and waits for a start-up IPI (x86-64)",
  "never-started": "offline: has not run since power-up",
  mixed: "half idle, a quarter busy, the rest polling or with interrupts off, drawn by seed",
} as const;

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
}

const IRQS_OFF_NS = 20_000;
const IRQS_ON_NS = 5_000;
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
  particular: ReadonlyMap<number, LoadKind>,
  timing: TimingModel,
  seed: number,
): CpuLoad[] {
  const random = new SeededRandom(seed, "load");
  return Array.from({ length: cpus }, (_, cpu) => {
    const drawn = random.choose(mixture);
    const kind = particular.get(cpu) ?? common;
    return cpuLoad(kind === "mixed" ? drawn : kind, timing);
  });
}

/** Refuses a load that the model's architecture doesn't have. @throws OPTION_INVALID */
export function checkLoad(kind: LoadKind, timing: TimingModel): void {
  const architecture = onlyOn[kind];
  if (architecture === undefined || architecture === timing.architecture) return;
  throw new AllstopError("OPTION_INVALID", `load ${kind} exists on ${architecture} only`, {
    value: timing.architecture,
  });
}

function cpuLoad(kind: CpuLoad["kind"], timing: TimingModel): CpuLoad {
  checkLoad(kind, timing);
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
    case "busy":
      return { ...idleLoad, idle: IdleKind.Wait, work: kernelSymbols.busyWork };
    case "compute":
      return { ...idleLoad, idle: IdleKind.Wait, work: kernelSymbols.computeWork };
    case "wedged":
      return { ...idleLoad, idle: IdleKind.Wait, work: kernelSymbols.wedgedWork };
    case "irqs-off":
      return {
        kind,
        work: kernelSymbols.irqsOffWork,
        idle: IdleKind.Wait,
        irqsOffTurns: relaxTurns(timing, IRQS_OFF_NS),
        irqsOnTurns: relaxTurns(timing, IRQS_ON_NS),
      };
  }
}

/** Turns of a relax loop that take about so long: the hint itself and about three instructions around it. */
export function relaxTurns(timing: TimingModel, ns: number): number {
  const turnCycles = timing.parameters.relax.value + 3 / timing.issueWidth.value;
  return Math.max(1, Math.round(cyclesOf(timing, ns) / turnCycles));
}
