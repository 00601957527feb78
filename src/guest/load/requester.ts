// The tasks that call: each makes the request that its CPU's block holds, as often as it says.

import {
  addressOf,
  array,
  codeOf,
  global,
  i32,
  isNull,
  nothing,
  ptr,
  routine,
  signature,
  slot,
  struct,
  u32,
  u64,
  type Builder,
  type Pointer,
} from "../../asm/index.ts";
import { archSmtUpdate } from "../irqchip/controller.ts";
import { numOnlineCpus, onlineMaskPointer } from "../lib/cpumask.ts";
import { observed } from "../observe.ts";
import { CpuMask } from "../lib/mask.ts";
import { Request, TaskState, local, request } from "../percpu.ts";
import { schedule } from "../sched/schedule.ts";
import { stopMachineInitialized } from "../stop/globals.ts";
import { callStopMachine } from "./calls.ts";
import { ActiveCpus, activeCpus, onlineWanted, requesters, rounds, settleTurns } from "./parameters.ts";
import { relaxFor } from "./work.ts";

/** What came of all requests: rounds and calls are summed, the last to return leaves its value. */
const Outcome = struct("request_outcome", { rounds_done: u32, returned: u32, calls: u64, finished: u32 });
export const outcome = global("request_outcome", Outcome, { align: 64 });

/** Times that the function ran, for all requests that are through. */
const requestCalls = global("request_calls", u64, { align: 64 });

/** Most requests at a time. */
export const MOST_REQUESTERS = 16;
/** CPU sets of the requests, filled before the machine starts; the first is that of ActiveCpus.Mask. */
export const requestedMask = global("request_mask", array(CpuMask, MOST_REQUESTERS), { section: "arena", align: 64 });

const RequestCall = signature({ request: ptr(Request) }, i32);

/** What follows the last round: nothing, or a line on the console and the machine's end (self-boot/report.ts). */
export const requestsDone = slot("requests_done", {}, nothing);

export const carryOn = routine("carry_on", [], nothing, () => {
  // The CPU goes idle.
});

/** A block that nobody has filled asks for stop_machine(), as the image's options say. */
function fillRequest(k: Builder, mine: Pointer<typeof Request>): void {
  k.set(mine.call, codeOf(callStopMachine));
  k.set(mine.rounds, rounds);
  k.if(activeCpus.eq(ActiveCpus.All), () => k.set(mine.mask, onlineMaskPointer));
  k.if(activeCpus.eq(ActiveCpus.Mask), () => k.set(mine.mask, addressOf(requestedMask.at(0))));
}

/** Sleeps for ever. */
function goIdle(k: Builder): void {
  k.loop(() => {
    const current = k.let("current", local.here.current);
    k.writeOnce(current.state, TaskState.Uninterruptible);
    schedule(k);
  });
}

export const requester = routine(
  "requester",
  [],
  nothing,
  (k) => {
    k.irqEnable();
    const mine = k.let("mine", addressOf(request.here));
    k.if(isNull(mine.call), () => fillRequest(k, mine));
    k.while(
      () => k.readOnce(numOnlineCpus).lt(onlineWanted),
      () => k.cpuRelax(),
    );
    k.writeOnce(stopMachineInitialized, 1);
    relaxFor(k, mine.start_turns);
    k.for("round", 0, mine.rounds, (round) => {
      relaxFor(k, settleTurns);
      // Boot is over, for CPUs that are not to come online, too.
      k.if(round.eq(0), () => k.call(archSmtUpdate));
      k.mark(observed("request", { locals: ["mine"] }));
      const ret = k.let("ret", k.callPointer(mine.call, RequestCall, mine));
      k.mark(observed("answer", { locals: ["mine", "ret"] }));
      k.set(mine.returned, ret.to(u32));
      k.set(mine.rounds_done, mine.rounds_done.add(1));
      k.set(outcome.returned, ret.to(u32));
      k.atomicInc(outcome.rounds_done);
    });
    k.atomicAdd(outcome.calls, mine.calls);
    k.atomicAdd(requestCalls, mine.calls);
    const finished = k.fetchAdd(outcome.finished, 1);
    k.if(finished.add(1).eq(requesters).or(mine.ends_run.ne(0)), () => {
      k.mark("done");
      k.call(requestsDone);
    });
    goIdle(k);
  },
  { noReturn: true },
);
