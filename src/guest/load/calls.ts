// The calls of the family as a request makes them: each takes a request block and returns what the call returned.

import { addressOf, asInteger, codeOf, cpuCount, i32, nothing, ptr, routine, u32 } from "../../asm/index.ts";
import { cpuDown } from "../hotplug/cpu-down.ts";
import { cpuUp } from "../hotplug/cpu-up.ts";
import { cpusReadLock, cpusReadUnlock } from "../hotplug/lock.ts";
import { findNextBit, onlineMask } from "../lib/cpumask.ts";
import { observed } from "../observe.ts";
import { Request, counters, request as ownRequest, requestWork } from "../percpu.ts";
import { stopMachineFromInactiveCpu } from "../stop/from-inactive.ts";
import { stopCoreCpuslocked, stopMachine, stopMachineCpuslocked } from "../stop/stop-machine.ts";
import { stopOneCpu, stopOneCpuNowait } from "../stop/stop-one.ts";
import { stopTwoCpus } from "../stop/stop-two.ts";
import { stoppedFunction } from "./function.ts";

const fn = codeOf(stoppedFunction);
const parameters = { request: ptr(Request) };

export const callStopMachine = routine("request_stop_machine", parameters, i32, (k, { request }) => {
  k.return(k.call(stopMachine, fn, asInteger(request), request.mask));
});

export const callStopMachineCpuslocked = routine(
  "request_stop_machine_cpuslocked",
  parameters,
  i32,
  (k, { request }) => {
    k.call(cpusReadLock);
    const ret = k.let("ret", k.call(stopMachineCpuslocked, fn, asInteger(request), request.mask));
    k.call(cpusReadUnlock);
    k.return(ret);
  },
);

export const callStopOneCpu = routine("request_stop_one_cpu", parameters, i32, (k, { request }) => {
  k.return(k.call(stopOneCpu, request.first, fn, asInteger(request)));
});

/** The work is used again in the next round, so the function has to have run, unless the stopper took no work. */
export const callStopOneCpuNowait = routine("request_stop_one_cpu_nowait", parameters, i32, (k, { request }) => {
  const calls = k.let("calls", request.calls);
  const warnings = k.let("warnings", counters.here.warnings);
  k.call(stopOneCpuNowait, request.first, fn, asInteger(request), addressOf(requestWork.here));
  k.if(counters.here.warnings.eq(warnings), () =>
    k.while(
      () => k.readOnce(request.calls).eq(calls),
      () => k.cpuRelax(),
    ),
  );
  k.return(0);
});

export const callStopTwoCpus = routine("request_stop_two_cpus", parameters, i32, (k, { request }) => {
  k.return(k.call(stopTwoCpus, request.first, request.second, fn, asInteger(request)));
});

/** The mask is that of all siblings; those that are online are what cpu_smt_mask() gives under the lock. */
export const callStopCore = routine("request_stop_core", parameters, i32, (k, { request }) => {
  k.call(cpusReadLock);
  k.for("i", 0, cpuCount.add(63).shr(6), (i) =>
    k.set(request.mask.bits.at(i), request.mask.bits.at(i).and(onlineMask.bits.at(i))),
  );
  const ret = k.let("ret", k.call(stopCoreCpuslocked, request.mask, fn, asInteger(request)));
  k.call(cpusReadUnlock);
  k.return(ret);
});

/** Brings up a CPU that makes the call on its way: see startingCall. */
export const callFromInactiveCpu = routine("request_from_inactive_cpu", parameters, i32, (k, { request }) => {
  k.return(k.call(cpuUp, request.first));
});

/** What the image binds to notify_cpu_starting for that: the starting CPU has a request block of its own. */
export const startingCall = routine("request_starting_call", [], nothing, (k) => {
  const mine = k.let("mine", addressOf(ownRequest.here));
  k.mark(observed("request", { locals: ["mine"] }));
  const ret = k.let("ret", k.call(stopMachineFromInactiveCpu, fn, asInteger(mine), mine.mask));
  k.mark(observed("answer", { locals: ["mine", "ret"] }));
  k.set(mine.returned, ret.to(u32));
});

export const startQuietly = routine("start_quietly", [], nothing, () => {
  // Nothing stands between start-up and being online.
});

/** Each round takes the next CPU of the mask offline. */
export const callCpuDown = routine("request_cpu_down", parameters, i32, (k, { request }) => {
  const cpu = k.let("cpu", k.call(findNextBit, request.mask, cpuCount, request.first));
  k.set(request.first, cpu.add(1));
  k.return(k.call(cpuDown, cpu));
});
