// Snapshots and forks of random machines, which meet everything in every way: equal digests and traces later on, whatever
// is accelerated before and after.

import { describe, expect, it } from "vitest";
import { ALL_ACCELERATIONS } from "../../src/abi.ts";
import { Core } from "../../src/core/core.ts";
import type { Accelerations } from "../../src/machine/accelerations.ts";
import { loadMachine, saveMachine } from "../../src/machine/snapshot/snapshot.ts";
import { checkedCore } from "../support/bare-machine.ts";
import {
  architectures,
  build,
  latencyFamilies,
  randomMachine,
  type Architecture,
  type Latencies,
} from "../support/random-machine.ts";
import { Random } from "../support/random.ts";
import { Watched, partsOfRandom, watchedKinds } from "./support.ts";

/** ALLSTOP_SEEDS asks for more. */
const seeds = Number(process.env["ALLSTOP_SEEDS"] ?? 5);

const names = ["runAhead", "spinElision", "decodeCache", "invalidationBatching"] as const;

function randomAccelerations(random: Random): Partial<Accelerations> {
  return random.chance(40) ? {} : Object.fromEntries(names.map((name) => [name, random.chance(50)]));
}

/** A random machine that has run to a random cycle, its snapshot, and where to look at it later. */
function caseOf(architecture: Architecture, seed: number, latencies: Latencies) {
  const random = new Random(seed ^ 0x54a9);
  const until = latencies === "tight" ? 4_000 : 12_000;
  const kind = randomMachine(architecture, seed, latencies, { fatal: random.chance(20) });
  const cut = random.between(1, until - 1);
  const looks = [random.between(cut, until), until].sort((a, b) => a - b);
  const accelerations = randomAccelerations(random);
  const machine = new Watched(build(kind, { accelerations, traceKinds: watchedKinds }).core);
  machine.advance(cut);
  const parts = partsOfRandom(kind);
  const host = { console: "", probes: [], starts: new Map(), trace: machine.trace, cycle: cut };
  const snapshot = saveMachine(machine.core, parts, host);
  const restore = (): Watched => {
    const loaded = loadMachine(checkedCore, snapshot, parts);
    return new Watched(loaded.core, loaded.host.trace);
  };
  return { machine, restore, looks, random, context: { seed, cut, looks, accelerations } };
}

describe.each(architectures)("random %s machines", (architecture) => {
  describe.each(latencyFamilies)("with %s latencies", (latencies) => {
    it(`go on identically as forks and from snapshots (${seeds} seeds)`, () => {
      for (let seed = 1; seed <= seeds; seed++) {
        const { machine, restore, looks, context } = caseOf(architecture, seed, latencies);
        const twins = { fork: machine.fork(), forkOfFork: machine.fork().fork(), restored: restore() };
        const expected = machine.run(looks);
        for (const [name, twin] of Object.entries(twins)) {
          expect({ ...context, name, ...twin.run(looks) }).toEqual({ ...context, name, ...expected });
        }
      }
    });

    it(`go on identically with other accelerations (${seeds} seeds)`, () => {
      for (let seed = 1; seed <= seeds; seed++) {
        const { machine, restore, looks, random, context } = caseOf(architecture, seed, latencies);
        const restored = restore();
        const bits = random.next() & ALL_ACCELERATIONS;
        restored.core.setAccelerations(bits);
        const expected = machine.run(looks);
        expect({ ...context, bits, ...restored.run(looks) }).toEqual({ ...context, bits, ...expected });
      }
    });
  });
});

describe("an instance", () => {
  it("can be forked before it has a machine", () => {
    const core = new Core(checkedCore);
    expect(core.pagesInUse()).toEqual([]);
  });
});
