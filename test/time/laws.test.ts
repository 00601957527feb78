// Laws 2 and 3 of the architecture: the state at any cycle is the same with every acceleration on or off, wherever the run
// is cut, and whether or not it is traced.

import { describe, expect, it } from "vitest";
import { StopReason, Counter } from "../../src/abi.ts";
import type { Accelerations } from "../../src/machine/configuration.ts";
import { Random } from "../support/random.ts";
import { build, randomMachine, type Latencies } from "../support/random-machine.ts";

const names = ["runAhead", "spinElision", "decodeCache", "invalidationBatching"] as const;
const none: Accelerations = { runAhead: false, spinElision: false, decodeCache: false, invalidationBatching: false };

/** All sixteen combinations. */
const combinations: readonly Accelerations[] = Array.from({ length: 16 }, (_, bits) => ({
  ...none,
  ...Object.fromEntries(names.map((name, bit) => [name, ((bits >> bit) & 1) === 1])),
}));

function cutsOf(seed: number, until: number): number[] {
  const random = new Random(seed ^ 0x5eed);
  const cuts = Array.from({ length: 6 }, () => random.between(2, until));
  return [...new Set([...cuts, until])].sort((a, b) => a - b);
}

function digestsAt(
  seed: number,
  latencies: Latencies,
  accelerations: Accelerations,
  cuts: readonly number[],
): string[] {
  const machine = build(randomMachine(seed, latencies), accelerations);
  return cuts.map((cut) => {
    machine.run(cut);
    expect(machine.counter(Counter.STOP_REASON)).toBe(BigInt(StopReason.NONE));
    return machine.core.digest().toString(16);
  });
}

/** As many as fit a test run; ALLSTOP_SEEDS asks for more, ALLSTOP_FIRST_SEED for others. */
const seeds = Number(process.env["ALLSTOP_SEEDS"] ?? 60);
const firstSeed = Number(process.env["ALLSTOP_FIRST_SEED"] ?? 1);

describe.each(["tight", "loose"] as const)("random machines with %s latencies", (latencies) => {
  it(`have one digest under every combination of accelerations (${seeds} seeds from ${firstSeed})`, () => {
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      const until = latencies === "tight" ? 6_000 : 20_000;
      const cuts = cutsOf(seed, until);
      const reference = digestsAt(seed, latencies, none, cuts);
      const random = new Random(seed);
      const chosen =
        seeds > 100
          ? [combinations[15]!, random.pick(combinations)]
          : [combinations[15]!, random.pick(combinations), random.pick(combinations)];
      for (const accelerations of chosen) {
        const context = { seed, latencies, accelerations, cuts };
        expect({ ...context, digests: digestsAt(seed, latencies, accelerations, cuts) }).toEqual({
          ...context,
          digests: reference,
        });
      }
    }
  });
});
