// A host takes time from CPUs, as a hypervisor that deschedules them, and sets how deep their idle states are.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { arm64, x64, type DirectBodies } from "../../src/asm/index.ts";
import type { AllstopError } from "../../src/errors.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { architectures, counter, counting, cpus, imageOf, machineOf, type Arch } from "./images.ts";

const EXIT = 2500;

function counted(machine: Machine, architecture: Arch, cpu = 0): bigint {
  return machine.readRegister(cpu, counter[architecture]);
}

function started(architecture: Arch, bodies: DirectBodies, count = 2): Machine {
  const machine = machineOf(imageOf(architecture, bodies, { cpus: count }), { topology: cpus(count) });
  machine.traceKinds([TraceKind.SUSPENDED, TraceKind.INTERRUPT_TAKEN, TraceKind.WAKE]);
  for (let cpu = 0; cpu < count; cpu++) machine.start(cpu, "main");
  machine.run(1000);
  return machine;
}

describe.each(architectures)("suspend() on %s", (architecture) => {
  it("takes all time from one CPU for so long, and from no other", () => {
    const machine = started(architecture, counting);
    machine.suspend(1, { cycle: 2000, durationCycles: 5000 });
    const at = [2010, 6990, 7000, 8000].map((cycle) => {
      machine.run(cycle);
      return [counted(machine, architecture, 0), counted(machine, architecture, 1)] as const;
    });
    expect(at[1]?.[1]).toBe(at[0]?.[1]);
    expect(at[2]?.[1]).toBe(at[0]?.[1]);
    expect(at[3]![1] - at[2]![1]).toBe(at[3]![0] - at[2]![0]);
    expect(at[1]![0] - at[0]![0]).toBeGreaterThan(1000n);
    const [record] = [...machine.trace];
    expect(record).toMatchObject({ kind: TraceKind.SUSPENDED, cpu: 1, cycle: 2000, value: 7000n });
  });

  it("counts once what overlaps", () => {
    const machine = started(architecture, counting);
    machine.suspend(0, { cycle: 2000, durationCycles: 5000 });
    machine.suspend(0, { cycle: 2500, durationCycles: 1000 });
    machine.suspend(0, { cycle: 6000, durationCycles: 2000 });
    machine.run(2010);
    const before = counted(machine, architecture);
    machine.run(8000);
    expect(counted(machine, architecture)).toBe(before);
    machine.run(8100);
    expect(counted(machine, architecture)).toBeGreaterThan(before);
  });

  it("lets a CPU that is off come up when its time is over, and not before", () => {
    const machine = machineOf(imageOf(architecture, counting));
    machine.suspend(0, { cycle: 1, durationCycles: 5000 });
    machine.start(0, "main", { cycle: 10 });
    machine.run(5001);
    expect(counted(machine, architecture)).toBe(0n);
    machine.run(5100);
    expect(counted(machine, architecture)).toBeGreaterThan(10n);
  });

  it("refuses durations, cycles and CPUs that can't be", () => {
    const machine = started(architecture, counting);
    const refused = (cpu: number, options: Parameters<Machine["suspend"]>[1]): Partial<AllstopError> => {
      try {
        machine.suspend(cpu, options);
      } catch (error) {
        const { code, value } = error as AllstopError;
        return { code, value };
      }
      throw new Error("not refused");
    };
    for (const durationCycles of [0, -1, 1.5, 2 ** 48 + 1, NaN]) {
      expect(refused(0, { durationCycles })).toEqual({ code: "OPTION_INVALID", value: durationCycles });
    }
    expect(refused(2, { durationCycles: 1 })).toEqual({ code: "OPTION_INVALID", value: 2 });
    expect(refused(0, { durationCycles: 1, cycle: 1000 })).toEqual({ code: "OPTION_INVALID", value: 1000 });
  });
});

/** Waits for interrupts, which stay masked, and counts how often it is woken. */
const halting: DirectBodies = {
  x64: (a) => {
    a.mov(x64.rbx, 0).label("again").mov(x64.ecx, 0).mov(x64.edx, 0);
    a.lea(x64.rax, x64.at(x64.rsp, 0))
      .monitor()
      .mov(x64.eax, 0x20)
      .mov(x64.ecx, 1)
      .mwait()
      .add(x64.rbx, 1)
      .jmp("again");
  },
  arm64: (a) => void a.movConstant(arm64.x1, 0).label("again").wfi().add(arm64.x1, arm64.x1, 1).b("again"),
};

describe("a suspended CPU that waits (x86-64)", () => {
  const interrupted = (act: (machine: Machine) => void): number => {
    const machine = machineOf(imageOf("x86-64", halting));
    machine.traceKinds([TraceKind.WAKE]);
    machine.start(0, "main", { stack: machine.address("main") });
    machine.run(100_000);
    act(machine);
    machine.sendInterrupt(0, { kind: "nmi" }, { cycle: 200_000 });
    machine.run(200_001);
    return machine.cpu(0).cycle;
  };

  it("is woken by what comes meanwhile, and goes on when its time is over", () => {
    expect(interrupted(() => undefined)).toBe(200_000 + EXIT);
    expect(interrupted((machine) => machine.suspend(0, { cycle: 150_000, durationCycles: 90_000 }))).toBe(240_000);
    expect(interrupted((machine) => machine.suspend(0, { cycle: 150_000, durationCycles: 1000 }))).toBe(200_000 + EXIT);
  });

  it("takes as long out of a deep state as has been said", () => {
    expect(interrupted((machine) => machine.setIdleExit(0, 300_000))).toBe(200_000 + EXIT);
    const machine = machineOf(imageOf("x86-64", halting));
    machine.setIdleExit(0, 300_000);
    machine.start(0, "main", { stack: machine.address("main") });
    machine.sendInterrupt(0, { kind: "nmi" }, { cycle: 200_000 });
    machine.run(200_001);
    expect(machine.cpu(0).cycle).toBe(500_000);
  });
});
