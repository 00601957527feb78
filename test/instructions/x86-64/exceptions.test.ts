// Exceptions in 64-bit mode: what is raised, frames, error codes, stacks, nesting (Intel SDM volume 3A, chapter 6), rule by
// rule.

import { describe, expect, it } from "vitest";
import { CpuState, StopReason } from "../../../src/abi.ts";
import { type Code, R12, R13, R14, RAX, RBP, RBX, RCX, RDX, RSP, le } from "./code.ts";
import {
  CODE,
  CONSTANTS,
  DATA,
  DATA_BYTES,
  Guest,
  STACKS,
  caught,
  halt,
  ist,
  loadTables,
  selectors,
  writeMsr,
} from "./guest.ts";

const TF = 1n << 8n;
const IF = 1n << 9n;
const NT = 1n << 14n;
const RF = 1n << 16n;
const AC = 1n << 18n;
const STATUS = 0x8d5n;

const vectors = { DE: 0, DB: 1, BP: 3, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14 } as const;

const NOWHERE = 0x1234;
const NOT_CANONICAL = 0x8000_0000_0000n;

function loadSelector(segment: number, selector: number): (code: Code) => void {
  return (code) =>
    code
      .movShort(RAX, selector)
      .label("there")
      .put({ opcode: [0x8e], reg: segment, rm: RAX });
}

/** `load rax, [address]` and other accesses, behind the label "there". */
function access(address: number | bigint, ...bytes: readonly number[]): (code: Code) => void {
  return (code) =>
    code
      .movImmediate(RBX, address)
      .label("there")
      .raw(...bytes);
}

const readByRbx = [0x48, 0x8b, 0x03];
const writeByRbx = [0x48, 0x89, 0x03];

describe("a fault", () => {
  it.each<[string, number, bigint | undefined, (code: Code) => void]>([
    ["#DE for a division by zero", vectors.DE, undefined, (c) => c.movShort(RBX, 0).label("there").raw(0xf7, 0xf3)],
    [
      "#DE for a quotient that doesn't fit",
      vectors.DE,
      undefined,
      (c) => c.movShort(RDX, 5).movShort(RBX, 5).label("there").raw(0xf7, 0xf3),
    ],
    [
      "#DE for the least number divided by -1",
      vectors.DE,
      undefined,
      (c) => c.movShort(RAX, 0x8000_0000).raw(0x99).movShort(RBX, 0xffff_ffff).label("there").raw(0xf7, 0xfb),
    ],
    ["#UD for UD2", vectors.UD, undefined, (c) => c.label("there").raw(0x0f, 0x0b)],
    ["#UD for UD0", vectors.UD, undefined, (c) => c.label("there").raw(0x0f, 0xff, 0xc0)],
    ["#UD for LOCK of a load", vectors.UD, undefined, (c) => c.label("there").raw(0xf0, 0x8b, 0x03)],
    ["#UD for LOCK of a shift in memory", vectors.UD, undefined, (c) => c.label("there").raw(0xf0, 0xd1, 0x23)],
    ["#UD for CR1", vectors.UD, undefined, (c) => c.label("there").raw(0x0f, 0x20, 0xc8)],
    [
      "#UD for RDFSBASE without CR4.FSGSBASE",
      vectors.UD,
      undefined,
      (c) => c.label("there").raw(0xf3, 0x0f, 0xae, 0xc0),
    ],
    ["#UD for SSE without CR4.OSFXSR", vectors.UD, undefined, (c) => c.label("there").raw(0x0f, 0x58, 0xc0)],
    ["#UD for AVX", vectors.UD, undefined, (c) => c.label("there").raw(0xc5, 0xf8, 0x58, 0xc0)],
    [
      "#NM for x87 with CR0.TS",
      vectors.NM,
      undefined,
      (c) => c.raw(0x0f, 0x20, 0xc0, 0x83, 0xc8, 8, 0x0f, 0x22, 0xc0).label("there").raw(0xd9, 0xe8),
    ],
    ["#GP for more than 15 bytes", vectors.GP, 0n, (c) => c.label("there").raw(...Array<number>(15).fill(0x66), 0x90)],
    ["#GP for an unknown MSR", vectors.GP, 0n, (c) => c.movShort(RCX, 0x1234).label("there").raw(0x0f, 0x32)],
    [
      "#GP for a non-canonical address in an MSR",
      vectors.GP,
      0n,
      (c) => c.movShort(RCX, 0xc000_0100).movShort(RAX, 0).movShort(RDX, 0x8000).label("there").raw(0x0f, 0x30),
    ],
    [
      "#GP for reserved bits of CR4",
      vectors.GP,
      0n,
      (c) => c.movShort(RAX, 0x8000_0020).label("there").raw(0x0f, 0x22, 0xe0),
    ],
    ["#GP for CR0 without paging", vectors.GP, 0n, (c) => c.movShort(RAX, 1).label("there").raw(0x0f, 0x22, 0xc0)],
    ["#GP for CR8 above 15", vectors.GP, 0n, (c) => c.movShort(RAX, 16).label("there").raw(0x44, 0x0f, 0x22, 0xc0)],
    ["#GP for a non-canonical load", vectors.GP, 0n, access(NOT_CANONICAL, ...readByRbx)],
    ["#GP for a non-canonical store", vectors.GP, 0n, access(~NOT_CANONICAL, ...writeByRbx)],
    ["#GP for a load that leaves the canonical addresses", vectors.GP, 0n, access(NOT_CANONICAL - 4n, ...readByRbx)],
    ["#GP for CMPXCHG16B that is not aligned", vectors.GP, 0n, access(DATA + 8, 0x48, 0x0f, 0xc7, 0x0b)],
    ["#SS for a non-canonical address by RSP", vectors.SS, 0n, (c) => nonCanonicalBy(c, RSP, [0x48, 0x8b, 0x04, 0x24])],
    ["#SS for a non-canonical address by RBP", vectors.SS, 0n, (c) => nonCanonicalBy(c, RBP, [0x48, 0x8b, 0x45, 0x00])],
    ["#SS for a push there", vectors.SS, 0n, (c) => nonCanonicalBy(c, RSP, [0x50], 8n)],
    ["#GP for RBP with another segment", vectors.GP, 0n, (c) => nonCanonicalBy(c, RBP, [0x64, 0x48, 0x8b, 0x45, 0x00])],
    ["#GP for a jump to nowhere canonical", vectors.GP, 0n, access(NOT_CANONICAL, 0xff, 0xe3)],
    ["#GP for a call to nowhere canonical", vectors.GP, 0n, access(NOT_CANONICAL, 0xff, 0xd3)],
    [
      "#GP for a return to nowhere canonical",
      vectors.GP,
      0n,
      (c) => c.movImmediate(RBX, NOT_CANONICAL).push(RBX).label("there").raw(0xc3),
    ],
    [
      "#GP with the selector of a segment outside the table",
      vectors.GP,
      BigInt(selectors.outside),
      loadSelector(3, selectors.outside),
    ],
    ["#GP with the selector of code for SS", vectors.GP, BigInt(selectors.code), loadSelector(2, selectors.code)],
    [
      "#GP with the selector of read-only data for SS",
      vectors.GP,
      BigInt(selectors.readOnly),
      loadSelector(2, selectors.readOnly),
    ],
    ["#GP for a null SS with RPL 3", vectors.GP, 0n, loadSelector(2, 3)],
    [
      "#NP with the selector of data that is not present",
      vectors.NP,
      BigInt(selectors.notPresent),
      loadSelector(3, selectors.notPresent),
    ],
    [
      "#SS with the selector of a stack that is not present",
      vectors.SS,
      BigInt(selectors.notPresent),
      loadSelector(2, selectors.notPresent),
    ],
    [
      "#GP for LLDT of data",
      vectors.GP,
      BigInt(selectors.data),
      (c) => c.movShort(RAX, selectors.data).label("there").raw(0x0f, 0x00, 0xd0),
    ],
    ["#GP for LTR of a busy TSS", vectors.GP, 0x80n, (c) => c.movShort(RAX, 0x80).label("there").raw(0x0f, 0x00, 0xd8)],
  ])("%s points to its instruction, with its error code, and RF set", (_, vector, error, emit) => {
    const { guest, frame } = caught(emit, { gates: { [vectors.SS]: { ist: 1 } } });
    expect(frame.vector).toBe(vector);
    expect(frame.rip).toBe(guest.label("there"));
    expect(frame.error).toBe(error);
    expect(frame.rflags & RF).toBe(RF);
    expect([frame.cs, frame.ss]).toEqual([BigInt(selectors.code), BigInt(selectors.data)]);
  });

  function nonCanonicalBy(code: Code, register: number, bytes: readonly number[], above = 0n): void {
    code
      .movImmediate(register, NOT_CANONICAL + above)
      .label("there")
      .raw(...bytes);
  }
});

describe("a page fault says in CR2 and its error code what was wrong (SDM 3A 4.7)", () => {
  const P = 1n;
  const W = 2n;
  it.each<[string, bigint, number, (code: Code) => void]>([
    ["a read of what is not mapped", 0n, NOWHERE, access(NOWHERE, ...readByRbx)],
    ["a write to what is not mapped", W, NOWHERE, access(NOWHERE, ...writeByRbx)],
    ["a write to a read-only page", P | W, CONSTANTS + 5, access(CONSTANTS + 5, ...writeByRbx)],
    ["a locked access to a read-only page", P | W, CONSTANTS, access(CONSTANTS, 0xf0, 0xff, 0x03)],
    ["a read-modify-write, which is a write", W, NOWHERE, access(NOWHERE, 0xff, 0x03)],
    ["a read across the end of a page", 0n, CONSTANTS + 0x1000, access(CONSTANTS + 0xffd, ...readByRbx)],
    ["a write across the end of a page", W, DATA + DATA_BYTES, access(DATA + DATA_BYTES - 1, ...writeByRbx)],
    ["a jump to what is not mapped", 0n, NOWHERE, (c) => c.movShort(RBX, NOWHERE).raw(0xff, 0xe3)],
    ["a jump to a page without code", P, DATA, (c) => c.movShort(RBX, DATA).raw(0xff, 0xe3)],
    ["a pop from what is not mapped", 0n, NOWHERE, (c) => c.movShort(RSP, NOWHERE).label("there").raw(0x58)],
    [
      "a bit beyond the operand",
      0n,
      CONSTANTS + 0x1000,
      (c) => {
        c.movShort(RAX, 0x8000).movShort(RBX, CONSTANTS).label("there").raw(0x48, 0x0f, 0xa3, 0x03);
      },
    ],
  ])("%s", (_, error, address, emit) => {
    const { guest, frame } = caught(emit, { gates: { [vectors.PF]: { ist: 1 } } });
    expect(frame.vector).toBe(vectors.PF);
    expect([frame.error, guest.register(0, R13)]).toEqual([error, BigInt(address)]);
  });

  it("with the fetch bit when CR4.SMEP or EFER.NXE says so", () => {
    const { frame } = caught((code) => {
      writeMsr(code, 0xc000_0080, 0xd00);
      code.movShort(RBX, DATA).raw(0xff, 0xe3);
    });
    expect(frame).toMatchObject({ vector: vectors.PF, error: P | 16n, rip: BigInt(DATA) });
  });

  it("leaves nothing done of an instruction that faults", () => {
    const { guest, frame } = caught((code) => {
      code
        .movImmediate(RAX, -1n)
        .movShort(RBX, DATA + DATA_BYTES - 4)
        .label("there")
        .raw(...writeByRbx);
    });
    expect(frame.rip).toBe(guest.label("there"));
    expect(guest.machine.read32(DATA + DATA_BYTES - 4)).toBe(0);
  });

  it("at an instruction that goes on beyond the end of mapped memory points to its start, CR2 to the next page", () => {
    const guest = new Guest((code) => {
      code.label("start");
      loadTables(code);
      code.movShort(RBX, CODE + 0x3ffb).raw(0xff, 0xe3);
    });
    // mov rax, imm64, cut off; what is complete before it is executed
    guest.machine.write(CODE + 0x3ffb, [0x90, 0x48, 0xb8, 1, 2]);
    guest.start("start").run();
    expect(guest.frame()).toMatchObject({ vector: vectors.PF, error: 0n, rip: BigInt(CODE + 0x3ffc) });
    expect(guest.register(0, R13)).toBe(BigInt(CODE + 0x4000));
  });

  it("comes before #GP for the length, when the bytes that would make it too long are not there", () => {
    const guest = new Guest((code) => {
      code.label("start");
      loadTables(code);
      code.movShort(RBX, CODE + 0x3ff2).raw(0xff, 0xe3);
    });
    guest.machine.write(CODE + 0x3ff2, Array<number>(14).fill(0x66));
    guest.start("start").run();
    expect(guest.frame().vector).toBe(vectors.PF);
  });
});

it("an instruction may lie across two pages", () => {
  const guest = new Guest((code) => {
    code.label("start");
    code.raw(0xe9, ...le(0xffb - 5, 4));
    while (code.here < CODE + 0xffb) code.raw(0xcc);
    code.movImmediate(RBX, 0x1122_3344_5566_7788n);
    halt(code);
  });
  guest.start("start").run();
  expect(guest.register(0, RBX)).toBe(0x1122_3344_5566_7788n);
});

describe("a trap", () => {
  it.each<[string, number, (code: Code) => void]>([
    ["INT3", vectors.BP, (c) => c.raw(0xcc)],
    ["INT n", 0x77, (c) => c.raw(0xcd, 0x77)],
    ["INT1", vectors.DB, (c) => c.raw(0xf1)],
    ["INT 80h", 0x80, (c) => c.raw(0xcd, 0x80)],
  ])("of %s points behind its instruction; RF is clear", (_, vector, emit) => {
    const { guest, frame } = caught((code) => {
      emit(code);
      code.label("behind");
    });
    expect(frame).toMatchObject({ vector, rip: guest.label("behind") });
    expect(frame.rflags & RF).toBe(0n);
  });

  it("of INT n has no error code, also where the exception of that number has one", () => {
    const { guest } = caught((code) => code.movShort(RSP, STACKS + 0x800).raw(0xcd, vectors.GP));
    expect(guest.register(0, R12)).toBe(BigInt(STACKS + 0x800 - 40));
  });

  it("by TF comes behind each instruction, and says so in DR6 (SDM 3B 17.3.1.4)", () => {
    const { guest, frame } = caught((code) => {
      code
        .raw(0x68, ...le(0x102, 4), 0x9d)
        .raw(0x90)
        .label("behind")
        .raw(0x90);
    });
    expect(frame).toMatchObject({ vector: vectors.DB, rip: guest.label("behind") });
    expect(frame.rflags & TF).toBe(TF);
    expect(guest.register(0, R14) & TF).toBe(0n);
  });

  it("by TF is held off by MOV SS for one instruction (SDM 3A 6.8.3)", () => {
    const { guest, frame } = caught((code) => {
      code.movShort(RAX, selectors.data).raw(0x68, ...le(0x102, 4), 0x9d);
      code.raw(0x8e, 0xd0).raw(0x90).label("behind").raw(0x90);
    });
    expect(frame.rip).toBe(guest.label("behind"));
  });
});

describe("delivery in 64-bit mode (SDM 3A 6.14)", () => {
  it("pushes SS, RSP, RFLAGS, CS, RIP on a stack aligned to 16, and RSP as it was", () => {
    for (let offset = 0; offset < 16; offset += 3) {
      const { guest, frame } = caught((code) => {
        code
          .movShort(RSP, STACKS + 0x800 + offset)
          .label("there")
          .raw(0x0f, 0x0b);
      });
      expect(guest.register(0, R12)).toBe(BigInt(STACKS + 0x800 - 40));
      expect(frame).toMatchObject({ rsp: BigInt(STACKS + 0x800 + offset), rip: guest.label("there") });
    }
  });

  it("pushes an error code of 8 bytes below", () => {
    const { guest } = caught((code) =>
      code
        .movShort(RSP, STACKS + 0x808)
        .movShort(RBX, NOWHERE)
        .raw(...readByRbx),
    );
    expect(guest.register(0, R12)).toBe(BigInt(STACKS + 0x800 - 48));
  });

  const flags = IF | NT | AC | STATUS | 2n;
  it.each([
    ["an interrupt gate clears IF", 0xe, flags & ~(IF | NT)],
    ["a trap gate leaves IF", 0xf, flags & ~NT],
  ])("%s; both clear TF, NT and RF, and leave AC and the status flags", (_, type, seen) => {
    const { guest, frame } = caught((code) => code.raw(0x68, ...le(flags, 4), 0x9d, 0xcd, 0x50), {
      gates: { 0x50: { type } },
    });
    expect(frame.rflags).toBe(flags);
    expect(guest.register(0, R14)).toBe(seen);
  });

  it("takes the stack from the interrupt stack table if the gate says so, aligned", () => {
    for (const index of [1, 4, 7]) {
      const { guest, frame } = caught((code) => code.raw(0xcd, 0x50), { gates: { 0x50: { ist: index } } });
      expect(guest.register(0, R12)).toBe(BigInt(ist(0, index) - 40));
      expect(frame.rsp).toBe(BigInt(STACKS + 0x1000));
    }
  });

  it("raises #TS when the stack lies beyond the TSS", () => {
    const { frame } = caught((code) => code.raw(0xcd, 0x50), { gates: { 0x50: { ist: 7 } }, tssLimit: 90 });
    expect(frame).toMatchObject({ vector: vectors.TS, error: 0x80n });
  });

  it.each([
    ["#NP with vector and IDT bit for a gate that is not present", { present: false }, vectors.NP, 0x50n * 8n + 2n],
    ["#GP with vector and IDT bit for a gate of another type", { type: 0x5 }, vectors.GP, 0x50n * 8n + 2n],
    ["#GP for a null code segment", { selector: 0 }, vectors.GP, 0n],
    ["#GP with the selector for data", { selector: selectors.data }, vectors.GP, BigInt(selectors.data)],
    [
      "#GP with the selector for 32-bit code",
      { selector: selectors.compatibility },
      vectors.GP,
      BigInt(selectors.compatibility),
    ],
    [
      "#GP with the selector for code of DPL 3",
      { selector: selectors.userCode },
      vectors.GP,
      BigInt(selectors.userCode & ~3),
    ],
    [
      "#NP with the selector for code that is not present",
      { selector: selectors.absentCode },
      vectors.NP,
      BigInt(selectors.absentCode),
    ],
    ["#GP for an offset that is not canonical", { offset: NOT_CANONICAL }, vectors.GP, 0n],
  ])("raises %s, at INT n", (_, gate, vector, error) => {
    const { guest, frame } = caught((code) => code.label("there").raw(0xcd, 0x50), { gates: { 0x50: gate } });
    expect(frame).toMatchObject({ vector, error, rip: guest.label("there") });
  });

  it("raises #GP for a vector beyond the table", () => {
    const { frame } = caught((code) => code.raw(0xcd, 0x50), { idtLimit: 0x50 * 16 + 14 });
    expect(frame).toMatchObject({ vector: vectors.GP, error: 0x50n * 8n + 2n });
  });
});

describe("an exception during delivery (SDM 3A table 6-5)", () => {
  const absent = { present: false };
  const readNowhere = (code: Code): unknown =>
    code
      .movShort(RBX, NOWHERE)
      .label("there")
      .raw(...readByRbx);
  const ud2 = (code: Code): unknown => code.label("there").raw(0x0f, 0x0b);
  const wrongMsr = (code: Code): unknown => code.movShort(RCX, 0x1234).label("there").raw(0x0f, 0x32);
  /** An interrupt stack that is not mapped: its page fault comes in the middle of the delivery. */
  const noStack = (code: Code): unknown => code.movShort(RSP, 0x1000);

  it.each<[string, (code: Code) => unknown, number, number]>([
    ["#UD and #NP: one after the other", ud2, vectors.UD, vectors.NP],
    ["#GP and #NP: #DF", wrongMsr, vectors.GP, vectors.DF],
    ["#PF and #NP: #DF", readNowhere, vectors.PF, vectors.DF],
    ["#DB and #NP: one after the other", (c) => c.label("there").raw(0xf1), vectors.DB, vectors.NP],
    ["#DE and #NP: #DF", (c) => c.movShort(RBX, 0).label("there").raw(0xf7, 0xf3), vectors.DE, vectors.DF],
  ])("%s", (_, emit, first, then) => {
    const { guest, frame } = caught(emit, { gates: { [first]: absent } });
    expect(frame).toMatchObject({ vector: then, rip: guest.label("there") });
    expect(frame.error).toBe(then === vectors.DF ? 0n : BigInt(8 * first + 3));
  });

  it.each<[string, (code: Code) => unknown, number]>([
    ["#UD, then #PF for the stack: one after the other", ud2, vectors.PF],
    ["#GP, then #PF for the stack: one after the other", wrongMsr, vectors.PF],
    ["#PF, then #PF for the stack: #DF", readNowhere, vectors.DF],
  ])("%s", (_, emit, vector) => {
    const { frame } = caught(
      (code) => {
        noStack(code);
        emit(code);
      },
      { gates: { [vectors.DF]: { ist: 1 }, [vectors.PF]: vector === vectors.PF ? { ist: 2 } : {} } },
    );
    expect(frame.vector).toBe(vector);
    expect(frame.rsp).toBe(0x1000n);
  });

  it("has EXT in the error code, except behind INT n and INT3", () => {
    expect(caught((code) => code.raw(0xcc), { gates: { 3: absent } }).frame.error).toBe(3n * 8n + 2n);
    expect(caught((code) => code.raw(0xf1), { gates: { 1: absent } }).frame.error).toBe(1n * 8n + 3n);
  });

  it("that follows #DF stops the machine, which says where: CPU, RIP, cycle, and the exception", () => {
    const guest = new Guest(
      (code) => {
        code.label("idle");
        halt(code);
        code.label("start");
        loadTables(code, 1);
        wrongMsr(code);
      },
      { cpus: 2, gates: { [vectors.GP]: absent, [vectors.DF]: absent } },
    );
    guest.start("idle", "start").run();
    expect(guest.stop).toMatchObject({
      reason: StopReason.TRIPLE_FAULT,
      cpu: 1,
      pc: guest.label("there"),
      detail: BigInt(vectors.NP),
    });
    expect(guest.stop.cycle).toBeGreaterThan(0n);
    expect(guest.machine.state(1)).toBe(CpuState.DEAD);
  });

  it("before any table is loaded is such a stop as well", () => {
    const guest = new Guest((code) => code.label("start").raw(0x90, 0x0f, 0x0b));
    guest.start("start").run();
    expect(guest.stop).toMatchObject({ reason: StopReason.TRIPLE_FAULT, cpu: 0, pc: guest.label("start") + 1n });
  });
});
