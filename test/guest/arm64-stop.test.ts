// arm64's smp_send_stop() by version against reference/linux-stop-paths.md, sections 9 and 10: the rungs and their order, what each costs,
// who is reached by which, and what a stopped CPU does in which order.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { perCpuOffsets } from "../../src/guest/kernel.ts";
import { HotplugStep, StartKind, hotplug } from "../../src/guest/percpu.ts";
import { nsOf } from "../../src/timing/index.ts";
import { buildTopology, type Topology } from "../../src/topology/index.ts";
import { type Arm64Run, runArm64, shortLimits } from "./arm64-run.ts";

const versions = [
  "6_6",
  "6_7",
  "6_12",
  "6_12_irq",
  "6_12_feat_nmi",
  "sdei_v3",
  "sdei_v4",
  "sdei",
  "sdei_only",
  "sdei_feat_nmi",
  "sdei_resume",
] as const;
type Version = (typeof versions)[number];

/** The rungs that a version has behind its first IPI. */
const hasNmiRung: readonly Version[] = [
  "6_12",
  "6_12_feat_nmi",
  "sdei_v3",
  "sdei_v4",
  "sdei",
  "sdei_feat_nmi",
  "sdei_resume",
];
const hasSdeiRung: readonly Version[] = ["sdei_v3", "sdei_v4", "sdei", "sdei_only", "sdei_feat_nmi", "sdei_resume"];

const stop = (version: Version): string => `smp_send_stop_${version}`;

describe.each(versions)("smp_send_stop(), version %s", (version) => {
  const [nmi, sdei] = [hasNmiRung.includes(version), hasSdeiRung.includes(version)];

  it("stops CPUs that take IRQs by the first IPI, and breaks no rule", async () => {
    const run = await runArm64(stop(version), { loads: { 1: "busy", 3: "deep" } });
    expect(run.isDone).toBe(true);
    expect(run.cpusOf("ack").toSorted()).toEqual([1, 2, 3]);
    expect([1, 2, 3].map((cpu) => run.state(cpu))).toEqual(["WFI", "WFI", "WFI"]);
    expect([run.iterations("nmi"), run.iterations("sdei")]).toEqual([undefined, undefined]);
    expect(run.of("return")[0]?.value).toBe(0n);
    expect(run.broken).toEqual([]);
  });

  it("reaches a CPU whose IRQs are off by a pseudo-NMI or an NMI, else by SDEI, else not at all", async () => {
    const run = await runArm64(stop(version), { loads: { 3: "irqs-off" } });
    const atOnce = version === "6_7";
    const used = {
      ipi: run.iterations("ipi") === shortLimits.stopIpiIterations,
      nmi: run.iterations("nmi") !== undefined,
      sdei: run.iterations("sdei") !== undefined,
    };
    expect(used).toEqual({ ipi: !atOnce, nmi: nmi && !atOnce, sdei: sdei && !nmi });
    const isReached = atOnce || nmi || sdei;
    expect(run.cpusOf("ack").includes(3)).toBe(isReached);
    expect(run.named("say.failed_to_stop")).toEqual(isReached ? [] : [3]);
    expect(run.of("return")[0]?.value).toBe(isReached ? 0n : 1n);
    expect(run.broken).toEqual(isReached ? [] : ["end-state"]);
  });

  it("reaches a CPU that masks everything by SDEI only", async () => {
    const run = await runArm64(stop(version), { loads: { 2: "wedged" } });
    expect(run.iterations("ipi")).toBe(shortLimits.stopIpiIterations);
    expect(run.iterations("nmi")).toBe(nmi ? shortLimits.stopNmiIterations : undefined);
    expect(run.named("say.retry_nmi")).toEqual(nmi ? [2] : []);
    expect(run.named("say.retry_sdei")).toEqual(sdei ? [2] : []);
    expect(run.cpusOf("ack").includes(2)).toBe(sdei);
    expect(run.named("say.failed_to_stop")).toEqual(sdei ? [] : [2]);
    // In an open event nothing is signalled; behind it, the stop IPI is pending, which keeps WFI from sleeping.
    const parked = version === "sdei_resume" ? "WFE" : "WFI";
    expect(run.state(2)).toBe(sdei ? parked : "RUNNING");
    expect(run.routineAt(BigInt(run.machine.cpu(2).pc))).toBe(sdei ? "cpu_park_loop_wfe" : "wedged_work");
    expect(run.broken).toEqual(sdei ? [] : ["end-state"]);
  });

  it("a lone CPU sends nothing", async () => {
    const run = await runArm64(stop(version), { cpus: 1 });
    expect(run.isDone).toBe(true);
    // Before 6.12 the wait was entered all the same, and left at once.
    const before = version === "6_6" || version === "6_7";
    expect(run.events.filter(({ what }) => what === "phase.ipi" || what === "wait.ipi")).toHaveLength(before ? 1 : 0);
    expect(run.iterations("ipi") ?? 0).toBe(0);
  });
});

describe("what the rungs take (section 10.2)", () => {
  it.each([
    ["6_12_irq", { ipi: 1_000_000 }, 1.0],
    ["6_12", { ipi: 1_000_000, nmi: 10_000 }, 1.01],
    ["sdei_only", { ipi: 1_000_000, sdei: 100_000 }, 1.1],
    ["sdei", { ipi: 1_000_000, nmi: 10_000, sdei: 100_000 }, 1.11],
  ] as const)(
    "%s: every iteration, and the time of the limits with up to 10 %% more",
    async (version, waits, seconds) => {
      // What SDEI sends is lost, too: nobody answers.
      const run = await runArm64(stop(version), {
        cpus: 2,
        loads: { 1: "wedged" },
        wholeLimits: true,
        faults: { delivery: [{ cpus: "1", kind: "el3", lost: "all" }] },
      });
      expect(run.isDone).toBe(true);
      for (const [name, iterations] of Object.entries(waits)) expect(run.iterations(name)).toBe(iterations);
      const [call, back] = [run.of("call")[0]?.cycle ?? 0, run.of("return")[0]?.cycle ?? 0];
      const took = nsOf(run.expanded.timing, back - call) / 1e9;
      expect(took).toBeGreaterThanOrEqual(seconds);
      expect(took).toBeLessThan(1.1 * seconds);
      expect(run.named("say.failed_to_stop")).toEqual([1]);
      expect(run.broken).toEqual(version.startsWith("sdei") ? ["sources-served", "end-state"] : ["end-state"]);
    },
  );
});

/** What gic_compute_target_list makes of a mask: runs of consecutive members with all but the lowest four bits in common. */
function runsOf({ cpus }: Topology, members: readonly number[]): number {
  const cluster = (cpu: number): number => Math.floor((cpus[cpu]?.mpidr ?? 0) / 16);
  return members.filter((cpu, index) => index === 0 || cluster(cpu) !== cluster(members[index - 1] ?? 0)).length;
}

describe("ICC_SGI1R_EL1 (section 9.2)", () => {
  const shapes = {
    "clusters of 16, 128 CPUs": { coresPerLlc: 128, packages: 1 },
    "one CPU per Aff1": { coresPerLlc: 32, packages: 1, mpidrs: "multithreaded" },
    "clusters of 5": { coresPerLlc: 5, packages: 6, mpidrs: "cluster" },
    "numbered across clusters": {
      coresPerLlc: 12,
      packages: 1,
      mpidrs: [0, 256, 1, 257, 2, 258, 3, 259, 4, 5, 6, 7],
    },
  } as const;

  it.each([
    ["clusters of 16, 128 CPUs", 8],
    ["one CPU per Aff1", 31],
    ["clusters of 5", 6],
    ["numbered across clusters", 8],
  ] as const)("%s: as many writes as runs", async (shape, writes) => {
    const topology = buildTopology({ architecture: "arm64", ...shapes[shape] });
    let before = 0;
    let probe = -1;
    const run = await runArm64(stop("6_12"), {
      topology,
      drive: (machine, go) => {
        probe = machine.probe("gic_ipi_send_mask:write").number;
        go();
        before = machine.trace.length;
      },
    });
    const others = topology.cpus.map(({ number }) => number).slice(1);
    expect(before).toBeGreaterThan(0);
    expect(runsOf(topology, others)).toBe(writes);
    expect(
      [...run.machine.trace].filter(({ kind, subject }) => kind === TraceKind.PROBE && subject === probe),
    ).toHaveLength(writes);
    expect(run.cpusOf("ack").toSorted((a, b) => a - b)).toEqual(others);
  });
});

describe("what a stopped CPU does (sections 10.4, 10.6)", () => {
  const steps = ["nmi_enter", "handle.sdei", "note", "ack", "park.wfi", "park.off"];

  it("reports and parks; by SDEI in the handler, whose event stays open", async () => {
    const run = await runArm64(stop("sdei"), { loads: { 2: "wedged", 3: "irqs-off" } });
    expect(run.stepsOf(1, ...steps)).toEqual(["ack", "park.wfi"]);
    expect(run.stepsOf(3, ...steps)).toEqual(["nmi_enter", "ack", "park.wfi"]);
    expect(run.stepsOf(2, ...steps)).toEqual(["nmi_enter", "handle.sdei", "ack", "park.wfi"]);
    expect(run.machine.readUint64(run.block(2) + 0xb08)).not.toBe(0n);
  });

  it("completes the event into the stub where stops are requests", async () => {
    const run = await runArm64(stop("sdei_resume"), { loads: { 2: "wedged" } });
    expect(run.stepsOf(2, ...steps)).toEqual(["nmi_enter", "handle.sdei", "ack", "park.wfi"]);
    expect(run.events.findLast(({ cpu, what }) => cpu === 2 && what === "park.wfi")?.cycle).toBeGreaterThan(
      run.of("nmi_leave", 2)[0]?.cycle ?? Infinity,
    );
    // The pointer to the active event was cleared on the way out.
    expect(run.machine.readUint64(run.block(2) + 0xb08)).toBe(0n);
  });
});

describe("S29: a CPU comes online behind the first snapshot", () => {
  const state = hotplug.symbol.offset;
  const late = async (version: Version): Promise<Arm64Run> =>
    runArm64(stop(version), {
      loads: { 2: "wedged" },
      parameters: { onlineWanted: 3 },
      before: (machine, block) => machine.writeUint32(block(3) + perCpuOffsets.start, StartKind.Held),
      breaks: [`smp_send_stop_${version}:$phase.ipi`],
      drive: (machine, run) => {
        run();
        const { perCpuStart, perCpuStride } = machine.image;
        machine.writeUint32(perCpuStart + 3 * perCpuStride + state, HotplugStep.BringupCpu);
        run();
      },
    });

  it.each([
    ["6_12", "say.retry_nmi"],
    ["sdei_only", "say.retry_sdei"],
  ] as const)("%s catches it by the next rung's", async (version, retry) => {
    const run = await late(version);
    expect(run.named(retry)).toEqual([2, 3]);
    expect(run.of("ack", 3)[0]?.cycle).toBeGreaterThan(run.of("waited.ipi")[0]?.cycle ?? Infinity);
  });

  it("without another rung it is listed as failed", async () => {
    const run = await late("6_12_irq");
    expect(run.cpusOf("ack")).toEqual([1]);
    expect(run.named("say.failed_to_stop")).toEqual([2, 3]);
  });
});

describe("a CPU that an NMI has stopped", () => {
  it("has the stop IPI pending for ever, masked, so that WFI doesn't sleep: it waits in the WFE of cpu_park_loop()", async () => {
    const run = await runArm64(stop("6_12"), { loads: { 3: "irqs-off" } });
    expect(run.state(3)).toBe("WFE");
    expect(run.state(1)).toBe("WFI");
  });
});

describe("two callers (section 10.2)", () => {
  const seconds = (run: Arm64Run): number[] => run.cpusOf("phase.ipi");
  const policy = (name: string) => ({ requester: 0, also: [{ name, requester: 3 }] });

  it("since 6.12 the second comes back at once, and is stopped like the others", async () => {
    // The run is over with CPU 0's request.
    const also = [{ name: stop("6_12"), requester: 3, delayUs: 0.3 }];
    const run = await runArm64(stop("6_12"), { policy: { requester: 0, also } });
    const [first, second] = [0, 3];
    expect(seconds(run)).toEqual([first]);
    expect(run.of("return", second)[0]?.cycle).toBeLessThan(run.of("return", first)[0]?.cycle ?? 0);
    expect(run.of("return", second)[0]?.value).toBeGreaterThan(0n);
    expect(run.cpusOf("ack")).toContain(second);
  });

  it("before, both stop each other, and with IRQs off neither is stopped", async () => {
    const run = await runArm64(stop("6_6"), { policy: policy(stop("6_6")) });
    expect(seconds(run).toSorted()).toEqual([0, 3]);
    expect(run.named("say.failed_to_stop").toSorted()).toEqual([0, 3]);
  });
});

describe("hundreds of CPUs", () => {
  it("512, one of which masks everything: 1 s, 10 ms, then SDEI, which stops it", async () => {
    const run = await runArm64(stop("sdei"), { cpus: 512, loads: { 300: "wedged" }, wholeLimits: true });
    expect([run.iterations("ipi"), run.iterations("nmi")]).toEqual([1_000_000, 10_000]);
    expect(run.iterations("sdei")).toBeLessThan(100);
    expect(new Set(run.cpusOf("ack")).size).toBe(511);
    expect(run.cpusOf("handle.sdei")).toEqual([300]);
    expect(run.broken).toEqual([]);
  });
});
