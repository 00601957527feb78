// stop_machine_from_inactive_cpu() (kernel/stop_machine.c): for a CPU on its way up, which is neither active nor
// able to sleep. It spins where others sleep, and takes part in the rendezvous without a stopper of its own.

import { addressOf, asInteger, code, codeOf, i32, ptr, routine, testBit, u64 } from "../../asm/index.ts";
import { activeMaskPointer, cpumaskWeight } from "../lib/cpumask.ts";
import { CpuMask } from "../lib/mask.ts";
import { local } from "../percpu.ts";
import { mutexTrylock, mutexUnlock } from "../sched/mutex.ts";
import { completionDone } from "../sched/completion.ts";
import { CpuStopDone, MultiStopData, MultiStopState } from "./data.ts";
import { stopCpusMutex } from "./globals.ts";
import { multiCpuStop, setState } from "./multi-stop.ts";
import { initDone, queueStopCpusWork } from "./stopper.ts";

export const stopMachineFromInactiveCpu = routine(
  "stop_machine_from_inactive_cpu",
  [{ fn: code }, { data: u64 }, { cpus: ptr(CpuMask) }],
  i32,
  (k, { fn, data, cpus }) => {
    k.mark("call");
    k.if(testBit(activeMaskPointer, local.here.cpu), () => k.bug());
    const active = k.let("active", k.call(cpumaskWeight, activeMaskPointer));
    const msdata = k.stackStruct("msdata", MultiStopData);
    k.set(msdata.fn, fn);
    k.set(msdata.data, data);
    k.set(msdata.num_threads, active.add(1));
    k.set(msdata.active_cpus, cpus);
    const got = k.let("got", k.bool(mutexTrylock(k, addressOf(stopCpusMutex))));
    k.while(got.eq(0), () => {
      k.mark("busy");
      k.cpuRelax();
      k.set(got, k.bool(mutexTrylock(k, addressOf(stopCpusMutex))));
    });
    k.call(setState, msdata, MultiStopState.Prepare);
    const done = k.stackStruct("done", CpuStopDone);
    initDone(k, done, active);
    k.call(queueStopCpusWork, activeMaskPointer, codeOf(multiCpuStop), asInteger(msdata), done);
    const ret = k.let("ret", k.call(multiCpuStop, asInteger(msdata)));
    k.while(
      () => completionDone(k, addressOf(done.completion)).not(),
      () => k.cpuRelax(),
    );
    k.call(mutexUnlock, addressOf(stopCpusMutex));
    // Its own result first: mainline's `ret ?: done.ret`.
    k.if(ret.eq(0), () => k.set(ret, done.ret.to(i32)));
    k.mark("return");
    k.return(ret);
  },
);
