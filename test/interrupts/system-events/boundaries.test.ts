// What is taken at an instruction boundary, in which order, and what holds it off (Intel SDM 3A 6.7, 6.8, 6.9 with table 6-2; 3B
// 18.3.1.1, rev. 083; reference x86-interrupts.md sections 7, 9, 9.1), rule by rule.

import { describe, expect, it } from "vitest";
import { DeliveryMode, TraceKind } from "../../../src/abi.ts";
import { caught, endOfInterrupt, monitor, note, type TextGuest, wrmsr } from "../../instructions/x86-64/text-guest.ts";
import { guestOf, noted, notes, now, records, runTo, send, sendSmi, VECTOR } from "./guest.ts";

const { NMI, FIXED, INIT, SMI } = DeliveryMode;
const [NMI_FRAME, FIXED_FRAME, TRAP_FRAME] = [40, 42, 44];
const RF = 1n << 16n;
const handlers = {
  db: notes(1, TRAP_FRAME),
  nmi: notes(2, NMI_FRAME),
  [VECTOR]: notes(VECTOR, FIXED_FRAME) + endOfInterrupt(),
};
/** RIP and RF that a handler was called with. */
const frame = (guest: TextGuest, word: number) => ({ rip: guest.data(word), rf: guest.data(word + 1) & RF });

/** `behind`: cycles from the boundary behind WBINVD; by default it arrives in the middle. */
type Sent = readonly [mode: DeliveryMode, behind?: number];

/** Runs a program to the end, having sent it messages around the WBINVD at "slow". */
function sending(program: string, sent: readonly Sent[], more: Parameters<typeof guestOf>[1] = {}): TextGuest {
  const guest = guestOf([program], { ...handlers, ...more });
  runTo(guest, "slow");
  const boundary = behindSlow(guest);
  for (const [mode, behind = -500] of sent) {
    send(guest, mode, { vector: VECTOR, after: Number(boundary - now(guest)) + behind });
  }
  guest.run(20_000);
  return guest;
}

/** The WBINVD at "slow" starts. @returns the cycle in which the next instruction does */
function behindSlow(guest: TextGuest): bigint {
  while (guest.pc(0) === guest.label("slow")) guest.machine.run(now(guest) + 1n);
  return guest.machine.clock(0);
}

/** Sets TF for the instructions behind POPFQ: a trap follows each, the first behind the one after POPFQ. */
const setTrap = "push $0x102; popfq";
/** A handler's only trap: TF is cleared in the RFLAGS that it returns to, behind the saved registers, RIP and CS. */
const trapOnce = notes(1, TRAP_FRAME) + "andq $~0x100, 40(%rsp)";

describe("at one boundary", () => {
  it("an SMI comes before an NMI, and an NMI before an interrupt (table 6-2)", () => {
    const guest = sending("sti; nop; slow: wbinvd; here: nop; nop", [[FIXED], [NMI], [SMI]]);
    expect(noted(guest)).toEqual([2, VECTOR]);
    expect(records(guest, TraceKind.SMM_ENTERED, TraceKind.INTERRUPT_TAKEN).map(({ kind }) => kind)).toEqual([
      TraceKind.SMM_ENTERED,
      TraceKind.INTERRUPT_TAKEN,
      TraceKind.INTERRUPT_TAKEN,
    ]);
  });

  it("the frames of both NMI and interrupt point to the boundary, since the NMI's handler has IF clear", () => {
    const guest = sending("sti; nop; slow: wbinvd; here: nop; nop", [[FIXED], [NMI]]);
    expect([frame(guest, NMI_FRAME).rip, frame(guest, FIXED_FRAME).rip]).toEqual(Array(2).fill(guest.label("here")));
  });

  it("an SMI comes before INIT", () => {
    const guest = sending("slow: wbinvd; jmp .", [[INIT], [SMI]]);
    const kinds = records(guest, TraceKind.SMM_ENTERED, TraceKind.INIT_TAKEN).map(({ kind }) => kind);
    expect(kinds).toEqual([TraceKind.SMM_ENTERED, TraceKind.INIT_TAKEN]);
  });

  it("an SMI comes before the single-step trap of the instruction that is done, which follows RSM", () => {
    const guest = sending(`${setTrap}; slow: wbinvd; here: jmp .`, [[SMI]], { db: trapOnce });
    const [left, trap] = records(guest, TraceKind.SMM_LEFT, TraceKind.EXCEPTION);
    expect([left?.kind, trap?.kind, trap?.subject]).toEqual([TraceKind.SMM_LEFT, TraceKind.EXCEPTION, 1]);
    expect(left?.cycle).toBe(trap?.cycle);
    expect(frame(guest, TRAP_FRAME).rip).toBe(guest.label("here"));
  });

  it("INIT leaves nothing of a single-step trap", () => {
    const guest = guestOf(["nop", `${setTrap}; slow: wbinvd; jmp .`], handlers);
    runTo(guest, "slow", 1);
    send(guest, INIT, { cpu: 1 });
    guest.run(5000);
    expect(noted(guest)).toEqual([]);
  });

  it("a single-step trap comes before an NMI, which is taken before the handler's first instruction", () => {
    const guest = sending(`${setTrap}; slow: wbinvd; here: jmp .`, [[NMI]], { db: trapOnce });
    expect(noted(guest)).toEqual([2, 1]);
    expect(frame(guest, TRAP_FRAME).rip).toBe(guest.label("here"));
    expect(frame(guest, NMI_FRAME).rip).toBe(guest.label("handler1"));
  });

  it("a fault of the next instruction comes behind an NMI: it appears when that has returned", () => {
    const guest = sending("slow: wbinvd; here: ud2; jmp .", [[NMI]], { ud: "inc %r8; jmp ." });
    expect(frame(guest, NMI_FRAME).rip).toBe(guest.label("here"));
    expect(guest.reg(0, "r8")).toBe(1n);
  });

  it("a software interrupt is part of its instruction: an NMI that comes meanwhile waits for the handler", () => {
    const guest = sending("slow: wbinvd; int $0x30; jmp .", [[NMI, 1]], { 0x30: notes(0x30, TRAP_FRAME) });
    expect(noted(guest)[0]).toBe(2);
    expect([guest.label("handler48"), guest.label("handler2")]).not.toContain(frame(guest, TRAP_FRAME).rip);
  });
});

describe("NMIs are unblocked", () => {
  /** In the first run of the NMI handler another NMI is latched, and `text` executed. */
  function inHandler(text: string): TextGuest {
    const guest = guestOf(["slow: wbinvd; jmp ."], {
      ...handlers,
      0x30: "",
      gp: "hlt",
      nmi: `${note(2)}
        cmpq $1, NOTES; jne again
        inner: wbinvd
        ${text}
        ${note(9)}
        again:`,
    });
    runTo(guest, "slow");
    send(guest, NMI);
    runTo(guest, "inner");
    send(guest, NMI);
    guest.run(20_000);
    return guest;
  }

  it("neither by RETF nor by far JMP nor by SYSCALL (section 7, 5)", () => {
    const ways = [
      // CS, RIP
      "push $8; lea far(%rip), %rax; push %rax; lretq; far: nop",
      "movq $far, DATA + 0x200; movq $8, DATA + 0x208; ljmpq *DATA + 0x200; far: nop",
      // with EFER.SCE and the entry set
      `${wrmsr("IA32_EFER", 0x501)} ${wrmsr("IA32_STAR", 8n << 32n)}
       mov $IA32_LSTAR, %ecx; mov $far, %eax; xor %edx, %edx; wrmsr
       syscall; ud2; far: nop`,
    ];
    for (const way of ways) expect(noted(inHandler(way))).toEqual([2, 9, 2]);
  });

  it("by the IRET of an exception in the handler, and by that of INT n (section 7, 3)", () => {
    expect(noted(inHandler("int $0x30"))).toEqual([2, 2, 9]);
  });

  it("by an IRET that faults (6.7.1)", () => {
    // NT set: #GP
    expect(noted(inHandler("push $0x4002; popfq; iretq"))).toEqual([2, 2]);
  });

  it("so that the one that is latched comes at once, with the frame of the return (section 7, 4)", () => {
    const guest = guestOf(["slow: wbinvd; here: nop; nop; nop; jmp ."], {
      nmi: `${notes(2, NMI_FRAME)} inner: wbinvd`,
    });
    runTo(guest, "slow");
    send(guest, NMI);
    runTo(guest, "inner");
    send(guest, NMI);
    guest.run(20_000);
    expect([noted(guest), frame(guest, NMI_FRAME).rip]).toEqual([[2, 2], guest.label("here")]);
  });
});

describe("a shadow", () => {
  it("of STI ends by an exception of the instruction in it (9.1)", () => {
    // a trap gate leaves IF set
    const guest = guestOf(["slow: wbinvd; sti; ud2"], { ...handlers, ud: "jmp ." }, { gates: { 6: { type: 0xf } } });
    runTo(guest, "slow");
    send(guest, FIXED, { vector: VECTOR });
    guest.run(5000);
    expect(frame(guest, FIXED_FRAME).rip).toBe(guest.label("handler6"));
  });

  it("of MOV SS ends by an exception: an NMI comes before the handler's first instruction", () => {
    const guest = sending("mov %ss, %ebx; slow: wbinvd; mov %ebx, %ss; ud2", [[NMI, 1]], { ud: "jmp ." });
    expect(frame(guest, NMI_FRAME).rip).toBe(guest.label("handler6"));
  });

  it("of STI holds off NMIs for one instruction (section 9.1, model choice)", () => {
    const guest = sending("slow: wbinvd; sti; nop; here: nop; nop", [[NMI, 1]]);
    expect(frame(guest, NMI_FRAME).rip).toBe(guest.label("here"));
  });

  it("of STI is none where IF was set: an NMI comes directly behind it", () => {
    const guest = sending("sti; nop; slow: wbinvd; sti; here: nop; nop", [[NMI, 1]]);
    expect(frame(guest, NMI_FRAME).rip).toBe(guest.label("here"));
  });

  it("of STI follows one of MOV SS, and lasts for one instruction", () => {
    const guest = sending("mov %ss, %ebx; slow: wbinvd; mov %ebx, %ss; sti; nop; here: nop; nop", [[FIXED]]);
    expect(frame(guest, FIXED_FRAME).rip).toBe(guest.label("here"));
  });

  it("of MOV SS holds off the single-step trap, and that of STI doesn't (6.8.3)", () => {
    const trapped = (instruction: string): TextGuest =>
      sending(`mov %ss, %ebx; slow: wbinvd; ${setTrap}; ${instruction}; one: nop; two: jmp .`, [], { db: trapOnce });
    const behindMov = trapped("mov %ebx, %ss");
    expect(frame(behindMov, TRAP_FRAME).rip).toBe(behindMov.label("two"));
    const behindSti = trapped("sti");
    expect(frame(behindSti, TRAP_FRAME).rip).toBe(behindSti.label("one"));
  });

  it("of MOV SS is not opened again by a second one (6.8.3)", () => {
    const guest = sending("mov %ss, %ebx; slow: wbinvd; mov %ebx, %ss; mov %ebx, %ss; here: nop; nop", [[NMI, 1]]);
    expect(frame(guest, NMI_FRAME).rip).toBe(guest.label("here"));
  });

  it("of STI with CLI behind it lets nothing in", () => {
    const guest = sending("slow: wbinvd; sti; cli; nop; nop", [[FIXED]]);
    expect(noted(guest)).toEqual([]);
  });
});

describe("RF in a frame", () => {
  const string =
    "mov $DATA + 0x400, %edi; mov $900, %ecx; xor %eax, %eax; slow: wbinvd; string: rep stosb; here: jmp .";

  it("is set by an interrupt between two iterations, whose frame points to the string instruction (18.3.1.1)", () => {
    for (const [mode, word] of [
      [FIXED, FIXED_FRAME],
      [NMI, NMI_FRAME],
    ] as const) {
      const guest = sending(`sti; ${string}`, [[mode, 300]]);
      expect(frame(guest, word)).toEqual({ rip: guest.label("string"), rf: RF });
    }
  });

  it("is clear where the interrupt comes before the first iteration", () => {
    const guest = sending(`sti; ${string}`, [[FIXED]]);
    expect(frame(guest, FIXED_FRAME)).toEqual({ rip: guest.label("string"), rf: 0n });
  });

  it("is clear where the interrupt comes behind the last iteration", () => {
    const guest = sending(`sti; ${string.replace("$900", "$1")}`, [[FIXED, 1]]);
    expect(frame(guest, FIXED_FRAME)).toEqual({ rip: guest.label("here"), rf: 0n });
  });

  it("is clear for an interrupt between two other instructions, and set for a fault", () => {
    const guest = sending("sti; nop; slow: wbinvd; here: ud2", [[FIXED]]);
    expect(frame(guest, FIXED_FRAME)).toEqual({ rip: guest.label("here"), rf: 0n });
    expect(guest.frame()).toMatchObject({ vector: 6 });
    expect(guest.frame().rflags & RF).toBe(RF);
  });

  it("is set by a single-step trap between two iterations, and clear by the last one's", () => {
    const guest = guestOf([`mov $DATA + 0x400, %edi; mov $2, %ecx; ${setTrap}; rep stosb; jmp .`], {
      // RFLAGS of the frame; TF is cleared the second time
      db: `mov %r10, %r9; mov 40(%rsp), %r10
        incq DATA; cmpq $2, DATA; jne more
        andq $~0x100, 40(%rsp)
        more:`,
    });
    guest.run(5000);
    expect(guest.regs(0, "r9", "r10").map((rflags) => rflags & RF)).toEqual([RF, 0n]);
  });

  it("is what IRET has loaded, until the next instruction is complete (18.3.1.1)", () => {
    /** IRETQ with RF in its image, in a place where an NMI is latched until then, or is to come one instruction later. */
    const returning = (text: string): TextGuest => {
      const guest = guestOf(["slow: wbinvd; here: nop; there: nop; jmp ."], {
        ...handlers,
        nmi: `${notes(2, NMI_FRAME)}
          cmpq $1, NOTES; jne again
          orq $0x10000, 40(%rsp)
          ${text}
          again:`,
      });
      runTo(guest, "slow");
      send(guest, NMI);
      return guest;
    };
    const latched = returning("inner: wbinvd");
    runTo(latched, "inner");
    send(latched, NMI);
    latched.run(5000);
    expect(frame(latched, NMI_FRAME)).toEqual({ rip: latched.label("here"), rf: RF });
    const later = returning("");
    runTo(later, "there");
    send(later, NMI, { after: 1 });
    later.run(5000);
    expect(noted(later)).toEqual([2, 2]);
    expect(frame(later, NMI_FRAME).rf).toBe(0n);
  });

  it("is not loaded by POPFQ, nor shown by PUSHFQ (2B POPF, PUSHF)", () => {
    const guest = sending("slow: wbinvd; push $0x10002; popfq; pushfq; popfq; here: ud2", [[NMI, 1]]);
    expect(frame(guest, NMI_FRAME).rf).toBe(0n);
    const { guest: flags } = caught("push $0x10002; popfq; pushfq; pop %r9");
    expect(flags.reg(0, "r9") & RF).toBe(0n);
  });
});

describe("a CPU that the kernel has taken offline", () => {
  const offline = {
    "in HLT": "cli; hlt; inc %r8; hlt",
    "in MWAIT": `cli; ${monitor("DATA + 0x400")} mwait; inc %r8; hlt`,
  };

  it.each(Object.entries(offline))(
    "%s with IF clear takes NMIs, its APIC disabled by software or not (section 8)",
    (_, program) => {
      const guest = guestOf([wrmsr("IA32_X2APIC_SIVR", 0xff) + program], handlers);
      guest.run(500);
      send(guest, FIXED, { vector: VECTOR });
      guest.run(500);
      expect(noted(guest)).toEqual([]);
      send(guest, NMI);
      guest.run(500);
      expect([noted(guest), guest.reg(0, "r8")]).toEqual([[2], 1n]);
    },
  );

  it.each(Object.entries(offline))("%s keeps an interrupt in IRR, and does not wake", (_, program) => {
    const guest = guestOf([program], handlers);
    guest.run(500);
    send(guest, FIXED, { vector: VECTOR });
    guest.run(500);
    expect([noted(guest), guest.reg(0, "r8")]).toEqual([[], 0n]);
  });

  it("in MWAIT is woken by a store to the monitored line, in HLT it isn't", () => {
    for (const [program, woken] of [
      [offline["in MWAIT"], 1n],
      [offline["in HLT"], 0n],
    ] as const) {
      const guest = guestOf(["wbinvd; mov %rax, DATA + 0x410", program]);
      guest.run(5000);
      expect(guest.reg(1, "r8")).toBe(woken);
    }
  });

  it("in MWAIT with ECX bit 0 is woken by an interrupt, which it doesn't take (2B MWAIT)", () => {
    const guest = guestOf([offline["in MWAIT"].replace("mwait", "mov $1, %ecx; mwait")], handlers);
    guest.run(500);
    send(guest, FIXED, { vector: VECTOR });
    guest.run(500);
    expect([noted(guest), guest.reg(0, "r8")]).toEqual([[], 1n]);
  });
});

it("an SMI between MONITOR and MWAIT leaves the monitor armed, a store falls through", () => {
  const waiting = `${monitor("DATA + 0x400")} slow: wbinvd; mwait; inc %r8; hlt`;
  const calm = guestOf(["hlt", waiting]);
  runTo(calm, "slow", 1);
  sendSmi(calm, { cpu: 1 });
  calm.run(5000);
  expect(calm.reg(1, "r8")).toBe(0n);
  const stored = guestOf(["mov $200, %ecx; turn: dec %ecx; jne turn; mov %rax, DATA + 0x408", waiting]);
  stored.run(5000);
  expect(stored.reg(1, "r8")).toBe(1n);
});
