// The APIC timer: one-shot, periodic and TSC deadline, rule by rule (Intel SDM 3A 11.5.4, rev. 083). Macros: apic-guest.ts; TMICT,
// TMCCT and TDCR of the manual are APIC_INIT_COUNT, APIC_CUR_COUNT and APIC_DIV_CONF.

import { describe, expect, it } from "vitest";
import { type Log, MODES, alone } from "./apic-guest.ts";

const TAKEN = "int 0xec";

const taken = (log: Log): number => log.filter((entry) => entry === TAKEN).length;

/** The timer with one count per crystal clock, that is per cycle here. */
const start = (entry: string, count: number): string =>
  `write APIC_DIV_CONF, $BY_ONE
   write APIC_LVT_TIMER, $${entry}
   write APIC_INIT_COUNT, $${count}\n`;

/** IA32_TSC_DEADLINE := TSC + a distance. */
const deadlineIn = (cycles: number): string => `rdtsc; add $${cycles}, %eax; mov $IA32_TSC_DEADLINE, %ecx; wrmsr\n`;

describe.each(MODES)("in %s mode", (mode) => {
  it("one-shot: TMICT loads TMCCT, which counts down to 0, fires once, and stays (11.5.4)", () => {
    const log = alone(
      mode,
      `${start("0xec", 4000)}
       read APIC_CUR_COUNT
       open $9000
       read APIC_CUR_COUNT
       open $9000
       read APIC_INIT_COUNT`,
    );
    const [first = 0] = log;
    expect(first).toBeGreaterThan(3900);
    expect(first).toBeLessThan(4000);
    expect(log.slice(1)).toEqual([TAKEN, 0, 4000]);
  });

  it("periodic: it is loaded again each time it reaches 0", () => {
    const log = alone(
      mode,
      `${start("PERIODIC | 0xec", 1000)}
       open $10400
       write APIC_INIT_COUNT, $0`,
    );
    expect(taken(log)).toBe(10);
  });

  it("a write of 0 to TMICT stops it", () => {
    const log = alone(
      mode,
      `${start("PERIODIC | 0xec", 1000)}
       delay $200
       write APIC_INIT_COUNT, $0
       open $5000
       read APIC_CUR_COUNT`,
    );
    expect(log).toEqual([0]);
  });

  it("a new TMICT starts anew", () => {
    const log = alone(
      mode,
      `${start("0xec", 1000)}
       .rept 10
         open $500
         write APIC_INIT_COUNT, $1000
       .endr
       open $3000`,
    );
    expect(log).toEqual([TAKEN]);
  });

  it("masked, it counts all the same, and what it would have said is lost", () => {
    const log = alone(
      mode,
      `${start("MASKED | 0xec", 1000)}
       open $500
       read APIC_CUR_COUNT
       open $2000
       write APIC_LVT_TIMER, $0xec
       open $2000`,
    );
    expect(log.length).toBe(1);
    expect(log[0]).toBeGreaterThan(0);
    expect(log[0]).toBeLessThan(600);
  });

  it("masked for a while, a periodic one goes on in step", () => {
    const log = alone(
      mode,
      `${start("PERIODIC | MASKED | 0xec", 1000)}
       open $3500
       write APIC_LVT_TIMER, $PERIODIC | 0xec
       open $3000
       write APIC_INIT_COUNT, $0`,
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
    const log = alone(
      mode,
      `write APIC_LVT_TIMER, $MASKED
       write APIC_DIV_CONF, $${code}
       write APIC_INIT_COUNT, $100000
       rdtsc; mov %rax, %rbx
       delay $6000
       read APIC_CUR_COUNT
       rdtsc; sub %rbx, %rax; note`,
    ).map(Number);
    const [left = 0, cycles = 0] = log;
    expect(Math.abs((100_000 - left) * divisor - cycles)).toBeLessThan(divisor + 20);
  });

  it("a mode switch between one-shot and periodic leaves the count alone", () => {
    const log = alone(
      mode,
      `${start("0xec", 2000)}
       delay $1000
       write APIC_LVT_TIMER, $PERIODIC | 0xec
       read APIC_CUR_COUNT
       open $3500
       write APIC_LVT_TIMER, $0xec
       open $5000
       read APIC_CUR_COUNT`,
    );
    expect(log[0]).toBeLessThan(1000);
    // At 2000 and 4000; then one-shot: at 6000, and no more.
    expect(log.slice(1)).toEqual([TAKEN, TAKEN, TAKEN, 0]);
  });

  it("a one-shot that is over stays over when it becomes periodic, until TMICT is written", () => {
    const log = alone(
      mode,
      `${start("0xec", 500)}
       open $1000
       write APIC_LVT_TIMER, $PERIODIC | 0xec
       open $3000; read APIC_CUR_COUNT
       write APIC_INIT_COUNT, $500
       open $1200
       write APIC_INIT_COUNT, $0`,
    );
    expect(log).toEqual([TAKEN, 0, TAKEN, TAKEN]);
  });

  it("a write of TDCR lets a running count go on at the new rate", () => {
    const log = alone(
      mode,
      `${start("MASKED", 10_000)}
       delay $2000
       write APIC_DIV_CONF, $0b1010
       read APIC_CUR_COUNT
       delay $1280
       read APIC_CUR_COUNT`,
    ).map(Number);
    const [at = 0, later = 0] = log;
    expect(at).toBeLessThan(8000);
    expect(at - later).toBeGreaterThanOrEqual(9);
    expect(at - later).toBeLessThanOrEqual(12);
  });

  it("never shows more than TMICT, and falls steadily", () => {
    const log = alone(
      mode,
      `${start("PERIODIC | MASKED | 0xec", 37)}
       .rept 40
         read APIC_CUR_COUNT
       .endr
       write APIC_INIT_COUNT, $0`,
    ).map(Number);
    expect(Math.max(...log)).toBeLessThanOrEqual(37);
    expect(new Set(log).size).toBeGreaterThan(10);
  });
});

describe("TSC-deadline mode (11.5.4.1)", () => {
  it("is announced by CPUID.1:ECX[24], the timer in idle states by CPUID.6:EAX[2]", () => {
    const log = alone("x2apic", "mov $1, %eax; cpuid; note %rcx; mov $6, %eax; xor %ecx, %ecx; cpuid; note").map(
      Number,
    );
    expect([((log[0] ?? 0) >> 24) & 1, ((log[1] ?? 0) >> 2) & 1]).toEqual([1, 1]);
  });

  it.each(MODES)("fires once when the TSC has reached the deadline, and the MSR reads 0 then (%s mode)", (mode) => {
    const log = alone(
      mode,
      `write APIC_LVT_TIMER, $TSC_DEADLINE | 0xec
       ${deadlineIn(5000)}
       readmsr IA32_TSC_DEADLINE
       open $9000
       readmsr IA32_TSC_DEADLINE
       open $9000`,
    );
    expect(log[0]).toBeGreaterThan(5000);
    expect(log.slice(1)).toEqual([TAKEN, 0]);
  });

  it("a deadline that has passed fires at once", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_TIMER, $TSC_DEADLINE | 0xec
       delay $3000
       sti
       writemsr IA32_TSC_DEADLINE, $1
       note $1
       cli
       readmsr IA32_TSC_DEADLINE`,
    );
    expect(log).toEqual([TAKEN, 1, 0]);
  });

  it("0 disarms; another deadline takes the place of the first", () => {
    const armed = (then: string): Log =>
      alone(
        "x2apic",
        `write APIC_LVT_TIMER, $TSC_DEADLINE | 0xec
         ${deadlineIn(3000)}
         delay $500
         ${then}
         open $4000
         note $1
         open $6000`,
      );
    expect(armed("writemsr IA32_TSC_DEADLINE, $0")).toEqual([1]);
    expect(armed(deadlineIn(7000))).toEqual([1, TAKEN]);
    expect(armed(deadlineIn(1000))).toEqual([TAKEN, 1]);
  });

  it("masked, a deadline passes and is lost", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_TIMER, $TSC_DEADLINE | MASKED | 0xec
       ${deadlineIn(1000)}
       open $3000
       readmsr IA32_TSC_DEADLINE
       write APIC_LVT_TIMER, $TSC_DEADLINE | 0xec
       open $3000`,
    );
    expect(log).toEqual([0]);
  });

  it("writes of TMICT are ignored, and TMCCT reads 0", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_TIMER, $TSC_DEADLINE | 0xec
       write APIC_INIT_COUNT, $500
       read APIC_INIT_COUNT
       read APIC_CUR_COUNT
       open $3000`,
    );
    expect(log).toEqual([0, 0]);
  });

  it("outside the mode IA32_TSC_DEADLINE reads 0, and writes are ignored", () => {
    for (const mode of ["0", "PERIODIC"]) {
      const log = alone(
        "x2apic",
        `write APIC_LVT_TIMER, $${mode} | 0xec
         ${deadlineIn(500)}
         readmsr IA32_TSC_DEADLINE
         open $3000`,
      );
      expect(log).toEqual([0]);
    }
  });

  it("leaving the mode disarms, and so does entering it", () => {
    const left = alone(
      "x2apic",
      `write APIC_LVT_TIMER, $TSC_DEADLINE | 0xec
       ${deadlineIn(2000)}
       write APIC_LVT_TIMER, $0xec
       open $4000
       write APIC_LVT_TIMER, $TSC_DEADLINE | 0xec
       readmsr IA32_TSC_DEADLINE
       open $3000`,
    );
    expect(left).toEqual([0]);
    const entered = alone(
      "x2apic",
      `${start("0xec", 2000)}
       write APIC_LVT_TIMER, $TSC_DEADLINE | 0xec
       open $4000
       write APIC_LVT_TIMER, $0xec
       read APIC_CUR_COUNT`,
    );
    expect(entered).toEqual([0]);
  });

  it("a write of the TSC or of IA32_TSC_ADJUST moves the deadline with it", () => {
    const jumped = (by: string): Log =>
      alone(
        "x2apic",
        `write APIC_LVT_TIMER, $TSC_DEADLINE | 0xec
         ${deadlineIn(50_000)}
         ${by}
         open $3000
         note $1`,
      );
    expect(jumped("")).toEqual([1]);
    expect(jumped("writemsr IA32_TSC_ADJUST, $49000")).toEqual([TAKEN, 1]);
    expect(jumped("writemsr IA32_TSC, $1 << 40")).toEqual([TAKEN, 1]);
    expect(jumped("writemsr IA32_TSC_ADJUST, $1 << 40")).toEqual([TAKEN, 1]);
    const away = alone(
      "x2apic",
      `writemsr IA32_TSC, $1 << 20
       write APIC_LVT_TIMER, $TSC_DEADLINE | 0xec
       ${deadlineIn(2000)}
       writemsr IA32_TSC, $0
       open $6000
       note $1`,
    );
    expect(away).toEqual([1]);
  });

  it("a deadline beyond all time is never reached", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_TIMER, $TSC_DEADLINE | 0xec
       writemsr IA32_TSC_DEADLINE, $-1
       open $5000`,
    );
    expect(log).toEqual([]);
  });
});

describe("the timer's clock", () => {
  const figures = { apicTimerClock: 24_000 };

  it("is the core crystal clock: TSC = crystal times CPUID.15H:EBX / EAX", () => {
    const program = "mov $0x15, %eax; xor %ecx, %ecx; cpuid; note; note %rbx; note %rcx";
    const log = alone("x2apic", program, { figures }).map(Number);
    const [denominator = 0, numerator = 0, crystal = 0] = log;
    expect(crystal).toBe(24_000_000);
    expect((crystal * numerator) / denominator).toBe(1e9);
  });

  it("is kept exactly over many periods: 100 counts of 24 MHz are 4,166 2/3 cycles of 1 GHz", () => {
    const log = alone(
      "x2apic",
      `write APIC_DIV_CONF, $BY_ONE
       write APIC_LVT_TIMER, $PERIODIC | MASKED
       rdtsc; note
       write APIC_INIT_COUNT, $100
       delay $4000000
       rdtsc; note
       read APIC_CUR_COUNT
       write APIC_INIT_COUNT, $0`,
      { figures },
    ).map(Number);
    const [before = 0, after = 0, count = 0] = log;
    expect(after - before).toBeGreaterThan(3_900_000);
    // A third of a cycle lost or won in each period would be seven counts by now.
    const passed = ((after - before) * 24) / 1000;
    const ahead = (100 - count - passed) % 100;
    expect(Math.min(Math.abs(ahead), 100 - Math.abs(ahead))).toBeLessThan(1.5);
  });

  it.each(MODES)("ends HLT (%s mode)", (mode) => {
    const log = alone(
      mode,
      `${start("0xec", 5000)}
       sti
       hlt
       cli
       note $1`,
    );
    expect(log).toEqual([TAKEN, 1]);
  });
});
