// Injections come exactly where they are placed: before each instruction, at each time, whatever else goes on and whatever the
// accelerations.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { everyBoundary, type Placement } from "../../src/faults/placement.ts";
import { runWithFaults, type FaultyRun, type Injection } from "../../src/faults/inject.ts";
import type { AllstopError } from "../../src/errors.ts";
import type { Machine } from "../../src/machine/machine.ts";
import type { Accelerations } from "../../src/machine/accelerations.ts";
import { SCENARIO_FORMAT, parseScenario, type ScenarioInput } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { prepareMachine } from "../../src/scenario/run.ts";
import { architectures, checkedCore, type Arch } from "../machine/images.ts";

const LIMIT = 2_000_000;

async function machineFor(
  architecture: Arch,
  accelerations: Partial<Accelerations> = {},
  document: Partial<ScenarioInput> = {},
): Promise<Machine> {
  const expanded = expandScenario(
    parseScenario({
      format: SCENARIO_FORMAT,
      machine: { architecture, cpus: 4 },
      load: { common: "busy" },
      ...document,
    }),
  );
  const machine = await prepareMachine(expanded, { core: checkedCore, accelerations });
  machine.traceKinds([
    TraceKind.INTERRUPT_TAKEN,
    TraceKind.INTERRUPT_ARRIVED,
    TraceKind.SUSPENDED,
    TraceKind.SMM_ENTERED,
  ]);
  machine.probe("requester:done", { break: true });
  return machine;
}

async function run(architecture: Arch, injections: readonly Injection[], accelerations: Partial<Accelerations> = {}) {
  const machine = await machineFor(architecture, accelerations);
  const result = runWithFaults(machine, injections, LIMIT);
  return { machine, ...result, records: [...machine.trace] };
}

const MARK = "multi_cpu_stop:enter";
const NMI = 2;

/** What a CPU executes from the mark on, told by a machine that steps one instruction per cycle. */
async function instructionsFrom(architecture: Arch, cpu: number, count: number): Promise<number[]> {
  const machine = await machineFor(architecture);
  machine.probe(MARK, { break: false });
  machine.run(LIMIT);
  const hit = [...machine.trace].find((record) => record.kind === TraceKind.PROBE && record.cpu === cpu);
  const again = await machineFor(architecture);
  const pcs: number[] = [];
  // A suspension at each boundary shows where the CPU stands: nothing else moves it.
  for (let n = 0; n < count; n++) {
    const fork = again.fork();
    fork.run((hit?.cycle ?? NaN) - 1);
    fork.suspend(cpu, { durationCycles: 100_000, at: { place: MARK, instructions: n } });
    fork.run((hit?.cycle ?? NaN) + 20_000);
    pcs.push(fork.cpu(cpu).pc);
  }
  return pcs;
}

describe.each(architectures)("at an instruction of %s", (architecture) => {
  it("a suspension stands before each of a dozen instructions in turn", async () => {
    const pcs = await instructionsFrom(architecture, 2, 12);
    const machine = await machineFor(architecture);
    expect(pcs[0]).toBe(machine.address(MARK));
    // Straight on, or a branch: never the same instruction twice in a row.
    for (let n = 1; n < pcs.length; n++) expect(pcs[n]).not.toBe(pcs[n - 1]);
    const steps = pcs.slice(1).map((pc, n) => pc - (pcs[n] ?? 0));
    expect(steps.filter((step) => step > 0 && step <= 15).length).toBeGreaterThan(8);
  });

  it("tells the cycle, and is the same whatever the accelerations", async () => {
    const injections: Injection[] = everyBoundary(MARK, 6, { cpu: 1 }).map((at) => ({
      at,
      act: { kind: "suspend", us: 1 },
    }));
    const one = await run(architecture, injections.slice(2, 3));
    const plain = { runAhead: false, spinElision: false, decodeCache: false, foresight: false, spinTrains: false };
    const other = await run(architecture, injections.slice(2, 3), plain);
    expect(one.injected[0]?.cycle).toBe(one.records.find(({ kind }) => kind === TraceKind.SUSPENDED)?.cycle);
    expect(other.injected[0]?.cycle).toBe(one.injected[0]?.cycle);
    expect(other.end).toEqual(one.end);
    expect(other.machine.digest()).toBe(one.machine.digest());
  });
});

describe("an NMI before each instruction (x86-64)", () => {
  it("saves the RIP of that very instruction", async () => {
    const pcs = await instructionsFrom("x86-64", 2, 12);
    const saved: number[] = [];
    for (const at of everyBoundary(MARK, 12, { cpu: 2 })) {
      const { records } = await run("x86-64", [{ at, act: { kind: "nmi" } }]);
      const taken = records.filter(({ kind, subject }) => kind === TraceKind.INTERRUPT_TAKEN && subject === NMI);
      expect(taken.map(({ cpu }) => cpu)).toEqual([2]);
      saved.push(Number(taken[0]?.value));
    }
    expect(saved).toEqual(pcs);
  });
});

describe("placements", () => {
  const suspendedAt = ({ records }: { records: readonly { kind: TraceKind; cpu: number; cycle: number }[] }) =>
    records.filter(({ kind }) => kind === TraceKind.SUSPENDED).map(({ cpu, cycle }) => [cpu, cycle]);
  const suspend = (at: Placement, ...cpus: number[]): Injection => ({
    at,
    act: { kind: "suspend", us: 1, ...(cpus.length === 0 ? {} : { cpus }) },
  });

  it("by time and by cycle are the same", async () => {
    const time = await run("x86-64", [suspend({ us: 20 }, 1, 3)]);
    expect(suspendedAt(time)).toEqual([
      [1, 50_000],
      [3, 50_000],
    ]);
    expect(suspendedAt(await run("x86-64", [suspend({ cycle: 50_000 }, 1, 3)]))).toEqual(suspendedAt(time));
  });

  it("come in the order of time, whatever theirs in the list", async () => {
    const result = await run("x86-64", [
      suspend({ cycle: 60_000 }, 1),
      suspend({ mark: MARK, hit: 2 }),
      suspend({ us: 10 }, 2),
    ]);
    const cycles = result.injected.map(({ cycle }) => cycle ?? NaN);
    expect(cycles[0]).toBe(60_000);
    expect(cycles[2]).toBe(25_000);
    expect(cycles[1]).toBeGreaterThan(60_000);
    expect(suspendedAt(result).map(([, cycle]) => cycle)).toEqual([...cycles].sort((a, b) => a - b));
  });

  it("by the n-th time, of any CPU or of one", async () => {
    const machine = await machineFor("x86-64");
    machine.probe(MARK);
    machine.run(LIMIT);
    const hits = [...machine.trace].filter(({ kind, subject }) => kind === TraceKind.PROBE && subject !== 0);
    const order = hits.map(({ cpu }) => cpu);
    expect(new Set(order).size).toBe(4);
    for (const hit of [1, 2, 3, 4]) {
      expect((await run("x86-64", [suspend({ mark: MARK, hit })])).injected[0]).toMatchObject({
        cpus: [order[hit - 1]],
        cycle: hits[hit - 1]?.cycle,
      });
    }
    const own = await run("x86-64", [suspend({ mark: MARK, cpu: order[3]! })]);
    expect(own.injected[0]).toMatchObject({ cpus: [order[3]], cycle: hits[3]?.cycle });
  });

  it("later than a mark, and on other CPUs than the one that comes by", async () => {
    const now = await run("x86-64", [suspend({ mark: MARK, cpu: 2 }, 0, 1)]);
    const later = await run("x86-64", [suspend({ mark: MARK, cpu: 2, delayNs: 400 }, 0, 1)]);
    const cycle = now.injected[0]?.cycle ?? NaN;
    expect(suspendedAt(now)).toEqual([
      [0, cycle],
      [1, cycle],
    ]);
    expect(later.injected[0]?.cycle).toBe(cycle + 1000);
    expect(suspendedAt(later).map(([, at]) => at)).toEqual([cycle + 1000, cycle + 1000]);
  });

  it("that the run never comes to are told", async () => {
    const result: FaultyRun = await run("x86-64", [suspend({ mark: MARK, hit: 1000 }), suspend({ us: 10 }, 2)]);
    expect(result.end).toMatchObject({ kind: "probe", probe: "requester:done" });
    expect(result.injected.map(({ cycle }) => cycle)).toEqual([undefined, 25_000]);
  });

  it("at marks that the image doesn't have are refused", async () => {
    const machine = await machineFor("x86-64");
    const refused = (): unknown => runWithFaults(machine, [suspend({ mark: "multi_cpu_stop:entr" })], LIMIT);
    expect(refused).toThrow(expect.objectContaining({ code: "NAME_UNKNOWN" }) as AllstopError);
  });

  it("without any, a run is the plain one", async () => {
    const plain = await machineFor("arm64");
    plain.run(LIMIT);
    const { machine } = await run("arm64", []);
    expect(machine.digest()).toBe(plain.digest());
  });
});
