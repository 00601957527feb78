// What stop_machine() returns, and what it does in the corners: errors of the function, disabled stoppers, early boot, two
// callers, interrupts that arrive meanwhile (reference/linux-stop-paths.md, sections 3.1 to 3.4).

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import {
  array,
  asInteger,
  bind,
  codeOf,
  cpuCount,
  global,
  i32,
  nothing,
  ptr,
  routine,
  u64,
} from "../../src/asm/index.ts";
import { relaxTurns } from "../../src/faults/load.ts";
import { sendReschedule } from "../../src/guest/irqchip/controller.ts";
import { requestsDone } from "../../src/guest/load/requester.ts";
import { relaxFor } from "../../src/guest/load/work.ts";
import { perCpuOffsets } from "../../src/guest/kernel.ts";
import { local, stopper } from "../../src/guest/percpu.ts";
import { MultiStopData } from "../../src/guest/stop/data.ts";
import { stopMachineInitialized } from "../../src/guest/stop/globals.ts";
import { CpuStopFunction, runDirectly, runFunction } from "../../src/guest/stop/multi-stop.ts";
import { stopMachine } from "../../src/guest/stop/stop-machine.ts";
import { forEachCpu, onlineMaskPointer } from "../../src/guest/lib/cpumask.ts";
import { architectures, argument, runStop, violations } from "./stop-run.ts";

/** What the function returns on each CPU, and how many turns it takes there: written by the host. */
const errors = global("test_errors", array(i32, 64), { align: 64 });
const turns = global("test_turns", array(u64, 64), { align: 64 });

const runWithErrors = routine("test_run_with_errors", { msdata: ptr(MultiStopData) }, i32, (k, { msdata }) => {
  const cpu = k.let("cpu", local.here.cpu);
  relaxFor(k, turns.at(cpu));
  k.call(runDirectly, msdata);
  k.return(errors.at(cpu));
});

/** Ten CPUs' stores to a line have become visible by then, one behind the other. */
const STORES_VISIBLE_CYCLES = 5000;

const EINVAL = -22;
const EBUSY = -16;
const ENOENT = -2;

describe.each(architectures)("errors of the function on %s", (architecture) => {
  const [first] = argument[architecture];

  async function returnedWith(byCpu: readonly number[], delays: readonly number[] = [], active = "all") {
    const run = await runStop(
      { machine: { architecture, cpus: byCpu.length }, policy: { active } },
      {
        bindings: [bind(runFunction, runWithErrors)],
        probes: { done: { place: "cpu_stop_signal_done", values: [first] } },
        before: (machine) => {
          byCpu.forEach((error, cpu) => machine.writeUint32(machine.address("test_errors") + 4 * cpu, error >>> 0));
          delays.forEach((delay, cpu) => machine.writeUint64(machine.address("test_turns") + 8 * cpu, BigInt(delay)));
        },
      },
    );
    expect(violations(run)).toEqual([]);
    const done = run.passed("done");
    expect(done.map(({ cpu }) => cpu).sort((a, b) => a - b)).toEqual(byCpu.map((_, cpu) => cpu));
    return { returned: run.returned, done };
  }

  it("is 0 when all return 0", async () => {
    expect((await returnedWith([0, 0, 0, 0])).returned).toBe(0);
  });

  it("is the only error there is, wherever it comes from", async () => {
    for (const cpu of [0, 2, 3]) {
      const byCpu = [0, 0, 0, 0].map((_, index) => (index === cpu ? EINVAL : 0));
      expect((await returnedWith(byCpu)).returned).toBe(EINVAL);
    }
  });

  it("ignores what CPUs outside the mask would return", async () => {
    expect((await returnedWith([EINVAL, 0, EBUSY, 0], [], "1,3")).returned).toBe(0);
    expect((await returnedWith([EINVAL, 0, EBUSY, -5], [], "1,3")).returned).toBe(-5);
  });

  it("is one of the errors when several fail (S6): the last to finish wins, none is made up", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(0, EINVAL, EBUSY, -110, -5, -1), fc.integer({ min: 0, max: 40 })), {
          minLength: 2,
          maxLength: 10,
        }),
        async (cpus) => {
          const byCpu = cpus.map(([error]) => error);
          const { returned, done } = await returnedWith(
            byCpu,
            cpus.map(([, delay]) => delay * 200),
          );
          // Stores of CPUs that finish together become visible in any order.
          const failed = done.filter(({ cpu }) => byCpu[cpu] !== 0);
          const last = failed.filter(({ cycle }) => cycle > (failed.at(-1)?.cycle ?? 0) - STORES_VISIBLE_CYCLES);
          expect(last.length === 0 ? [0] : last.map(({ cpu }) => byCpu[cpu])).toContain(returned);
        },
      ),
      { numRuns: 15 },
    );
  });
});

/** Results of what a test calls after the requester's rounds. */
const results = global("test_results", array(i32, 4), { align: 64 });
const once = global("test_once", u64, { align: 64 });

/** Notes how it was called: how often, and whether interrupts were on. */
const noteCall = routine("test_note_call", { data: u64 }, i32, (k, { data }) => {
  k.set(once, once.add(1));
  k.set(results.at(3), data.to(i32));
  k.return(-7);
});

const callEarly = routine("test_call_early", [], nothing, (k) => {
  k.writeOnce(stopMachineInitialized, 0);
  k.set(results.at(0), k.call(stopMachine, codeOf(noteCall), 99, null));
  k.mark("end");
});

const callWithDisabledStoppers = routine("test_call_disabled", [], nothing, (k) => {
  forEachCpu(k, onlineMaskPointer, (cpu) => k.set(stopper.of(cpu).enabled, 0));
  k.set(results.at(0), k.call(stopMachine, codeOf(noteCall), 99, null));
  k.mark("end");
});

describe.each(architectures)("corners on %s", (architecture) => {
  const machine = { architecture, cpus: 4 };

  it("before the stoppers exist the function is called here, and nobody is stopped", async () => {
    const run = await runStop(
      { machine, policy: { active: "0" } },
      { bindings: [bind(requestsDone, callEarly)], until: "test_call_early:end" },
    );
    expect(run.end).toMatchObject({ kind: "probe", probe: "test_call_early:end" });
    expect(run.machine.readUint64("test_once")).toBe(1n);
    expect(run.machine.readUint32("test_results") | 0).toBe(-7);
    expect(run.machine.readUint32(run.machine.address("test_results") + 12)).toBe(99);
    expect(run.passed("enter")).toHaveLength(4); // those of the requester's own round
  });

  it("is -ENOENT when no work could be queued, and nothing runs", async () => {
    const run = await runStop(
      { machine },
      { bindings: [bind(requestsDone, callWithDisabledStoppers)], until: "test_call_disabled:end" },
    );
    expect(run.end).toMatchObject({ kind: "probe", probe: "test_call_disabled:end" });
    expect(run.machine.readUint32("test_results") | 0).toBe(ENOENT);
    expect(run.machine.readUint64("test_once")).toBe(0n);
    expect(run.passed("enter")).toHaveLength(4);
    expect(run.machine.readUint32("stop_cpus_mutex")).toBe(0);
  });

  it("two callers take turns: stops never overlap, every call is complete", async () => {
    const rounds = 3;
    const callers = [0, 3];
    const run = await runStop(
      { machine: { architecture, cpus: 6 }, policy: { active: "all", rounds } },
      {
        before: (built) => {
          const { perCpuStart, perCpuStride } = built.image;
          const work = perCpuStart + 3 * perCpuStride + perCpuOffsets.work;
          built.writeUint64(work, BigInt(built.address("requester")));
        },
        until: "requester:done",
      },
    );
    // The first of the two is through; let the other finish.
    run.machine.run(run.machine.cycle + 2_000_000);
    expect(run.machine.readUint64("request_calls")).toBe(BigInt(callers.length * rounds * 6));
    for (const cpu of run.online) {
      const acks = [...run.machine.trace]
        .filter(({ kind, value2, cpu: at }) => kind === TraceKind.PROBE && at === cpu && value2 > 0x1_0000n)
        .map(({ value }) => Number(value & 0xffff_ffffn));
      expect(acks).toEqual(
        Array(callers.length * rounds)
          .fill([1, 2, 3, 4])
          .flat(),
      );
    }
  });
});

/** The first active CPU disturbs all: each gets an interrupt while everybody has interrupts off. */
const disturbAll = routine("test_disturb_all", { msdata: ptr(MultiStopData) }, i32, (k, { msdata }) => {
  k.for("cpu", 0, cpuCount, (cpu) => k.if(cpu.ne(local.here.cpu), () => k.call(sendReschedule, cpu)));
  relaxFor(k, 2000);
  k.return(k.callPointer(msdata.fn, CpuStopFunction, msdata.data));
});

/** Work with interrupts off for long; then, before it lets its stopper in, it interrupts all the others. */
const lateDisturber = routine(
  "test_late_disturber",
  [],
  nothing,
  (k) => {
    k.loop(() => {
      k.irqDisable();
      relaxFor(k, turns.at(local.here.cpu));
      k.for("cpu", 0, cpuCount, (cpu) => k.if(cpu.ne(local.here.cpu), () => k.call(sendReschedule, cpu)));
      relaxFor(k, 2000);
      k.irqEnable();
      relaxFor(k, 100);
    });
  },
  { noReturn: true },
);

const kept = global("test_kept", u64, {});
/** What is only named is in the image, too. */
const keepLate = routine("test_keep_late", [], nothing, (k) => k.set(kept, asInteger(codeOf(lateDisturber))));

describe.each(architectures)("interrupts during a stop on %s", (architecture) => {
  it("that arrive during the function are taken after EXIT, and by everybody", async () => {
    const run = await runStop(
      { machine: { architecture, cpus: 6 }, load: { common: "poll" } },
      { bindings: [bind(runFunction, disturbAll)] },
    );
    expect(violations(run)).toEqual([]);
    const [function_] = run.passed("function");
    for (const cpu of run.online.slice(1)) {
      const [leave] = run.passedBy("leave", cpu);
      const arrived = run.events(TraceKind.INTERRUPT_ARRIVED, cpu).filter(({ cycle }) => cycle < function_!.cycle);
      expect(arrived.length).toBeGreaterThan(0);
      const inRun = Math.max(...arrived.map(({ cycle }) => cycle));
      const taken = run.events(TraceKind.INTERRUPT_TAKEN, cpu).filter(({ cycle }) => cycle >= inRun);
      expect(taken).toHaveLength(1);
      const exit = run.passedBy("ack", cpu).find(({ value }) => (value & 0xffffffffn) === 4n);
      expect(taken[0]!.cycle).toBeGreaterThan(exit!.cycle);
      // At once: irq_restore() lets it in, behind one more instruction where that is an STI (SDM 2B, STI).
      expect(taken[0]!.cycle).toBeLessThanOrEqual(leave!.cycle + 1);
    }
  });

  it("are on in PREPARE: CPUs that wait for a late one still serve their own", async () => {
    const late = 5;
    const run = await runStop(
      { machine: { architecture, cpus: 6 } },
      {
        bindings: [bind(requestsDone, keepLate)],
        before: (built, { timing }) => {
          // Longer than it takes the requester to call and the others to arrive.
          built.writeUint64(built.address("test_turns") + 8 * late, BigInt(relaxTurns(timing, 150_000)));
          const { perCpuStart, perCpuStride } = built.image;
          const work = perCpuStart + late * perCpuStride + perCpuOffsets.work;
          built.writeUint64(work, BigInt(built.address("test_late_disturber")));
        },
      },
    );
    expect(violations(run)).toEqual([]);
    for (const cpu of run.online.filter((one) => one !== late)) {
      const [prepare, disableIrq] = run.passedBy("ack", cpu).map(({ cycle }) => cycle);
      const within = ({ cycle }: { cycle: number }): boolean => cycle > (prepare ?? NaN) && cycle < (disableIrq ?? NaN);
      expect(run.events(TraceKind.INTERRUPT_ARRIVED, cpu).filter(within).length).toBeGreaterThan(0);
      expect(run.events(TraceKind.INTERRUPT_TAKEN, cpu).filter(within).length).toBeGreaterThan(0);
    }
  });
});
