// Laws 2 and 3 of the architecture, from outside: a report, its `host` part aside, is a function of the scenario alone,
// whatever the accelerations, the slices of the run, what else is traced, and the process that it runs in.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  accelerationNames,
  TraceKind,
  executeScenario,
  expandScenario,
  prepareMachine,
  type Accelerations,
  type Machine,
} from "../../src/entries/machine.ts";
import {
  SCENARIO_FORMAT,
  parseScenario,
  simulate,
  type LoadKind,
  type Report,
  type RunOptions,
  type ScenarioInput,
} from "../../src/index.ts";
import {
  buildTopology,
  formatTopologySpec,
  type Architecture,
  type Topology,
  type TopologyParameters,
} from "../../src/entries/topology.ts";
import { kernelSymbols } from "../../src/entries/guest.ts";
import { probeRendezvous, readTimelines } from "../../src/measure/timeline.ts";
import { cyclesOf } from "../../src/timing/index.ts";

/** ALLSTOP_SEEDS asks for more than fit a test run, ALLSTOP_FIRST_SEED for others. */
const runs = Number(process.env["ALLSTOP_SEEDS"] ?? 3);
const seed = Number(process.env["ALLSTOP_FIRST_SEED"] ?? 1);

const none = Object.fromEntries(accelerationNames.map((name) => [name, false])) as Accelerations;

const anyAccelerations = fc.record(
  Object.fromEntries(accelerationNames.map((name) => [name, fc.boolean()])),
) as fc.Arbitrary<Accelerations>;

const kinds: Record<Architecture, readonly LoadKind[]> = {
  "x86-64": ["idle", "hlt", "mwait", "poll", "busy", "compute", "irqs-off", "mixed"],
  arm64: ["idle", "wfi", "poll", "busy", "compute", "irqs-off", "mixed"],
};

/** What CPUs may do that a topology has offline. The bootstrap processor never waits for a start-up IPI. */
function offlineLoads(architecture: Architecture, offline: readonly number[]): readonly LoadKind[] {
  if (architecture === "arm64") return ["never-started"];
  const parked: readonly LoadKind[] = ["offline-mwait", "offline-hlt", "never-started"];
  return offline.includes(0) ? parked : [...parked, "wait-for-sipi"];
}

interface Case {
  readonly shape: TopologyParameters;
  readonly document: ScenarioInput;
}

const smallShape = fc.record({
  architecture: fc.constantFrom<Architecture>("x86-64", "arm64"),
  packages: fc.integer({ min: 1, max: 3 }),
  llcsPerDie: fc.integer({ min: 1, max: 2 }),
  coresPerLlc: fc.integer({ min: 1, max: 4 }),
  threadsPerCore: fc.constantFrom(1, 1, 2),
});
/** Up to 40 CPUs. */
const largeShape = fc.record({
  architecture: fc.constantFrom<Architecture>("x86-64", "arm64"),
  packages: fc.constantFrom(1, 2),
  llcsPerDie: fc.constantFrom(1, 2),
  coresPerLlc: fc.integer({ min: 4, max: 10 }),
  threadsPerCore: fc.constant(1),
});

function cpusOf({ packages, llcsPerDie = 1, coresPerLlc, threadsPerCore = 1 }: TopologyParameters): number {
  return packages * llcsPerDie * coresPerLlc * threadsPerCore;
}

/** Numbers of CPUs, some of them, as a list. */
function someOf(numbers: readonly number[], least: number, most: number): fc.Arbitrary<string> {
  const bounds = { minLength: Math.min(least, numbers.length), maxLength: Math.min(most, numbers.length) };
  return fc.subarray([...numbers], bounds).map((list) => list.join(","));
}

/** At least two CPUs; holes in the numbers, and CPUs that stay offline. */
function shapes(plain: fc.Arbitrary<TopologyParameters>): fc.Arbitrary<TopologyParameters> {
  return plain
    .filter((shape) => cpusOf(shape) >= 2)
    .chain((shape) => {
      const numbers = Array.from({ length: cpusOf(shape) }, (_, cpu) => cpu);
      const holes = fc.oneof(
        { weight: 3, arbitrary: fc.constant("") },
        { weight: 1, arbitrary: someOf(numbers, 1, 2) },
      );
      return holes.chain((absent) => {
        const missing = new Set(absent === "" ? [] : absent.split(",").map(Number));
        const present = numbers.filter((cpu) => !missing.has(cpu));
        // Two stay online.
        const offline = fc.oneof(
          { weight: 2, arbitrary: fc.constant("") },
          { weight: 1, arbitrary: someOf(present, 0, Math.max(0, present.length - 2)) },
        );
        return offline.map((off) => ({
          ...shape,
          ...(absent === "" ? {} : { absent }),
          ...(off === "" ? {} : { offline: off }),
        }));
      });
    });
}

function casesOf(plain: fc.Arbitrary<TopologyParameters>): fc.Arbitrary<Case> {
  return shapes(plain).chain((shape) => {
    const architecture = shape.architecture ?? "x86-64";
    const { cpus } = buildTopology(shape);
    const [online = [], offline = []] = (["online", "offline"] as const).map((state) =>
      cpus.filter((cpu) => cpu.state === state).map((cpu) => cpu.number),
    );
    const parked = fc.record({
      cpus: fc.constant(offline.join(",")),
      kind: fc.constantFrom(...offlineLoads(architecture, offline)),
    });
    const load = fc
      .record({
        common: fc.constantFrom(...kinds[architecture]),
        particular: fc.array(fc.record({ cpus: someOf(online, 1, 3), kind: fc.constantFrom(...kinds[architecture]) }), {
          maxLength: 3,
        }),
        parked: offline.length === 0 ? fc.constant([]) : fc.array(parked, { maxLength: 1 }),
      })
      .map(({ common, particular, parked: offlineOnes }) => ({ common, particular: [...particular, ...offlineOnes] }));
    const policy = fc.record({
      active: fc.oneof(fc.constantFrom("first", "all"), someOf(online, 1, 5)),
      functionUs: fc.constantFrom(0, 0, 1, 5),
      rounds: fc.constantFrom(1, 1, 2),
      requester: fc.constantFrom(...online),
    });
    return fc.record({ load, policy, seed: fc.nat(1000), limitUs: fc.constant(5000) }).map((fields): Case => ({
      shape,
      document: {
        format: SCENARIO_FORMAT,
        machine: { architecture, topology: formatTopologySpec(shape) },
        ...fields,
      },
    }));
  });
}

const smallCases = casesOf(smallShape);
const allCases = fc.oneof({ weight: 4, arbitrary: smallCases }, { weight: 1, arbitrary: casesOf(largeShape) });

/** A report without what may differ between hosts. */
function withoutHost({ host: _, ...rest }: Report): Omit<Report, "host"> {
  return rest;
}

async function reportOf(document: ScenarioInput, options: RunOptions = {}): Promise<Omit<Report, "host">> {
  return withoutHost((await simulate(document, options)).report);
}

async function check<T>(cases: fc.Arbitrary<T>, body: (one: T) => Promise<void>, numRuns = runs): Promise<void> {
  await fc.assert(fc.asyncProperty(cases, body), { seed, numRuns, endOnFailure: runs <= 10 });
}

describe("a scenario's report", () => {
  it("is the same with every combination of accelerations", async () => {
    await check(fc.tuple(smallCases, anyAccelerations), async ([{ document }, some]) => {
      const reference = await reportOf(document, { accelerations: none });
      expect(reference.outcome.verdict).toBe("completed");
      expect(await reportOf(document)).toEqual(reference);
      expect(await reportOf(document, { accelerations: some })).toEqual(reference);
    });
  });

  // Where each CPU stands is part of the report: parked ones must be brought up to date before anybody looks.
  it("is the same when CPUs are wedged and the call hangs", async () => {
    // All but the requester; what they are doing instead is part of the report.
    const wedged = smallCases.map(({ document }): ScenarioInput => {
      const particular = [{ cpus: String(document.policy?.requester ?? 0), kind: "poll" as const }];
      return { ...document, limitUs: 200, load: { common: "wedged", particular } };
    });
    await check(
      fc.tuple(wedged, anyAccelerations),
      async ([document, some]) => {
        const reference = await reportOf(document, { accelerations: { ...none, decodeCache: true } });
        expect(reference.outcome.verdict).toBe("hang");
        expect(await reportOf(document)).toEqual(reference);
        expect(await reportOf(document, { accelerations: some })).toEqual(reference);
      },
      Math.ceil(runs / 3),
    );
  });

  it("is the same in slices and twice in one process", async () => {
    await check(allCases, async ({ document }) => {
      const reference = await reportOf(document);
      let calls = 0;
      expect(await reportOf(document, { onProgress: () => calls++ })).toEqual(reference);
      expect(await reportOf(document)).toEqual(reference);
      const [one, other] = await Promise.all([reportOf(document), reportOf(document)]);
      expect(one).toEqual(reference);
      expect(other).toEqual(reference);
    });
  });

  it("is the same in two processes", async () => {
    const folder = await mkdtemp(join(tmpdir(), "allstop-laws-"));
    try {
      const file = join(folder, "scenario.json");
      const [document] = fc.sample(allCases, { seed, numRuns: 1 }).map((one) => one.document);
      if (document === undefined) throw new Error("no case");
      await writeFile(file, JSON.stringify(document));
      const [one, other] = await Promise.all([inAnotherProcess(file), inAnotherProcess(file)]);
      const reference = JSON.parse(JSON.stringify(await reportOf(document))) as unknown;
      expect(one).toEqual(reference);
      expect(other).toEqual(reference);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("is the same with everything traced, and marks probed", async () => {
    await check(allCases, async ({ document }) => {
      const { machine, end } = await executeScenario(document);
      const traced = await tracedToTheEnd(document);
      expect(traced.end).toEqual(end);
      expect(traced.machine.digest()).toBe(machine.digest());
      expect(traced.machine.recordsLost).toBe(0);
    });
  });

  // Not "one CPU more": the kernel's loops go to nr_cpu_ids, so that one turns once more and takes longer. And firmware's tables list
  // the same CPUs: those that are there and have never booted turn the IPI shorthand of x86-64 off.
  it("times the same for everybody whether CPUs have never been online or don't exist", async () => {
    const hasRun = new Set<string | undefined>(["offline-mwait", "offline-hlt", "wait-for-sipi"]);
    const cases = allCases.filter(
      ({ shape, document }) =>
        shape.offline !== undefined && document.load?.particular?.some(({ kind }) => hasRun.has(kind)) !== true,
    );
    await check(cases, async ({ document }) => {
      const { topology, online } = expandScenario(parseScenario(document));
      const present = topology.cpus.filter(({ state }) => state !== "absent").map(({ number }) => number);
      for (const listed of [present, online]) {
        const beside = await runWithTables(document, topology, listed);
        const alone = await runWithTables(document, withoutOffline(topology), listed);
        expect(beside.shorthand).toBe(topology.architecture === "x86-64" ? listed.length === online.length : undefined);
        expect(beside).toEqual(alone);
      }
    });
  });
});

interface Seen {
  readonly online: readonly number[];
  readonly end: object;
  readonly timelines: readonly object[];
  /** Of those that are online. */
  readonly digests: readonly string[];
  /** x86-64: whether one write may interrupt all others. */
  readonly shorthand: boolean | undefined;
}

/** What those that are online see of a call, if firmware's tables list certain CPUs as present. */
async function runWithTables(document: ScenarioInput, topology: Topology, listed: readonly number[]): Promise<Seen> {
  const expanded = expandScenario(parseScenario(document), topology);
  const { policy, online, requests, scenario, timing } = expanded;
  const machine = await prepareMachine(expanded);
  for (let word = 0; 64 * word < topology.cpus.length; word++) {
    const bits = listed.filter((cpu) => cpu >> 6 === word).reduce((mask, cpu) => mask | (1n << BigInt(cpu & 63)), 0n);
    machine.writeUint64(machine.address(kernelSymbols.presentMask) + 8 * word, bits);
  }
  const probes = probeRendezvous(machine, policy);
  for (const name of [policy.marks.done, policy.marks.fatal]) machine.probe(name, { break: true });
  const end = machine.run(cyclesOf(timing, scenario.limitUs * 1000));
  if (end.kind !== "probe") throw new Error(`the call did not end: ${end.kind}`);
  // How far behind the probe's cycle a run ends hangs on the least latency between any two CPUs (docs/time.md).
  machine.run(end.cycle + cyclesOf(timing, 10_000));
  const isX86 = topology.architecture === "x86-64";
  return {
    online,
    end,
    timelines: readTimelines(machine, probes, policy, requests[0]),
    digests: online.map((cpu) => machine.cpuDigest(cpu)),
    shorthand: isX86 ? machine.readUint32(machine.address("apic_use_ipi_shorthand")) === 1 : undefined,
  };
}

/** The same machine with holes where its offline CPUs are; cores and caches without CPUs don't exist either. */
function withoutOffline(topology: Topology): Topology {
  const there = topology.cpus.filter((cpu) => cpu.state === "online");
  const ranks = (numbers: readonly number[]): Map<number, number> =>
    new Map([...new Set(numbers)].sort((a, b) => a - b).map((number, rank) => [number, rank]));
  const cores = ranks(there.map((cpu) => cpu.core));
  const llcs = ranks(there.map((cpu) => cpu.llc));
  return {
    ...topology,
    counts: { ...topology.counts, cores: cores.size, llcs: llcs.size },
    cpus: topology.cpus.map((cpu) => {
      if (cpu.state !== "online") return { ...cpu, state: "absent" as const };
      return { ...cpu, core: cores.get(cpu.core) ?? 0, llc: llcs.get(cpu.llc) ?? 0 };
    }),
  };
}

/** Runs as executeScenario() does, but traces everything, and has a probe at every mark of the kernel. */
async function tracedToTheEnd(document: ScenarioInput): Promise<{ machine: Machine; end: object }> {
  const expanded = expandScenario(parseScenario(document));
  const machine = await prepareMachine(expanded);
  machine.traceKinds(Object.values(TraceKind).filter((kind): kind is TraceKind => typeof kind === "number"));
  const { done, fatal } = expanded.policy.marks;
  for (const { name } of machine.image.marks) machine.probe(name, { break: name === done || name === fatal });
  const limit = Math.round(expanded.scenario.limitUs * expanded.timing.clockMhz.value);
  return { end: machine.run(limit), machine };
}

async function inAnotherProcess(file: string): Promise<unknown> {
  const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [main, "run", file, "--json"]).catch(
    (failure: { code?: number; stdout?: string }) => {
      // 1 says that the call did not complete; the report is there all the same.
      if (failure.code === 1 && failure.stdout !== undefined) return { stdout: failure.stdout };
      throw failure;
    },
  );
  return withoutHost(JSON.parse(stdout) as Report);
}
