// The platform of an x86-64 machine: NMI status and control (port 0x61), time-stamp counters, and the topology that CPUID tells of
// (Intel 500 Series PCH datasheet, volume 2, NMI_STS_CNT; SDM 2A CPUID; 3A 9.9; 3B 18.17, rev. 083), rule by rule.

import { describe, expect, it } from "vitest";
import { SYSTEM_CONTROL_IOCHK, SYSTEM_CONTROL_SERR } from "../../../src/abi.ts";
import { buildPreset, buildTopology, type Cpu, type Topology } from "../../../src/topology/index.ts";
import { Code, R10, R11, R12, R13, R14, R15, R8, R9, RAX, RBX, RCX, RDX, RSI } from "../../instructions/x86-64/code.ts";
import { DATA, type Guest, readMsr, writeMsr } from "../../instructions/x86-64/guest.ts";
import { BareMachine, PAGE_RX } from "../../support/bare-machine.ts";
import { guestOf, noted, notes, now, text } from "./guest.ts";

const RAISED = { serr: SYSTEM_CONTROL_SERR, iochk: SYSTEM_CONTROL_IOCHK } as const;

function raise(guest: Guest, reason: keyof typeof RAISED, after = 5): void {
  guest.machine.core.raiseSystemNmi(RAISED[reason], now(guest) + BigInt(after));
}

describe("port 0x61", () => {
  /** The NMI handler reads the port, notes its upper bits, and does more. */
  function withHandler(more = "", program = "jmp $"): Guest {
    return guestOf([program], {
      2: (code) => {
        notes(2)(code);
        text(code, "in al, 0x61");
        code.mov({ displacement: DATA + 0x200 }, RAX);
        text(code, more);
      },
    });
  }
  const reasonOf = (guest: Guest): number => Number(guest.machine.read64(DATA + 0x200) & 0xc0n);
  /** AL for OUT, which the text has no form for. */
  const write = (value: number): string => `mov eax, ${value}; out 0x61, al`;

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
      const guest = withHandler("", `${write(bit)}; jmp $`);
      guest.run(500);
      raise(guest, reason);
      guest.run(2000);
      expect(noted(guest)).toEqual([]);
    }
  });

  it("reads back its low four bits, whose neighbours are read-only", () => {
    const guest = guestOf([`${write(0xef)}; in al, 0x61`]);
    guest.run(2000);
    // bit 4 is the refresh toggle
    expect(guest.register(0, RAX) & 0xefn).toBe(0x0fn);
  });

  it("shows in bit 4 the memory refresh, which changes every 15 us", () => {
    const guest = guestOf([
      (code) => {
        text(code, "in al, 0x61");
        code.mov(R8, RAX);
        // at 1000 MHz a cycle is a nanosecond
        for (let i = 0; i < 15; i++) text(code, "wbinvd");
        text(code, "in al, 0x61");
        code.mov(R9, RAX);
      },
    ]);
    guest.run(40_000);
    const [first = 0n, second = 0n] = guest.registers(0, R8, R9);
    expect((first ^ second) & 0x10n).toBe(0x10n);
  });
});

describe("time-stamp counters", () => {
  const readTsc = (code: Code): void => {
    text(code, "rdtsc");
    code.mov(R8, RAX).mov(R9, RDX);
    readMsr(code, 0x3b, R10);
  };
  const tsc = (guest: Guest, cpu: number): bigint => (guest.register(cpu, R9) << 32n) | guest.register(cpu, R8);

  it("are apart by the offsets that the machine has, with IA32_TSC_ADJUST at 0 (18.17.3)", () => {
    const offsets = [0n, 5_000_000_000n, -1_000_000n];
    const guest = guestOf([readTsc, readTsc, readTsc], {}, { tscOffsets: offsets });
    guest.run(5000);
    const counts = [0, 1, 2].map((cpu) => tsc(guest, cpu));
    expect(counts.map((count) => BigInt.asIntN(64, count - offsets[counts.indexOf(count)]!))).toSatisfy(
      (all: bigint[]) => all.every((one) => one > 0n && one < 5000n),
    );
    expect([0, 1, 2].map((cpu) => guest.register(cpu, R10))).toEqual([0n, 0n, 0n]);
  });

  it("jump by what IA32_TSC_ADJUST is changed by, and a write of the counter shows there", () => {
    const guest = guestOf([
      (code) => {
        writeMsr(code, 0x3b, 1n << 40n);
        readTsc(code);
        writeMsr(code, 0x10, 0);
        readMsr(code, 0x3b, R11);
      },
    ]);
    guest.run(5000);
    expect(tsc(guest, 0) >> 40n).toBe(1n);
    expect(BigInt.asIntN(64, guest.register(0, R11))).toBeLessThan(0n);
  });

  it("come with IA32_TSC_AUX by RDTSCP (2B RDTSCP)", () => {
    const guest = guestOf([
      (code) => {
        writeMsr(code, 0xc000_0103, 0x3007);
        text(code, "rdtsc");
        code.mov(R8, RAX);
        text(code, "rdtscp");
        code.mov(R9, RCX).mov(R10, RAX);
      },
    ]);
    guest.run(5000);
    expect(guest.register(0, R9)).toBe(0x3007n);
    expect(guest.register(0, R10)).toBeGreaterThan(guest.register(0, R8));
  });
});

// --- topology --------------------------------------------------------------------------------------------------------

const CODE = 0x1_0000;

/**
 * Every CPU finds out by itself: R8, R9: shifts of thread and core of leaf 0xb; R10 its id; R11 to R13: shifts of leaf 0x1f, or 0
 * where a level isn't there; R14: bits of the CPUs that share the last-level cache, by leaf 4; R15: EBX of leaf 1; RSI: ECX of an
 * invalid sub-leaf.
 */
function discover(code: Code): void {
  const cpuid = (leaf: number, subleaf: number): Code =>
    code.movShort(RAX, leaf).movShort(RCX, subleaf).raw(0x0f, 0xa2);
  cpuid(0xb, 0).mov(R8, RAX).mov(R10, RDX);
  cpuid(0xb, 1).mov(R9, RAX);
  cpuid(0x1f, 0).mov(R11, RAX);
  cpuid(0x1f, 1).mov(R12, RAX);
  cpuid(0x1f, 2).mov(R13, RAX);
  cpuid(4, 1).mov(R14, RAX);
  cpuid(1, 0).mov(R15, RBX);
  cpuid(0xb, 2).mov(RSI, RCX);
  text(code, "hlt");
}

function discovered(topology: Topology): BareMachine {
  const machine = new BareMachine({ architecture: "x86-64", topology });
  const code = new Code(CODE);
  discover(code);
  machine.map(CODE, 0x1000, PAGE_RX);
  machine.write(CODE, code.finish());
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
    const guest = guestOf(
      [
        (code) => {
          const results = [
            [0xb, 0],
            [0xb, 1],
            [0x1f, 1],
            [0x1f, 2],
            [0x1f, 3],
          ] as const;
          results.forEach(([leaf, subleaf], index) => {
            text(code, `mov eax, ${leaf}; mov ecx, ${subleaf}; cpuid`);
            code.mov({ displacement: DATA + 16 * index }, RBX).mov({ displacement: DATA + 16 * index + 8 }, RCX);
          });
        },
      ],
      {},
      { topology, cpus: topology.cpus.length },
    );
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
