// x86 reboots: native_stop_other_cpus() by version.

import { bind, type Binding, type Callable } from "../asm/index.ts";
import { otherInterrupt } from "../guest/entry/interrupt.ts";
import { stopOtherCpus, stopThisCpu } from "../guest/reboot/data.ts";
import { x64Interrupts } from "../guest/reboot/handlers.ts";
import {
  stopOtherCpus2012,
  stopOtherCpus2019,
  stopOtherCpusByIrq,
  stopOtherCpusByNmi,
} from "../guest/reboot/history.ts";
import { callReboot } from "../guest/reboot/requests.ts";
import { stopOtherCpus2023 } from "../guest/reboot/stop-other-cpus.ts";
import { stopThisCpuByOnlineMask, stopThisCpuByStopMask } from "../guest/reboot/stop-this-cpu.ts";
import { requesterMarks } from "./multi-stop.ts";
import type { Phase, Policy, PolicyMarks, PolicyOption, RequestKind } from "./policy.ts";

/** A version of the path: reboots and panics go through the same. */
export interface StopGeneration {
  /** As names of policies end. */
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly bindings: readonly Binding[];
  readonly marks: Pick<PolicyMarks, "enter" | "acknowledge">;
  /** The sum of its time limits, microseconds. */
  readonly boundUs: number;
}

const SECOND_US = 1_000_000;
const NMI_RUNG_US = 10_000;

function generation(
  name: string,
  title: string,
  source: string,
  requester: Callable<{ readonly wait: never }> | Callable,
  report: "online mask" | "stop mask",
  boundUs: number,
): StopGeneration {
  const target = report === "online mask" ? stopThisCpuByOnlineMask : stopThisCpuByStopMask;
  return {
    name,
    title,
    source,
    bindings: [
      bind(stopOtherCpus, requester as typeof stopOtherCpus2023),
      bind(stopThisCpu, target),
      bind(otherInterrupt, x64Interrupts),
    ],
    marks: { enter: `${target.name}:enter`, acknowledge: { mark: `${target.name}:$ack`, state: 1 } },
    boundUs,
  };
}

export const stopGenerations = {
  irq: generation(
    "irq",
    "by the interrupt REBOOT only, for up to 1 s",
    "arch/x86/kernel/smp.c of Linux 3.2",
    stopOtherCpusByIrq,
    "online mask",
    SECOND_US,
  ),
  nmi: generation(
    "nmi",
    "by NMI only, for up to 1 s",
    "arch/x86/kernel/smp.c of Linux 3.3",
    stopOtherCpusByNmi,
    "online mask",
    SECOND_US,
  ),
  2012: generation(
    "2012",
    "by the interrupt REBOOT for up to 1 s, then by an NMI to all for up to 10 ms; both without limit if asked to wait",
    "arch/x86/kernel/smp.c, commit 7d007d21e539 of May 2012",
    stopOtherCpus2012,
    "online mask",
    SECOND_US + NMI_RUNG_US,
  ),
  2019: generation(
    "2019",
    "as of 2012, but the wait for the interrupt has a limit whatever the caller asks for",
    "arch/x86/kernel/smp.c, commit ce7fdd5cd83e of June 2019",
    stopOtherCpus2019,
    "online mask",
    SECOND_US + NMI_RUNG_US,
  ),
  2023: generation(
    "2023",
    "by the interrupt REBOOT for up to 1 s, then by NMI to those that are left for up to 10 ms; each reports when its caches are written back",
    "arch/x86/kernel/smp.c and process.c, mainline of mid-2026",
    stopOtherCpus2023,
    "stop mask",
    SECOND_US + NMI_RUNG_US,
  ),
} as const;

function flag(what: string, byDefault: 0 | 1 = 0): PolicyOption {
  return { what, default: byDefault, least: 0, most: 1 };
}

/** Inputs of the stop itself, whoever asks for it. */
export const stopOptions: Readonly<Record<string, PolicyOption>> = {
  noNmiIpi: flag("nonmi_ipi on the command line: no CPU is stopped by NMI"),
  rebootForce: flag("reboot=force: nobody is stopped"),
  cachesIncoherent: flag("CPUs have to write back their caches before they stop"),
  bustSpinlocks: flag("whoever stops the others goes on without a lock that one of them holds", 1),
  nmiOfflineCheck: flag("exc_nmi() drops the NMI of a CPU that is offline, as it does since Linux 5.4", 1),
};

const rebootOptions: Readonly<Record<string, PolicyOption>> = {
  ...stopOptions,
  rebootWait: flag("machine_shutdown() waits without limit, where the version allows it", 1),
  kexecInProgress: flag("another kernel follows: CPUs that are offline in MWAIT are sent to HLT first"),
};

export const stoppedPhases: readonly Phase[] = [
  { name: "STOPPED", reached: "every other CPU has reported that it stops for good" },
];

/** What a request has to be that stops all others for good. */
export const stopsForGood: Omit<RequestKind, "call"> = {
  targets: [0, 0],
  takesActive: false,
  captured: (online) => online,
  rounds: "one",
  mask: "targets",
};

function rebootPolicy({ name, title, source, bindings, marks, boundUs }: StopGeneration): Policy {
  return {
    name: `reboot_${name}`,
    title: `x86 reboot: stops all others ${title}`,
    architectures: ["x86-64"],
    source,
    bindings,
    request: { ...stopsForGood, call: callReboot },
    marks: {
      ...requesterMarks,
      ...marks,
      return: "request_reboot:$answer+mine+ret",
      done: "machine_emergency_restart:done",
    },
    phases: stoppedPhases,
    stoppedState: 1,
    promises: { end: "stopped", boundUs },
    options: rebootOptions,
  };
}

export const rebootPolicies: readonly Policy[] = Object.values(stopGenerations).map(rebootPolicy);
