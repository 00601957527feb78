// Which CPUs of a topology are measured: a few pairs of each class of handoff, and the order in which CPUs join a contention.

import type { Cpu, Topology } from "../topology/index.ts";
import type { HandoffClass } from "./published.ts";

/** Two CPUs, and a CPU in whose node's memory the line lies. */
export interface Pair {
  readonly cpus: readonly [number, number];
  readonly home: number;
}

/** Pairs that are measured of each class: from the first CPU, from one in the middle, from the last. */
const ANCHORS = 3;

const matches: Readonly<Record<HandoffClass, (a: Cpu, b: Cpu) => boolean>> = {
  sibling: (a, b) => a.core === b.core,
  llc: (a, b) => a.core !== b.core && a.llc === b.llc,
  package: (a, b) => a.llc !== b.llc && a.package === b.package,
  "package-far-home": (a, b) => a.llc !== b.llc && a.package === b.package,
  machine: (a, b) => a.package !== b.package,
};

/** Pairs of a class; none if the topology has no such. */
export function pairsOf(topology: Topology, handoff: HandoffClass): Pair[] {
  const online = topology.cpus.filter((cpu) => cpu.state === "online");
  const anchors = Array.from({ length: ANCHORS }, (_, index) =>
    online.at(Math.round((index * (online.length - 1)) / (ANCHORS - 1))),
  );
  const pairs: Pair[] = [];
  for (const anchor of anchors) {
    if (anchor === undefined) continue;
    const partner = online.find((cpu) => cpu !== anchor && matches[handoff](anchor, cpu));
    const home = handoff === "package-far-home" ? online.find((cpu) => cpu.package !== anchor.package) : anchor;
    if (partner !== undefined && home !== undefined) {
      pairs.push({ cpus: [anchor.number, partner.number], home: home.number });
    }
  }
  return pairs;
}

/** One CPU of each core, domain by domain: so CPUs join a contention, as the published program pins its threads. */
export function contenders(topology: Topology): number[] {
  const firstOfCore = new Map<number, Cpu>();
  for (const cpu of topology.cpus) {
    if (cpu.state === "online" && !firstOfCore.has(cpu.core)) firstOfCore.set(cpu.core, cpu);
  }
  return [...firstOfCore.values()].toSorted((a, b) => a.llc - b.llc || a.core - b.core).map((cpu) => cpu.number);
}
