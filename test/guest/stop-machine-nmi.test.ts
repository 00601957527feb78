// The designs of stop_machine() in NMI context against reference/linux-stop-paths.md, sections 4 and 15: each defect on the designs that
// have it, and its absence on those that don't.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { accelerationNames } from "../../src/machine/accelerations.ts";
import type { TraceRecord } from "../../src/machine/trace-log.ts";
import type { ScenarioInput } from "../../src/scenario/document.ts";
import type { NmiRun } from "./nmi-run.ts";
import { forked, prepareNmi, runNmi, type NmiOptions } from "./nmi-run.ts";

type Document = Omit<ScenarioInput, "format">;
type Letter = "a" | "b" | "c" | "d";

const machine = { architecture: "x86-64", cpus: 4 } as const;
const TARGET = 2;
const US = 1000;
const letters: readonly Letter[] = ["a", "b", "c", "d"];
const nameOf = (letter: Letter): string => `stop_machine_nmi_${letter}`;

/** A call of all CPUs. */
function documentOf(
  letter: Letter,
  policy: Partial<NonNullable<Document["policy"]>> = {},
  rest: Document = {},
): Document {
  return { machine, policy: { name: nameOf(letter), active: "all", ...policy }, ...rest };
}

const lateNmi = (delayNs: number, cpus = String(TARGET)): Document => ({
  faults: { delivery: [{ cpus, kind: "nmi", delayNs }] },
});

/** Overflows of the target's performance counter at cycles. */
function overflows(at: readonly number[]): Pick<NmiOptions, "drive"> {
  return {
    drive: (built) => {
      for (const cycle of at) built.signalLocalInterrupt(TARGET, "performance-counter", { cycle });
      return at.map((cycle) => ({ cycle, cpu: TARGET, source: "pmu" }));
    },
  };
}

const raisedAt = (run: NmiRun, cpu = TARGET): number => run.events("raise.stop", cpu)[0]?.cycle ?? NaN;
const allOff = Object.fromEntries(accelerationNames.map((name) => [name, false]));
const completed = { kind: "probe", probe: "requester:done" };

describe.each(letters)("design %s", (letter) => {
  it.each([4, 48])("runs the function in an NMI on every CPU of %i, every oracle holds", async (cpus) => {
    const run = await runNmi({ ...documentOf(letter, { rounds: 3 }), machine: { ...machine, cpus } });
    expect(run.end).toMatchObject(completed);
    expect(run.returned).toEqual([0, 0, 0]);
    expect(run.violated).toEqual([]);
    expect(run.cpus("function_start")).toHaveLength(3 * cpus);
    for (const cpu of [0, 1, cpus - 1]) {
      // In the order of time: NMI, function, its end, the end of the NMI.
      const kinds = ["nmi_enter", "function_start", "function_end", "nmi_leave"];
      const own = run.history.observations.filter((one) => one.cpu === cpu && kinds.includes(one.event));
      expect(own.map(({ event }) => event)).toEqual([...kinds, ...kinds, ...kinds]);
    }
  });

  it("runs it on the CPUs of a mask only, and stops all", async () => {
    const run = await runNmi(documentOf(letter, { active: "1,3" }));
    expect(run.violated).toEqual([]);
    expect(run.cpus("function_start").sort()).toEqual([1, 3]);
    expect(new Set(run.cpus("access"))).toEqual(new Set([0, 1, 2, 3]));
  });

  it("is the same with every acceleration off", async () => {
    const [fast, slow] = await Promise.all([
      runNmi(documentOf(letter)),
      runNmi(documentOf(letter), { accelerations: allOff }),
    ]);
    expect(fast.machine.cycle).toBe(slow.machine.cycle);
    expect(fast.machine.digest()).toBe(slow.machine.digest());
  });
});

describe("S1: the result is read before the NMI has come", () => {
  async function results(letter: Letter): Promise<number[]> {
    const own = [{ cpus: "0", value: -5, rounds: "1" }];
    return (await runNmi(documentOf(letter, { active: "0", rounds: 3, results: own }))).returned;
  }

  it("A returns what the call before should have returned", async () => {
    expect(await results("a")).toEqual([0, 0, -5]);
  });
  it.each(["b", "c", "d"] as const)("%s returns each call's own", async (letter) => {
    expect(await results(letter)).toEqual([0, -5, 0]);
  });
});

describe("S2: the NMI comes when all have moved on", () => {
  it("A reads a frame that is gone if it comes before the switch is off; behind that it is nobody's, and the function never ran", async () => {
    const seen = new Set<string>();
    for (let delayCycles = 1800; delayCycles < 2800; delayCycles += 100) {
      const faults: Document = { faults: { delivery: [{ cpus: String(TARGET), kind: "nmi", delayCycles }] } };
      const run = await runNmi(documentOf("a", {}, faults), { afterUs: 20 });
      expect(run.returned).toEqual([0]);
      if (run.violated.includes("lifetime")) seen.add("frame");
      if (run.events("unknown").length > 0) {
        expect(run.events("function_start", TARGET)).toEqual([]);
        seen.add("unknown");
      }
    }
    expect([...seen].sort()).toEqual(["frame", "unknown"]);
  });

  it("B reports -EINVAL, then the function runs through a dead frame", async () => {
    const run = await runNmi(documentOf("b", {}, lateNmi(50 * US)), { afterUs: 100 });
    expect(run.returned).toEqual([-22]);
    expect(run.events("say.nmi_not_on_all_cpus")).toHaveLength(1);
    expect(run.violated).toEqual(["exactly-once", "lifetime"]);
    const [start] = run.events("function_start", TARGET);
    expect(start?.cycle).toBeGreaterThan(run.events("answer")[0]?.cycle ?? NaN);
  });

  it.each(["c", "d"] as const)("%s waits for it", async (letter) => {
    const run = await runNmi(documentOf(letter, {}, lateNmi(50 * US)), { afterUs: 100 });
    expect(run.returned).toEqual([0]);
    expect(run.violated).toEqual([]);
    const wait = run.waits("self_nmi").find(({ cpu }) => cpu === TARGET);
    expect(wait).toMatchObject({ limit: 1_000_000, expired: false });
    expect(wait?.iterations).toBeGreaterThan(40);
  });
});

describe("S3, S7: NULL for cpus", () => {
  it("B dies copying the mask, before any CPU is stopped", async () => {
    const run = await runNmi({ machine, policy: { name: nameOf("b") } });
    expect(run.end).toMatchObject({ kind: "probe", probe: "bad_exception:fatal", cpu: 0 });
    expect(run.events("access")).toEqual([]);
  });

  it.each(["a", "c", "d"] as const)("%s runs the function on the first online CPU, and stops all", async (letter) => {
    const shape = { architecture: "x86-64", topology: "packages=1,cores=4,threads=1,arch=x86-64,offline=0" } as const;
    const run = await runNmi({ machine: shape, policy: { name: nameOf(letter) } });
    expect(run.end).toMatchObject(completed);
    expect(run.violated).toEqual([]);
    expect(run.cpus("function_start")).toEqual([1]);
    expect(new Set(run.cpus("access"))).toEqual(new Set([1, 2, 3]));
  });
});

describe("S4: an NMI before the first use, and after the last", () => {
  const early = overflows([120_000]);

  it("B goes through a pointer that nobody has set", async () => {
    const run = await runNmi(documentOf("b"), early);
    expect(run.end).toMatchObject({ kind: "probe", probe: "bad_exception:fatal", cpu: TARGET });
    expect(run.detail("lifetime")).toMatch(/CPU 2 used 0x0 .*nothing lives there/);
  });

  it("B changes a frame that is gone", async () => {
    const plain = await runNmi(documentOf("b"));
    const run = await runNmi(documentOf("b"), { ...overflows([plain.machine.cycle + 5000]), afterUs: 20 });
    expect(run.violated).toEqual(["lifetime"]);
    expect(run.detail("lifetime")).toMatch(/CPU 2 used .* dead since/);
  });

  it.each(["a", "c", "d"] as const)(
    "%s finds that it isn't meant, and the counter's handler is asked",
    async (letter) => {
      const plain = await runNmi(documentOf(letter));
      const run = await runNmi(documentOf(letter), {
        ...overflows([120_000, plain.machine.cycle + 5000]),
        afterUs: 20,
      });
      expect(run.returned).toEqual([0]);
      expect(run.violated).toEqual([]);
      expect(run.events("handle.pmu", TARGET)).toHaveLength(2);
    },
  );
});

describe("S5: an NMI that isn't ours, while the CPU is armed", () => {
  /** The foreign one comes on the heels of the send; the self-NMI arrives while it is handled. */
  async function foreignFirst(letter: Letter): Promise<NmiRun> {
    const plain = await runNmi(documentOf(letter));
    return runNmi(documentOf(letter), { ...overflows([raisedAt(plain) + 150]), afterUs: 20 });
  }

  it.each(["a", "b", "c"] as const)("%s takes it for its own; the counter waits for the next NMI", async (letter) => {
    const run = await foreignFirst(letter);
    expect(run.events("nmi_enter", TARGET)).toHaveLength(2);
    const [handled] = run.events("handle.pmu", TARGET);
    // The counter's mask bit stays until somebody looks: the self-NMI, which has nothing else to do, serves it.
    expect(handled?.cycle).toBeGreaterThan(run.events("nmi_enter", TARGET)[1]?.cycle ?? NaN);
    expect(run.events("unknown")).toEqual([]);
  });

  it("D runs its function and serves the counter; its own NMI, when it comes, is expected", async () => {
    const run = await foreignFirst("d");
    expect(run.violated).toEqual([]);
    const [handled] = run.events("handle.pmu", TARGET);
    expect(handled?.cycle).toBeLessThan(run.events("nmi_leave", TARGET)[0]?.cycle ?? NaN);
    expect(run.events("swallow", TARGET)).toHaveLength(1);
    expect(run.events("unknown")).toEqual([]);
    expect(run.returned).toEqual([0]);
  });

  it("one without a source that could be asked later makes the self-NMI of C unknown, as it would have been itself", async () => {
    for (const letter of ["c", "d"] as const) {
      const plain = await runNmi(documentOf(letter));
      const cycle = raisedAt(plain) + 150;
      const run = await runNmi(documentOf(letter), {
        drive: (built) => {
          built.sendInterrupt(TARGET, { kind: "nmi" }, { cycle });
          return [];
        },
        afterUs: 20,
      });
      expect(run.events("unknown", TARGET)).toHaveLength(1);
      expect(run.returned).toEqual([0]);
    }
  });

  it("merged in the latch: C loses the counter's without a message, D serves both", { timeout: 30_000 }, async () => {
    for (const letter of ["c", "d"] as const) {
      const seen = { merged: 0, apart: 0 };
      const plain = await runNmi(documentOf(letter));
      const isNmi = ({ kind, cpu }: TraceRecord): boolean => kind === TraceKind.INTERRUPT_TAKEN && cpu === TARGET;
      const taken = plain.history.records.filter((one) => isNmi(one) && one.cycle > raisedAt(plain))[0]?.cycle ?? NaN;
      const prepared = await prepareNmi(documentOf(letter));
      prepared.machine.run(taken - 100);
      for (let cycle = taken - 20; cycle <= taken + 2; cycle++) {
        const run = forked(prepared, { ...overflows([cycle]), afterUs: 20 });
        const entries = run.events("nmi_enter", TARGET).length;
        seen[entries === 1 ? "merged" : "apart"]++;
        expect(run.returned).toEqual([0]);
        expect(run.events("unknown")).toEqual([]);
        if (letter === "d") expect(run.violated).toEqual([]);
        else if (entries === 1) {
          expect(run.violated).toEqual(["sources-served"]);
          expect(run.events("handle.pmu")).toEqual([]);
        }
      }
      expect(seen.merged).toBeGreaterThan(0);
      expect(seen.apart).toBeGreaterThan(0);
    }
  });

  it("what C has lost stays lost: the counter is masked, and its next overflow makes no NMI", async () => {
    const document = documentOf("c");
    const plain = await runNmi(document);
    const isNmi = ({ kind, cpu }: TraceRecord): boolean => kind === TraceKind.INTERRUPT_TAKEN && cpu === TARGET;
    const taken = plain.history.records.filter((one) => isNmi(one) && one.cycle > raisedAt(plain))[0]?.cycle ?? NaN;
    const run = await runNmi(document, { ...overflows([taken - 1, plain.machine.cycle + 20_000]), afterUs: 100 });
    expect(run.events("nmi_enter", TARGET)).toHaveLength(1);
    expect(run.events("handle.pmu")).toEqual([]);
  });
});

describe("S6: several errors", () => {
  const results = [
    { cpus: "1", value: -22 },
    { cpus: "3", value: -16 },
  ];
  const returned = async (name: string, cpus = 4, own = results): Promise<NmiRun> =>
    runNmi({ machine: { ...machine, cpus }, policy: { name, active: "all", results: own, rounds: 2 } });

  it("overwriting returns one of them", async () => {
    const run = await returned("stop_machine");
    expect(run.violated).toEqual([]);
    for (const value of run.returned) expect([-22, -16]).toContain(value);
  });

  it("or'ing returns an error that nobody has returned", async () => {
    const run = await returned(nameOf("c"));
    expect(run.returned).toContain(-6);
    expect(run.violated).toEqual(["returned-error"]);
  });

  it("A overwrites, B puts all together afterwards", async () => {
    const [a, b] = await Promise.all([returned(nameOf("a")), returned(nameOf("b"))]);
    expect([-22, -16]).toContain(a.returned[1]);
    expect(b.returned).toEqual([-6, -6]);
    expect(b.violated).toEqual(["returned-error"]);
  });

  it("or'ing loses errors when CPUs finish together, as its load and store are apart", async () => {
    const own = Array.from({ length: 8 }, (_, cpu) => ({ cpus: String(cpu), value: 1 << cpu }));
    const run = await returned("stop_machine_accumulate", 8, own);
    for (const value of run.returned) {
      expect(value).toBeGreaterThan(0);
      expect(value).toBeLessThan(255);
    }
  });

  it.each([4, 8])("the first one stays on D, with %i CPUs", async (cpus) => {
    const own = Array.from({ length: cpus }, (_, cpu) => ({ cpus: String(cpu), value: -1 - cpu }));
    const run = await returned(nameOf("d"), cpus, own);
    expect(run.violated).toEqual([]);
    for (const value of run.returned) expect(own.map((one) => one.value)).toContain(value);
  });
});

describe("S8: CPUs that are offline", () => {
  it.each(["a", "c", "d"] as const)(
    "are outside of %s: not counted, not stopped, and NMIs are turned away",
    async (letter) => {
      const load: Document = { load: { common: "idle", particular: [{ cpus: "3", kind: "offline-hlt" }] } };
      const document = documentOf(letter, { functionUs: 10 }, load);
      const plain = await runNmi(document);
      const [start] = plain.events("function_start");
      const run = await runNmi(document, {
        drive: (built) => {
          for (let nmi = 0; nmi < 5; nmi++) {
            built.sendInterrupt(3, { kind: "nmi" }, { cycle: (start?.cycle ?? NaN) + 3000 * nmi });
          }
          return [];
        },
      });
      expect(run.violated).toEqual([]);
      expect(run.cpus("function_start").sort()).toEqual([0, 1, 2]);
      expect(run.events("drop", 3)).toHaveLength(5);
      expect(run.events("unknown")).toEqual([]);
    },
  );
});

describe("S9: the entry for holders of the hotplug lock", () => {
  it("of A leaves the switch off: NMIs are unknown, the function never runs, success is returned", async () => {
    const run = await runNmi(
      { machine, policy: { name: "stop_machine_nmi_a_cpuslocked", active: "all" } },
      { afterUs: 20 },
    );
    expect(run.returned).toEqual([0]);
    expect(run.cpus("function_start")).toEqual([]);
    expect(run.cpus("unknown").sort()).toEqual([0, 1, 2, 3]);
    expect(run.violated).toEqual(["exactly-once", "returned-error", "sources-served"]);
    expect(run.events("phase.text_patching")).toEqual([]);
  });

  it("only A patches text, twice per call", async () => {
    for (const letter of letters) {
      const run = await runNmi(documentOf(letter));
      expect(run.events("phase.text_patching")).toHaveLength(letter === "a" ? 2 : 0);
    }
  });
});

describe("S10: an NMI that comes after the wait was given up", () => {
  const options = { selfNmiIterations: 500 };
  /** Longer than ten times 500 us. */
  const never = lateNmi(7000 * US);

  it("C returns -ETIMEDOUT, then uses the frame and the mask that are gone", async () => {
    const run = await runNmi(documentOf("c", { options }, never), { afterUs: 8000 });
    expect(run.returned).toEqual([-110]);
    expect(run.waits("self_nmi").find(({ cpu }) => cpu === TARGET)).toMatchObject({ iterations: 500, expired: true });
    expect(run.violated).toContain("lifetime");
    expect(run.detail("lifetime")).toMatch(/CPU 2 used .* dead since/);
  });

  it("D sends again, and takes one that is later than C's limit", async () => {
    const run = await runNmi(documentOf("d", { options }, lateNmi(700 * US)), { afterUs: 2000 });
    expect(run.returned).toEqual([0]);
    expect(run.violated).toEqual([]);
    expect(run.waits("self_nmi").filter(({ cpu }) => cpu === TARGET)).toHaveLength(2);
    expect(run.events("swallow", TARGET)).toHaveLength(1);
  });

  it("D goes on when an NMI is lost, where C gives up", async () => {
    const lost: Document = { faults: { delivery: [{ cpus: String(TARGET), kind: "nmi", lost: 1 }] } };
    const [c, d] = await Promise.all([
      runNmi(documentOf("c", { options }, lost)),
      runNmi(documentOf("d", { options }, lost)),
    ]);
    expect(c.returned).toEqual([-110]);
    expect(d.returned).toEqual([0]);
    expect(d.violated).toEqual([]);
  });

  it("D gives up in the end, tells so, and touches nothing when the NMIs come", async () => {
    const run = await runNmi(documentOf("d", { options }, never), { afterUs: 20_000 });
    expect(run.returned).toEqual([-110]);
    expect(run.events("function_start", TARGET)).toEqual([]);
    expect(run.events("nmi_enter", TARGET).length).toBeGreaterThan(0);
    // That a target's function did not run is all that there is to say.
    expect(run.violated).toEqual(["exactly-once"]);
  });
});

describe("S11: a function that sleeps", () => {
  const sleeping = (letter: Letter, options = {}): Document => ({
    machine,
    policy: { name: `${nameOf(letter)}_sleeping`, active: "1", options },
    limitUs: 1000,
  });

  it("C calls it in the NMI; with the mutex taken, that is the end", async () => {
    const run = await runNmi(sleeping("c"));
    expect(run.events("say.sleeping_in_nmi", 1)).toHaveLength(1);
    expect(run.end).toMatchObject(completed);
    const held = await runNmi(sleeping("c", { textMutexHeld: 1 }));
    expect(held.violated).toContain("completion");
    expect(held.events("function_end")).toEqual([]);
  });

  it("D refuses it before anybody is stopped", async () => {
    const run = await runNmi(sleeping("d", { textMutexHeld: 1 }));
    expect(run.end).toMatchObject(completed);
    expect(run.returned).toEqual([-22]);
    expect(run.events("access")).toEqual([]);
    expect(run.events("function_start")).toEqual([]);
  });
});

describe("S12: a breakpoint inside the function", () => {
  async function interrupted(letter: Letter): Promise<NmiRun> {
    const document = documentOf(letter, { functionUs: 5, options: { functionBreakpoint: 1 } });
    const plain = await runNmi(document);
    const [start] = plain.events("function_start", TARGET);
    return runNmi(document, { ...overflows([(start?.cycle ?? NaN) + 5000]), afterUs: 50 });
  }

  it.each(["a", "b", "c"] as const)(
    "its IRET lets an NMI in on %s, which is latched, and served afterwards",
    async (letter) => {
      const run = await interrupted(letter);
      expect(run.violated).toEqual(["uninterrupted"]);
      expect(run.events("drop", TARGET)).toHaveLength(1);
      expect(run.events("handle.pmu", TARGET)).toHaveLength(1);
      expect(run.returned).toEqual([0]);
    },
  );

  it("returns without IRET on D: the NMI waits for the end of the handler", async () => {
    const run = await interrupted("d");
    expect(run.violated).toEqual([]);
    expect(run.events("drop")).toEqual([]);
    expect(run.events("handle.pmu", TARGET)).toHaveLength(1);
    const [end] = run.events("function_end", TARGET);
    expect(run.events("nmi_enter", TARGET)[1]?.cycle).toBeGreaterThan(end?.cycle ?? NaN);
  });
});

describe("S34: a foreign NMI between the stores that arm", () => {
  /** One run for each cycle from the last look at the block to the self-NMI, each instruction in a cycle of its own. */
  async function everywhere(letter: Letter, foreign: (cycle: number) => NmiOptions): Promise<NmiRun[]> {
    const options: NmiOptions = { issueWidth: 1 };
    const document = documentOf(letter, { options: { selfNmiIterations: 200 } });
    const plain = await runNmi(document, options);
    const raise = raisedAt(plain);
    const from = plain.events("access", TARGET).findLast(({ cycle }) => cycle < raise)?.cycle ?? raise - 50;
    const prepared = await prepareNmi(document, options);
    prepared.machine.run(from - 5);
    const runs: NmiRun[] = [];
    for (let cycle = from - 3; cycle < raise + 60; cycle++) {
      runs.push(forked(prepared, { ...foreign(cycle), afterUs: 20 }));
    }
    return runs;
  }

  const overflow = (cycle: number): NmiOptions => overflows([cycle]);
  const nameless = (cycle: number): NmiOptions => ({
    drive: (built) => {
      built.sendInterrupt(TARGET, { kind: "nmi" }, { cycle });
      return [];
    },
  });

  it("C throws the result away: the function ran once, and -ETIMEDOUT is returned", { timeout: 60_000 }, async () => {
    const runs = await everywhere("c", overflow);
    const hit = runs.filter(({ returned }) => returned[0] === -110);
    expect(hit.length).toBeGreaterThan(0);
    expect(hit.length).toBeLessThan(runs.length / 2);
    for (const run of hit) {
      expect(run.events("function_end", TARGET).map(({ values }) => Number(values[0]))).toEqual([0]);
      expect(run.violated).toContain("returned-error");
    }
    for (const run of runs.filter((one) => !hit.includes(one))) expect(run.returned).toEqual([0]);
  });

  it(
    "C: its self-NMI is unknown when the foreign one has no source that it could serve",
    { timeout: 60_000 },
    async () => {
      const runs = await everywhere("c", nameless);
      const hit = runs.filter(({ returned }) => returned[0] === -110);
      expect(hit.length).toBeGreaterThan(0);
      for (const run of hit) expect(run.events("unknown", TARGET)).toHaveLength(1);
    },
  );

  it.each(["a", "d"] as const)("%s arms in an order that has no such place", { timeout: 60_000 }, async (letter) => {
    const runs = await everywhere(letter, overflow);
    expect(runs.length).toBeGreaterThan(50);
    for (const run of runs) {
      expect(run.returned).toEqual([0]);
      expect(run.events("function_start", TARGET)).toHaveLength(1);
      if (letter === "d") expect(run.violated).toEqual([]);
    }
  });
});
