// Taking a CPU offline (kernel/cpu.c: cpu_down, takedown_cpu).

import { addressOf, codeOf, cpuCount, i32, nothing, routine, slot, u32, u64 } from "../../asm/index.ts";
import { archSmtUpdate } from "../irqchip/controller.ts";
import { clearCpuOnline, cpumaskAnyBut, cpumaskOf, numOnlineCpus, onlineMaskPointer } from "../lib/cpumask.ts";
import { EBUSY } from "../lib/errno.ts";
import { HotplugStep, counters, hotplug, load, local } from "../percpu.ts";
import { initCompletion, waitForCompletion } from "../sched/completion.ts";
import { mutexLock, mutexUnlock } from "../sched/mutex.ts";
import { stopMachineCpuslocked } from "../stop/stop-machine.ts";
import { stopMachinePark } from "../stop/stopper.ts";
import { schedCpuActivate, schedCpuDeactivate } from "./active.ts";
import { cpuAddRemoveLock, cpusWriteLock, cpusWriteUnlock } from "./lock.ts";
import { moveToCpu } from "./work-on-cpu.ts";

/** What keeps interrupts away from the calling CPU: the last part of __cpu_disable(). */
export const disableInterrupts = slot("irq_disable_cpu", {}, nothing);

/** take_cpu_down: what the dying CPU runs while all others are captured. */
const takeCpuDown = routine("take_cpu_down", { data: u64 }, i32, (k) => {
  k.set(counters.here.calls, counters.here.calls.add(1));
  // __cpu_disable: the architecture may refuse, as PSCI does for the CPU that its trusted OS lives on.
  const err = k.let("err", load.here.function_result.to(i32));
  k.if(err.lt(0), () => k.return(err));
  clearCpuOnline(k, local.here.cpu);
  k.call(disableInterrupts);
  // The DYING callbacks, which must not fail, would come here.
  k.set(hotplug.here.state, HotplugStep.ApOffline);
  k.call(stopMachinePark);
  k.return(0);
});

/**
 * Stops the machine to take a CPU out, then waits for its idle task to say that nothing else runs there. What the kernel does around that
 * has nothing to act on here: parking the thread cpuhp/N, and locking interrupt descriptors, of which there are none.
 */
const takedownCpu = routine("takedown_cpu", { cpu: u32 }, i32, (k, { cpu }) => {
  const mask = k.let("mask", k.call(cpumaskOf, cpu));
  const err = k.let("err", k.call(stopMachineCpuslocked, codeOf(takeCpuDown), 0, mask));
  k.if(err.ne(0), () => k.return(err));
  k.call(waitForCompletion, addressOf(hotplug.of(cpu).done));
  k.if(k.readOnce(hotplug.of(cpu).state).ne(HotplugStep.IdleDead), () => k.bug());
  k.return(0);
});

const cpuDownLocked = routine("_cpu_down", { cpu: u32 }, i32, (k, { cpu }) => {
  const state = k.let("st", addressOf(hotplug.of(cpu)));
  k.if(state.state.ne(HotplugStep.Online), () => k.return(0));
  k.call(cpusWriteLock);
  const ret = k.let("ret", -EBUSY, i32);
  k.if(numOnlineCpus.gt(1), () => {
    initCompletion(k, addressOf(state.done));
    k.call(schedCpuDeactivate, cpu);
    k.set(state.state, HotplugStep.TeardownCpu);
    k.set(ret, k.call(takedownCpu, cpu));
    k.if(
      ret.eq(0),
      () => k.set(state.state, HotplugStep.Offline),
      () => {
        // "CPU refused to die": back to where it was.
        k.set(state.state, HotplugStep.Online);
        k.call(schedCpuActivate, cpu);
      },
    );
  });
  k.call(cpusWriteUnlock);
  k.call(archSmtUpdate);
  k.return(ret);
});

/** Takes a CPU offline, from another one: a caller that runs on it goes elsewhere first. -EBUSY for the last CPU. */
export const cpuDown = routine("cpu_down", { cpu: u32 }, i32, (k, { cpu }) => {
  k.mark("call");
  k.call(mutexLock, addressOf(cpuAddRemoveLock));
  const ret = k.let("ret", -EBUSY, i32);
  const other = cpumaskAnyBut(k, onlineMaskPointer, cpu);
  k.if(other.lt(cpuCount), () => {
    k.if(cpu.eq(local.here.cpu), () => k.call(moveToCpu, other));
    k.set(ret, k.call(cpuDownLocked, cpu));
  });
  k.call(mutexUnlock, addressOf(cpuAddRemoveLock));
  k.mark("return");
  k.return(ret);
});
