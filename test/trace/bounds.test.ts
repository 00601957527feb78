// What of a run goes into a trace: CPUs, a window, stragglers.

import { describe, expect, it } from "vitest";
import { AllstopError } from "../../src/errors.ts";
import { executeScenario } from "../../src/scenario/run.ts";
import type { TraceOptions } from "../../src/trace/trace-scenario.ts";
import { decodeTrace, type Slice } from "./decode.ts";
import { scenario, traced } from "./runs.ts";

const document = scenario({ machine: { architecture: "arm64", cpus: 32 }, load: { common: "mixed" } });

async function slicesOf(options: TraceOptions): Promise<readonly Slice[]> {
  return decodeTrace((await traced(document, options)).bytes).slices;
}

const cpuOf = ({ track }: Slice): number => Number(/^CPU (\d+)/.exec(track)?.[1]);

describe("CPUs", () => {
  it("are all there, or those that are chosen, with the same events", async () => {
    const all = await slicesOf({});
    const some = await slicesOf({ cpus: [7, 3] });
    expect(new Set(some.map(cpuOf))).toEqual(new Set([3, 7]));
    expect(some).toEqual(all.filter((slice) => [3, 7].includes(cpuOf(slice))));
  });

  it("are those that stopped last, and the one that called", async () => {
    const { timelines } = await executeScenario(document);
    const stopped = [...(timelines[0]?.acknowledge[1] ?? [])].map((cycle, cpu) => ({ cycle, cpu }));
    const last = stopped.sort((a, b) => b.cycle - a.cycle || a.cpu - b.cpu).slice(0, 4);
    const { summary } = await traced(document, { stragglers: 4 });
    expect(summary.cpus).toEqual([...new Set([0, ...last.map(({ cpu }) => cpu)])].sort((a, b) => a - b));
  });

  it("are those that never stop, if there are such", async () => {
    const hanging = scenario({
      machine: { architecture: "arm64", cpus: 16 },
      load: { particular: [{ cpus: "9", kind: "wedged" }] },
      limitUs: 200,
    });
    // Nobody stops before all have come: the first ones by number, then.
    expect((await traced(hanging, { stragglers: 2, cpus: [9, 12] })).summary.cpus).toEqual([0, 9, 12]);
  });
});

describe("a window", () => {
  it("has what is open at its begin and closes what is open at its end", async () => {
    const all = await slicesOf({});
    const [fromUs, toUs] = [82, 90];
    const inside = await slicesOf({ fromUs, toUs });
    const [from, to] = [fromUs * 1000, toUs * 1000];
    const overlapping = all.filter(({ startNs, endNs, isInstant }) =>
      isInstant ? startNs >= from && startNs < to : startNs < to && endNs > from,
    );
    expect(overlapping.length).toBeGreaterThan(100);
    const shape = ({ track, name, startNs, endNs }: Slice): string =>
      `${track} ${name} ${Math.max(startNs, from)} ${Math.min(endNs, to)}`;
    const empty = ({ startNs, endNs, isInstant }: Slice): boolean => !isInstant && startNs === endNs;
    expect(
      inside
        .filter((slice) => !empty(slice))
        .map(shape)
        .sort(),
    ).toEqual(
      overlapping
        .filter((slice) => !empty(slice))
        .map(shape)
        .sort(),
    );
  });

  it("ends the run: what comes behind it takes no time", async () => {
    const hanging = scenario({ machine: { cpus: 4 }, load: { particular: [{ cpus: "2", kind: "wedged" }] } });
    const { summary } = await traced(hanging, { toUs: 100 });
    expect(summary.endNs).toBe(100_000);
    expect(summary.end.kind).toBe("reached");
  });

  it("may lie behind the end, and is empty then", async () => {
    const { slices } = decodeTrace((await traced(document, { fromUs: 1e6 })).bytes);
    expect(slices).toEqual([]);
  });
});

describe("mistakes", () => {
  it.each<[TraceOptions, string]>([
    [{ cpus: [32] }, "cpus"],
    [{ cpus: [] }, "cpus"],
    [{ stragglers: 0 }, "stragglers"],
    [{ stragglers: 1.5 }, "stragglers"],
    [{ fromUs: -1 }, "fromUs"],
    [{ fromUs: NaN }, "fromUs"],
    [{ fromUs: 5, toUs: 5 }, "toUs"],
    [{ toUs: NaN }, "toUs"],
  ])("%o", async (options, at) => {
    const error = await traced(document, options).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AllstopError);
    expect(error).toMatchObject({ code: "OPTION_INVALID", at });
  });
});
