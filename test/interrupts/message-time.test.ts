// When messages between CPUs leave and arrive, to the cycle: the latency of each pair, messages of one instruction together,
// the gap between those of several, accesses to registers that are somewhere else (src/timing/parameters.ts says what each
// figure is). Every figure of the machine is different, so that none stands for another.

import { describe, expect, it } from "vitest";
import { GICD_BASE, GICR_BASE, GICR_STRIDE, TraceKind } from "../../src/abi.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { park, Guest } from "../instructions/arm64/guest.ts";
import { BareMachine, PAGE_RX, type TraceRecord } from "../support/bare-machine.ts";
import { plainTiming } from "../support/plain-timing.ts";
import { MSR_ICR, MSR_SELF_IPI, X64 } from "../support/x64.ts";

const figures = {
  node: 7,
  machine: 101,
  interrupt: 53,
  selfInterrupt: 31,
  interruptGap: 17,
  interruptMember: 3,
  interruptCopy: 11,
  sendInterrupt: 5,
  device: 41,
  firmwareCall: 67,
  wakeWfe: 23,
};
const { interrupt, selfInterrupt, interruptGap, sendInterrupt, device, firmwareCall, wakeWfe } = figures;
const { interruptMember, interruptCopy } = figures;
const far = interrupt + figures.machine;
/** CPUs 0 and 1 in one node, 2 and 3 in the other. */
const topology = (architecture: "x86-64" | "arm64") => buildTopology({ architecture, packages: 2, coresPerLlc: 2 });
/** A broadcast: the second CPU of each domain gets it behind the first, the second node's copy leaves behind the first's. */
const fromCpu0 = [
  selfInterrupt,
  interrupt + interruptMember,
  far + interruptCopy,
  far + interruptCopy + interruptMember,
];

const CODE = 0x1_0000;
const VECTOR = 0x41;
const TO_ALL = 2n << 18n;
const TO_OTHERS = 3n << 18n;

/** What CPU 0 of an x86-64 machine sends, and what arrives where. */
function traced(emit: (code: X64) => void): { sent: TraceRecord[]; arrived: TraceRecord[] } {
  const timing = plainTiming("x86-64", figures);
  const machine = new BareMachine({ architecture: "x86-64", topology: topology("x86-64"), timing });
  const code = new X64(CODE);
  emit(code);
  code.label("park").pause().jump("park");
  machine.map(CODE, 0x1000, PAGE_RX);
  machine.write(CODE, code.finish());
  machine.core.setTraceMask((1 << TraceKind.INTERRUPT_SENT) | (1 << TraceKind.INTERRUPT_ARRIVED));
  machine.start(0, CODE, { cycle: 100n });
  machine.run(5000);
  const records = machine.drain();
  const of = (kind: TraceKind) => records.filter((record) => record.kind === kind);
  return { sent: of(TraceKind.INTERRUPT_SENT), arrived: of(TraceKind.INTERRUPT_ARRIVED) };
}

/** By target: cycles from the departure of the first message. */
function latencies({ sent, arrived }: ReturnType<typeof traced>): (number | undefined)[] {
  const start = sent[0]?.cycle ?? 0n;
  return [0, 1, 2, 3].map((cpu) => {
    const found = arrived.find((record) => record.cpu === cpu);
    return found === undefined ? undefined : Number(found.cycle - start);
  });
}

describe("an interrupt", () => {
  it.each([
    ["all", TO_ALL, fromCpu0],
    ["all others", TO_OTHERS, [undefined, ...fromCpu0.slice(1)]],
    ["every id", 0xffff_ffffn << 32n, fromCpu0],
  ] as const)(
    "to %s leaves at once for each, and takes what the pair and its place among the targets take",
    (_, destination, expected) => {
      const trace = traced((code) => code.writeMsr(MSR_ICR, destination | BigInt(VECTOR)));
      expect(latencies(trace)).toEqual(expected);
      expect(new Set(trace.sent.map(({ cycle }) => cycle)).size).toBe(1);
      for (const { cycle, peer, value } of trace.sent) expect(Number(value - cycle)).toBe(fromCpu0[peer]);
    },
  );

  it("to the sender itself takes the same by every way", () => {
    for (const [msr, value] of [
      [MSR_SELF_IPI, 0n],
      [MSR_ICR, 1n << 18n],
      [MSR_ICR, 0n],
    ] as const) {
      const trace = traced((code) => code.writeMsr(msr, value | BigInt(VECTOR)));
      expect(latencies(trace)).toEqual([selfInterrupt, undefined, undefined, undefined]);
    }
  });

  it("with a vector below 16 travels as well: it is refused where it arrives (SDM 3A 11.5.2)", () => {
    for (const [msr, rest] of [
      [MSR_SELF_IPI, 0n],
      [MSR_ICR, 1n << 18n],
    ] as const) {
      const vectors = [0n, 15n, 16n, 255n];
      const { sent } = traced((code) => vectors.forEach((vector) => code.writeMsr(msr, rest | vector)));
      expect(sent.map(({ subject }) => subject & 0xff)).toEqual(vectors.map(Number));
    }
  });

  it("of the next instruction leaves a gap later, however many the first was for", () => {
    const { sent } = traced((code) => {
      for (let i = 0; i < 3; i++) code.writeMsr(MSR_ICR, TO_ALL | BigInt(VECTOR));
    });
    const departures = [...new Set(sent.map(({ cycle }) => Number(cycle)))];
    expect(departures.map((cycle) => cycle - (departures[0] ?? 0))).toEqual([0, interruptGap, 2 * interruptGap]);
    expect(sent).toHaveLength(12);
  });

  it("that comes later than the gap waits for nothing", () => {
    const { sent } = traced((code) => {
      code.writeMsr(MSR_SELF_IPI, BigInt(VECTOR));
      for (let i = 0; i < 30; i++) code.raw(0x90);
      code.writeMsr(MSR_SELF_IPI, BigInt(VECTOR));
    });
    // The first write, the NOPs, and the three instructions that prepare the second.
    expect(Number((sent[1]?.cycle ?? 0n) - (sent[0]?.cycle ?? 0n))).toBe(sendInterrupt + 30 + 3);
  });
});

/** An arm64 machine of four CPUs that run from those labels on; X0 is the CPU's number. CPU 0 starts well behind the others. */
function arm64(text: string, ...labels: (string | undefined)[]): Guest {
  const timing = plainTiming("arm64", figures);
  const guest = new Guest(text, { topology: topology("arm64"), timing });
  labels.forEach((label, cpu) => {
    if (label !== undefined) guest.machine.start(cpu, guest.program.label(label), { cycle: cpu === 0 ? 1000n : 10n });
  });
  guest.run(20_000);
  return guest;
}

describe("a sender", () => {
  it("takes longer over an instruction whose message can't leave yet", () => {
    const guest = arm64(
      `
      start:
        li x9, #${2 ** 40}
        mrs x5, cntvct_el0
        msr icc_sgi1r_el1, x9
        msr icc_sgi1r_el1, x9
        msr icc_sgi1r_el1, x9
        mrs x6, cntvct_el0
      ${park}`,
      "start",
    );
    expect(guest.x(0, 6) - guest.x(0, 5)).toBe(BigInt(1 + 2 * interruptGap + sendInterrupt));
  });
});

describe("an event", () => {
  it("reaches every other PE as an interrupt would, and ends its WFE; a PE that isn't waiting has it for its next", () => {
    const guest = arm64(
      `
      start:
        mrs x5, cntvct_el0
        sev
        b park
      wait:
        wfe
        mrs x6, cntvct_el0
        wfe
        mov x7, #1
        b park
      late:
        mrs x6, cntvct_el0
        cmp x6, #2, lsl #12
        b.lo late
        mrs x5, cntvct_el0
        wfe
        mrs x6, cntvct_el0
        wfe
        mov x7, #1
      ${park}`,
      "start",
      "wait",
      "wait",
      "late",
    );
    const sent = guest.x(0, 5) + 1n;
    expect(guest.x(1, 6) - sent).toBe(BigInt(interrupt + wakeWfe));
    expect(guest.x(2, 6) - sent).toBe(BigInt(far + wakeWfe));
    // Each wait has used the event up.
    expect([1, 2].map((cpu) => guest.x(cpu, 7))).toEqual([0n, 0n]);
    // There already: two instructions of a cycle each.
    expect(guest.x(3, 6) - guest.x(3, 5)).toBe(2n);
    expect(guest.x(3, 7)).toBe(0n);
  });
});

describe("SEV", () => {
  it("is one event for its own PE, at once", () => {
    const guest = arm64(
      `
      start:
        sev
        mrs x5, cntvct_el0
        wfe
        mrs x6, cntvct_el0
        wfe
        mov x7, #1
      ${park}`,
      "start",
    );
    expect(guest.x(0, 6) - guest.x(0, 5)).toBe(2n);
    expect(guest.x(0, 7)).toBe(0n);
  });
});

describe("the distributor", () => {
  it("tells the redistributors of new enables as interrupts travel", () => {
    const guest = arm64(
      `
      start:
        li x9, #${GICD_BASE}
        mov w10, #2
        mrs x5, cntvct_el0
        str w10, [x9]
        b park
      wait:
        li x9, #${GICR_BASE + GICR_STRIDE}
        str wzr, [x9, #0x14]
        li x9, #${GICR_BASE + GICR_STRIDE + 0x10000}
        mov w10, #-1
        str w10, [x9, #0x80]
        str w10, [x9, #0x100]
        mov x10, #0xf8
        msr icc_pmr_el1, x10
        mov x10, #1
        msr icc_igrpen1_el1, x10
        mov x10, #2
        msr icc_sgi1r_el1, x10
        wfi
        mrs x6, cntvct_el0
      ${park}`,
      "start",
      "wait",
    );
    const written = guest.x(0, 5) + 1n;
    // Waking from WFI takes a cycle.
    expect(guest.x(1, 6) - written).toBe(BigInt(device + interrupt + 1));
  });
});

describe("a wait", () => {
  /** Cycle at which a WFE that starts at cycle 1000 lets the next instruction start, for an event that arrives then. */
  function continuesAt(arrival: number): number {
    const guest = new Guest(
      `
      send:
        sev
        b park
      wait:
        ${"nop\n".repeat(100)}
        wfe
        mrs x6, cntvct_el0
      ${park}`,
      { topology: topology("arm64"), timing: plainTiming("arm64", figures) },
    );
    guest.machine.start(0, guest.program.label("send"), { cycle: BigInt(arrival - interrupt) });
    guest.machine.start(1, guest.program.label("wait"), { cycle: 900n });
    guest.run(20_000);
    return Number(guest.x(1, 6));
  }

  it("is none when what ends it is there when it begins; from the next cycle on, waking takes its time", () => {
    const arrivals = [990, 999, 1000, 1001, 1002, 1003, 1100];
    expect(arrivals.map(continuesAt)).toEqual([1001, 1001, 1001, 1001, 1002 + wakeWfe, 1003 + wakeWfe, 1100 + wakeWfe]);
  });
});

describe("an access", () => {
  /** Cycles that a load takes, beyond those of a hit. */
  function taken(address: number): number {
    const guest = arm64(
      `
      start:
        li x1, #${address}
        mrs x5, cntvct_el0
        ldr w7, [x1]
        mrs x6, cntvct_el0
      ${park}`,
      "start",
    );
    return Number(guest.x(0, 6) - guest.x(0, 5)) - 2;
  }

  it("to a device goes there and back", () => {
    expect(taken(GICD_BASE)).toBe(2 * device);
  });

  it("to its own redistributor goes there and back as to a device", () => {
    expect(taken(GICR_BASE + 8)).toBe(2 * device);
  });

  it("to another PE's redistributor goes there and back as interrupts do", () => {
    expect([1, 2].map((cpu) => taken(GICR_BASE + cpu * GICR_STRIDE + 8))).toEqual([2 * interrupt, 2 * far]);
  });
});

describe("a call of the firmware", () => {
  it("goes there and back", () => {
    const guest = arm64(
      `
      start:
        li x0, #${0x8400_0000}
        mrs x5, cntvct_el0
        hvc #0
        mrs x6, cntvct_el0
      ${park}`,
      "start",
    );
    expect(guest.x(0, 0)).toBe(0x1_0001n); // PSCI_VERSION
    // Beside it, two instructions of a cycle each.
    expect(Number(guest.x(0, 6) - guest.x(0, 5)) - 2).toBe(2 * firmwareCall);
  });
});
