// Machines on which one CPU stores a flag and interrupts another one, round after round, and the handler keeps what it has read
// of the flag. Beforehand the flag's line is taken away from the sender, so that its store has to wait.

import { readFile } from "node:fs/promises";
import { loadCore } from "../../src/core/load.ts";
import { buildTopology, type Topology } from "../../src/topology/index.ts";
import type { BareMachine } from "../support/bare-machine.ts";
import type { Figures } from "../support/plain-timing.ts";

/** The released core: there are many runs. */
export const core = await loadCore(await readFile(new URL("../../dist/core.wasm", import.meta.url)));

export const ROUNDS = 24;

/** Offsets from the data: each has its line, the results have several. */
export const offsets = { flag: 0, owned: 0x40, done: 0x80, ready: 0xc0, results: 0x400 } as const;

export interface Setting {
  readonly name: string;
  readonly topology: Topology;
  readonly figures: Figures;
  /** The CPU that takes the flag's line before each round: the one that is interrupted, or a third. */
  readonly holder: 1 | 2;
  readonly seed: number;
}

const figuresByName: Readonly<Record<string, Figures>> = {
  "slow lines": { cache: 120, machine: 40, interrupt: 30 },
  "slow interrupts": { cache: 10, machine: 20, interrupt: 400 },
  "all the same": { cache: 3, interrupt: 3, storeDrain: 2 },
};

/** All that the outcome may hang on: latencies, who has the line, how CPUs share caches, perturbation. */
export function settings(architecture: "x86-64" | "arm64"): Setting[] {
  const topologies = [
    buildTopology({ architecture, packages: 1, coresPerLlc: 3 }),
    buildTopology({ architecture, packages: 3, coresPerLlc: 1 }),
  ];
  return Object.entries(figuresByName).flatMap(([name, figures]) =>
    topologies.flatMap((topology) =>
      ([1, 2] as const).flatMap((holder) =>
        [0, 1].map((seed) => ({
          name,
          topology,
          figures: { storeBuffer: 16, ...figures },
          holder,
          // 0 is no perturbation; else all are different.
          seed: seed === 0 ? 0 : 16 + 4 * holder + topology.counts.packages,
        })),
      ),
    ),
  );
}

/** In how many rounds the handler read less than what was stored before it was called. @throws when rounds are missing */
export function staleRounds(machine: BareMachine, data: number): number {
  const done = machine.read64(data + offsets.done);
  if (done !== BigInt(ROUNDS)) throw new Error(`only ${done} rounds`);
  const read = Array.from({ length: ROUNDS }, (_, round) => machine.read64(data + offsets.results + 8 * round));
  return read.filter((value, round) => value < BigInt(round + 1)).length;
}
