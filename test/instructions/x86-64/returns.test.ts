// IRETQ and the far returns (Intel SDM volume 2A IRET, 2B RET), rule by rule.

import { describe, expect, it } from "vitest";
import { StopReason } from "../../../src/abi.ts";
import { type Code, R14, RAX, RBX, RDX, RSP, le } from "./code.ts";
import { STACKS, caught, selectors } from "./guest.ts";

const GP = 13;
const NP = 11;
const SS = 12;
const IF = 1n << 9n;

interface Popped {
  readonly rip?: bigint;
  readonly cs?: number;
  readonly rflags?: number;
  readonly rsp?: bigint;
  readonly ss?: number;
}

/** IRETQ with a frame that leads to the next instruction, unless told otherwise. */
function interruptReturn(code: Code, { rip, cs = selectors.code, rflags = 2, rsp, ss = selectors.data }: Popped): void {
  code
    .raw(0x6a, ss)
    .movImmediate(RAX, rsp ?? BigInt(STACKS + 0x700))
    .push(RAX);
  code.raw(0x68, ...le(rflags, 4), 0x68, ...le(cs, 4));
  if (rip === undefined)
    code.put({ opcode: [0x8d], reg: RAX, rm: { rip: true, displacement: code.here + 7 + 1 + 2 }, wide: true });
  else code.movImmediate(RAX, rip);
  code.push(RAX).label("there").raw(0x48, 0xcf).label("behind");
}

describe("IRETQ", () => {
  it("pops RIP, CS, RFLAGS, RSP and SS also without a change of privilege", () => {
    const { guest, frame } = caught((code) => {
      interruptReturn(code, { rflags: 0xad7, rsp: BigInt(STACKS + 0x6f1) });
      code.label("next").raw(0x0f, 0x0b);
    });
    expect(frame).toMatchObject({
      vector: 6,
      rip: guest.label("next"),
      cs: BigInt(selectors.code),
      rsp: BigInt(STACKS + 0x6f1),
      ss: BigInt(selectors.data),
    });
    expect(frame.rflags & 0xffffn).toBe(0xad7n);
  });

  it("loads IF, IOPL, NT, AC, ID, but neither VM nor the reserved bits", () => {
    const { frame } = caught((code) => {
      interruptReturn(code, { rflags: 0x26_7aff });
      code.raw(0x0f, 0x0b);
    });
    expect(frame.rflags & ~(1n << 16n)).toBe(0x24_7ad7n);
  });

  it("may load a null SS when it stays at CPL 0 in 64-bit mode", () => {
    const { frame } = caught((code) => {
      interruptReturn(code, { ss: 0 });
      code.raw(0x0f, 0x0b);
    });
    expect(frame.ss).toBe(0n);
  });

  it.each<[string, Popped, number, bigint]>([
    ["#GP for a RIP that is not canonical", { rip: 0x8000_0000_0000n }, GP, 0n],
    ["#GP for a null CS", { cs: 0 }, GP, 0n],
    ["#GP with the selector of data in CS", { cs: selectors.data }, GP, BigInt(selectors.data)],
    ["#GP with a selector outside the table", { cs: selectors.outside }, GP, BigInt(selectors.outside)],
    [
      "#NP with the selector of code that is not present",
      { cs: selectors.absentCode },
      NP,
      BigInt(selectors.absentCode),
    ],
    ["#GP with the selector of a read-only stack", { ss: selectors.readOnly }, GP, BigInt(selectors.readOnly)],
    [
      "#SS with the selector of a stack that is not present",
      { ss: selectors.notPresent },
      SS,
      BigInt(selectors.notPresent),
    ],
  ])("raises %s, and changes nothing", (_, popped, vector, error) => {
    const { guest, frame } = caught((code) => interruptReturn(code, popped));
    expect(frame).toMatchObject({ vector, error, rip: guest.label("there"), rsp: BigInt(STACKS + 0x1000 - 40) });
  });

  it("raises #GP with NT set", () => {
    const { guest, frame } = caught((code) => {
      code.raw(0x68, ...le(0x4002, 4), 0x9d);
      interruptReturn(code, {});
    });
    expect(frame).toMatchObject({ vector: GP, error: 0n, rip: guest.label("there") });
  });

  it("raises a page fault when the frame is not there", () => {
    const { guest, frame } = caught((code) => code.movShort(RSP, 0x1000).label("there").raw(0x48, 0xcf), {
      gates: { 14: { ist: 1 } },
    });
    expect(frame).toMatchObject({ vector: 14, rip: guest.label("there"), rsp: 0x1000n });
  });

  it("to user mode is not modelled, and stops the machine by name", () => {
    const { guest } = caught((code) => interruptReturn(code, { cs: selectors.userCode, ss: selectors.userData }));
    expect(guest.stop).toMatchObject({ reason: StopReason.UNSUPPORTED, pc: guest.label("there") });
  });

  it("with 32-bit operands pops 20 bytes", () => {
    const { guest, frame } = caught((code) => {
      code.aluImmediate("sub", RSP, 20);
      const put = (offset: number, value: number): unknown =>
        code.put({ opcode: [0xc7], rm: { base: RSP, displacement: offset }, immediate: le(value, 4) });
      put(4, selectors.code);
      put(8, 2);
      put(12, STACKS + 0x600);
      put(16, selectors.data);
      code.put({ opcode: [0x8d], reg: RAX, rm: { rip: true, displacement: code.here + 6 + 3 + 1 } });
      code.put({ opcode: [0x89], reg: RAX, rm: { base: RSP, displacement: 0 } });
      code.raw(0xcf).label("next").raw(0x0f, 0x0b);
    });
    expect(frame).toMatchObject({ vector: 6, rsp: BigInt(STACKS + 0x600), rip: guest.label("next") });
  });
});

describe("RETF", () => {
  it("releases the bytes that it is told to", () => {
    const { guest, frame } = caught((code) => {
      code.push(RBX).push(RBX).raw(0x6a, selectors.code);
      code.put({ opcode: [0x8d], reg: RAX, rm: { rip: true, displacement: code.here + 7 + 1 + 4 }, wide: true });
      code.push(RAX).raw(0x48, 0xca, 16, 0).label("next").raw(0x0f, 0x0b);
    });
    expect(frame).toMatchObject({ vector: 6, rip: guest.label("next"), rsp: BigInt(STACKS + 0x1000) });
  });

  it("to an outer level stops the machine by name", () => {
    const { guest } = caught((code) => code.raw(0x6a, selectors.userCode).push(RAX).raw(0x48, 0xcb));
    expect(guest.stop.reason).toBe(StopReason.UNSUPPORTED);
  });
});

it("POPFQ loads IF without a shadow, and leaves RF and VM (SDM 2B POPF)", () => {
  const { frame } = caught((code) => code.raw(0x68, ...le(0x23_0202, 4), 0x9d, 0x0f, 0x0b));
  expect(frame.rflags & ~(1n << 16n)).toBe(IF | (1n << 21n) | 2n);
});

describe("SYSCALL at CPL 0", () => {
  it("goes to LSTAR, leaves RIP in RCX and RFLAGS in R11, and clears the flags of FMASK", () => {
    const { guest } = caught((code) => {
      const write = (msr: number, low: number, high = 0): void => {
        code.movShort(1, msr).movShort(RAX, low).movShort(RDX, high).raw(0x0f, 0x30);
      };
      write(0xc000_0080, 0x501);
      write(0xc000_0081, 0, selectors.code);
      write(0xc000_0084, 0x200);
      write(0xc000_0082, 0x1_2000);
      code.raw(0x68, ...le(0x247, 4), 0x9d, 0x0f, 0x05).label("behind");
      while (code.here < 0x1_2000) code.raw(0xcc);
      code.raw(0x9c).pop(R14).raw(0xf4);
    });
    expect(guest.registers(0, 1, 11, R14)).toEqual([guest.label("behind"), 0x247n, 0x47n]);
  });

  it("is undefined while EFER.SCE is clear", () => {
    expect(caught((code) => code.raw(0x0f, 0x05)).frame.vector).toBe(6);
  });
});
