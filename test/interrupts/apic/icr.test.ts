// The interrupt command register: who gets an interprocessor interrupt, rule by rule (Intel SDM 3A 11.6, 11.12.9 to 11.12.11,
// rev. 083).

import { describe, expect, it } from "vitest";
import { StopReason } from "../../../src/abi.ts";
import { APIC, ENABLED, MSR, type ApicProgram, type BenchOptions, alone, base, bench } from "./bench.ts";

const [LOWEST, SMI, NMI, INIT, STARTUP] = [0x100, 0x200, 0x400, 0x500, 0x600];
const [SELF, ALL, OTHERS] = [1 << 18, 2 << 18, 3 << 18];
const LOGICAL = 0x800;
const VECTOR = 0x47;

/** CPUs that take interrupts when CPU 0 does something; the others prepare themselves, and all wait with interrupts open. */
function reached(
  options: BenchOptions & { readonly apicIds: readonly number[] },
  send: (a: ApicProgram) => unknown,
  prepare: (a: ApicProgram, cpu: number) => unknown = () => 0,
): number[] {
  const programs = options.apicIds.map((_, cpu) => (a: ApicProgram) => {
    prepare(a, cpu);
    a.wait(2000);
    if (cpu === 0) send(a);
    a.open(6000);
  });
  const { logs } = bench(options, ...programs);
  return [...logs.keys()].filter((cpu) => logs[cpu]?.some((entry) => typeof entry === "string" && entry !== "#GP"));
}

const modes = ["xapic", "x2apic"] as const;

describe.each(modes)("a physical destination in %s mode (11.6.2.1)", (mode) => {
  const options = { mode, apicIds: [0, 3, 4, 20] };

  it("is one APIC ID", () => {
    expect(reached(options, (a) => a.sendCommand(VECTOR, 4))).toEqual([2]);
    expect(reached(options, (a) => a.sendCommand(VECTOR, 0))).toEqual([0]);
  });

  it("that nobody has is lost without a trace", () => {
    const read = (a: ApicProgram): unknown => a.sendCommand(VECTOR, 5).write(APIC.ESR, 0).read(APIC.ESR).read(APIC.ICR);
    expect(alone(mode, read)).toEqual([0, VECTOR]);
    expect(reached(options, (a) => a.sendCommand(VECTOR, 5))).toEqual([]);
  });

  it("of all ones is everybody, the sender too", () => {
    expect(reached(options, (a) => a.sendCommand(VECTOR, 0xffff_ffff))).toEqual([0, 1, 2, 3]);
    expect(reached(options, (a) => a.sendCommand(NMI, 0xffff_ffff))).toEqual([0, 1, 2, 3]);
  });
});

describe("a logical destination in x2APIC mode (11.12.10.2)", () => {
  const options = { apicIds: [0, 3, 15, 16, 0x25, 0x1_0003] };

  it("is a cluster and a set of its sixteen", () => {
    expect(reached(options, (a) => a.sendCommand(LOGICAL | VECTOR, 0x0000_0008))).toEqual([1]);
    expect(reached(options, (a) => a.sendCommand(LOGICAL | VECTOR, 0x0000_ffff))).toEqual([0, 1, 2]);
    expect(reached(options, (a) => a.sendCommand(LOGICAL | VECTOR, 0x0001_0001))).toEqual([3]);
    expect(reached(options, (a) => a.sendCommand(LOGICAL | VECTOR, 0x1000_ffff))).toEqual([5]);
  });

  it("may name bits that are nobody's", () => {
    expect(reached(options, (a) => a.sendCommand(LOGICAL | VECTOR, 0x0002_0030))).toEqual([4]);
    expect(reached(options, (a) => a.sendCommand(LOGICAL | VECTOR, 0x0002_0010))).toEqual([]);
  });

  it("of all ones is everybody", () => {
    expect(reached(options, (a) => a.sendCommand(LOGICAL | VECTOR, 0xffff_ffff))).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe("a logical destination in xAPIC mode (11.6.2.2)", () => {
  const options = { mode: "xapic", apicIds: [0, 1, 2, 3] } as const;
  const flat = [0x01, 0x06, 0x80, 0x00];
  const clusters = [0x11, 0x12, 0x21, 0x24];
  const setLdr = (ldrs: readonly number[], format: number) => (a: ApicProgram, cpu: number) =>
    a.write(APIC.DFR, format).write(APIC.LDR, (ldrs[cpu] ?? 0) << 24);

  it.each([
    [0x01, [0]],
    [0x02, [1]],
    [0x04, [1]],
    [0x85, [0, 1, 2]],
    [0x08, []],
  ])("in the flat model is met by a bit in common with LDR: %i", (destination, expected) => {
    expect(reached(options, (a) => a.sendCommand(LOGICAL | VECTOR, destination), setLdr(flat, 0xffff_ffff))).toEqual(
      expected,
    );
  });

  it.each([
    [0x11, [0]],
    [0x13, [0, 1]],
    [0x25, [2, 3]],
    [0x31, []],
    [0xf1, [0, 2]],
  ])("in the cluster model by the cluster and a bit in common: %i", (destination, expected) => {
    expect(
      reached(options, (a) => a.sendCommand(LOGICAL | VECTOR, destination), setLdr(clusters, 0x0fff_ffff)),
    ).toEqual(expected);
  });

  it.each([
    ["flat", flat, 0xffff_ffff],
    ["cluster", clusters, 0x0fff_ffff],
  ] as const)("FFH is everybody in the %s model", (_, ldrs, format) => {
    expect(reached(options, (a) => a.sendCommand(LOGICAL | VECTOR, 0xff), setLdr(ldrs, format))).toEqual([0, 1, 2, 3]);
  });

  it("is compared with the LDR that the receiver has when the message arrives", () => {
    const { logs } = bench(
      { mode: "xapic", figures: { interrupt: 3000 } },
      (a) => a.wait(1000).sendCommand(LOGICAL | VECTOR, 0x10),
      (a) => a.wait(2500).write(APIC.LDR, 0x1000_0000).open(9000),
      (a) => a.write(APIC.LDR, 0x1000_0000).wait(2500).write(APIC.LDR, 0).open(9000),
    );
    expect(logs.slice(1)).toEqual([["int 0x47"], []]);
  });
});

describe.each(modes)("a shorthand in %s mode (table 11-3)", (mode) => {
  const options = { mode, apicIds: [0, 1, 2] };

  it.each([
    ["self", SELF, [0]],
    ["all including self", ALL, [0, 1, 2]],
    ["all excluding self", OTHERS, [1, 2]],
  ] as const)("%s needs no destination: fixed", (_, shorthand, expected) => {
    expect(reached(options, (a) => a.sendCommand(shorthand | VECTOR, 0x77))).toEqual(expected);
  });

  it("NMI goes to all excluding self, and to nobody by self or all including self", () => {
    expect(reached(options, (a) => a.sendCommand(OTHERS | NMI))).toEqual([1, 2]);
    expect(reached(options, (a) => a.sendCommand(SELF | NMI))).toEqual([]);
    expect(reached(options, (a) => a.sendCommand(ALL | NMI))).toEqual([]);
  });

  it.each([
    ["lowest priority", LOWEST | VECTOR],
    ["SMI", SMI],
    ["INIT", INIT],
    ["start-up", STARTUP],
  ])("self and all including self send no %s", (_, command) => {
    for (const shorthand of [SELF, ALL]) {
      const { logs, stop } = bench(
        { mode },
        (a) => a.sendCommand(shorthand | command).open(),
        (a) => a.open(),
      );
      expect([logs, stop.reason]).toEqual([[[], []], StopReason.NONE]);
    }
  });
});

describe.each(modes)("an NMI in %s mode (11.6.1)", (mode) => {
  it("ignores the vector, and is not held off by IF, TPR or software disable", () => {
    const { logs } = bench(
      { mode },
      (a) =>
        a
          .wait(500)
          .sendCommand(NMI | 0x99, 1)
          .wait(2000),
      (a) =>
        a
          .write(APIC.TPR, 0xff)
          .write(APIC.SVR, 0xff)
          .wait(4000)
          .read(APIC.IRR + 4),
    );
    expect(logs[1]).toEqual(["nmi", 0]);
  });

  it("to oneself needs an explicit destination", () => {
    expect(alone(mode, (a) => a.sendCommand(NMI, 0).wait())).toEqual(["nmi"]);
  });
});

describe("SELF_IPI (11.12.11)", () => {
  it("is fixed, edge-triggered, to oneself", () => {
    const log = alone("x2apic", (a) =>
      a
        .write(APIC.SELF_IPI, 0x61)
        .wait(100)
        .read(APIC.IRR + 3)
        .read(APIC.TMR + 3)
        .open(),
    );
    expect(log).toEqual([2, 0, "int 0x61"]);
  });

  it("doesn't change ICR", () => {
    expect(alone("x2apic", (a) => a.sendCommand(NMI, 9).write(APIC.SELF_IPI, 0x61).read(APIC.ICR))).toEqual([NMI]);
  });
});

describe("lowest priority (11.6.2.4)", () => {
  it("reaches one of those that are meant, by the vector modulo their number", () => {
    const options = { apicIds: [0, 1, 2, 3, 4] };
    for (const vector of [0x30, 0x31, 0x32, 0x33]) {
      expect(reached(options, (a) => a.sendCommand(LOWEST | LOGICAL | vector, 0x1e))).toEqual([1 + (vector % 4)]);
    }
    expect(reached(options, (a) => a.sendCommand(OTHERS | LOWEST | 0x32))).toEqual([1 + (0x32 % 4)]);
    expect(reached(options, (a) => a.sendCommand(LOWEST | 0x32, 0xffff_ffff))).toEqual([0x32 % 5]);
    expect(reached(options, (a) => a.sendCommand(LOWEST | 0x32, 4))).toEqual([4]);
    expect(reached(options, (a) => a.sendCommand(LOWEST | 0x32, 9))).toEqual([]);
  });

  it("to destinations that are compared with LDRs is refused: ESR bit 4, and nothing is sent (11.5.3)", () => {
    const { logs } = bench(
      { mode: "xapic" },
      (a) =>
        a
          .write(APIC.LDR, 0x0100_0000)
          .wait(500)
          .sendCommand(LOWEST | LOGICAL | VECTOR, 0xff)
          .write(APIC.ESR, 0)
          .read(APIC.ESR)
          .open(),
      (a) => a.write(APIC.LDR, 0x0200_0000).open(4000),
    );
    expect(logs).toEqual([[1 << 4], []]);
  });
});

describe("level and trigger mode", () => {
  it("IPIs are edges whatever the trigger mode says: TMR stays clear (table 11-3, note 3)", () => {
    const log = alone("x2apic", (a) =>
      a
        .sendCommand(SELF | 0xc000 | 0x61)
        .wait(100)
        .read(APIC.IRR + 3)
        .read(APIC.TMR + 3),
    );
    expect(log).toEqual([2, 0]);
  });

  it.each(modes)("the INIT level de-assert of old processors is ignored in %s mode (11.6.1)", (mode) => {
    const { logs, stop } = bench(
      { mode },
      (a) =>
        a
          .sendCommand(OTHERS | INIT | 0x8000)
          .sendCommand(INIT | 0x8000, 1)
          .wait(),
      (a) => a.wait(3000).set(0, 7).note(),
    );
    expect([logs[1], stop.reason]).toEqual([[7], StopReason.NONE]);
  });

  it("the reserved delivery modes send nothing", () => {
    for (const mode of [0x300, 0x700])
      expect(reached({ apicIds: [0, 1] }, (a) => a.sendCommand(mode | VECTOR, 1))).toEqual([]);
  });
});

describe("one vector", () => {
  it("is requested once, however often it is sent, and once more while it is in service (11.8.4)", () => {
    const log = alone(
      "x2apic",
      (a) => {
        for (let i = 0; i < 3; i++) a.write(APIC.SELF_IPI, 0x61);
        a.wait(200).open().write(APIC.SELF_IPI, 0x61).write(APIC.SELF_IPI, 0x61).wait(200);
        a.read(APIC.ISR + 3)
          .read(APIC.IRR + 3)
          .write(APIC.EOI, 0)
          .open()
          .write(APIC.EOI, 0)
          .open();
      },
      { ends: false },
    );
    expect(log).toEqual(["int 0x61", 2, 2, "int 0x61"]);
  });

  it("from 16 to 31 is taken though exceptions have it reserved (11.5.2)", () => {
    expect(alone("x2apic", (a) => a.write(APIC.SELF_IPI, 0x14).open())).toEqual(["int 0x14"]);
  });
});

describe("mixed modes", () => {
  it("a physical destination reaches an APIC of the other mode; a logical one of xAPIC's format doesn't", () => {
    const toX2apic = (a: ApicProgram): unknown => {
      a.write(APIC.LDR, 0x0200_0000).writeMsr(MSR.APIC_BASE, base.x2apic & ~0x100n);
      return a.open(6000);
    };
    const sender = (command: number, destination: number) => (a: ApicProgram) =>
      a.wait(2000).sendCommand(command, destination);
    expect(bench({ mode: "xapic" }, sender(VECTOR, 1), toX2apic).logs[1]).toEqual(["int 0x47"]);
    expect(bench({ mode: "xapic" }, sender(LOGICAL | VECTOR, 0xff), toX2apic).logs[1]).toEqual([]);
  });
});

it("a CPU that was never started takes neither fixed interrupts nor NMIs", () => {
  const { machine } = bench({ cpus: 2 }, (a) =>
    a.sendCommand(VECTOR, 1).sendCommand(NMI, 1).write(APIC.SVR, ENABLED).wait(),
  );
  expect([machine.retired(1), machine.state(1)]).toEqual([0n, 0]);
});
