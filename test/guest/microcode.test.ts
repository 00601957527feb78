// Late loading of microcode against the rules of reference section 5: entry and return, setup, the rendezvous, threads that are offline,
// results, and the hazards of section 5.8 with S8, S31, S32 and S33.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { bind, routine, u32 } from "../../src/asm/index.ts";
import { nmiToOfflineCpu } from "../../src/guest/irqchip/controller.ts";
import { FAILED, TIMEOUT, UPDATE_US, loadMicrocode } from "./microcode-run.ts";

const EIO = -5;
const EBUSY = -16;
const EINVAL = -22;

const OK = 0;
const UPDATED = 3;
const ERROR = 5;
const OFFLINE = 7;

/** Where a run ends that panics. */
const PANIC = "panic:call";

const everywhere = ["microcode_legacy", "microcode_legacy_irq", "microcode_v2", "microcode_v2_d"] as const;
/** Those of the kernel that have their rendezvous in NMI context, and ours. */
const kernels = ["microcode_legacy", "microcode_v2"] as const;
const ours = "microcode_v2_d";

/** On 1x4x2: CPUs 0 to 3 are their cores' first threads, 4 to 7 the second ones. */
const threadsUpdated = [UPDATED, UPDATED, UPDATED, UPDATED, OK, OK, OK, OK];

describe("entry and return", () => {
  it.each([
    ["current already", { microcodeFirmware: 0 }, 0],
    ["no image", { microcodeFirmware: 4 }, -2],
    ["an image that is no good", { microcodeFirmware: 5 }, -77],
    ["another number than 1", { microcodeReloadValue: 2 }, EINVAL],
    ["0", { microcodeReloadValue: 0 }, EINVAL],
  ])("%s: %o gives %i, and nobody is stopped", async (_, parameters, expected) => {
    const load = await loadMicrocode("microcode_legacy", { parameters });
    expect(load.returned).toBe(expected);
    expect(load.of("update_start")).toEqual([]);
    expect(load.run.passed("enter")).toEqual([]);
  });

  it.each([
    [1, ["no_minimal_revision", "updated 4"], 1],
    [2, ["updated 4"], 0],
  ])("firmware of kind %i says %o", async (microcodeFirmware, said, taint) => {
    const load = await loadMicrocode("microcode_legacy", { parameters: { microcodeFirmware } });
    expect(load.returned).toBe(0);
    expect(load.said).toEqual(said);
    expect(load.run.machine.readUint32("microcode_tainted")).toBe(taint);
  });
});

/** apic->nmi_to_offline_cpu is not there. */
const noNmiToOffline = routine("test_no_nmi_to_offline", [], u32, (k) => k.return(0));

describe("setup (S31)", () => {
  it.each([
    ["a thread is offline and the driver uses no NMI", "microcode_legacy_irq", "6", {}],
    [
      "a thread is offline and the APIC's driver can't reach it",
      "microcode_legacy",
      "6",
      { bindings: [bind(nmiToOfflineCpu, noNmiToOffline)] },
    ],
    ["a first thread is offline", "microcode_legacy", "2", {}],
    [
      "a first thread is offline, whatever stands NMIs",
      "microcode_legacy_irq",
      "2",
      { parameters: { microcodeNmiSafe: 1 } },
    ],
  ])("refuses with -EBUSY if %s: nobody is stopped, no NMI is sent", async (_, name, cpus, options) => {
    const load = await loadMicrocode(name, { ...options, offline: { cpus } });
    expect(load.returned).toBe(EBUSY);
    expect(load.said).toEqual([`not_online ${cpus}`]);
    expect(load.run.passed("enter")).toEqual([]);
    expect(load.run.events(TraceKind.INTERRUPT_TAKEN).filter(({ value }) => value === 2n)).toEqual([]);
    expect([...load.of("raise.kick"), ...load.of("raise.microcode")]).toEqual([]);
  });

  it("makes the lowest thread that is online the primary, and marks those that are offline", async () => {
    const load = await loadMicrocode("microcode_legacy", { offline: { cpus: "5,7" } });
    const { machine, online } = load.run;
    const primaries = online.map((cpu) => machine.readUint32(load.run.block(cpu) + 0x908));
    expect(online).toEqual([0, 1, 2, 3, 4, 6]);
    expect(primaries).toEqual([0, 1, 2, 3, 0, 2]);
    expect(machine.readUint64("cpu_offline_mask")).toBe(0b1010_0000n);
  });

  it("keeps the control block in 16 bytes, the counters and the step on one line", async () => {
    const { run } = await loadMicrocode("microcode_legacy");
    const at = ["late_cpus_in", "offline_in_nmi", "loops_per_usec"].map((name) => run.machine.address(name));
    expect(at.map((address) => address - at[0]!)).toEqual([0, 4, 8]);
    expect(at[0]! % 64).toBeLessThanOrEqual(52);
  });
});

describe.each(everywhere)("a load by %s", (name) => {
  it.each(["1x4x2", "2x16x2"])("updates every core of %s, and no thread is outside meanwhile", async (topology) => {
    const load = await loadMicrocode(name, { topology });
    const { cpus } = load.run.expanded.topology;
    expect(load.returned).toBe(0);
    expect(load.results()).toEqual(cpus.map(({ thread }) => (thread === 0 ? UPDATED : OK)));
    expect(
      load
        .of("update_start")
        .map(({ cpu }) => cpu)
        .sort((a, b) => a - b),
    ).toEqual(cpus.filter(({ thread }) => thread === 0).map(({ number }) => number));
    for (const { cpu, cycle } of load.of("update_start")) {
      expect(load.us(cycle, load.of("update_end", cpu)[0]!.cycle)).toBeGreaterThanOrEqual(UPDATE_US);
    }
    expect(load.outside()).toEqual([]);
    expect(load.of("unknown")).toEqual([]);
    // All update at the same time.
    const lastStart = Math.max(...load.of("update_start").map(({ cycle }) => cycle));
    expect(lastStart).toBeLessThan(Math.min(...load.of("update_end").map(({ cycle }) => cycle)));
  });

  it("finds nothing to do the second time", async () => {
    const load = await loadMicrocode(name, { rounds: 2 });
    expect(load.returned).toBe(0);
    expect(load.results()).toEqual(threadsUpdated.map(() => OK));
    expect(load.of("update_start")).toHaveLength(4);
  });

  it("gives a million steps of a microsecond to the wait for all", async () => {
    const load = await loadMicrocode(name);
    expect(load.of("wait.microcode_cpus").map(({ value }) => value)).toEqual(Array(8).fill(1_000_000n));
  });

  it("tells siblings of a refused update, and counts them as failed", async () => {
    const load = await loadMicrocode(name, { refused: [2] });
    expect(load.returned).toBe(EIO);
    expect(load.results()).toEqual([UPDATED, UPDATED, ERROR, UPDATED, OK, OK, ERROR, OK]);
    expect(load.said).toEqual(["no_minimal_revision", "updated 3", "incomplete 2"]);
    expect(load.outside()).toEqual([]);
  });

  it("is -EIO when all are refused", async () => {
    const load = await loadMicrocode(name, { refused: [0, 1, 2, 3] });
    expect(load.returned).toBe(EIO);
    expect(load.said).toEqual(["no_minimal_revision", "update_failed 8"]);
  });
});

describe.each([...kernels, ours])("threads that are offline, by %s,", (name) => {
  it.each(["offline-mwait", "offline-hlt"] as const)("in %s are held, and go back to it", async (kind) => {
    const load = await loadMicrocode(name, { offline: { cpus: "4,5", kind } });
    expect(load.returned).toBe(0);
    expect(load.results()).toEqual([UPDATED, UPDATED, UPDATED, UPDATED, OFFLINE, OFFLINE, OK, OK]);
    expect(load.of("wait.microcode_offline").map(({ value }) => value)).toEqual([500_000n]);
    for (const cpu of [4, 5]) {
      expect(load.of("raise.kick").filter(({ value }) => value === BigInt(cpu))).toHaveLength(1);
      expect(load.of("handle.kick", cpu)).toHaveLength(1);
      const [held] = load.of("hold_start", cpu);
      const [released] = load.of("hold_end", cpu);
      expect(held!.cycle).toBeLessThan(load.of("update_start")[0]!.cycle);
      expect(released!.cycle).toBeGreaterThan(load.of("update_end", cpu - 4)[0]!.cycle);
      load.run.machine.run(load.run.machine.cycle + 1_000_000);
      expect(load.run.machine.cpu(cpu).state).toBe("WAITING");
    }
  });

  it("aren't counted, nor stopped (S8): they are outside stop_machine()", async () => {
    const load = await loadMicrocode(name, { offline: { cpus: "4" } });
    expect(load.run.passed("enter").map(({ cpu }) => cpu)).not.toContain(4);
    expect(load.of("function_start").map(({ cpu }) => cpu)).not.toContain(4);
  });

  it("take no NMI of a storm before they are released (S8)", async () => {
    const plain = await loadMicrocode(name, { offline: { cpus: "4" } });
    const [start] = plain.of("update_start", 0);
    const storm = Array.from({ length: 20 }, (_, index) => start!.cycle + 500 * index);
    const load = await loadMicrocode(name, {
      offline: { cpus: "4" },
      before: (machine) => storm.forEach((cycle) => machine.sendInterrupt(4, { kind: "nmi" }, { cycle })),
    });
    expect(load.returned).toBe(0);
    expect(load.outside()).toEqual([]);
    // One of them was latched: it is taken, and dropped, when the handler has returned.
    const dropped = load.of("drop", 4);
    expect(dropped).toHaveLength(1);
    expect(dropped[0]!.cycle).toBeGreaterThan(load.of("hold_end", 4)[0]!.cycle);
  });
});

/** A thousandth of the kernel's waits: milliseconds instead of seconds. */
const STEPS = 1000;
const parameters = { microcodeRendezvousSteps: STEPS, microcodeKickSteps: STEPS / 2 };
const all = (result: number): number[] => Array<number>(8).fill(result);

describe("limits of time are counted in steps", () => {
  async function givenUpAfterUs(
    name: string,
    steps: number,
    which: string,
    cpu: number,
    more: object,
  ): Promise<number> {
    const load = await loadMicrocode(name, {
      parameters: { microcodeRendezvousSteps: steps, microcodeKickSteps: steps },
      ...more,
    });
    const from = load.of(`wait.microcode_${which}`, cpu)[0]!;
    const to = load.of(`waited.microcode_${which}`, cpu)[0]!;
    expect([from.value, to.value]).toEqual([BigInt(steps), 0n]);
    return load.us(from.cycle, to.cycle);
  }

  it.each([
    ["the wait for all CPUs", "cpus", 1, { nmiDelayUs: { 3: Infinity } }],
    ["a thread's wait for its primary", "ctrl", 6, { updateUs: { 2: Infinity }, limitUs: 3000, until: PANIC }],
    ["the wait of a thread that is offline", "ctrl", 4, { offline: { cpus: "4" }, updateUs: { 0: 1500 } }],
    [
      "CPU 0's wait for threads that are offline",
      "offline",
      0,
      { offline: { cpus: "4" }, nmiDelayUs: { 4: Infinity } },
    ],
  ])("%s", async (_, which, cpu, more) => {
    const [shorter, longer] = [
      await givenUpAfterUs("microcode_legacy", 200, which, cpu, more),
      await givenUpAfterUs("microcode_legacy", 700, which, cpu, more),
    ];
    // A step takes about a microsecond, and a little more for the loop.
    expect((longer - shorter) / 500).toBeGreaterThan(0.99);
    expect((longer - shorter) / 500).toBeLessThan(1.2);
  });

  it("with the kernel's own calibration by the TSC, a step lasts as many microseconds as PAUSE takes cycles", async () => {
    const megahertz = 2500;
    const options = { parameters: { microcodeRendezvousSteps: 10 }, nmiDelayUs: { 3: Infinity } };
    const took = async (microcodeLoopsPerUsec: number): Promise<number> => {
      const load = await loadMicrocode("microcode_legacy", {
        ...options,
        parameters: { ...options.parameters, microcodeLoopsPerUsec },
      });
      return load.us(load.of("wait.microcode_cpus", 1)[0]!.cycle, load.of("waited.microcode_cpus", 1)[0]!.cycle);
    };
    const { timing } = (await loadMicrocode("microcode_legacy")).run.expanded;
    expect(timing.clockMhz.value).toBe(megahertz);
    expect((await took(megahertz)) / 10).toBeGreaterThan(timing.parameters.relax.value);
    expect((await took(0)) / 10).toBeLessThan(1.1);
  });
});

describe("H1: one CPU gives up while the last one arrives", () => {
  /** Runs with CPU 1 arriving at several points of the last step of CPU 3, a thread of its core. */
  async function lateArrivals(name: string, edge: number) {
    const options = { topology: "1x2x2", parameters: { microcodeRendezvousSteps: 100 }, limitUs: 2000 };
    const plain = await loadMicrocode(name, options);
    const arrives = plain.of("wait.microcode_cpus", 1)[0]!.cycle;
    // Later than everybody waits: then nobody comes to save CPU 3.
    const lost = await loadMicrocode(name, { ...options, nmiDelayUs: { 1: 300 } });
    const givesUp = lost.of("waited.microcode_cpus", edge)[0]!.cycle;
    const loads = [];
    for (const before of [2600, 2200, 1900, 1200, 600, 200, -60, -3000]) {
      const nmiDelayUs = { 1: lost.us(0, givesUp - before - arrives) };
      loads.push(await loadMicrocode(name, { ...options, nmiDelayUs }));
    }
    return loads;
  }

  it.each(kernels)("%s: a core updates whose other thread has gone back to work", async (name) => {
    const violated = (await lateArrivals(name, 3)).filter((load) => load.outside().length > 0);
    expect(violated.length).toBeGreaterThan(0);
    for (const load of violated) {
      expect(load.result(3)).toBe(TIMEOUT);
      expect(load.of("update_start", 1)).toHaveLength(1);
      expect(load.returned).toBe(EIO);
    }
  });

  it(`${ours}: either all update, or none`, async () => {
    const loads = await lateArrivals(ours, 3);
    for (const load of loads) {
      expect(load.outside()).toEqual([]);
      expect([[UPDATED, UPDATED, OK, OK].join(), Array(4).fill(TIMEOUT).join()]).toContain(load.results().join());
    }
    // Both come about.
    expect(new Set(loads.map(({ returned }) => returned))).toEqual(new Set([0, EIO]));
  });
});

/** CPU 0 comes 0.6 of the limit late, and its sibling that is offline answers after 0.9 of the other limit. */
const lateAndSlow = { parameters, offline: { cpus: "4" }, nmiDelayUs: { 0: 600, 4: 450 } };

describe("H2: the kick takes its time out of everybody's second", () => {
  it.each(kernels)("%s: all time out, though nobody was a second late", async (name) => {
    const load = await loadMicrocode(name, lateAndSlow);
    expect(load.returned).toBe(EIO);
    expect(load.of("update_start")).toEqual([]);
    // Without the thread that is offline, the same delay of CPU 0 does no harm.
    const without = await loadMicrocode(name, { parameters, nmiDelayUs: { 0: 600 } });
    expect(without.returned).toBe(0);
  });

  it(`${ours}: the load succeeds`, async () => {
    const load = await loadMicrocode(ours, lateAndSlow);
    expect(load.returned).toBe(0);
    expect(load.results()).toEqual([UPDATED, UPDATED, UPDATED, UPDATED, OFFLINE, OK, OK, OK]);
    expect(load.outside()).toEqual([]);
  });
});

describe("H3: threads that are offline are released by CPU 0", () => {
  const slowCore = { parameters, offline: { cpus: "5" }, updateUs: { 1: 200 } };

  it.each(kernels)("%s: while their own core still updates", async (name) => {
    const load = await loadMicrocode(name, slowCore);
    expect(load.returned).toBe(0);
    expect(load.outside()).toEqual([`CPU 5 outside at ${load.of("hold_end", 5)[0]!.cycle}`]);
    expect(load.of("hold_end", 5)[0]!.cycle).toBeGreaterThan(load.of("update_end", 0)[0]!.cycle);
  });

  it(`${ours}: by their own core's end`, async () => {
    const load = await loadMicrocode(ours, slowCore);
    expect(load.returned).toBe(0);
    expect(load.outside()).toEqual([]);
    expect(load.of("hold_end", 5)[0]!.cycle).toBeGreaterThan(load.of("update_end", 1)[0]!.cycle);
  });
});

describe("H4: a thread that is offline waits no longer than a second", () => {
  const longUpdate = { parameters, offline: { cpus: "4" }, updateUs: { 0: 2000 } };

  it.each(kernels)("%s: it leaves in the middle of its core's update", async (name) => {
    const load = await loadMicrocode(name, longUpdate);
    expect(load.outside()).toEqual([`CPU 4 outside at ${load.of("hold_end", 4)[0]!.cycle}`]);
    expect(load.of("waited.microcode_ctrl", 4).map(({ value }) => value)).toEqual([0n]);
    // Nobody learns of it.
    expect(load.returned).toBe(0);
    expect(load.result(4)).toBe(OFFLINE);
  });

  it(`${ours}: it stays`, async () => {
    const load = await loadMicrocode(ours, longUpdate);
    expect(load.returned).toBe(0);
    expect(load.outside()).toEqual([]);
  });
});

describe("H5: the kick fails", () => {
  const unreachable = { parameters, offline: { cpus: "4" }, nmiDelayUs: { 4: Infinity } };

  it.each(kernels)("%s: everybody else burns the second, CPU 0 counts as failed", async (name) => {
    const load = await loadMicrocode(name, unreachable);
    expect(load.returned).toBe(EIO);
    expect(load.results()).toEqual([FAILED, TIMEOUT, TIMEOUT, TIMEOUT, FAILED, TIMEOUT, TIMEOUT, TIMEOUT]);
    expect(load.said.at(-1)).toBe("offline_did_not_respond 1");
    const [held] = load.of("hold_start", 1);
    expect(load.us(held!.cycle, load.of("hold_end", 1)[0]!.cycle)).toBeGreaterThan(STEPS);
  });

  it(`${ours}: nobody is stopped`, async () => {
    const load = await loadMicrocode(ours, unreachable);
    expect(load.returned).toBe(EIO);
    expect(load.results()).toEqual(all(FAILED));
    expect(load.said.at(-1)).toBe("offline_did_not_respond 1");
    expect(load.of("function_start")).toEqual([]);
  });

  it(`${ours}: an NMI that comes after the kick was given up holds nobody`, async () => {
    const load = await loadMicrocode(ours, { ...unreachable, nmiDelayUs: { 4: 700 }, until: "exc_nmi:$drop-1" });
    expect(load.run.end).toMatchObject({ kind: "probe", cpu: 4 });
    expect(load.returned).toBe(EIO);
    expect(load.of("hold_start")).toEqual([]);
  });
});

describe("H6: a primary gives up, its thread does not", () => {
  async function edges(name: string) {
    const options = { topology: "1x2x2", parameters: { microcodeRendezvousSteps: 100 }, limitUs: 1000 };
    const plain = await loadMicrocode(name, options);
    const arrives = plain.of("wait.microcode_cpus", 1)[0]!.cycle;
    const lost = await loadMicrocode(name, { ...options, nmiDelayUs: { 1: 300, 2: 20 } });
    // The first to give up.
    const givesUp = lost.of("waited.microcode_cpus").find(({ value }) => value === 0n)!.cycle;
    const loads = [];
    // CPU 2 looks once in a step: at several moments before and while the counter is zero.
    for (const before of [2300, 1500, 900]) {
      for (const behindUs of [20, 20.4, 20.8]) {
        const nmiDelayUs = { 1: lost.us(0, givesUp - before - arrives), 2: behindUs };
        loads.push(await loadMicrocode(name, { ...options, nmiDelayUs, until: PANIC }));
      }
    }
    return loads;
  }

  it.each(kernels)("%s: which panics a second later", async (name) => {
    const panics = (await edges(name)).filter((load) => load.said.some((line) => line.startsWith("primary_timed_out")));
    expect(panics.length).toBeGreaterThan(0);
    for (const load of panics) {
      expect(load.result(0)).toBe(TIMEOUT);
      const [named] = load.of("say.primary_timed_out");
      expect(named).toMatchObject({ cpu: 2, value: 0n });
      expect(load.of("waited.microcode_ctrl", 2).map(({ value }) => value)).toEqual([0n]);
    }
  });

  it(`${ours}: nobody panics`, async () => {
    for (const load of await edges(ours))
      expect(load.said.filter((line) => line.startsWith("primary_timed_out"))).toEqual([]);
  });
});

describe("S32: a primary hangs in its update", () => {
  const hanging = {
    parameters,
    offline: { cpus: "5" },
    updateUs: { 1: Infinity, 2: Infinity },
    limitUs: 15_000,
    until: PANIC,
  };

  it.each(kernels)(
    "%s: its thread panics a second later, beside the update; one that is offline is free before",
    async (name) => {
      const load = await loadMicrocode(name, hanging);
      const [named] = load.of("say.primary_timed_out");
      expect(named).toMatchObject({ cpu: 6, value: 2n });
      expect(load.us(load.of("wait.microcode_ctrl", 6)[0]!.cycle, named!.cycle)).toBeGreaterThan(STEPS);
      expect(load.outside()).toContain(`CPU 6 outside at ${load.of("hold_end", 6)[0]!.cycle}`);
      expect(load.outside()).toContain(`CPU 5 outside at ${load.of("hold_end", 5)[0]!.cycle}`);
      // The other cores have finished.
      expect([0, 3, 4, 7].map((cpu) => load.result(cpu))).toEqual([UPDATED, UPDATED, OK, OK]);
    },
  );

  it(`${ours}: a CPU of another core panics and names it; the core's threads stay where they are`, async () => {
    const load = await loadMicrocode(ours, hanging);
    const [named] = load.of("say.primary_timed_out");
    expect(named!.value).toBe(1n);
    expect([0, 3, 4, 7]).toContain(named!.cpu);
    expect(load.outside()).toEqual([]);
  });
});

describe("S33: a self-NMI that comes after the rendezvous has been given up", () => {
  const late = { parameters, nmiDelayUs: { 3: 1500 }, limitUs: 10_000 };

  it("microcode_legacy: RUN is acknowledged without it, the load fails, and then nobody knows it", async () => {
    const load = await loadMicrocode("microcode_legacy", { ...late, until: "unknown_nmi_error:$unknown" });
    expect(load.run.end).toMatchObject({ kind: "probe", cpu: 3 });
    expect(load.results()).toEqual([TIMEOUT, TIMEOUT, TIMEOUT, FAILED, TIMEOUT, TIMEOUT, TIMEOUT, TIMEOUT]);
    expect(load.returned).toBe(EIO);
    expect(load.of("function_start", 3)).toEqual([]);
    const [asked] = load.of("call");
    const [answered] = load.of("return");
    expect(load.us(asked!.cycle, answered!.cycle)).toBeGreaterThan(STEPS);
    expect(load.us(asked!.cycle, answered!.cycle)).toBeLessThan(1.1 * STEPS);
    const ran = load.run.passedBy("ack", 3).filter(({ value }) => (value & 0xffff_ffffn) === 3n);
    expect(ran[0]!.cycle).toBeLessThan(load.of("hold_end", 0)[0]!.cycle);
    expect(load.of("nmi_enter", 3)[0]!.cycle).toBeGreaterThan(answered!.cycle);
  });

  it("microcode_v2: the CPU comes into the rendezvous, and waits a second of its own", async () => {
    const load = await loadMicrocode("microcode_v2", late);
    expect(load.results()).toEqual(all(TIMEOUT));
    const [asked] = load.of("call");
    const [answered] = load.of("return");
    expect(load.us(asked!.cycle, answered!.cycle)).toBeGreaterThan(1500 + STEPS);
    expect(load.of("unknown")).toEqual([]);
  });

  it(`${ours}: the CPU finds the load called off`, async () => {
    const load = await loadMicrocode(ours, late);
    expect(load.results()).toEqual(all(TIMEOUT));
    const [asked] = load.of("call");
    const [answered] = load.of("return");
    expect(load.us(asked!.cycle, answered!.cycle)).toBeLessThan(1.1 * 1500);
    expect(load.of("unknown")).toEqual([]);
  });
});

describe("drivers that update each thread", () => {
  const eachThread = { parameters: { ...parameters, microcodeEachThread: 1 } };

  it.each(kernels)("%s: a primary goes back to work beside its sibling's update", async (name) => {
    const load = await loadMicrocode(name, eachThread);
    expect(load.results()).toEqual(all(UPDATED));
    expect(load.outside().map((line) => line.slice(0, 5))).toEqual(["CPU 0", "CPU 1", "CPU 2", "CPU 3"]);
  });

  it(`${ours}: all stay until their core has finished`, async () => {
    const load = await loadMicrocode(ours, eachThread);
    expect(load.results()).toEqual(all(UPDATED));
    expect(load.outside()).toEqual([]);
  });

  it("without NMIs for the rendezvous, and safe in NMIs, allow threads to be offline: which none of the switched handlers serves", async () => {
    const load = await loadMicrocode("microcode_legacy_irq", {
      parameters: { ...parameters, microcodeNmiSafe: 1 },
      offline: { cpus: "4" },
    });
    expect(load.returned).toBe(EIO);
    expect(load.of("drop", 4)).toHaveLength(1);
    expect(load.results()).toEqual([FAILED, TIMEOUT, TIMEOUT, TIMEOUT, FAILED, TIMEOUT, TIMEOUT, TIMEOUT]);
    expect(load.said.at(-1)).toBe("offline_did_not_respond 1");
  });
});
