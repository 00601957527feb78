// Shutdown by a triple fault (Intel SDM 3A 6.15, interrupt 8; reference x86-interrupts.md section 8), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, DeliveryMode, StopReason, TraceKind, WaitKind } from "../../../src/abi.ts";
import type { TextGuest } from "../../instructions/x86-64/text-guest.ts";
import { guestOf, noted, notes, records, runTo, send, sendSmi, VECTOR } from "./guest.ts";

const { NMI, FIXED, INIT, STARTUP } = DeliveryMode;

/** Makes gates not present. */
const breakGates = (...vectors: number[]): string =>
  vectors.map((vector) => `movq $0, IDT + 16 * ${vector}; `).join("");
/** Those of #UD, #DF, #NP and #GP: #UD can't be delivered, nor its double fault. */
const breakAll = breakGates(6, 8, 11, 13);

function shutDown(options: {
  shutdown?: "stop" | "wait";
  before?: string;
  handlers?: Parameters<typeof guestOf>[1];
}): TextGuest {
  const { shutdown = "wait", before = "nop", handlers = { nmi: notes(2), [VECTOR]: notes(VECTOR) } } = options;
  const program = `${breakAll} ${before}; fatal: ud2; inc %r8; jmp .; entry: inc %r8; jmp .`;
  const guest = guestOf([program], handlers, { shutdown });
  guest.machine.core.setStartupEntry(0, { pc: guest.label("entry"), stack: 0n, argument: 0n });
  guest.run(500);
  return guest;
}

const isDown = (guest: TextGuest): boolean =>
  guest.state(0) === CpuState.WAITING && guest.machine.waitsIn(0) === WaitKind.SHUTDOWN;

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
    const guest = shutDown({ handlers: { nmi: notes(2) + "jmp ." } });
    send(guest, NMI);
    guest.run(2000);
    expect([noted(guest), guest.data(40)]).toEqual([[2], guest.label("fatal")]);
  });

  it("does not end by an NMI when the CPU has shut down in an NMI handler", () => {
    const guest = guestOf([`${breakAll} slow: wbinvd; jmp .`], { nmi: "inc %r8; ud2" }, { shutdown: "wait" });
    runTo(guest, "slow");
    send(guest, NMI);
    guest.run(3000);
    expect(isDown(guest)).toBe(true);
    send(guest, NMI);
    guest.run(3000);
    expect([isDown(guest), guest.reg(0, "r8")]).toEqual([true, 1n]);
  });

  it("ends by INIT, in an NMI handler too", () => {
    const guest = shutDown({});
    send(guest, INIT);
    guest.run(2000);
    expect(guest.state(0)).toBe(CpuState.RUNNING);
    expect(guest.reg(0, "r8")).toBe(1n);
    const inHandler = shutDown({ before: "jmp .", handlers: { nmi: "ud2" } });
    send(inHandler, NMI);
    inHandler.run(2000);
    expect(isDown(inHandler)).toBe(true);
    send(inHandler, INIT);
    inHandler.run(2000);
    expect([inHandler.state(0), inHandler.reg(0, "r8")]).toEqual([CpuState.RUNNING, 1n]);
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
    // the NMI arrives during WBINVD, in the shadow of MOV SS, which ends by the exception
    const guest = guestOf(
      [`mov %ss, %ebx; ${breakAll} slow: wbinvd; mov %ebx, %ss; ud2`],
      { nmi: "inc %r8; jmp ." },
      { shutdown: "wait" },
    );
    runTo(guest, "slow");
    send(guest, NMI, { after: 1002 });
    guest.run(5000);
    expect([isDown(guest), guest.reg(0, "r8")]).toEqual([false, 1n]);
  });
});

it("a double fault in an NMI handler leaves NMIs blocked until IRET (section 7, 9)", () => {
  const guest = guestOf([`${breakGates(6, 11, 13)} slow: wbinvd; jmp .`], {
    nmi: "inc %r8; ud2",
    df: "double: jmp .",
  });
  runTo(guest, "slow");
  send(guest, NMI);
  guest.run(3000);
  expect(guest.pc(0)).toBe(guest.label("double"));
  send(guest, NMI);
  guest.run(3000);
  expect(guest.reg(0, "r8")).toBe(1n);
});
