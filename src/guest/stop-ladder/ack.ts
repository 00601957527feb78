// set_cpu_online(cpu, false) (kernel/cpu.c): going offline is how a CPU reports that it has stopped.

import { addressOf, nothing, routine, testBit, type Builder, type Local } from "../../asm/index.ts";
import { numOnlineCpus, onlineMaskPointer } from "../lib/cpumask.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";

/** The bit, and the counter if it was set: a CPU that goes offline twice counts once. */
export const setCpuOffline = routine("set_cpu_offline", [], nothing, (k) => {
  k.mark("enter");
  k.if(k.testAndClearBit(onlineMaskPointer, local.here.cpu), () => {
    k.mark(observed("ack"));
    k.atomicDec(numOnlineCpus);
  });
});

/** num_other_online_cpus(): the counter, less this CPU if it is online itself, which is looked at first. */
export function numOtherOnlineCpus(k: Builder): Local<"u32"> {
  const thisCpu = k.let("this_cpu_online", k.bool(testBit(onlineMaskPointer, local.here.cpu)));
  return k.let("others", k.readOnce(addressOf(numOnlineCpus).at(0)).sub(thisCpu));
}
