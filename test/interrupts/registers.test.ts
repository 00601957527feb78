// Registers of the interrupt controllers, rule by rule: reserved bits, priority grouping, the end of a region.

import { describe, expect, it } from "vitest";
import {
  Device,
  GICR_BASE,
  GICR_FIRST_WINDOW_CPUS,
  GICR_SECOND_BASE,
  GICR_STRIDE,
  InitializeStatus,
  PAGE_DEVICE,
  PAGE_OWNER_SHIFT,
  PAGE_READ,
  PAGE_WRITE,
  TraceKind,
} from "../../src/abi.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { alone, setPriority, SPURIOUS, toSelf } from "../instructions/arm64/gic.ts";
import { Guest, openInterrupts, park, setVectors, vectors } from "../instructions/arm64/guest.ts";
import { BareMachine } from "../support/bare-machine.ts";
import { icr, NMI } from "../instructions/x86-64/interrupt-guest.ts";
import { caught, monitor, rdmsr, runGuest, TextGuest, wait, wrmsr } from "../instructions/x86-64/text-guest.ts";
import { plainTiming } from "../support/plain-timing.ts";

const GENERAL_PROTECTION = 13n;

describe("the spurious-interrupt vector register of an x2APIC (SDM 3A figure 11-23)", () => {
  const vectorAfter = (value: bigint): bigint =>
    caught(wrmsr("IA32_X2APIC_SIVR", value), { enableApic: false }).guest.reg(0, "r15");

  it.each([10, 11, 13, 14, 31, 32, 63])("bit %d is reserved", (bit) => {
    expect(vectorAfter(0xffn | (1n << BigInt(bit)))).toBe(GENERAL_PROTECTION);
  });

  it.each([0, 7, 8, 9, 12])("bit %d may be set", (bit) => {
    expect(vectorAfter(1n << BigInt(bit))).toBe(0n);
  });
});

describe("the logical id of an x2APIC (SDM 3A 11.12.10.2)", () => {
  it.each([0, 9, 15, 19])("of CPU %d: its cluster of sixteen, and one bit in it", (cpu) => {
    const topology = buildTopology({ packages: 1, coresPerLlc: 20, threadsPerCore: 1 });
    const id = topology.cpus[cpu]?.apicId ?? NaN;
    const programs = [...Array<undefined>(cpu), rdmsr("IA32_X2APIC_LDR", "%r8")];
    const guest = runGuest({ programs, topology, loadTables: false });
    expect(guest.reg(cpu, "r8")).toBe((BigInt(id >> 4) << 16n) | (1n << BigInt(id & 15)));
  });
});

describe("waking", () => {
  const figures = { wakeHlt: 61, wakeMwait: 37, interrupt: 5 };

  /** Cycles from the arrival of an NMI until it is taken. */
  function taken(sleep: string): number {
    const guest = new TextGuest({
      programs: [wait(2000) + wrmsr("IA32_X2APIC_ICR", icr(0, { mode: NMI, destination: 1 })), sleep],
      topology: buildTopology({ packages: 1, coresPerLlc: 2, threadsPerCore: 1 }),
      timing: plainTiming("x86-64", figures),
    });
    guest.machine.core.setTraceMask((1 << TraceKind.INTERRUPT_ARRIVED) | (1 << TraceKind.INTERRUPT_TAKEN));
    guest.run();
    const [arrived, accepted] = guest.machine.drain();
    return Number((accepted?.cycle ?? 0n) - (arrived?.cycle ?? 0n));
  }

  it("takes what the wait takes: HLT, MWAIT", () => {
    expect(taken("cli; hlt")).toBe(figures.wakeHlt);
    expect(taken(`${monitor("DATA")} xor %eax, %eax; mwait`)).toBe(figures.wakeMwait);
  });
});

describe("GICR_WAKER (IHI 0069H 12.11.41)", () => {
  it("takes ProcessorSleep only; ChildrenAsleep follows it", () => {
    const guest = alone(`
      li x9, #${GICR_BASE}
      mov w10, #4
      str w10, [x9, #0x14]
      ldr w19, [x9, #0x14]
      mov w10, #2
      str w10, [x9, #0x14]
      ldr w20, [x9, #0x14]
    `);
    expect(guest.registers(0, 19, 20)).toEqual([0n, 6n]);
  });
});

describe("ICC_BPR1_EL1 (IHI 0069H 4.8.6)", () => {
  const second = (binaryPoint: number, running: number, pending: number): bigint =>
    alone(`
      mov x10, #${binaryPoint}
      msr icc_bpr1_el1, x10
      ${setPriority(1, running)} ${setPriority(2, pending)}
      ${toSelf(1)}
      mrs x19, icc_iar1_el1
      ${toSelf(2)}
      mrs x20, icc_iar1_el1
    `).x(0, 20);

  it("3 leaves all five bits to decide about preemption, each more takes one away", () => {
    expect(second(3, 0x88, 0x80)).toBe(2n);
    expect(second(4, 0x88, 0x80)).toBe(SPURIOUS);
    expect(second(4, 0x90, 0x80)).toBe(2n);
    expect(second(5, 0x90, 0x80)).toBe(SPURIOUS);
    expect(second(5, 0xa0, 0x80)).toBe(2n);
  });
});

describe("GICR_TYPER.Last (IHI 0069H 12.11.35)", () => {
  it("is set in the last frame of each window", () => {
    const count = GICR_FIRST_WINDOW_CPUS + 3;
    const topology = buildTopology({ architecture: "arm64", packages: 1, coresPerLlc: count });
    const places = [
      GICR_BASE,
      GICR_BASE + (GICR_FIRST_WINDOW_CPUS - 2) * GICR_STRIDE,
      GICR_BASE + (GICR_FIRST_WINDOW_CPUS - 1) * GICR_STRIDE,
      GICR_SECOND_BASE,
      GICR_SECOND_BASE + 2 * GICR_STRIDE,
    ];
    const reads = places.map((place, index) => `li x1, #${place + 8}\n ldr x${10 + index}, [x1]\n`).join("");
    const guest = new Guest(`start: ${reads} ${park}`, { topology });
    const attributes = PAGE_READ | PAGE_WRITE | PAGE_DEVICE | (Device.GIC_REDISTRIBUTOR << PAGE_OWNER_SHIFT);
    guest.machine.map(GICR_BASE, GICR_FIRST_WINDOW_CPUS * GICR_STRIDE, attributes);
    guest.start("start").run();
    const typers = places.map((_, index) => guest.x(0, 10 + index));
    expect(typers.map((typer) => (typer >> 4n) & 1n)).toEqual([0n, 0n, 1n, 0n, 1n]);
    expect(typers.map((typer) => (typer >> 8n) & 0xffffn)).toEqual([0n, 121n, 122n, 123n, 125n]);
  });
});

it("two CPUs of one hardware id make no machine", () => {
  const good = buildTopology({ architecture: "arm64", packages: 1, coresPerLlc: 3 });
  const build = (topology: typeof good) => new BareMachine({ architecture: "arm64", topology });
  expect(() => build(good)).not.toThrow();
  const cpus = good.cpus.map((cpu) => ({ ...cpu, mpidr: Math.min(cpu.mpidr, 1) }));
  expect(() => build({ ...good, cpus })).toThrow(`initialize: ${InitializeStatus.BAD_CONFIGURATION}`);
});

describe("an FIQ for a CPU that masks IRQs only", () => {
  /** Turns of a counting loop that were done when the FIQ came. */
  function turnsDone(runAhead: boolean): bigint[] {
    const guest = new Guest(
      `
      start: ${setVectors} ${openInterrupts(0)}
        li x9, #${GICR_BASE + 0x10000}
        str wzr, [x9, #0x80]                    // all in group 0
        msr daifclr, #1                         // FIQ
        mov x1, #0
      count:
        add x1, x1, #1
        b count
      sender:
        mov x9, #20000
      later:
        sub x9, x9, #1
        cbnz x9, later
        mov x9, #1
        msr icc_sgi1r_el1, x9
      ${park}
      fiq:
        mov x19, x1
        mrs x20, elr_el1
        b park
      ${vectors({ fiq: "fiq" })}`,
      {
        topology: buildTopology({ architecture: "arm64", packages: 1, coresPerLlc: 2 }),
        accelerations: { runAhead, spinElision: false },
      },
    );
    guest.start("start", "sender").run();
    return guest.registers(0, 19, 20);
  }

  it("is taken where it arrives, however far the CPU may run ahead", () => {
    const stepped = turnsDone(false);
    expect(stepped[0]).toBeGreaterThan(100n);
    expect(turnsDone(true)).toEqual(stepped);
  });
});
