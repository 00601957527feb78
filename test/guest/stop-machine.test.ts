// stop_machine() in the guest against the kernel's rules (reference/linux-stop-paths.md, section 3).

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { buildTopology } from "../../src/topology/index.ts";
import type { LoadKind } from "../../src/faults/load.ts";
import { perCpuOffsets } from "../../src/guest/kernel.ts";
import { architectures, argument, runStop, violations, type Arch, type StopRun } from "./stop-run.ts";

const cpusOf = (run: StopRun, name: string): number[] => [...new Set(run.passed(name).map(({ cpu }) => cpu))];

describe.each(architectures)("stop_machine on %s", (architecture) => {
  const machine = { architecture, cpus: 8 };
  const withOffline = (offline: string) =>
    buildTopology({ packages: 1, coresPerLlc: 6, threadsPerCore: 1, architecture, offline });

  it("calls that name no CPUs run the function on the first online CPU, and stop all", async () => {
    const run = await runStop({ machine });
    expect(violations(run)).toEqual([]);
    expect(cpusOf(run, "function")).toEqual([0]);
    expect(cpusOf(run, "enter").sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("the first online CPU is CPU 1 when CPU 0 is offline (S7)", async () => {
    const run = await runStop({}, { topology: withOffline("0") });
    expect(violations(run)).toEqual([]);
    expect(cpusOf(run, "function")).toEqual([1]);
    expect(run.expanded.requester).toBe(1);
  });

  it.each(["0", "5", "1,3-4,7", "2-7", "all"])("a mask runs the function on exactly its CPUs: %s", async (active) => {
    const run = await runStop({ machine, policy: { active, rounds: 2 } });
    expect(violations(run)).toEqual([]);
  });

  it("masks reach beyond one word", async () => {
    const run = await runStop({ machine: { architecture, cpus: 130 }, policy: { active: "0,63-65,127-129" } });
    expect(violations(run)).toEqual([]);
    expect(cpusOf(run, "function").sort((a, b) => a - b)).toEqual([0, 63, 64, 65, 127, 128, 129]);
  });

  it("a machine of one CPU stops itself", async () => {
    const run = await runStop({ machine: { architecture, cpus: 1 }, policy: { rounds: 3 } });
    expect(violations(run)).toEqual([]);
  });

  it("any online CPU may call", async () => {
    const run = await runStop({ machine, policy: { requester: 6, rounds: 2 } });
    expect(violations(run)).toEqual([]);
    expect(cpusOf(run, "call")).toEqual([6]);
    expect(cpusOf(run, "function")).toEqual([0]);
  });

  it("leaves offline CPUs alone: never started, nothing in their registers and memory", async () => {
    const before = new Map<number, string>();
    const run = await runStop(
      { policy: { active: "all", rounds: 2 } },
      {
        topology: withOffline("2,5"),
        before: (built) => [2, 5].forEach((cpu) => before.set(cpu, built.cpuDigest(cpu))),
      },
    );
    expect(violations(run)).toEqual([]);
    expect(run.online).toEqual([0, 1, 3, 4]);
    for (const cpu of [2, 5]) {
      expect(run.machine.cpuDigest(cpu)).toBe(before.get(cpu));
      expect(run.machine.cpu(cpu)).toMatchObject({ state: "OFFLINE", pc: 0, retired: 0 });
      const memory = run.machine.readMemory(run.block(cpu), run.machine.image.perCpuStride);
      expect(memory.every((byte) => byte === 0)).toBe(true);
      expect(run.records.filter((record) => record.cpu === cpu || record.peer === cpu)).toEqual([]);
    }
    expect(run.machine.readMask("__cpu_online_mask")).toEqual([0, 1, 3, 4]);
  });

  it("works are queued in ascending order of CPU, each with the same function and data", async () => {
    const [first, second] = argument[architecture];
    const run = await runStop(
      { machine, policy: { requester: 3 } },
      { probes: { queue: { place: "cpu_stop_queue_work", values: [first, second] } } },
    );
    const queued = run.passed("queue");
    expect(queued.map(({ cpu }) => cpu)).toEqual(Array(8).fill(3));
    expect(queued.map(({ value }) => Number(value & 0xffff_ffffn))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const data = run.passed("enter")[0]?.value ?? 0n;
    queued.forEach(({ value2 }, cpu) => {
      // cpu_stop_work is embedded in cpu_stopper: thread 8, lock 4, enabled 1 (+3), list head 16.
      const work = run.block(cpu) + 0x80 + 32;
      expect(Number(value2)).toBe(work);
      expect(run.machine.readUint64(work + 16)).toBe(BigInt(run.machine.address("multi_cpu_stop")));
      expect(run.machine.readUint64(work + 32)).toBe(data);
    });
    expect(violations(run)).toEqual([]);
  });

  it("preemption is off and the in-progress flag on while works are queued, and off again afterwards", async () => {
    const [first] = argument[architecture];
    const run = await runStop(
      { machine, policy: { requester: 0 } },
      {
        probes: { add: { place: "list_add_tail", values: [first] } },
        until: "list_add_tail",
        exact: true,
      },
    );
    // Stopped inside the first list_add_tail() of the call: nobody but the requester can have moved.
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(run.machine.readMemory("stop_cpus_in_progress", 1)[0]).toBe(1);
    expect(run.machine.readUint32(run.block(0) + 12)).toBeGreaterThan(0);
    const whole = await runStop({ machine });
    expect(whole.machine.readMemory("stop_cpus_in_progress", 1)[0]).toBe(0);
    expect(whole.machine.readUint32("stop_cpus_mutex")).toBe(0);
  });

  it("the requester's own stopper takes over once all are queued and preemption is on again, without an interrupt", async () => {
    const run = await runStop(
      { machine, policy: { requester: 2 } },
      { probes: { queue: { place: "cpu_stop_queue_work" }, wait: { place: "wait_for_completion" } } },
    );
    const [enter] = run.passedBy("enter", 2);
    const queued = run.passed("queue").map(({ cycle }) => cycle);
    expect(Math.max(...queued)).toBeLessThan(enter?.cycle ?? 0);
    expect(run.passedBy("wait", 2)[0]?.cycle).toBeGreaterThan(run.passedBy("leave", 2)[0]?.cycle ?? Infinity);
    const sent = run.events(TraceKind.INTERRUPT_SENT);
    expect(sent.filter(({ peer, cycle }) => peer === 2 && cycle < (enter?.cycle ?? 0))).toEqual([]);
  });

  it("the watchdog is touched while waiting with interrupts off, RCU is told", async () => {
    const run = await runStop({ machine, policy: { functionUs: 5 } });
    for (const cpu of run.online.slice(1)) {
      expect(run.machine.readUint32(run.block(cpu) + 0x520)).toBe(1);
      const rcu = run.machine.readUint32(run.block(cpu) + 0x524);
      expect(rcu).toBeGreaterThan(0);
      expect(rcu % 8).toBe(0);
    }
  });
});

const loadsOf: Record<Arch, readonly LoadKind[]> = {
  "x86-64": ["idle", "hlt", "mwait", "poll", "busy", "compute", "irqs-off", "mixed"],
  arm64: ["idle", "wfi", "poll", "busy", "compute", "irqs-off", "mixed"],
};

describe("any machine, load, requester and mask", () => {
  const cases = fc.constantFrom(...architectures).chain((architecture) =>
    fc.record({
      architecture: fc.constant(architecture),
      shape: fc.record({
        packages: fc.integer({ min: 1, max: 3 }),
        llcsPerDie: fc.integer({ min: 1, max: 2 }),
        coresPerLlc: fc.integer({ min: 1, max: 4 }),
        threadsPerCore: fc.integer({ min: 1, max: 2 }),
      }),
      offline: fc.array(fc.nat(), { maxLength: 4 }),
      common: fc.constantFrom(...loadsOf[architecture]),
      particular: fc.array(fc.tuple(fc.nat(), fc.constantFrom(...loadsOf[architecture])), { maxLength: 6 }),
      active: fc.oneof(fc.constant("first"), fc.constant("all"), fc.array(fc.nat(), { minLength: 1, maxLength: 5 })),
      requester: fc.nat(),
      rounds: fc.integer({ min: 1, max: 3 }),
      functionUs: fc.constantFrom(0, 0.5, 3),
      seed: fc.integer({ min: 1, max: 1 << 30 }),
    }),
  );

  it("keeps every rule of the rendezvous", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ architecture, shape, offline, common, particular, active, ...rest }) => {
        const count = shape.packages * shape.llcsPerDie * shape.coresPerLlc * shape.threadsPerCore;
        const off = new Set(offline.map((cpu) => cpu % count));
        const online = Array.from({ length: count }, (_, cpu) => cpu).filter((cpu) => !off.has(cpu));
        fc.pre(online.length > 0);
        const pick = (index: number): number => online[index % online.length] ?? 0;
        const topology = buildTopology({ ...shape, architecture, offline: [...off] });
        const run = await runStop(
          {
            machine: { architecture },
            policy: {
              active: typeof active === "string" ? active : active.map(pick).join(),
              requester: pick(rest.requester),
              rounds: rest.rounds,
              functionUs: rest.functionUs,
            },
            load: { common, particular: particular.map(([cpu, kind]) => ({ cpus: `${pick(cpu)}`, kind })) },
            seed: rest.seed,
          },
          { topology },
        );
        expect(violations(run)).toEqual([]);
      }),
      { numRuns: Number(process.env["ALLSTOP_RUNS"] ?? 30) },
    );
  });
});

describe("the per-CPU counts that a host reads", () => {
  it("lie where perCpuOffsets says", () => {
    expect(perCpuOffsets.calls).toBe(0x510);
  });
});
