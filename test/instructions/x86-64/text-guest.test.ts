// The machine whose programs are text, by rules that each need another part of it.

import { describe, expect, it } from "vitest";
import { CpuState } from "../../../src/abi.ts";
import { icr, NMI } from "./interrupt-guest.ts";
import { awaitWord, endOfInterrupt, note, rdmsr, runGuest, setWord, TextGuest, wait, wrmsr } from "./text-guest.ts";

describe("a guest given as text", () => {
  it("takes an interrupt from another CPU, and returns from it to where it was", () => {
    const guest = runGuest({
      programs: [
        awaitWord(0) + wrmsr("IA32_X2APIC_ICR", icr(0x40, { destination: 1 })),
        `${setWord(0)} mov $7, %eax; sti; hlt; after: mov %rax, %r8`,
      ],
      handlers: { 0x40: note(0x40) + rdmsr("IA32_X2APIC_ISR0 + 2", "%r9") + endOfInterrupt() },
    });
    expect(guest.noted).toEqual([0x40n]);
    // Vector 40H is bit 0 of the third word; RAX is what it was.
    expect(guest.regs(1, "r8", "r9")).toEqual([7n, 1n]);
    expect(guest.state(1)).toBe(CpuState.WAITING);
  });

  it("names handlers as the manual does, and leaves a raw one alone", () => {
    const guest = runGuest({
      programs: ["mov $0x7fff, %ecx; rdmsr; after: mov $1, %r8d"],
      handlers: { gp: { raw: "pop %r9; mov (%rsp), %r10; addq $2, (%rsp); iretq" } },
    });
    expect(guest.regs(0, "r8", "r9")).toEqual([1n, 0n]);
    expect(guest.reg(0, "r10")).toBe(guest.address("program0", "after") - 2n);
  });

  it("drops the error code of a handler of its own accord", () => {
    const guest = runGuest({
      programs: ["mov $0x7fff, %ecx; rdmsr; mov $1, %r8d"],
      handlers: { 13: "mov 24(%rsp), %r9; addq $2, 32(%rsp)" },
    });
    expect(guest.regs(0, "r8", "r9")).toEqual([1n, 0n]);
  });

  it("keeps an NMI handler's registers", () => {
    const guest = runGuest({
      programs: [
        `mov $5, %eax; ${awaitWord(1)} mov %rax, %r8`,
        wrmsr("IA32_X2APIC_ICR", icr(0, { mode: NMI, destination: 0 })),
      ],
      handlers: { nmi: `xor %eax, %eax; ${setWord(1)}` },
    });
    expect(guest.reg(0, "r8")).toBe(5n);
  });

  it("gives what is written once to all CPUs, with their numbers", () => {
    const guest = runGuest({
      cpus: 4,
      programs: "mov $CPU, %r8d; mov %rdi, %r9; call routine",
      shared: "routine: lea 100(%r8), %r10; ret",
    });
    for (const cpu of [0, 1, 2, 3])
      expect(guest.regs(cpu, "r8", "r9", "r10")).toEqual([BigInt(cpu), BigInt(cpu), BigInt(100 + cpu)]);
  });

  it("notes the vector that no handler was given for", () => {
    const guest = runGuest({ programs: ["ud2"] });
    expect(guest.frame().vector).toBe(6);
  });

  it("sends what has no handler of its own to one that has the vector in R15", () => {
    const guest = runGuest({
      programs: ["int $0x51; int $0x52; mov %r15, %r8"],
      handlers: { 0x51: note(1), others: note(2) },
    });
    expect([guest.noted, guest.reg(0, "r8")]).toEqual([[1n, 2n], 0x52n]);
  });

  it("gives macros to all texts", () => {
    const macros = `.macro twice register
        add \\register, \\register
      .endm`;
    const options = { macros, shared: "routine: twice %r8; ret", handlers: { 0x51: "twice %r9" } };
    const guest = runGuest({
      ...options,
      programs: ["mov $3, %r8d; mov $5, %r9d; int $0x51; call routine; twice %r8"],
    });
    expect(guest.regs(0, "r8", "r9")).toEqual([12n, 10n]);
    expect(() => runGuest({ ...options, programs: ["nop\n twice %r88"] })).toThrow(/program0: 2:8: no such register/);
  });

  it("software-enables the local APIC in either mode", () => {
    const xapic = "mov $0xfee00000, %edx; mov 0xf0(%rdx), %r8d";
    expect(runGuest({ localApic: "xapic", programs: [xapic] }).reg(0, "r8")).toBe(0x1ffn);
    const x2apic = rdmsr("IA32_X2APIC_SIVR", "%r8");
    expect(runGuest({ localApic: "x2apic", programs: [x2apic] }).reg(0, "r8")).toBe(0x1ffn);
  });

  it("leaves CPUs without a program off", () => {
    const guest = runGuest({ programs: [wait(10), undefined, "nop"] });
    expect([0, 1, 2].map((cpu) => guest.state(cpu))).toEqual([CpuState.WAITING, CpuState.OFFLINE, CpuState.WAITING]);
  });

  it("finds a label in the text that has it, and refuses one that is in two", () => {
    const guest = new TextGuest({
      programs: ["nop; here: nop; both: nop", "both: nop"],
      handlers: { nmi: "there: nop" },
    });
    expect(guest.label("here")).toBe(guest.address("program0", "here"));
    expect(guest.label("there")).toBe(guest.address("handler2", "there"));
    expect(() => guest.label("both")).toThrow("the label both is in program0 and program1");
  });

  it("runs a text at an address of its own", () => {
    const guest = new TextGuest({ programs: ["mov $CODE + 0x3f00, %eax; jmp *%rax"] });
    guest.place(0x1_3f00, "mov $7, %r8d; cli; hlt").run();
    expect(guest.reg(0, "r8")).toBe(7n);
  });

  it("says in which text and line a mistake is", () => {
    expect(() => new TextGuest({ programs: ["nop", "nop\n  mvo $1, %eax"] })).toThrow(
      /program1: 2:3: no such instruction/,
    );
  });
});
