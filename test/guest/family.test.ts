// The calls of the stop family one by one: who is captured, who runs what and how, what they return, and what is left afterwards.

import { describe, expect, it } from "vitest";
import { simulate } from "../../src/simulate.ts";
import type { ScenarioInput } from "../../src/scenario/document.ts";
import {
  activeOf,
  architectures,
  calledWith,
  onlineOf,
  resultOf,
  runFamily,
  stateOf,
  stopperEnabled,
  familyPolicies,
} from "./family.ts";
import type { Event, FamilyRun, PolicyInput } from "./family.ts";
import { readCalls, type MadeCall } from "./family-oracle.ts";

const ENOENT = -2;
const EBUSY = -16;
const everyone = [0, 1, 2, 3, 4, 5, 6, 7];
const others = (...gone: number[]): number[] => everyone.filter((cpu) => !gone.includes(cpu));

function callsOf({ events }: FamilyRun): MadeCall[] {
  const { calls, complaints } = readCalls(events);
  expect(complaints).toEqual([]);
  return calls;
}

function onlyCall(run: FamilyRun): MadeCall {
  const calls = callsOf(run);
  expect(calls).toHaveLength(1);
  return calls[0] as MadeCall;
}

const cpusOf = (events: readonly Event[], kind: Event["kind"]): number[] =>
  events.filter((event) => event.kind === kind).map(({ cpu }) => cpu);

describe.each(architectures)("the stop family on %s", (architecture) => {
  const run = (policy: PolicyInput, more: Partial<Parameters<typeof runFamily>[0]> = {}) =>
    runFamily({ architecture, policy, ...more });

  describe("stop_machine", () => {
    it("captures everyone and runs the function on the first online CPU if `cpus` is NULL", async () => {
      const made = await run({ name: "stop_machine", requester: 3 });
      expect(onlyCall(made)).toEqual({ requester: 3, returned: 0, captured: everyone, ran: [0] });
      expect(calledWith(made.machine, 0)).toEqual({ irqsOff: true, preemptCount: 1 });
    });

    it("returns some error of those that were returned", async () => {
      const results = [
        { cpus: "2", value: -22 },
        { cpus: "5", value: -16 },
      ];
      const { returned, ran } = onlyCall(await run({ name: "stop_machine", active: "2,4,5", results }));
      expect(ran).toEqual([2, 4, 5]);
      expect([-22, -16]).toContain(returned);
    });

    it("does the same for a caller that holds the hotplug lock", async () => {
      const made = await run({ name: "stop_machine_cpuslocked", active: "1,6" });
      expect(onlyCall(made)).toEqual({ requester: 0, returned: 0, captured: everyone, ran: [1, 6] });
    });
  });

  describe("stop_one_cpu", () => {
    it("runs the function in one stopper, IRQs on and preemption off, and returns its result", async () => {
      const made = await run({ name: "stop_one_cpu", targets: "5", results: [{ cpus: "5", value: -7 }] });
      expect(onlyCall(made)).toEqual({ requester: 0, returned: -7, captured: [], ran: [5] });
      expect(cpusOf(made.events, "work")).toEqual([5]);
      expect(calledWith(made.machine, 5)).toEqual({ irqsOff: false, preemptCount: 1 });
    });

    it("runs it on the caller's own CPU too", async () => {
      const made = await run({ name: "stop_one_cpu", requester: 4, targets: "4" });
      expect(onlyCall(made)).toEqual({ requester: 4, returned: 0, captured: [], ran: [4] });
    });

    it("does not wait in its other form", async () => {
      const made = await run({ name: "stop_one_cpu_nowait", targets: "5", rounds: 3 });
      expect(callsOf(made)).toHaveLength(3);
      expect(resultOf(made.machine, 0)).toEqual({ returned: 0, rounds: 3, calls: 3 });
      expect(cpusOf(made.events, "function")).toEqual([5, 5, 5]);
    });
  });

  describe("stop_two_cpus", () => {
    it.each([
      ["1,6", 1],
      ["6,1", 6],
    ])("captures %s and runs the function on %d", async (targets, first) => {
      const made = await run({ name: "stop_two_cpus", targets });
      expect(onlyCall(made)).toEqual({ requester: 0, returned: 0, captured: [1, 6], ran: [first] });
      expect(calledWith(made.machine, first).irqsOff).toBe(true);
    });
  });

  describe("stop_core", () => {
    it("captures the threads of a core, all of which run the function", async () => {
      const made = await run({ name: "stop_core", targets: "6" });
      const { core } = made.expanded.topology.cpus[6] as { core: number };
      const threads = everyone.filter((cpu) => made.expanded.topology.cpus[cpu]?.core === core);
      expect(threads).toHaveLength(2);
      expect(onlyCall(made)).toEqual({ requester: 0, returned: 0, captured: threads, ran: threads });
    });
  });

  describe("stop_machine_from_inactive_cpu", () => {
    const policy = { name: "stop_machine_from_inactive_cpu", targets: "6" } as const;

    it("captures the active CPUs and the caller, which then comes up", async () => {
      const { events, machine } = await run({ ...policy, active: "2,6" });
      expect(readCalls(events).complaints).toEqual([]);
      expect(cpusOf(events, "enter").sort()).toEqual(everyone);
      expect(cpusOf(events, "run").sort()).toEqual([2, 6]);
      // The caller has no stopper yet.
      expect(cpusOf(events, "work").sort()).toEqual(others(6));
      expect(onlineOf(machine)).toEqual(everyone);
      expect(activeOf(machine)).toEqual(everyone);
      expect(stateOf(machine, 6)).toBe("Online");
    });

    it.each([
      [5, -7, 5],
      [0, -7, -7],
    ])("returns its own result %d, else the others' %d: %d", async (own, other, expected) => {
      const results = [
        { cpus: "6", value: own },
        { cpus: "2", value: other },
      ];
      const { machine } = await run({ ...policy, active: "2,6", results });
      expect(resultOf(machine, 0).returned).toBe(expected);
    });

    it("waits for stop_cpus_mutex by trying again and again", async () => {
      const also = [{ name: "stop_machine", requester: 2, rounds: 5 }];
      const parameters = { startingOnly: 1, settleTurns: 5 };
      let tries = 0;
      for (let seed = 1; seed <= 20 && tries === 0; seed++) {
        const { events, machine, end } = await run({ ...policy, jitterUs: 10, also }, { parameters, seed });
        expect(end).toMatchObject({ probe: "requester:done" });
        expect(resultOf(machine, 0).returned).toBe(0);
        expect(resultOf(machine, 2)).toMatchObject({ returned: 0, rounds: 5 });
        tries += cpusOf(events, "busy").length;
      }
      expect(tries).toBeGreaterThan(0);
    });
  });

  describe("cpu_offline", () => {
    it("takes the CPU out of the masks, parks its stopper, and waits until it is dead", async () => {
      const made = await run({ name: "cpu_offline", targets: "5" });
      const { events, machine } = made;
      expect(onlyCall(made)).toEqual({ requester: 0, returned: 0, captured: everyone, ran: [5] });
      const dying = events.filter(({ cpu, kind }) => cpu === 5 && kind !== "ack").map(({ kind }) => kind);
      // Its load is taken off it, then it is captured, and then nothing is left.
      expect(dying).toEqual(["work", "worked", "work", "enter", "run", "ran", "leave", "worked", "parked", "dead"]);
      const order = events.filter(({ kind }) => kind === "dead" || kind === "return").map(({ kind }) => kind);
      expect(order).toEqual(["dead", "return"]);
      expect(onlineOf(machine)).toEqual(others(5));
      expect(activeOf(machine)).toEqual(others(5));
      expect(stateOf(machine, 5)).toBe("Offline");
      expect(stopperEnabled(machine, 5)).toBe(false);
      expect(machine.readUint32("__num_online_cpus")).toBe(7);
      expect(machine.cpu(5)).toMatchObject({
        state: "WAITING",
        at: expect.stringContaining("cpu_park_loop") as string,
      });
    });

    it("leaves a CPU that later calls pass over or fail to find", async () => {
      const later = { delayUs: 100 };
      const made = await run({
        name: "cpu_offline",
        targets: "5",
        also: [
          { name: "stop_machine", requester: 1, active: "all", ...later },
          { name: "stop_one_cpu", requester: 2, targets: "5", ...later },
          { name: "stop_two_cpus", requester: 3, targets: "3,5", ...later },
          { name: "stop_one_cpu_nowait", requester: 4, targets: "5", ...later },
          { name: "cpu_offline", requester: 6, targets: "5", delayUs: 200 },
        ],
      });
      const byCaller = new Map(callsOf(made).map((call) => [call.requester, call]));
      expect(byCaller.get(1)).toMatchObject({ returned: 0, captured: others(5), ran: others(5) });
      expect(byCaller.get(2)).toMatchObject({ returned: ENOENT, ran: [] });
      expect(byCaller.get(3)).toMatchObject({ returned: ENOENT, captured: [], ran: [] });
      expect(byCaller.get(4)).toMatchObject({ returned: 0, ran: [] });
      expect(byCaller.get(6)).toMatchObject({ returned: 0, captured: [], ran: [] });
    });

    it("takes several, one after another", async () => {
      const made = await run({ name: "cpu_offline", requester: 2, targets: "6,1,4" });
      expect(callsOf(made).map(({ ran, returned }) => ({ ran, returned }))).toEqual(
        [1, 4, 6].map((cpu) => ({ ran: [cpu], returned: 0 })),
      );
      expect(onlineOf(made.machine)).toEqual(others(1, 4, 6));
    });

    it("moves a caller that runs on the CPU, and refuses the last one with EBUSY", async () => {
      const { events, machine } = await run(
        { name: "cpu_offline", requester: 0, targets: "0,1" },
        { topology: "1x2x1" },
      );
      const returns = events.filter(({ kind }) => kind === "return");
      expect(returns.map(({ cpu, value }) => ({ cpu, value }))).toEqual([
        { cpu: 1, value: 0 },
        { cpu: 1, value: EBUSY },
      ]);
      expect(onlineOf(machine)).toEqual([1]);
    });

    it("goes back if the architecture refuses", async () => {
      const load = { common: "busy" } as const;
      const policy = { name: "cpu_offline", targets: "5", results: [{ cpus: "5", value: -1 }] };
      const made = await run(policy, { load });
      expect(onlyCall(made)).toMatchObject({ returned: -1, captured: everyone });
      const { machine } = made;
      expect(onlineOf(machine)).toEqual(everyone);
      expect(activeOf(machine)).toEqual(everyone);
      expect(stateOf(machine, 5)).toBe("Online");
      machine.run(machine.cycle + 20_000);
      expect(machine.cpu(5).at).toMatch(/^busy_work/);
    });

    it("ends the load of the CPU", async () => {
      const { machine } = await run({ name: "cpu_offline", targets: "5" }, { load: { common: "busy" } });
      expect(stateOf(machine, 5)).toBe("Offline");
      expect(machine.cpu(5).state).toBe("WAITING");
    });

    it("wakes a requester elsewhere whose CPU has gone while it slept", async () => {
      // CPU 5 waits for a lock that CPU 0 holds, and goes meanwhile.
      const also = [{ name: "stop_machine", requester: 5, active: "all", delayUs: 0 }];
      const policy = { name: "cpu_offline", targets: "5", also };
      for (let seed = 1; seed <= 20; seed++) {
        const { events, end } = await run({ ...policy, jitterUs: 8 }, { seed, parameters: { settleTurns: 5 } });
        expect(end).toMatchObject({ probe: "requester:done" });
        const back = events.find(({ kind, owner }) => kind === "return" && owner === 5);
        if (back?.cpu !== 5) return;
      }
      expect.unreachable("the two never met");
    });
  });

  it("stop_two_cpus drops its locks and tries again while stop_cpus queues its works", async () => {
    let retries = 0;
    for (let seed = 1; seed <= 20 && retries === 0; seed++) {
      const also = [{ name: "stop_machine", requester: 2, rounds: 3 }];
      const policy = { name: "stop_two_cpus", targets: "1,7", rounds: 3, jitterUs: 2, also };
      const made = await run(policy, { seed, parameters: { settleTurns: 5 } });
      expect(made.end).toMatchObject({ probe: "requester:done" });
      retries += cpusOf(made.events, "retry").length;
    }
    expect(retries).toBeGreaterThan(0);
  });

  it.each(familyPolicies.map(({ name }) => name))("reports %s", async (name) => {
    const document: ScenarioInput = {
      format: "allstop.scenario/1",
      machine: { architecture, topology: "1x4x2" },
      policy: { name },
    };
    const {
      report: { outcome, phases, latency, scenario },
    } = await simulate(document);
    expect(outcome).toMatchObject({ verdict: "completed", returned: 0, missingCount: 0 });
    expect(phases.length).toBe(familyPolicies.find((policy) => policy.name === name)?.phases.length);
    for (const { passed, expected } of phases) expect(passed).toBe(expected);
    expect(latency.rendezvousNs).toBeGreaterThan(0);
    expect(latency.totalNs).toBeGreaterThan(latency.rendezvousNs as number);
    // The document with every choice written out is the same run.
    expect((await simulate(scenario as ScenarioInput)).report.outcome).toEqual(outcome);
  });

  it("names the CPU that keeps cpu_offline waiting", async () => {
    const {
      report: { outcome },
    } = await simulate({
      format: "allstop.scenario/1",
      machine: { architecture, topology: "1x4x2" },
      policy: { name: "cpu_offline", targets: "5" },
      load: { particular: [{ cpus: "3", kind: "wedged" }] },
      limitUs: 500,
    });
    expect(outcome).toMatchObject({ verdict: "hang", missing: [{ cpu: 3, missing: "entering" }] });
  });

  it("has one digest with every acceleration on or off", async () => {
    const document: ScenarioInput = {
      format: "allstop.scenario/1",
      machine: { architecture, topology: "1x4x2" },
      policy: { name: "cpu_offline", targets: "3,5", also: [{ name: "stop_two_cpus", requester: 5, targets: "5,2" }] },
    };
    const off = { runAhead: false, spinElision: false, decodeCache: false, invalidationBatching: false };
    const [fast, slow] = await Promise.all([simulate(document), simulate(document, { accelerations: off })]);
    expect(slow.digest).toBe(fast.digest);
  });
});

describe("a scenario that asks for nonsense", () => {
  const refused = async (policy: PolicyInput): Promise<string> => {
    const machine = { topology: "1x4x2", architecture: "arm64" } as const;
    return simulate({ format: "allstop.scenario/1", machine, policy }).then(
      () => "done",
      (error: unknown) => (error as Error).message,
    );
  };

  it.each<[string, PolicyInput, string]>([
    ["two targets where one is wanted", { name: "stop_one_cpu", targets: "1,2" }, "policy.targets"],
    ["one where two are", { name: "stop_two_cpus", targets: "1" }, "policy.targets"],
    ["a CPU that is not there", { name: "cpu_offline", targets: "8" }, "policy.targets"],
    ["targets of a call that has none", { name: "stop_machine", targets: "1" }, "policy.targets"],
    ["an active list for a call that knows", { name: "stop_core", active: "all" }, "policy.active"],
    ["more rounds than targets", { name: "cpu_offline", targets: "1,2", rounds: 3 }, "policy.rounds"],
    ["two requests of one CPU", { also: [{ name: "stop_machine", requester: 0 }] }, "policy.also.0.requester"],
    [
      "a request of a CPU that is not up",
      { name: "stop_machine_from_inactive_cpu", targets: "4", also: [{ name: "stop_machine", requester: 4 }] },
      "policy.also.0.requester",
    ],
  ])("is told so: %s", async (_, policy, place) => {
    expect(await refused(policy)).toContain(place);
  });
});
