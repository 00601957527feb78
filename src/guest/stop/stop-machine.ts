// stop_machine(): the interface (kernel/stop_machine.c).

import {
  addressOf,
  asInteger,
  code,
  codeOf,
  i32,
  ptr,
  routine,
  u64,
  type Builder,
  type Callable,
  type CodeValue,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { cpusReadLock, cpusReadUnlock } from "../hotplug/lock.ts";
import { cpumaskWeight, numOnlineCpus, onlineMaskPointer } from "../lib/cpumask.ts";
import { CpuMask } from "../lib/mask.ts";
import { mutexLock, mutexUnlock } from "../sched/mutex.ts";
import { MultiStopData, MultiStopState } from "./data.ts";
import { stopCpusMutex, stopMachineInitialized } from "./globals.ts";
import { CpuStopFunction, multiCpuStop, setState } from "./multi-stop.ts";
import { stopCpusUnlocked } from "./stopper.ts";

/** stop_cpus(): one at a time, since each CPU has one embedded work. */
export function stopCpus(
  k: Builder,
  cpus: Pointer<typeof CpuMask>,
  msdata: Pointer<typeof MultiStopData>,
  multiStop: Callable = multiCpuStop,
): Value<"i32"> {
  k.call(mutexLock, addressOf(stopCpusMutex));
  const ret = k.let("ret", k.call(stopCpusUnlocked, cpus, codeOf(multiStop), asInteger(msdata)));
  k.call(mutexUnlock, addressOf(stopCpusMutex));
  return ret;
}

/** Early in boot, before the stoppers exist, there is one CPU: it needs no rendezvous. Calls the function, and has the routine return. */
export function callEarly(k: Builder, fn: CodeValue, data: Value<"u64">, returning: (ret: Value<"i32">) => void): void {
  k.if(stopMachineInitialized.eq(0), () => {
    const flags = k.irqSave();
    const ret = k.let("ret", k.callPointer(fn, CpuStopFunction, data));
    k.irqRestore(flags);
    returning(ret);
  });
}

/** For callers that hold the hotplug lock already. */
export const stopMachineCpuslocked = routine(
  "stop_machine_cpuslocked",
  [{ fn: code }, { data: u64 }, { cpus: ptr(CpuMask) }],
  i32,
  (k, { fn, data, cpus }) => {
    k.mark("call");
    const msdata = k.stackStruct("msdata", MultiStopData);
    k.set(msdata.fn, fn);
    k.set(msdata.data, data);
    k.set(msdata.num_threads, numOnlineCpus);
    k.set(msdata.active_cpus, cpus);
    callEarly(k, fn, data, (ret) => k.return(ret));
    k.call(setState, msdata, MultiStopState.Prepare);
    k.mark("prepared");
    const ret = k.let("ret", stopCpus(k, onlineMaskPointer, msdata));
    k.mark("return");
    k.return(ret);
  },
);

/**
 * stop_core_cpuslocked: runs fn(data) on all SMT siblings of a core while they, and no others, are captured. `smtMask` is
 * cpu_smt_mask(): its siblings that are online.
 */
export const stopCoreCpuslocked = routine(
  "stop_core_cpuslocked",
  [{ smtMask: ptr(CpuMask) }, { fn: code }, { data: u64 }],
  i32,
  (k, { smtMask, fn, data }) => {
    k.mark("call");
    const msdata = k.stackStruct("msdata", MultiStopData);
    k.set(msdata.fn, fn);
    k.set(msdata.data, data);
    k.set(msdata.num_threads, k.call(cpumaskWeight, smtMask));
    k.set(msdata.active_cpus, smtMask);
    k.call(setState, msdata, MultiStopState.Prepare);
    const ret = k.let("ret", stopCpus(k, smtMask, msdata));
    k.mark("return");
    k.return(ret);
  },
);

/** Runs fn(data) on `cpus` (null: the first online CPU only) while all online CPUs are captured with IRQs off. */
export const stopMachine = routine(
  "stop_machine",
  [{ fn: code }, { data: u64 }, { cpus: ptr(CpuMask) }],
  i32,
  (k, { fn, data, cpus }) => {
    k.mark("call");
    k.call(cpusReadLock);
    const ret = k.let("ret", k.call(stopMachineCpuslocked, fn, data, cpus));
    k.call(cpusReadUnlock);
    k.mark("return");
    k.return(ret);
  },
);
