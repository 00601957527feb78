// panic() on x86, without a crash kernel: smp_send_stop(), by version of the path that it shares with reboots.

import { bind, type Binding } from "../asm/index.ts";
import { x64NmiPanic, x64SmpSendStop } from "../guest/crash/panic.ts";
import { nmiPanic } from "../guest/nmi/panic.ts";
import { callPanic } from "../guest/panic/requests.ts";
import { crashSmpSendStop, machineCrashShutdown, smpSendStop } from "../guest/panic/slots.ts";
import { nothingToShutDown } from "../guest/panic/kexec.ts";
import { requesterMarks } from "./multi-stop.ts";
import type { Policy, PolicyOption } from "./policy.ts";
import { stopGenerations, stopOptions, stoppedPhases, stopsForGood, type StopGeneration } from "./reboot.ts";

const NO_CPU = 0xffff_ffff;

/** Inputs of panic() itself. */
export const panicOptions: Readonly<Record<string, PolicyOption>> = {
  panicForceCpu: {
    what: "panic_force_cpu on the command line: the CPU that panics in place of all others; 4294967295 for none",
    default: NO_CPU,
    least: 0,
    most: NO_CPU,
  },
  crashKexecPostNotifiers: {
    what: "crash_kexec_post_notifiers: others are stopped by the crash variant, and the crash kernel starts behind the notifiers",
    default: 0,
    least: 0,
    most: 1,
  },
};

/** Where a panic never comes back from. */
export const panicMarks = { ...requesterMarks, done: "panic_done:done" } as const;

/** What every x86 panic binds. */
export const x64PanicBindings = (generation: StopGeneration): readonly Binding[] => [
  ...generation.bindings,
  bind(smpSendStop, x64SmpSendStop),
  bind(nmiPanic, x64NmiPanic),
];

function panicPolicy(generation: StopGeneration): Policy {
  const { name, title, source, marks, boundUs } = generation;
  return {
    name: `panic_${name}`,
    title: `x86 panic without a crash kernel: stops all others ${title}`,
    architectures: ["x86-64"],
    source: `kernel/panic.c, mainline of mid-2026; ${source}`,
    bindings: [
      ...x64PanicBindings(generation),
      bind(crashSmpSendStop, x64SmpSendStop),
      bind(machineCrashShutdown, nothingToShutDown),
    ],
    request: { ...stopsForGood, call: callPanic },
    marks: { ...panicMarks, ...marks },
    phases: stoppedPhases,
    stoppedState: 1,
    promises: { end: "stopped", boundUs },
    options: { ...stopOptions, ...panicOptions },
  };
}

export const panicPolicies: readonly Policy[] = Object.values(stopGenerations).map(panicPolicy);
