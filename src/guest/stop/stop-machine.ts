// stop_machine(): the interface (kernel/stop_machine.c; reference sections 3.1 and 3.3).

import { addressOf, asInteger, code, codeOf, i32, ptr, routine, u64, type Builder } from "../../asm/index.ts";
import { numOnlineCpus, onlineMaskPointer } from "../lib/cpumask.ts";
import { CpuMask } from "../lib/mask.ts";
import { mutexLock, mutexUnlock } from "../lib/mutex.ts";
import { local } from "../percpu.ts";
import { preemptDisable, preemptEnable } from "../sched/schedule.ts";
import { MultiStopData, MultiStopState } from "./data.ts";
import { stopCpusMutex, stopMachineInitialized } from "./globals.ts";
import { CpuStopFunction, multiCpuStop, setState } from "./multi-stop.ts";
import { stopCpusUnlocked } from "./stopper.ts";

/** For callers that hold the hotplug lock already. */
export const stopMachineCpuslocked = routine(
  "stop_machine_cpuslocked",
  [{ fn: code }, { data: u64 }, { cpus: ptr(CpuMask) }],
  i32,
  (k, { fn, data, cpus }) => {
    const msdata = k.stackStruct("msdata", MultiStopData);
    k.set(msdata.fn, fn);
    k.set(msdata.data, data);
    k.set(msdata.num_threads, numOnlineCpus);
    k.set(msdata.active_cpus, cpus);
    // Early in boot, before the stoppers exist, there is one CPU: it needs no rendezvous.
    k.if(stopMachineInitialized.eq(0), () => {
      const flags = k.irqSave();
      const ret = k.let("ret", k.callPointer(fn, CpuStopFunction, data));
      k.irqRestore(flags);
      k.return(ret);
    });
    k.call(setState, msdata, MultiStopState.Prepare);
    k.mark("prepared");
    const owner = k.let("owner", addressOf(stopCpusMutex.owner));
    k.call(mutexLock, owner);
    const ret = k.let("ret", k.call(stopCpusUnlocked, onlineMaskPointer, codeOf(multiCpuStop), asInteger(msdata)));
    mutexUnlock(k, owner);
    k.return(ret);
  },
);

/** cpus_read_lock(): a per-CPU count while no writer is about. */
function cpusReadLock(k: Builder): void {
  preemptDisable(k);
  k.set(local.here.hotplug_readers, local.here.hotplug_readers.add(1));
  k.call(preemptEnable);
}

function cpusReadUnlock(k: Builder): void {
  preemptDisable(k);
  k.set(local.here.hotplug_readers, local.here.hotplug_readers.sub(1));
  k.call(preemptEnable);
}

/** Runs fn(data) on `cpus` (null: the first online CPU only) while all online CPUs are captured with IRQs off. */
export const stopMachine = routine(
  "stop_machine",
  [{ fn: code }, { data: u64 }, { cpus: ptr(CpuMask) }],
  i32,
  (k, { fn, data, cpus }) => {
    k.mark("call");
    cpusReadLock(k);
    const ret = k.let("ret", k.call(stopMachineCpuslocked, fn, data, cpus));
    cpusReadUnlock(k);
    k.mark("return");
    k.return(ret);
  },
);
