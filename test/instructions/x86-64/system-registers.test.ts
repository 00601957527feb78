// Time-stamp counter, CPUID, control registers and MSRs (Intel SDM volume 2A CPUID, 3A 2.5, 3B 18.17, 4), rule by rule.

import { describe, expect, it } from "vitest";
import { buildTopology } from "../../../src/topology/index.ts";
import { type Code, R10, R11, R8, R9, RAX, RBX, RCX, RDX, RSI } from "./code.ts";
import { Guest, X2APIC, caught, halt, readMsr, wait, writeMsr } from "./guest.ts";

const TSC = 0x10;
const TSC_ADJUST = 0x3b;
const TSC_AUX = 0xc000_0103;

/** Joins EDX:EAX in a register. */
function join(code: Code, to: number): void {
  code
    .put({ opcode: [0xc1], reg: 4, rm: RDX, wide: true, immediate: [32] })
    .alu("or", RAX, RDX)
    .mov(to, RAX);
}

function readCounter(code: Code, to: number): void {
  code.raw(0x0f, 0x31);
  join(code, to);
}

function after(emit: (code: Code) => void): Guest {
  return caught(emit).guest;
}

describe("the time-stamp counter", () => {
  it("advances with time", () => {
    const guest = after((code) => {
      readCounter(code, R8);
      wait(code, 100);
      readCounter(code, R9);
    });
    const [before = 0n, later = 0n] = guest.registers(0, R8, R9);
    expect(later - before).toBeGreaterThan(100n);
    expect(later - before).toBeLessThan(1000n);
  });

  it("jumps by a write to IA32_TSC_ADJUST, and a write to it shows there (SDM 3B 18.17.3)", () => {
    const guest = after((code) => {
      writeMsr(code, TSC_ADJUST, 0x1_0000_0000n);
      readCounter(code, R8);
      readMsr(code, TSC_ADJUST, R9);
      writeMsr(code, TSC, 0x5_0000_0000n);
      readCounter(code, R10);
      readMsr(code, TSC_ADJUST, R11);
    });
    const [jumped = 0n, adjust = 0n, written = 0n, shown = 0n] = guest.registers(0, R8, R9, R10, R11);
    expect(jumped >> 32n).toBe(1n);
    expect(adjust).toBe(0x1_0000_0000n);
    expect(written >> 32n).toBe(5n);
    expect(shown - adjust).toBeGreaterThan(0x3_ffff_0000n);
  });

  it("comes with IA32_TSC_AUX by RDTSCP; RDPID reads that alone", () => {
    const guest = after((code) => {
      writeMsr(code, TSC_AUX, 0x1234_5678);
      code.raw(0x0f, 0x01, 0xf9).mov(R8, RCX).raw(0xf3, 0x41, 0x0f, 0xc7, 0xf9); // rdpid r9
    });
    expect(guest.registers(0, R8, R9)).toEqual([0x1234_5678n, 0x1234_5678n]);
  });
});

describe("CPUID", () => {
  const cpuid = (code: Code, leaf: number, subleaf = 0): Code =>
    code.movShort(RAX, leaf).movShort(RCX, subleaf).raw(0x0f, 0xa2);

  it("says in leaf B the x2APIC id of the CPU that asks, for every subleaf", () => {
    const apicIds = [0, 3, 0x1_0000, 0x1_2345];
    const topology = buildTopology({ packages: 1, coresPerLlc: 4, apicIds });
    const guest = new Guest(
      (code) => {
        code.label("start");
        cpuid(code, 0xb).mov(R8, RDX);
        cpuid(code, 0xb, 7).mov(R9, RDX).mov(R10, RCX);
        readMsr(code, X2APIC.id, R11);
        halt(code);
      },
      { topology },
    );
    guest.start("start", "start", "start", "start").run();
    for (const [cpu, id] of apicIds.entries())
      expect(guest.registers(cpu, R8, R9, R10, R11)).toEqual([BigInt(id), BigInt(id), 7n, BigInt(id)]);
  });

  it("clears the upper halves of its registers", () => {
    const guest = after((code) => {
      code.movImmediate(RBX, -1n).movImmediate(RAX, 0xffff_ffff_0000_0001n).movShort(RCX, 0).raw(0x0f, 0xa2);
      for (const [to, from] of [
        [R8, RAX],
        [R9, RBX],
        [R10, RCX],
        [R11, RDX],
      ] as const)
        code.mov(to, from);
    });
    for (const value of guest.registers(0, R8, R9, R10, R11)) expect(value >> 32n).toBe(0n);
  });

  it("announces what is modelled, and not SSE and its kin", () => {
    const guest = after((code) => {
      cpuid(code, 1).mov(R8, RCX).mov(R9, RDX);
      cpuid(code, 7).mov(R10, RBX).mov(R11, RCX);
    });
    const [ecx1 = 0n, edx1 = 0n, ebx7 = 0n, ecx7 = 0n] = guest.registers(0, R8, R9, R10, R11);
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
    const guest = after((code) => {
      cpuid(code, 0).mov(R8, RAX);
      code.mov(RAX, R8).movShort(RCX, 0).raw(0x0f, 0xa2).mov(R9, RAX).mov(R10, RBX);
      cpuid(code, 0x1234).mov(R11, RAX).mov(RSI, RBX);
    });
    const [, highest, ebx, beyond, ebxBeyond] = guest.registers(0, R8, R9, R10, R11, RSI);
    expect([beyond, ebxBeyond]).toEqual([highest, ebx]);
  });
});

it("CR0.ET is always set; reserved bits of CR0 are not kept (SDM 3A 2.5)", () => {
  const guest = after((code) => {
    code.movShort(RAX, 0x8001_0023 | 0x40).raw(0x0f, 0x22, 0xc0, 0x0f, 0x20, 0xc3);
    code.mov(R8, RBX);
  });
  expect(guest.register(0, R8)).toBe(0x8001_0033n);
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
      const set = Number((carry << flag) | 2n);
      const guest = after((code) => {
        // upper halves don't count, and are cleared
        code.movImmediate(R8, x | (0xdeadn << 32n)).movImmediate(R9, y | (0xbeefn << 32n));
        code.raw(0x68, ...[set & 0xff, set >> 8, 0, 0], 0x9d);
        code
          .put({ opcode: [0x0f, 0x38, 0xf6], prefixes: [prefix], reg: R8, rm: R9 })
          .raw(0x9c)
          .pop(R10);
      });
      expect(guest.registers(0, R8, R10)).toEqual([sum, 2n | (out << flag)]);
    }
  });
});
