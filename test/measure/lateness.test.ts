// Where the time went: the parts of every CPU's lateness sum to the whole, and known causes are found.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CausePart } from "../../src/report/report.ts";
import { makeReport } from "../../src/report/make.ts";
import type { Cause } from "../../src/measure/partition.ts";
import { readLines } from "../../src/measure/lines.ts";
import { findPolicy } from "../../src/policies/index.ts";
import { capturedBy, latenessOf } from "../../src/scenario/lateness.ts";
import { SCENARIO_FORMAT, type ScenarioInput } from "../../src/scenario/document.ts";
import { executeScenario, type RunResult } from "../../src/scenario/run.ts";
import { loadKinds, type LoadKind } from "../../src/faults/load.ts";
import { checkedCore } from "../support/bare-machine.ts";

type Arch = "x86-64" | "arm64";

/** ALLSTOP_SEEDS asks for more than fit a test run. */
const runs = Number(process.env["ALLSTOP_SEEDS"] ?? 24);
const seed = Number(process.env["ALLSTOP_FIRST_SEED"] ?? 1);

function run(document: Partial<ScenarioInput>, lines = false): Promise<RunResult> {
  return executeScenario({ format: SCENARIO_FORMAT, ...document }, { core: checkedCore, lines });
}

const onlyX86: readonly LoadKind[] = ["hlt", "mwait", "smm"];
const notHere: readonly LoadKind[] = ["wfi", "offline-mwait", "offline-hlt", "wait-for-sipi", "never-started"];
const kindsOf = (architecture: Arch): LoadKind[] =>
  (Object.keys(loadKinds) as LoadKind[]).filter(
    (kind) => !notHere.includes(kind) && (architecture === "x86-64" || !onlyX86.includes(kind)),
  );
const policiesOf: Record<Arch, readonly string[]> = {
  "x86-64": [
    "stop_one_cpu",
    "stop_two_cpus",
    "cpu_offline",
    "stop_machine_nmi_d",
    "microcode_v2",
    "reboot_nmi",
    "kdump_2025",
  ],
  arm64: [
    "stop_one_cpu",
    "stop_two_cpus",
    "cpu_offline",
    "smp_send_stop_6_12",
    "smp_send_stop_sdei",
    "backtrace_arm64",
  ],
};
const injected: Record<Arch, readonly string[]> = {
  "x86-64": ["suspend", "smi", "pmu", "spurious"],
  arm64: ["suspend"],
};

const anyDocument = fc.constantFrom<Arch>("x86-64", "arm64").chain((architecture) => {
  const cpus = fc.subarray([2, 3, 4, 5, 6, 7, 8, 9], { minLength: 1, maxLength: 3 }).map((list) => list.join(","));
  const load = fc.record({ cpus, kind: fc.constantFrom(...kindsOf(architecture)) });
  const delivery = fc.record({
    cpus,
    kind: fc.constantFrom(
      ...(architecture === "x86-64" ? (["interrupt", "nmi"] as const) : (["interrupt", "el3"] as const)),
    ),
    fault: fc.constantFrom({ delayNs: 7000 }, { lost: 1 }, { lost: 3, delayNs: 500 }),
  });
  const inject = fc.record({
    kind: fc.constantFrom(...injected[architecture]),
    cpus,
    at: fc.oneof(
      fc.record({ us: fc.integer({ min: 60, max: 140 }) }),
      fc.record({ mark: fc.constant("requester:$request+mine"), delayNs: fc.nat(20_000) }),
    ),
  });
  return fc
    .record({
      common: fc.constantFrom<LoadKind>("idle", "busy", "poll", "mixed", "irqs-off", "nmi-blocked", "idle-deep"),
      particular: fc.array(load, { maxLength: 3 }),
      delivery: fc.array(delivery, { maxLength: 2 }),
      inject: fc.array(inject, { maxLength: 2 }),
      policy: fc.oneof(
        { weight: 2, arbitrary: fc.constant("stop_machine") },
        { weight: 1, arbitrary: fc.constantFrom(...policiesOf[architecture]) },
      ),
      seed: fc.nat(1000),
    })
    .map(
      ({
        common,
        particular,
        delivery: deliveries,
        inject: injections,
        policy,
        seed: drawn,
      }): Partial<ScenarioInput> => ({
        machine: { architecture, topology: "2x5x1" },
        policy: { name: policy },
        load: { common, particular },
        faults: {
          delivery: deliveries.map(({ fault, ...rest }) => ({ ...rest, ...fault })),
          inject: injections.map((one) =>
            one.kind === "suspend" || one.kind === "smi" ? { ...one, us: 30 } : one,
          ) as NonNullable<NonNullable<ScenarioInput["faults"]>["inject"]>,
        },
        seed: drawn,
        limitUs: 1500,
      }),
    );
});

/** Every CPU of every call has its time divided without a rest. */
function expectWhole(result: RunResult): void {
  const { timelines, expanded, machine } = result;
  const { stoppedState } = expanded.policy;
  for (const timeline of timelines) {
    const captured = capturedBy(result, timeline);
    const lateness = latenessOf(result, timeline);
    expect(lateness.map(({ cpu }) => cpu)).toEqual(captured);
    for (const { cpu, from, until, isStopped, stretches, parts } of lateness) {
      const stop = timeline.acknowledge[stoppedState - 1]?.[cpu] ?? NaN;
      expect([from, isStopped]).toEqual([timeline.call, !Number.isNaN(stop)]);
      if (isStopped) expect(until).toBe(Math.max(stop, from));
      else expect(until).toBeLessThanOrEqual(machine.cycle);
      let cycle = from;
      for (const stretch of stretches) {
        expect(stretch.from).toBe(cycle);
        expect(stretch.until).toBeGreaterThan(cycle);
        expect(Number.isSafeInteger(stretch.until)).toBe(true);
        cycle = stretch.until;
      }
      expect(cycle).toBe(until);
      expect(parts.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(until - from);
    }
  }
}

const sumOf = (parts: readonly { readonly cycles: number }[]): number =>
  parts.reduce((sum, { cycles }) => sum + cycles, 0);

describe("a CPU's lateness", () => {
  it(
    "is divided without a rest, whatever CPUs do and whatever goes wrong, with lines and without",
    { timeout: 300_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(anyDocument, async (document) => {
          const plain = await run(document);
          const lines = await run(document, true);
          expect(lines.machine.digest()).toBe(plain.machine.digest());
          expectWhole(plain);
          expectWhole(lines);
          const report = makeReport(plain);
          for (const { latenessCycles, causes } of report.stragglers) expect(sumOf(causes)).toBe(latenessCycles);
          const last = plain.timelines.findLast((timeline) => !Number.isNaN(timeline.return));
          if (last !== undefined) expect(sumOf(report.criticalPath)).toBe(last.return - last.call);
          for (const { cycles, causes } of report.criticalPath) if (causes) expect(sumOf(causes)).toBe(cycles);
          // What it waited for is all that measuring lines adds.
          const before = new Map(latenessOf(plain).map(({ cpu, parts }) => [cpu, parts]));
          for (const { cpu, parts } of latenessOf(lines)) {
            const outside = (all: readonly { cause: Cause; cycles: number }[] = []): Record<string, number> =>
              Object.fromEntries(
                all.filter(({ cause }) => !OWN_PATH.has(cause)).map(({ cause, cycles }) => [cause, cycles]),
              );
            expect(outside(parts)).toEqual(outside(before.get(cpu)));
          }
        }),
        { seed, numRuns: runs, endOnFailure: runs <= 24 },
      );
    },
  );
});

/** What waiting for lines may be part of, and the caller's own signalling. */
const OWN_PATH: ReadonlySet<Cause> = new Set<Cause>(["kernel", "idle-exit", "line", "sender"]);

/** Microseconds by cause. */
function byCause(causes: readonly CausePart[] | undefined): Partial<Record<Cause, number>> {
  const sums: Partial<Record<Cause, number>> = {};
  for (const { cause, ns } of causes ?? []) sums[cause] = (sums[cause] ?? 0) + ns / 1000;
  return sums;
}

describe.each(["x86-64", "arm64"] as const)("on %s, the greatest part of a late CPU's time is", (architecture) => {
  /** Parts of CPU 3 until it arrived, in microseconds, when it alone does something else than the others. */
  async function partsOf(kind: LoadKind, figures: object = {}, rest: Partial<ScenarioInput> = {}) {
    const result = await run({
      machine: { architecture, cpus: 8 },
      load: { common: "poll", particular: [{ cpus: "3", kind, ...figures }] },
      limitUs: 5000,
      ...rest,
    });
    const report = makeReport(result);
    const straggler = report.stragglers[0];
    expect(straggler?.cpu).toBe(3);
    return { parts: byCause(straggler?.causes), result, report };
  }

  it("interrupts that are off, as long as the load says", async () => {
    const { parts, result } = await partsOf("irqs-off", { offUs: 200, onUs: 1 });
    const [timeline] = result.timelines;
    const late = latenessOf(result)[3];
    const enabled = late?.stretches.find(({ cause }) => cause === "irqs-off");
    expect(enabled?.from).toBe(late?.delivered);
    expect(enabled?.until).toBe(late?.taken);
    expect(parts["irqs-off"]).toBeGreaterThan(20);
    expect(parts["irqs-off"]).toBeLessThan(215);
    const total =
      ((timeline?.acknowledge[1]?.[3] ?? NaN) - (timeline?.call ?? NaN)) / result.machine.timing.clockMhz.value;
    expect(parts["irqs-off"]).toBeGreaterThan(total - 10);
  });

  it("time that a hypervisor took", async () => {
    const { parts } = await partsOf("descheduled", { us: 300 });
    expect(parts.descheduled).toBeGreaterThan(295);
    expect(parts.descheduled).toBeLessThanOrEqual(300);
  });

  it("the exit from a deep idle state", async () => {
    const { parts } = await partsOf("idle-deep", { us: 133 });
    expect(parts["idle-exit"]).toBeGreaterThanOrEqual(133);
    expect(parts["idle-exit"]).toBeLessThan(134);
  });

  it("a message that is held up, or lost until another comes", async () => {
    const delayed = { faults: { delivery: [{ cpus: "3", kind: "interrupt" as const, delayNs: 50_000 }] } };
    const { parts } = await partsOf("busy", {}, delayed);
    expect(parts.message).toBeGreaterThan(50);
    expect(parts.message).toBeLessThan(52);
    const lost = await run({
      machine: { architecture, cpus: 8 },
      load: { common: "busy" },
      faults: { delivery: [{ cpus: "3", kind: "interrupt", lost: "all" }] },
      limitUs: 1000,
    });
    const { outcome } = makeReport(lost);
    expect(outcome.verdict).toBe("hang");
    expect(outcome.missing.map(({ cpu, isCulprit, causes }) => [cpu, isCulprit, causes[0]?.cause])).toEqual([
      [3, true, "lost"],
    ]);
  });

  it("its turn with the sender, of the last of many", async () => {
    const result = await run({ machine: { architecture, cpus: 256 }, load: { common: "idle" } });
    const last = makeReport(result).stragglers.find(({ cpu }) => cpu === 255);
    expect(last?.causes[0]?.cause).toBe("sender");
    expect(last?.causes[0]?.ns).toBeGreaterThan(0.8 * (last?.stoppedNs ?? NaN));
  });

  it("of a hang, interrupts that are off until the end; and who only waits is not to blame", async () => {
    const result = await run({
      machine: { architecture, cpus: 8 },
      load: { common: "idle", particular: [{ cpus: "5", kind: "wedged" }] },
      limitUs: 1000,
    });
    const { outcome, stragglers } = makeReport(result);
    expect(outcome.missing.map(({ cpu, isCulprit, causes }) => [cpu, isCulprit, causes[0]?.cause])).toEqual([
      [5, true, "irqs-off"],
    ]);
    expect(outcome.story).toContain("CPU 5 (wedged");
    // Everybody else spins for it, the last to come, too.
    for (const { causes } of stragglers) expect(causes[0]?.cause).toBe("others");
  });
});

describe("on x86-64, the greatest part is", () => {
  const onX86 = (kind: LoadKind, us: number, name = "stop_machine") =>
    run({
      machine: { architecture: "x86-64", cpus: 8 },
      policy: { name },
      load: { common: "poll", particular: [{ cpus: "3", kind, us }] },
      limitUs: 5000,
    });

  it("system-management mode", async () => {
    const parts = byCause(makeReport(await onX86("smm", 500)).stragglers[0]?.causes);
    expect(parts.smm).toBeGreaterThan(490);
    expect(parts.smm).toBeLessThanOrEqual(500);
  });

  it("an NMI handler that keeps NMIs away", async () => {
    const parts = byCause(makeReport(await onX86("nmi-blocked", 200, "reboot_nmi")).stragglers[0]?.causes);
    expect(Object.keys(parts)).toContain("nmi-blocked");
    expect(parts["nmi-blocked"]).toBeGreaterThan(10);
    expect(parts["nmi-blocked"]).toBeLessThan(215);
  });
});

describe("lines", () => {
  it("are counted as the core counts its misses, and nobody waits longer than it stands still", async () => {
    for (const architecture of ["x86-64", "arm64"] as const) {
      const { machine } = await run({ machine: { architecture, topology: "2x6x1" }, load: { common: "mixed" } }, true);
      const { lines } = readLines(machine, 0, Infinity);
      const all = [...lines.values()];
      const granted = all.reduce((sum, { transfers }) => sum + transfers, 0);
      // Some may be under way still.
      expect(granted).toBeLessThanOrEqual(machine.work.misses);
      expect(granted).toBeGreaterThan(machine.work.misses - 12);
      for (const { waitCycles, queueCycles, worst, transfers, writes, accesses } of all) {
        expect(queueCycles).toBeGreaterThanOrEqual(0);
        expect(queueCycles).toBeLessThanOrEqual(waitCycles);
        expect(writes).toBeLessThanOrEqual(transfers);
        expect([...accesses.values()].reduce((sum, count) => sum + count, 0)).toBe(transfers);
        if (transfers > 0) expect(worst?.cycles).toBeGreaterThanOrEqual(waitCycles / transfers);
      }
    }
  });

  it("most waited for are those of the rendezvous, by field; each CPU writes the counter once per state", async () => {
    for (const architecture of ["x86-64", "arm64"] as const) {
      const result = await run({ machine: { architecture, cpus: 24 }, load: { common: "idle" } }, true);
      const report = makeReport(result);
      const [first] = report.lines?.most ?? [];
      expect(first?.name).toBe("multi_stop_data on CPU 0's stack");
      expect(first?.fields.map(({ name }) => name)).toEqual(
        expect.arrayContaining(["multi_stop_data.state", "multi_stop_data.thread_ack"]),
      );
      expect(first?.code.map(({ name }) => name)).toContain("multi_cpu_stop");
      // Nobody can count down twice on one copy, since everybody else does in between; the last one of a state sets the next.
      const states = findPolicy("stop_machine").phases.length;
      expect(first?.writes).toBeGreaterThan(0.9 * 24 * states);
      expect(first?.writes).toBeLessThan(1.3 * 24 * states);
      expect(first?.queueNs).toBeGreaterThan((first?.waitNs ?? NaN) / 2);
      // A line of each CPU's is one row.
      expect(report.lines?.most.some(({ name, lines }) => /^runqueue of \d+ CPUs$/.test(name) && lines > 20)).toBe(
        true,
      );
    }
  });

  it("are not measured of what makes no calls", async () => {
    await expect(run({ machine: { cpus: 4 }, policy: { name: "ipi-benchmark" } }, true)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      at: "lines",
    });
  });
});

it("a report of a fixed seed", async () => {
  const machine = { topology: "2x4x2", architecture: "x86-64" } as const;
  const report = makeReport(await run({ machine, load: { common: "mixed" }, seed: 7 }));
  const cyclesOf = (causes: readonly CausePart[]) => causes.map(({ cause, cycles }) => [cause, cycles]);
  expect(report.criticalPath.map(({ name, cpu, cycles }) => [name, cpu, cycles])).toEqual([
    ["PREPARE", 7, 51743],
    ["DISABLE_IRQ", 2, 2185],
    ["RUN", 14, 2124],
    ["EXIT", 2, 2462],
    ["return", 0, 2769],
  ]);
  const stragglers = report.stragglers.slice(0, 3);
  expect(
    stragglers.map(({ cpu, load, latenessCycles, causes }) => [cpu, load, latenessCycles, cyclesOf(causes)]),
  ).toEqual([
    // A message between the two packages takes 550 ns in this model, one within a package 500 ns.
    [
      7,
      "irqs-off",
      52667,
      [
        ["irqs-off", 29776],
        ["sender", 16727],
        ["kernel", 4789],
        ["message", 1375],
      ],
    ],
    [
      10,
      "irqs-off",
      53883,
      [
        ["irqs-off", 25855],
        ["sender", 18891],
        ["others", 5187],
        ["kernel", 2700],
        ["message", 1250],
      ],
    ],
    // MWAIT is left in 1 us.
    [
      15,
      "idle",
      52603,
      [
        ["sender", 31797],
        ["others", 15275],
        ["kernel", 2744],
        ["idle-exit", 2500],
        ["message", 287],
      ],
    ],
  ]);
  expect(report.boundaries.map(({ name, lastNs, lastCpu, passed }) => [name, lastNs, lastCpu, passed])).toEqual([
    ["signalled", 12718.8, 15, 15],
    ["delivered", 12833.6, 15, 15],
    ["taken", 19151.2, 7, 2],
    ["entered", 20663.2, 7, 16],
    ["stopped", 21571.2, 2, 16],
    ["functionStart", 22281.6, 0, 1],
    ["functionEnd", 22294.8, 0, 1],
    ["released", 23405.6, 2, 16],
    ["resumed", 24123.6, 2, 16],
  ]);
  expect(report.causes.map(({ cause, cpus, maxCpu }) => [cause, cpus, maxCpu])).toEqual([
    ["others", 15, 1],
    ["sender", 16, 0],
    ["irqs-off", 2, 7],
    ["kernel", 16, 7],
    ["idle-exit", 12, 1],
    ["message", 14, 7],
  ]);
  const { stopNs, frozenNs, releaseSkewNs } = report.distributions;
  expect([stopNs?.p50, stopNs?.max, frozenNs?.p99, releaseSkewNs?.min]).toEqual([21170.8, 21571.2, 21766, 0]);
});
