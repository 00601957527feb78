// TPAUSE, UMONITOR and UMWAIT (Intel SDM 2B, TPAUSE, UMONITOR, UMWAIT; volume 4, IA32_UMWAIT_CONTROL), rule by rule.

import { describe, expect, it } from "vitest";
import { DATA } from "./guest.ts";
import { TextGuest, wait, wrmsr } from "./text-guest.ts";
import { plainTiming } from "../../support/plain-timing.ts";

const UMWAIT_CONTROL = 0xe1;
const WAKE = 7;
/** Behind the wait: the time in R15, and CF in R14. */
const behind = "setc %r14b; rdtsc; shl $32, %rdx; lea (%rax,%rdx), %r15; movzbl %r14b, %r14d";

/** Sets EDX:EAX to a time that is so far ahead of now, which R13 keeps. */
const ahead = (cycles: number): string =>
  `rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, %r13; add $${cycles}, %rax; mov %rax, %rdx; shr $32, %rdx`;

function ran(
  programs: readonly string[],
  handlers: Record<string, string> = {},
  tscOffsets?: readonly bigint[],
): TextGuest {
  const guest = new TextGuest({
    timing: plainTiming("x86-64", { wakePause: WAKE }),
    programs,
    handlers,
    symbols: { UMWAIT_CONTROL, WORD: DATA + 0x400 },
    ...(tscOffsets && { tscOffsets }),
  });
  guest.run(100_000);
  return guest;
}

/** Cycles from the first RDTSC to the one behind. */
const took = (guest: TextGuest): number => Number(guest.reg(0, "r15") - guest.reg(0, "r13"));
/** TPAUSE itself and what stands around it. */
const SLACK = 15;

describe("TPAUSE", () => {
  it("waits until the time-stamp counter reaches EDX:EAX, whatever the counter's upper half", () => {
    for (const offset of [0n, 0xffff_f000n, 1n << 63n]) {
      const guest = ran([`xor %ecx, %ecx; ${ahead(5000)}; tpause %ecx; ${behind}`], {}, [offset]);
      expect(took(guest)).toBeGreaterThanOrEqual(5000 + WAKE);
      expect(took(guest)).toBeLessThan(5000 + WAKE + SLACK);
      expect(guest.reg(0, "r14")).toBe(0n);
    }
  });

  it("does nothing when that time is over, and clears all status flags", () => {
    const guest = ran([`xor %ecx, %ecx; ${ahead(-1)}; cmp $-1, %rsp; stc; tpause %ecx; pushf; pop %r12; ${behind}`]);
    expect(took(guest)).toBeLessThan(SLACK + 5);
    expect(guest.reg(0, "r12") & 0x8d5n).toBe(0n);
  });

  it.each([2, 0x8000_0000])("raises #GP for reserved bits of its operand (%d)", (control) => {
    const guest = ran([`mov $${control}, %ecx; ${ahead(500)}; tpause %ecx; ${behind}`], {
      gp: "incq DATA; addq $4, 32(%rsp)",
    });
    expect(guest.data(0)).toBe(1n);
    expect(took(guest)).toBeLessThan(500);
  });

  it("takes either state, and looks at the lower half of its operand alone", () => {
    const guest = ran([`mov $0x100000001, %rcx; ${ahead(500)}; tpause %ecx; ${behind}`]);
    expect(took(guest)).toBeGreaterThanOrEqual(500);
  });

  it.each([0n, 1n])("ends when IA32_UMWAIT_CONTROL says so, and tells by CF (bit 0 %d)", (shallow) => {
    const limit = (control: bigint): TextGuest =>
      ran([`${wrmsr("UMWAIT_CONTROL", control | shallow)} xor %ecx, %ecx; ${ahead(5000)}; tpause %ecx; ${behind}`]);
    const limited = limit(2000n);
    expect(took(limited)).toBeGreaterThanOrEqual(2000);
    expect(took(limited)).toBeLessThan(2000 + WAKE + 2 * SLACK);
    expect(limited.reg(0, "r14")).toBe(1n);
    const unlimited = [limit(0n), limit(8000n)];
    for (const guest of unlimited) expect([guest.reg(0, "r14"), took(guest) >= 5000]).toEqual([0n, true]);
  });

  it("is ended by an interrupt, masked or not, that comes before its time", () => {
    const later = `${wrmsr("IA32_X2APIC_DIV_CONF", 0xb)} ${wrmsr("IA32_X2APIC_LVT_TIMER", 0x40)} ${wrmsr("IA32_X2APIC_INIT_COUNT", 1000)}`;
    for (const [flag, handled] of [
      ["cli", 0n],
      ["sti", 1n],
    ] as const) {
      const guest = ran([`${flag}; ${later} xor %ecx, %ecx; ${ahead(5000)}; tpause %ecx; ${behind}; cli`], {
        0x40: "incq DATA",
      });
      expect(took(guest)).toBeGreaterThan(900);
      expect(took(guest)).toBeLessThan(1100);
      expect(guest.data(0)).toBe(handled);
    }
  });

  it("does not wait where an interrupt is pending", () => {
    const guest = ran([
      `cli; ${wrmsr("IA32_X2APIC_SELF_IPI", 0x40)} ${wait(100)} xor %ecx, %ecx; ${ahead(5000)}; tpause %ecx; ${behind}`,
    ]);
    expect(took(guest)).toBeLessThan(SLACK + 5);
  });

  it("leaves the APIC timer its time", () => {
    const timer = `${wrmsr("IA32_X2APIC_DIV_CONF", 0xb)} ${wrmsr("IA32_X2APIC_LVT_TIMER", 0x40)} ${wrmsr("IA32_X2APIC_INIT_COUNT", 3000)}`;
    const pauses = Array.from({ length: 40 }, () => `${ahead(50)}; tpause %ecx\n`).join("");
    const note = "rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, DATA";
    const [alone, beside] = ["", pauses].map((between) =>
      ran([`rdtsc; mov %rax, %r12; xor %ecx, %ecx; ${timer} xor %ecx, %ecx; ${between} sti; hlt; cli`], { 0x40: note }),
    );
    const fired = (guest: TextGuest | undefined): number =>
      Number((guest?.data(0) ?? 0n) - (guest?.reg(0, "r12") ?? 0n));
    expect(fired(alone)).toBeGreaterThan(3000);
    expect(fired(beside)).toBe(fired(alone));
  });
});

describe("IA32_UMWAIT_CONTROL", () => {
  it("reads as written, and has reserved bits", () => {
    const read = `mov $UMWAIT_CONTROL, %ecx; rdmsr; mov %rax, %r12; mov %rdx, %r11`;
    expect(ran([`${wrmsr("UMWAIT_CONTROL", 0xffff_fffdn)} ${read}`]).reg(0, "r12")).toBe(0xffff_fffdn);
    for (const bits of [2n, 1n << 32n]) {
      expect(ran([wrmsr("UMWAIT_CONTROL", bits)], { gp: "incq DATA; addq $2, 32(%rsp)" }).data(0)).toBe(1n);
    }
  });
});

describe("UMWAIT", () => {
  const monitored = (middle: string): string =>
    `xor %ecx, %ecx; mov $WORD, %rbx; umonitor %rbx; ${middle} ${ahead(9000)}; umwait %ecx; ${behind}`;

  it("ends when the line that UMONITOR has armed is written", () => {
    const guest = ran([monitored(""), `${wait(1000)} movq $1, WORD + 8`]);
    expect(took(guest)).toBeGreaterThan(1000);
    expect(took(guest)).toBeLessThan(2500);
  });

  it("ends at its time without that", () => {
    const guest = ran([monitored(""), `${wait(2000)} movq $1, WORD + 64`]);
    expect(took(guest)).toBeGreaterThanOrEqual(9000 + WAKE);
  });

  it("does not wait when the line has been written since, nor without UMONITOR", () => {
    expect(took(ran([monitored(`ready: cmpq $0, WORD; je ready;`), `${wait(500)} movq $1, WORD`]))).toBeLessThan(
      SLACK + 5,
    );
    expect(took(ran([`xor %ecx, %ecx; ${ahead(9000)}; umwait %ecx; ${behind}`]))).toBeLessThan(SLACK + 5);
  });
});

describe("CPUID", () => {
  it("announces WAITPKG (leaf 7, ECX bit 5)", () => {
    expect(ran(["mov $7, %eax; xor %ecx, %ecx; cpuid"]).reg(0, "rcx") & 32n).toBe(32n);
  });
});
