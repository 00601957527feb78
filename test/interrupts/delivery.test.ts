// Faults of delivery, rule by rule: messages of one kind to one CPU come later by so much, or don't come. They act where a
// message would arrive, and never let one of a kind overtake another (R1 of docs/time.md: a channel keeps its order).

import { describe, expect, it } from "vitest";
import { CpuState, DeliveryKind, GICR_BASE, GICR_STRIDE, LOSE_ALL, TraceKind } from "../../src/abi.ts";
import { Machine } from "../../src/machine/machine.ts";
import { deliveryKinds, type Delivery, type DeliveryKindName } from "../../src/machine/delivery.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { park, Guest } from "../instructions/arm64/guest.ts";
import { architectures, counting, cpus, imageOf, machineOf } from "../machine/images.ts";
import { partsOf, rendezvous, stateOf } from "../machine/support.ts";
import { BareMachine, PAGE_RX, checkedCore } from "../support/bare-machine.ts";
import { plainTiming } from "../support/plain-timing.ts";
import { MSR_ICR, MSR_SELF_IPI, X64 } from "../support/x64.ts";

const figures = { interrupt: 50, selfInterrupt: 30, interruptGap: 20, interruptMember: 0, interruptCopy: 0 };
const CODE = 0x1_0000;
const START = 100;
/** A write of an MSR takes three instructions before it, of a cycle each: the first message leaves at this cycle. */
const FIRST = START + 3;
const ARRIVES = FIRST + figures.interrupt;

const FIXED = 0x41n;
const NMI = 4n << 8n;
const to = (cpu: number, command: bigint): bigint => (BigInt(cpu) << 32n) | command;

/** Four CPUs of one cache; CPU 0 makes those writes from START on, the others are off and only receive. */
function x86(...commands: bigint[]): BareMachine {
  return x86Writing(...commands.map((command) => [MSR_ICR, command] as const));
}

function x86Writing(...writes: (readonly [msr: number, value: bigint])[]): BareMachine {
  const machine = new BareMachine({
    architecture: "x86-64",
    topology: buildTopology({ packages: 1, coresPerLlc: 4 }),
    timing: plainTiming("x86-64", figures),
  });
  const code = new X64(CODE);
  for (const [msr, value] of writes) code.writeMsr(msr, value);
  code.label("park").pause().jump("park");
  machine.map(CODE, 0x1000, PAGE_RX);
  machine.write(CODE, code.finish());
  machine.core.setTraceMask((1 << TraceKind.INTERRUPT_ARRIVED) | (1 << TraceKind.INTERRUPT_LOST));
  machine.start(0, CODE, { cycle: BigInt(START) });
  return machine;
}

function fault(machine: BareMachine, cpu: number, kind: DeliveryKind, { delay = 0, lose = 0 }): void {
  machine.core.setDelivery(cpu, kind, { delay: BigInt(delay), lose });
}

/** What has come of messages: "CPU vector @ cycle", or "lost". */
function outcome(machine: BareMachine, until = 100_000): string[] {
  machine.run(until);
  return machine.drain().map(({ kind, cpu, subject, cycle }) => {
    const what = kind === TraceKind.INTERRUPT_LOST ? "lost" : "at";
    return `CPU ${cpu} ${subject & 0xff} ${what} ${cycle}`;
  });
}

const { INTERRUPT, EVENT, STARTUP } = DeliveryKind;

describe("a delay", () => {
  it("is added to what the timing model says", () => {
    const machine = x86(to(1, FIXED));
    fault(machine, 1, INTERRUPT, { delay: 777 });
    expect(outcome(machine)).toEqual([`CPU 1 65 at ${ARRIVES + 777}`]);
  });

  it("concerns its target only", () => {
    const machine = x86(to(1, FIXED), to(2, FIXED));
    fault(machine, 1, INTERRUPT, { delay: 777 });
    expect(outcome(machine)).toEqual([`CPU 2 65 at ${ARRIVES + 20}`, `CPU 1 65 at ${ARRIVES + 777}`]);
  });

  it("concerns its kind only: an NMI passes interrupts that are held up", () => {
    const machine = x86(to(1, FIXED), to(1, NMI));
    fault(machine, 1, INTERRUPT, { delay: 777 });
    expect(outcome(machine)).toEqual([`CPU 1 2 at ${ARRIVES + 20}`, `CPU 1 65 at ${ARRIVES + 777}`]);
  });

  it("of one CPU leaves the other targets of a broadcast alone", () => {
    const machine = x86((3n << 18n) | FIXED);
    fault(machine, 2, INTERRUPT, { delay: 5 });
    expect(outcome(machine)).toEqual([
      `CPU 1 65 at ${ARRIVES}`,
      `CPU 3 65 at ${ARRIVES}`,
      `CPU 2 65 at ${ARRIVES + 5}`,
    ]);
  });

  it.each([
    ["SELF_IPI", MSR_SELF_IPI, FIXED],
    ["the shorthand", MSR_ICR, (1n << 18n) | FIXED],
  ])("holds for a CPU's interrupts to itself, by %s", (_, msr, value) => {
    const machine = x86Writing([msr, value]);
    fault(machine, 0, INTERRUPT, { delay: 400 });
    expect(outcome(machine)).toEqual([`CPU 0 65 at ${FIRST + figures.selfInterrupt + 400}`]);
  });

  it("may be set while a message is under way, up to the cycle in which it would arrive", () => {
    for (const [cycle, arrival] of [
      [FIRST + 1, ARRIVES + 9],
      [ARRIVES, ARRIVES + 9],
      [ARRIVES + 1, ARRIVES],
    ] as const) {
      const machine = x86(to(1, FIXED));
      machine.run(cycle);
      fault(machine, 1, INTERRUPT, { delay: 9 });
      expect(outcome(machine)).toEqual([`CPU 1 65 at ${arrival}`]);
    }
  });

  it("that is taken away leaves held messages where they are, and lets none pass them", () => {
    const machine = x86(to(1, 0x41n), to(1, 0x42n), to(1, 0x43n));
    fault(machine, 1, INTERRUPT, { delay: 30 });
    // The first is held until ARRIVES + 30; the second comes before that, the third after it.
    machine.run(ARRIVES + 1);
    fault(machine, 1, INTERRUPT, {});
    expect(outcome(machine).sort()).toEqual([
      `CPU 1 65 at ${ARRIVES + 30}`,
      `CPU 1 66 at ${ARRIVES + 30}`,
      `CPU 1 67 at ${ARRIVES + 40}`,
    ]);
  });

  it("keeps the distances of messages that it holds up alike", () => {
    const machine = x86(to(1, 0x41n), to(1, 0x42n));
    fault(machine, 1, INTERRUPT, { delay: 3000 });
    expect(outcome(machine)).toEqual([`CPU 1 65 at ${ARRIVES + 3000}`, `CPU 1 66 at ${ARRIVES + 3020}`]);
  });

  it("may be longer than any timeout", () => {
    const minutes = 3_600_000_000_000;
    const machine = x86(to(1, FIXED));
    fault(machine, 1, INTERRUPT, { delay: minutes });
    expect(outcome(machine, minutes)).toEqual([]);
    expect(outcome(machine, minutes + 1000)).toEqual([`CPU 1 65 at ${ARRIVES + minutes}`]);
  });

  it("doesn't hold up the target itself", () => {
    const clocks = [0, 5000].map((delay) => {
      const machine = x86(to(0, FIXED));
      fault(machine, 0, INTERRUPT, { delay });
      machine.run(4000);
      machine.core.catchUp();
      return machine.retired(0);
    });
    expect(clocks[0]).toBe(clocks[1]);
  });
});

describe("a loss", () => {
  it("takes the next message, and no other", () => {
    const machine = x86(to(1, 0x41n), to(1, 0x42n));
    fault(machine, 1, INTERRUPT, { lose: 1 });
    expect(outcome(machine)).toEqual([`CPU 1 65 lost ${ARRIVES}`, `CPU 1 66 at ${ARRIVES + 20}`]);
    expect(machine.core.delivery(1, INTERRUPT)).toEqual({ delay: 0n, lose: 0 });
  });

  it("takes as many as it says, of its kind and target", () => {
    const machine = x86(to(1, 0x41n), to(2, 0x41n), to(1, NMI), to(1, 0x42n), to(1, 0x43n));
    fault(machine, 1, INTERRUPT, { lose: 2 });
    expect(outcome(machine).filter((line) => line.includes("lost"))).toEqual([
      `CPU 1 65 lost ${ARRIVES}`,
      `CPU 1 66 lost ${ARRIVES + 60}`,
    ]);
  });

  it("takes all, until the way is put in order", () => {
    const machine = x86(to(1, 0x41n), to(1, 0x42n), to(1, 0x43n));
    fault(machine, 1, INTERRUPT, { lose: LOSE_ALL });
    machine.run(ARRIVES + 21);
    expect(machine.core.delivery(1, INTERRUPT).lose).toBe(LOSE_ALL);
    fault(machine, 1, INTERRUPT, {});
    expect(outcome(machine)).toEqual([
      `CPU 1 65 lost ${ARRIVES}`,
      `CPU 1 66 lost ${ARRIVES + 20}`,
      `CPU 1 67 at ${ARRIVES + 40}`,
    ]);
  });

  it("takes together what arrives in one cycle, which has no order", () => {
    const machine = new BareMachine({
      architecture: "x86-64",
      topology: buildTopology({ packages: 1, coresPerLlc: 4 }),
      timing: plainTiming("x86-64", figures),
    });
    const codes = [0x41n, 0x42n].map((vector, cpu) => {
      const code = new X64(CODE + 0x100 * cpu).writeMsr(MSR_ICR, to(3, vector));
      return { cpu, bytes: code.label("park").pause().jump("park").finish(), origin: code.origin };
    });
    machine.map(CODE, 0x1000, PAGE_RX);
    for (const { cpu, bytes, origin } of codes) {
      machine.write(origin, bytes);
      machine.start(cpu, origin, { cycle: BigInt(START) });
    }
    machine.core.setTraceMask((1 << TraceKind.INTERRUPT_ARRIVED) | (1 << TraceKind.INTERRUPT_LOST));
    fault(machine, 3, INTERRUPT, { lose: 1 });
    expect(outcome(machine).sort()).toEqual([`CPU 3 65 lost ${ARRIVES}`, `CPU 3 66 lost ${ARRIVES}`]);
  });

  it("comes before a delay", () => {
    const machine = x86(to(1, 0x41n), to(1, 0x42n));
    fault(machine, 1, INTERRUPT, { delay: 100, lose: 1 });
    expect(outcome(machine)).toEqual([`CPU 1 65 lost ${ARRIVES}`, `CPU 1 66 at ${ARRIVES + 120}`]);
  });

  it("doesn't reach a message that is held up already", () => {
    const machine = x86(to(1, FIXED));
    fault(machine, 1, INTERRUPT, { delay: 1000 });
    machine.run(ARRIVES + 500);
    fault(machine, 1, INTERRUPT, { lose: LOSE_ALL });
    expect(outcome(machine)).toEqual([`CPU 1 65 at ${ARRIVES + 1000}`]);
  });

  it("of an NMI leaves nothing pending; of an interrupt it leaves the NMI alone", () => {
    const machine = x86(to(1, NMI), to(1, FIXED), to(1, NMI));
    fault(machine, 1, DeliveryKind.NMI, { lose: 1 });
    expect(outcome(machine)).toEqual([
      `CPU 1 2 lost ${ARRIVES}`,
      `CPU 1 65 at ${ARRIVES + 20}`,
      `CPU 1 2 at ${ARRIVES + 40}`,
    ]);
  });
});

describe("a start", () => {
  it("can be late, and can fail", () => {
    for (const [kind, expected] of [
      [{}, "RUNNING"],
      [{ delay: 500 }, "OFFLINE"],
      [{ lose: 1 }, "OFFLINE"],
    ] as const) {
      const machine = x86();
      machine.start(1, CODE, { cycle: 200n });
      fault(machine, 1, STARTUP, kind);
      machine.run(400);
      expect(CpuState[machine.state(1)]).toBe(expected);
      machine.run(800);
      expect(CpuState[machine.state(1)]).toBe("lose" in kind ? "OFFLINE" : "RUNNING");
    }
  });
});

describe("arm64 messages", () => {
  const topology = buildTopology({ architecture: "arm64", packages: 1, coresPerLlc: 2 });
  function guest(text: string, prepare: (machine: BareMachine) => void): Guest {
    const one = new Guest(text, { topology, timing: plainTiming("arm64", figures) });
    one.machine.core.setTraceMask((1 << TraceKind.INTERRUPT_ARRIVED) | (1 << TraceKind.INTERRUPT_LOST));
    prepare(one.machine);
    one.machine.start(0, one.program.label("start"), { cycle: 1000n });
    one.machine.start(1, one.program.label("wait"), { cycle: 10n });
    one.run(20_000);
    return one;
  }
  const program = `
    start:
      sev
      mov x9, #2
      msr icc_sgi1r_el1, x9
      b park
    wait:
      mov x7, #0
      wfe
      mov x7, #1
    ${park}`;

  it("are late or lost by kind: an event that is lost ends no WFE, an SGI comes all the same", () => {
    const { machine } = guest(program, (bare) => fault(bare, 1, EVENT, { lose: 1 }));
    expect(machine.register(1, 7)).toBe(0n);
    expect(machine.drain().map(({ kind }) => kind)).toEqual([TraceKind.INTERRUPT_LOST, TraceKind.INTERRUPT_ARRIVED]);
  });

  it("are late or lost by kind: an SGI that is late lets an event pass", () => {
    const { machine } = guest(program, (bare) => fault(bare, 1, INTERRUPT, { delay: 600 }));
    expect(machine.register(1, 7)).toBe(1n);
    expect(machine.drain().map(({ cycle }) => cycle)).toEqual([BigInt(1002 + figures.interrupt + 600)]);
  });

  it("that carry accesses to redistributors and their answers are no interrupts", () => {
    const text = `
      start:
        li x1, #${GICR_BASE + GICR_STRIDE + 8}
        ldr w7, [x1]
        mov x8, #1
        b park
      wait:
      ${park}`;
    const { machine } = guest(text, (bare) => {
      for (const cpu of [0, 1]) fault(bare, cpu, INTERRUPT, { lose: LOSE_ALL });
    });
    expect(machine.register(0, 8)).toBe(1n);
  });
});

describe.each(architectures)("setDelivery() on %s", (architecture) => {
  const machine = (): Machine => machineOf(imageOf(architecture, counting, { cpus: 4 }), { topology: cpus(4) });
  const set = (cpu: number, kind: string, delivery: Delivery) => () => {
    machine().setDelivery(cpu, kind as DeliveryKindName, delivery);
  };

  it("takes the architecture's kinds, and gives them back", () => {
    const one = machine();
    for (const [name, { architectures: on }] of Object.entries(deliveryKinds)) {
      const kind = name as DeliveryKindName;
      if (!(on as readonly string[]).includes(architecture)) continue;
      expect(one.delivery(3, kind)).toEqual({ delayCycles: 0, lose: 0 });
      one.setDelivery(3, kind, { delayCycles: 123_456_789_012, lose: "all" });
      expect(one.delivery(3, kind)).toEqual({ delayCycles: 123_456_789_012, lose: "all" });
      one.setDelivery(3, kind, { lose: 7 });
      expect(one.delivery(3, kind)).toEqual({ delayCycles: 0, lose: 7 });
    }
  });

  it("refuses what no machine has, and says what is allowed", () => {
    const foreign = architecture === "arm64" ? "nmi" : "el3";
    expect(set(0, "mail", {})).toThrow(/NAME_UNKNOWN|no such kind of message.*allowed: interrupt/);
    expect(set(0, foreign, {})).toThrow(new RegExp(`${architecture} doesn't have.*"${foreign}".*allowed: interrupt`));
    expect(set(4, "interrupt", {})).toThrow(/no such CPU; found 4; allowed: 0 to 3/);
    expect(set(0, "interrupt", { delayCycles: -1 })).toThrow(/delayed; found -1/);
    expect(set(0, "interrupt", { delayCycles: 1.5 })).toThrow(/delayed; found 1.5/);
    expect(set(0, "interrupt", { lose: -1 })).toThrow(/lose; found -1/);
    expect(set(0, "interrupt", { lose: 2 ** 32 - 1 })).toThrow(/lose; found 4294967295/);
    for (const kind of ["toString", "__proto__"]) expect(set(0, kind, {})).toThrow(/no such kind/);
  });

  it("is part of the state until it is put in order", () => {
    const [plain, faulty] = [machine(), machine()];
    faulty.setDelivery(1, "interrupt", { delayCycles: 5 });
    expect(faulty.digest()).not.toBe(plain.digest());
    expect(faulty.cpuDigest(1)).not.toBe(plain.cpuDigest(1));
    expect(faulty.cpuDigest(2)).toBe(plain.cpuDigest(2));
    faulty.setDelivery(1, "interrupt", {});
    expect(faulty.digest()).toBe(plain.digest());
  });

  it("goes into snapshots and forks, with what is held up", async () => {
    const { machine: whole } = await rendezvous(architecture);
    for (const cpu of [2, 3, 5, 7]) {
      whole.setDelivery(cpu, "interrupt", { delayCycles: 7000 * cpu });
    }
    whole.setDelivery(9, "interrupt", { lose: 1 });
    for (let cycle = 20_000; cycle < 400_000; cycle += 60_000) {
      whole.run(cycle);
      const twins = [whole.fork(), Machine.restoreOn(checkedCore, whole.snapshot(), partsOf(whole))];
      for (const one of [whole, ...twins]) one.run(cycle + 59_000);
      for (const one of twins) expect(stateOf(one)).toEqual(stateOf(whole));
    }
  });
});
