// The kernel's benchmark of interrupts between CPUs: no stop path, but what all of them are made of.

import { bind } from "../asm/index.ts";
import { otherInterrupt } from "../guest/entry/interrupt.ts";
import { callFunctionInterrupt } from "../guest/smp/call-function.ts";
import { callIpiBenchmark } from "../guest/smp/ipi-benchmark.ts";
import { multiStopBindings, requesterMarks } from "./multi-stop.ts";
import type { Policy } from "./policy.ts";

export const ipiBenchmarkPolicy: Policy = {
  name: "ipi-benchmark",
  title:
    "ipi_benchmark: functions called on the CPU itself, on one other, on all others; how long each way of sending takes",
  architectures: ["x86-64", "arm64"],
  source: "kernel module ipi_benchmark, linux-arm-kernel, 19 December 2017; kernel/smp.c of Linux 4.14",
  bindings: [...multiStopBindings, bind(otherInterrupt, callFunctionInterrupt)],
  request: {
    call: callIpiBenchmark,
    targets: [1, 1],
    // cpumask_any_but(): the first online CPU but the sender.
    defaultTargets: (online, requester) => online.filter((cpu) => cpu !== requester).slice(0, 1),
    takesActive: false,
    captured: () => [],
    rounds: "inside",
    defaultRounds: 32,
    mask: "targets",
  },
  marks: {
    ...requesterMarks,
    enter: "flush_smp_call_function_queue:enter",
    caller: "reversed",
    acknowledge: { mark: "flush_smp_call_function_queue:run", state: 1 },
    leave: "flush_smp_call_function_queue:leave",
    functionStart: "handle_ipi:start",
    functionEnd: "handle_ipi:end",
  },
  phases: [],
  stoppedState: 1,
  measures: "interrupts",
};
