// The interrupt command register: who gets an interprocessor interrupt, rule by rule (Intel SDM 3A 11.6, 11.12.9 to 11.12.11,
// rev. 083). Macros: apic-guest.ts.

import { describe, expect, it } from "vitest";
import { StopReason } from "../../../src/abi.ts";
import { ApicGuest, FIELDS, MODES, type ApicOptions, type Mode, alone, logsOf } from "./apic-guest.ts";

const { NMI } = FIELDS;
const VECTOR = 0x47;

/** CPUs that take interrupts when CPU 0 does something; the others prepare themselves, and all wait with interrupts open. */
function reached(
  mode: Mode,
  options: ApicOptions & { readonly apicIds: readonly number[] },
  send: string,
  prepare: (cpu: number) => string = () => "",
): number[] {
  const programs = options.apicIds.map(
    (_, cpu) => `${prepare(cpu)}
      delay $2000
      ${cpu === 0 ? send : ""}
      open $6000`,
  );
  const logs = logsOf(mode, programs, options);
  return [...logs.keys()].filter((cpu) => logs[cpu]?.some((entry) => typeof entry === "string" && entry !== "#GP"));
}

describe.each(MODES)("a physical destination in %s mode (11.6.2.1)", (mode) => {
  const options = { apicIds: [0, 3, 4, 20] };

  it("is one APIC ID", () => {
    expect(reached(mode, options, "send $0x47, $4")).toEqual([2]);
    expect(reached(mode, options, "send $0x47, $0")).toEqual([0]);
  });

  it("that nobody has is lost without a trace", () => {
    const log = alone(
      mode,
      `send $0x47, $5
       write APIC_ESR, $0; read APIC_ESR
       read APIC_ICR`,
    );
    expect(log).toEqual([0, VECTOR]);
    expect(reached(mode, options, "send $0x47, $5")).toEqual([]);
  });

  it("of all ones is everybody, the sender too", () => {
    expect(reached(mode, options, "send $0x47, $0xffffffff")).toEqual([0, 1, 2, 3]);
    expect(reached(mode, options, "send $NMI, $0xffffffff")).toEqual([0, 1, 2, 3]);
  });
});

describe("a logical destination in x2APIC mode (11.12.10.2)", () => {
  const options = { apicIds: [0, 3, 15, 16, 0x25, 0x1_0003] };

  it("is a cluster and a set of its sixteen", () => {
    expect(reached("x2apic", options, "send $LOGICAL | 0x47, $0x00000008")).toEqual([1]);
    expect(reached("x2apic", options, "send $LOGICAL | 0x47, $0x0000ffff")).toEqual([0, 1, 2]);
    expect(reached("x2apic", options, "send $LOGICAL | 0x47, $0x00010001")).toEqual([3]);
    expect(reached("x2apic", options, "send $LOGICAL | 0x47, $0x1000ffff")).toEqual([5]);
  });

  it("may name bits that are nobody's", () => {
    expect(reached("x2apic", options, "send $LOGICAL | 0x47, $0x00020030")).toEqual([4]);
    expect(reached("x2apic", options, "send $LOGICAL | 0x47, $0x00020010")).toEqual([]);
  });

  it("of all ones is everybody", () => {
    expect(reached("x2apic", options, "send $LOGICAL | 0x47, $0xffffffff")).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe("a logical destination in xAPIC mode (11.6.2.2)", () => {
  const options = { apicIds: [0, 1, 2, 3] } as const;
  const flat = [0x01, 0x06, 0x80, 0x00];
  const clusters = [0x11, 0x12, 0x21, 0x24];
  const setLdr = (ldrs: readonly number[], format: number) => (cpu: number) =>
    `write APIC_DFR, $${format}; write APIC_LDR, $${ldrs[cpu] ?? 0} << 24`;

  it.each([
    [0x01, [0]],
    [0x02, [1]],
    [0x04, [1]],
    [0x85, [0, 1, 2]],
    [0x08, []],
  ])("in the flat model is met by a bit in common with LDR: %i", (destination, expected) => {
    const send = `send $LOGICAL | 0x47, $${destination}`;
    expect(reached("xapic", options, send, setLdr(flat, 0xffff_ffff))).toEqual(expected);
  });

  it.each([
    [0x11, [0]],
    [0x13, [0, 1]],
    [0x25, [2, 3]],
    [0x31, []],
    [0xf1, [0, 2]],
  ])("in the cluster model by the cluster and a bit in common: %i", (destination, expected) => {
    const send = `send $LOGICAL | 0x47, $${destination}`;
    expect(reached("xapic", options, send, setLdr(clusters, 0x0fff_ffff))).toEqual(expected);
  });

  it.each([
    ["flat", flat, 0xffff_ffff],
    ["cluster", clusters, 0x0fff_ffff],
  ] as const)("FFH is everybody in the %s model", (_, ldrs, format) => {
    expect(reached("xapic", options, "send $LOGICAL | 0x47, $0xff", setLdr(ldrs, format))).toEqual([0, 1, 2, 3]);
  });

  it("is compared with the LDR that the receiver has when the message arrives", () => {
    const logs = logsOf(
      "xapic",
      [
        "delay $1000; send $LOGICAL | 0x47, $0x10",
        "delay $2500; write APIC_LDR, $0x10000000; open $9000",
        "write APIC_LDR, $0x10000000; delay $2500; write APIC_LDR, $0; open $9000",
      ],
      { figures: { interrupt: 3000 } },
    );
    expect(logs.slice(1)).toEqual([["int 0x47"], []]);
  });
});

describe.each(MODES)("a shorthand in %s mode (table 11-3)", (mode) => {
  const options = { apicIds: [0, 1, 2] };

  it.each([
    ["self", "SELF", [0]],
    ["all including self", "ALL", [0, 1, 2]],
    ["all excluding self", "OTHERS", [1, 2]],
  ] as const)("%s needs no destination: fixed", (_, shorthand, expected) => {
    expect(reached(mode, options, `send $${shorthand} | 0x47, $0x77`)).toEqual(expected);
  });

  it("NMI goes to all excluding self, and to nobody by self or all including self", () => {
    expect(reached(mode, options, "send $OTHERS | NMI")).toEqual([1, 2]);
    expect(reached(mode, options, "send $SELF | NMI")).toEqual([]);
    expect(reached(mode, options, "send $ALL | NMI")).toEqual([]);
  });

  it.each([
    ["lowest priority", "LOWEST_PRIORITY | 0x47"],
    ["SMI", "SMI"],
    ["INIT", "INIT"],
    ["start-up", "STARTUP"],
  ])("self and all including self send no %s", (_, command) => {
    for (const shorthand of ["SELF", "ALL"]) {
      const guest = new ApicGuest(mode, [`send $${shorthand} | ${command}; open`, "open"]);
      expect([guest.logs, guest.stop.reason]).toEqual([[[], []], StopReason.NONE]);
    }
  });
});

describe.each(MODES)("an NMI in %s mode (11.6.1)", (mode) => {
  it("ignores the vector, and is not held off by IF, TPR or software disable", () => {
    const logs = logsOf(mode, [
      "delay $500; send $NMI | 0x99, $1; delay $2000",
      `write APIC_TPR, $0xff
       write APIC_SVR, $0xff
       delay $4000
       read APIC_IRR + 0x40`,
    ]);
    expect(logs[1]).toEqual(["nmi", 0]);
  });

  it("to oneself needs an explicit destination", () => {
    expect(alone(mode, "send $NMI, $0; delay")).toEqual(["nmi"]);
  });
});

describe("SELF_IPI (11.12.11)", () => {
  it("is fixed, edge-triggered, to oneself", () => {
    const log = alone(
      "x2apic",
      `write APIC_SELF_IPI, $0x61
       delay $100
       read APIC_IRR + 0x30; read APIC_TMR + 0x30
       open`,
    );
    expect(log).toEqual([2, 0, "int 0x61"]);
  });

  it("doesn't change ICR", () => {
    expect(alone("x2apic", "send $NMI, $9; write APIC_SELF_IPI, $0x61; read APIC_ICR")).toEqual([NMI]);
  });
});

describe("lowest priority (11.6.2.4)", () => {
  it("reaches one of those that are meant, by the vector modulo their number", () => {
    const options = { apicIds: [0, 1, 2, 3, 4] };
    for (const vector of [0x30, 0x31, 0x32, 0x33]) {
      const send = `send $LOWEST_PRIORITY | LOGICAL | ${vector}, $0x1e`;
      expect(reached("x2apic", options, send)).toEqual([1 + (vector % 4)]);
    }
    expect(reached("x2apic", options, "send $OTHERS | LOWEST_PRIORITY | 0x32")).toEqual([1 + (0x32 % 4)]);
    expect(reached("x2apic", options, "send $LOWEST_PRIORITY | 0x32, $0xffffffff")).toEqual([0x32 % 5]);
    expect(reached("x2apic", options, "send $LOWEST_PRIORITY | 0x32, $4")).toEqual([4]);
    expect(reached("x2apic", options, "send $LOWEST_PRIORITY | 0x32, $9")).toEqual([]);
  });

  it("to destinations that are compared with LDRs is refused: ESR bit 4, and nothing is sent (11.5.3)", () => {
    const logs = logsOf("xapic", [
      `write APIC_LDR, $0x01000000
       delay $500
       send $LOWEST_PRIORITY | LOGICAL | 0x47, $0xff
       write APIC_ESR, $0; read APIC_ESR
       open`,
      "write APIC_LDR, $0x02000000; open $4000",
    ]);
    expect(logs).toEqual([[1 << 4], []]);
  });
});

describe("level and trigger mode", () => {
  it("IPIs are edges whatever the trigger mode says: TMR stays clear (table 11-3, note 3)", () => {
    const log = alone(
      "x2apic",
      `send $SELF | LEVEL | ASSERT | 0x61
       delay $100
       read APIC_IRR + 0x30; read APIC_TMR + 0x30`,
    );
    expect(log).toEqual([2, 0]);
  });

  it.each(MODES)("the INIT level de-assert of old processors is ignored in %s mode (11.6.1)", (mode) => {
    const { logs, stop } = new ApicGuest(mode, [
      `send $OTHERS | INIT | LEVEL
       send $INIT | LEVEL, $1
       delay`,
      "delay $3000; note $7",
    ]);
    expect([logs[1], stop.reason]).toEqual([[7], StopReason.NONE]);
  });

  it("the reserved delivery modes send nothing", () => {
    for (const mode of [0x300, 0x700])
      expect(reached("x2apic", { apicIds: [0, 1] }, `send $${mode} | 0x47, $1`)).toEqual([]);
  });
});

describe("one vector", () => {
  it("is requested once, however often it is sent, and once more while it is in service (11.8.4)", () => {
    const log = alone(
      "x2apic",
      `write APIC_SELF_IPI, $0x61
       write APIC_SELF_IPI, $0x61
       write APIC_SELF_IPI, $0x61
       delay $200
       open
       write APIC_SELF_IPI, $0x61
       write APIC_SELF_IPI, $0x61
       delay $200
       read APIC_ISR + 0x30; read APIC_IRR + 0x30
       write APIC_EOI, $0
       open
       write APIC_EOI, $0
       open`,
      { ends: false },
    );
    expect(log).toEqual(["int 0x61", 2, 2, "int 0x61"]);
  });

  it("from 16 to 31 is taken though exceptions have it reserved (11.5.2)", () => {
    expect(alone("x2apic", "write APIC_SELF_IPI, $0x14; open")).toEqual(["int 0x14"]);
  });
});

describe("mixed modes", () => {
  it("a physical destination reaches an APIC of the other mode; a logical one of xAPIC's format doesn't", () => {
    const toX2apic = `write APIC_LDR, $0x02000000
      writemsr IA32_APIC_BASE, $BASE_X2APIC & ~0x100
      open $6000`;
    expect(logsOf("xapic", ["delay $2000; send $0x47, $1", toX2apic])[1]).toEqual(["int 0x47"]);
    expect(logsOf("xapic", ["delay $2000; send $LOGICAL | 0x47, $0xff", toX2apic])[1]).toEqual([]);
  });
});

it("a CPU that was never started takes neither fixed interrupts nor NMIs", () => {
  const guest = new ApicGuest("x2apic", ["send $0x47, $1; send $NMI, $1; write APIC_SVR, $ENABLED; delay", undefined]);
  expect([guest.machine.retired(1), guest.state(1)]).toEqual([0n, 0]);
});
