// The calls that hold up some CPUs only: one, two, or the threads of a core.

import { callStopCore, callStopOneCpu, callStopOneCpuNowait, callStopTwoCpus } from "../guest/load/calls.ts";
import { lastOthers } from "./default-targets.ts";
import {
  multiStopBindings,
  multiStopMarks,
  multiStopPhases,
  multiStopSource,
  multiStopStopped,
  requesterMarks,
} from "./multi-stop.ts";
import type { Policy } from "./policy.ts";

export const stopOneCpuPolicy: Policy = {
  name: "stop_one_cpu",
  title: "stop_one_cpu(): the function in one CPU's stopper thread, IRQs on; -ENOENT if that CPU is offline",
  architectures: ["x86-64", "arm64"],
  source: multiStopSource,
  bindings: multiStopBindings,
  request: {
    call: callStopOneCpu,
    targets: [1, 1],
    defaultTargets: lastOthers(1),
    takesActive: false,
    captured: (online, targets) => online.filter((cpu) => targets.includes(cpu)),
    rounds: "any",
    mask: "targets",
  },
  marks: {
    ...requesterMarks,
    enter: "cpu_stopper_run_work:enter",
    caller: "arg",
    acknowledge: { mark: "cpu_stopper_run_work:run", state: 1 },
    further: [{ mark: "cpu_stopper_run_work:ran", state: 2 }],
    leave: "cpu_stopper_run_work:leave",
    functionStart: "stopped_function:$function_start+data",
    functionEnd: "stopped_function:$function_end+result",
  },
  phases: [
    { name: "STOPPER", reached: "its stopper thread runs, preemption off" },
    { name: "RUN", reached: "the function has run" },
  ],
  stoppedState: 1,
};

export const stopOneCpuNowaitPolicy: Policy = {
  ...stopOneCpuPolicy,
  name: "stop_one_cpu_nowait",
  title: "stop_one_cpu_nowait(): the same without waiting; warns if that CPU is offline",
  request: { ...stopOneCpuPolicy.request, call: callStopOneCpuNowait },
};

export const stopTwoCpusPolicy: Policy = {
  name: "stop_two_cpus",
  title: "stop_two_cpus(): the four states for two CPUs, the first of which runs the function",
  architectures: ["x86-64", "arm64"],
  source: multiStopSource,
  bindings: multiStopBindings,
  request: {
    call: callStopTwoCpus,
    targets: [2, 2],
    defaultTargets: lastOthers(2),
    takesActive: false,
    captured: (online, targets) => online.filter((cpu) => targets.includes(cpu)),
    rounds: "any",
    runners: (_, targets) => targets.slice(0, 1),
    mask: "targets",
  },
  marks: multiStopMarks,
  phases: multiStopPhases("of the two "),
  stoppedState: multiStopStopped,
};

export const stopCorePolicy: Policy = {
  name: "stop_core",
  title: "stop_core_cpuslocked(): the four states for all threads of a core, each of which runs the function",
  architectures: ["x86-64", "arm64"],
  source: multiStopSource,
  bindings: multiStopBindings,
  request: {
    call: callStopCore,
    targets: [1, 1],
    defaultTargets: lastOthers(1),
    takesActive: false,
    captured: (online, targets, topology) => {
      const cores = new Set(targets.map((cpu) => topology.cpus[cpu]?.core));
      return online.filter((cpu) => cores.has(topology.cpus[cpu]?.core));
    },
    rounds: "any",
    mask: "cores",
  },
  marks: multiStopMarks,
  phases: multiStopPhases("of the core "),
  stoppedState: multiStopStopped,
};
