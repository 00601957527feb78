// The APIC timer: one-shot, periodic and TSC deadline, rule by rule (Intel SDM 3A 11.5.4, rev. 083).

import { describe, expect, it } from "vitest";
import { RAX, RBX, RCX, RDX } from "../../instructions/x86-64/code.ts";
import { APIC, BY_ONE, MASKED, MSR, type ApicProgram, type Log, alone } from "./bench.ts";

const modes = ["xapic", "x2apic"] as const;
const VECTOR = 0xec;
const [PERIODIC, TSC_DEADLINE] = [1 << 17, 2 << 17];
const TAKEN = `int 0x${VECTOR.toString(16)}`;

const taken = (log: Log): number => log.filter((entry) => entry === TAKEN).length;

/** The timer with one count per crystal clock, that is per cycle here. */
function start(a: ApicProgram, mode: number, count: number): ApicProgram {
  return a
    .write(APIC.TDCR, BY_ONE)
    .write(APIC.TIMER, mode | VECTOR)
    .write(APIC.TMICT, count);
}

/** IA32_TSC_DEADLINE := TSC + a distance. */
function deadlineIn(a: ApicProgram, cycles: number): ApicProgram {
  return a.rdtsc().opImmediate("add", 4, RAX, cycles).set(RCX, MSR.TSC_DEADLINE).wrmsr();
}

describe.each(modes)("in %s mode", (mode) => {
  it("one-shot: TMICT loads TMCCT, which counts down to 0, fires once, and stays (11.5.4)", () => {
    const log = alone(mode, (a) =>
      start(a, 0, 4000).read(APIC.TMCCT).open(9000).read(APIC.TMCCT).open(9000).read(APIC.TMICT),
    );
    const [first = 0] = log;
    expect(first).toBeGreaterThan(3900);
    expect(first).toBeLessThan(4000);
    expect(log.slice(1)).toEqual([TAKEN, 0, 4000]);
  });

  it("periodic: it is loaded again each time it reaches 0", () => {
    const log = alone(mode, (a) => start(a, PERIODIC, 1000).open(10_400).write(APIC.TMICT, 0));
    expect(taken(log)).toBe(10);
  });

  it("a write of 0 to TMICT stops it", () => {
    const log = alone(mode, (a) => start(a, PERIODIC, 1000).wait(200).write(APIC.TMICT, 0).open(5000).read(APIC.TMCCT));
    expect(log).toEqual([0]);
  });

  it("a new TMICT starts anew", () => {
    const log = alone(mode, (a) => {
      start(a, 0, 1000);
      for (let i = 0; i < 10; i++) a.open(500).write(APIC.TMICT, 1000);
      a.open(3000);
    });
    expect(log).toEqual([TAKEN]);
  });

  it("masked, it counts all the same, and what it would have said is lost", () => {
    const log = alone(mode, (a) =>
      start(a, MASKED, 1000).open(500).read(APIC.TMCCT).open(2000).write(APIC.TIMER, VECTOR).open(2000),
    );
    expect(log.length).toBe(1);
    expect(log[0]).toBeGreaterThan(0);
    expect(log[0]).toBeLessThan(600);
  });

  it("masked for a while, a periodic one goes on in step", () => {
    const log = alone(mode, (a) =>
      start(a, PERIODIC | MASKED, 1000)
        .open(3500)
        .write(APIC.TIMER, PERIODIC | VECTOR)
        .open(3000)
        .write(APIC.TMICT, 0),
    );
    expect(taken(log)).toBe(3);
  });

  it.each([
    [0b0000, 2],
    [0b0001, 4],
    [0b0010, 8],
    [0b0011, 16],
    [0b1000, 32],
    [0b1001, 64],
    [0b1010, 128],
    [0b1011, 1],
  ])("TDCR %i divides by %i (figure 11-10)", (code, divisor) => {
    const log = alone(mode, (a) => {
      a.write(APIC.TIMER, MASKED).write(APIC.TDCR, code).write(APIC.TMICT, 100_000).rdtsc().copy(8, RBX, RAX);
      a.wait(6000).read(APIC.TMCCT).rdtsc().op("sub", 8, RAX, RBX).note();
    }).map(Number);
    const [left = 0, cycles = 0] = log;
    expect(Math.abs((100_000 - left) * divisor - cycles)).toBeLessThan(divisor + 20);
  });

  it("a mode switch between one-shot and periodic leaves the count alone", () => {
    const log = alone(mode, (a) => {
      start(a, 0, 2000)
        .wait(1000)
        .write(APIC.TIMER, PERIODIC | VECTOR)
        .read(APIC.TMCCT)
        .open(3500)
        .write(APIC.TIMER, VECTOR);
      a.open(5000).read(APIC.TMCCT);
    });
    expect(log[0]).toBeLessThan(1000);
    // At 2000 and 4000; then one-shot: at 6000, and no more.
    expect(log.slice(1)).toEqual([TAKEN, TAKEN, TAKEN, 0]);
  });

  it("a one-shot that is over stays over when it becomes periodic, until TMICT is written", () => {
    const log = alone(mode, (a) => {
      start(a, 0, 500)
        .open(1000)
        .write(APIC.TIMER, PERIODIC | VECTOR)
        .open(3000)
        .read(APIC.TMCCT);
      a.write(APIC.TMICT, 500).open(1200).write(APIC.TMICT, 0);
    });
    expect(log).toEqual([TAKEN, 0, TAKEN, TAKEN]);
  });

  it("a write of TDCR lets a running count go on at the new rate", () => {
    const log = alone(mode, (a) => {
      a.write(APIC.TDCR, BY_ONE).write(APIC.TIMER, MASKED).write(APIC.TMICT, 10_000).wait(2000);
      a.write(APIC.TDCR, 0b1010).read(APIC.TMCCT).wait(1280).read(APIC.TMCCT);
    }).map(Number);
    const [at = 0, later = 0] = log;
    expect(at).toBeLessThan(8000);
    expect(at - later).toBeGreaterThanOrEqual(9);
    expect(at - later).toBeLessThanOrEqual(12);
  });

  it("never shows more than TMICT, and falls steadily", () => {
    const log = alone(mode, (a) => {
      start(a, PERIODIC | MASKED, 37);
      for (let i = 0; i < 40; i++) a.read(APIC.TMCCT);
      a.write(APIC.TMICT, 0);
    }).map(Number);
    expect(Math.max(...log)).toBeLessThanOrEqual(37);
    expect(new Set(log).size).toBeGreaterThan(10);
  });
});

describe("TSC-deadline mode (11.5.4.1)", () => {
  it("is announced by CPUID.1:ECX[24], the timer in idle states by CPUID.6:EAX[2]", () => {
    const log = alone("x2apic", (a) => a.cpuidNote(1, RCX).cpuidNote(6, RAX)).map(Number);
    expect([((log[0] ?? 0) >> 24) & 1, ((log[1] ?? 0) >> 2) & 1]).toEqual([1, 1]);
  });

  it.each(modes)("fires once when the TSC has reached the deadline, and the MSR reads 0 then (%s mode)", (mode) => {
    const log = alone(mode, (a) => {
      deadlineIn(a.write(APIC.TIMER, TSC_DEADLINE | VECTOR), 5000);
      a.readMsr(MSR.TSC_DEADLINE).open(9000).readMsr(MSR.TSC_DEADLINE).open(9000);
    });
    expect(log[0]).toBeGreaterThan(5000);
    expect(log.slice(1)).toEqual([TAKEN, 0]);
  });

  it("a deadline that has passed fires at once", () => {
    const log = alone("x2apic", (a) => {
      a.write(APIC.TIMER, TSC_DEADLINE | VECTOR)
        .wait(3000)
        .sti()
        .writeMsr(MSR.TSC_DEADLINE, 1n);
      a.set(RAX, 1).note().cli().readMsr(MSR.TSC_DEADLINE);
    });
    expect(log).toEqual([TAKEN, 1, 0]);
  });

  it("0 disarms; another deadline takes the place of the first", () => {
    const armed = (then: (a: ApicProgram) => unknown): Log =>
      alone("x2apic", (a) => {
        deadlineIn(a.write(APIC.TIMER, TSC_DEADLINE | VECTOR), 3000).wait(500);
        then(a);
        a.open(4000).set(RAX, 1).note().open(6000);
      });
    expect(armed((a) => a.writeMsr(MSR.TSC_DEADLINE, 0n))).toEqual([1]);
    expect(armed((a) => deadlineIn(a, 7000))).toEqual([1, TAKEN]);
    expect(armed((a) => deadlineIn(a, 1000))).toEqual([TAKEN, 1]);
  });

  it("masked, a deadline passes and is lost", () => {
    const log = alone("x2apic", (a) => {
      deadlineIn(a.write(APIC.TIMER, TSC_DEADLINE | MASKED | VECTOR), 1000);
      a.open(3000)
        .readMsr(MSR.TSC_DEADLINE)
        .write(APIC.TIMER, TSC_DEADLINE | VECTOR)
        .open(3000);
    });
    expect(log).toEqual([0]);
  });

  it("writes of TMICT are ignored, and TMCCT reads 0", () => {
    const log = alone("x2apic", (a) =>
      a
        .write(APIC.TIMER, TSC_DEADLINE | VECTOR)
        .write(APIC.TMICT, 500)
        .read(APIC.TMICT)
        .read(APIC.TMCCT)
        .open(3000),
    );
    expect(log).toEqual([0, 0]);
  });

  it("outside the mode IA32_TSC_DEADLINE reads 0, and writes are ignored", () => {
    for (const mode of [0, PERIODIC]) {
      const log = alone("x2apic", (a) => {
        deadlineIn(a.write(APIC.TIMER, mode | VECTOR), 500);
        a.readMsr(MSR.TSC_DEADLINE).open(3000);
      });
      expect(log).toEqual([0]);
    }
  });

  it("leaving the mode disarms, and so does entering it", () => {
    const left = alone("x2apic", (a) => {
      deadlineIn(a.write(APIC.TIMER, TSC_DEADLINE | VECTOR), 2000);
      a.write(APIC.TIMER, VECTOR)
        .open(4000)
        .write(APIC.TIMER, TSC_DEADLINE | VECTOR)
        .readMsr(MSR.TSC_DEADLINE)
        .open(3000);
    });
    expect(left).toEqual([0]);
    const entered = alone("x2apic", (a) =>
      start(a, 0, 2000)
        .write(APIC.TIMER, TSC_DEADLINE | VECTOR)
        .open(4000)
        .write(APIC.TIMER, VECTOR)
        .read(APIC.TMCCT),
    );
    expect(entered).toEqual([0]);
  });

  it("a write of the TSC or of IA32_TSC_ADJUST moves the deadline with it", () => {
    const jumped = (by: (a: ApicProgram) => unknown): Log =>
      alone("x2apic", (a) => {
        deadlineIn(a.write(APIC.TIMER, TSC_DEADLINE | VECTOR), 50_000);
        by(a);
        a.open(3000).set(RAX, 1).note();
      });
    expect(jumped(() => 0)).toEqual([1]);
    expect(jumped((a) => a.writeMsr(MSR.TSC_ADJUST, 49_000n))).toEqual([TAKEN, 1]);
    expect(jumped((a) => a.writeMsr(MSR.TSC, 1n << 40n))).toEqual([TAKEN, 1]);
    expect(jumped((a) => a.writeMsr(MSR.TSC_ADJUST, 1n << 40n))).toEqual([TAKEN, 1]);
    const away = alone("x2apic", (a) => {
      a.writeMsr(MSR.TSC, 1n << 20n);
      deadlineIn(a.write(APIC.TIMER, TSC_DEADLINE | VECTOR), 2000)
        .writeMsr(MSR.TSC, 0n)
        .open(6000)
        .set(RAX, 1)
        .note();
    });
    expect(away).toEqual([1]);
  });

  it("a deadline beyond all time is never reached", () => {
    expect(
      alone("x2apic", (a) =>
        a
          .write(APIC.TIMER, TSC_DEADLINE | VECTOR)
          .writeMsr(MSR.TSC_DEADLINE, (1n << 64n) - 1n)
          .open(5000),
      ),
    ).toEqual([]);
  });
});

describe("the timer's clock", () => {
  it("is the core crystal clock: TSC = crystal times CPUID.15H:EBX / EAX", () => {
    const log = alone(
      "x2apic",
      (a) => a.push(RBX).cpuidNote(0x15, RAX).cpuidNote(0x15, RBX).cpuidNote(0x15, RCX).pop(RBX),
      {
        figures: { apicTimerClock: 24_000 },
      },
    ).map(Number);
    const [denominator = 0, numerator = 0, crystal = 0] = log;
    expect(crystal).toBe(24_000_000);
    expect((crystal * numerator) / denominator).toBe(1e9);
  });

  it("is kept exactly over many periods: 100 counts of 24 MHz are 4,166 2/3 cycles of 1 GHz", () => {
    const log = alone(
      "x2apic",
      (a) => {
        a.write(APIC.TDCR, BY_ONE)
          .write(APIC.TIMER, PERIODIC | MASKED)
          .rdtsc()
          .note()
          .write(APIC.TMICT, 100);
        a.wait(4_000_000).rdtsc().note().read(APIC.TMCCT).write(APIC.TMICT, 0);
      },
      { figures: { apicTimerClock: 24_000 } },
    ).map(Number);
    const [before = 0, after = 0, count = 0] = log;
    expect(after - before).toBeGreaterThan(3_900_000);
    // A third of a cycle lost or won in each period would be seven counts by now.
    const passed = ((after - before) * 24) / 1000;
    const ahead = (100 - count - passed) % 100;
    expect(Math.min(Math.abs(ahead), 100 - Math.abs(ahead))).toBeLessThan(1.5);
  });

  it.each(modes)("ends HLT (%s mode)", (mode) => {
    const log = alone(mode, (a) => start(a, 0, 5000).sti().hlt().cli().set(RDX, 0).set(RAX, 1).note());
    expect(log).toEqual([TAKEN, 1]);
  });
});
