// Interrupts behind the entry stubs: acknowledging, counting, and preempting the interrupted task on the way out.

import { nothing, ptr, routine, slot, u32, u64, type Builder } from "../../asm/index.ts";
import { LinuxVector, X86Vector } from "../../abi.ts";
import { endOfInterrupt } from "../irqchip/controller.ts";
import { FIRST_SPECIAL_INTID, IPI_RESCHEDULE, gicAcknowledge, gicEndOfInterrupt } from "../irqchip/gicv3.ts";
import { excNmi } from "../nmi/entry.ts";
import { observed } from "../observe.ts";
import { counters, local } from "../percpu.ts";
import { preemptOnInterruptExit } from "../sched/schedule.ts";
import { badException } from "./fatal.ts";
import { X64Regs } from "./regs.ts";

/** irq_enter() adds this to the preempt count (include/linux/preempt.h). */
const HARDIRQ_OFFSET = 1 << 16;

/** What else than a reschedule may come: a vector of x86-64, an INTID of arm64. */
export const otherInterrupt = slot("handle_other_interrupt", { id: u32 }, nothing);

/** Nothing else may. */
export const noOtherInterrupt = routine("no_other_interrupt", { id: u32 }, nothing, (k) => {
  k.call(badException);
});

/** Marks where the kernel's tracepoints of an interrupt's entry are: the number is in a local of the caller. */
export function enterInterrupt(k: Builder): void {
  k.mark("irq_entry");
  k.set(local.here.preempt_count, local.here.preempt_count.add(HARDIRQ_OFFSET));
  k.set(counters.here.interrupts, counters.here.interrupts.add(1));
}

/** As the kernel's tracepoints, the mark comes before preemption. */
export function exitInterrupt(k: Builder): void {
  k.mark("irq_exit");
  k.set(local.here.preempt_count, local.here.preempt_count.sub(HARDIRQ_OFFSET));
  preemptOnInterruptExit(k);
}

/** x86: everything that comes through the IDT. */
export const x64Interrupt = routine(
  "common_interrupt",
  [{ vector: u64 }, { regs: ptr(X64Regs) }],
  nothing,
  (k, { vector, regs }) => {
    k.if(vector.eq(X86Vector.NMI), () => {
      k.mark(observed("nmi_enter"));
      k.set(counters.here.nmis, counters.here.nmis.add(1));
      k.mark("nmi");
      k.call(excNmi, regs);
      k.mark(observed("nmi_leave"));
      k.return();
    });
    k.if(vector.eq(X86Vector.BREAKPOINT), () => {
      k.mark("int3");
      k.return();
    });
    k.if(vector.lt(32), () => k.call(badException));
    enterInterrupt(k);
    k.call(endOfInterrupt);
    k.if(
      vector.ne(LinuxVector.RESCHEDULE),
      () => k.call(otherInterrupt, vector.to(u32)),
      () => k.mark("resched"),
    );
    exitInterrupt(k);
  },
);

/** arm64: the IRQ vector (drivers/irqchip/irq-gic-v3.c, plain interrupts). */
export const arm64Interrupt = routine("gic_handle_irq", [], nothing, (k) => {
  const id = gicAcknowledge(k);
  k.if(id.ge(FIRST_SPECIAL_INTID), () => k.return());
  gicEndOfInterrupt(k, id);
  enterInterrupt(k);
  k.if(
    id.ne(IPI_RESCHEDULE),
    () => k.call(otherInterrupt, id),
    () => k.mark("resched"),
  );
  exitInterrupt(k);
});
