// What a snapshot says of the machine that it was taken of, so that it goes on only on a like one.

import { timingTable, type TimingModel } from "../../timing/index.ts";
import type { Topology } from "../../topology/index.ts";
import { textIdentity } from "./checksum.ts";

const known = new WeakMap<Topology, string>();

/** Equal for topologies that make equal machines, whatever their names. O(CPUs) the first time. */
export function topologyIdentity(topology: Topology): string {
  let identity = known.get(topology);
  if (identity === undefined) {
    const cpus = topology.cpus.map((cpu) => [
      cpu.state,
      cpu.package,
      cpu.die,
      cpu.llc,
      cpu.core,
      cpu.thread,
      cpu.node,
      cpu.apicId,
      cpu.mpidr,
    ]);
    const nodes = topology.nodes.map((node) => [node.number, node.package]);
    identity = textIdentity(JSON.stringify([cpus, nodes, topology.distances ?? null]));
    known.set(topology, identity);
  }
  return identity;
}

/** Equal for models with equal numbers, whatever their names and sources. @throws OPTION_INVALID for impossible numbers */
export function timingIdentity(timing: TimingModel): string {
  const { lines, clockMhz, counterHz, issueWidth } = timing;
  const sourced = [clockMhz, counterHz, issueWidth, lines.cache, lines.node, lines.package, lines.machine];
  const numbers = [...sourced.map(({ value }) => value), ...timingTable(timing)];
  return textIdentity(JSON.stringify([timing.architecture, numbers]));
}
