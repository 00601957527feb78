// NMIs that the kernel is told to panic at (kernel parameters of arch/x86/kernel/nmi.c).

import { imageOption, nothing, ptr, routine, slot, u32 } from "../../asm/index.ts";
import { halt } from "../entry/fatal.ts";
import { X64Regs } from "../entry/regs.ts";
import { observed } from "../observe.ts";

/** unknown_nmi_panic, panic_on_unrecovered_nmi, panic_on_io_nmi: 1 to panic. */
export const unknownNmiPanic = imageOption("unknownNmiPanic", u32, 0);
export const panicOnUnrecoveredNmi = imageOption("panicOnUnrecoveredNmi", u32, 0);
export const panicOnIoNmi = imageOption("panicOnIoNmi", u32, 0);

/** nmi_panic(): may come back, where another CPU panics already and this one is the one that does. */
export const nmiPanic = slot("nmi_panic", { regs: ptr(X64Regs) }, nothing);

/** Of a kernel whose panic is no part of the image: this CPU stays here. */
export const haltInNmi = routine("nmi_panic_halt", { regs: ptr(X64Regs) }, nothing, (k) => {
  k.mark(observed("say", { which: "nmi_panic" }));
  k.call(halt);
});
