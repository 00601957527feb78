// User mode: how a program gets to CPL 3 and back, on which stack, and what it is refused there (Intel SDM volume 3A 5.5 to 5.9,
// 6.12.1, 6.14; volume 1 19.5; volume 2 by instruction), rule by rule.

import { describe, expect, it } from "vitest";
import { StopReason } from "../../../src/abi.ts";
import { DATA, ist, selectors } from "./guest.ts";
import { type TextGuestOptions, caught, endOfInterrupt, runGuest, wrmsr } from "./text-guest.ts";

const GP = 13;
const UD = 6;
const PF = 14;
const IF = 1n << 9n;
const IOPL = 3n << 12n;
const AC = 1 << 18;

/** Tops of stacks: the user's, and the one that the TSS names for CPL 0. */
const USER_STACK = DATA + 0x700;
const KERNEL_STACK = DATA + 0x608;
const TSS = 0x4000;
/** A gate that programs of CPL 3 may call. */
const OPEN = { type: 0x6e };

const USER_CODE: number = selectors.userCode;
const USER_DATA: number = selectors.userData;

const setKernelStack = `movq $${KERNEL_STACK}, ${TSS + 4}\n`;
/** The TSS has no I/O permission bitmap. */
const noPorts = `movw $104, ${TSS + 102}\n`;

/** IRETQ to the next instruction, which CPL 3 executes. */
function toUser({ rflags = 2, cs = USER_CODE, ss = USER_DATA } = {}): string {
  return `${setKernelStack} push $${ss}; push $${USER_STACK}; push $${rflags}; push $${cs}
    movabs $user, %rax; push %rax; leave: iretq; user: `;
}

/** What CPL 3 is caught at. */
function caughtInUser(program: string, options: Omit<TextGuestOptions, "programs"> & { rflags?: number } = {}) {
  const { rflags, ...others } = options;
  return caught(`${toUser(rflags === undefined ? {} : { rflags })} ${program}`, others);
}

const USER = { cs: BigInt(selectors.userCode), ss: BigInt(selectors.userData), rsp: BigInt(USER_STACK) };

describe("an event at CPL 3", () => {
  it("is handled at CPL 0 on RSP0 of the TSS, aligned to 16, with a null SS; the frame has the user's", () => {
    const handlers = { bp: { raw: "mov %ss, %r8d; mov %cs, %r9d; mov %rsp, %r12; mov $3, %r15d; 1: hlt; jmp 1b" } };
    const { guest, frame } = caughtInUser("int3; there: nop", { handlers, gates: { 3: OPEN }, rflags: 0x202 });
    expect(frame).toMatchObject({ ...USER, rip: guest.label("there") });
    expect(frame.rflags & (IF | IOPL)).toBe(IF);
    expect(guest.regs(0, "r8", "r9", "r12")).toEqual([0n, BigInt(selectors.code), BigInt(KERNEL_STACK - 8 - 40)]);
    expect(guest.machine.privilege(0)).toBe(0);
  });

  it("is handled on a stack of the interrupt stack table, where the gate names one", () => {
    const { guest, frame } = caughtInUser("there: ud2", { gates: { [UD]: { ist: 2 } } });
    expect(frame).toMatchObject({ ...USER, rip: guest.label("there") });
    expect(guest.reg(0, "r12")).toBe(BigInt(ist(0, 2) - 40));
  });

  it("stays at CPL 3, on the same stack, where the gate leads to code of CPL 3 or conforming code", () => {
    for (const selector of [selectors.userCode, selectors.conforming]) {
      const handlers = { bp: { raw: "mov %cs, %r8d; mov %ss, %r9d; mov %rsp, %r12; there: hlt" } };
      const { guest, frame } = caughtInUser("int3", { handlers, gates: { 3: { ...OPEN, selector } } });
      expect(frame).toMatchObject({ vector: GP, error: 0n, rip: guest.label("there"), cs: BigInt(selector | 3) });
      expect(guest.regs(0, "r8", "r9")).toEqual([BigInt(selector | 3), USER.ss]);
    }
  });

  it.each([
    ["an interrupt", 0x40, wrmsr("IA32_X2APIC_SELF_IPI", 0x40), endOfInterrupt()],
    ["an NMI", "nmi", wrmsr("IA32_X2APIC_ICR", 0x400), ""],
  ] as const)("comes back by IRETQ: %s", (_, vector, send, end) => {
    const program = `${setKernelStack} xor %r10d, %r10d; ${toUser({ rflags: 0x202 })}
      1: inc %rbx; cmp $0, %r10; je 1b; mov %cs, %r8d; mov %ss, %r9d; mov %rsp, %rbp; 2: jmp 2b`;
    const guest = runGuest(
      {
        programs: [
          program,
          `mov $3000, %ecx; 1: dec %rcx; jnz 1b; ${typeof vector === "number" ? wrmsr("IA32_X2APIC_ICR", vector) : send}`,
        ],
        handlers: { [vector]: `inc %r10; ${end}` },
      },
      100_000,
    );
    expect(guest.regs(0, "r10", "r8", "r9", "rbp")).toEqual([1n, USER.cs, USER.ss, USER.rsp]);
    expect(guest.machine.privilege(0)).toBe(3);
  });
});

describe("CPL 3 is refused", () => {
  const privileged = [
    "hlt", "rdmsr", "wrmsr", "swapgs", "invlpg (%rbx)", ".byte 0x66, 0x0f, 0x38, 0x82, 0x03  # invpcid (%rbx), %rax", "wbinvd", "invd", "clts", "mov %cr0, %rax", "mov %rax, %cr3",
    "mov %cr8, %rax", "mov %rax, %cr8", "mov %dr7, %rax", "mov %rax, %dr7", "lmsw %ax", "lgdt (%rbx)", "lidt (%rbx)", "lldt %ax", "ltr %ax",
    "cli", "sti", "in $0x61, %al", "out %al, $0x80", "in %dx, %eax", "rdpmc",
  ]; // prettier-ignore
  it.each(privileged)("%s: #GP(0)", (instruction) => {
    const { guest, frame } = caught(`${noPorts} ${toUser({ rflags: 0x202 })} mov $DATA, %ebx; there: ${instruction}`);
    expect(frame).toMatchObject({ ...USER, vector: GP, error: 0n, rip: guest.label("there") });
    expect(frame.rflags & IF).toBe(IF);
  });

  it("SYSRET: #GP(0)", () => {
    const { frame } = caught(`${wrmsr("IA32_EFER", 0x501)} ${toUser()} there: sysretq`);
    expect(frame).toMatchObject({ ...USER, vector: GP, error: 0n });
  });

  it.each(["monitor", "mwait", "clac", "stac"])("%s: #UD", (instruction) => {
    const { guest, frame } = caughtInUser(`mov $DATA, %eax; xor %ecx, %ecx; there: ${instruction}`);
    expect(frame).toMatchObject({ ...USER, vector: UD, rip: guest.label("there") });
  });

  it.each(["rdtsc", "rdtscp", "tpause %esi"])("%s where CR4.TSD is set: #GP(0)", (instruction) => {
    const with_ = (bits: number) =>
      caught(`mov %cr4, %rax; or $${bits}, %eax; mov %rax, %cr4; ${toUser()} xor %esi, %esi; ${instruction}; ud2`)
        .frame;
    expect(with_(4)).toMatchObject({ ...USER, vector: GP, error: 0n });
    expect(with_(0)).toMatchObject({ ...USER, vector: UD });
  });

  it.each(["int $0x55", "int3"])("%s through a gate of DPL 0: #GP with the gate", (instruction) => {
    const vector = instruction === "int3" ? 3n : 0x55n;
    const { guest, frame } = caughtInUser(`there: ${instruction}`);
    expect(frame).toMatchObject({ ...USER, vector: GP, error: vector * 8n + 2n, rip: guest.label("there") });
  });

  it("no gate for exceptions that the processor raises: their DPL doesn't count", () => {
    expect(caughtInUser("xor %ecx, %ecx; there: div %ecx").frame).toMatchObject({ ...USER, vector: 0 });
  });

  it.each([
    ["mov %eax, %ss", selectors.data, GP],
    ["mov %eax, %ds", selectors.data, GP],
    ["mov %eax, %ds", selectors.data | 3, GP],
    ["mov %eax, %ds", selectors.userData, UD],
    ["mov %eax, %ss", selectors.userData, UD],
    ["mov %eax, %ds", selectors.conforming, UD],
  ])("%s, selector %i", (instruction, selector, vector) => {
    const { frame } = caughtInUser(`mov $${selector}, %eax; ${instruction}; ud2`);
    expect(frame).toMatchObject({ ...USER, vector, ...(vector === GP ? { error: BigInt(selector & ~3) } : {}) });
  });

  it("a null SS: #GP(0)", () => {
    for (const selector of [0, 3]) {
      const { frame } = caughtInUser(`mov $${selector}, %eax; mov %eax, %ss; ud2`);
      expect(frame).toMatchObject({ ...USER, vector: GP, error: 0n });
    }
  });

  it("what LAR, LSL, VERR and VERW tell of inner segments", () => {
    // lar %eax, %ebx; lsl %eax, %ebx; verr %ax; verw %ax
    const ask = ["0x02, 0xd8", "0x03, 0xd8", "0x00, 0xe0", "0x00, 0xe8"].map((bytes) => `.byte 0x0f, ${bytes}`);
    const answers = (selector: number) =>
      caughtInUser(`mov $${selector}, %eax; xor %r8d, %r8d; ${ask.map((one) => `${one}; setz %cl; movzbl %cl, %ecx; shl $1, %r8; or %rcx, %r8`).join("; ")}; ud2`).guest.reg(0, "r8"); // prettier-ignore
    expect(answers(selectors.userData)).toBe(0xfn);
    expect(answers(selectors.data)).toBe(0n);
  });
});

describe("the flags at CPL 3", () => {
  it("IF and IOPL don't change by POPFQ and IRETQ, which raise nothing", () => {
    for (const [before, to] of [
      [0x202, 0x3002],
      [0x2, 0x3202],
    ] as const) {
      const same = `push $${selectors.userData}; push $${USER_STACK}; push $${to}; push $${selectors.userCode}; movabs $next, %rax; push %rax; iretq; next: ud2`;
      const kept = { rflags: BigInt(before) & IF };
      const byPop = caughtInUser(`push $${to}; popfq; ud2`, { rflags: before }).frame;
      const byReturn = caughtInUser(same, { rflags: before }).frame;
      expect([byPop.rflags & (IF | IOPL), byReturn.rflags & (IF | IOPL)]).toEqual([kept.rflags, kept.rflags]);
    }
  });

  it("with IOPL 3, CLI, STI, POPFQ and ports are allowed; IOPL itself stays", () => {
    const { frame } = caughtInUser("cli; sti; nop; push $2; popfq; in $0x61, %al; ud2", { rflags: 0x3202 });
    expect(frame).toMatchObject({ ...USER, vector: UD });
    expect(frame.rflags & (IF | IOPL)).toBe(IOPL);
  });
});

describe("the I/O permission bitmap", () => {
  /** A bitmap behind the TSS of CPU 0, which is at the end of the limit. */
  const BITMAP = 104;
  const port = (bitmap: string, instruction: string, tssLimit = 0x7f) =>
    caught(`movw $${BITMAP}, ${TSS + 102}; ${bitmap}; ${toUser()} there: ${instruction}; ud2`, { tssLimit }).frame
      .vector;

  it("lets a port through whose bit is clear, for all of its bytes", () => {
    expect(port(`movb $0xfd, ${TSS + BITMAP + 12}`, "in $0x61, %al")).toBe(UD);
    expect(port(`movb $0xfd, ${TSS + BITMAP + 12}`, "in $0x61, %ax")).toBe(GP);
    expect(port(`movb $0xfd, ${TSS + BITMAP + 12}`, "in $0x62, %al")).toBe(GP);
  });

  it("must lie within the limit of the TSS, with a byte more", () => {
    expect(port("nop", "in $0x61, %al", BITMAP + 13)).toBe(UD);
    expect(port("nop", "in $0x61, %al", BITMAP + 12)).toBe(GP);
  });
});

describe("returns", () => {
  const frameOf = (cs: number, ss: number) =>
    `push $${ss}; push $${USER_STACK}; push $2; push $${cs}; movabs $next, %rax; push %rax; leave: iretq; next: ud2`;

  it.each([
    ["to CPL 0: #GP with the selector", selectors.code, selectors.data, selectors.code],
    ["to CPL 3 by the code of CPL 0: #GP with the selector", selectors.code | 3, selectors.userData, selectors.code],
    ["with a null SS: #GP(0)", selectors.userCode, 0, 0],
    ["with SS of CPL 0: #GP with the selector", selectors.userCode, selectors.data, selectors.data],
  ])("from CPL 3, %s", (_, cs, ss, error) => {
    const { guest, frame } = caughtInUser(`${frameOf(cs, ss).replace("leave:", "again:")}`);
    expect(frame).toMatchObject({ vector: GP, error: BigInt(error), rip: guest.label("again"), cs: USER.cs });
  });

  it.each([
    ["with a null SS: #GP(0)", selectors.userCode, 3, 0],
    ["with SS of CPL 0: #GP with the selector", selectors.userCode, selectors.data, selectors.data],
    ["by code of CPL 0: #GP with the selector", selectors.code | 3, selectors.userData, selectors.code],
  ])("to CPL 3 %s, and nothing has changed", (_, cs, ss, error) => {
    const { guest, frame } = caught(toUser({ cs, ss }));
    expect(frame).toMatchObject({
      vector: GP,
      error: BigInt(error),
      rip: guest.label("leave"),
      cs: BigInt(selectors.code),
    });
  });

  it("to CPL 3 make null what that may not use of DS, ES, FS and GS", () => {
    const load = `mov $${selectors.data}, %eax; mov %eax, %ds; mov %eax, %fs; mov $${selectors.userData}, %eax; mov %eax, %es; mov $${selectors.conforming}, %eax; mov %eax, %gs`;
    const { guest } = caught(`${load}; ${toUser()} mov %ds, %r8d; mov %es, %r9d; mov %fs, %r10d; mov %gs, %r11d; ud2`);
    expect(guest.regs(0, "r8", "r9", "r10", "r11")).toEqual(
      [0, selectors.userData, 0, selectors.conforming].map(BigInt),
    );
  });

  it("by RETF pop RSP and SS, too, and release the arguments on both stacks", () => {
    const { guest, frame } = caught(`
      ${setKernelStack} push $${selectors.userData}; push $${USER_STACK - 16}; push %rax; push %rax; push $${selectors.userCode}; push $next
      lretq $16; next: ud2`);
    expect(frame).toMatchObject({ ...USER, rip: guest.label("next") });
  });

  it("with alignment checks on, which are not modelled, stop the machine by name", () => {
    const checks = `mov %cr0, %rax; or $${AC}, %eax; mov %rax, %cr0; ${toUser({ rflags: AC | 2 })} ud2`;
    const { guest } = caught(checks);
    expect(guest.stop).toMatchObject({ reason: StopReason.UNSUPPORTED, pc: guest.label("leave") });
    const byPop = caught(
      `mov %cr0, %rax; or $${AC}, %eax; mov %rax, %cr0; ${toUser()} push $${AC}; there: popfq`,
    ).guest;
    expect(byPop.stop).toMatchObject({ reason: StopReason.UNSUPPORTED, pc: byPop.label("there") });
  });
});

describe("SYSCALL and SYSRET", () => {
  it("lead to CPL 0 without changing the stack, and back", () => {
    const star = (BigInt(selectors.userCode - 16) << 48n) | (BigInt(selectors.code) << 32n);
    // SYSRET takes SS from STAR + 8, CS from STAR + 16.
    const { guest, frame } = caught(`
      ${wrmsr("IA32_EFER", 0x501)} ${wrmsr("IA32_STAR", star)} ${wrmsr("IA32_FMASK", 0x200)}
      mov $IA32_LSTAR, %ecx; mov $entry, %eax; xor %edx, %edx; wrmsr
      ${toUser({ rflags: 0x202 })} syscall; back: mov %cs, %r8d; ud2
      entry: mov %cs, %r9d; mov %ss, %r10d; mov %rsp, %rbp; pushfq; pop %r13; sysretq`);
    expect(guest.regs(0, "r9", "r10", "rbp", "r8")).toEqual(
      [selectors.code, selectors.code + 8, USER_STACK, selectors.userCode].map(BigInt),
    );
    expect(frame).toMatchObject({ vector: UD, cs: USER.cs, ss: BigInt(selectors.userCode - 8) });
    expect(frame.rflags & IF).toBe(IF);
  });
});

describe("page faults at CPL 3", () => {
  it.each([
    ["a load", "mov 0x1234, %rax", 4n],
    ["a store", "mov %rax, 0x1234", 6n],
    ["a fetch", "mov $0x1234, %eax; jmp *%rax", 4n],
  ])("say so: %s", (_, instruction, error) => {
    expect(caughtInUser(instruction).frame).toMatchObject({ ...USER, vector: PF, error });
  });
});
