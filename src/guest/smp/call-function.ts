// Functions that one CPU has others call, and waits for (kernel/smp.c of Linux 4.14, where ipi_benchmark was posted for): a queue
// per CPU, an interrupt for a queue that was empty, and a lock per request that its function's return gives back.

import {
  addressOf,
  code,
  cpuCount,
  global,
  isNull,
  nothing,
  ptr,
  routine,
  signature,
  u32,
  u64,
  type Builder,
  type Pointer,
  type PointerLocal,
} from "../../asm/index.ts";
import { sendCallFunction, sendCallFunctionMask } from "../irqchip/controller.ts";
import { forEachCpu, onlineMaskPointer } from "../lib/cpumask.ts";
import { CpuMask } from "../lib/mask.ts";
import { CallSingleData, callManyData, callSingleQueue, local } from "../percpu.ts";

type Csd = Pointer<typeof CallSingleData>;

/** CSD_FLAG_LOCK, CSD_FLAG_SYNCHRONOUS */
const CsdFlag = { Lock: 1, Synchronous: 2 } as const;

/** smp_call_func_t */
const SmpCallFunction = signature({ info: u64 }, nothing);

/** cfd_data.cpumask of the one CPU that calls many: CPUs whose queue was empty. */
const cpumaskIpi = global("cfd_cpumask_ipi", CpuMask, { section: "arena", align: 64 });

function csdLockWait(k: Builder, csd: Csd): void {
  k.while(
    () => k.loadAcquire(csd.flags).and(CsdFlag.Lock).ne(0),
    () => k.cpuRelax(),
  );
}

function csdLock(k: Builder, csd: Csd): void {
  csdLockWait(k, csd);
  k.set(csd.flags, CsdFlag.Lock | CsdFlag.Synchronous);
  k.smpWmb("csd_lock");
}

/** llist_add. @returns 1 when the queue was empty */
const queueCall = routine(
  "call_single_queue_add",
  [{ csd: ptr(CallSingleData) }, { cpu: u32 }],
  u32,
  (k, { csd, cpu }) => {
    const head = k.let("head", addressOf(callSingleQueue.of(cpu)));
    const first = k.let("first", k.readOnce(head.at(0)));
    k.loop(() => {
      k.set(csd.next, first);
      k.if(k.tryCmpxchg(head.at(0), first, csd), () => k.return(k.bool(isNull(first))));
    });
  },
);

/** smp_call_function_single() with wait: the CPU itself calls the function at once, IRQs off. */
export const smpCallFunctionSingle = routine(
  "smp_call_function_single",
  [{ cpu: u32 }, { func: code }, { info: u64 }],
  nothing,
  (k, { cpu, func, info }) => {
    const csd = k.stackStruct("csd", CallSingleData);
    k.if(
      cpu.eq(local.here.cpu),
      () => {
        const flags = k.irqSave();
        k.callPointer(func, SmpCallFunction, info);
        k.irqRestore(flags);
      },
      () => {
        k.set(csd.flags, 0);
        csdLock(k, csd);
        k.set(csd.func, func);
        k.set(csd.info, info);
        k.if(k.call(queueCall, csd, cpu).ne(0), () => k.call(sendCallFunction, cpu));
        csdLockWait(k, csd);
      },
    );
  },
);

/** smp_call_function_single_async(): the caller's own request block, and no wait. */
export const smpCallFunctionSingleAsync = routine(
  "smp_call_function_single_async",
  [{ cpu: u32 }, { csd: ptr(CallSingleData) }],
  nothing,
  (k, { cpu, csd }) => {
    k.set(csd.flags, CsdFlag.Lock);
    k.smpWmb("csd_lock");
    k.if(k.call(queueCall, csd, cpu).ne(0), () => k.call(sendCallFunction, cpu));
  },
);

function forEachOther(
  k: Builder,
  body: (csd: PointerLocal<typeof CallSingleData>, cpu: Parameters<Parameters<typeof forEachCpu>[2]>[0]) => void,
): void {
  forEachCpu(k, onlineMaskPointer, (cpu) => {
    k.if(cpu.ne(local.here.cpu), () => body(k.let("csd", addressOf(callManyData.of(cpu))), cpu));
  });
}

/** smp_call_function_many() for all online CPUs but this one, with wait. One CPU calls it at a time. @param way SendingWay */
export const smpCallFunctionMany = routine(
  "smp_call_function_many",
  [{ func: code }, { info: u64 }, { way: u32 }],
  nothing,
  (k, { func, info, way }) => {
    const ipi = k.let("ipi", addressOf(cpumaskIpi));
    k.for("i", 0, cpuCount.add(63).shr(6), (i) => k.set(ipi.bits.at(i), 0));
    forEachOther(k, (csd, cpu) => {
      csdLock(k, csd);
      k.set(csd.func, func);
      k.set(csd.info, info);
      k.if(k.call(queueCall, csd, cpu).ne(0), () => {
        const word = ipi.bits.at(cpu.shr(6));
        const one = k.let("one", 1, u64);
        k.set(word, word.or(one.shl(cpu.and(63).to(u64))));
      });
    });
    k.mark("send");
    k.call(sendCallFunctionMask, ipi, way);
    k.mark("sent");
    forEachOther(k, (csd) => csdLockWait(k, csd));
  },
);

/** flush_smp_call_function_queue(): what the interrupt comes for. In the order in which it was queued. */
const flushCallFunctionQueue = routine("flush_smp_call_function_queue", [], nothing, (k) => {
  const entry = k.let("entry", k.xchg(callSingleQueue.here, null));
  const reversed = k.let("reversed", null, ptr(CallSingleData));
  k.while(isNull(entry).not(), () => {
    const next = k.let("next", entry.next);
    k.set(entry.next, reversed);
    k.set(reversed, entry);
    k.set(entry, next);
  });
  k.mark("enter");
  k.while(isNull(reversed).not(), () => {
    const csd = k.let("csd", reversed);
    k.set(reversed, csd.next);
    k.mark("run");
    k.callPointer(csd.func, SmpCallFunction, csd.info);
    k.storeRelease(csd.flags, 0);
  });
  k.mark("leave");
});

/** What the image binds to handle_other_interrupt: call-function interrupts, whichever. */
export const callFunctionInterrupt = routine("call_function_interrupt", { id: u32 }, nothing, (k) => {
  k.call(flushCallFunctionQueue);
});
