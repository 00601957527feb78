// INIT and start-up IPIs (Intel SDM 3A 9.4, 10.1.1 with table 10-1, 11.6.1, rev. 083; reference x86-interrupts.md sections 1, 4.1,
// 4.2, 7, 8), rule by rule. A CPU begins in 64-bit mode at an entry that the host has given: real mode is not modelled.

import { describe, expect, it } from "vitest";
import { CpuState, DeliveryMode, StopReason, TraceKind, WaitKind } from "../../../src/abi.ts";
import { buildTopology } from "../../../src/topology/index.ts";
import { DATA } from "../../instructions/x86-64/guest.ts";
import { endOfInterrupt, monitor, rdmsr, type TextGuest, wrmsr } from "../../instructions/x86-64/text-guest.ts";
import { figures, guestOf, noted, notes, now, records, runTo, send, VECTOR } from "./guest.ts";

const { NMI, FIXED, INIT, STARTUP } = DeliveryMode;
const PAGE = 0x9a;
const STACK = 0x4_2000n;
const spin = "jmp .";
const handlers = { nmi: notes(2), [VECTOR]: notes(VECTOR, 42) + endOfInterrupt() };

/** CPU 0 stays out of the way. CPU 1 runs a program; by INIT and start-up IPI it begins at "entry". */
function pair(program: string, entry = spin): TextGuest {
  const guest = guestOf([`cli; hlt; jmp .; entry: ${entry}\n cli; hlt; jmp .`, program], handlers);
  startup(guest);
  return guest;
}

function startup(guest: TextGuest, cpu = 1, label = "entry"): void {
  guest.machine.core.setStartupEntry(cpu, { pc: guest.label(label), stack: STACK, argument: 77n });
}

/** INIT, and when that has been taken a start-up IPI. */
function restart(guest: TextGuest, cpu = 1): void {
  send(guest, INIT, { cpu });
  guest.run(3000);
  send(guest, STARTUP, { cpu, vector: PAGE });
  guest.run(5000);
}

const awaits = (guest: TextGuest, cpu = 1): boolean =>
  guest.state(cpu) === CpuState.WAITING && guest.machine.waitsIn(cpu) === WaitKind.STARTUP;
const starts = (guest: TextGuest, cpu = 1) =>
  records(guest, TraceKind.CPU_STARTED).filter((one) => one.cpu === cpu && one.value === guest.label("entry"));

describe("INIT", () => {
  it("lets a CPU wait for a start-up IPI (4.2)", () => {
    const guest = pair(spin);
    guest.run(500);
    send(guest, INIT, { cpu: 1 });
    guest.run(500);
    expect(awaits(guest)).toBe(true);
  });

  it("comes from another CPU by the ICR, to one or to all others", () => {
    for (const command of [(1n << 32n) | 0x4500n, (3n << 18n) | 0x4500n]) {
      const guest = guestOf([wrmsr("IA32_X2APIC_ICR", command), spin]);
      guest.run(5000);
      expect(awaits(guest)).toBe(true);
    }
  });

  it("is masked neither by IF nor by a shadow (section 9)", () => {
    for (const opening of ["cli", "sti", "mov %ebx, %ss"]) {
      const guest = pair(`mov %ss, %ebx; slow: wbinvd; ${opening}; nop; jmp .`);
      const before = runTo(guest, "slow", 1);
      // WBINVD takes 1001 cycles here, the other instructions one each
      send(guest, INIT, { cpu: 1, after: 1002 });
      guest.run(5000);
      expect(records(guest, TraceKind.INIT_TAKEN).map(({ cycle }) => cycle)).toEqual([before + 1002n]);
    }
  });

  it("ends HLT and MWAIT, with IF clear too (section 8)", () => {
    for (const program of ["cli; hlt; jmp .", `${monitor("DATA")} mwait; jmp .`]) {
      const guest = pair(program);
      guest.run(500);
      expect(guest.state(1)).toBe(CpuState.WAITING);
      send(guest, INIT, { cpu: 1 });
      guest.run(500);
      expect(awaits(guest)).toBe(true);
    }
  });

  it("waits for the access that has begun: the store is made", () => {
    const guest = pair("mov $5, %r8d; store: mov %r8, DATA; jmp store");
    runTo(guest, "store", 1);
    send(guest, INIT, { cpu: 1, after: 2 });
    guest.run(5000);
    expect([awaits(guest), guest.data(0)]).toEqual([true, 5n]);
  });

  it("abandons a string instruction between two iterations", () => {
    const guest = pair("mov $0x5a, %eax; mov $DATA + 0x400, %edi; mov $900, %ecx; string: rep stosb; jmp .");
    runTo(guest, "string", 1);
    send(guest, INIT, { cpu: 1, after: 100 });
    guest.run(5000);
    const bytes = guest.machine.read(DATA + 0x400, 900);
    expect(awaits(guest)).toBe(true);
    expect(bytes[0]).toBe(0x5a);
    expect(bytes[899]).toBe(0);
  });

  it("disarms a monitor", () => {
    const guest = pair(`${monitor("DATA")} jmp .`, "xor %ecx, %ecx; mwait");
    guest.run(500);
    restart(guest);
    // MWAIT without a monitor falls through, to HLT
    expect(guest.machine.waitsIn(1)).toBe(WaitKind.HLT);
  });

  it("keeps memory, the TSC, IA32_TSC_ADJUST and other MSRs (table 10-1)", () => {
    const guest = pair(
      wrmsr("IA32_TSC_ADJUST", 1_000_000) +
        wrmsr("IA32_TSC_AUX", 0x1234) +
        wrmsr("IA32_LSTAR", 0x5678) +
        `movq $9, DATA; ${spin}`,
      rdmsr("IA32_TSC_ADJUST", "%r8") +
        rdmsr("IA32_TSC_AUX", "%r9") +
        rdmsr("IA32_LSTAR", "%r10") +
        rdmsr("IA32_TSC", "%r11"),
    );
    guest.run(500);
    restart(guest);
    expect(guest.regs(1, "r8", "r9", "r10")).toEqual([1_000_000n, 0x1234n, 0x5678n]);
    expect(guest.reg(1, "r11")).toBeGreaterThan(1_000_000n);
    expect(guest.data(0)).toBe(9n);
  });

  it("keeps IA32_APIC_BASE and the APIC's ID, and resets its other registers (11.4.7.3)", () => {
    const guest = pair(
      wrmsr("IA32_X2APIC_TPR", 0x30) + spin,
      rdmsr("IA32_APIC_BASE", "%r8") +
        rdmsr("IA32_X2APIC_APICID", "%r9") +
        rdmsr("IA32_X2APIC_TPR", "%r10") +
        rdmsr("IA32_X2APIC_SIVR", "%r11"),
    );
    guest.run(500);
    restart(guest);
    expect(guest.regs(1, "r8", "r9", "r10", "r11")).toEqual([0xfee0_0c00n, 1n, 0n, 0xffn]);
  });

  it("clears registers, IF and control registers; EDX is the CPU's signature (table 10-1)", () => {
    const guest = pair(
      `mov $5, %r8d; mov $6, %r9d; sti; ${spin}`,
      "mov %rdx, %r11; pushfq; pop %r9; mov $1, %eax; xor %ecx, %ecx; cpuid; mov %rax, %r10",
    );
    guest.run(500);
    restart(guest);
    expect(guest.regs(1, "r8", "r9")).toEqual([0n, 2n]);
    expect(guest.reg(1, "r11")).toBe(guest.reg(1, "r10"));
  });

  it("clears an NMI that is latched, and lets NMIs in again (section 7, 7)", () => {
    const guest = guestOf(["cli; hlt; entry: jmp .", "slow: wbinvd; jmp ."], { nmi: "inner: jmp ." });
    startup(guest);
    runTo(guest, "slow", 1);
    send(guest, NMI, { cpu: 1 });
    runTo(guest, "inner", 1);
    // latched
    send(guest, NMI, { cpu: 1 });
    guest.run(100);
    restart(guest);
    expect(guest.pc(1)).toBe(guest.label("entry"));
    // there is no IDT, so one that is taken shuts down
    send(guest, NMI, { cpu: 1 });
    guest.run(500);
    expect(guest.stop).toMatchObject({ reason: StopReason.TRIPLE_FAULT, cpu: 1 });
  });

  it("is ignored while the CPU waits for a start-up IPI (section 8)", () => {
    const guest = pair(spin);
    guest.run(500);
    for (const after of [5, 100]) send(guest, INIT, { cpu: 1, after });
    guest.run(500);
    expect(records(guest, TraceKind.INIT_TAKEN)).toHaveLength(1);
  });

  it("lets the bootstrap processor begin at the host's reset entry at once (4.2)", () => {
    const guest = guestOf(["nop; jmp .; entry: inc %r8; jmp ."]);
    startup(guest, 0);
    guest.run(500);
    send(guest, INIT);
    guest.run(500);
    expect(guest.reg(0, "r8")).toBe(1n);
    expect(guest.regs(0, "rsp", "rdi", "rsi")).toEqual([STACK, 77n, 0n]);
  });

  it("of the bootstrap processor stops the machine where the host has given no entry", () => {
    const guest = guestOf([spin]);
    guest.run(500);
    send(guest, INIT);
    guest.run(500);
    expect(guest.stop).toMatchObject({ reason: StopReason.NO_STARTUP_ENTRY, cpu: 0 });
  });

  it("that comes together with an NMI or an interrupt leaves nothing of them", () => {
    const guest = pair("slow: wbinvd; jmp .");
    runTo(guest, "slow", 1);
    send(guest, NMI, { cpu: 1 });
    send(guest, FIXED, { cpu: 1, vector: VECTOR });
    send(guest, INIT, { cpu: 1 });
    guest.run(5000);
    send(guest, STARTUP, { cpu: 1 });
    guest.run(5000);
    expect([noted(guest), guest.pc(1)]).toEqual([[], guest.label("entry")]);
  });
});

describe("a CPU that waits for a start-up IPI", () => {
  it("begins at the entry, with stack, argument and the vector of the IPI (4.2)", () => {
    const guest = pair(spin);
    guest.run(500);
    restart(guest);
    expect(guest.pc(1)).toBe(guest.label("entry"));
    expect(guest.regs(1, "rsp", "rdi", "rsi")).toEqual([STACK, 77n, BigInt(PAGE)]);
    expect(starts(guest)).toMatchObject([{ subject: PAGE }]);
  });

  it("begins as long after the IPI as the timing model says", () => {
    const guest = pair(spin);
    guest.run(500);
    send(guest, INIT, { cpu: 1 });
    guest.run(500);
    const arrival = now(guest) + 5n;
    send(guest, STARTUP, { cpu: 1 });
    guest.run(500);
    expect(starts(guest)[0]?.cycle).toBe(arrival + BigInt(figures.cpuOn));
  });

  it("drops the second start-up IPI of the customary two", () => {
    const guest = pair(spin, "inc %r8; jmp .");
    guest.run(500);
    send(guest, INIT, { cpu: 1 });
    for (const after of [100, 120, 400]) send(guest, STARTUP, { cpu: 1, after });
    guest.run(5000);
    expect(starts(guest)).toHaveLength(1);
    expect(guest.reg(1, "r8")).toBe(1n);
  });

  it("does not get NMIs, nor interrupts: its APIC is software-disabled (section 4.1)", () => {
    const guest = pair(spin);
    guest.run(500);
    send(guest, INIT, { cpu: 1 });
    send(guest, NMI, { cpu: 1, after: 100 });
    send(guest, FIXED, { cpu: 1, vector: VECTOR, after: 100 });
    send(guest, STARTUP, { cpu: 1, after: 200 });
    guest.run(5000);
    expect([guest.pc(1), noted(guest)]).toEqual([guest.label("entry"), []]);
  });

  it("stops the machine by name where the host has given no entry", () => {
    const guest = guestOf(["cli; hlt", spin]);
    guest.run(500);
    send(guest, INIT, { cpu: 1 });
    send(guest, STARTUP, { cpu: 1, vector: PAGE, after: 100 });
    guest.run(500);
    expect(guest.stop).toMatchObject({ reason: StopReason.NO_STARTUP_ENTRY, cpu: 1, detail: BigInt(PAGE) });
  });
});

describe("a start-up IPI", () => {
  it("is dropped by a CPU that runs, halts or has shut down (section 4.1)", () => {
    for (const program of [spin, "cli; hlt; jmp ."]) {
      const guest = pair(program);
      guest.run(500);
      send(guest, STARTUP, { cpu: 1 });
      guest.run(500);
      expect(starts(guest)).toEqual([]);
    }
  });

  it("is not latched: one that comes before INIT has been taken is lost", () => {
    const guest = pair("slow: wbinvd; jmp .");
    runTo(guest, "slow", 1);
    send(guest, INIT, { cpu: 1, after: 5 });
    send(guest, STARTUP, { cpu: 1, after: 50 });
    guest.run(5000);
    expect(awaits(guest)).toBe(true);
  });

  it("starts a CPU that has never run, which takes no other message (sections 4.1, 8)", () => {
    const topology = buildTopology({ packages: 1, coresPerLlc: 2, cpus: 2, offline: "1" });
    const guest = guestOf(["cli; hlt; entry: inc %r8; jmp ."], {}, { cpus: 2, topology });
    startup(guest);
    for (const mode of [NMI, INIT, DeliveryMode.SMI, FIXED]) send(guest, mode, { cpu: 1, vector: VECTOR });
    guest.run(500);
    expect(guest.state(1)).toBe(CpuState.OFFLINE);
    send(guest, STARTUP, { cpu: 1, vector: PAGE });
    guest.run(500);
    expect(guest.regs(1, "r8", "rsi", "rdx")).toEqual([1n, BigInt(PAGE), 0n]);
  });

  it("and INIT to an id that nobody has are lost (section 4.1)", () => {
    const guest = guestOf([
      wrmsr("IA32_X2APIC_ICR", (7n << 32n) | 0x4500n) + wrmsr("IA32_X2APIC_ICR", (7n << 32n) | 0x4600n),
    ]);
    guest.run(5000);
    expect(guest.machine.waitsIn(0)).toBe(WaitKind.HLT);
    expect(records(guest, TraceKind.INTERRUPT_SENT)).toEqual([]);
  });

  it("brings a CPU up that a guest has sent INIT to, as kernels do", () => {
    const init = wrmsr("IA32_X2APIC_ICR", (1n << 32n) | 0x4500n);
    const start = wrmsr("IA32_X2APIC_ICR", (1n << 32n) | 0x4600n | BigInt(PAGE));
    const guest = guestOf([
      `${init} wbinvd; ${start} ${start} cli; hlt; jmp .; entry: inc %r8; jmp .`,
      "sti; hlt; jmp .",
    ]);
    startup(guest);
    guest.run(20_000);
    expect(guest.regs(1, "r8", "rsi")).toEqual([1n, BigInt(PAGE)]);
  });
});
