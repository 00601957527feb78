// One call as plain data: it says the same as the report, and has no gaps.

import { describe, expect, it } from "vitest";
import { rendezvousOf } from "../../src/report/make-rendezvous.ts";
import type { RendezvousCpu } from "../../src/report/rendezvous.ts";
import { executeScenario } from "../../src/scenario/run.ts";
import { SCENARIO_FORMAT, type ScenarioInput } from "../../src/scenario/document.ts";
import { latenessOf } from "../../src/scenario/lateness.ts";
import { execute, hang, mixed, type Executed } from "./runs.ts";

const cases: [string, Omit<ScenarioInput, "format">, boolean?][] = [
  ["stop_machine, all kinds of loads", mixed(48)],
  ["stop_machine with lines measured, the second of two calls", { ...mixed(16), policy: { rounds: 2 } }, true],
  [
    "stop_machine whose function takes long on all",
    { machine: { cpus: 8 }, policy: { active: "all", functionUs: 20 } },
  ],
  ["cpu_offline", { machine: { cpus: 16 }, policy: { name: "cpu_offline" } }],
  ["stop_core", { machine: { cpus: 16 }, policy: { name: "stop_core", functionUs: 5 } }],
  ["panic by NMI, which releases nobody", { machine: { cpus: 16 }, policy: { name: "panic_nmi" } }],
  ["a hang", hang],
];

describe.each(cases)("%s", (_, input, lines) => {
  let executed: Promise<Executed> | undefined;
  const run = (): Promise<Executed> => (executed ??= execute(input, lines));

  it("divides every CPU's time from the call to the end without gaps", async () => {
    const { rendezvous } = await run();
    expect(rendezvous.cpus.length).toBeGreaterThan(0);
    for (const { stretches } of rendezvous.cpus) {
      expect(stretches[0]?.fromNs).toBe(0);
      expect(stretches.at(-1)?.untilNs).toBe(rendezvous.endNs);
      for (const [index, { fromNs, untilNs }] of stretches.entries()) {
        expect(untilNs).toBeGreaterThan(fromNs);
        if (index > 0) expect(fromNs).toBe(stretches[index - 1]?.untilNs);
      }
    }
  });

  it("has until the stop what lateness is divided into", async () => {
    const { rendezvous, result } = await run();
    for (const late of latenessOf(result)) {
      const one = rendezvous.cpus.find(({ cpu }) => cpu === late.cpu);
      const sums = new Map<string, number>();
      for (const { cause, cycles } of late.parts) sums.set(cause, (sums.get(cause) ?? 0) + cycles);
      const cycleNs = 1000 / result.expanded.timing.clockMhz.value;
      for (const [cause, cycles] of sums) expect(timeIn(one, cause)).toBeCloseTo(cycles * cycleNs, 3);
    }
  });

  it("agrees with the report", async () => {
    const { rendezvous, report } = await run();
    expect(rendezvous.stoppedNs).toBe(report.latency.rendezvousNs);
    expect(rendezvous.returnedNs).toBe(report.latency.totalNs);
    expect(report.stragglers.length).toBeGreaterThan(0);
    for (const { cpu, enteredNs, stoppedNs, deliveredNs, causes } of report.stragglers) {
      const one = rendezvous.cpus.find((other) => other.cpu === cpu);
      if (one === undefined) continue;
      const stopped = Number.isNaN(stoppedNs) ? null : stoppedNs;
      expect(one).toMatchObject({ enteredNs, stoppedNs: stopped, deliveredNs, causes });
    }
    const culprits = rendezvous.cpus.filter(({ isCulprit }) => isCulprit).map(({ cpu }) => cpu);
    expect(culprits).toEqual(report.outcome.missing.filter(({ isCulprit }) => isCulprit).map(({ cpu }) => cpu));
  });

  it("has the function, the release and what comes behind where the boundaries say", async () => {
    const { rendezvous } = await run();
    for (const one of rendezvous.cpus) {
      const { functionStartNs, functionEndNs, stoppedNs, releasedNs, resumedNs } = one;
      if (stoppedNs === null) continue;
      if (functionStartNs !== null && functionEndNs !== null && functionStartNs >= stoppedNs) {
        expect(timeIn(one, "function")).toBeCloseTo(functionEndNs - functionStartNs, 3);
      }
      if (releasedNs !== null && resumedNs !== null) {
        expect(timeIn(one, "released")).toBeCloseTo(resumedNs - releasedNs, 3);
        expect(timeIn(one, "resumed")).toBeCloseTo(rendezvous.endNs - resumedNs, 3);
      }
    }
  });

  it("is plain data", async () => {
    const { rendezvous } = await run();
    const { topology, ...rest } = rendezvous;
    expect(JSON.parse(JSON.stringify(rest))).toEqual(rest);
    expect(structuredClone(topology)).toEqual(topology);
  });
});

function timeIn(one: RendezvousCpu | undefined, state: string): number {
  return (one?.stretches ?? [])
    .filter((stretch) => stretch.state === state)
    .reduce((sum, { fromNs, untilNs }) => sum + untilNs - fromNs, 0);
}

it("is nothing of a policy that makes no calls", async () => {
  const policy = { name: "ipi-benchmark", rounds: 1 } as const;
  const result = await executeScenario({ format: SCENARIO_FORMAT, machine: { cpus: 4 }, policy });
  expect(rendezvousOf(result)).toBeUndefined();
});
