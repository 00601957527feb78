// Shutdown by a triple fault (Intel SDM 3A 6.15, interrupt 8; reference x86-interrupts.md section 8), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, DeliveryMode, StopReason, TraceKind, WaitKind } from "../../../src/abi.ts";
import { type Code, R8, RAX } from "../../instructions/x86-64/code.ts";
import { type Guest, IDT } from "../../instructions/x86-64/guest.ts";
import { guestOf, noted, notes, records, runTo, send, sendSmi, text, VECTOR } from "./guest.ts";

const { NMI, FIXED, INIT, STARTUP } = DeliveryMode;

/** Makes the gates of #UD, #NP, #GP and #DF not present: an exception can't be delivered, nor its double fault. */
function breakGates(code: Code): void {
  code.movShort(RAX, 0);
  for (const vector of [6, 8, 11, 13]) code.mov({ displacement: IDT + 16 * vector }, RAX);
}

function shutDown(options: {
  shutdown?: "stop" | "wait";
  before?: string;
  handlers?: Parameters<typeof guestOf>[1];
}): Guest {
  const { shutdown = "wait", before = "nop", handlers = { 2: notes(2), [VECTOR]: notes(VECTOR) } } = options;
  const guest = guestOf(
    [
      (code) => {
        breakGates(code);
        text(code, `${before}; fatal: ud2; behind: inc r8; jmp $; entry: inc r8; jmp $`);
      },
    ],
    handlers,
    { shutdown },
  );
  guest.machine.core.setStartupEntry(0, { pc: guest.label("entry"), stack: 0n, argument: 0n });
  guest.run(500);
  return guest;
}

const isDown = (guest: Guest): boolean =>
  guest.machine.state(0) === CpuState.WAITING && guest.machine.waitsIn(0) === WaitKind.SHUTDOWN;

describe("a triple fault", () => {
  it("stops the machine, as a PC's chipset resets it", () => {
    const guest = shutDown({ shutdown: "stop" });
    expect(guest.stop).toMatchObject({ reason: StopReason.TRIPLE_FAULT, cpu: 0, pc: guest.label("fatal") });
  });

  it("shuts the CPU down where the platform lets it, and the machine goes on", () => {
    const guest = shutDown({});
    expect(isDown(guest)).toBe(true);
    expect(guest.stop.reason).toBe(StopReason.NONE);
    expect(records(guest, TraceKind.SHUTDOWN)).toHaveLength(1);
  });
});

describe("shutdown", () => {
  it("does not end by an interrupt, IF set or not", () => {
    for (const before of ["cli", "sti; nop"]) {
      const guest = shutDown({ before });
      send(guest, FIXED, { vector: VECTOR });
      guest.run(2000);
      expect([isDown(guest), noted(guest)]).toEqual([true, []]);
    }
  });

  it("ends by an NMI, whose frame points to the instruction at fault", () => {
    const guest = shutDown({
      handlers: {
        2: (code) => {
          notes(2)(code);
          text(code, "jmp $");
        },
      },
    });
    send(guest, NMI);
    guest.run(2000);
    expect([noted(guest), guest.data(40)]).toEqual([[2], guest.label("fatal")]);
  });

  it("does not end by an NMI when the CPU has shut down in an NMI handler", () => {
    const guest = guestOf(
      [
        (code) => {
          breakGates(code);
          text(code, "slow: wbinvd; jmp $");
        },
      ],
      { 2: (code) => text(code, "inc r8; ud2") },
      { shutdown: "wait" },
    );
    runTo(guest, "slow");
    send(guest, NMI);
    guest.run(3000);
    expect(isDown(guest)).toBe(true);
    send(guest, NMI);
    guest.run(3000);
    expect([isDown(guest), guest.register(0, R8)]).toEqual([true, 1n]);
  });

  it("ends by INIT, in an NMI handler too", () => {
    const guest = shutDown({});
    send(guest, INIT);
    guest.run(2000);
    expect(guest.machine.state(0)).toBe(CpuState.RUNNING);
    expect(guest.register(0, R8)).toBe(1n);
  });

  it("ends by an SMI: behind RSM the instruction is tried again, and shuts the CPU down again", () => {
    const guest = shutDown({});
    sendSmi(guest);
    guest.run(2000);
    expect(records(guest, TraceKind.SMM_ENTERED, TraceKind.SHUTDOWN).map(({ kind }) => kind)).toEqual([
      TraceKind.SHUTDOWN,
      TraceKind.SMM_ENTERED,
      TraceKind.SHUTDOWN,
    ]);
    expect(isDown(guest)).toBe(true);
  });

  it("drops a start-up IPI", () => {
    const guest = shutDown({});
    send(guest, STARTUP);
    guest.run(2000);
    expect(isDown(guest)).toBe(true);
  });

  it("does not begin when an NMI is pending already, as nothing has blocked it", () => {
    const guest = guestOf(
      [
        (code) => {
          breakGates(code);
          // the NMI arrives during WBINVD, in the shadow of MOV SS, which ends by the exception
          text(code, "slow: wbinvd; mov ss, ebx; ud2");
        },
      ],
      { 2: (code) => text(code, "inc r8; jmp $") },
      { shutdown: "wait" },
    );
    runTo(guest, "slow");
    send(guest, NMI, { after: 1002 });
    guest.run(5000);
    expect([isDown(guest), guest.register(0, R8)]).toEqual([false, 1n]);
  });
});

it("a double fault in an NMI handler leaves NMIs blocked until IRET (section 7, 9)", () => {
  const guest = guestOf(
    [
      (code) => {
        code.movShort(RAX, 0);
        for (const vector of [6, 11, 13]) code.mov({ displacement: IDT + 16 * vector }, RAX);
        text(code, "slow: wbinvd; jmp $");
      },
    ],
    { 2: (code) => text(code, "inc r8; ud2"), 8: (code) => text(code, "double: jmp $") },
  );
  runTo(guest, "slow");
  send(guest, NMI);
  guest.run(3000);
  expect(guest.machine.pc(0)).toBe(guest.label("double"));
  send(guest, NMI);
  guest.run(3000);
  expect(guest.register(0, R8)).toBe(1n);
});
