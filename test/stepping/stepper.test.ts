// Stepping changes nothing, shows each instruction once and in order, and finds its way back.

import { describe, expect, it } from "vitest";
import { Stepper } from "../../src/entries/code.ts";
import { TraceKind, buildMachine, expandScenario, loadCore, type Machine } from "../../src/entries/machine.ts";
import { parseScenario, type ScenarioInput } from "../../src/index.ts";
import { runWithFaults } from "../../src/faults/inject.ts";
import { scenariosOf } from "../../src/scenario/case.ts";
import { findCase } from "../../src/scenario/catalogue.ts";

const core = await loadCore();

function scenario(architecture: "x86-64" | "arm64", more: Partial<ScenarioInput> = {}): ScenarioInput {
  return { format: "allstop.scenario/1", machine: { cpus: 4, architecture }, limitUs: 300, ...more };
}

/** The same run, by nobody looked at, with all accelerations. */
function undisturbed(document: ScenarioInput): { machine: Machine; runTo: (cycle: number) => void } {
  const expanded = expandScenario(parseScenario(document));
  const machine = buildMachine(core, expanded);
  return { machine, runTo: (cycle) => void runWithFaults(machine, expanded.injections, cycle) };
}

describe.each(["x86-64", "arm64"] as const)("%s", (architecture) => {
  it("a run stepped by every instruction of a CPU ends as one that nobody has looked at", async () => {
    const document = scenario(architecture);
    const stepper = await Stepper.ofScenario(document);
    const digests = new Map<number, string>();
    let retired = stepper.cpu(0).retired;
    for (let step = 1; step <= 1500; step++) {
      const before = stepper.position;
      expect(stepper.stepInstruction().kind).toBe("stepped");
      const { cycle, instructions } = stepper.position;
      expect(cycle > before.cycle || (instructions.get(0) ?? 0) > (before.instructions.get(0) ?? 0)).toBe(true);
      if (instructions.size > 0) continue;
      // Nothing but instructions so far: interrupts come later.
      retired = stepper.cpu(0).retired;
      expect(retired).toBe(step);
      if (step % 10 === 0) digests.set(cycle, stepper.digest());
    }
    expect(digests.size).toBeGreaterThan(30);
    expect(stepper.continue().events.at(-1)?.place).toBe("requester:done");
    digests.set(stepper.position.cycle, stepper.digest());
    const { machine, runTo } = undisturbed(document);
    for (const [cycle, digest] of digests) {
      runTo(cycle);
      expect([cycle, machine.digest()]).toEqual([cycle, digest]);
    }
  });

  it("shows every instruction of a routine in the order in which probes see them", async () => {
    const cpu = 1;
    const stepper = await Stepper.ofScenario(scenario(architecture));
    stepper.runUntil({ place: "multi_cpu_stop:enter", cpu });
    const seen: string[] = [];
    let first: number | undefined;
    for (let step = 0; step < 60; step++) {
      const { pc } = stepper.cpu(cpu);
      first ??= stepper.position.cycle;
      seen.push(String(stepper.machine.describe(pc)));
      stepper.stepInstruction();
    }
    const { machine, runTo } = undisturbed(scenario(architecture));
    const symbols = ["multi_cpu_stop", "_find_next_bit", "ack_state"].map((name) => machine.image.symbol(name));
    const numbers = new Map<number, number>();
    for (const { address, size } of symbols) {
      for (let at = address; at < address + size; at += architecture === "arm64" ? 4 : 1) {
        numbers.set(machine.probe(at).number, at);
      }
    }
    const last = stepper.position.cycle;
    runTo(last);
    const probed = [...machine.trace]
      .filter((one) => one.kind === TraceKind.PROBE && one.cpu === cpu && one.cycle >= (first ?? 0) && one.cycle < last)
      .map(({ subject }) => machine.describe(numbers.get(subject) ?? 0));
    const shown = seen.filter((text) => symbols.some(({ name }) => text.split("+")[0] === name));
    expect(shown.length).toBeGreaterThan(20);
    // Of the cycle in which it stood first, some had been executed.
    const start = probed.indexOf(shown[0]);
    expect(shown).toEqual(probed.slice(start, start + shown.length));
  });

  it("goes by the events that a trace of the whole run has, each once", async () => {
    const cpu = 3;
    const stepper = await Stepper.ofScenario(scenario(architecture), { cpus: [cpu] });
    const stepped: string[] = [];
    for (let step = 0; step < 40; step++) {
      const { kind, events } = stepper.stepEvent();
      if (kind !== "event") break;
      stepped.push(...events.map((event) => `${event.cycle} ${event.kind} ${event.text}`));
    }
    const all = await Stepper.ofScenario(scenario(architecture), { cpus: [cpu] });
    const { events } = all.stepEvent(stepped.length);
    expect(stepped.length).toBeGreaterThan(15);
    expect(stepped).toEqual(events.map((event) => `${event.cycle} ${event.kind} ${event.text}`));
    const { machine, runTo } = undisturbed(scenario(architecture));
    const names = new Map(machine.image.marks.map(({ name }) => [machine.probe(name, { join: true }).number, name]));
    runTo(stepper.position.cycle);
    const marks = [...machine.trace].filter((one) => one.kind === TraceKind.PROBE && one.cpu === cpu);
    const told = stepped.filter((text) => text.split(" ")[1] === "mark").map((text) => text.split(" ")[0]);
    expect(new Set(told)).toEqual(
      new Set(marks.map(({ cycle }) => String(cycle)).filter((cycle) => told.includes(cycle))),
    );
    expect(names.size).toBeGreaterThan(10);
  });

  it("stands at a mark: the CPU's next instruction is the one there", async () => {
    const stepper = await Stepper.ofScenario(scenario(architecture));
    for (const place of ["multi_cpu_stop:enter", "multi_cpu_stop:ack", "stop_machine:call"]) {
      stepper.backTo(0);
      const { kind, events } = stepper.runUntil({ place });
      expect([kind, events.at(-1)?.place]).toEqual(["event", place]);
      expect(stepper.cpu(stepper.focus).pc).toBe(stepper.machine.address(place));
    }
  });

  it("goes back to where it was, and on from there the same way", async () => {
    const stepper = await Stepper.ofScenario(scenario(architecture));
    stepper.runUntil({ place: "multi_cpu_stop:ack" });
    const cpu = stepper.focus;
    const look = (): unknown => [
      stepper.position.cycle,
      [...stepper.position.instructions],
      stepper.focus,
      stepper.digest(),
      stepper.cpu(cpu),
      stepper.machine.readRegister(cpu, "pc"),
    ];
    const looks = [look()];
    for (let step = 0; step < 5; step++) {
      stepper.stepInstruction(7);
      looks.push(look());
    }
    stepper.runUntil({ ns: 250_000 });
    for (const wanted of looks.toReversed()) {
      expect(stepper.back()).toBe(true);
      expect(look()).toEqual(wanted);
    }
    for (const wanted of looks.slice(1)) {
      stepper.stepInstruction(7);
      expect(look()).toEqual(wanted);
    }
    expect(stepper.back(99)).toBe(false);
  });
});

describe("faults on the way", () => {
  it.each(["S5", "S34", "S8a"])("come where they are placed, however the run is stepped: %s", async (id) => {
    const one = await findCase(id);
    const [document] = scenariosOf(one, one.variants[0]!, one.cpus[0] ?? 4);
    expect(expandScenario(parseScenario(document!)).injections.length).toBeGreaterThan(0);
    const stepper = await Stepper.ofScenario(document!);
    const digests = new Map<number, string>();
    for (let turn = 0; turn < 12; turn++) {
      const { kind } = turn % 3 === 0 ? stepper.stepInstruction(25) : stepper.stepEvent(6);
      if (kind === "limit") break;
      digests.set(stepper.position.cycle, stepper.digest());
    }
    stepper.continue();
    digests.set(stepper.position.cycle, stepper.digest());
    stepper.back(3);
    digests.set(stepper.position.cycle, stepper.digest());
    for (const [cycle, digest] of digests) {
      const { machine, runTo } = undisturbed(document!);
      runTo(cycle);
      expect([cycle, machine.digest()]).toEqual([cycle, digest]);
    }
  });
});

describe("a machine that has run already", () => {
  it("is stepped from there on, as it would have gone on", () => {
    const { machine } = undisturbed(scenario("x86-64"));
    machine.run(20_000);
    const stepper = Stepper.ofMachine(machine, { cpus: [1], limit: 60_000 });
    expect(stepper.position.cycle).toBe(20_001);
    const { retired } = stepper.cpu(1);
    for (let step = 1; step <= 5; step++) {
      stepper.stepInstruction();
      expect(stepper.cpu(1).retired).toBe(retired + step);
    }
    stepper.runUntil({ cycle: 50_000 });
    const other = undisturbed(scenario("x86-64"));
    other.runTo(50_000);
    expect(stepper.digest()).toBe(other.machine.digest());
    stepper.backTo(20_000);
    expect(stepper.position.cycle).toBe(20_000);
  });
});

describe("mistakes", () => {
  it("are named", async () => {
    await expect(Stepper.ofScenario(scenario("arm64"), { cpus: [4] })).rejects.toMatchObject({
      code: "OPTION_INVALID",
      at: "cpus",
    });
    const stepper = await Stepper.ofScenario(scenario("arm64"));
    expect(() => stepper.stepInstruction(0)).toThrow(/number of steps.*0/);
    expect(() => stepper.runUntil({ place: "multi_cpu_stop:akc" })).toThrow(/multi_cpu_stop:akc.*multi_cpu_stop:ack/);
    expect(() => (stepper.focus = 9)).toThrow(/no such CPU/);
    stepper.runUntil({ cycle: 1000 });
    expect(() => stepper.runUntil({ cycle: 999 })).toThrow(/from 1000 on/);
    expect(stepper.position.cycle).toBe(1000);
  });

  it("of a run that is over, say so", async () => {
    const stepper = await Stepper.ofScenario(scenario("arm64", { limitUs: 100 }));
    expect(stepper.runUntil({ ns: 1e6 })).toMatchObject({ kind: "limit" });
    expect(stepper.position.cycle).toBe(stepper.limit);
    expect(stepper.stepInstruction()).toMatchObject({ kind: "limit" });
    expect(stepper.stepEvent()).toMatchObject({ kind: "limit" });
  });
});
