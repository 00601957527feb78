// Small x86-64 guests to which a test sends SMIs, NMIs, INITs and interrupts at a chosen instruction: programs as text, run up to
// a label.

import { Counter, type DeliveryMode, type TraceKind } from "../../../src/abi.ts";
import { note, TextGuest, type TextGuestOptions } from "../../instructions/x86-64/text-guest.ts";
import type { TraceRecord } from "../../support/bare-machine.ts";
import { plainTiming } from "../../support/plain-timing.ts";

/** WBINVD is the slow instruction during which messages arrive. */
export const figures = { writeBackAll: 1000, smm: 300, cpuOn: 50, interrupt: 40, device: 20 };
export const VECTOR = 0x47;

export const noted = (guest: TextGuest): number[] => guest.noted.map(Number);

/** A handler notes its number, then RIP and RFLAGS of its frame (words `frameWord` and the next of DATA). */
export function notes(number: number, frameWord = 40): string {
  // behind RAX, RCX and RDX, which are saved: RIP, CS, RFLAGS
  return `${note(number)}
    mov 24(%rsp), %rax; mov %rax, DATA + 8 * ${frameWord}
    mov 40(%rsp), %rax; mov %rax, DATA + 8 * ${frameWord + 1}\n`;
}

/** CPU i runs programs[i], with tables and APIC set and IF clear. Nothing has run yet; all is traced. */
export function guestOf(
  programs: readonly string[],
  handlers: TextGuestOptions["handlers"] = {},
  options: Omit<TextGuestOptions, "programs" | "handlers"> = {},
): TextGuest {
  const guest = new TextGuest({ timing: plainTiming("x86-64", figures), ...options, programs, handlers });
  guest.machine.core.setTraceMask(0xffff_ffff);
  return guest;
}

export const now = (guest: TextGuest): bigint => guest.machine.counter(Counter.NOW);

/** Runs until the next instruction of a CPU is the one at a label. @returns the cycle, which has not been run */
export function runTo(guest: TextGuest, label: string, cpu = 0): bigint {
  const target = guest.label(label);
  for (let step = 0; step < 20_000; step++) {
    if (guest.pc(cpu) === target) return now(guest);
    guest.machine.run(now(guest) + 1n);
  }
  throw new Error(`CPU ${cpu} does not come to ${label}`);
}

/** A message of the platform, some cycles from now. */
export function send(guest: TextGuest, mode: DeliveryMode, { cpu = 0, vector = 0, after = 5 } = {}): void {
  guest.machine.core.sendInterrupt(cpu, vector, mode, now(guest) + BigInt(after));
}

export function sendSmi(guest: TextGuest, { cpu = 0, duration = 0, after = 5 } = {}): void {
  guest.machine.core.sendSmi(cpu, duration, now(guest) + BigInt(after));
}

export function records(guest: TextGuest, ...kinds: TraceKind[]): TraceRecord[] {
  return guest.machine.drain().filter(({ kind }) => kinds.includes(kind));
}
