// The last step of every source of topologies: gives placed CPUs their ids, counts what there is, and checks the whole.

import { AllstopError } from "../errors.ts";
import { checkTopology } from "./check.ts";
import { mpidrStyles, packedApicIds, styledMpidrs, type MpidrStyle, type PlacedCpu } from "./hardware-ids.ts";
import { nowhere, type Cpu, type Topology, type TopologyCounts } from "./topology.ts";

/**
 * How CPUs get their hardware ids. Explicit ids are listed in ascending order of CPU number, absent numbers left out.
 */
export interface IdChoice {
  /** Default: packed as CPUID reports them. */
  readonly apicIds?: readonly number[] | undefined;
  /** Default: "linear". */
  readonly mpidrs?: MpidrStyle | readonly number[] | undefined;
  /** Cores per cluster of the MPIDR styles "cluster" and "multithreaded". Default: all cores of an LLC domain. */
  readonly clusterCores?: number | undefined;
}

export type TopologyDraft = Omit<Topology, "cpus" | "counts"> & { readonly cpus: readonly PlacedCpu[] };

/** A hole in the numbering. */
export function absentCpu(number: number): PlacedCpu {
  const none = { package: nowhere, die: nowhere, llc: nowhere, core: nowhere, thread: nowhere, node: nowhere };
  return { number, state: "absent", allowed: false, ...none };
}

/** Throws TOPOLOGY_INVALID for ids that don't fit or a machine that can't be. */
export function assemble(draft: TopologyDraft, ids: IdChoice): Topology {
  const apicIds = ids.apicIds === undefined ? packedApicIds(draft.cpus) : dealt(draft.cpus, ids.apicIds, "apicIds");
  const mpidrs = mpidrsOf(draft.cpus, ids);
  const cpus = draft.cpus.map((cpu, number): Cpu => {
    const { state, allowed, die, llc, core, thread, node } = cpu;
    const apicId = apicIds[number] ?? nowhere;
    const mpidr = mpidrs[number] ?? nowhere;
    return Object.freeze({ number, state, allowed, package: cpu.package, die, llc, core, thread, node, apicId, mpidr });
  });
  const topology: Topology = {
    name: draft.name,
    architecture: draft.architecture,
    timingModel: draft.timingModel,
    cpus: Object.freeze(cpus),
    nodes: Object.freeze(draft.nodes.map((node) => Object.freeze({ ...node }))),
    // A copy, so that the caller's can change.
    distances: draft.distances && Object.freeze(draft.distances.map((row) => Object.freeze([...row]))),
    counts: Object.freeze(countAll(cpus, draft.nodes.length)),
    hwloc: draft.hwloc && Object.freeze({ ...draft.hwloc }),
  };
  checkTopology(topology);
  return Object.freeze(topology);
}

function mpidrsOf(cpus: readonly PlacedCpu[], { mpidrs = "linear", clusterCores }: IdChoice): number[] {
  if (Array.isArray(mpidrs)) return dealt(cpus, mpidrs, "mpidrs");
  const style = mpidrStyles.find((known) => known === mpidrs);
  if (style !== undefined) return styledMpidrs(cpus, style, clusterCores);
  const allowed = `${mpidrStyles.join(", ")}, or a list of numbers`;
  throw new AllstopError("TOPOLOGY_INVALID", "no such MPIDR style", { at: "mpidrs", value: mpidrs, allowed });
}

/** Deals ids to the CPUs that are present. */
function dealt(cpus: readonly PlacedCpu[], ids: readonly number[], at: string): number[] {
  let next = 0;
  const byNumber = cpus.map((cpu) => (cpu.state === "absent" ? nowhere : (ids[next++] ?? nowhere)));
  if (next === ids.length) return byNumber;
  throw new AllstopError("TOPOLOGY_INVALID", "not one id for each CPU", { at, value: ids.length, allowed: `${next}` });
}

function countAll(cpus: readonly Cpu[], nodes: number): TopologyCounts {
  const counts = { packages: 0, dies: 0, llcs: 0, cores: 0, nodes, online: 0, complete: 0, allowed: 0 };
  for (const cpu of cpus) {
    counts.packages = Math.max(counts.packages, cpu.package + 1);
    counts.dies = Math.max(counts.dies, cpu.die + 1);
    counts.llcs = Math.max(counts.llcs, cpu.llc + 1);
    counts.cores = Math.max(counts.cores, cpu.core + 1);
    if (cpu.state === "online") counts.online++;
    if (cpu.state !== "absent") counts.complete++;
    if (cpu.allowed) counts.allowed++;
  }
  return counts;
}
