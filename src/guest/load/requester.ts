// The task that calls stop_machine(), and the function that it has run.

import {
  addressOf,
  asInteger,
  cast,
  codeOf,
  global,
  i32,
  nothing,
  ptr,
  routine,
  slot,
  struct,
  u32,
  u64,
} from "../../asm/index.ts";
import { numOnlineCpus, onlineMaskPointer } from "../lib/cpumask.ts";
import { CpuMask } from "../lib/mask.ts";
import { TaskState, counters, local } from "../percpu.ts";
import { schedule } from "../sched/schedule.ts";
import { stopMachineInitialized } from "../stop/globals.ts";
import { stopMachine } from "../stop/stop-machine.ts";
import { ActiveCpus, activeCpus, functionTurns, onlineWanted, rounds, settleTurns } from "./parameters.ts";
import { relaxFor } from "./work.ts";

/** What came of the calls. */
const Outcome = struct("request_outcome", { rounds_done: u32, returned: u32, calls: u64 });
export const outcome = global("request_outcome", Outcome, { align: 64 });

/** The function's `data`: counted by every CPU that runs it. */
const shared = global("request_calls", u64, { align: 64 });

/** Mask of CPUs that run the function, for ActiveCpus.Mask: filled before the machine starts. */
export const requestedMask = global("request_mask", CpuMask, { section: "arena", align: 64 });

/** Counts its calls per CPU and in all, and takes its time. */
const stoppedFunction = routine("stopped_function", { data: u64 }, i32, (k, { data }) => {
  k.set(counters.here.calls, counters.here.calls.add(1));
  k.atomicAdd(cast(data, u64).at(0), 1);
  relaxFor(k, functionTurns);
  k.return(0);
});

/** What follows the last round: nothing, or a line on the console and the machine's end (self-boot/report.ts). */
export const requestsDone = slot("requests_done", {}, nothing);

export const carryOn = routine("carry_on", [], nothing, () => {
  // The CPU goes idle.
});

export const requester = routine(
  "requester",
  [],
  nothing,
  (k) => {
    k.irqEnable();
    k.while(
      () => k.readOnce(numOnlineCpus).lt(onlineWanted),
      () => k.cpuRelax(),
    );
    k.writeOnce(stopMachineInitialized, 1);
    const mask = k.let("mask", null, ptr(CpuMask));
    k.if(activeCpus.eq(ActiveCpus.All), () => k.set(mask, onlineMaskPointer));
    k.if(activeCpus.eq(ActiveCpus.Mask), () => k.set(mask, addressOf(requestedMask)));
    k.for("round", 0, rounds, () => {
      relaxFor(k, settleTurns);
      const ret = k.let("ret", k.call(stopMachine, codeOf(stoppedFunction), asInteger(addressOf(shared)), mask));
      k.set(outcome.returned, ret.to(u32));
      k.set(outcome.rounds_done, outcome.rounds_done.add(1));
    });
    k.set(outcome.calls, shared);
    k.mark("done");
    k.call(requestsDone);
    k.loop(() => {
      const current = k.let("current", local.here.current);
      k.writeOnce(current.state, TaskState.Uninterruptible);
      k.call(schedule);
    });
  },
  { noReturn: true },
);
