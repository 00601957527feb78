// gic_handle_irq() (drivers/irqchip/irq-gic-v3.c) and el1_interrupt() (arch/arm64/kernel/entry-common.c) where interrupts may be NMIs:
// by priority, by superpriority (FEAT_NMI), or none. The default entry without a saved context is in entry/interrupt.ts.

import {
  nothing,
  ptr,
  routine,
  u32,
  u64,
  type Builder,
  type Condition,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { enterInterrupt, exitInterrupt, otherInterrupt } from "../entry/interrupt.ts";
import { Arm64Regs } from "../entry/regs.ts";
import {
  FIRST_SPECIAL_INTID,
  IPI_RESCHEDULE,
  PMR_IRQS_OFF,
  PMR_IRQS_ON,
  PRIORITY_PSEUDO_NMI,
  gicAcknowledge,
  gicEndOfInterrupt,
} from "../irqchip/gicv3.ts";
import { observed } from "../observe.ts";
import { counters, local } from "../percpu.ts";
import { irqRegs } from "./percpu.ts";

type Regs = Pointer<typeof Arm64Regs>;

/** PSTATE.I of a saved context. */
const PSTATE_I = 1 << 7;
/** PSTATE.D and .A, as MSR DAIFClr takes them; PSTATE.I and .F. */
const DEBUG_AND_SERROR = 12;
const INTERRUPTS = 3;
/** NMI_OFFSET + HARDIRQ_OFFSET (include/linux/preempt.h). */
export const NMI_OFFSET = (1 << 20) + (1 << 16);
/** ISR_EL1.IS: an IRQ with superpriority is pending. */
const ISR_SUPERPRIORITY = 1 << 10;

/** set_irq_regs() around a handler. */
function withRegs(k: Builder, regs: Regs, body: () => void): void {
  const before = k.let("before", irqRegs.here);
  k.set(irqRegs.here, regs);
  body();
  k.set(irqRegs.here, before);
}

/** nmi_enter(), the handler, nmi_exit(). @param id 1020 and above: nothing was there to acknowledge */
const handleNmi = routine("__gic_handle_nmi", { id: u32 }, nothing, (k, { id }) => {
  k.if(id.ge(FIRST_SPECIAL_INTID), () => k.return());
  k.set(local.here.preempt_count, local.here.preempt_count.add(NMI_OFFSET));
  k.set(counters.here.nmis, counters.here.nmis.add(1));
  k.mark(observed("nmi_enter"));
  gicEndOfInterrupt(k, id);
  k.call(otherInterrupt, id);
  k.mark(observed("nmi_leave"));
  k.set(local.here.preempt_count, local.here.preempt_count.sub(NMI_OFFSET));
});

/** The handler of an ordinary interrupt, and preemption behind it. */
const handleIrq = routine("__gic_handle_irq", [{ id: u32 }, { regs: ptr(Arm64Regs) }], nothing, (k, { id, regs }) => {
  k.if(id.ge(FIRST_SPECIAL_INTID), () => k.return());
  gicEndOfInterrupt(k, id);
  enterInterrupt(k);
  withRegs(k, regs, () =>
    k.if(
      id.ne(IPI_RESCHEDULE),
      () => k.call(otherInterrupt, id),
      () => k.mark("resched"),
    ),
  );
  exitInterrupt(k);
});

/** No interrupt is an NMI. */
export const handleIrqPlain = routine("gic_handle_irq_regs", { regs: ptr(Arm64Regs) }, nothing, (k, { regs }) => {
  k.call(handleIrq, gicAcknowledge(k), regs);
});

function daifClear(k: Builder, bits: number): void {
  k.arch({ arm64: (a) => void a.daifClr(bits) });
}

function readPmr(k: Builder): Value<"u64"> {
  return k.arch({ arm64: (a, { result }) => void a.mrs(result, "icc_pmr_el1") }, { uses: {}, result: u64 });
}

function writePmr(k: Builder, mask: Value<"u64">): void {
  k.arch({ arm64: (a, { mask: value }) => void a.msr("icc_pmr_el1", value) }, { uses: { mask } });
}

/** regs_irqs_disabled(): by PSTATE.I or by PMR. */
function irqsWereOff(regs: Regs): Condition {
  return regs.pstate.and(PSTATE_I).ne(0).or(regs.pmr.ne(PMR_IRQS_ON));
}

/**
 * With pseudo-NMIs. From a context with IRQs off only an NMI may be acknowledged: PMR hides the rest for the time of the IAR. From one with
 * IRQs on, the running priority tells what it was; an ordinary interrupt then runs with IRQs masked by PMR and DAIF open, so that
 * NMIs can interrupt it.
 */
export const handleIrqPseudoNmi = routine("gic_handle_irq_pnmi", { regs: ptr(Arm64Regs) }, nothing, (k, { regs }) => {
  daifClear(k, DEBUG_AND_SERROR);
  const irqsOff = k.let("irqs_off", PMR_IRQS_OFF, u64);
  k.if(
    irqsWereOff(regs),
    () => {
      const pmr = k.let("pmr", readPmr(k));
      writePmr(k, irqsOff);
      k.instructionFence();
      const id = k.let("id", gicAcknowledge(k));
      writePmr(k, pmr);
      withRegs(k, regs, () => k.call(handleNmi, id));
    },
    () => {
      const id = k.let("id", gicAcknowledge(k));
      const priority = k.arch(
        { arm64: (a, { result }) => void a.mrs(result, "icc_rpr_el1") },
        { uses: {}, result: u64 },
      );
      const isNmi = k.let("is_nmi", k.bool(priority.eq(PRIORITY_PSEUDO_NMI)));
      k.if(isNmi.ne(0), () => withRegs(k, regs, () => k.call(handleNmi, id)));
      writePmr(k, irqsOff);
      daifClear(k, INTERRUPTS);
      k.if(isNmi.eq(0), () => k.call(handleIrq, id, regs));
    },
  );
});

/**
 * With FEAT_NMI: ISR_EL1 tells what came, and NMIs have an acknowledge register of their own. An ordinary interrupt then runs with
 * PSTATE.I set and ALLINT clear (the series "arm64/nmi", not merged).
 */
export const handleIrqFeatNmi = routine("gic_handle_irq_nmi", { regs: ptr(Arm64Regs) }, nothing, (k, { regs }) => {
  const pending = k.arch({ arm64: (a, { result }) => void a.mrs(result, "isr_el1") }, { uses: {}, result: u64 });
  k.if(pending.and(ISR_SUPERPRIORITY).ne(0), () => {
    const id = k.let("id", gicAcknowledge(k, "icc_nmiar1_el1"));
    withRegs(k, regs, () => k.call(handleNmi, id));
    k.return();
  });
  k.arch({ arm64: (a) => void a.msrImmediate("allint", 0) });
  k.call(handleIrq, gicAcknowledge(k), regs);
});
