// Named real machines. Each entry says where its facts come from; what is only an estimate says so.

import { AllstopError } from "../errors.ts";
import { buildTopology, type TopologyParameters } from "./builder.ts";
import { mpidrOf } from "./hardware-ids.ts";
import type { Topology } from "./topology.ts";

/** A machine by name. */
export interface Preset {
  /** What a user types. */
  readonly name: string;
  readonly title: string;
  /** Id of the timing model that suits it. */
  readonly timingModel: string;
  /** Where the shape comes from, for people. */
  readonly source: string;
  /** A function, since ids and distances of a large machine are long lists. */
  readonly parameters: () => TopologyParameters;
}

/** Throws NAME_UNKNOWN. */
export function findPreset(name: string): Preset {
  const found = presets.find((preset) => preset.name === name);
  if (found !== undefined) return found;
  const allowed = presets.map((preset) => preset.name).join(", ");
  throw new AllstopError("NAME_UNKNOWN", "no such machine", { value: name, allowed });
}

/** Throws NAME_UNKNOWN. */
export function buildPreset(name: string): Topology {
  const { title, timingModel, parameters } = findPreset(name);
  return buildTopology({ name: title, timingModel, ...parameters() });
}

/** Two sockets on Intel's UPI: the SLIT of the Cascade Lake-AP in hwloc's and mpibind's test data. */
const intelPair = [
  [10, 21],
  [21, 10],
] as const;

/** Two EPYC sockets, one node each (NPS1): AMD's HPC tuning guide for EPYC 7002, section "NUMA". */
const amdPair = [
  [10, 32],
  [32, 10],
] as const;

/**
 * Skylake and Cascade Lake number the cores of a socket in four groups of eight ids and use at most seven of each (the
 * Cascade Lake-AP in mpibind's test data shows which, for 24 of 28 cores). Each group fills an x2APIC cluster of 16 ids
 * only in part.
 */
function gappedApicIds(coresPerGroup: number): number[] {
  const cores = 4 * coresPerGroup;
  return Array.from({ length: 2 * 2 * cores }, (_, number) => {
    const core = number % cores;
    const coreId = Math.floor(core / coresPerGroup) * 8 + (core % coresPerGroup);
    const socket = Math.floor(number / cores) % 2;
    const thread = Math.floor(number / (2 * cores));
    return socket * 64 + coreId * 2 + thread;
  });
}

/**
 * CPU numbers of EPYC 9654 go round the quadrants: consecutive eights are on CCXs 0, 4, 8, 2, 6, 10 and so on. As in
 * the CPUID dump of two EPYC 9654 in hwloc's test data (tests/hwloc/x86/AMD-19h-Zen4-2xEpyc-9654).
 */
function genoaApicIds(): number[] {
  const ccxInOrder = [0, 4, 8, 2, 6, 10, 3, 7, 11, 1, 5, 9];
  return Array.from({ length: 384 }, (_, number) => {
    const core = number % 96;
    const ccx = ccxInOrder[Math.floor(core / 8)] ?? 0;
    const socket = Math.floor(number / 96) % 2;
    return socket * 256 + ccx * 16 + (core % 8) * 2 + Math.floor(number / 192);
  });
}

/**
 * TSV110 sets MPIDR_EL1.MT; Aff2 holds the die (SCCL 1, 3, 5, 7) in bits 7:3 and the cluster in bits 2:0, Aff1 the core
 * in its cluster of four: Linux drivers/perf/hisilicon/hisi_uncore_pmu.c, and the SRAT of such a machine printed in a
 * boot log on the linux-scsi list (5.11-rc3: PXM 3 -> MPIDR 0x390300 and so on).
 */
function kunpengMpidrs(): number[] {
  return Array.from({ length: 128 }, (_, number) => {
    const superCluster = 2 * Math.floor(number / 32) + 1;
    const cluster = Math.floor(number / 4) % 8;
    return mpidrOf(0, superCluster * 8 + cluster, number % 4, 0);
  });
}

/**
 * Distances of an SGI Altix UV with nodes 2k and 2k+1 on one blade: 10, 16 within the blade, otherwise 20 + |i - j|, as
 * the 48-node machine in hwloc's gallery (48XeonX7500+groups.xml). A SLIT holds a byte, so larger machines stop at 254.
 */
function uvDistances(nodes: number): number[][] {
  return Array.from({ length: nodes }, (_, from) =>
    Array.from({ length: nodes }, (_, to) => {
      if (from === to) return 10;
      return from >> 1 === to >> 1 ? 16 : Math.min(20 + Math.abs(from - to), 254);
    }),
  );
}

/** Two Intel sockets. One mesh joins a socket's L3 slices, so the socket is the LLC domain. */
function intelSockets(coresPerLlc: number): TopologyParameters {
  return { architecture: "x86-64", packages: 2, coresPerLlc, threadsPerCore: 2, distances: intelPair };
}

/** Two AMD sockets. The CCX is the LLC domain. */
function amdSockets(diesPerPackage: number, llcsPerDie: number, coresPerLlc: number): TopologyParameters {
  const counts = { packages: 2, diesPerPackage, llcsPerDie, coresPerLlc, threadsPerCore: 2 };
  return { architecture: "x86-64", ...counts, distances: amdPair };
}

function uv(packages: number): TopologyParameters {
  return { architecture: "x86-64", packages, coresPerLlc: 8, threadsPerCore: 2, distances: uvDistances(packages) };
}

/** The machines that come with the package. */
export const presets: readonly Preset[] = [
  {
    name: "skylake-8160",
    title: "2x Xeon Platinum 8160",
    timingModel: "skylake-sp",
    source:
      "Intel ARK: 24 cores, SMT2; core ids: the usual 4 x 6, an estimate, since disabled cores vary from part to part",
    parameters: () => ({ ...intelSockets(24), apicIds: gappedApicIds(6) }),
  },
  {
    name: "cascadelake-8280",
    title: "2x Xeon Platinum 8280",
    timingModel: "cascadelake-sp",
    source: "Intel ARK: 28 cores, SMT2; all 4 x 7 core ids of the die",
    parameters: () => ({ ...intelSockets(28), apicIds: gappedApicIds(7) }),
  },
  {
    name: "icelake-8375c",
    title: "2x Xeon Platinum 8375C",
    timingModel: "icelake-sp",
    source: "core-to-core latency matrix of the machine: 32 cores, SMT2",
    parameters: () => intelSockets(32),
  },
  {
    name: "sapphirerapids-8480",
    title: "2x Xeon Platinum 8480+",
    timingModel: "sapphirerapids",
    source:
      "Intel ARK: 56 cores, SMT2; one L3 over its four tiles, which CPUID doesn't report as dies (hwloc: 2x Xeon Max 9460)",
    parameters: () => intelSockets(56),
  },
  {
    name: "epyc-7742",
    title: "2x EPYC 7742",
    timingModel: "zen2",
    source: "AMD: 8 dies of 2 CCX of 4 cores, SMT2; core-to-core latency matrix of the machine",
    parameters: () => amdSockets(8, 2, 4),
  },
  {
    name: "epyc-7r13",
    title: "2x EPYC 7R13",
    timingModel: "zen3",
    source: "core-to-core latency matrix of the machine: 6 CCX of 8 cores per socket, SMT2",
    parameters: () => amdSockets(6, 1, 8),
  },
  {
    name: "epyc-7763",
    title: "2x EPYC 7763",
    timingModel: "zen3",
    source: "AMD: 8 dies of one CCX of 8 cores, SMT2",
    parameters: () => amdSockets(8, 1, 8),
  },
  {
    name: "epyc-9654",
    title: "2x EPYC 9654",
    timingModel: "zen4",
    source: "hwloc tests/hwloc/x86/AMD-19h-Zen4-2xEpyc-9654: 12 dies of one CCX of 8 cores, SMT2",
    parameters: () => ({ ...amdSockets(12, 1, 8), apicIds: genoaApicIds() }),
  },
  {
    name: "graviton2",
    title: "AWS Graviton2",
    timingModel: "neoverse-n1",
    source:
      "core-to-core latency matrix: 64 Neoverse N1 in pairs; the mesh's system cache serves all; MPIDRs an estimate",
    parameters: () => armSockets(1, 64, 2),
  },
  {
    name: "graviton3",
    title: "AWS Graviton3",
    timingModel: "neoverse-v1",
    source: "core-to-core latency matrix: 64 Neoverse V1; the mesh's system cache serves all; MPIDRs an estimate",
    parameters: () => armSockets(1, 64, 1),
  },
  {
    // Its clusters of four share only the tags of the L3, whose data lies in slices along the die (SCCL). A line moves
    // within a cluster in 34.5 ns, within the die in 35.7 ns and to the other die in 80.5 ns (core-to-core latency
    // matrix of a 920-6426), and firmware reports one L3 per die: the die of 32 is the LLC domain, the cluster is not.
    name: "kunpeng-920",
    title: "2x Kunpeng 920-6426",
    timingModel: "kunpeng920",
    source: "hwloc tests/hwloc/linux/128arm-2pa2n8cluster4co: 2 dies of 32 cores, clusters of 4, one node per die",
    parameters: () => ({
      architecture: "arm64",
      packages: 2,
      diesPerPackage: 2,
      coresPerLlc: 32,
      nodesPerPackage: 2,
      distances: [
        [10, 16, 32, 33],
        [16, 10, 25, 32],
        [32, 25, 10, 16],
        [33, 32, 16, 10],
      ],
      mpidrs: kunpengMpidrs(),
    }),
  },
  {
    name: "altra-2x80",
    title: "2x Ampere Altra Q80",
    timingModel: "neoverse-n1",
    source:
      "Ampere: 80 Neoverse N1 per socket, one system cache; Aff1 = core of a pair, Aff2 = pair (boot logs), Aff3 = socket (estimate)",
    parameters: () => armSockets(2, 80, 2),
  },
  {
    name: "sgi-uv-768",
    title: "SGI Altix UV, 48x Xeon X7500",
    timingModel: "generic-x86",
    source: "hwloc gallery, 48XeonX7500+groups.xml: 48 nodes of 8 cores, SMT2; CPU numbering an estimate",
    parameters: () => uv(48),
  },
  {
    name: "sgi-uv-4096",
    title: "SGI Altix UV, 256x Xeon X7500",
    timingModel: "generic-x86",
    source:
      "SGI: the largest Altix UV 1000 has 2,048 cores, 4,096 threads; distances extrapolated from the 48-node machine",
    parameters: () => uv(256),
  },
];

/** Arm sockets whose one system-level cache makes the socket the LLC domain; `clusterCores` share a mesh port. */
function armSockets(packages: number, coresPerLlc: number, clusterCores: number): TopologyParameters {
  return { architecture: "arm64", packages, coresPerLlc, mpidrs: "multithreaded", clusterCores };
}
