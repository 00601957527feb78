// stop_machine() as in mainline: stopper threads, four states on one line, no timeout.

import { callStopMachine, callStopMachineCpuslocked } from "../guest/load/calls.ts";
import { multiStopBindings, multiStopMarks, multiStopPhases, multiStopSource, multiStopStopped } from "./multi-stop.ts";
import type { Policy } from "./policy.ts";

export const stopMachinePolicy: Policy = {
  name: "stop_machine",
  title: "stop_machine(): every CPU's stopper thread spins through PREPARE, DISABLE_IRQ, RUN and EXIT",
  architectures: ["x86-64", "arm64"],
  source: multiStopSource,
  bindings: multiStopBindings,
  request: {
    call: callStopMachine,
    targets: [0, 0],
    takesActive: true,
    captured: (online) => online,
    rounds: "any",
    mask: "active",
  },
  marks: multiStopMarks,
  phases: multiStopPhases(""),
  stoppedState: multiStopStopped,
};

export const stopMachineCpuslockedPolicy: Policy = {
  ...stopMachinePolicy,
  name: "stop_machine_cpuslocked",
  title: "stop_machine_cpuslocked(): the same for a caller that has taken the CPU hotplug lock itself",
  request: { ...stopMachinePolicy.request, call: callStopMachineCpuslocked },
};
