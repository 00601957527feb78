// stop_machine() as in mainline: stopper threads, four states on one line, no timeout.

import { bind } from "../asm/index.ts";
import { MultiStopState } from "../guest/stop/data.ts";
import { runDirectly, runFunction } from "../guest/stop/multi-stop.ts";
import type { Policy } from "./policy.ts";

export const stopMachinePolicy: Policy = {
  name: "stop_machine",
  title: "stop_machine(): every CPU's stopper thread spins through PREPARE, DISABLE_IRQ, RUN and EXIT",
  architectures: ["x86-64", "arm64"],
  source: "kernel/stop_machine.c, mainline of mid-2026",
  bindings: [bind(runFunction, runDirectly)],
  marks: {
    call: "stop_machine:call",
    return: "stop_machine:return",
    enter: "multi_cpu_stop:enter",
    acknowledge: { mark: "multi_cpu_stop:ack", state: "curstate" },
    leave: "multi_cpu_stop:leave",
    functionStart: "stop_run_fn_direct:start",
    functionEnd: "stop_run_fn_direct:end",
    done: "requester:done",
    fatal: "bad_exception:fatal",
  },
  phases: [
    { name: "PREPARE", reached: "every stopper thread runs" },
    { name: "DISABLE_IRQ", reached: "every CPU has stopped, interrupts off" },
    { name: "RUN", reached: "the function has run" },
    { name: "EXIT", reached: "every CPU is released" },
  ],
  stoppedState: MultiStopState.DisableIrq,
};
