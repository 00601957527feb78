// The error status register and LVT error, rule by rule (Intel SDM 3A 11.5.3, rev. 083).

import { describe, expect, it } from "vitest";
import { LocalInterrupt } from "../../../src/abi.ts";
import { APIC, BY_ONE, MASKED, type ApicProgram, alone, bench } from "./bench.ts";

const [SEND, RECEIVE, REGISTER] = [1 << 5, 1 << 6, 1 << 7];
const SELF = 1 << 18;
const modes = ["xapic", "x2apic"] as const;
const latch = (a: ApicProgram): ApicProgram => a.write(APIC.ESR, 0).read(APIC.ESR);

describe.each(modes)("in %s mode", (mode) => {
  it.each([0, 2, 15])("sending vector %i to another CPU is an error of both", (vector) => {
    const { logs } = bench(
      { mode },
      (a) => latch(a.wait(500).sendCommand(vector, 1)),
      (a) => latch(a.wait(4000)).read(APIC.IRR).open(),
    );
    expect(logs).toEqual([[SEND], [RECEIVE, 0]]);
  });

  it("sending an illegal vector to oneself is both errors", () => {
    expect(alone(mode, (a) => latch(a.sendCommand(SELF | 7).wait()))).toEqual([SEND | RECEIVE]);
  });

  it("vector 16 is none", () => {
    expect(alone(mode, (a) => latch(a.sendCommand(SELF | 16).wait()))).toEqual([0]);
  });

  it("an NMI's vector is none", () => {
    expect(alone(mode, (a) => latch(a.sendCommand(0x400 | 3, 0).wait()))).toEqual(["nmi", 0]);
  });

  it("errors show when ESR is written, and are gone with the next write", () => {
    const log = alone(mode, (a) => {
      a.sendCommand(SELF | 7)
        .wait()
        .read(APIC.ESR);
      latch(latch(a.write(APIC.ESR, 0).read(APIC.ESR).read(APIC.ESR)).sendCommand(7, 9));
    });
    expect(log).toEqual([0, SEND | RECEIVE, SEND | RECEIVE, 0, SEND]);
  });

  it("an LVT entry with an illegal vector is a receive error when its source signals", () => {
    const log = alone(mode, (a) => latch(a.write(APIC.LINT0, 9).open(5000)), {
      signals: [{ source: LocalInterrupt.LINT0, cycle: 3000 }],
    });
    expect(log).toEqual([RECEIVE]);
    const timer = alone(mode, (a) =>
      latch(a.write(APIC.TIMER, 9).write(APIC.TDCR, BY_ONE).write(APIC.TMICT, 100).open(5000)),
    );
    expect(timer).toEqual([RECEIVE]);
  });

  it("a software-disabled receiver sees no illegal vector", () => {
    const { logs } = bench(
      { mode },
      (a) => a.wait(500).sendCommand(7, 1),
      (a) => latch(a.write(APIC.SVR, 0xff).wait(4000)),
    );
    expect(logs[1]).toEqual([0]);
  });
});

describe("illegal register addresses", () => {
  it("in xAPIC mode set ESR bit 7, read or written", () => {
    for (const offset of [0x000, 0x010, 0x040, 0x070, 0x290, 0x2e0, 0x3a0, 0x3d0, 0x3f0, 0x400, 0xff0]) {
      expect([offset, ...alone("xapic", (a) => latch(a.loadPage(offset)))]).toEqual([offset, 0, REGISTER]);
      expect([offset, ...alone("xapic", (a) => latch(a.storePage(offset, 1)))]).toEqual([offset, REGISTER]);
    }
  });

  it("in x2APIC mode raise #GP, and set nothing", () => {
    expect(alone("x2apic", (a) => latch(a.probeMsr(0x829).writeMsr(0x83b, 0n)))).toEqual(["#GP", "#GP", 0]);
  });
});

describe("LVT error", () => {
  it("delivers its vector at the first error; the next only after a write of ESR", () => {
    const log = alone("x2apic", (a) => {
      a.write(APIC.ERROR, 0xfe).sti();
      for (let i = 0; i < 2; i++)
        a.sendCommand(7, 9).wait(100).sendCommand(7, 9).wait(100).write(APIC.ESR, 0).set(0, i).note();
      a.cli();
    });
    expect(log).toEqual(["int 0xfe", 0, "int 0xfe", 1]);
  });

  it("masked, keeps quiet while errors gather", () => {
    const log = alone("x2apic", (a) =>
      latch(
        a
          .write(APIC.ERROR, MASKED | 0xfe)
          .sti()
          .sendCommand(7, 9)
          .wait(100)
          .cli(),
      ),
    );
    expect(log).toEqual([SEND]);
  });

  it("tells the receiver too", () => {
    const { logs } = bench(
      {},
      (a) => a.wait(500).sendCommand(7, 1),
      (a) => a.write(APIC.ERROR, 0xfe).open(4000),
    );
    expect(logs[1]).toEqual(["int 0xfe"]);
  });

  it("with an illegal vector of its own delivers nothing, and is an error more", () => {
    const log = alone("x2apic", (a) => latch(a.write(APIC.ERROR, 4).sti().sendCommand(7, 9).wait(100).cli()));
    expect(log).toEqual([SEND | RECEIVE]);
  });

  it("ESR itself is not changed by an error: what it shows was latched", () => {
    const log = alone("xapic", (a) => latch(latch(a.loadPage(0x40)).loadPage(0x40).read(APIC.ESR)));
    expect(log).toEqual([0, REGISTER, 0, REGISTER, REGISTER]);
  });
});
