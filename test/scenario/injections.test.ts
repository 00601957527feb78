// What a scenario document lets go wrong on the way: what a run makes of it, and how each mistake is refused.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { executeScenario } from "../../src/scenario/run.ts";
import { SCENARIO_FORMAT, type ScenarioInput } from "../../src/scenario/document.ts";
import { checkedCore } from "../support/bare-machine.ts";

type Faults = NonNullable<ScenarioInput["faults"]>;
type Inject = NonNullable<Faults["inject"]>[number];
type Arch = "x86-64" | "arm64";

const ENTER = "multi_cpu_stop:enter";

function run(architecture: Arch, faults: Faults, rest: Partial<ScenarioInput> = {}) {
  const document = {
    format: SCENARIO_FORMAT,
    machine: { architecture, cpus: 6 },
    load: { common: "busy" },
    limitUs: 2000,
    ...rest,
    faults,
  } as const;
  return executeScenario(document, { core: checkedCore });
}

const endOf = async (architecture: Arch, faults: Faults, rest: Partial<ScenarioInput> = {}): Promise<string> => {
  const { end } = await run(architecture, faults, rest);
  return end.kind === "probe" ? end.probe : end.kind;
};

describe.each(["x86-64", "arm64"] as const)("a document of %s", (architecture) => {
  it("takes time from a CPU in the middle of a stop, and all wait for it", async () => {
    const lasts = async (faults: Faults): Promise<number> => {
      const { timelines } = await run(architecture, faults);
      return (timelines[0]?.return ?? NaN) - (timelines[0]?.call ?? NaN);
    };
    const plain = await lasts({});
    const stolen = await lasts({ inject: [{ kind: "suspend", us: 300, at: { mark: ENTER, cpu: 4 } }] });
    expect(stolen - plain).toBeGreaterThan(0.9 * 300 * 2500);
    expect(stolen - plain).toBeLessThan(1.1 * 300 * 2500);
  });

  it("lets faults of delivery begin on the way", async () => {
    const lost = (at?: { readonly us: number }): Promise<string> =>
      endOf(architecture, {
        delivery: [{ cpus: "1-5", kind: "interrupt", lost: "all", ...(at === undefined ? {} : { at }) }],
      });
    expect(await lost()).not.toBe("requester:done");
    expect(await lost({ us: 20 })).not.toBe("requester:done");
    // The stop is over by then.
    expect(await lost({ us: 1900 })).toBe("requester:done");
  });

  it("lets them end on the way: what comes behind is in order", async () => {
    const faults: Faults = {
      delivery: [
        { cpus: "1-5", kind: "interrupt", delayNs: 500_000 },
        { cpus: "1-5", kind: "interrupt", delayNs: 0, at: { us: 10 } },
      ],
    };
    const { timelines } = await run(architecture, faults);
    const lasted = ((timelines[0]?.return ?? NaN) - (timelines[0]?.call ?? NaN)) / 2500;
    expect(lasted).toBeLessThan(200);
  });

  it.each([0, 3])("lets them begin where somebody comes by, or %i instructions behind", async (instructions) => {
    // Each call queues work on all six CPUs: the seventh time, the second call begins.
    const at = { mark: "cpu_stop_queue_work", hit: 7, instructions };
    const { timelines, end, injected } = await run(
      architecture,
      { delivery: [{ cpus: "1-5", kind: "interrupt", lost: "all", at }] },
      { policy: { rounds: 2 } },
    );
    expect(end.kind === "probe" ? end.probe : end.kind).not.toBe("requester:done");
    expect(timelines.map((one) => Number.isNaN(one.return))).toEqual([false, true]);
    expect(injected[0]?.cycle).toBeGreaterThan(timelines[1]?.call ?? NaN);
    expect(injected[0]?.cycle).toBeLessThan((timelines[1]?.call ?? NaN) + 2500);
  });

  it("tells when each took place, and which did not", async () => {
    const { injected } = await run(architecture, {
      inject: [
        { kind: "suspend", us: 1, at: { us: 30 }, cpus: "1,3" },
        { kind: "suspend", us: 1, at: { mark: ENTER, hit: 500 } },
      ],
    });
    expect(injected.map(({ cycle, cpus }) => ({ cycle, cpus }))).toEqual([
      { cycle: 75_000, cpus: [1, 3] },
      { cycle: undefined, cpus: [] },
    ]);
  });
});

describe("what can be injected", () => {
  const taken = async (architecture: Arch, inject: Inject): Promise<number[][]> => {
    const { machine } = await run(architecture, { inject: [inject] });
    return [...machine.trace]
      .filter(({ kind }) => kind === TraceKind.INTERRUPT_TAKEN)
      .map(({ cpu, subject }) => [cpu, subject]);
  };

  it("is an NMI or an interrupt of any vector (x86-64)", async () => {
    expect(await taken("x86-64", { kind: "nmi", at: { us: 20 }, cpus: "2" })).toContainEqual([2, 2]);
    expect(await taken("x86-64", { kind: "interrupt", vector: 0xfd, at: { us: 20 }, cpus: "3" })).toContainEqual([
      3, 0xfd,
    ]);
  });

  it("is an SMI, a spurious interrupt, the platform's NMI (x86-64)", async () => {
    const plain = await taken("x86-64", { kind: "smi", us: 30, at: { us: 20 }, cpus: "3" });
    expect(plain.some(([, vector]) => vector === 2 || vector === 0xff)).toBe(false);
    expect(await taken("x86-64", { kind: "spurious", at: { us: 20 }, cpus: "3" })).toContainEqual([3, 0xff]);
    expect(await taken("x86-64", { kind: "serr", at: { us: 20 } })).toContainEqual([0, 2]);
    expect(await taken("x86-64", { kind: "iochk", at: { mark: ENTER } })).toContainEqual([0, 2]);
  });

  it("is an SGI (arm64)", async () => {
    const count = async (inject: Inject): Promise<number> =>
      (await taken("arm64", inject)).filter(([cpu]) => cpu === 3).length;
    const none = await count({ kind: "suspend", us: 1, at: { us: 10 }, cpus: "3" });
    expect(await count({ kind: "sgi", intid: 0, at: { us: 10 }, cpus: "3" })).toBe(none + 1);
  });
});

describe("a document with injections", () => {
  const x86: Arch = "x86-64";
  it.each<[string, Arch, unknown, RegExp]>([
    ["no list", x86, {}, /faults\.inject.*allowed: a list of at most 1000 entries/],
    ["no kind", x86, [{ at: { us: 1 } }], /faults\.inject\.0\.kind: the field is missing; allowed: interrupt, sgi/],
    [
      "an unknown kind",
      x86,
      [{ kind: "bang", at: { us: 1 } }],
      /faults\.inject\.0\.kind.*found "bang"; allowed: interrupt, /,
    ],
    [
      "a kind of the other architecture",
      x86,
      [{ kind: "sgi", intid: 1, at: { us: 1 }, cpus: "1" }],
      /faults\.inject\.0\.kind.*x86-64 machines don't have this.*"sgi"; allowed: interrupt, nmi, .*suspend$/,
    ],
    [
      "and the other way",
      "arm64",
      [{ kind: "nmi", at: { us: 1 }, cpus: "1" }],
      /faults\.inject\.0\.kind.*arm64 machines.*"nmi"; allowed: sgi, spi, suspend, event$/,
    ],
    ["no place", x86, [{ kind: "nmi", cpus: "1" }], /faults\.inject\.0\.at: the field is missing/],
    [
      "a number for a place",
      x86,
      [{ kind: "nmi", at: 5, cpus: "1" }],
      /faults\.inject\.0\.at.*found 5; allowed: an object in braces, with us, cycle, mark, /,
    ],
    [
      "an empty place",
      x86,
      [{ kind: "nmi", at: {}, cpus: "1" }],
      /faults\.inject\.0\.at: not one place; found "none"; allowed: one of us, cycle, mark/,
    ],
    [
      "two places",
      x86,
      [{ kind: "nmi", at: { us: 1, mark: ENTER } }],
      /faults\.inject\.0\.at: not one place; found "us, mark"/,
    ],
    [
      "a field that no place has",
      x86,
      [{ kind: "nmi", at: { ms: 1 } }],
      /faults\.inject\.0\.at\.ms: no such field \(did you mean us\?\); allowed: us, cycle, mark, cpu, hit, instructions, delayNs/,
    ],
    [
      "a hit of no mark",
      x86,
      [{ kind: "nmi", at: { us: 1, hit: 2 }, cpus: "1" }],
      /faults\.inject\.0\.at\.hit: only a place at a mark has this; found 2/,
    ],
    [
      "a hit that can't be",
      x86,
      [{ kind: "nmi", at: { mark: ENTER, hit: 0 } }],
      /faults\.inject\.0\.at\.hit.*found 0; allowed: a whole number from 1/,
    ],
    [
      "two distances",
      x86,
      [{ kind: "nmi", at: { mark: ENTER, instructions: 1, delayNs: 5 } }],
      /faults\.inject\.0\.at\.delayNs: behind the mark in two units/,
    ],
    ["a CPU that isn't there", x86, [{ kind: "nmi", at: { mark: ENTER, cpu: 6 } }], /faults\.inject\.0\.at\.cpu/],
    [
      "a mark that isn't there",
      x86,
      [{ kind: "nmi", at: { mark: "multi_cpu_stop:entr" } }],
      /faults\.inject\.0\.at\.mark.*"multi_cpu_stop:entr"; allowed: multi_cpu_stop:enter/,
    ],
    [
      "nobody to hit",
      x86,
      [{ kind: "nmi", at: { us: 1 } }],
      /faults\.inject\.0\.cpus: the field is missing: nobody comes by/,
    ],
    ["CPUs that aren't there", x86, [{ kind: "nmi", at: { us: 1 }, cpus: "5-6" }], /faults\.inject\.0\.cpus/],
    [
      "CPUs for the platform",
      x86,
      [{ kind: "serr", at: { us: 1 }, cpus: "1" }],
      /faults\.inject\.0\.cpus: serr has no CPUs to choose/,
    ],
    [
      "no vector",
      x86,
      [{ kind: "interrupt", at: { us: 1 }, cpus: "1" }],
      /faults\.inject\.0\.vector: the field is missing; allowed: a vector from 16 to 255/,
    ],
    [
      "a vector of exceptions",
      x86,
      [{ kind: "interrupt", vector: 14, at: { us: 1 }, cpus: "1" }],
      /faults\.inject\.0\.vector.*found 14; allowed: a vector from 16/,
    ],
    [
      "a vector for an NMI",
      x86,
      [{ kind: "nmi", vector: 32, at: { us: 1 }, cpus: "1" }],
      /faults\.inject\.0\.vector: nmi takes no such field; found 32; allowed: kind, at, cpus$/,
    ],
    ["no time", x86, [{ kind: "suspend", at: { us: 1 }, cpus: "1" }], /faults\.inject\.0\.us: the field is missing/],
    [
      "an SPI as an SGI",
      "arm64",
      [{ kind: "sgi", intid: 40, at: { us: 1 }, cpus: "1" }],
      /faults\.inject\.0\.intid.*found 40; allowed: 0 to 31/,
    ],
    [
      "an SGI as an SPI",
      "arm64",
      [{ kind: "spi", intid: 4, at: { us: 1 } }],
      /faults\.inject\.0\.intid.*found 4; allowed: 32 to 287/,
    ],
  ])("is refused for %s", async (_, architecture, inject, message) => {
    await expect(run(architecture, { inject } as Faults)).rejects.toThrow(message);
  });

  it("is refused for a fault of delivery at no place", async () => {
    const delivery = [{ cpus: "1", kind: "interrupt", lost: 1, at: { us: 1, cycle: 5 } }] as const;
    await expect(run("x86-64", { delivery: [...delivery] })).rejects.toThrow(/faults\.delivery\.0\.at: not one place/);
  });
});
