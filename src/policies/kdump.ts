// x86 panics with a crash kernel: nmi_shootdown_cpus() by version, from a task or from an NMI.

import { bind, type Binding } from "../asm/index.ts";
import { kdumpSmpSendStop, nativeMachineCrashShutdown } from "../guest/crash/crash-shutdown.ts";
import { x64NmiPanicRedirecting } from "../guest/crash/panic.ts";
import { callNmiPanic } from "../guest/crash/requests.ts";
import { installCrashHandler, installEmergencyHandler, registerCrashHandler } from "../guest/crash/shootdown.ts";
import { pollingNmiSelfStop, runCrashIpiCallback } from "../guest/crash/target.ts";
import { nmiPanic } from "../guest/nmi/panic.ts";
import { pollCrashIpi } from "../guest/nmi/entry.ts";
import { crashKernelLoaded, noCrashKernel } from "../guest/panic/kexec.ts";
import { callPanic } from "../guest/panic/requests.ts";
import { panicTryForceCpu, tryForceCpuRaceFixed } from "../guest/panic/redirect.ts";
import { crashSmpSendStop, kexecCrashImage, machineCrashShutdown, nmiPanicSelfStop } from "../guest/panic/slots.ts";
import { panicMarks, panicOptions, x64PanicBindings } from "./panic.ts";
import type { Policy } from "./policy.ts";
import { stopGenerations, stopOptions, stoppedPhases, stopsForGood } from "./reboot.ts";

const SHOOTDOWN_US = 1_000_000;

const crashBindings: readonly Binding[] = [
  ...x64PanicBindings(stopGenerations[2023]),
  bind(crashSmpSendStop, kdumpSmpSendStop),
  bind(machineCrashShutdown, nativeMachineCrashShutdown),
  bind(kexecCrashImage, crashKernelLoaded),
];

/** CPUs that are in an NMI already look for the shootdown: since Linux 4.5. */
const polling: readonly Binding[] = [
  bind(pollCrashIpi, runCrashIpiCallback),
  bind(nmiPanicSelfStop, pollingNmiSelfStop),
];

interface Shootdown {
  readonly name: string;
  readonly title: string;
  readonly bindings: readonly Binding[];
}

const shootdowns: readonly Shootdown[] = [
  {
    name: "2015",
    title: "its handler registered on the list; CPUs that are in an NMI already do not look for it",
    bindings: [bind(installCrashHandler, registerCrashHandler)],
  },
  {
    name: "2024",
    title: "its handler registered on the list, under the list's lock",
    bindings: [...polling, bind(installCrashHandler, registerCrashHandler)],
  },
  {
    name: "2025",
    title: "its handler as the emergency handler, which takes one store",
    bindings: [...polling, bind(installCrashHandler, installEmergencyHandler)],
  },
];

function kdumpPolicy({ name, title, bindings }: Shootdown): Policy {
  return {
    name: `kdump_${name}`,
    title: `x86 panic with a crash kernel: an NMI to all others, for up to 1 s, ${title}`,
    architectures: ["x86-64"],
    source: "arch/x86/kernel/reboot.c and crash.c, kernel/panic.c",
    bindings: [...crashBindings, ...bindings],
    request: { ...stopsForGood, call: callPanic },
    marks: {
      ...panicMarks,
      enter: "crash_nmi_callback:$handle.crash",
      acknowledge: { mark: "crash_nmi_callback:$ack", state: 1 },
    },
    phases: stoppedPhases,
    stoppedState: 1,
    promises: { end: "stopped", boundUs: SHOOTDOWN_US, crashNotes: true },
    options: { ...stopOptions, ...panicOptions },
  };
}

/** The same where an NMI handler panics. */
function nmiPanicPolicy(shootdown: Shootdown): Policy {
  const policy = kdumpPolicy(shootdown);
  return {
    ...policy,
    name: `nmi_panic_${shootdown.name}`,
    title: `${policy.title}; from a handler of an NMI that the requester sends itself`,
    request: { ...policy.request, call: callNmiPanic },
    options: {
      ...policy.options,
      panicInListLock: {
        what: "the NMI comes while its CPU holds the lock of the list of NMI handlers",
        default: 0,
        least: 0,
        most: 1,
      },
    },
  };
}

const proposed: Shootdown = {
  name: "redirect",
  title:
    "its handler as the emergency handler; panic_force_cpu as proposed in July 2026: in NMIs, too, and who loses the race for it stops",
  bindings: [
    ...polling,
    bind(installCrashHandler, installEmergencyHandler),
    bind(panicTryForceCpu, tryForceCpuRaceFixed),
    bind(nmiPanic, x64NmiPanicRedirecting),
  ],
};

/** In an NMI without a crash kernel: the others are stopped as for a reboot, by the interrupt first. */
const nmiPanicWithoutKexec: Policy = {
  ...nmiPanicPolicy({
    name: "without_kexec",
    title: "its handler as the emergency handler",
    bindings: [...polling, bind(installCrashHandler, installEmergencyHandler), bind(kexecCrashImage, noCrashKernel)],
  }),
  title: `x86 panic in an NMI, without a crash kernel: stops all others ${stopGenerations[2023].title}`,
  marks: { ...panicMarks, ...stopGenerations[2023].marks },
  promises: { end: "stopped", boundUs: stopGenerations[2023].boundUs },
};

export const kdumpPolicies: readonly Policy[] = [
  ...shootdowns.map(kdumpPolicy),
  ...shootdowns.map(nmiPanicPolicy),
  kdumpPolicy(proposed),
  nmiPanicPolicy(proposed),
  nmiPanicWithoutKexec,
];
