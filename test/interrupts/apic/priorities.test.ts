// Priorities of maskable interrupts: IRR, ISR, TMR, TPR, PPR, CR8, EOI and the spurious vector, rule by rule (Intel SDM 3A
// 11.8, 11.9, rev. 083). Macros: apic-guest.ts.

import { describe, expect, it } from "vitest";
import { LocalInterrupt } from "../../../src/abi.ts";
import { MODES, alone } from "./apic-guest.ts";

describe.each(MODES)("in %s mode", (mode) => {
  it("an accepted interrupt stands in IRR; taken, in ISR; after EOI, in neither (11.8.4)", () => {
    const log = alone(
      mode,
      `send $SELF | 0x47
       delay $300
       read APIC_IRR + 0x20; read APIC_ISR + 0x20
       open
       read APIC_IRR + 0x20; read APIC_ISR + 0x20
       write APIC_EOI, $0
       read APIC_IRR + 0x20; read APIC_ISR + 0x20`,
      { ends: false },
    );
    expect(log).toEqual([1 << 7, 0, "int 0x47", 0, 1 << 7, 0, 0]);
  });

  it("TPR holds off its class and those below (11.8.3)", () => {
    const log = alone(
      mode,
      `write APIC_TPR, $0x50
       send $SELF | 0x4f; send $SELF | 0x50; send $SELF | 0x5f; send $SELF | 0x60
       delay $300
       open
       write APIC_TPR, $0x4f
       open
       write APIC_TPR, $0
       open`,
    );
    expect(log).toEqual(["int 0x60", "int 0x5f", "int 0x50", "int 0x4f"]);
  });

  it("TPR of F0H holds off everything", () => {
    const log = alone(
      mode,
      `write APIC_TPR, $0xf0
       send $SELF | 0xff
       delay $300
       open
       note $1
       write APIC_TPR, $0xe0
       open`,
    );
    expect(log).toEqual([1, "int 0xff"]);
  });

  it("a class in service holds off itself and those below, until EOI (11.8.3.1)", () => {
    const log = alone(
      mode,
      `send $SELF | 0x52
       delay $300
       open
       send $SELF | 0x51; send $SELF | 0x5f; send $SELF | 0x60
       delay $300
       open
       write APIC_EOI, $0
       open
       write APIC_EOI, $0
       open`,
      { ends: false },
    );
    expect(log).toEqual(["int 0x52", "int 0x60", "int 0x5f"]);
  });

  it.each([
    [0x00, 0x40],
    [0x35, 0x40],
    [0x40, 0x40],
    [0x47, 0x47],
    [0x51, 0x51],
  ])("PPR with TPR %i and 48H in service (11.8.3.1)", (tpr, ppr) => {
    const log = alone(
      mode,
      `send $SELF | 0x48
       delay $300
       open
       write APIC_TPR, $${tpr}
       read APIC_PPR`,
      { ends: false },
    );
    expect(log).toEqual(["int 0x48", ppr]);
  });

  it("PPR is TPR while nothing is in service", () => {
    expect(alone(mode, "write APIC_TPR, $0x5a; read APIC_PPR")).toEqual([0x5a]);
  });

  it("EOI ends the highest that is in service (11.8.5)", () => {
    const log = alone(
      mode,
      `send $SELF | 0x41
       delay $300
       open
       send $SELF | 0x81
       delay $300
       open
       write APIC_EOI, $0
       read APIC_ISR + 0x40; read APIC_ISR + 0x20`,
      { ends: false },
    );
    expect(log).toEqual(["int 0x41", "int 0x81", 0, 2]);
  });

  it("an EOI that nobody owes does nothing", () => {
    const log = alone(
      mode,
      `write APIC_EOI, $0
       send $SELF | 0x41
       delay $300
       write APIC_EOI, $0
       read APIC_IRR + 0x20`,
    );
    expect(log).toEqual([2]);
  });

  it("a write of TPR or EOI that lets an interrupt through does so at the next instruction", () => {
    const log = alone(
      mode,
      `write APIC_TPR, $0x80
       send $SELF | 0x51
       delay $300
       sti
       write APIC_TPR, $0
       note $1
       cli`,
    );
    expect(log).toEqual(["int 0x51", 1]);
  });

  it("CR8 is TPR[7:4]; writing it clears TPR[3:0] (11.8.6)", () => {
    const log = alone(
      mode,
      `write APIC_TPR, $0x5a
       mov %cr8, %rax; note
       mov $9, %eax; mov %rax, %cr8
       read APIC_TPR
       mov %cr8, %rax; note`,
    );
    expect(log).toEqual([5, 0x90, 9]);
  });

  it("a write of CR8 opens and closes like one of TPR", () => {
    const log = alone(
      mode,
      `mov $6, %eax; mov %rax, %cr8
       send $SELF | 0x61; send $SELF | 0x71
       delay $300
       open
       note $1
       mov $5, %eax; mov %rax, %cr8
       open`,
    );
    expect(log).toEqual(["int 0x71", 1, "int 0x61"]);
  });
});

describe("the spurious interrupt (11.9)", () => {
  const signals = [{ source: LocalInterrupt.SPURIOUS, cycle: 3000 }];

  it("is what a CPU gets that asks for an interrupt which has gone: SVR's vector, and no bit in ISR", () => {
    const log = alone(
      "x2apic",
      `write APIC_SVR, $0x1ee
       open $8000
       read APIC_ISR + 0x70; read APIC_PPR`,
      { signals, ends: false },
    );
    expect(log).toEqual(["int 0xee", 0, 0]);
  });

  it("is not delivered if there is a real one to take", () => {
    const log = alone(
      "x2apic",
      `write APIC_SELF_IPI, $0x61
       delay $8000
       open
       note $1
       open`,
      { signals },
    );
    expect(log).toEqual(["int 0x61", 1]);
  });

  it("comes whatever TPR says, since it has no priority", () => {
    const log = alone(
      "x2apic",
      `write APIC_TPR, $0xff
       write APIC_SVR, $ENABLED
       open $8000`,
      { signals, ends: false },
    );
    expect(log).toEqual(["int 0xff"]);
  });
});
