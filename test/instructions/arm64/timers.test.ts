// The generic timers, the event stream, WFET and WFIT (Arm ARM DDI 0487 K.a, D12.2, D1.6), rule by rule. On this machine every
// instruction takes a cycle and a cycle is a count, so that the cycle of an event can be stated.

import { describe, expect, it } from "vitest";
import { Counter, CpuState, GICR_BASE, GICR_STRIDE, RunStatus, WaitKind } from "../../../src/abi.ts";
import { accelerationNames } from "../../../src/machine/accelerations.ts";
import { cyclesOf, type TimingModel } from "../../../src/timing/index.ts";
import { plainTiming } from "../../support/plain-timing.ts";
import { DATA, Guest, openInterrupts, park, setVectors, vectors } from "./guest.ts";

const noAccelerations = Object.fromEntries(accelerationNames.map((name) => [name, false]));

const VIRTUAL_PPI = 27;
const PHYSICAL_PPI = 30;
const ENABLE = 1n;
const IMASK = 2n;
const ISTATUS = 4n;

/** The count that a register is read at: the start of the instruction that reads it. */
const timing = plainTiming("arm64");

/** A counter of 25 MHz beside a clock of 1 GHz: 40 cycles a count. */
const slowCounter: TimingModel = {
  ...timing,
  counterHz: { value: 25_000_000, source: "a test", confidence: "estimate" },
};

/** Enables the PPIs beside what openInterrupts() does; level-sensitive, as they are after reset. */
const openPpis = (cpu: number): string => `
  ${openInterrupts(cpu)}
  li x9, #${GICR_BASE + cpu * GICR_STRIDE + 0x10000}
  li x10, #0xffffffff
  str w10, [x9, #0x100]                       // GICR_ISENABLER0
`;

/** Notes the INTID in X21, the count in X22, and how often in X19; stops the timer by its own means. */
const handler = `
${vectors({ irq: "interrupted" })}
interrupted:
  mrs x22, cntpct_el0
  mrs x21, icc_iar1_el1
  add x19, x19, #1
  mov x18, #3
  msr cntp_ctl_el0, x18
  msr cntv_ctl_el0, x18
  msr icc_eoir1_el1, x21
  eret
${park}`;

function run(text: string, { model = timing, cycles = 400_000 } = {}): Guest {
  const guest = new Guest(`start: ${setVectors}\n li x20, #${DATA}\n ${text}\n b park\n ${handler}`, { timing: model });
  guest.start("start").run(cycles);
  return guest;
}

/** The value of X1 after `text`. */
function x1(text: string, model?: TimingModel): bigint {
  return run(text, model === undefined ? {} : { model }).x(0, 1);
}

const timers = [
  { name: "CNTP", ppi: PHYSICAL_PPI },
  { name: "CNTV", ppi: VIRTUAL_PPI },
] as const;

describe.each(timers)("$name: the registers (D12.2.4, D24.10)", ({ name }) => {
  const timer = name.toLowerCase();

  it("CTL holds ENABLE and IMASK, and nothing else that is written", () => {
    const guest = run(`mov x2, #-1\n msr ${timer}_cval_el0, x2\n msr ${timer}_ctl_el0, x2\n mrs x1, ${timer}_ctl_el0`);
    expect(guest.x(0, 1)).toBe(ENABLE | IMASK);
  });

  it("CTL and CVAL are zero after reset: the timer is disabled", () => {
    expect(run(`mrs x1, ${timer}_ctl_el0\n mrs x2, ${timer}_cval_el0`).registers(0, 1, 2)).toEqual([0n, 0n]);
  });

  it("CVAL reads as written, all 64 bits", () => {
    expect(x1(`li x2, #0xfedcba9876543210\n msr ${timer}_cval_el0, x2\n mrs x1, ${timer}_cval_el0`)).toBe(
      0xfedcba9876543210n,
    );
  });

  it("ISTATUS says that the count has reached CVAL, while the timer is enabled", () => {
    const text = (control: bigint): string =>
      `msr ${timer}_cval_el0, xzr\n mov x2, #${control}\n msr ${timer}_ctl_el0, x2\n mrs x1, ${timer}_ctl_el0`;
    expect(x1(text(ENABLE))).toBe(ENABLE | ISTATUS);
    expect(x1(text(0n))).toBe(0n);
  });

  it("ISTATUS does not depend on IMASK", () => {
    expect(x1(`mov x2, #3\n msr ${timer}_ctl_el0, x2\n mrs x1, ${timer}_ctl_el0`)).toBe(ENABLE | IMASK | ISTATUS);
  });

  it("ISTATUS falls when CVAL moves ahead, without being cleared", () => {
    expect(
      x1(`mov x2, #3\n msr ${timer}_ctl_el0, x2\n mov x2, #-1\n msr ${timer}_cval_el0, x2\n mrs x1, ${timer}_ctl_el0`),
    ).toBe(ENABLE | IMASK);
  });

  it("compares unsigned: a CVAL in the upper half is far ahead", () => {
    expect(
      x1(`li x2, #0x8000000000000000\n msr ${timer}_cval_el0, x2\n mov x2, #3\n msr ${timer}_ctl_el0, x2
          mrs x1, ${timer}_ctl_el0`),
    ).toBe(ENABLE | IMASK);
  });

  it("ISTATUS rises at the very count of CVAL", () => {
    const read = (ahead: number): string =>
      // The next instruction but two reads CTL: four cycles behind the counter.
      `mrs x2, cntpct_el0\n add x2, x2, #${ahead}\n msr ${timer}_cval_el0, x2\n mov x3, #3\n msr ${timer}_ctl_el0, x3
       mrs x1, ${timer}_ctl_el0`;
    expect(x1(read(5))).toBe(ENABLE | IMASK | ISTATUS);
    expect(x1(read(6))).toBe(ENABLE | IMASK);
  });

  it("TVAL written sets CVAL to the count plus the value", () => {
    const guest = run(`mov x2, #1000\n mrs x3, cntpct_el0\n msr ${timer}_tval_el0, x2\n mrs x1, ${timer}_cval_el0`);
    expect(guest.x(0, 1)).toBe(guest.x(0, 3) + 1n + 1000n);
  });

  it("TVAL is signed: a negative value lies in the past, and its upper half is ignored", () => {
    const guest = run(
      `li x2, #0x1fffffffe\n mrs x3, cntpct_el0\n msr ${timer}_tval_el0, x2\n mrs x1, ${timer}_cval_el0`,
    );
    expect(guest.x(0, 1)).toBe(guest.x(0, 3) + 1n - 2n);
  });

  it("TVAL counts down, in 32 bits, and on below zero", () => {
    const guest = run(`mov x2, #2\n msr ${timer}_tval_el0, x2\n mrs x1, ${timer}_tval_el0\n nop\n nop
      mrs x3, ${timer}_tval_el0`);
    expect(guest.registers(0, 1, 3)).toEqual([1n, 0xffff_fffen]);
  });
});

describe.each(timers)("$name: the interrupt (D12.2.5)", ({ name, ppi }) => {
  const timer = name.toLowerCase();

  it("comes at the count of CVAL, with the INTID of its PPI", () => {
    const guest = run(`${openPpis(0)}
      mrs x2, cntpct_el0\n add x2, x2, #1000\n msr ${timer}_cval_el0, x2\n mov x3, #1\n msr ${timer}_ctl_el0, x3
      msr daifclr, #2\n spin: add x4, x4, #1\n cbz x19, spin`);
    expect(guest.registers(0, 21, 19)).toEqual([BigInt(ppi), 1n]);
    // One cycle to be recognised, one to branch from the vector.
    expect(guest.x(0, 22) - guest.x(0, 2)).toBeLessThanOrEqual(3n);
  });

  it("comes at once when the condition is met already", () => {
    const guest = run(`${openPpis(0)} msr daifclr, #2\n mov x3, #1\n msr ${timer}_ctl_el0, x3\n mov x1, x19`);
    expect(guest.registers(0, 1, 21)).toEqual([1n, BigInt(ppi)]);
  });

  it("does not come while IMASK is set, and does when it is cleared", () => {
    const guest = run(`${openPpis(0)} msr daifclr, #2\n mov x3, #3\n msr ${timer}_ctl_el0, x3\n isb\n mov x1, x19
      mov x3, #1\n msr ${timer}_ctl_el0, x3\n isb\n mov x2, x19`);
    expect(guest.registers(0, 1, 2)).toEqual([0n, 1n]);
  });

  it("does not come while the timer is disabled", () => {
    expect(run(`${openPpis(0)} msr daifclr, #2\n msr ${timer}_cval_el0, xzr\n isb`).x(0, 19)).toBe(0n);
  });

  it("is a level: it goes away unserved when CVAL moves ahead", () => {
    const guest = run(`${openPpis(0)} mov x3, #1\n msr ${timer}_ctl_el0, x3\n mrs x1, isr_el1
      mov x4, #-1\n msr ${timer}_cval_el0, x4\n mrs x2, isr_el1\n msr daifclr, #2\n isb`);
    expect(guest.registers(0, 1, 2, 19)).toEqual([0x80n, 0n, 0n]);
  });

  it("is a level: it comes again after its end when nobody has moved CVAL", () => {
    const guest = run(`${openPpis(0)} mov x3, #1\n msr ${timer}_ctl_el0, x3
      mrs x1, icc_iar1_el1\n mrs x2, icc_iar1_el1\n msr icc_eoir1_el1, x1\n mrs x4, icc_iar1_el1`);
    expect(guest.registers(0, 1, 2, 4)).toEqual([BigInt(ppi), 1023n, BigInt(ppi)]);
  });

  it("shows in GICR_ISPENDR0 while the level is up", () => {
    const guest = run(`${openPpis(0)} mov x3, #1\n li x5, #${GICR_BASE + 0x10000}
      ldr w1, [x5, #0x200]\n msr ${timer}_ctl_el0, x3\n ldr w2, [x5, #0x200]
      msr ${timer}_ctl_el0, xzr\n ldr w4, [x5, #0x200]`);
    expect(guest.registers(0, 1, 2, 4)).toEqual([0n, 1n << BigInt(ppi), 0n]);
  });

  it("ends a WFI, masked by PSTATE or not", () => {
    const guest = run(`${openPpis(0)} mov x3, #1000\n msr ${timer}_tval_el0, x3\n mrs x2, ${timer}_cval_el0
      mov x3, #1\n msr ${timer}_ctl_el0, x3\n wfi\n mrs x1, cntpct_el0`);
    // WAKE_WFI is a cycle
    expect(guest.x(0, 1) - guest.x(0, 2)).toBe(1n);
    expect(guest.x(0, 19)).toBe(0n);
  });

  it("does not end a WFE that PSTATE masks it from", () => {
    const guest = run(`${openPpis(0)} mov x3, #1000\n msr ${timer}_tval_el0, x3\n mov x3, #1\n msr ${timer}_ctl_el0, x3
      mov x1, #1\n wfe\n mov x1, #2`);
    expect(guest.x(0, 1)).toBe(1n);
    expect(guest.machine.state(0)).toBe(CpuState.WAITING);
  });

  it("belongs to its PE: nobody else sees it", () => {
    const guest = new Guest(
      `zero: ${openPpis(0)} mov x3, #100\n msr ${timer}_tval_el0, x3\n mov x3, #1\n msr ${timer}_ctl_el0, x3
         wfi\n mov x1, #1\n msr ${timer}_ctl_el0, xzr\n b park
       one: ${openPpis(1)} mov x1, #2\n wfi\n mov x1, #3\n b park\n ${park}`,
      { cpus: 2, timing },
    );
    guest.start("zero", "one").run();
    expect([guest.x(0, 1), guest.x(1, 1)]).toEqual([1n, 2n]);
  });
});

describe("the counter", () => {
  it("has the frequency of CNTFRQ_EL0", () => {
    const guest = run("mrs x1, cntfrq_el0", { model: slowCounter });
    expect(guest.x(0, 1)).toBe(25_000_000n);
  });

  it("has no frequency that counts and cycles could not be converted with exactly", () => {
    const chosen = (value: number) => ({ value, source: "a test", confidence: "estimate" }) as const;
    for (const counterHz of [0, 1.5, 2 ** 32, 4_294_967_291]) {
      const model = { ...timing, counterHz: chosen(counterHz), clockMhz: chosen(99_991) };
      expect(() => new Guest("nop", { timing: model })).toThrow(/counter frequency; found/);
    }
  });

  it("stands for as many cycles as a count has", () => {
    const read =
      "mrs x1, cntpct_el0\n mov x9, #0\n wait: add x9, x9, #1\n cmp x9, #400\n b.cc wait\n mrs x2, cntpct_el0";
    const guest = run(read, { model: slowCounter });
    // A turn takes three cycles, a count forty.
    expect(guest.x(0, 2) - guest.x(0, 1)).toBe(30n);
  });

  it.each([
    [24_000_000, 1000],
    [1_000_000_000, 2500],
    [62_500_000, 2100],
    [1_000_000_000, 800],
    [33_333_333, 3001],
  ])("of %i Hz beside %i MHz: WFIT ends at the first cycle of its count, exactly", (counterHz, clockMhz) => {
    const chosen = (value: number) => ({ value, source: "a test", confidence: "estimate" }) as const;
    const model = { ...timing, counterHz: chosen(counterHz), clockMhz: chosen(clockMhz) };
    // WAKE_WFI is a nanosecond, and comes on top.
    const guest = run("mrs x1, cntpct_el0\n add x2, x1, #77\n wfit x2\n mrs x3, cntpct_el0", { model });
    const firstCycle = (count: bigint): bigint => {
      const [hertz, clock] = [BigInt(counterHz), BigInt(clockMhz) * 1_000_000n];
      return (count * clock + hertz - 1n) / hertz;
    };
    const countAt = (cycle: bigint): bigint => (cycle * BigInt(counterHz)) / (BigInt(clockMhz) * 1_000_000n);
    expect(guest.x(0, 3)).toBe(countAt(firstCycle(guest.x(0, 2)) + BigInt(cyclesOf(model, 1))));
  });
});

describe("WFET and WFIT (D1.6, FEAT_WFxT)", () => {
  it("are announced in ID_AA64ISAR2_EL1", () => {
    expect(x1("mrs x1, s3_0_c0_c6_2") & 15n).toBe(2n);
  });

  it.each([
    ["wfet", WaitKind.WFE],
    ["wfit", WaitKind.WFI],
  ])("%s waits until CNTVCT_EL0 has reached the value", (mnemonic, kind) => {
    const text = `mrs x2, cntvct_el0\n add x2, x2, #500\n ${mnemonic} x2\n mrs x1, cntvct_el0`;
    const guest = run(text, { cycles: 450 });
    expect(guest.machine.state(0)).toBe(CpuState.WAITING);
    expect(kind).toBeGreaterThan(0);
    guest.run();
    expect(guest.x(0, 1) - guest.x(0, 2)).toBe(1n);
  });

  it.each(["wfet", "wfit"])("%s does not wait for a count that is over", (mnemonic) => {
    const guest = run(`mrs x2, cntvct_el0\n ${mnemonic} x2\n ${mnemonic} xzr\n mrs x1, cntvct_el0`);
    expect(guest.x(0, 1) - guest.x(0, 2)).toBe(3n);
  });

  it.each(["wfet", "wfit"])("%s of a count beyond all time waits for ever", (mnemonic) => {
    const guest = new Guest(`start: mov x2, #-1\n mov x1, #1\n ${mnemonic} x2\n mov x1, #2`, { timing });
    expect(guest.start("start").run()).toBe(RunStatus.QUIESCENT);
    expect(guest.x(0, 1)).toBe(1n);
  });

  it("WFET consumes an event instead of waiting", () => {
    const guest = run(
      "sevl\n mrs x2, cntvct_el0\n add x3, x2, #500\n wfet x3\n mrs x1, cntvct_el0\n wfet x3\n mrs x4, cntvct_el0",
    );
    expect(guest.x(0, 1) - guest.x(0, 2)).toBe(3n);
    expect(guest.x(0, 4) - guest.x(0, 2)).toBe(501n);
  });

  it("WFET that has timed out leaves no event behind", () => {
    const guest = run("mrs x2, cntvct_el0\n add x2, x2, #50\n wfet x2\n mov x1, #1\n wfe\n mov x1, #2");
    expect(guest.x(0, 1)).toBe(1n);
  });

  it("WFIT leaves the event register alone", () => {
    const guest = run("sevl\n mrs x2, cntvct_el0\n add x2, x2, #50\n wfit x2\n mov x1, #1\n wfe\n mov x1, #2");
    expect(guest.x(0, 1)).toBe(2n);
  });

  it("WFE behind a WFET that something else has ended knows no timeout", () => {
    const guest = run(`${openPpis(0)} mov x3, #100\n msr cntp_tval_el0, x3\n mov x3, #1\n msr cntp_ctl_el0, x3
      mrs x2, cntvct_el0\n add x2, x2, #2000\n wfit x2\n msr cntp_ctl_el0, xzr\n mrs x4, cntvct_el0
      mov x1, #1\n wfe\n mov x1, #2`);
    expect(guest.x(0, 4)).toBeLessThan(guest.x(0, 2));
    expect(guest.x(0, 1)).toBe(1n);
  });

  it("WFIT ends by a pending interrupt, as WFI", () => {
    const guest = run(`${openPpis(0)} mov x3, #1\n msr cntp_ctl_el0, x3
      mrs x2, cntvct_el0\n add x3, x2, #500\n wfit x3\n mrs x1, cntvct_el0`);
    expect(guest.x(0, 1) - guest.x(0, 2)).toBe(3n);
  });
});

describe("the event stream (D12.2.6)", () => {
  /** CNTKCTL_EL1: EVNTEN, EVNTI, and EVNTDIR. */
  const stream = (bit: number, direction = 0): string =>
    `li x5, #${4 | (direction << 3) | (bit << 4)}\n msr cntkctl_el1, x5\n`;

  it("is off after reset", () => {
    expect(x1("mov x1, #1\n wfe\n mov x1, #2")).toBe(1n);
  });

  it.each([3, 8, 15])("ends a WFE when bit %i of CNTVCT_EL0 goes from 0 to 1", (bit) => {
    const guest = run(`${stream(bit)} wfe\n mrs x1, cntvct_el0\n wfe\n mrs x2, cntvct_el0`);
    const period = 1n << BigInt(bit + 1);
    // WAKE_WFE is a cycle. The stream may have set the event register before the first WFE.
    expect((guest.x(0, 2) - 1n) % period).toBe(period / 2n);
    expect(guest.x(0, 2) - guest.x(0, 1)).toBeLessThanOrEqual(period);
  });

  it("with EVNTDIR triggers when the bit goes from 1 to 0", () => {
    const guest = run(`${stream(8, 1)} wfe\n mrs x1, cntvct_el0`);
    expect((guest.x(0, 1) - 1n) % 512n).toBe(0n);
  });

  it("comes again and again", () => {
    const guest = run(`${stream(6)} mov x3, #0\n again: wfe\n add x3, x3, #1\n b again`, { cycles: 128 * 50 });
    expect(guest.x(0, 3)).toBe(50n);
  });

  it("sets the event register of a PE that does not wait, once", () => {
    const guest = run(`${stream(6)} mov x9, #100\n spin: sub x9, x9, #1\n cbnz x9, spin\n msr cntkctl_el1, xzr
      mov x1, #1\n wfe\n mov x1, #2\n wfe\n mov x1, #3`);
    expect(guest.x(0, 1)).toBe(2n);
  });

  it("does not end a WFI", () => {
    const guest = run(`${stream(6)} mov x1, #1\n wfi\n mov x1, #2`);
    expect(guest.x(0, 1)).toBe(1n);
  });

  it("ends when EVNTEN is cleared", () => {
    const guest = run(`${stream(10)} msr cntkctl_el1, xzr\n mov x1, #1\n wfe\n mov x1, #2`);
    expect(guest.x(0, 1)).toBe(1n);
  });

  it("of a slow counter triggers at the counter's transitions", () => {
    const guest = run(`${stream(2)} wfe\n mrs x1, cntvct_el0\n wfe\n mrs x2, cntvct_el0`, { model: slowCounter });
    expect(guest.x(0, 1) % 8n).toBe(4n);
    expect(guest.x(0, 2) - guest.x(0, 1)).toBe(8n);
  });

  it("reads back from CNTKCTL_EL1", () => {
    expect(x1(`${stream(9, 1)} mrs x1, cntkctl_el1`)).toBe(0x9cn);
  });
});

describe("CNTVOFF_EL2 (D12.2.3), as the host has set it", () => {
  const COUNTS_OFF = [700n, -(1n << 40n)];

  function shifted(text: string, virtualCounterOffsets: readonly bigint[] = COUNTS_OFF, accelerations = {}): Guest {
    const guest = new Guest(`start: ${setVectors}\n ${text}\n b park\n ${handler}`, {
      ...{ timing, cpus: virtualCounterOffsets.length, virtualCounterOffsets, accelerations },
    });
    return guest.start(...virtualCounterOffsets.map(() => "start"));
  }

  it("is what CNTVCT_EL0 is behind CNTPCT_EL0, on each PE its own, modulo 2^64", () => {
    const guest = shifted("mrs x1, cntpct_el0\n mrs x2, cntvct_el0");
    guest.run();
    for (const [cpu, offset] of COUNTS_OFF.entries()) {
      const [physical = 0n, virtual = 0n] = guest.registers(cpu, 1, 2);
      expect(virtual).toBe(BigInt.asUintN(64, physical + 1n - offset));
    }
  });

  it.each([
    ["virtual", "cntv", 1_700n],
    ["physical", "cntp", 1_000n],
  ])("delays the virtual timer, and not the physical one (%s)", (_, timer, expected) => {
    const guest = shifted(
      // from a count that is not yet beyond CVAL: the virtual one begins 700 below zero
      `${openPpis(0)} poll: mrs x2, cntpct_el0\n cmp x2, #701\n b.cc poll
      mov x3, #1000\n msr ${timer}_cval_el0, x3\n mov x3, #1\n msr ${timer}_ctl_el0, x3\n msr daifclr, #2`,
      [700n],
    );
    guest.run();
    expect(guest.x(0, 19)).toBe(1n);
    // what is due already comes at once; the other a wake-up, an exception and a branch behind its count
    expect(guest.x(0, 22)).toBeGreaterThanOrEqual(expected);
    expect(guest.x(0, 22)).toBeLessThan(expected + 700n);
  });

  it.each(["wfet", "wfit"])("%s goes by CNTVCT_EL0", (mnemonic) => {
    const guest = shifted(`mrs x2, cntvct_el0\n add x2, x2, #500\n ${mnemonic} x2\n mrs x1, cntvct_el0`);
    guest.run();
    expect([0, 1].map((cpu) => guest.x(cpu, 1) - guest.x(cpu, 2))).toEqual([1n, 1n]);
  });

  it.each([{}, { accelerations: noAccelerations }])(
    "greater than the counter, lets the condition fall when the virtual count wraps, and rise again at CVAL",
    ({ accelerations = {} }) => {
      const status = (end: string, branch: string): string =>
        `${end}: mrs x4, cntv_ctl_el0\n mrs x5, cntpct_el0\n and x4, x4, #4\n ${branch} x4, ${end}\n`;
      const guest = shifted(
        `mov x3, #500\n msr cntv_cval_el0, x3\n mov x3, #3\n msr cntv_ctl_el0, x3\n mrs x1, cntv_ctl_el0
        ${status("falls", "cbnz")} mov x6, x5\n ${status("rises", "cbz")} mov x7, x5`,
        [9_000n],
        accelerations,
      );
      guest.run();
      expect(guest.x(0, 1)).toBe(ENABLE | IMASK | ISTATUS);
      for (const [register, count] of [
        [6, 9_000n],
        [7, 9_500n],
      ] as const) {
        expect(guest.x(0, register)).toBeGreaterThanOrEqual(count);
        expect(guest.x(0, register)).toBeLessThan(count + 10n);
      }
    },
  );

  it("is part of the digest", () => {
    const digests = [[5n], [6n]].map((offsets) => {
      const guest = shifted("nop", offsets);
      guest.run();
      return guest.machine.core.digest();
    });
    expect(digests[0]).not.toBe(digests[1]);
  });
});

describe("loops that poll a timer", () => {
  const polls = {
    ISTATUS: "poll: mrs x2, cntv_ctl_el0\n add x1, x1, #1\n and x2, x2, #4\n cbz x2, poll",
    "the counter": "mrs x3, cntv_cval_el0\n poll: mrs x2, cntvct_el0\n add x1, x1, #1\n cmp x2, x3\n b.cc poll",
    TVAL: "poll: mrs x2, cntv_tval_el0\n add x1, x1, #1\n lsr x2, x2, #31\n cbz x2, poll",
    "a flag that the handler sets": "msr daifclr, #2\n poll: add x1, x1, #1\n cbz x19, poll",
  };

  it.each(Object.entries(polls))("for %s end at the same turn whether they are elided or not", (_, poll) => {
    const text = `start: ${setVectors} ${openPpis(0)} li x3, #30000\n msr cntv_tval_el0, x3\n mov x3, #1
      msr cntv_ctl_el0, x3\n mov x1, #0\n ${poll}\n mrs x4, cntvct_el0\n b park\n ${handler}`;
    const ends = [{}, { accelerations: noAccelerations }].map((options) => {
      const guest = new Guest(text, { timing, ...options });
      guest.start("start").run();
      return guest.registers(0, 1, 4);
    });
    expect(ends[0]).toEqual(ends[1]);
    expect(ends[0]?.[0]).toBeGreaterThan(5000n);
  });

  it("for ISTATUS cost the host next to nothing", () => {
    const guest = run("li x3, #300000\n msr cntv_tval_el0, x3\n mov x3, #3\n msr cntv_ctl_el0, x3\n" + polls.ISTATUS);
    expect(guest.machine.counter(Counter.PARKINGS)).toBeGreaterThan(0n);
    expect(guest.machine.counter(Counter.EVENTS)).toBeLessThan(1000n);
  });
});
