// Late loading of microcode on x86-64, by how CPUs are stopped for it.

import { bind, type Binding } from "../asm/index.ts";
import { smtThread } from "../guest/microcode/data.ts";
import { loadAllOrNone } from "../guest/microcode/all-or-none.ts";
import { loadLateStopCpus, loadNewImage } from "../guest/microcode/late-load.ts";
import { loadPrimary, loadSecondary, primaryPart, secondaryPart } from "../guest/microcode/load.ts";
import { callMicrocodeLoad, callMicrocodeLoadIrq } from "../guest/microcode/requests.ts";
import { legacyStopBindings } from "../guest/microcode/stop-legacy.ts";
import { allOrNoneStopBindings, nmiStopBindings } from "../guest/microcode/stop-nmi.ts";
import { x64SmpSendStop } from "../guest/crash/panic.ts";
import { nothingToShutDown } from "../guest/panic/kexec.ts";
import { crashSmpSendStop, machineCrashShutdown } from "../guest/panic/slots.ts";
import type { Machine } from "../machine/machine.ts";
import { multiStopBindings, multiStopMarks, multiStopPhases, multiStopStopped } from "./multi-stop.ts";
import { x64PanicBindings } from "./panic.ts";
import type { Policy, PolicyOption } from "./policy.ts";
import { stopGenerations } from "./reboot.ts";
import { nmiRendezvousMarks, stopMachineNmiC, stopMachineNmiD } from "./stop-machine-nmi.ts";

const USEC_PER_SEC = 1_000_000;

export const microcodeOptions: Readonly<Record<string, PolicyOption>> = {
  microcodeLoopsPerUsec: {
    what: "cpu_relax() turns that count as a microsecond; 0: those that take one. The kernel's are the TSC's MHz",
    default: 0,
    least: 0,
    most: 1_000_000,
  },
  microcodeRendezvousSteps: {
    what: "steps of about a microsecond that CPUs wait for each other",
    default: USEC_PER_SEC,
    least: 1,
    most: 100 * USEC_PER_SEC,
  },
  microcodeKickSteps: {
    what: "microseconds that CPU 0 waits for CPUs that are offline",
    default: USEC_PER_SEC / 2,
    least: 1,
    most: 100 * USEC_PER_SEC,
  },
  microcodeFirmware: {
    what: "what the request for firmware finds: 0 current already, 1 new, 2 new with a satisfied minimal revision, 4 nothing, else an error",
    default: 1,
    least: 0,
    most: 7,
  },
  microcodeReloadValue: { what: "the number that is written to `reload`", default: 1, least: 0, most: 1_000_000 },
  microcodeNmiSafe: {
    what: "1: the vendor's driver says that CPUs stand an NMI during an update",
    default: 0,
    least: 0,
    most: 1,
  },
  microcodeEachThread: {
    what: "1: each thread of a core updates for itself (AMD); 0: a core's first thread does for all (Intel)",
    default: 0,
    least: 0,
    most: 1,
  },
};

/** Writes which threads share a core: what the kernel learns from CPUID leaf 0BH as CPUs come up. */
function writeThreads(machine: Machine): void {
  const { topology, image } = machine;
  const cores = new Map<number, number[]>();
  for (const { number, core, state } of topology.cpus) {
    if (state !== "absent") cores.set(core, [...(cores.get(core) ?? []), number]);
  }
  for (const threads of cores.values()) {
    for (const [index, cpu] of threads.entries()) {
      const at = image.perCpuStart + cpu * image.perCpuStride + smtThread.symbol.offset;
      machine.writeUint32(at, threads[0] as number);
      machine.writeUint32(at + 4, threads[(index + 1) % threads.length] as number);
    }
  }
}

/** What a panic of the loader binds: others are stopped as by a reboot. */
const panicking: readonly Binding[] = [
  ...x64PanicBindings(stopGenerations[2023]),
  bind(crashSmpSendStop, x64SmpSendStop),
  bind(machineCrashShutdown, nothingToShutDown),
];

/** What mainline binds, and the posted series with it. */
const mainline: readonly Binding[] = [
  ...multiStopBindings,
  ...panicking,
  bind(loadNewImage, loadLateStopCpus),
  bind(primaryPart, loadPrimary),
  bind(secondaryPart, loadSecondary),
];

const updateMarks = {
  functionStart: "microcode_update_handler:$function_start",
  functionEnd: "microcode_update_handler:$function_end",
} as const;

export const microcodeLegacyPolicy: Policy = {
  name: "microcode_legacy",
  title: "microcode late load: stop_machine() whose function sends its CPU an NMI, the update in the NMI handler",
  architectures: ["x86-64"],
  source: "arch/x86/kernel/cpu/microcode/core.c of Linux 6.7 and later",
  bindings: [...mainline, ...legacyStopBindings],
  request: {
    call: callMicrocodeLoad,
    targets: [0, 0],
    takesActive: false,
    captured: (online) => online,
    rounds: "any",
    // What it returns is its own judgement, and so is whether they run at all.
    runners: () => undefined,
    mask: "targets",
  },
  marks: { ...multiStopMarks, ...updateMarks },
  phases: multiStopPhases(""),
  stoppedState: multiStopStopped,
  promises: { end: "released", uninterrupted: true },
  options: microcodeOptions,
  prepare: writeThreads,
};

export const microcodeLegacyIrqPolicy: Policy = {
  ...microcodeLegacyPolicy,
  name: "microcode_legacy_irq",
  title: "microcode late load: the same without NMIs, the update in stop_machine()'s function with interrupts off",
  request: { ...microcodeLegacyPolicy.request, call: callMicrocodeLoadIrq },
  promises: { end: "released" },
};

export const microcodeV2Policy: Policy = {
  ...microcodeLegacyPolicy,
  name: "microcode_v2",
  title: "microcode late load: stop_machine() runs the update in NMI context (design C of 30 March 2026)",
  source: "[PATCH v2] of 30 March 2026, the last patch of its series",
  bindings: [...mainline, ...stopMachineNmiC.bindings, ...nmiStopBindings],
  marks: { ...nmiRendezvousMarks("c"), ...updateMarks },
};

export const microcodeV2DPolicy: Policy = {
  ...microcodeLegacyPolicy,
  name: "microcode_v2_d",
  title: "microcode late load: of our own, all cores or none, threads held until their core has finished (design D)",
  source: "src/guest/microcode/all-or-none.ts",
  bindings: [
    ...multiStopBindings,
    ...panicking,
    bind(loadNewImage, loadAllOrNone),
    ...stopMachineNmiD.bindings,
    ...allOrNoneStopBindings,
  ],
  marks: {
    ...nmiRendezvousMarks("d"),
    functionStart: "microcode_update_all_or_none:$function_start",
    functionEnd: "microcode_update_all_or_none:$function_end-2",
  },
};

export const microcodePolicies: readonly Policy[] = [
  microcodeLegacyPolicy,
  microcodeLegacyIrqPolicy,
  microcodeV2Policy,
  microcodeV2DPolicy,
];
