// What the calls of the family share that go through multi_cpu_stop(): its marks and its four states.

import { bind, type Binding } from "../asm/index.ts";
import { MultiStopState } from "../guest/stop/data.ts";
import { runDirectly, runFunction } from "../guest/stop/multi-stop.ts";
import type { Phase, PolicyMarks } from "./policy.ts";

export const multiStopSource = "kernel/stop_machine.c, mainline of mid-2026";

/** What mainline's calls bind: the function runs with interrupts off. */
export const multiStopBindings: readonly Binding[] = [bind(runFunction, runDirectly)];

/** Marks of the task that calls, whichever path it is. */
export const requesterMarks = {
  call: "requester:$request+mine",
  return: "requester:$answer+mine+ret",
  request: "mine",
  done: "requester:done",
  fatal: "bad_exception:fatal",
} as const;

/** The marks of mainline's multi_cpu_stop() and of the task that calls. */
export const multiStopMarks: PolicyMarks = {
  ...requesterMarks,
  enter: "multi_cpu_stop:enter",
  caller: "msdata",
  acknowledge: { mark: "multi_cpu_stop:ack", state: "curstate" },
  leave: "multi_cpu_stop:leave",
  functionStart: "stop_run_fn_direct:start",
  functionEnd: "stop_run_fn_direct:end",
};

/** The four states, of which the second is the rendezvous. */
export function multiStopPhases(captured: string): readonly Phase[] {
  return [
    { name: "PREPARE", reached: `every stopper thread ${captured}runs` },
    { name: "DISABLE_IRQ", reached: `every CPU ${captured}has stopped, interrupts off` },
    { name: "RUN", reached: "the function has run" },
    { name: "EXIT", reached: `every CPU ${captured}is released` },
  ];
}

/** The state of multi_cpu_stop() in which all CPUs stand still. */
export const multiStopStopped = MultiStopState.DisableIrq;
