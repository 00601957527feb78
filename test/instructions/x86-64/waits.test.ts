// HLT, MONITOR and MWAIT (Intel SDM volume 2A HLT, 2B MONITOR and MWAIT, 3A 9.10), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, RunStatus } from "../../../src/abi.ts";
import { DATA } from "./guest.ts";
import { icr, nmiTo } from "./interrupt-guest.ts";
import {
  awaitWord,
  caught,
  endOfInterrupt,
  halt,
  monitor,
  runGuest,
  setWord,
  TextGuest,
  wait,
  wrmsr,
} from "./text-guest.ts";

const VECTOR = 0x47;
const sendFixed = wrmsr("IA32_X2APIC_ICR", icr(VECTOR, { destination: 1 }));
const sendNmi = wrmsr("IA32_X2APIC_ICR", nmiTo(1));

/** Words of DATA: the other is ready, interrupts taken, NMIs taken; and the line that is monitored. */
const [READY, TAKEN, NMIS] = [0, 1, 2];
const symbols = { WATCHED: DATA + 0x40 };
const arm = monitor("WATCHED");
const mwait = (extensions = 0): string => `xor %eax, %eax; mov $${extensions}, %ecx; mwait\n`;
const store = "movq $1, WATCHED";

/** CPU 1 goes through `text`, then sets R8 to 2; CPU 0 through `other` when the other has had time to fall asleep. */
function pair(text: string, other = ""): TextGuest {
  return runGuest({
    programs: [awaitWord(READY) + wait(2000) + other, `${setWord(READY)} ${text}\n behind: mov $2, %r8d`],
    handlers: {
      // RIP of the frame, behind what is saved
      [VECTOR]: `mov 24(%rsp), %r9; incq DATA + 8 * ${TAKEN}; ${endOfInterrupt()}`,
      nmi: `incq DATA + 8 * ${NMIS}`,
    },
    symbols,
  });
}

const passed = (guest: TextGuest): boolean => guest.reg(1, "r8") === 2n;

describe("HLT", () => {
  it("waits for ever when nothing can come", () => {
    const guest = new TextGuest({ programs: ["hlt"], loadTables: false, enableApic: false });
    expect(guest.run()).toBe(RunStatus.QUIESCENT);
    expect(guest.state(0)).toBe(CpuState.WAITING);
  });

  it("ends by an interrupt, whose frame points behind it", () => {
    const guest = pair("sti; hlt", sendFixed);
    expect(passed(guest)).toBe(true);
    expect([guest.data(TAKEN), guest.reg(1, "r9")]).toEqual([1n, guest.label("behind")]);
  });

  it("does not end by an interrupt that IF masks", () => {
    const guest = pair("cli; hlt", sendFixed);
    expect(passed(guest)).toBe(false);
    expect(guest.state(1)).toBe(CpuState.WAITING);
  });

  it("does not end by an interrupt that TPR withholds", () => {
    const guest = pair(`${wrmsr("IA32_X2APIC_TPR", 0x40)} sti; hlt`, sendFixed);
    expect(passed(guest)).toBe(false);
  });

  it("ends by an NMI whatever IF says", () => {
    const guest = pair("cli; hlt", sendNmi);
    expect([passed(guest), guest.data(NMIS)]).toEqual([true, 1n]);
  });

  it("does not end by an NMI that is blocked", () => {
    const guest = runGuest({
      programs: [awaitWord(READY) + wait(2000) + sendNmi + wait(2000) + sendNmi, `${setWord(READY)} hlt`],
      // asleep in the handler
      handlers: { nmi: { raw: `mov $1, %r8d; hlt; mov $2, %r8d; ${halt}` } },
    });
    expect(guest.reg(1, "r8")).toBe(1n);
  });

  it("behind STI does not miss an interrupt that is pending already (SDM 2B STI)", () => {
    const guest = pair(`${wait(8000)} sti; hlt`, sendFixed);
    expect([passed(guest), guest.data(TAKEN), guest.reg(1, "r9")]).toEqual([true, 1n, guest.label("behind")]);
  });

  it("does not end by a store to a line that MONITOR has armed", () => {
    expect(passed(pair(`${arm} hlt`, store))).toBe(false);
  });
});

describe("MWAIT", () => {
  it("waits for ever when nothing can come", () => {
    expect(passed(pair(arm + mwait()))).toBe(false);
  });

  it("ends by a store of another CPU to the line, at any of its bytes", () => {
    expect(passed(pair(arm + mwait(), store))).toBe(true);
    expect(passed(pair(arm + mwait(), "incb WATCHED + 63"))).toBe(true);
  });

  it("does not end by a store to another line, or by a load", () => {
    expect(passed(pair(arm + mwait(), "incb WATCHED + 64"))).toBe(false);
    expect(passed(pair(arm + mwait(), "mov WATCHED, %rax"))).toBe(false);
  });

  it("does not wait when the line was stored to since MONITOR", () => {
    expect(passed(pair(arm + wait(8000) + mwait(), store))).toBe(true);
  });

  it("does not wait without MONITOR, nor a second time", () => {
    expect(passed(pair(mwait()))).toBe(true);
    expect(passed(pair(arm + mwait() + mwait(), store))).toBe(true);
  });

  it("ends by an interrupt and by an NMI", () => {
    const byInterrupt = pair(`sti; ${arm} ${mwait()}`, sendFixed);
    expect([passed(byInterrupt), byInterrupt.data(TAKEN)]).toEqual([true, 1n]);
    const byNmi = pair(arm + mwait(), sendNmi);
    expect([passed(byNmi), byNmi.data(NMIS)]).toEqual([true, 1n]);
  });

  it("ends by a masked interrupt if ECX[0] says so, which stays pending", () => {
    const unmasked = pair(arm + mwait(1), sendFixed);
    expect([passed(unmasked), unmasked.data(TAKEN)]).toEqual([true, 0n]);
    const masked = pair(arm + mwait(0), sendFixed);
    expect(passed(masked)).toBe(false);
  });

  it("raises #GP for extensions that aren't there, as MONITOR does", () => {
    expect(caught(`${monitor("DATA")} mov $2, %ecx; mwait`).frame).toMatchObject({ vector: 13, error: 0n });
    expect(caught("mov $DATA, %eax; mov $1, %ecx; monitor").frame).toMatchObject({ vector: 13, error: 0n });
  });

  it("MONITOR of what is not mapped is a page fault, as a load", () => {
    expect(caught(monitor(0x1234)).frame).toMatchObject({ vector: 14, error: 0n });
  });
});
