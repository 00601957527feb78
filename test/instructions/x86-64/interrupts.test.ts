// Interrupts and the local APIC in x2APIC mode, as a CPU sees them (Intel SDM volume 3A, 6.8, 11), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, StopReason } from "../../../src/abi.ts";
import { buildTopology } from "../../../src/topology/index.ts";
import { DATA } from "./guest.ts";
import { icr, NMI, nmiTo, TO_ALL, TO_OTHERS } from "./interrupt-guest.ts";
import {
  awaitWord,
  caught,
  endOfInterrupt,
  note,
  rdmsr,
  runGuest,
  setWord,
  type TextGuest,
  type TextGuestOptions,
  wait,
  wrmsr,
} from "./text-guest.ts";

const send = (value: bigint): string => wrmsr("IA32_X2APIC_ICR", value);
/** To the CPU itself; it is there when some time has passed. */
const sendSelf = (vector: number): string => wrmsr("IA32_X2APIC_SELF_IPI", vector);
const setTpr = (value: number): string => wrmsr("IA32_X2APIC_TPR", value);
const handle = (vector: number): string => note(vector) + endOfInterrupt();

/** One CPU, with IF clear. */
function alone(program: string, handlers: TextGuestOptions["handlers"] = {}): TextGuest {
  return runGuest({ programs: [program], handlers });
}

describe("the local APIC", () => {
  it("holds a request in IRR while IF is clear, and moves it to ISR when it is taken", () => {
    const guest = alone(
      `${sendSelf(0x47)} ${wait(1000)}
       ${rdmsr("IA32_X2APIC_IRR0 + 2", "%r8")}
       sti; nop; nop
       ${rdmsr("IA32_X2APIC_ISR0 + 2", "%r11")}`,
      { 0x47: rdmsr("IA32_X2APIC_IRR0 + 2", "%r9") + rdmsr("IA32_X2APIC_ISR0 + 2", "%r10") + endOfInterrupt() },
    );
    expect(guest.regs(0, "r8", "r9", "r10", "r11")).toEqual([0x80n, 0n, 0x80n, 0n]);
  });

  it("keeps two requests of one vector as one; one more while it is in service", () => {
    const guest = alone(`${sendSelf(0x47)} ${sendSelf(0x47)} ${wait(1000)} sti; ${wait(5000)}`, {
      0x47: `${note(0x47)}
        cmpq $1, NOTES; jne end
        ${sendSelf(0x47)} ${wait(1000)}
        end: ${endOfInterrupt()}`,
    });
    expect(guest.noted).toEqual([0x47n, 0x47n]);
  });

  it("hands out the highest vector first, whatever came first", () => {
    const vectors = [0x31, 0x80, 0x35, 0xff, 0x7f];
    const guest = alone(
      `${vectors.map(sendSelf).join("")} ${wait(2000)} sti; ${wait(2000)}`,
      Object.fromEntries(vectors.map((vector) => [vector, handle(vector)])),
    );
    expect(guest.noted).toEqual([0xffn, 0x80n, 0x7fn, 0x35n, 0x31n]);
  });

  /** The handler of 0x50 opens interrupts while it runs; then comes `vector`. */
  function nested(vector: number): bigint[] {
    return alone(`${sendSelf(0x50)} sti; ${wait(8000)}`, {
      0x50: `${note(1)} ${sendSelf(vector)} sti; ${wait(1000)} cli; ${note(2)} ${endOfInterrupt()}`,
      [vector]: note(3) + endOfInterrupt(),
    }).noted;
  }

  it("lets an interrupt in service be interrupted by a higher class, not by its own (SDM 3A 11.8.3.1)", () => {
    expect(nested(0x60)).toEqual([1n, 3n, 2n]);
    expect(nested(0x5f)).toEqual([1n, 2n, 3n]);
    expect(nested(0x4f)).toEqual([1n, 2n, 3n]);
  });

  it("holds back what TPR says: classes up to its own", () => {
    const guest = alone(
      `${setTpr(0x55)} ${sendSelf(0x5f)} ${sendSelf(0x60)} ${wait(1000)}
       sti; nop; cli
       ${note(1)}
       ${setTpr(0)}
       sti; nop; nop`,
      { 0x5f: handle(0x5f), 0x60: handle(0x60) },
    );
    expect(guest.noted).toEqual([0x60n, 1n, 0x5fn]);
  });

  it("shows in PPR the higher of TPR and the class in service (SDM 3A 11.8.3.1)", () => {
    const guest = alone(
      `${setTpr(0x23)} ${rdmsr("IA32_X2APIC_PPR", "%r8")}
       ${sendSelf(0x47)} sti; ${wait(1000)}`,
      {
        0x47: `${rdmsr("IA32_X2APIC_PPR", "%r9")}
          ${setTpr(0x4b)} ${rdmsr("IA32_X2APIC_PPR", "%r10")}
          ${endOfInterrupt()} ${rdmsr("IA32_X2APIC_PPR", "%r11")}`,
      },
    );
    expect(guest.regs(0, "r8", "r9", "r10", "r11")).toEqual([0x23n, 0x40n, 0x4bn, 0x4bn]);
  });

  it("has TPR[7:4] in CR8, which clears the rest", () => {
    const guest = alone(
      `${setTpr(0x5c)} mov %cr8, %r8
       mov $9, %eax; mov %rax, %cr8
       ${rdmsr("IA32_X2APIC_TPR", "%r9")}`,
    );
    expect(guest.regs(0, "r8", "r9")).toEqual([5n, 0x90n]);
  });

  it("ends the highest interrupt in service by EOI", () => {
    const guest = alone(`${sendSelf(0x50)} sti; ${wait(8000)}`, {
      0x50: `${sendSelf(0x60)} sti; ${wait(1000)} cli; ${rdmsr("IA32_X2APIC_ISR0 + 2", "%r9")}`,
      0x60: endOfInterrupt() + rdmsr("IA32_X2APIC_ISR0 + 3", "%r8"),
    });
    expect(guest.regs(0, "r8", "r9")).toEqual([0n, 0x1_0000n]);
  });

  it("discards fixed interrupts while it is disabled by software, but not NMIs (SDM 3A 11.4.7.2)", () => {
    const guest = alone(
      `${wrmsr("IA32_X2APIC_SIVR", 0xff)} ${sendSelf(0x47)} ${send(nmiTo(0))}
       sti; ${wait(1000)}
       ${wrmsr("IA32_X2APIC_SIVR", 0x1ff)} ${wait(1000)}`,
      { 0x47: note(0x47), nmi: note(2) },
    );
    expect(guest.noted).toEqual([2n]);
  });

  it.each<[string, string, bigint]>([
    ["the id", "IA32_X2APIC_APICID", 1n],
    ["PPR", "IA32_X2APIC_PPR", 0n],
    ["EOI, of anything but 0", "IA32_X2APIC_EOI", 1n],
    ["LDR", "IA32_X2APIC_LDR", 0n],
    ["a register that isn't there", "0x8ff", 0n],
    ["a reserved bit of ICR", "IA32_X2APIC_ICR", 0x2000n],
    ["a reserved bit of SELF_IPI", "IA32_X2APIC_SELF_IPI", 0x100n],
    ["bits 63:32 of a register that has none", "IA32_X2APIC_TPR", 1n << 32n],
  ])("raises #GP for a write to %s", (_, msr, value) => {
    expect(caught(wrmsr(msr, value)).frame).toMatchObject({ vector: 13, error: 0n });
  });

  it("sends nothing for a vector below 16", () => {
    const guest = alone(
      `${send(icr(0x0f, { destination: 0 }))} ${send(icr(5, { shorthand: 1 }))}
       sti; ${wait(1000)}
       ${rdmsr("IA32_X2APIC_IRR0", "%r8")}`,
    );
    expect(guest.reg(0, "r8")).toBe(0n);
    expect(guest.stop.reason).toBe(StopReason.NONE);
  });
});

describe("an interprocessor interrupt", () => {
  const count = 40;
  const all = Array.from({ length: count }, (_, cpu) => cpu);
  /** The CPUs that get the interrupt which CPU 0 sends, on a machine of 40. */
  function targets(value: bigint, apicIds = all): number[] {
    const receiver = { raw: "mov $1, %r8d; iretq" };
    const guest = runGuest({
      // no CPU needs a TSS of its own
      programs: `lgdt GDT_POINTER; lidt IDT_POINTER; sti; ${wait(5000)}
        test %edi, %edi; jne 1f
        ${send(value)}
        1: ${wait(5000)}`,
      loadTables: false,
      cpus: count,
      handlers: { 0x47: receiver, nmi: receiver },
      topology: buildTopology({ packages: 1, coresPerLlc: count, apicIds }),
    });
    return all.filter((cpu) => guest.reg(cpu, "r8") === 1n);
  }

  it("goes to one CPU by its APIC id", () => {
    expect(targets(icr(0x47, { destination: 17 }))).toEqual([17]);
    expect(
      targets(
        icr(0x47, { destination: 0x1_0011 }),
        all.map((cpu) => 0x1_0000 + cpu),
      ),
    ).toEqual([17]);
  });

  it("goes to some of a cluster of 16 by the logical id (SDM 3A 11.12.10.2)", () => {
    expect(targets(icr(0x47, { logical: true, destination: 0b1000_0000_0000_0101 }))).toEqual([0, 2, 15]);
    expect(targets(icr(0x47, { logical: true, destination: 0x1_0003 }))).toEqual([16, 17]);
    expect(targets(icr(0x47, { logical: true, destination: 0x2_ffff }))).toEqual([32, 33, 34, 35, 36, 37, 38, 39]);
  });

  it("goes to all by the broadcast id, physical or logical, and by shorthand", () => {
    expect(targets(icr(0x47, { destination: 0xffff_ffff }))).toEqual(all);
    expect(targets(icr(0x47, { destination: 0xffff_ffff, logical: true }))).toEqual(all);
    expect(targets(icr(0x47, { shorthand: TO_ALL }))).toEqual(all);
  });

  it("goes to all others by shorthand, NMIs too", () => {
    expect(targets(icr(0x47, { shorthand: TO_OTHERS }))).toEqual(all.slice(1));
    expect(targets(icr(0, { mode: NMI, shorthand: TO_OTHERS }))).toEqual(all.slice(1));
  });

  it("goes to itself by shorthand", () => {
    expect(targets(icr(0x47, { shorthand: 1, destination: 5 }))).toEqual([0]);
  });

  it("as an NMI ignores the vector", () => {
    expect(targets(icr(0x47, { mode: NMI, destination: 3 }))).toEqual([3]);
  });

  it("goes to nobody that isn't there", () => {
    expect(targets(icr(0x47, { destination: 99 }))).toEqual([]);
    expect(targets(icr(0x47, { logical: true, destination: 0x9_ffff }))).toEqual([]);
  });

  it("to a CPU that is off is lost", () => {
    const guest = runGuest({ programs: [send(icr(0x47, { destination: 1 })), undefined] });
    expect(guest.state(1)).toBe(CpuState.OFFLINE);
    expect(guest.stop.reason).toBe(StopReason.NONE);
  });
});

describe("an interrupt between two iterations of a string instruction", () => {
  it("points to the instruction, whose registers show how far it has come", () => {
    const guest = alone(
      `${sendSelf(0x47)} mov $DATA + 0x100, %edi; mov $0x600, %ecx; mov $0x11, %eax
       sti; there: rep stosb
       ${setWord(8)}`,
      // RIP of the frame, and RCX as it is saved
      { 0x47: `mov 24(%rsp), %r9; mov 8(%rsp), %r10; mov %rdi, %r11; ${endOfInterrupt()}` },
    );
    const [rip, left = 0n, next = 0n] = guest.regs(0, "r9", "r10", "r11");
    expect(rip).toBe(guest.label("there"));
    expect(left).toBeGreaterThan(0n);
    expect(left).toBeLessThan(0x600n);
    expect(next - BigInt(DATA + 0x100)).toBe(0x600n - left);
    expect(guest.data(8)).toBe(1n);
    expect([...guest.machine.read(DATA + 0x100, 0x600)].every((byte) => byte === 0x11)).toBe(true);
  });
});

it("an interrupt whose gate is not present raises #NP with EXT (SDM 3A 6.13)", () => {
  const { frame } = caught(`${sendSelf(0x47)} sti; ${wait(1000)}`, { gates: { 0x47: { present: false } } });
  expect(frame).toMatchObject({ vector: 11, error: 0x47n * 8n + 3n });
});

it("one CPU interrupts another, which answers", () => {
  const guest = runGuest({
    programs: [
      `${awaitWord(0)} ${send(icr(0x47, { destination: 1 }))} ${awaitWord(1)} mov $1, %r8d`,
      `${setWord(0)} sleep: sti; hlt; jmp sleep`,
    ],
    handlers: { 0x47: setWord(1) + endOfInterrupt() },
  });
  expect(guest.reg(0, "r8")).toBe(1n);
});
