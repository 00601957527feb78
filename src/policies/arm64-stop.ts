// arm64's ways of stopping CPUs for good, by version: for a reboot, for a crash kernel, in a panic; and NMI backtraces, which take the
// same ways.

import { bind, type Binding, type Callable } from "../asm/index.ts";
import { crashKernelLoaded } from "../guest/panic/kexec.ts";
import { callPanic } from "../guest/panic/requests.ts";
import { kexecCrashImage } from "../guest/panic/slots.ts";
import { callBacktrace, callCrashKexec, callSmpSendStop } from "../guest/stop-ladder/requests.ts";
import { stopVersions, type StopVersionName } from "../guest/stop-ladder/versions.ts";
import { multiStopBindings, requesterMarks } from "./multi-stop.ts";
import type { Policy, PolicyMarks, PolicyOption, Promises } from "./policy.ts";

const source = "arch/arm64/kernel/smp.c, drivers/firmware/arm_sdei_nmi.c";

/** What stands behind a version's name, for titles. */
const descriptions: Readonly<Record<StopVersionName, string>> = {
  "6_6": "before 6.7: one IPI, 1 s",
  "6_7": "6.7 to 6.11: one IPI, which is a pseudo-NMI, 1 s",
  "6_12": "6.12 to 7.1: an IPI, 1 s, then a pseudo-NMI, 10 ms",
  "6_12_irq": "6.12 to 7.1 without pseudo-NMIs: an IPI, 1 s",
  "6_12_irq_no_rmb": "6.12 without pseudo-NMIs and without the read barrier before each snapshot (S27)",
  "6_12_feat_nmi": "6.12 with FEAT_NMI in place of pseudo-NMIs",
  "6_12_irqs_off": "6.12 with IRQs masked where it masks everything (S21)",
  "6_12_no_rmb": "6.12 without the read barrier before each snapshot (S27)",
  sdei_v3:
    "third version of the SDEI series: IPI, pseudo-NMI, SDEI event 100 ms; saves registers that aren't there (S23)",
  sdei_v4: "fourth version of the SDEI series: DMB between flag and signal (S25)",
  sdei: "with the SDEI rung as merged: IPI 1 s, pseudo-NMI 10 ms, SDEI event 100 ms",
  sdei_only: "the merged form without pseudo-NMIs: IPI 1 s, SDEI event 100 ms",
  sdei_feat_nmi: "the merged form with FEAT_NMI in place of pseudo-NMIs",
  sdei_resume: "unmerged: requests in a mask, the event completes into a stub that powers off",
  sdei_open_off: "the merged form, whose SDEI handler powers off with the event open (S24)",
  sdei_abort_off: "the merged form, whose SDEI handler ends the event and powers off (S24)",
  sdei_abort_park: "the merged form, whose SDEI handler ends the event and parks (S24)",
};

const MOST_ITERATIONS = 10_000_000;

const commonOptions: Readonly<Record<string, PolicyOption>> = {
  firmwareByHvc: { what: "firmware is called by HVC, not SMC", default: 0, least: 0, most: 1 },
  stopIpiIterations: { what: "steps of 1 us behind the IPI", default: 1_000_000, least: 1, most: MOST_ITERATIONS },
  stopNmiIterations: {
    what: "the same behind the NMI, if there is one",
    default: 10_000,
    least: 1,
    most: MOST_ITERATIONS,
  },
  stopSdeiIterations: { what: "the same behind SDEI's event", default: 100_000, least: 1, most: MOST_ITERATIONS },
};

const marks: PolicyMarks = {
  ...requesterMarks,
  enter: "set_cpu_offline:enter",
  acknowledge: { mark: "set_cpu_offline:$ack", state: 1 },
};

/** Before 6.12, a crash was counted by itself. */
const countedMarks: PolicyMarks = {
  ...requesterMarks,
  enter: "ipi_cpu_crash_stop_counted:enter",
  acknowledge: { mark: "ipi_cpu_crash_stop_counted:$ack", state: 1 },
};

interface Kind {
  readonly prefix: string;
  readonly title: string;
  readonly call: Callable;
  readonly bindings?: readonly Binding[];
  readonly promises: Partial<Promises>;
  readonly options?: Readonly<Record<string, PolicyOption>>;
  readonly done?: string;
}

const stop: Kind = {
  prefix: "smp_send_stop",
  title: "smp_send_stop()",
  call: callSmpSendStop,
  promises: {},
};

const crash: Kind = {
  prefix: "crash_smp_send_stop",
  title: "crash_smp_send_stop()",
  call: callCrashKexec,
  promises: { crashNotes: true },
  options: {
    captureKernelBoots: {
      what: "behind the stop, a capture kernel brings up CPUs and sets up SDEI anew",
      default: 0,
      least: 0,
      most: 1,
    },
  },
};

const panic: Kind = {
  prefix: "panic_arm64",
  title: "panic() without a crash kernel",
  call: callPanic,
  promises: {},
  done: "panic_done:done",
};

const panicKexec: Kind = {
  ...panic,
  prefix: "panic_kexec_arm64",
  title: "panic() with a crash kernel",
  bindings: [bind(kexecCrashImage, crashKernelLoaded)],
};

function policyOf(kind: Kind, version: StopVersionName): Policy {
  const { bindings, flavour, featNmi, boundUs } = stopVersions[version];
  const isCounted = kind.promises.crashNotes === true && (version === "6_6" || version === "6_7");
  return {
    name: `${kind.prefix}_${version}`,
    title: `${kind.title}, ${descriptions[version]}`,
    architectures: ["arm64"],
    source,
    bindings: [...multiStopBindings, ...bindings, ...(kind.bindings ?? [])],
    flavour,
    ...(featNmi ? { featNmi } : {}),
    request: {
      call: kind.call,
      targets: [0, 0],
      takesActive: false,
      captured: (online) => online,
      rounds: "one",
      mask: "targets",
    },
    marks: { ...(isCounted ? countedMarks : marks), ...(kind.done === undefined ? {} : { done: kind.done }) },
    phases: [{ name: "STOPPED", reached: "every other CPU has reported that it stops" }],
    stoppedState: 1,
    promises: { end: "stopped", boundUs, ...kind.promises },
    options: { ...commonOptions, ...kind.options },
  };
}

function backtrace(name: string, title: string, version: StopVersionName): Policy {
  const policy = policyOf({ ...stop, call: callBacktrace }, version);
  return { ...policy, name, title, promises: { end: "released", boundUs: 10_000_000 } };
}

const versionNames = Object.keys(stopVersions) as StopVersionName[];
/** Versions that differ from others in a crash only, and in other stops only. */
const crashOnly: readonly StopVersionName[] = ["6_12_irqs_off", "sdei_open_off", "sdei_abort_off", "sdei_abort_park"];
const notInCrashes: readonly StopVersionName[] = ["6_12_no_rmb", "6_12_irq_no_rmb"];
const panicking = ["6_12", "sdei_v3", "sdei_v4", "sdei"] as const satisfies readonly StopVersionName[];

export const arm64StopPolicies: readonly Policy[] = [
  ...versionNames.filter((version) => !crashOnly.includes(version)).map((version) => policyOf(stop, version)),
  ...versionNames.filter((version) => !notInCrashes.includes(version)).map((version) => policyOf(crash, version)),
  ...panicking.flatMap((version) => [policyOf(panic, version), policyOf(panicKexec, version)]),
  backtrace("backtrace_arm64", "NMI backtraces of all CPUs by pseudo-NMI", "6_12"),
  backtrace("backtrace_arm64_sdei", "NMI backtraces of all CPUs by SDEI's event, as merged", "sdei"),
  backtrace("backtrace_arm64_sdei_v4", "the same without a barrier before the signals (S25)", "sdei_v4"),
];
