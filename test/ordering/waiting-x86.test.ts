// What an x86-64 CPU does while a store waits for its line: what goes on, what waits until the store has drained (SDM 3A 9.2.2, 9.2.5,
// 9.3, 11.12.3, 12.10). CPU 1 has the line, and it takes a thousand cycles to come; everything else takes a few.

import { describe, expect, it } from "vitest";
import { Counter, CpuState, DeliveryMode, XAPIC_BASE } from "../../src/abi.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { DATA } from "../instructions/x86-64/guest.ts";
import { NMI, icr } from "../instructions/x86-64/interrupt-guest.ts";
import { TextGuest, wait, wrmsr, type TextGuestOptions } from "../instructions/x86-64/text-guest.ts";
import { PAGE_RWX } from "../support/bare-machine.ts";
import { plainTiming, type Figures } from "../support/plain-timing.ts";

/** Lines of CPU 1; a line of CPU 0; where CPU 1 says that it is done. */
const FAR = DATA;
const FAR_LINES = 12;
const NEAR = DATA + 0x400;
const READY = DATA + 0x440;
/** Least cycles until a line of CPU 1 has come: four messages (src/timing/model.ts). */
const FAR_AWAY = 4 * 250;
/** What is done at once takes less. */
const SOON = FAR_AWAY / 2;

interface Options extends Pick<TextGuestOptions, "handlers" | "localApic"> {
  readonly figures?: Figures;
  /** Before the clock starts. */
  readonly prepare?: string;
  readonly other?: string;
}

const start = "rdtsc; shl $32, %rdx; lea (%rax,%rdx), %r14\n";
const stop = "rdtsc; shl $32, %rdx; lea (%rax,%rdx), %r15\n";

/** Two cores of one cache. */
const topology = buildTopology({ packages: 1, coresPerLlc: 2 });

/** Has run a text on CPU 0 when the far lines are away; it begins with the clock's start. */
function ran(text: string, { figures = {}, prepare = "", other = "", ...options }: Options = {}): TextGuest {
  const take = Array.from({ length: FAR_LINES }, (_, line) => `lock; addq $0, FAR + 64 * ${line}\n`).join("");
  const guest = new TextGuest({
    topology,
    timing: plainTiming("x86-64", { storeBuffer: 8, cache: 250, ...figures }),
    symbols: { FAR, NEAR, READY, XAPIC: XAPIC_BASE },
    programs: [
      // The stack and the near line are this CPU's own; RSI holds a value, RAX and RDX are overwritten by the clock.
      `push %rax; pop %rax; lock; addq $0, NEAR
       ready: cmpq $0, READY; je ready
       ${wait(2000)} ${prepare}
       ${start} ${text}`,
      `${take} movq $1, READY; ${other}`,
    ],
    ...options,
  });
  guest.run(100_000);
  return guest;
}

/** Cycles from the store to the end of what stands behind it. */
function cyclesOf(text: string, options: Options = {}): number {
  const guest = ran(`movq $1, FAR; ${text}\n ${stop}`, options);
  expect(guest.machine.read64(FAR)).toBe(1n);
  return elapsed(guest);
}

function elapsed(guest: TextGuest): number {
  const [from, to] = guest.regs(0, "r14", "r15") as [bigint, bigint];
  expect(to).toBeGreaterThan(from);
  return Number(to - from);
}

/** WRMSR of a number below 2^32. */
const write = (msr: string, value: number): string => wrmsr(msr, value);

const frame = `
  mov %rsp, %r8; mov %ss, %r9; push %r9; push %r8; pushfq; pop %r9; push %r9
  mov %cs, %r9; push %r9; lea behind(%rip), %r9; push %r9`;

describe("a store that waits for its line", () => {
  it.each([
    ["another store that misses", "movq $2, FAR + 64"],
    ["a store that hits", "movq $2, NEAR"],
    ["a load that hits", "mov NEAR, %rbx"],
    ["a load of what has been stored", "mov FAR, %rbx"],
    ["a read-modify-write without LOCK (9.1.2.2)", "addq $2, NEAR"],
    ["CMPXCHG without LOCK", "cmpxchg %rbx, NEAR"],
    ["SFENCE (9.2.5)", "sfence"],
    ["LFENCE: it waits for loads (9.2.5; volume 2A)", "lfence"],
    ["PAUSE", "pause"],
    ["RDTSC", "rdtsc"],
    ["CLI", "cli"],
    ["MOV to CR8 (9.3)", "mov %rbx, %cr8"],
    ["RDMSR", "mov $IA32_TSC_AUX, %ecx; rdmsr"],
    ["WRMSR to the x2APIC ICR (11.12.3)", write("IA32_X2APIC_ICR", 0x40)],
    ["WRMSR to SELF_IPI (11.12.3)", write("IA32_X2APIC_SELF_IPI", 0x40)],
    ["WRMSR to the x2APIC EOI (11.12.3)", write("IA32_X2APIC_EOI", 0)],
    ["WRMSR to the x2APIC TPR (11.12.3)", write("IA32_X2APIC_TPR", 0x20)],
    ["WRMSR to IA32_TSC_DEADLINE (9.3)", write("IA32_TSC_DEADLINE", 0x7fff_ffff)],
  ])("doesn't keep %s waiting", (_, text) => {
    expect(cyclesOf(text)).toBeLessThan(SOON);
  });

  it.each([
    ["a locked instruction (9.2.2)", "lock; addq $2, NEAR"],
    ["XCHG with memory (9.1.2.1)", "xchg %rbx, NEAR"],
    ["LOCK CMPXCHG", "lock; cmpxchg %rbx, NEAR"],
    ["LOCK CMPXCHG16B", "lock; cmpxchg16b NEAR"],
    ["a locked access across two lines", "lock; addq $2, NEAR - 4"],
    ["MFENCE (9.2.5)", "mfence"],
    ["CPUID (9.3)", "xor %eax, %eax; cpuid"],
    ["WRMSR to IA32_TSC_AUX (9.3)", write("IA32_TSC_AUX", 5)],
    ["WRMSR to IA32_FS_BASE (9.3)", write("IA32_FS_BASE", 0)],
    ["MOV to CR3 (9.3)", "mov %cr3, %rbx; mov %rbx, %cr3"],
    ["MOV to a debug register (9.3)", "mov %dr0, %rbx; mov %rbx, %dr0"],
    ["INVLPG (9.3)", "invlpg NEAR"],
    ["WBINVD (9.3)", "wbinvd"],
    ["LGDT (9.3)", "lgdt GDT_POINTER"],
    ["LIDT (9.3)", "lidt IDT_POINTER"],
    ["LLDT (9.3)", "xor %ebx, %ebx; lldt %bx"],
    ["OUT (9.3; volume 1, 19.6)", "outb %al, $0xe9"],
    ["IN (9.3; volume 1, 19.6)", "inb $0xe9, %al"],
    ["CLFLUSH of its line (9.2.5; volume 2A)", "clflush FAR"],
    ["CLFLUSH of another line: stores before it drain", "clflush NEAR"],
  ])("keeps %s waiting", (_, text) => {
    expect(cyclesOf(text)).toBeGreaterThanOrEqual(FAR_AWAY);
  });

  it("keeps IRET waiting (9.3)", () => {
    expect(cyclesOf("iretq; behind:", { prepare: frame })).toBeGreaterThanOrEqual(FAR_AWAY);
  });

  it.each([
    ["a store", "movl $0, 0x80(%rsi)"],
    ["a load", "mov 0x80(%rsi), %ebx"],
  ])("keeps %s of the xAPIC's page waiting, which is uncached (12.3)", (_, text) => {
    const options = { localApic: "xapic", prepare: "mov $XAPIC, %rsi" } as const;
    expect(cyclesOf(text, options)).toBeGreaterThanOrEqual(FAR_AWAY);
  });

  /** Stops the clock in the handler, before its IRET. */
  const handler = { raw: `${stop} cli; hlt` };

  it.each([
    ["INT3", "int3", "bp"],
    ["INT n", "int $0x50", 0x50],
    ["#UD", "ud2", "ud"],
    ["#DE", "xor %ebx, %ebx; div %ebx", "de"],
    ["a fixed interrupt", `sti; ${write("IA32_X2APIC_SELF_IPI", 0x40)}; ${wait(100)}`, 0x40],
    ["an interrupt that STI lets through", `${write("IA32_X2APIC_SELF_IPI", 0x40)}; sti; nop`, 0x40],
    ["an NMI", `${wrmsr("IA32_X2APIC_ICR", icr(0, { mode: NMI }))}; ${wait(100)}`, "nmi"],
  ] as const)("has drained when %s is delivered (12.10)", (_, text, vector) => {
    const guest = ran(`movq $1, FAR; ${text}`, { handlers: { [vector]: handler } });
    expect(guest.machine.read64(FAR)).toBe(1n);
    expect(elapsed(guest)).toBeGreaterThanOrEqual(FAR_AWAY);
  });

  it("drains while the CPU halts (12.10: it isn't held for ever)", () => {
    const guest = ran("movq $7, FAR; cli; hlt");
    expect(guest.machine.read64(FAR)).toBe(7n);
  });

  it("drains in order with others, so that a hit behind it isn't seen before it (9.2.2)", () => {
    const guest = ran("movq $1, FAR; movq $1, NEAR", {
      other: "look: mov NEAR, %rbx; mov FAR, %rcx; test %rbx, %rbx; jz look; mov %rcx, %r13",
    });
    expect(guest.reg(1, "r13")).toBe(1n);
  });
});

describe("a load", () => {
  const value = "mov $0x1122334455667788, %rsi; mov %rsi, FAR\n";

  /** Loads to RBX, and how long all of it took. */
  function loads(text: string, options: Options = {}): { value: bigint; cycles: number } {
    const guest = ran(`${text}\n ${stop}`, options);
    return { value: guest.reg(0, "rbx"), cycles: elapsed(guest) };
  }

  it.each([
    ["the whole store", `${value} mov FAR, %rbx`, 0x1122334455667788n],
    ["its low half", `${value} mov FAR, %ebx`, 0x55667788n],
    ["its high half", `${value} mov FAR + 4, %ebx`, 0x11223344n],
    ["bytes in the middle", `${value} movzwl FAR + 3, %ebx`, 0x4455n],
    ["its last byte, with the sign", `movb $0x91, FAR + 7; movsbq FAR + 7, %rbx`, 0xffff_ffff_ffff_ff91n],
    ["the youngest of two stores", `${value} movl $5, FAR; mov FAR, %ebx`, 5n],
    ["the younger of two, where it writes", `${value} movl $5, FAR; mov FAR + 4, %ebx`, 0x11223344n],
    ["a store to another line behind others", `${value} movq $6, FAR + 64; mov FAR + 64, %rbx`, 6n],
    ["both parts of a store across two lines", "mov $0x0102030405060708, %rsi; mov %rsi, FAR + 60; mov FAR + 60, %rbx", 0x0102030405060708n],
    ["a part of that in one line", "mov $0x0102030405060708, %rsi; mov %rsi, FAR + 60; mov FAR + 64, %ebx", 0x01020304n],
    ["a part of that across both", "mov $0x0102030405060708, %rsi; mov %rsi, FAR + 60; mov FAR + 62, %ebx", 0x03040506n],
    ["what a read-modify-write has stored", `${value} addq $1, FAR; mov FAR, %rbx`, 0x1122334455667789n],
  ] as const)("gets %s out of the store buffer, without the line (9.2.2)", (_, text, expected) => {
    const { value: got, cycles } = loads(text);
    expect(got).toBe(expected);
    expect(cycles).toBeLessThan(SOON);
  }); // prettier-ignore

  it.each([
    ["a byte and older bytes around it", `movb $0xaa, FAR + 2; mov FAR, %rbx`, 0x1111_1111_11aa_1111n],
    ["two stores side by side", `movl $5, FAR; movl $6, FAR + 4; mov FAR, %rbx`, 0x0000_0006_0000_0005n],
    ["a wide store and a narrow one over it", `${value} movb $0xaa, FAR; mov FAR, %rbx`, 0x11223344556677aan],
    ["its line's end and the next line", "movb $0xaa, FAR + 63; mov FAR + 60, %rbx", 0x2222_2222_aa11_1111n],
  ] as const)("of %s waits until the stores have drained", (_, text, expected) => {
    const fill = "mov $0x1111111111111111, %rsi; mov $0x2222222222222222, %rdi";
    const store = [0, 8, 56].map((offset) => `mov %rsi, FAR + ${offset}; mov %rdi, FAR + 64 + ${offset}`).join(";");
    // CPU 0 fills the lines, CPU 1 takes them again.
    const { value: got, cycles } = loads(text, {
      prepare: `${fill}; ${store}; mfence; movq $2, READY; again: cmpq $2, READY; je again; ${wait(2000)}`,
      other: `turn: cmpq $2, READY; jne turn; lock; addq $0, FAR; lock; addq $0, FAR + 64; movq $3, READY`,
    });
    expect(got).toBe(expected);
    expect(cycles).toBeGreaterThanOrEqual(FAR_AWAY);
  });
});

describe("the store buffer", () => {
  const stores = (count: number): string =>
    Array.from({ length: count }, (_, index) => `movq $${index + 1}, FAR + 64 * ${index}\n`).join("");

  it.each([1, 4, 8])("holds as many stores as the timing model says (%i), and the next one waits", (storeBuffer) => {
    const cycles = (count: number): number => elapsed(ran(stores(count) + stop, { figures: { storeBuffer } }));
    expect(cycles(storeBuffer)).toBeLessThan(SOON);
    expect(cycles(storeBuffer + 1)).toBeGreaterThanOrEqual(FAR_AWAY);
    expect(cycles(storeBuffer + 1)).toBeLessThan(FAR_AWAY + SOON);
  });

  it("counts stores, not lines", () => {
    const same = (count: number): number =>
      elapsed(ran("movb $1, FAR\n".repeat(count) + stop, { figures: { storeBuffer: 4 } }));
    expect(same(4)).toBeLessThan(SOON);
    expect(same(5)).toBeGreaterThanOrEqual(FAR_AWAY);
  });

  // What such an instruction has done before it waits must not be taken for something of a later one.
  it.each([
    ["ADD", "addq $4, NEAR", 104n],
    ["XADD without LOCK", "xadd %rbx, NEAR", 104n],
    ["MOVS", "movsq", 200n],
    ["CMPXCHG16B without LOCK", "mov $100, %eax; mov $200, %edx; cmpxchg16b NEAR", 4n],
  ])("holds up %s, which loads and stores, in the middle, when it is full", (_, text, expected) => {
    const guest = ran(`movq $9, FAR; ${text}; addq $7, FAR + 64; addq $1, FAR`, {
      figures: { storeBuffer: 1 },
      prepare: `movq $100, NEAR; movq $200, NEAR + 8; mfence
        mov $4, %rbx; xor %ecx, %ecx; mov $NEAR + 8, %rsi; mov $NEAR, %rdi`,
    });
    const read = [FAR, FAR + 64, NEAR].map((address) => guest.machine.read64(address));
    expect(read).toEqual([10n, 7n, expected]);
  });

  it.each([true, false])(
    "what has waited for it comes before an NMI that came meanwhile, whatever is perturbed: run-ahead %s",
    (runAhead) => {
      const guest = new TextGuest({
        topology,
        timing: plainTiming("x86-64", { storeBuffer: 8, cache: 250 }),
        accelerations: { runAhead },
        programs: [
          `turn: cmpq $0, DATA; je turn
         ${wait(2000)} movq $1, DATA + 64; there: mfence; behind: nop`,
          "lock; addq $0, DATA + 64; movq $1, DATA",
        ],
        handlers: { nmi: "mov 24(%rsp), %r9" },
      });
      const { machine } = guest;
      machine.core.setPerturbation(7);
      while (machine.state(0) !== CpuState.BLOCKED || machine.pc(0) !== guest.label("there")) guest.run(20);
      machine.core.sendInterrupt(0, 0, DeliveryMode.NMI, machine.counter(Counter.NOW) + 10n);
      guest.run(100_000);
      expect(guest.machine.read64(DATA + 64)).toBe(1n);
      expect(guest.reg(0, "r9")).toBe(guest.label("behind"));
    },
  );

  it("asks later for a line if the timing model says so", () => {
    const at = (storeDrain: number): number =>
      elapsed(ran(`movq $1, FAR; mfence; ${stop}`, { figures: { storeDrain } }));
    expect(at(200) - at(0)).toBe(200);
  });
});

describe("code that has been stored to (SDM 3A 9.1.3, 12.6)", () => {
  const ROUTINE = 0xf_0000;

  // "store modified code; jump to new code": the CPU sees its own stores, though the line is shared and the store waits.
  it("is executed as it stands, though the store waits", () => {
    const call = `mov $${ROUTINE}, %rsi; movl $2, 1(%rsi); call *%rsi`;
    const guest = new TextGuest({
      topology,
      timing: plainTiming("x86-64", { storeBuffer: 8, cache: 250 }),
      programs: [
        `mov $${ROUTINE}, %rsi; call *%rsi; movq $1, DATA; ${wait(4000)} ${call}; mov %eax, %ebx`,
        `turn: cmpq $0, DATA; je turn; mov $${ROUTINE}, %rsi; call *%rsi`,
      ],
    });
    guest.machine.map(ROUTINE, 0x1000, PAGE_RWX);
    guest.place(ROUTINE, "mov $1, %eax; ret");
    guest.run(100_000);
    expect(guest.regs(0, "rbx")).toEqual([2n]);
  });
});
