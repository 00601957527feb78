// Time-stamp counter, CPUID, control registers and MSRs (Intel SDM volume 2A CPUID, 3A 2.5, 3B 18.17, 4), rule by rule.

import { describe, expect, it } from "vitest";
import { buildTopology } from "../../../src/topology/index.ts";
import { caught, rdmsr, runGuest, wait, wrmsr } from "./text-guest.ts";

const join = (to: string): string => `shl $32, %rdx; or %rdx, %rax; mov %rax, ${to}\n`;
const readCounter = (to: string): string => `rdtsc; ${join(to)}`;
const cpuid = (leaf: number, subleaf = 0): string => `mov $${leaf}, %eax; mov $${subleaf}, %ecx; cpuid`;
const after = (program: string) => caught(program).guest;

describe("the time-stamp counter", () => {
  it("advances with time", () => {
    const guest = after(readCounter("%r8") + wait(100) + readCounter("%r9"));
    const [before = 0n, later = 0n] = guest.regs(0, "r8", "r9");
    expect(later - before).toBeGreaterThan(100n);
    expect(later - before).toBeLessThan(1000n);
  });

  it("jumps by a write to IA32_TSC_ADJUST, and a write to it shows there (SDM 3B 18.17.3)", () => {
    const guest = after(
      wrmsr("IA32_TSC_ADJUST", 0x1_0000_0000n) +
        readCounter("%r8") +
        rdmsr("IA32_TSC_ADJUST", "%r9") +
        wrmsr("IA32_TSC", 0x5_0000_0000n) +
        readCounter("%r10") +
        rdmsr("IA32_TSC_ADJUST", "%r11"),
    );
    const [jumped = 0n, adjust = 0n, written = 0n, shown = 0n] = guest.regs(0, "r8", "r9", "r10", "r11");
    expect(jumped >> 32n).toBe(1n);
    expect(adjust).toBe(0x1_0000_0000n);
    expect(written >> 32n).toBe(5n);
    expect(shown - adjust).toBeGreaterThan(0x3_ffff_0000n);
  });

  it("comes with IA32_TSC_AUX by RDTSCP; RDPID reads that alone", () => {
    const guest = after(`${wrmsr("IA32_TSC_AUX", 0x1234_5678)} rdtscp; mov %rcx, %r8; rdpid %r9`);
    expect(guest.regs(0, "r8", "r9")).toEqual([0x1234_5678n, 0x1234_5678n]);
  });
});

describe("CPUID", () => {
  it("says in leaf B the x2APIC id of the CPU that asks, for every subleaf", () => {
    const apicIds = [0, 3, 0x1_0000, 0x1_2345];
    const topology = buildTopology({ packages: 1, coresPerLlc: 4, apicIds });
    const guest = runGuest({
      programs: `
        ${cpuid(0xb)}; mov %rdx, %r8
        ${cpuid(0xb, 7)}; mov %rdx, %r9; mov %rcx, %r10
        ${rdmsr("IA32_X2APIC_APICID", "%r11")}`,
      cpus: apicIds.length,
      topology,
    });
    for (const [cpu, id] of apicIds.entries())
      expect(guest.regs(cpu, "r8", "r9", "r10", "r11")).toEqual([BigInt(id), BigInt(id), 7n, BigInt(id)]);
  });

  it("clears the upper halves of its registers", () => {
    const guest = after(`
      mov $-1, %rbx; movabs $0xffffffff00000001, %rax; xor %ecx, %ecx; cpuid
      mov %rax, %r8; mov %rbx, %r9; mov %rcx, %r10; mov %rdx, %r11`);
    for (const value of guest.regs(0, "r8", "r9", "r10", "r11")) expect(value >> 32n).toBe(0n);
  });

  it("announces what is modelled, and not SSE and its kin", () => {
    const guest = after(`
      ${cpuid(1)}; mov %rcx, %r8; mov %rdx, %r9
      ${cpuid(7)}; mov %rbx, %r10; mov %rcx, %r11`);
    const [ecx1 = 0n, edx1 = 0n, ebx7 = 0n, ecx7 = 0n] = guest.regs(0, "r8", "r9", "r10", "r11");
    const bit = (word: bigint, number: number): bigint => (word >> BigInt(number)) & 1n;
    // MONITOR, CMPXCHG16B, x2APIC, MOVBE, POPCNT; TSC, MSR, CX8, APIC, CMOV; FSGSBASE, BMI1, BMI2, ADX; RDPID
    expect([3, 13, 21, 22, 23].map((number) => bit(ecx1, number))).toEqual([1n, 1n, 1n, 1n, 1n]);
    expect([4, 5, 8, 9, 15].map((number) => bit(edx1, number))).toEqual([1n, 1n, 1n, 1n, 1n]);
    expect([0, 3, 8, 19].map((number) => bit(ebx7, number))).toEqual([1n, 1n, 1n, 1n]);
    expect(bit(ecx7, 22)).toBe(1n);
    // SSE3, SSE4.2, XSAVE, AVX; x87, MMX, SSE, SSE2
    expect([0, 20, 26, 28].map((number) => bit(ecx1, number))).toEqual([0n, 0n, 0n, 0n]);
    expect([0, 23, 25, 26].map((number) => bit(edx1, number))).toEqual([0n, 0n, 0n, 0n]);
  });

  it("answers beyond the highest leaf as for the highest basic one", () => {
    const guest = after(`
      ${cpuid(0)}; mov %rax, %r8
      mov %r8, %rax; xor %ecx, %ecx; cpuid; mov %rax, %r9; mov %rbx, %r10
      ${cpuid(0x1234)}; mov %rax, %r11; mov %rbx, %rsi`);
    const [, highest, ebx, beyond, ebxBeyond] = guest.regs(0, "r8", "r9", "r10", "r11", "rsi");
    expect([beyond, ebxBeyond]).toEqual([highest, ebx]);
  });
});

it("CR0.ET is always set; reserved bits of CR0 are not kept (SDM 3A 2.5)", () => {
  const guest = after("mov $0x80010063, %eax; mov %rax, %cr0; mov %cr0, %r8");
  expect(guest.reg(0, "r8")).toBe(0x8001_0033n);
});

describe("ADCX and ADOX of 32 bits", () => {
  it.each([
    [0xffff_ffffn, 0n, 1n, 0n, 1n],
    [0xffff_ffffn, 0xffff_ffffn, 1n, 0xffff_ffffn, 1n],
    [0x7fff_ffffn, 0n, 1n, 0x8000_0000n, 0n],
    [0x8000_0000n, 0x8000_0000n, 0n, 0n, 1n],
    [5n, 6n, 0n, 11n, 0n],
  ])("%x + %x + %x", (x, y, carry, sum, out) => {
    for (const [prefix, flag] of [
      [0x66, 0n],
      [0xf3, 11n],
    ] as const) {
      const set = (carry << flag) | 2n;
      // upper halves don't count, and are cleared
      const guest = after(`
        movabs $${x | (0xdeadn << 32n)}, %r8; movabs $${y | (0xbeefn << 32n)}, %r9
        push $${set}; popfq
        .byte ${prefix}, 0x45, 0x0f, 0x38, 0xf6, 0xc1  # adcx %r9d, %r8d; adox with F3
        pushfq; pop %r10`);
      expect(guest.regs(0, "r8", "r10")).toEqual([sum, 2n | (out << flag)]);
    }
  });
});
