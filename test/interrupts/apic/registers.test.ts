// The registers of the local APIC and who may read and write them, rule by rule (Intel SDM 3A, rev. 083).

import { describe, expect, it } from "vitest";
import { APIC, ENABLED, MASKED, MSR, PAGE, alone, bench } from "./bench.ts";

const modes = ["xapic", "x2apic"] as const;
const lvt = [APIC.CMCI, APIC.TIMER, APIC.THERMAL, APIC.PERFORMANCE, APIC.LINT0, APIC.LINT1, APIC.ERROR];
const offsetOf = (register: number): number => (register - 0x800) * 16;

describe.each(modes)("in %s mode", (mode) => {
  const options = { enabled: false };

  it("after reset SVR is FFH, every LVT entry is masked, and the rest is 0 (11.4.7.1)", () => {
    const zero = [
      APIC.TPR,
      APIC.PPR,
      APIC.ESR,
      APIC.TMICT,
      APIC.TMCCT,
      APIC.TDCR,
      APIC.ICR,
      APIC.ISR,
      APIC.TMR + 7,
      APIC.IRR + 3,
    ];
    const log = alone(
      mode,
      (a) => {
        a.read(APIC.SVR);
        for (const register of lvt) a.read(register);
        for (const register of zero) a.read(register);
      },
      options,
    );
    expect(log).toEqual([0xff, ...lvt.map(() => MASKED), ...zero.map(() => 0)]);
  });

  it("the version register says 7 LVT entries, suppression of EOI broadcasts, version 15H (11.4.8)", () => {
    expect(alone(mode, (a) => a.read(APIC.VERSION))).toEqual([0x0106_0015]);
  });

  it("TPR, SVR, TMICT and TDCR keep what is written (table 11-1)", () => {
    const log = alone(mode, (a) => {
      a.write(APIC.TPR, 0x5a).write(APIC.SVR, 0x13fe).write(APIC.TDCR, 0xa).write(APIC.TMICT, 0xfedc_ba98);
      for (const register of [APIC.TPR, APIC.SVR, APIC.TDCR, APIC.TMICT]) a.read(register);
    });
    expect(log).toEqual([0x5a, 0x13fe, 0xa, 0xfedc_ba98]);
  });

  it("LVT entries keep their fields; delivery status and remote IRR are read-only (figure 11-8)", () => {
    const written = [0x1_17ff, 0x7_10ff, 0x1_17ff, 0x1_17ff, 0x1_f7ff, 0x1_f7ff, 0x1_10ff];
    const kept = [0x1_07ff, 0x7_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff];
    const log = alone(mode, (a) => {
      lvt.forEach((register, index) => a.write(register, written[index] ?? 0).read(register));
    });
    expect(log).toEqual(kept);
  });

  it("ICR shows what was written last, with an idle delivery status (11.6.1)", () => {
    const log = alone(mode, (a) => a.sendCommand(0xc_4047 | 0x1000, 0).read(APIC.ICR));
    expect(log).toEqual([0xc_4047]);
  });
});

describe("x2APIC mode (11.12.1)", () => {
  it.each([
    ["ID", APIC.ID],
    ["version", APIC.VERSION],
    ["PPR", APIC.PPR],
    ["LDR", APIC.LDR],
    ["ISR", APIC.ISR],
    ["TMR", APIC.TMR],
    ["IRR", APIC.IRR],
    ["TMCCT", APIC.TMCCT],
  ])("a write to %s, which is read-only, raises #GP (table 11-6)", (_, register) => {
    expect(alone("x2apic", (a) => a.write(register, 0))).toEqual(["#GP"]);
  });

  it("a read of EOI or SELF_IPI, which are write-only, raises #GP (table 11-6)", () => {
    expect(alone("x2apic", (a) => a.probeMsr(APIC.EOI).probeMsr(APIC.SELF_IPI))).toEqual(["#GP", "#GP"]);
  });

  it("APR, RRD, DFR and the upper ICR don't exist: #GP (table 11-6)", () => {
    const absent = [APIC.APR, APIC.RRD, APIC.DFR, APIC.ICR_HIGH];
    const log = alone("x2apic", (a) => absent.forEach((register) => a.probeMsr(register).write(register, 0)));
    expect(log).toEqual(absent.flatMap(() => ["#GP", "#GP"]));
  });

  it("every other number from 800H to 8FFH raises #GP (11.12.1.2)", () => {
    const known = new Set<number>(Object.values(APIC));
    for (const [register, count] of [
      [APIC.ISR, 8],
      [APIC.TMR, 8],
      [APIC.IRR, 8],
      [APIC.TIMER, 6],
    ] as const) {
      for (let word = 0; word < count; word++) known.add(register + word);
    }
    const absent = Array.from({ length: 256 }, (_, index) => 0x800 + index).filter((msr) => !known.has(msr));
    expect(absent.length).toBeGreaterThan(190);
    expect(alone("x2apic", (a) => absent.forEach((msr) => a.probeMsr(msr)))).toEqual(absent.map(() => "#GP"));
  });

  it.each([
    ["TPR", APIC.TPR, 0x100],
    ["SVR", APIC.SVR, 0x400],
    ["SVR", APIC.SVR, 0x2000],
    ["LVT timer", APIC.TIMER, 0x100],
    ["LVT timer", APIC.TIMER, 0x8_0000],
    ["LVT CMCI", APIC.CMCI, 0x2000],
    ["LVT performance", APIC.PERFORMANCE, 0x8000],
    ["LVT LINT0", APIC.LINT0, 0x800],
    ["LVT error", APIC.ERROR, 0x100],
    ["TDCR", APIC.TDCR, 4],
    ["SELF_IPI", APIC.SELF_IPI, 0x100],
  ])("a reserved bit of %s raises #GP, and nothing is written (11.12.1.2)", (_, register, bit) => {
    const readable = register === APIC.SELF_IPI ? APIC.IRR : register;
    const log = alone("x2apic", (a) => a.read(readable).write(register, bit).wait().read(readable));
    expect(log).toEqual([log[0], "#GP", log[0]]);
  });

  it("bits 63:32 of a write must be 0, but for ICR (11.12.1.2)", () => {
    const log = alone("x2apic", (a) =>
      a
        .writeMsr(APIC.TPR, 1n << 32n)
        .writeMsr(APIC.EOI, 1n << 40n)
        .writeMsr(APIC.TMICT, 1n << 63n),
    );
    expect(log).toEqual(["#GP", "#GP", "#GP"]);
  });

  it("EOI and ESR take nothing but 0 (11.12.1.2)", () => {
    expect(
      alone("x2apic", (a) => a.write(APIC.EOI, 1).write(APIC.ESR, 1).write(APIC.EOI, 0).write(APIC.ESR, 0)),
    ).toEqual(["#GP", "#GP"]);
  });

  it("ICR is one register of 64 bits; its reserved bits raise #GP, and nothing is sent (11.12.9)", () => {
    const reserved = [13, 16, 17, ...Array.from({ length: 12 }, (_, index) => 20 + index)];
    const log = alone("x2apic", (a) => {
      for (const bit of reserved) a.writeMsr(APIC.ICR, (1n << BigInt(bit)) | 0x4_0040n);
      a.wait().open().writeMsr(APIC.ICR, 0x77_0000_4040n).readMsr(APIC.ICR);
    });
    expect(log).toEqual([...reserved.map(() => "#GP"), 0x77_0000_4040]);
  });

  it("the ID is that of the hardware, in 32 bits (11.12.5.1)", () => {
    const { logs } = bench(
      { apicIds: [5, 0x1_2345] },
      (a) => a.read(APIC.ID),
      (a) => a.read(APIC.ID),
    );
    expect(logs).toEqual([[5], [0x1_2345]]);
  });

  it("LDR follows from the ID: ID[19:4] is the cluster, ID[3:0] the bit in it (11.12.10.2)", () => {
    const ids = [0, 15, 16, 0x1_2345];
    const { logs } = bench(
      { apicIds: ids },
      ...ids.map(() => (a: { read(register: number): unknown }) => a.read(APIC.LDR)),
    );
    expect(logs).toEqual([[0x0000_0001], [0x0000_8000], [0x0001_0001], [0x1234_0020]]);
  });
});

describe("xAPIC mode (11.4.1)", () => {
  it("the ID stands in bits 31:24; writes of it are ignored (11.4.6)", () => {
    const { logs } = bench(
      { mode: "xapic", apicIds: [0, 0x85] },
      () => 0,
      (a) => a.write(APIC.ID, 0).read(APIC.ID),
    );
    expect(logs[1]).toEqual([0x8500_0000]);
  });

  it("LDR keeps bits 31:24, DFR bits 31:28 with ones below (figures 11-13, 11-14)", () => {
    const log = alone("xapic", (a) => {
      a.read(APIC.LDR).read(APIC.DFR).write(APIC.LDR, 0x12ff_ffff).write(APIC.DFR, 0).read(APIC.LDR).read(APIC.DFR);
    });
    expect(log).toEqual([0, 0xffff_ffff, 0x1200_0000, 0x0fff_ffff]);
  });

  it("the upper ICR keeps the destination; writing it sends nothing (11.6.1)", () => {
    const log = alone("xapic", (a) => a.write(APIC.ICR_HIGH, 0x01ff_ffff).read(APIC.ICR_HIGH).open());
    expect(log).toEqual([0x0100_0000]);
  });

  it("reserved bits are ignored", () => {
    const log = alone("xapic", (a) => {
      a.write(APIC.TPR, 0xffff_ff12).read(APIC.TPR).write(APIC.TIMER, 0xffff_ffff).read(APIC.TIMER);
      a.write(APIC.TDCR, 0xffff_ffff).read(APIC.TDCR).write(APIC.SVR, 0xffff_ffff).read(APIC.SVR);
    });
    expect(log).toEqual([0x12, 0x7_00ff, 0xb, 0x13ff]);
  });

  it("read-only registers ignore writes, without an error (table 11-1)", () => {
    const log = alone("xapic", (a) => {
      for (const register of [APIC.VERSION, APIC.PPR, APIC.ISR, APIC.TMR, APIC.IRR, APIC.TMCCT])
        a.write(register, 0xff);
      a.write(APIC.ESR, 0).read(APIC.ESR).read(APIC.IRR).read(APIC.VERSION);
    });
    expect(log).toEqual([0, 0, 0x0106_0015]);
  });

  it("APR and RRD of old processors read 0 and set no error (table 11-1, note 1)", () => {
    const log = alone("xapic", (a) => {
      a.read(APIC.APR).read(APIC.RRD).write(APIC.APR, 1).write(APIC.RRD, 1).write(APIC.ESR, 0).read(APIC.ESR);
    });
    expect(log).toEqual([0, 0, 0]);
  });

  it("MSRs from 800H on raise #GP (11.12.2)", () => {
    expect(alone("xapic", (a) => a.probeMsr(APIC.ID).writeMsr(APIC.EOI, 0n).writeMsr(APIC.ICR, 0x4040n))).toEqual([
      "#GP",
      "#GP",
      "#GP",
    ]);
  });

  it("what isn't an aligned access of 32 bits reads as ones and writes nothing (undefined: 11.4.1)", () => {
    const log = alone("xapic", (a) => {
      a.loadPage(offsetOf(APIC.SVR), 1).loadPage(offsetOf(APIC.SVR), 2).loadPage(offsetOf(APIC.SVR), 8);
      a.loadPage(offsetOf(APIC.SVR) + 4)
        .loadPage(offsetOf(APIC.SVR) + 2)
        .storePage(offsetOf(APIC.TPR) + 4, 0x50)
        .read(APIC.TPR);
    });
    expect(log).toEqual([0xff, 0xffff, 0xffff_ffff_ffff_ffffn, 0xffff_ffff, 0xffff_ffff, 0]);
  });

  it("read-modify-write instructions read the register and write it", () => {
    const log = alone("xapic", (a) => {
      a.write(APIC.TPR, 0x31)
        .set(2, PAGE + offsetOf(APIC.TPR))
        .increment(4, { base: 2 })
        .opImmediate("or", 4, { base: 2 }, 0x40);
      a.read(APIC.TPR);
    });
    expect(log).toEqual([0x72]);
  });

  it("an access takes its time, and sees no other CPU's APIC", () => {
    const { logs } = bench(
      { mode: "xapic", figures: { apicAccess: 500 } },
      (a) => {
        a.rdtsc().note().loadPage(offsetOf(APIC.ID)).rdtsc().note();
      },
      (a) => a.loadPage(offsetOf(APIC.ID)),
    );
    const [before = 0, id, after = 0] = (logs[0] ?? []).map(Number);
    expect(id).toBe(0);
    expect(after - before).toBeGreaterThan(500);
    expect(after - before).toBeLessThan(540);
    expect(logs[1]).toEqual([0x0100_0000]);
  });
});

describe.each(modes)("software disable by SVR[8] in %s mode (11.4.7.2)", (mode) => {
  it("masks every entry of the LVT, and holds the masks until it is enabled again", () => {
    const log = alone(mode, (a) => {
      for (const register of lvt) a.write(register, 0x40);
      a.write(APIC.SVR, 0xff);
      for (const register of lvt) a.read(register).write(register, 0x41).read(register);
      a.write(APIC.SVR, ENABLED).read(APIC.TIMER).write(APIC.TIMER, 0x42).read(APIC.TIMER);
    });
    expect(log).toEqual([...lvt.flatMap(() => [MASKED | 0x40, MASKED | 0x41]), MASKED | 0x41, 0x42]);
  });

  it("loses fixed interrupts that come meanwhile, and keeps those that have come", () => {
    const log = alone(mode, (a) => {
      a.sendCommand(0x4_4051).wait().write(APIC.SVR, 0xff).sendCommand(0x4_4052).wait();
      a.read(APIC.IRR + 2)
        .open()
        .write(APIC.SVR, ENABLED)
        .open();
    });
    expect(log).toEqual([1 << 17, "int 0x51"]);
  });

  it("still takes NMIs, and still sends", () => {
    const { logs } = bench(
      { mode },
      (a) => a.write(APIC.SVR, 0xff).wait(3000),
      (a) => a.write(APIC.SVR, 0xff).sendCommand(0x4400, 0).wait(),
    );
    expect(logs[0]).toEqual(["nmi"]);
  });
});

it("IA32_TSC_ADJUST and the like are no business of the APIC's ranges", () => {
  expect(alone("x2apic", (a) => a.probeMsr(0x7ff).probeMsr(0x900).readMsr(MSR.TSC_ADJUST))).toEqual(["#GP", "#GP", 0]);
});
