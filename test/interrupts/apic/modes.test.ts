// IA32_APIC_BASE and the modes of the local APIC, rule by rule (Intel SDM 3A 11.4.3, 11.12.5, rev. 083). Macros: apic-guest.ts.

import { describe, expect, it } from "vitest";
import { StopReason } from "../../../src/abi.ts";
import { ApicGuest, BASES, FIELDS, MODES, alone, logsOf } from "./apic-guest.ts";

const { ENABLED, MASKED } = FIELDS;
const base = {
  disabled: BASES.BASE_DISABLED,
  xapic: BASES.BASE_XAPIC,
  x2apic: BASES.BASE_X2APIC,
  extdOnly: BASES.BASE_EXTD_ONLY,
};
type State = "disabled" | "xapic" | "x2apic";

/** From x2APIC mode to a state by legal steps. */
const fromX2apic: Readonly<Record<State, string>> = {
  x2apic: "",
  disabled: "writemsr IA32_APIC_BASE, $BASE_DISABLED",
  xapic: "writemsr IA32_APIC_BASE, $BASE_DISABLED; writemsr IA32_APIC_BASE, $BASE_XAPIC",
};

describe("IA32_APIC_BASE", () => {
  it.each(MODES)("says %s at the start, the default address, and which CPU is the BSP", (mode) => {
    const logs = logsOf(mode, ["readmsr IA32_APIC_BASE", "readmsr IA32_APIC_BASE"]);
    expect(logs).toEqual([[Number(base[mode])], [Number(base[mode] & ~0x100n)]]);
  });

  it.each([
    ["disabled", "xapic"],
    ["xapic", "x2apic"],
    ["xapic", "disabled"],
    ["x2apic", "disabled"],
    ["disabled", "disabled"],
    ["xapic", "xapic"],
    ["x2apic", "x2apic"],
  ] as const)("may go from %s to %s (figure 11-27)", (from, to) => {
    const log = alone(
      "x2apic",
      `${fromX2apic[from]}
       writemsr IA32_APIC_BASE, $${base[to]}
       readmsr IA32_APIC_BASE`,
    );
    expect(log).toEqual([Number(base[to])]);
  });

  it.each([
    ["x2apic", "xapic"],
    ["disabled", "x2apic"],
    ["disabled", "extdOnly"],
    ["xapic", "extdOnly"],
    ["x2apic", "extdOnly"],
  ] as const)("#GP from %s to %s, and it stays (figure 11-27)", (from, to) => {
    const log = alone(
      "x2apic",
      `${fromX2apic[from]}
       writemsr IA32_APIC_BASE, $${base[to]}
       readmsr IA32_APIC_BASE`,
    );
    expect(log).toEqual(["#GP", Number(base[from])]);
  });

  it.each([0, 7, 9, 32, 63])("reserved bit %i raises #GP (11.4.4)", (bit) => {
    expect(alone("xapic", `writemsr IA32_APIC_BASE, $BASE_XAPIC | 1 << ${bit}`)).toEqual(["#GP"]);
  });

  it("another address for the page is not modelled: the machine stops, and says which", () => {
    const { stop } = new ApicGuest("xapic", ["writemsr IA32_APIC_BASE, $0xfec00900; delay $10000"]);
    expect(stop).toMatchObject({ reason: StopReason.UNSUPPORTED, cpu: 0, detail: 0xfec0_0900n });
  });
});

describe("an APIC that is disabled (11.4.3)", () => {
  it("has no page: reads give ones, writes are lost", () => {
    const log = alone(
      "xapic",
      `writemsr IA32_APIC_BASE, $BASE_DISABLED
       read APIC_ID
       read APIC_SVR
       write APIC_TPR, $0x70
       writemsr IA32_APIC_BASE, $BASE_XAPIC
       read APIC_TPR`,
    );
    expect(log).toEqual([0xffff_ffff, 0xffff_ffff, 0]);
  });

  it("has no MSRs: #GP", () => {
    const log = alone(
      "x2apic",
      `writemsr IA32_APIC_BASE, $BASE_DISABLED
       mov $IA32_X2APIC_APICID, %ecx; rdmsr`,
    );
    expect(log).toEqual(["#GP"]);
  });

  it("is not announced by CPUID.1:EDX[9]; x2APIC mode still is by ECX[21]", () => {
    const log = alone(
      "xapic",
      `writemsr IA32_APIC_BASE, $BASE_DISABLED
       mov $1, %eax; cpuid; note %rdx; note %rcx
       writemsr IA32_APIC_BASE, $BASE_XAPIC
       mov $1, %eax; cpuid; note %rdx; note %rcx`,
    ).map(Number);
    expect(log.map((value, index) => (value >> (index % 2 === 0 ? 9 : 21)) & 1)).toEqual([0, 1, 1, 1]);
  });

  it("takes no messages, not even NMIs (11.4.3)", () => {
    const logs = logsOf("x2apic", [
      `writemsr IA32_APIC_BASE, $BASE_DISABLED
       open $4000
       writemsr IA32_APIC_BASE, $BASE_XAPIC
       open`,
      `delay $500
       send $ASSERT | NMI, $0
       send $ASSERT | 0x40, $0
       send $ASSERT | LOGICAL | NMI | 0x41, $1`,
    ]);
    expect(logs[0]).toEqual([]);
  });

  it("forgets all but its ID (11.12.5.1)", () => {
    const log = alone(
      "x2apic",
      `write APIC_TPR, $0x20
       write APIC_LVT_TIMER, $0x45
       write APIC_INIT_COUNT, $1000
       send $SELF | ASSERT | 0x51
       delay
       writemsr IA32_APIC_BASE, $BASE_DISABLED
       writemsr IA32_APIC_BASE, $BASE_XAPIC
       writemsr IA32_APIC_BASE, $BASE_X2APIC
       read APIC_ID
       read APIC_SVR
       read APIC_TPR
       read APIC_LVT_TIMER
       read APIC_INIT_COUNT
       read APIC_CUR_COUNT
       read APIC_IRR + 0x20
       read APIC_ICR`,
    );
    expect(log).toEqual([0, 0xff, 0, MASKED, 0, 0, 0, 0]);
  });

  it("has no timer that fires", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_TIMER, $0x45
       write APIC_INIT_COUNT, $500
       writemsr IA32_APIC_BASE, $BASE_DISABLED
       writemsr IA32_APIC_BASE, $BASE_XAPIC
       writemsr IA32_APIC_BASE, $BASE_X2APIC
       write APIC_SVR, $ENABLED
       open $3000`,
    );
    expect(log).toEqual([]);
  });
});

describe("from xAPIC to x2APIC mode (11.12.5.1)", () => {
  it("registers keep their values", () => {
    const log = alone(
      "xapic",
      `write APIC_TPR, $0x20
       write APIC_SVR, $0x1ee
       write APIC_LVT_ERROR, $0x33
       write APIC_DIV_CONF, $0xb
       send $SELF | ASSERT | 0x31
       delay
       writemsr IA32_APIC_BASE, $BASE_X2APIC
       delay $200
       readmsr IA32_X2APIC_TPR
       readmsr IA32_X2APIC_SIVR
       readmsr IA32_X2APIC_LVT_ERROR
       readmsr IA32_X2APIC_DIV_CONF
       readmsr IA32_X2APIC_IRR0 + 1`,
    );
    expect(log).toEqual([0x20, 0x1ee, 0x33, 0xb, 1 << 17]);
  });

  it("LDR becomes that of the ID, and the upper half of ICR is lost", () => {
    const log = alone(
      "xapic",
      `write APIC_LDR, $0x12000000
       write APIC_ICR_HIGH, $0x12000000
       writemsr IA32_APIC_BASE, $BASE_X2APIC
       readmsr IA32_X2APIC_LDR
       readmsr IA32_X2APIC_ICR`,
    );
    expect(log).toEqual([1, 0]);
  });

  it("the page is void from then on", () => {
    const log = alone(
      "xapic",
      `read APIC_SVR
       writemsr IA32_APIC_BASE, $BASE_X2APIC
       read APIC_SVR
       write APIC_TPR, $0x40
       readmsr IA32_X2APIC_TPR`,
    );
    expect(log).toEqual([ENABLED, 0xffff_ffff, 0]);
  });
});
