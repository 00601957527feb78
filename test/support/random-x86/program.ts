// One random x86-64 program: it gets a CPU going, and goes round some snippets for ever.

import { RBP, RBX, RCX, RSP, type Memory } from "../../instructions/x86-64/code.ts";
import type { Random } from "../random.ts";
import { MSR_TSC, type X64 } from "../x64.ts";
import {
  GDT,
  GDT_POINTER,
  IDT_POINTER,
  NO_IDT_POINTER,
  PRIVATE,
  PRIVATE_BYTES,
  SHARED,
  tssSelector,
} from "./layout.ts";
import { NOT_EQUAL, loadIdt, type Place, type Snippet } from "./snippet.ts";
import { accesses, lockedSplit } from "./snippets/accesses.ts";
import { spins } from "./snippets/spins.ts";
import { deadlines } from "./snippets/time.ts";
import { arithmetic } from "./snippets/arithmetic.ts";
import { calls } from "./snippets/calls.ts";
import { apic, prepareApic } from "./snippets/apic.ts";
import { interrupts } from "./snippets/interrupts.ts";
import { others } from "./snippets/others.ts";
import { stores } from "./snippets/stores.ts";
import { shutdowns, systemMessages } from "./snippets/systemMessages.ts";
import { userMode } from "./snippets/userMode.ts";

export function program(code: X64, random: Random, place: Place): void {
  const absolute = (displacement: number): Memory => ({ displacement });
  // The tables are warm, and first of all: by the time anybody sends an NMI, all can take it.
  loadIdt(code, IDT_POINTER);
  code.put({ opcode: [0x0f, 0x01], reg: 2, rm: absolute(GDT_POINTER) });
  // INIT may come, and leaves the descriptor busy.
  code.storeImmediate(1, absolute(GDT + tssSelector(place.cpu) + 5), 0x89);
  code.set(RCX, tssSelector(place.cpu)).raw(0x0f, 0x00, 0xd9); // ltr %cx
  code.set(RBX, SHARED).set(RBP, PRIVATE + place.cpu * PRIVATE_BYTES);
  code.set(RCX, 30).label("others").decrement(4, RCX).jumpIf(NOT_EQUAL, "others");
  prepareApic(code, random, place);
  // Counters that soon wrap, in 32 or 64 bits.
  if (random.chance(30)) {
    const wrap = random.pick([1n << 32n, 1n << 64n, 1n << 31n, 1n << 63n]);
    code.writeMsr(MSR_TSC, wrap - BigInt(random.between(50, 5000)));
  }
  code.sti().label("again");
  const count = random.between(3, 10);
  for (let i = 0; i < count; i++) {
    code.mark();
    random.pick(snippets)(code, random, place);
  }
  if (place.fatal && random.chance(20)) endMachine(code, random);
  code.jump("again");
}

/** Shutdown by an exception that can't be delivered, or by a stack that doesn't exist; something that isn't modelled. */
function endMachine(code: X64, random: Random): void {
  code.mark();
  const kind = random.between(0, 2);
  if (kind === 0) loadIdt(code, NO_IDT_POINTER).ud2();
  else if (kind === 1) code.set(RSP, 0xf00_0000).ud2();
  else code.raw(0xdb, 0xe3); // FNINIT: there is no x87
}

/** The order is part of what a seed means. */
const snippets: readonly Snippet[] = [
  ...accesses,
  ...spins,
  ...deadlines,
  ...arithmetic,
  ...calls,
  ...interrupts,
  ...others,
  lockedSplit,
  ...apic,
  systemMessages,
  shutdowns,
  stores,
  stores,
  userMode,
  userMode,
];
