// Handlers of interrupts, NMIs and exceptions of a random x86-64 machine.

import { RAX, RCX, RDX, RSP } from "../../instructions/x86-64/code.ts";
import type { Random } from "../random.ts";
import { MSR_EOI, X64 } from "../x64.ts";
import {
  CODE_SELECTOR,
  DATA_SELECTOR,
  EXCEPTIONS,
  HANDLERS,
  IDT_POINTER,
  INTERRUPTS,
  NMIS,
  NO_IDT_POINTER,
  SHORT_IDT_POINTER,
  privately,
} from "./layout.ts";
import { EQUAL, NOT_EQUAL, loadIdt, now } from "./snippet.ts";

export const HANDLER_KINDS = 6;

/** Interrupts count in private memory; some linger, some open interrupts again before their EOI. */
export function emitHandlers(random: Random, apicMode: X64["apicMode"]): X64 {
  const code = new X64(HANDLERS);
  code.apicMode = apicMode;
  for (let kind = 0; kind < HANDLER_KINDS; kind++) {
    code.label(`interrupt${kind}`).mark().push(RAX).push(RCX).push(RDX);
    code.increment(8, privately(INTERRUPTS), random.chance(30));
    linger(code, random);
    if (random.chance(30)) {
      code.sti();
      linger(code, random);
      code.cli();
    }
    code.mark().writeApic(MSR_EOI, 0);
    linger(code, random);
    code.pop(RDX).pop(RCX).pop(RAX).mark().iret();
  }
  emitNmi(code, random);
  // UD2 is two bytes long.
  code.label("undefined").mark().increment(4, privately(EXCEPTIONS));
  code.opImmediate("add", 8, { base: RSP }, 2).iret();
  code.label("trap").mark().increment(4, privately(EXCEPTIONS), true).iret();
  // What user mode is refused has one byte; it may refuse nothing else.
  code.label("protection").raw(0xf6, 0x44, 0x24, 0x10, 3).jumpIf(EQUAL, "unexpected");
  code.increment(4, privately(EXCEPTIONS)).increment(8, { base: RSP, displacement: 8 });
  code.opImmediate("add", 8, RSP, 8).iret();
  // Behind the INT, at CPL 0: the stack is empty but for this frame.
  code.label("leave").mark().push(RAX).lea(8, RAX, { base: RSP, displacement: 48 });
  code.store(8, { base: RSP, displacement: 32 }, RAX);
  code.storeImmediate(8, { base: RSP, displacement: 16 }, CODE_SELECTOR);
  code.storeImmediate(8, { base: RSP, displacement: 40 }, DATA_SELECTOR);
  code.pop(RAX).mark().iret();
  // Nothing else may come.
  loadIdt(code.label("unexpected"), NO_IDT_POINTER).ud2().jump("unexpected");
  return code;
}

/** Lets who was in shutdown come out of it; in some machines NMIs shut down themselves now and then, where none gets through. */
function emitNmi(code: X64, random: Random): void {
  code.label("nmi").mark().increment(8, privately(NMIS)).push(RCX);
  linger(code, random);
  if (random.chance(20)) {
    code.push(RAX).push(RDX);
    now(code, 0x30, () => loadIdt(code, SHORT_IDT_POINTER).ud2());
    code.pop(RDX).pop(RAX);
  }
  loadIdt(code, IDT_POINTER);
  code.pop(RCX).iret();
}

function linger(code: X64, random: Random): void {
  if (random.chance(60)) return;
  const head = code.fresh();
  code.set(RCX, random.between(1, 9)).label(head).mark().pause().decrement(4, RCX).jumpIf(NOT_EQUAL, head);
}
