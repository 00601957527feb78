// Requests for stop_machine() in NMI context.

import { asInteger, codeOf, i32, ptr, routine } from "../../asm/index.ts";
import { cpusReadLock, cpusReadUnlock } from "../hotplug/lock.ts";
import { Request } from "../percpu.ts";
import { stopMachineNmi, stopMachineNmiCpuslocked } from "../stop/nmi-stop.ts";
import { stoppedFunction } from "./function.ts";

const fn = codeOf(stoppedFunction);

export const callStopMachineNmi = routine(
  "request_stop_machine_nmi",
  { request: ptr(Request) },
  i32,
  (k, { request }) => {
    k.return(k.call(stopMachineNmi, fn, asInteger(request), request.mask));
  },
);

/** A caller that holds the hotplug lock already, as microcode updates do. */
export const callStopMachineNmiCpuslocked = routine(
  "request_stop_machine_nmi_cpuslocked",
  { request: ptr(Request) },
  i32,
  (k, { request }) => {
    k.call(cpusReadLock);
    const ret = k.let("ret", k.call(stopMachineNmiCpuslocked, fn, asInteger(request), request.mask));
    k.call(cpusReadUnlock);
    k.return(ret);
  },
);
