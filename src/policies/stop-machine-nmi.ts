// stop_machine() with the function in NMI context, by four designs; and with errors or'ed as the third has it.

import { bind, type Binding } from "../asm/index.ts";
import { callStopMachineNmi, callStopMachineNmiCpuslocked } from "../guest/load/nmi-calls.ts";
import { callStopMachineNmiSleeping } from "../guest/load/sleeping-function.ts";
import { accountNmi, stopMachineNmiHandler } from "../guest/nmi/entry.ts";
import { designA, handlerA } from "../guest/stop/nmi-a.ts";
import { designB, handlerB } from "../guest/stop/nmi-b.ts";
import { designC, handlerC } from "../guest/stop/nmi-c.ts";
import { SENDINGS, accountD, designD, handlerD, isNmiSafe, onlyStoppedFunction } from "../guest/stop/nmi-d.ts";
import { stopMachineNmi, stopMachineNmiCpuslocked } from "../guest/stop/nmi-stop.ts";
import { accumulateError, keepFirstError, mergeError } from "../guest/stop/stopper.ts";
import { multiStopPhases, multiStopStopped, requesterMarks } from "./multi-stop.ts";
import type { Policy, PolicyOption } from "./policy.ts";
import { stopMachinePolicy } from "./stop-machine.ts";

const options: Readonly<Record<string, PolicyOption>> = {
  selfNmiIterations: {
    what: "designs C and D: iterations of 1 us for which a CPU waits for its NMI",
    default: 1_000_000,
    least: 1,
    most: 10_000_000,
  },
  functionBreakpoint: {
    what: "1: the function takes a breakpoint, whose IRET lets NMIs in",
    default: 0,
    least: 0,
    most: 1,
  },
  unknownNmiPanic: { what: "1: the kernel panics at an NMI that nobody claims", default: 0, least: 0, most: 1 },
};

interface Design {
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly bindings: readonly Binding[];
  readonly boundUs?: number;
}

/** Of a design's multi_cpu_stop(), whichever function it runs. */
export function nmiRendezvousMarks(letter: string) {
  const rendezvous = `multi_cpu_stop_nmi_${letter}`;
  return {
    ...requesterMarks,
    enter: `${rendezvous}:enter`,
    caller: "msdata",
    acknowledge: { mark: `${rendezvous}:ack`, state: "curstate" },
    leave: `${rendezvous}:leave`,
  } as const;
}

function nmiPolicy(letter: string, { name, title, source, bindings, boundUs }: Design): Policy {
  return {
    name,
    title,
    architectures: ["x86-64"],
    source,
    bindings,
    request: { ...stopMachinePolicy.request, call: callStopMachineNmi },
    marks: {
      ...nmiRendezvousMarks(letter),
      functionStart: "stopped_function:$function_start+data",
      functionEnd: "stopped_function:$function_end+result",
    },
    phases: multiStopPhases(""),
    stoppedState: multiStopStopped,
    promises: { end: "released", uninterrupted: true, ...(boundUs === undefined ? {} : { boundUs }) },
    options,
  };
}

function entries({ whole, cpuslocked }: typeof designA): readonly Binding[] {
  return [bind(stopMachineNmi, whole), bind(stopMachineNmiCpuslocked, cpuslocked)];
}

export const stopMachineNmiA = nmiPolicy("a", {
  name: "stop_machine_nmi_a",
  title: "stop_machine in NMI context, RFC and version 1: a static switch, a flag per CPU, the result read at once",
  source: "[RFC PATCH] and [PATCH 0/n] of October 2025 and January 2026",
  bindings: [...entries(designA), bind(stopMachineNmiHandler, handlerA)],
});

export const stopMachineNmiACpuslocked: Policy = {
  ...stopMachineNmiA,
  name: "stop_machine_nmi_a_cpuslocked",
  title: "the same, by the entry for holders of the hotplug lock, which leaves the switch off (S9)",
  request: { ...stopMachineNmiA.request, call: callStopMachineNmiCpuslocked },
};

export const stopMachineNmiB = nmiPolicy("b", {
  name: "stop_machine_nmi_b",
  title: "stop_machine in NMI context, the reviewer's draft: cpumasks by value, results put together afterwards",
  source: "review of 2 February 2026",
  bindings: [...entries(designB), bind(stopMachineNmiHandler, handlerB)],
});

/** 1 s for the NMI to come. */
const DELIVERY_US = 1_000_000;

export const stopMachineNmiC = nmiPolicy("c", {
  name: "stop_machine_nmi_c",
  title: "stop_machine in NMI context, version 2: a pointer and a mask, up to 1 s for the NMI to come, errors or'ed",
  source: "[PATCH v2] of 30 March 2026",
  bindings: [...entries(designC), bind(stopMachineNmiHandler, handlerC), bind(mergeError, accumulateError)],
  boundUs: DELIVERY_US,
});

/** What design D binds, whichever function it is for. */
export const designDBindings: readonly Binding[] = [
  ...entries(designD),
  bind(stopMachineNmiHandler, handlerD),
  bind(accountNmi, accountD),
  bind(mergeError, keepFirstError),
  bind(isNmiSafe, onlyStoppedFunction),
];

export const stopMachineNmiD = nmiPolicy("d", {
  name: "stop_machine_nmi_d",
  title: "stop_machine in NMI context, ours: each CPU arms itself, waits, and disarms; other sources are asked, too",
  source: "src/guest/stop/nmi-d.ts",
  bindings: designDBindings,
  boundUs: SENDINGS * DELIVERY_US,
});

/** A design with a function that takes a mutex. */
function sleeping(policy: Policy): Policy {
  return {
    ...policy,
    name: `${policy.name}_sleeping`,
    title: `${policy.name}, called with a function that is not safe in NMIs: it takes a mutex (S11)`,
    request: { ...policy.request, call: callStopMachineNmiSleeping },
    marks: {
      ...policy.marks,
      functionStart: "sleeping_function:$function_start+data",
      functionEnd: "sleeping_function:$function_end+result",
    },
    options: {
      ...policy.options,
      textMutexHeld: { what: "1: the task that calls holds the mutex meanwhile", default: 0, least: 0, most: 1 },
    },
  };
}

export const stopMachineAccumulate: Policy = {
  ...stopMachinePolicy,
  name: "stop_machine_accumulate",
  title: "stop_machine() with all errors or'ed into one, as version 2 of the NMI series changes it (S6)",
  source: "[PATCH v2] of 30 March 2026",
  bindings: [...stopMachinePolicy.bindings, bind(mergeError, accumulateError)],
};

export const stopMachineNmiPolicies: readonly Policy[] = [
  stopMachineNmiA,
  stopMachineNmiACpuslocked,
  stopMachineNmiB,
  stopMachineNmiC,
  stopMachineNmiD,
  sleeping(stopMachineNmiC),
  sleeping(stopMachineNmiD),
  stopMachineAccumulate,
];
