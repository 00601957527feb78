// udelay(): it lasts as long as it says whatever ends its waits early, and costs next to nothing to simulate.

import { describe, expect, it } from "vitest";
import { array, buildImage, global, nothing, routine, u64, x64 } from "../../src/asm/index.ts";
import { udelay } from "../../src/guest/lib/delay.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { genericArm64, genericX86 } from "../../src/timing/generic.ts";
import { architectures, machineOf, type Arch } from "../machine/images.ts";

const TICKS_PER_US = { "x86-64": genericX86.clockMhz.value, arm64: genericArm64.counterHz.value / 1e6 } as const;
const CYCLES_PER_US = 2500;

const SPURIOUS_VECTOR_MSR = 0x80f;
const STACK_BYTES = 1024;
const stack = global("test_stack", array(u64, STACK_BYTES / 8), { align: 64 });

function delaying(architecture: Arch, microseconds: number, rounds: number): Machine {
  const main = routine("main", [], nothing, (k) => {
    // Software-enables the local APIC, so that it takes interrupts.
    k.arch(
      {
        x64: (a) => void a.mov(x64.ecx, SPURIOUS_VECTOR_MSR).mov(x64.eax, 0x1ff).mov(x64.edx, 0).wrmsr(),
        arm64: () => undefined,
      },
      { clobbers: { x64: ["rax", "rcx", "rdx"] } },
    );
    k.mark("start");
    k.for("round", 0, rounds, () => k.call(udelay, microseconds));
    k.mark("end");
    k.loop(() => k.cpuRelax());
  });
  const options = { ticksPerMicrosecond: TICKS_PER_US[architecture] };
  const machine = machineOf(buildImage({ architecture, roots: [main, stack], entry: main, options }));
  machine.probe("main:start");
  machine.probe("main:end", { break: true });
  machine.start(0, "main", { stack: machine.address("test_stack") + STACK_BYTES });
  return machine;
}

/** Microseconds from one mark to the other. */
function lasted(machine: Machine): number {
  machine.run(10_000_000_000);
  const [start, end] = [...machine.trace].map(({ cycle }) => cycle);
  return ((end ?? NaN) - (start ?? NaN)) / CYCLES_PER_US;
}

describe.each(architectures)("udelay() on %s", (architecture) => {
  it.each([1, 10, 1000])("lasts %d us, and little more", (microseconds) => {
    const us = lasted(delaying(architecture, microseconds, 1));
    expect(us).toBeGreaterThanOrEqual(microseconds);
    expect(us).toBeLessThan(microseconds + 0.5);
  });

  it("costs some instructions, however long it lasts", () => {
    const machine = delaying(architecture, 1000, 100);
    expect(lasted(machine)).toBeGreaterThanOrEqual(100_000);
    expect(machine.work.guestInstructions).toBeLessThan(100 * 60);
  });
});

describe("udelay() on x86-64", () => {
  it("goes on when an interrupt ends TPAUSE, one that is masked and stays pending too", () => {
    const machine = delaying("x86-64", 1000, 1);
    machine.sendInterrupt(0, { kind: "fixed", vector: 0x40 }, { cycle: 100_000 });
    const us = lasted(machine);
    expect(us).toBeGreaterThanOrEqual(1000);
    expect(us).toBeLessThan(1000.5);
  });
});
