// nmi_shootdown_cpus() by version, and panics in NMIs, against reference/linux-stop-paths.md, sections 7 and 8, and S18 to S20.

import { describe, expect, it } from "vitest";
import { bind, codeOf, i32, offsetOf, ptr, routine } from "../../src/asm/index.ts";
import { nmiShootdownCpus } from "../../src/guest/crash/shootdown.ts";
import { kdumpNmiCallback } from "../../src/guest/crash/target.ts";
import { CrashNote, crashNotes } from "../../src/guest/panic/crash-note.ts";
import { noCrashKernel } from "../../src/guest/panic/kexec.ts";
import { kexecCrashImage } from "../../src/guest/panic/slots.ts";
import { panicDone } from "../../src/guest/panic/done.ts";
import { Counters, Request, counters } from "../../src/guest/percpu.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { TraceKind } from "../../src/abi.ts";
import { cyclesOf } from "../../src/timing/index.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { cpusOf, firstUs, story, waitsOf } from "./observed.ts";
import { runStop, type StopOptions, type StopRun } from "./stop-run.ts";

const versions = ["2015", "2024", "2025"] as const;

type Document = Parameters<typeof runStop>[0];

const crashing: StopOptions = { events: true, until: "panic_done:done" };

function crash(name: string, document: Partial<Document> = {}, options: StopOptions = {}): Promise<StopRun> {
  const { machine, policy, ...rest } = document;
  return runStop(
    {
      machine: { architecture: "x86-64", ...(options.topology === undefined ? { cpus: 4 } : {}), ...machine },
      limitUs: 1_400_000,
      ...rest,
      policy: { name, ...policy },
    },
    { ...crashing, ...options },
  );
}

interface Note {
  readonly writes: number;
  readonly pc: number;
  readonly sp: number;
}

function noteOf(run: StopRun, cpu: number): Note {
  const at = run.block(cpu) + crashNotes.symbol.offset;
  const field = (name: "pc" | "sp"): number => Number(run.machine.readUint64(at + offsetOf(CrashNote, name)));
  return { writes: run.machine.readUint32(at), pc: field("pc"), sp: field("sp") };
}

/** Where each CPU was when it took its NMI. */
function interruptedAt(run: StopRun, cpu: number): number {
  const taken = [...run.machine.trace].filter(
    (record) => record.cpu === cpu && record.kind === TraceKind.INTERRUPT_TAKEN,
  );
  return Number(taken.at(-1)?.value);
}

/** Lets CPU 2 take an NMI when some CPU passes the place, and then everything go on to its end. */
async function withNmiAt(
  place: string,
  name: string,
  parameters: Record<string, number>,
  before?: StopOptions["before"],
) {
  const policy = before === undefined ? {} : { delayUs: 5_000_000 };
  const options = { parameters: { unknownNmiPanic: 1, ...parameters }, until: place, exact: true };
  const load = { particular: [{ cpus: "2", kind: "busy" as const }] };
  const run = await crash(name, { policy, load }, { ...options, ...(before === undefined ? {} : { before }) });
  const { machine } = run;
  expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
  machine.sendInterrupt(2, { kind: "nmi" });
  // CPU 0 prints: CPU 2 gets as far as it can, whatever a few instructions take.
  if (before === undefined) machine.suspend(0, { durationCycles: cyclesOf(run.expanded.timing, 5_000) });
  machine.probe("panic_done:done", { break: true, join: true });
  const goal = machine.cycle + cyclesOf(run.expanded.timing, 1_100_000_000);
  const end = machine.run(goal);
  return { run, end };
}

describe.each(versions)("kdump_%s", (version) => {
  it("saves the registers of every CPU before it reports: where it was when the NMI came", async () => {
    const run = await crash(`kdump_${version}`, {
      machine: { cpus: 8 },
      load: {
        particular: [
          { cpus: "2-3", kind: "busy" },
          { cpus: "5", kind: "wedged" },
        ],
      },
    });
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    const others = [1, 2, 3, 4, 5, 6, 7];
    expect(cpusOf(run, "handle.crash")).toEqual(others);
    expect(cpusOf(run, "ack")).toEqual(others);
    for (const cpu of others) {
      expect(noteOf(run, cpu)).toMatchObject({ writes: 1, pc: interruptedAt(run, cpu) });
      expect(firstUs(run, "note", cpu)).toBeLessThan(firstUs(run, "ack", cpu));
      const { sp } = noteOf(run, cpu);
      expect(sp - run.block(cpu)).toBeGreaterThan(0x1000);
      expect(sp - run.block(cpu)).toBeLessThanOrEqual(0x3000);
    }
    expect(run.machine.describe(noteOf(run, 2).pc)).toMatch(/^busy_work/);
    expect(run.machine.describe(noteOf(run, 5).pc)).toMatch(/^wedged_work/);
    // Its own registers last.
    expect(noteOf(run, 0).writes).toBe(1);
    expect(cpusOf(run, "note.self")).toEqual([0]);
    expect(firstUs(run, "note.self")).toBeGreaterThan(firstUs(run, "waited.crash_nmi"));
    run.machine.run(run.machine.cycle + 10_000);
    for (const cpu of others) expect(run.machine.cpu(cpu)).toMatchObject({ state: "WAITING", waitsIn: "HLT" });
  });

  it("goes straight to the NMI, and tells CPUs that are in one only behind it", async () => {
    const run = await crash(
      `kdump_${version}`,
      {},
      { probes: { issued: { place: "nmi_shootdown_cpus:$broadcast.crash" } } },
    );
    expect(story(run, "phase.crash_shutdown", "phase.crash_nmi", "broadcast.crash", "wait.crash_nmi")).toEqual([
      "phase.crash_shutdown 0",
      "phase.crash_nmi 0",
      "broadcast.crash 0",
      "wait.crash_nmi 0",
    ]);
    expect(waitsOf(run)).toMatchObject([{ name: "crash_nmi", limit: 1000, iterations: 1, expired: false }]);
    expect(firstUs(run, "phase.crash_kernel")).toBeGreaterThan(firstUs(run, "note.self"));
    expect(story(run, "phase.stop_others")).toEqual([]);
  });
});

describe("nmi_shootdown_cpus()", () => {
  it("gives up after 1000 iterations of 1 ms on a CPU that no NMI reaches, and proceeds in silence", async () => {
    const run = await crash(
      "kdump_2025",
      {},
      {
        before: (machine, { timing }) =>
          machine.sendSmi(3, { cycle: cyclesOf(timing, 20_000), durationCycles: 2 ** 32 - 1 }),
      },
    );
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(waitsOf(run)).toMatchObject([{ name: "crash_nmi", iterations: 1000, limit: 1000, expired: true }]);
    const tookUs = firstUs(run, "waited.crash_nmi") - firstUs(run, "wait.crash_nmi");
    expect(tookUs).toBeGreaterThan(1_000_000);
    expect(tookUs).toBeLessThan(1_010_000);
    expect(cpusOf(run, "ack")).toEqual([1, 2]);
    expect(noteOf(run, 3).writes).toBe(0);
  });

  it("stops nobody, and says nothing, where its handler can't be registered; one store can't fail", async () => {
    const listed = (machine: Machine): void => machine.writeUint64("crash_nmi_action", 8n);
    const before = await crash("kdump_2024", {}, { before: listed });
    expect(before.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(story(before, "broadcast.crash", "ack", "wait.crash_nmi")).toEqual([]);
    expect(before.machine.readMask("__cpu_online_mask")).toEqual([0, 1, 2, 3]);
    expect(cpusOf(before, "phase.crash_kernel")).toEqual([0]);
  });

  it("works once per boot: the second call warns and returns", async () => {
    const callTwice = routine("test_shootdown_twice", { request: ptr(Request) }, i32, (k) => {
      k.call(nmiShootdownCpus, codeOf(kdumpNmiCallback));
      k.call(nmiShootdownCpus, codeOf(kdumpNmiCallback));
      k.call(panicDone);
    });
    const run = await crash("kdump_2025", {}, { call: callTwice });
    expect(cpusOf(run, "broadcast.crash")).toEqual([0]);
    const warnings = run.block(0) + counters.symbol.offset + offsetOf(Counters, "warnings");
    expect(run.machine.readUint32(warnings)).toBe(1);
  });

  it("does not count CPUs that are offline, which its NMI reaches by the shorthand and which drop it", async () => {
    const run = await crash("kdump_2025", {
      machine: { cpus: 6 },
      load: {
        particular: [
          { cpus: "4", kind: "offline-hlt" },
          { cpus: "5", kind: "offline-mwait" },
        ],
      },
    });
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(cpusOf(run, "ack")).toEqual([1, 2, 3]);
    expect(cpusOf(run, "drop")).toEqual([4, 5]);
    expect(waitsOf(run)).toMatchObject([{ expired: false }]);
  });

  it("leaves them alone where one CPU has never booted, so that the shorthand is not allowed", async () => {
    const run = await crash("kdump_2025", {
      machine: { cpus: 6 },
      load: {
        particular: [
          { cpus: "4", kind: "offline-hlt" },
          { cpus: "5", kind: "never-started" },
        ],
      },
    });
    expect(cpusOf(run, "ack")).toEqual([1, 2, 3]);
    expect(cpusOf(run, "nmi_enter")).toEqual([1, 2, 3]);
  });

  it("of 256 CPUs is over in one step of 1 ms", async () => {
    const topology = buildTopology({ packages: 2, coresPerLlc: 64, threadsPerCore: 2, architecture: "x86-64" });
    const run = await crash("kdump_2025", {}, { topology });
    expect(cpusOf(run, "ack")).toEqual(Array.from({ length: 255 }, (_, index) => index + 1));
    expect(cpusOf(run, "note")).toEqual(cpusOf(run, "ack"));
    expect(waitsOf(run)).toMatchObject([{ iterations: 1 }]);
  });

  it("is guarded against a second stop on the way, where notifiers come first", async () => {
    const run = await crash("kdump_2025", {}, { parameters: { crashKexecPostNotifiers: 1 } });
    expect(story(run, "phase.stop_others", "broadcast.crash", "phase.notifiers", "phase.crash_kernel")).toEqual([
      "phase.stop_others 0",
      "broadcast.crash 0",
      "phase.notifiers 0",
      "phase.crash_kernel 0",
    ]);
    expect(run.machine.readUint32(run.block(0) + counters.symbol.offset + offsetOf(Counters, "warnings"))).toBe(0);
  });
});

describe("a panic in an NMI that holds the lock of the handler list (S18)", () => {
  const held = { parameters: { panicInListLock: 1 } };

  it("deadlocks on itself where the shootdown registers on the list", async () => {
    const run = await crash("nmi_panic_2024", { limitUs: 5000 }, held);
    expect(run.end.kind).not.toBe("probe");
    expect(cpusOf(run, "handle.fatal")).toEqual([0]);
    expect(story(run, "broadcast.crash", "ack")).toEqual([]);
    expect(run.machine.cpu(0).at).toMatch(/^_raw_spin_lock/);
  });

  it("goes on where it takes one store", async () => {
    const run = await crash("nmi_panic_2025", {}, held);
    expect(run.end).toMatchObject({ kind: "probe", cpu: 0 });
    expect(cpusOf(run, "ack")).toEqual([1, 2, 3]);
  });

  it("still deadlocks without a crash kernel, when a CPU has to be stopped by NMI: reboots register on the list", async () => {
    const run = await crash(
      "nmi_panic_2025",
      { load: { particular: [{ cpus: "2", kind: "wedged" }] } },
      { ...held, bindings: [bind(kexecCrashImage, noCrashKernel)] },
    );
    expect(run.end.kind).not.toBe("probe");
    expect(story(run, "phase.reboot_nmi", "say.shutdown_nmi")).toEqual(["phase.reboot_nmi 0"]);
    expect(run.machine.cpu(0).at).toMatch(/^_raw_spin_lock/);
  });
});

describe("a CPU that is in an NMI already (S19)", () => {
  // Just behind CPU 0's claim.
  const losing = (name: string) => withNmiAt("panic:$say.panic", name, {});

  it("since it has lost the race for the panic: it reports where it looks for the shootdown, with what its own NMI interrupted", async () => {
    const { run, end } = await losing("kdump_2025");
    expect(end).toMatchObject({ kind: "probe", probe: "panic_done:done", cpu: 0 });
    expect(cpusOf(run, "park.spin")).toEqual([2]);
    expect(cpusOf(run, "ack")).toEqual([1, 2, 3]);
    expect(waitsOf(run)).toMatchObject([{ iterations: 1, expired: false }]);
    expect(cpusOf(run, "nmi_enter")).toEqual([1, 2, 3]);
    expect(noteOf(run, 2)).toMatchObject({ writes: 1, pc: interruptedAt(run, 2) });
  });

  it("is waited for in vain where it does not look: 1 s, and no registers", async () => {
    const { run, end } = await losing("kdump_2015");
    expect(end).toMatchObject({ kind: "probe", probe: "panic_done:done", cpu: 0 });
    expect(cpusOf(run, "ack")).toEqual([1, 3]);
    expect(waitsOf(run)).toMatchObject([{ iterations: 1000, expired: true }]);
    expect(noteOf(run, 2).writes).toBe(0);
    expect(run.machine.cpu(2).at).toMatch(/^panic_smp_self_stop_relax/);
  });

  it("since it waits for the lock of the reason port, which the CPU that panics holds: it reports from there", async () => {
    const reason: StopOptions["before"] = (machine, { timing }) =>
      machine.raiseSystemNmi("iochk", { cycle: cyclesOf(timing, 20_000) });
    const { run, end } = await withNmiAt("io_check_error:$handle.iochk", "kdump_2025", { panicOnIoNmi: 1 }, reason);
    expect(end).toMatchObject({ kind: "probe", probe: "panic_done:done", cpu: 0 });
    expect(cpusOf(run, "park.spin")).toEqual([]);
    expect(cpusOf(run, "ack")).toEqual([1, 2, 3]);
    expect(noteOf(run, 2)).toMatchObject({ writes: 1, pc: interruptedAt(run, 2) });
  });
});

describe("panic_force_cpu, and a panic in an NMI of another CPU (S20)", () => {
  const forced = { policy: { requester: 1 } };
  const parameters = { panicForceCpu: 2 };

  it("is passed over, since the NMI's CPU has claimed the panic before anybody looks", async () => {
    const run = await crash("nmi_panic_2025", forced, { parameters });
    expect(story(run, "say.redirecting", "say.panic", "phase.crash_kernel")).toEqual([
      "say.panic 1",
      "phase.crash_kernel 1",
    ]);
  });

  it("is followed as proposed: the crash kernel starts on that CPU, and the first one saves its registers, too", async () => {
    const run = await crash("nmi_panic_redirect", forced, { parameters });
    expect(story(run, "say.redirecting", "say.panic", "phase.crash_kernel")).toEqual([
      "say.redirecting 1",
      "say.panic 2",
      "phase.crash_kernel 2",
    ]);
    expect(cpusOf(run, "ack")).toEqual([0, 1, 3]);
    expect(noteOf(run, 1).writes).toBe(1);
  });

  it("is followed by a task that panics", async () => {
    const run = await crash("kdump_2025", forced, { parameters });
    expect(story(run, "say.redirecting", "say.panic", "phase.crash_kernel")).toEqual([
      "say.redirecting 1",
      "say.panic 2",
      "phase.crash_kernel 2",
    ]);
  });

  it("is lost on a second CPU that panics at the same time; as proposed, that one stops", async () => {
    const both = (name: string) => ({ policy: { requester: 1, also: [{ name, requester: 3 }] } });
    const mainline = await crash("kdump_2025", both("kdump_2025"), { parameters });
    const [first] = cpusOf(mainline, "say.redirecting");
    expect(cpusOf(mainline, "say.panic")).toEqual([first === 1 ? 3 : 1]);
    expect(cpusOf(mainline, "phase.crash_kernel")).toEqual([first === 1 ? 3 : 1]);
    const proposed = await crash("kdump_redirect", both("kdump_redirect"), { parameters });
    expect(cpusOf(proposed, "phase.crash_kernel")).toEqual([2]);
    expect(cpusOf(proposed, "park.spin")).toEqual([1, 3]);
  });

  // The CPU that hands its panic on leaves the online mask, as panic() does it, so that nobody waits for it; but where it stays in its NMI,
  // it reports all the same.
  it("in an NMI counts for another CPU that has not reported: the crash kernel starts while that one is not stopped", async () => {
    const late = (machine: Machine): void => machine.sendSmi(3, { cycle: 50_000, durationCycles: 100_000_000 });
    const nmi = await crash("nmi_panic_redirect", forced, { parameters, before: late });
    expect(waitsOf(nmi)).toMatchObject([{ iterations: 1, expired: false }]);
    expect(cpusOf(nmi, "ack")).toEqual([0, 1]);
    const task = await crash("kdump_redirect", forced, { parameters, before: late });
    expect(cpusOf(task, "ack")).toEqual([0, 3]);
  });
});
