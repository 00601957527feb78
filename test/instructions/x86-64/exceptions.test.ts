// Exceptions in 64-bit mode: what is raised, frames, error codes, stacks, nesting (Intel SDM volume 3A, chapter 6), rule by
// rule.

import { describe, expect, it } from "vitest";
import { CpuState, StopReason } from "../../../src/abi.ts";
import { CODE, CONSTANTS, DATA, DATA_BYTES, STACKS, ist, selectors } from "./guest.ts";
import { caught, runGuest, TextGuest, wrmsr } from "./text-guest.ts";

const TF = 1n << 8n;
const IF = 1n << 9n;
const NT = 1n << 14n;
const RF = 1n << 16n;
const AC = 1n << 18n;
const STATUS = 0x8d5n;

const vectors = { DE: 0, DB: 1, BP: 3, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14 } as const;

const NOWHERE = 0x1234;
const NOT_CANONICAL = 0x8000_0000_0000n;

/** An access of an instruction to what RBX points to. */
function access(address: number | bigint, instruction: string): string {
  return `movabs $${address}, %rbx; there: ${instruction}`;
}

const READ = "mov (%rbx), %rax";
const WRITE = "mov %rax, (%rbx)";
const load = (selector: number, segment: "ds" | "ss"): string => `mov $${selector}, %eax; there: mov %eax, %${segment}`;
const nonCanonical = `movabs $${NOT_CANONICAL}`;

describe("a fault", () => {
  it.each<[string, number, bigint | undefined, string]>([
    ["#DE for a division by zero", vectors.DE, undefined, "xor %ebx, %ebx; there: div %ebx"],
    ["#DE for a quotient that doesn't fit", vectors.DE, undefined, "mov $5, %edx; mov $5, %ebx; there: div %ebx"],
    [
      "#DE for the least number divided by -1",
      vectors.DE,
      undefined,
      "mov $0x80000000, %eax; cltd; mov $0xffffffff, %ebx; there: idiv %ebx",
    ],
    ["#UD for UD2", vectors.UD, undefined, "there: ud2"],
    ["#UD for UD0", vectors.UD, undefined, "there: .byte 0x0f, 0xff, 0xc0  # ud0 %eax, %eax"],
    ["#UD for LOCK of a load", vectors.UD, undefined, "there: .byte 0xf0; mov (%rbx), %eax"],
    ["#UD for LOCK of a shift in memory", vectors.UD, undefined, "there: .byte 0xf0; shll (%rbx)"],
    ["#UD for CR1", vectors.UD, undefined, "there: .byte 0x0f, 0x20, 0xc8  # mov %cr1, %rax"],
    ["#UD for RDFSBASE without CR4.FSGSBASE", vectors.UD, undefined, "there: rdfsbase %eax"],
    ["#UD for SSE without CR4.OSFXSR", vectors.UD, undefined, "there: .byte 0x0f, 0x58, 0xc0  # addps %xmm0, %xmm0"],
    ["#UD for AVX", vectors.UD, undefined, "there: .byte 0xc5, 0xf8, 0x58, 0xc0  # vaddps %xmm0, %xmm0, %xmm0"],
    [
      "#NM for x87 with CR0.TS",
      vectors.NM,
      undefined,
      "mov %cr0, %rax; or $8, %eax; mov %rax, %cr0; there: .byte 0xd9, 0xe8  # fld1",
    ],
    ["#GP for more than 15 bytes", vectors.GP, 0n, "there: .rept 15; .byte 0x66; .endr; nop"],
    ["#GP for an unknown MSR", vectors.GP, 0n, "mov $0x1234, %ecx; there: rdmsr"],
    [
      "#GP for a non-canonical address in an MSR",
      vectors.GP,
      0n,
      "mov $IA32_FS_BASE, %ecx; xor %eax, %eax; mov $0x8000, %edx; there: wrmsr",
    ],
    ["#GP for reserved bits of CR4", vectors.GP, 0n, "mov $0x80000020, %eax; there: mov %rax, %cr4"],
    ["#GP for CR0 without paging", vectors.GP, 0n, "mov $1, %eax; there: mov %rax, %cr0"],
    ["#GP for CR8 above 15", vectors.GP, 0n, "mov $16, %eax; there: mov %rax, %cr8"],
    ["#GP for a non-canonical load", vectors.GP, 0n, access(NOT_CANONICAL, READ)],
    ["#GP for a non-canonical store", vectors.GP, 0n, access(~NOT_CANONICAL, WRITE)],
    ["#GP for a load that leaves the canonical addresses", vectors.GP, 0n, access(NOT_CANONICAL - 4n, READ)],
    ["#GP for CMPXCHG16B that is not aligned", vectors.GP, 0n, access(DATA + 8, "cmpxchg16b (%rbx)")],
    ["#SS for a non-canonical address by RSP", vectors.SS, 0n, `${nonCanonical}, %rsp; there: mov (%rsp), %rax`],
    ["#SS for a non-canonical address by RBP", vectors.SS, 0n, `${nonCanonical}, %rbp; there: mov (%rbp), %rax`],
    ["#SS for a push there", vectors.SS, 0n, `${nonCanonical} + 8, %rsp; there: push %rax`],
    ["#GP for RBP with another segment", vectors.GP, 0n, `${nonCanonical}, %rbp; there: mov %fs:(%rbp), %rax`],
    ["#GP for a jump to nowhere canonical", vectors.GP, 0n, access(NOT_CANONICAL, "jmp *%rbx")],
    ["#GP for a call to nowhere canonical", vectors.GP, 0n, access(NOT_CANONICAL, "call *%rbx")],
    ["#GP for a return to nowhere canonical", vectors.GP, 0n, `${nonCanonical}, %rbx; push %rbx; there: ret`],
    [
      "#GP with the selector of a segment outside the table",
      vectors.GP,
      BigInt(selectors.outside),
      load(selectors.outside, "ds"),
    ],
    ["#GP with the selector of code for SS", vectors.GP, BigInt(selectors.code), load(selectors.code, "ss")],
    [
      "#GP with the selector of read-only data for SS",
      vectors.GP,
      BigInt(selectors.readOnly),
      load(selectors.readOnly, "ss"),
    ],
    ["#GP for a null SS with RPL 3", vectors.GP, 0n, load(3, "ss")],
    [
      "#NP with the selector of data that is not present",
      vectors.NP,
      BigInt(selectors.notPresent),
      load(selectors.notPresent, "ds"),
    ],
    [
      "#SS with the selector of a stack that is not present",
      vectors.SS,
      BigInt(selectors.notPresent),
      load(selectors.notPresent, "ss"),
    ],
    ["#GP for LLDT of data", vectors.GP, BigInt(selectors.data), `mov $${selectors.data}, %eax; there: lldt %ax`],
    ["#GP for LTR of a busy TSS", vectors.GP, 0x80n, "mov $0x80, %eax; there: ltr %ax"],
  ])("%s points to its instruction, with its error code, and RF set", (_, vector, error, program) => {
    const { guest, frame } = caught(program, { gates: { [vectors.SS]: { ist: 1 } } });
    expect(frame.vector).toBe(vector);
    expect(frame.rip).toBe(guest.label("there"));
    expect(frame.error).toBe(error);
    expect(frame.rflags & RF).toBe(RF);
    expect([frame.cs, frame.ss]).toEqual([BigInt(selectors.code), BigInt(selectors.data)]);
  });
});

describe("a page fault says in CR2 and its error code what was wrong (SDM 3A 4.7)", () => {
  const P = 1n;
  const W = 2n;
  it.each<[string, bigint, number, string]>([
    ["a read of what is not mapped", 0n, NOWHERE, access(NOWHERE, READ)],
    ["a write to what is not mapped", W, NOWHERE, access(NOWHERE, WRITE)],
    ["a write to a read-only page", P | W, CONSTANTS + 5, access(CONSTANTS + 5, WRITE)],
    ["a locked access to a read-only page", P | W, CONSTANTS, access(CONSTANTS, "lock incl (%rbx)")],
    ["a read-modify-write, which is a write", W, NOWHERE, access(NOWHERE, "incl (%rbx)")],
    ["a read across the end of a page", 0n, CONSTANTS + 0x1000, access(CONSTANTS + 0xffd, READ)],
    ["a write across the end of a page", W, DATA + DATA_BYTES, access(DATA + DATA_BYTES - 1, WRITE)],
    ["a jump to what is not mapped", 0n, NOWHERE, access(NOWHERE, "jmp *%rbx")],
    ["a jump to a page without code", P, DATA, access(DATA, "jmp *%rbx")],
    ["a pop from what is not mapped", 0n, NOWHERE, `mov $${NOWHERE}, %esp; pop %rax`],
    ["a bit beyond the operand", 0n, CONSTANTS + 0x1000, `mov $0x8000, %eax; ${access(CONSTANTS, "bt %rax, (%rbx)")}`],
  ])("%s", (_, error, address, program) => {
    const { guest, frame } = caught(program, { gates: { [vectors.PF]: { ist: 1 } } });
    expect(frame.vector).toBe(vectors.PF);
    expect([frame.error, guest.reg(0, "r13")]).toEqual([error, BigInt(address)]);
  });

  it("with the fetch bit when CR4.SMEP or EFER.NXE says so", () => {
    const { frame } = caught(`${wrmsr("IA32_EFER", 0xd00)} mov $DATA, %ebx; jmp *%rbx`);
    expect(frame).toMatchObject({ vector: vectors.PF, error: P | 16n, rip: BigInt(DATA) });
  });

  it("leaves nothing done of an instruction that faults", () => {
    const { guest, frame } = caught(`mov $-1, %rax; ${access(DATA + DATA_BYTES - 4, WRITE)}`);
    expect(frame.rip).toBe(guest.label("there"));
    expect(guest.machine.read32(DATA + DATA_BYTES - 4)).toBe(0);
  });

  it("at an instruction that goes on beyond the end of mapped memory points to its start, CR2 to the next page", () => {
    const guest = new TextGuest({ programs: ["jmp CODE + 0x3ffb"] });
    // MOV to RAX of 64 bits, cut off; what is complete before it is executed
    guest.place(CODE + 0x3ffb, "nop; .byte 0x48, 0xb8, 1, 2").run();
    expect(guest.frame()).toMatchObject({ vector: vectors.PF, error: 0n, rip: BigInt(CODE + 0x3ffc) });
    expect(guest.reg(0, "r13")).toBe(BigInt(CODE + 0x4000));
  });

  it("comes before #GP for the length, when the bytes that would make it too long are not there", () => {
    const guest = new TextGuest({ programs: ["jmp CODE + 0x3ff2"] });
    guest.place(CODE + 0x3ff2, ".rept 14; .byte 0x66; .endr").run();
    expect(guest.frame().vector).toBe(vectors.PF);
  });
});

it("an instruction may lie across two pages", () => {
  const guest = new TextGuest({ programs: ["jmp CODE + 0xffb"] });
  guest.place(CODE + 0xffb, "movabs $0x1122334455667788, %rbx; cli; hlt").run();
  expect(guest.reg(0, "rbx")).toBe(0x1122_3344_5566_7788n);
});

describe("a trap", () => {
  it.each<[string, number, string]>([
    ["INT3", vectors.BP, "int3"],
    ["INT n", 0x77, "int $0x77"],
    ["INT1", vectors.DB, "int1"],
    ["INT 80h", 0x80, "int $0x80"],
  ])("of %s points behind its instruction; RF is clear", (_, vector, instruction) => {
    const { guest, frame } = caught(`${instruction}; behind:`);
    expect(frame).toMatchObject({ vector, rip: guest.label("behind") });
    expect(frame.rflags & RF).toBe(0n);
  });

  it("of INT n has no error code, also where the exception of that number has one", () => {
    const { guest } = caught(`mov $STACKS + 0x800, %esp; int $${vectors.GP}`);
    expect(guest.reg(0, "r12")).toBe(BigInt(STACKS + 0x800 - 40));
  });

  it("by TF comes behind each instruction, and says so in DR6 (SDM 3B 17.3.1.4)", () => {
    const { guest, frame } = caught("push $0x102; popfq; nop; behind: nop");
    expect(frame).toMatchObject({ vector: vectors.DB, rip: guest.label("behind") });
    expect(frame.rflags & TF).toBe(TF);
    expect(guest.reg(0, "r14") & TF).toBe(0n);
  });

  it("by TF is held off by MOV SS for one instruction (SDM 3A 6.8.3)", () => {
    const { guest, frame } = caught("mov %ss, %eax; push $0x102; popfq; mov %eax, %ss; nop; behind: nop");
    expect(frame.rip).toBe(guest.label("behind"));
  });
});

describe("delivery in 64-bit mode (SDM 3A 6.14)", () => {
  it("pushes SS, RSP, RFLAGS, CS, RIP on a stack aligned to 16, and RSP as it was", () => {
    for (let offset = 0; offset < 16; offset += 3) {
      const { guest, frame } = caught(`mov $STACKS + 0x800 + ${offset}, %esp; there: ud2`);
      expect(guest.reg(0, "r12")).toBe(BigInt(STACKS + 0x800 - 40));
      expect(frame).toMatchObject({ rsp: BigInt(STACKS + 0x800 + offset), rip: guest.label("there") });
    }
  });

  it("pushes an error code of 8 bytes below", () => {
    const { guest } = caught(`mov $STACKS + 0x808, %esp; ${access(NOWHERE, READ)}`);
    expect(guest.reg(0, "r12")).toBe(BigInt(STACKS + 0x800 - 48));
  });

  const flags = IF | NT | AC | STATUS | 2n;
  it.each([
    ["an interrupt gate clears IF", 0xe, flags & ~(IF | NT)],
    ["a trap gate leaves IF", 0xf, flags & ~NT],
  ])("%s; both clear TF, NT and RF, and leave AC and the status flags", (_, type, seen) => {
    const { guest, frame } = caught(`push $${flags}; popfq; int $0x50`, { gates: { 0x50: { type } } });
    expect(frame.rflags).toBe(flags);
    expect(guest.reg(0, "r14")).toBe(seen);
  });

  it("takes the stack from the interrupt stack table if the gate says so, aligned", () => {
    for (const index of [1, 4, 7]) {
      const { guest, frame } = caught("int $0x50", { gates: { 0x50: { ist: index } } });
      expect(guest.reg(0, "r12")).toBe(BigInt(ist(0, index) - 40));
      expect(frame.rsp).toBe(BigInt(STACKS + 0x1000));
    }
  });

  it("raises #TS when the stack lies beyond the TSS", () => {
    const { frame } = caught("int $0x50", { gates: { 0x50: { ist: 7 } }, tssLimit: 90 });
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
    const { guest, frame } = caught("there: int $0x50", { gates: { 0x50: gate } });
    expect(frame).toMatchObject({ vector, error, rip: guest.label("there") });
  });

  it("raises #GP for a vector beyond the table", () => {
    const { frame } = caught("int $0x50", { idtLimit: 0x50 * 16 + 14 });
    expect(frame).toMatchObject({ vector: vectors.GP, error: 0x50n * 8n + 2n });
  });
});

describe("an exception during delivery (SDM 3A table 6-5)", () => {
  const absent = { present: false };
  const readNowhere = access(NOWHERE, READ);
  const ud2 = "there: ud2";
  const wrongMsr = "mov $0x1234, %ecx; there: rdmsr";

  it.each<[string, string, number, number]>([
    ["#UD and #NP: one after the other", ud2, vectors.UD, vectors.NP],
    ["#GP and #NP: #DF", wrongMsr, vectors.GP, vectors.DF],
    ["#PF and #NP: #DF", readNowhere, vectors.PF, vectors.DF],
    ["#DB and #NP: one after the other", "there: int1", vectors.DB, vectors.NP],
    ["#DE and #NP: #DF", "xor %ebx, %ebx; there: div %ebx", vectors.DE, vectors.DF],
  ])("%s", (_, program, first, then) => {
    const { guest, frame } = caught(program, { gates: { [first]: absent } });
    expect(frame).toMatchObject({ vector: then, rip: guest.label("there") });
    expect(frame.error).toBe(then === vectors.DF ? 0n : BigInt(8 * first + 3));
  });

  it.each<[string, string, number]>([
    ["#UD, then #PF for the stack: one after the other", ud2, vectors.PF],
    ["#GP, then #PF for the stack: one after the other", wrongMsr, vectors.PF],
    ["#PF, then #PF for the stack: #DF", readNowhere, vectors.DF],
  ])("%s", (_, program, vector) => {
    // a stack that is not mapped: its page fault comes in the middle of the delivery
    const { frame } = caught(`mov $0x1000, %esp; ${program}`, {
      gates: { [vectors.DF]: { ist: 1 }, [vectors.PF]: vector === vectors.PF ? { ist: 2 } : {} },
    });
    expect(frame.vector).toBe(vector);
    expect(frame.rsp).toBe(0x1000n);
  });

  it("has EXT in the error code, except behind INT n and INT3", () => {
    expect(caught("int3", { gates: { 3: absent } }).frame.error).toBe(3n * 8n + 2n);
    expect(caught("int1", { gates: { 1: absent } }).frame.error).toBe(1n * 8n + 3n);
  });

  it("that follows #DF stops the machine, which says where: CPU, RIP, cycle, and the exception", () => {
    const guest = runGuest({
      programs: ["nop", wrongMsr],
      gates: { [vectors.GP]: absent, [vectors.DF]: absent },
    });
    expect(guest.stop).toMatchObject({
      reason: StopReason.TRIPLE_FAULT,
      cpu: 1,
      pc: guest.label("there"),
      detail: BigInt(vectors.NP),
    });
    expect(guest.stop.cycle).toBeGreaterThan(0n);
    expect(guest.state(1)).toBe(CpuState.DEAD);
  });

  it("before any table is loaded is such a stop as well", () => {
    const guest = runGuest({ programs: ["nop; there: ud2"], loadTables: false, enableApic: false });
    expect(guest.stop).toMatchObject({ reason: StopReason.TRIPLE_FAULT, cpu: 0, pc: guest.label("there") });
  });
});
