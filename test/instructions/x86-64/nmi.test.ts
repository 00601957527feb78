// NMIs, and the shadows of STI and MOV SS (Intel SDM volume 3A, 6.7, 6.8), rule by rule.

import { describe, expect, it } from "vitest";
import { NMI_VECTOR, nmiTo } from "./interrupt-guest.ts";
import { caught, endOfInterrupt, note, rdmsr, runGuest, type TextGuest, wait, wrmsr } from "./text-guest.ts";

const sendNmi = wrmsr("IA32_X2APIC_ICR", nmiTo(0));
/** Sends an NMI to the CPU itself, and stays until it is there. */
const interruptOneself = sendNmi + wait(1000);
const interruptByVector = wrmsr("IA32_X2APIC_SELF_IPI", 0x47) + wait(1000);

/** A handler that notes its run, and does more in the first one. */
function onFirst(text: string): string {
  return `${note(1)} cmpq $1, NOTES; jne again; ${text}\n again:`;
}

describe("an NMI", () => {
  it("comes whatever IF says, and does not touch the APIC's registers", () => {
    const guest = runGuest({
      programs: [interruptOneself],
      handlers: { nmi: note(2) + rdmsr("IA32_X2APIC_ISR0", "%r8") + rdmsr("IA32_X2APIC_PPR", "%r9") },
    });
    expect(guest.noted).toEqual([2n]);
    expect(guest.regs(0, "r8", "r9")).toEqual([0n, 0n]);
  });

  it("is blocked until IRET, and of those that come meanwhile one is kept (SDM 3A 6.7.1)", () => {
    const guest = runGuest({
      programs: [sendNmi + wait(5000) + note(9)],
      handlers: { nmi: onFirst(sendNmi + sendNmi + sendNmi + wait(1000) + note(2)) },
    });
    expect(guest.noted).toEqual([1n, 2n, 1n, 9n]);
  });

  it("that was kept is taken directly behind the IRET, before an instruction of what it returns to", () => {
    const guest = runGuest({
      programs: [sendNmi + wait(2000)],
      // RIP of the frame, of both runs
      handlers: { nmi: `mov 24(%rsp), %r10; ${onFirst(`${interruptOneself} mov 24(%rsp), %r9`)}` },
    });
    const [first, second] = guest.regs(0, "r9", "r10");
    expect(guest.noted).toEqual([1n, 1n]);
    expect(second).toBe(first);
  });

  it("is let in by the IRET of an exception inside its handler", () => {
    const guest = runGuest({
      programs: [sendNmi + wait(5000)],
      handlers: { nmi: onFirst(`${interruptOneself} int3; ${note(2)}`), bp: note(3) },
    });
    expect(guest.noted).toEqual([1n, 3n, 1n, 2n]);
  });

  it("is let in also by an IRET that faults", () => {
    const guest = runGuest({
      programs: [sendNmi + wait(5000)],
      // NT set: #GP
      handlers: { nmi: onFirst(`${interruptOneself} push $0x4002; popfq; iretq`), gp: `${note(13)} cli; hlt` },
    });
    // the NMI comes before the first instruction of #GP's handler
    expect(guest.noted).toEqual([1n, 1n, 13n]);
  });

  it("is not blocked by INT 2, which IRET doesn't end either", () => {
    const guest = runGuest({
      programs: [`int $2; ${note(9)}`],
      handlers: { nmi: onFirst(interruptOneself + note(2)) },
    });
    expect(guest.noted).toEqual([1n, 1n, 2n, 9n]);
  });

  it("comes before an interrupt at the same boundary (SDM 3A table 6-2)", () => {
    const guest = runGuest({
      // both arrive in a shadow of STI that lasts as long as a slow instruction
      programs: [`${interruptByVector} ${sendNmi} sti; wbinvd; ${wait(1000)}`],
      handlers: { nmi: note(2), 0x47: note(0x47) + endOfInterrupt() },
    });
    expect(guest.noted).toEqual([2n, 0x47n]);
  });

  it("uses the interrupt stack table, and writes a frame without error code", () => {
    const { frame } = caught(interruptOneself, { gates: { [NMI_VECTOR]: { ist: 3 } } });
    expect(frame.vector).toBe(NMI_VECTOR);
    expect(frame.rflags & (1n << 16n)).toBe(0n);
  });
});

describe("a shadow", () => {
  /** Where an interrupt that is pending is taken, in code that opens interrupts. */
  function takenAt(text: string): { guest: TextGuest; rip: bigint } {
    const guest = runGuest({
      programs: [`mov %ss, %ebx; ${interruptByVector} ${text}; nop; nop; nop`],
      handlers: { 0x47: `mov 24(%rsp), %r9; ${endOfInterrupt()}` },
    });
    return { guest, rip: guest.reg(0, "r9") };
  }

  it("of STI covers the next instruction", () => {
    const { guest, rip } = takenAt("sti; nop; here:");
    expect(rip).toBe(guest.label("here"));
  });

  it("of STI is none when IF was set already; of STI and CLI nothing is left", () => {
    const { rip } = takenAt(`sti; cli; nop; ${wait(100)}`);
    expect(rip).toBe(0n);
  });

  it("does not follow POPFQ or IRETQ (SDM 2B POPF)", () => {
    const popped = takenAt("push $0x202; popfq; here:");
    expect(popped.rip).toBe(popped.guest.label("here"));
    const returned = takenAt("mov %rsp, %rax; push %rbx; push %rax; push $0x202; push $8; push $here; iretq; here:");
    expect(returned.rip).toBe(returned.guest.label("here"));
  });

  it("of MOV SS covers the next instruction, STI or not (SDM 3A 6.8.3)", () => {
    const { guest, rip } = takenAt("sti; mov %ebx, %ss; nop; here:");
    expect(rip).toBe(guest.label("here"));
  });

  it("of MOV SS is not made longer by more of them", () => {
    const { guest, rip } = takenAt(
      "push $2; popfq; sti; mov %ebx, %ss; mov %ebx, %ss; here: mov %ebx, %ss; mov %ebx, %ss",
    );
    expect(rip).toBe(guest.label("here"));
  });

  it("holds off NMIs too", () => {
    for (const opening of ["sti", "mov %ebx, %ss"]) {
      // the NMI arrives during WBINVD, and is held off by its shadow
      const { guest, frame } = caught(`mov %ss, %ebx; ${sendNmi} ${opening}; wbinvd; here: nop; ${wait(1000)}`);
      expect(frame).toMatchObject({ vector: NMI_VECTOR, rip: guest.label("here") });
    }
  });
});
