// The host makes local interrupts of x86-64 CPUs signal, and chooses the mode of their APICs.

import { describe, expect, it } from "vitest";
import { LinuxVector, TraceKind } from "../../src/abi.ts";
import type { AllstopError } from "../../src/errors.ts";
import type { LocalApicMode, LocalInterruptSource } from "../../src/machine/machine.ts";
import { Machine } from "../../src/machine/machine.ts";
import { buildKernel, kernelSymbols } from "../../src/guest/kernel.ts";
import { genericArm64, genericX86 } from "../../src/timing/generic.ts";
import { topologyForCpus } from "../../src/topology/index.ts";
import { checkedCore } from "../support/bare-machine.ts";

function machineOf(architecture: "x86-64" | "arm64", localApic?: LocalApicMode): Machine {
  const timing = architecture === "x86-64" ? genericX86 : genericArm64;
  const options = { topology: topologyForCpus(2, architecture), timing, image: buildKernel({ architecture, cpus: 2 }) };
  return Machine.build(checkedCore, { ...options, ...(localApic === undefined ? {} : { localApic }) });
}

const error = (code: string, value: unknown): Partial<AllstopError> =>
  expect.objectContaining({ code, value }) as Partial<AllstopError>;

describe("signalLocalInterrupt", () => {
  it("signals at its cycle, and the CPU makes of it what its APIC says", () => {
    const machine = machineOf("x86-64");
    machine.traceKinds([TraceKind.INTERRUPT_TAKEN]);
    for (const cpu of [0, 1]) machine.start(cpu, kernelSymbols.entry, { argument: BigInt(cpu) });
    machine.run(1_000_000);
    // The kernel has LINT1 masked, and an idle CPU open to interrupts.
    machine.signalLocalInterrupt(1, "lint1", { cycle: 1_100_000 });
    machine.signalLocalInterrupt(1, "spurious", { cycle: 1_200_000 });
    machine.run(1_300_000);
    const taken = [...machine.trace].filter(({ kind }) => kind === TraceKind.INTERRUPT_TAKEN);
    expect(taken.map(({ cpu, subject }) => [cpu, subject])).toEqual([[1, LinuxVector.SPURIOUS_APIC]]);
    expect(taken[0]?.cycle).toBeGreaterThanOrEqual(1_200_000);
  });

  it.each([
    ["a CPU that doesn't exist", 2, "lint1", 10, 2],
    ["a source that doesn't exist", 0, "lint2", 10, "lint2"],
    ["a cycle that is over", 0, "lint1", 0, 0],
    ["half a cycle", 0, "lint1", 1.5, 1.5],
  ] as const)("refuses %s", (_, cpu, source, cycle, value) => {
    const machine = machineOf("x86-64");
    const signal = (): void => machine.signalLocalInterrupt(cpu, source as LocalInterruptSource, { cycle });
    expect(signal).toThrow(error("OPTION_INVALID", value));
  });

  it("is nothing that an arm64 machine has", () => {
    expect(() => machineOf("arm64").signalLocalInterrupt(0, "lint1")).toThrow(error("OPTION_INVALID", "arm64"));
  });
});

describe("the mode of local APICs", () => {
  it("is one of two, and nothing of arm64's", () => {
    expect(() => machineOf("x86-64", "xapic")).not.toThrow();
    expect(() => machineOf("x86-64", "apic" as LocalApicMode)).toThrow(error("OPTION_INVALID", "apic"));
    expect(() => machineOf("arm64", "xapic")).toThrow(error("OPTION_INVALID", "xapic"));
  });
});
