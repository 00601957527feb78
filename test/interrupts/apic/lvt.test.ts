// The local vector table and its sources: pins, performance counters, errors, rule by rule (Intel SDM 3A 11.5, rev. 083). Macros:
// apic-guest.ts.

import { describe, expect, it } from "vitest";
import { LocalInterrupt, StopReason } from "../../../src/abi.ts";
import { ApicGuest, FIELDS, MODES, alone, logsOf } from "./apic-guest.ts";

const { ENABLED, EXTINT, LEVEL, MASKED, NMI, REMOTE_IRR } = FIELDS;
const at = (source: LocalInterrupt, ...cycles: number[]) => cycles.map((cycle) => ({ source, cycle }));
const { LINT0, LINT1, PERFORMANCE_COUNTER, THERMAL, CMCI } = LocalInterrupt;

describe.each(MODES)("in %s mode", (mode) => {
  it.each([
    ["LINT0", "APIC_LVT_LINT0", LINT0],
    ["LINT1", "APIC_LVT_LINT1", LINT1],
    ["the performance counter", "APIC_LVT_PMI", PERFORMANCE_COUNTER],
    ["the thermal sensor", "APIC_LVT_THERMAL", THERMAL],
    ["CMCI", "APIC_LVT_CMCI", CMCI],
  ])("%s delivers the vector of its entry, or an NMI (11.5.1)", (_, register, source) => {
    const fixed = alone(mode, `write ${register}, $0x47; open $5000`, { signals: at(source, 2000) });
    expect(fixed).toEqual(["int 0x47"]);
    const nmi = alone(mode, `write ${register}, $NMI | 0x47; delay $5000`, { signals: at(source, 2000) });
    expect(nmi).toEqual(["nmi"]);
  });

  it("what is masked is lost: it doesn't come when the mask is taken away (11.5.1)", () => {
    const log = alone(
      mode,
      `write APIC_LVT_LINT0, $MASKED | 0x47
       open $5000
       write APIC_LVT_LINT0, $0x47
       open`,
      { signals: at(LINT0, 2000) },
    );
    expect(log).toEqual([]);
  });

  it("a software-disabled APIC delivers none of it: all is masked (11.4.7.2)", () => {
    const log = alone(
      mode,
      `write APIC_LVT_LINT1, $NMI
       write APIC_SVR, $0xff
       open $5000`,
      { signals: at(LINT1, 2000) },
    );
    expect(log).toEqual([]);
  });

  it("a fixed interrupt waits in IRR like one by message, held off by IF and TPR", () => {
    const log = alone(
      mode,
      `write APIC_TPR, $0x40
       write APIC_LVT_LINT0, $0x47
       open $5000
       read APIC_IRR + 0x20
       write APIC_TPR, $0
       open`,
      { signals: at(LINT0, 2000) },
    );
    expect(log).toEqual([1 << 7, "int 0x47"]);
  });
});

describe("a performance-counter overflow", () => {
  it("masks its entry, so that the next one is not heard before software has looked (3B 20.6.3.5.8)", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_PMI, $NMI
       delay $5000
       read APIC_LVT_PMI
       write APIC_LVT_PMI, $NMI
       delay $5000`,
      { signals: at(PERFORMANCE_COUNTER, 1500, 1800, 2100, 6000) },
    );
    expect(log).toEqual(["nmi", NMI | MASKED, "nmi"]);
  });

  it("no other source masks its entry", () => {
    const log = alone("x2apic", "write APIC_LVT_LINT1, $NMI; delay $8000; read APIC_LVT_LINT1", {
      signals: at(LINT1, 1500, 3000),
    });
    expect(log).toEqual(["nmi", "nmi", NMI]);
  });
});

describe("LINT1 as the wire of an NMI button", () => {
  it("reaches each CPU that it is pulsed on, whatever it does", () => {
    const program = "write APIC_LVT_LINT1, $NMI; delay $8000";
    const signals = [0, 2].map((cpu) => ({ cpu, source: LINT1, cycle: 3000 }));
    expect(logsOf("x2apic", [program, program, program], { signals })).toEqual([["nmi"], [], ["nmi"]]);
  });

  it("ends HLT with interrupts masked", () => {
    const log = alone("x2apic", "write APIC_LVT_LINT1, $NMI; hlt; note $1", { signals: at(LINT1, 3000) });
    expect(log).toEqual(["nmi", 1]);
  });

  it("is the NMI input of a CPU without an APIC (11.4.3)", () => {
    const log = alone("x2apic", "writemsr IA32_APIC_BASE, $BASE_DISABLED; delay $5000", { signals: at(LINT1, 3000) });
    expect(log).toEqual(["nmi"]);
  });

  it("is an edge even if bit 15 says level (11.5.1)", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_LINT1, $LEVEL | 0x47
       delay $5000
       read APIC_LVT_LINT1; read APIC_TMR + 0x20
       open`,
      { signals: at(LINT1, 3000) },
    );
    expect(log).toEqual([LEVEL | 0x47, 0, "int 0x47"]);
  });
});

describe("LINT0, level-triggered (11.5.1, 11.8.4)", () => {
  it("sets TMR and remote IRR, which EOI of its vector clears", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_LINT0, $LEVEL | 0x47
       delay $5000
       read APIC_LVT_LINT0; read APIC_TMR + 0x20
       open
       read APIC_LVT_LINT0
       write APIC_EOI, $0
       read APIC_LVT_LINT0`,
      { signals: at(LINT0, 3000), ends: false },
    );
    const [set, clear] = [LEVEL | REMOTE_IRR | 0x47, LEVEL | 0x47];
    expect(log).toEqual([set, 1 << 7, "int 0x47", set, clear]);
  });

  it("is not heard again while remote IRR is set", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_LINT0, $LEVEL | 0x47
       open $3000
       delay $3000
       read APIC_IRR + 0x20
       write APIC_EOI, $0
       open`,
      { signals: at(LINT0, 1500, 4500), ends: false },
    );
    expect(log).toEqual(["int 0x47", 0]);
  });

  it("EOI of an edge-triggered interrupt leaves it alone", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_LINT0, $LEVEL | 0x47
       delay $3000
       write APIC_SELF_IPI, $0x81
       delay $100
       open $60
       write APIC_EOI, $0
       read APIC_LVT_LINT0`,
      { signals: at(LINT0, 1500), ends: false },
    );
    expect(log).toEqual(["int 0x81", LEVEL | REMOTE_IRR | 0x47]);
  });
});

describe("what this platform doesn't model", () => {
  it("an interrupt of an 8259 by LINT0: the machine stops, and names the entry", () => {
    const { stop } = new ApicGuest("x2apic", ["write APIC_LVT_LINT0, $EXTINT; open $8000"], {
      signals: at(LINT0, 3000),
    });
    expect(stop).toMatchObject({ reason: StopReason.UNSUPPORTED, cpu: 0, detail: BigInt(EXTINT) });
  });

  it("reserved delivery modes deliver nothing", () => {
    for (const mode of [1, 3, 6]) {
      const program = `write APIC_LVT_LINT0, $${mode} << 8 | 0x47; open $8000`;
      expect(alone("x2apic", program, { signals: at(LINT0, 3000) })).toEqual([]);
    }
  });
});

describe("a CPU that was never started", () => {
  it("takes no notice of its pins", () => {
    const signals = [{ cpu: 1, source: LINT1, cycle: 3000 }];
    const guest = new ApicGuest("x2apic", ["delay $5000", undefined], { signals });
    expect([guest.machine.retired(1), guest.state(1)]).toEqual([0n, 0]);
  });
});

describe("LVT entries of SMI and INIT", () => {
  it.each([FIELDS.SMI, FIELDS.INIT])("masked, they are lost (mode %i)", (mode) => {
    const { stop, logs } = new ApicGuest(
      "x2apic",
      [
        `write APIC_LVT_LINT0, $MASKED | ${mode}
         delay $8000
         read APIC_SVR`,
      ],
      { signals: at(LINT0, 3000) },
    );
    expect([stop.reason, logs]).toEqual([StopReason.NONE, [[ENABLED]]]);
  });
});
