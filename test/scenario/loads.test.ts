// Loads with figures: what each makes of a stop, and how mistakes are refused.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { executeScenario } from "../../src/scenario/run.ts";
import { SCENARIO_FORMAT, type ScenarioInput } from "../../src/scenario/document.ts";
import { checkedCore } from "../support/bare-machine.ts";

type Arch = "x86-64" | "arm64";
type Particular = NonNullable<NonNullable<ScenarioInput["load"]>["particular"]>[number];

function run(architecture: Arch, particular: readonly Particular[], rest: Partial<ScenarioInput> = {}) {
  const document: ScenarioInput = {
    format: SCENARIO_FORMAT,
    machine: { architecture, cpus: 6 },
    load: { common: "poll", particular: [...particular] },
    limitUs: 5000,
    ...rest,
  };
  return executeScenario(document, { core: checkedCore });
}

/** Microseconds from the call until each CPU has entered the rendezvous, and until the call was back. */
async function timesOf(architecture: Arch, particular: readonly Particular[], rest: Partial<ScenarioInput> = {}) {
  const { timelines, machine, end } = await run(architecture, particular, rest);
  expect(end).toMatchObject({ kind: "probe", probe: "requester:done" });
  const us = (cycles: number): number => cycles / machine.timing.clockMhz.value;
  return timelines.map((timeline) => us((timeline.return ?? NaN) - timeline.call));
}

describe.each(["x86-64", "arm64"] as const)("on %s", (architecture) => {
  const longest = async (particular: readonly Particular[], rounds = 8): Promise<number> =>
    Math.max(...(await timesOf(architecture, particular, { policy: { rounds } })));

  it("a CPU in a deep idle state takes as long as it says to come", async () => {
    const plain = await longest([]);
    expect(plain).toBeLessThan(20);
    for (const us of [50, 400]) {
      const deep = await longest([{ cpus: "3", kind: "idle-deep", us }]);
      expect(deep).toBeGreaterThan(us);
      expect(deep).toBeLessThan(us + 20);
    }
    expect(await longest([{ cpus: "3", kind: "idle-deep" }])).toBeGreaterThan(90);
  });

  it("one that keeps interrupts off, or holds the console's lock, is waited for", async () => {
    for (const load of [
      { kind: "irqs-off", offUs: 200, onUs: 1 },
      { kind: "lock-holder", us: 200, onUs: 1 },
    ] as const) {
      const late = await longest([{ cpus: "3", ...load }]);
      expect(late).toBeGreaterThan(40);
      expect(late).toBeLessThan(230);
    }
  });

  it("one that lets in nothing is waited for", async () => {
    const late = await longest([{ cpus: "2,4", kind: "nmi-blocked", us: 200, onUs: 2 }]);
    expect(late).toBeGreaterThan(40);
    expect(late).toBeLessThan(260);
  });

  it("a vCPU that is descheduled from the call on, or from a time on, answers when it has its time again", async () => {
    const [call = NaN] = await timesOf(architecture, [{ cpus: "3-4", kind: "descheduled", us: 700 }]);
    expect(call).toBeGreaterThan(700);
    expect(call).toBeLessThan(720);
    const { machine } = await run(architecture, [{ cpus: "3-4", kind: "descheduled", us: 700, fromUs: 100 }]);
    const from = machine.timing.clockMhz.value * 100;
    const suspended = [...machine.trace].filter(({ kind }) => kind === TraceKind.SUSPENDED);
    for (const { cycle } of suspended) expect(cycle).toBe(from);
  });

  it("preemptible is busy", async () => {
    const [one, other] = await Promise.all(
      (["busy", "preemptible"] as const).map((kind) => run(architecture, [{ cpus: "1-5", kind }])),
    );
    expect(one?.machine.digest()).toBe(other?.machine.digest());
  });
});

describe("on x86-64", () => {
  it("a CPU in system-management mode is waited for", async () => {
    const [call = NaN] = await timesOf("x86-64", [{ cpus: "2", kind: "smm", us: 300 }]);
    expect(call).toBeGreaterThan(300);
    expect(call).toBeLessThan(320);
  });

  it("a CPU in an NMI handler takes no other NMI until it is out", async () => {
    const { machine } = await run("x86-64", [{ cpus: "2", kind: "nmi-blocked", us: 200, onUs: 50 }], {
      faults: { inject: [{ kind: "nmi", at: { mark: "load_nmi_handler:blocked" } }] },
    });
    const taken = [...machine.trace].filter(
      ({ kind, cpu, subject }) => kind === TraceKind.INTERRUPT_TAKEN && cpu === 2 && subject === 2,
    );
    const apart = ((taken[1]?.cycle ?? NaN) - (taken[0]?.cycle ?? NaN)) / machine.timing.clockMhz.value;
    expect(apart).toBeGreaterThan(190);
    expect(apart).toBeLessThan(215);
  });
});

describe("a document with loads", () => {
  it.each<[string, object, RegExp]>([
    [
      "a figure that the kind doesn't take",
      { cpus: "1", kind: "busy", us: 5 },
      /load\.particular\.0\.us: load busy takes no such figure; found 5; allowed: none/,
    ],
    [
      "another one's figure",
      { cpus: "1", kind: "irqs-off", us: 5 },
      /load\.particular\.0\.us: load irqs-off takes no such figure; found 5; allowed: offUs, onUs/,
    ],
    [
      "no time at all",
      { cpus: "1", kind: "irqs-off", offUs: 0 },
      /load\.particular\.0\.offUs.*found 0; allowed: a number from 0\.001/,
    ],
    ["a text", { cpus: "1", kind: "smm", us: "5" }, /load\.particular\.0\.us.*found "5"; allowed: a number/],
    [
      "a field that no load has",
      { cpus: "1", kind: "smm", ms: 5 },
      /load\.particular\.0\.ms: no such field \(did you mean us\?\); allowed: cpus, kind, us, offUs, onUs, fromUs/,
    ],
  ])("is refused for %s", async (_, load, message) => {
    await expect(run("x86-64", [load as Particular])).rejects.toThrow(message);
  });

  it("is refused for system-management mode on arm64", async () => {
    await expect(run("arm64", [{ cpus: "1", kind: "smm" }])).rejects.toThrow(/load\.particular\.0\.kind.*x86-64 only/);
  });
});
