// Priorities of maskable interrupts: IRR, ISR, TMR, TPR, PPR, CR8, EOI and the spurious vector, rule by rule (Intel SDM 3A
// 11.8, 11.9, rev. 083).

import { describe, expect, it } from "vitest";
import { LocalInterrupt } from "../../../src/abi.ts";
import { APIC, ENABLED, alone, type ApicProgram } from "./bench.ts";

const SELF = 1 << 18;
const modes = ["xapic", "x2apic"] as const;

function request(a: ApicProgram, ...vectors: number[]): ApicProgram {
  for (const vector of vectors) a.sendCommand(SELF | vector);
  return a.wait(300);
}

describe.each(modes)("in %s mode", (mode) => {
  it("an accepted interrupt stands in IRR; taken, in ISR; after EOI, in neither (11.8.4)", () => {
    const log = alone(
      mode,
      (a) => {
        const look = (): unknown => a.read(APIC.IRR + 2).read(APIC.ISR + 2);
        request(a, 0x47);
        look();
        a.open();
        look();
        a.write(APIC.EOI, 0);
        look();
      },
      { ends: false },
    );
    expect(log).toEqual([1 << 7, 0, "int 0x47", 0, 1 << 7, 0, 0]);
  });

  it("TPR holds off its class and those below (11.8.3)", () => {
    const log = alone(mode, (a) => {
      a.write(APIC.TPR, 0x50);
      request(a, 0x4f, 0x50, 0x5f, 0x60).open();
      a.write(APIC.TPR, 0x4f).open().write(APIC.TPR, 0).open();
    });
    expect(log).toEqual(["int 0x60", "int 0x5f", "int 0x50", "int 0x4f"]);
  });

  it("TPR of F0H holds off everything", () => {
    const log = alone(mode, (a) =>
      request(a.write(APIC.TPR, 0xf0), 0xff).open().set(0, 1).note().write(APIC.TPR, 0xe0).open(),
    );
    expect(log).toEqual([1, "int 0xff"]);
  });

  it("a class in service holds off itself and those below, until EOI (11.8.3.1)", () => {
    const log = alone(
      mode,
      (a) => {
        request(a, 0x52).open();
        request(a, 0x51, 0x5f, 0x60).open();
        a.write(APIC.EOI, 0).open().write(APIC.EOI, 0).open();
      },
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
    const log = alone(mode, (a) => request(a, 0x48).open().write(APIC.TPR, tpr).read(APIC.PPR), { ends: false });
    expect(log).toEqual(["int 0x48", ppr]);
  });

  it("PPR is TPR while nothing is in service", () => {
    expect(alone(mode, (a) => a.write(APIC.TPR, 0x5a).read(APIC.PPR))).toEqual([0x5a]);
  });

  it("EOI ends the highest that is in service (11.8.5)", () => {
    const log = alone(
      mode,
      (a) => {
        request(a, 0x41).open();
        request(a, 0x81).open();
        a.write(APIC.EOI, 0)
          .read(APIC.ISR + 4)
          .read(APIC.ISR + 2);
      },
      { ends: false },
    );
    expect(log).toEqual(["int 0x41", "int 0x81", 0, 2]);
  });

  it("an EOI that nobody owes does nothing", () => {
    expect(
      alone(mode, (a) =>
        request(a.write(APIC.EOI, 0), 0x41)
          .write(APIC.EOI, 0)
          .read(APIC.IRR + 2),
      ),
    ).toEqual([2]);
  });

  it("a write of TPR or EOI that lets an interrupt through does so at the next instruction", () => {
    const log = alone(mode, (a) => {
      request(a.write(APIC.TPR, 0x80), 0x51).sti();
      a.write(APIC.TPR, 0).set(0, 1).note().cli();
    });
    expect(log).toEqual(["int 0x51", 1]);
  });

  it("CR8 is TPR[7:4]; writing it clears TPR[3:0] (11.8.6)", () => {
    const log = alone(mode, (a) => a.write(APIC.TPR, 0x5a).readCr8().writeCr8(9).read(APIC.TPR).readCr8());
    expect(log).toEqual([5, 0x90, 9]);
  });

  it("a write of CR8 opens and closes like one of TPR", () => {
    const log = alone(mode, (a) => {
      request(a.writeCr8(6), 0x61, 0x71).open();
      a.set(0, 1).note().writeCr8(5).open();
    });
    expect(log).toEqual(["int 0x71", 1, "int 0x61"]);
  });
});

describe("the spurious interrupt (11.9)", () => {
  const signals = [{ source: LocalInterrupt.SPURIOUS, cycle: 3000 }];

  it("is what a CPU gets that asks for an interrupt which has gone: SVR's vector, and no bit in ISR", () => {
    const log = alone(
      "x2apic",
      (a) =>
        a
          .write(APIC.SVR, 0x1ee)
          .open(8000)
          .read(APIC.ISR + 7)
          .read(APIC.PPR),
      { signals, ends: false },
    );
    expect(log).toEqual(["int 0xee", 0, 0]);
  });

  it("is not delivered if there is a real one to take", () => {
    const log = alone("x2apic", (a) => a.write(APIC.SELF_IPI, 0x61).wait(8000).open().set(0, 1).note().open(), {
      signals,
    });
    expect(log).toEqual(["int 0x61", 1]);
  });

  it("comes whatever TPR says, since it has no priority", () => {
    const log = alone("x2apic", (a) => a.write(APIC.TPR, 0xff).write(APIC.SVR, ENABLED).open(8000), {
      signals,
      ends: false,
    });
    expect(log).toEqual(["int 0xff"]);
  });
});
