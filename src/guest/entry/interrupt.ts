// Interrupts behind the entry stubs: acknowledging, counting, and preempting the interrupted task on the way out.

import { arm64, nothing, routine, u32, u64, x64, type Builder, type Value } from "../../asm/index.ts";
import { LinuxVector, X86Vector } from "../../abi.ts";
import { IPI_RESCHEDULE } from "../ipi/send.ts";
import { counters, local } from "../percpu.ts";
import { preemptOnInterruptExit } from "../sched/schedule.ts";
import { badException } from "./fatal.ts";

/** irq_enter() adds this to the preempt count (include/linux/preempt.h). */
const HARDIRQ_OFFSET = 1 << 16;
const MSR_X2APIC_EOI = 0x80b;
/** INTIDs from here on are special: nothing was acknowledged. */
const FIRST_SPECIAL_INTID = 1020;

function enterInterrupt(k: Builder): void {
  k.set(local.here.preempt_count, local.here.preempt_count.add(HARDIRQ_OFFSET));
  k.set(counters.here.interrupts, counters.here.interrupts.add(1));
}

function exitInterrupt(k: Builder): void {
  k.set(local.here.preempt_count, local.here.preempt_count.sub(HARDIRQ_OFFSET));
  preemptOnInterruptExit(k);
}

/** x86: everything that comes through the IDT. */
export const x64Interrupt = routine("common_interrupt", [{ vector: u64 }], nothing, (k, { vector }) => {
  k.if(vector.eq(X86Vector.NMI), () => {
    k.set(counters.here.nmis, counters.here.nmis.add(1));
    k.return();
  });
  k.if(vector.lt(32), () => k.call(badException));
  enterInterrupt(k);
  writeEoi(k);
  k.if(vector.ne(LinuxVector.RESCHEDULE), () => k.call(badException));
  k.mark("resched");
  exitInterrupt(k);
});

function writeEoi(k: Builder): void {
  k.arch(
    { x64: (a) => void a.xor(x64.eax, x64.eax).xor(x64.edx, x64.edx).mov(x64.ecx, MSR_X2APIC_EOI).wrmsr() },
    { clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
}

/** arm64: the IRQ vector (drivers/irqchip/irq-gic-v3.c, plain interrupts). */
export const arm64Interrupt = routine("gic_handle_irq", [], nothing, (k) => {
  const id = acknowledge(k);
  k.if(id.ge(FIRST_SPECIAL_INTID), () => k.return());
  endOfInterrupt(k, id);
  enterInterrupt(k);
  k.if(id.ne(IPI_RESCHEDULE), () => k.call(badException));
  k.mark("resched");
  exitInterrupt(k);
});

function acknowledge(k: Builder): Value<"u32"> {
  const id = k.arch({ arm64: (a, { result }) => void a.mrs(arm64.armWithWidth(result, 64), "icc_iar1_el1").dsb("sy") }, { uses: {}, result: u32 });
  return k.let("id", id);
}

function endOfInterrupt(k: Builder, id: Value<"u32">): void {
  k.arch({ arm64: (a, { id: number }) => void a.msr("icc_eoir1_el1", arm64.armWithWidth(number, 64)).isb() }, { uses: { id } });
}
