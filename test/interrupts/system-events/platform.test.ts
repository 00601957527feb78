// The platform of an x86-64 machine: NMI status and control (port 0x61), time-stamp counters, and the topology that CPUID tells of
// (Intel 500 Series PCH datasheet, volume 2, NMI_STS_CNT; SDM 2A CPUID; 3A 9.9; 3B 18.17, rev. 083), rule by rule.

import { describe, expect, it } from "vitest";
import { SYSTEM_CONTROL_IOCHK, SYSTEM_CONTROL_SERR } from "../../../src/abi.ts";
import { assembleText } from "../../../src/asm/index.ts";
import { buildPreset, buildTopology, type Cpu, type Topology } from "../../../src/topology/index.ts";
import { R10, R11, R12, R13, R14, R15, R8, R9, RSI } from "../../instructions/x86-64/code.ts";
import { DATA } from "../../instructions/x86-64/guest.ts";
import { rdmsr, type TextGuest, wrmsr } from "../../instructions/x86-64/text-guest.ts";
import { BareMachine, PAGE_RX } from "../../support/bare-machine.ts";
import { guestOf, noted, notes, now } from "./guest.ts";

const RAISED = { serr: SYSTEM_CONTROL_SERR, iochk: SYSTEM_CONTROL_IOCHK } as const;

function raise(guest: TextGuest, reason: keyof typeof RAISED, after = 5): void {
  guest.machine.core.raiseSystemNmi(RAISED[reason], now(guest) + BigInt(after));
}

describe("port 0x61", () => {
  /** The NMI handler reads the port, notes its upper bits, and does more. */
  function withHandler(more = "", program = "jmp ."): TextGuest {
    return guestOf([program], { nmi: `${notes(2)} in $0x61, %al; mov %rax, DATA + 0x200; ${more}` });
  }
  const reasonOf = (guest: TextGuest): number => Number(guest.machine.read64(DATA + 0x200) & 0xc0n);
  const write = (value: number): string => `mov $${value}, %eax; out %al, $0x61`;

  it.each(["serr", "iochk"] as const)("tells that %s has raised the NMI, which comes to CPU 0", (reason) => {
    const guest = withHandler();
    guest.run(500);
    raise(guest, reason);
    guest.run(2000);
    expect([noted(guest), reasonOf(guest)]).toEqual([[2], RAISED[reason]]);
  });

  it("shows no reason for an NMI that another CPU has sent", () => {
    const guest = withHandler();
    guest.run(500);
    guest.machine.core.sendInterrupt(0, 2, 4, now(guest) + 5n);
    guest.run(2000);
    expect([noted(guest), reasonOf(guest)]).toEqual([[2], 0]);
  });

  it("keeps the reason until software disables the source, and gives no second edge before", () => {
    const guest = withHandler();
    guest.run(500);
    raise(guest, "serr");
    guest.run(2000);
    raise(guest, "serr");
    raise(guest, "iochk", 500);
    guest.run(2000);
    expect(noted(guest)).toEqual([2]);
  });

  it("raises NMIs again behind a write that sets and one that clears the source's disable bit", () => {
    const guest = withHandler(`${write(0x04)}; ${write(0x00)}`);
    guest.run(500);
    for (let i = 0; i < 2; i++) {
      raise(guest, "serr");
      guest.run(2000);
    }
    expect(noted(guest)).toEqual([2, 2]);
  });

  it("ignores a source that is disabled", () => {
    for (const [reason, bit] of [
      ["serr", 0x04],
      ["iochk", 0x08],
    ] as const) {
      const guest = withHandler("", `${write(bit)}; jmp .`);
      guest.run(500);
      raise(guest, reason);
      guest.run(2000);
      expect(noted(guest)).toEqual([]);
    }
  });

  it("reads back its low four bits, whose neighbours are read-only", () => {
    const guest = guestOf([`${write(0xef)}; in $0x61, %al`]);
    guest.run(2000);
    // bit 4 is the refresh toggle
    expect(guest.reg(0, "rax") & 0xefn).toBe(0x0fn);
  });

  it("shows in bit 4 the memory refresh, which changes every 15 us", () => {
    // at 1000 MHz a cycle is a nanosecond, and WBINVD takes 1000
    const guest = guestOf(["in $0x61, %al; mov %rax, %r8; .rept 15; wbinvd; .endr; in $0x61, %al; mov %rax, %r9"]);
    guest.run(40_000);
    const [first = 0n, second = 0n] = guest.regs(0, "r8", "r9");
    expect((first ^ second) & 0x10n).toBe(0x10n);
  });
});

describe("time-stamp counters", () => {
  const readTsc = `rdtsc; mov %rax, %r8; mov %rdx, %r9; ${rdmsr("IA32_TSC_ADJUST", "%r10")}`;
  const tsc = (guest: TextGuest, cpu: number): bigint => (guest.reg(cpu, "r9") << 32n) | guest.reg(cpu, "r8");

  it("are apart by the offsets that the machine has, with IA32_TSC_ADJUST at 0 (18.17.3)", () => {
    const offsets = [0n, 5_000_000_000n, -1_000_000n];
    const guest = guestOf([readTsc, readTsc, readTsc], {}, { tscOffsets: offsets });
    guest.run(5000);
    const counts = [0, 1, 2].map((cpu) => tsc(guest, cpu));
    expect(counts.map((count) => BigInt.asIntN(64, count - offsets[counts.indexOf(count)]!))).toSatisfy(
      (all: bigint[]) => all.every((one) => one > 0n && one < 5000n),
    );
    expect([0, 1, 2].map((cpu) => guest.reg(cpu, "r10"))).toEqual([0n, 0n, 0n]);
  });

  it("jump by what IA32_TSC_ADJUST is changed by, and a write of the counter shows there", () => {
    const guest = guestOf([
      wrmsr("IA32_TSC_ADJUST", 1n << 40n) + readTsc + wrmsr("IA32_TSC", 0) + rdmsr("IA32_TSC_ADJUST", "%r11"),
    ]);
    guest.run(5000);
    expect(tsc(guest, 0) >> 40n).toBe(1n);
    expect(BigInt.asIntN(64, guest.reg(0, "r11"))).toBeLessThan(0n);
  });

  it("come with IA32_TSC_AUX by RDTSCP (2B RDTSCP)", () => {
    const guest = guestOf([
      `${wrmsr("IA32_TSC_AUX", 0x3007)} rdtsc; mov %rax, %r8; rdtscp; mov %rcx, %r9; mov %rax, %r10`,
    ]);
    guest.run(5000);
    expect(guest.reg(0, "r9")).toBe(0x3007n);
    expect(guest.reg(0, "r10")).toBeGreaterThan(guest.reg(0, "r8"));
  });
});

// --- topology --------------------------------------------------------------------------------------------------------

const CODE = 0x1_0000;
const cpuid = (leaf: number, subleaf: number): string => `mov $${leaf}, %eax; mov $${subleaf}, %ecx; cpuid`;

/** What every CPU finds out by itself. */
const discover = `
  ${cpuid(0xb, 0)}; mov %rax, %r8; mov %rdx, %r10  # shift of the thread; the id
  ${cpuid(0xb, 1)}; mov %rax, %r9                  # shift of the core
  ${cpuid(0x1f, 0)}; mov %rax, %r11                # the same by V2, 0 where a level isn't there
  ${cpuid(0x1f, 1)}; mov %rax, %r12
  ${cpuid(0x1f, 2)}; mov %rax, %r13
  ${cpuid(4, 1)}; mov %rax, %r14                   # CPUs that share the last-level cache
  ${cpuid(1, 0)}; mov %rbx, %r15                   # initial APIC id
  ${cpuid(0xb, 2)}; mov %rcx, %rsi                 # an invalid sub-leaf
  hlt`;

function discovered(topology: Topology): BareMachine {
  const machine = new BareMachine({ architecture: "x86-64", topology });
  machine.map(CODE, 0x1000, PAGE_RX);
  machine.write(CODE, assembleText(discover, { architecture: "x86-64", base: CODE }).bytes);
  for (const { number, state } of topology.cpus) if (state === "online") machine.start(number, CODE);
  machine.run(1_000_000);
  return machine;
}

describe("a guest that asks CPUID", () => {
  const machines: readonly (readonly [name: string, topology: () => Topology])[] = [
    ...["skylake-8160", "icelake-8375c", "epyc-7742", "epyc-9654", "sgi-uv-768"].map(
      (name) => [name, () => buildPreset(name)] as const,
    ),
    ["one CPU", () => buildTopology({ packages: 1, coresPerLlc: 1 })],
    [
      "two dies per package",
      () => buildTopology({ packages: 2, diesPerPackage: 2, llcsPerDie: 3, coresPerLlc: 5, threadsPerCore: 2 }),
    ],
  ];

  it.each(machines)("finds the topology of %s", (_, topologyOf) => {
    const topology = topologyOf();
    const machine = discovered(topology);
    const of = (cpu: Cpu, register: number): number => Number(machine.register(cpu.number, register) & 0xffff_ffffn);
    const id = (cpu: Cpu): number => of(cpu, R10);
    const packageShift = (cpu: Cpu): number => of(cpu, R13) || of(cpu, R12);
    const cacheBits = (cpu: Cpu): number => 32 - Math.clz32((of(cpu, R14) >>> 14) & 0xfff);
    const groupings: readonly (readonly [level: "core" | "llc" | "die" | "package", shift: (cpu: Cpu) => number])[] = [
      ["core", (cpu) => of(cpu, R8)],
      ["core", (cpu) => of(cpu, R11)],
      ["llc", cacheBits],
      ["die", (cpu) => of(cpu, R12)],
      ["package", packageShift],
      ["package", (cpu) => of(cpu, R9)],
    ];
    for (const [level, shift] of groupings) {
      const found = new Map<number, Set<number>>();
      for (const cpu of topology.cpus) {
        const group = id(cpu) >>> shift(cpu);
        found.set(group, (found.get(group) ?? new Set()).add(cpu[level]));
      }
      // each group of the guest is one of the host, and there are as many
      expect([...found.values()].every(({ size }) => size === 1)).toBe(true);
      expect(found.size).toBe(new Set(topology.cpus.map((cpu) => cpu[level])).size);
    }
    for (const cpu of topology.cpus) {
      expect(id(cpu)).toBe(cpu.apicId);
      expect(of(cpu, R15) >>> 24).toBe(cpu.apicId & 0xff);
      // an invalid sub-leaf has level type 0, and says which it is
      expect(of(cpu, RSI)).toBe(2);
    }
  });

  it("learns the level types, and how many CPUs there are of each level (2A CPUID)", () => {
    const topology = buildTopology({ packages: 2, diesPerPackage: 2, coresPerLlc: 3, threadsPerCore: 2 });
    const leaves = [
      [0xb, 0],
      [0xb, 1],
      [0x1f, 1],
      [0x1f, 2],
      [0x1f, 3],
    ] as const;
    const program = leaves.map(
      ([leaf, subleaf], index) =>
        `${cpuid(leaf, subleaf)}; mov %rbx, DATA + 16 * ${index}; mov %rcx, DATA + 16 * ${index} + 8\n`,
    );
    const guest = guestOf([program.join("")], {}, { topology, cpus: topology.cpus.length });
    guest.run(20_000);
    // SMT of two, core and die; of the package there are twelve
    const [smt, core, dieCores, die, none] = [0, 1, 2, 3, 4].map((index) => [
      guest.data(2 * index),
      guest.data(2 * index + 1),
    ]);
    expect([smt, core]).toEqual([
      [2n, 0x100n],
      [12n, 0x201n],
    ]);
    expect([dieCores, die, none]).toEqual([
      [6n, 0x201n],
      [12n, 0x502n],
      [0n, 0x003n],
    ]);
  });
});
