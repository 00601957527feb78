// IRETQ and the far returns (Intel SDM volume 2A IRET, 2B RET), rule by rule.

import { describe, expect, it } from "vitest";
import { STACKS, selectors } from "./guest.ts";
import { caught, wrmsr } from "./text-guest.ts";

const GP = 13;
const NP = 11;
const SS = 12;
const IF = 1n << 9n;
const CS = selectors.code;

interface Popped {
  /** A number or a label. */
  readonly rip?: string;
  readonly cs?: number;
  readonly rflags?: number;
  readonly rsp?: number;
  readonly ss?: number;
}

/** IRETQ with a frame that leads to "behind", the next instruction, unless told otherwise. */
function interruptReturn({ rip = "behind", cs = CS, rflags = 2, rsp = STACKS + 0x700, ss = selectors.data }: Popped) {
  return `push $${ss}; push $${rsp}; push $${rflags}; push $${cs}
    movabs $${rip}, %rax; push %rax
    there: iretq
    behind: `;
}

describe("IRETQ", () => {
  it("pops RIP, CS, RFLAGS, RSP and SS also without a change of privilege", () => {
    const { guest, frame } = caught(`${interruptReturn({ rflags: 0xad7, rsp: STACKS + 0x6f1 })} ud2`);
    expect(frame).toMatchObject({
      vector: 6,
      rip: guest.label("behind"),
      cs: BigInt(CS),
      rsp: BigInt(STACKS + 0x6f1),
      ss: BigInt(selectors.data),
    });
    expect(frame.rflags & 0xffffn).toBe(0xad7n);
  });

  it("loads IF, IOPL, NT, AC, ID, but neither VM nor the reserved bits", () => {
    const { frame } = caught(`${interruptReturn({ rflags: 0x26_7aff })} ud2`);
    expect(frame.rflags & ~(1n << 16n)).toBe(0x24_7ad7n);
  });

  it("may load a null SS when it stays at CPL 0 in 64-bit mode", () => {
    const { frame } = caught(`${interruptReturn({ ss: 0 })} ud2`);
    expect(frame.ss).toBe(0n);
  });

  it.each<[string, Popped, number, bigint]>([
    ["#GP for a RIP that is not canonical", { rip: "0x800000000000" }, GP, 0n],
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
    const { guest, frame } = caught(interruptReturn(popped));
    expect(frame).toMatchObject({ vector, error, rip: guest.label("there"), rsp: BigInt(STACKS + 0x1000 - 40) });
  });

  it("raises #GP with NT set", () => {
    const { guest, frame } = caught(`push $0x4002; popfq; ${interruptReturn({})}`);
    expect(frame).toMatchObject({ vector: GP, error: 0n, rip: guest.label("there") });
  });

  it("raises a page fault when the frame is not there", () => {
    const { guest, frame } = caught("mov $0x1000, %esp; there: iretq", { gates: { 14: { ist: 1 } } });
    expect(frame).toMatchObject({ vector: 14, rip: guest.label("there"), rsp: 0x1000n });
  });

  it("with 32-bit operands pops 20 bytes", () => {
    const { guest, frame } = caught(`
      sub $20, %rsp
      movl $next, (%rsp)
      movl $${CS}, 4(%rsp)
      movl $2, 8(%rsp)
      movl $STACKS + 0x600, 12(%rsp)
      movl $${selectors.data}, 16(%rsp)
      iretl
      next: ud2`);
    expect(frame).toMatchObject({ vector: 6, rsp: BigInt(STACKS + 0x600), rip: guest.label("next") });
  });
});

describe("RETF", () => {
  it("releases the bytes that it is told to", () => {
    const { guest, frame } = caught(`push %rbx; push %rbx; push $${CS}; push $next; lretq $16; next: ud2`);
    expect(frame).toMatchObject({ vector: 6, rip: guest.label("next"), rsp: BigInt(STACKS + 0x1000) });
  });
});

it("POPFQ loads IF without a shadow, and leaves RF and VM (SDM 2B POPF)", () => {
  const { frame } = caught("push $0x230202; popfq; ud2");
  expect(frame.rflags & ~(1n << 16n)).toBe(IF | (1n << 21n) | 2n);
});

describe("SYSCALL at CPL 0", () => {
  it("goes to LSTAR, leaves RIP in RCX and RFLAGS in R11, and clears the flags of FMASK", () => {
    const { guest } = caught(`
      ${wrmsr("IA32_EFER", 0x501)}
      ${wrmsr("IA32_STAR", BigInt(CS) << 32n)}
      ${wrmsr("IA32_FMASK", 0x200)}
      mov $IA32_LSTAR, %ecx; mov $entry, %eax; xor %edx, %edx; wrmsr
      push $0x247; popfq; syscall
      behind: ud2
      entry: pushfq; pop %r14`);
    expect(guest.regs(0, "rcx", "r11", "r14")).toEqual([guest.label("behind"), 0x247n, 0x47n]);
  });

  it("is undefined while EFER.SCE is clear", () => {
    expect(caught("syscall").frame.vector).toBe(6);
  });
});
