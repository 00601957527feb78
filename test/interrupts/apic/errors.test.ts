// The error status register and LVT error, rule by rule (Intel SDM 3A 11.5.3, rev. 083). Macros: apic-guest.ts.

import { describe, expect, it } from "vitest";
import { LocalInterrupt } from "../../../src/abi.ts";
import { MODES, alone, logsOf } from "./apic-guest.ts";

const [SEND, RECEIVE, REGISTER] = [1 << 5, 1 << 6, 1 << 7];

describe.each(MODES)("in %s mode", (mode) => {
  it.each([0, 2, 15])("sending vector %i to another CPU is an error of both", (vector) => {
    const logs = logsOf(mode, [
      `delay $500
       send $${vector}, $1
       write APIC_ESR, $0; read APIC_ESR`,
      `delay $4000
       write APIC_ESR, $0; read APIC_ESR
       read APIC_IRR
       open`,
    ]);
    expect(logs).toEqual([[SEND], [RECEIVE, 0]]);
  });

  it("sending an illegal vector to oneself is both errors", () => {
    const log = alone(
      mode,
      `send $SELF | 7
       delay
       write APIC_ESR, $0; read APIC_ESR`,
    );
    expect(log).toEqual([SEND | RECEIVE]);
  });

  it("vector 16 is none", () => {
    const log = alone(
      mode,
      `send $SELF | 16
       delay
       write APIC_ESR, $0; read APIC_ESR`,
    );
    expect(log).toEqual([0]);
  });

  it("an NMI's vector is none", () => {
    const log = alone(
      mode,
      `send $NMI | 3, $0
       delay
       write APIC_ESR, $0; read APIC_ESR`,
    );
    expect(log).toEqual(["nmi", 0]);
  });

  it("errors show when ESR is written, and are gone with the next write", () => {
    const log = alone(
      mode,
      `send $SELF | 7
       delay
       read APIC_ESR
       write APIC_ESR, $0; read APIC_ESR; read APIC_ESR
       write APIC_ESR, $0; read APIC_ESR
       send $7, $9
       write APIC_ESR, $0; read APIC_ESR`,
    );
    expect(log).toEqual([0, SEND | RECEIVE, SEND | RECEIVE, 0, SEND]);
  });

  it("an LVT entry with an illegal vector is a receive error when its source signals", () => {
    const pin = alone(
      mode,
      `write APIC_LVT_LINT0, $9
       open $5000
       write APIC_ESR, $0; read APIC_ESR`,
      { signals: [{ source: LocalInterrupt.LINT0, cycle: 3000 }] },
    );
    expect(pin).toEqual([RECEIVE]);
    const timer = alone(
      mode,
      `write APIC_LVT_TIMER, $9
       write APIC_DIV_CONF, $BY_ONE
       write APIC_INIT_COUNT, $100
       open $5000
       write APIC_ESR, $0; read APIC_ESR`,
    );
    expect(timer).toEqual([RECEIVE]);
  });

  it("a software-disabled receiver sees no illegal vector", () => {
    const logs = logsOf(mode, [
      "delay $500; send $7, $1",
      `write APIC_SVR, $0xff
       delay $4000
       write APIC_ESR, $0; read APIC_ESR`,
    ]);
    expect(logs[1]).toEqual([0]);
  });
});

describe("illegal register addresses", () => {
  it("in xAPIC mode set ESR bit 7, read or written", () => {
    for (const offset of [0x000, 0x010, 0x040, 0x070, 0x290, 0x2e0, 0x3a0, 0x3d0, 0x3f0, 0x400, 0xff0]) {
      const read = `mov ${offset}(%r13), %eax; note; write APIC_ESR, $0; read APIC_ESR`;
      expect([offset, ...alone("xapic", read)]).toEqual([offset, 0, REGISTER]);
      const written = `movl $1, ${offset}(%r13); write APIC_ESR, $0; read APIC_ESR`;
      expect([offset, ...alone("xapic", written)]).toEqual([offset, REGISTER]);
    }
  });

  it("in x2APIC mode raise #GP, and set nothing", () => {
    const log = alone(
      "x2apic",
      `mov $0x829, %ecx; rdmsr
       writemsr 0x83b, $0
       write APIC_ESR, $0; read APIC_ESR`,
    );
    expect(log).toEqual(["#GP", "#GP", 0]);
  });
});

describe("LVT error", () => {
  it("delivers its vector at the first error; the next only after a write of ESR", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_ERROR, $0xfe
       sti
       send $7, $9
       delay $100
       send $7, $9
       delay $100
       write APIC_ESR, $0
       note $0
       send $7, $9
       delay $100
       send $7, $9
       delay $100
       write APIC_ESR, $0
       note $1
       cli`,
    );
    expect(log).toEqual(["int 0xfe", 0, "int 0xfe", 1]);
  });

  it("masked, keeps quiet while errors gather", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_ERROR, $MASKED | 0xfe
       sti
       send $7, $9
       delay $100
       cli
       write APIC_ESR, $0; read APIC_ESR`,
    );
    expect(log).toEqual([SEND]);
  });

  it("tells the receiver too", () => {
    const logs = logsOf("x2apic", ["delay $500; send $7, $1", "write APIC_LVT_ERROR, $0xfe; open $4000"]);
    expect(logs[1]).toEqual(["int 0xfe"]);
  });

  it("with an illegal vector of its own delivers nothing, and is an error more", () => {
    const log = alone(
      "x2apic",
      `write APIC_LVT_ERROR, $4
       sti
       send $7, $9
       delay $100
       cli
       write APIC_ESR, $0; read APIC_ESR`,
    );
    expect(log).toEqual([SEND | RECEIVE]);
  });

  it("ESR itself is not changed by an error: what it shows was latched", () => {
    const log = alone(
      "xapic",
      `mov 0x40(%r13), %eax; note
       write APIC_ESR, $0; read APIC_ESR
       mov 0x40(%r13), %eax; note
       read APIC_ESR
       write APIC_ESR, $0; read APIC_ESR`,
    );
    expect(log).toEqual([0, REGISTER, 0, REGISTER, REGISTER]);
  });
});
