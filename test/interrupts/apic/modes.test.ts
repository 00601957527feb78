// IA32_APIC_BASE and the modes of the local APIC, rule by rule (Intel SDM 3A 11.4.3, 11.12.5, rev. 083).

import { describe, expect, it } from "vitest";
import { StopReason } from "../../../src/abi.ts";
import { RBX, RCX, RDX } from "../../instructions/x86-64/code.ts";
import { APIC, ENABLED, MASKED, MSR, type ApicProgram, alone, base, bench } from "./bench.ts";

type State = "disabled" | "xapic" | "x2apic";

/** From x2APIC or xAPIC mode to a state by legal steps. */
function bring(a: ApicProgram, from: "xapic" | "x2apic", to: State): void {
  if (from === to) return;
  if (from === "xapic") a.writeMsr(MSR.APIC_BASE, base[to]);
  else {
    a.writeMsr(MSR.APIC_BASE, base.disabled);
    if (to === "xapic") a.writeMsr(MSR.APIC_BASE, base.xapic);
  }
}

describe("IA32_APIC_BASE", () => {
  it.each(["xapic", "x2apic"] as const)(
    "says %s at the start, the default address, and which CPU is the BSP",
    (mode) => {
      const { logs } = bench(
        { mode },
        (a) => a.readMsr(MSR.APIC_BASE),
        (a) => a.readMsr(MSR.APIC_BASE),
      );
      expect(logs).toEqual([[Number(base[mode])], [Number(base[mode] & ~0x100n)]]);
    },
  );

  it.each([
    ["disabled", "xapic"],
    ["xapic", "x2apic"],
    ["xapic", "disabled"],
    ["x2apic", "disabled"],
    ["disabled", "disabled"],
    ["xapic", "xapic"],
    ["x2apic", "x2apic"],
  ] as const)("may go from %s to %s (figure 11-27)", (from, to) => {
    const log = alone("x2apic", (a) => {
      bring(a, "x2apic", from);
      a.writeMsr(MSR.APIC_BASE, base[to]).readMsr(MSR.APIC_BASE);
    });
    expect(log).toEqual([Number(base[to])]);
  });

  it.each([
    ["x2apic", "xapic"],
    ["disabled", "x2apic"],
    ["disabled", "extdOnly"],
    ["xapic", "extdOnly"],
    ["x2apic", "extdOnly"],
  ] as const)("#GP from %s to %s, and it stays (figure 11-27)", (from, to) => {
    const log = alone("x2apic", (a) => {
      bring(a, "x2apic", from);
      a.writeMsr(MSR.APIC_BASE, base[to]).readMsr(MSR.APIC_BASE);
    });
    expect(log).toEqual(["#GP", Number(base[from])]);
  });

  it.each([0, 7, 9, 32, 63])("reserved bit %i raises #GP (11.4.4)", (bit) => {
    expect(alone("xapic", (a) => a.writeMsr(MSR.APIC_BASE, base.xapic | (1n << BigInt(bit))))).toEqual(["#GP"]);
  });

  it("another address for the page is not modelled: the machine stops, and says which", () => {
    const { stop } = bench({ mode: "xapic" }, (a) => a.writeMsr(MSR.APIC_BASE, 0xfec0_0900n).wait(10_000));
    expect(stop).toEqual({ reason: StopReason.UNSUPPORTED, cpu: 0, detail: 0xfec0_0900n });
  });
});

describe("an APIC that is disabled (11.4.3)", () => {
  it("has no page: reads give ones, writes are lost", () => {
    const log = alone("xapic", (a) => {
      a.writeMsr(MSR.APIC_BASE, base.disabled).loadPage(0x20).loadPage(0xf0).storePage(0x80, 0x70);
      a.writeMsr(MSR.APIC_BASE, base.xapic).loadPage(0x80);
    });
    expect(log).toEqual([0xffff_ffff, 0xffff_ffff, 0]);
  });

  it("has no MSRs: #GP", () => {
    expect(alone("x2apic", (a) => a.writeMsr(MSR.APIC_BASE, base.disabled).probeMsr(APIC.ID))).toEqual(["#GP"]);
  });

  it("is not announced by CPUID.1:EDX[9]; x2APIC mode still is by ECX[21]", () => {
    const log = alone("xapic", (a) => {
      for (const state of ["disabled", "xapic"] as const) {
        a.writeMsr(MSR.APIC_BASE, base[state]);
        a.push(RBX).cpuidNote(1, RDX).cpuidNote(1, RCX).pop(RBX);
      }
    }).map(Number);
    expect(log.map((value, index) => (value >> (index % 2 === 0 ? 9 : 21)) & 1)).toEqual([0, 1, 1, 1]);
  });

  it("takes no messages, not even NMIs (11.4.3)", () => {
    const { logs } = bench(
      {},
      (a) => a.writeMsr(MSR.APIC_BASE, base.disabled).open(4000).writeMsr(MSR.APIC_BASE, base.xapic).open(),
      (a) => a.wait(500).sendCommand(0x4400, 0).sendCommand(0x4040, 0).sendCommand(0x4c41, 1),
    );
    expect(logs[0]).toEqual([]);
  });

  it("forgets all but its ID (11.12.5.1)", () => {
    const log = alone("x2apic", (a) => {
      a.write(APIC.TPR, 0x20).write(APIC.TIMER, 0x45).write(APIC.TMICT, 1000).sendCommand(0x4_4051).wait();
      a.writeMsr(MSR.APIC_BASE, base.disabled).writeMsr(MSR.APIC_BASE, base.xapic).writeMsr(MSR.APIC_BASE, base.x2apic);
      for (const register of [APIC.ID, APIC.SVR, APIC.TPR, APIC.TIMER, APIC.TMICT, APIC.TMCCT, APIC.IRR + 2, APIC.ICR])
        a.read(register);
    });
    expect(log).toEqual([0, 0xff, 0, MASKED, 0, 0, 0, 0]);
  });

  it("has no timer that fires", () => {
    const log = alone("x2apic", (a) => {
      a.write(APIC.TIMER, 0x45).write(APIC.TMICT, 500).writeMsr(MSR.APIC_BASE, base.disabled);
      a.writeMsr(MSR.APIC_BASE, base.xapic).writeMsr(MSR.APIC_BASE, base.x2apic).write(APIC.SVR, ENABLED).open(3000);
    });
    expect(log).toEqual([]);
  });
});

describe("from xAPIC to x2APIC mode (11.12.5.1)", () => {
  it("registers keep their values", () => {
    const log = alone("xapic", (a) => {
      a.write(APIC.TPR, 0x20)
        .write(APIC.SVR, 0x1ee)
        .write(APIC.ERROR, 0x33)
        .write(APIC.TDCR, 0xb)
        .sendCommand(0x4_4031)
        .wait();
      a.writeMsr(MSR.APIC_BASE, base.x2apic).wait(200);
      a.apicMode = "x2apic";
      for (const register of [APIC.TPR, APIC.SVR, APIC.ERROR, APIC.TDCR, APIC.IRR + 1]) a.read(register);
    });
    expect(log).toEqual([0x20, 0x1ee, 0x33, 0xb, 1 << 17]);
  });

  it("LDR becomes that of the ID, and the upper half of ICR is lost", () => {
    const log = alone("xapic", (a) => {
      a.write(APIC.LDR, 0x1200_0000).write(APIC.ICR_HIGH, 0x1200_0000).writeMsr(MSR.APIC_BASE, base.x2apic);
      a.apicMode = "x2apic";
      a.read(APIC.LDR).readMsr(APIC.ICR);
    });
    expect(log).toEqual([1, 0]);
  });

  it("the page is void from then on", () => {
    const log = alone("xapic", (a) => {
      a.loadPage(0xf0).writeMsr(MSR.APIC_BASE, base.x2apic).loadPage(0xf0).storePage(0x80, 0x40);
      a.apicMode = "x2apic";
      a.read(APIC.TPR);
    });
    expect(log).toEqual([ENABLED, 0xffff_ffff, 0]);
  });
});
