// Bringing a CPU up (kernel/cpu.c): one CPU lets another out of its start-up code. What the other does before it becomes online and active
// is the image's choice: x86's mtrr_ap_init() calls stop_machine_from_inactive_cpu() there.

import { addressOf, i32, imageOption, nothing, routine, slot, u32, type Builder } from "../../asm/index.ts";
import { halt } from "../entry/fatal.ts";
import { archSmtUpdate } from "../irqchip/controller.ts";
import { activeMaskPointer, numOnlineCpus, onlineMaskPointer } from "../lib/cpumask.ts";
import { HotplugStep, StartKind, hotplug, local, request } from "../percpu.ts";
import { complete, initCompletion, waitForCompletion } from "../sched/completion.ts";
import { mutexLock, mutexUnlock } from "../sched/mutex.ts";
import { stopMachineUnpark } from "../stop/stopper.ts";
import { cpuAddRemoveLock, cpusWriteLock, cpusWriteUnlock } from "./lock.ts";
import { playDead } from "./play-dead.ts";

/**
 * 1: the starting CPU makes its call without the hotplug lock and does not come up. No kernel does that; the call then meets other
 * callers at stop_cpus_mutex, which the lock would have kept away.
 */
export const startingOnly = imageOption("startingOnly", u32, 0);

/** notify_cpu_starting: on a CPU that has its interrupt controller and its per-CPU block, and is neither online nor active. */
export const cpuStarting = slot("notify_cpu_starting", {}, nothing);

/** The CPU's place in the world: its stopper takes works, and then others see it. The count comes last: boot waits for that. */
export function announceCpu(k: Builder): void {
  k.set(hotplug.here.state, HotplugStep.Online);
  k.call(stopMachineUnpark);
  k.setBit(onlineMaskPointer, local.here.cpu);
  k.setBit(activeMaskPointer, local.here.cpu);
  k.atomicInc(numOnlineCpus);
}

/** Start-up code of a CPU that waits to be brought up (cpuhp_ap_sync_alive), IRQs off; or of one that is to be offline. */
export const startHeldCpu = routine("cpuhp_ap_sync_alive", [], nothing, (k) => {
  k.if(hotplug.here.start.eq(StartKind.Dead), () => k.call(playDead));
  k.mark("held");
  k.while(
    () => k.loadAcquire(hotplug.here.state).lt(HotplugStep.BringupCpu),
    () => k.cpuRelax(),
  );
  k.call(cpuStarting);
  k.if(startingOnly.eq(0), () => announceCpu(k));
  k.call(complete, addressOf(hotplug.here.done));
  k.if(startingOnly.ne(0), () => k.call(halt));
});

/** cpu_up: waits until the CPU is there. Returns what it noted in its request block. */
export const cpuUp = routine("cpu_up", { cpu: u32 }, i32, (k, { cpu }) => {
  const state = k.let("st", addressOf(hotplug.of(cpu)));
  k.if(startingOnly.eq(0), () => {
    k.call(mutexLock, addressOf(cpuAddRemoveLock));
    k.call(cpusWriteLock);
  });
  initCompletion(k, addressOf(state.done));
  k.storeRelease(state.state, HotplugStep.BringupCpu);
  k.call(waitForCompletion, addressOf(state.done));
  k.if(startingOnly.eq(0), () => {
    k.call(cpusWriteUnlock);
    k.call(archSmtUpdate);
    k.call(mutexUnlock, addressOf(cpuAddRemoveLock));
  });
  k.return(request.of(cpu).returned.to(i32));
});
