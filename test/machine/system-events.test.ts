// What a host sends to the CPUs of an x86-64 machine, the counters that it sets apart, and the errors when it asks for what can't be.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { arm64 as registers, type Image } from "../../src/asm/index.ts";
import type { AllstopError } from "../../src/errors.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { counting, cpus, imageOf, machineOf } from "./images.ts";

const image = imageOf("x86-64", counting);
const arm64 = imageOf("arm64", counting);

function running(options: Parameters<typeof machineOf>[1] = {}, of: Image = image): Machine {
  const machine = machineOf(of, options);
  machine.traceKinds([TraceKind.SMM_ENTERED, TraceKind.INIT_TAKEN, TraceKind.CPU_STARTED, TraceKind.INTERRUPT_ARRIVED]);
  machine.start(0, "main");
  machine.run(1000);
  return machine;
}

const kinds = (machine: Machine, kind: TraceKind) => [...machine.trace].filter((record) => record.kind === kind);

/** What a call is refused with. */
function refusal(call: () => void): Pick<AllstopError, "code" | "value" | "allowed"> {
  try {
    call();
  } catch (error) {
    const { code, value, allowed } = error as AllstopError;
    return { code, value, allowed };
  }
  throw new Error("not refused");
}

describe("sendSmi()", () => {
  it("takes a CPU away for as long as it says, from its next instruction boundary on", () => {
    const machine = running();
    machine.sendSmi(0, { cycle: 2000, durationCycles: 5000 });
    machine.run(10_000);
    const [record] = kinds(machine, TraceKind.SMM_ENTERED);
    expect(record?.cycle).toBeGreaterThanOrEqual(2000);
    expect(record?.cycle).toBeLessThan(2010);
    expect(Number(record?.value) - record!.cycle).toBe(5000);
  });

  it("refuses durations, cycles and CPUs that can't be", () => {
    const machine = running();
    for (const durationCycles of [0, -1, 1.5, 2 ** 32]) {
      const { code, value } = refusal(() => machine.sendSmi(0, { durationCycles }));
      expect([code, value]).toEqual(["OPTION_INVALID", durationCycles]);
    }
    expect(refusal(() => machine.sendSmi(0, { cycle: 1000 }))).toMatchObject({ code: "OPTION_INVALID", value: 1000 });
    expect(refusal(() => machine.sendSmi(1))).toMatchObject({ code: "OPTION_INVALID", value: 1 });
  });
});

describe("sendInterrupt()", () => {
  it("brings a message to a CPU in the cycle that it says", () => {
    const machine = running();
    machine.sendInterrupt(0, { kind: "fixed", vector: 0x40 }, { cycle: 3000 });
    machine.run(5000);
    expect(kinds(machine, TraceKind.INTERRUPT_ARRIVED)).toMatchObject([{ cycle: 3000, cpu: 0, subject: 0x40 }]);
  });

  it("starts a CPU that has never run, at the entry for start-up IPIs", () => {
    const machine = running({ topology: cpus(2, "1") });
    machine.setStartupEntry({ pc: "main", stackOf: (cpu) => 0x1000 * cpu });
    machine.sendInterrupt(1, { kind: "startup", page: 0x12 });
    machine.run(100_000);
    expect(machine.cpu(1)).toMatchObject({ state: "RUNNING" });
    expect([machine.readRegister(1, "rsp"), machine.readRegister(1, "rdi"), machine.readRegister(1, "rsi")]).toEqual([
      0x1000n,
      1n,
      0x12n,
    ]);
    expect(kinds(machine, TraceKind.CPU_STARTED).at(-1)).toMatchObject({ cpu: 1, subject: 0x12 });
  });

  it("resets CPU 0, which begins at its reset entry", () => {
    const machine = running();
    machine.setResetEntry({ pc: "main", argumentOf: () => 5n });
    machine.sendInterrupt(0, { kind: "init" });
    machine.run(100_000);
    expect(machine.readRegister(0, "rdi")).toBe(5n);
  });

  it("ends the run by name where there is no entry", () => {
    const machine = running();
    machine.sendInterrupt(0, { kind: "init" });
    expect(machine.run(5000)).toMatchObject({ kind: "stopped", stop: { reason: "NO_STARTUP_ENTRY", cpu: 0 } });
  });

  it("refuses kinds, vectors and pages that don't exist", () => {
    const machine = running();
    const send = (message: unknown) => refusal(() => machine.sendInterrupt(0, message as { kind: "nmi" }));
    expect(send({ kind: "extint" })).toMatchObject({ code: "OPTION_INVALID", value: "extint" });
    expect(send({ kind: "fixed", vector: 256 })).toMatchObject({ code: "OPTION_INVALID", value: 256 });
    expect(send({ kind: "startup", page: -1 })).toMatchObject({ code: "OPTION_INVALID", value: -1 });
  });
});

describe("raiseSystemNmi()", () => {
  it("needs a reason that port 0x61 has", () => {
    const machine = running();
    expect(refusal(() => machine.raiseSystemNmi("watchdog" as "serr"))).toMatchObject({
      code: "OPTION_INVALID",
      value: "watchdog",
      allowed: "serr, iochk",
    });
  });
});

describe("options of an x86-64 machine", () => {
  it("give every CPU a time-stamp counter of its own", () => {
    const reading = imageOf("x86-64", {
      x64: (a) => void a.rdtsc().label("again").jmp("again"),
      arm64: () => undefined,
    });
    const machine = running({ tscOffsets: [5n << 32n] }, reading);
    expect(machine.readRegister(0, "rdx")).toBe(5n);
  });

  it("are refused when they can't be", () => {
    expect(refusal(() => machineOf(image, { shutdown: "reboot" as "stop" }))).toMatchObject({ value: "reboot" });
    expect(refusal(() => machineOf(image, { tscOffsets: [0, 1] }))).toMatchObject({ value: 2 });
    expect(refusal(() => machineOf(image, { tscOffsets: [0.5] }))).toMatchObject({ value: 0.5 });
    expect(refusal(() => machineOf(image, { tscOffsets: [1n << 64n] }))).toMatchObject({ value: 1n << 64n });
  });

  it("let a CPU stay in shutdown", () => {
    const fatal = imageOf("x86-64", { x64: (a) => void a.ud2(), arm64: () => undefined });
    const machine = machineOf(fatal, { shutdown: "wait" });
    machine.start(0, "main");
    expect(machine.run(10_000)).toEqual({ kind: "quiescent" });
    expect(machine.cpu(0)).toMatchObject({ state: "WAITING", waitsIn: "SHUTDOWN" });
  });
});

describe("virtualCounterOffsets of an arm64 machine", () => {
  const reading = imageOf("arm64", {
    arm64: (a) => void a.mrs(registers.x1, "cntvct_el0").label("again").b("again"),
    x64: () => undefined,
  });

  it("are what virtual counters are behind", () => {
    const machine = machineOf(reading, { virtualCounterOffsets: [-(1n << 40n)] });
    machine.start(0, "main");
    machine.run(1000);
    expect(machine.readRegister(0, "x1") >> 40n).toBe(1n);
  });

  it("are refused when they can't be", () => {
    const given = (...virtualCounterOffsets: (number | bigint)[]) => machineOf(reading, { virtualCounterOffsets });
    expect(refusal(() => given(0, 1))).toMatchObject({ value: 2 });
    expect(refusal(() => given(-(2 ** 60)))).toMatchObject({ value: -(2 ** 60) });
    expect(refusal(() => given(-(1n << 63n) - 1n))).toMatchObject({ value: -(1n << 63n) - 1n });
    expect(refusal(() => machineOf(image, { virtualCounterOffsets: [0] }))).toMatchObject({ value: "x86-64" });
  });
});

it("an arm64 machine has none of it", () => {
  const machine = machineOf(arm64);
  const calls: readonly (() => void)[] = [
    () => machine.sendSmi(0),
    () => machine.sendInterrupt(0, { kind: "nmi" }),
    () => machine.raiseSystemNmi("serr"),
    () => machine.setStartupEntry({ pc: "main" }),
    () => machine.setResetEntry({ pc: "main" }),
    () => machineOf(arm64, { shutdown: "wait" }),
    () => machineOf(arm64, { tscOffsets: [1] }),
  ];
  for (const call of calls) expect(refusal(call)).toMatchObject({ code: "OPTION_INVALID", value: "arm64" });
});
