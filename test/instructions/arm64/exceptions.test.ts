// Exceptions to EL1 and returns from them (Arm ARM DDI 0487, D1.3 and D1.4), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, PL011_BASE, StopReason } from "../../../src/abi.ts";
import { CODE, CONSTANTS, DATA, Guest, park, setVectors, vectors } from "./guest.ts";

const EC = {
  unknown: 0x00,
  illegalState: 0x0e,
  svc: 0x15,
  instructionAbort: 0x21,
  pcAlignment: 0x22,
  dataAbort: 0x25,
  brk: 0x3c,
};
const TRANSLATION = 0x07;
const PERMISSION = 0x0f;
const ALIGNMENT = 0x21;
const UNSUPPORTED_ATOMIC = 0x35;
const WRITE = 0x40;

function esr(exceptionClass: number, iss = 0): bigint {
  return (BigInt(exceptionClass) << 26n) | (1n << 25n) | BigInt(iss);
}

/** Leaves ESR, ELR, FAR, SPSR in X20 to X23, DAIF and SPSel in X24 and X25, and where the exception went in X26. */
const handler = `
${vectors({ sync: "caught", "sync from SP_EL0": "caught_t" })}
caught_t:
  mov x26, #0x000
  b record
caught:
  mov x26, #0x200
record:
  mrs x20, esr_el1
  mrs x21, elr_el1
  mrs x22, far_el1
  mrs x23, spsr_el1
  mrs x24, daif
  mrs x25, spsel
${park}`;

/** Runs some instructions with vectors set, until an exception is caught. */
function caught(text: string): {
  guest: Guest;
  esr: bigint;
  elr: bigint;
  far: bigint;
  spsr: bigint;
  daif: bigint;
  spsel: bigint;
  vector: bigint;
} {
  const guest = new Guest(`start: ${setVectors}\n${text}\n${park.replaceAll("park", "parked")}\n${handler}`);
  guest.start("start").run();
  const [e = 0n, elr = 0n, far = 0n, spsr = 0n, daif = 0n, spsel = 0n, vector = 0n] = guest.registers(
    0,
    20,
    21,
    22,
    23,
    24,
    25,
    26,
  );
  return { guest, esr: e, elr, far, spsr, daif, spsel, vector };
}

describe("taking an exception", () => {
  it("saves PSTATE, masks all of DAIF, selects SP_EL1 and goes to the vector for SP_ELx", () => {
    const { guest, ...state } = caught("msr daifclr, #5\n li x1, #0x90000000\n msr nzcv, x1\n there: svc #0x1234");
    expect(state).toEqual({
      esr: esr(EC.svc, 0x1234),
      elr: guest.label("there") + 4n,
      far: 0n,
      spsr: 0x9000_0000n | (0b1010n << 6n) | 5n,
      daif: 0xfn << 6n,
      spsel: 1n,
      vector: 0x200n,
    });
  });

  it("from SP_EL0 goes to the vector for SP_EL0, and on with SP_EL1", () => {
    const { guest, vector, spsr, spsel } = caught(
      "li x1, #0x1110\n mov sp, x1\n msr spsel, #0\n li x1, #0x2220\n mov sp, x1\n svc #0",
    );
    expect({ vector, spsr: spsr & 0x1fn, spsel }).toEqual({ vector: 0x000n, spsr: 4n, spsel: 1n });
    expect(guest.x(0, "sp")).toBe(0x1110n);
  });

  it("returns to BRK itself", () => {
    const { guest, esr: syndrome, elr } = caught("there: brk #0xabcd");
    expect([syndrome, elr]).toEqual([esr(EC.brk, 0xabcd), guest.label("there")]);
  });

  it.each([
    ["UDF", "udf #7"],
    ["SIMD, which is not there", ".word 0x4e040c20"],
    ["floating point, which is not there", ".word 0x1e2e1000"],
    ["SVE, which is not there", ".word 0x04200000"],
    ["a register of EL2", "mrs x1, s3_4_c1_c1_0"],
    ["a write to a read-only register", "msr mpidr_el1, x1"],
    ["a read of a write-only register", "mrs x1, icc_eoir1_el1"],
  ])("has no syndrome for %s", (_, text) => {
    const { guest, esr: syndrome, elr } = caught(`there: ${text}`);
    expect([syndrome, elr]).toEqual([esr(EC.unknown), guest.label("there")]);
  });

  it("does not clear the event register", () => {
    const guest = new Guest(
      `start: ${setVectors} sevl\n svc #0\n ${handler.replace("mrs x20", "wfe\n mov x27, #1\n mrs x20")}`,
    );
    guest.start("start").run();
    expect(guest.x(0, 27)).toBe(1n);
  });
});

describe("data aborts", () => {
  const atConstants = `li x1, #${CONSTANTS}\n`;
  it.each([
    ["a read of what is not mapped", "li x1, #0x1234\n there: ldr x2, [x1]", TRANSLATION, 0x1234],
    ["a write to what is not mapped", "li x1, #0x1234\n there: str x2, [x1]", TRANSLATION | WRITE, 0x1234],
    ["a write to a read-only page", `${atConstants} there: strb w2, [x1, #5]`, PERMISSION | WRITE, CONSTANTS + 5],
    [
      "a read across the end of a page",
      `${atConstants} add x1, x1, #0xffc\n there: ldr x2, [x1]`,
      TRANSLATION,
      CONSTANTS + 0x1000,
    ],
    ["a read into a page from what is before", `${atConstants} there: ldr x2, [x1, #-3]`, TRANSLATION, CONSTANTS - 3],
    [
      "a pair across the end of a page",
      `${atConstants} add x1, x1, #0xff8\n there: ldp x2, x3, [x1]`,
      TRANSLATION,
      CONSTANTS + 0x1000,
    ],
    [
      "an address beyond the physical ones",
      "li x1, #0x123456789000\n there: ldr x2, [x1]",
      TRANSLATION,
      0x1234_5678_9000,
    ],
    ["an atomic to what is not mapped, as a read", "li x1, #0x1230\n there: ldadd x2, x3, [x1]", TRANSLATION, 0x1230],
    [
      "an atomic to a read-only page, as a write",
      `${atConstants} there: swp x2, x3, [x1]`,
      PERMISSION | WRITE,
      CONSTANTS,
    ],
    [
      "a compare-and-swap that would not store",
      `${atConstants} mov x2, #1\n there: cas x2, x3, [x1]`,
      PERMISSION | WRITE,
      CONSTANTS,
    ],
    [
      "an exclusive store to a read-only page",
      `${atConstants} ldxr x2, [x1]\n there: stxr w3, x2, [x1]`,
      PERMISSION | WRITE,
      CONSTANTS,
    ],
    ["a misaligned LDAR", `${atConstants} add x1, x1, #4\n there: ldar x2, [x1]`, ALIGNMENT, CONSTANTS + 4],
    ["a misaligned LDAPR", `${atConstants} add x1, x1, #2\n there: ldapr w2, [x1]`, ALIGNMENT, CONSTANTS + 2],
    ["a misaligned STLR", `${atConstants} add x1, x1, #1\n there: stlr w2, [x1]`, ALIGNMENT | WRITE, CONSTANTS + 1],
    ["a misaligned LDXP", `${atConstants} add x1, x1, #8\n there: ldxp x2, x3, [x1]`, ALIGNMENT, CONSTANTS + 8],
    ["a misaligned STXR", `${atConstants} add x1, x1, #4\n there: stxr w3, x2, [x1]`, ALIGNMENT | WRITE, CONSTANTS + 4],
    ["a misaligned atomic, as a read", `li x1, #${DATA + 4}\n there: ldset x2, x3, [x1]`, ALIGNMENT, DATA + 4],
    ["a misalignment before everything else", "li x1, #0x1234\n there: ldar x2, [x1]", ALIGNMENT, 0x1234],
    ["an exclusive load from a device", `li x1, #${PL011_BASE}\n there: ldxr w2, [x1]`, UNSUPPORTED_ATOMIC, PL011_BASE],
    [
      "an atomic to a device",
      `li x1, #${PL011_BASE}\n there: ldadd w2, w3, [x1]`,
      UNSUPPORTED_ATOMIC | WRITE,
      PL011_BASE,
    ],
  ])("report %s", (_, text, iss, far) => {
    const { guest, ...state } = caught(text);
    expect([state.esr, state.elr, state.far]).toEqual([esr(EC.dataAbort, iss), guest.label("there"), BigInt(far)]);
  });

  it("leave registers and memory as they were", () => {
    const guest = new Guest(`
      start: ${setVectors}
        li x1, #${DATA + 0xfffc}                // the page behind is not mapped
        mov x2, #-1
        mov x3, #3
        str x2, [x1], #8
      ${handler}`);
    guest.start("start").run();
    expect(guest.x(0, 20)).toBe(esr(EC.dataAbort, TRANSLATION | WRITE));
    expect(guest.x(0, 1)).toBe(BigInt(DATA + 0xfffc));
    expect(guest.machine.read32(DATA + 0xfffc)).toBe(0);
  });

  it("leave both registers of a pair as they were", () => {
    const { guest } = caught(`li x1, #${CONSTANTS + 0xff8}\n mov x2, #2\n mov x3, #3\n ldp x2, x3, [x1], #16`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([BigInt(CONSTANTS + 0xff8), 2n, 3n]);
  });
});

describe("fetching instructions", () => {
  it.each([
    ["from what is not mapped", 0x5000n, esr(EC.instructionAbort, TRANSLATION)],
    ["from a page that may not be executed", BigInt(DATA), esr(EC.instructionAbort, PERMISSION)],
    ["from a device", BigInt(PL011_BASE), esr(EC.instructionAbort, PERMISSION)],
    ["from behind all memory", 0x1_0000_0000n, esr(EC.instructionAbort, TRANSLATION)],
    ["from the end of the address space", 0xffff_ffff_ffff_fffcn, esr(EC.instructionAbort, TRANSLATION)],
    ["from an address that is no multiple of 4", BigInt(CODE) + 2n, esr(EC.pcAlignment)],
    ["from a misaligned address where nothing is mapped", 0x5001n, esr(EC.pcAlignment)],
  ])("%s aborts there", (_, to, syndrome) => {
    const { esr: e, elr, far } = caught(`li x1, #${to}\n br x1`);
    expect([e, elr, far]).toEqual([syndrome, to, to]);
  });

  it("over the end of executable memory aborts at the first address behind", () => {
    const end = CODE + 0x10000;
    const guest = new Guest(`
      start: ${setVectors}
        li x1, #${end - 8}
        br x1
      ${handler}
      .space ${0x10000 - 0x1100}
      `);
    guest.machine.write(end - 8, [0x1f, 0x20, 0x03, 0xd5, 0x1f, 0x20, 0x03, 0xd5]);
    guest.start("start").run();
    expect(guest.registers(0, 20, 21)).toEqual([esr(EC.instructionAbort, TRANSLATION), BigInt(end)]);
  });
});

describe("ERET", () => {
  const returnWith = (spsr: number): string => `
    li x1, #0x1110
    mov sp, x1
    adr x1, back
    msr elr_el1, x1
    li x1, #${spsr}
    msr spsr_el1, x1
    mov x10, #1
    eret
  back:
    mov x10, #2
  `;

  it("restores PSTATE and continues at ELR", () => {
    const { guest, spsr, vector } = caught(`${returnWith(0xa000_0144)} svc #0`);
    expect(guest.x(0, 10)).toBe(2n);
    expect([spsr, vector]).toEqual([0xa000_0144n, 0x000n]);
  });

  it.each([
    ["EL2", 0x9],
    ["EL3", 0xd],
    ["a reserved mode", 0x6],
    ["EL0 with SP_ELx", 0x1],
    ["AArch32", 0x13],
  ])("to %s is illegal: only NZCV and DAIF are restored, and the next instruction is not executed", (_, mode) => {
    const { guest, ...state } = caught(returnWith(0x6000_0240 | mode));
    expect(guest.x(0, 10)).toBe(1n);
    expect(state).toMatchObject({
      esr: esr(EC.illegalState),
      elr: guest.label("back"),
      spsr: 0x6000_0000n | (1n << 20n) | 0x240n | 5n,
      vector: 0x200n,
    });
    expect(guest.x(0, "sp")).toBe(0x1110n);
  });

  it("with SPSR.IL set keeps the illegal state", () => {
    const { guest, esr: syndrome, spsr } = caught(returnWith((1 << 20) | 4));
    expect([syndrome, spsr & 0x10001fn, guest.x(0, 10)]).toEqual([esr(EC.illegalState), (1n << 20n) | 4n, 1n]);
  });

  it("sets the event register", () => {
    const { guest } = caught(`${returnWith(5)} wfe\n mov x11, #1\n svc #0`);
    expect(guest.x(0, 11)).toBe(1n);
  });
});

describe("the machine stops", () => {
  it("when an exception has no vector to go to, and names CPU, pc, cycle and syndrome", () => {
    const guest = new Guest(
      `
      first: b first
      second:
        li x1, #0x7000
        msr vbar_el1, x1
        li x2, #0x1230
      there: ldr x3, [x2]
        b there`,
      { cpus: 2 },
    );
    guest.start("first", "second").run();
    const { cycle, ...stop } = guest.stop;
    expect(stop).toEqual({
      reason: StopReason.UNHANDLED_ABORT,
      cpu: 1,
      pc: Number(guest.label("there")),
      detail: esr(EC.dataAbort, TRANSLATION),
    });
    expect(guest.machine.state(1)).toBe(CpuState.DEAD);
    expect(guest.machine.pc(1)).toBe(guest.label("there"));
    expect(cycle > 0n && cycle <= guest.machine.clock(1)).toBe(true);
  });

  it("when the vectors lie in a page that may not be executed", () => {
    const guest = new Guest(`start: li x1, #${DATA}\n msr vbar_el1, x1\n there: svc #9`);
    guest.start("start").run();
    expect(guest.stop).toMatchObject({
      reason: StopReason.UNHANDLED_ABORT,
      pc: Number(guest.label("there")),
      detail: esr(EC.svc, 9),
    });
  });

  it("when a CPU jumps into nowhere without vectors", () => {
    const guest = new Guest("start: li x1, #0x123456789abcdef0\n br x1");
    guest.start("start").run();
    expect(guest.stop).toMatchObject({
      reason: StopReason.UNHANDLED_ABORT,
      detail: esr(EC.instructionAbort, TRANSLATION),
    });
  });

  it.each(["mrs x1, dbgbvr0_el1", "msr dbgbvr0_el1, x1", "sys #0, #7, #8, #0, x1"])(
    "at %s, which the architecture defines and the core doesn't model",
    (text) => {
      const { guest } = caught(`there: ${text}`);
      expect(guest.stop).toMatchObject({ reason: StopReason.UNSUPPORTED, cpu: 0, pc: Number(guest.label("there")) });
    },
  );
});
