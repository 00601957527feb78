// Interrupts and the local APIC in x2APIC mode, as a CPU sees them (Intel SDM volume 3A, 6.8, 11), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, StopReason } from "../../../src/abi.ts";
import { buildTopology } from "../../../src/topology/index.ts";
import { type Code, R10, R11, R8, R9, RAX, RDI, RSP } from "./code.ts";
import {
  awaitWord,
  DATA,
  enableApic,
  Guest,
  halt,
  hlt,
  iretq,
  loadTables,
  readMsr,
  setWord,
  sti,
  wait,
  writeMsr,
  X2APIC,
} from "./guest.ts";
import {
  alone,
  endOfInterrupt,
  icr,
  NMI,
  NMI_VECTOR,
  nmiTo,
  note,
  noted,
  send,
  sendSelf,
  TO_ALL,
  TO_OTHERS,
} from "./interrupt-guest.ts";

describe("the local APIC", () => {
  it("holds a request in IRR while IF is clear, and moves it to ISR when it is taken", () => {
    const guest = alone(
      (code) => {
        sendSelf(code, 0x47);
        wait(code, 1000);
        readMsr(code, X2APIC.irr + 2, R8);
        sti(code).raw(0x90, 0x90);
        readMsr(code, X2APIC.isr + 2, R11);
      },
      {
        0x47: (code) => {
          readMsr(code, X2APIC.irr + 2, R9);
          readMsr(code, X2APIC.isr + 2, R10);
          endOfInterrupt(code);
        },
      },
    );
    expect(guest.registers(0, R8, R9, R10, R11)).toEqual([0x80n, 0n, 0x80n, 0n]);
  });

  it("keeps two requests of one vector as one; one more while it is in service", () => {
    const guest = alone(
      (code) => {
        sendSelf(code, 0x47);
        sendSelf(code, 0x47);
        wait(code, 1000);
        sti(code);
        wait(code, 5000);
      },
      {
        0x47: (code) => {
          note(code, 0x47);
          code
            .mov(RAX, { displacement: DATA })
            .aluImmediate("cmp", RAX, 1)
            .raw(0x75, 17 + 15);
          sendSelf(code, 0x47);
          wait(code, 1000);
          endOfInterrupt(code);
        },
      },
    );
    expect(noted(guest)).toEqual([0x47n, 0x47n]);
  });

  it("hands out the highest vector first, whatever came first", () => {
    const handler = (vector: number) => (code: Code) => {
      note(code, vector);
      endOfInterrupt(code);
    };
    const guest = alone(
      (code) => {
        for (const vector of [0x31, 0x80, 0x35, 0xff, 0x7f]) sendSelf(code, vector);
        wait(code, 2000);
        sti(code);
        wait(code, 2000);
      },
      Object.fromEntries([0x31, 0x80, 0x35, 0xff, 0x7f].map((vector) => [vector, handler(vector)])),
    );
    expect(noted(guest)).toEqual([0xffn, 0x80n, 0x7fn, 0x35n, 0x31n]);
  });

  /** The handler of 0x50 opens interrupts while it runs; then comes `vector`. */
  function nested(vector: number): bigint[] {
    return noted(
      alone(
        (code) => {
          sendSelf(code, 0x50);
          sti(code);
          wait(code, 8000);
        },
        {
          0x50: (code) => {
            note(code, 1);
            sendSelf(code, vector);
            sti(code);
            wait(code, 1000);
            code.raw(0xfa);
            note(code, 2);
            endOfInterrupt(code);
          },
          [vector]: (code) => {
            note(code, 3);
            endOfInterrupt(code);
          },
        },
      ),
    );
  }

  it("lets an interrupt in service be interrupted by a higher class, not by its own (SDM 3A 11.8.3.1)", () => {
    expect(nested(0x60)).toEqual([1n, 3n, 2n]);
    expect(nested(0x5f)).toEqual([1n, 2n, 3n]);
    expect(nested(0x4f)).toEqual([1n, 2n, 3n]);
  });

  it("holds back what TPR says: classes up to its own", () => {
    const guest = alone(
      (code) => {
        writeMsr(code, X2APIC.tpr, 0x55);
        sendSelf(code, 0x5f);
        sendSelf(code, 0x60);
        wait(code, 1000);
        sti(code).raw(0x90);
        code.raw(0xfa);
        note(code, 1);
        writeMsr(code, X2APIC.tpr, 0);
        sti(code).raw(0x90, 0x90);
      },
      {
        0x5f: (code) => {
          note(code, 0x5f);
          endOfInterrupt(code);
        },
        0x60: (code) => {
          note(code, 0x60);
          endOfInterrupt(code);
        },
      },
    );
    expect(noted(guest)).toEqual([0x60n, 1n, 0x5fn]);
  });

  it("shows in PPR the higher of TPR and the class in service (SDM 3A 11.8.3.1)", () => {
    const guest = alone(
      (code) => {
        writeMsr(code, X2APIC.tpr, 0x23);
        readMsr(code, X2APIC.ppr, R8);
        sendSelf(code, 0x47);
        sti(code);
        wait(code, 1000);
      },
      {
        0x47: (code) => {
          readMsr(code, X2APIC.ppr, R9);
          writeMsr(code, X2APIC.tpr, 0x4b);
          readMsr(code, X2APIC.ppr, R10);
          endOfInterrupt(code);
          readMsr(code, X2APIC.ppr, R11);
        },
      },
    );
    expect(guest.registers(0, R8, R9, R10, R11)).toEqual([0x23n, 0x40n, 0x4bn, 0x4bn]);
  });

  it("has TPR[7:4] in CR8, which clears the rest", () => {
    const guest = alone((code) => {
      writeMsr(code, X2APIC.tpr, 0x5c);
      code.put({ opcode: [0x0f, 0x20], reg: 8, rm: R8 });
      code.movShort(RAX, 9).put({ opcode: [0x0f, 0x22], reg: 8, rm: RAX });
      readMsr(code, X2APIC.tpr, R9);
    });
    expect(guest.registers(0, R8, R9)).toEqual([5n, 0x90n]);
  });

  it("ends the highest interrupt in service by EOI", () => {
    const guest = alone(
      (code) => {
        sendSelf(code, 0x50);
        sti(code);
        wait(code, 8000);
      },
      {
        0x50: (code) => {
          sendSelf(code, 0x60);
          sti(code);
          wait(code, 1000);
          code.raw(0xfa);
          readMsr(code, X2APIC.isr + 2, R9);
        },
        0x60: (code) => {
          endOfInterrupt(code);
          readMsr(code, X2APIC.isr + 3, R8);
        },
      },
    );
    expect(guest.registers(0, R8, R9)).toEqual([0n, 0x1_0000n]);
  });

  it("discards fixed interrupts while it is disabled by software, but not NMIs (SDM 3A 11.4.7.2)", () => {
    const guest = alone(
      (code) => {
        writeMsr(code, X2APIC.svr, 0xff);
        sendSelf(code, 0x47);
        send(code, nmiTo(0));
        sti(code);
        wait(code, 1000);
        enableApic(code);
        wait(code, 1000);
      },
      { 0x47: (code) => note(code, 0x47), [NMI_VECTOR]: (code) => note(code, 2) },
    );
    expect(noted(guest)).toEqual([2n]);
  });

  it.each<[string, number, bigint]>([
    ["the id", X2APIC.id, 1n],
    ["PPR", X2APIC.ppr, 0n],
    ["EOI, of anything but 0", X2APIC.eoi, 1n],
    ["LDR", X2APIC.ldr, 0n],
    ["a register that isn't there", 0x8ff, 0n],
    ["a reserved bit of ICR", X2APIC.icr, 0x2000n],
    ["a reserved bit of SELF_IPI", X2APIC.selfIpi, 0x100n],
    ["bits 63:32 of a register that has none", X2APIC.tpr, 1n << 32n],
  ])("raises #GP for a write to %s", (_, msr, value) => {
    const guest = alone((code) => writeMsr(code, msr, value));
    expect(guest.frame()).toMatchObject({ vector: 13, error: 0n });
  });

  it("sends nothing for a vector below 16", () => {
    const guest = alone((code) => {
      send(code, icr(0x0f, { destination: 0 }));
      send(code, icr(5, { shorthand: 1 }));
      sti(code);
      wait(code, 1000);
      readMsr(code, X2APIC.irr, R8);
    });
    expect(guest.register(0, R8)).toBe(0n);
    expect(guest.stop.reason).toBe(StopReason.NONE);
  });
});

describe("an interprocessor interrupt", () => {
  const count = 40;
  /** The CPUs that get the interrupt which CPU 0 sends, on a machine of 40. */
  function targets(value: bigint, apicIds = Array.from({ length: count }, (_, cpu) => cpu)): number[] {
    const topology = buildTopology({ packages: 1, coresPerLlc: count, apicIds });
    const guest = new Guest(
      (code) => {
        code.label("start").movShort(R8, 0);
        enableApic(code);
        // the IDT alone: no CPU needs a TSS of its own
        code.put({ opcode: [0x0f, 0x01], reg: 3, rm: { displacement: 0x4f10 } });
        code.put({ opcode: [0x0f, 0x01], reg: 2, rm: { displacement: 0x4f00 } });
        sti(code);
        wait(code, 5000);
        code.put({ opcode: [0x85], reg: RDI, rm: RDI }).jumpIf(5, "receive");
        send(code, value);
        code.label("receive");
        wait(code, 5000);
        halt(code);
        code.label("handler").movShort(R8, 1);
        iretq(code);
      },
      { topology, gates: { 0x47: { label: "handler" }, [NMI_VECTOR]: { label: "handler" } } },
    );
    guest.start(...Array.from({ length: count }, () => "start")).run();
    return Array.from({ length: count }, (_, cpu) => cpu).filter((cpu) => guest.register(cpu, R8) === 1n);
  }
  const all = Array.from({ length: count }, (_, cpu) => cpu);

  it("goes to one CPU by its APIC id", () => {
    expect(targets(icr(0x47, { destination: 17 }))).toEqual([17]);
    expect(
      targets(
        icr(0x47, { destination: 0x1_0011 }),
        all.map((cpu) => 0x1_0000 + cpu),
      ),
    ).toEqual([17]);
  });

  it("goes to some of a cluster of 16 by the logical id (SDM 3A 11.12.10.2)", () => {
    expect(targets(icr(0x47, { logical: true, destination: 0b1000_0000_0000_0101 }))).toEqual([0, 2, 15]);
    expect(targets(icr(0x47, { logical: true, destination: 0x1_0003 }))).toEqual([16, 17]);
    expect(targets(icr(0x47, { logical: true, destination: 0x2_ffff }))).toEqual([32, 33, 34, 35, 36, 37, 38, 39]);
  });

  it("goes to all by the broadcast id, physical or logical, and by shorthand", () => {
    expect(targets(icr(0x47, { destination: 0xffff_ffff }))).toEqual(all);
    expect(targets(icr(0x47, { destination: 0xffff_ffff, logical: true }))).toEqual(all);
    expect(targets(icr(0x47, { shorthand: TO_ALL }))).toEqual(all);
  });

  it("goes to all others by shorthand, NMIs too", () => {
    expect(targets(icr(0x47, { shorthand: TO_OTHERS }))).toEqual(all.slice(1));
    expect(targets(icr(0, { mode: NMI, shorthand: TO_OTHERS }))).toEqual(all.slice(1));
  });

  it("goes to itself by shorthand", () => {
    expect(targets(icr(0x47, { shorthand: 1, destination: 5 }))).toEqual([0]);
  });

  it("as an NMI ignores the vector", () => {
    expect(targets(icr(0x47, { mode: NMI, destination: 3 }))).toEqual([3]);
  });

  it("goes to nobody that isn't there", () => {
    expect(targets(icr(0x47, { destination: 99 }))).toEqual([]);
    expect(targets(icr(0x47, { logical: true, destination: 0x9_ffff }))).toEqual([]);
  });

  it("to a CPU that is off is lost", () => {
    const guest = new Guest(
      (code) => {
        code.label("start");
        send(code, icr(0x47, { destination: 1 }));
        halt(code);
      },
      { cpus: 2 },
    );
    guest.start("start").run();
    expect(guest.machine.state(1)).toBe(CpuState.OFFLINE);
    expect(guest.stop.reason).toBe(StopReason.NONE);
  });
});

describe("an interrupt between two iterations of a string instruction", () => {
  it("points to the instruction, whose registers show how far it has come", () => {
    const guest = alone(
      (code) => {
        sendSelf(code, 0x47);
        code
          .movShort(RDI, DATA + 0x100)
          .movShort(1, 0x600)
          .movShort(RAX, 0x11);
        sti(code).label("there").raw(0xf3, 0xaa);
        setWord(code, 8);
      },
      {
        0x47: (code) => {
          code.mov(R9, { base: RSP, displacement: 24 }).mov(R10, { base: RSP, displacement: 8 }).mov(R11, RDI);
          endOfInterrupt(code);
        },
      },
    );
    const [rip, left = 0n, next = 0n] = guest.registers(0, R9, R10, R11);
    expect(rip).toBe(guest.label("there"));
    expect(left).toBeGreaterThan(0n);
    expect(left).toBeLessThan(0x600n);
    expect(next - BigInt(DATA + 0x100)).toBe(0x600n - left);
    expect(guest.data(8)).toBe(1n);
    expect([...guest.machine.read(DATA + 0x100, 0x600)].every((byte) => byte === 0x11)).toBe(true);
  });
});

it("an interrupt whose gate is not present raises #NP with EXT (SDM 3A 6.13)", () => {
  const guest = alone(
    (code) => {
      sendSelf(code, 0x47);
      sti(code);
      wait(code, 1000);
    },
    {},
    { gates: { 0x47: { present: false } } },
  );
  expect(guest.frame()).toMatchObject({ vector: 11, error: 0x47n * 8n + 3n });
});

it("one CPU interrupts another, which answers", () => {
  const guest = new Guest(
    (code) => {
      code.label("zero");
      loadTables(code, 0);
      enableApic(code);
      awaitWord(code, 0);
      send(code, icr(0x47, { destination: 1 }));
      awaitWord(code, 1);
      code.movShort(R8, 1);
      halt(code);
      code.label("one");
      loadTables(code, 1);
      enableApic(code);
      setWord(code, 0);
      code.label("sleep");
      hlt(sti(code)).jump("sleep");
      code.label("handler");
      setWord(code, 1);
      endOfInterrupt(code);
      iretq(code);
    },
    { cpus: 2, gates: { 0x47: { label: "handler" } } },
  );
  guest.start("zero", "one").run();
  expect(guest.register(0, R8)).toBe(1n);
});
