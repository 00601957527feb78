// A CPU that panics in an NMI, as a request: it sends itself one that a handler takes for a fatal error.

import { addressOf, global, i32, perCpu, ptr, routine, u32 } from "../../asm/index.ts";
import { X86Vector } from "../../abi.ts";
import { X64Regs } from "../entry/regs.ts";
import { sendIpi } from "../irqchip/controller.ts";
import { relaxFor } from "../load/work.ts";
import { rawSpinLockIrqsave, rawSpinUnlockIrqrestore } from "../lib/spinlock.ts";
import { once, onceGuard } from "../lib/once.ts";
import { NMI_FLAG_FIRST, NmiAction, NmiHandled, NmiType, nmiDesc } from "../nmi/data.ts";
import { registerNmiHandler } from "../nmi/handlers.ts";
import { nmiPanic } from "../nmi/panic.ts";
import { observed } from "../observe.ts";
import { Request, local } from "../percpu.ts";
import { panicInListLock } from "./data.ts";

/** 1: the next NMI here tells of a fatal error. */
const fatalError = perCpu("fatal_error", u32, { offset: 0xac0 });

const fatalErrorHandler = routine(
  "fatal_error_nmi_handler",
  [{ type: u32 }, { regs: ptr(X64Regs) }],
  i32,
  (k, { regs }) => {
    k.if(fatalError.here.eq(0), () => k.return(NmiHandled.Done));
    k.set(fatalError.here, 0);
    k.mark(observed("handle", { which: "fatal" }));
    k.call(nmiPanic, regs);
    k.return(NmiHandled.Handled);
  },
);

const fatalErrorAction = global("fatal_error_nmi_action", NmiAction, {
  initial: { handler: fatalErrorHandler, flags: NMI_FLAG_FIRST },
  align: 64,
});
const registered = onceGuard("fatal_error_registered");

export const callNmiPanic = routine("request_nmi_panic", { request: ptr(Request) }, i32, (k) => {
  once(k, registered, () => void k.call(registerNmiHandler, NmiType.Local, addressOf(fatalErrorAction)));
  k.mark(observed("call"));
  const cpu = k.let("cpu", local.here.cpu);
  k.set(fatalError.here, 1);
  const lock = addressOf(nmiDesc.at(NmiType.Local).lock);
  const flags = k.let("flags", rawSpinLockIrqsave(k, lock));
  k.if(panicInListLock.eq(0), () => rawSpinUnlockIrqrestore(k, lock, flags));
  k.mark(observed("raise", { which: "fatal", locals: ["cpu"] }));
  k.call(sendIpi, cpu, X86Vector.NMI);
  k.loop(() => relaxFor(k, 1000));
});
