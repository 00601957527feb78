// The registers of the local APIC and who may read and write them, rule by rule (Intel SDM 3A, rev. 083). Macros: apic-guest.ts.

import { describe, expect, it } from "vitest";
import { FIELDS, MODES, OFFSETS, alone, each, logsOf } from "./apic-guest.ts";

const { MASKED } = FIELDS;
const lvt = [
  "APIC_LVT_CMCI",
  "APIC_LVT_TIMER",
  "APIC_LVT_THERMAL",
  "APIC_LVT_PMI",
  "APIC_LVT_LINT0",
  "APIC_LVT_LINT1",
  "APIC_LVT_ERROR",
];
const read = (register: string): string => `read ${register}`;

describe.each(MODES)("in %s mode", (mode) => {
  it("after reset SVR is FFH, every LVT entry is masked, and the rest is 0 (11.4.7.1)", () => {
    const zero = [
      "APIC_TPR",
      "APIC_PPR",
      "APIC_ESR",
      "APIC_INIT_COUNT",
      "APIC_CUR_COUNT",
      "APIC_DIV_CONF",
      "APIC_ICR",
      "APIC_ISR",
      "APIC_TMR + 0x70",
      "APIC_IRR + 0x30",
    ];
    const log = alone(mode, `read APIC_SVR\n ${each(lvt, read)} ${each(zero, read)}`, { enabled: false });
    expect(log).toEqual([0xff, ...lvt.map(() => MASKED), ...zero.map(() => 0)]);
  });

  it("the version register says 7 LVT entries, suppression of EOI broadcasts, version 15H (11.4.8)", () => {
    expect(alone(mode, "read APIC_VERSION")).toEqual([0x0106_0015]);
  });

  it("TPR, SVR, TMICT and TDCR keep what is written (table 11-1)", () => {
    const log = alone(
      mode,
      `write APIC_TPR, $0x5a
       write APIC_SVR, $0x13fe
       write APIC_DIV_CONF, $0xa
       write APIC_INIT_COUNT, $0xfedcba98
       read APIC_TPR
       read APIC_SVR
       read APIC_DIV_CONF
       read APIC_INIT_COUNT`,
    );
    expect(log).toEqual([0x5a, 0x13fe, 0xa, 0xfedc_ba98]);
  });

  it("LVT entries keep their fields; delivery status and remote IRR are read-only (figure 11-8)", () => {
    const log = alone(
      mode,
      `write APIC_LVT_CMCI, $0x117ff;    read APIC_LVT_CMCI
       write APIC_LVT_TIMER, $0x710ff;   read APIC_LVT_TIMER
       write APIC_LVT_THERMAL, $0x117ff; read APIC_LVT_THERMAL
       write APIC_LVT_PMI, $0x117ff;     read APIC_LVT_PMI
       write APIC_LVT_LINT0, $0x1f7ff;   read APIC_LVT_LINT0
       write APIC_LVT_LINT1, $0x1f7ff;   read APIC_LVT_LINT1
       write APIC_LVT_ERROR, $0x110ff;   read APIC_LVT_ERROR`,
    );
    expect(log).toEqual([0x1_07ff, 0x7_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff]);
  });

  it("ICR shows what was written last, with an idle delivery status (11.6.1)", () => {
    // Bit 12 is the delivery status.
    const log = alone(mode, "send $OTHERS | ASSERT | 0x1000 | 0x47, $0; read APIC_ICR");
    expect(log).toEqual([0xc_4047]);
  });
});

describe("x2APIC mode (11.12.1)", () => {
  it.each([
    ["ID", "APIC_ID"],
    ["version", "APIC_VERSION"],
    ["PPR", "APIC_PPR"],
    ["LDR", "APIC_LDR"],
    ["ISR", "APIC_ISR"],
    ["TMR", "APIC_TMR"],
    ["IRR", "APIC_IRR"],
    ["TMCCT", "APIC_CUR_COUNT"],
  ])("a write to %s, which is read-only, raises #GP (table 11-6)", (_, register) => {
    expect(alone("x2apic", `write ${register}, $0`)).toEqual(["#GP"]);
  });

  it("a read of EOI or SELF_IPI, which are write-only, raises #GP (table 11-6)", () => {
    const log = alone("x2apic", "mov $IA32_X2APIC_EOI, %ecx; rdmsr; mov $IA32_X2APIC_SELF_IPI, %ecx; rdmsr");
    expect(log).toEqual(["#GP", "#GP"]);
  });

  it("APR, RRD, DFR and the upper ICR don't exist: #GP (table 11-6)", () => {
    const log = alone(
      "x2apic",
      `mov $0x800 + (APIC_APR >> 4), %ecx;      rdmsr; write APIC_APR, $0
       mov $0x800 + (APIC_RRD >> 4), %ecx;      rdmsr; write APIC_RRD, $0
       mov $0x800 + (APIC_DFR >> 4), %ecx;      rdmsr; write APIC_DFR, $0
       mov $0x800 + (APIC_ICR_HIGH >> 4), %ecx; rdmsr; write APIC_ICR_HIGH, $0`,
    );
    expect(log).toEqual(Array.from({ length: 8 }, () => "#GP"));
  });

  it("every other number from 800H to 8FFH raises #GP (11.12.1.2)", () => {
    const known = new Set<number>(Object.values(OFFSETS).map((offset) => 0x800 + (offset >> 4)));
    for (const [register, count] of [
      ["APIC_ISR", 8],
      ["APIC_TMR", 8],
      ["APIC_IRR", 8],
      ["APIC_LVT_TIMER", 6],
    ] as const) {
      for (let word = 0; word < count; word++) known.add(0x800 + (OFFSETS[register] >> 4) + word);
    }
    const absent = Array.from({ length: 256 }, (_, index) => 0x800 + index).filter((msr) => !known.has(msr));
    expect(absent.length).toBeGreaterThan(190);
    const program = each(absent, (msr) => `mov $${msr}, %ecx; rdmsr`);
    expect(alone("x2apic", program)).toEqual(absent.map(() => "#GP"));
  });

  it.each([
    ["TPR", "APIC_TPR", 0x100],
    ["SVR", "APIC_SVR", 0x400],
    ["SVR", "APIC_SVR", 0x2000],
    ["LVT timer", "APIC_LVT_TIMER", 0x100],
    ["LVT timer", "APIC_LVT_TIMER", 0x8_0000],
    ["LVT CMCI", "APIC_LVT_CMCI", 0x2000],
    ["LVT performance", "APIC_LVT_PMI", 0x8000],
    ["LVT LINT0", "APIC_LVT_LINT0", 0x800],
    ["LVT error", "APIC_LVT_ERROR", 0x100],
    ["TDCR", "APIC_DIV_CONF", 4],
    ["SELF_IPI", "APIC_SELF_IPI", 0x100],
  ])("a reserved bit of %s raises #GP, and nothing is written (11.12.1.2)", (_, register, bit) => {
    const readable = register === "APIC_SELF_IPI" ? "APIC_IRR" : register;
    const log = alone(
      "x2apic",
      `read ${readable}
       write ${register}, $${bit}
       delay
       read ${readable}`,
    );
    expect(log).toEqual([log[0], "#GP", log[0]]);
  });

  it("bits 63:32 of a write must be 0, but for ICR (11.12.1.2)", () => {
    const log = alone(
      "x2apic",
      `writemsr IA32_X2APIC_TPR, $1 << 32
       writemsr IA32_X2APIC_EOI, $1 << 40
       writemsr IA32_X2APIC_INIT_COUNT, $1 << 63`,
    );
    expect(log).toEqual(["#GP", "#GP", "#GP"]);
  });

  it("EOI and ESR take nothing but 0 (11.12.1.2)", () => {
    const log = alone("x2apic", "write APIC_EOI, $1; write APIC_ESR, $1; write APIC_EOI, $0; write APIC_ESR, $0");
    expect(log).toEqual(["#GP", "#GP"]);
  });

  it("ICR is one register of 64 bits; its reserved bits raise #GP, and nothing is sent (11.12.9)", () => {
    const reserved = [13, 16, 17, ...Array.from({ length: 12 }, (_, index) => 20 + index)];
    const log = alone(
      "x2apic",
      `${each(reserved, (bit) => `writemsr IA32_X2APIC_ICR, $1 << ${bit} | SELF | 0x40`)}
       delay
       open
       writemsr IA32_X2APIC_ICR, $0x7700004040
       readmsr IA32_X2APIC_ICR`,
    );
    expect(log).toEqual([...reserved.map(() => "#GP"), 0x77_0000_4040]);
  });

  it("the ID is that of the hardware, in 32 bits (11.12.5.1)", () => {
    const logs = logsOf("x2apic", ["read APIC_ID", "read APIC_ID"], { apicIds: [5, 0x1_2345] });
    expect(logs).toEqual([[5], [0x1_2345]]);
  });

  it("LDR follows from the ID: ID[19:4] is the cluster, ID[3:0] the bit in it (11.12.10.2)", () => {
    const apicIds = [0, 15, 16, 0x1_2345];
    const logs = logsOf(
      "x2apic",
      apicIds.map(() => "read APIC_LDR"),
      { apicIds },
    );
    expect(logs).toEqual([[0x0000_0001], [0x0000_8000], [0x0001_0001], [0x1234_0020]]);
  });
});

describe("xAPIC mode (11.4.1)", () => {
  it("the ID stands in bits 31:24; writes of it are ignored (11.4.6)", () => {
    const logs = logsOf("xapic", ["", "write APIC_ID, $0; read APIC_ID"], { apicIds: [0, 0x85] });
    expect(logs[1]).toEqual([0x8500_0000]);
  });

  it("LDR keeps bits 31:24, DFR bits 31:28 with ones below (figures 11-13, 11-14)", () => {
    const log = alone(
      "xapic",
      `read APIC_LDR; read APIC_DFR
       write APIC_LDR, $0x12ffffff
       write APIC_DFR, $0
       read APIC_LDR; read APIC_DFR`,
    );
    expect(log).toEqual([0, 0xffff_ffff, 0x1200_0000, 0x0fff_ffff]);
  });

  it("the upper ICR keeps the destination; writing it sends nothing (11.6.1)", () => {
    const log = alone("xapic", "write APIC_ICR_HIGH, $0x01ffffff; read APIC_ICR_HIGH; open");
    expect(log).toEqual([0x0100_0000]);
  });

  it("reserved bits are ignored", () => {
    const log = alone(
      "xapic",
      `write APIC_TPR, $0xffffff12;       read APIC_TPR
       write APIC_LVT_TIMER, $0xffffffff; read APIC_LVT_TIMER
       write APIC_DIV_CONF, $0xffffffff;  read APIC_DIV_CONF
       write APIC_SVR, $0xffffffff;       read APIC_SVR`,
    );
    expect(log).toEqual([0x12, 0x7_00ff, 0xb, 0x13ff]);
  });

  it("read-only registers ignore writes, without an error (table 11-1)", () => {
    const log = alone(
      "xapic",
      `write APIC_VERSION, $0xff
       write APIC_PPR, $0xff
       write APIC_ISR, $0xff
       write APIC_TMR, $0xff
       write APIC_IRR, $0xff
       write APIC_CUR_COUNT, $0xff
       write APIC_ESR, $0; read APIC_ESR
       read APIC_IRR
       read APIC_VERSION`,
    );
    expect(log).toEqual([0, 0, 0x0106_0015]);
  });

  it("APR and RRD of old processors read 0 and set no error (table 11-1, note 1)", () => {
    const log = alone(
      "xapic",
      `read APIC_APR; read APIC_RRD
       write APIC_APR, $1; write APIC_RRD, $1
       write APIC_ESR, $0; read APIC_ESR`,
    );
    expect(log).toEqual([0, 0, 0]);
  });

  it("MSRs from 800H on raise #GP (11.12.2)", () => {
    const log = alone(
      "xapic",
      `mov $IA32_X2APIC_APICID, %ecx; rdmsr
       writemsr IA32_X2APIC_EOI, $0
       writemsr IA32_X2APIC_ICR, $0x4040`,
    );
    expect(log).toEqual(["#GP", "#GP", "#GP"]);
  });

  it("what isn't an aligned access of 32 bits reads as ones and writes nothing (undefined: 11.4.1)", () => {
    const log = alone(
      "xapic",
      `xor %eax, %eax; mov APIC_SVR(%r13), %al; note
       xor %eax, %eax; mov APIC_SVR(%r13), %ax; note
       mov APIC_SVR(%r13), %rax; note
       mov APIC_SVR + 4(%r13), %eax; note
       mov APIC_SVR + 2(%r13), %eax; note
       movl $0x50, APIC_TPR + 4(%r13)
       read APIC_TPR`,
    );
    expect(log).toEqual([0xff, 0xffff, 0xffff_ffff_ffff_ffffn, 0xffff_ffff, 0xffff_ffff, 0]);
  });

  it("read-modify-write instructions read the register and write it", () => {
    const log = alone(
      "xapic",
      `movl $0x31, APIC_TPR(%r13)
       incl APIC_TPR(%r13)
       orl $0x40, APIC_TPR(%r13)
       mov APIC_TPR(%r13), %eax; note`,
    );
    expect(log).toEqual([0x72]);
  });

  it("an access takes its time, and sees no other CPU's APIC", () => {
    const logs = logsOf("xapic", ["rdtsc; note; read APIC_ID; rdtsc; note", "read APIC_ID"], {
      figures: { apicAccess: 500 },
    });
    const [before = 0, id, after = 0] = (logs[0] ?? []).map(Number);
    expect(id).toBe(0);
    expect(after - before).toBeGreaterThan(500);
    expect(after - before).toBeLessThan(540);
    expect(logs[1]).toEqual([0x0100_0000]);
  });
});

describe.each(MODES)("software disable by SVR[8] in %s mode (11.4.7.2)", (mode) => {
  it("masks every entry of the LVT, and holds the masks until it is enabled again", () => {
    const log = alone(
      mode,
      `${each(lvt, (register) => `write ${register}, $0x40`)}
       write APIC_SVR, $0xff
       ${each(lvt, (register) => `read ${register}; write ${register}, $0x41; read ${register}`)}
       write APIC_SVR, $ENABLED
       read APIC_LVT_TIMER
       write APIC_LVT_TIMER, $0x42
       read APIC_LVT_TIMER`,
    );
    expect(log).toEqual([...lvt.flatMap(() => [MASKED | 0x40, MASKED | 0x41]), MASKED | 0x41, 0x42]);
  });

  it("loses fixed interrupts that come meanwhile, and keeps those that have come", () => {
    const log = alone(
      mode,
      `send $SELF | ASSERT | 0x51
       delay
       write APIC_SVR, $0xff
       send $SELF | ASSERT | 0x52
       delay
       read APIC_IRR + 0x20
       open
       write APIC_SVR, $ENABLED
       open`,
    );
    expect(log).toEqual([1 << 17, "int 0x51"]);
  });

  it("still takes NMIs, and still sends", () => {
    const logs = logsOf(mode, [
      "write APIC_SVR, $0xff; delay $3000",
      "write APIC_SVR, $0xff; send $ASSERT | NMI, $0; delay",
    ]);
    expect(logs[0]).toEqual(["nmi"]);
  });
});

it("IA32_TSC_ADJUST and the like are no business of the APIC's ranges", () => {
  const log = alone("x2apic", "mov $0x7ff, %ecx; rdmsr; mov $0x900, %ecx; rdmsr; readmsr IA32_TSC_ADJUST");
  expect(log).toEqual(["#GP", "#GP", 0]);
});
