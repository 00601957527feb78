// __sdei_handler() and sdei_handler_abort() (arch/arm64/kernel/sdei.c): an event's callback, and how its handler ends.

import { i32, isNull, nothing, ptr, routine, signature, u64, type Condition, type Pointer } from "../../asm/index.ts";
import { PMR_IRQS_OFF } from "../irqchip/gicv3.ts";
import { observed } from "../observe.ts";
import { NMI_OFFSET } from "../arm64/handle-irq.ts";
import { counters, local } from "../percpu.ts";
import { SdeiStatus, eventContext } from "./calls.ts";
import { sdeiAsmAbort } from "./abort.ts";
import { sdeiParkAddress } from "./park.ts";
import { SdeiRegisteredEvent, sdeiActiveCritical, sdeiActiveNormal } from "./event.ts";

/** Registers that are the event's own at entry. */
const CLOBBERED_REGISTERS = 4;

const PSTATE_I = 1 << 7;
/** M[3:0] of EL1h, and of EL0t; M[4] is AArch32. */
const MODE = 0x1f;
const EL1H = 5;
const AARCH32 = 0x10;
/** IRQ vectors: of the kernel, of 64-bit and of 32-bit user mode. */
const VECTOR_KERNEL = 0x280;
const VECTOR_USER_64 = 0x480;
const VECTOR_USER_32 = 0x680;

/** sdei_event_callback: 0, or an error. */
const SdeiCallback = signature([{ regs: ptr(SdeiRegisteredEvent) }, { arg: u64 }], i32);

type Event = Pointer<typeof SdeiRegisteredEvent>;

/** interrupts_enabled(): by PSTATE.I, and by PMR where that masks IRQs. */
function irqsEnabled(event: Event): Condition {
  const { pstate, pmr } = event.interrupted_regs;
  return pstate.and(PSTATE_I).eq(0).and(pmr.ne(PMR_IRQS_OFF));
}

/**
 * Runs the callback. A kernel that had IRQs masked is gone back to; everybody else is made to look as if an interrupt had come, so that
 * the ways out of interrupts are taken. @returns what EVENT_COMPLETE is told, or the address at which to resume
 */
export const sdeiHandler = routine("__sdei_handler", { event: ptr(SdeiRegisteredEvent) }, u64, (k, { event }) => {
  // From within the handler, this always succeeds.
  for (let register = 0; register < CLOBBERED_REGISTERS; register++)
    k.set(event.interrupted_regs.x.at(register), eventContext(k, register));
  k.set(local.here.preempt_count, local.here.preempt_count.add(NMI_OFFSET));
  k.set(counters.here.nmis, counters.here.nmis.add(1));
  k.mark(observed("nmi_enter"));
  const failed = k.let("failed", k.callPointer(event.callback, SdeiCallback, event, event.callback_arg));
  k.mark(observed("nmi_leave"));
  k.set(local.here.preempt_count, local.here.preempt_count.sub(NMI_OFFSET));
  k.if(failed.ne(0), () => k.return(SdeiStatus.Failed));
  const park = k.let("park", k.call(sdeiParkAddress, event));
  k.if(park.ne(0), () => k.return(park));
  const mode = k.let("mode", event.interrupted_regs.pstate.and(MODE));
  k.if(mode.eq(EL1H).and(irqsEnabled(event).not()), () => k.return(SdeiStatus.Handled));
  const vbar = k.arch({ arm64: (a, { result }) => void a.mrs(result, "vbar_el1") }, { uses: {}, result: u64 });
  k.if(mode.eq(EL1H), () => k.return(vbar.add(VECTOR_KERNEL)));
  k.if(mode.and(AARCH32).ne(0), () => k.return(vbar.add(VECTOR_USER_32)));
  k.return(vbar.add(VECTOR_USER_64));
});

/**
 * sdei_handler_abort(): ends the events that are open on this CPU, the innermost first, so that whatever runs next can take interrupts
 * again. Everything is masked afterwards.
 */
export const sdeiHandlerAbort = routine("sdei_handler_abort", [], nothing, (k) => {
  k.if(isNull(sdeiActiveCritical.here).not(), () => {
    k.mark(observed("say", { which: "aborting_critical_event" }));
    k.call(sdeiAsmAbort);
    k.set(sdeiActiveCritical.here, null);
  });
  k.if(isNull(sdeiActiveNormal.here).not(), () => {
    k.mark(observed("say", { which: "aborting_event" }));
    k.call(sdeiAsmAbort);
    k.set(sdeiActiveNormal.here, null);
  });
});
