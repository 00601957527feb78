// The calls of CPU hotplug: taking CPUs offline, and the call that a CPU makes on its way up.

import { bind } from "../asm/index.ts";
import { cpuStarting } from "../guest/hotplug/cpu-up.ts";
import { callCpuDown, callFromInactiveCpu, startingCall } from "../guest/load/calls.ts";
import { lastOthers } from "./default-targets.ts";
import { multiStopBindings, multiStopMarks, multiStopPhases, multiStopSource, multiStopStopped } from "./multi-stop.ts";
import type { Policy } from "./policy.ts";

export const fromInactiveCpuPolicy: Policy = {
  name: "stop_machine_from_inactive_cpu",
  title: "stop_machine_from_inactive_cpu(): a CPU on its way up stops all others, spinning where others sleep",
  architectures: ["x86-64", "arm64"],
  source: multiStopSource,
  bindings: [...multiStopBindings, bind(cpuStarting, startingCall)],
  request: {
    call: callFromInactiveCpu,
    targets: [1, 1],
    defaultTargets: lastOthers(1),
    takesActive: true,
    captured: (online) => online,
    rounds: "one",
    mask: "active",
    startsTarget: "calling",
  },
  marks: {
    ...multiStopMarks,
    call: "request_starting_call:$request+mine",
    return: "request_starting_call:$answer+mine+ret",
  },
  phases: multiStopPhases(""),
  stoppedState: multiStopStopped,
};

export const cpuOnlinePolicy: Policy = {
  ...fromInactiveCpuPolicy,
  name: "cpu_online",
  title: "CPU bring-up: a CPU that was offline comes online; it stops nobody",
  source: "kernel/cpu.c, mainline of mid-2026",
  bindings: multiStopBindings,
  request: {
    ...fromInactiveCpuPolicy.request,
    takesActive: false,
    captured: () => [],
    runners: () => undefined,
    mask: "targets",
    startsTarget: "quietly",
  },
  marks: multiStopMarks,
};

export const cpuOfflinePolicy: Policy = {
  name: "cpu_offline",
  title: "CPU offlining: takedown_cpu() stops the machine, the CPU leaves the online mask, parks its stopper and dies",
  architectures: ["x86-64", "arm64"],
  source: "kernel/cpu.c and kernel/stop_machine.c, mainline of mid-2026",
  bindings: multiStopBindings,
  request: {
    call: callCpuDown,
    targets: [1, Infinity],
    defaultTargets: lastOthers(1),
    takesActive: false,
    captured: (online) => online,
    rounds: "per target",
    runners: () => undefined,
    mask: "targets",
  },
  marks: { ...multiStopMarks, further: [{ mark: "cpuhp_report_idle_dead:dead", state: 5 }] },
  phases: [
    ...multiStopPhases(""),
    { name: "DEAD", reached: "the CPU has nothing left to run and is parked", by: "target" },
  ],
  stoppedState: multiStopStopped,
};
