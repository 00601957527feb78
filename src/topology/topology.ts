// A machine's shape as plain immutable data: its CPUs, where each sits, and what they share.
//
// CPU numbers are Linux's logical CPU numbers, the `os_index` of a PU in hwloc. All other indices are machine-wide,
// start at 0 and have no holes. Nothing here depends on an instruction set.

/** The instruction sets that a machine can simulate. */
export type Architecture = "x86-64" | "arm64";

/**
 * `online`: runs. `offline`: is present but does not run (parked, failed to boot, switched off). `absent`: no such CPU,
 * the number is a hole in the numbering.
 */
export type CpuState = "online" | "offline" | "absent";

/** One CPU number. In an absent one all indices and ids are {@link nowhere}. */
export interface Cpu {
  readonly number: number;
  readonly state: CpuState;
  /** Whether the source lets work run here (hwloc's `allowed_cpuset`, a cgroup). The kernel stops it all the same. */
  readonly allowed: boolean;
  readonly package: number;
  readonly die: number;
  /** The domain within which a last-level cache is shared: a CCX, a cluster or a socket. Never crosses a package. */
  readonly llc: number;
  /** Machine-wide index of the core. */
  readonly core: number;
  /** Index of the thread in its core, in order of CPU number. */
  readonly thread: number;
  /** Index in {@link Topology.nodes} of the local NUMA node. */
  readonly node: number;
  /** x2APIC id, 32 bits. */
  readonly apicId: number;
  /** Affinity fields of MPIDR_EL1 at their places in the register: Aff3 39:32, Aff2 23:16, Aff1 15:8, Aff0 7:0. */
  readonly mpidr: number;
}

/** Every index and id of an absent CPU, and the package of a NUMA node that belongs to none. */
export const nowhere = -1;

/** A NUMA node, and where it is. */
export interface NumaNode {
  /** The operating system's number of the node; these may have holes. */
  readonly number: number;
  /** The package it belongs to, or {@link nowhere}. A node of several packages names the first. */
  readonly package: number;
}

/** How many of each there are. Offline CPUs count in all but `online`; absent ones in none. */
export interface TopologyCounts {
  readonly packages: number;
  readonly dies: number;
  readonly llcs: number;
  readonly cores: number;
  readonly nodes: number;
  readonly online: number;
  /** Online and offline CPUs. */
  readonly complete: number;
  readonly allowed: number;
}

/** What an hwloc file said of itself. */
export interface HwlocOrigin {
  /** "1.x", "2.0", "3.0" … */
  readonly schema: string;
  /** The number of objects listed of each type that has some, by hwloc 2 name; caches of schema 1.x as `L1Cache` …. */
  readonly objects: Readonly<Record<string, number>>;
}

/** A machine's CPUs and what they share: plain, immutable data. */
export interface Topology {
  readonly name: string;
  /** Undefined where the source is of another architecture or does not tell; either can then be simulated on it. */
  readonly architecture: Architecture | undefined;
  /** Id of the timing model that suits the machine; undefined where the architecture is. */
  readonly timingModel: string | undefined;
  /** Indexed by CPU number, absent numbers included: `cpus[n].number === n`. */
  readonly cpus: readonly Cpu[];
  readonly nodes: readonly NumaNode[];
  /** Relative distances between nodes as in ACPI's SLIT (10 is local), or undefined where the source lists none. */
  readonly distances: readonly (readonly number[])[] | undefined;
  readonly counts: TopologyCounts;
  /** Present if the topology was read from an hwloc file. */
  readonly hwloc: HwlocOrigin | undefined;
}

/** The most CPUs, and one more than the highest CPU number. */
export const maxCpus = 65_536;

/** The timing model for a machine of which no more is known. */
export function genericTimingModel(architecture: Architecture | undefined): string | undefined {
  if (architecture === undefined) return undefined;
  return architecture === "arm64" ? "generic-arm64" : "generic-x86";
}

/** The groupings that a CPU belongs to, from the narrowest to the widest. */
export type Level = "core" | "llc" | "die" | "package";

/** Numbers of the online CPUs, ascending. */
export function onlineCpus(topology: Topology): number[] {
  return topology.cpus.filter((cpu) => cpu.state === "online").map((cpu) => cpu.number);
}

/** CPU numbers of every core, LLC domain, die, package or node, by its index. Offline CPUs are included. O(CPUs). */
export function cpusOfEach(topology: Topology, level: Level | "node"): number[][] {
  const countOf = { core: "cores", llc: "llcs", die: "dies", package: "packages", node: "nodes" } as const;
  const members = Array.from({ length: topology.counts[countOf[level]] }, (): number[] => []);
  for (const cpu of topology.cpus) members[cpu[level]]?.push(cpu.number);
  return members;
}

/** The narrowest grouping that holds both CPUs; "machine" if not even the package does. */
export function sharedLevel(a: Cpu, b: Cpu): Level | "machine" {
  if (a.core === b.core) return "core";
  if (a.llc === b.llc) return "llc";
  if (a.die === b.die) return "die";
  return a.package === b.package ? "package" : "machine";
}

/**
 * SLIT-style distance between two nodes, by index. Where the source lists none it is derived: 10 to itself, 12 to a
 * node of the same package, 20 to any other (Linux's LOCAL_DISTANCE and REMOTE_DISTANCE; 12 is what two-node sockets
 * report).
 */
export function nodeDistance({ distances, nodes }: Topology, from: number, to: number): number {
  const listed = distances?.[from]?.[to];
  if (listed !== undefined) return listed;
  if (from === to) return 10;
  const home = nodes[from]?.package;
  return home !== nowhere && home === nodes[to]?.package ? 12 : 20;
}
