// EL0: how it is entered and left, which interrupts reach it, and what it may do (Arm ARM DDI 0487 D1.3, D1.4, and D24 for each register),
// rule by rule.

import { describe, expect, it } from "vitest";
import { StopReason } from "../../../src/abi.ts";
import { DATA, Guest, openInterrupts, park, setVectors, vectors } from "./guest.ts";

const EC = {
  unknown: 0,
  wait: 1,
  svc: 0x15,
  system: 0x18,
  instructionAbort: 0x20,
  pcAlignment: 0x22,
  dataAbort: 0x24,
  brk: 0x3c,
};
const TRANSLATION = 0x07;
const WRITE = 0x40;
const SCTLR = { UMA: 1 << 9, DZE: 1 << 14, UCT: 1 << 15, nTWI: 1 << 16, nTWE: 1 << 18, UCI: 1 << 26 };
const CNTKCTL = { EL0PCTEN: 1, EL0VCTEN: 2, EL0VTEN: 1 << 8, EL0PTEN: 1 << 9 };
const KERNEL_STACK = DATA + 0x1000;
const USER_STACK = DATA + 0x2000;

function esr(exceptionClass: number, iss = 0): bigint {
  return (BigInt(exceptionClass) << 26n) | (1n << 25n) | BigInt(iss);
}

/** ISS of a trapped access (D24.2.44). */
function issOf(op0: number, op1: number, crn: number, crm: number, op2: number, rt: number, isRead: boolean): number {
  return (op0 << 20) | (op2 << 17) | (op1 << 14) | (crn << 10) | (rt << 5) | (crm << 1) | (isRead ? 1 : 0);
}

/** A system instruction, which the assembler of these tests has no names for. */
function sys(op1: number, crn: number, crm: number, op2: number, rt = 31): string {
  return `.word ${(0xd508_0000 | (op1 << 16) | (crn << 12) | (crm << 8) | (op2 << 5) | rt) >>> 0}`;
}

/** Leaves ESR, ELR, FAR, SPSR in X20 to X23, SP_EL0 and SPSel in X24 and X25, and in X26 which vector it was. */
const entry = (name: string, offset: number): string => `${name}:\n mov x26, #${offset}\n b record\n`;
const handler = `
${vectors({ sync: "el1_sync", "sync from EL0": "el0_sync", "irq from EL0": "el0_irq", "fiq from EL0": "el0_fiq" })}
${entry("el1_sync", 0x200)} ${entry("el0_sync", 0x400)} ${entry("el0_irq", 0x480)} ${entry("el0_fiq", 0x500)}
record:
  mrs x20, esr_el1
  mrs x21, elr_el1
  mrs x22, far_el1
  mrs x23, spsr_el1
  mrs x24, sp_el0
  mrs x25, spsel
${park}`;

const toEl0 = (spsr: number): string => `
  li x1, #${KERNEL_STACK}
  mov sp, x1
  li x1, #${USER_STACK}
  msr sp_el0, x1
  adr x1, user
  msr elr_el1, x1
  li x1, #${spsr}
  msr spsr_el1, x1
  eret
user:
`;

interface Options {
  readonly spsr?: number;
  /** What EL1 does before. */
  readonly kernel?: string;
  readonly options?: ConstructorParameters<typeof Guest>[1];
}

function caught(text: string, { spsr = 0, kernel = "", options = {} }: Options = {}) {
  const guest = new Guest(
    `start: ${setVectors} ${kernel}\n ${toEl0(spsr)} ${text}\n forever: b forever\n ${handler}`,
    options,
  );
  guest.start("start").run();
  const [e, elr, far, spsrNow, sp, spsel, vector] = guest.registers(0, 20, 21, 22, 23, 24, 25, 26);
  return { guest, esr: e, elr, far, spsr: spsrNow, sp, spsel, vector };
}

const setSctlr = (bits: number): string =>
  `mrs x1, sctlr_el1\n li x2, #${bits}\n orr x1, x1, x2\n msr sctlr_el1, x1\n isb\n`;
const setKernelControl = (bits: number): string => `li x1, #${bits}\n msr cntkctl_el1, x1\n isb\n`;

describe("an exception from EL0", () => {
  it("goes to the vectors for a lower level, with the user's PSTATE and stack saved, on SP_EL1", () => {
    const { guest, ...state } = caught("mov x1, sp\n sub sp, sp, #16\n there: svc #7", { spsr: 0x9000_0140 });
    expect(state).toMatchObject({
      esr: esr(EC.svc, 7), elr: guest.label("there") + 4n, spsr: 0x9000_0140n, sp: BigInt(USER_STACK - 16), spsel: 1n, vector: 0x400n,
    }); // prettier-ignore
    expect(guest.x(0, 1)).toBe(BigInt(USER_STACK));
    expect(guest.x(0, "sp")).toBe(BigInt(KERNEL_STACK));
    expect(guest.machine.privilege(0)).toBe(1);
  });

  it.each([
    ["BRK", "there: brk #3", esr(EC.brk, 3), undefined],
    ["a load from nowhere", "li x1, #0x1234\n there: ldr x2, [x1]", esr(EC.dataAbort, TRANSLATION), 0x1234n],
    ["a store to nowhere", "li x1, #0x1234\n there: str x2, [x1]", esr(EC.dataAbort, TRANSLATION | WRITE), 0x1234n],
  ])("has the exception class of a lower level: %s", (_, text, syndrome, far) => {
    const { guest, ...state } = caught(text);
    expect(state).toMatchObject({
      esr: syndrome,
      elr: guest.label("there"),
      spsr: 0n,
      vector: 0x400n,
      ...(far === undefined ? {} : { far }),
    });
  });

  it.each([
    ["from nowhere", 0x5000n, esr(EC.instructionAbort, TRANSLATION)],
    ["from an address that is no multiple of 4", 0x5002n, esr(EC.pcAlignment)],
  ])("has it for fetches, too: %s", (_, to, syndrome) => {
    expect(caught(`li x1, #${to}\n br x1`)).toMatchObject({ esr: syndrome, elr: to, far: to, vector: 0x400n });
  });

  it("comes back by ERET, as often as it likes", () => {
    const guest = new Guest(`start: ${setVectors} mov x10, #0\n ${toEl0(0x6000_0000)}
      again: svc #0\n mrs x11, nzcv\n mov x12, sp\n cmp x10, #3\n b.ne again\n forever: b forever
      ${vectors({ "sync from EL0": "count" })}
      count: add x10, x10, #1\n eret`);
    guest.start("start").run();
    expect(guest.registers(0, 10, 11, 12)).toEqual([3n, 0x8000_0000n, BigInt(USER_STACK)]);
    expect(guest.machine.privilege(0)).toBe(0);
  });
});

describe("EL0 has not", () => {
  it.each([
    "mrs x1, midr_el1", "mrs x1, mpidr_el1", "mrs x1, id_aa64pfr0_el1", "mrs x1, currentel", "mrs x1, tpidr_el1", "msr tpidr_el1, x1", "mrs x1, vbar_el1",
    "msr vbar_el1, x1", "mrs x1, elr_el1", "mrs x1, spsr_el1", "mrs x1, sctlr_el1", "msr sctlr_el1, x1", "mrs x1, sp_el0", "msr sp_el0, x1",
    "mrs x1, spsel", "msr spsel, #1", "msr spsel, x1", "mrs x1, cntkctl_el1", "msr tpidrro_el0, x1", "mrs x1, icc_iar1_el1",
    "msr icc_sgi1r_el1, x1", "mrs x1, icc_pmr_el1", "mrs x1, isr_el1", "msr cpacr_el1, x1", "hvc #0", "smc #0", "eret", "mrs x1, s2_0_c0_c0_4",
    "msr cntfrq_el0, x1",
  ])("%s: UNDEFINED", (text) => {
    const { guest, ...state } = caught(`there: ${text}`);
    expect(state).toMatchObject({ esr: esr(EC.unknown), elr: guest.label("there"), spsr: 0n, vector: 0x400n });
  }); // prettier-ignore

  it.each([
    ["DC IVAC", sys(0, 7, 6, 1, 1)],
    ["DC ISW", sys(0, 7, 6, 2, 1)],
    ["IC IALLU", sys(0, 7, 5, 0)],
    ["IC IALLUIS", sys(0, 7, 1, 0)],
    ["TLBI VMALLE1", sys(0, 8, 7, 0)],
    ["AT S1E1R", sys(0, 7, 8, 0, 1)],
  ])("%s: UNDEFINED", (_, text) => {
    expect(caught(`there: ${text}`)).toMatchObject({ esr: esr(EC.unknown), vector: 0x400n });
  });

  it.each(["msr allint, #1", "msr allint, x1", "mrs x1, allint"])("%s of FEAT_NMI: UNDEFINED", (text) => {
    expect(caught(`there: ${text}`, { options: { featNmi: true } })).toMatchObject({
      esr: esr(EC.unknown),
      vector: 0x400n,
    });
  });
});

describe("EL0 has", () => {
  it("NZCV, TPIDR_EL0, TPIDRRO_EL0 to be read, DCZID_EL0, barriers, hints that don't wait", () => {
    const { guest, esr: syndrome } = caught(
      `mov x3, #5\n msr tpidr_el0, x3\n mrs x4, tpidr_el0\n mrs x5, tpidrro_el0\n mrs x6, dczid_el0
       li x7, #0x80000000\n msr nzcv, x7\n mrs x8, nzcv\n dsb sy\n isb\n sev\n sevl\n clrex\n svc #1`,
      { kernel: "mov x1, #9\n msr tpidrro_el0, x1" },
    );
    expect(syndrome).toBe(esr(EC.svc, 1));
    expect(guest.registers(0, 4, 5, 6, 8)).toEqual([5n, 9n, 4n, 0x8000_0000n]);
  });

  const given: readonly [text: string, bit: string, set: string, iss: number][] = [
    ["mrs x1, daif", "SCTLR_EL1.UMA", setSctlr(SCTLR.UMA), issOf(3, 3, 4, 2, 1, 1, true)],
    ["msr daif, x1", "SCTLR_EL1.UMA", setSctlr(SCTLR.UMA), issOf(3, 3, 4, 2, 1, 1, false)],
    ["msr daifset, #2", "SCTLR_EL1.UMA", setSctlr(SCTLR.UMA), issOf(0, 3, 4, 2, 6, 31, false)],
    ["msr daifclr, #15", "SCTLR_EL1.UMA", setSctlr(SCTLR.UMA), issOf(0, 3, 4, 15, 7, 31, false)],
    ["mrs x2, ctr_el0", "SCTLR_EL1.UCT", setSctlr(SCTLR.UCT), issOf(3, 3, 0, 0, 1, 2, true)],
    [sys(3, 7, 10, 1, 1), "SCTLR_EL1.UCI", setSctlr(SCTLR.UCI), issOf(1, 3, 7, 10, 1, 1, false)],
    [sys(3, 7, 11, 1, 1), "SCTLR_EL1.UCI", setSctlr(SCTLR.UCI), issOf(1, 3, 7, 11, 1, 1, false)],
    [sys(3, 7, 14, 1, 1), "SCTLR_EL1.UCI", setSctlr(SCTLR.UCI), issOf(1, 3, 7, 14, 1, 1, false)],
    [sys(3, 7, 5, 1, 1), "SCTLR_EL1.UCI", setSctlr(SCTLR.UCI), issOf(1, 3, 7, 5, 1, 1, false)],
    [sys(3, 7, 4, 1, 9), "SCTLR_EL1.DZE", setSctlr(SCTLR.DZE), issOf(1, 3, 7, 4, 1, 9, false)],
    ["mrs x3, cntpct_el0", "CNTKCTL_EL1.EL0PCTEN", setKernelControl(CNTKCTL.EL0PCTEN), issOf(3, 3, 14, 0, 1, 3, true)],
    ["mrs x3, cntvct_el0", "CNTKCTL_EL1.EL0VCTEN", setKernelControl(CNTKCTL.EL0VCTEN), issOf(3, 3, 14, 0, 2, 3, true)],
    ["mrs x3, cntfrq_el0", "CNTKCTL_EL1.EL0PCTEN", setKernelControl(CNTKCTL.EL0PCTEN), issOf(3, 3, 14, 0, 0, 3, true)],
    ["mrs x3, cntfrq_el0", "CNTKCTL_EL1.EL0VCTEN", setKernelControl(CNTKCTL.EL0VCTEN), issOf(3, 3, 14, 0, 0, 3, true)],
    ["mrs x3, cntv_ctl_el0", "CNTKCTL_EL1.EL0VTEN", setKernelControl(CNTKCTL.EL0VTEN), issOf(3, 3, 14, 3, 1, 3, true)],
    [
      "msr cntv_cval_el0, xzr",
      "CNTKCTL_EL1.EL0VTEN",
      setKernelControl(CNTKCTL.EL0VTEN),
      issOf(3, 3, 14, 3, 2, 31, false),
    ],
    [
      "msr cntp_tval_el0, x3",
      "CNTKCTL_EL1.EL0PTEN",
      setKernelControl(CNTKCTL.EL0PTEN),
      issOf(3, 3, 14, 2, 0, 3, false),
    ],
  ];
  it.each(given)("%s only with %s", (text, _, set, iss) => {
    const program = `li x9, #${DATA}\n there: ${text}\n svc #2`;
    const { guest, ...without } = caught(program);
    expect(without).toMatchObject({ esr: esr(EC.system, iss), elr: guest.label("there"), vector: 0x400n });
    expect(caught(program, { kernel: set })).toMatchObject({ esr: esr(EC.svc, 2), vector: 0x400n });
  });

  it.each([
    ["wfi", SCTLR.nTWI, 0],
    ["wfe", SCTLR.nTWE, 1],
  ] as const)("%s that waits only with SCTLR_EL1.nTWI or nTWE", (text, bit, which) => {
    const { guest, ...without } = caught(`${which === 1 ? "wfe\n" : ""} there: ${text}\n svc #3`);
    // The first WFE finds the event register set, by ERET.
    expect(without).toMatchObject({ esr: esr(EC.wait, (1 << 24) | (14 << 20) | which), elr: guest.label("there") });
    expect(caught(`${which === 1 ? "wfe\n" : ""} ${text}`, { kernel: setSctlr(bit) }).guest.machine.privilege(0)).toBe(
      0,
    );
  });
});

describe("interrupts at EL0", () => {
  const sgi = `${openInterrupts(0)} mov x1, #1\n lsl x1, x1, #24\n orr x1, x1, #1\n msr icc_sgi1r_el1, x1\n isb\n mov x2, #2000\n travels: sub x2, x2, #1\n cbnz x2, travels\n`;

  it("come to the vectors for a lower level", () => {
    const { guest, ...state } = caught("there: nop", { kernel: sgi });
    expect(state).toMatchObject({ vector: 0x480n, spsr: 0n, elr: guest.label("there") });
  });

  it("are masked by PSTATE as EL0 has it", () => {
    const masked = caught("nop\n svc #4", { kernel: sgi, spsr: 0x80 });
    expect(masked).toMatchObject({ vector: 0x400n, esr: esr(EC.svc, 4), spsr: 0x80n });
    const opened = caught("msr daifclr, #2\n there: nop\n svc #4", { kernel: sgi + setSctlr(SCTLR.UMA), spsr: 0x80 });
    expect(opened).toMatchObject({ vector: 0x480n, spsr: 0n, elr: opened.guest.label("there") });
  });

  it("are held off by the priority mask", () => {
    const shut = "msr icc_pmr_el1, xzr\n";
    expect(caught("nop\n svc #4", { kernel: sgi + shut })).toMatchObject({ vector: 0x400n, esr: esr(EC.svc, 4) });
  });

  it("of Group 0 come as FIQ", () => {
    const group0 = sgi
      .replace("str w10, [x9, #0x80]", "str wzr, [x9, #0x80]")
      .replace("icc_sgi1r_el1", "icc_sgi0r_el1");
    expect(caught("there: nop", { kernel: group0 })).toMatchObject({ vector: 0x500n });
    expect(caught("nop\n svc #4", { kernel: group0, spsr: 0x40 })).toMatchObject({ vector: 0x400n });
  });
});

it("ERET to EL0 with PSTATE.IL set raises Illegal Execution state there", () => {
  expect(caught("nop", { spsr: 1 << 20 })).toMatchObject({ esr: esr(0x0e), vector: 0x400n, spsr: BigInt(1 << 20) });
});

it("what the architecture has at EL0 and the core lacks stops the machine by name", () => {
  expect(caught("there: mrs x1, mdccsr_el0").guest.stop.reason).toBe(StopReason.UNSUPPORTED);
});
