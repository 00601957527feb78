// native_stop_other_cpus() and stop_this_cpu() by version, against reference/linux-stop-paths.md, section 6, and its scenarios S13 to S17.

import { describe, expect, it } from "vitest";
import { LinuxVector, TraceKind } from "../../src/abi.ts";
import { i32, ptr, routine } from "../../src/asm/index.ts";
import { perCpuOffsets } from "../../src/guest/kernel.ts";
import { Request, mwaitCpuDead } from "../../src/guest/percpu.ts";
import { registerStopHandler } from "../../src/guest/reboot/handlers.ts";
import { callReboot } from "../../src/guest/reboot/requests.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { cyclesOf } from "../../src/timing/index.ts";
import { cpusOf, firstUs, happenings, story, waitsOf } from "./observed.ts";
import { runStop, type StopOptions, type StopRun } from "./stop-run.ts";

const versions = ["irq", "nmi", "2012", "2019", "2023"] as const;
type Version = (typeof versions)[number];

const rebooting: StopOptions = { events: true, until: "machine_emergency_restart:done" };
/** smp_send_stop()'s `wait`. */
const noWait = { rebootWait: 0 };

type Document = Parameters<typeof runStop>[0];

function reboot(version: Version, document: Partial<Document> = {}, options: StopOptions = {}) {
  const { machine, policy, ...rest } = document;
  const quick = (document.limitUs ?? 0) > 1_000_000;
  return runStop(
    {
      machine: { architecture: "x86-64", ...(options.topology === undefined ? { cpus: 4 } : {}), ...machine },
      ...rest,
      policy: { name: `reboot_${version}`, ...policy },
    },
    { ...rebooting, quick, ...options },
  );
}

/** CPU 3 is in system-management mode for longer than any wait: no NMI gets through. */
const inSmm: NonNullable<StopOptions["before"]> = (machine, { timing }) => {
  machine.sendSmi(3, { cycle: cyclesOf(timing, 20_000), durationCycles: 2 ** 32 - 1 });
};

const wedged: Partial<Document> = {
  load: { particular: [{ cpus: "3", kind: "wedged" }] },
  limitUs: 1_400_000,
};

/** disable_local_APIC() */
const SILENCE = "apic_soft_disable";

/** Where CPUs disabled their local APICs, also after the run's end. */
function silencings(run: StopRun) {
  const { number } = run.machine.probe(SILENCE, { join: true });
  return [...run.machine.trace].filter(({ kind, subject }) => kind === TraceKind.PROBE && subject === number);
}

describe.each(versions)("reboot_%s", (version) => {
  const isOld = version !== "2023";
  const target = isOld ? "stop_this_cpu_online" : "stop_this_cpu_mask";

  it("stops every other CPU: one report each, its local APIC off, then HLT", async () => {
    const run = await reboot(version, { machine: { cpus: 12 } }, { probes: { silence: { place: SILENCE } } });
    const { machine } = run;
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    const others = Array.from({ length: 11 }, (_, index) => index + 1);
    expect(cpusOf(run, "ack")).toEqual(others);
    const stopped = machine.cycle + 100_000;
    machine.run(stopped);
    expect(machine.readMask("__cpu_online_mask")).toEqual([0]);
    for (const cpu of others) machine.sendInterrupt(cpu, { kind: "fixed", vector: LinuxVector.RESCHEDULE });
    machine.run(stopped + 100_000);
    const taken = [...machine.trace].filter(({ kind, cycle }) => kind === TraceKind.INTERRUPT_TAKEN && cycle > stopped);
    expect(taken).toEqual([]);
    for (const cpu of others) {
      expect(machine.cpu(cpu)).toMatchObject({ state: "WAITING", waitsIn: "HLT" });
      expect(silencings(run).filter((record) => record.cpu === cpu)).toHaveLength(1);
    }
  });

  it("an NMI after HLT is dropped at entry, and the CPU halts again (S17)", async () => {
    const run = await reboot(version);
    const { machine } = run;
    machine.run(machine.cycle + 100_000);
    for (const cpu of [1, 2, 3]) machine.sendInterrupt(cpu, { kind: "nmi" });
    machine.run(machine.cycle + 100_000);
    // Those that stopped in an NMI never return from it, so that further ones stay blocked.
    expect(cpusOf(run, "drop")).toEqual(version === "nmi" ? [] : [1, 2, 3]);
    expect(cpusOf(run, "nmi_enter")).toEqual([1, 2, 3]);
    expect(cpusOf(run, "ack")).toEqual([1, 2, 3]);
    for (const cpu of [1, 2, 3]) {
      expect(machine.cpu(cpu)).toMatchObject({ state: "WAITING", waitsIn: "HLT" });
      expect(machine.cpu(cpu).at).toMatch(/^halt_for_ever/);
    }
  });

  it(`reports ${isOld ? "before" : "after"} its caches are written back (S16)`, async () => {
    const run = await reboot(
      version,
      { machine: { cpus: 6 }, limitUs: 100_000 },
      {
        parameters: { cachesIncoherent: 1 },
        probes: { enter: { place: `${target}:enter` }, silence: { place: SILENCE } },
      },
    );
    const back = firstUs(run, "return");
    const flushed = happenings(run).filter(({ what }) => what === "work_end.flush").length;
    expect(flushed).toBe(isOld ? 0 : 5);
    // Those that report early are still at it when the requester goes on.
    run.machine.run(run.machine.cycle + cyclesOf(run.expanded.timing, 20e6));
    expect(cpusOf(run, "work_end.flush")).toEqual([1, 2, 3, 4, 5]);
    const order = isOld
      ? ["enter", "ack", "silence", "work_start.flush", "work_end.flush", "park.hlt"]
      : ["enter", "silence", "work_start.flush", "work_end.flush", "ack", "park.hlt"];
    const silenced = new Map(silencings(run).map(({ cpu, cycle }) => [cpu, cycle]));
    for (const cpu of [1, 2, 3, 4, 5]) {
      const steps = [
        { what: "enter", cycle: run.passedBy("enter", cpu)[0]?.cycle ?? NaN },
        { what: "silence", cycle: silenced.get(cpu) ?? NaN },
        ...happenings(run).filter((one) => one.cpu === cpu && order.includes(one.what)),
      ];
      expect(steps.toSorted((a, b) => a.cycle - b.cycle).map(({ what }) => what)).toEqual(order);
    }
    expect(firstUs(run, "work_end.flush") > back).toBe(isOld);
  });
});

describe("the machine's digest at the end", () => {
  it.each(["reboot_2023", "reboot_nmi", "kdump_2025"])("of %s is the same whatever the accelerations", async (name) => {
    const document = {
      machine: { architecture: "x86-64" as const, cpus: 8 },
      load: { common: "mixed" as const },
      policy: { name },
    };
    const until = name === "kdump_2025" ? "panic_done:done" : "machine_emergency_restart:done";
    const digests = await Promise.all(
      [{}, { runAhead: false }, { spinElision: false }].map(async (accelerations) => {
        const run = await runStop(document, { until, accelerations });
        expect(run.end).toMatchObject({ kind: "probe" });
        return run.machine.digest();
      }),
    );
    expect(new Set(digests).size).toBe(1);
  });
});

describe("with local APICs in xAPIC mode", () => {
  it.each(["2012", "2023"] as const)("reboot_%s stops all", async (version) => {
    const run = await reboot(version, { machine: { cpus: 8 } }, { localApic: "xapic" });
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(cpusOf(run, "ack")).toEqual([1, 2, 3, 4, 5, 6, 7]);
    run.machine.run(run.machine.cycle + 10_000);
    for (let cpu = 1; cpu < 8; cpu++) expect(run.machine.cpu(cpu)).toMatchObject({ state: "WAITING", waitsIn: "HLT" });
  });
});

describe("the order of the steps", () => {
  it("of a CPU that stops: out of the online mask, local APIC off, caches written back, report, HLT", async () => {
    const run = await reboot(
      "2023",
      { machine: { cpus: 3 } },
      {
        parameters: { cachesIncoherent: 1 },
        probes: {
          silence: { place: SILENCE, break: true },
        },
      },
    );
    // The run ends where the first CPU disables its APIC: that one is no longer online, and still in the stop mask.
    const [{ cpu } = { cpu: NaN }] = run.passed("silence");
    expect(run.machine.readMask("__cpu_online_mask")).not.toContain(cpu);
    expect(run.machine.readMask("cpus_stop_mask")).toContain(cpu);
  });

  it("of the requester: stop mask, interrupt to all, wait; its own APIC, then the stop mask is cleared", async () => {
    const run = await reboot("2023", {}, { probes: { local: { place: SILENCE } } });
    const us = (what: string): number => firstUs(run, what, 0);
    expect(us("phase.reboot_irq")).toBeLessThan(us("wait.reboot_irq"));
    expect(us("wait.reboot_irq")).toBeLessThan(us("waited.reboot_irq"));
    expect(story(run, "phase.reboot_nmi", "say.shutdown_nmi", "raise.reboot")).toEqual([]);
    const own = run.passedBy("local", 0);
    expect(own).toHaveLength(1);
    expect(run.passed("local").at(-1)).toEqual(own[0]);
    expect(run.machine.readMask("cpus_stop_mask")).toEqual([]);
    expect(run.machine.readUint32("stopping_cpu")).toBe(0);
  });
});

describe("a CPU that spins with interrupts off", () => {
  it("of 512 is stopped by an NMI of its own after 1,000,000 iterations, in 1 s and the NMI's latency", async () => {
    const run = await reboot("2023", { ...wedged, machine: { cpus: 512 } }, { parameters: noWait });
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(waitsOf(run)).toMatchObject([
      { name: "reboot_irq", limit: 1_000_000, iterations: 1_000_000, expired: true },
      { name: "reboot_nmi", limit: 10_000, expired: false },
    ]);
    expect(story(run, "say.shutdown_nmi", "raise.reboot", "handle.reboot")).toEqual([
      "say.shutdown_nmi 0",
      "raise.reboot 0",
      "handle.reboot 3",
    ]);
    expect(happenings(run).filter(({ what }) => what === "raise.reboot")).toMatchObject([{ value: 3n }]);
    expect(cpusOf(run, "ack")).toEqual(Array.from({ length: 511 }, (_, index) => index + 1));
    const tookUs = firstUs(run, "return") - firstUs(run, "call");
    expect(tookUs).toBeGreaterThan(1_000_000);
    expect(tookUs - (firstUs(run, "waited.reboot_irq") - firstUs(run, "wait.reboot_irq"))).toBeLessThan(20);
  });

  it("survives where there is only the interrupt; an NMI reaches it at once where there is only that", async () => {
    const irq = await reboot("irq", wedged, { parameters: noWait });
    expect(irq.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(cpusOf(irq, "ack")).toEqual([1, 2]);
    expect(irq.machine.readMask("__cpu_online_mask")).toEqual([0, 3]);
    expect(waitsOf(irq)).toMatchObject([{ name: "reboot_irq", iterations: 1_000_000, expired: true }]);
    const nmi = await reboot("nmi", wedged);
    expect(cpusOf(nmi, "ack")).toEqual([1, 2, 3]);
    expect(firstUs(nmi, "return") - firstUs(nmi, "call")).toBeLessThan(20);
  });

  it("keeps a caller that waits from ever sending the NMI in 2012, and no longer since 2019", async () => {
    const [before, since] = await Promise.all((["2012", "2019"] as const).map((version) => reboot(version, wedged)));
    if (before === undefined || since === undefined) throw new Error("two runs");
    expect(before.end.kind).toBe("reached");
    expect(story(before, "phase.reboot_nmi", "broadcast.reboot", "return")).toEqual([]);
    expect(since.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(story(since, "broadcast.reboot", "handle.reboot")).toEqual(["broadcast.reboot 0", "handle.reboot 3"]);
    expect(cpusOf(since, "ack")).toEqual([1, 2, 3]);
  });
});

describe("a CPU that no NMI reaches (S14)", () => {
  it("is given up after 1.010 s; the requester is told nothing", async () => {
    const run = await reboot("2023", { limitUs: 1_400_000 }, { parameters: noWait, before: inSmm });
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(waitsOf(run)).toMatchObject([
      { name: "reboot_irq", iterations: 1_000_000, expired: true },
      { name: "reboot_nmi", iterations: 10_000, limit: 10_000, expired: true },
    ]);
    expect(run.machine.readMask("__cpu_online_mask")).toEqual([0, 3]);
    expect(run.machine.readMask("cpus_stop_mask")).toEqual([]);
  });

  it("hangs a caller that waits", async () => {
    const run = await reboot("2023", { limitUs: 1_400_000 }, { before: inSmm });
    expect(run.end.kind).toBe("reached");
    expect(story(run, "raise.reboot", "return")).toEqual(["raise.reboot 0"]);
  });
});

describe("without an NMI to send", () => {
  /** The action is on a list already, or so it seems. */
  const listed = (machine: Machine): void => machine.writeUint64("smp_stop_nmi_action", 8n);

  it("the 10 ms are waited all the same since 2019, whether it is forbidden or its handler can't be registered", async () => {
    const forbidden = await reboot("2023", wedged, { parameters: { ...noWait, noNmiIpi: 1 } });
    const refused = await reboot("2023", wedged, { parameters: noWait, before: listed });
    for (const run of [forbidden, refused]) {
      expect(story(run, "say.shutdown_nmi", "raise.reboot")).toEqual([]);
      expect(waitsOf(run)).toMatchObject([{ name: "reboot_irq" }, { name: "reboot_nmi", iterations: 10_000 }]);
    }
  });

  it("3.3 stops nobody and returns at once, its own APIC left on", async () => {
    const run = await reboot("nmi", {}, { before: listed, probes: { local: { place: SILENCE } } });
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(cpusOf(run, "ack")).toEqual([]);
    expect(run.passed("local")).toEqual([]);
    expect(run.machine.readMask("__cpu_online_mask")).toEqual([0, 1, 2, 3]);
  });
});

describe("an NMI to a CPU that is stopping (S17)", () => {
  /** As after the wait for the interrupt: the handler is registered when the NMI comes. */
  const callRegistered = routine("test_reboot_registered", { request: ptr(Request) }, i32, (k, { request }) => {
    k.if(registerStopHandler(k).not(), () => k.bug());
    k.return(k.call(callReboot, request));
  });

  it("at every cycle from the interrupt's handler to HLT: one report, and HLT in the end", async () => {
    const run = await reboot(
      "2023",
      { machine: { cpus: 3 } },
      {
        call: callRegistered,
        probes: { enter: { place: "sysvec_reboot:reboot", break: true } },
        exact: true,
      },
    );
    const [{ cpu: target } = { cpu: NaN }] = run.passed("enter");
    const ends = new Map<string, number>();
    for (let delay = 2; delay < 700; delay += 11) {
      const machine = run.machine.fork();
      const acks = machine.probe("stop_this_cpu_mask:$ack");
      machine.sendInterrupt(target, { kind: "nmi" }, { cycle: machine.cycle + delay });
      const end = machine.cycle + 20_000;
      // The other CPU comes by the same place.
      while (machine.run(end).kind === "probe");
      const records = [...machine.trace].filter(({ kind, cpu }) => kind === TraceKind.PROBE && cpu === target);
      expect(records.filter(({ subject }) => subject === acks.number)).toHaveLength(1);
      expect(machine.cpu(target)).toMatchObject({ state: "WAITING", waitsIn: "HLT" });
      const stack = machine.readRegister(target, "rsp") - BigInt(run.block(target));
      const where = stack > 0x3000n ? "stopped inside the NMI" : "dropped";
      ends.set(where, (ends.get(where) ?? 0) + 1);
    }
    // Both happen: before and after the CPU leaves the online mask.
    expect([...ends.keys()].toSorted()).toEqual(["dropped", "stopped inside the NMI"]);
  });
});

describe("CPUs that are offline, when another kernel follows", () => {
  const kexec = { kexecInProgress: 1 };

  it("those in MWAIT go to HLT before anything else; those in HLT already are left alone", async () => {
    const run = await reboot(
      "2023",
      {
        machine: { cpus: 6 },
        load: {
          particular: [
            { cpus: "3-4", kind: "offline-mwait" },
            { cpus: "5", kind: "offline-hlt" },
          ],
        },
      },
      { parameters: kexec },
    );
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(waitsOf(run).filter(({ name }) => name === "mwait_kick")).toMatchObject([
      { limit: 1000, expired: false },
      { limit: 1000, expired: false },
    ]);
    expect(firstUs(run, "waited.mwait_kick")).toBeLessThan(firstUs(run, "phase.reboot_irq"));
    for (const cpu of [3, 4, 5]) {
      expect(run.machine.cpu(cpu)).toMatchObject({ state: "WAITING", waitsIn: "HLT" });
    }
    expect(cpusOf(run, "ack")).toEqual([1, 2]);
  });

  it("64 that don't answer take 320 ms, one after another, before the first interrupt; one message for all", async () => {
    const topology = buildTopology({
      packages: 1,
      coresPerLlc: 64,
      threadsPerCore: 2,
      architecture: "x86-64",
      offline: "64-127",
    });
    const run = await reboot(
      "2023",
      { limitUs: 500_000 },
      {
        topology,
        parameters: kexec,
        before: (machine) => {
          for (let cpu = 64; cpu < 128; cpu++) {
            const { perCpuStart, perCpuStride } = machine.image;
            machine.writeUint32(perCpuStart + cpu * perCpuStride + mwaitCpuDead.symbol.offset + 4, 0xdead_beef);
          }
        },
      },
    );
    const kicks = waitsOf(run).filter(({ name }) => name === "mwait_kick");
    expect(kicks).toHaveLength(64);
    expect(kicks.every(({ iterations, expired }) => iterations === 1000 && expired)).toBe(true);
    const before = firstUs(run, "phase.reboot_irq") - firstUs(run, "call");
    expect(before).toBeGreaterThan(320_000);
    expect(before).toBeLessThan(350_000);
    expect(happenings(run).filter(({ what }) => what === "say.stuck_in_mwait")).toMatchObject([{ value: 64n }]);
  });
});

describe("two that stop the others (S15)", () => {
  it("the second caller carries on beside the first, until the first one's NMI gets it", async () => {
    const run = await reboot(
      "2023",
      {
        machine: { cpus: 4 },
        policy: { also: [{ name: "panic_2023", requester: 2 }] },
        limitUs: 1_400_000,
      },
      { parameters: noWait },
    );
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(run.machine.readUint32("stopping_cpu")).toBe(0);
    // CPU 2 panics, finds that it is not the first, and goes on to the end with interrupts off.
    const shutdownUs = firstUs(run, "phase.notifiers", 2);
    expect(shutdownUs).toBeGreaterThan(firstUs(run, "call", 0));
    expect(shutdownUs).toBeLessThan(firstUs(run, "raise.reboot"));
    expect(cpusOf(run, "phase.end")).toEqual([2]);
    expect(cpusOf(run, "handle.reboot")).toEqual([2]);
    expect(cpusOf(run, "ack")).toEqual([1, 2, 3]);
    expect(firstUs(run, "ack", 2) - shutdownUs).toBeGreaterThan(1_000_000);
  });
});

describe("a CPU that holds a lock with interrupts off (S13)", () => {
  /** CPU 2 takes the lock at once and keeps it for so long. */
  const holding =
    (us: number): NonNullable<StopOptions["before"]> =>
    (machine, { timing }) => {
      const block = machine.image.perCpuStart + 2 * machine.image.perCpuStride;
      machine.writeUint64(block + perCpuOffsets.work, BigInt(machine.address("lock_holder_work")));
      const turns = cyclesOf(timing, us * 1000) / (timing.parameters.relax.value + 1);
      machine.writeUint64(block + perCpuOffsets.irqsOffTurns, BigInt(Math.round(turns)));
      machine.writeUint64(block + perCpuOffsets.irqsOnTurns, 1_000_000_000n);
    };
  const panic = (name: string, us: number, options: StopOptions = {}): Promise<StopRun> =>
    runStop(
      { machine: { architecture: "x86-64", cpus: 4 }, limitUs: 1_400_000, policy: { name } },
      { events: true, until: "panic_done:done", quick: us > 1_000_000, before: holding(us), ...options },
    );

  it("is frozen with it by the NMI, and gives it back before the interrupt stops it", async () => {
    const first = await panic("panic_nmi", 3000);
    expect(story(first, "say.lock_busted", "phase.end")).toEqual(["say.lock_busted 0", "phase.end 0"]);
    const second = await panic("panic_2023", 3000);
    expect(story(second, "say.lock_busted", "say.shutdown_nmi", "phase.end")).toEqual(["phase.end 0"]);
    expect(cpusOf(second, "ack")).toEqual([1, 2, 3]);
    expect(firstUs(second, "phase.notifiers") - firstUs(second, "say.panic")).toBeGreaterThan(2500);
  });

  it("for more than 1 s, is frozen with it anyway, but announced", async () => {
    const run = await panic("panic_2023", 1_250_000);
    expect(story(run, "say.shutdown_nmi", "handle.reboot", "say.lock_busted", "phase.end")).toEqual([
      "say.shutdown_nmi 0",
      "handle.reboot 2",
      "say.lock_busted 0",
      "phase.end 0",
    ]);
  });

  it("hangs whoever needs it then and does not take it by force", async () => {
    const run = await panic("panic_nmi", 3000, { parameters: { bustSpinlocks: 0 } });
    expect(run.end.kind).not.toBe("probe");
    expect(cpusOf(run, "ack")).toEqual([1, 2, 3]);
    expect(cpusOf(run, "phase.end")).toEqual([]);
    expect(run.machine.cpu(0).at).toMatch(/^_raw_spin_lock/);
  });
});
