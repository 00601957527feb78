// Which CPUs threads run on: given ones, or drawn anew for each machine of a run.

import { AllstopError } from "../errors.ts";
import type { SeededRandom } from "../random.ts";
import { onlineCpus } from "../topology/index.ts";
import type { Topology } from "../topology/index.ts";

/**
 * `random`: any CPUs, others for each machine. `spread`: of packages, LLC domains and cores that differ as far as they go.
 * `near`: of one LLC domain, on different cores as far as they go. `smt`: threads of one core beside each other.
 */
export const placements = ["random", "spread", "near", "smt"] as const;
/** How threads are placed on CPUs: one of `placements`. */
export type Placement = (typeof placements)[number];

/** CPU numbers by thread. @throws OPTION_INVALID if there are too few */
export function placeThreads(
  topology: Topology,
  threads: number,
  placement: Placement,
  random: SeededRandom,
): number[] {
  const online = onlineCpus(topology);
  if (online.length < threads) {
    throw new AllstopError("OPTION_INVALID", "a test with more threads than the machine has CPUs", {
      value: threads,
      allowed: `up to ${online.length}`,
    });
  }
  return ordered(topology, shuffled(online, random), placement).slice(0, threads);
}

/** CPUs in the order in which threads take them. */
function ordered(topology: Topology, cpus: readonly number[], placement: Placement): readonly number[] {
  if (placement === "random") return cpus;
  if (placement === "spread") return takingTurns(topology, cpus, ["package", "llc", "core"]);
  const home = topology.cpus[cpus[0] ?? 0]?.llc;
  const near = cpus.filter((cpu) => topology.cpus[cpu]?.llc === home);
  const far = cpus.filter((cpu) => topology.cpus[cpu]?.llc !== home);
  const inCores = placement === "smt" ? groups(topology, near, "core").flat() : takingTurns(topology, near, ["core"]);
  return [...inCores, ...far];
}

type Level = "package" | "llc" | "core";

/** One of each group in turns, and so on within the groups. */
function takingTurns(topology: Topology, cpus: readonly number[], levels: readonly Level[]): readonly number[] {
  const [level, ...inner] = levels;
  if (level === undefined) return cpus;
  const queues = groups(topology, cpus, level).map((group) => takingTurns(topology, group, inner));
  const longest = Math.max(...queues.map(({ length }) => length));
  return Array.from({ length: longest }, (_, turn) => queues.flatMap((queue) => queue.slice(turn, turn + 1))).flat();
}

function groups(topology: Topology, cpus: readonly number[], level: Level): number[][] {
  const found = new Map<number, number[]>();
  for (const cpu of cpus) {
    const place = topology.cpus[cpu]?.[level] ?? 0;
    found.set(place, [...(found.get(place) ?? []), cpu]);
  }
  return [...found.values()];
}

/** Fisher and Yates. */
export function shuffled<T>(items: readonly T[], random: SeededRandom): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.next() % (i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}
