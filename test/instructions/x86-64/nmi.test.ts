// NMIs, and the shadows of STI and MOV SS (Intel SDM volume 3A, 6.7, 6.8), rule by rule.

import { describe, expect, it } from "vitest";
import { type Code, le, R10, R8, R9, RAX, RBX, RSP } from "./code.ts";
import { countWord, DATA, type Guest, halt, readMsr, selectors, sti, wait, X2APIC } from "./guest.ts";
import { alone, endOfInterrupt, NMI_VECTOR, nmiTo, note, noted, send, sendSelf } from "./interrupt-guest.ts";

const NOT_EQUAL = 5;

/** What only the first run of a handler does, which has counted itself in DATA[0]; changes RAX. */
function onFirst(code: Code, emit: () => void): void {
  code.mov(RAX, { displacement: DATA }).aluImmediate("cmp", RAX, 1).jumpIf(NOT_EQUAL, "not first");
  emit();
  code.label("not first");
}

/** Sends an NMI to the CPU itself, and stays until it is there. */
function interruptOneself(code: Code): void {
  send(code, nmiTo(0));
  wait(code, 1000);
}

describe("an NMI", () => {
  it("comes whatever IF says, and does not touch the APIC's registers", () => {
    const guest = alone(interruptOneself, {
      [NMI_VECTOR]: (code) => {
        note(code, 2);
        readMsr(code, X2APIC.isr, R8);
        readMsr(code, X2APIC.ppr, R9);
      },
    });
    expect(noted(guest)).toEqual([2n]);
    expect(guest.registers(0, R8, R9)).toEqual([0n, 0n]);
  });

  it("is blocked until IRET, and of those that come meanwhile one is kept (SDM 3A 6.7.1)", () => {
    const guest = alone(
      (code) => {
        send(code, nmiTo(0));
        wait(code, 5000);
        note(code, 9);
      },
      {
        [NMI_VECTOR]: (code) => {
          note(code, 1);
          onFirst(code, () => {
            for (let i = 0; i < 3; i++) send(code, nmiTo(0));
            wait(code, 1000);
            note(code, 2);
          });
        },
      },
    );
    expect(noted(guest)).toEqual([1n, 2n, 1n, 9n]);
  });

  it("that was kept is taken directly behind the IRET, before an instruction of what it returns to", () => {
    const guest = alone(
      (code) => {
        code.movShort(R8, 0);
        send(code, nmiTo(0));
        wait(code, 2000);
      },
      {
        [NMI_VECTOR]: (code) => {
          countWord(code, 0);
          const returnAddress = { base: RSP, displacement: 24 };
          code.mov(R10, returnAddress);
          onFirst(code, () => {
            interruptOneself(code);
            code.mov(R9, returnAddress);
          });
        },
      },
    );
    const [first, second] = guest.registers(0, R9, R10);
    expect(guest.data(0)).toBe(2n);
    expect(second).toBe(first);
  });

  it("is let in by the IRET of an exception inside its handler", () => {
    const guest = alone(
      (code) => {
        send(code, nmiTo(0));
        wait(code, 5000);
      },
      {
        [NMI_VECTOR]: (code) => {
          note(code, 1);
          onFirst(code, () => {
            interruptOneself(code);
            code.raw(0xcc);
            note(code, 2);
          });
        },
        3: (code) => note(code, 3),
      },
    );
    expect(noted(guest)).toEqual([1n, 3n, 1n, 2n]);
  });

  it("is let in also by an IRET that faults", () => {
    const guest = alone(
      (code) => {
        send(code, nmiTo(0));
        wait(code, 5000);
      },
      {
        [NMI_VECTOR]: (code) => {
          note(code, 1);
          onFirst(code, () => {
            interruptOneself(code);
            // NT set: #GP
            code.raw(0x68, ...le(0x4002, 4), 0x9d, 0x48, 0xcf);
          });
        },
        13: (code) => {
          note(code, 13);
          halt(code);
        },
      },
    );
    // the NMI comes before the first instruction of #GP's handler
    expect(noted(guest)).toEqual([1n, 1n, 13n]);
  });

  it("is not blocked by INT 2, which IRET doesn't end either", () => {
    const guest = alone(
      (code) => {
        code.raw(0xcd, 2);
        note(code, 9);
      },
      {
        [NMI_VECTOR]: (code) => {
          note(code, 1);
          onFirst(code, () => {
            interruptOneself(code);
            note(code, 2);
          });
        },
      },
    );
    expect(noted(guest)).toEqual([1n, 1n, 2n, 9n]);
  });

  it("comes before an interrupt at the same boundary (SDM 3A table 6-2)", () => {
    const guest = alone(
      (code) => {
        // both arrive in a shadow of MOV SS that lasts as long as a slow instruction
        code.movShort(R8, selectors.data);
        sendSelf(code, 0x47);
        wait(code, 1000);
        send(code, nmiTo(0));
        sti(code).raw(0x0f, 0x09);
        wait(code, 1000);
      },
      {
        [NMI_VECTOR]: (code) => note(code, 2),
        0x47: (code) => {
          note(code, 0x47);
          endOfInterrupt(code);
        },
      },
    );
    expect(noted(guest)).toEqual([2n, 0x47n]);
  });

  it("uses the interrupt stack table, and writes a frame without error code", () => {
    const guest = alone(interruptOneself, {}, { gates: { [NMI_VECTOR]: { ist: 3 } } });
    expect(guest.frame().vector).toBe(NMI_VECTOR);
    expect(guest.frame().rflags & (1n << 16n)).toBe(0n);
  });
});

describe("a shadow", () => {
  const handlers = {
    0x47: (code: Code): void => {
      code.mov(R9, { base: RSP, displacement: 24 });
      endOfInterrupt(code);
    },
  };

  /** Where an interrupt that is pending is taken, in code that opens interrupts. */
  function takenAt(emit: (code: Code) => void): { guest: Guest; rip: bigint } {
    const guest = alone((code) => {
      code.movShort(RBX, selectors.data);
      sendSelf(code, 0x47);
      wait(code, 1000);
      emit(code);
      code.raw(0x90, 0x90, 0x90);
    }, handlers);
    return { guest, rip: guest.register(0, R9) };
  }

  it("of STI covers the next instruction", () => {
    const { guest, rip } = takenAt((code) => sti(code).raw(0x90).label("here"));
    expect(rip).toBe(guest.label("here"));
  });

  it("of STI is none when IF was set already; of STI and CLI nothing is left", () => {
    const { rip } = takenAt((code) => {
      sti(code).raw(0xfa, 0x90);
      wait(code, 100);
    });
    expect(rip).toBe(0n);
  });

  it("does not follow POPFQ or IRETQ (SDM 2B POPF)", () => {
    const { guest, rip } = takenAt((code) => code.raw(0x68, ...le(0x202, 4), 0x9d).label("here"));
    expect(rip).toBe(guest.label("here"));
  });

  it("of MOV SS covers the next instruction, STI or not (SDM 3A 6.8.3)", () => {
    const { guest, rip } = takenAt((code) => sti(code).raw(0x8e, 0xd3, 0x90).label("here"));
    expect(rip).toBe(guest.label("here"));
  });

  it("of MOV SS is not made longer by more of them", () => {
    const { guest, rip } = takenAt((code) => {
      code.raw(0x68, ...le(0x2, 4), 0x9d);
      sti(code).raw(0x8e, 0xd3, 0x8e, 0xd3).label("here").raw(0x8e, 0xd3, 0x8e, 0xd3);
    });
    expect(rip).toBe(guest.label("here"));
  });

  it("holds off NMIs too", () => {
    for (const opening of [[0xfb], [0x8e, 0xd3]]) {
      const guest = alone((code) => {
        code.movShort(RBX, selectors.data);
        // the NMI arrives during WBINVD, and is held off by its shadow
        send(code, nmiTo(0));
        code
          .raw(...opening, 0x0f, 0x09)
          .label("here")
          .raw(0x90);
        wait(code, 1000);
      });
      expect(guest.frame()).toMatchObject({ vector: NMI_VECTOR, rip: guest.label("here") });
    }
  });
});
