// Guest instructions per second, timing and coherence included.

import type { Architecture } from "allstop/topology";
import type { Machine } from "allstop/machine";
import { expectEqual, type Prepared, type RepeatedCase } from "../case.ts";
import {
  AREA_BYTES,
  MULTIPLIER,
  TURNS_OFFSET,
  WORDS,
  contendedWork,
  machineRunning,
  privateWork,
  sharedReadWork,
} from "../guest.ts";

const architectures = ["x86-64", "arm64"] as const;
/** Guest instructions that one timed call should be about: some 20 ms. */
const INSTRUCTIONS_PER_CALL = 2_000_000;

/** Turns that a CPU has counted, and its words. */
function areaOf(machine: Machine, cpu: number): { turns: number; words: Uint32Array } {
  const start = machine.address("bench_areas") + cpu * AREA_BYTES;
  const words = machine.readMemory(start, 4 * WORDS).slice();
  const turns = new DataView(machine.readMemory(start + TURNS_OFFSET, 8).slice().buffer).getBigUint64(0, true);
  return { turns: Number(turns), words: new Uint32Array(words.buffer) };
}

function allTurn(machine: Machine, cpus: number): boolean {
  for (let cpu = 0; cpu < cpus; cpu++) if (areaOf(machine, cpu).turns === 0) return false;
  return true;
}

function mixed(value: number, word: number): number {
  return ((Math.imul(value, MULTIPLIER) + word) ^ (value >>> 7)) >>> 0;
}

/** What the private loop leaves after so many turns, computed here; the word of the turn under way may be there already. */
function checkPrivate(machine: Machine, cpu: number): void {
  const { turns, words } = areaOf(machine, cpu);
  const expected = new Uint32Array(WORDS);
  let value = 1;
  for (let turn = 0; turn < turns; turn++) {
    value = mixed(value, expected[turn % WORDS] as number);
    expected[turn % WORDS] = value;
  }
  const under = turns % WORDS;
  if (words[under] !== expected[under]) expected[under] = mixed(value, expected[under] as number);
  expectEqual(words.join(), expected.join(), `private memory of CPU ${cpu} after ${turns} turns`);
}

/** Shared words are all zero: the value depends on the number of turns only. */
function checkSharedRead(machine: Machine, cpu: number): void {
  const { turns, words } = areaOf(machine, cpu);
  let value = 1;
  for (let turn = 0; turn < turns; turn++) value = mixed(value, 0);
  if (words[0] !== value) value = mixed(value, 0);
  expectEqual(words[0], value, `value of CPU ${cpu} after ${turns} turns`);
}

/** Each CPU has added once for each turn, and perhaps once more. */
function checkContended(machine: Machine, cpus: number): void {
  let turns = 0;
  for (let cpu = 0; cpu < cpus; cpu++) turns += areaOf(machine, cpu).turns;
  const bytes = machine.readMemory(machine.address("bench_counter"), 8).slice();
  const counted = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  if (counted < turns || counted > turns + cpus) expectEqual(counted, turns, "the contended counter");
}

/** Checks the first, the last and one CPU in between. */
function onSome(check: (machine: Machine, cpu: number) => void): (machine: Machine, cpus: number) => void {
  return (machine, cpus) => {
    for (const cpu of new Set([0, cpus >> 1, cpus - 1])) check(machine, cpu);
  };
}

/** The rate's own count is kept by the core as a whole; each CPU keeps one of its own. */
function checkCounted(machine: Machine, cpus: number): void {
  let retired = 0;
  for (let cpu = 0; cpu < cpus; cpu++) retired += machine.cpu(cpu).retired;
  expectEqual(machine.work.guestInstructions, retired, "the sum of all CPUs' instructions");
}

const works = {
  private: { routine: privateWork, check: onSome(checkPrivate) },
  "shared-read": { routine: sharedReadWork, check: onSome(checkSharedRead) },
  contended: { routine: contendedWork, check: checkContended },
} as const;

async function prepare(kind: keyof typeof works, architecture: Architecture, cpus: number): Promise<Prepared> {
  const { routine, check } = works[kind];
  const machine = await machineRunning(routine, architecture, cpus);
  const instructionsIn = (cycles: number): number => {
    const before = machine.work.guestInstructions;
    machine.run(machine.cycle + cycles);
    return machine.work.guestInstructions - before;
  };
  // Cold caches first, until every CPU is in its loop; then as many cycles per call as it takes.
  let cycles = 2000;
  let done = instructionsIn(cycles);
  while (done < INSTRUCTIONS_PER_CALL || !allTurn(machine, cpus)) {
    if (done < INSTRUCTIONS_PER_CALL) cycles *= 2;
    done = instructionsIn(cycles);
  }
  const verify = (): void => {
    check(machine, cpus);
    checkCounted(machine, cpus);
  };
  return { run: () => instructionsIn(cycles), verify };
}

export const instructionCases: readonly RepeatedCase[] = architectures.flatMap((architecture) =>
  (Object.keys(works) as (keyof typeof works)[]).flatMap((kind) =>
    // One CPU alone has nobody to contend with: its loop would be foreseen, and skipped.
    [kind === "contended" ? 2 : 1, 64, 512, 4096].map((cpus) => ({
      name: `instructions/${kind}/${architecture}/${cpus}`,
      figure: "rate" as const,
      unit: "guest instructions",
      prepare: () => prepare(kind, architecture, cpus),
    })),
  ),
);
