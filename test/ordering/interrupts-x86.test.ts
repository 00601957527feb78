// A store, then an interrupt: what the handler reads of the store (SDM 3A 11.12.3, 12.3, 9.2, 9.3).

import { describe, expect, it } from "vitest";
import { XAPIC_BASE } from "../../src/abi.ts";
import { NMI, TO_OTHERS, icr } from "../instructions/x86-64/interrupt-guest.ts";
import { DATA } from "../instructions/x86-64/guest.ts";
import { TextGuest, endOfInterrupt, wait } from "../instructions/x86-64/text-guest.ts";
import { plainTiming } from "../support/plain-timing.ts";
import { ROUNDS, core, offsets, settings, staleRounds, type Setting } from "./rounds.ts";

const FLAG = DATA + offsets.flag;
const OWNED = DATA + offsets.owned;
const DONE = DATA + offsets.done;
const READY = DATA + offsets.ready;
const RESULTS = DATA + offsets.results;
const symbols = { FLAG, OWNED, DONE, READY, RESULTS, ROUNDS, XAPIC: XAPIC_BASE };

interface Sending {
  /** Before the flag is stored. */
  readonly prepare: string;
  /** Behind the barrier. */
  readonly send: string;
  readonly localApic?: "xapic" | "x2apic";
}

function byMsr(value: bigint): Sending {
  const prepare = `mov $IA32_X2APIC_ICR, %ecx; mov $${value & 0xffff_ffffn}, %eax; mov $${value >> 32n}, %edx`;
  return { prepare, send: "wrmsr" };
}

function byMmio(low: bigint): Sending {
  const prepare = "mov $XAPIC, %edx; movl $1 << 24, 0x310(%rdx)";
  return { prepare, send: `movl $${low & 0xffff_ffffn}, 0x300(%rdx)`, localApic: "xapic" };
}

const VECTOR = 0x40;
const fixed = icr(VECTOR, { destination: 1 });
const nmi = icr(0, { mode: NMI, destination: 1 });

function program({ prepare, send }: Sending, barrier: string): string {
  return `
    xor %r8, %r8
    round: inc %r8
    awaitOwned: cmp %r8, OWNED; jne awaitOwned
    mov %r8, %rcx; imul $13, %rcx; and $63, %rcx; inc %rcx
    skew: dec %rcx; jnz skew
    ${prepare}
    mov %r8, FLAG
    ${barrier}
    ${send}
    awaitDone: cmp %r8, DONE; jne awaitDone
    cmp $ROUNDS, %r8; jne round`;
}

/** Takes the flag's line to write it, in every other round only to read it. */
const hold = `
    xor %r8, %r8
    turn: inc %r8
    mov FLAG, %rax
    test $1, %r8; jz held
    lock; addq $0, FLAG
    held: ${wait(20)}
    mov %r8, OWNED
    finish: cmp %r8, DONE; jne finish
    cmp $ROUNDS, %r8; jne turn`;

function handler(end: string): string {
  return `mov FLAG, %rax; mov DONE, %rcx; mov %rax, RESULTS(,%rcx,8); inc %rcx; mov %rcx, DONE; ${end}`;
}

function staleOn(sending: Sending, barrier: string, { topology, figures, holder, seed }: Setting): number {
  const ready = "sti; movq $1, READY;";
  const idle = "idle: hlt; jmp idle";
  const others = holder === 1 ? [`${ready} ${hold}`] : [`${ready} ${idle}`, `a: cmpq $1, READY; jne a; ${hold}`];
  const { localApic = "x2apic" } = sending;
  const end = localApic === "xapic" ? "mov $XAPIC, %edx; movl $0, 0xb0(%rdx)" : endOfInterrupt();
  const guest = new TextGuest({
    core,
    localApic,
    topology,
    timing: plainTiming("x86-64", figures),
    symbols,
    programs: [program(sending, barrier), ...others],
    // No NMI is acknowledged.
    handlers: { [VECTOR]: handler(end), nmi: handler("") },
  });
  guest.machine.core.setPerturbation(seed);
  guest.run(2_000_000);
  return staleRounds(guest.machine, DATA);
}

/** Rounds with a stale flag, over all settings. */
function stale(sending: Sending, barrier: string): number {
  return settings("x86-64").reduce((sum, setting) => sum + staleOn(sending, barrier, setting), 0);
}

describe.each([
  ["a fixed interrupt", byMsr(fixed)],
  ["an NMI", byMsr(nmi)],
] as const)("%s by WRMSR to the x2APIC ICR, which is not serialising (SDM 3A 11.12.3)", (_, sending) => {
  it.each(["", "sfence", "lfence"])("may overtake the flag's store behind '%s'", (barrier) => {
    expect(stale(sending, barrier)).toBeGreaterThan(0);
  });

  it.each(["mfence; lfence", "mfence", "lock; addq $0, (%rsp)", "xchg %r9, (%rsp)"])(
    "never does behind '%s'",
    (barrier) => {
      expect(stale(sending, barrier)).toBe(0);
    },
  );
});

describe("a broadcast by WRMSR to the x2APIC ICR", () => {
  const sending = byMsr(icr(VECTOR, { shorthand: TO_OTHERS }));

  it("may overtake the flag's store, but not behind MFENCE; LFENCE", () => {
    expect(stale(sending, "")).toBeGreaterThan(0);
    expect(stale(sending, "mfence; lfence")).toBe(0);
  });
});

describe.each([
  ["a fixed interrupt", byMmio(fixed)],
  ["an NMI", byMmio(nmi)],
] as const)("%s by a store to the xAPIC ICR, which is uncached (SDM 3A 9.2, 12.3)", (_, sending) => {
  it("never overtakes the flag's store", () => {
    expect(stale(sending, "")).toBe(0);
  });
});
