// stop_this_cpu() (arch/x86/kernel/process.c). Two of its steps have nothing to act on here: machine
// checks, and a platform's own way to stop.

import { addressOf, asmRoutine, global, nothing, routine, signature, u32, type Builder } from "../../asm/index.ts";
import { disableInterrupts } from "../hotplug/cpu-down.ts";
import { clearCpuOnline, numOnlineCpus, onlineMaskPointer } from "../lib/cpumask.ts";
import { rawSpinLock, rawSpinUnlock } from "../lib/spinlock.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { cachesIncoherent, cpusStopMaskPointer } from "./data.ts";

/** native_halt() for ever: an NMI wakes the CPU, and it halts again. */
export const haltForEver = asmRoutine(
  "halt_for_ever",
  {
    x64: (a) => {
      a.label("again").hlt().jmp("again");
    },
  },
  { signature: signature([], nothing), noReturn: true },
);

/** The path from the last-level caches to memory, which CPUs that write back at a time get one after another. */
const memoryBus = global("write_back_bus", u32, { align: 64 });

/**
 * WBINVD. That it takes longer the more CPUs do it, since all share the way to memory, is modelled by a lock around it: the time that one
 * takes alone (timing parameter writeBackAll) is that of its turn.
 */
const writeBackCaches = routine("write_back_caches", [], nothing, (k) => {
  k.mark(observed("work_start", { which: "flush" }));
  k.call(rawSpinLock, addressOf(memoryBus));
  k.arch({ x64: (a) => void a.wbinvd() });
  rawSpinUnlock(k, addressOf(memoryBus));
  k.mark(observed("work_end", { which: "flush" }));
});

function silence(k: Builder): void {
  k.call(disableInterrupts);
  k.if(cachesIncoherent.ne(0), () => k.call(writeBackCaches));
}

/** Until 2023: a CPU that has left the online mask counts as stopped, whatever it does afterwards (S16). */
export const stopThisCpuByOnlineMask = routine(
  "stop_this_cpu_online",
  [],
  nothing,
  (k) => {
    k.mark("enter");
    k.irqDisable();
    k.if(k.testAndClearBit(onlineMaskPointer, local.here.cpu), () => {
      k.mark(observed("ack"));
      k.atomicDec(numOnlineCpus);
    });
    silence(k);
    k.mark(observed("park", { which: "hlt" }));
    k.call(haltForEver);
  },
  { noReturn: true },
);

/** Since 2023: the report comes last. */
export const stopThisCpuByStopMask = routine(
  "stop_this_cpu_mask",
  [],
  nothing,
  (k) => {
    k.mark("enter");
    k.irqDisable();
    const cpu = k.let("cpu", local.here.cpu);
    clearCpuOnline(k, cpu);
    silence(k);
    k.mark(observed("ack"));
    k.clearBit(cpusStopMaskPointer, cpu);
    k.mark(observed("park", { which: "hlt" }));
    k.call(haltForEver);
  },
  { noReturn: true },
);
