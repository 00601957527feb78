// Microcode updates (Intel SDM 3A 10.11.6 and 10.11.7, rev. 083; IA32_BIOS_UPDT_TRIG and IA32_BIOS_SIGN_ID in volume 4), rule by rule.

import { describe, expect, it } from "vitest";
import { DeliveryMode, MICROCODE_REVISION, TraceKind } from "../../../src/abi.ts";
import { buildTopology } from "../../../src/topology/index.ts";
import type { TextGuest } from "../../instructions/x86-64/text-guest.ts";
import { guestOf, noted, notes, now, records, runTo, send, sendSmi } from "./guest.ts";

const UPDATE_CYCLES = 5000;
const FIRST_REVISION = 1n;

/** Leaves what IA32_BIOS_SIGN_ID has in words `index` and the next of DATA, its upper half first. */
const readTo = (index: number): string => `
  mov $0x8b, %ecx; rdmsr; mov %rdx, DATA + 8 * ${index}; mov %rax, DATA + 8 * ${index + 1}\n`;
const clear = "mov $0x8b, %ecx; mov $5, %eax; mov $7, %edx; wrmsr\n";
const identify = "mov $1, %eax; xor %ecx, %ecx; cpuid\n";
const update = "mov $0x79, %ecx; mov $0x100000, %eax; xor %edx, %edx; slow: wrmsr; behind: nop\n";

interface Options {
  readonly refused?: boolean;
  readonly accelerations?: { readonly runAhead: boolean; readonly spinElision: boolean };
}

/** Two cores of two threads: CPU 2 is the other thread of CPU 0's core. */
const topology = buildTopology({
  architecture: "x86-64",
  packages: 1,
  llcsPerDie: 1,
  coresPerLlc: 2,
  threadsPerCore: 2,
});
const SIBLING = 2;

/** CPU 0's updates take 5,000 cycles. */
function machineOf(programs: readonly string[], { refused = false, ...options }: Options = {}): TextGuest {
  const guest = guestOf(programs, { nmi: notes(2, 40) }, { topology, cpus: 4, ...options });
  guest.machine.core.setMicrocodeUpdate(0, BigInt(UPDATE_CYCLES), refused);
  return guest;
}

describe("a microcode update", () => {
  it("takes its time, in which the CPU executes nothing", () => {
    const guest = machineOf([update]);
    runTo(guest, "slow");
    const started = guest.machine.clock(0);
    const retired = guest.machine.retired(0);
    guest.machine.run(started + BigInt(UPDATE_CYCLES));
    // Of its own instructions it has executed the WRMSR.
    expect(guest.machine.retired(0) - retired).toBe(1n);
    expect(guest.machine.clock(0)).toBeGreaterThanOrEqual(started + BigInt(UPDATE_CYCLES));
  });

  it.each([
    ["an NMI", (guest: TextGuest) => send(guest, DeliveryMode.NMI, { after: 100 })],
    ["an SMI", (guest: TextGuest) => sendSmi(guest, { after: 100 })],
  ])("takes no event: %s waits for its end", (_, emit) => {
    const guest = machineOf([update]);
    runTo(guest, "slow");
    const started = guest.machine.clock(0);
    emit(guest);
    guest.machine.run(now(guest) + 20_000n);
    const [taken] = records(guest, TraceKind.INTERRUPT_TAKEN, TraceKind.SMM_ENTERED);
    expect(taken?.cycle).toBeGreaterThanOrEqual(started + BigInt(UPDATE_CYCLES));
  });

  it("changes the revision, which CPUID brings into the register", () => {
    const guest = machineOf([clear + readTo(0) + identify + readTo(2) + update + clear + identify + readTo(4)]);
    guest.run(20_000);
    const words = [0, 1, 2, 3, 4, 5].map((index) => guest.data(index));
    expect(words).toEqual([7n, 5n, FIRST_REVISION, 0n, BigInt(MICROCODE_REVISION), 0n]);
  });

  it("changes nothing when the CPU refuses it", () => {
    const guest = machineOf([update + identify + readTo(0)], { refused: true });
    guest.run(20_000);
    expect(guest.data(0)).toBe(FIRST_REVISION);
  });

  it("is the core's: the other thread has the revision when it ends, and not before; other cores don't", () => {
    const spin = `again: ${identify} mov $0x8b, %ecx; rdmsr; cmp $${MICROCODE_REVISION}, %edx; jne again; seen: nop`;
    expect(topology.cpus.map(({ core }) => core)).toEqual([0, 1, 0, 1]);
    const guest = machineOf([update, "", spin]);
    runTo(guest, "slow");
    const started = guest.machine.clock(0);
    const seen = runTo(guest, "seen", SIBLING);
    expect(seen).toBeGreaterThanOrEqual(started + BigInt(UPDATE_CYCLES));
    expect(seen).toBeLessThan(started + BigInt(UPDATE_CYCLES + 500));
  });

  it("faults at an address that is not canonical", () => {
    const guest = machineOf(["mov $0x79, %ecx; xor %eax, %eax; mov $0x80000000, %edx; wrmsr; note: nop"]);
    guest.run(5000);
    expect(guest.reg(0, "r15")).toBe(13n);
    expect(noted(guest)).toEqual([]);
  });

  it("comes out the same with and without accelerations", () => {
    const programs = [update, "", identify + readTo(8), "again: pause; cmpq $0, DATA + 512; je again"];
    const digests = [true, false].map((on) => {
      const guest = machineOf(programs, { accelerations: { runAhead: on, spinElision: on } });
      guest.machine.run(3000n);
      const early = guest.machine.core.digest();
      guest.machine.run(20_000n);
      return [early, guest.machine.core.digest()];
    });
    expect(digests[0]).toEqual(digests[1]);
  });
});
