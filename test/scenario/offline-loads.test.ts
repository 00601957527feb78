// Loads that put CPUs offline: what the kernel and the report make of it, what such a CPU does, and what reaches it (the table of
// docs/x86-events.md; Linux: native_play_dead, the reference's sections 1.3 and 1.4).

import { describe, expect, it } from "vitest";
import { offsetOf } from "../../src/asm/index.ts";
import type { LoadKind } from "../../src/faults/load.ts";
import { Counters, counters, mwaitCpuDead } from "../../src/guest/percpu.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { simulate } from "../../src/simulate.ts";
import { SCENARIO_FORMAT, parseScenario, type ScenarioInput } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { executeScenario } from "../../src/scenario/run.ts";
import { checkedCore } from "../support/bare-machine.ts";
import { thrownBy } from "../topology/errors.ts";

const core = checkedCore;
const OFFLINE = [2, 5];
const SETTLED = 50_000;

function documentOf(kind: LoadKind, fields: Partial<ScenarioInput> = {}): ScenarioInput {
  return {
    format: SCENARIO_FORMAT,
    machine: { architecture: "x86-64", cpus: 8 },
    policy: { active: "all" },
    load: { particular: [{ cpus: OFFLINE.join(","), kind }] },
    ...fields,
  };
}

const kinds = {
  "offline-mwait": { state: "WAITING", waitsIn: "MWAIT", at: /^mwait_play_dead\+/ },
  "offline-hlt": { state: "WAITING", waitsIn: "HLT", at: /^cpu_park_loop\+/ },
  "wait-for-sipi": { state: "WAITING", waitsIn: "STARTUP", at: undefined },
  "never-started": { state: "OFFLINE", waitsIn: "NONE", at: undefined },
} as const;
const names = Object.keys(kinds) as (keyof typeof kinds)[];

const field = (machine: Machine, cpu: number, offset: number): number =>
  machine.image.perCpuStart + cpu * machine.image.perCpuStride + offset;
const nmisOf = (machine: Machine, cpu: number): bigint =>
  machine.readUint64(field(machine, cpu, counters.symbol.offset + offsetOf(Counters, "nmis")));

describe.each(names)("a CPU whose load is %s", (kind) => {
  it("is in no mask of the kernel, is not stopped, and stays as it is", async () => {
    const { expanded, machine, end } = await executeScenario(documentOf(kind), { core });
    expect(end).toMatchObject({ kind: "probe", probe: expanded.policy.marks.done });
    expect(expanded.online).toEqual([0, 1, 3, 4, 6, 7]);
    expect(machine.readMask("__cpu_online_mask")).toEqual(expanded.online);
    const { at, ...state } = kinds[kind];
    for (const cpu of OFFLINE) {
      expect(machine.cpu(cpu)).toMatchObject(state);
      if (at !== undefined) expect(machine.cpu(cpu).at).toMatch(at);
    }
  });

  it("takes an NMI and waits again, if it has its descriptor tables; else the NMI is lost. Other interrupts are", async () => {
    const { machine } = await executeScenario(documentOf(kind), { core });
    const { at, ...state } = kinds[kind];
    for (const cpu of OFFLINE) {
      machine.sendInterrupt(cpu, { kind: "nmi" });
      machine.sendInterrupt(cpu, { kind: "fixed", vector: 0xfd }, { cycle: machine.cycle + SETTLED / 2 });
    }
    const before = OFFLINE.map((cpu) => machine.cpu(cpu).retired);
    machine.run(machine.cycle + SETTLED);
    expect(OFFLINE.map((cpu) => nmisOf(machine, cpu))).toEqual(at === undefined ? [0n, 0n] : [1n, 1n]);
    OFFLINE.forEach((cpu, index) => {
      expect(machine.cpu(cpu)).toMatchObject(state);
      expect(machine.cpu(cpu).retired > (before[index] ?? 0)).toBe(at !== undefined);
    });
  });

  it("is counted as offline by the report, and named by the document that it gives back", async () => {
    const {
      report: { machine, outcome, scenario },
    } = await simulate(documentOf(kind), { core });
    expect({ machine, outcome }).toMatchObject({
      machine: { cpus: 8, online: 6 },
      outcome: { verdict: "completed", calls: { cpus: 6 } },
    });
    expect(scenario.load.particular).toEqual([{ cpus: "2,5", kind }]);
    expect(parseScenario(scenario)).toEqual(scenario);
  });
});

describe.each(["x86-64", "arm64"] as const)("never-started on %s", (architecture) => {
  it("is what a topology's offline CPUs are", async () => {
    const shape = `packages=1,cores=8,threads=1,arch=${architecture}`;
    const topologyOf = (topology: string): ScenarioInput["machine"] => ({ architecture, topology });
    const [one, other] = await Promise.all([
      executeScenario(documentOf("never-started", { machine: topologyOf(shape) }), { core }),
      executeScenario(documentOf("idle", { machine: topologyOf(`${shape},offline=2+5`) }), { core }),
    ]);
    expect(one.machine.digest()).toBe(other.machine.digest());
  });
});

it("a CPU that is offline in MWAIT goes into HLT when a store to its line tells it to (kexec)", async () => {
  const { machine } = await executeScenario(documentOf("offline-mwait"), { core });
  const line = field(machine, 2, mwaitCpuDead.symbol.offset);
  machine.writeUint32(line, 0x4a17_dead);
  // A host's write ends no watch; an NMI lets the CPU look.
  machine.sendInterrupt(2, { kind: "nmi" });
  machine.run(machine.cycle + SETTLED);
  expect(machine.cpu(2)).toMatchObject({ state: "WAITING", waitsIn: "HLT" });
  expect(machine.readUint32(line + 4)).toBe(0x4a17_dead);
});

it("a start-up IPI begins what waits for one, where the host says", async () => {
  for (const kind of ["wait-for-sipi", "never-started"] as const) {
    const { machine } = await executeScenario(documentOf(kind), { core });
    machine.setStartupEntry({ pc: "cpu_park_loop" });
    machine.sendInterrupt(2, { kind: "startup", page: 0x9a });
    machine.run(machine.cycle + 50_000_000);
    expect(machine.cpu(2)).toMatchObject({ state: "WAITING", waitsIn: "HLT" });
    expect(machine.readRegister(2, "rsi")).toBe(0x9an);
  }
});

describe("is refused", () => {
  it.each<[string, Partial<ScenarioInput>, RegExp]>([
    [
      "a requester that is offline",
      { policy: { requester: 5 } },
      /^policy\.requester: .*not online.*allowed: 0-1,3-4,6-7/,
    ],
    ["a function that runs there", { policy: { active: "5" } }, /^policy\.active: .*online CPUs: 0-1,3-4,6-7/],
    ["a machine without any online", { load: { common: "offline-hlt" } }, /^load\.common: no CPU is left online/],
    [
      "a bootstrap processor that waits for a start-up IPI",
      { load: { particular: [{ cpus: "0-1", kind: "wait-for-sipi" }] } },
      /^load\.particular\.0: CPU 0, the bootstrap processor, never waits/,
    ],
    [
      "MWAIT on arm64",
      { machine: { architecture: "arm64", cpus: 8 } },
      /^load\.particular\.0\.kind: load offline-mwait exists on x86-64 only/,
    ],
  ])("%s", (_, fields, message) => {
    const thrown = thrownBy(() => expandScenario(parseScenario(documentOf("offline-mwait", fields))));
    expect(thrown.message).toMatch(message);
  });
});
