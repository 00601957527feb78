// System-management interrupts (Intel SDM 3C chapter 32, 3A 6.7 and 6.9, rev. 083; reference x86-interrupts.md sections 7 to 9),
// rule by rule. System-management mode is stolen time: what a rule says of its code has no place here.

import { describe, expect, it } from "vitest";
import { CpuState, DeliveryMode, TraceKind, WaitKind } from "../../../src/abi.ts";
import { DATA } from "../../instructions/x86-64/guest.ts";
import { caught, endOfInterrupt, monitor, note, type TextGuest, wrmsr } from "../../instructions/x86-64/text-guest.ts";
import { figures, guestOf, noted, notes, now, records, runTo, send, sendSmi, VECTOR } from "./guest.ts";

const { NMI, FIXED, INIT, STARTUP, SMI } = DeliveryMode;
const handlers = {
  nmi: notes(2, 40),
  [VECTOR]: notes(VECTOR, 42) + endOfInterrupt(),
};
const returnOf = (guest: TextGuest, word: number): bigint => guest.data(word);

/** Times in SMM: when each began, and how long it took. */
function stays(guest: TextGuest): { entered: bigint; cycles: number }[] {
  return records(guest, TraceKind.SMM_ENTERED).map(({ cycle, value }) => ({
    entered: cycle,
    cycles: Number(value - cycle),
  }));
}

/** CPU 0 stands before WBINVD, behind which "here" is; what is sent arrives while it executes. */
function during(emit: (guest: TextGuest) => void, behind = "nop; nop; nop", before = ""): TextGuest {
  const guest = guestOf([`${before}; slow: wbinvd; here: ${behind}`], handlers);
  runTo(guest, "slow");
  emit(guest);
  guest.run(20_000);
  return guest;
}

describe("an SMI", () => {
  it("is taken at an instruction boundary, and takes the time that the platform says (32.2)", () => {
    const guest = guestOf(["sti; nop; slow: wbinvd; here: nop; nop; behind: nop"]);
    const before = runTo(guest, "slow");
    sendSmi(guest, { duration: 500 });
    const retired = guest.machine.retired(0);
    guest.machine.run(before + 1n);
    const boundary = guest.machine.clock(0);
    guest.machine.run(boundary + 400n);
    expect(stays(guest)).toEqual([{ entered: boundary, cycles: 500 }]);
    // of its own instructions it has executed WBINVD
    expect(guest.machine.retired(0) - retired).toBe(1n);
    expect(runTo(guest, "behind")).toBeGreaterThanOrEqual(boundary + 500n);
  });

  it("takes the timing model's time when nobody says how long", () => {
    const guest = during((guest) => send(guest, SMI));
    expect(stays(guest).map(({ cycles }) => cycles)).toEqual([figures.smm]);
  });

  it("comes from another CPU by the ICR, and to all others by a shorthand (3A 11.6.1)", () => {
    for (const command of [(1n << 32n) | 0x200n, (3n << 18n) | 0x200n]) {
      const guest = guestOf([wrmsr("IA32_X2APIC_ICR", command), "jmp ."]);
      guest.run(5000);
      expect(records(guest, TraceKind.SMM_ENTERED).map(({ cpu }) => cpu)).toEqual([1]);
    }
  });

  it("is masked neither by IF nor by a shadow of STI or MOV SS (6.8)", () => {
    for (const opening of ["cli", "sti", "mov %ebx, %ss"]) {
      const guest = guestOf([`mov %ss, %ebx; slow: wbinvd; ${opening}; nop; nop`]);
      const before = runTo(guest, "slow");
      // WBINVD takes 1001 cycles here, the other instructions one each
      sendSmi(guest, { after: 1002 });
      guest.run(20_000);
      expect(stays(guest).map(({ entered }) => entered)).toEqual([before + 1002n]);
    }
  });

  it("leaves a shadow of STI as it is: an interrupt waits for one more instruction behind RSM", () => {
    // both arrive during the instruction that opens the shadow
    const guest = guestOf(["nop; slow: wbinvd; sti; there: nop; here: nop; nop"], handlers);
    runTo(guest, "slow");
    send(guest, FIXED, { vector: VECTOR });
    sendSmi(guest, { after: 1002 });
    guest.run(20_000);
    expect(stays(guest)).toHaveLength(1);
    expect(returnOf(guest, 42)).toBe(guest.label("here"));
  });

  it("while another one is pending or served, is latched once (32.2)", () => {
    const guest = during((guest) => {
      sendSmi(guest, { duration: 500 });
      for (const after of [1100, 1150, 1200]) sendSmi(guest, { duration: 600, after });
    });
    expect(stays(guest).map(({ cycles }) => cycles)).toEqual([500, 600]);
  });

  it("is lost on a CPU that waits for a start-up IPI (section 8)", () => {
    const guest = guestOf(["nop; jmp .; entry: jmp .", "jmp ."]);
    guest.machine.core.setStartupEntry(1, { pc: guest.label("entry"), stack: 0n, argument: 0n });
    guest.run(100);
    send(guest, INIT, { cpu: 1 });
    sendSmi(guest, { cpu: 1, after: 20 });
    send(guest, STARTUP, { cpu: 1, after: 40 });
    guest.run(5000);
    expect(guest.pc(1)).toBe(guest.label("entry"));
    expect(stays(guest)).toEqual([]);
  });

  it("lets the TSC go on (3B 18.17)", () => {
    const guest = guestOf(["rdtsc; mov %rax, %r8; slow: wbinvd; rdtsc; mov %rax, %r9"]);
    runTo(guest, "slow");
    sendSmi(guest, { duration: 700 });
    guest.run(20_000);
    const [first = 0n, second = 0n] = guest.regs(0, "r8", "r9");
    expect(second - first).toBeGreaterThanOrEqual(1700n);
  });

  it("comes between two iterations of a string instruction, which goes on behind it", () => {
    const guest = guestOf(["mov $DATA + 0x400, %edi; mov $600, %ecx; mov $0x5a, %eax; string: rep stosb"]);
    runTo(guest, "string");
    sendSmi(guest, { after: 100 });
    guest.machine.run(now(guest) + 150n);
    const left = guest.reg(0, "rcx");
    expect(left).toBeGreaterThan(0n);
    expect(left).toBeLessThan(600n);
    expect(guest.pc(0)).toBe(guest.label("string"));
    guest.run(20_000);
    expect(guest.regs(0, "rcx", "rdi")).toEqual([0n, BigInt(DATA + 0x400 + 600)]);
    expect(guest.machine.read(DATA + 0x400, 601)).toEqual(
      Uint8Array.from({ length: 601 }, (_, i) => (i < 600 ? 0x5a : 0)),
    );
  });
});

describe("in system-management mode", () => {
  it("NMIs are latched, one of them, and taken at the boundary of RSM (6.7, 32.8)", () => {
    const guest = during((guest) => {
      sendSmi(guest, { duration: 500 });
      for (const after of [1100, 1200, 1300]) send(guest, NMI, { after });
    });
    expect(noted(guest)).toEqual([2]);
    expect(returnOf(guest, 40)).toBe(guest.label("here"));
    const [taken] = records(guest, TraceKind.INTERRUPT_TAKEN);
    expect(taken).toBeDefined();
  });

  it("an NMI waits for RSM although NMIs are not blocked", () => {
    const guest = during((guest) => {
      sendSmi(guest, { duration: 500 });
      send(guest, NMI, { after: 1100 });
    });
    const all = records(guest, TraceKind.SMM_LEFT, TraceKind.INTERRUPT_TAKEN);
    expect(all.map(({ kind }) => kind)).toEqual([TraceKind.SMM_LEFT, TraceKind.INTERRUPT_TAKEN]);
    expect(all[0]?.cycle).toBe(all[1]?.cycle);
  });

  it("interrupts stay in IRR until RSM, and longer while IF is clear (32.6)", () => {
    const open = during(
      (guest) => {
        sendSmi(guest, { duration: 500 });
        send(guest, FIXED, { vector: VECTOR, after: 1100 });
      },
      "nop; nop",
      "sti; nop",
    );
    expect([noted(open), returnOf(open, 42)]).toEqual([[VECTOR], open.label("here")]);
    const closed = during((guest) => {
      sendSmi(guest, { duration: 500 });
      send(guest, FIXED, { vector: VECTOR, after: 1100 });
    });
    expect(noted(closed)).toEqual([]);
  });

  it("whether NMIs are blocked is kept, and RSM restores it (32.8)", () => {
    const guest = guestOf(["slow: wbinvd; here: nop; nop"], {
      nmi: `${note(2)} inner: wbinvd; ${note(9)}`,
    });
    runTo(guest, "slow");
    send(guest, NMI);
    runTo(guest, "inner");
    sendSmi(guest, { duration: 500 });
    send(guest, NMI, { after: 1200 });
    guest.run(20_000);
    // the second one comes behind the IRET of the first, not behind RSM
    expect(noted(guest)).toEqual([2, 9, 2, 9]);
  });

  it("INIT is held until RSM (section 4.1)", () => {
    const guest = guestOf(["nop", "slow: wbinvd; nop; jmp ."]);
    runTo(guest, "slow", 1);
    sendSmi(guest, { cpu: 1, duration: 500 });
    send(guest, INIT, { cpu: 1, after: 1100 });
    guest.run(20_000);
    const [left, init] = records(guest, TraceKind.SMM_LEFT, TraceKind.INIT_TAKEN);
    expect([left?.kind, init?.kind]).toEqual([TraceKind.SMM_LEFT, TraceKind.INIT_TAKEN]);
    expect(init?.cycle).toBe(left?.cycle);
  });

  it("a start-up IPI is dropped, also one behind an INIT that is held (section 8)", () => {
    const guest = guestOf(["jmp .; entry: jmp .", "slow: wbinvd; nop; jmp ."]);
    guest.machine.core.setStartupEntry(1, { pc: guest.label("entry"), stack: 0n, argument: 0n });
    runTo(guest, "slow", 1);
    sendSmi(guest, { cpu: 1, duration: 500 });
    send(guest, INIT, { cpu: 1, after: 1100 });
    send(guest, STARTUP, { cpu: 1, after: 1200 });
    guest.run(20_000);
    expect(guest.state(1)).toBe(CpuState.WAITING);
    expect(guest.machine.waitsIn(1)).toBe(WaitKind.STARTUP);
  });
});

describe("out of a wait", () => {
  it("an SMI lets a CPU in HLT halt again behind RSM (32.10, auto HALT restart)", () => {
    const guest = guestOf(["cli; hlt; inc %r8"]);
    guest.run(1000);
    for (const after of [5, 2000]) sendSmi(guest, { after });
    guest.run(20_000);
    expect(stays(guest)).toHaveLength(2);
    expect(guest.machine.waitsIn(0)).toBe(WaitKind.HLT);
    expect(guest.reg(0, "r8")).toBe(0n);
  });

  it("an interrupt that came in SMM ends the HLT: its frame points behind it", () => {
    for (const [mode, vector, word] of [
      [NMI, 2, 40],
      [FIXED, VECTOR, 42],
    ] as const) {
      const guest = guestOf(["sti; hlt; here: inc %r8"], handlers);
      guest.run(1000);
      sendSmi(guest, { duration: 500 });
      send(guest, mode, { vector, after: 200 });
      guest.run(20_000);
      expect([noted(guest), returnOf(guest, word)]).toEqual([[vector], guest.label("here")]);
      expect(guest.reg(0, "r8")).toBe(1n);
    }
  });

  it("an SMI ends MWAIT: execution goes on behind it (2B MWAIT)", () => {
    const guest = guestOf([`${monitor("DATA")} xor %eax, %eax; mwait; inc %r8`]);
    guest.run(1000);
    expect(guest.machine.waitsIn(0)).toBe(WaitKind.MWAIT);
    sendSmi(guest);
    guest.run(20_000);
    expect([stays(guest).length, guest.reg(0, "r8")]).toEqual([1, 1n]);
  });
});

it("RSM outside system-management mode raises #UD (2B RSM)", () => {
  const { guest, frame } = caught("here: rsm");
  expect(frame).toMatchObject({ vector: 6, rip: guest.label("here") });
});
