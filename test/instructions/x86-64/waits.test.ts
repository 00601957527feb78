// HLT, MONITOR and MWAIT (Intel SDM volume 2A HLT, 2B MONITOR and MWAIT, 3A 9.10), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, RunStatus } from "../../../src/abi.ts";
import { type Code, R8, R9, RAX, RCX, RDX, RSP } from "./code.ts";
import {
  DATA,
  Guest,
  X2APIC,
  awaitWord,
  countWord,
  enableApic,
  halt,
  hlt,
  iretq,
  loadTables,
  setWord,
  sti,
  wait,
  writeMsr,
} from "./guest.ts";

const VECTOR = 0x47;
const FIXED_TO_ONE = (1n << 32n) | 0x4047n;
const NMI_TO_ONE = (1n << 32n) | 0x4400n;

/** DATA: 0 the other is ready, 1 interrupts taken, 2 NMIs taken, 8 the monitored word. */
const READY = 0;
const TAKEN = 1;
const NMIS = 2;
const WATCHED = 8;

const monitor = (code: Code): Code =>
  code
    .movShort(RAX, DATA + 8 * WATCHED)
    .movShort(RCX, 0)
    .movShort(RDX, 0)
    .raw(0x0f, 0x01, 0xc8);
const mwait = (code: Code, extensions = 0): Code =>
  code.movShort(RAX, 0).movShort(RCX, extensions).raw(0x0f, 0x01, 0xc9);
const send = (code: Code, value: bigint): void => writeMsr(code, X2APIC.icr, value);
const store = (code: Code): void => setWord(code, WATCHED);

/** CPU 1 goes through `text`, then sets R8 to 2; CPU 0 through `other` when the other has had time to fall asleep. */
function pair(text: (code: Code) => void, other: (code: Code) => void): Guest {
  const guest = new Guest(
    (code) => {
      code.label("one");
      loadTables(code, 1);
      enableApic(code);
      code.movShort(R8, 1);
      setWord(code, READY);
      text(code);
      code.label("behind").movShort(R8, 2);
      halt(code);
      code.label("zero");
      loadTables(code, 0);
      awaitWord(code, READY);
      wait(code, 2000);
      other(code);
      halt(code);
      code.label("interrupted").mov(R9, { base: RSP });
      countWord(code, TAKEN);
      code.push(RAX).push(RCX).push(RDX);
      writeMsr(code, X2APIC.eoi, 0);
      code.pop(RDX).pop(RCX).pop(RAX);
      iretq(code);
      code.label("nmi");
      countWord(code, NMIS);
      iretq(code);
    },
    { cpus: 2, gates: { [VECTOR]: { label: "interrupted" }, 2: { label: "nmi" } } },
  );
  guest.start("zero", "one").run();
  return guest;
}

const passed = (guest: Guest): boolean => guest.register(1, R8) === 2n;
const nothing = (): void => undefined;

describe("HLT", () => {
  it("waits for ever when nothing can come", () => {
    const guest = new Guest((code) => code.label("start").raw(0xf4));
    expect(guest.start("start").run()).toBe(RunStatus.QUIESCENT);
    expect(guest.machine.state(0)).toBe(CpuState.WAITING);
  });

  it("ends by an interrupt, whose frame points behind it", () => {
    const guest = pair(
      (code) => hlt(sti(code)),
      (code) => send(code, FIXED_TO_ONE),
    );
    expect(passed(guest)).toBe(true);
    expect([guest.data(TAKEN), guest.register(1, R9)]).toEqual([1n, guest.label("behind")]);
  });

  it("does not end by an interrupt that IF masks", () => {
    const guest = pair(
      (code) => hlt(code),
      (code) => send(code, FIXED_TO_ONE),
    );
    expect(passed(guest)).toBe(false);
    expect(guest.machine.state(1)).toBe(CpuState.WAITING);
  });

  it("does not end by an interrupt that TPR withholds", () => {
    const guest = pair(
      (code) => {
        writeMsr(code, X2APIC.tpr, 0x40);
        hlt(sti(code));
      },
      (code) => send(code, FIXED_TO_ONE),
    );
    expect(passed(guest)).toBe(false);
  });

  it("ends by an NMI whatever IF says", () => {
    const guest = pair(
      (code) => hlt(code),
      (code) => send(code, NMI_TO_ONE),
    );
    expect([passed(guest), guest.data(NMIS)]).toEqual([true, 1n]);
  });

  it("does not end by an NMI that is blocked", () => {
    const guest = new Guest(
      (code) => {
        code.label("one");
        loadTables(code, 1);
        setWord(code, READY);
        hlt(code);
        halt(code);
        code.label("zero");
        awaitWord(code, READY);
        for (let i = 0; i < 2; i++) {
          wait(code, 2000);
          send(code, NMI_TO_ONE);
        }
        halt(code);
        // asleep in the handler
        code.label("nmi").movShort(R8, 1);
        hlt(code).movShort(R8, 2);
        halt(code);
      },
      { cpus: 2, gates: { 2: { label: "nmi" } } },
    );
    guest.start("zero", "one").run();
    expect(guest.register(1, R8)).toBe(1n);
  });

  it("behind STI does not miss an interrupt that is pending already (SDM 2B STI)", () => {
    const guest = pair(
      (code) => {
        wait(code, 8000);
        hlt(sti(code));
      },
      (code) => send(code, FIXED_TO_ONE),
    );
    expect([passed(guest), guest.data(TAKEN), guest.register(1, R9)]).toEqual([true, 1n, guest.label("behind")]);
  });

  it("does not end by a store to a line that MONITOR has armed", () => {
    const guest = pair((code) => hlt(monitor(code)), store);
    expect(passed(guest)).toBe(false);
  });
});

describe("MWAIT", () => {
  it("waits for ever when nothing can come", () => {
    expect(passed(pair((code) => mwait(monitor(code)), nothing))).toBe(false);
  });

  it("ends by a store of another CPU to the line, at any of its bytes", () => {
    expect(passed(pair((code) => mwait(monitor(code)), store))).toBe(true);
    const elsewhere = (code: Code): Code => code.put({ opcode: [0xfe], rm: { displacement: DATA + 8 * WATCHED + 63 } });
    expect(passed(pair((code) => mwait(monitor(code)), elsewhere))).toBe(true);
  });

  it("does not end by a store to another line, or by a load", () => {
    const next = (code: Code): Code => code.put({ opcode: [0xfe], rm: { displacement: DATA + 8 * WATCHED + 64 } });
    expect(passed(pair((code) => mwait(monitor(code)), next))).toBe(false);
    const load = (code: Code): Code => code.mov(RAX, { displacement: DATA + 8 * WATCHED });
    expect(passed(pair((code) => mwait(monitor(code)), load))).toBe(false);
  });

  it("does not wait when the line was stored to since MONITOR", () => {
    const guest = pair((code) => {
      monitor(code);
      wait(code, 8000);
      mwait(code);
    }, store);
    expect(passed(guest)).toBe(true);
  });

  it("does not wait without MONITOR, nor a second time", () => {
    expect(passed(pair((code) => mwait(code), nothing))).toBe(true);
    expect(passed(pair((code) => mwait(mwait(monitor(code))), store))).toBe(true);
  });

  it("ends by an interrupt and by an NMI", () => {
    const byInterrupt = pair(
      (code) => mwait(monitor(sti(code))),
      (code) => send(code, FIXED_TO_ONE),
    );
    expect([passed(byInterrupt), byInterrupt.data(TAKEN)]).toEqual([true, 1n]);
    const byNmi = pair(
      (code) => mwait(monitor(code)),
      (code) => send(code, NMI_TO_ONE),
    );
    expect([passed(byNmi), byNmi.data(NMIS)]).toEqual([true, 1n]);
  });

  it("ends by a masked interrupt if ECX[0] says so, which stays pending", () => {
    const unmasked = pair(
      (code) => mwait(monitor(code), 1),
      (code) => send(code, FIXED_TO_ONE),
    );
    expect([passed(unmasked), unmasked.data(TAKEN)]).toEqual([true, 0n]);
    const masked = pair(
      (code) => mwait(monitor(code), 0),
      (code) => send(code, FIXED_TO_ONE),
    );
    expect(passed(masked)).toBe(false);
  });

  it("raises #GP for extensions that aren't there, as MONITOR does", () => {
    const guest = pair((code) => mwait(monitor(code), 2), nothing);
    expect(guest.frame(1)).toMatchObject({ vector: 13, error: 0n });
    const other = pair((code) => code.movShort(RAX, DATA).movShort(RCX, 1).raw(0x0f, 0x01, 0xc8), nothing);
    expect(other.frame(1)).toMatchObject({ vector: 13, error: 0n });
  });

  it("MONITOR of what is not mapped is a page fault, as a load", () => {
    const guest = pair((code) => code.movShort(RAX, 0x1234).movShort(RCX, 0).raw(0x0f, 0x01, 0xc8), nothing);
    expect(guest.frame(1)).toMatchObject({ vector: 14, error: 0n });
  });
});
