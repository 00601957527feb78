// Snapshots and forks of machines that run the guest kernel: they go on exactly as the machine that they were made of.

import { describe, expect, it } from "vitest";
import { perCpuOffsets } from "../../src/guest/kernel.ts";
import { Machine } from "../../src/machine/machine.ts";
import type { RunOptions } from "../../src/scenario/run.ts";
import { Random } from "../support/random.ts";
import { checkedCore } from "../support/bare-machine.ts";
import { FOREVER, partsOf, rendezvous, stateOf, timelines } from "./support.ts";

const architectures = ["x86-64", "arm64"] as const;

/** Cycles at which the stop path is under way, and others. */
async function lengthOf(architecture: (typeof architectures)[number]): Promise<number> {
  const { machine } = await rendezvous(architecture);
  machine.run(FOREVER);
  return machine.cycle;
}

describe.each(architectures)("a %s machine", (architecture) => {
  it("goes on identically from snapshots and forks at random cycles, with the same trace and timelines", async () => {
    const length = await lengthOf(architecture);
    const random = new Random(architecture.length);
    const whole = await rendezvous(architecture);
    const wholeEnd = whole.machine.run(FOREVER);
    const expected = stateOf(whole.machine);
    for (let turn = 0; turn < 5; turn++) {
      const cut = random.between(1, length - 1);
      const { machine } = await rendezvous(architecture);
      machine.run(cut);
      const twins = [machine.fork(), Machine.restoreOn(checkedCore, machine.snapshot(), partsOf(machine)), machine];
      const middle = random.between(cut, length);
      const states = twins.map((one) => {
        one.run(middle);
        return stateOf(one);
      });
      expect(states).toEqual([states[2], states[2], states[2]]);
      for (const one of twins) {
        expect(one.run(FOREVER)).toEqual(wholeEnd);
        expect(stateOf(one)).toEqual(expected);
        expect(timelines(whole, one)).toEqual(timelines(whole, whole.machine));
      }
    }
  });

  it("is not disturbed by its forks, nor they by it, when all run in turns", async () => {
    const length = await lengthOf(architecture);
    const { machine: alone } = await rendezvous(architecture);
    const { machine: parent } = await rendezvous(architecture);
    const family = [parent];
    const step = Math.floor(length / 12);
    for (let cycle = step; cycle < length; cycle += step) {
      alone.run(cycle);
      for (const one of family) one.run(cycle);
      const state = stateOf(alone);
      for (const one of family) expect(stateOf(one)).toEqual(state);
      // Forks of forks: always of the youngest.
      if (family.length < 5) family.push((family.at(-1) as Machine).fork());
    }
  });

  it("comes back from JSON", async () => {
    const { machine } = await rendezvous(architecture);
    machine.run(100_000);
    machine.console = "said before";
    const text = JSON.stringify({ snapshot: Buffer.from(machine.snapshot()).toString("base64") });
    const { snapshot } = JSON.parse(text) as { snapshot: string };
    const restored = await Machine.restore(Buffer.from(snapshot, "base64"), partsOf(machine));
    expect(restored.run(FOREVER)).toEqual(machine.run(FOREVER));
    expect(stateOf(restored)).toEqual(stateOf(machine));
    expect(restored.console).toBe("said before");
    // The same machine, saved again.
    expect(restored.snapshot().length).toBeGreaterThan(0);
  });

  it("keeps a break that is pending, and probes by their names", async () => {
    const { machine: first, expanded } = await rendezvous(architecture);
    first.probe(expanded.policy.marks.enter, { break: true });
    const end = first.run(FOREVER);
    if (end.kind !== "probe") throw new Error(end.kind);
    expect(first.cycle - 1).toBeGreaterThan(end.cycle);
    const { machine: second } = await rendezvous(architecture);
    second.probe(expanded.policy.marks.enter, { break: true });
    expect(second.run(first.cycle - 1)).toEqual({ kind: "reached" });
    const twins = [second.fork(), Machine.restoreOn(checkedCore, second.snapshot(), partsOf(second))];
    for (const one of twins) {
      expect(one.run(FOREVER)).toEqual(end);
      expect(stateOf(one)).toEqual(stateOf(first));
    }
  });
});

describe("a write by the host while the machine runs", () => {
  it.each(architectures)("has the same effect whatever is accelerated (%s)", async (architecture) => {
    const cuts = [40_000, 90_000, 120_000];
    const run = async (accelerations?: RunOptions["accelerations"]): Promise<string[]> => {
      const { machine, expanded } = await rendezvous(architecture, 12, 2, accelerations);
      return cuts.map((cut, index) => {
        machine.run(cut);
        for (const cpu of expanded.online) {
          const block = machine.image.perCpuStart + cpu * machine.image.perCpuStride;
          machine.writeUint64(block + perCpuOffsets.irqsOffTurns, BigInt(30 + 7 * cpu + index));
          machine.writeUint64(block + perCpuOffsets.irqsOnTurns, 5n);
        }
        machine.run(cut + 20_000 + index);
        return machine.digest();
      });
    };
    const none = { runAhead: false, spinElision: false, decodeCache: false, invalidationBatching: false };
    expect(await run()).toEqual(await run(none));
  });

  it("reaches data only", async () => {
    const { machine, expanded } = await rendezvous("arm64", 2, 1);
    machine.run(10);
    const code = machine.address(expanded.policy.marks.enter);
    expect(() => machine.writeUint32(code - (code % 4), 0)).toThrow(/writable segments/);
  });
});

describe("a fork", () => {
  it("has a trace, console and probes of its own", async () => {
    const { machine, expanded } = await rendezvous("arm64");
    machine.run(50_000);
    const fork = machine.fork();
    fork.console += "only here";
    fork.probe(expanded.policy.marks.call, { break: true });
    const records = machine.trace.length;
    expect(fork.run(FOREVER)).toMatchObject({ kind: "probe", probe: expanded.policy.marks.call });
    expect(machine.console).toBe("");
    expect(machine.trace.length).toBe(records);
    expect(machine.run(FOREVER)).toMatchObject({ kind: "probe", probe: expanded.policy.marks.done });
  });

  it("is cheap to make many of", async () => {
    const { machine } = await rendezvous("arm64", 4, 1);
    machine.run(20_000);
    const digest = machine.digest();
    for (let count = 0; count < 200; count++) expect(machine.fork().digest()).toBe(digest);
  });
});
