// What calls panic() knows of it: a reason by number, and no return.

import { bind, nothing, routine, slot, u32 } from "../../asm/index.ts";
import { halt } from "../entry/fatal.ts";
import { observed } from "../observe.ts";
import { keep } from "../lib/keep.ts";

/** Why a kernel panics: the argument of panic(). */
export const PanicReason = { MicrocodePrimaryTimedOut: 0x75c0 } as const;

/** panic(): never returns. */
export const panicSlot = slot("panic", { reason: u32 }, nothing);

/** The message, and then everything masked for ever; the others go on. */
export const panicHere = routine("panic_here", { reason: u32 }, nothing, (k, { reason }) => {
  const why = k.let("why", reason);
  k.daifMask();
  k.irqDisable();
  k.mark(observed("say", { which: "panic", locals: ["why"] }));
  keep(k, why);
  k.call(halt);
});

export const panicHereBinding = bind(panicSlot, panicHere);
